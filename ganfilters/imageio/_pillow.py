"""What Pillow decodes: JPEG, BMP, GIF, AVIF, the frames of animations, and its own images.

Plugins are called directly and not through ``PIL.Image.open``: that has a limit on pixels of its
own, a global, which a library must neither obey (ours comes from the caller) nor change.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image as PILImage
from PIL import ImageFile, JpegImagePlugin, features

from ganfilters.errors import ImageError
from ganfilters.imageio import _exif, _png, _webp, _xmp
from ganfilters.imageio._samples import Decoded

__all__ = ["decode", "frames", "from_pil", "metadata", "open_animation"]

Guard = Callable[[int, int, int], None]


class _Jpeg(JpegImagePlugin.JpegImageFile):
    """A JPEG whose EXIF Pillow does not parse while opening, as it warns about damaged ones."""

    def getexif(self) -> PILImage.Exif:
        return PILImage.Exif()


def _open(file: BinaryIO, format: str) -> ImageFile.ImageFile:
    file.seek(0)
    if format == "JPEG":
        return _Jpeg(file)
    if format == "BMP":
        from PIL import BmpImagePlugin

        return BmpImagePlugin.BmpImageFile(file)
    if format == "GIF":
        from PIL import GifImagePlugin

        return GifImagePlugin.GifImageFile(file)
    if format == "WEBP":
        from PIL import WebPImagePlugin

        return WebPImagePlugin.WebPImageFile(file)
    if format == "PNG":
        from PIL import PngImagePlugin

        return PngImagePlugin.PngImageFile(_png.still_part(file))
    if not features.check("avif"):
        raise ImageError("this Pillow was built without AVIF; install one with it, or use PNG")
    from PIL import AvifImagePlugin

    return AvifImagePlugin.AvifImageFile(BytesIO(_exif.scrubbed(file.read())))


def decode(file: BinaryIO, format: str, guard: Guard) -> Decoded:
    """Read a still picture, or the first frame."""
    if format == "JPEG":
        guard(*_jpeg_size(file), 1)
    with _open(file, format) as picture:
        guard(*picture.size, 1)
        return _decoded(picture, format)


def metadata(file: BinaryIO, format: str) -> Decoded:
    """Return what the file holds besides samples, which are not decoded."""
    with _open(file, format) as opened:
        return still_info(file, format, opened)


def _jpeg_size(file: BinaryIO) -> tuple[int, int]:
    """Return width and height from a JPEG's frame header, skipping whatever stands before it."""
    file.seek(2)
    while True:
        mark = file.read(2)
        if len(mark) < 2:
            raise ImageError("the JPEG ends too early; copy or download it again")
        if mark[0] != 0xFF:
            raise ImageError("the JPEG is damaged; copy or download it again")
        if mark[1] == 0xFF:
            file.seek(-1, 1)
            continue
        if mark[1] == 0x01 or 0xD0 <= mark[1] <= 0xD7:
            continue
        head = file.read(7)
        if len(head) < 7:
            raise ImageError("the JPEG ends too early; copy or download it again")
        if 0xC0 <= mark[1] <= 0xCF and mark[1] not in (0xC4, 0xC8, 0xCC):
            if head[2] != 8:
                raise ImageError(
                    f"the JPEG holds {head[2]} bits a sample; only 8 can be read, save it as PNG"
                )
            height, width = struct.unpack(">HH", head[3:7])
            return width, height
        file.seek(struct.unpack(">H", head[:2])[0] - 7, 1)


def _decoded(picture: ImageFile.ImageFile, format: str) -> Decoded:
    picture.load()
    samples, alpha, mode = from_pil(picture)
    info = picture.info
    recipe = None
    if format == "GIF":
        recipe = _xmp.from_comment(info.get("comment"))
    return Decoded(
        samples,
        mode,
        format,
        alpha=alpha,
        icc=_bytes(info.get("icc_profile")),
        exif=_bytes(info.get("exif")),
        xmp=_bytes(info.get("xmp")),
        dpi=dpi_of(info),
        recipe=recipe,
    )


def _bytes(value: object) -> bytes | None:
    if isinstance(value, str):
        return value.encode()
    return value if isinstance(value, bytes) else None


def dpi_of(info: dict[Any, Any]) -> tuple[float, float] | None:
    """Return the resolution that Pillow found, or None."""
    try:
        x, y = (float(value) for value in info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if 0 < x < 1e6 and 0 < y < 1e6 else None


def from_pil(
    picture: PILImage.Image,
) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None, str]:
    """Return samples (H x W x C), alpha and mode of a Pillow image.

    Raises
    ------
    ImageError
        The image has a mode for which there is no plain meaning as grey, RGB or CMYK.
    """
    mode = picture.mode
    if mode.startswith("I;16"):
        deep = np.asarray(picture).astype(np.uint16)
        key = picture.info.get("transparency")
        alpha = np.where(deep == key, 0, 65535).astype(np.uint16) if isinstance(key, int) else None
        return deep[..., None], alpha, "L"
    if mode == "I":
        wide = np.asarray(picture)
        if wide.min() < 0 or wide.max() > 65535:
            raise ImageError(
                "the PIL image of mode I holds values outside 0 to 65535; scale it to that range"
            )
        return wide.astype(np.uint16)[..., None], None, "L"
    if mode == "F":
        real = np.asarray(picture)
        if not np.isfinite(real).all() or real.min() < 0 or real.max() > 1:
            raise ImageError("the PIL image of mode F holds values outside 0 to 1; scale it first")
        return np.rint(real * np.float64(65535)).astype(np.uint16)[..., None], None, "L"
    if mode == "CMYK":
        return np.asarray(picture), None, "CMYK"
    if mode == "LAB":
        raise ImageError("a PIL image of mode LAB cannot be used; convert it to RGB")
    if mode == "1":
        picture = picture.convert("L")
    elif mode == "La":
        picture = picture.convert("LA")
    elif picture.has_transparency_data and mode not in ("L", "LA"):
        picture = picture.convert("RGBA")
    elif mode not in ("L", "LA", "RGB"):
        picture = picture.convert("RGB")
    array = np.asarray(picture)
    if picture.mode == "L":
        key = picture.info.get("transparency")
        alpha = np.where(array == key, 0, 255).astype(np.uint8) if isinstance(key, int) else None
        return array[..., None], alpha, "L"
    if picture.mode == "LA":
        return np.ascontiguousarray(array[..., :1]), np.ascontiguousarray(array[..., 1]), "L"
    if picture.mode == "RGBA":
        return np.ascontiguousarray(array[..., :3]), np.ascontiguousarray(array[..., 3]), "RGB"
    return array, None, "RGB"


def open_animation(file: BinaryIO, format: str) -> ImageFile.ImageFile | None:
    """Return the opened file if it holds more than one frame, else None."""
    if format == "PNG":
        if _png.frame_count(file) < 2:
            return None
    elif format == "WEBP":
        if _webp.frame_count(file) < 2:
            return None
    elif format not in ("GIF", "AVIF"):
        return None
    opened = _open(file, format)
    if getattr(opened, "n_frames", 1) - bool(getattr(opened, "default_image", False)) < 2:
        return None  # not closed: the file is the caller's
    return opened


def frames(opened: ImageFile.ImageFile) -> Iterator[tuple[npt.NDArray[np.uint8], float]]:
    """Yield every frame, fully composed as H x W x 4, with its duration in milliseconds."""
    count = getattr(opened, "n_frames", 1)
    start = int(bool(getattr(opened, "default_image", False)))
    for index in range(start, count):
        opened.seek(index)
        opened.load()
        duration = float(opened.info.get("duration", 0) or 0)
        frame: PILImage.Image = opened
        if frame.mode.startswith("I"):
            # Pillow's way from 16-bit grey to 8 bits clips instead of scaling.
            deep = np.asarray(frame).astype(np.uint32)
            frame = PILImage.fromarray(((deep + 128) // 257).astype(np.uint8))
        yield np.asarray(frame.convert("RGBA")), duration


def plays(opened: ImageFile.ImageFile, format: str) -> int:
    """Return how often the animation plays; 0 is for ever.

    A GIF's number counts the repeats behind the first time, and one without it plays once.
    """
    loop = opened.info.get("loop")
    if format == "GIF":
        return 1 if loop is None else 0 if loop == 0 else int(loop) + 1
    return int(loop or 0)


def still_info(file: BinaryIO, format: str, opened: ImageFile.ImageFile) -> Decoded:
    """Return what an opened file holds besides samples."""
    if format == "PNG":
        return _png.metadata(file)
    info = opened.info
    return Decoded(
        np.empty((0, 0, 1), np.uint8),
        "RGB",
        format,
        icc=_bytes(info.get("icc_profile")),
        exif=_bytes(info.get("exif")),
        xmp=_bytes(info.get("xmp")),
        recipe=_xmp.from_comment(info.get("comment")) if format == "GIF" else None,
    )

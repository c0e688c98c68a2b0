"""Reading pictures and animations, and the recipes in them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ganfilters.errors import ImageError
from ganfilters.files import why_unreadable
from ganfilters.image import Animation, Image
from ganfilters.imageio import _pillow, _png, _webp, _xmp
from ganfilters.imageio._formats import READABLE
from ganfilters.imageio._readvideo import is_video, video_recipe
from ganfilters.imageio._samples import Decoded, assemble
from ganfilters.limits import MAX_PIXELS
from ganfilters.recipe import Recipe

__all__ = ["MAX_PIXELS", "read", "read_recipe"]

_ANIMATION_FACTOR = 4  # an animation may hold this many times the pixels of one picture


def read(
    source: str | Path | bytes | BinaryIO, *, max_pixels: int = MAX_PIXELS
) -> Image | Animation:
    """Read a picture or an animation.

    The picture is turned upright, in sRGB, and remembers what its file held (`Metadata`). Of a
    TIFF with several pages the first is read (`Metadata.pages` counts them). Damaged metadata is
    ignored; damaged pixels are not.

    Parameters
    ----------
    source
        A path, encoded bytes, or an open binary file.
    max_pixels
        Largest number of pixels (width times height), checked before decoding. All frames of an
        animation together may have four times as many.

    Raises
    ------
    ImageError
        The source is missing, damaged, too large, or no picture in a known format.
    """
    if isinstance(source, (str, Path)):
        name = str(source)
        with _opened(name) as file:
            return _read(file, name, name, max_pixels)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _read(BytesIO(source), "the picture", None, max_pixels)
    if not source.seekable():
        source = BytesIO(source.read())
    named = getattr(source, "name", None)
    path = named if isinstance(named, str) else None
    return _read(source, path or "the picture", path, max_pixels)


def read_recipe(path: str | Path) -> Recipe | None:
    """Return the recipe in a picture, animation or video; None if there is none.

    No pixels are decoded, so the size of the picture does not matter.

    Raises
    ------
    ImageError
        The file is missing or damaged.
    UsageError
        It is a video, and PyAV is not installed.
    """
    if is_video(path):
        return video_recipe(path)
    name = str(path)
    with _opened(name) as file:
        format = _sniff(file.read(64), name)
        with _told(name, format):
            if format == "TIFF":
                from ganfilters.imageio import _tiff

                return _xmp.split(_tiff.read_xmp(file))[1]
            found = _metadata(file, format)
            return _xmp.split(found.xmp)[1] or found.recipe


def _metadata(file: BinaryIO, format: str) -> Decoded:
    if format == "PNG":
        return _png.metadata(file)
    if format == "WEBP":
        file.seek(0)
        return _webp.metadata(file.read())
    return _pillow.metadata(file, format)


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    """Open a file that can be searched."""
    try:
        with Path(name).open("rb") as file:
            # A pipe such as /dev/fd/63 can be read once and not searched.
            yield file if file.seekable() else BytesIO(file.read())
    except OSError as error:
        raise ImageError(why_unreadable(name, error)) from error
    except ValueError as error:  # a null character in the name
        raise ImageError(f"{name!r} is no file name ({error})") from error


def _read(file: BinaryIO, name: str, path: str | None, max_pixels: int) -> Image | Animation:
    head = file.read(64)
    format = _sniff(head, name)

    def guard(width: int, height: int, frames: int) -> None:
        pixels = width * height
        together = pixels * frames
        most = max_pixels * _ANIMATION_FACTOR
        if width < 1 or height < 1:
            raise ImageError(f"a picture needs at least one pixel; this is {width} x {height}")
        if pixels > max_pixels:
            raise ImageError(
                f"{width} x {height} is {pixels:,} pixels, over the limit of "
                f"{max_pixels:,}; if you trust the file, raise the limit with "
                f"`max_pixels={pixels}`"
            )
        if frames > 1 and together > most:
            need = -(-together // _ANIMATION_FACTOR)
            raise ImageError(
                f"{frames} frames of {width} x {height} are {together:,} "
                f"pixels together, over the limit of {most:,}; if you "
                f"trust the file, raise the limit with `max_pixels={need}`"
            )

    with _told(name, format):
        animation = _animation(file, format, path, guard)
        if animation is not None:
            return animation
        if format == "PNG":
            decoded = _png.decode(file, guard)
        elif format == "WEBP":
            decoded = _webp.decode(file, guard)
        elif format == "TIFF":
            from ganfilters.imageio import _tiff

            decoded = _tiff.decode(file, guard)
        else:
            decoded = _pillow.decode(file, format, guard)
        return assemble(decoded, path)


@contextmanager
def _told(name: str, format: str) -> Iterator[None]:
    """Put what a decoder stumbles over into the words of this project."""
    try:
        yield
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from error
    except MemoryError as error:
        raise ImageError(f"{name} does not fit into memory") from error
    except Exception as error:
        # Decoders raise whatever they stumble over: OSError, SyntaxError, struct.error, ...
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise ImageError(
            f"{name} is damaged or cut short ({format}: {reason}); copy or download it again"
        ) from error


def _animation(
    file: BinaryIO, format: str, path: str | None, guard: _png.Guard
) -> Animation | None:
    if format in ("PNG", "WEBP"):
        file.seek(0)
        head = file.read(64)
        guard(*(_webp.read_size(head) if format == "WEBP" else _png.read_size(file)), 1)
    opened = _pillow.open_animation(file, format)
    if opened is None:
        return None
    with opened:
        guard(*opened.size, getattr(opened, "n_frames", 1))
        kept = _pillow.still_info(file, format, opened)
        loop = _pillow.plays(opened, format)
        pictures: list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]] = []
        durations: list[float] = []
        for frame, duration in _pillow.frames(opened):
            pictures.append(frame)
            durations.append(duration)
    alpha = any((frame[..., 3] != 255).any() for frame in pictures)
    images = []
    pictures.reverse()
    while pictures:  # so that no frame is held twice
        frame = pictures.pop()
        one = dataclasses.replace(
            kept,
            samples=np.ascontiguousarray(frame[..., :3]),
            alpha=np.ascontiguousarray(frame[..., 3]) if alpha else None,
        )
        images.append(assemble(one, path))
    return Animation(tuple(images), tuple(durations), loop)


def _sniff(head: bytes, name: str) -> str:
    """Return the format by its signature.

    Raises
    ------
    ImageError
        It is none that can be read; the message says what it looks like.
    """
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    if head.startswith(b"BM") and len(head) >= 26 and head[6:10] == bytes(4):
        return "BMP"
    brand = head[8:32] if head[4:8] == b"ftyp" else b""
    if b"avif" in brand or b"avis" in brand:
        return "AVIF"
    raise ImageError(f"{name} {_looks_like(head, brand)}; {READABLE} can be read")


def _looks_like(head: bytes, brand: bytes) -> str:
    if not head:
        return "is empty"
    if any(kind in brand for kind in (b"heic", b"heix", b"mif1", b"hevc")):
        return "is a HEIC picture, which cannot be read: save it as JPEG or PNG"
    if brand or head.startswith(b"\x1aE\xdf\xa3"):
        return "is a video, which cannot be read: save its frames as pictures, or as GIF"
    if head.startswith(b"%PDF"):
        return "is a PDF: save its page as a picture"
    if b"<svg" in head:
        return "is an SVG drawing: save it as PNG"
    begin = head[:24]
    if all(byte in b"\t\r\n" or 32 <= byte < 127 for byte in begin):
        text = " ".join(begin.decode().split())
        return f"is not a picture in a known format: it is text, beginning {text!r}"
    if not any(head):
        return "is not a picture in a known format: it begins with zeros only"
    return "is not a picture in a known format"

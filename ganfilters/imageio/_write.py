"""Writing pictures and animations."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from PIL import Image as PILImage
from PIL import features

from ganfilters import files
from ganfilters.errors import ImageError
from ganfilters.image import Animation, Image, Metadata
from ganfilters.imageio import _formats, _png, _webp, _xmp
from ganfilters.imageio._animate import AnimationWriter, GifWriter, encode_animation
from ganfilters.imageio._formats import Format
from ganfilters.imageio._samples import Encodable, flatten, quantise
from ganfilters.limits import DEFAULT_QUALITY

__all__ = ["check_pages", "check_target", "encode", "losses", "write"]

_JPEG_SEGMENT = 65533


def check_target(
    target: str | Path, *, format: str | None = None, overwrite: bool = False
) -> Format:
    """Return the format that `write` would use, or say now why it would fail.

    Raises
    ------
    ImageError
        As `write` does for its target.
    """
    entry = _formats.find(format) if format else _formats.find(_formats.format_of(target))
    files.check(target, overwrite=overwrite)
    if entry.name == "AVIF" and not features.check("avif"):
        raise ImageError("this Pillow was built without AVIF; install one with it, or use PNG")
    return entry


def write(
    image: Image | Animation,
    target: str | Path,
    *,
    format: str | None = None,
    quality: int | None = None,
    overwrite: bool = False,
    bit_depth: int | None = None,
) -> None:
    """Write a picture or an animation to a file, whole or not at all.

    What the picture's file held goes with it as far as the format has a place for it: ICC profile,
    EXIF, XMP, resolution, 16 bits, CMYK, and the recipe. Formats without transparency get the
    picture on white, formats without profiles get sRGB. Samples are rounded, never dithered.
    BMP has no place for a recipe. A TIFF with several pages is not replaced by its first.

    Parameters
    ----------
    image
        What to write.
    target
        The file. A link is followed.
    format
        Name or extension; None takes it from the name of the target.
    quality
        1 to 100 for JPEG (95 if None; never with reduced colour resolution), WebP and AVIF (90),
        MP4 and WebM (80); 100 is lossless for WebP.
    overwrite
        Replace an existing file, whose permissions are kept.
    bit_depth
        8 or 16 bits per sample; None keeps the source's where the format can.

    Raises
    ------
    ImageError
        The target exists, cannot be written, cannot hold this, or holds pages that would be lost.
    """
    entry = check_target(target, format=format, overwrite=overwrite)
    if isinstance(image, Animation):
        _options(entry, quality, bit_depth)
        with AnimationWriter(
            target, format=entry.name, loop=image.loop, overwrite=overwrite, quality=quality
        ) as writer:
            for frame, duration in zip(image.frames, image.durations, strict=True):
                writer.add(frame, duration)
        return
    check_pages(image, target)
    # Encoded in memory first: encoders are vague about a full disk, plain writes are not.
    data = encode(image, entry.name, quality=quality, bit_depth=bit_depth)
    with files.replacing(target, overwrite=overwrite) as file:
        file.write(data)


def check_pages(image: Image, target: str | Path) -> None:
    """Refuse to put a picture in place of the file with several that it is the first of.

    Raises
    ------
    ImageError
        The other pages would be lost.
    """
    source, pages = image.metadata.source, image.metadata.pages
    if source is None or pages == 1:
        return
    with suppress(OSError, ValueError):
        if Path(source).samefile(target):
            raise ImageError(
                f"{source} holds {pages} pages, and all but the first would be lost; write to "
                "another name"
            )


def losses(image: Image, format: str, *, animation: bool = False) -> tuple[str, ...]:
    """Return one line for each thing of a picture that a format has no place for.

    It is told of transparency, if some pixel is not opaque, and of 16 bits.

    Parameters
    ----------
    image
        What is to be written.
    format
        Name or extension.
    animation
        It is one of several frames. They have 8 bits in every format, so that is not told.
    """
    entry = _formats.find(format)
    lost = []
    if not entry.alpha and image.alpha is not None and bool((image.alpha < 1).any()):
        able = _formats.able("alpha", animation=animation)
        lost.append(
            f"{entry.name} holds no transparency, so the picture is put on white; {able} hold it"
        )
    if not animation and not entry.deep and image.metadata.bit_depth > 8:
        able = _formats.able("deep")
        lost.append(f"{entry.name} holds 8 of the 16 bits of a sample; {able} hold 16")
    return tuple(lost)


def encode(
    image: Image | Animation,
    format: str,
    *,
    quality: int | None = None,
    bit_depth: int | None = None,
) -> bytes:
    """Return a picture or an animation as the bytes of a file; parameters as for `write`.

    Raises
    ------
    ImageError
        The format cannot hold this.
    """
    entry = _formats.find(format)
    _options(entry, quality, bit_depth)
    if isinstance(image, Animation):
        return encode_animation(image, entry.name, quality=quality)
    if not entry.still:
        raise ImageError(
            f"{entry.name} holds an animation, and this is one picture; write it as PNG or JPEG"
        )
    if max(image.width, image.height) > entry.side_max:
        raise ImageError(
            f"{entry.name} holds at most {entry.side_max} pixels a side and the picture is "
            f"{image.width} x {image.height}; write it as PNG or TIFF"
        )
    metadata = image.metadata
    depth = bit_depth or (metadata.bit_depth if entry.deep else 8)
    what = quantise(image, depth, icc=entry.icc, cmyk=entry.cmyk)
    if not entry.alpha:
        what = flatten(what)
    quality = quality or DEFAULT_QUALITY.get(entry.name, 0)
    if metadata.recipe is not None:
        metadata = replace(
            metadata,
            recipe=metadata.recipe.saved_as(
                entry.name, quality=quality or None, bit_depth=depth if entry.deep else None
            ),
        )
    xmp = _xmp.merge(metadata.xmp, metadata.recipe)
    dpi, exif = metadata.dpi, metadata.exif
    if entry.name == "PNG":
        return _png.encode(what, exif=exif, xmp=xmp, dpi=dpi)
    if entry.name == "WEBP":
        return _webp.encode(what, quality, exif=exif, xmp=xmp)
    if entry.name == "TIFF":
        from ganfilters.imageio import _tiff

        return _tiff.encode(what, exif=exif, xmp=xmp, dpi=dpi)
    out = BytesIO()
    if entry.name == "GIF":
        _gif(what, metadata, out)
    elif entry.name == "JPEG":
        _jpeg(what, metadata, xmp, quality, out)
    elif entry.name == "AVIF":
        _picture(what).save(
            out,
            "AVIF",
            quality=quality,
            subsampling="4:0:0" if what.mode == "L" and what.alpha is None else "4:4:4",
            icc_profile=what.icc or b"",
            exif=exif or b"",
            xmp=xmp or b"",
        )
    else:
        _picture(what).save(out, "BMP", **({"dpi": dpi} if dpi else {}))
    return out.getvalue()


def _options(entry: Format, quality: int | None, bit_depth: int | None) -> None:
    if quality is not None and not 1 <= quality <= 100:
        raise ImageError(f"quality is {quality}; it must be from 1 to 100")
    if bit_depth not in (None, 8, 16):
        raise ImageError(f"the bit depth is {bit_depth}; it must be 8 or 16")
    if bit_depth == 16 and not entry.deep:
        raise ImageError(f"{entry.name} holds 8 bits a sample; PNG and TIFF hold 16")


def _picture(what: Encodable) -> PILImage.Image:
    samples = what.stacked()
    if what.mode == "CMYK":
        size = (samples.shape[1], samples.shape[0])
        return PILImage.frombuffer("CMYK", size, samples.tobytes(), "raw", "CMYK", 0, 1)
    return PILImage.fromarray(samples)


def _jpeg(
    what: Encodable, metadata: Metadata, xmp: bytes | None, quality: int, out: BinaryIO
) -> None:
    exif = b"" if metadata.exif is None else b"Exif\0\0" + metadata.exif
    if len(exif) > _JPEG_SEGMENT:
        exif = b""  # a JPEG has no place for more
    if xmp is not None and len(xmp) > _JPEG_SEGMENT - 29:
        xmp = _xmp.trimmed(xmp)
    if xmp is not None and len(xmp) > _JPEG_SEGMENT - 29:
        xmp = _xmp.merge(None, metadata.recipe)
    if xmp is not None and len(xmp) > _JPEG_SEGMENT - 29:
        xmp = None
    options = {"dpi": metadata.dpi} if metadata.dpi else {}
    _picture(what).save(
        out,
        "JPEG",
        quality=quality,
        subsampling=0,
        optimize=False,
        icc_profile=what.icc,
        exif=exif,
        xmp=xmp or b"",
        **options,
    )


def _gif(what: Encodable, metadata: Metadata, out: BinaryIO) -> None:
    writer = GifWriter(out, loop=None)
    writer.add(what, 0, metadata.recipe)
    writer.close()

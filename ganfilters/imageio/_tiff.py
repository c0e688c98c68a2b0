"""TIFF through tifffile: 8 and 16 bits, every usual compression, the first page."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from ganfilters.errors import ImageError
from ganfilters.imageio import _exif
from ganfilters.imageio._samples import Decoded, Encodable

__all__ = ["decode", "encode", "read_xmp"]

Guard = Callable[[int, int, int], None]
_XMP_TAG, _ICC_TAG, _ORIENTATION = 700, 34675, 274
_ASSOCIATED, _UNASSOCIATED = 1, 2
_MOST_READ = 32
_REDUCED, _MASK = 1, 4  # kinds of pages that belong to another: thumbnails, masks

# A library must not decide that its user reads another library's log on stderr.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def decode(file: BinaryIO, guard: Guard) -> Decoded:
    """Read the first page of a TIFF."""
    import tifffile

    file.seek(0)
    with tifffile.TiffFile(file, _multifile=False) as opened:
        if not len(opened.pages):
            raise ImageError("the TIFF holds no picture")
        page = opened.pages.first
        guard(page.imagewidth, page.imagelength, 1)
        if page.imagedepth != 1:
            raise ImageError("the TIFF holds a volume; save one slice of it as a picture")
        icc, xmp = _bytes(page, _ICC_TAG), _bytes(page, _XMP_TAG)
        dpi = _dpi(page)
        turned = page.tags[_ORIENTATION].value if _ORIENTATION in page.tags else 1
        samples, mode, alpha = _samples(page)
        pages = 1 + _further(opened)
    file.seek(0)
    exif = _exif.from_tiff(file.read())
    if turned in range(2, 9):
        exif = _exif.with_orientation(exif, int(turned))
    return Decoded(
        samples,
        mode,
        "TIFF",
        alpha=alpha,
        icc=icc,
        exif=exif,
        xmp=xmp,
        dpi=dpi,
        pages=pages,
    )


def _further(opened: Any) -> int:
    """Return how many pictures come after the first; what is damaged there is not counted.

    Of a long file all count: reading what each is takes time, and no picture has that many sizes.
    """
    count = 0
    with suppress(Exception):  # tifffile raises whatever it stumbles over
        if len(opened.pages) > _MOST_READ:
            return len(opened.pages) - 1
        for index in range(1, len(opened.pages)):
            count += not opened.pages[index].subfiletype & (_REDUCED | _MASK)
    return count


def read_xmp(file: BinaryIO) -> bytes | None:
    """Return the XMP packet of the first page; no sample is read."""
    import tifffile

    file.seek(0)
    with tifffile.TiffFile(file, _multifile=False) as opened:
        if not len(opened.pages):
            raise ValueError("ends before its first page")
        return _bytes(opened.pages.first, _XMP_TAG)


def _bytes(page: Any, tag: int) -> bytes | None:
    value = page.tags[tag].value if tag in page.tags else None
    return value if isinstance(value, bytes) else None


def _dpi(page: Any) -> tuple[float, float] | None:
    try:
        unit = int(page.tags["ResolutionUnit"].value) if "ResolutionUnit" in page.tags else 2
        pair = [page.tags[name].value for name in ("XResolution", "YResolution")]
        x, y = (float(top) / float(bottom) for top, bottom in pair)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    scale = {2: 1.0, 3: 2.54}.get(unit)
    return (x * scale, y * scale) if scale and x > 0 and y > 0 else None


def _samples(page: Any) -> tuple[npt.NDArray[Any], str, npt.NDArray[Any] | None]:
    """Return samples, mode and alpha of a page, 8 or 16 bits."""
    import tifffile

    kind = tifffile.PHOTOMETRIC
    data = np.asarray(page.asarray())
    if page.axes not in ("YX", "YXS", "SYX"):
        data = data.reshape(page.imagelength, page.imagewidth, -1)
    elif page.axes == "SYX":
        data = np.ascontiguousarray(np.moveaxis(data, 0, -1))
    if data.ndim == 2:
        data = data[..., None]
    photometric = page.photometric
    if photometric == kind.PALETTE:
        # 8 bits in the upper half by the standard, in the lower by some old programs
        table = np.asarray(page.colormap)
        table = (table >> 8 if table.max() > 255 else table).astype(np.uint8)
        return np.ascontiguousarray(np.moveaxis(table[:, data[..., 0]], 0, -1)), "RGB", None
    channels = {
        kind.MINISBLACK: 1, kind.MINISWHITE: 1, kind.RGB: 3, kind.YCBCR: 3, kind.SEPARATED: 4,
    }.get(photometric)  # fmt: skip
    if channels is None or data.shape[2] < channels:
        name = getattr(photometric, "name", photometric)
        raise ImageError(
            f"the TIFF holds {name} samples; save it as grey, RGB or CMYK and use that"
        )
    if photometric == kind.YCBCR and int(page.compression) not in (6, 7, 34892):
        data = _from_ycbcr(data)
    data = _integers(data, page.bitspersample)
    if photometric == kind.MINISWHITE:
        data = np.iinfo(data.dtype).max - data
    extra = [int(value) for value in page.extrasamples]
    alpha = None
    at = next((i for i, value in enumerate(extra) if value in (_ASSOCIATED, _UNASSOCIATED)), None)
    if at is not None and data.shape[2] > channels + at:
        alpha = np.ascontiguousarray(data[..., channels + at])
    samples = np.ascontiguousarray(data[..., :channels])
    if alpha is not None and at is not None and extra[at] == _ASSOCIATED:
        samples = _divided(samples, alpha)
    return samples, {1: "L", 3: "RGB", 4: "CMYK"}[channels], alpha


def _integers(data: npt.NDArray[Any], bits: int) -> npt.NDArray[Any]:
    """Return samples as uint8 or uint16 at full scale."""
    if data.dtype == np.bool_:
        return data.astype(np.uint8) * np.uint8(255)
    if data.dtype.kind == "f":
        if not np.isfinite(data).all() or data.min() < 0 or data.max() > 1:
            raise ImageError(
                "the TIFF holds float samples outside 0 to 1; tone-map it to 16 bits and use that"
            )
        return np.rint(data.astype(np.float64) * 65535).astype(np.uint16)
    if data.dtype.kind != "u":
        raise ImageError(f"the TIFF holds {data.dtype} samples; save it with 8 or 16 bits")
    if bits in (8, 16):
        return data
    if bits < 16:
        target = np.uint8 if bits < 8 else np.uint16
        limit = np.iinfo(target).max
        return np.rint(data.astype(np.float64) * (limit / ((1 << bits) - 1))).astype(target)
    return (data >> (bits - 16)).astype(np.uint16)


def _from_ycbcr(data: npt.NDArray[Any]) -> npt.NDArray[Any]:
    from PIL import Image as PILImage

    if data.dtype != np.uint8 or data.shape[2] != 3:
        raise ImageError("the TIFF holds YCbCr samples; save it as RGB and use that")
    # frombuffer, as fromarray no longer takes a mode
    height, width = data.shape[:2]
    picture = PILImage.frombytes("YCbCr", (width, height), np.ascontiguousarray(data).tobytes())
    return np.asarray(picture.convert("RGB"))


def _divided(samples: npt.NDArray[Any], alpha: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the colours of samples that were stored multiplied by alpha."""
    limit = np.iinfo(samples.dtype).max
    opacity = np.maximum(alpha[..., None].astype(np.float64) / limit, 1 / limit)
    return np.clip(np.rint(samples / opacity), 0, limit).astype(samples.dtype)


def encode(
    what: Encodable,
    *,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> bytes:
    """Return a TIFF compressed without loss (deflate with prediction)."""
    import tifffile

    order: Literal["<", ">"] = ">" if exif is not None and exif.startswith(b"MM") else "<"
    extra: list[tuple[Any, ...]] = []
    if exif:
        extra += [(*tag, True) for tag in _exif.tiff_tags(exif)]
    if xmp:
        extra.append((_XMP_TAG, 1, len(xmp), xmp, True))
    samples = what.stacked()
    out = BytesIO()
    tifffile.imwrite(
        out,
        samples.astype(samples.dtype.newbyteorder(order), copy=False),
        byteorder=order,
        photometric={"L": "minisblack", "RGB": "rgb", "CMYK": "separated"}[what.mode],
        planarconfig="contig" if samples.ndim == 3 else None,
        extrasamples=None if what.alpha is None else ["unassalpha"],
        compression="zlib",
        predictor=True,
        iccprofile=what.icc,
        resolution=dpi,
        resolutionunit=2 if dpi else None,
        metadata=None,
        software=False,
        extratags=extra,
    )
    data = out.getvalue()
    return data if exif is None else _exif.append_to_tiff(data, exif)

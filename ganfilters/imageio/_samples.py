"""Between the samples of a file and the float pixels of an `Image`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ganfilters.errors import ImageError
from ganfilters.image import FloatArray, Image, Metadata
from ganfilters.imageio import _exif, _icc, _xmp
from ganfilters.recipe import Recipe
from ganfilters.tiling import row_blocks

__all__ = ["Decoded", "Encodable", "assemble", "flatten", "quantise", "rescale", "unit"]

Samples = npt.NDArray[Any]
_CHANNELS = {"L": 1, "RGB": 3, "CMYK": 4}


@dataclass
class Decoded:
    """What a decoder found in a file.

    Attributes
    ----------
    samples
        H x W x 1, 3 or 4 (by `mode`), uint8 or uint16, not yet turned upright.
    mode
        ``"L"``, ``"RGB"`` or ``"CMYK"``.
    format
        Name of the file's format; empty for a picture that is in memory only.
    alpha
        H x W of the same dtype, or None.
    icc, exif, xmp
        The blocks as the file holds them, not yet looked at.
    dpi
        Resolution, across and down, in pixels an inch.
    recipe
        From a comment, in a format that has no XMP.
    turn
        Turn the picture as its EXIF says.
    pages
        Pictures in the file, of which this is the first.
    """

    samples: Samples
    mode: str
    format: str
    alpha: Samples | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    recipe: Recipe | None = None
    turn: bool = True
    pages: int = 1


@dataclass
class Encodable:
    """What an encoder is to write; fields as in `Decoded`, already upright."""

    samples: Samples
    mode: str
    alpha: Samples | None
    icc: bytes | None

    def stacked(self) -> Samples:
        """Return the samples with alpha as the last channel; H x W for bare grey."""
        if self.alpha is not None:
            return np.concatenate([self.samples, self.alpha[..., None]], axis=2)
        return self.samples[..., 0] if self.mode == "L" else self.samples


def _upright(array: Samples, orientation: int) -> Samples:
    """Turn and mirror as the EXIF orientation asks (a view)."""
    if orientation in (2, 7):
        array = array[:, ::-1]
    if orientation in (4, 5):
        array = array[::-1]
    turns = {3: 2, 5: 3, 6: 3, 7: 3, 8: 1}.get(orientation, 0)
    return np.rot90(array, turns) if turns else array


def unit(samples: Samples) -> FloatArray:
    """Return integer samples as float32 in [0, 1]."""
    limit = np.float32(np.iinfo(samples.dtype).max)
    out = np.empty(samples.shape, np.float32)
    return cast("FloatArray", np.divide(samples, limit, out=out, dtype=np.float32))


def assemble(decoded: Decoded, source: str | None) -> Image:
    """Return the upright sRGB picture with everything its file held."""
    exif = _exif.normalise(decoded.exif)
    xmp = decoded.xmp
    samples, alpha = decoded.samples, decoded.alpha
    if exif is not None and decoded.turn:
        orientation = _exif.orientation(exif)
        exif = _exif.upright(exif)
        if orientation != 1:
            samples = np.ascontiguousarray(_upright(samples, orientation))
            alpha = None if alpha is None else np.ascontiguousarray(_upright(alpha, orientation))
            xmp = _xmp.upright(xmp)
    xmp, recipe = _xmp.split(xmp)
    profile = _icc.usable(decoded.icc, decoded.mode)
    height, width = samples.shape[:2]
    pixels = np.empty((height, width, 3), np.float32)
    exact = decoded.mode != "CMYK" and (profile is None or profile.is_srgb)
    if exact:
        limit = np.float32(np.iinfo(samples.dtype).max)
        np.divide(samples, limit, out=pixels, dtype=np.float32)
    else:
        _icc.to_srgb(samples, profile, pixels)
    metadata = Metadata(
        source=source,
        format=decoded.format or None,
        mode=decoded.mode,
        bit_depth=8 * samples.dtype.itemsize,
        icc_profile=None if profile is None else profile.data,
        exif=exif,
        xmp=xmp,
        dpi=decoded.dpi,
        original=None if exact else samples,
        recipe=recipe or decoded.recipe,
        pages=decoded.pages,
    )
    return Image(pixels, None if alpha is None else unit(alpha), metadata=metadata)


def rescale(samples: Samples, depth: int) -> Samples:
    """Return samples at another depth, rounded to the nearest."""
    if samples.dtype.itemsize * 8 == depth:
        return samples
    if depth == 16:
        return samples.astype(np.uint16) * np.uint16(257)
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _round(values: FloatArray, out: Samples) -> None:
    """Round values in [0, 1] to the integers of `out`, block by block."""
    limit = np.float32(np.iinfo(out.dtype).max)
    for rows in row_blocks(values.shape):
        block = values[rows] * limit
        if not np.isfinite(block.sum(dtype=np.float64)):
            raise ImageError("the picture holds values that are not finite, so it was not written")
        np.rint(block, out=block)
        np.clip(block, 0, limit, out=block)
        out[rows] = block


def _is_grey(samples: Samples) -> bool:
    return all(
        np.array_equal(samples[rows, :, 0], samples[rows, :, channel])
        for rows in row_blocks(samples.shape)
        for channel in (1, 2)
    )


def quantise(image: Image, depth: int, *, icc: bool, cmyk: bool) -> Encodable:
    """Return the picture as samples in its own colour space, as far as the format holds that.

    Untouched pixels come from the source's own samples where there are some. A grey picture stays
    grey if the result is; otherwise its profile is dropped and the result is sRGB.

    Parameters
    ----------
    image
        The picture.
    depth
        Bits per sample, 8 or 16.
    icc, cmyk
        The format holds a profile, and CMYK.
    """
    metadata = image.metadata
    dtype = np.uint8 if depth == 8 else np.uint16
    shape = image.pixels.shape[:2]
    mode = metadata.mode if cmyk or metadata.mode != "CMYK" else "RGB"
    profile = _icc.usable(metadata.icc_profile, mode) if icc else None
    if mode == "CMYK" and not icc:
        mode = "RGB"
    if profile is not None and not profile.reversible:
        mode, profile = ("RGB" if mode == "CMYK" else mode), None
    own = profile is not None and not profile.is_srgb

    samples: Samples
    if mode == "CMYK" or (mode == "RGB" and own):
        samples = np.empty((*shape, _CHANNELS[mode]), dtype)
        _check_finite(image.pixels)
        _icc.from_srgb(image.pixels, profile, depth, samples)
    else:
        samples = np.empty((*shape, 3), dtype)
        _round(image.pixels, samples)
        if mode == "L" and _is_grey(samples):
            if own:
                samples = np.empty((*shape, 1), dtype)
                _icc.from_srgb(image.pixels, profile, depth, samples)
            else:
                samples = np.ascontiguousarray(samples[..., :1])
        elif mode == "L":
            mode, profile, own = "RGB", None, False
    if own or mode == "CMYK":
        _restore(samples, image)
    alpha: Samples | None = None
    if image.alpha is not None:
        alpha = np.empty(shape, dtype)
        _round(image.alpha, alpha)
    return Encodable(samples, mode, alpha, None if profile is None else profile.data)


def _check_finite(pixels: FloatArray) -> None:
    for rows in row_blocks(pixels.shape):
        if not np.isfinite(pixels[rows].sum(dtype=np.float64)):
            raise ImageError("the picture holds values that are not finite, so it was not written")


def _restore(samples: Samples, image: Image) -> None:
    """Put the source's samples where no filter changed anything."""
    original, untouched = image.metadata.original, image.untouched
    if original is None or untouched is None or original.shape != samples.shape:
        return
    if untouched.shape != samples.shape[:2]:
        return
    depth = 8 * samples.dtype.itemsize
    for rows in row_blocks(samples.shape):
        chosen = untouched[rows]
        samples[rows][chosen] = rescale(original[rows], depth)[chosen]


def flatten(encodable: Encodable) -> Encodable:
    """Return the samples on white, without alpha."""
    alpha = encodable.alpha
    if alpha is None:
        return encodable
    samples = np.empty_like(encodable.samples)
    limit = np.float32(np.iinfo(samples.dtype).max)
    white = np.float32(0) if encodable.mode == "CMYK" else limit
    for rows in row_blocks(alpha.shape):
        opacity = alpha[rows, :, None].astype(np.float32) / limit
        block = encodable.samples[rows] * opacity + white * (1 - opacity)
        samples[rows] = np.rint(block)
    return Encodable(samples, encodable.mode, None, encodable.icc)

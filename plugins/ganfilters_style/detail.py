"""Strokes of a chosen size in a larger picture.

The network's strokes are some pixels wide at any size. So those of a large picture are painted at
a smaller one and enlarged; from the same picture painted over at its full size come only details
that the smaller cannot hold, and only where the photo has some: edges become sharp, and plain parts
no weave of fine strokes. Two bands of a Laplacian pyramid put together (Burt and Adelson 1983).
"""

from __future__ import annotations

import numpy as np

from ganfilters import FloatArray, resize
from ganfilters_style.colour import LUMA

__all__ = ["detailed"]

# Deviation of the photo's luma within a pixel of the smaller size at which half of a detail stays.
_HALF = 0.02
# How much is added of what a blur of the enlarged strokes takes away.
_SHARPENED = 0.8
# Rows handled at a time, not to hold several of a large picture.
_ROWS = 256


def detailed(strokes: FloatArray, painted: FloatArray, photo: FloatArray) -> FloatArray:
    """Return strokes enlarged, with details of what was painted over them.

    Parameters
    ----------
    strokes
        (h, w, 3) in [0, 1], the painting at the smaller size.
    painted
        (H, W, 3) in [0, 1], what was painted over it; is changed.
    photo
        (H, W, 3) in [0, 1].

    Returns
    -------
    FloatArray
        (H, W, 3) in [0, 1].
    """
    height, width = painted.shape[:2]
    down, across = strokes.shape[:2]
    coarse = resize(painted, across, down)
    sharp = strokes + np.float32(_SHARPENED) * (strokes - _soft(strokes))
    share = _detail_of(photo, down, across)
    for top in range(0, height, _ROWS):
        rows = slice(top, min(top + _ROWS, height))
        box = (0.0, rows.start * down / height, float(across), rows.stop * down / height)
        size = width, rows.stop - rows.start
        band = painted[rows]
        band -= resize(coarse, *size, box=box)
        band *= np.clip(resize(share, *size, box=box), 0.0, 1.0)[..., None]
        band += resize(sharp, *size, box=box)
        np.clip(band, 0.0, 1.0, out=band)
    return painted


def _detail_of(photo: FloatArray, height: int, width: int) -> FloatArray:
    """Return how much of details to take, (height, width) from 0 to 1: by those of the photo."""
    luma = photo @ LUMA
    mean = resize(luma, width, height)
    luma *= luma
    variance = np.maximum(resize(luma, width, height) - mean * mean, np.float32(0))
    deviation: FloatArray = np.sqrt(variance)
    return deviation / (deviation + np.float32(_HALF))


def _soft(pixels: FloatArray) -> FloatArray:
    """Return the picture blurred by the binomial 1, 2, 1 in both directions."""
    for axis in (0, 1):
        wide = np.pad(pixels, [(int(axis == each),) * 2 for each in range(3)], mode="edge")
        wide = wide.swapaxes(0, axis)
        mean: FloatArray = np.float32(0.25) * (wide[:-2] + 2 * wide[1:-1] + wide[2:])
        pixels = mean.swapaxes(0, axis)
    return pixels

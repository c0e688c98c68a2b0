"""Band-wise treatment of gradients, against the high frequencies that drown a dream."""

from __future__ import annotations

import numpy as np

from ganfilters import FloatArray

__all__ = ["blur", "normalise_bands", "smooth"]

_REMAINDER = 0.25
_KERNEL = (1.0 / 16, 4.0 / 16, 6.0 / 16, 4.0 / 16, 1.0 / 16)


def normalise_bands(slope: FloatArray, levels: int = 5) -> FloatArray:
    """Scale every band of the Laplacian pyramid (Burt & Adelson 1983) to unit RMS and add them up.

    As in the DeepDream tutorial of TensorFlow (Mordvintsev 2016, "Laplacian pyramid gradient
    normalization").

    Parameters
    ----------
    slope
        H x W x C.
    levels
        Number of bands above the remaining low frequencies; fewer for a small picture.
    """
    bands: list[FloatArray] = []
    current = slope
    while len(bands) < levels and min(current.shape[:2]) >= 4:
        small = _reduce(current)
        bands.append(current - _expand(small, current.shape[0], current.shape[1]))
        current = small
    # The low frequencies left over are whole areas of colour: at full strength they wash out.
    result = _unit(current) * np.float32(_REMAINDER)
    for band in reversed(bands):
        result = _expand(result, band.shape[0], band.shape[1])
        result += _unit(band)
    return result


def smooth(slope: FloatArray, levels: int = 3) -> FloatArray:
    """Add the gradient to coarser copies of itself, which damps single-pixel noise.

    Parameters
    ----------
    slope
        H x W x C.
    levels
        Copies, each blurred twice as widely as the one before.
    """
    copies = [slope]
    while len(copies) <= levels and min(copies[-1].shape[:2]) >= 4:
        copies.append(_reduce(copies[-1]))
    result = copies.pop()
    for copy in reversed(copies):
        result = _expand(result, copy.shape[0], copy.shape[1])
        result += copy
    return result


def blur(planes: FloatArray, width: float) -> None:
    """Blur an H x W x C array in place with a Gaussian of standard deviation `width` in pixels."""
    reach = max(round(3 * width), 1)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        pad = [(reach, reach) if k == axis else (0, 0) for k in range(3)]
        padded = np.moveaxis(np.pad(planes, pad, mode="edge"), axis, 0)
        target = np.moveaxis(planes, axis, 0)
        length = target.shape[0]
        target[...] = 0
        for offset, weight in enumerate(weights):
            target += padded[offset : offset + length] * np.float32(weight)


def _unit(band: FloatArray) -> FloatArray:
    rms = float(np.sqrt(np.mean(np.square(band))))
    return band / np.float32(max(rms, 1e-12))


def _reduce(planes: FloatArray) -> FloatArray:
    """Blur with the binomial kernel and drop every other row and column."""
    return _reduce_rows(_reduce_rows(planes).swapaxes(0, 1)).swapaxes(0, 1)


def _reduce_rows(planes: FloatArray) -> FloatArray:
    padded = np.pad(planes, [(2, 2), (0, 0), (0, 0)], mode="edge")
    count = (planes.shape[0] + 1) // 2
    result = padded[0 : 2 * count - 1 : 2] * np.float32(_KERNEL[0])
    for offset in range(1, 5):
        result += padded[offset : offset + 2 * count - 1 : 2] * np.float32(_KERNEL[offset])
    return result


def _expand(planes: FloatArray, height: int, width: int) -> FloatArray:
    """Enlarge twofold to the given size, the counterpart of `_reduce`."""
    tall = _expand_rows(planes, height)
    return np.ascontiguousarray(_expand_rows(tall.swapaxes(0, 1), width).swapaxes(0, 1))


def _expand_rows(planes: FloatArray, length: int) -> FloatArray:
    padded = np.pad(planes, [(1, 1), (0, 0), (0, 0)], mode="edge")
    result = np.empty((length, *planes.shape[1:]), np.float32)
    even, odd = result[0::2], result[1::2]
    count = even.shape[0]
    np.multiply(padded[1 : 1 + count], np.float32(6 / 8), out=even)
    even += (padded[:count] + padded[2 : 2 + count]) * np.float32(1 / 8)
    count = odd.shape[0]
    np.add(padded[1 : 1 + count], padded[2 : 2 + count], out=odd)
    odd *= np.float32(0.5)
    return result

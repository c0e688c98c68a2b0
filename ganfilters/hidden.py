"""Colours under full transparency: nobody sees them, so no filter should.

Editors leave black or white there. A network that looked at it would paint dark strokes around a
cut-out, and take its tones from what is not in the picture.
"""

from __future__ import annotations

import numpy as np

from ganfilters.image import BoolArray, FloatArray

__all__ = ["shown_colours"]


def shown_colours(pixels: FloatArray, hidden: BoolArray) -> FloatArray:
    """Return the picture with what is hidden replaced by the mean of what is near (push-pull).

    Source: Gortler et al., "The Lumigraph" (1996), section 3.4.

    Parameters
    ----------
    pixels
        (H, W, C).
    hidden
        (H, W); not all of it.
    """
    result = pixels.copy()
    known = ~hidden
    coarse = _filled(_summed(pixels * known[..., None]), _summed(known[..., None]))
    rows, columns = np.nonzero(hidden)
    result[rows, columns] = coarse[rows // 2, columns // 2]
    return result


def _filled(sums: FloatArray, counts: FloatArray) -> FloatArray:
    """Return the means of the pixels summed, and of those near where there is none to sum."""
    empty = counts[..., 0] == 0
    means = (sums / np.maximum(counts, 1.0)).astype(np.float32, copy=False)
    if empty.any():
        coarse = _filled(_summed(sums), _summed(counts))
        rows, columns = np.nonzero(empty)
        means[rows, columns] = coarse[rows // 2, columns // 2]
    return means


def _summed(values: FloatArray | BoolArray) -> FloatArray:
    """Return the sums of squares of two pixels a side, (H, W, C) to half of that rounded up."""
    height, width, channels = values.shape
    result = np.zeros((-(-height // 2), -(-width // 2), channels), np.float32)
    for down in (0, 1):
        for right in (0, 1):
            part = values[down::2, right::2]
            result[: part.shape[0], : part.shape[1]] += part
    return result

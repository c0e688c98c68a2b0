"""Areas of a picture that are told by booleans: where they lie, and how far anything is from them.

For what the host does with masks, and for filters that are given one.
"""

from __future__ import annotations

import numpy as np

from ganfilters.image import BoolArray, FloatArray

__all__ = ["bounding_box", "distance_to"]


def bounding_box(where: BoolArray, margin: int = 0) -> tuple[slice, slice]:
    """Return the smallest part of a picture that holds all that is True, and a margin around it.

    Parameters
    ----------
    where
        bool, H x W. If nothing is True the part is the first pixel, and the margin.
    margin
        Pixels on each side, as far as the picture goes.

    Returns
    -------
    tuple of slice
        Rows and columns: an index of the picture.
    """
    rows = np.flatnonzero(where.any(axis=1))
    if not rows.size:
        rows = columns = np.zeros(1, np.intp)
    else:
        columns = np.flatnonzero(where[rows[0] : rows[-1] + 1].any(axis=0))
    down, across = (
        slice(max(int(found[0]) - margin, 0), min(int(found[-1]) + 1 + margin, side))
        for found, side in zip((rows, columns), where.shape, strict=True)
    )
    return down, across


def distance_to(where: BoolArray, limit: float) -> FloatArray:
    """Return the Euclidean distance of every pixel to the nearest one that is True.

    Separable, as in Felzenszwalb and Huttenlocher, "Distance Transforms of Sampled Functions"
    (2012): distances along rows first, then the lower envelope down each column. The envelope is
    searched within `limit` rows only, which vectorises and keeps memory small.

    Parameters
    ----------
    where
        bool, H x W.
    limit
        Pixels, 0 or more. Distances up to it are exact, and larger ones are larger than it. Time
        grows with it.

    Returns
    -------
    ndarray
        float32, H x W; 0 where `where` is True.
    """
    reach = int(np.ceil(min(max(limit, 0.0), sum(where.shape))))
    far = np.float32(reach + 1)
    place = np.arange(where.shape[1], dtype=np.int32)
    last = np.maximum.accumulate(np.where(where, place, np.int32(-(1 << 20))), axis=1)
    following = np.where(where, place, np.int32(1 << 20))[:, ::-1]
    following = np.minimum.accumulate(following, axis=1)[:, ::-1]
    along = np.minimum(np.minimum(place - last, following - place).astype(np.float32), far)
    squared = along * along
    best = squared.copy()
    for step in range(1, min(reach, where.shape[0] - 1) + 1):
        offset = np.float32(step * step)
        np.minimum(best[step:], squared[:-step] + offset, out=best[step:])
        np.minimum(best[:-step], squared[step:] + offset, out=best[:-step])
    distance: FloatArray = np.sqrt(best)
    return distance

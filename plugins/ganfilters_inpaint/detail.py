"""The finest detail of a large filling, taken from what is around the hole.

The last octave is what a network of this size draws worst: grain, texture, the sharpness of edges.
The surroundings are full of it, so it is copied from there: for every small block of the filling,
the place that looks most alike when it is blurred as much gives what blurring took from it
(example-based super-resolution, Freeman et al. 2002; residuals for holes, Yi et al. 2020). It takes
a tenth of the network's time.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from ganfilters import FloatArray, resize
from ganfilters_inpaint.holes import BoolArray, bounds, enlarged

__all__ = ["detailed"]

# All at half the picture's size: blocks of 6 pixels every 4, so that they fade into one another.
_BLOCK = 6
_STRIDE = 4
# How far from the hole places are looked for, how many are, and how many a block is compared with.
_REACH = 64
_PLACES = 8192
_COMPARED = 256
# Weight of a block's mean colour beside that of its structure.
_COLOUR = 0.3
# Structure weaker than this is grain, of which the detail may be anybody's; of what is stronger it
# must fit.
_GRAIN = 0.04

IntArray = npt.NDArray[np.intp]


def detailed(
    pixels: FloatArray, hole: BoolArray, guess: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Return the picture filled at its own size.

    Parameters
    ----------
    pixels
        (H, W, 3) in [0, 1], of even sides; what is in the hole does not matter.
    hole
        (H, W).
    guess
        The filled picture at about half the size.
    rng
        Chooses the places that are compared.
    """
    rows, columns = (
        slice(span.start // 2 * 2, -(-span.stop // 2) * 2) for span in bounds(hole, 2 * _REACH)
    )
    area = rows, columns
    missing = hole[area]
    soft = enlarged(guess, area, hole.shape)
    half = resize(soft, missing.shape[1] // 2, missing.shape[0] // 2)
    unknown: BoolArray = np.any(missing.reshape(half.shape[0], 2, half.shape[1], 2), axis=(1, 3))
    places, blocks = _places(unknown, rng), _blocks(unknown)
    if places.size:
        planes = np.concatenate([half.mean(axis=2, keepdims=True), half], axis=2)
        windows = sliding_window_view(planes, (_BLOCK, _BLOCK), axis=(0, 1))
        best, trust = _similar(windows, blocks, places, rng)
        lost = np.where(missing[..., None], np.float32(0.0), pixels[area] - soft)
        soft += _assembled(lost, blocks, places[best], trust)
        np.clip(soft, 0.0, 1.0, out=soft)
    filled = pixels.copy()
    np.copyto(filled[area], soft, where=missing[..., None])
    return filled


def _places(unknown: BoolArray, rng: np.random.Generator) -> IntArray:
    """Return corners of blocks without a missing pixel, (N, 2)."""
    found = np.argwhere(~_in_blocks(unknown))
    if len(found) > _PLACES:
        found = found[np.sort(rng.choice(len(found), _PLACES, replace=False))]
    return found


def _blocks(unknown: BoolArray) -> IntArray:
    """Return corners of the blocks that cover what is missing, (N, 2), on a grid."""
    return np.argwhere(_in_blocks(unknown)[::_STRIDE, ::_STRIDE]) * _STRIDE


def _in_blocks(unknown: BoolArray) -> BoolArray:
    """Return for each corner of a block whether a pixel in it is missing."""
    for _ in range(2):
        last = unknown.shape[0] - _BLOCK + 1
        unknown = np.logical_or.reduce([unknown[n : n + last] for n in range(_BLOCK)]).T
    return unknown


def _features(windows: FloatArray, corners: IntArray) -> FloatArray:
    """Return what blocks are compared by: structure of the luminance, and with less weight colour.

    Parameters
    ----------
    windows
        Blocks by their corner, (h, w, 4, `_BLOCK`, `_BLOCK`): the luminance and the colours.
    corners
        (N, 2).
    """
    found = windows[corners[:, 0], corners[:, 1]].reshape(len(corners), 4, -1)
    mean = found.mean(axis=2)
    structure = found[:, 0] - mean[:, :1]
    return np.concatenate([structure, mean[:, 1:] * np.float32(_COLOUR * _BLOCK)], axis=1)


def _similar(
    windows: FloatArray, blocks: IntArray, places: IntArray, rng: np.random.Generator
) -> tuple[IntArray, FloatArray]:
    """Return the index of a similar place for each block, and how far to trust it, 0 to 1.

    It is chosen from a random part of the places: where a filling is smooth all blocks are alike,
    and the one place that suits them best would be seen again and again.
    """
    known = _features(windows, places)
    # |a - b|^2 is least where a.b - |b|^2 / 2 is largest; the second term rides along as a feature.
    half = -0.5 * (known * known).sum(axis=1, keepdims=True)
    known = np.concatenate([known, half], axis=1)
    own = np.pad(_features(windows, blocks), ((0, 0), (0, 1)), constant_values=1.0)
    count = -(-len(places) // _COMPARED)
    part_of_place, part_of_block = (rng.permutation(n) % count for n in (len(places), len(blocks)))
    best = np.empty(len(blocks), np.intp)
    for part in range(count):
        these, those = (np.flatnonzero(x == part) for x in (part_of_block, part_of_place))
        best[these] = those[(own[these] @ known[those].T).argmax(axis=1)]
    size = _BLOCK * _BLOCK
    one, other = own[:, :size], known[best, :size]
    apart = ((one - other) ** 2).mean(axis=1)
    strength = (one**2 + other**2).mean(axis=1)
    return best, 1.0 - np.minimum(apart / (strength + 2 * _GRAIN**2), 1.0)


def _assembled(
    lost: FloatArray, blocks: IntArray, chosen: IntArray, trust: FloatArray
) -> FloatArray:
    """Return the detail of the chosen places at the blocks, fading from one to the next."""
    side, fade = 2 * _BLOCK, 2 * (_BLOCK - _STRIDE)
    ramp = np.minimum((np.arange(side, dtype=np.float32) + 0.5) / fade, 1.0)
    ramp = ramp * ramp[::-1]
    weight = (ramp[:, None] * ramp)[..., None]
    result = np.zeros_like(lost)
    for (top, left), (row, column), gain in zip(2 * blocks, 2 * chosen, trust, strict=True):
        part = lost[row : row + side, column : column + side]
        result[top : top + side, left : left + side] += part * (gain * weight)
    return result

"""A filling made of the picture itself: every pixel is copied from where a shift leads to.

A network of this size knows what belongs where, but paints it softly. The picture around the hole
is full of the right material, and large pieces of it fit together if they keep their places to one
another. So few shifts are considered, those that many blocks of the network's filling would be
found again by (He and Sun, "Statistics of Patch Offsets for Image Completion", 2012); each pixel
takes the one that suits its neighbourhood best, which makes large pieces with short borders
(cost-volume filtering: Hosni et al. 2013); and what is copied gets the tones of the network's
filling. The network as the guide of copying: Zhang et al., "Inpainting at Modern Camera Resolution
by Guided PatchMatch with Auto-Curation" (2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from ganfilters import FloatArray, report_progress, resize
from ganfilters_inpaint.holes import BoolArray, bounds, box_means, box_sums, enlarged
from ganfilters_inpaint.tone import TONE_REACH, in_tone, joined

__all__ = ["Shifts", "copied", "copyable", "find_shifts"]

IntArray = npt.NDArray[np.intp]

# How far from the hole is copied from, in pixels.
_REACH = 128
# How many shifts are considered, and how far apart they are at least, in pixels.
_SHIFTS = 160
_APART = 3
# Side of the blocks of the filling that are looked for, and from one to the next.
_BLOCK = 8
_STRIDE = 4
# How many places are looked at, and how often; each time a block finds its best one.
_PLACES = 2048
_ROUNDS = 3
# Each pixel's shift suits the square of pixels to this distance; known ones count so much more.
_RADIUS = 4
_KNOWN = 2.0
# The network's filling is soft, so what it is compared with is blurred too: means over squares.
_SOFT = 2
# Squared difference of what cannot be copied, and of what would be copied from there.
_NOTHING = 0.3
_NEVER = 1e3
# What it is worth, as a squared difference, that all pixels to this distance have the same shift.
_LIKE = 0.003
_AROUND = 8
# Side of the parts that are handled one after the other.
_TILE = 256
# Pieces fade into one another over so many pixels to each side.
_FADE = 4
# How far from the hole's edge tones are those of the picture around it.
_JOINED = 20
# Rows handled at a time, not to hold the places of all pixels of a large hole.
_ROWS = 128


@dataclass(frozen=True, eq=False)
class Shifts:
    """Where each pixel of an area is copied from.

    Attributes
    ----------
    area
        The area in the picture, rows and columns.
    offsets
        (h, w, 2), rows and columns to add; those that lead nowhere known say that nothing fits.
    """

    area: tuple[slice, slice]
    offsets: IntArray


def copyable(hole: BoolArray) -> bool:
    """Return whether there are blocks without a missing pixel."""
    return not _touched(hole).all()


def find_shifts(
    pixels: FloatArray, hole: BoolArray, guide: FloatArray, rng: np.random.Generator
) -> Shifts:
    """Return what to copy into the hole.

    Parameters
    ----------
    pixels
        (H, W, 3) in [0, 1]; what is in the hole does not matter.
    hole
        (H, W).
    guide
        (H, W, 3), the picture with a filling that says what belongs where.
    rng
        Chooses the places that are compared.
    """
    whole = bounds(hole, _RADIUS)
    corner = [span.start for span in whole]
    offsets = np.zeros((*(span.stop - span.start for span in whole), 2), np.intp)
    spans = [
        [
            slice(first, min(first + _TILE, span.stop))
            for first in range(span.start, span.stop, _TILE)
        ]
        for span in whole
    ]
    tiles = list(product(*spans))
    for number, tile in enumerate(tiles):
        report_progress(number / len(tiles), "copying")
        if hole[tile].any():
            tile = _from(bounds(hole[tile], _FADE), [-span.start for span in tile])
            area = _wider(tile, _REACH, hole.shape)
            inner = _from(tile, [span.start for span in area])
            found = _tile_shifts(pixels[area], hole[area], guide[area], inner, rng)
            offsets[_from(tile, corner)] = found
    return Shifts(whole, offsets)


def _from(spans: Sequence[slice], corner: Sequence[int]) -> tuple[slice, ...]:
    """Return spans counted from a corner."""
    return tuple(
        slice(span.start - first, span.stop - first)
        for span, first in zip(spans, corner, strict=True)
    )


def _wider(spans: Sequence[slice], margin: int, shape: Sequence[int]) -> tuple[slice, ...]:
    """Return spans with a margin to each side, as far as the picture goes."""
    return tuple(
        slice(max(span.start - margin, 0), min(span.stop + margin, side))
        for span, side in zip(spans, shape, strict=True)
    )


def _tile_shifts(
    pixels: FloatArray,
    missing: BoolArray,
    guide: FloatArray,
    inner: tuple[slice, ...],
    rng: np.random.Generator,
) -> IntArray:
    """Return the offsets of the part `inner` of an area, (h, w, 2)."""
    known = ~missing
    # Blurred, but nothing of the hole's content gets into what is known.
    share = known.astype(np.float32)[..., None]
    soft_guide, _ = box_means(guide, np.ones_like(share), _SOFT)
    soft, _ = box_means(pixels, share, _SOFT)
    seen = np.where(missing[..., None], soft_guide, soft)
    candidates = _frequent(seen, missing, inner, rng)
    # Squares at the edge of the part are whole, so that parts meet.
    outer = _wider(inner, _RADIUS + _AROUND, missing.shape)
    wanted = seen[outer]
    shape = wanted.shape[:2]
    kept = _from(inner, [span.start for span in outer])
    if not len(candidates):
        return np.zeros((*wanted[kept].shape[:2], 2), np.intp)
    weight = np.where(missing, np.float32(1.0), np.float32(_KNOWN))[outer]
    norm = box_sums(weight[..., None], _RADIUS)[..., 0]
    # What lies outside the area is as good as missing.
    room = [(side, side) for side in missing.shape]
    source, allowed = np.pad(seen, (*room, (0, 0))), np.pad(known, room)
    costs = np.empty((len(candidates), *shape), np.float32)
    for cost, offset in zip(costs, candidates, strict=True):
        there = tuple(
            slice(span.start + by + side, span.stop + by + side)
            for span, by, side in zip(outer, offset.tolist(), missing.shape, strict=True)
        )
        apart = source[there] - wanted
        valid = allowed[there]
        here = np.where(valid, np.einsum("ijk,ijk->ij", apart, apart), np.float32(_NOTHING))
        here = box_sums((here * weight)[..., None], _RADIUS)[..., 0] / norm
        cost[...] = np.where(valid, here, np.float32(_NEVER))
    chosen = costs.argmin(axis=0)
    # Where all suit alike, as in a sky, those that most pixels around have: grain is kept only
    # within a piece.
    for number in range(len(candidates)):
        mine = (chosen == number)[..., None].astype(np.float32)
        costs[number] -= _LIKE * box_sums(mine, _AROUND)[..., 0] / (2 * _AROUND + 1) ** 2
    offsets: IntArray = candidates[costs.argmin(axis=0)[kept]]
    return offsets


def copied(
    pixels: FloatArray, hole: BoolArray, guide: FloatArray, shifts: Shifts, scale: int
) -> FloatArray:
    """Return the picture filled with copies.

    Parameters
    ----------
    pixels
        (H, W, 3) in [0, 1]; what is in the hole does not matter.
    hole
        (H, W).
    guide
        (H / scale, W / scale, 3), the filled picture, whose tones the copies get.
    shifts
        Where each pixel of that size comes from.
    scale
        How much larger `pixels` is.
    """
    rows, columns = (slice(scale * span.start, scale * span.stop) for span in shifts.area)
    area = rows, columns
    made, missing = enlarged(guide, area, hole.shape), hole[area]
    _put_together(made, missing, pixels, hole, shifts, scale)
    # Tones change slowly: they are compared at the size of the guide.
    height, width = shifts.offsets.shape[:2]
    small = made.reshape(height, scale, width, scale, 3).mean(axis=(1, 3))
    inside: BoolArray = np.any(missing.reshape(height, scale, width, scale), axis=(1, 3))
    change = _toned(small, guide[shifts.area], inside) - small
    made += resize(change, missing.shape[1], missing.shape[0])
    filled = pixels.copy()
    if np.count_nonzero(missing) < np.count_nonzero(hole):
        # So thin that at the guide's size they are no hole, but tones of what is around them.
        whole = bounds(hole)
        np.copyto(filled[whole], enlarged(guide, whole, hole.shape), where=hole[whole][..., None])
    np.copyto(filled[area], np.clip(made, 0.0, 1.0, out=made), where=missing[..., None])
    return filled


def _toned(made: FloatArray, aim: FloatArray, inside: BoolArray) -> FloatArray:
    """Return copies with the tones of the guide, and those of the picture at the hole's edge."""
    toned = np.empty_like(made)
    for top in range(0, len(made), _ROWS):
        first = max(top - TONE_REACH, 0)
        band = slice(first, top + _ROWS + TONE_REACH)
        found = in_tone(made[band], aim[band], inside[band])
        toned[top : top + _ROWS] = found[top - first : top - first + _ROWS]
    # Only near the edge: what texture happens to do there is no business of the hole's middle.
    weight = inside[..., None].astype(np.float32)
    # Beyond the area nothing is missing.
    near = 2 - box_sums(weight, _JOINED) / np.float32((2 * _JOINED + 1) ** 2 / 2)
    toned += np.clip(near, 0.0, 1.0) * (joined(toned, aim, weight) - toned)
    return toned


def _put_together(
    made: FloatArray,
    missing: BoolArray,
    pixels: FloatArray,
    hole: BoolArray,
    shifts: Shifts,
    scale: int,
) -> None:
    """Put copies into `made` where the area's pixels are missing and anything fits."""
    rng = np.random.default_rng(0)
    fading = _at_borders(shifts.offsets).repeat(scale, axis=0).repeat(scale, axis=1)
    for top in range(0, len(made), _ROWS):
        band = slice(top, top + _ROWS)
        for kind, jitter in ((~fading[band], None), (fading[band], rng)):
            at = np.argwhere(missing[band] & kind)
            at[:, 0] += top
            total, weights = _gathered(pixels, hole, shifts, scale, at, jitter)
            found = weights > 0
            made[tuple(at[found].T)] = total[found] / weights[found, None]


def _gathered(
    pixels: FloatArray,
    hole: BoolArray,
    shifts: Shifts,
    scale: int,
    at: IntArray,
    rng: np.random.Generator | None,
) -> tuple[FloatArray, FloatArray]:
    """Return the sums of what the shifts of the pixels around each one give, and their weights.

    So each is a mean, and borders between pieces fade.

    Parameters
    ----------
    pixels, hole, shifts, scale
        As `copied` takes them.
    at
        (N, 2), places in the area of the shifts.
    rng
        Moves the places that are looked at within a pixel of the shifts' size, or borders would be
        as coarse as that. None to look at the pixel itself only, within a piece.
    """
    height, width = shifts.offsets.shape[:2]
    corner = [scale * span.start for span in shifts.area]
    total = np.zeros((len(at), 3), np.float32)
    weights = np.zeros(len(at), np.float32)
    colours, unknown = pixels.reshape(-1, 3), hole.ravel()
    steps = (0,) if rng is None else (-_FADE, 0, _FADE)
    for down, across in product(steps, repeat=2):
        near = (
            at
            if rng is None or scale == 1
            else at + rng.integers(scale, size=at.shape) - scale // 2
        )
        row = np.clip(near[:, 0] // scale + down, 0, height - 1)
        column = np.clip(near[:, 1] // scale + across, 0, width - 1)
        rows, columns = (at + corner + scale * shifts.offsets[row, column]).T
        inside = (rows >= 0) & (rows < hole.shape[0]) & (columns >= 0) & (columns < hole.shape[1])
        place = np.where(inside, rows * hole.shape[1] + columns, 0)
        weight = (inside & ~unknown.take(place)).astype(np.float32)
        weight *= (1 + (down == 0)) * (1 + (across == 0))
        total += weight[:, None] * colours.take(place, axis=0)
        weights += weight
    return total, weights


def _at_borders(offsets: IntArray) -> BoolArray:
    """Return where another piece is so near that it fades into this one, (H, W)."""
    change = np.zeros(offsets.shape[:2], np.bool_)
    change[1:] |= (offsets[1:] != offsets[:-1]).any(axis=2)
    change[:, 1:] |= (offsets[:, 1:] != offsets[:, :-1]).any(axis=2)
    near: BoolArray = box_sums(change[..., None].astype(np.float32), _FADE + 1)[..., 0] > 0.5
    return near


def _touched(hole: BoolArray) -> BoolArray:
    """Return for each corner of a block whether a pixel in it is missing; empty if none fits."""
    if min(hole.shape) < _BLOCK:
        return np.zeros((0, 0), np.bool_)
    found: BoolArray = np.any(sliding_window_view(hole, (_BLOCK, _BLOCK)), axis=(2, 3))
    return found


def _frequent(
    seen: FloatArray, missing: BoolArray, inner: tuple[slice, ...], rng: np.random.Generator
) -> IntArray:
    """Return the offsets at which most of the part's missing blocks are found again, (N, 2)."""
    touched = _touched(missing)
    if touched.all():
        return np.zeros((0, 2), np.intp)
    places = np.argwhere(~touched)
    down, across = (
        slice(max(span.start - _BLOCK + 1, 0) // _STRIDE * _STRIDE, span.stop, _STRIDE)
        for span in inner
    )
    blocks = np.argwhere(touched[down, across]) * _STRIDE + [down.start, across.start]
    windows = sliding_window_view(seen, (_BLOCK, _BLOCK), axis=(0, 1))[..., ::2, ::2]
    own = windows[blocks[:, 0], blocks[:, 1]].reshape(len(blocks), -1)
    height, width = missing.shape
    counts: FloatArray = np.zeros((2 * height + 1, 2 * width + 1, 1), np.float32)
    order = rng.permutation(len(places))[: _ROUNDS * _PLACES]
    for part in np.array_split(order, min(_ROUNDS, len(order))):
        those = places[part]
        found = windows[those[:, 0], those[:, 1]].reshape(len(those), -1)
        # |a - b|^2 is least where a.b - |b|^2 / 2 is largest.
        likeness = own @ found.T - (found * found).sum(axis=1) / 2
        offset = those[likeness.argmax(axis=1)] - blocks
        np.add.at(counts[..., 0], (offset[:, 0] + height, offset[:, 1] + width), 1.0)
    # Offsets beside one another count for one another; the sharper peak is the better.
    votes = box_sums(counts, 1)[..., 0] + counts[..., 0] / 2
    chosen: list[tuple[int, int]] = []
    while len(chosen) < _SHIFTS:
        row, column = divmod(int(votes.argmax()), votes.shape[1])
        if votes[row, column] <= 0:
            break
        chosen.append((row - height, column - width))
        near = (
            slice(max(row - _APART, 0), row + _APART + 1),
            slice(max(column - _APART, 0), column + _APART + 1),
        )
        votes[near] = 0.0
    return np.array(chosen, np.intp).reshape(-1, 2)

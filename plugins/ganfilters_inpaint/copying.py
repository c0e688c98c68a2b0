"""A filling made of the picture itself: every pixel is copied from where a shift leads to.

A network of this size knows what belongs where, but paints it softly. The picture around the hole
is full of the right material, and large pieces of it fit together if they keep their places to one
another. So few shifts are considered, those that many blocks of the network's filling would be
found again by (He and Sun, "Statistics of Patch Offsets for Image Completion", 2012); each pixel
takes one that suits its neighbourhood (cost-volume filtering: Hosni et al. 2013) and that the
pixels around it take too, which makes large pieces with short borders; and what is copied gets the
tones of the network's filling. The network as the guide of copying: Zhang et al., "Inpainting at
Modern Camera Resolution by Guided PatchMatch with Auto-Curation" (2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from ganfilters import BoolArray, FloatArray, bounding_box, progress_part, report_progress, resize
from ganfilters_inpaint.holes import box_means, box_sums, enlarged
from ganfilters_inpaint.tone import TONE_REACH, in_tone, joined, spread

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
# What was copied is compared almost as it is.
_SOFT, _LESS_SOFT = 2, 1
# Squared difference of what cannot be copied, and of what would be copied from there.
_NOTHING = 0.3
_NEVER = 1e3
# What it is worth, as a squared difference, that all pixels to this distance have the same shift,
# and how often pixels look at what those around them have chosen.
_LIKE = 0.01
_AROUND = 5
_TURNS = 4
# Side of the parts that are handled one after the other.
_TILE = 256
# Pieces fade into one another over so many pixels to each side; over four fewer for each doubling
# of the size, down to the least: what is softer looks like two pictures in one.
_FADE, _FADE_LEAST = 7, 1
# A mean of several copies is softer than each. Details, finer than so many pixels to each side, get
# this share of their contrast back (of all of it see Heitz and Neyret, "High-Performance By-Example
# Noise using a Histogram-Preserving Blending Operator", 2018): more looks sharper still, but what
# does not fit together then shows its edges.
_DETAIL, _SHARPENED = 4, 0.3
# How far from the hole's edge tones are those of the picture around it.
_JOINED = 20
# Rows handled at a time, not to hold the means of a whole large hole.
_ROWS = 128
# At the hole's edge copies are made to meet the picture within so many pixels of the shifts' size;
# rows handled at a time, in which interpolation begins at a multiple of so many.
_MET = 2
_MET_ROWS, _MET_GRID = 256, 64
# Side of the parts that are put together one after the other: of the shifts, and of the picture.
_PIECED, _PIECED_LARGE = 64, 256


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
    """Return what to copy into the hole: what is like the guide, and fits together.

    Found twice: what is like the guide is put together, and then each piece takes more or less of
    the hole by how it goes on in the pieces beside it (Wexler et al., "Space-Time Completion of
    Video", 2007, where that is repeated until nothing changes).

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
    with progress_part(0.0, 0.5):
        first = _matched(pixels, hole, guide, rng, _SOFT)
    made = copied(pixels, hole, guide, first, 1)
    with progress_part(0.5, 1.0):
        return _matched(pixels, hole, made, rng, _LESS_SOFT)


def _matched(
    pixels: FloatArray, hole: BoolArray, guide: FloatArray, rng: np.random.Generator, soft: int
) -> Shifts:
    """Return what to copy, compared as means over squares of so many pixels to each side."""
    whole = bounding_box(hole, _RADIUS)
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
            tile = _from(bounding_box(hole[tile], _FADE), [-span.start for span in tile])
            area = _wider(tile, _REACH, hole.shape)
            inner = _from(tile, [span.start for span in area])
            found = _tile_shifts(pixels[area], hole[area], guide[area], inner, rng, soft)
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
    soft: int,
) -> IntArray:
    """Return the offsets of the part `inner` of an area, (h, w, 2)."""
    known = ~missing
    # Blurred, but nothing of the hole's content gets into what is known.
    share = known.astype(np.float32)[..., None]
    wished, _ = box_means(guide, np.ones_like(share), soft)
    given, _ = box_means(pixels, share, soft)
    seen = np.where(missing[..., None], wished, given)
    candidates = _frequent(seen, missing, inner, rng)
    # Squares at the edge of the part are whole, so that parts meet.
    outer = _wider(inner, _RADIUS + _AROUND, missing.shape)
    wanted = seen[outer]
    shape = wanted.shape[:2]
    kept = _from(inner, [span.start for span in outer])
    if not len(candidates):
        return np.zeros((*wanted[kept].shape[:2], 2), np.intp)
    weight = np.where(missing, np.float32(1.0), np.float32(_KNOWN))[outer]
    norm = box_sums(weight, _RADIUS)
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
        here = box_sums(here * weight, _RADIUS) / norm
        cost[...] = np.where(valid, here, np.float32(_NEVER))
    offsets: IntArray = candidates[_agreed(costs)[kept]]
    return offsets


def _agreed(costs: FloatArray) -> IntArray:
    """Return which candidate each pixel takes, (H, W): a cheap one that those around it take too.

    Each by itself would take another one than its neighbours: a mixture of many places has the
    tones of a texture and nothing of its grain.
    """
    cheapest: IntArray = costs.argmin(axis=0)
    least: FloatArray = costs.min(axis=0)
    chosen = cheapest
    worth = np.float32(_LIKE / (2 * _AROUND + 1) ** 2)
    # Sums over squares as products of matrices: most pieces are small, and calls what takes time.
    down, across = (_neighbours(side) for side in chosen.shape)
    for _ in range(_TURNS):
        after, best = cheapest.copy(), least.copy()
        for number in np.unique(chosen):
            mine = chosen == number
            near = bounding_box(mine, _AROUND)
            rows, columns = near
            like = down[rows, rows] @ mine[near].astype(np.float32) @ across[columns, columns]
            value = costs[number][near] - worth * like
            better = value < best[near]
            np.copyto(best[near], value, where=better)
            after[near][better] = number
        chosen = after
    return chosen


def _neighbours(length: int) -> FloatArray:
    """Return which of a line of pixels count for one another, (length, length), 0 or 1."""
    place = np.arange(length)
    near: FloatArray = (np.abs(place[:, None] - place) <= _AROUND).astype(np.float32)
    return near


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
    edge = _beside(missing)
    edge &= _put_together(made, missing | edge, pixels, hole, shifts, scale)
    # Tones change slowly: they are compared at the size of the guide.
    height, width = shifts.offsets.shape[:2]
    small = made.reshape(height, scale, width, scale, 3).mean(axis=(1, 3))
    inside: BoolArray = np.any(missing.reshape(height, scale, width, scale), axis=(1, 3))
    change = _toned(small, guide[shifts.area], inside) - small
    beside, _ = box_means(change, inside[..., None].astype(np.float32), 2)
    change = np.where(inside[..., None], change, beside)
    made += resize(change, missing.shape[1], missing.shape[0])
    _meet(made, pixels[area], missing, edge, max(_RADIUS, _MET * scale))
    filled = pixels.copy()
    if np.count_nonzero(missing) < np.count_nonzero(hole):
        # So thin that at the guide's size they are no hole, but tones of what is around them.
        whole = bounding_box(hole)
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


def _meet(
    made: FloatArray, pixels: FloatArray, missing: BoolArray, edge: BoolArray, reach: int
) -> None:
    """Take the step to the picture at the hole's edge out of copies, in place.

    Seamless cloning (Pérez et al. 2003) within `reach` pixels, no more than the area has around the
    hole: however well copies fit, an edge through strong texture shows by its straightness. `edge`
    is what is known beside the hole and was copied for comparison.
    """
    # Strips, not to hold all of a large hole; what is further away hardly matters.
    for top in range(0, len(made), _MET_ROWS):
        first = (top - 2 * reach) // _MET_GRID * _MET_GRID
        rows = slice(max(first, 0), top + _MET_ROWS + 2 * reach)
        weight = edge[rows, :, None].astype(np.float32)
        if not weight.any():
            continue
        step = spread(pixels[rows] - made[rows], weight)
        known = box_sums(1 - missing[rows].astype(np.float32), reach)
        near = np.clip(known / np.float32((2 * reach + 1) ** 2 / 2), 0.0, 1.0)
        inner = slice(top - rows.start, top - rows.start + _MET_ROWS)
        made[top : top + _MET_ROWS] += ((missing[rows] * near * near)[..., None] * step)[inner]


def _beside(missing: BoolArray) -> BoolArray:
    """Return what is known and touches the hole, by a side or a corner."""
    tall = missing.copy()
    tall[1:] |= missing[:-1]
    tall[:-1] |= missing[1:]
    grown = tall.copy()
    grown[:, 1:] |= tall[:, :-1]
    grown[:, :-1] |= tall[:, 1:]
    beside: BoolArray = grown & ~missing
    return beside


def _put_together(
    made: FloatArray,
    wanted: BoolArray,
    pixels: FloatArray,
    hole: BoolArray,
    shifts: Shifts,
    scale: int,
) -> BoolArray:
    """Put copies into `made` where they are wanted and anything fits; return where that is."""
    copies = np.zeros(wanted.shape, np.float32)
    margin = _margin(scale)
    around = np.pad(shifts.offsets, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    side = max(1, min(_PIECED, _PIECED_LARGE // scale))
    height, width = shifts.offsets.shape[:2]
    for top, left in product(range(0, height, side), range(0, width, side)):
        core = slice(top, min(top + side, height)), slice(left, min(left + side, width))
        part = tuple(slice(scale * span.start, scale * span.stop) for span in core)
        if not wanted[part].any():
            continue
        near = around[tuple(slice(span.start, span.stop + 2 * margin) for span in core)]
        corner = [scale * a.start + b.start for a, b in zip(shifts.area, part, strict=True)]
        mean, number = _mean(pixels, hole, corner, near, scale)
        copies[part] = wanted[part] * number
        np.copyto(made[part], mean, where=(copies[part] > 0)[..., None])
    _sharpen(made, copies)
    return copies > 0


def _sharpen(made: FloatArray, copies: FloatArray) -> None:
    """Give details back some of the contrast that they lost in a mean of copies, in place.

    `copies` is of how many each pixel is the mean, (H, W), 0 where nothing was copied. The contrast
    of n that have nothing to do with one another is divided by the root of n.
    """
    before = made[:0]  # the rows above, as they were
    for top in range(0, len(made), _ROWS):
        first = max(top - _DETAIL, 0)
        rows = slice(first, top + _ROWS + _DETAIL)
        seen = made[rows].copy()
        seen[: top - first] = before[len(before) - (top - first) :]
        coarse, _ = box_means(seen, (copies[rows, :, None] > 0).astype(np.float32), _DETAIL)
        inner = slice(top - first, top - first + _ROWS)
        before = seen[inner]
        lost = np.sqrt(np.maximum(copies[top : top + _ROWS, :, None], 1.0)) - 1
        made[top : top + _ROWS] += np.float32(_SHARPENED) * lost * (before - coarse[inner])


def _mean(
    pixels: FloatArray, hole: BoolArray, corner: Sequence[int], near: IntArray, scale: int
) -> tuple[FloatArray, FloatArray]:
    """Return the mean of what the shifts near each pixel lead to, and of how many copies it is.

    Copies that count less than others count as a part of one (Kish's effective sample size).

    Parameters
    ----------
    pixels, hole, scale
        As `copied` takes them.
    corner
        Where in the picture the part begins.
    near
        The shifts of the part and, as a margin, of as many pixels around it as fade into it.
    """
    margin = _margin(scale)
    length = tuple(scale * (side - 2 * margin) for side in near.shape[:2])
    total = np.zeros((length[0], 3 * length[1]), np.float32)
    weight, squares = np.zeros((2, *length), np.float32)
    colours = pixels.reshape(len(pixels), -1)
    fades = [_fade(side - 2 * margin, scale) for side in near.shape[:2]]
    codes = (near[..., 0] << 32) + near[..., 1]
    for code, place in zip(*np.unique(codes, return_index=True), strict=True):
        offset = near.reshape(-1, 2)[place]
        if not offset.any():  # nothing to copy, or not looked for
            continue
        mine = codes == code
        spans = bounding_box(mine)
        here, there = [], []
        for axis, span in enumerate(spans):
            shift = corner[axis] + scale * int(offset[axis])
            # Where the piece fades to nothing, and where the picture ends.
            first = max(scale * (span.start - 2 * margin), 0, -shift)
            last = min(scale * span.stop, length[axis], hole.shape[axis] - shift)
            here.append(slice(first, max(first, last)))
            there.append(slice(first + shift, max(first, last) + shift))
        down, across = (fade[h, s] for fade, h, s in zip(fades, here, spans, strict=True))
        share = down @ mine[spans].astype(np.float32) @ across.T
        share *= np.float32(1.0001)  # 1 where it should be, so that copies are exact
        np.minimum(share, 1.0, out=share)
        share *= ~hole[tuple(there)]
        weight[tuple(here)] += share
        squares[tuple(here)] += share * share
        wide, source = (slice(3 * span.start, 3 * span.stop) for span in (here[1], there[1]))
        total[here[0], wide] += share.repeat(3, axis=1) * colours[there[0], source]
    tiny = np.finfo(np.float32).tiny
    total /= np.maximum(weight, tiny).repeat(3, axis=1)
    return total.reshape(*length, 3), weight * weight / np.maximum(squares, tiny)


def _margin(scale: int) -> int:
    """Return how far pieces reach into one another, in pixels of the shifts' size."""
    return max(_FADE - 4 * (scale.bit_length() - 1), _FADE_LEAST) + 1


def _fade(length: int, scale: int) -> FloatArray:
    """Return how much of each pixel is of each shift near it, (scale * length, length + margins).

    A tent: all of it within a piece, half of it at the border of two.
    """
    margin = _margin(scale)
    place = (np.arange(scale * length) + 0.5) / scale - 0.5 + margin
    apart = np.abs(place[:, None] - np.arange(length + 2 * margin))
    tent = np.maximum(0.0, 1.0 - apart / margin)
    found: FloatArray = (tent / tent.sum(axis=1, keepdims=True)).astype(np.float32)
    return found


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
    counts: FloatArray = np.zeros((2 * height + 1, 2 * width + 1), np.float32)
    order = rng.permutation(len(places))[: _ROUNDS * _PLACES]
    for part in np.array_split(order, min(_ROUNDS, len(order))):
        those = places[part]
        found = windows[those[:, 0], those[:, 1]].reshape(len(those), -1)
        # |a - b|^2 is least where a.b - |b|^2 / 2 is largest.
        likeness = own @ found.T - (found * found).sum(axis=1) / 2
        offset = those[likeness.argmax(axis=1)] - blocks
        np.add.at(counts, (offset[:, 0] + height, offset[:, 1] + width), 1.0)
    # Offsets beside one another count for one another; the sharper peak is the better.
    votes = box_sums(counts, 1) + counts / 2
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

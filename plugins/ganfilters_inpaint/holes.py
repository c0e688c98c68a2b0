"""Holes: where they are, how far they reach, and which of them belong together. Pure NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ganfilters import BoolArray, FloatArray, bounding_box, distance_to, padded_size, resize

__all__ = [
    "Part",
    "box_means",
    "box_sums",
    "by_thickness",
    "coloured",
    "enlarged",
    "grown",
    "halved",
    "parts",
    "thickness",
]

# Holes are told apart at this size of the picture's longer side: gaps of a few pixels of a large
# photo do not part them, and labelling takes no time.
_REDUCED = 512
# Rows of a picture handled at a time.
_ROWS = 64


@dataclass(frozen=True, eq=False)
class Part:
    """Holes that are filled together.

    Attributes
    ----------
    rows, columns
        Their bounding box in the picture.
    hole
        bool, of the box's size: True in these holes and no others.
    """

    rows: slice
    columns: slice
    hole: BoolArray

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the box in the picture."""
        return self.rows, self.columns


def coloured(pixels: FloatArray, colour: tuple[int, int, int], tolerance: float) -> BoolArray:
    """Return where every channel is within `tolerance` 255ths of a colour."""
    target = np.asarray(colour, np.float32) / np.float32(255.0)
    found = np.empty(pixels.shape[:2], np.bool_)
    for top in range(0, len(pixels), _ROWS):  # not to hold the differences of a large picture
        rows = slice(top, top + _ROWS)
        near = np.abs(pixels[rows] - target) <= (tolerance + 0.01) / 255.0
        np.all(near, axis=2, out=found[rows])
    return found


def grown(hole: BoolArray, dilate: float, seam: float) -> tuple[tuple[slice, slice], FloatArray]:
    """Return how much of the filling each pixel takes: 1 in the hole and `dilate` pixels around it.

    From there it falls to 0 within another `seam` pixels, the distance being Euclidean.

    Returns
    -------
    area
        The part of the picture outside of which it is 0.
    weight
        float32, of the area's size.
    """
    limit = dilate + seam
    area = bounding_box(hole, round(np.ceil(limit)) + 1 if limit > 0 else 0)
    inside = hole[area]
    if limit <= 0 or inside.all():
        return area, inside.astype(np.float32)
    distance = distance_to(inside, limit + 1)
    ramp = (limit + 1 - distance) / np.float32(seam + 1) if seam else distance <= limit
    return area, np.clip(ramp, 0.0, 1.0).astype(np.float32)


def enlarged(guess: FloatArray, area: tuple[slice, slice], shape: tuple[int, ...]) -> FloatArray:
    """Return a part of a picture of which there is a smaller one.

    Parameters
    ----------
    guess
        (h, w, 3), the whole picture.
    area
        The part, in pixels of the larger size.
    shape
        Height and width of the whole at that size.
    """
    down, across = guess.shape[0] / shape[0], guess.shape[1] / shape[1]
    rows, columns = area
    box = (columns.start * across, rows.start * down, columns.stop * across, rows.stop * down)
    size = columns.stop - columns.start, rows.stop - rows.start
    return np.clip(resize(guess, *size, box=box), 0.0, 1.0)


def halved(planes: FloatArray) -> FloatArray:
    """Return the means of 2 x 2 pixels, (C, H / 2, W / 2).

    `planes` are (C, H, W), in any order in memory. The result lies plane by plane, as every smaller
    size of it is made fastest: pixel by pixel NumPy's innermost loop would be three values long.
    """
    tall = planes[:, ::2] + planes[:, 1::2]
    result = np.empty((len(tall), tall.shape[1], tall.shape[2] // 2), np.float32)
    for rows, half in zip(tall, result, strict=True):
        np.add(rows[:, ::2], rows[:, 1::2], out=half)
    result *= np.float32(0.25)
    return result


def box_sums(planes: FloatArray, radius: int) -> FloatArray:
    """Return the sums over the squares of side 2 `radius` + 1 around each pixel, (H, W, ...)."""
    # Nothing beyond the picture.
    found = np.pad(planes, [(radius, radius)] * 2 + [(0, 0)] * (planes.ndim - 2))
    return _line_sums(_line_sums(found, radius).swapaxes(0, 1), radius).swapaxes(0, 1)


def _line_sums(values: FloatArray, radius: int) -> FloatArray:
    """Return the sums of 2 `radius` + 1 consecutive values along the first axis.

    Made of the sums of 1, 2, 4, ... values, as the binary digits of their number say: so few
    additions of whole arrays are faster than running sums, which need float64 for as little loss.
    """
    count = len(values) - 2 * radius
    total = values[:count].copy(order="K")
    first, each = 1, 1
    while radius:
        values = values[:-each] + values[each:]
        each *= 2
        if radius % 2:
            total += values[first : first + count]
            first += each
        radius //= 2
    return total


def box_means(values: FloatArray, weight: FloatArray, radius: int) -> tuple[FloatArray, FloatArray]:
    """Return the weighted means over squares around each pixel, and the weights there."""
    sums = box_sums(np.concatenate([values * weight, weight], axis=2), radius)
    total = sums[..., -1:]
    mean = sums[..., :-1] / np.maximum(total, np.float32(1.0))
    return mean.astype(np.float32, copy=False), total


def thickness(hole: BoolArray) -> float:
    """Return the side in pixels of the largest square that fits into the hole.

    What a network has to bridge: a scratch is thin however long it is.
    """
    sums = _sums(hole)
    low, high = 0, min(hole.shape) + 1
    while high - low > 1:
        side = (low + high) // 2
        low, high = (side, high) if _squares(sums, side).any() else (low, side)
    return float(low)


def _sums(hole: BoolArray) -> npt.NDArray[np.int32]:
    """Return how much of the hole lies above and to the left of each corner of a pixel."""
    sums = np.zeros((hole.shape[0] + 1, hole.shape[1] + 1), np.int32)
    np.cumsum(np.cumsum(hole, axis=0, dtype=np.int32), axis=1, out=sums[1:, 1:])
    return sums


def _squares(sums: npt.NDArray[np.int32], side: int) -> BoolArray:
    """Return the pixels that are the first of a square that lies in the hole, from its sums."""
    rows = sums[side:] - sums[:-side]
    found: BoolArray = rows[:, side:] - rows[:, :-side] == side * side
    return found


def parts(hole: BoolArray, apart: float) -> Iterator[Part]:
    """Yield holes that are further than about `apart` pixels from one another, one by one."""
    whole = bounding_box(hole)
    hole = hole[whole]
    step = _step(hole)
    reduced = _reduce(hole, step)
    labels, count = _labels(_spread(reduced, round(apart / 2 / step)))
    labels = np.where(reduced, labels, 0)
    for label in range(1, count + 1):
        yield _part(hole, labels == label, step, whole)


def by_thickness(part: Part, side: int, apart: float) -> Iterator[Part]:
    """Yield what of a part's holes is thick, then the rest, in parts that are `apart` (`parts`).

    Thick is where a square of `side` pixels fits, and what is joined to that: no further than
    another `side` pixels, or nearly as thick, such as a brush stroke that turns. So a scratch that
    runs into a large hole is none of it.
    """
    step, rest = _step(part.hole), part
    reduced = _reduce(part.hole, step)
    thick = _thick(part.hole, reduced, side, step)
    if thick.any():
        yield _part(part.hole, thick, step, part.slices)
        thin = reduced & ~thick
        if not thin.any():
            return
        rest = _part(part.hole, thin, step, part.slices)
    for each in parts(rest.hole, apart):
        yield Part(*_within(rest.slices, each.slices), each.hole)


def _thick(hole: BoolArray, reduced: BoolArray, side: int, step: int) -> BoolArray:
    """Return what is thick of a hole, at the size `step` times smaller at which it is `reduced`."""
    squares = _squares(_sums(hole), side)
    if not squares.any():
        return np.zeros_like(reduced)
    centred = np.zeros_like(hole)
    centred[side // 2 :, side // 2 :][: squares.shape[0], : squares.shape[1]] = squares
    middles = _reduce(centred, step)
    near = reduced & _spread(middles, -(-3 * side // (2 * step)))
    labels, _ = _labels(near)
    thick: BoolArray = np.isin(labels, np.unique(labels[middles]))
    labels, _ = _labels(reduced & ~thick)
    for label in np.unique(labels[_spread(thick, 1) & (labels > 0)]):
        joined = labels == label
        own = joined[bounding_box(joined)]
        if step * thickness(own) > side // 2 or step * max(own.shape) < side:
            thick |= joined
    return thick


def _part(hole: BoolArray, chosen: BoolArray, step: int, area: tuple[slice, slice]) -> Part:
    """Return what is chosen of the hole of an area, at a size `step` times smaller."""
    rows, columns = bounding_box(chosen)
    box = (
        slice(rows.start * step, rows.stop * step),
        slice(columns.start * step, columns.stop * step),
    )
    inside = hole[box]
    own = chosen[rows, columns].repeat(step, axis=0).repeat(step, axis=1)
    own = own[: inside.shape[0], : inside.shape[1]] & inside
    inner = bounding_box(own)
    return Part(*_within(_within(area, box), inner), own[inner])


def _within(area: tuple[slice, slice], inner: tuple[slice, slice]) -> tuple[slice, slice]:
    """Return a part of an area as a part of what the area is of."""
    down, across = (
        slice(outer.start + span.start, outer.start + span.stop)
        for outer, span in zip(area, inner, strict=True)
    )
    return down, across


def _step(hole: BoolArray) -> int:
    """Return how many pixels a side are one when holes are told apart."""
    longest: int = max(hole.shape)
    return max(1, -(-longest // _REDUCED))


def _reduce(hole: BoolArray, step: int) -> BoolArray:
    """Return squares of `step` pixels as one each: True if any pixel is."""
    height, width = padded_size(hole.shape[0], hole.shape[1], step)
    padded = np.zeros((height, width), np.bool_)
    padded[: hole.shape[0], : hole.shape[1]] = hole
    squares = padded.reshape(height // step, step, width // step, step)
    found: BoolArray = np.any(squares, axis=(1, 3))
    return found


def _spread(hole: BoolArray, reach: int) -> BoolArray:
    """Grow by a square of 2 * reach + 1."""
    sums = _sums(hole)
    first, last = (
        [np.clip(np.arange(n) + shift, 0, n) for n in hole.shape] for shift in (-reach, reach + 1)
    )
    rows, columns = (np.stack(pair) for pair in zip(first, last, strict=True))
    box = sums[rows[1][:, None], columns[1]] - sums[rows[0][:, None], columns[1]]
    box = box - sums[rows[1][:, None], columns[0]] + sums[rows[0][:, None], columns[0]]
    found: BoolArray = box > 0
    return found


def _labels(hole: BoolArray) -> tuple[npt.NDArray[np.int32], int]:
    """Return each connected area's number from 1 on, 0 outside; diagonals connect.

    Runs of each row are joined with those they touch in the row above (union-find on runs).
    """
    height, width = hole.shape
    edges = np.diff(np.pad(hole, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    stops = np.nonzero(edges == -1)[1]
    parents = list(range(len(rows)))

    def root(number: int) -> int:
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    first = np.searchsorted(rows, np.arange(height + 1))
    for row in range(1, height):
        above, below = int(first[row - 1]), int(first[row])
        while above < first[row] and below < first[row + 1]:
            if starts[above] <= stops[below] and starts[below] <= stops[above]:
                parents[root(below)] = root(above)
            if stops[above] < stops[below]:
                above += 1
            else:
                below += 1
    roots = np.array([root(number) for number in range(len(rows))], np.int64)
    names, compact = np.unique(roots, return_inverse=True)
    labels = np.zeros((height, width), np.int32)
    for number, label in enumerate(compact):
        labels[rows[number], starts[number] : stops[number]] = label + 1
    return labels, len(names)

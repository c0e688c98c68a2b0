"""Cutting a picture into rows, or into overlapping tiles to be blended back. Pure NumPy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ganfilters.image import FloatArray

__all__ = [
    "Span",
    "Window",
    "blend_ramp",
    "fitted",
    "pad_to",
    "padded_size",
    "row_blocks",
    "spans",
    "windows",
]

# So many stay in the processor's cache, temporary arrays included.
_CACHED_PIXELS = 1 << 15


def row_blocks(shape: Sequence[int], pixels: int = _CACHED_PIXELS) -> Iterator[slice]:
    """Yield the rows of an array of this shape, as many at a time as hold `pixels`."""
    step = max(1, pixels // shape[1])
    for top in range(0, shape[0], step):
        yield slice(top, min(top + step, shape[0]))


@dataclass(frozen=True)
class Span:
    """One tile along one axis.

    Attributes
    ----------
    start, stop
        What the filter sees, in pixels.
    lead, tail
        Pixels at either end that overlap the neighbour; 0 at the picture's own edge.
    fade
        Width of the cross-fade in the middle of each overlap.
    """

    start: int
    stop: int
    lead: int = 0
    tail: int = 0
    fade: int = 0


@dataclass(frozen=True)
class Window:
    """One tile: its span down and its span across."""

    rows: Span
    columns: Span

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the tile's pixels in the whole picture."""
        return (
            slice(self.rows.start, self.rows.stop),
            slice(self.columns.start, self.columns.stop),
        )


def spans(length: int, size: int, overlap: int, multiple: int = 1) -> list[Span]:
    """Cut `length` pixels into spans of at most `size`, neighbours sharing at least `overlap`.

    All spans but a lone one have the same length, a multiple of `multiple`, so a network sees one
    shape only; the overlap is spread evenly.

    Parameters
    ----------
    length, size, overlap, multiple
        Pixels. `size` is rounded down to `multiple`.

    Raises
    ------
    ValueError
        `size` leaves no room beside the overlaps.
    """
    if length <= size:
        return [Span(0, length)]
    size -= size % multiple
    if size <= 2 * overlap:
        raise ValueError(f"tiles of {size} px leave nothing beside overlaps of {overlap} px")
    count = -(-(length - overlap) // (size - overlap))
    starts = [round(i * (length - size) / (count - 1)) for i in range(count)]
    result = []
    for i, start in enumerate(starts):
        lead = starts[i - 1] + size - start if i else 0
        tail = start + size - starts[i + 1] if i + 1 < count else 0
        result.append(Span(start, start + size, lead, tail, fade=max(overlap // 2, 1)))
    return result


def windows(
    height: int, width: int, size: int, overlap: int, multiple: int = 1
) -> Iterator[Window]:
    """Yield the tiles of a picture, row by row."""
    columns = spans(width, size, overlap, multiple)
    for row in spans(height, size, overlap, multiple):
        for column in columns:
            yield Window(row, column)


def blend_ramp(span: Span) -> FloatArray:
    """Return the weights of a tile along one axis; those of neighbours add up to 1.

    Neighbours cross-fade linearly in the middle of their overlap. On either side of the fade the
    weight is 0, where a network misses context, or 1. The fade is as wide as half the overlap that
    was asked for even where spreading made the overlap wider, so that never more than two tiles
    share a pixel.
    """
    weights = np.ones(span.stop - span.start, np.float32)
    if span.lead:
        weights[: span.lead] = _fade(span.lead, span.fade)
    if span.tail:
        weights[-span.tail :] *= 1.0 - _fade(span.tail, span.fade)
    return weights


def _fade(length: int, width: int) -> FloatArray:
    centres = np.arange(length, dtype=np.float32) + 0.5
    return np.clip((centres - length / 2) / width + 0.5, 0.0, 1.0).astype(np.float32)


def padded_size(height: int, width: int, multiple: int, smallest: int = 1) -> tuple[int, int]:
    """Return the smallest size that a network takes and a picture of this size fits into.

    Parameters
    ----------
    height, width
        Of the picture, in pixels.
    multiple, smallest
        What the network wants of each side, as in `ModelCard.size_multiple` and
        `ModelCard.size_min`.

    Returns
    -------
    tuple of int
        Height and width, for `pad_to`.
    """
    return fitted(height, multiple, smallest), fitted(width, multiple, smallest)


def fitted(side: int, multiple: int, smallest: int = 1) -> int:
    """Return the smallest side that a network takes and this one fits into."""
    return -(-max(side, smallest) // multiple) * multiple


def pad_to(pixels: FloatArray, height: int, width: int) -> FloatArray:
    """Extend an H x W (x C) array on the right and at the bottom by mirroring it.

    Mirrors as often as it takes, so that even a 1 x 1 picture can be padded to any size.
    """
    down, right = height - pixels.shape[0], width - pixels.shape[1]
    if down <= 0 and right <= 0:
        return pixels
    pad = [(0, max(down, 0)), (0, max(right, 0)), *[(0, 0)] * (pixels.ndim - 2)]
    return np.pad(pixels, pad, mode="symmetric")

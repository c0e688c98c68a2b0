"""The Poisson equation on a region of any shape: conjugate gradients with a multigrid.

The unknowns are the pixels of the region. Each is coupled to its unknown neighbours (`down`,
`across`) and held by its known ones (`hold`). A coarser grid takes 2 x 2 cells together and adds up
their couplings, so every level is the same kind of system and needs no thought about boundaries.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from ganfilters import FloatArray, report_progress

__all__ = ["Mask", "solve"]

Mask = npt.NDArray[np.bool_]

# The error that is left, in the energy norm and as a share of that of the first guess.
_PRECISION = 1e-4
_SMALLEST = 3
# Constant corrections of 2 x 2 cells are too stiff; this makes up for it (Braess 1995).
_OVERCORRECTION = 1.8
_DAMPING = 0.8
_SWEEPS = 2


@dataclass(frozen=True)
class Grid:
    """The system on one level.

    Attributes
    ----------
    hold
        H x W x 1, how strongly a cell is held by known neighbours.
    down, across
        Couplings with the next cell below and to the right.
    inverse
        1 / diagonal of the system, and 0 where nothing is unknown.
    """

    hold: FloatArray
    down: FloatArray
    across: FloatArray
    inverse: FloatArray

    @classmethod
    def of(cls, hold: FloatArray, down: FloatArray, across: FloatArray) -> Grid:
        """Return the grid of these couplings."""
        diagonal = hold.copy()
        diagonal[:-1] += down
        diagonal[1:] += down
        diagonal[:, :-1] += across
        diagonal[:, 1:] += across
        inverse = np.divide(1, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0)
        return cls(hold, down, across, inverse)

    def times(self, values: FloatArray) -> FloatArray:
        """Return the product of the system's matrix with values, H x W x C."""
        result = self.hold * values
        flow = self.down * np.diff(values, axis=0)
        result[:-1] -= flow
        result[1:] += flow
        flow = self.across * np.diff(values, axis=1)
        result[:, :-1] -= flow
        result[:, 1:] += flow
        return result

    def coarser(self) -> Grid:
        """Return the system for corrections that are constant on 2 x 2 cells."""
        return Grid.of(
            _pairs(_pairs(self.hold, 0), 1),
            _pairs(self.down[1::2], 1),
            _pairs(self.across[:, 1::2], 0),
        )


def solve(
    target: FloatArray,
    source: FloatArray,
    inside: Mask,
    down: FloatArray,
    across: FloatArray,
    iterations: int,
) -> FloatArray:
    """Return `target` with new values inside the region, whose differences are those wanted.

    Parameters
    ----------
    target
        H x W x C, known outside the region.
    source
        First guess inside it.
    inside
        H x W, the region.
    down, across
        Wanted differences with the next pixel below, and with the next to the right.
    iterations
        Largest number of steps.
    """
    grids = _levels(inside)
    region = inside[..., None]
    result = np.where(region, source, target)
    flow_down = _touching(inside, 0) * (down - np.diff(result, axis=0))
    flow_across = _touching(inside, 1) * (across - np.diff(result, axis=1))
    residual = np.zeros_like(result)
    residual[:-1] -= flow_down
    residual[1:] += flow_down
    residual[:, :-1] -= flow_across
    residual[:, 1:] += flow_across
    residual *= region
    direction = np.zeros_like(result)
    energy = first = np.zeros(result.shape[-1])
    for step in range(iterations):
        correction = _cycle(grids, residual) * region
        last, energy = energy, _dots(residual, correction)
        first = energy if step == 0 else first
        left = float(np.sqrt(np.max(energy / np.maximum(first, 1e-20))))
        done = np.log(max(left, _PRECISION)) / np.log(_PRECISION)
        report_progress(max(float(done), step / iterations), f"step {step + 1}")
        if left <= _PRECISION or not energy.max() > 1e-12:
            break
        turn = energy / np.where(last > 0, last, 1.0) if step else np.zeros_like(energy)
        direction = correction + turn.astype(np.float32) * direction
        image = grids[0].times(direction) * region
        length = (energy / np.maximum(_dots(direction, image), 1e-30)).astype(np.float32)
        result += length * direction
        residual -= length * image
    return result


def _levels(inside: Mask) -> list[Grid]:
    """Return the system on the pixels and on ever coarser grids."""
    height, width = inside.shape
    coupled = [inside[:-1] & inside[1:], inside[:, :-1] & inside[:, 1:]]
    neighbours = np.zeros((height, width), np.float32)
    neighbours[:-1] += ~inside[1:]
    neighbours[1:] += ~inside[:-1]
    neighbours[:, :-1] += ~inside[:, 1:]
    neighbours[:, 1:] += ~inside[:, :-1]
    down, across = (plane[..., None].astype(np.float32) for plane in coupled)
    grids = [Grid.of((neighbours * inside)[..., None], down, across)]
    while min(grids[-1].hold.shape[:2]) > _SMALLEST or max(grids[-1].hold.shape[:2]) > 8:
        grids.append(grids[-1].coarser())
    return grids


def _cycle(grids: list[Grid], wanted: FloatArray) -> FloatArray:
    """Return about the solution for `wanted`: one V-cycle, the same forwards and backwards."""
    grid = grids[0]
    sweeps = _SWEEPS if len(grids) > 1 else 20
    values = _DAMPING * grid.inverse * wanted
    for _ in range(sweeps - 1):
        values += _DAMPING * grid.inverse * (wanted - grid.times(values))
    if len(grids) == 1:
        return values
    rest = wanted - grid.times(values)
    coarse = _cycle(grids[1:], _pairs(_pairs(rest, 0), 1))
    height, width = values.shape[:2]
    spread = coarse.repeat(2, axis=0)[:height].repeat(2, axis=1)[:, :width]
    values += np.float32(_OVERCORRECTION) * spread * (grid.inverse > 0)
    for _ in range(sweeps):
        values += _DAMPING * grid.inverse * (wanted - grid.times(values))
    return values


def _touching(inside: Mask, axis: int) -> Mask:
    """Return which neighbours are a pair with an unknown pixel."""
    pairs = inside[:-1] | inside[1:] if axis == 0 else inside[:, :-1] | inside[:, 1:]
    return pairs[..., None]


def _pairs(values: FloatArray, axis: int) -> FloatArray:
    """Return the sums of two and two along an axis; one that is left over stays alone."""
    starts = np.arange(0, values.shape[axis], 2)
    return np.add.reduceat(values, starts, axis=axis) if starts.size else values


def _dots(first: FloatArray, second: FloatArray) -> npt.NDArray[np.float64]:
    """Return the scalar product for each channel."""
    dots: npt.NDArray[np.float64] = np.einsum("hwc,hwc->c", first, second, dtype=np.float64)
    return dots

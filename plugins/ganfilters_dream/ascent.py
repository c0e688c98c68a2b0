"""Gradient ascent on a picture: tiles under random shifts, normalised steps, octaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from ganfilters import (
    FloatArray,
    OutOfMemory,
    from_batch,
    progress_part,
    report_progress,
    resize,
    to_batch,
)
from ganfilters_dream.pyramid import blur, normalise_bands, smooth

__all__ = ["Ascent", "Gradient", "dream", "octave_sizes"]

Gradient = Callable[[FloatArray], FloatArray]
"""Takes a picture, 1 x 3 x H x W in [0, 1]; returns the objective's gradient, same shape."""

_SMALLEST_OCTAVE = 48

# How red, green and blue vary together over ImageNet: Olah, Mordvintsev & Schubert 2017, "Feature
# Visualization" (decorrelated colour), whose published square root is multiplied out here.
_COLOUR_SQRT = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
_COLOUR_COVARIANCE = _COLOUR_SQRT @ _COLOUR_SQRT.T


@dataclass(frozen=True)
class Ascent:
    """How a dream is climbed.

    Attributes
    ----------
    octaves, octave_scale
        Number of scales, and the ratio of neighbouring ones.
    iterations
        Steps at each scale.
    step
        Mean change of a value in one step, in 1/255.
    jitter
        Largest random shift before each step, in pixels.
    normalize
        ``"mean"``: the gradient divided by its mean magnitude. ``"smooth"``: also blurred at
        several widths. ``"laplacian"``: every band of its Laplacian pyramid scaled to the same
        strength, which favours large shapes.
    color
        How much of the gradient's own colour a step keeps: 1 is all of it, 0 moves colours only as
        they vary together in natural pictures, mostly in brightness.
    blur
        Width (standard deviation, in pixels) of a blur of the picture after each step, falling to
        0 over the steps of an octave.
    tile
        Largest side in pixels that the network sees at once.
    multiple, smallest
        Sides that the network takes: multiples of the first, at least the second.
    """

    octaves: int
    octave_scale: float
    iterations: int
    step: float
    jitter: int
    normalize: Literal["mean", "smooth", "laplacian"]
    color: float
    blur: float
    tile: int
    multiple: int
    smallest: int


def octave_sizes(height: int, width: int, ascent: Ascent, finest: int) -> list[tuple[int, int]]:
    """Return (height, width) of every octave, small to large.

    Parameters
    ----------
    height, width
        The picture.
    finest
        Longest side of the largest octave in pixels; 0 for the picture's own.
    """
    limit = min(1.0, finest / max(height, width)) if finest else 1.0
    sizes: list[tuple[int, int]] = []
    for index in range(ascent.octaves):
        scale = limit / ascent.octave_scale**index
        size = max(round(height * scale), 1), max(round(width * scale), 1)
        if sizes and max(size) < _SMALLEST_OCTAVE:
            break
        sizes.append(size)
    return sizes[::-1]


def dream(
    pixels: FloatArray,
    gradient: Gradient,
    ascent: Ascent,
    rng: np.random.Generator,
    *,
    finest: int = 0,
) -> FloatArray:
    """Return the picture, H x W x 3, with the dream added at every octave.

    After the multi-scale loop of Mordvintsev et al. 2015: what the ascent added at one scale is
    enlarged and carried to the next, on top of the picture's own detail there.
    """
    height, width = pixels.shape[:2]
    sizes = octave_sizes(height, width, ascent, finest)
    work = [rows * columns for rows, columns in sizes]
    added: FloatArray | None = None
    for index, (rows, columns) in enumerate(sizes):
        base = resize(pixels, columns, rows)
        current = base.copy() if added is None else base + resize(added, columns, rows)
        start, end = sum(work[:index]) / sum(work), sum(work[: index + 1]) / sum(work)
        with progress_part(start, end):
            for step in range(ascent.iterations):
                report_progress(step / ascent.iterations, f"octave {index + 1} of {len(sizes)}")
                ascent = _climb(current, gradient, ascent, rng)
                sigma = ascent.blur * (1 - (step + 1) / ascent.iterations)
                if sigma > 0:
                    blur(current, sigma)
        current -= base
        added = current
    assert added is not None  # noqa: S101 - there is always one octave
    result = resize(added, width, height)
    if result is added and not added.flags.owndata:
        result = added.copy()
    result += pixels
    return np.clip(result, 0.0, 1.0, out=result)


def _climb(
    picture: FloatArray, gradient: Gradient, ascent: Ascent, rng: np.random.Generator
) -> Ascent:
    """Take one step uphill, in place; return the ascent with the tiles that fitted into memory."""
    shift = rng.uniform(-1.0, 1.0, 2)  # drawn once, so that the result is the same on a retry
    while True:
        try:
            slope = _shifted_gradient(picture, gradient, ascent, shift)
            break
        except (OutOfMemory, MemoryError):
            smaller = max(ascent.tile // 2, ascent.smallest)
            if smaller >= min(ascent.tile, max(picture.shape[:2])):
                raise
            ascent = replace(ascent, tile=smaller)
    if ascent.normalize == "laplacian":
        slope = normalise_bands(slope)
    elif ascent.normalize == "smooth":
        slope = smooth(slope)
    if ascent.color < 1.0:
        slope = slope @ _colour_mixing(ascent.color)
    size = float(np.mean(np.abs(slope)))
    slope *= np.float32(ascent.step / 255.0 / max(size, 1e-12))
    picture += slope
    np.clip(picture, 0.0, 1.0, out=picture)
    return ascent


def _colour_mixing(amount: float) -> FloatArray:
    natural = _COLOUR_COVARIANCE / np.trace(_COLOUR_COVARIANCE) * 3
    mixing: FloatArray = (amount * np.eye(3) + (1 - amount) * natural).astype(np.float32)
    return mixing


def _shifted_gradient(
    picture: FloatArray, gradient: Gradient, ascent: Ascent, shift: npt.NDArray[np.float64]
) -> FloatArray:
    """Return the gradient of an H x W x 3 picture, computed in tiles of one shape.

    The picture is a torus shifted at random before it is cut, so that tile borders fall elsewhere
    at every step and leave no seam; a shift within `jitter` does the same for the fixed grid on
    which a strided network looks at the picture.
    """
    height, width = picture.shape[:2]
    tile_rows, count_rows = _tile(height, ascent)
    tile_columns, count_columns = _tile(width, ascent)
    reach_rows = tile_rows if count_rows > 1 else min(ascent.jitter, height - 1)
    reach_columns = tile_columns if count_columns > 1 else min(ascent.jitter, width - 1)
    top, left = round(shift[0] * reach_rows), round(shift[1] * reach_columns)
    slope = np.empty_like(picture)
    for row in range(count_rows):
        rows = (np.arange(tile_rows) + top + row * tile_rows) % height
        keep_rows = min(tile_rows, height - row * tile_rows)
        for column in range(count_columns):
            columns = (np.arange(tile_columns) + left + column * tile_columns) % width
            keep_columns = min(tile_columns, width - column * tile_columns)
            part = picture[rows[:, None], columns]
            found = from_batch(gradient(to_batch(part)))
            slope[rows[:keep_rows, None], columns[:keep_columns]] = found[:keep_rows, :keep_columns]
    return slope


def _tile(length: int, ascent: Ascent) -> tuple[int, int]:
    """Return the side of the tiles along an axis, and how many cover it."""
    count = max(-(-length // ascent.tile), 1)
    side = max(-(-length // count), ascent.smallest)
    return -(-side // ascent.multiple) * ascent.multiple, count

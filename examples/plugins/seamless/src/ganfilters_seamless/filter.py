"""The filter: where the second picture goes, and which differences it brings along."""

from __future__ import annotations

from typing import Literal

import numpy as np
from ganfilters import Filter, FloatArray, Image, ImageParam, Params, Traits, resize
from pydantic import Field

from ganfilters_seamless.poisson import Mask, solve

__all__ = ["Seamless", "SeamlessParams"]


class SeamlessParams(Params):
    """Parameters of `Seamless`."""

    source: ImageParam = Field(description="Picture to clone from")
    place: Literal["mask", "picture"] = Field(
        "mask", description="What the source is laid over: the mask's surroundings or the picture"
    )
    zoom: float = Field(
        1.0, ge=1.0, le=20.0, description="Enlargement of the source; 1 just covers its place"
    )
    shift_x: float = Field(
        0.0, ge=-1.0, le=1.0, description="Which part of the source: -1 its left, 1 its right"
    )
    shift_y: float = Field(
        0.0, ge=-1.0, le=1.0, description="Which part of the source: -1 its top, 1 its bottom"
    )
    mixed: bool = Field(
        False,
        description="Keep the stronger edges of both pictures, for writing, holes and thin things",
    )
    iterations: int = Field(100, ge=1, le=1000, description="Largest number of steps of the solver")


class Seamless(Filter[SeamlessParams]):
    """Clones a picture into the masked region of another."""

    name = "seamless"
    summary = "Clones a second picture into the masked region, without a seam"
    Params = SeamlessParams
    # Colours spread through all of the region, so a tile alone could not know them.
    traits = Traits(mask="required")

    def apply(self, image: Image, params: SeamlessParams) -> Image:
        """Return the picture with the source cloned into it."""
        if image.mask is None or not image.mask.any():
            return image
        rows, columns = _surroundings(image.mask > 0)
        inside = image.mask[rows, columns] > 0
        target = image.pixels[rows, columns]
        if params.place == "mask":
            source = _fitted(params, target.shape[0], target.shape[1])
        else:
            source = _fitted(params, image.height, image.width)[rows, columns]
        down, across = (_differences(source, target, axis, params.mixed) for axis in (0, 1))
        pixels = image.pixels.copy()
        pixels[rows, columns] = solve(target, source, inside, down, across, params.iterations)
        return image.replace(pixels=np.clip(pixels, 0.0, 1.0))


def _surroundings(inside: Mask) -> tuple[slice, slice]:
    """Return the rows and columns of the region and of one pixel around it."""
    found = []
    for axis in (1, 0):
        used = np.flatnonzero(inside.any(axis=axis))
        found.append(slice(max(int(used[0]) - 1, 0), int(used[-1]) + 2))
    return found[0], found[1]


def _fitted(params: SeamlessParams, height: int, width: int) -> FloatArray:
    """Return the part of the source that covers `height` x `width` pixels."""
    source = params.source
    scale = max(height / source.height, width / source.width) * params.zoom
    across, down = width / scale, height / scale
    # Rounding may have made the part a hair larger than the source.
    left = max((source.width - across) * (1 + params.shift_x) / 2, 0.0)
    top = max((source.height - down) * (1 + params.shift_y) / 2, 0.0)
    right, bottom = min(left + across, source.width), min(top + down, source.height)
    return resize(source.pixels, width, height, box=(left, top, right, bottom))


def _differences(source: FloatArray, target: FloatArray, axis: int, mixed: bool) -> FloatArray:
    """Return the differences of neighbours that the result should have: the guidance field."""
    wanted = np.diff(source, axis=axis)
    if mixed:
        own = np.diff(target, axis=axis)
        wanted = np.where(np.abs(own) > np.abs(wanted), own, wanted)
    return wanted

"""Calling a filter: padding and tiling before, the checks of its promises after.

What a plugin raises or returns against its contract becomes a `PluginError` that names it. What
the caller's own callbacks raise passes through as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from ganfilters.areas import bounding_box
from ganfilters.errors import GanfiltersError, ImageError, OutOfMemory, PluginError
from ganfilters.filter import Filter, Params, Tiling
from ganfilters.hidden import as_shown, hidden_in
from ganfilters.image import BoolArray, FloatArray, Image
from ganfilters.progress import callers_own, progress_part, report_progress
from ganfilters.registry import Entry
from ganfilters.tiling import Window, blend_ramp, pad_to, padded_size, row_blocks, windows

__all__ = ["RANGE_SLACK", "Call", "Made", "checked", "guarded", "read_only", "run"]

# Values may stray this far outside [0, 1] by rounding and are clipped; further is a defect.
RANGE_SLACK = 1e-3
_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class Call:
    """A filter with its parameters.

    Attributes
    ----------
    entry
        Where the filter comes from.
    filter
        The instance.
    params
        Checked values.
    """

    entry: Entry
    filter: Filter[Any]
    params: Params

    @cached_property
    def given(self) -> Params:
        """The values as the filter gets them: it sees nothing that is hidden in a picture."""
        found = {name: (value, _shown(value)) for name, value in self.params}
        changed = {name: shown for name, (value, shown) in found.items() if shown is not value}
        return self.params.model_copy(update=changed) if changed else self.params

    def guarded(self, call: Callable[[], _T]) -> _T:
        """Call into the plugin; see `guarded`."""
        return guarded(self.entry, call)


def _shown(value: Any) -> Any:
    if isinstance(value, Image):
        return as_shown(value)
    if isinstance(value, tuple) and any(isinstance(each, Image) for each in value):
        shown = tuple(map(_shown, value))
        return value if all(a is b for a, b in zip(value, shown, strict=True)) else shown
    return value


@dataclass(frozen=True, eq=False)
class Made:
    """What a filter made.

    Attributes
    ----------
    pixels
        The result.
    untouched
        Where the filter says that the pixels are the source's own; None if it does not say.
    alpha
        The result's, from a filter that edits it; else None.
    """

    pixels: FloatArray
    untouched: BoolArray | None = None
    alpha: FloatArray | None = None


def run(call: Call, source: Image, weight: FloatArray | None = None) -> Made:
    """Run a filter on the whole picture, or in tiles where it is too large.

    A filter that leaves alpha alone sees no colours under full transparency. They stay, unless it
    changes the picture's size.

    Parameters
    ----------
    call
        What to run.
    source
        The picture.
    weight
        Where the result will be used, H x W. Tiles that lie where it is 0 are left out, and the
        result is 0 there.
    """
    bare = source.replace(untouched=None)
    hidden = None if call.filter.traits.alpha == "edited" else hidden_in(source)
    if hidden is None:
        return _run_fitting(call, bare, weight)
    seen = ~hidden
    made = _run_fitting(call, as_shown(bare), seen if weight is None else weight * seen)
    if not call.filter.traits.keeps_size:
        return made
    # Not in place: the filter may have kept what it returned.
    return replace(made, pixels=np.where(hidden[..., None], source.pixels, made.pixels))


def _run_fitting(call: Call, source: Image, weight: FloatArray | BoolArray | None) -> Made:
    """Run a filter on as much at once as it takes, and as there is memory for."""
    traits = call.filter.traits
    bare = source.replace(alpha=None) if traits.alpha == "kept" else source
    tiling = traits.tiling
    if tiling is None:
        return _run_padded(call, bare)
    size = min(tiling.size, traits.size_max or tiling.size)
    while True:
        try:
            if max(bare.width, bare.height) <= size:
                return _run_padded(call, bare)
            return Made(_run_tiled(call, bare, Tiling(size, tiling.overlap), weight))
        except (OutOfMemory, MemoryError):
            # Smaller tiles cost time, never correctness; below this they would be all overlap.
            size //= 2
            if size < max(2 * tiling.overlap + traits.size_multiple, traits.size_min, 32):
                raise
            report_progress(0.0, f"out of memory; trying tiles of {size} pixels")


def _run_tiled(
    call: Call, source: Image, tiling: Tiling, weight: FloatArray | BoolArray | None
) -> FloatArray:
    result = np.zeros_like(source.pixels)
    multiple = call.filter.traits.size_multiple
    tiles = list(windows(source.height, source.width, tiling.size, tiling.overlap, multiple))
    if weight is not None:
        tiles = [tile for tile in tiles if weight[tile.slices].any()]
    for index, tile in enumerate(tiles):
        with progress_part(index / len(tiles), (index + 1) / len(tiles)):
            report_progress(0.0, f"tile {index + 1} of {len(tiles)}")
            part = _run_padded(call, _cut(source, tile)).pixels
        ramp = blend_ramp(tile.rows)[:, None] * blend_ramp(tile.columns)
        result[tile.slices] += part * ramp[..., None]
    return np.clip(result, 0.0, 1.0, out=result)


def _cut(source: Image, tile: Window) -> Image:
    mask = None if source.mask is None else source.mask[tile.slices]
    return source.replace(pixels=source.pixels[tile.slices], mask=mask)


def _run_padded(call: Call, source: Image) -> Made:
    """Give the filter a picture of a size it can take; return the part that was asked for."""
    traits = call.filter.traits
    height, width = padded_size(source.height, source.width, traits.size_multiple, traits.size_min)
    pixels = pad_to(source.pixels, height, width)
    mask, alpha = (
        None if plane is None else read_only(pad_to(plane, height, width))
        for plane in (source.mask, source.alpha)
    )
    # What its file held is the host's alone.
    image = Image(read_only(pixels), mask=mask, alpha=alpha)
    made = call.guarded(lambda: call.filter.apply(image, call.given))
    result = checked(call, made, (height, width) if traits.keeps_size else None)
    edited = made.alpha if traits.alpha == "edited" else None
    if edited is not None:
        edited = _in_range(call, edited, made.untouched if traits.keeps_size else None)
    if not traits.keeps_size:
        return Made(result, alpha=edited)
    _check_kept(call, image, image.replace(pixels=result, alpha=edited, untouched=made.untouched))
    inner = slice(source.height), slice(source.width)
    return Made(
        result[inner],
        None if made.untouched is None else made.untouched[inner],
        None if edited is None else edited[inner],
    )


def _check_kept(call: Call, source: Image, made: Image) -> None:
    """Compare what the filter says that it left alone with what it left alone."""
    where = made.untouched
    if where is None:
        if call.filter.traits.selection == "filter":
            raise PluginError(
                f"{_who(call.entry)} declares selection='filter', so its result must say in "
                "Image.untouched what it left alone"
            )
        return
    changed = _differ(made.pixels, source.pixels, where)
    if made.alpha is not None and not changed:
        alpha = source.alpha
        opaque = np.broadcast_to(np.float32(1.0), where.shape)
        changed = _differ(made.alpha, opaque if alpha is None else alpha, where)
    if changed:
        raise PluginError(f"{_who(call.entry)} changed pixels that it says are untouched")


def _differ(result: FloatArray, source: FloatArray, where: BoolArray) -> bool:
    """Compare two arrays where a mask is True, without a copy of either."""
    for rows in row_blocks(result.shape):
        unlike = result[rows] != source[rows]
        if not unlike.any():  # mostly so, and quicker than to look where
            continue
        if unlike.ndim == 3:  # channel by channel: an axis so short is slow to reduce
            unlike = unlike[..., 0] | unlike[..., 1] | unlike[..., 2]
        if (unlike & where[rows]).any():
            return True
    return False


def read_only(array: FloatArray) -> FloatArray:
    """Return a view that a filter cannot change by accident."""
    view = array.view()
    view.flags.writeable = False
    return view


def guarded(entry: Entry, call: Callable[[], _T]) -> _T:
    """Call into a plugin; what it raises against its contract names it."""
    try:
        return call()
    except (Exception, SystemExit) as error:  # a plugin may raise anything
        own = callers_own()
        if own is not None:
            raise own from None
        if isinstance(error, (GanfiltersError, MemoryError)):
            if not isinstance(error, ImageError) or _is_chain(entry):
                raise
            # an Image that the plugin made and that is none
            raise PluginError(f"{_who(entry)} failed: {error}") from error
        text = " ".join(str(error).split())
        raise PluginError(
            f"{_who(entry)} failed: {type(error).__name__}: {text}".rstrip(": ")
        ) from error


def _is_chain(entry: Entry) -> bool:
    from ganfilters.chains.filter import ChainFilter  # which needs this module

    return issubclass(entry.filter, ChainFilter)


def checked(call: Call, made: object, size: tuple[int, int] | None) -> FloatArray:
    """Return the pixels of a filter's result after checking its promises.

    Raises
    ------
    PluginError
        It is no `Image`, is of another size than `size`, or has values that are not finite and
        in [0, 1].
    """
    who = _who(call.entry)
    if not isinstance(made, Image):
        raise PluginError(
            f"{who} returned {type(made).__name__}; it must return a ganfilters.Image"
        )
    pixels = made.pixels
    if size is not None and pixels.shape[:2] != size:
        raise PluginError(
            f"{who} returned {pixels.shape[1]} x {pixels.shape[0]} pixels for "
            f"{size[1]} x {size[0]}; the sizes must be the same, or traits.keeps_size False"
        )
    return _in_range(call, pixels, None if size is None else made.untouched)


def _in_range(call: Call, pixels: FloatArray, untouched: BoolArray | None) -> FloatArray:
    who = _who(call.entry)
    whole = pixels
    if untouched is not None and untouched.shape == pixels.shape[:2]:
        pixels = pixels[bounding_box(~untouched)]  # elsewhere it is compared with the source
    parts = [pixels[rows] for rows in row_blocks(pixels.shape)]
    low = float(np.min([part.min() for part in parts]))  # NaN if any value is
    high = float(np.max([part.max() for part in parts]))
    if not (np.isfinite(low) and np.isfinite(high)):
        raise PluginError(f"{who} returned values that are not finite (NaN or infinity)")
    if low < -RANGE_SLACK or high > 1.0 + RANGE_SLACK:
        raise PluginError(
            f"{who} returned values from {low:.3g} to {high:.3g}; they must be in [0, 1]"
        )
    return np.clip(whole, 0.0, 1.0) if low < 0.0 or high > 1.0 else whole


def _who(entry: Entry) -> str:
    return f"the filter {entry.filter.name} ({entry.distribution})"

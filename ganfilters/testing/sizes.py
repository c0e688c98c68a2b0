"""Checks of size declarations, which suggest the right declaration where one is wrong."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ganfilters.filter import Params, Tiling
from ganfilters.running import RANGE_SLACK
from ganfilters.testing.subject import Subject, expect, picture
from ganfilters.tiling import fitted

__all__ = ["check_sizes", "check_tiling"]

# Tiles may differ from the whole by two steps of an 8-bit picture and by rounding.
_TILE_TOLERANCE = 2 / 255 + 1e-6
_NO_RULE = "no size rule would help: apply() itself is at fault"
# A largest size above this is believed: trying it would take minutes.
_LARGEST_TRIED = 512
_MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
_MINIMA = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def check_sizes(subject: Subject) -> str:
    """Check that the filter takes every size that its traits promise, from one pixel on."""
    if not subject.takes_pictures:
        return "takes no pictures"
    for height, width in _sizes(subject):
        try:
            result = subject.run(
                picture(height, width), what=f"a picture of {width} x {height} pixels"
            )
        except AssertionError as error:
            raise AssertionError(f"{error}; {_suggestion(subject)}") from error
        if subject.traits.keeps_size:
            expect(
                result.shape == (height, width, 3),
                f"a picture of {width} x {height} became {result.shape[1]} x {result.shape[0]}",
            )
    largest = subject.traits.size_max
    if largest is not None and largest > _LARGEST_TRIED:
        return f"size_max {largest} not tried"
    return ""


def _sizes(subject: Subject) -> Iterator[tuple[int, int]]:
    traits = subject.traits
    most = traits.size_max
    wanted = [(1, 1), (1, 23), (37, 1), (37, 53), (52, 38)]
    wanted.append((traits.size_min, traits.size_min))
    wanted.append((traits.size_min + 1, traits.size_min + traits.size_multiple))
    wanted.append((traits.size_multiple, traits.size_multiple + 1))
    if most is not None and most <= _LARGEST_TRIED:
        wanted.append((most, most))
    for height, width in dict.fromkeys(wanted):
        if traits.selection == "filter" and height == width == 1:
            continue  # all of it is selected; what is around the selection, it may go by
        if most is None or max(height, width) <= most:
            yield height, width


def _suggestion(subject: Subject) -> str:
    """Find by trial which declaration would have been right."""
    params, traits = subject.parse(), subject.traits
    for multiple in _MULTIPLES:
        for least in _MINIMA:
            for largest in _shrinking(subject.traits.size_max):
                sides = [least, least + 1, least + 36, least + 51]
                if largest is not None:
                    most = largest // multiple * multiple
                    sides = [side for side in [*sides, most] if side <= most]
                taken = sorted({fitted(side, multiple) for side in sides})
                # One size alone proves no rule.
                if len(taken) > 1 and all(
                    _fits(subject, params, side, taken[-1]) for side in taken
                ):
                    declared = (traits.size_multiple, traits.size_min, traits.size_max)
                    if declared == (multiple, least, largest):
                        return _NO_RULE
                    return _declaration(multiple, least, largest)
    return _NO_RULE


def _shrinking(largest: int | None) -> Iterator[int | None]:
    """Yield the largest size that is declared, and smaller ones."""
    yield largest
    while largest is not None and largest >= 32:
        largest //= 2
        yield largest


def _declaration(multiple: int, least: int, largest: int | None) -> str:
    rules = {"size_multiple": (multiple, 1), "size_min": (least, 1), "size_max": (largest, None)}
    words = [f"{name}={value}" for name, (value, unset) in rules.items() if value != unset]
    return f"declare Traits({', '.join(words)})"


def _fits(subject: Subject, params: Params, height: int, width: int) -> bool:
    try:
        result = subject.call(picture(height, width), params).pixels
    except (Exception, SystemExit):  # noqa: BLE001 - whatever the filter raises, the size does not fit
        return False
    kept = result.shape == (height, width, 3) or not subject.traits.keeps_size
    # Not NaN, and within [0, 1] as far as rounding goes.
    return kept and bool((np.abs(result - 0.5) <= 0.5 + RANGE_SLACK).all())


def check_tiling(subject: Subject) -> str:
    """Check that where the traits allow tiles, the tiles together are the whole."""
    tiling = subject.traits.tiling
    if tiling is None or not subject.takes_pictures:
        return "makes no claim"
    error = _tile_error(subject, tiling.overlap)
    if error is None:
        return "not compared: size_max leaves no room for a whole picture of several tiles"
    if error <= _TILE_TOLERANCE:
        return f"largest difference {error * 255:.2f}/255"
    hint = "declare tiling=None: the filter has to see the whole picture"
    for overlap in (factor * max(tiling.overlap, 4) for factor in (2, 4, 8)):
        wider = _tile_error(subject, overlap)
        if wider is not None and wider <= _TILE_TOLERANCE:
            size = max(tiling.size, 4 * overlap)
            hint = f"declare Tiling(size={size}, overlap={overlap})"
            break
    raise AssertionError(
        f"tiles differ from the whole by {error * 255:.1f}/255 with an overlap of "
        f"{tiling.overlap} pixels; at most 2/255 is allowed; {hint}"
    )


def _tile_error(subject: Subject, overlap: int) -> float | None:
    """Return the largest difference of tiles from the whole, or None if there is no room."""
    traits = subject.traits
    multiple = traits.size_multiple
    size = max(3 * overlap, traits.size_min, 2 * multiple, 48)
    size = fitted(size, multiple)
    # Two tiles each way that overlap by what is declared and not, as in odd cases, by more; and a
    # side that needs no padding, since tiles may be padded elsewhere than the whole.
    side = (2 * size - overlap) // multiple * multiple
    if traits.size_max is not None and side > traits.size_max // multiple * multiple:
        return None
    # A slope across the picture and bare noise: soft pictures would hide what tiles do not see.
    slope = np.linspace(0, 1, side, dtype=np.float32)[None, :, None]
    noise = np.random.default_rng(0).integers(0, 2, (side, side, 3)).astype(np.float32)
    pixels = (slope + noise) / np.float32(2)
    whole = subject.with_traits(tiling=None).run(pixels, what="the whole picture")
    tiled = subject.with_traits(tiling=Tiling(size, overlap)).run(pixels, what="a tiled picture")
    return float(np.abs(whole - tiled).max())

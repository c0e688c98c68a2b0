"""The sizes at which a picture is painted, one after the other."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ganfilters import UsageError

__all__ = ["FINEST", "REFERENCE", "Pass", "passes"]

REFERENCE = 224
"""Longer side in pixels of the first size, for strokes of the usual size."""
FINEST = 1024
"""Longer side in pixels of the last size whose strokes are seen; what is larger adds details."""
# A small picture is enlarged at most this much to be painted with small strokes.
_ENLARGE = 2.0
# A painting enlarged by this much still looks sharp.
_BLURRED = 1.2
# A painting enlarged by this much can still be painted over: its strokes stay, with sharp edges.
_GROWTH = 4.6
# Where it is refined as well: fewer sizes would leave more of a large picture unrefined.
_REFINED_GROWTH = 2.4


@dataclass(frozen=True)
class Pass:
    """A size that the picture is painted at.

    Attributes
    ----------
    height, width
        The size in pixels.
    steps
        Steps of refining there.
    detail
        Its strokes are finer than asked for, so only details are taken of them.
    """

    height: int
    width: int
    steps: int = 0
    detail: bool = False


def passes(
    height: int, width: int, stroke_scale: float, *, refine: int = 0, refine_size: int = 0
) -> list[Pass]:
    """Return the passes, small to large.

    Strokes are as many pixels wide at any size. So what is first painted small, and then over that
    at sizes that grow by a factor at most, has large strokes and fine ones. The finest are those
    of the picture's own size, or of `FINEST` pixels if it is larger, divided by `stroke_scale`.

    Parameters
    ----------
    height, width
        Size of the picture in pixels.
    stroke_scale
        Size of the strokes.
    refine, refine_size
        Steps of refining at the first size, half as many each time, as most is done then, and the
        longest side in pixels that is refined. Refined strokes are the painting's own at any size.

    Raises
    ------
    UsageError
        All are too large to be refined.
    """
    longer = max(height, width)
    first = min(REFERENCE / stroke_scale / longer, _ENLARGE)
    finest = 1.0
    if not refine:
        finest = min(1.0, 1.0 / stroke_scale, FINEST / stroke_scale / longer)
    finest = max(first, 1.0 if finest * _BLURRED >= 1 else finest)
    growth = _REFINED_GROWTH if refine else _GROWTH
    scales = [first, *_between(first, finest, growth)]
    found = []
    for number, scale in enumerate([*scales, *_between(finest, 1.0, growth)]):
        down, across = (max(1, round(side * scale)) for side in (height, width))
        refined = max(down, across) <= refine_size
        steps = math.ceil(refine / 2**number) if refined else 0
        found.append(Pass(down, across, steps, detail=number >= len(scales)))
    if refine and not found[0].steps:
        raise UsageError(
            f"strokes of `stroke_scale` {stroke_scale:g} begin at "
            f"{max(found[0].height, found[0].width)} pixels, more than `refine_size` "
            f"{refine_size}; make either larger"
        )
    return found


def _between(first: float, last: float, growth: float) -> list[float]:
    """Return scales after the first up to the last; none if what is enlarged is not blurred."""
    if first * _BLURRED >= last:
        return []
    count = math.ceil(math.log(last / first, growth))
    return [first * (last / first) ** (step / count) for step in range(1, count + 1)]

"""Checks of long work: it reports, it stops when told to, and animations keep their promises."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from ganfilters.errors import Cancelled
from ganfilters.filter import Filter
from ganfilters.image import FloatArray, Image
from ganfilters.progress import reporting
from ganfilters.testing.declarations import limits, properties
from ganfilters.testing.subject import Subject, expect, picture, told

__all__ = ["check_cancellation", "check_frames"]

_FRAMES = 3


class _AfterReports:
    """A cancel token that is set from the n-th look at it on."""

    def __init__(self, count: int) -> None:
        self._left = count

    def is_set(self) -> bool:
        self._left -= 1
        return self._left < 0


def check_cancellation(subject: Subject) -> str:
    """Check that a filter that works for long reports progress, and that it stops when told to."""
    remarks = []
    if subject.takes_pictures:
        params = subject.parse()
        pixels = picture(*subject.sides())
        work = lambda: subject.call(pixels.copy(), params)  # noqa: E731
        remarks.append(_heard(subject, "apply()", work))
    if subject.traits.input != "required":
        made = subject.parse(**subject.generate)
        remarks.append(_heard(subject, "generate()", lambda: subject.instance.generate(made)))
    return ", ".join(dict.fromkeys(remarks))


def _heard(subject: Subject, what: str, work: Callable[[], object]) -> str:
    """Check one way of working, without a host, whose own reports would hide a lack of them."""
    reports: list[float] = []
    started = time.perf_counter()
    with reporting(lambda fraction, _note: reports.append(fraction), None):
        work()
    seconds = time.perf_counter() - started
    if not reports:
        expect(
            seconds <= subject.quiet_seconds,
            f"{what} works for {seconds:.1f} s without report_progress(fraction, note), so nobody "
            "can follow or stop it; call it in the loop",
        )
        return "quick, so it need not report"
    for allowed in {0, len(reports) - 1}:
        try:
            with reporting(None, _AfterReports(allowed)):
                work()
        except Cancelled:
            continue
        raise AssertionError(
            f"{what} goes on after it was cancelled; let ganfilters.Cancelled pass, and never "
            "catch it with `except Exception`"
        )
    return f"{len(reports)} reports"


def check_frames(subject: Subject) -> str:
    """Check an animation's first frames: pictures of one size, the same ones again, stoppable."""
    if subject.filter.frames is Filter.frames:
        return "makes no animations"
    wanted = dict(subject.frames) or _asking(subject)
    if not wanted and subject.is_chain:
        return "its steps' values ask for none"
    expect(
        wanted,
        "frames() made no animation with any value that was tried; say which values ask for one: "
        'conformance(..., frames={"name": value}), or check-plugin --set-frames name=value',
    )
    first, second = (_frames(subject, wanted) for _ in range(2))
    expect(first, f"frames() with {_shown(wanted)} gave no frame")
    sizes = {frame.shape[1::-1] for frame in first}
    expect(len(sizes) == 1, f"frames() gave frames of different sizes: {sorted(sizes)}")
    expect(
        all(np.array_equal(one, other) for one, other in zip(first, second, strict=False)),
        "frames() made two different animations from the same parameters; draw random numbers "
        "from np.random.default_rng(params.seed) alone, and keep no state",
    )
    work, pixels, kept = _direct(subject, wanted)
    heard = _heard(subject, "frames()", work)
    expect(
        pixels is None or kept is None or np.array_equal(pixels, kept),
        "frames() changed its input; work on a copy: image.pixels.copy()",
    )
    return f"tried with {_shown(wanted)}, {heard}"


def _asking(subject: Subject) -> dict[str, Any]:
    """Find a parameter and a value for which the filter makes an animation."""
    for name, spec in properties(subject.filter.Params):
        if name in subject.params:
            continue
        for value in _candidates(spec):
            try:
                if _start(subject, {name: value}, _given(subject)) is not None:
                    return {name: value}
            except Exception:  # noqa: BLE001, S112 - another value may be the right one
                continue
    return {}


def _candidates(spec: dict[str, Any]) -> list[Any]:
    if "enum" in spec:
        return list(spec["enum"])
    if spec.get("type") == "boolean":
        return [True, False]
    if spec.get("type") not in ("integer", "number"):
        return []
    low, high = limits(spec)
    default = spec.get("default")
    likely = [2, 3, *([] if default is None else [default + 1]), *([] if low is None else [low])]
    return [v for v in likely if (low is None or v >= low) and (high is None or v <= high)]


def _start(
    subject: Subject, wanted: dict[str, Any], pixels: FloatArray | None
) -> Iterator[Image] | None:
    extra = subject.generate if pixels is None else {}
    image = None if pixels is None else Image(pixels)
    return subject.instance.frames(image, subject.parse(**{**extra, **wanted}))


def _given(subject: Subject) -> FloatArray | None:
    return picture(*subject.sides()) if subject.takes_pictures else None


def _frames(subject: Subject, wanted: dict[str, Any]) -> list[FloatArray]:
    """Return the pixels of the first frames, made and checked by a host."""
    pixels = subject.picture() if subject.takes_pictures else None
    given = None if pixels is None else Image(pixels)
    extra = subject.generate if pixels is None else {}
    values = subject.values(**{**extra, **wanted})
    try:
        moving = subject.host.frames(subject.filter.name, given, **values)
        return [] if moving is None else [frame.pixels for frame in islice(moving, _FRAMES)]
    except (Exception, SystemExit) as error:
        raise AssertionError(f"frames() with {_shown(wanted)} failed: {told(error)}") from error


def _direct(
    subject: Subject, wanted: dict[str, Any]
) -> tuple[Callable[[], object], FloatArray | None, FloatArray | None]:
    """Return the making of the first frames without a host, its input, and a copy of that."""
    pixels = _given(subject)
    kept = None if pixels is None else pixels.copy()

    def work() -> object:
        moving = _start(subject, wanted, pixels)
        return None if moving is None else list(islice(moving, _FRAMES))

    return work, pixels, kept


def _shown(wanted: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in wanted.items())

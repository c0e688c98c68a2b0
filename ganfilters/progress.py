"""Progress and cancellation: a context variable that is a no-op outside a host.

A filter calls `report_progress` from its loop. Inside a host this reaches the caller's
``on_progress``, and raises `~ganfilters.errors.Cancelled` once the caller has asked to stop;
called on its own (in a test, in a notebook) it does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Protocol

from ganfilters.errors import Cancelled

__all__ = [
    "CancelToken",
    "OnProgress",
    "callers_own",
    "progress_part",
    "progress_silent",
    "report_progress",
    "reporting",
]

OnProgress = Callable[[float, str], None]
"""Called with the fraction done in [0, 1] and a short note."""


class CancelToken(Protocol):
    """Anything with ``is_set()``; a `threading.Event` will do."""

    def is_set(self) -> bool:
        """Return True once the work should stop."""
        ...


@dataclass(frozen=True)
class _Reporter:
    on_progress: OnProgress | None
    cancel: CancelToken | None
    start: float = 0.0
    span: float = 1.0
    label: str = ""
    # What the caller's own callbacks raised; shared by all parts of one piece of work.
    raised: list[BaseException] = field(default_factory=list)


_reporter: ContextVar[_Reporter | None] = ContextVar("ganfilters_progress", default=None)


def report_progress(fraction: float, note: str = "") -> None:
    """Report the fraction of the work that is done, and stop here if the caller has cancelled.

    Parameters
    ----------
    fraction
        Done so far, in [0, 1].
    note
        A few words for a person, such as ``"octave 2 of 4"``.

    Raises
    ------
    Cancelled
        The caller set its cancel token.
    """
    reporter = _reporter.get()
    if reporter is None:
        return
    if reporter.raised:  # and a filter caught it
        raise reporter.raised[0]
    try:
        cancelled = reporter.cancel is not None and reporter.cancel.is_set()
        if not cancelled and reporter.on_progress is not None:
            whole = reporter.start + reporter.span * min(max(fraction, 0.0), 1.0)
            reporter.on_progress(whole, ": ".join(filter(None, (reporter.label, note))))
    except BaseException as error:
        reporter.raised.append(error)
        raise
    if cancelled:
        raise Cancelled("cancelled")


def callers_own() -> BaseException | None:
    """Return what the caller's ``on_progress`` or cancel token raised in the current work.

    It is no fault of the filter that it went through, and passes to the caller as it is.
    """
    reporter = _reporter.get()
    return reporter.raised[0] if reporter is not None and reporter.raised else None


@contextmanager
def reporting(on_progress: OnProgress | None, cancel: CancelToken | None) -> Iterator[None]:
    """Send the progress of the enclosed work to `on_progress`, and let `cancel` stop it."""
    reporter = _Reporter(on_progress, cancel)
    token = _reporter.set(reporter)
    try:
        yield
    finally:
        _reporter.reset(token)
    if reporter.raised:
        raise reporter.raised[0]


@contextmanager
def progress_part(start: float, end: float, *, label: str = "") -> Iterator[None]:
    """Make the enclosed work's 0 to 1 count as `start` to `end` of the surrounding work.

    Parameters
    ----------
    start, end
        Fractions of the surrounding work.
    label
        What the enclosed work is, put before its notes.
    """
    outer = _reporter.get()
    if outer is None:
        yield
        return
    inner = replace(
        outer,
        start=outer.start + outer.span * start,
        span=outer.span * (end - start),
        label=": ".join(filter(None, (outer.label, label))),
    )
    token = _reporter.set(inner)
    try:
        yield
    finally:
        _reporter.reset(token)


@contextmanager
def progress_silent() -> Iterator[None]:
    """Let the enclosed work be cancelled and report nothing: others count it in their own."""
    outer = _reporter.get()
    if outer is None:
        yield
        return
    token = _reporter.set(replace(outer, on_progress=None))
    try:
        yield
    finally:
        _reporter.reset(token)

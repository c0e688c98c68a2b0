"""Progress and cancellation: a context variable that is a no-op outside a host.

A filter calls `report_progress` from its loop. Inside a host this reaches the caller's
``on_progress``, and raises `~ganfilters.errors.Cancelled` once the caller has asked to stop;
called on its own (in a test, in a notebook) it does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from ganfilters.errors import Cancelled

__all__ = ["CancelToken", "OnProgress", "progress_part", "report_progress", "reporting"]

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
    if reporter.cancel is not None and reporter.cancel.is_set():
        raise Cancelled("cancelled")
    if reporter.on_progress is not None:
        whole = reporter.start + reporter.span * min(max(fraction, 0.0), 1.0)
        reporter.on_progress(whole, note)


@contextmanager
def reporting(on_progress: OnProgress | None, cancel: CancelToken | None) -> Iterator[None]:
    """Send the progress of the enclosed work to `on_progress`, and let `cancel` stop it."""
    token = _reporter.set(_Reporter(on_progress, cancel))
    try:
        yield
    finally:
        _reporter.reset(token)


@contextmanager
def progress_part(start: float, end: float) -> Iterator[None]:
    """Make the enclosed work's 0 to 1 count as `start` to `end` of the surrounding work."""
    outer = _reporter.get()
    if outer is None:
        yield
        return
    inner = _Reporter(
        outer.on_progress,
        outer.cancel,
        outer.start + outer.span * start,
        outer.span * (end - start),
    )
    token = _reporter.set(inner)
    try:
        yield
    finally:
        _reporter.reset(token)

"""The time limit of a check: one that hangs is reported, with the line that it hangs in."""

from __future__ import annotations

import inspect
import sys
import threading
import traceback
from collections.abc import Callable
from contextvars import copy_context
from pathlib import Path

from ganfilters.testing.subject import Subject

__all__ = ["Hang", "within_limit"]


class Hang(AssertionError):  # noqa: N818 - names a state, as the errors of the package do
    """A check that is not done when its time is up. Its thread goes on."""


def within_limit(check: Callable[[Subject], str], subject: Subject) -> str:
    """Return what `check` returns, or raise what it raises, within ``subject.time_limit``.

    Raises
    ------
    Hang
        The time is up. Python cannot end the thread, so nothing else should run on `subject`.
    """
    result: list[str] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            result.append(check(subject))
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            failure.append(error)

    context = copy_context()
    thread = threading.Thread(target=context.run, args=(work,), daemon=True)
    thread.start()
    thread.join(subject.time_limit)
    if thread.is_alive():
        raise Hang(
            f"not done after {subject.time_limit:g} s{_where(thread, subject)}; if it is only "
            "slow, give values that make it quick, or a larger time limit"
        )
    if failure:
        raise failure[0]
    return result[0]


def _where(thread: threading.Thread, subject: Subject) -> str:
    """Return the innermost line of the plugin that the thread is in."""
    frame = sys._current_frames().get(thread.ident or 0)
    if frame is None:
        return ""
    try:
        home = Path(inspect.getfile(subject.filter)).parent
    except (OSError, TypeError):
        return ""
    for line in reversed(traceback.extract_stack(frame)):
        if home in Path(line.filename).parents:
            return f": it is at {Path(line.filename).name}:{line.lineno}, in {line.name}()"
    return ""

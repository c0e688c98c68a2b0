"""Being told to stop, without stopping in the middle of a step."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

__all__ = ["told_to_stop"]


@contextlib.contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """Set an event on SIGINT or SIGTERM, so that the step is finished and saved."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    kinds = (signal.SIGINT, signal.SIGTERM)
    old = [signal.signal(kind, lambda *_: stop.set()) for kind in kinds]
    try:
        yield stop
    finally:
        for kind, handler in zip(kinds, old, strict=True):
            signal.signal(kind, handler)

"""Timing calls against one another, for the benchmarks beside it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

__all__ = ["in_turns"]


def in_turns(calls: Sequence[Callable[[], object]], repeat: int) -> list[float]:
    """Return each call's median seconds; whatever slows the machine slows all."""
    seconds: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()
    for _ in range(repeat):
        for call, found in zip(calls, seconds, strict=True):
            start = time.perf_counter()
            call()
            found.append(time.perf_counter() - start)
    return [statistics.median(found) for found in seconds]

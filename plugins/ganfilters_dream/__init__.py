"""DeepDream as a ganfilters plugin."""

from __future__ import annotations

from ganfilters import hookimpl
from ganfilters_dream.filter import Dream, DreamParams

__all__ = ["Dream", "DreamParams", "ganfilters_filters"]


@hookimpl
def ganfilters_filters() -> list[type[Dream]]:
    """Return the dream filter."""
    return [Dream]

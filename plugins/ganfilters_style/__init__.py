"""Style transfer as a ganfilters plugin."""

from __future__ import annotations

from ganfilters import hookimpl
from ganfilters_style.filter import STYLES, Style, StyleParams

__all__ = ["STYLES", "Style", "StyleParams", "ganfilters_filters"]


@hookimpl
def ganfilters_filters() -> list[type[Style]]:
    """Return the style filter."""
    return [Style]

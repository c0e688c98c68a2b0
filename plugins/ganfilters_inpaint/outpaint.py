"""``outpaint`` as a plugin: found by its own name, and disabled apart from inpaint."""

from __future__ import annotations

from ganfilters import hookimpl
from ganfilters_inpaint.filter import Outpaint

__all__ = ["ganfilters_filters"]


@hookimpl
def ganfilters_filters() -> list[type[Outpaint]]:
    """Return the filter that extends pictures."""
    return [Outpaint]

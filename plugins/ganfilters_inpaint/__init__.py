"""Filling holes and extending pictures, as a ganfilters plugin."""

from __future__ import annotations

from ganfilters import hookimpl
from ganfilters_inpaint.filter import Inpaint, InpaintParams, Outpaint, OutpaintParams

__all__ = ["Inpaint", "InpaintParams", "Outpaint", "OutpaintParams", "ganfilters_filters"]


@hookimpl
def ganfilters_filters() -> list[type[Inpaint]]:
    """Return the filter that fills holes; `ganfilters_inpaint.outpaint` has the other."""
    return [Inpaint]

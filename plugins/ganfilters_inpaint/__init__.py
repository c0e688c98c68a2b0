"""Filling holes and extending pictures, as a ganfilters plugin."""

from __future__ import annotations

from typing import Any

from ganfilters import Filter, hookimpl
from ganfilters_inpaint.filter import Inpaint, InpaintParams, Outpaint, OutpaintParams

__all__ = ["Inpaint", "InpaintParams", "Outpaint", "OutpaintParams", "ganfilters_filters"]


@hookimpl
def ganfilters_filters() -> list[type[Filter[Any]]]:
    """Return both filters."""
    return [Inpaint, Outpaint]

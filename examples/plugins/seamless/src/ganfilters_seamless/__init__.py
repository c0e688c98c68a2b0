"""Seamless cloning: a second picture goes into the masked region without a visible seam.

P. Perez, M. Gangnet and A. Blake, "Poisson Image Editing", SIGGRAPH 2003.
"""

from __future__ import annotations

from ganfilters import hookimpl

from ganfilters_seamless.filter import Seamless, SeamlessParams

__all__ = ["Seamless", "SeamlessParams", "ganfilters_filters"]


@hookimpl
def ganfilters_filters() -> list[type[Seamless]]:
    """Return the filters of this plugin."""
    return [Seamless]

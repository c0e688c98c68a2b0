"""Removing noise and JPEG artefacts, as a ganfilters plugin."""

from __future__ import annotations

from ganfilters import hookimpl
from ganfilters_denoise.filter import Denoise, DenoiseParams

__all__ = ["Denoise", "DenoiseParams", "ganfilters_filters"]


@hookimpl
def ganfilters_filters() -> list[type[Denoise]]:
    """Return the denoising filter."""
    return [Denoise]

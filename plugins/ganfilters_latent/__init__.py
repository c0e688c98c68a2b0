"""Pictures out of a GAN's latent space as a ganfilters plugin."""

from __future__ import annotations

from ganfilters import hookimpl
from ganfilters_latent.filter import MODELS, Latent, LatentParams

__all__ = ["MODELS", "Latent", "LatentParams", "ganfilters_filters"]


@hookimpl
def ganfilters_filters() -> list[type[Latent]]:
    """Return the latent filter."""
    return [Latent]

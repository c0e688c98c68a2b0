"""Generators and plain discriminators by the name of their architecture."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from .base import NO_EXTRAS, Extras, Generator, NetworkConfig, Norm, Verdict, base_of, deviation
from .dcgan import ConvDiscriminator, DcganGenerator
from .mlp import MlpDiscriminator, MlpGenerator
from .style import MODULATIONS, StyleGenerator
from .translate import PatchDiscriminator, Translator

__all__ = [
    "GENERATORS",
    "MODULATIONS",
    "ConvDiscriminator",
    "DcganGenerator",
    "Extras",
    "Generator",
    "MlpDiscriminator",
    "MlpGenerator",
    "NetworkConfig",
    "PatchDiscriminator",
    "StyleGenerator",
    "Translator",
    "Verdict",
    "base_of",
    "deviation",
    "plain_discriminator",
]

GENERATORS: dict[str, Callable[[NetworkConfig], Generator]] = {
    "mlp": MlpGenerator,
    "dcgan": DcganGenerator,
    "style": StyleGenerator,
}
"""Generators by ``--arch``."""


def plain_discriminator(config: NetworkConfig, norm: Norm, extras: Extras = NO_EXTRAS) -> nn.Module:
    """Return the discriminator that goes with a generator of this configuration."""
    make = MlpDiscriminator if config.arch == "mlp" else ConvDiscriminator
    return make(config, norm, extras)

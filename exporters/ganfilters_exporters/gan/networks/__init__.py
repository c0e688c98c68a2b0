"""Generators and plain discriminators by the name of their architecture."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from .base import Generator, NetworkConfig, Norm, Verdict, base_of
from .dcgan import ConvDiscriminator, DcganGenerator
from .mlp import MlpDiscriminator, MlpGenerator
from .style import MODULATIONS, StyleGenerator
from .translate import PatchDiscriminator, Translator

__all__ = [
    "GENERATORS",
    "MODULATIONS",
    "ConvDiscriminator",
    "DcganGenerator",
    "Generator",
    "MlpDiscriminator",
    "MlpGenerator",
    "NetworkConfig",
    "PatchDiscriminator",
    "StyleGenerator",
    "Translator",
    "Verdict",
    "base_of",
    "plain_discriminator",
]

GENERATORS: dict[str, Callable[[NetworkConfig], Generator]] = {
    "mlp": MlpGenerator,
    "dcgan": DcganGenerator,
    "style": StyleGenerator,
}
"""Generators by ``--arch``."""


def plain_discriminator(config: NetworkConfig, norm: Norm, *, tells: bool = False) -> nn.Module:
    """Return the discriminator that goes with a generator; `tells` has it classify too."""
    make = MlpDiscriminator if config.arch == "mlp" else ConvDiscriminator
    return make(config, norm, tells=tells)

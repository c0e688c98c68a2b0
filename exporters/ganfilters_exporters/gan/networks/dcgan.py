"""Convolutional networks.

Source: Radford et al. 2016, "Unsupervised Representation Learning with Deep Convolutional
Generative Adversarial Networks": strided and transposed convolutions, batch normalisation, ReLU in
the generator and leaky ReLU in the discriminator. Spectral normalisation of the discriminator as an
alternative: Miyato et al. 2018.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganfilters.errors import UsageError

from .base import (
    NO_EXTRAS,
    ClassHead,
    Extras,
    Generator,
    NetworkConfig,
    Norm,
    Verdict,
    base_of,
    normalised,
)
from .modulation import ModulatedNorm

__all__ = ["ConvDiscriminator", "DcganGenerator", "widths_of"]

MOST_CHANNELS = 512


def widths_of(config: NetworkConfig) -> list[int]:
    """Return the channels at each resolution, from the base to half of full resolution."""
    _, doublings = base_of(config.size)
    return [min(MOST_CHANNELS, config.width << n) for n in reversed(range(doublings))]


class DcganGenerator(Generator):
    """A dense layer to the base, then transposed convolutions that double the size.

    With ``modulation="batch"`` w scales and shifts behind each batch normalisation, the generator
    that Miyato and Koyama 2018 trained against the projection discriminator.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        if config.modulation not in ("none", "batch"):
            raise UsageError(f"dcgan has no modulation {config.modulation!r}; use none or batch")

        def norm(channels: int) -> nn.Module:
            if config.modulation == "batch":
                return ModulatedNorm(channels, self.mapping.width)
            return nn.BatchNorm2d(channels)

        self.base, _ = base_of(config.size)
        widths = widths_of(config)
        self.seed = nn.Linear(self.mapping.width, widths[0] * self.base**2, bias=False)
        layers: list[nn.Module] = [norm(widths[0]), nn.ReLU()]
        for before, after in zip(widths, [*widths[1:], 0], strict=True):
            # A kernel that the stride divides: every pixel gets as many terms, so no checkerboard.
            last = after == 0
            outputs = config.channels if last else after
            layers.append(nn.ConvTranspose2d(before, outputs, 4, 2, 1, bias=last))
            layers += [nn.Tanh()] if last else [norm(after), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.layers = 1 + sum(isinstance(layer, ModulatedNorm) for layer in layers)
        _initialise(self)

    def synthesis(self, w: Tensor, noise: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Generate pictures; there is no noise."""
        x: Tensor = torch.unflatten(self.seed(w[:, 0]), 1, (-1, self.base, self.base))
        number = 0
        for layer in self.body:
            if isinstance(layer, ModulatedNorm):
                number += 1
                x = layer(x, w[:, number])
            else:
                x = layer(x)
        return x

    def first_weight(self) -> Tensor:
        """Return the dense layer's matrix."""
        return self.seed.weight.detach()


class ConvDiscriminator(nn.Module):
    """Strided convolutions down to the base, then one score."""

    def __init__(self, config: NetworkConfig, norm: Norm, extras: Extras = NO_EXTRAS) -> None:
        super().__init__()
        base, _ = base_of(config.size)
        layers: list[nn.Module] = []
        before = config.channels
        for number, after in enumerate(reversed(widths_of(config))):
            plain = norm != "batch" or number == 0
            layers.append(normalised(nn.Conv2d(before, after, 4, 2, 1, bias=plain), norm))
            layers += [] if plain else [nn.BatchNorm2d(after)]
            layers.append(nn.LeakyReLU(0.2))
            before = after
        self.body = nn.Sequential(*layers, nn.Flatten())
        self.head = ClassHead(before * base**2, config.classes, norm, extras)
        if norm != "spectral":
            _initialise(self.body)

    def forward(self, image: Tensor, class_weights: Tensor | None = None) -> Verdict:
        """Judge pictures in [-1, 1]: one score for each."""
        verdict: Verdict = self.head(self.body(image), class_weights)
        return verdict


def _initialise(module: nn.Module) -> None:
    """Draw weights as the paper does, section 4."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(part.weight, 0, 0.02)
        elif isinstance(part, nn.BatchNorm2d) and part.affine:
            nn.init.normal_(part.weight, 1, 0.02)

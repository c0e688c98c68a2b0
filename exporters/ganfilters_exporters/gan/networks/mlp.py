"""Dense networks, for pictures of about 28 x 28.

Source: Goodfellow et al. 2014, "Generative Adversarial Nets", section 5, with the batch
normalisation and leaky units of later practice in place of maxout.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

from torch import Tensor, nn

from .base import NO_EXTRAS, ClassHead, Extras, Generator, NetworkConfig, Norm, Verdict, normalised

__all__ = ["MlpDiscriminator", "MlpGenerator"]


class MlpGenerator(Generator):
    """Three dense layers of `width`, twice and four times as many units."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        widths = (self.mapping.width, config.width, 2 * config.width, 4 * config.width)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after, bias=False), nn.BatchNorm1d(after)]
            layers.append(nn.LeakyReLU(0.2))
        pixels = config.channels * config.size**2
        self.body = nn.Sequential(*layers, nn.Linear(widths[-1], pixels), nn.Tanh())

    def synthesis(self, w: Tensor, noise: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Generate pictures; there is no noise."""
        config = self.config
        flat: Tensor = self.body(w[:, 0])
        return flat.reshape(-1, config.channels, config.size, config.size)

    def first_weight(self) -> Tensor:
        """Return the first layer's matrix."""
        return cast("nn.Linear", self.body[0]).weight.detach()


class MlpDiscriminator(nn.Module):
    """The generator's layers in reverse, with dropout where no gradient is penalised."""

    def __init__(self, config: NetworkConfig, norm: Norm, extras: Extras = NO_EXTRAS) -> None:
        super().__init__()
        pixels = config.channels * config.size**2
        widths = (pixels, 4 * config.width, 2 * config.width, config.width)
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in pairwise(widths):
            layers += [normalised(nn.Linear(before, after), norm), nn.LeakyReLU(0.2)]
            if norm == "batch":  # of a batch of one kind it would tell the kind away
                layers.append(nn.Dropout(0.3))
        self.body = nn.Sequential(*layers)
        self.head = ClassHead(widths[-1], config.classes, norm, extras)

    def forward(self, image: Tensor, class_weights: Tensor | None = None) -> Verdict:
        """Judge pictures in [-1, 1]: one score for each."""
        verdict: Verdict = self.head(self.body(image), class_weights)
        return verdict

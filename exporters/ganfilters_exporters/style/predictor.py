"""Any painting: a network that looks at one and predicts its style vector.

Source: Ghiasi et al., "Exploring the structure of a real-time, arbitrary neural artistic
stylization network" (2017). Chosen over adaptive instance normalisation (Huang and Belongie 2017),
whose encoder, VGG up to conv4_1, runs on the photograph and costs far more than the whole
:class:`.network.Stylizer` does; here the painting is looked at once, and photographs run through
the same small network as with named styles.

What is different, and why: Ghiasi's predictor sees deep features averaged over the painting, and
needed 80,000 paintings to generalise. This one sees means and deviations of the features of every
stage of a frozen EfficientNet-Lite0 up to the fifth, colours included. A style, as the loss defines
it, is such statistics; so the map from one to the other is smooth, and learned from fewer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..backbones import Backbone
from ..backbones.efficientnet_lite import blank

__all__ = ["PREDICTOR_MULTIPLE", "PaintingStatistics", "Predictor", "blank_statistics"]

DEPTH = 5
"""Stages used: later ones know objects, not paint, and hold two thirds of the weights."""

PREDICTOR_MULTIPLE = 32


class PaintingStatistics(nn.Module):
    """Means and deviations of the colours and of the features of the first stages; frozen.

    Parameters
    ----------
    backbone : Backbone
        EfficientNet-Lite0 with ImageNet weights.

    Attributes
    ----------
    size : int
        Number of statistics.
    attribution : str
        Whom to name for the weights.
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.stages = nn.ModuleList(backbone.segments[:DEPTH])
        self.requires_grad_(False).eval()
        self.size = 2 * (3 + sum(layer.channels for layer in backbone.layers[:DEPTH]))
        self.attribution: str = backbone.attribution

    def forward(self, painting: Tensor) -> Tensor:
        """Map (N, 3, H, W), RGB in [0, 1], H and W multiples of 32, to (N, size)."""
        statistics = _moments(painting)
        x = painting
        for stage in self.stages:
            x = stage(x)
            statistics += _moments(x)
        return torch.cat(statistics, 1)


def blank_statistics() -> PaintingStatistics:
    """Return the statistics' network with random weights, for those of a file to go into."""
    return PaintingStatistics(blank())


def _moments(x: Tensor) -> list[Tensor]:
    """Return mean and deviation over positions, (N, C, H, W) to two of (N, C)."""
    x = x.float()
    mean = x.mean((2, 3))
    centred = x - mean[..., None, None]
    return [mean, ((centred * centred).mean((2, 3)) + 1e-5).sqrt()]


class Predictor(nn.Module):
    """Statistics of a painting to its style vector, through a bottleneck.

    Parameters
    ----------
    size : int
        Number of statistics.
    start : Tensor
        (2, C), the style that every painting has at first.
    hidden, bottleneck : int
        Widths of the two inner layers.
    """

    def __init__(self, size: int, start: Tensor, hidden: int = 384, bottleneck: int = 100) -> None:
        super().__init__()
        self.centre: Tensor
        self.spread: Tensor
        self.register_buffer("centre", torch.zeros(size))
        self.register_buffer("spread", torch.ones(size))
        self.inner = nn.Linear(size, hidden)
        self.bottleneck = nn.Linear(hidden, bottleneck)
        self.outer = nn.Linear(bottleneck, start.numel())
        nn.init.normal_(self.outer.weight, std=0.02)
        with torch.no_grad():
            self.outer.bias.copy_(start.flatten())

    @torch.no_grad()
    def calibrate(self, statistics: Tensor) -> None:
        """Bring the inputs to mean 0 and deviation 1 over paintings, (N, size)."""
        self.centre.copy_(statistics.mean(0))
        # A floor: what hardly varies between paintings says little, and must not be blown up.
        deviation = statistics.std(0, correction=0)
        self.spread.copy_(deviation.clamp_min(0.05 * float(deviation.mean()) + 1e-6))

    def forward(self, statistics: Tensor) -> Tensor:
        """Map (N, size) to styles (N, 2, C)."""
        x = ((statistics - self.centre) / self.spread).clamp(-6, 6)
        x = self.bottleneck(functional.relu(self.inner(x)))
        style: Tensor = self.outer(x).unflatten(1, (2, -1))
        return style

"""How unlike two pictures' textures are, part by part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .features import LAYERS
from .style import gram

__all__ = ["TextureLoss"]

PLAIN = 0.1
"""Parts with smaller Gram matrices than this, relative to the mean, count as if they had it."""


class TextureLoss(nn.Module):
    """Relative squared distance of Gram matrices of parts of pictures at the same place.

    Of a whole picture Gram matrices say what textures it has, not where (Sajjadi, Schölkopf and
    Hirsch, "EnhanceNet: Single Image Super-Resolution Through Automated Texture Synthesis", 2017,
    section 4.2.3).

    Parameters
    ----------
    layers : sequence of str
        Layers whose features are compared, each as much as the others. By default VGG16's first
        three: what lies deeper are things.
    window : int
        Side of a part in pixels, a multiple of the layers' strides.
    """

    def __init__(self, layers: Sequence[str] = LAYERS[:3], window: int = 32) -> None:
        super().__init__()
        self.layers, self.window = tuple(layers), window

    def forward(
        self, features: Mapping[str, Tensor], wanted: Mapping[str, Tensor], side: int
    ) -> Tensor:
        """Return (N,) for features by layer, (N, C, H, W), of square pictures of `side` pixels."""
        terms = []
        for layer in self.layers:
            stride = side // features[layer].shape[2]
            window = min(self.window, side) // stride
            found, target = (_grams(x[layer], window) for x in (features, wanted))
            size = target.square().sum((2, 3))
            above = (found - target).square().sum((2, 3))
            # What is made up in plain parts, whose matrices are small, is what the eye sees first;
            # but not without a bound.
            terms.append((above / (size + PLAIN * size.mean() + 1e-12)).mean(1))
        return torch.stack(terms).mean(0)


def _grams(features: Tensor, side: int) -> Tensor:
    """Return the Gram matrices of parts of `side`, (N, C, H, W) to (N, parts, C, C)."""
    count, channels = features.shape[:2]
    parts = functional.unfold(features.float(), side, stride=side)
    parts = parts.view(count, channels, side, side, -1).permute(0, 4, 1, 2, 3)
    return gram(parts.flatten(0, 1)).view(count, -1, channels, channels)

"""How unlike two pictures' textures are, part by part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .features import LAYERS
from .style import gram, windowed

__all__ = ["SpectrumLoss", "TextureLoss"]

_PLAIN = 0.1
"""Parts with smaller Gram matrices than this, relative to the mean, count as if they had it."""

_UNSEEN = 2 / 255
"""Deviation of noise that is not seen, of pixels in [0, 1]."""
_CHANCE = 2.0
"""The same texture drawn anew has so much more power, or less, in a band. Held against it, textures
would become softer."""


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
            terms.append((above / (size + _PLAIN * size.mean() + 1e-12)).mean(1))
        return torch.stack(terms).mean(0)


def _grams(features: Tensor, side: int) -> Tensor:
    """Return the Gram matrices of parts of `side`, (N, C, H, W) to (N, parts, C, C)."""
    count, channels = features.shape[:2]
    parts = functional.unfold(features.float(), side, stride=side)
    parts = parts.view(count, channels, side, side, -1).permute(0, 4, 1, 2, 3)
    return gram(parts.flatten(0, 1)).view(count, -1, channels, channels)


class SpectrumLoss(nn.Module):
    """How much more power than another picture one has, by place and frequency.

    To features learned from photographs a lattice at the highest frequencies is texture, and a
    network paints it easily, also where nothing was. Wherever its phase is: so power is compared,
    of parts, in bands (of the kind of Durall et al., "Watch your Up-Convolution: CNN Based
    Generative Deep Neural Networks are Failing to Reproduce Spectral Distributions", 2020, whose
    bands are rings and whose parts are pictures). Less power costs nothing.

    Parameters
    ----------
    window : int
        Side in pixels of the parts, which overlap by half; a multiple of 8.
    """

    shape: Tensor

    def __init__(self, window: int = 32) -> None:
        super().__init__()
        self.window = window
        hann = torch.hann_window(window, periodic=False)
        self.register_buffer("shape", hann[:, None] * hann)

    def forward(self, found: Tensor, wanted: Tensor) -> Tensor:
        """Return (N,) for pictures (N, C, H, W) in [0, 1].

        The mean logarithm of the ratio of powers, of what is more than `_CHANCE`.
        """
        least = self.shape.square().sum() * _UNSEEN**2
        ratio = (self._power(found) + least) / (self._power(wanted) + least)
        return (ratio / _CHANCE).log().clamp_min(0.0).mean((1, 2, 3))

    def _power(self, image: Tensor) -> Tensor:
        """Return the power of parts in 8 x 8 bands of frequencies, (N, C * parts, 8, 8)."""
        spectra = torch.fft.fft2(windowed(image.float(), self.shape))
        power = torch.fft.fftshift(spectra, dim=(2, 3)).abs().square()
        return functional.avg_pool2d(power, self.window // 8)

"""What a photograph is painted on: grain, or what was painted at a smaller size.

The filter gives a photo grain, paints it small, and paints larger sizes over that. A network that
never saw either in training leaves the grid that it works on in plain skies, as a weave, and again
in each size painted over. From grain it can make strokes that differ (the noise that Ulyanov et
al. feed to "Texture Networks", 2016, is of several scales for the same reason).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .network import MULTIPLE, SMALLEST

__all__ = ["grained", "half_lit", "reduced"]

CELLS = (4, 8, 16)
"""Sides in pixels, at most, of what has one value in each layer of grain."""
CHROMA = 0.5
"""Deviation of each colour from the layer's light and dark, of which it is a part."""
LUMA = (0.299, 0.587, 0.114)
GAINS = (0.5, 2.0)


def grained(images: Tensor, amount: Tensor, generator: torch.Generator) -> Tensor:
    """Return pictures with grain.

    Parameters
    ----------
    images : Tensor
        (N, 3, H, W) in [0, 1].
    amount : Tensor
        (N,), its deviation, where pictures have the range 0 to 1.
    generator : torch.Generator
        Source of the grain, on the CPU.
    """
    count, _, height, width = images.shape
    total = torch.zeros(count, 3, height, width)
    for cell in CELLS:
        shape = (count, 4, -(-height // cell), -(-width // cell))
        noise = torch.randn(shape, generator=generator)
        layer = (1 - CHROMA**2) ** 0.5 * noise[:, :1] + CHROMA * noise[:, 1:]
        total += functional.interpolate(layer, size=(height, width), mode="bicubic")
    scale = amount.cpu()[:, None, None, None] / total.std()
    return (images + (total * scale).to(images)).clamp(0, 1)


def reduced(images: Tensor, scale: float) -> Tensor:
    """Return pictures (N, 3, H, W) at about `scale` of their size, one that the network takes."""
    sides = [max(SMALLEST, round(side * scale / MULTIPLE) * MULTIPLE) for side in images.shape[2:]]
    small: Tensor = functional.interpolate(images, size=sides, mode="bilinear", antialias=True)
    return small


def half_lit(painting: Tensor, photo: Tensor) -> Tensor:
    """Return paintings with light and dark half their own and half the photo's, (N, 3, H, W).

    As the filter makes them before it paints over them (``ganfilters_style.colour``).
    """
    luma = torch.tensor(LUMA, device=photo.device)[:, None, None]
    own, given = ((x.float() * luma).sum(1, keepdim=True) for x in (painting, photo))
    deviations = [x.std((2, 3), keepdim=True) for x in (own, given)]
    gain = (deviations[0] / deviations[1].clamp_min(1e-6)).clamp(*GAINS)
    means = [x.mean((2, 3), keepdim=True) for x in (own, given)]
    change = (given - means[1]) * gain + means[0] - own
    return (painting.float() + 0.5 * change).clamp(0, 1)

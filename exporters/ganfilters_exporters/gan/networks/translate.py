"""From image to image: a DCGAN generator with an encoder in front and skips across.

Source: Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks"
(pix2pix): U-Net generator whose only noise is dropout, and a discriminator that sees input and
output and judges patches.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .base import NetworkConfig, Norm, Verdict, base_of, normalised
from .dcgan import widths_of

__all__ = ["PatchDiscriminator", "Translator"]


class Translator(nn.Module):
    """Map (N, channels, H, W) to the same shape, both in [-1, 1].

    It is fully convolutional: H and W are multiples of `multiple`.

    Parameters
    ----------
    config : NetworkConfig
        Its `size` sets how often the encoder halves; `z`, `classes` and modulation play no part.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        _, doublings = base_of(config.size)
        self.multiple = 2**doublings
        widths = widths_of(config)[::-1]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        before = config.channels
        for number, after in enumerate(widths):
            norm = nn.BatchNorm2d(after) if number else nn.Identity()
            conv = nn.Conv2d(before, after, 4, 2, 1, bias=number == 0)
            self.down.append(nn.Sequential(conv, norm, nn.LeakyReLU(0.2)))
            before = after
        for number in reversed(range(len(widths))):
            last = number == 0
            inputs = widths[number] * (1 if number == len(widths) - 1 else 2)
            outputs = config.channels if last else widths[number - 1]
            conv_up = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=last)
            rest = [nn.Tanh()] if last else [nn.BatchNorm2d(outputs), nn.ReLU()]
            self.up.append(nn.Sequential(conv_up, *rest))

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        skips = []
        x = image
        for layer in self.down:
            x = layer(x)
            skips.append(x)
        for number, layer in enumerate(self.up):
            x = layer(x if number == 0 else torch.cat([x, skips[-1 - number]], 1))
        return x


class PatchDiscriminator(nn.Module):
    """Judge pairs by overlapping patches: (N, patches) scores from input and output."""

    def __init__(self, config: NetworkConfig, norm: Norm) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 2 * config.channels
        for number in range(2):
            after = config.width << number
            plain = norm != "batch" or number == 0
            layers.append(normalised(nn.Conv2d(before, after, 4, 2, 1, bias=plain), norm))
            layers += [] if plain else [nn.BatchNorm2d(after)]
            layers.append(nn.LeakyReLU(0.2))
            before = after
        last = normalised(nn.Conv2d(before, 1, 3, padding=1), norm)
        self.body = nn.Sequential(*layers, last, nn.Flatten())

    def forward(self, image: Tensor, given: Tensor | None = None) -> Verdict:
        """Map pictures (N, C, H, W) and what they were made from to scores (N, patches)."""
        if given is None:
            raise ValueError("a pair has two pictures")
        return Verdict(self.body(torch.cat([given, image], 1)))

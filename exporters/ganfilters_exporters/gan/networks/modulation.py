"""Convolutions that w modulates, and noise for each layer.

Layouts and fusions here were measured on a CPU, where the generator takes most of a step: a
transposed convolution needs half the time of doubling the pixels and convolving, and ``addcmul``
makes no picture-sized product of the noise.

Sources: Karras et al. 2019, "A Style-Based Generator Architecture" (AdaIN, noise); Karras et al.
2020, "Analyzing and Improving the Image Quality of StyleGAN" (weight demodulation); de Vries et al.
2017, "Modulating early visual processing by language" (conditional batch normalisation).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

__all__ = ["MODULATIONS", "ModulatedConv", "ModulatedNorm", "Modulation"]

Modulation = Literal["none", "batch", "adain", "demod"]

MODULATIONS: tuple[Modulation, ...] = ("none", "batch", "adain", "demod")
"""Batch normalisation, and three ways for w to act: scale and shift after batch normalisation,
after instance normalisation, or scale the weights of the convolution."""


class ModulatedConv(nn.Module):
    """A convolution, noise, and a normalisation that w may modulate.

    The convolution is 3 x 3; with `double` it is a transposed one of 4 x 4 that doubles the size.

    Styles begin near zero: a network with modulation begins as one without.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    w : int
        Width of w.
    modulation : str
        One of `MODULATIONS`.
    noise : bool
        Whether noise is added, each channel by a learned amount that begins at zero.
    double : bool
        Whether the output has twice the size.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        w: int,
        modulation: Modulation,
        *,
        noise: bool,
        double: bool = False,
    ) -> None:
        super().__init__()
        self.modulation = modulation
        self.conv: nn.Conv2d | nn.ConvTranspose2d
        if double:
            # A kernel that the stride divides: every pixel gets as many terms, so no checkerboard.
            self.conv = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)
        else:
            self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.noise = nn.Parameter(torch.zeros(outputs, 1, 1)) if noise else None
        self.norm: nn.Module
        if modulation == "none":
            self.norm = nn.BatchNorm2d(outputs)
        elif modulation == "batch":
            self.norm = nn.BatchNorm2d(outputs, affine=False)
        elif modulation == "adain":
            self.norm = nn.InstanceNorm2d(outputs)
        else:
            self.norm = nn.Identity()
        self.scale = self.shift = None
        if modulation != "none":
            self.scale = _style(w, inputs if modulation == "demod" else outputs)
            self.shift = _style(w, outputs)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        """Map (N, inputs, H, W), w (N, W) and noise (N, 1, H', W') to (N, outputs, H', W')."""
        if self.scale is None or self.shift is None:
            plain: Tensor = self.norm(self._noisy(self.conv(x), noise))
            return plain
        scale, shift = 1 + self.scale(w), self.shift(w)[:, :, None, None]
        if self.modulation != "demod":
            x = self.norm(self._noisy(self.conv(x), noise))
            return torch.addcmul(shift, x, scale[:, :, None, None])
        # To scale weights is to scale what comes in; the norm of the scaled weights divides what
        # goes out. So one convolution serves the whole batch, of whatever size.
        squares = self.conv.weight.square().sum((2, 3))
        if isinstance(self.conv, nn.ConvTranspose2d):
            # Inputs come first, and a pixel of the output gets a quarter of the kernel.
            squares = squares.T / 4
        demodulation = torch.rsqrt(scale.square() @ squares.T + 1e-8)
        x = self.conv(x * scale[:, :, None, None]) * demodulation[:, :, None, None]
        scaled: Tensor = self._noisy(x, noise) + shift
        return scaled

    def _noisy(self, x: Tensor, noise: Tensor | None) -> Tensor:
        return x if noise is None or self.noise is None else torch.addcmul(x, self.noise, noise)


class ModulatedNorm(nn.Module):
    """A batch normalisation whose scale and shift come from w: it tells each layer the class.

    Parameters
    ----------
    channels, w : int
        Channels, and width of w.
    """

    def __init__(self, channels: int, w: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.scale, self.shift = _style(w, channels), _style(w, channels)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Map (N, channels, H, W) and w (N, W) to the same shape as x."""
        scale, shift = 1 + self.scale(w), self.shift(w)
        return torch.addcmul(shift[:, :, None, None], self.norm(x), scale[:, :, None, None])


def _style(w: int, channels: int) -> nn.Linear:
    layer = nn.Linear(w, channels)
    nn.init.zeros_(layer.bias)
    # Not exactly zero, or nothing would flow back to w at the first step.
    nn.init.normal_(layer.weight, 0, 0.05 / w**0.5)
    return layer

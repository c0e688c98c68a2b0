"""The network that fills holes: a U-Net of separable gated convolutions.

Chosen for quality per operation on a CPU, from four papers:

- Gated convolutions (Yu et al. 2019) learn what partial convolutions (Liu et al. 2018) fix by a
  rule, where features are to be trusted, at twice the cost. Here the gate is half of a pointwise
  convolution behind a depthwise one (Howard et al. 2017; the separable gates of Yi et al. 2020), so
  a gated 5 x 5 costs a third of a plain 3 x 3.
- LaMa (Suvorov et al. 2022) shows that every layer should soon see the whole hole. Its Fourier
  convolutions have no fast counterpart in ONNX Runtime; large depthwise kernels and five halvings
  reach 400 pixels for less than they would cost, most of the weights being where pixels are few.
- MI-GAN (Sargsyan et al. 2023) shows that a network of 6 M separable weights holds its own against
  ten times as many, and where noise enters: at each size of the decoder.
- No attention: its cost grows with the square of the area.

Coarse to fine: the network takes a guess, such as its own result at half the size. Then it need
not invent what is there, only make it sharp and like its surroundings, so one network fills a hole
of any size. It learns both, with and without a guess. Without one it starts from the surrounding
colours, smoothly continued: it never has to learn those.

Normalisation is by batch statistics, which cost nothing at run time; instance statistics would
depend on the hole (Liu et al. 2018 use batch statistics too).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .sizes import Sizes

__all__ = ["Filler", "FillerConfig"]

SMALLEST = 64
KEEP = 0.97
"""Guesses are pulled in a little, so that their place on the slope of tanh is finite."""


@dataclass(frozen=True)
class FillerConfig(Sizes):
    """Sizes of the network.

    Attributes
    ----------
    widths : tuple of int
        Channels at the full size, at half of it, and so on.
    blocks : tuple of int
        Gated blocks of the encoder, and as many of the decoder, at each of these sizes; at the last
        size they are in the middle.
    kernel : int
        Side of the depthwise kernels.
    """

    widths: tuple[int, ...] = (16, 40, 96, 160, 256, 384)
    blocks: tuple[int, ...] = (0, 1, 2, 2, 2, 4)
    kernel: int = 5

    @property
    def multiple(self) -> int:
        """Height and width are multiples of this."""
        halvings = len(self.widths) - 1
        return 1 << halvings


class GatedBlock(nn.Module):
    """x + mix(a * sigmoid(b)), a and b from one separable convolution of x."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.wide = nn.Conv2d(
            channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False
        )
        self.norm = nn.BatchNorm2d(channels)
        self.split = nn.Conv2d(channels, 2 * channels, 1)
        self.mix = nn.Conv2d(channels, channels, 1)
        # A block begins as almost nothing (Goyal et al. 2017, section 5.1).
        nn.init.normal_(self.mix.weight, std=0.1 / channels**0.5)
        nn.init.zeros_(self.mix.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        a, b = self.split(self.norm(self.wide(x))).chunk(2, 1)
        y: Tensor = x + self.mix(functional.relu(a) * torch.sigmoid(b))
        return y


class Up(nn.Module):
    """Twice the size, joined with the encoder's features of that size, and noise."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(inputs, outputs, 1)
        self.join = nn.Conv2d(2 * outputs, outputs, 1)
        self.strength = nn.Parameter(torch.zeros(outputs, 1, 1))

    def forward(self, x: Tensor, same: Tensor, noise: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, 2 H, 2 W)."""
        larger = functional.interpolate(
            self.narrow(x), scale_factor=2.0, mode="bilinear", align_corners=False
        )
        joined: Tensor = self.join(torch.cat([larger, same], 1))
        return joined + self.strength * noise


class Filler(nn.Module):
    """Fills holes of pictures.

    Parameters
    ----------
    config : FillerConfig
        Its sizes.
    """

    def __init__(self, config: FillerConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or FillerConfig()
        widths, last = c.widths, len(c.widths) - 1
        # Picture without the hole, the hole, the guess, and where there is one.
        self.stem = nn.Conv2d(8, widths[0], 3, padding=1)
        self.downs = nn.ModuleList(
            nn.Conv2d(widths[n], widths[n + 1], 3 if n else 4, stride=2, padding=1)
            for n in range(last)
        )
        self.encoders = nn.ModuleList(self._blocks(n) for n in range(last))
        self.middle = self._blocks(last)
        self.ups = nn.ModuleList(Up(widths[n + 1], widths[n]) for n in reversed(range(last)))
        self.decoders = nn.ModuleList(self._blocks(n) for n in reversed(range(last)))
        self.fine = nn.Conv2d(widths[0], widths[0], 3, padding=1)
        self.last = nn.Conv2d(widths[0], 3, 3, padding=1)
        for conv in (self.stem, *self.downs, self.fine):
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        # It begins as the surrounding colours, smoothly continued.
        nn.init.normal_(self.last.weight, std=0.01)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def _blocks(self, level: int) -> nn.Sequential:
        c = self.config
        return nn.Sequential(
            *(GatedBlock(c.widths[level], c.kernel) for _ in range(c.blocks[level]))
        )

    def forward(self, image: Tensor, mask: Tensor, guess: Tensor, noise: Tensor) -> Tensor:
        """Fill.

        Parameters
        ----------
        image : Tensor
            (N, 3, H, W), RGB in [0, 1]; what is in the hole does not matter. H and W are multiples
            of `config.multiple`.
        mask : Tensor
            (N, 1, H, W): 1 in the hole, 0 elsewhere.
        guess : Tensor
            (N, 4, H, W): RGB in [0, 1], and 1 where it is a guess; zeros for none.
        noise : Tensor
            (N, 1, H, W), standard normal: what the picture does not tell.

        Returns
        -------
        Tensor
            (N, 3, H, W), RGB in [0, 1], outside the hole the picture's own.
        """
        image = image * (1 - mask)
        known = guess[:, 3:] * mask
        hint = guess[:, :3] * known + spread(image, mask, len(self.downs)) * (mask - known)
        hint = (hint * 2 - 1) * mask
        given = torch.cat([image * 2 - (1 - mask), mask, hint, known], 1)
        x = self.encoders[0](functional.relu(self.stem(given)))
        features = []
        for down, blocks in zip(self.downs, [*self.encoders[1:], self.middle], strict=True):
            features.append(x)
            x = blocks(functional.relu(down(x)))
        for number, (up, blocks) in enumerate(zip(self.ups, self.decoders, strict=True)):
            level = len(features) - 1 - number
            step = 2**level
            x = blocks(up(x, features[level], noise[:, :, ::step, ::step]))
        change = self.last(functional.relu(self.fine(x)))
        made = torch.tanh(change + torch.atanh(KEEP * hint)) / 2 + 0.5
        return image + made * mask


def spread(image: Tensor, mask: Tensor, levels: int) -> Tensor:
    """Fill holes with the smoothly continued colours around them (push-pull, Gortler et al. 1996).

    Parameters
    ----------
    image : Tensor
        (N, 3, H, W), zero in the hole.
    mask : Tensor
        (N, 1, H, W): 1 in the hole, 0 elsewhere.
    levels : int
        Halvings; where even then nothing is known, the mean of the picture is taken.
    """
    known = 1 - mask
    planes = [torch.cat([image, known], 1)]
    for _ in range(levels):
        half = functional.avg_pool2d(planes[-1], 2)
        # A cell of which a quarter is known is known (their weights are added, up to 1): with means
        # what is far from a hole seeped into it.
        share = half[:, 3:]
        planes.append(half / share.clamp(min=1e-6) * (4 * share).clamp(max=1.0))
    total = planes[-1].mean((2, 3), keepdim=True)
    below = (total[:, :3] / total[:, 3:].clamp(min=1e-6)).expand_as(planes[-1][:, :3])
    for number, level in enumerate(reversed(planes)):
        if number:
            below = functional.interpolate(
                below, scale_factor=2.0, mode="bilinear", align_corners=False
            )
        share = level[:, 3:]
        colour = level[:, :3] / share.clamp(min=1e-6)
        below = below + share * (colour - below)
    return below

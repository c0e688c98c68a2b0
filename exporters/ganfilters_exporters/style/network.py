"""The network that paints: one body for many styles, conditional instance normalisation.

Source: Dumoulin, Shlens and Kudlur, "A Learned Representation for Artistic Style" (2017): a style
is nothing but the scales and shifts after each instance normalisation. The layout, an encoder,
residual blocks at a quarter of the size and a decoder of upsampling followed by convolution (Odena
et al. 2016: no checkerboard), is Johnson 2016's. Upsampling is bilinear: after nearest-neighbour
upsampling the blocks of four pixels showed as a weave in flat regions.

What is different, and why: the usual 9 x 9 convolutions at full size cost more than all residual
blocks, so the first layer here already halves the size, and the last ones are thin. The time saved
goes into residual blocks that are three times as wide and reach further: depthwise 5 x 5 and
pointwise convolutions (Howard et al. 2017), without a non-linearity between the two.

Instance normalisation makes each pixel depend on the whole picture. So that a picture can be
painted in tiles, the statistics can be given instead of measured: thumbnail instance normalisation
(Chen et al. 2022). With given statistics the network is an ordinary convolutional one, and each
pixel depends on those within `reach`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["NetworkConfig", "StyleTable", "Stylizer"]

EPSILON = 1e-5
MULTIPLE = 4
SMALLEST = 16


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of the network.

    Attributes
    ----------
    half, quarter, full : int
        Channels at half, a quarter of and the full size.
    blocks : int
        Residual blocks.
    kernel : int
        Side of their depthwise kernels.
    stem : int
        Side of the first kernel.
    """

    half: int = 24
    quarter: int = 96
    full: int = 12
    blocks: int = 5
    kernel: int = 5
    stem: int = 5

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON."""
        return asdict(self)


class ReflectConv(nn.Conv2d):
    """A convolution without bias whose input is padded by reflection: no dark border."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        side = self.kernel_size[0] // 2
        if side:
            input = functional.pad(input, (side,) * 4, mode="reflect")
        return functional.conv2d(input, self.weight, None, self.stride, groups=self.groups)


class Norms:
    """The normalisations of one pass, in order: each takes its part of the style.

    Parameters
    ----------
    style : Tensor
        (N, 2, C): scales and shifts of all C normalised channels.
    given : Tensor, optional
        (N or 1, 2, C): means and standard deviations to use; measured if None.
    known : Tensor, optional
        A boolean: whether to use `given` or to measure all the same. The choice is part of an
        exported graph.
    """

    def __init__(self, style: Tensor, given: Tensor | None, known: Tensor | None) -> None:
        self.style, self.given, self.known = style, given, known
        self.at = 0
        self.used: list[Tensor] = []

    def __call__(self, x: Tensor) -> Tensor:
        """Normalise (N, c, H, W), and scale and shift by the style's next c channels."""
        part = slice(self.at, self.at + x.shape[1])
        self.at += x.shape[1]
        scale, shift = self.style[:, 0, part, None, None], self.style[:, 1, part, None, None]
        # float32 also under autocast: variances in bf16 have two digits.
        x = x.float()
        if self.given is None:
            used = _measure(x)
        elif self.known is None:
            used = self.given[:, :, part]
        else:
            used = torch.where(self.known, self.given[:, :, part], _measure(x))
        self.used.append(used)
        mean, deviation = used[:, 0, :, None, None], used[:, 1, :, None, None]
        # One multiplication and one addition for each pixel.
        factor = scale / deviation
        return x * factor + (shift - mean * factor)


class Residual(nn.Module):
    """Two separable convolutions and the shortcut (He et al. 2016)."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.wide1 = ReflectConv(channels, channels, kernel, groups=channels)
        self.mix1 = ReflectConv(channels, channels, 1)
        self.wide2 = ReflectConv(channels, channels, kernel, groups=channels)
        self.mix2 = ReflectConv(channels, channels, 1)

    def forward(self, x: Tensor, norms: Norms) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        y = functional.relu(norms(self.mix1(self.wide1(x))))
        return x + norms(self.mix2(self.wide2(y)))


class Stylizer(nn.Module):
    """Paints a picture in the style that a vector describes.

    Parameters
    ----------
    config : NetworkConfig
        Its sizes.
    """

    def __init__(self, config: NetworkConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or NetworkConfig()
        self.stem = ReflectConv(3, c.half, c.stem, 2)
        self.down = ReflectConv(c.half, c.quarter, 3, 2)
        self.blocks = nn.ModuleList(Residual(c.quarter, c.kernel) for _ in range(c.blocks))
        # Enlarging fewer channels: each pair of convolutions saves a tenth of the time.
        self.narrow1 = ReflectConv(c.quarter, 2 * c.half, 1)
        self.up1 = ReflectConv(2 * c.half, c.half, 3)
        self.narrow2 = ReflectConv(c.half, c.full, 1)
        self.up2 = ReflectConv(c.full, c.full, 3)
        self.last = ReflectConv(c.full, 3, 3)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    @property
    def channels(self) -> int:
        """Number C of normalised channels: a style is 2 * C numbers."""
        c = self.config
        return c.half + c.quarter * (1 + 2 * c.blocks) + c.half + c.full + 3

    def neutral(self) -> Tensor:
        """Return the style that training starts from, (2, C): scales of 1, shifts of 0.

        Residual blocks start small, so that the picture passes at first (Goyal et al. 2017,
        section 5.1); without that, heavy style losses erase it before it is learned.
        """
        c = self.config
        style = torch.stack([torch.ones(self.channels), torch.zeros(self.channels)])
        for block in range(c.blocks):
            end = c.half + c.quarter * (1 + 2 * (block + 1))
            style[0, end - c.quarter : end] = 0.2
        return style

    @property
    def reach(self) -> int:
        """How far, in pixels, an output pixel sees when the statistics are given.

        Tiles that overlap by this much on each side agree with the whole picture.
        """
        c = self.config
        blocks = 4 * 2 * c.blocks * (c.kernel // 2)
        # Upsampling places a pixel anywhere in its block of 4, hence the last term.
        return c.stem // 2 + 2 * 1 + blocks + 4 * 1 + 2 * 1 + 1 + MULTIPLE

    def forward(
        self,
        image: Tensor,
        style: Tensor,
        given: Tensor | None = None,
        known: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Paint.

        Parameters
        ----------
        image : Tensor
            (N, 3, H, W), RGB in [0, 1]; H and W are multiples of 4, at least 16.
        style : Tensor
            (N or 1, 2, C): the scales, then the shifts.
        given : Tensor, optional
            (N or 1, 2, C): means, then standard deviations, as returned by an earlier call;
            measured on `image` if None.
        known : Tensor, optional
            A boolean: if false, the statistics are measured although they are given.

        Returns
        -------
        Tensor, Tensor
            The painting, (N, 3, H, W) in (0, 1), and the statistics used, (N, 2, C).
        """
        norms = Norms(style, given, known)
        x = functional.relu(norms(self.stem(image * 2 - 1)))
        x = functional.relu(norms(self.down(x)))
        for block in self.blocks:
            x = block(x, norms)
        x = functional.relu(norms(self.up1(_twice(self.narrow1(x)))))
        x = functional.relu(norms(self.up2(_twice(self.narrow2(x)))))
        painting = torch.sigmoid(norms(self.last(x)))
        return painting, torch.cat(norms.used, 2)


def _measure(x: Tensor) -> Tensor:
    """Return means and deviations over positions, (N, c, H, W) to (N, 2, c)."""
    mean = x.mean((2, 3))
    centred = x - mean[:, :, None, None]
    # A product, since a square is exported as a general power, five times as slow.
    deviation = ((centred * centred).mean((2, 3)) + EPSILON).sqrt()
    return torch.stack([mean, deviation], 1)


def _twice(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class StyleTable(nn.Module):
    """The styles of a network by number.

    Parameters
    ----------
    names : sequence of str
        Their names.
    start : Tensor
        (2, C), the style that all start from.
    """

    def __init__(self, names: Sequence[str], start: Tensor) -> None:
        super().__init__()
        self.names = tuple(names)
        self.styles = nn.Parameter(start.expand(len(self.names), -1, -1).clone())

    def forward(self, weights: Tensor) -> Tensor:
        """Blend: (N, styles), each row of sum 1, to styles (N, 2, C)."""
        return torch.einsum("ns,skc->nkc", weights, self.styles)

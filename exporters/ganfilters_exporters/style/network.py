"""The network that paints: one body for many styles, conditional instance normalisation.

Source: Dumoulin, Shlens and Kudlur, "A Learned Representation for Artistic Style" (2017): a style
is nothing but the scales and shifts after each instance normalisation. The layout, an encoder,
residual blocks at a quarter of the size and a decoder of upsampling followed by convolution (Odena
et al. 2016: no checkerboard), is Johnson 2016's. Upsampling is bilinear: after nearest-neighbour
upsampling the blocks of four pixels showed as a weave in flat regions.

What is different, and why: the usual 9 x 9 convolutions at full size cost more than all residual
blocks, so the first layer here already halves the size, and the last ones are thin. Most residual
blocks work at an eighth of the size, where a block costs a quarter, sees twice as far and may be
wider for the same time; two before them and one after keep what a quarter of the size shows (the
layout of Ronneberger et al. 2015). All are depthwise and pointwise convolutions (Howard et al.
2017), without a non-linearity between the two.

The blurred photograph itself, normalised and scaled by the style as any feature is, is added before
the last non-linearity: light and dark need not find their way through the narrow middle. Networks
without it settled on dark faces and pale helmets, and took longer to get there; with it and the
tone loss (:mod:`..losses.style`) tones stay where the photograph has them.

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
OUTER_KERNEL, KERNEL = 5, 3
"""Sides of the depthwise kernels at a quarter and at an eighth of the size."""
MULTIPLE = 8
SMALLEST = 24
"""Reflection at an eighth of the size needs more than a pixel on each side."""


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of the network.

    Attributes
    ----------
    half, quarter, eighth, full : int
        Channels at half, a quarter, an eighth of and the full size.
    outer, blocks : int
        Residual blocks at a quarter before the smallest size, and at an eighth.
    stem : int
        Side of the first kernel.
    """

    half: int = 24
    quarter: int = 64
    eighth: int = 160
    full: int = 8
    outer: int = 2
    blocks: int = 6
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


class TwiceConv(nn.Conv2d):
    """Bilinear enlarging by two and a 3 x 3 convolution, as one convolution of the small picture.

    Each of the four pixels that one becomes sees the small picture's 3 x 3 around it, so they are
    four times as many channels (sub-pixel convolution, Shi et al. 2016), of a kernel put together
    from the 3 x 3 weights and the shares of enlarging: as many operations, but nothing large is
    enlarged, padded or reordered. Borders are repeated.

    Returns (N, 4 * outputs, H, W), which `pixel_shuffle` makes (N, outputs, 2 H, 2 W).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, bias=False)
        # Of the pixels from one before a pair to one after it, on a line: the shares of three.
        line = torch.tensor([[3.0, 1, 0], [1, 3, 0], [0, 3, 1], [0, 1, 3]]) / 4
        self.register_buffer("shares", torch.stack([line[:3], line[1:]]), persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, 4 * outputs, H, W)."""
        kernel = torch.einsum("oiyx,pyj,qxk->opqijk", self.weight, self.shares, self.shares)
        return _conv_repeated(input, kernel.reshape(-1, self.in_channels, 3, 3))


class PairedConv(nn.Conv2d):
    """A 3 x 3 convolution of what `pixel_unshuffle` gives, and gives: it is never made large.

    Repeated borders of that are the reflected borders of the large picture.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, bias=False)
        # Of the pixels from one before a pair to one after it: in which pair, and which of it.
        line = torch.zeros(4, 3, 2)
        line[0, 0, 1] = line[1, 1, 0] = line[2, 1, 1] = line[3, 2, 0] = 1.0
        self.register_buffer("places", torch.stack([line[:3], line[1:]]), persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        """Map (N, 4 * inputs, H, W) to (N, 4 * outputs, H, W)."""
        kernel = torch.einsum("oiyx,pyjr,qxks->opqirsjk", self.weight, self.places, self.places)
        return _conv_repeated(input, kernel.reshape(-1, 4 * self.in_channels, 3, 3))


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

    def __call__(self, x: Tensor, pixels: int = 1) -> Tensor:
        """Normalise (N, c, H, W), and scale and shift by the style's next c channels.

        With several `pixels` in each place, (N, c * pixels, H, W), all of a channel count.
        """
        shape = x.shape
        x = x.reshape(shape[0], shape[1] // pixels, pixels * shape[2], shape[3])
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
        return (x * factor + (shift - mean * factor)).reshape(shape)


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
        self.before = nn.ModuleList(Residual(c.quarter, OUTER_KERNEL) for _ in range(c.outer))
        self.deeper = ReflectConv(c.quarter, c.eighth, 3, 2)
        self.blocks = nn.ModuleList(Residual(c.eighth, KERNEL) for _ in range(c.blocks))
        self.back = ReflectConv(c.eighth, c.quarter, 1)
        self.after = Residual(c.quarter, OUTER_KERNEL)
        # Of fewer channels: each pair of convolutions takes less time than one.
        self.narrow1 = ReflectConv(c.quarter, 2 * c.half, 1)
        self.up1 = TwiceConv(2 * c.half, c.half)
        self.narrow2 = ReflectConv(c.half, c.full, 1)
        self.up2 = TwiceConv(c.full, c.full)
        self.last = PairedConv(c.full, 3)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    @property
    def channels(self) -> int:
        """Number C of normalised channels: a style is 2 * C numbers."""
        return sum(count for count, _ in self._normalised())

    def neutral(self) -> Tensor:
        """Return the style that training starts from, (2, C): scales of 1 or 0.2, shifts of 0.

        Residual blocks start small, so that the picture passes at first (Goyal et al. 2017,
        section 5.1); without that, heavy style losses erase it before it is learned.
        """
        scales = torch.cat([torch.full((count,), scale) for count, scale in self._normalised()])
        return torch.stack([scales, torch.zeros_like(scales)])

    def _normalised(self) -> list[tuple[int, float]]:
        """Return the channels of each normalisation in order, and the scale it starts from."""
        c, small = self.config, 0.2
        outer, inner = [(c.quarter, 1.0), (c.quarter, small)], [(c.eighth, 1.0), (c.eighth, small)]
        encoder = [(c.half, 1.0), (c.quarter, 1.0), *outer * c.outer]
        middle = [(c.eighth, 1.0), *inner * c.blocks, (c.quarter, small), *outer]
        return [*encoder, *middle, (c.half, 1.0), (c.full, 1.0), (3, 1.0), (3, small)]

    @property
    def reach(self) -> int:
        """How far, in pixels, an output pixel sees when the statistics are given.

        Tiles that overlap by this much on each side agree with the whole picture.
        """
        c = self.config
        outer, inner = 4 * 2 * (OUTER_KERNEL // 2), 8 * 2 * (KERNEL // 2)
        encoder = c.stem // 2 + 2 + outer * c.outer + 4
        # Enlarging by two reaches one pixel of the smaller size, each 3 x 3 kernel another.
        decoder = 8 + outer + (4 + 2) + (2 + 1) + 1
        # A pixel lies anywhere in its block of 8, hence the last term.
        return encoder + inner * c.blocks + decoder + MULTIPLE

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
            (N, 3, H, W), RGB in [0, 1]; H and W are multiples of 8, at least 24.
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
        for block in self.before:
            x = block(x, norms)
        small = functional.relu(norms(self.deeper(x)))
        for block in self.blocks:
            small = block(small, norms)
        x = functional.relu(self.after(x + norms(_twice(self.back(small))), norms))
        x = functional.relu(norms(self.up1(self.narrow1(x)), 4))
        x = functional.relu(norms(self.up2(self.narrow2(functional.pixel_shuffle(x, 2))), 4))
        colours = norms(_twice(_twice(functional.avg_pool2d(image, 4))))
        drawn = functional.pixel_shuffle(norms(self.last(x), 4), 2)
        painting = torch.sigmoid(drawn + colours)
        return painting, torch.cat(norms.used, 2)


def _measure(x: Tensor) -> Tensor:
    """Return means and deviations over positions, (N, c, H, W) to (N, 2, c)."""
    mean = x.mean((2, 3))
    # Not of centred values, which takes one pass more over the picture. A product, since a square
    # is exported as a general power, five times as slow.
    variance = (x * x).mean((2, 3)) - mean * mean
    return torch.stack([mean, (variance.clamp_min(0.0) + EPSILON).sqrt()], 1)


def _conv_repeated(x: Tensor, kernel: Tensor) -> Tensor:
    return functional.conv2d(functional.pad(x, (1,) * 4, mode="replicate"), kernel)


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

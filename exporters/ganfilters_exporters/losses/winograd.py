"""Winograd's convolution for frozen networks on a CPU: 3 x 3 kernels, a quarter of the products.

A loss network takes most of the time of a training on a CPU, and its weights never change. So they
are transformed once, and each 4 x 4 block of the output costs 36 products for each pair of channels
in place of 144. Transforming pictures costs time as well, which is why it pays for wide layers
only; gradients reach the input by the same convolution with mirrored kernels.

Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016), section 4.3,
F(4 x 4, 3 x 3). In float32 its results differ from direct convolution by about 1e-5 of their range.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["WinogradConv", "with_winograd"]

NARROWEST = 128
"""Input and output channels from which on it is quicker than direct convolution."""

_TILES = 512
"""Tiles at a time: more do not fit a core's cache, and fewer make thin products."""

_INPUT = torch.tensor(
    [
        [4.0, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
_KERNEL = (
    torch.tensor([[6.0, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
)
_OUTPUT = torch.tensor(
    [[1.0, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
)


def with_winograd(network: nn.Module) -> nn.Module:
    """Replace the wide, frozen 3 x 3 convolutions of a network, in place; return the network."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Conv2d) and WinogradConv.suits(child):
                setattr(module, name, WinogradConv(child))
    return network


class WinogradConv(nn.Module):
    """A frozen 3 x 3 convolution; Winograd's on a CPU in float32, the direct one elsewhere.

    Parameters
    ----------
    conv : nn.Conv2d
        With a padding and a stride of 1; its weights must not be trained.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv
        self._prepared: tuple[Tensor, Tensor] | None = None

    @staticmethod
    def suits(conv: nn.Conv2d) -> bool:
        """Tell whether a convolution can be, and gains from being, replaced."""
        shape = (conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups)
        return (
            shape == ((3, 3), (1, 1), (1, 1), (1, 1), 1)
            and conv.padding_mode == "zeros"
            and not conv.weight.requires_grad
            and min(conv.in_channels, conv.out_channels) >= NARROWEST
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H, W)."""
        if x.device.type != "cpu" or x.dtype != torch.float32 or torch.is_autocast_enabled("cpu"):
            result: Tensor = self.conv(x)
            return result
        if self._prepared is None:
            weight = self.conv.weight
            mirrored = weight.transpose(0, 1).flip(2, 3)
            self._prepared = _transformed(weight), _transformed(mirrored)
        found: Tensor = _Convolution.apply(x, *self._prepared, self.conv.bias)  # type: ignore[no-untyped-call]
        return found


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, forth: Tensor, back: Tensor, bias: Tensor | None) -> Tensor:
        ctx.back = back
        result = _convolve(x, forth)
        return result if bias is None else result.add_(bias[:, None, None])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return _convolve(gradient, ctx.back), None, None, None


def _transformed(weight: Tensor) -> Tensor:
    """Return kernels (outputs, inputs, 3, 3) as (36, outputs, inputs)."""
    wide = _KERNEL @ weight.detach() @ _KERNEL.T
    return wide.permute(3, 2, 0, 1).flatten(0, 1).contiguous()


@torch.no_grad()
def _convolve(x: Tensor, kernels: Tensor) -> Tensor:
    """Convolve (N, inputs, H, W), padded by 1, with kernels (36, outputs, inputs)."""
    height, width = x.shape[2:]
    rows, columns = -(-height // 4), -(-width // 4)
    x = functional.pad(x.contiguous(), (1, 4 * columns - width + 1, 1, 4 * rows - height + 1))
    parts = torch.split(x, max(1, _TILES // (rows * columns)))
    result = torch.cat([_blocks(part, kernels, rows, columns) for part in parts])
    return result[:, :, :height, :width]


def _blocks(x: Tensor, kernels: Tensor, rows: int, columns: int) -> Tensor:
    """Convolve padded pictures, (n, inputs, 4 rows + 2, 4 columns + 2), one axis at a time."""
    samples, inputs = x.shape[:2]
    outputs = kernels.shape[1]
    tall = x.unfold(2, 6, 4).permute(4, 1, 0, 2, 3).reshape(6, -1)
    tall = (_INPUT @ tall).view(6, inputs, samples, rows, -1)
    tiles = tall.unfold(4, 6, 4).permute(5, 0, 1, 2, 3, 4).reshape(6, -1)
    products = kernels @ (_INPUT @ tiles).view(36, inputs, -1)
    wide = (_OUTPUT @ products.view(6, -1)).view(4, 6, -1)
    blocks = _OUTPUT @ wide.transpose(0, 1).reshape(6, -1)
    # Down within a block, across within a block, then channels, pictures and blocks.
    blocks = blocks.view(4, 4, outputs, samples, rows, columns).permute(3, 2, 4, 0, 5, 1)
    return blocks.reshape(samples, outputs, 4 * rows, 4 * columns)

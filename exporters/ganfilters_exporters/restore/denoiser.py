"""The network that removes noise and JPEG artefacts, and the one that estimates how much there is.

The layout is DRUNet's (Zhang et al. 2021): a U-Net of residual blocks without normalisation and
without biases, told the strength of the noise in a plane of its own. Without biases the result
scales with its input, so what was learned at one strength holds at others (Mohan et al. 2020). Two
changes suit it to a CPU: pictures enter with 2 x 2 pixels as channels, as in FFDNet (Zhang et al.
2018), which quarters the time of every layer at the full size; and it is as small as 0.9 M weights,
plain 3 x 3 convolutions, which ONNX Runtime runs nearest to a CPU's peak (blocks with depthwise
convolutions and layer normalisation have better figures per multiplication, not per second).

A small network looks at the picture and estimates the strengths, place by place, averaged over
some 70 pixels, as in CBDNet (Guo et al. 2019). Everything is local, so tiles agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .sizes import Sizes

__all__ = ["Denoiser", "DenoiserConfig", "Estimator"]

MULTIPLE = 8
SMALLEST = 16
JPEG_PLANE = 0.2
"""The plane of JPEG's strength is scaled by this, to be about as large as that of noise."""


@dataclass(frozen=True)
class DenoiserConfig(Sizes):
    """Sizes of the network.

    Attributes
    ----------
    widths : tuple of int
        Channels at a half, a quarter and an eighth of the size.
    blocks : int
        Residual blocks at each size, on the way down and on the way up.
    estimator : int
        Channels of the estimating network.
    """

    widths: tuple[int, int, int] = (48, 64, 96)
    blocks: int = 2
    estimator: int = 16


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    padding = kernel // 2 if stride == 1 else 0
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return conv


class Residual(nn.Module):
    """Two convolutions and the shortcut (He et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = _conv(channels, channels), _conv(channels, channels)
        self.second.weight.data.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        y: Tensor = x + self.second(functional.relu(self.first(x)))
        return y


class Estimator(nn.Module):
    """How strong the noise and JPEG's artefacts are.

    It is shown what noise estimators measure, and learns to read it: the size of a picture's second
    difference in both directions (Immerkaer 1996), and of its first differences, whose period of
    eight pixels is JPEG's. Shown the pixels alone, it had learned nothing after 700 steps.

    Parameters
    ----------
    width : int
        Channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        second = torch.tensor([[1.0, -2, 1], [-2, 4, -2], [1, -2, 1]]) / 6
        along = torch.tensor([[0.0, 0, 0], [0, -1, 1], [0, 0, 0]]) / 2**0.5
        # Each has the noise's own deviation, if there is nothing but noise.
        # Of three axes: with four the layout changes when they are moved, and PyTorch cannot send a
        # lone buffer like that from process to process.
        kernels = torch.stack([second, along, along.T]).repeat(3, 1, 1)
        self.register_buffer("kernels", kernels, persistent=False)
        self.kernels: Tensor
        self.body = nn.Sequential(
            nn.Conv2d(4 * 9, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, 2 * width, 2, 2), nn.ReLU(),
            nn.Conv2d(2 * width, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, 2, 1),
        )  # fmt: skip

    def forward(self, image: Tensor) -> Tensor:
        """Map (N, 3, H, W) to strengths (N, 2, H / 4, W / 4).

        The deviation of the noise, of pixels in [0, 1], and the strength of JPEG's artefacts.
        """
        padded = functional.pad(image, (1, 1, 1, 1), mode="reflect")
        changes = functional.conv2d(padded, self.kernels[:, None].to(image.dtype), groups=3).abs()
        x = self.body(10 * functional.pixel_unshuffle(changes, 2))
        for _ in range(2):  # twice a box is about a bell
            x = functional.avg_pool2d(x, 9, 1, 4, count_include_pad=False)
        # Near zero at the start, never negative.
        return 0.25 * functional.softplus(x - 1.0)


class Denoiser(nn.Module):
    """Removes noise of a given or an estimated strength.

    Parameters
    ----------
    config : DenoiserConfig
        Its sizes.
    """

    def __init__(self, config: DenoiserConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or DenoiserConfig()
        half, quarter, eighth = c.widths
        self.estimator = Estimator(c.estimator)
        self.stem = _conv(12 + 2, half)
        self.down1, self.down2 = _conv(half, quarter, 2, 2), _conv(quarter, eighth, 2, 2)
        self.up1, self.up2 = (
            nn.ConvTranspose2d(i, o, 2, 2, bias=False)
            for i, o in ((eighth, quarter), (quarter, half))
        )
        for up in (self.up1, self.up2):
            nn.init.normal_(up.weight, std=(1 / up.in_channels) ** 0.5)
        self.enter1, self.leave1 = self._blocks(half), self._blocks(half)
        self.enter2, self.leave2 = self._blocks(quarter), self._blocks(quarter)
        self.middle = self._blocks(eighth)
        self.last = _conv(half, 12)
        self.last.weight.data.mul_(0.1)

    def _blocks(self, channels: int) -> nn.Sequential:
        return nn.Sequential(*(Residual(channels) for _ in range(self.config.blocks)))

    @property
    def reach(self) -> int:
        """How far, in pixels, an output pixel sees."""
        b = 2 * self.config.blocks
        network = 2 * (2 + 2 * b) + 4 * 2 * b + 8 * b + MULTIPLE
        estimate = 4 * 2 * 4 + 4 + 2 * 2 + MULTIPLE
        return network + estimate

    def estimate(self, image: Tensor) -> Tensor:
        """Map (N, 3, H, W) to strengths, (N, 2, H / 4, W / 4); see `Estimator`."""
        strengths: Tensor = self.estimator(image)
        return strengths

    def forward(self, image: Tensor, strengths: Tensor) -> Tensor:
        """Remove noise.

        Parameters
        ----------
        image : Tensor
            (N, 3, H, W), RGB, about in [0, 1]; H and W are multiples of 8.
        strengths : Tensor
            (N, 2, h, w), any size: deviation of the noise, of pixels in [0, 1], and the strength
            of JPEG's artefacts, 0 to 1.

        Returns
        -------
        Tensor
            (N, 3, H, W), not clipped.
        """
        pixels = functional.pixel_unshuffle(image, 2)
        planes = functional.interpolate(
            strengths, pixels.shape[2:], mode="bilinear", align_corners=False
        )
        scale = torch.tensor([1.0, JPEG_PLANE], device=planes.device, dtype=planes.dtype)
        planes = planes * scale[None, :, None, None]
        first = self.enter1(self.stem(torch.cat([pixels, planes], 1)))
        second = self.enter2(self.down1(first))
        x = self.middle(self.down2(second))
        x = self.leave2(self.up1(x) + second)
        x = self.leave1(self.up2(x) + first)
        return image + functional.pixel_shuffle(self.last(x), 2)

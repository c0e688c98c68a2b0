"""Damage to learn from: Gaussian and Poisson noise and JPEG, of every strength, on any device.

JPEG is computed as tensors (the standard's discrete cosine transform, tables and 4:2:0), so that
a batch on a GPU need not come back to be encoded; only entropy coding, which loses nothing, is
left out. Everything random comes from torch's global generator, which the trainer seeds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["SIGMA_MAX", "Damaged", "damage", "jpeg", "jpeg_level"]

SIGMA_MAX = 50.0
"""Strongest noise that is learned, in 255ths."""

QUALITIES = (5, 95)
BLOCK = 8

# Tables K.1 and K.2 of ITU-T T.81, at quality 50.
_LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_CHROMINANCE = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99, 47, 66, *[99] * 38,
)  # fmt: skip
_YCBCR = (
    (0.299, 0.587, 0.114),
    (-0.168735892, -0.331264108, 0.5),
    (0.5, -0.418687589, -0.081312411),
)


@dataclass(frozen=True)
class Damaged:
    """Damaged pictures and how much was done.

    Attributes
    ----------
    images : Tensor
        (N, 3, H, W); noise may lead out of [0, 1].
    sigma : Tensor
        (N, 1, H, W), deviation of the noise in 255ths.
    jpeg : Tensor
        (N, 1, 1, 1), `jpeg_level` of what was compressed, else 0.
    """

    images: Tensor
    sigma: Tensor
    jpeg: Tensor


def jpeg_level(quality: Tensor) -> Tensor:
    """Return how strong the artefacts of a JPEG quality are, 0 (none) to 1 (quality 5)."""
    return ((100 - quality) / 95).clamp(0, 1)


def damage(images: Tensor) -> Damaged:
    """Damage each picture, (N, 3, H, W) in [0, 1], in one of several ways.

    60 % get Gaussian noise alone, 15 % Poisson noise, 15 % JPEG alone, and 10 % both Gaussian noise
    and JPEG, as a camera makes them. Half of all are clipped and rounded to 8 bits, as files are.
    """
    count, device = len(images), images.device
    shape = (count, 1, 1, 1)
    way = torch.rand(shape, device=device)
    gaussian = ((way < 0.6) | (way >= 0.9)).float()
    poisson = ((way >= 0.6) & (way < 0.75)).float()
    compressed = way >= 0.75
    strongest = torch.where(way >= 0.9, 20.0, SIGMA_MAX)  # noise that JPEG leaves recognisable
    constant = gaussian * strongest * torch.rand(shape, device=device)
    # At white, Poisson noise has this deviation; it falls with the root of the brightness.
    white = poisson * SIGMA_MAX * torch.rand(shape, device=device)
    sigma = (constant**2 + white**2 * images.mean(1, keepdim=True)).sqrt()
    each = (constant**2 + white**2 * images).sqrt()
    noisy = images + each / 255 * torch.randn_like(images)
    low, high = QUALITIES
    quality = low + (high - low) * torch.rand(count, device=device)
    encoded = jpeg(noisy.clamp(0, 1), quality)
    noisy = torch.where(compressed, encoded, noisy)
    stored = torch.rand(shape, device=device) < 0.5
    noisy = torch.where(stored, (noisy.clamp(0, 1) * 255).round() / 255, noisy)
    level = torch.where(compressed, jpeg_level(quality)[:, None, None, None], 0.0)
    return Damaged(noisy, sigma, level)


def jpeg(images: Tensor, quality: Tensor) -> Tensor:
    """Return pictures as after JPEG with colour at half size, on a grid placed at random.

    Parameters
    ----------
    images : Tensor
        (N, 3, H, W) in [0, 1].
    quality : Tensor
        (N,), 1 to 100.
    """
    height, width = images.shape[2:]
    top, left = (int(n) for n in torch.randint(0, 2 * BLOCK, (2,)))
    bottom, right = (
        -(side + first) % (2 * BLOCK) for side, first in ((height, top), (width, left))
    )
    padded = functional.pad(images, (left, right, top, bottom), mode="replicate")
    matrix = torch.tensor(_YCBCR, device=images.device)
    ycc = torch.einsum("yc,nchw->nyhw", matrix, padded * 255)
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    luminance = _quantised(ycc[:, :1] - 128, _LUMINANCE, scale) + 128
    small = functional.avg_pool2d(ycc[:, 1:], 2)
    colour = functional.interpolate(
        _quantised(small, _CHROMINANCE, scale), scale_factor=2.0, mode="bilinear"
    )
    rgb = torch.einsum("cy,nyhw->nchw", matrix.inverse(), torch.cat([luminance, colour], 1))
    inner = rgb[:, :, top : top + height, left : left + width]
    return inner.round().clamp(0, 255) / 255


def _quantised(planes: Tensor, table: tuple[int, ...], scale: Tensor) -> Tensor:
    """Round the cosine transform of each 8 x 8 block, (N, C, H, W) to the same."""
    dct = _cosines(planes.device)
    steps = torch.tensor(table, device=planes.device, dtype=torch.float32).view(BLOCK, BLOCK)
    steps = (
        ((steps * scale[:, None, None] + 50) / 100).floor().clamp(1, 255)[:, None, None, :, None]
    )
    count, channels, height, width = planes.shape
    blocks = planes.view(count, channels, height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    transformed = torch.einsum("ui,ncyixj,vj->ncyuxv", dct, blocks, dct)
    rounded = (transformed / steps).round() * steps
    back = torch.einsum("ui,ncyuxv,vj->ncyixj", dct, rounded, dct)
    return back.reshape(count, channels, height, width)


def _cosines(device: torch.device) -> Tensor:
    """Return the orthonormal cosine transform, (8, 8)."""
    n = torch.arange(BLOCK, device=device, dtype=torch.float32)
    matrix = torch.cos(math.pi / BLOCK * (n + 0.5) * n[:, None]) * math.sqrt(2 / BLOCK)
    matrix[0] /= math.sqrt(2)
    return matrix

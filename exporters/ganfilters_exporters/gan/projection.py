"""How far a generated picture is from a given one, and the gradient with respect to w.

The distance that a latent is found by: a perceptual term on frozen features, which is what likens
pictures to people, and a pixel term, which holds the colours and the large shapes. Its gradient is
traced into the exported file, so finding a latent needs no PyTorch.

Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", appendix D.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..backbones import Backbone
from .discriminators import SCALES, LiteFeatures

__all__ = ["PIXELS", "Distance"]

PIXELS = 4.0
"""Weight of the mean squared difference of pixels in [0, 1], against the perceptual term."""

LAYERS = SCALES[:3]
"""Deeper features say what a picture shows and no longer where."""

SMALLEST = 64


class Distance(nn.Module):
    """Compare generated pictures with one target.

    Parameters
    ----------
    backbone : Backbone
        The features.
    size : int
        Side of the pictures; features are taken at the nearest multiple of 32, from 64 on.
    """

    def __init__(self, backbone: Backbone, size: int) -> None:
        super().__init__()
        side = max(SMALLEST, round(size / 32) * 32)
        self.features = LiteFeatures(backbone, side, LAYERS)
        # As a product with a matrix, whose gradient is another product, resizing is exported.
        matrix = functional.interpolate(
            torch.eye(size)[None], side, mode="linear", align_corners=False
        )
        self.register_buffer("matrix", matrix[0].T.contiguous() if side != size else None)

    def forward(self, images: Tensor, target: Tensor) -> Tensor:
        """Return the distance of each picture from the target, (N,).

        Parameters
        ----------
        images : Tensor
            (N, C, H, H) in [0, 1].
        target : Tensor
            (1, C, H, H) in [0, 1].
        """
        total = PIXELS * (images - target).square().mean((1, 2, 3))
        found, wanted = self.features(self._sized(images)), self.features(self._sized(target))
        for mine, theirs in zip(found, wanted, strict=True):
            scale = theirs.square().mean() + 1e-6
            total = total + (mine - theirs).square().mean((1, 2, 3)) / scale / len(found)
        return total

    def _sized(self, images: Tensor) -> Tensor:
        if self.matrix is not None:
            matrix: Tensor = self.matrix  # type: ignore[assignment]
            images = matrix @ images @ matrix.T
        return images * 2 - 1

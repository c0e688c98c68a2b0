"""The projected discriminator: small trained heads on the frozen features of a classifier.

Source: Sauer et al. 2021, "Projected GANs Converge Faster", section 3.2. The four stages of an
ImageNet network are mixed across channels and across scales by random, untrained convolutions, so
that the heads cannot settle on the few features that are easiest to tell apart; without that
mixing, training on raw features collapsed to one picture. Each scale has a head of spectrally
normalised convolutions with batch normalisation, and a projection of the class.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..backbones import Backbone
from .networks import Verdict

__all__ = ["SCALES", "LiteFeatures", "ProjectedDiscriminator", "RandomMixing"]

SCALES = ("stage2", "stage3", "stage5", "stage7")
"""Strides 4, 8, 16 and 32: EfficientNet-Lite0's last stage of each size."""

HEAD_SIDE = 8
"""A head halves its features until they have at most this side."""


class LiteFeatures(nn.Module):
    """Frozen features of several stages, of pictures in [-1, 1] of any size, grey or colour.

    Parameters
    ----------
    backbone : Backbone
        The network.
    side : int
        Pictures are resized to this side.
    names : sequence of str
        Layers of the backbone, from shallow to deep; later ones are not computed.
    """

    def __init__(self, backbone: Backbone, side: int, names: tuple[str, ...] = SCALES) -> None:
        super().__init__()
        by_name = {layer.name: layer for layer in backbone.layers}
        self.side, self.names = side, names
        self.channels = tuple(by_name[name].channels for name in names)
        self.sides = tuple(side // by_name[name].stride for name in names)
        ordered = [layer.name for layer in backbone.layers]
        self.depths = tuple(ordered[: ordered.index(names[-1]) + 1])
        self.segments = nn.ModuleList(backbone.segments[: len(self.depths)])
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> LiteFeatures:  # noqa: ARG002
        """Stay as it is: it is never trained."""
        return super().train(False)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map (N, C, H, W) to one (N, channels, h, w) for each layer."""
        x = image.expand(-1, 3, -1, -1) / 2 + 0.5
        if x.shape[-1] != self.side:
            size = (self.side, self.side)
            x = functional.interpolate(x, size, mode="bilinear", antialias=x.shape[-1] > self.side)
        found = []
        for name, segment in zip(self.depths, self.segments, strict=True):
            x = segment(x)
            if name in self.names:
                found.append(x)
        return found


class RandomMixing(nn.Module):
    """Random, untrained mixing across channels, then across scales from deep to shallow.

    Parameters
    ----------
    channels : tuple of int
        Channels of each scale, shallow first.
    width : int
        Channels of the shallowest mixed scale; each deeper one has twice as many.
    seed : int
        The mixing is the same for the same seed.
    """

    def __init__(self, channels: tuple[int, ...], width: int, seed: int) -> None:
        super().__init__()
        self.channels = tuple(width << n for n in range(len(channels)))
        self.across_channels = nn.ModuleList(
            nn.Conv2d(before, after, 1)
            for before, after in zip(channels, self.channels, strict=True)
        )
        self.across_scales = nn.ModuleList(
            nn.Conv2d(deeper, shallower, 1) for shallower, deeper in pairwise(self.channels)
        )
        generator = torch.Generator().manual_seed(seed)
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                deviation = (2 / part.in_channels) ** 0.5
                part.weight.data.normal_(0, deviation, generator=generator)
                nn.init.zeros_(part.bias)  # type: ignore[arg-type]
        self.requires_grad_(False)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Map the features of each scale to mixed ones of the same sizes."""
        mixed = [conv(x) for conv, x in zip(self.across_channels, features, strict=True)]
        for number in reversed(range(len(mixed) - 1)):
            below = functional.interpolate(
                self.across_scales[number](mixed[number + 1]), mixed[number].shape[2:],
                mode="bilinear",
            )  # fmt: skip
            mixed[number] = (mixed[number] + below) / 2**0.5
        return mixed


class Head(nn.Module):
    """Judge one scale: (N, channels, h, w) to (N, patches)."""

    def __init__(self, channels: int, side: int, classes: int, width: int) -> None:
        super().__init__()
        spectral = nn.utils.parametrizations.spectral_norm
        layers: list[nn.Module] = []
        while side > HEAD_SIDE:
            layers += [
                spectral(nn.Conv2d(channels, width, 4, 2, 1, bias=False)),
                nn.BatchNorm2d(width),
                nn.LeakyReLU(0.2),
            ]
            channels, side = width, side // 2
        if not layers:
            layers = [
                spectral(nn.Conv2d(channels, width, 1, bias=False)),
                nn.BatchNorm2d(width),
                nn.LeakyReLU(0.2),
            ]
            channels = width
        self.body = nn.Sequential(*layers)
        self.embedding = None
        outputs = 1
        if classes:
            outputs = 64
            self.embedding = nn.Linear(classes, outputs)
        self.score = spectral(nn.Conv2d(channels, outputs, min(4, side), bias=False))

    def forward(self, x: Tensor, class_weights: Tensor | None) -> Tensor:
        """See the class."""
        scores = self.score(self.body(x))
        if self.embedding is not None:
            scores = scores * self.embedding(class_weights)[:, :, None, None]
            scores = scores.sum(1) / self.embedding.out_features**0.5
        return scores.flatten(1)  # type: ignore[no-any-return]


class ProjectedDiscriminator(nn.Module):
    """Heads on mixed features; the trained part. The features are a module apart, frozen.

    Parameters
    ----------
    features : LiteFeatures
        Their channels and sides.
    classes : int
        0 for none.
    width : int
        Channels of the shallowest mixed scale, and of the heads.
    seed : int
        Of the mixing.
    tells : bool
        Whether it also tells the class, by a linear layer on the deepest features, unmixed.
    """

    def __init__(
        self,
        features: LiteFeatures,
        classes: int,
        width: int = 64,
        seed: int = 0,
        *,
        tells: bool = False,
    ) -> None:
        super().__init__()
        self.classify = None
        if tells:
            deepest = features.channels[-1]
            normalise = nn.BatchNorm1d(deepest, affine=False)
            self.classify = nn.Sequential(normalise, nn.Linear(deepest, classes))
        self.mixing = RandomMixing(features.channels, width, seed)
        self.heads = nn.ModuleList(
            Head(channels, side, classes, max(width, 64))
            for channels, side in zip(self.mixing.channels, features.sides, strict=True)
        )

    def forward(self, features: list[Tensor], class_weights: Tensor | None = None) -> Verdict:
        """Map features of each scale to scores (N, patches of all heads)."""
        mixed = self.mixing(features)
        pairs = zip(self.heads, mixed, strict=True)
        scores = torch.cat([head(x, class_weights) for head, x in pairs], 1)
        logits = None if self.classify is None else self.classify(features[-1].mean((2, 3)))
        return Verdict(scores, logits)

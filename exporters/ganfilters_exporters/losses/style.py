"""Content, style, tones and smoothness of a picture, weighed so that weights mean the same.

All but smoothness are relative. A content loss of 1 is what a picture whose features are all zero
has, a style loss of 1 one whose Gram matrices are all zero, a tone loss of 1 one of a single tone.
So one set of weights suits paintings whose Gram matrices differ by orders of magnitude, and any
loss network.

Sources: Gatys, Ecker and Bethge, "Image Style Transfer Using Convolutional Neural Networks"
(2016), equations 1 to 5; Johnson, Alahi and Fei-Fei, "Perceptual Losses for Real-Time Style
Transfer and Super-Resolution" (2016), section 3. That features need help to keep what is where:
Li et al., "Laplacian-Steered Neural Style Transfer" (2017), with pooled pictures as here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from .features import LAYERS

__all__ = [
    "ContentLoss",
    "GramLoss",
    "PerceptualLoss",
    "ToneLoss",
    "TotalVariation",
    "WeaveLoss",
    "Weights",
    "gram",
]

EPSILON = 1e-12
REC_709 = (0.2126, 0.7152, 0.0722)
FAINT = 0.02
"""Smallest deviation of tones, of luminance 0 to 1, that counts."""
PLAIN = 0.1
"""Tones of a painting that deviate less count as if they deviated this much."""
GAINS = (0.5, 1.5)
"""How far contrasts may be changed to match a painting's."""


def gram(features: Tensor) -> Tensor:
    """Return the Gram matrices of features, (N, C, H, W) to (N, C, C), divided by H * W.

    In float32 whatever the features are: the products of bf16 features have eight bits.
    """
    flat = features.flatten(2)
    with torch.autocast(flat.device.type, enabled=False):
        # Scaled before the product, which could otherwise overflow in half precision.
        wide = flat if flat.dtype == torch.float64 else flat.float()
        wide = wide / flat.shape[2] ** 0.5
        product: Tensor = wide @ wide.transpose(1, 2)
        return product


def windowed(image: Tensor, shape: Tensor) -> Tensor:
    """Return parts of pictures for their spectra, (N, C, H, W) to (N, C * parts, side, side).

    They overlap by half, have a mean of zero each, and are faded by `shape`, (side, side).
    """
    side = len(shape)
    parts = image.unfold(2, side, side // 2).unfold(3, side, side // 2).flatten(1, 3)
    return (parts - parts.mean((2, 3), keepdim=True)) * shape


def _relative(difference: Tensor, reference: Tensor) -> Tensor:
    """Return |difference|^2 / |reference|^2 for each sample, (N, ...) to (N,)."""
    above = difference.flatten(1).square().sum(1)
    return above / (reference.flatten(1).square().sum(1) + EPSILON)


class ContentLoss(nn.Module):
    """Relative squared distance of one layer's features (Gatys 2016, equation 1)."""

    def __init__(self, layer: str = "relu3_3") -> None:
        super().__init__()
        self.layer = layer

    def forward(self, features: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """Return (N,) for features and targets (N, C, H, W)."""
        found, wanted = features[self.layer], target[self.layer]
        if found.dtype != torch.float64:
            found, wanted = found.float(), wanted.float()
        return _relative(found - wanted, wanted)


class GramLoss(nn.Module):
    """Weighted mean of the relative squared distances of Gram matrices (Gatys 2016, equation 4).

    Parameters
    ----------
    weights : mapping of str to float
        Layers and their weights; they are divided by their sum.
    """

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        super().__init__()
        weights = dict.fromkeys(LAYERS, 1.0) if weights is None else weights
        total = sum(weights.values())
        self.weights = {layer: weight / total for layer, weight in weights.items()}

    def target(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the Gram matrices of a style by layer, each (N, C, C)."""
        return {layer: gram(features[layer]) for layer in self.weights}

    def forward(self, features: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """Return (N,) for features (N, C, H, W) and targets (N, C, C) by layer."""
        terms = [
            weight * _relative(gram(features[layer]) - target[layer], target[layer])
            for layer, weight in self.weights.items()
        ]
        return torch.stack(terms).sum(0)


class TotalVariation(nn.Module):
    """Mean squared difference of neighbouring pixels, along both axes (Johnson 2016, 3.2)."""

    def forward(self, image: Tensor) -> Tensor:
        """Return (N,) for images (N, C, H, W)."""
        image = image if image.dtype == torch.float64 else image.float()
        down = (image[:, :, 1:] - image[:, :, :-1]).square().flatten(1).mean(1)
        right = (image[..., 1:] - image[..., :-1]).square().flatten(1).mean(1)
        return down + right


class ToneLoss(nn.Module):
    """Relative squared distance from the photograph's light and dark, in the painting's range.

    Features hardly tell a picture from its negative, or a pale one from a strong one: without this,
    faces come out darker than hair, and all behind a haze. Mean and deviation of the luminance are
    matched as Gatys et al. do ("Controlling Perceptual Factors in Neural Style Transfer", 2017,
    section 5.1), of tones coarsely seen; colours and texture are free.

    Parameters
    ----------
    cell : int
        Side in pixels of what is seen as one tone.
    """

    luminance: Tensor

    def __init__(self, cell: int = 8) -> None:
        super().__init__()
        self.cell = cell
        self.register_buffer("luminance", torch.tensor(REC_709)[:, None, None])

    def target(self, painting: Tensor) -> Tensor:
        """Return mean and deviation of the tones of paintings (N, 3, H, W), as (N, 2)."""
        tones = self._tones(painting)
        return torch.stack([tones.mean(1), tones.std(1).clamp_min(FAINT)], 1)

    def forward(self, image: Tensor, photo: Tensor, target: Tensor) -> Tensor:
        """Return (N,) for pictures (N, 3, H, W) in [0, 1] and targets (N, 2).

        A picture of the painting's mean tone everywhere has 1, if the photograph has contrasts.
        """
        found, given = self._tones(image), self._tones(photo)
        mean, deviation = target[:, :1], target[:, 1:]
        # A part of a sky must not be made as rich in contrasts as a painting is.
        gain = (deviation / given.std(1, keepdim=True).clamp_min(FAINT)).clamp(*GAINS)
        wanted = mean + gain * (given - given.mean(1, keepdim=True))
        return ((found - wanted) / deviation.clamp_min(PLAIN)).square().mean(1)

    def _tones(self, image: Tensor) -> Tensor:
        plain = (image.float() * self.luminance).sum(1, keepdim=True)
        return functional.avg_pool2d(plain, self.cell).flatten(1)


class WeaveLoss(nn.Module):
    """How much more regular texture is than a painting's: what a network weaves into plain parts.

    Lines a few pixels apart have Gram matrices like those of strokes, so features hardly object to
    them, and a small network makes them of anything. What tells them apart is that their power
    lies in few frequencies. That is measured by the entropy of local spectra (of order 2, Rényi,
    "On measures of entropy and information", 1961), each made white first, as the power of edges
    falls with the square of the frequency. What is less regular than the painting costs nothing.

    Parameters
    ----------
    window : int
        Side in pixels of the parts whose spectra are taken; they overlap by half.
    """

    shape: Tensor
    rise: Tensor
    band: Tensor

    def __init__(self, window: int = 32) -> None:
        super().__init__()
        self.window = window
        hann = torch.hann_window(window, periodic=False)
        down, right = torch.fft.fftfreq(window) * window, torch.fft.rfftfreq(window) * window
        rise = down[:, None].square() + right.square()
        # Waves of 2 to 8 pixels; what is longer are things.
        self.register_buffer("band", (rise >= (window / 8) ** 2) & (rise <= (window / 2) ** 2))
        self.register_buffer("shape", hann[:, None] * hann)
        self.register_buffer("rise", rise[self.band])

    def target(self, painting: Tensor) -> Tensor:
        """Return how regular paintings (N, 3, H, W) in [0, 1] are, (N, 1).

        What is too small for a spectrum forbids nothing.
        """
        if self._too_small(painting):
            return painting.new_full((len(painting), 1), torch.inf)
        return self._regularity(painting)[:, None]

    def forward(self, image: Tensor, target: Tensor) -> Tensor:
        """Return (N,) for pictures (N, 3, H, W) in [0, 1] and targets (N, 1)."""
        if self._too_small(image):
            return image.new_zeros(len(image))
        return (self._regularity(image) - target[:, 0]).clamp_min(0.0).square()

    def _too_small(self, image: Tensor) -> bool:
        return min(image.shape[2:]) < self.window

    def _regularity(self, image: Tensor) -> Tensor:
        """Return (N,): 0 if the power made white is the same at all frequencies.

        About log 2 for noise with the spectrum of edges, 0.9 for white noise, 4.5 for even lines.
        """
        image = image if image.dtype == torch.float64 else image.float()
        half = self.window // 2
        down, right = (-side % half for side in image.shape[2:])
        image = functional.pad(image, (0, right, 0, down), mode="reflect")
        power = torch.fft.rfft2(windowed(image, self.shape)).abs().square()[..., self.band]
        # As if there were noise of a step of 8 bits: in what is flat nothing is regular.
        power = (power + self.shape.square().sum() / 255**2) * self.rise
        share = power / power.sum(2, keepdim=True)
        found: Tensor = (share.square().sum(2) * share.shape[2]).log().mean(1)
        return found


@dataclass(frozen=True)
class Weights:
    """How much each term counts.

    Attributes
    ----------
    content, style, smooth, tone, weave : float
        Factors of the content loss, the style loss, the total variation, the tone loss and the
        weave loss.
    layers : dict of str to float
        Weights of the style layers among themselves.
    """

    content: float = 1.0
    style: float = 3.0
    smooth: float = 4.0
    tone: float = 0.5
    weave: float = 0.5
    layers: dict[str, float] = field(default_factory=lambda: dict.fromkeys(LAYERS, 1.0))


class PerceptualLoss(nn.Module):
    """The weighted sum, given the features of a loss network.

    Parameters
    ----------
    network : nn.Module
        From pictures (N, 3, H, W) in [0, 1] to a dict of features.
    weights : Weights
        How much each term counts.
    """

    def __init__(self, network: nn.Module, weights: Weights) -> None:
        super().__init__()
        self.network = network
        self.weights = weights
        self.content, self.style = ContentLoss(), GramLoss(weights.layers)
        self.smooth, self.tone, self.weave = TotalVariation(), ToneLoss(), WeaveLoss()

    @torch.no_grad()
    def style_target(self, painting: Tensor) -> dict[str, Tensor]:
        """Return what is wanted of paintings (N, 3, H, W).

        Gram matrices by layer, tones, and how regular they are at most.
        """
        grams = self.style.target(self.network(painting))
        own = {"tone": self.tone.target(painting), "weave": self.weave.target(painting)}
        return {**grams, **own}

    def forward(
        self,
        image: Tensor,
        photo: Tensor,
        target: Mapping[str, Tensor],
        content_scale: Tensor | float = 1.0,
        style_scale: Tensor | float = 1.0,
    ) -> dict[str, Tensor]:
        """Return the terms of `image` and their weighted sum, ``loss``, each a mean over N.

        Parameters
        ----------
        image, photo : Tensor
            (N, 3, H, W) in [0, 1]: the result, and what it should show.
        target : mapping of str to Tensor
            From `style_target`, one for each image.
        content_scale, style_scale : Tensor or float
            (N,), factors for each image on top of the weights.
        """
        with torch.no_grad():
            wanted = self.network(photo, until=self.content.layer)
        features = self.network(image)
        content, style = self.content(features, wanted), self.style(features, target)
        smooth = self.smooth(image)
        weighted = self.weights.content * content_scale * content
        weighted = weighted + self.weights.style * style_scale * style
        weighted = weighted + self.weights.smooth * smooth
        terms = {"content": content, "style": style, "smooth": smooth}
        if self.weights.tone:
            terms["tone"] = self.tone(image, photo, target["tone"])
            weighted = weighted + self.weights.tone * terms["tone"]
        if self.weights.weave:
            terms["weave"] = self.weave(image, target["weave"])
            weighted = weighted + self.weights.weave * terms["weave"]
        return {"loss": weighted.mean(), **{k: v.detach().mean() for k, v in terms.items()}}

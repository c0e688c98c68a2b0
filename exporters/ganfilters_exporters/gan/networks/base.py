"""What every generator is: a mapping from latent and class to w, and a synthesis from w.

A generator without a mapping network has one too: its w is the latent beside the embedding of the
class. So truncation, mixing and editing are the same for all, and so is the exported file.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganfilters.errors import UsageError

__all__ = [
    "NO_EXTRAS",
    "ClassHead",
    "Extras",
    "Generator",
    "Mapping",
    "NetworkConfig",
    "Norm",
    "Verdict",
    "base_of",
    "deviation",
    "normalised",
]

Norm = Literal["batch", "spectral", "none"]
"""What keeps a discriminator in bounds."""

LARGEST_BASE = 7
CLASS_FEATURES = 128


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of a generator and its discriminator.

    Attributes
    ----------
    arch : str
        ``"mlp"``, ``"dcgan"`` or ``"style"``.
    size, channels : int
        Of the pictures: side in pixels, and 1 or 3.
    classes : int
        0 for a network without classes.
    z : int
        Length of the latent.
    width : int
        Channels at full resolution (``style``), twice that (``dcgan``), or units of the smallest
        layer (``mlp``); deeper layers have more.
    embedding : int
        Length of the embedding of a class.
    mapping, w : int
        Layers and width of the mapping network; with no layers w is the latent and the embedding.
    modulation : str
        How w reaches the layers of ``style`` after the first: see :mod:`.style`.
    noise : bool
        Whether ``style`` adds noise to each layer.
    """

    arch: str
    size: int
    channels: int = 3
    classes: int = 0
    z: int = 128
    width: int = 64
    embedding: int = 32
    mapping: int = 0
    w: int = 256
    modulation: str = "none"
    noise: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON."""
        return asdict(self)


def base_of(size: int) -> tuple[int, int]:
    """Return the side that a convolutional generator starts from, and how often it doubles.

    Raises
    ------
    UsageError
        The size is not 4, 5, 6 or 7 times a power of two; names the nearest that are.
    """
    base, doublings = size, 0
    while base > LARGEST_BASE and base % 2 == 0:
        base, doublings = base // 2, doublings + 1
    if not 4 <= base <= LARGEST_BASE or not doublings:
        good = sorted(b << n for b in (4, 5, 6, 7) for n in range(1, 9))
        near = [max((s for s in good if s <= size), default=8), min(s for s in good if s >= size)]
        raise UsageError(f"no network for size {size}; the nearest sizes are {near[0]}, {near[1]}")
    return base, doublings


class Mapping(nn.Module):
    """Map (N, z) and class weights (N, classes) to w, (N, W).

    Parameters
    ----------
    config : NetworkConfig
        With `mapping` layers, normalised latents go through dense layers (Karras 2019) and a batch
        normalisation; with none, w is the latent beside the embedding.

    Notes
    -----
    The normalisation of w is not Karras': what w has in common for all latents draws one layout
    into the first layer, and landscapes differed in little but colour for hundreds of steps.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.embedding = None
        inputs = config.z
        if config.classes:
            self.embedding = nn.Linear(config.classes, config.embedding, bias=False)
            nn.init.normal_(self.embedding.weight)
            inputs += config.embedding
        self.layers = nn.ModuleList()
        for _ in range(config.mapping):
            self.layers.append(nn.Linear(inputs, config.w))
            inputs = config.w
        self.norm = nn.BatchNorm1d(config.w, affine=False) if config.mapping else None
        self.width = inputs

    def forward(self, z: Tensor, class_weights: Tensor | None = None) -> Tensor:
        """See the class."""
        if self.layers:
            z = z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)
        if self.embedding is not None:
            if class_weights is None:
                raise ValueError("a conditional generator needs class weights")
            z = torch.cat([z, self.embedding(class_weights)], 1)
        for layer in self.layers:
            z = functional.leaky_relu(layer(z), 0.2) * 2**0.5
        return z if self.norm is None else self.norm(z)


class Generator(nn.Module):
    """A mapping and a synthesis; subclasses write `synthesis` and `first_weight`.

    Attributes
    ----------
    config : NetworkConfig
        Its sizes.
    layers : int
        How many parts of the synthesis take a w of their own, for mixing.
    noise_sides : tuple of int
        Side of the noise of each layer that adds some.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.mapping = Mapping(config)
        self.layers = 1
        self.noise_sides: tuple[int, ...] = ()

    @property
    def noise_size(self) -> int:
        """Numbers of noise for one picture, over all layers."""
        return sum(side * side for side in self.noise_sides)

    def forward(
        self,
        z: Tensor,
        class_weights: Tensor | None = None,
        noise: Tensor | None = None,
        other_z: Tensor | None = None,
        crossover: int = 0,
    ) -> Tensor:
        """Generate pictures (N, C, H, W) in [-1, 1].

        Parameters
        ----------
        z : Tensor
            (N, z), of a standard normal distribution.
        class_weights : Tensor, optional
            (N, classes), for a conditional network.
        noise : Tensor, optional
            (N, noise_size); none without.
        other_z : Tensor, optional
            The latents of the layers from `crossover` on (style mixing).
        crossover : int
            A layer.
        """
        w = self.mapping(z, class_weights)[:, None].expand(-1, self.layers, -1)
        if other_z is not None:
            other = self.mapping(other_z, class_weights)[:, None]
            later = torch.arange(self.layers, device=z.device) >= crossover
            w = torch.where(later[None, :, None], other, w)
        return self.synthesis(w, noise)

    def synthesis(self, w: Tensor, noise: Tensor | None = None) -> Tensor:
        """Generate pictures in [-1, 1] from w, (N, layers, W), and noise (N, noise_size)."""
        raise NotImplementedError

    def first_weight(self) -> Tensor:
        """Return the matrix that w meets first, (outputs, W)."""
        raise NotImplementedError


def normalised(module: nn.Module, norm: Norm) -> nn.Module:
    """Return a convolution or dense layer, spectrally normalised if that is asked for."""
    if norm == "spectral":
        return nn.utils.parametrizations.spectral_norm(module)
    return module


class Verdict(NamedTuple):
    """What a discriminator says of pictures.

    Attributes
    ----------
    scores : Tensor
        (N, scores): one for each picture, or for each patch and head.
    logits : Tensor or None
        (N, classes), which class the picture shows, of a discriminator that tells.
    """

    scores: Tensor
    logits: Tensor | None = None


@dataclass(frozen=True)
class Extras:
    """What a discriminator does besides scoring pictures one by one.

    Attributes
    ----------
    tells : bool
        It tells the class (Odena et al. 2017, the auxiliary classifier).
    compares : bool
        It sees how much the pictures of a batch differ (Karras et al. 2018, section 3), those of a
        class among themselves: a class that collapses is seen at once.
    """

    tells: bool = False
    compares: bool = False


NO_EXTRAS = Extras()


def deviation(features: Tensor, class_weights: Tensor | None) -> Tensor:
    """Return the mean deviation of features among pictures of the same class, (N, 1).

    Parameters
    ----------
    features : Tensor
        (N, features).
    class_weights : Tensor or None
        (N, classes); None takes all for one class.
    """
    count = len(features)
    same = features.new_ones(count, count)
    if class_weights is not None:
        same = class_weights @ class_weights.T
    same = same / same.sum(1, keepdim=True)
    centre = same @ features
    variance = (same @ features.square() - centre.square()).relu()
    return (variance + 1e-8).sqrt().mean(1, keepdim=True)


class ClassHead(nn.Module):
    """Features to a verdict; with classes, a projection discriminator (Miyato and Koyama 2018).

    Parameters
    ----------
    features : int
        Length of the features.
    classes : int
        0 for none.
    norm : str
        ``"spectral"`` normalises the weights.
    extras : Extras
        What it does besides.
    """

    def __init__(self, features: int, classes: int, norm: Norm, extras: Extras) -> None:
        super().__init__()
        self.compares = extras.compares
        features += self.compares
        self.classify = nn.Linear(features, classes) if extras.tells else None
        self.score = normalised(nn.Linear(features, 1), norm)
        self.project = self.embedding = None
        if classes:
            self.project = normalised(nn.Linear(features, CLASS_FEATURES), norm)
            self.embedding = nn.Linear(classes, CLASS_FEATURES, bias=False)
            nn.init.normal_(self.embedding.weight)

    def forward(self, features: Tensor, class_weights: Tensor | None) -> Verdict:
        """Map (N, features) and (N, classes) to scores (N, 1), and to logits if it tells."""
        if self.compares:
            features = torch.cat([features, deviation(features, class_weights)], 1)
        score: Tensor = self.score(features)
        if self.project is not None and self.embedding is not None:
            match = self.project(features) * self.embedding(class_weights)
            score = score + match.sum(1, keepdim=True) / CLASS_FEATURES**0.5
        return Verdict(score, None if self.classify is None else self.classify(features))

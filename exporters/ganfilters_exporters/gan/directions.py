"""Directions in the space of w to edit along, found without labels.

With a mapping network: the principal components of w (GANSpace, Härkönen et al. 2020). Without one
w is noise, of which all directions are alike; there the directions are the ones that change the
first layer most, the right singular vectors of its weights (SeFa, Shen and Zhou 2021). Classes are
taken out of both: of w its mean for the class, of the weights the columns of the embedding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .networks import Generator

__all__ = ["Directions", "find_directions", "mean_w"]

MEAN_OF = 4096
"""Latents that means and components are measured on, for each class at most."""


@dataclass(frozen=True)
class Directions:
    """Directions of length 1, the strongest first.

    Attributes
    ----------
    method : str
        ``"ganspace"`` or ``"sefa"``.
    vectors : Tensor
        (count, W).
    deviations : Tensor
        (count,), the deviation of w along each: a natural unit to edit by.
    """

    method: str
    vectors: Tensor
    deviations: Tensor

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON, for the card."""
        return {
            "method": self.method,
            "names": [f"pc{number}" for number in range(1, len(self.vectors) + 1)],
            "deviations": _rounded(self.deviations),
            "vectors": [_rounded(vector) for vector in self.vectors],
        }


def _rounded(values: Tensor) -> list[float]:
    return [round(float(value), 6) for value in values]


@torch.no_grad()
def _many_w(generator: Generator) -> list[Tensor]:
    """Return w of many latents for each class, (N, W)."""
    config = generator.config
    random = torch.Generator().manual_seed(0)
    classes = max(1, config.classes)
    count = max(256, MEAN_OF // classes)
    found = []
    for number in range(classes):
        z = torch.randn(count, config.z, generator=random)
        weights = torch.eye(classes)[number].expand(count, -1) if config.classes else None
        found.append(generator.mapping(z, weights))
    return found


@torch.no_grad()
def mean_w(generator: Generator) -> Tensor:
    """Return the mean w of each class, (max(classes, 1), W): where truncation leads to."""
    config = generator.config
    if config.mapping:
        return torch.stack([w.mean(0) for w in _many_w(generator)])
    weights = torch.eye(config.classes) if config.classes else None
    mean: Tensor = generator.mapping(torch.zeros(max(1, config.classes), config.z), weights)
    return mean


@torch.no_grad()
def find_directions(generator: Generator, count: int = 10) -> Directions:
    """Find directions; at most as many as the latent is long."""
    config = generator.config
    count = min(count, config.z)
    if config.mapping:
        centred = torch.cat([w - w.mean(0) for w in _many_w(generator)])
        _, deviations, vectors = torch.linalg.svd(
            centred.T @ centred / len(centred), full_matrices=False
        )
        return Directions("ganspace", _signed(vectors[:count]), deviations[:count].sqrt())
    weight = generator.first_weight()[:, : config.z]
    _, _, vectors = torch.linalg.svd(weight.T @ weight)
    rest = generator.mapping.width - config.z
    whole = torch.cat([vectors[:count], vectors.new_zeros(count, rest)], 1)
    return Directions("sefa", _signed(whole), torch.ones(count))


def _signed(vectors: Tensor) -> Tensor:
    """Turn each vector so that its largest entry is positive: the same on every machine."""
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return vectors * largest.sign()

"""How near a set of generated pictures is to a set of real ones, by their features.

All take features (N, D) and (M, D); none knows what network they come from. Distances on other
features than Inception's cannot be compared with published ones, only with one another.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = [
    "frechet_distance",
    "kernel_distance",
    "nearest",
    "precision_recall_density_coverage",
]

CHUNK = 1024


def frechet_distance(real: Tensor, fake: Tensor) -> float:
    """Return the Frechet distance of two normal distributions fitted to the features.

    Source: Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule".
    """
    real, fake = real.double(), fake.double()
    means = real.mean(0) - fake.mean(0)
    first, second = torch.cov(real.T), torch.cov(fake.T)
    # tr((AB)^1/2) = tr((A^1/2 B A^1/2)^1/2), whose argument is symmetric: no complex roots.
    values, vectors = torch.linalg.eigh(first)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    crossed = torch.linalg.eigvalsh(root @ second @ root).clamp(min=0).sqrt().sum()
    return float(means @ means + first.trace() + second.trace() - 2 * crossed)


def kernel_distance(
    real: Tensor, fake: Tensor, *, subsets: int = 50, size: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Return the unbiased squared MMD with a cubic polynomial kernel: mean and error over subsets.

    Source: Binkowski et al. 2018, "Demystifying MMD GANs".
    """
    generator = torch.Generator().manual_seed(seed)
    size = min(size, len(real), len(fake))
    found = []
    for _ in range(subsets):
        x = real[torch.randperm(len(real), generator=generator)[:size]].double()
        y = fake[torch.randperm(len(fake), generator=generator)[:size]].double()
        same = sum((k.sum() - k.trace()) for k in (_kernel(x, x), _kernel(y, y)))
        found.append(same / (size * (size - 1)) - 2 * _kernel(x, y).mean())
    values = torch.stack(found)
    return float(values.mean()), float(values.std(correction=min(1, subsets - 1))) / subsets**0.5


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3


def nearest(
    queries: Tensor, base: Tensor, k: int = 1, *, itself: bool = False
) -> tuple[Tensor, Tensor]:
    """Return distance and number of the k nearest of `base`, (N, k) each, the nearest first.

    With `itself`, `queries` are `base`, and none is a neighbour of its own.
    """
    distances, numbers = [], []
    for start in range(0, len(queries), CHUNK):
        part = queries[start : start + CHUNK]
        between = torch.cdist(part, base)
        if itself:
            rows = torch.arange(len(part))
            between[rows, start + rows] = torch.inf
        found = between.topk(k, largest=False)
        distances.append(found.values)
        numbers.append(found.indices)
    return torch.cat(distances), torch.cat(numbers)


def precision_recall_density_coverage(real: Tensor, fake: Tensor, k: int = 5) -> dict[str, float]:
    """Return the four by their names.

    Precision is the share of generated pictures within reach of a real one, recall the share of
    real ones within reach of a generated one (Kynkäänniemi et al. 2019); reach is the distance of
    a picture to its k-th neighbour of its own kind. Density counts how many real reaches a
    generated picture lies in; coverage is the share of real pictures with a generated one within
    their reach (Naeem et al. 2020): both suffer less from outliers.
    """
    real_reach = nearest(real, real, k, itself=True)[0][:, -1]
    fake_reach = nearest(fake, fake, k, itself=True)[0][:, -1]
    counts, recalled, closest = [], [], []
    for start in range(0, len(fake), CHUNK):
        between = torch.cdist(fake[start : start + CHUNK], real)
        counts.append((between < real_reach).sum(1))
        recalled.append((between < fake_reach[start : start + CHUNK, None]).any(0))
        closest.append(between.min(0).values)
    inside = torch.cat(counts).float()
    return {
        "precision": float((inside > 0).float().mean()),
        "recall": float(torch.stack(recalled).any(0).float().mean()),
        "density": float(inside.mean() / k),
        "coverage": float((torch.stack(closest).min(0).values < real_reach).float().mean()),
    }

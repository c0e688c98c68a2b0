"""Moving painted pictures towards a painting's colours, as the filter does with what it painted.

Features see differences of colours and hardly the colours, and a photograph has not those of the
painting: a small network that is to keep what it shows settles on one hue. What lacks is a linear
map of the colours, found for each picture from its own: no network need learn it, and one that is
trained with it in place can spend itself on strokes.

Source: Pitié and Kokaram, "The linear Monge-Kantorovitch linear colour mapping for example-based
colour transfer" (2007); the same as ``ganfilters_style.colour``.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["mean_and_covariance", "towards"]

GAINS = (1 / 3, 3.0)
"""How far differences of colours are stretched, or a plain sky would become a rainbow."""
FLOOR = 1e-6
"""Variance added to that of a picture, so that one of a single colour has an inverse."""


def mean_and_covariance(images: Tensor) -> Tensor:
    """Return those of colours: (N, 3, H, W) to (N, 4, 3), the mean first; on the CPU, in float64.

    `FLOOR` is added to the variances.
    """
    flat = images.detach().flatten(2).double()
    mean = flat.mean(2)
    centred = flat - mean[..., None]
    covariance = centred @ centred.transpose(1, 2) / flat.shape[2]
    # Matrices of three by three are too small to wait for a GPU's solver.
    found = torch.cat([mean[:, None], covariance], 1).cpu()
    found[:, 1:] += FLOOR * torch.eye(3, dtype=found.dtype)
    return found


def towards(images: Tensor, wanted: Tensor, share: float) -> Tensor:
    """Return pictures part of the way to other colours; gradients see the map as given.

    Parameters
    ----------
    images : Tensor
        (N, 3, H, W) in [0, 1].
    wanted : Tensor
        (N, 4, 3), from `mean_and_covariance`.
    share : float
        How far, from 0 to 1, where mean and covariance are the wanted ones unless that would
        stretch differences more or less than `GAINS`.

    Returns
    -------
    Tensor
        (N, 3, H, W) in [0, 1]. The pictures themselves if `share` is 0 or they are not finite,
        which is for the loss to tell of.
    """
    found = mean_and_covariance(images)
    if not share or not torch.isfinite(found).all():
        return images
    values, vectors = torch.linalg.eigh(found[:, 1:])
    root, inverse = (_put(values.clamp_min(1e-12) ** half, vectors) for half in (0.5, -0.5))
    values, vectors = torch.linalg.eigh(root @ wanted[:, 1:].to(root) @ root)
    linear = inverse @ _put(values.clamp_min(1e-12) ** 0.5, vectors) @ inverse
    values, vectors = torch.linalg.eigh(linear)
    linear = _put(values.clamp(*GAINS), vectors)
    shift = wanted[:, 0].to(root) - (linear @ found[:, 0, :, None])[..., 0]
    linear = torch.lerp(torch.eye(3).to(linear).expand_as(linear), linear, share)
    with torch.autocast(images.device.type, enabled=False):
        moved = torch.einsum("nij,njhw->nihw", linear.to(images.device).float(), images.float())
        offset = (share * shift).to(images.device).float()
        return (moved + offset[..., None, None]).clamp(0, 1)


def _put(values: Tensor, vectors: Tensor) -> Tensor:
    """Return symmetric matrices with these eigenvalues, (N, 3), and eigenvectors, (N, 3, 3)."""
    result: Tensor = (vectors * values[:, None]) @ vectors.transpose(1, 2)
    return result

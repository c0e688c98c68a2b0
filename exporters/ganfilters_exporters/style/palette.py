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

__all__ = ["colour_moments", "towards"]

LARGEST_GAIN = 3.0
"""How far differences of colours are stretched at most, or a plain sky would become a rainbow."""
FLOOR = 1e-6
"""Variance added to that of a picture, so that one of a single colour has an inverse."""


def colour_moments(images: Tensor) -> Tensor:
    """Return means and covariances of colours: (N, 3, H, W) to (N, 4, 3), the mean first."""
    flat = images.detach().flatten(2).double()
    mean = flat.mean(2)
    centred = flat - mean[..., None]
    covariance = centred @ centred.transpose(1, 2) / flat.shape[2]
    return torch.cat([mean[:, None], covariance + FLOOR * torch.eye(3).to(covariance)], 1)


def towards(images: Tensor, wanted: Tensor, share: float) -> Tensor:
    """Return pictures part of the way to other colours; gradients see the map as given.

    Parameters
    ----------
    images : Tensor
        (N, 3, H, W) in [0, 1].
    wanted : Tensor
        (N, 4, 3), from `colour_moments`.
    share : float
        How far, from 0 to 1, where mean and covariance are the wanted ones unless they would
        stretch differences more than `LARGEST_GAIN`.
    """
    if not share:
        return images
    found = colour_moments(images)
    root, inverse = _power(found[:, 1:], 0.5), _power(found[:, 1:], -0.5)
    linear = inverse @ _power(root @ wanted[:, 1:] @ root, 0.5) @ inverse
    linear = _power(linear, 1.0, largest=LARGEST_GAIN)
    shift = wanted[:, 0] - (linear @ found[:, 0, :, None])[..., 0]
    identity = torch.eye(3).to(linear)
    linear, shift = torch.lerp(identity.expand_as(linear), linear, share), share * shift
    with torch.autocast(images.device.type, enabled=False):
        moved = torch.einsum("nij,njhw->nihw", linear.float(), images.float())
        return (moved + shift.float()[..., None, None]).clamp(0, 1)


def _power(matrices: Tensor, exponent: float, largest: float = torch.inf) -> Tensor:
    """Return a power of symmetric positive matrices, (N, 3, 3), no eigenvalue over `largest`."""
    # On the CPU: three by three are too small to wait for a GPU's solver.
    values, vectors = torch.linalg.eigh(matrices.cpu())
    powers = values.clamp_min(1e-12).pow(exponent).clamp_max(largest)
    result: Tensor = (vectors * powers[:, None]) @ vectors.transpose(1, 2)
    return result.to(matrices.device)

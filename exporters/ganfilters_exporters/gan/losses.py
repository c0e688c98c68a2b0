"""The games that generator and discriminator play, and penalties on the discriminator's gradient.

A loss takes scores of any shape: one for each picture, or for each patch and head.

| name | source |
|---|---|
| `minimax` | Goodfellow et al. 2014, equation 1: the Jensen-Shannon game; its generator saturates |
| `nonsaturating` | Goodfellow et al. 2014, section 3: the generator lowers -log D |
| `lsgan` | Mao et al. 2017, equation 9, with targets 1 for real, 0 for generated |
| `hinge` | Lim and Ye 2017; Miyato et al. 2018 |
| `wgan-gp` | Gulrajani et al. 2017: Wasserstein distance, gradient penalty, 5 critic steps |
| R1 | Mescheder et al. 2018, equation 9; lazily: Karras et al. 2020, section 3.1 |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

__all__ = ["LOSSES", "GanLoss", "gradient_penalty", "r1_penalty"]


@dataclass(frozen=True)
class GanLoss:
    """A game.

    Attributes
    ----------
    discriminator : callable
        Takes the scores of real and of generated pictures; returns what the discriminator lowers.
    generator : callable
        Takes the scores of generated pictures; returns what the generator lowers.
    critic_steps : int
        Steps of the discriminator for one of the generator, in the paper.
    penalty : float
        Weight of `gradient_penalty`; 0 for none.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]
    critic_steps: int = 1
    penalty: float = 0.0


def _cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """Return -log D(real) - log(1 - D(fake)), D being the sigmoid of a score."""
    return softplus(-real).mean() + softplus(fake).mean()


LOSSES: dict[str, GanLoss] = {
    "minimax": GanLoss(_cross_entropy, lambda fake: -softplus(fake).mean()),
    "nonsaturating": GanLoss(_cross_entropy, lambda fake: softplus(-fake).mean()),
    "lsgan": GanLoss(
        lambda real, fake: 0.5 * ((real - 1).square().mean() + fake.square().mean()),
        lambda fake: 0.5 * (fake - 1).square().mean(),
    ),
    "hinge": GanLoss(
        lambda real, fake: relu(1 - real).mean() + relu(1 + fake).mean(),
        lambda fake: -fake.mean(),
    ),
    "wgan-gp": GanLoss(
        lambda real, fake: fake.mean() - real.mean(),
        lambda fake: -fake.mean(),
        critic_steps=5,
        penalty=10.0,
    ),
}
"""Games by ``--loss``."""


def r1_penalty(score: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """Return half the mean squared norm of the gradient of the scores of real pictures."""
    return 0.5 * _gradient(score, real).square().sum(1).mean()


def gradient_penalty(
    score: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, share: Tensor
) -> Tensor:
    """Return the mean of (norm of the gradient - 1)^2 between real and generated pictures.

    Parameters
    ----------
    score : callable
        The critic, of pictures (N, C, H, W).
    real, fake : Tensor
        Pictures.
    share : Tensor
        (N,), how much of the real one each picture in between has; uniform in [0, 1].
    """
    share = share[:, None, None, None]
    between = share * real + (1 - share) * fake
    # The root has no gradient at zero.
    norm = (_gradient(score, between).square().sum(1) + 1e-12).sqrt()
    return (norm - 1).square().mean()


def _gradient(score: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Return the gradient of each picture's summed scores, (N, pixels), itself differentiable."""
    images = images.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(score(images).sum(), images, create_graph=True)
    return gradient.flatten(1)

"""What both kinds of training share: the configuration, photographs, the game, decibels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..data import Pictures
from ..gan.adversarial import GanConfig
from ..task import Task

__all__ = ["RestoringConfig", "cuts", "game", "psnr"]


@dataclass(frozen=True, kw_only=True)
class RestoringConfig:
    """What is said of either training.

    Attributes
    ----------
    size : int
        Side of the photographs in pixels.
    batch : int
        Photographs in a step.
    rate : float
        Learning rate of Adam.
    adversarial : float
        Weight of the game; 0 for none.
    features : float
        Weight of the distance of the discriminator's own frozen features, which see far.
    loss : str
        A key of :data:`..gan.losses.LOSSES`.
    zoom : tuple of float
        Cuts of the photographs, as shares of their side.
    average : float
        Decay of the average of the weights.
    seed : int
        Seed of the run.
    """

    size: int
    batch: int = 8
    rate: float
    adversarial: float
    features: float
    loss: str = "hinge"
    zoom: tuple[float, float] = (0.5, 1.0)
    average: float
    seed: int = 0


def game(config: RestoringConfig) -> GanConfig:
    """Return what the adversarial part of training needs to know.

    Nothing is augmented: real and fake are the same picture, so there is no set to learn by heart,
    and what colours fit together is to be judged. There is no R1, as batch norms in the projected
    discriminator's heads mix the pictures whose gradients it would penalise one by one.
    """
    return GanConfig(
        loss=config.loss, discriminator="projected", norm="spectral", batch=config.batch,
        rate=config.rate, betas=(0.0, 0.99), ema=config.average, augment=(), seed=config.seed,
    )  # fmt: skip


def cuts(pictures: Pictures, config: RestoringConfig, step: int, task: Task) -> Tensor:
    """Return the photographs of a step, (batch, 3, size, size) in [0, 1]."""
    a = task.accelerator
    images, _ = pictures.batch(
        step, config.batch, config.size, config.seed, device=task.device, zoom=config.zoom,
        process=a.process_index, processes=a.num_processes,
    )  # fmt: skip
    return images


def psnr(found: Tensor, wanted: Tensor, where: Tensor | None = None) -> Tensor:
    """Return the mean signal-to-noise ratio in decibels, of the pixels in `where` alone."""
    errors = (found.detach().float().clamp(0, 1) - wanted).square()
    where = torch.ones_like(errors[:, :1]) if where is None else where
    mean = (errors.mean(1, keepdim=True) * where).sum((1, 2, 3)) / where.sum((1, 2, 3)).clamp(min=1)
    return -10 * (mean + 1e-10).log10().mean()

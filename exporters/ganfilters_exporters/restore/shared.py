"""What steps of both kinds of training begin and end with: photographs, the game, decibels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..data import Pictures
from ..gan.adversarial import GanConfig
from ..task import Task

__all__ = ["cuts", "game", "psnr"]


def game(config: Any) -> GanConfig:
    """Return what the adversarial part of training needs to know.

    Nothing is augmented: real and fake are the same picture, so there is no set to learn by heart,
    and what colours fit together is to be judged.
    """
    return GanConfig(
        loss=config.loss, discriminator="projected", norm="spectral", batch=config.batch,
        rate=config.rate, betas=(0.0, 0.99), ema=config.average, r1=config.r1, augment=(),
        seed=config.seed,
    )  # fmt: skip


def cuts(pictures: Pictures, config: Any, step: int, task: Task) -> Tensor:
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

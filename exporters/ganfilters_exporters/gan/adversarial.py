"""What tasks with a discriminator share: how they are trained, and the update of both networks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..task import Average, Task
from .augment import augment
from .discriminators import LiteFeatures
from .losses import LOSSES, gradient_penalty, r1_penalty
from .networks import Verdict

__all__ = ["Adversarial", "GanConfig"]


@dataclass(frozen=True)
class GanConfig:
    """How networks are trained against each other.

    Attributes
    ----------
    loss : str
        A key of :data:`.losses.LOSSES`.
    discriminator : str
        ``"plain"`` or ``"projected"``.
    norm : str
        Of a plain discriminator: ``"batch"``, ``"spectral"`` or ``"none"``.
    batch : int
        Pictures in a step.
    rate : float
        Learning rate of both.
    betas : tuple of float
        Adam's.
    ema : float
        Decay of the average of the generator's weights.
    critic_steps : int
        Steps of the discriminator for one of the generator.
    head_start : int or None
        Steps at the beginning in which the discriminator learns alone: of a generator that is
        trained already, one that knows nothing would only spoil it. By default as many as are good.
    r1 : float
        Weight of R1; 0 for none.
    r1_every : int
        R1 is applied at every so many steps, that many times as strong.
    augment : tuple of str
        Differentiable augmentations.
    augment_strength : float
        1 for the paper's ranges.
    mixing : float
        Share of steps with style mixing, for networks with several layers.
    auxiliary : float
        Weight of telling the class: the discriminator learns it from real pictures, the generator
        that its own are told right (Odena et al. 2017).
    diversity : float
        Weight of the mode-seeking term.
    minibatch_std : bool
        Whether a plain discriminator sees how much the pictures of a class differ in a batch.
    perceptual : float
        Weight of a term on pretrained features.
    reconstruction : str
        ``"L1"`` or ``"L2"``, for pairs.
    reconstruction_weight : float
        Its weight.
    feature_side : int
        Side of the pictures that pretrained features are taken of.
    zoom : float
        Smallest side of a random cut, as a share of the picture's.
    flip : bool
        Mirror half of the pictures.
    seed : int
        Seed of the run.
    """

    loss: str = "nonsaturating"
    discriminator: str = "plain"
    norm: str = "batch"
    batch: int = 64
    rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    ema: float = 0.999
    critic_steps: int = 1
    head_start: int | None = None
    r1: float = 0.0
    r1_every: int = 16
    augment: tuple[str, ...] = ("color", "translation", "cutout")
    augment_strength: float = 1.0
    mixing: float = 0.5
    auxiliary: float = 0.0
    diversity: float = 0.0
    minibatch_std: bool = False
    perceptual: float = 0.0
    reconstruction: str = "L1"
    reconstruction_weight: float = 100.0
    feature_side: int = 128
    zoom: float = 1.0
    flip: bool = False
    seed: int = 0


class Adversarial(Task):
    """What generation and translation share: networks, optimisers, and the two updates.

    Parameters
    ----------
    config : GanConfig
        How to train.
    generator, discriminator : nn.Module
        The networks.
    features : LiteFeatures, optional
        Pretrained features, for the projected discriminator and the perceptual term.
    """

    def __init__(
        self,
        config: GanConfig,
        generator: nn.Module,
        discriminator: nn.Module,
        features: LiteFeatures | None = None,
    ) -> None:
        super().__init__()
        self.config, self.loss = config, LOSSES[config.loss]
        self.modules |= {"generator": generator, "discriminator": discriminator}
        for name, module in self.modules.items():
            weights = [p for p in module.parameters() if p.requires_grad]
            self.optimizers[name] = torch.optim.Adam(weights, config.rate, betas=config.betas)
        self.averages["generator"] = Average(generator, config.ema)
        if features is not None:
            self.frozen["features"] = features
        self.batch_images = config.batch * config.critic_steps

    def learning(self, step: int) -> bool:
        """Return whether the generator learns in this step: not in the discriminator's start."""
        return step >= (self.config.head_start or 0)

    def judge(self, images: Tensor, condition: Tensor | None) -> Verdict:
        """Judge pictures in [-1, 1]; the condition is class weights, or what a pair begins from."""
        projected = self.config.discriminator == "projected"
        seen = self.frozen["features"](images) if projected else images
        scores, logits = self.modules["discriminator"](seen, condition)
        return Verdict(scores.float(), None if logits is None else logits.float())

    def score(self, images: Tensor, condition: Tensor | None) -> Tensor:
        """Return the scores of pictures."""
        return self.judge(images, condition).scores

    def train_discriminator(
        self,
        real: Tensor,
        fake: Tensor,
        condition: Tensor | None,
        step: int,
        fake_condition: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Update the discriminator; no gradient reaches what made `fake`.

        `fake_condition` is that of the generated pictures, where it is another one.
        """
        config = self.config
        real, fake = self.seen(real), self.seen(fake.detach())
        if fake_condition is None:
            fake_condition = condition
        with self.autocast():
            real_score, logits = self.judge(real, condition)
            fake_score, _ = self.judge(fake, fake_condition)
        loss = self.loss.discriminator(real_score, fake_score)
        scalars = {
            "discriminator": loss,
            "real_score": real_score.mean(),
            "fake_score": fake_score.mean(),
        }
        total = loss
        if logits is not None:
            # Of generated pictures nothing is learned: their class is what is in question.
            telling = functional.cross_entropy(logits, condition)  # type: ignore[arg-type]
            scalars["telling"] = telling
            total = total + self.config.auxiliary * telling

        def plain_score(images: Tensor) -> Tensor:
            return self.score(images, condition)

        if self.loss.penalty:
            share = torch.rand(len(real), device=real.device)
            penalty = gradient_penalty(plain_score, real, fake, share)
            scalars["penalty"] = penalty
            total = total + self.loss.penalty * penalty
        if config.r1 and step % config.r1_every == 0:
            total = total + config.r1 * config.r1_every * r1_penalty(plain_score, real)
        self.update("discriminator", total)
        return scalars

    def seen(self, images: Tensor) -> Tensor:
        """Return pictures as the discriminator sees them."""
        return augment(images, self.config.augment, self.config.augment_strength)

    @contextlib.contextmanager
    def judge_fixed(self) -> Iterator[None]:
        """Keep gradients from the discriminator's weights: the generator's update drops them."""
        weights = [p for p in self.modules["discriminator"].parameters() if p.requires_grad]
        alone = self.accelerator.num_processes == 1  # what wraps several GPUs expects gradients
        for weight in weights:
            weight.requires_grad_(not alone)
        try:
            yield
        finally:
            for weight in weights:
                weight.requires_grad_(True)

    def identity(self) -> dict[str, Any]:
        """Return the networks and the game."""
        keep = ("loss", "discriminator", "norm", "batch", "critic_steps", "feature_side")
        values = asdict(self.config)
        # Said only where it is so: runs of before these were there go on.
        extras = {key: True for key in ("auxiliary", "minibatch_std") if values[key]}
        return {key: values[key] for key in keep} | extras

"""What a step of GAN training is, for generation and for pairs; the loop is :mod:`..trainer`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganfilters.errors import UsageError

from ..data import Pictures, apply_crops, draw_crops
from ..task import seed_of
from .adversarial import Adversarial, GanConfig
from .collapse import CollapseAlarm, diversity
from .discriminators import LiteFeatures
from .modeseeking import ModeSeeking, paired
from .networks import Generator, NetworkConfig, Translator
from .perceptual import feature_matching, perceptual_distance
from .standing import settle

__all__ = ["Adversarial", "GanConfig", "Generation", "Translation"]

CHECK_PICTURES = 512
"""Pictures that diversity is measured on."""

RECONSTRUCTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "L1": functional.l1_loss,
    "L2": functional.mse_loss,
}


@dataclass(frozen=True)
class Batch:
    """Pictures (critic steps, N, C, H, W) in [-1, 1] and class weights (critic steps, N, K)."""

    images: Tensor
    class_weights: Tensor | None = None


class Generation(Adversarial):
    """Pictures from noise, and from a class if the data has labels and the network takes them.

    Parameters
    ----------
    config : GanConfig
        How to train.
    pictures : Pictures
        The data.
    generator, discriminator : nn.Module
        The networks.
    features : LiteFeatures, optional
        Pretrained features.
    """

    def __init__(
        self,
        config: GanConfig,
        pictures: Pictures,
        generator: Generator,
        discriminator: nn.Module,
        features: LiteFeatures | None = None,
    ) -> None:
        super().__init__(config, generator, discriminator, features)
        self.network: NetworkConfig = generator.config
        self.pictures = pictures
        self.layers, self.noise_size = generator.layers, generator.noise_size
        classes = self.network.classes
        varied = self._data_diversity()
        if not bool((varied > 0).any()):
            each = "two different pictures of a class" if classes else "two different pictures"
            raise UsageError(f"the data has no {each}; there is nothing to generate")
        self.alarm = CollapseAlarm(varied, pictures.classes if classes else ())

    def setup(self) -> None:
        """Put the data on the device if it fits."""
        self.pictures = self.pictures.to(self.device)
        if self.config.diversity:
            self.seeking = self._mode_seeking()

    def _mode_seeking(self) -> ModeSeeking:
        images, labels = self._some_data()
        images = functional.interpolate(images, self.network.size, mode="area")
        projected = self.config.discriminator == "projected"

        def look(seen: Tensor) -> Sequence[Tensor]:
            found: Sequence[Tensor] = self.frozen["features"](seen) if projected else [seen]
            return found

        return ModeSeeking(look, images.to(self.device) * 2 - 1, labels, self.network.classes)

    def _data_diversity(self) -> Tensor:
        return diversity(*self._some_data(), self.network.classes)

    def _some_data(self) -> tuple[Tensor, Tensor | None]:
        """Return pictures of the data in [0, 1] and, of a conditional network, their labels."""
        count = min(len(self.pictures), max(CHECK_PICTURES, 64 * self.network.classes))
        chosen = torch.randperm(len(self.pictures), generator=torch.Generator().manual_seed(0))
        chosen = chosen[:count]
        images = self.pictures.pixels[chosen].permute(0, 3, 1, 2).float() / 255
        labels = self.pictures.labels
        some = labels[chosen] if labels is not None and self.network.classes else None
        return images, some

    def one_hot(self, labels: Tensor) -> Tensor:
        """Return class weights (N, classes)."""
        return functional.one_hot(labels, self.network.classes).float()

    def batch(self, step: int) -> Batch:
        """Return real pictures for each step of the discriminator."""
        config, size = self.config, self.network.size
        many = config.batch * config.critic_steps
        images, labels = self.pictures.batch(
            step,
            many,
            size,
            config.seed,
            device=self.device,
            zoom=(config.zoom, 1.0),
            flip=config.flip,
            process=self.accelerator.process_index,
            processes=self.accelerator.num_processes,
        )
        shape = (config.critic_steps, config.batch)
        weights = None
        if self.network.classes and labels is not None:
            weights = torch.unflatten(self.one_hot(labels), 0, shape)
        return Batch(torch.unflatten(images * 2 - 1, 0, shape), weights)

    def generate(self, class_weights: Tensor | None, count: int) -> Tensor:
        """Generate pictures in [-1, 1] from new noise, with style mixing now and then."""
        device = self.device
        z = torch.randn(count, self.network.z, device=device)
        noise = torch.randn(count, self.noise_size, device=device) if self.noise_size else None
        other, crossover = None, 0
        if self.layers > 1 and float(torch.rand(())) < self.config.mixing:
            other = torch.randn_like(z)
            crossover = int(torch.randint(1, self.layers, ()))
        images: Tensor = self.modules["generator"](z, class_weights, noise, other, crossover)
        return images

    def step(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Update the discriminator, some times, and the generator, once."""
        count = self.config.batch
        scalars: dict[str, Tensor] = {}
        for number, real in enumerate(batch.images):
            weights = None if batch.class_weights is None else batch.class_weights[number]
            # The last pictures are the generator's own update's too: on a CPU making them is most
            # of a step.
            last = number == len(batch.images) - 1 and self.learning(step)
            wanted = paired(weights) if self.config.diversity else weights
            with torch.set_grad_enabled(last), self.autocast():
                fake = self.generate(wanted, count).float()
            found = self.train_discriminator(real, fake, weights, step, wanted)
            scalars = {k: scalars.get(k, 0) + v.detach() for k, v in found.items()}
        scalars = {key: value / len(batch.images) for key, value in scalars.items()}
        if self.learning(step):
            scalars = self._train_generator(fake, wanted, real) | scalars
        if not self.alarm.checks:
            self.check_diversity()
        # The last check goes into every line: a plot of the log then shows when a collapse began.
        return {**scalars, "diversity": torch.tensor(self.alarm.ratio, device=self.device)}

    def _train_generator(
        self, fake: Tensor, wanted: Tensor | None, real: Tensor
    ) -> dict[str, Tensor]:
        """Update the generator by its pictures, of classes `wanted`; return the terms."""
        scalars = {}
        with self.autocast(), self.judge_fixed():
            scores, logits = self.judge(self.seen(fake), wanted)
            scalars["generator"] = total = self.loss.generator(scores)
            if logits is not None:
                term = functional.cross_entropy(logits, cast("Tensor", wanted))
                scalars["told"] = term
                total = total + self.config.auxiliary * term
            if self.config.diversity:
                term = self.seeking(fake, wanted)
                scalars["alike"] = term
                total = total + self.config.diversity * term
            if self.config.perceptual:
                features = self.frozen["features"]
                with torch.no_grad():
                    real_features = features(real)
                term = feature_matching(features(fake), real_features)
                scalars["perceptual"] = term
                total = total + self.config.perceptual * term
        self.update("generator", total)
        return scalars

    @torch.no_grad()
    def samples(self, labels: Tensor | None, count: int, seed: int) -> Tensor:
        """Return pictures of the averaged generator in [0, 1], the same for the same seed."""
        settle(cast("Generator", self.best("generator")))
        random = torch.Generator().manual_seed(seed_of("samples", seed))
        z = torch.randn(count, self.network.z, generator=random)
        noise = torch.randn(count, self.noise_size, generator=random)
        weights = None if labels is None else self.one_hot(labels).to(self.device)
        made = []
        for start in range(0, count, 64):
            part = slice(start, start + 64)
            some = noise[part].to(self.device) if self.noise_size else None
            classes = None if weights is None else weights[part]
            with self.autocast():
                made.append(self.best("generator")(z[part].to(self.device), classes, some).float())
        return (torch.cat(made) + 1) / 2

    def check_diversity(self) -> bool:
        """Measure the diversity of samples; return whether they are collapsed."""
        classes = self.network.classes
        count = max(CHECK_PICTURES // 2, 16 * classes)
        labels = torch.arange(count) % classes if classes else None
        images = self.samples(labels, count, 1).cpu()
        return self.alarm.check(diversity(images, labels, classes))

    def identity(self) -> dict[str, Any]:
        """Return the networks, the game and the classes."""
        names = list(self.pictures.classes) if self.network.classes else []
        return {"network": self.network.to_dict(), "classes": names, **super().identity()}

    def state(self) -> dict[str, Any]:
        """Return what the alarm has seen."""
        return self.alarm.state()

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore it."""
        self.alarm.load_state(state)


class Translation(Adversarial):
    """Pictures from pictures, learned from pairs; see :mod:`.pairs`.

    Parameters
    ----------
    config : GanConfig
        How to train.
    targets : Pictures
        What the outputs should be.
    inputs : Pictures or callable
        What they are made from: pictures in the same order, or a function that degrades a batch of
        targets, (N, C, H, W) in [0, 1].
    generator, discriminator : nn.Module
        The networks.
    features : LiteFeatures, optional
        Pretrained features.
    name : str
        Of the task, for the run's identity.
    """

    def __init__(
        self,
        config: GanConfig,
        targets: Pictures,
        inputs: Pictures | Callable[[Tensor], Tensor],
        generator: Translator,
        discriminator: nn.Module,
        features: LiteFeatures | None = None,
        name: str = "pairs",
    ) -> None:
        super().__init__(config, generator, discriminator, features)
        self.network, self.name = generator.config, name
        self.targets, self.inputs = targets, inputs

    def cut(self, chosen: Tensor, random: torch.Generator, *, exact: bool = False) -> Batch:
        """Return the pairs of these numbers, cut alike: inputs, then targets."""
        config, size = self.config, self.network.size
        zoom = 1.0 if exact else config.zoom
        crops = draw_crops(len(chosen), (zoom, 1.0), config.flip and not exact, random)

        def read(pictures: Pictures) -> Tensor:
            images = pictures.pixels[chosen].to(self.device).permute(0, 3, 1, 2).float() / 255
            return apply_crops(images, crops, size)

        wanted = read(self.targets)
        given = read(self.inputs) if isinstance(self.inputs, Pictures) else self.inputs(wanted)
        return Batch(torch.stack([given, wanted]) * 2 - 1)

    def batch(self, step: int) -> Batch:
        """Return inputs and targets."""
        process, processes = self.accelerator.process_index, self.accelerator.num_processes
        chosen = self.targets.indices(
            step, self.config.batch, self.config.seed, process=process, processes=processes
        )
        random = torch.Generator().manual_seed(seed_of("crop", self.config.seed, step, process))
        return self.cut(chosen, random)

    def seen(self, images: Tensor) -> Tensor:
        """Return pictures as they are: a change must not come between input and output."""
        return images

    def step(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Update the discriminator, some times, and the generator, once."""
        config = self.config
        given, wanted = batch.images
        with torch.set_grad_enabled(self.learning(step)), self.autocast():
            made = self.modules["generator"](given).float()
        for _ in range(config.critic_steps):
            scalars = self.train_discriminator(wanted, made, given, step)
        if not self.learning(step):
            return scalars
        with self.autocast(), self.judge_fixed():
            game = self.loss.generator(self.score(made, given))
            error = RECONSTRUCTIONS[config.reconstruction](made, wanted)
            total = game + config.reconstruction_weight * error
            if config.perceptual:
                features = self.frozen["features"]
                term = perceptual_distance(features(made), features(wanted))
                scalars["perceptual"] = term
                total = total + config.perceptual * term
        self.update("generator", total)
        return {"generator": game, "reconstruction": error, **scalars}

    @torch.no_grad()
    def samples(self, numbers: Sequence[int]) -> Tensor:
        """Return inputs, outputs and targets side by side, (3 N, C, H, W) in [0, 1]."""
        random = torch.Generator().manual_seed(0)
        torch.manual_seed(0)
        given, wanted = self.cut(torch.tensor(numbers), random, exact=True).images
        made = self.best("generator")(given)
        return (torch.stack([given, made, wanted], 1).flatten(0, 1) + 1) / 2

    def identity(self) -> dict[str, Any]:
        """Return the networks, the game and the task."""
        return {"network": self.network.to_dict(), "task": self.name, **super().identity()}

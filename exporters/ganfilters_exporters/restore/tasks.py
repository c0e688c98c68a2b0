"""What a step of training is: filling holes, and removing noise; the loop is :mod:`..trainer`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..data import Pictures
from ..gan.augment import augment
from ..gan.discriminators import LiteFeatures, ProjectedDiscriminator
from ..gan.networks import Verdict
from ..gan.perceptual import perceptual_distance
from ..gan.tasks import Adversarial, GanConfig
from ..task import Task, seed_of, warm_cosine
from .degrade import Damaged, damage
from .denoiser import Denoiser
from .filler import Filler
from .masks import draw_masks

__all__ = ["Denoising", "DenoisingConfig", "Filling", "FillingConfig", "TexturedDenoising"]

PERCEPTUAL_LAYERS = 3
"""Of VGG16: relu1_2, relu2_2 and relu3_3. Deeper ones cost more and say less of texture; what is
far apart in the picture the discriminator's features compare."""


def _game(config: Any) -> GanConfig:
    """Return what the adversarial part of training needs to know."""
    return GanConfig(
        loss=config.loss, discriminator="projected", norm="spectral", batch=config.batch,
        rate=config.rate, betas=(0.0, 0.99), ema=config.average, r1=config.r1, augment=("color",),
        feature_side=config.size, seed=config.seed,
    )  # fmt: skip


def _cuts(pictures: Pictures, config: Any, step: int, task: Task) -> Tensor:
    """Return the photographs of a step, (batch, 3, size, size) in [0, 1]."""
    a = task.accelerator
    images, _ = pictures.batch(
        step, config.batch, config.size, config.seed, device=task.device, zoom=config.zoom,
        process=a.process_index, processes=a.num_processes,
    )  # fmt: skip
    return images


def _psnr(found: Tensor, wanted: Tensor, where: Tensor | None = None) -> Tensor:
    """Return the mean signal-to-noise ratio in decibels, of the pixels in `where` alone."""
    errors = (found.detach().float().clamp(0, 1) - wanted).square()
    where = torch.ones_like(errors[:, :1]) if where is None else where
    mean = (errors.mean(1, keepdim=True) * where).sum((1, 2, 3)) / where.sum((1, 2, 3)).clamp(min=1)
    return -10 * (mean + 1e-10).log10().mean()


@dataclass(frozen=True)
class FillingConfig:
    """How the filling network is trained.

    Attributes
    ----------
    size : int
        Side of the photographs in pixels; a multiple of 32.
    batch : int
        Photographs in a step.
    rate : float
        Learning rate of Adam, of both networks.
    warm_up : int
        Steps without the discriminator. It would win at once against noise.
    loss : str
        A key of :data:`..gan.losses.LOSSES`.
    r1 : float
        Weight of R1, every 16 steps; 0 for none.
    pixels, perceptual, features, adversarial : float
        Weights: L1 in the hole; distance of VGG16's features; distance of the discriminator's own
        frozen features, which see far; the game.
    perceptual_size : int
        Side of the part, around a place in the hole, that VGG16 compares; its time goes with the
        square.
    guessed : float
        Share of the pictures that come with a guess.
    zoom : tuple of float
        Cuts of the photographs, as shares of their side.
    average : float
        Decay of the average of the weights.
    seed : int
        Seed of the run.
    """

    size: int = 128
    batch: int = 8
    rate: float = 5e-4
    warm_up: int = 2000
    loss: str = "hinge"
    r1: float = 0.0
    pixels: float = 2.0
    perceptual: float = 1.0
    features: float = 0.5
    adversarial: float = 0.2
    perceptual_size: int = 64
    guessed: float = 0.35
    zoom: tuple[float, float] = (0.5, 1.0)
    average: float = 0.998
    seed: int = 0


@dataclass(frozen=True)
class Holes:
    """Photographs (N, 3, H, W), holes (N, 1, H, W) and guesses (N, 4, H, W)."""

    photos: Tensor
    masks: Tensor
    guesses: Tensor


class Filling(Adversarial):
    """Fill holes so that neither a distance nor a discriminator sees them.

    Parameters
    ----------
    config : FillingConfig
        How.
    pictures : Pictures
        Photographs.
    network : Filler
        The network, with whatever weights it starts from.
    features : LiteFeatures
        Frozen features, for the discriminator and a distance.
    loss_network : nn.Module
        Features by layer, for the perceptual distance.
    """

    def __init__(
        self,
        config: FillingConfig,
        pictures: Pictures,
        network: Filler,
        features: LiteFeatures,
        loss_network: nn.Module,
    ) -> None:
        judge = ProjectedDiscriminator(features, 0, seed=config.seed)
        super().__init__(_game(config), network, judge, features)
        self.how, self.pictures, self.network = config, pictures, network
        self.frozen["teacher"] = loss_network
        self.clip = 10.0
        self.patches: tuple[int, ...] = ()

    def setup(self) -> None:
        """Move the photographs to the device if they fit; find the sides of the score maps."""
        self.pictures = self.pictures.to(self.device)
        with torch.no_grad():
            side = self.how.size
            blank = torch.zeros(2, 3, side, side, device=self.device)
            judge = self.plain("discriminator").eval()
            mixed = judge.mixing(self.frozen["features"](blank))  # type: ignore[operator]
            counts = [head(x, None).shape[1] for head, x in zip(judge.heads, mixed, strict=True)]  # type: ignore[arg-type]
            judge.train()
        self.patches = tuple(round(count**0.5) for count in counts)

    def batch(self, step: int) -> Holes:
        """Return photographs, holes, and guesses for some of them."""
        config = self.how
        photos = _cuts(self.pictures, config, step, self)
        seed = seed_of("holes", config.seed, step, self.accelerator.process_index)
        masks = draw_masks(config.batch, config.size, seed).to(self.device, non_blocking=True)
        return Holes(photos, masks, make_guesses(photos, masks, config.guessed))

    def judge(self, images: Tensor, condition: Tensor | None) -> Verdict:
        """Judge the patches that touch the hole; elsewhere both pictures are the same."""
        verdict = super().judge(images, None)
        return verdict if condition is None else Verdict(verdict.scores[condition])

    def touched(self, masks: Tensor) -> Tensor:
        """Return which patches touch the hole, boolean (N, patches of all heads)."""
        sides = (functional.adaptive_max_pool2d(masks, side).flatten(1) for side in self.patches)
        return torch.cat(list(sides), 1) > 0

    def step(self, batch: Holes, step: int) -> dict[str, Tensor]:
        """Update the generator, and after the warm-up the discriminator first."""
        how, photos, masks = self.how, batch.photos, batch.masks
        noise = torch.randn_like(masks)
        with self.autocast():
            filled = self.modules["generator"](photos, masks, batch.guesses, noise)
        filled = filled.float()
        scalars: dict[str, Tensor] = {}
        touched = self.touched(masks)
        real, fake = photos * 2 - 1, filled * 2 - 1
        playing = step >= how.warm_up and how.adversarial > 0
        if playing:
            found = self.train_discriminator(real, fake, touched, step)
            scalars |= {name: value.detach() for name, value in found.items()}
        with self.autocast(), self.judge_fixed():
            terms = self._distances(filled, photos, masks)
            total = how.pixels * terms["pixels"] + how.perceptual * terms["perceptual"]
            total = total + how.features * terms["features"]
            if playing:
                seen = augment(fake, self.config.augment)
                terms["game"] = self.loss.generator(self.score(seen, touched))
                total = total + how.adversarial * terms["game"]
        self.update("generator", total)
        plain = batch.guesses[:, 3].amax((1, 2)) == 0
        if plain.any():  # a guess tells much, so those are left out
            scalars["psnr"] = _psnr(filled[plain], photos[plain], masks[plain])
        return {"loss": total, **terms, **scalars}

    def _distances(self, filled: Tensor, photos: Tensor, masks: Tensor) -> dict[str, Tensor]:
        """Return the distances of result and photograph, each a mean over pictures."""
        area = masks.sum((1, 2, 3)).clamp(min=1)
        pixels = ((filled - photos).abs().mean(1, keepdim=True) * masks).sum((1, 2, 3)) / area
        features = self.frozen["features"]
        with torch.no_grad():
            far = features(photos * 2 - 1)
        found, wanted = _parts(filled, photos, masks, self.how.perceptual_size)
        return {
            "pixels": pixels.mean(),
            "perceptual": self._near(found, wanted),
            "features": perceptual_distance(features(filled * 2 - 1), far),
        }

    def _near(self, found: Tensor, wanted: Tensor) -> Tensor:
        teacher = self.frozen["teacher"]
        until = teacher.names[PERCEPTUAL_LAYERS - 1]  # type: ignore[index]
        with torch.no_grad():
            target = list(teacher(wanted, until=until).values())
        made = list(teacher(found, until=until).values())
        return perceptual_distance([x.float() for x in made], [x.float() for x in target])

    def rate(self, step: int, steps: int) -> float:
        """Rise, stay about the same for half of the run, then fall to a tenth."""
        return warm_cosine(step, steps, warm=100, final=0.1)

    @torch.no_grad()
    def fill(self, photos: Tensor, masks: Tensor, seed: int = 0) -> Tensor:
        """Fill without a guess, with the weights to export."""
        random = torch.Generator().manual_seed(seed)
        noise = torch.randn(masks.shape, generator=random).to(self.device)
        none = torch.zeros(len(photos), 4, *photos.shape[2:], device=self.device)
        filled: Tensor = self.best("generator")(photos, masks, none, noise)
        return filled

    def identity(self) -> dict[str, Any]:
        """Return the network and what must not change in a run."""
        values = asdict(self.how)
        keep = ("size", "batch", "loss", "warm_up")
        return {
            "kind": "inpaint",
            "network": self.network.config.to_dict(),
            **{k: values[k] for k in keep},
        }


def make_guesses(photos: Tensor, masks: Tensor, share: float) -> Tensor:
    """Return guesses for a share of the pictures, (N, 4, H, W): blurred, and not quite right."""
    count, _, height, width = photos.shape
    device = photos.device
    factor = 2 if float(torch.rand(())) < 0.7 else 4
    small = functional.avg_pool2d(photos, factor)
    # Wrong in colour here and there, as a network's own result is.
    coarse = torch.randn(count, 3, 4, 4, device=device) * 0.04
    small = small + functional.interpolate(coarse, small.shape[2:], mode="bilinear")
    small = (small + 0.01 * torch.randn_like(small)).clamp(0, 1)
    blurred = functional.interpolate(small, (height, width), mode="bicubic").clamp(0, 1)
    with_guess = (torch.rand(count, 1, 1, 1, device=device) < share).float() * masks
    return torch.cat([blurred * with_guess, with_guess], 1)


def _parts(found: Tensor, wanted: Tensor, masks: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Cut the same square around a random place in each hole from both."""
    height, width = masks.shape[2:]
    if side >= min(height, width):
        return found, wanted
    keys = torch.rand_like(masks) * masks
    places = keys.flatten(1).argmax(1)
    tops = (places // width - side // 2).clamp(0, height - side)
    lefts = (places % width - side // 2).clamp(0, width - side)
    along = torch.arange(side, device=masks.device)
    rows = (tops[:, None] + along)[:, :, None]
    columns = (lefts[:, None] + along)[:, None, :]
    numbers = torch.arange(len(masks), device=masks.device)[:, None, None]
    cut = [
        x.permute(0, 2, 3, 1)[numbers, rows, columns].permute(0, 3, 1, 2) for x in (found, wanted)
    ]
    return cut[0], cut[1]


@dataclass(frozen=True)
class DenoisingConfig:
    """How the denoising network is trained.

    Attributes
    ----------
    size : int
        Side of the photographs in pixels; a multiple of 8, of 32 with a discriminator.
    batch : int
        Photographs in a step.
    rate : float
        Learning rate of Adam.
    adversarial : float
        Weight of the game, for texture; 0 for reconstruction alone.
    features : float
        With a game: weight of the distance of frozen features.
    loss : str
        A key of :data:`..gan.losses.LOSSES`.
    r1 : float
        Weight of R1, every 16 steps; 0 for none.
    zoom : tuple of float
        Cuts of the photographs, as shares of their side.
    average : float
        Decay of the average of the weights.
    seed : int
        Seed of the run.
    """

    size: int = 96
    batch: int = 8
    rate: float = 1e-3
    adversarial: float = 0.0
    features: float = 0.2
    loss: str = "hinge"
    r1: float = 0.0
    zoom: tuple[float, float] = (0.43, 1.0)
    average: float = 0.999
    seed: int = 0


def _identity(network: Denoiser, config: DenoisingConfig) -> dict[str, Any]:
    return {
        "kind": "denoise",
        "network": network.config.to_dict(),
        "size": config.size,
        "batch": config.batch,
        "adversarial": config.adversarial > 0,
    }


def _reconstruct(network: nn.Module, damaged: Damaged) -> tuple[Tensor, Tensor]:
    """Return the denoised pictures, and the loss of the estimated strengths.

    Half of the pictures are denoised with the true strengths, half with the estimated ones.
    """
    true = torch.cat([damaged.sigma / 255, damaged.jpeg.expand_as(damaged.sigma)], 1)
    true = functional.avg_pool2d(true, 4)
    estimated = network.estimate(damaged.images)  # type: ignore[operator]
    told = torch.rand(len(true), 1, 1, 1, device=true.device) < 0.5
    strengths = torch.where(told, true, estimated.detach().to(true.dtype))
    cleaned = network(damaged.images, strengths)
    # Both scaled to be about 1 where they are strong.
    scale = torch.tensor([255 / 50, 1.0], device=true.device)[None, :, None, None]
    return cleaned, ((estimated.float() - true) * scale).abs().mean()


def _charbonnier(found: Tensor, wanted: Tensor) -> Tensor:
    """Return a mean absolute difference that is smooth at zero (Charbonnier et al. 1994)."""
    return ((found - wanted).square() + 1e-6).sqrt().mean()


class _Cleaning:
    """What both ways to train share: data and samples."""

    how: DenoisingConfig
    pictures: Pictures

    def damaged(self, task: Any, step: int) -> tuple[Tensor, Damaged]:
        """Return the photographs of a step, clean and damaged."""
        photos = _cuts(self.pictures, self.how, step, task)
        return photos, damage(photos)


@torch.no_grad()
def clean(network: nn.Module, images: Tensor, sigma: float | None = None) -> tuple[Tensor, Tensor]:
    """Return cleaned pictures, and the strengths used: estimated, or noise of `sigma` alone."""
    strengths = network.estimate(images)  # type: ignore[operator]
    if sigma is not None:
        strengths = torch.zeros_like(strengths)
        strengths[:, 0] = sigma / 255
    return network(images, strengths), strengths


class Denoising(_Cleaning, Task):
    """Remove noise with the least error.

    Parameters
    ----------
    config : DenoisingConfig
        How.
    pictures : Pictures
        Photographs.
    network : Denoiser
        The network, with whatever weights it starts from.
    """

    def __init__(self, config: DenoisingConfig, pictures: Pictures, network: Denoiser) -> None:
        super().__init__()
        from ..task import Average

        self.how, self.pictures, self.network = config, pictures, network
        # The layout of the weights is that of all that follows; a CPU takes a tenth less time.
        network.to(memory_format=torch.channels_last)
        self.modules["generator"] = network
        self.optimizers["generator"] = torch.optim.Adam(network.parameters(), config.rate)
        self.averages["generator"] = Average(network, config.average)
        self.batch_images = config.batch
        self.clip = 1.0

    def setup(self) -> None:
        """Move the photographs to the device if they fit."""
        self.pictures = self.pictures.to(self.device)

    def batch(self, step: int) -> tuple[Tensor, Damaged]:
        """Return photographs, clean and damaged."""
        return self.damaged(self, step)

    def step(self, batch: tuple[Tensor, Damaged], step: int) -> dict[str, Tensor]:  # noqa: ARG002
        """Learn from one batch."""
        photos, damaged = batch
        with self.autocast():
            cleaned, estimate = _reconstruct(self.modules["generator"], damaged)
        error = _charbonnier(cleaned.float(), photos)
        self.update("generator", error + 0.02 * estimate)
        return {
            "loss": error,
            "estimate": estimate,
            "psnr": _psnr(cleaned, photos),
            "psnr_before": _psnr(damaged.images, photos),
        }

    def rate(self, step: int, steps: int) -> float:
        """Rise, then fall along a cosine to a fiftieth."""
        return warm_cosine(step, steps, warm=100, final=0.02)

    def identity(self) -> dict[str, Any]:
        """Return the network and what must not change in a run."""
        return _identity(self.network, self.how)


class TexturedDenoising(_Cleaning, Adversarial):
    """Remove noise and leave texture: a discriminator tells smoothed pictures from photographs.

    Parameters
    ----------
    config : DenoisingConfig
        How.
    pictures : Pictures
        Photographs.
    network : Denoiser
        The network, trained to reconstruct.
    features : LiteFeatures
        Frozen features, for the discriminator and a distance.
    """

    def __init__(
        self,
        config: DenoisingConfig,
        pictures: Pictures,
        network: Denoiser,
        features: LiteFeatures,
    ) -> None:
        judge = ProjectedDiscriminator(features, 0, seed=config.seed)
        super().__init__(_game(config), network, judge, features)
        self.how, self.pictures, self.network = config, pictures, network
        self.clip = 10.0

    def setup(self) -> None:
        """Move the photographs to the device if they fit."""
        self.pictures = self.pictures.to(self.device)

    def batch(self, step: int) -> tuple[Tensor, Damaged]:
        """Return photographs, clean and damaged."""
        return self.damaged(self, step)

    def step(self, batch: tuple[Tensor, Damaged], step: int) -> dict[str, Tensor]:
        """Update the discriminator, then the generator."""
        how = self.how
        photos, damaged = batch
        with self.autocast():
            cleaned, estimate = _reconstruct(self.modules["generator"], damaged)
        cleaned = cleaned.float()
        real, fake = photos * 2 - 1, cleaned * 2 - 1
        scalars = self.train_discriminator(real, fake, None, step)
        features = self.frozen["features"]
        with self.autocast(), self.judge_fixed():
            error = _charbonnier(cleaned, photos)
            with torch.no_grad():
                wanted = features(real)
            far = perceptual_distance(features(fake), wanted)
            game = self.loss.generator(self.score(augment(fake, self.config.augment), None))
            total = error + 0.02 * estimate + how.features * far + how.adversarial * game
        self.update("generator", total)
        found = {name: value.detach() for name, value in scalars.items()}
        return {
            "loss": error,
            "estimate": estimate,
            "features": far,
            "game": game,
            "psnr": _psnr(cleaned, photos),
            **found,
        }

    def identity(self) -> dict[str, Any]:
        """Return the network and what must not change in a run."""
        return _identity(self.network, self.how)


def numbers_for_sheet(pictures: Pictures, count: int) -> Sequence[int]:
    """Return numbers of pictures from all over the data."""
    return range(0, len(pictures), max(1, len(pictures) // count))[:count]

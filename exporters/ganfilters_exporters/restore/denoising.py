"""A step of learning to remove noise, with and without a game; the loop is :mod:`..trainer`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..data import Pictures
from ..gan.adversarial import Adversarial
from ..gan.discriminators import LiteFeatures, ProjectedDiscriminator
from ..gan.perceptual import perceptual_distance
from ..losses import SpectrumLoss, TextureLoss
from ..task import Average, Task, warm_cosine
from .degrade import Damaged, damage
from .denoiser import Denoiser
from .shared import RestoringConfig, cuts, game, psnr

__all__ = ["Denoising", "DenoisingConfig", "TexturedDenoising", "clean"]

# Of the grids that a network paints which enlarges from an eighth of the size, in pixels (those of
# 2 and 4 are among them); how many such squares a side are compared in their mean; and the weight
# of that loss.
_PERIOD = 8
_SQUARES = 8
_GRIDLESS = 20.0

# Weight of power that the photograph does not have, beside how unlike textures are.
_EXCESS = 0.2


@dataclass(frozen=True, kw_only=True)
class DenoisingConfig(RestoringConfig):
    """How the denoising network is trained.

    `size` is a multiple of 8, and of 32 with a discriminator. Without one (`adversarial` of 0) it
    is reconstruction alone, and `features`, `loss` and `texture` have no use; a game is for
    texture.

    Attributes
    ----------
    texture : float
        Weight of the distance of textures as VGG16 sees them, and of power where the photograph
        has none; 0 for neither.
    """

    size: int = 96
    rate: float = 1e-3
    adversarial: float = 0.0
    features: float = 0.2
    texture: float = 0.0
    average: float = 0.999


def _grid(found: Tensor, wanted: Tensor) -> Tensor:
    """Return how strong a grid of `_PERIOD` pixels, or a part of that, a difference holds.

    To a judge of texture a grid is better than nothing, and easily painted. Noise of the same
    strength is hardly one: each place of the grid is compared in its mean over some squares.
    """
    places = functional.pixel_unshuffle(found - wanted, _PERIOD)
    down, right = (max(1, side // _SQUARES) for side in places.shape[2:])
    means = functional.adaptive_avg_pool2d(places, (down, right))
    means = means.reshape(len(means), -1, _PERIOD**2, *means.shape[2:])
    apart: Tensor = (means - means.mean(2, keepdim=True)).abs().mean()
    return apart


def _charbonnier(found: Tensor, wanted: Tensor) -> Tensor:
    """Return a mean absolute difference that is smooth at zero (Charbonnier et al. 1994)."""
    return ((found - wanted).square() + 1e-6).sqrt().mean()


class _Cleaning(Task):
    """What both ways to train share: the data, and what the run is of."""

    how: DenoisingConfig
    pictures: Pictures
    network: Denoiser

    def setup(self) -> None:
        """Move the photographs to the device if they fit."""
        self.pictures = self.pictures.to(self.device)

    def batch(self, step: int) -> tuple[Tensor, Damaged]:
        """Return photographs, clean and damaged."""
        photos = cuts(self.pictures, self.how, step, self)
        return photos, damage(photos)

    def reconstruct(self, damaged: Damaged) -> tuple[Tensor, Tensor]:
        """Return the denoised pictures, and the loss of the estimated strengths.

        Half of the pictures are denoised with the true strengths, half with the estimated ones.
        """
        true = torch.cat([damaged.sigma / 255, damaged.jpeg.expand_as(damaged.sigma)], 1)
        true = functional.avg_pool2d(true, 4)
        # What wraps it for several processes has `forward` alone; gradients are shared anyway.
        estimated = self.plain("generator").estimate(damaged.images)  # type: ignore[operator]
        told = torch.rand(len(true), 1, 1, 1, device=true.device) < 0.5
        strengths = torch.where(told, true, estimated.detach().to(true.dtype))
        cleaned = self.modules["generator"](damaged.images, strengths)
        # Both scaled to be about 1 where they are strong.
        scale = torch.tensor([255 / 50, 1.0], device=true.device)[None, :, None, None]
        return cleaned, ((estimated.float() - true) * scale).abs().mean()

    def identity(self) -> dict[str, Any]:
        """Return the network and what must not change in a run."""
        return {
            "kind": "denoise",
            "network": self.network.config.to_dict(),
            "size": self.how.size,
            "batch": self.how.batch,
            "adversarial": self.how.adversarial > 0,
        }


@torch.no_grad()
def clean(network: nn.Module, images: Tensor, sigma: float | None = None) -> tuple[Tensor, Tensor]:
    """Return cleaned pictures, and the strengths used: estimated, or noise of `sigma` alone."""
    strengths = network.estimate(images)  # type: ignore[operator]
    if sigma is not None:
        strengths = torch.zeros_like(strengths)
        strengths[:, 0] = sigma / 255
    return network(images, strengths), strengths


class Denoising(_Cleaning):
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

    title = "Removes noise and JPEG artefacts"

    def __init__(self, config: DenoisingConfig, pictures: Pictures, network: Denoiser) -> None:
        super().__init__()
        self.how, self.pictures, self.network = config, pictures, network
        self.modules["generator"] = network
        self.optimizers["generator"] = torch.optim.Adam(network.parameters(), config.rate)
        self.averages["generator"] = Average(network, config.average)
        self.batch_images = config.batch
        self.clip = 1.0

    def step(self, batch: tuple[Tensor, Damaged], step: int) -> dict[str, Tensor]:  # noqa: ARG002
        """Learn from one batch."""
        photos, damaged = batch
        with self.autocast():
            cleaned, estimate = self.reconstruct(damaged)
        error = _charbonnier(cleaned.float(), photos)
        self.update("generator", error + 0.02 * estimate)
        return {
            "loss": error,
            "estimate": estimate,
            "psnr": psnr(cleaned, photos),
            "psnr_before": psnr(damaged.images, photos),
        }

    def rate(self, step: int, steps: int) -> float:
        """Rise, then fall along a cosine to a fiftieth."""
        return warm_cosine(step, steps, warm=100, final=0.02)


class TexturedDenoising(_Cleaning, Adversarial):
    """Remove noise and leave texture: a discriminator tells smoothed pictures from photographs.

    The learning rate stays as it is, where that of `Denoising` falls: such a run is a short one
    with a network that is trained already, and what is exported is an average of the weights.

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
    teacher : nn.Module, optional
        Features by layer, for the distance of textures; needed if that counts.

    Raises
    ------
    ValueError
        There is no teacher, and it is needed.
    """

    title = "Removes noise and JPEG artefacts, and leaves texture"

    def __init__(
        self,
        config: DenoisingConfig,
        pictures: Pictures,
        network: Denoiser,
        features: LiteFeatures,
        teacher: nn.Module | None = None,
    ) -> None:
        judge = ProjectedDiscriminator(features, 0, seed=config.seed)
        super().__init__(game(config), network, judge, features)
        if config.texture and teacher is None:
            raise ValueError("textures are compared by a teacher's features; give one")
        self.how, self.pictures, self.network = config, pictures, network
        self.clip = 10.0
        if config.texture and teacher is not None:
            self.texture = TextureLoss()
            self.frozen["teacher"], self.frozen["excess"] = teacher, SpectrumLoss()

    def step(self, batch: tuple[Tensor, Damaged], step: int) -> dict[str, Tensor]:
        """Update the discriminator, then the generator."""
        how = self.how
        photos, damaged = batch
        with self.autocast():
            cleaned, estimate = self.reconstruct(damaged)
        cleaned = cleaned.float()
        real, fake = photos * 2 - 1, cleaned * 2 - 1
        scalars = self.train_discriminator(real, fake, None, step)
        features = self.frozen["features"]
        with self.autocast(), self.judge_fixed():
            error = _charbonnier(cleaned, photos)
            with torch.no_grad():
                wanted = features(real)
            far = perceptual_distance(features(fake), wanted)
            game = self.loss.generator(self.score(fake, None))
            grid = _grid(cleaned, photos)
            total = error + 0.02 * estimate + how.features * far + how.adversarial * game
            total = total + _GRIDLESS * grid
            if how.texture:
                terms = self._textures(cleaned, photos)
                total = total + how.texture * (terms["texture"] + _EXCESS * terms["excess"])
                scalars |= terms
        self.update("generator", total)
        found = {name: value.detach() for name, value in scalars.items()}
        return {
            "loss": error,
            "estimate": estimate,
            "features": far,
            "game": game,
            "grid": grid,
            "psnr": psnr(cleaned, photos),
            **found,
        }

    def _textures(self, cleaned: Tensor, photos: Tensor) -> dict[str, Tensor]:
        """Return the distance of textures, and how much more power there is than there was."""
        excess = self.frozen["excess"](cleaned, photos).mean()
        # About a quarter of each is enough to learn from: VGG16 takes half of a step's time.
        whole, window = photos.shape[2], self.texture.window
        side = min(whole, max(1, whole // 2 // window) * window)
        top, left = (int(torch.randint(0, whole - side + 1, ())) for _ in range(2))
        found, wanted = (x[..., top : top + side, left : left + side] for x in (cleaned, photos))
        teacher, until = self.frozen["teacher"], self.texture.layers[-1]
        with torch.no_grad():
            target = teacher(wanted, until=until)
        texture = self.texture(teacher(found, until=until), target, side).mean()
        return {"texture": texture, "excess": excess}

"""A step of learning to fill holes; the loop is :mod:`..trainer`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..data import Pictures
from ..gan.adversarial import Adversarial
from ..gan.discriminators import LiteFeatures, ProjectedDiscriminator
from ..gan.perceptual import perceptual_distance
from ..losses import LAYERS
from ..task import seed_of, warm_cosine
from .filler import Filler
from .masks import draw_masks
from .objects import with_objects
from .shared import RestoringConfig, cuts, game, psnr

__all__ = ["PERCEPTUAL_LAYERS", "Filling", "FillingConfig", "make_guesses"]

PERCEPTUAL_LAYERS = LAYERS[:3]
"""Of VGG16. Deeper ones cost more and say less of texture; what is far apart in the picture the
discriminator's features compare."""

_MISSING = 0.5
"""Part of a patch that is filled, from which on it is judged."""


@dataclass(frozen=True, kw_only=True)
class FillingConfig(RestoringConfig):
    """How the filling network is trained.

    `size` is a multiple of 32.

    Attributes
    ----------
    warm_up : int
        Steps without the discriminator. It would win at once against noise.
    pixels, perceptual : float
        Weights: L1 in the hole; distance of VGG16's features.
    perceptual_size : int
        Side of the part, around a place in the hole, that VGG16 compares; its time goes with the
        square.
    feature_size : int
        Side to which pictures are resized for the discriminator's frozen features: they were
        learned from large pictures and tell little of small ones.
    guessed : float
        Share of the pictures that come with a guess.
    objects : float
        Share of the pictures on which things are laid, whose outlines are to be continued.
    """

    size: int = 128
    rate: float = 5e-4
    warm_up: int = 2000
    pixels: float = 2.0
    perceptual: float = 1.0
    features: float = 0.5
    adversarial: float = 0.1
    perceptual_size: int = 64
    feature_size: int = 128
    guessed: float = 0.35
    objects: float = 0.25
    average: float = 0.998


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

    title = "Fills holes"

    def __init__(
        self,
        config: FillingConfig,
        pictures: Pictures,
        network: Filler,
        features: LiteFeatures,
        loss_network: nn.Module,
    ) -> None:
        judge = ProjectedDiscriminator(features, 0, seed=config.seed)
        super().__init__(game(config), network, judge, features)
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
        photos = cuts(self.pictures, config, step, self)
        seed = seed_of("holes", config.seed, step, self.accelerator.process_index)
        photos = with_objects(photos, config.objects, seed)
        masks = draw_masks(config.batch, config.size, seed).to(self.device, non_blocking=True)
        return Holes(photos, masks, make_guesses(photos, masks, config.guessed))

    def touched(self, masks: Tensor) -> Tensor:
        """Return which patches show enough of the hole, boolean (N, patches of all heads).

        A patch that the hole only grazes looks real, and calling it false would teach nothing (with
        the generator fixed, 1.5 was left of the hinge loss of 2 after 800 pictures, and 0.95 like
        this): half must be missing, or where holes are thin as much as in any patch of the picture.
        """
        found = []
        for side in self.patches:
            shares = functional.adaptive_avg_pool2d(masks, side).flatten(1)
            most = shares.amax(1, keepdim=True)
            found.append((shares >= most.clamp(max=_MISSING)) & (shares > 0))
        return torch.cat(found, 1)

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
        features = self.frozen["features"]
        # Computed once for all that looks at them; they are a third of a step's time.
        with self.autocast():
            made = features(fake)
            with torch.no_grad():
                wanted = features(real)
        playing = step >= how.warm_up and how.adversarial > 0
        if playing:
            found = self._train_heads(wanted, made, touched)
            scalars |= {name: value.detach() for name, value in found.items()}
        with self.autocast(), self.judge_fixed():
            terms = self._distances(filled, photos, masks)
            terms["features"] = perceptual_distance(made, wanted)
            total = how.pixels * terms["pixels"] + how.perceptual * terms["perceptual"]
            total = total + how.features * terms["features"]
            if playing:
                terms["game"] = self.loss.generator(self._scores(made, touched))
                total = total + how.adversarial * terms["game"]
        self.update("generator", total)
        plain = batch.guesses[:, 3].amax((1, 2)) == 0
        if plain.any():  # a guess tells much, so those are left out
            scalars["psnr"] = psnr(filled[plain], photos[plain], masks[plain])
        return {"loss": total, **terms, **scalars}

    def _scores(self, features: list[Tensor], touched: Tensor) -> Tensor:
        """Return the discriminator's scores of features, of the patches at the hole."""
        scores: Tensor = self.modules["discriminator"](features, None).scores[touched]
        return scores.float()

    def _train_heads(
        self, wanted: list[Tensor], made: list[Tensor], touched: Tensor
    ) -> dict[str, Tensor]:
        """Update the discriminator by features; no gradient reaches what made them."""
        with self.autocast():
            real = self._scores(wanted, touched)
            fake = self._scores([x.detach() for x in made], touched)
        loss = self.loss.discriminator(real, fake)
        self.update("discriminator", loss)
        return {"discriminator": loss, "real_score": real.mean(), "fake_score": fake.mean()}

    def _distances(self, filled: Tensor, photos: Tensor, masks: Tensor) -> dict[str, Tensor]:
        """Return the distances of result and photograph, each a mean over pictures."""
        area = masks.sum((1, 2, 3)).clamp(min=1)
        pixels = ((filled - photos).abs().mean(1, keepdim=True) * masks).sum((1, 2, 3)) / area
        found, wanted = _parts(filled, photos, masks, self.how.perceptual_size)
        return {"pixels": pixels.mean(), "perceptual": self._near(found, wanted)}

    def _near(self, found: Tensor, wanted: Tensor) -> Tensor:
        def seen(pictures: Tensor) -> list[Tensor]:
            features = self.frozen["teacher"](pictures, until=PERCEPTUAL_LAYERS[-1])
            return [features[name].float() for name in PERCEPTUAL_LAYERS]

        with torch.no_grad():
            target = seen(wanted)
        return perceptual_distance(seen(found), target)

    def rate(self, step: int, steps: int) -> float:
        """Rise, then fall along a cosine to a tenth."""
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
        keep = ("size", "batch", "loss", "warm_up", "feature_size")
        return {
            "kind": "inpaint",
            "network": self.network.config.to_dict(),
            **{k: values[k] for k in keep},
        }

    def remembered(self, identity: dict[str, Any]) -> dict[str, Any]:
        """Return a run's identity; before it said the side of the features, that was as now."""
        return {"feature_size": self.how.feature_size, **identity}


def make_guesses(photos: Tensor, masks: Tensor, share: float) -> Tensor:
    """Return guesses for a share of the pictures, (N, 4, H, W): blurred, and not quite right."""
    count, _, height, width = photos.shape
    device = photos.device
    factor = 2 if float(torch.rand(())) < 0.7 else 4
    small = functional.avg_pool2d(photos, factor)
    # A little wrong in colour here and there, as a network's own result is; with 0.04 the network
    # learned to distrust the colours of every guess, and gave large holes a cast of their own.
    coarse = torch.randn(count, 3, 4, 4, device=device) * 0.01
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

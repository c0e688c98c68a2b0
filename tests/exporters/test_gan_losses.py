"""Each game against values and gradients worked out by hand; penalties; augmentation."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from ganfilters.errors import UsageError
from ganfilters_exporters.gan.augment import AUGMENTATIONS, augment, parse_augmentations
from ganfilters_exporters.gan.losses import LOSSES, gradient_penalty, r1_penalty
from ganfilters_exporters.gan.perceptual import feature_matching, perceptual_distance

REAL, FAKE = (0.5, -2.0), (-0.3, 1.7)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


# For each game: the discriminator's loss and its derivative for real and for generated scores, then
# the generator's loss and its derivative; all of one score.
BY_HAND = {
    "minimax": (
        lambda r: -math.log(sigmoid(r)), lambda r: sigmoid(r) - 1,
        lambda f: -math.log(1 - sigmoid(f)), sigmoid,
        lambda f: math.log(1 - sigmoid(f)), lambda f: -sigmoid(f),
    ),
    "nonsaturating": (
        lambda r: -math.log(sigmoid(r)), lambda r: sigmoid(r) - 1,
        lambda f: -math.log(1 - sigmoid(f)), sigmoid,
        lambda f: -math.log(sigmoid(f)), lambda f: sigmoid(f) - 1,
    ),
    "lsgan": (
        lambda r: 0.5 * (r - 1) ** 2, lambda r: r - 1,
        lambda f: 0.5 * f**2, lambda f: f,
        lambda f: 0.5 * (f - 1) ** 2, lambda f: f - 1,
    ),
    "hinge": (
        lambda r: max(0, 1 - r), lambda r: -1.0 if r < 1 else 0.0,
        lambda f: max(0, 1 + f), lambda f: 1.0 if f > -1 else 0.0,
        lambda f: -f, lambda f: -1.0,
    ),
    "wgan-gp": (
        lambda r: -r, lambda r: -1.0,
        lambda f: f, lambda f: 1.0,
        lambda f: -f, lambda f: -1.0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(LOSSES))
def test_a_game_is_what_its_paper_says(name: str) -> None:
    on_real, slope_real, on_fake, slope_fake, made, slope_made = BY_HAND[name]
    real = torch.tensor(REAL, requires_grad=True)
    fake = torch.tensor(FAKE, requires_grad=True)
    loss = LOSSES[name].discriminator(real, fake)
    expected = mean([on_real(x) for x in REAL]) + mean([on_fake(x) for x in FAKE])
    assert loss.item() == pytest.approx(expected, abs=1e-6)
    loss.backward()
    assert real.grad.tolist() == pytest.approx([slope_real(x) / 2 for x in REAL], abs=1e-6)
    assert fake.grad.tolist() == pytest.approx([slope_fake(x) / 2 for x in FAKE], abs=1e-6)
    fake = torch.tensor(FAKE, requires_grad=True)
    loss = LOSSES[name].generator(fake)
    assert loss.item() == pytest.approx(mean([made(x) for x in FAKE]), abs=1e-6)
    loss.backward()
    assert fake.grad.tolist() == pytest.approx([slope_made(x) / 2 for x in FAKE], abs=1e-6)


def test_minimax_saturates_and_nonsaturating_does_not() -> None:
    for name, least, most in (("minimax", 0, 1e-3), ("nonsaturating", 0.99, 1.01)):
        fake = torch.tensor([-8.0], requires_grad=True)  # the discriminator is sure
        LOSSES[name].generator(fake).backward()
        assert least <= fake.grad.abs().item() <= most


def test_the_penalties_of_a_linear_critic() -> None:
    # Of the score 3 a + 4 b the gradient is (3, 4) everywhere, of norm 5.
    slope = torch.tensor([3.0, 4.0]).reshape(1, 1, 1, 2).requires_grad_(True)

    def score(x: Tensor) -> Tensor:
        return (x * slope).sum((1, 2, 3))[:, None]

    real, fake = torch.rand(2, 3, 1, 1, 2)
    assert r1_penalty(score, real).item() == pytest.approx(25 / 2)
    penalty = gradient_penalty(score, real, fake, torch.rand(3))
    assert penalty.item() == pytest.approx(16, rel=1e-5)
    penalty.backward()  # 2 (5 - 1) (3, 4) / 5
    assert slope.grad.flatten().tolist() == pytest.approx([4.8, 6.4], rel=1e-4)


def test_the_gradient_penalty_is_taken_between_the_pictures() -> None:
    seen: list[Tensor] = []

    def score(x: Tensor) -> Tensor:
        seen.append(x)
        return x.square().sum((1, 2, 3))

    real, fake = torch.ones(2, 1, 2, 2), torch.zeros(2, 1, 2, 2)
    gradient_penalty(score, real, fake, torch.tensor([0.25, 1.0]))
    assert seen[0][:, 0, 0, 0].tolist() == [0.25, 1.0]


@pytest.mark.parametrize("kind", list(AUGMENTATIONS))
@pytest.mark.parametrize("channels", [1, 3])
def test_augmentation_is_random_seeded_and_differentiable(kind: str, channels: int) -> None:
    images = (torch.rand(6, channels, 16, 16) * 2 - 1).requires_grad_(True)
    torch.manual_seed(1)
    first = augment(images, [kind])
    second = augment(images, [kind])
    torch.manual_seed(1)
    assert torch.equal(first, augment(images, [kind]))
    assert not torch.equal(first, second)
    assert first.shape == images.shape
    first.sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    assert torch.equal(augment(images, [kind], 0.0), images)
    assert torch.equal(augment(images, []), images)


def test_translation_moves_whole_pictures() -> None:
    torch.manual_seed(0)
    image = torch.arange(1.0, 257).reshape(1, 1, 16, 16)
    moved = augment(image.expand(20, -1, -1, -1), ["translation"])
    found = set()
    for picture in moved[:, 0]:
        inside = picture[4:12, 4:12]
        number = int(inside[0, 0]) - 1
        down, across = number // 16, number % 16
        assert torch.equal(inside, image[0, 0, down : down + 8, across : across + 8])
        found.add((down - 4, across - 4))
    assert max(max(map(abs, shift)) for shift in found) == 2  # an eighth
    assert len(found) > 5


def test_cutout_blanks_a_square_of_half_the_side() -> None:
    torch.manual_seed(0)
    holes = (augment(torch.ones(50, 3, 16, 16), ["cutout"])[:, 0] == 0).sum((1, 2))
    assert holes.max() == 64
    assert holes.min() >= 16  # at a corner


def test_augmentations_by_name() -> None:
    assert parse_augmentations("color, cutout") == ("color", "cutout")
    assert parse_augmentations("none") == ()
    with pytest.raises(UsageError, match="no augmentation 'colour'; use some of color"):
        parse_augmentations("colour")


def test_perceptual_terms() -> None:
    features = nn.Conv2d(1, 4, 3)
    images = torch.rand(8, 1, 9, 9)
    one = [features(images)]
    assert perceptual_distance(one, one).item() == 0
    other = [features(images.flip(0))]
    assert perceptual_distance(one, other) > 0.01
    # Means over the batch do not see its order.
    assert feature_matching(one, other).item() == pytest.approx(0, abs=1e-6)
    assert feature_matching(one, [features(images + 1)]) > 0.01

"""Holes and damage: shares, determinism, and what JPEG really does."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
import torch
from PIL import Image

from ganfilters_exporters.restore import masks, objects
from ganfilters_exporters.restore.degrade import damage, jpeg, jpeg_level
from ganfilters_exporters.restore.filling import make_guesses


def test_masks_are_a_function_of_the_seed() -> None:
    first, again, other = (masks.draw_masks(8, 64, seed) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.shape == (8, 1, 64, 64)
    assert set(first.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("kind", masks.KINDS)
def test_each_kind_keeps_its_share(kind: str) -> None:
    low, high = masks.KINDS[kind][1:3]
    shares = [
        float(np.mean(np.asarray(masks.draw_mask(96, seed, kind)) > 127)) for seed in range(30)
    ]
    assert min(shares) > 0
    assert max(shares) <= masks.SHARES[1] + 0.001
    assert max(shares) > 2 * min(shares)
    assert low / 2 < float(np.median(shares)) < high


def test_all_kinds_and_shares_are_drawn() -> None:
    shares = masks.draw_masks(200, 64, 1).mean((1, 2, 3))
    assert float(shares.min()) < 0.03
    assert float(shares.max()) > 0.4
    assert 0.08 < float(shares.mean()) < 0.35


def soft(side: int = 64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 6, 6, generator=generator)
    return torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic").clamp(0, 1)


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return -10 * float((a - b).square().mean().log10())


@pytest.mark.parametrize("quality", [10, 40, 80])
def test_jpeg_is_what_an_encoder_does(quality: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "randint", lambda low, high, size: torch.zeros(size).long())
    image = (soft() + 0.1 * torch.rand(1, 3, 64, 64, generator=torch.Generator())).clamp(0, 1)
    pixels = (image[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    real = torch.from_numpy(np.asarray(Image.open(file), np.float32).transpose(2, 0, 1)[None] / 255)
    made = jpeg(torch.from_numpy(pixels.astype(np.float32).transpose(2, 0, 1)[None] / 255),
                torch.tensor([float(quality)]))  # fmt: skip
    assert psnr(made, real) > psnr(image, real) + 8


def test_jpeg_takes_any_size() -> None:
    image = torch.rand(2, 3, 37, 50)
    assert jpeg(image, torch.tensor([20.0, 90.0])).shape == image.shape


def test_damage_says_what_it_did() -> None:
    torch.manual_seed(0)
    images = torch.full((400, 3, 24, 24), 0.5)
    damaged = damage(images)
    noise = (damaged.images - images).flatten(1).std(1) * 255
    alone = damaged.jpeg.flatten() == 0
    said = damaged.sigma.flatten(1).mean(1)
    assert float((noise - said)[alone].abs().max()) < 5
    assert float(said.max()) > 40
    assert 0.1 < float((~alone).float().mean()) < 0.4
    assert float(jpeg_level(torch.tensor(5.0))) == 1.0


def test_poisson_noise_grows_with_brightness() -> None:
    torch.manual_seed(0)
    ramp = torch.linspace(0.05, 0.95, 24).expand(200, 3, 24, 24)
    sigma = damage(ramp).sigma
    varied = sigma.flatten(1).std(1) > 1e-3
    assert 0.05 < float(varied.float().mean()) < 0.3
    assert bool((sigma[varied][..., -1] > sigma[varied][..., 0]).all())


def test_guesses_are_coarse_and_in_the_hole_only() -> None:
    torch.manual_seed(0)
    photos = torch.rand(6, 3, 32, 32)
    holes = torch.zeros(6, 1, 32, 32)
    holes[..., 8:24, 8:24] = 1
    guesses = make_guesses(photos, holes, 1.1)
    assert torch.equal(guesses[:, 3:], holes)
    assert float((guesses[:, :3] * (1 - holes)).abs().max()) == 0
    inside = (guesses[:, :3] - photos)[..., 8:24, 8:24]
    assert float(inside.abs().mean()) > 0.1  # the noise is gone
    assert float(inside.mean().abs()) < 0.05  # the colour is about right
    assert float(make_guesses(photos, holes, 0.0).abs().max()) == 0


def test_things_are_laid_on_as_many_pictures_as_asked_for() -> None:
    photos = soft().expand(40, -1, -1, -1) * torch.linspace(0.5, 1, 40)[:, None, None, None]
    before = photos.clone()
    assert torch.equal(objects.with_objects(photos, 0.0, 1), photos)
    laid = objects.with_objects(photos, 0.5, 1)
    assert torch.equal(laid, objects.with_objects(photos, 0.5, 1))
    assert not torch.equal(laid, objects.with_objects(photos, 0.5, 2))
    assert laid.shape == photos.shape
    assert laid.min() >= 0
    assert laid.max() <= 1
    changed = (laid != photos).flatten(1).any(1)
    assert 10 < int(changed.sum()) < 30
    assert not torch.equal(objects.with_objects(photos[:1], 1.0, 1), photos[:1])
    assert torch.equal(photos, before)


def test_things_show_other_pictures_and_leave_much_of_theirs() -> None:
    # A red picture and three blue ones: what is laid on the red one is blue.
    photos = torch.zeros(4, 3, 64, 64)
    photos[0, 0] = photos[1:, 2] = 0.8
    own, foreign = [], []
    for seed in range(20):
        red, _, blue = objects.with_objects(photos, 1.0, seed)[0]
        own.append(float((red > 2 * blue).float().mean()))
        foreign.append(float((blue > 2 * red).float().mean()))
    assert sum(share > 0.05 for share in foreign) > 15
    assert 0.4 < sum(own) / 20 < 0.9


def test_a_thing_is_inside_its_outline() -> None:
    apart = torch.linspace(-3, 3, 25)
    covered = objects._covered(apart)
    assert (covered[apart < -objects.SOFT] == 1).all()
    assert (covered[apart > objects.SOFT] == 0).all()
    assert float(objects._covered(torch.zeros(()))) == 0.5


@pytest.mark.parametrize("name", objects.SHAPES)
def test_distances_from_a_shape_are_distances(name: str) -> None:
    shape, _ = objects.SHAPES[name]
    rng = random.Random(0)  # noqa: S311 - no secret
    along = torch.linspace(-1, 1, 401)
    for _ in range(20):
        apart = shape(along, along[:, None], rng.uniform).expand(401, 401)
        near = apart.abs()[1:-1, 1:-1] < 0.01
        assert near.any()
        down, right = (apart.roll(1, axis) - apart.roll(-1, axis) for axis in (0, 1))
        slope = (down.square() + right.square()).sqrt()[1:-1, 1:-1] / 0.01
        assert float((slope[near] - 1).abs().median()) < 0.05
        if name != "edge":  # what it covers is less than what it leaves
            assert float((apart < 0).float().mean()) < 0.5

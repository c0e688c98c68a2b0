"""Generators, discriminators and their parts."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn
from torch.nn import functional

from ganfilters.errors import UsageError
from ganfilters_exporters.gan.discriminators import LiteFeatures, ProjectedDiscriminator
from ganfilters_exporters.gan.modeseeking import ModeSeeking, paired
from ganfilters_exporters.gan.networks import (
    GENERATORS,
    MODULATIONS,
    Extras,
    PatchDiscriminator,
    Translator,
    base_of,
    deviation,
    plain_discriminator,
)
from ganfilters_exporters.gan.networks.modulation import ModulatedConv
from ganfilters_exporters.gan.standing import settle

from .gan_toys import NETWORKS, backbone


@pytest.mark.parametrize("arch", list(GENERATORS))
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("norm", ["batch", "spectral", "none"])
def test_shapes_and_ranges(arch: str, channels: int, norm: str) -> None:
    config = dataclasses.replace(NETWORKS[arch], channels=channels, classes=3)
    generator, judge = GENERATORS[arch](config), plain_discriminator(config, norm)  # type: ignore[arg-type]
    weights = torch.eye(3)
    images = generator(torch.randn(3, config.z), weights)
    assert images.shape == (3, channels, 16, 16)
    assert images.abs().max() <= 1
    assert judge(images, weights).scores.shape == (3, 1)
    with pytest.raises(ValueError, match="needs class weights"):
        generator(torch.randn(3, config.z))


@pytest.mark.parametrize("arch", list(GENERATORS))
def test_the_class_decides(arch: str) -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(NETWORKS[arch], channels=1, classes=3)
    generator = GENERATORS[arch](config).eval()
    z = torch.randn(1, config.z).expand(3, -1)
    images = generator(z, torch.eye(3))
    assert (images[0] - images[1]).abs().max() > 1e-3
    judge = plain_discriminator(config, "spectral").eval()
    scores = judge(images[:1].expand(3, -1, -1, -1), torch.eye(3)).scores
    assert scores.std() > 1e-4


@pytest.mark.parametrize("modulation", MODULATIONS)
def test_modulation_noise_and_mixing(modulation: str) -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(NETWORKS["style"], modulation=modulation, mapping=2, classes=3)
    generator = GENERATORS["style"](config)
    generator(torch.randn(16, 6), torch.eye(3)[torch.arange(16) % 3])  # statistics
    generator.eval()
    for name, parameter in generator.named_parameters():
        if name.endswith((".noise", "scale.weight", "shift.weight")):
            nn.init.normal_(parameter, 0, 0.5)
    z, other = torch.randn(2, 4, 6)
    weights = torch.eye(3)[:1].expand(4, -1)
    noise = torch.randn(4, generator.noise_size)
    plain = generator(z, weights)
    assert not torch.allclose(plain, generator(z, weights, noise), atol=1e-4)
    mixed = generator(z, weights, None, other, generator.layers - 1)
    if modulation == "none":
        assert generator.layers == 1
        assert torch.equal(mixed, generator(other, weights))
    else:
        assert generator.layers == 3
        assert not torch.allclose(mixed, plain, atol=1e-4)
        assert not torch.allclose(mixed, generator(other, weights), atol=1e-4)


@pytest.mark.parametrize("double", [False, True])
def test_demodulation_is_that_of_its_paper(double: bool) -> None:
    torch.manual_seed(0)
    layer = ModulatedConv(3, 5, 4, "demod", noise=False, double=double)
    for style in (layer.scale, layer.shift):
        nn.init.normal_(style.weight)  # type: ignore[union-attr]
    x, w = torch.randn(2, 3, 6, 6), torch.randn(2, 4)
    scale, shift = 1 + layer.scale(w), layer.shift(w)  # type: ignore[misc]
    made = layer(x, w, None)
    assert made.shape == (2, 5, 12, 12) if double else (2, 5, 6, 6)
    inputs, taps = (0, 4) if double else (1, 1)  # each pixel gets a quarter of a doubling kernel
    for number in range(2):
        along = [1, 1, 1, 1]
        along[inputs] = 3
        weight = layer.conv.weight * scale[number].reshape(along)
        norm = weight.square().sum((inputs, 2, 3), keepdim=True) / taps
        weight = weight * torch.rsqrt(norm + 1e-8)
        one = x[number][None]
        expected = (
            functional.conv_transpose2d(one, weight, shift[number], stride=2, padding=1)
            if double
            else functional.conv2d(one, weight, shift[number], padding=1)
        )
        assert torch.allclose(made[number], expected[0], atol=1e-5)


def test_sizes() -> None:
    assert base_of(28) == (7, 2)
    assert base_of(64) == (4, 4)
    assert base_of(96) == (6, 4)
    with pytest.raises(UsageError, match="no network for size 100; the nearest sizes are 96, 112"):
        base_of(100)


def test_the_projected_discriminator() -> None:
    torch.manual_seed(0)
    features = LiteFeatures(backbone(), 64).train()
    assert not features.training
    judge = ProjectedDiscriminator(features, classes=3, width=4)
    same = ProjectedDiscriminator(features, classes=3, width=4)
    for a, b in zip(judge.mixing.parameters(), same.mixing.parameters(), strict=True):
        assert torch.equal(a, b)
        assert not a.requires_grad
    images = (torch.rand(4, 1, 16, 16) * 2 - 1).requires_grad_(True)
    found = features(images)
    assert [x.shape[2:] for x in found] == [(16, 16), (8, 8), (4, 4), (2, 2)]
    weights = torch.eye(3)[[0, 1, 2, 0]]
    scores = judge(found, weights).scores
    assert scores.shape[0] == 4
    assert scores.shape[1] == 25 + 25 + 1 + 1  # patches of each head
    scores.mean().backward()
    assert images.grad is not None
    assert images.grad.abs().max() > 0
    assert all(p.grad is not None for p in judge.heads.parameters())
    judge.eval()
    swapped = judge(found, weights.flip(1)).scores
    assert not torch.allclose(judge(found, weights).scores, swapped)


@pytest.mark.parametrize("arch", list(GENERATORS))
def test_a_discriminator_may_tell_the_class(arch: str) -> None:
    config = dataclasses.replace(NETWORKS[arch], channels=1, classes=3)
    images, weights = torch.rand(4, 1, 16, 16), torch.eye(3)[[0, 1, 2, 0]]
    assert plain_discriminator(config, "spectral")(images, weights).logits is None
    verdict = plain_discriminator(config, "spectral", Extras(tells=True))(images, weights)
    assert verdict.logits is not None
    assert verdict.logits.shape == (4, 3)
    features = LiteFeatures(backbone(), 64)
    judge = ProjectedDiscriminator(features, classes=3, width=4, tells=True)
    told = judge(features(images), weights).logits
    assert told is not None
    assert told.shape == (4, 3)


def test_a_discriminator_may_see_that_a_class_collapsed() -> None:
    torch.manual_seed(0)
    features, weights = torch.randn(6, 5), torch.eye(3)[[0, 0, 1, 1, 1, 2]]
    features[2:5] = features[2]
    found = deviation(features, weights)[:, 0]
    expected = features[:2].std(0, correction=0).mean()
    assert torch.allclose(found[:2], expected.expand(2), atol=1e-3)
    assert (found[2:] < 1e-3).all()
    everything = features.std(0, correction=0).mean()
    assert torch.allclose(deviation(features, None)[:, 0], everything.expand(6), atol=1e-3)


def test_mode_seeking_wants_the_distances_of_the_data() -> None:
    torch.manual_seed(0)
    data, labels = torch.rand(80, 1, 8, 8) * 2 - 1, torch.arange(80) % 2
    data[labels == 1] = data[1].clone()  # pictures of class 1 are all alike
    term = ModeSeeking(lambda images: [images], data, labels, 2)
    weights = paired(torch.eye(2)[[0, 1, 0, 0]])
    assert torch.equal(weights, torch.eye(2)[[0, 1, 0, 1]])  # type: ignore[arg-type]
    different = torch.rand(4, 1, 8, 8) * 2 - 1
    assert term(different, weights) < 0.15
    alike = different[[0, 1, 0, 1]]
    assert float(term(alike, weights)) == pytest.approx(0.5, abs=0.01)  # of class 0 only
    near = (different[[0, 1, 0, 1]] + 0.01 * different).requires_grad_(True)
    term(near, weights).backward()
    assert near.grad is not None
    assert near.grad[[0, 2]].abs().max() > 0
    assert near.grad[[1, 3]].abs().max() == 0


def test_each_scale_hears_of_the_deeper_ones() -> None:
    features = LiteFeatures(backbone(), 64)
    mixing = ProjectedDiscriminator(features, classes=0, width=4).mixing
    found = features(torch.rand(1, 3, 64, 64))
    changed = [*found[:3], found[3] + 1]
    for before, after in zip(mixing(found), mixing(changed), strict=True):
        assert not torch.allclose(before, after)


def test_statistics_are_those_of_the_weights_they_belong_to() -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(NETWORKS["dcgan"], classes=3)
    network = GENERATORS["dcgan"](config).eval()
    settle(network)
    first = {key: value.clone() for key, value in network.state_dict().items()}
    with torch.no_grad():
        network.seed.weight.mul_(3)  # type: ignore[union-attr, operator]
        network.body[0].running_mean.add_(5)  # type: ignore[index, union-attr, operator]
    settle(network)
    again = network.state_dict()
    assert torch.allclose(again["body.0.running_mean"], 3 * first["body.0.running_mean"], atol=1e-5)
    assert torch.allclose(again["body.0.running_var"], 9 * first["body.0.running_var"], rtol=1e-4)
    assert not network.training
    assert network.body[0].momentum == 0.1  # type: ignore[index, union-attr]
    # What a normalised layer gives is of mean 0 and deviation 1 over many pictures.
    z, weights = torch.randn(500, 6), torch.eye(3)[torch.arange(500) % 3]
    x = network.seed(network.mapping(z, weights)).unflatten(1, (-1, 4, 4))  # type: ignore[operator]
    normal = (network.body[0](x) - network.body[0].bias[:, None, None]) / network.body[0].weight[
        :, None, None
    ]  # type: ignore[index, operator, union-attr]
    assert normal.mean((0, 2, 3)).abs().max() < 0.2
    assert (normal.std((0, 2, 3)) - 1).abs().max() < 0.2


def test_image_to_image_takes_any_multiple() -> None:
    config = dataclasses.replace(NETWORKS["dcgan"], channels=3)
    network, judge = Translator(config), PatchDiscriminator(config, "batch")
    assert network.multiple == 4
    given = torch.rand(2, 3, 20, 28) * 2 - 1
    made = network(given)
    assert made.shape == given.shape
    assert judge(made, given).scores.shape == (2, 5 * 7)

"""Metrics on sets whose distances are known, the classifier, and the collapse alarm."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
import torch

from ganfilters_exporters.gan.classifier import class_accuracy, train_classifier
from ganfilters_exporters.gan.collapse import CollapseAlarm, diversity, shares
from ganfilters_exporters.gan.metrics import (
    frechet_distance,
    kernel_distance,
    nearest,
    precision_recall_density_coverage,
)

from .gan_toys import drawings


def normal(count: int, size: int, seed: int) -> torch.Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


def test_the_frechet_distance_of_known_sets() -> None:
    x = normal(500, 4, 0)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(x, x + 2) == pytest.approx(4 * 4, rel=1e-6)
    # Of N(0, C) and N(0, 4 C): the trace of C.
    assert frechet_distance(x, 2 * x) == pytest.approx(
        float(torch.cov(x.T).trace() + x.mean(0).square().sum()), rel=1e-5
    )
    y = normal(400, 4, 1) @ normal(4, 4, 2)
    first, second = np.cov(x.double().numpy().T), np.cov(y.double().numpy().T)
    root = scipy.linalg.sqrtm(first @ second).real
    means = float((x.double().mean(0) - y.double().mean(0)).square().sum())
    expected = means + np.trace(first + second - 2 * root)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-5)


def test_the_kernel_distance_is_unbiased() -> None:
    found = [kernel_distance(normal(200, 3, 2 * n), normal(200, 3, 2 * n + 1), subsets=1)[0]
             for n in range(30)]  # fmt: skip
    assert min(found) < 0 < max(found)
    assert abs(float(np.mean(found))) < 3 * float(np.std(found)) / math.sqrt(30)
    far, error = kernel_distance(normal(200, 3, 0), normal(200, 3, 1) + 1, subsets=5, size=100)
    assert far > 10 * abs(float(np.mean(found)))
    assert 0 < error < far


def test_precision_and_recall_tell_quality_from_variety() -> None:
    real = torch.cat([normal(200, 3, 0), normal(200, 3, 1) + 20])
    same = torch.cat([normal(200, 3, 2), normal(200, 3, 3) + 20])
    good = precision_recall_density_coverage(real, same)
    assert min(good.values()) > 0.85
    one_mode = precision_recall_density_coverage(real, normal(400, 3, 4))
    assert one_mode["precision"] > 0.9
    assert one_mode["recall"] < 0.6
    assert one_mode["coverage"] < 0.6
    noisy = precision_recall_density_coverage(real, torch.cat([same, normal(400, 3, 5) * 9 - 30]))
    assert noisy["precision"] < 0.6
    assert noisy["density"] < good["density"]


def test_the_nearest() -> None:
    base = torch.tensor([[0.0], [1.0], [5.0]])
    distance, number = nearest(torch.tensor([[0.9], [4.0]]), base, 2)
    assert number.tolist() == [[1, 0], [2, 1]]
    assert distance[:, 0].tolist() == pytest.approx([0.1, 1.0])
    distance, number = nearest(base, base, 1, itself=True)
    assert number[:, 0].tolist() == [1, 0, 1]
    assert distance[:, 0].tolist() == [1, 1, 4]


@pytest.mark.parametrize("kind", ["pictures", "features"])
def test_the_classifier(kind: str) -> None:
    images, labels = (torch.from_numpy(x) for x in drawings(240))
    inputs = images[..., None]
    if kind == "features":
        inputs = torch.eye(3)[labels.long()] + 0.3 * normal(240, 3, 0)
    model = train_classifier(inputs, labels.long(), 3, epochs=8)
    assert model["held_out"] > 0.9
    found = class_accuracy(model, inputs, labels.long())
    assert found["accuracy"] > 0.9
    assert len(found["by_class"]) == 3
    wrong = class_accuracy(model, inputs, (labels.long() + 1) % 3)
    assert wrong["accuracy"] < 0.2
    only = class_accuracy(model, inputs[labels == 1], labels[labels == 1].long())
    assert only["by_class"][0] is None


def test_diversity_is_measured_within_classes() -> None:
    images = torch.rand(60, 1, 20, 20)
    labels = torch.arange(60) % 3
    whole = diversity(images, labels, 3)
    images[labels == 1] = images[1].clone()
    assert torch.allclose(diversity(images, labels, 3)[[0, 2]], whole[[0, 2]])
    assert diversity(images, labels, 3)[1] == 0
    assert diversity(images, None, 0).shape == (1,)
    assert diversity(images, labels, 4)[3].isnan()
    # However many they are, copies are no pictures of their own.
    copies = drawings(1)[0].astype(np.float32)[:, None].repeat(96, 0) / 255
    assert diversity(torch.from_numpy(copies), None, 0) == 0


def test_the_diversity_of_many_pictures_is_found_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """By differences 5000 pictures in colour took 15 s, by products 0.5 s."""
    modes, cdist = [], torch.cdist

    def spy(*pictures: torch.Tensor, **more: str) -> torch.Tensor:
        modes.append(bool(more))
        return cdist(*pictures, **more)

    monkeypatch.setattr(torch, "cdist", spy)
    images = torch.rand(1000, 3, 4, 4)
    many, few = diversity(images, None, 0), diversity(images[1:], None, 0)
    assert modes == [False, True]
    assert many == pytest.approx(few, rel=1e-3)
    assert diversity(images[:1].repeat(1000, 1, 1, 1), None, 0) == 0


def test_a_class_of_copies_is_left_out() -> None:
    data = torch.tensor([0.0, 2.0, torch.nan, 2.0])
    samples = torch.tensor([1.0, 1.0, 1.0, 2.0])
    assert shares(samples, data).isnan().tolist() == [True, False, True, False]
    alarm = CollapseAlarm(data, "abcd", grace=0, patience=1)
    assert not alarm.check(samples)
    assert alarm.ratio == 0.75
    assert alarm.check(torch.tensor([0.0, 0.0, 0.0, 2.0]))
    assert alarm.low == ["b"]


def test_the_alarm_waits_then_fires_then_is_quiet_again() -> None:
    alarm = CollapseAlarm(torch.ones(2), ("a", "b"), grace=2, patience=2)
    poor, good = torch.tensor([0.1, 0.1]), torch.tensor([0.9, 0.8])
    assert [alarm.check(poor) for _ in range(4)] == [False, False, False, True]
    assert "a, b" in alarm.message(7)
    assert "10 % as diverse" in alarm.message(7)
    resumed = CollapseAlarm(torch.ones(2), ("a", "b"), grace=2, patience=2)
    resumed.load_state(alarm.state())
    assert resumed.collapsed
    assert not alarm.check(good)
    one = torch.tensor([0.1, 1.0])  # a single class
    assert [alarm.check(one) for _ in range(2)] == [False, True]
    assert alarm.low == ["a"]

"""Muon: orthogonal steps, and that it trains."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ganfilters_exporters.muon import Muon, mixing_weights, orthogonal


@pytest.mark.parametrize("shape", [(6, 6), (4, 12), (12, 4)])
def test_singular_values_come_near_one_and_vectors_stay(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    left, _, right = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    found = orthogonal(
        left @ torch.diag(torch.linspace(0.2, 3.0, 4).repeat(3)[: min(shape)]) @ right
    )
    values = (left.T @ found @ right.T).diagonal()
    assert values.min() > 0.6
    assert values.max() < 1.3
    rest = left.T @ found @ right.T - torch.diag(values)
    assert rest.abs().max() < 1e-4


def test_no_gradient_moves_nothing() -> None:
    weight = nn.Parameter(torch.ones(3, 2, 1, 1))
    optimizer = Muon([weight], 0.1)
    optimizer.step()
    assert torch.equal(weight, torch.ones_like(weight))
    weight.grad = torch.zeros_like(weight)
    optimizer.step()
    assert torch.equal(weight, torch.ones_like(weight))


def test_a_step_is_as_large_as_one_of_adam() -> None:
    torch.manual_seed(0)
    weight = nn.Parameter(torch.zeros(32, 48, 3, 3))
    weight.grad = torch.randn_like(weight) * 1e-4
    Muon([weight], 0.1, momentum=0.0).step()
    size = float(weight.detach().square().mean().sqrt())
    assert 0.1 < size / (0.1 * 0.2) < 1.3


def test_it_finds_a_mixing_of_channels() -> None:
    torch.manual_seed(0)
    wanted, found = (nn.Conv2d(6, 5, 3, bias=False) for _ in range(2))
    optimizer = Muon(found.parameters(), 0.05)
    for step in range(200):
        optimizer.param_groups[0]["lr"] = 0.05 * (1 - step / 200)
        x = torch.randn(4, 6, 8, 8)
        loss = (found(x) - wanted(x)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 1e-3


def test_depthwise_kernels_and_vectors_are_not_mixing() -> None:
    network = nn.Sequential(
        nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 6, 1), nn.Linear(3, 3), nn.InstanceNorm2d(4)
    )
    assert mixing_weights(network) == [network[1].weight]

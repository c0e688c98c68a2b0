"""Winograd's convolution against the direct one, forwards and backwards."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ganfilters_exporters.losses.winograd import WinogradConv, with_winograd


def conv(inputs: int = 128, outputs: int = 128, **options: object) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(inputs, outputs, 3, **{"padding": 1, **options}).requires_grad_(False)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("inputs", "outputs", "count", "height", "width"),
    [(128, 128, 3, 13, 22), (256, 128, 1, 3, 1), (128, 256, 2, 64, 61), (128, 128, 3, 48, 48)],
)
def test_results_and_gradients_are_those_of_direct_convolution(
    inputs: int, outputs: int, count: int, height: int, width: int
) -> None:
    direct = conv(inputs, outputs)
    quick = WinogradConv(direct)
    x = torch.randn(count, inputs, height, width, requires_grad=True)
    wanted, found = direct(x), quick(x)
    assert found.shape == wanted.shape
    assert (found - wanted).abs().max() < 1e-4 * wanted.abs().max()
    back = torch.randn_like(wanted)
    (wanted_back,) = torch.autograd.grad(wanted, x, back)
    (found_back,) = torch.autograd.grad(found, x, back)
    assert (found_back - wanted_back).abs().max() < 1e-4 * wanted_back.abs().max()


def test_pictures_in_any_layout_and_without_bias() -> None:
    direct = conv(bias=False)
    x = torch.randn(2, 128, 8, 12).to(memory_format=torch.channels_last)
    wanted = direct(x)
    assert (WinogradConv(direct)(x) - wanted).abs().max() < 1e-4 * wanted.abs().max()


def test_other_precisions_take_the_direct_convolution() -> None:
    direct = conv().double()
    x = torch.randn(1, 128, 6, 6, dtype=torch.float64)
    assert torch.equal(WinogradConv(direct)(x), direct(x))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert WinogradConv(conv())(x.float()).dtype == torch.bfloat16


@pytest.mark.parametrize(
    "options",
    [{"inputs": 64}, {"stride": 2}, {"padding": 0}, {"groups": 2}, {"padding_mode": "reflect"}],
)
def test_other_convolutions_stay(options: dict[str, object]) -> None:
    network = nn.Sequential(conv(**options))  # type: ignore[arg-type]
    assert isinstance(with_winograd(network)[0], nn.Conv2d)  # type: ignore[index]


def test_frozen_ones_are_replaced_wherever_they_are_and_trained_ones_never() -> None:
    network = nn.Sequential(nn.Sequential(conv(), nn.ReLU()), conv().requires_grad_(True))
    with_winograd(network)
    assert isinstance(network[0][0], WinogradConv)  # type: ignore[index]
    assert isinstance(network[1], nn.Conv2d)

"""The gradient of small networks: autograd, the traced graph, and ONNX Runtime agree."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganfilters_exporters import export, storage
from ganfilters_exporters.backbones.efficientnet_lite import SameConv2d
from ganfilters_exporters.gradient import (
    Axis,
    UnsupportedOperatorError,
    trace,
    trace_gradient,
)

AXES = ({2: Axis("tall", 8, 2), 3: Axis("wide", 8, 2)},)
SIZES = ((16, 24), (32, 16), (40, 48))


def frozen(module: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.4)
    return module.eval().requires_grad_(False)


def folded_norm() -> nn.Module:
    norm = nn.BatchNorm2d(6)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), norm, nn.ReLU())


class Pools(nn.Module):
    """Overlapping, padded and plain pooling."""

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(x, 3, 1, 1) + functional.avg_pool2d(x, 3, 1, 1)
        return functional.avg_pool2d(functional.max_pool2d(x, 2), 2)


class Attention(nn.Module):
    """Matrix products and a softmax over positions."""

    def __init__(self) -> None:
        super().__init__()
        self.key = nn.Linear(3, 5)

    def forward(self, x: Tensor) -> Tensor:
        rows = functional.adaptive_avg_pool2d(x, 1).flatten(1)
        return self.key(rows).softmax(1) @ torch.ones(5, 2).cumsum(0)


NETWORKS: dict[str, dict[str, Callable[[], nn.Module]]] = {
    "convolutions": {
        "plain": lambda: nn.Conv2d(3, 5, 3, padding=1),
        "valid": lambda: nn.Conv2d(3, 5, 5),
        "wide padding": lambda: nn.Conv2d(3, 5, 3, padding=4),
        "depthwise": lambda: nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 3, 1, 1, groups=8)),
        "dilated": lambda: nn.Conv2d(3, 4, 3, padding=2, dilation=2),
        "transposed": lambda: nn.ConvTranspose2d(3, 5, 4, 2, padding=1),
    },
    "strided convolutions": {
        "stride 2": lambda: nn.Conv2d(3, 5, 3, 2, padding=1),
        "kernel 1": lambda: nn.Conv2d(3, 5, 1, 2),
        "stride 4": lambda: nn.Conv2d(3, 4, 7, 4, padding=2),
        "uneven": lambda: nn.Conv2d(3, 4, (3, 5), (2, 1), padding=(1, 0)),
        "dilated": lambda: nn.Conv2d(3, 4, 3, 2, padding=3, dilation=3),
        "same padding": lambda: SameConv2d(3, 6, 3, 2),
        "depthwise": lambda: nn.Sequential(SameConv2d(3, 8, 1), SameConv2d(8, 8, 5, 2, 8)),
        "groups": lambda: nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 12, 3, 2, 1, groups=4)),
    },
    "others": {
        "relu6": lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU6(), nn.Conv2d(8, 4, 1)),
        "norm": folded_norm,
        "pools": Pools,
        "smooth": lambda: nn.Sequential(nn.SiLU(), nn.Tanh(), nn.Sigmoid()),
        "leaky": lambda: nn.Sequential(nn.LeakyReLU(0.2), nn.GELU()),
        "upsampling": lambda: nn.Upsample(scale_factor=2),
        "matrix products": Attention,
    },
}
"""Groups of networks; each group is exported as one, to spare time."""


@pytest.mark.parametrize("group", NETWORKS)
def test_gradient_agrees_with_autograd(group: str) -> None:
    networks = [frozen(make()) for make in NETWORKS[group].values()]

    def objective(image: Tensor, weights: Tensor) -> Tensor:
        ends = [network(image).square().mean() for network in networks]
        return (torch.stack(ends) * weights).sum()

    example = (torch.rand(1, 3, 32, 32), torch.ones(len(networks)))
    graph = trace_gradient(objective, example, dynamic=(*AXES, {}))
    model = export.convert(
        graph,
        example,
        input_names=["image", "weights"],
        output_names=["gradient", "value"],
        dynamic=(*AXES, {}),
    )
    session = export.session(ir.to_proto(model).SerializeToString())
    assert {node.domain for node in model.graph} == {""}
    for height, width in SIZES:
        image = torch.rand(1, 3, height, width)
        # One network at a time, so that a failure names it.
        for name, chosen in zip(NETWORKS[group], torch.eye(len(networks)), strict=True):
            variable = image.clone().requires_grad_()
            value = objective(variable, chosen)
            (expected,) = torch.autograd.grad(value, variable)
            traced, _ = graph(image, chosen)
            feeds = {"image": image.numpy(), "weights": chosen.numpy()}
            gradient, measured = session.run(None, feeds)
            assert export.relative_error(traced.numpy(), expected.numpy()) < 1e-5, name
            assert export.relative_error(gradient, expected.numpy()) < 1e-3, name
            np.testing.assert_allclose(measured, value.detach().numpy(), rtol=1e-3)


def test_ties_in_pooling_go_to_the_first() -> None:
    def objective(image: Tensor) -> Tensor:
        weights = torch.arange(16.0).reshape(1, 1, 4, 4)
        return (functional.max_pool2d(image, 2) * weights).sum()

    image = torch.full((1, 1, 8, 8), 0.5)
    gradient, _ = trace_gradient(objective, (image,))(image)
    variable = image.clone().requires_grad_()
    (expected,) = torch.autograd.grad(objective(variable), variable)
    assert torch.equal(gradient, expected)


def test_gradient_of_a_second_argument() -> None:
    def objective(picture: Tensor, latent: Tensor) -> Tensor:
        return (picture @ latent).square().sum()

    picture, latent = torch.rand(4, 3), torch.rand(3, 2)
    gradient, value = trace_gradient(objective, (picture, latent), argument=1)(picture, latent)
    torch.testing.assert_close(gradient, 2 * picture.t() @ picture @ latent)
    torch.testing.assert_close(value, objective(picture, latent))


def test_several_gradients_share_the_forward_pass() -> None:
    network = frozen(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU6(), nn.Conv2d(4, 4, 3)))

    def both(image: Tensor) -> tuple[Tensor, Tensor]:
        image = image.detach().requires_grad_()
        end = network(image)
        options = {"retain_graph": True}
        (a,) = torch.autograd.grad(end.sum(), image, **options)
        (b,) = torch.autograd.grad(end.square().sum(), image, **options)
        return a, b

    graph = trace(both, (torch.rand(1, 3, 16, 16),))
    targets = [node.target for node in graph.graph.nodes]
    assert targets.count(torch.ops.aten.hardtanh.default) == 1
    assert targets.count(torch.ops.aten.convolution.default) == 2 + 2 * 2


def test_each_weight_is_stored_once() -> None:
    network = frozen(nn.Conv2d(3, 64, 5))
    example = (torch.rand(1, 3, 32, 32),)
    graph = trace_gradient(lambda image: network(image).square().sum(), example)
    model = export.convert(
        graph, example, input_names=["image"], output_names=["gradient", "value"], dynamic=[{}]
    )
    elements = sum(value.const_value.size for value in model.graph.initializers.values())
    assert elements < network.weight.numel() + 200


def test_unsupported_operator_is_named() -> None:
    def objective(image: Tensor) -> Tensor:
        return functional.grid_sample(image, torch.zeros(1, 4, 4, 2), align_corners=False).sum()

    with pytest.raises(UnsupportedOperatorError, match="grid_sampler_2d_backward"):
        trace_gradient(objective, (torch.rand(1, 3, 8, 8),))


def test_gradient_of_weights_is_refused() -> None:
    network = nn.Conv2d(3, 4, 3)

    def weight_gradient(image: Tensor) -> Tensor:
        value = network(image).square().sum()
        return torch.autograd.grad(value, network.weight)[0]

    with pytest.raises(UnsupportedOperatorError, match="gradient of weights"):
        trace(weight_gradient, (torch.rand(1, 3, 8, 8),))


@pytest.mark.parametrize("keywords", [{"ceil_mode": True, "kernel_size": 3}])
def test_uncovered_form_of_an_operator_is_named(keywords: dict[str, object]) -> None:
    def objective(image: Tensor) -> Tensor:
        return functional.max_pool2d(image, **keywords).sum()

    with pytest.raises(UnsupportedOperatorError, match="ceil_mode"):
        trace_gradient(objective, (torch.rand(1, 3, 8, 8),))


def test_compact_storage_is_exact_to_rounding() -> None:
    torch.manual_seed(0)
    weight = torch.randn(300, 500) * torch.logspace(-4, 2, 300)[:, None]
    network = nn.Linear(500, 300, bias=False).requires_grad_(False)
    network.weight.copy_(weight)
    example = (torch.rand(1, 500),)
    model = export.convert(network, example, input_names=["x"], output_names=["y"], dynamic=[{}])
    storage.store_compact(model)
    proto = ir.to_proto(model).SerializeToString()
    assert len(proto) < 3.1 * weight.numel()
    (stored,) = export.session(proto).run(None, {"x": np.eye(1, 500, 7, dtype=np.float32)})
    largest = weight.abs().amax(1).numpy()
    assert (np.abs(stored[0] - weight[:, 7].numpy()) <= 2.0**-19 * largest).all()


def test_rounded_weights_are_stored_without_loss() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(500, 300, bias=False), nn.Linear(300, 100, bias=False))
    network.requires_grad_(False)
    storage.round_weights(network, half_from=10_000, byte_from=100_000)
    example = (torch.rand(1, 500),)
    model = export.convert(network, example, input_names=["x"], output_names=["y"], dynamic=[{}])
    storage.store_compact(model, 10_000)
    kept = {
        v.const_value.dtype for v in model.graph.initializers.values() if v.const_value.size > 300
    }
    assert kept == {ir.DataType.INT8, ir.DataType.FLOAT16}
    proto = ir.to_proto(model).SerializeToString()
    assert len(proto) < 150_000 + 2 * 30_000 + 5_000
    (found,) = export.session(proto).run(None, {"x": example[0].numpy()})
    assert np.abs(found - network(example[0]).numpy()).max() < 1e-5

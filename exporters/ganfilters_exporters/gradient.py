"""Gradients as ONNX graphs: trace, rewrite into operators that ONNX has, export.

ONNX has no automatic differentiation. So the gradient itself is traced: the function that computes
it, `torch.autograd.grad` included, runs once on fake tensors under
`torch.fx.experimental.proxy_tensor.make_fx`, which records the forward and the backward pass as one
graph of ATen operators with symbolic sizes. The operators that only a backward pass has, such as
``aten.convolution_backward``, have no ONNX counterpart; the rewriting below (module
:mod:`.backward`) replaces each by ordinary ones. What is left is a plain network that
`torch.onnx.export` takes.

Examples
--------
The gradient of the mean square of a convolution, with respect to its input of any size:

>>> weight = torch.randn(8, 3, 3, 3)
>>> def objective(image):
...     return torch.nn.functional.conv2d(image, weight, padding=1).square().mean()
>>> graph = trace_gradient(
...     objective, (torch.rand(1, 3, 32, 32),), dynamic=({2: Axis("height"), 3: Axis("width")},)
... )
>>> gradient, value = graph(torch.rand(1, 3, 48, 40))
>>> gradient.shape
torch.Size([1, 3, 48, 40])
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.experimental.symbolic_shapes import (
    DimDynamic,
    ShapeEnv,
    StatelessSymbolicContext,
)

from .backward import BACKWARD_DECOMPOSITIONS, Rewriter, UnsupportedOperatorError

__all__ = [
    "Axis",
    "UnsupportedOperatorError",
    "sides",
    "trace",
    "trace_gradient",
]


@dataclass(frozen=True)
class Axis:
    """An axis whose size is chosen when the exported file runs.

    Attributes
    ----------
    name : str
        Name of the unknown number that determines the size; axes may share one.
    multiple : int
        The size is this many times the unknown. Strided networks need it: their sizes divide
        exactly, so that no rounding reaches the graph.
    least, most : int
        Bounds of the unknown.
    """

    name: str
    multiple: int = 1
    least: int = 1
    most: int = 2**15


Dynamic = Sequence[Mapping[int, Axis]]
"""For each argument, its dynamic axes by number."""


def sides(multiple: int, smallest: int, prefix: str = "") -> dict[int, Axis]:
    """Return the axes of pictures (N, C, H, W) whose height and width are chosen freely.

    Parameters
    ----------
    multiple, smallest : int
        What each side is a multiple of, and its least, in pixels.
    prefix : str
        Before the axes' names: pictures of the same prefix are of the same size.
    """
    least = max(1, smallest // multiple)
    names = {2: f"{prefix}height", 3: f"{prefix}width"}
    return {number: Axis(name, multiple, least) for number, name in names.items()}


def trace(
    fn: Callable[..., Any], example_inputs: Sequence[Tensor], *, dynamic: Dynamic | None = None
) -> fx.GraphModule:
    """Trace `fn`, gradients that it takes inside included, into a graph of exportable operators.

    Parameters
    ----------
    fn : callable
        Takes as many tensors as `example_inputs` and returns a tensor or a tuple of tensors. It may
        call `torch.autograd.grad` (on ``x = x.detach().requires_grad_()``) or `torch.func.grad`.
        Weights it closes over become constants; they must not require gradients.
    example_inputs : sequence of Tensor
        Their dtypes, and their sizes on axes that are not dynamic, are built into the graph. A
        dynamic axis should be larger than 1 here.
    dynamic : sequence of mapping from int to Axis, optional
        For each input, its axes of run-time size.

    Returns
    -------
    fx.GraphModule
        Takes the inputs and returns what `fn` returns, for all sizes that `dynamic` allows. The
        graph has no backward operators.

    Raises
    ------
    UnsupportedOperatorError
        If the backward pass has an operator, or a form of it, that cannot be rewritten; the
        message names it.
    """
    dynamic = dynamic if dynamic is not None else [{} for _ in example_inputs]
    mode = FakeTensorMode(shape_env=ShapeEnv(), allow_non_fake_inputs=True)
    fakes = _fake_inputs(mode, example_inputs, dynamic)
    joint = _make_graph(fn, fakes, BACKWARD_DECOMPOSITIONS)
    return _make_graph(Rewriter(joint).run, fakes, {})


def trace_gradient(
    objective: Callable[..., Tensor],
    example_inputs: Sequence[Tensor],
    *,
    argument: int = 0,
    dynamic: Dynamic | None = None,
) -> fx.GraphModule:
    """Trace the gradient of a scalar function with respect to one of its arguments.

    Parameters
    ----------
    objective : callable
        Takes the inputs and returns a scalar tensor.
    example_inputs : sequence of Tensor
        As for :func:`trace`.
    argument : int
        Which input the gradient is taken with respect to: an image, a latent.
    dynamic : sequence of mapping from int to Axis, optional
        As for :func:`trace`.

    Returns
    -------
    fx.GraphModule
        Takes the inputs, returns ``(gradient, value)``: the gradient has the shape of the
        input `argument`, the value is the scalar.

    Raises
    ------
    UnsupportedOperatorError
        As for :func:`trace`.
    """

    def gradient_and_value(*inputs: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            variable = inputs[argument].detach().requires_grad_()
            value = objective(*inputs[:argument], variable, *inputs[argument + 1 :])
            (gradient,) = torch.autograd.grad(value, variable)
        return gradient, value.detach()

    return trace(gradient_and_value, example_inputs, dynamic=dynamic)


def _make_graph(
    fn: Callable[..., Any], fakes: Sequence[Tensor], decompositions: Mapping[Any, Any]
) -> fx.GraphModule:
    """Record the ATen operators that `fn` runs on fake tensors."""
    # "symbolic" keeps the fakes' own symbols, and has Python implementations of operators whose
    # C++ ones would fix the sizes.
    tracer = make_fx(fn, dict(decompositions), "symbolic", _allow_non_fake_inputs=True)
    graph = tracer(*fakes)
    _share_common_expressions(graph.graph)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


def _share_common_expressions(graph: fx.Graph) -> None:
    """Compute equal expressions once: gradients of several objectives share masks and kernels."""
    seen: dict[Any, fx.Node] = {}
    for node in list(graph.nodes):
        if node.op not in ("call_function", "get_attr"):
            continue
        key = (node.op, node.target, _hashable(node.args), _hashable(node.kwargs))
        if key in seen:
            node.replace_all_uses_with(seen[key])
            graph.erase_node(node)
        else:
            seen[key] = node


def _hashable(value: Any) -> Any:
    """Return arguments as something equal exactly if they are: 1 and 1.0 and True differ."""
    if isinstance(value, (tuple, list)):
        return tuple(_hashable(item) for item in value)
    if isinstance(value, dict):
        return tuple((key, _hashable(item)) for key, item in sorted(value.items()))
    if isinstance(value, slice):
        return tuple(_hashable(item) for item in (value.start, value.stop, value.step))
    return value if isinstance(value, fx.Node) else (type(value), value)


def _fake_inputs(
    mode: FakeTensorMode, example_inputs: Sequence[Tensor], dynamic: Dynamic
) -> list[Tensor]:
    """Return fake tensors like the inputs, each dynamic axis a multiple of a fresh symbol."""
    symbols: dict[str, Any] = {}
    fakes = []
    for example, axes in zip(example_inputs, dynamic, strict=True):
        shape: list[Any] = list(example.shape)
        for number, axis in axes.items():
            if axis.name not in symbols:
                # Hints of 0 and 1 would be specialised, so the hint never falls below 2.
                hint = max(2, shape[number] // axis.multiple)
                context: StatelessSymbolicContext[Any, Any] = StatelessSymbolicContext(
                    dynamic_sizes=[DimDynamic.DYNAMIC]
                )
                vector = mode.from_tensor(torch.empty(hint), symbolic_context=context)
                symbols[axis.name] = vector.shape[0]
            shape[number] = axis.multiple * symbols[axis.name]
        with mode:
            fakes.append(torch.empty(shape, dtype=example.dtype))
    return fakes

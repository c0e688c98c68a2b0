"""Backward operators written with forward ones.

Each rule here replaces one ``aten.*_backward`` operator by operators that ONNX has and, where there
is a choice, by those that ONNX Runtime runs fast on a CPU: its kernels for plain convolutions are
vectorised over blocks of channels and multi-threaded; those for transposed convolutions are not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch._decomp import core_aten_decompositions
from torch.nn import functional

aten = torch.ops.aten


class UnsupportedOperatorError(NotImplementedError):
    """A backward operator that has no rule, or a form of one that its rule does not cover."""

    def __init__(self, operator: Any, reason: str = "has no rule in this exporter") -> None:
        super().__init__(
            f"the gradient cannot be exported: {operator} {reason}; "
            "add a rule to ganfilters_exporters/backward.py, or build the network without it"
        )


def input_gradient_of_convolution(
    grad: Tensor,
    weight: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """Return the gradient of a two-dimensional convolution with respect to its input.

    With stride 1 it is a convolution with the kernel turned by 180 degrees and its inputs and
    outputs exchanged. With stride s, output position i of the gradient only meets those kernel taps
    that are congruent to i + padding modulo s: so each of the s x s phases of the result is a
    stride-1 convolution with a part of the kernel, and interleaving the phases gives the result
    without multiplying a single inserted zero (Shi et al., "Is the deconvolution layer the same as
    a convolutional layer?", 2016).

    Parameters
    ----------
    grad : Tensor
        Gradient with respect to the output, (N, outputs, h, w).
    weight : Tensor
        (outputs, inputs / groups, kernel, kernel).
    size : sequence of int
        Height and width of the convolution's input, without padding.
    stride, dilation : sequence of int
        Of the convolution, for each axis.
    padding : sequence of (int, int)
        Zeros before and after, for each axis; the two may differ.
    groups : int
        Of the convolution.

    Returns
    -------
    Tensor
        (N, inputs, *size).
    """
    turned = _exchange(weight, groups).flip(2, 3)
    phases = [
        [
            _phase(grad, turned, size, (row, column), stride, padding, dilation, groups)
            for column in range(stride[1])
        ]
        for row in range(stride[0])
    ]
    return _interleave(phases, size, stride)


def _exchange(weight: Tensor, groups: int) -> Tensor:
    """Exchange inputs and outputs: (out, in / groups, k, k) to (in, out / groups, k, k)."""
    outputs, inputs, *kernel = weight.shape
    if groups == 1:
        return weight.transpose(0, 1)
    if inputs == 1 and outputs == groups:
        return weight
    split = weight.reshape(groups, outputs // groups, inputs, *kernel)
    return split.transpose(1, 2).reshape(groups * inputs, outputs // groups, *kernel)


def _phase(
    grad: Tensor,
    turned: Tensor,
    size: Sequence[int],
    phase: tuple[int, int],
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int,
) -> Tensor | None:
    """Return every stride-th row and column of the gradient, from `phase` on; None if zero.

    Kernel tap t takes grad[(i + before - t * dilation) / stride] to result position i. `turned` has
    the taps in reverse, so that grad's index rises with the tap as a convolution's does.
    """
    slices, pads, steps = [], [], []
    for axis in range(2):
        step, spread, taps = stride[axis], dilation[axis], turned.shape[2 + axis]
        reach = phase[axis] + padding[axis][0]
        met = [t for t in reversed(range(taps)) if (reach - t * spread) % step == 0]
        if not met:
            return None
        offsets = [(reach - t * spread) // step for t in met]
        every = met[0] - met[1] if len(met) > 1 else 1
        slices.append(slice(taps - 1 - met[0], taps - met[-1], every))
        steps.append(offsets[1] - offsets[0] if len(met) > 1 else 1)
        wanted = (size[axis] + step - 1) // step
        pads.append((-offsets[0], wanted - grad.shape[2 + axis] + offsets[-1]))
    kernel = turned
    for axis, part in enumerate(slices):
        if part != slice(0, turned.shape[2 + axis], 1):
            kernel = aten.slice.Tensor(kernel, 2 + axis, part.start, part.stop, part.step)
    return _convolve(grad, kernel, pads, steps, groups)


def _convolve(
    x: Tensor, weight: Tensor, pads: Sequence[tuple[Any, Any]], dilation: list[int], groups: int
) -> Tensor:
    """Convolve with stride 1 and padding that may differ between the ends, or be negative."""
    exact = [(int(before), int(after)) for before, after in pads]
    same = [before if before == after and before >= 0 else None for before, after in exact]
    if None in same:
        x = functional.pad(x, (*exact[1], *exact[0]))
        same = [0, 0]
    return aten.convolution(x, weight, None, [1, 1], same, dilation, False, [0, 0], groups)


def _interleave(
    phases: list[list[Tensor | None]], size: Sequence[int], stride: Sequence[int]
) -> Tensor:
    """Put phase (a, b) at rows a, a + stride, ... and columns b, b + stride, ...; crop to size."""
    present = next(p for row in phases for p in row if p is not None)
    if len(phases) == len(phases[0]) == 1:
        return present
    blank = torch.zeros_like(present)
    rows = []
    for row in phases:
        if len(row) == 1:
            rows.append(row[0] if row[0] is not None else blank)
        else:
            filled = [blank if p is None else p for p in row]
            # (N, C, h, w, s) read in order is (N, C, h, w * s).
            rows.append(torch.stack(filled, -1).flatten(3))
    joined = rows[0] if len(rows) == 1 else torch.stack(rows, 3).flatten(2, 3)
    for axis in range(2):
        if size[axis] % stride[axis] != 0:
            joined = aten.slice.Tensor(joined, 2 + axis, 0, size[axis])
    return joined


def _convolution_backward(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    _bias_sizes: Any,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    _output_padding: Sequence[int],
    groups: int,
    output_mask: Sequence[bool],
    *,
    pads: Sequence[tuple[int, int]] | None = None,
) -> tuple[Tensor, None, None]:
    """Rule for aten.convolution_backward; `pads` are zeros around `x` that were not added yet."""
    if output_mask[1] or output_mask[2]:
        raise UnsupportedOperatorError(
            "aten.convolution_backward",
            "is asked for the gradient of weights (call requires_grad_(False) on the network)",
        )
    if x.ndim != 4:
        raise UnsupportedOperatorError("aten.convolution_backward", "is not two-dimensional")
    if transposed:
        plain = [list(stride), list(padding), list(dilation), False, [0, 0], groups]
        return aten.convolution(grad, weight, None, *plain), None, None
    extra = pads or [(0, 0), (0, 0)]
    both = [(p + before, p + after) for p, (before, after) in zip(padding, extra, strict=True)]
    size = x.shape[2:]
    result = input_gradient_of_convolution(grad, weight, size, stride, both, dilation, groups)
    return result, None, None


def _spread_windows(
    values: Tensor, size: Sequence[int], kernel: Sequence[int], stride: Sequence[int],
    padding: Sequence[int], dilation: Sequence[int],
) -> Tensor:  # fmt: skip
    """Add the values of each pooling window onto its pixels.

    Takes (N, C, taps, h, w), where the taps run over the window row by row, and gives
    (N, C, *size): for windows that do not overlap an interleaving, else a transposed convolution
    with a constant kernel of ones.
    """
    n, channels, taps = values.shape[:3]
    rows, columns = kernel
    if list(kernel) == list(stride) and not any(padding) and set(dilation) == {1}:
        parts = values.unbind(2)
        phases = [list(parts[r * columns : (r + 1) * columns]) for r in range(rows)]
        joined = _interleave(phases, [rows, columns], stride)
        missing = [size[a] - values.shape[3 + a] * stride[a] for a in range(2)]
        if any(int(m) != 0 for m in missing):
            joined = functional.pad(joined, (0, int(missing[1]), 0, int(missing[0])))
        return joined
    one_hot = torch.eye(taps, dtype=values.dtype).reshape(taps, 1, rows, columns)
    flat = values.reshape(n * channels, taps, *values.shape[3:])
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    outputs = [(flat.shape[2 + a] - 1) * stride[a] - 2 * padding[a] + spans[a] for a in range(2)]
    missing = [int(size[a] - outputs[a]) for a in range(2)]
    spread = aten.convolution(
        flat, one_hot, None, list(stride), list(padding), list(dilation), True, missing, 1
    )
    return spread.reshape(n, channels, *size)


def _max_pool2d_backward(
    grad: Tensor, x: Tensor, kernel: Sequence[int], stride: Sequence[int],
    padding: Sequence[int], dilation: Sequence[int], ceil_mode: bool, indices: Tensor,
) -> Tensor:  # fmt: skip
    """Rule for aten.max_pool2d_with_indices_backward: the window's winner gets the gradient."""
    stride = list(stride) or list(kernel)
    if ceil_mode:
        raise UnsupportedOperatorError("aten.max_pool2d_with_indices_backward", "has ceil_mode")
    height, width = x.shape[2:]
    rows = torch.arange(grad.shape[2]) * stride[0] - padding[0]
    columns = torch.arange(grad.shape[3]) * stride[1] - padding[1]
    corner = rows[:, None] * width + columns
    local = indices - corner
    taps = [
        torch.where(local == r * dilation[0] * width + c * dilation[1], grad, 0.0)
        for r in range(kernel[0])
        for c in range(kernel[1])
    ]
    return _spread_windows(torch.stack(taps, 2), (height, width), kernel, stride, padding, dilation)


def _avg_pool2d_backward(
    grad: Tensor, x: Tensor, kernel: Sequence[int], stride: Sequence[int],
    padding: Sequence[int], ceil_mode: bool, count_include_pad: bool, divisor: int | None,
) -> Tensor:  # fmt: skip
    """Rule for aten.avg_pool2d_backward: every pixel of the window gets its share."""
    stride = list(stride) or list(kernel)
    if ceil_mode or (any(padding) and not count_include_pad):
        raise UnsupportedOperatorError(
            "aten.avg_pool2d_backward", "has ceil_mode or does not count its padding"
        )
    taps = kernel[0] * kernel[1]
    share = grad / (divisor or taps)
    values = torch.stack([share] * taps, 2)
    return _spread_windows(values, x.shape[2:], kernel, stride, padding, [1, 1])


def _hardtanh_backward(grad: Tensor, x: Tensor, low: float, high: float) -> Tensor:
    """Rule for aten.hardtanh_backward; `x` may be the input or the output of the clamp."""
    # ONNX Runtime's Where goes over its data three times; a product with the mask is faster.
    return grad * ((x > low) & (x < high)).to(grad.dtype)


def _threshold_backward(grad: Tensor, x: Tensor, threshold: float) -> Tensor:
    """Rule for aten.threshold_backward, the backward pass of ReLU."""
    return grad * (x > threshold).to(grad.dtype)


def _upsample_nearest2d_backward(
    grad: Tensor, _output_size: Any, input_size: Sequence[int], *_scales: Any
) -> Tensor:
    """Rule for aten.upsample_nearest2d_backward: the sum over each block, for whole factors."""
    factors = [grad.shape[2 + a] // input_size[2 + a] for a in range(2)]
    if any(grad.shape[2 + a] != factors[a] * input_size[2 + a] for a in range(2)):
        raise UnsupportedOperatorError("aten.upsample_nearest2d_backward", "has no whole factor")
    exact = [int(f) for f in factors]
    return aten.avg_pool2d(grad, exact, exact) * (exact[0] * exact[1])


RULES: dict[Any, Callable[..., Any]] = {
    aten.convolution_backward.default: _convolution_backward,
    aten.max_pool2d_with_indices_backward.default: _max_pool2d_backward,
    aten.avg_pool2d_backward.default: _avg_pool2d_backward,
    aten.hardtanh_backward.default: _hardtanh_backward,
    aten.threshold_backward.default: _threshold_backward,
    aten.upsample_nearest2d_backward.default: _upsample_nearest2d_backward,
}
"""Our rules, by operator; each takes the operator's arguments."""

BACKWARD_DECOMPOSITIONS = {
    operator: rule
    for operator, rule in core_aten_decompositions().items()
    if "backward" in str(operator) and operator not in RULES
}
"""What torch itself can write with forward operators: norms, softmax, smooth activations."""


class Rewriter(fx.Interpreter):
    """Runs a traced graph with its backward operators replaced; to be traced once more.

    It sees the graph around an operator, which a decomposition table does not, and so can

    * take padding that precedes a convolution, and the cropping of its gradient that follows from
      it, into the convolution's own rule;
    * compute the mask of a clamp from its output, so that the runtime can fuse the clamp into the
      convolution before it and need not keep the clamp's input.
    """

    def __init__(self, module: fx.GraphModule) -> None:
        # Rules look back at earlier values, so none is dropped (fake tensors cost nothing).
        super().__init__(module, garbage_collect_values=False)
        self._cropped = self._find_padded_convolutions()
        self._crops = {crop for crop, _ in self._cropped.values()}
        self._clamped = {
            (node.args[0], *node.args[1:3]): node
            for node in module.graph.nodes
            if node.target is aten.hardtanh.default
        }

    def _find_padded_convolutions(self) -> dict[fx.Node, tuple[fx.Node, fx.Node]]:
        """Map backward convolutions of padded inputs to (the crop of the gradient, the pad)."""
        found = {}
        for node in self.module.graph.nodes:
            if node.target is not aten.convolution_backward.default:
                continue
            pad, results = node.args[1], [user for user in node.users if user.args[1] == 0]
            if pad.target is not aten.constant_pad_nd.default or len(results) != 1:
                continue
            crops = list(results[0].users)
            negated = [-p for p in pad.args[1]]
            if len(crops) != 1 or crops[0].target is not aten.constant_pad_nd.default:
                continue
            if len(negated) == 4 and list(crops[0].args[1]) == negated and not any(pad.args[2:]):
                found[node] = (crops[0], pad)
        return found

    def run_node(self, n: fx.Node) -> Any:
        """Run one node, through its rule if it has one."""
        if n in self._crops:
            return self.env[n.args[0]]
        if n.op != "call_function":
            return super().run_node(n)
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        if n in self._cropped:
            pad = self._cropped[n][1]
            left, right, top, bottom = pad.args[1]
            args = (args[0], self.env[pad.args[0]], *args[2:])
            return _convolution_backward(*args, pads=[(top, bottom), (left, right)])
        if n.target is aten.hardtanh_backward.default:
            clamp = self._clamped.get(tuple(n.args[1:4]))
            output = args[1] if clamp is None else self.env[clamp]
            return _hardtanh_backward(args[0], output, *args[2:])
        if n.target in RULES:
            return RULES[n.target](*args, **kwargs)
        if "backward" in str(n.target):
            raise UnsupportedOperatorError(n.target)
        return super().run_node(n)

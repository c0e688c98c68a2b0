"""Weights in fewer bytes: float16, 8 bits with a scale, or float16 with a remainder.

Runtimes fold the arithmetic that restores them when they load the file, so computation stays in
float32, and reading takes no longer than reading the bytes.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import torch
from torch import nn

__all__ = ["COMPACT_FROM", "round_weights", "store_compact"]

COMPACT_FROM = 2**17
"""Weights of so many elements are worth storing in fewer bytes."""

_LARGEST = 127


def round_weights(module: nn.Module, *, half_from: int, byte_from: int) -> None:
    """Round large weights to what two bytes, or one, hold; `store_compact` then loses nothing.

    Parameters
    ----------
    module : nn.Module
        Changed in place.
    half_from : int
        Weights of so many elements become float16.
    byte_from : int
        Weights of so many elements become 8-bit multiples of a scale, one for each entry of the
        first axis.
    """
    for weight in module.parameters():
        if weight.numel() >= byte_from:
            steps, scale = _bytes_of(weight.detach().numpy())
            weight.data = torch.from_numpy(steps * scale)
        elif weight.numel() >= half_from:
            weight.data = weight.data.half().float()


def store_compact(model: ir.Model, least: int = COMPACT_FROM) -> None:
    """Store large float32 weights in few bytes.

    Weights that `round_weights` made 8-bit take one byte, those that are float16 take two. Others
    take three, a float16 and an int8 remainder: the sum has an error of at most 2^-20 of the
    largest weight of its output channel, no more than float32 arithmetic itself adds. Float16 alone
    has one of 2^-12, which moves enough activations across the corners of ReLU6 to change the
    dream's gradient by a third.

    Parameters
    ----------
    model : ir.Model
        Changed in place.
    least : int
        Weights with fewer elements stay as they are.
    """
    for value in list(model.graph.initializers.values()):
        tensor = value.const_value
        if tensor is None or tensor.dtype != ir.DataType.FLOAT or tensor.size < least:
            continue
        weight = tensor.numpy()
        steps, scale = _bytes_of(weight)
        if np.array_equal(steps * scale, weight):
            _replace(model.graph, value, None, steps, scale)
            continue
        half = weight.astype(np.float16)
        if not np.isfinite(half).all():
            continue
        remainder = weight - half.astype(np.float32)
        if remainder.any():
            _replace(model.graph, value, half, *_bytes_of(remainder))
        else:
            _replace(model.graph, value, half)


def _bytes_of(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return int8 steps and the scales (for each entry of the first axis) that they multiply.

    A scale has a mantissa of 12 bits: multiples of it are exact, and it is found again from them.
    """
    largest = np.abs(weight).max(tuple(range(1, weight.ndim)), keepdims=True) / _LARGEST
    mantissa, exponent = np.frexp(np.maximum(largest, np.finfo(np.float32).tiny))
    scale = np.ldexp(np.rint(mantissa * 2**12) / 2**12, exponent).astype(np.float32)
    steps = np.clip(np.rint(weight / scale), -_LARGEST, _LARGEST)
    return steps.astype(np.int8), scale


def _replace(
    graph: ir.Graph,
    value: ir.Value,
    half: np.ndarray | None,
    steps: np.ndarray | None = None,
    scale: np.ndarray | None = None,
) -> None:
    """Replace an initializer by ``float(half) + float(steps) * scale``, or by one of the two."""
    nodes: list[ir.Node] = []
    stored: list[ir.Value] = []

    def store(suffix: str, array: np.ndarray) -> ir.Value:
        tensor = ir.tensor(array, name=f"{value.name}.{suffix}")
        kind = ir.TensorType(tensor.dtype)
        stored.append(ir.Value(name=tensor.name, type=kind, shape=tensor.shape, const_value=tensor))
        return stored[-1]

    def add(suffix: str, *arguments: object, **attributes: object) -> ir.Value:
        node = ir.node(*arguments, **attributes)  # type: ignore[arg-type]
        node.name = node.outputs[0].name = f"{value.name}.{suffix}"
        node.outputs[0].type, node.outputs[0].shape = value.type, value.shape
        nodes.append(node)
        return node.outputs[0]

    to_float = {"to": ir.DataType.FLOAT}
    parts = []
    if half is not None:
        parts.append(add("coarse", "Cast", [store("half", half)], to_float))
    if steps is not None and scale is not None:
        fine = add("fine", "Cast", [store("steps", steps)], to_float)
        parts.append(add("scaled", "Mul", [fine, store("scale", scale)]))
    whole = parts[0] if len(parts) == 1 else add("whole", "Add", parts)
    value.replace_all_uses_with(whole)
    del graph.initializers[value.name]
    for item in stored:
        graph.register_initializer(item)
    graph.insert_before(graph[0], nodes)

"""Weights in fewer bytes: float16, 8 or 4 bits with a scale, or float16 with a remainder.

Runtimes fold the arithmetic that restores them when they load the file, so computation stays in
float32, and reading takes no longer than reading the bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from torch import nn

__all__ = ["COMPACT_FROM", "round_weights", "store_compact", "unpacked"]

COMPACT_FROM = 2**17
"""Weights of so many elements are worth storing in fewer bytes."""

BLOCK = 32
"""Inputs of a kernel that share a scale when it is stored in 4 bits."""

_LARGEST, _LARGEST_NIBBLE = 127, 7
# What a step of 0 is stored as: nibbles have no sign.
_ZERO_NIBBLE = 8


def round_weights(
    module: nn.Module, *, half_from: int, byte_from: int, nibble_from: int | None = None
) -> None:
    """Round large weights to 16, 8 or 4 bits; `store_compact` then stores them without loss.

    Parameters
    ----------
    module : nn.Module
        Changed in place.
    half_from : int
        Weights of so many elements become float16.
    byte_from : int
        Weights of so many elements become 8-bit multiples of a scale, one for each entry of the
        first axis.
    nibble_from : int, optional
        Kernels of so many elements become 4-bit multiples of a scale, one for each output and
        :data:`BLOCK` inputs: for networks whose features are compared, not for those that paint.
    """
    for weight in module.parameters():
        blocks = _blocks(weight.detach().numpy())
        if nibble_from is not None and weight.numel() >= nibble_from and blocks is not None:
            steps, scale = _steps_of(blocks, _LARGEST_NIBBLE)
            weight.data = torch.from_numpy((steps * scale).reshape(weight.shape))
        elif weight.numel() >= byte_from:
            steps, scale = _steps_of(weight.detach().numpy())
            weight.data = torch.from_numpy(steps * scale)
        elif weight.numel() >= half_from:
            weight.data = weight.data.half().float()


def store_compact(model: ir.Model, least: int = COMPACT_FROM) -> None:
    """Store large float32 weights in few bytes.

    Weights that `round_weights` made 4-bit take half a byte, those that it made 8-bit one, those
    that are float16 two. Others take three, a float16 and an int8 remainder: the sum has an error
    of at most 2^-20 of the largest weight of its output channel, no more than float32 arithmetic
    itself adds. Float16 alone has one of 2^-12, which moves enough activations across the corners
    of ReLU6 to change the dream's gradient by a third.

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
        blocks = _blocks(weight)
        if blocks is not None:
            steps, scale = _steps_of(blocks, _LARGEST_NIBBLE)
            if np.array_equal(steps * scale, blocks):
                _replace_by_nibbles(model.graph, value, steps, scale)
                continue
        steps, scale = _steps_of(weight)
        if np.array_equal(steps * scale, weight):
            _replace(model.graph, value, None, steps, scale)
            continue
        half = weight.astype(np.float16)
        if not np.isfinite(half).all():
            continue
        remainder = weight - half.astype(np.float32)
        if remainder.any():
            _replace(model.graph, value, half, *_steps_of(remainder))
        else:
            _replace(model.graph, value, half)


def unpacked(nibbles: np.ndarray, scale: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Return the weight that is stored as nibbles: two steps a byte, the row's halves beside."""
    both = np.concatenate([nibbles >> 4, nibbles & 15], 1).astype(np.float32)
    weight: np.ndarray = ((both - _ZERO_NIBBLE) * scale).reshape(shape)
    return weight


def _blocks(weight: np.ndarray) -> np.ndarray | None:
    """Return kernels as rows that share a scale when stored in 4 bits; None if they do not fit."""
    if weight.ndim != 4 or weight.shape[1] % BLOCK:
        return None
    return weight.reshape(-1, BLOCK * weight.shape[2] * weight.shape[3])


def _steps_of(weight: np.ndarray, most: int = _LARGEST) -> tuple[np.ndarray, np.ndarray]:
    """Return int8 steps and the scales (for each entry of the first axis) that they multiply.

    A scale has a mantissa of 12 bits: multiples of it are exact, and it is found again from them.
    """
    largest = np.abs(weight).max(tuple(range(1, weight.ndim)), keepdims=True) / most
    mantissa, exponent = np.frexp(np.maximum(largest, np.finfo(np.float32).tiny))
    scale = np.ldexp(np.rint(mantissa * 2**12) / 2**12, exponent).astype(np.float32)
    steps = np.clip(np.rint(weight / scale), -most, most)
    return steps.astype(np.int8), scale


class _Replacement:
    """Nodes and constants that take a weight's place in a graph."""

    def __init__(self, value: ir.Value) -> None:
        self.value = value
        self.nodes: list[ir.Node] = []
        self.stored: list[ir.Value] = []

    def store(self, suffix: str, array: np.ndarray) -> ir.Value:
        """Return a new constant."""
        tensor = ir.tensor(array, name=f"{self.value.name}.{suffix}")
        kind = ir.TensorType(tensor.dtype)
        self.stored.append(
            ir.Value(name=tensor.name, type=kind, shape=tensor.shape, const_value=tensor)
        )
        return self.stored[-1]

    def add(
        self, suffix: str, *arguments: object, shape: Sequence[int] | None = None, **attributes: Any
    ) -> ir.Value:
        """Return the output of a new node, float32, of the weight's shape unless given."""
        node = ir.node(*arguments, **attributes)  # type: ignore[arg-type]
        node.name = node.outputs[0].name = f"{self.value.name}.{suffix}"
        node.outputs[0].type = self.value.type
        node.outputs[0].shape = self.value.shape if shape is None else ir.Shape(shape)
        self.nodes.append(node)
        return node.outputs[0]

    def finish(self, graph: ir.Graph, whole: ir.Value) -> None:
        """Put `whole` in the weight's place."""
        self.value.replace_all_uses_with(whole)
        del graph.initializers[self.value.name]
        for item in self.stored:
            graph.register_initializer(item)
        graph.insert_before(graph[0], self.nodes)


_TO_FLOAT = {"to": ir.DataType.FLOAT}


def _replace(
    graph: ir.Graph,
    value: ir.Value,
    half: np.ndarray | None,
    steps: np.ndarray | None = None,
    scale: np.ndarray | None = None,
) -> None:
    """Replace an initializer by ``float(half) + float(steps) * scale``, or by one of the two."""
    new = _Replacement(value)
    parts = []
    if half is not None:
        parts.append(new.add("coarse", "Cast", [new.store("half", half)], _TO_FLOAT))
    if steps is not None and scale is not None:
        fine = new.add("fine", "Cast", [new.store("steps", steps)], _TO_FLOAT)
        parts.append(new.add("scaled", "Mul", [fine, new.store("scale", scale)]))
    new.finish(graph, parts[0] if len(parts) == 1 else new.add("whole", "Add", parts))


def _replace_by_nibbles(
    graph: ir.Graph, value: ir.Value, steps: np.ndarray, scale: np.ndarray
) -> None:
    """Replace an initializer by two steps a byte: the first half of each row above the second."""
    new = _Replacement(value)
    count = steps.shape[1] // 2
    moved = (steps + _ZERO_NIBBLE).astype(np.uint8)
    half, row = (len(steps), count), steps.shape
    packed = new.store("nibbles", moved[:, :count] << 4 | moved[:, count:])
    byte = new.add("byte", "Cast", [packed], _TO_FLOAT, shape=half)
    sixteen = new.store("sixteen", np.float32(16))
    share = new.add("share", "Div", [byte, sixteen], shape=half)
    high = new.add("high", "Floor", [share], shape=half)
    above = new.add("above", "Mul", [high, sixteen], shape=half)
    low = new.add("low", "Sub", [byte, above], shape=half)
    both = new.add("both", "Concat", [high, low], {"axis": 1}, shape=row)
    zero = new.store("zero", np.float32(_ZERO_NIBBLE))
    fine = new.add("fine", "Sub", [both, zero], shape=row)
    scaled = new.add("scaled", "Mul", [fine, new.store("scale", scale)], shape=row)
    assert value.shape is not None  # noqa: S101 - an initializer has one
    shape = new.store("shape", np.array(value.shape.numpy(), np.int64))
    new.finish(graph, new.add("whole", "Reshape", [scaled, shape]))

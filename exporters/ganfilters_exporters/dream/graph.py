"""The dream network as one ONNX graph that computes no deeper than it is asked to.

ONNX Runtime computes every output of a graph, fetched or not (`RunOptions`'s
``only_execute_path_to_fetches`` has no effect outside of its training build: tried with 1.31). So
the depth is an input, and everything beyond a layer lies in the branch of an ``If`` behind it,
nested as the layers are:

    forward to stage 1
    If depth > 0: forward to stage 2, If depth > 1: (...), back to stage 1; else: zero
    back to the image

Each weight and each operator is there once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
import torch

from .. import export, gradient, storage
from ..backbones import LOGITS
from ..gradient import Axis
from .objective import KINDS, Dream, output_name


@dataclass(frozen=True)
class _Found:
    """What a nest of steps yields, at the level where it is used."""

    gradient: ir.Value
    objective: ir.Value
    features: tuple[ir.Value, ...]


def build(dream: Dream) -> ir.Model:
    """Trace every step, convert it, and nest the steps.

    The result has the inputs ``image`` float32 (1, 3, H, W), ``depth`` int64 (), the number of the
    deepest layer to go to, and all of :meth:`.Dream.input_names`; and the outputs ``gradient``
    (1, 3, H, W), ``objective`` (), ``features.LAYER`` (1, C, h, w) and ``logits`` (1, classes),
    the latter two empty beyond `depth`. It is unchecked and has no card.
    """
    inputs = _inputs(dream)
    by_name = {str(value.name): value for value in inputs}
    main: list[ir.Node] = []
    weights: list[ir.Value] = []
    found = _nest(dream, 0, by_name, by_name["image"], main, weights)
    outputs = [found.gradient, found.objective, *found.features]
    names = ["gradient", "objective", *(output_name(d) for d in dream.backbone.depths)]
    for value, name in zip(outputs, names, strict=True):
        value.name = name
    found.gradient.shape = ir.Shape([1, 3, "height", "width"])
    for depth, value in zip(dream.backbone.depths, found.features, strict=True):
        value.shape = _features_shape(dream, depth)
    graph = ir.Graph(
        inputs,
        outputs,
        nodes=main,
        initializers=weights,
        opset_imports={"": export.OPSET},
        name=f"{dream.backbone.name}-dream",
    )
    return ir.Model(graph, ir_version=export.IR_VERSION, producer_name="ganfilters")


def _inputs(dream: Dream) -> list[ir.Value]:
    """Return the graph's inputs."""
    image = _value("image", ir.DataType.FLOAT, [1, 3, "height", "width"])
    values = [image, _value("depth", ir.DataType.INT64, [])]
    for name, example in dream.silence().items():
        shape: list[int | str] = list(example.shape)
        if name.endswith(".guide"):
            shape[0] = f"{name}s"
        values.append(_value(name, ir.DataType.FLOAT, shape))
    return values


def _value(name: str, dtype: ir.DataType, shape: Sequence[int | str] | None) -> ir.Value:
    return ir.Value(
        name=name, type=ir.TensorType(dtype), shape=None if shape is None else ir.Shape(shape)
    )


def _features_shape(dream: Dream, depth: str) -> ir.Shape:
    if depth == LOGITS:
        return ir.Shape(["scored", len(dream.backbone.classes)])
    layer = next(layer for layer in dream.backbone.layers if layer.name == depth)
    return ir.Shape([1, layer.channels, f"{depth}.height", f"{depth}.width"])


def _nest(
    dream: Dream,
    depth: int,
    inputs: dict[str, ir.Value],
    before: ir.Value,
    nodes: list[ir.Node],
    weights: list[ir.Value],
) -> _Found:
    """Append step `depth`, with all deeper ones in an ``If``, to a graph under construction."""
    name = dream.backbone.depths[depth]
    piece = _convert_step(dream, depth).graph
    kinds = ("linear",) if name == LOGITS else KINDS
    replaced = [before, *(inputs[f"{name}.{kind}"] for kind in kinds)]
    _rename(piece, name)
    features, objective, gradient_before = piece.outputs
    deepest = depth + 1 == len(dream.backbone.depths)
    own_inputs = list(piece.inputs)
    arriving = None if deepest else own_inputs.pop()
    for old, new in zip(own_inputs, replaced, strict=True):
        old.replace_all_uses_with(new)
    weights.extend(piece.initializers.values())
    own, forward = list(piece), _ancestors(features)
    # A value has one graph, so the piece gives up what moves into the new one.
    piece.outputs.clear()
    piece.initializers.clear()
    piece.remove(own)
    nodes.extend(node for node in own if node in forward)
    if arriving is None:
        nodes.extend(node for node in own if node not in forward)
        return _Found(gradient_before, objective, (features,))
    deeper = _branch(dream, depth + 1, inputs, features, nodes, weights)
    arriving.replace_all_uses_with(deeper.gradient)
    nodes.extend(node for node in own if node not in forward)
    total = ir.node("Add", [objective, deeper.objective])
    total.outputs[0].name = f"{name}/total"
    total.outputs[0].type, total.outputs[0].shape = objective.type, objective.shape
    nodes.append(total)
    return _Found(gradient_before, total.outputs[0], (features, *deeper.features))


def _branch(
    dream: Dream,
    depth: int,
    inputs: dict[str, ir.Value],
    features: ir.Value,
    nodes: list[ir.Node],
    weights: list[ir.Value],
) -> _Found:
    """Append ``If(depth_input >= depth)`` around the steps from `depth` on."""
    name = dream.backbone.depths[depth]
    then_nodes: list[ir.Node] = []
    then_weights: list[ir.Value] = []
    found = _nest(dream, depth, inputs, features, then_nodes, then_weights)
    then_outputs = [found.gradient, found.objective, *found.features]
    then_graph = ir.Graph(
        [], then_outputs, nodes=then_nodes, initializers=then_weights, name=f"{name}.reached"
    )
    limit = _constant(f"{name}/depth", np.array(depth, np.int64), weights)
    asked = ir.node("GreaterOrEqual", [inputs["depth"], limit])
    asked.outputs[0].name = f"{name}/asked"
    choice = ir.node(
        "If",
        asked.outputs,
        {"then_branch": then_graph, "else_branch": _nothing(dream, depth, features)},
        num_outputs=len(then_outputs),
    )
    for output, source in zip(choice.outputs, then_outputs, strict=True):
        output.name = f"{source.name}.{name}"
        output.type = source.type
    nodes += [asked, choice]
    gradient_out, objective, *features_out = choice.outputs
    return _Found(gradient_out, objective, tuple(features_out))


def _nothing(dream: Dream, depth: int, features: ir.Value) -> ir.Graph:
    """Return the branch for a depth that was not asked for: zeros, and empty features."""
    name = dream.backbone.depths[depth]
    shape = ir.node("Shape", [features])
    zeros = ir.node("ConstantOfShape", shape.outputs, {"value": ir.tensor(np.zeros(1, np.float32))})
    shape.outputs[0].name, zeros.outputs[0].name = f"{name}/else_shape", f"{name}/else_gradient"
    zeros.outputs[0].type = ir.TensorType(ir.DataType.FLOAT)
    empty = [np.zeros((), np.float32)]
    for deeper in dream.backbone.depths[depth:]:
        dims = [d if isinstance(d, int) else 0 for d in _features_shape(dream, deeper)]
        empty.append(np.zeros(dims, np.float32))
    nodes = [shape, zeros]
    outputs = [zeros.outputs[0]]
    for number, array in enumerate(empty):
        constant = ir.node("Constant", [], {"value": ir.tensor(array)})
        constant.outputs[0].name = f"{name}/else_{number}"
        constant.outputs[0].type = ir.TensorType(ir.DataType.FLOAT)
        nodes.append(constant)
        outputs.append(constant.outputs[0])
    return ir.Graph([], outputs, nodes=nodes, name=f"{name}.not_reached")


def _constant(name: str, array: np.ndarray, weights: list[ir.Value]) -> ir.Value:
    tensor = ir.tensor(array, name=name)
    value = ir.Value(
        name=name, type=ir.TensorType(tensor.dtype), shape=tensor.shape, const_value=tensor
    )
    weights.append(value)
    return value


def _convert_step(dream: Dream, depth: int) -> ir.Model:
    """Trace and convert one step; every axis is given by the number of whole tiles."""
    backbone = dream.backbone
    name = backbone.depths[depth]
    before = (3, 1) if depth == 0 else _channels_and_stride(dream, depth - 1)
    least = backbone.size_min // backbone.size_multiple
    tiles = max(4, least)

    def example(channels: int, stride: int) -> tuple[torch.Tensor, dict[int, Axis]]:
        multiple = backbone.size_multiple // stride
        size = multiple * tiles
        axes = {n: Axis(a, multiple, least) for n, a in ((2, "tall"), (3, "wide"))}
        return torch.rand(1, channels, size, size), axes

    first, first_axes = example(*before)
    examples, dynamic = [first], [first_axes]
    if name == LOGITS:
        examples.append(torch.zeros(len(backbone.classes)))
        dynamic.append({})
        names = ["before", "linear"]
    else:
        channels, stride = _channels_and_stride(dream, depth)
        examples += [torch.ones(channels), torch.zeros(channels), torch.zeros(3, channels)]
        dynamic += [{}, {}, {0: Axis("guides")}]
        names = ["before", *KINDS]
        if depth + 1 < len(backbone.depths):
            deeper, deeper_axes = example(channels, stride)
            examples.append(deeper)
            dynamic.append(deeper_axes)
            names.append("deeper")
    graph = gradient.trace(dream.step(depth), examples, dynamic=dynamic)
    model = export.convert(
        graph,
        examples,
        input_names=names,
        output_names=["features", "objective", "gradient"],
        dynamic=dynamic,
    )
    storage.store_compact(model)
    return model


def _channels_and_stride(dream: Dream, depth: int) -> tuple[int, int]:
    layer = dream.backbone.layers[depth]
    return layer.channels, layer.stride


def _rename(graph: ir.Graph, prefix: str) -> None:
    """Make the names of a step its own, as all steps end in one file."""
    for value in list(graph.initializers.values()):
        del graph.initializers[value.name]
        value.name = f"{prefix}/{value.name}"
        graph.initializers[value.name] = value
    for node in graph:
        if node.name:
            node.name = f"{prefix}/{node.name}"
        for output in node.outputs:
            output.name = f"{prefix}/{output.name}"


def _ancestors(value: ir.Value) -> set[ir.Node]:
    """Return all nodes that a value depends on."""
    found: set[ir.Node] = set()
    waiting = [value]
    while waiting:
        node = waiting.pop().producer()
        if node is not None and node not in found:
            found.add(node)
            waiting.extend(v for v in node.inputs if v is not None)
    return found

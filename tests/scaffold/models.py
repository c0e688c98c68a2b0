"""Tiny ONNX models of every kind that `new-plugin --onnx` may meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, HALF, BYTE = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8
Value = tuple[str, int, Sequence[Any]]

NCHW = (1, 3, "h", "w")


def save(
    path: Path,
    nodes: Sequence[Any],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    **constants: Any,
) -> Path:
    """Write a model; constants are float32 arrays unless they are arrays already."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
        [
            numpy_helper.from_array(
                value if isinstance(value, np.ndarray) else np.array(value, np.float32), name
            )
            for name, value in constants.items()
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(made, full_check=True)
    onnx.save(made, path)
    return path


def node(kind: str, inputs: str, outputs: str, **attributes: Any) -> Any:
    return helper.make_node(kind, inputs.split(), outputs.split(), **attributes)


def simple(
    kind: str, inputs: str, shape: Sequence[Any] = NCHW, type: int = FLOAT, **constants: Any
) -> Callable[[Path], Path]:
    """Return the maker of a model of one node, from ``x`` to ``y``."""

    def make(path: Path) -> Path:
        return save(
            path, [node(kind, inputs, "y")], [("x", type, shape)], [("y", type, shape)], **constants
        )

    return make


negative = simple("Sub", "one x", one=1.0)
negative_255 = simple("Sub", "top x", top=255.0)
negative_signed = simple("Neg", "x")
grey = simple("Sub", "one x", shape=(1, 1, "h", "w"), one=1.0)
half = simple("Sub", "one x", type=HALF, one=np.array(1.0, np.float16))
no_batch = simple("Sub", "one x", shape=(3, "h", "w"), one=1.0)
fixed = simple("Sub", "one x", shape=(1, 32, 48, 3), one=1.0)
open_channels = simple("Sub", "one x", shape=("n", "c", "h", "w"), one=np.ones((1, 3, 1, 1), "f"))
bytes_ = simple("Sub", "top x", (1, "h", "w", 3), BYTE, top=np.array(255, np.uint8))


def imagenet(path: Path) -> Path:
    """Undo ImageNet's normalisation."""
    nodes = [node("Mul", "x std", "scaled"), node("Add", "scaled mean", "y")]
    std, mean = ([0.229, 0.224, 0.225], [0.485, 0.456, 0.406])
    return save(
        path,
        nodes,
        [("x", FLOAT, NCHW)],
        [("y", FLOAT, NCHW)],
        std=np.array(std, "f").reshape(1, 3, 1, 1),
        mean=np.array(mean, "f").reshape(1, 3, 1, 1),
    )


def blur(path: Path) -> Path:
    """Mean over 5 x 5 pixels: looks two pixels far."""
    kernel = np.full((3, 1, 5, 5), 1 / 25, np.float32)
    nodes = [node("Conv", "x k", "y", group=3, pads=[2, 2, 2, 2])]
    return save(path, nodes, [("x", FLOAT, NCHW)], [("y", FLOAT, NCHW)], k=kernel)


def reflecting(path: Path) -> Path:
    """Pad by 20 mirrored pixels and cut them off again: needs 21 pixels at least."""
    pads = np.array([0, 0, 20, 20, 0, 0, 20, 20], np.int64)
    nodes = [
        node("Pad", "x pads", "wide", mode="reflect"),
        node("Slice", "wide starts ends axes", "y"),
    ]
    return save(
        path,
        nodes,
        [("x", FLOAT, NCHW)],
        [("y", FLOAT, NCHW)],
        pads=pads,
        starts=np.array([20, 20]),
        ends=np.array([-20, -20]),
        axes=np.array([2, 3]),
    )


def exposed(path: Path) -> Path:
    """Give every picture the same mean: looks at all of it."""
    nodes = [
        node("ReduceMean", "x axes", "mean", keepdims=1),
        node("Sub", "x mean", "flat"),
        node("Mul", "flat less", "soft"),
        node("Add", "soft half", "y"),
    ]
    values = {"axes": np.array([2, 3]), "less": 0.5, "half": 0.5}
    return save(path, nodes, [("x", FLOAT, NCHW)], [("y", FLOAT, NCHW)], **values)


def eights(path: Path) -> Path:
    """Mix in means of 8 x 8 pixels: sides must be multiples of 8."""
    nodes = [
        node("AveragePool", "x", "small", kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Resize", ["small", "", "scales"], ["large"], mode="nearest"),
        node("Add", "large x", "sum"),
        node("Mul", "sum half", "y"),
    ]
    scales = np.array([1, 1, 8, 8], np.float32)
    inputs, outputs = [("x", FLOAT, NCHW)], [("y", FLOAT, (1, 3, "a", "b"))]
    return save(path, nodes, inputs, outputs, scales=scales, half=0.5)


def resized(factor: float) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        nodes = [helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="nearest")]
        scales = np.array([1, 1, factor, factor], np.float32)
        inputs, outputs = [("x", FLOAT, NCHW)], [("y", FLOAT, (1, 3, "a", "b"))]
        return save(path, nodes, inputs, outputs, scales=scales)

    return make


def with_inputs(path: Path) -> Path:
    """Take a strength, a number of rounds that must be from 1 to 8, a switch and three weights."""
    nodes = [
        node("Sub", "one x", "inverse"),
        node("Gather", "table rounds", "factor"),
        node("Mul", "inverse factor", "scaled"),
        node("Where", "flip scaled x", "chosen"),
        node("Mul", "chosen strength", "weak"),
        node("ReduceSum", "styles axes", "total", keepdims=1),
        node("Mul", "weak total", "y"),
    ]
    inputs = [
        ("x", FLOAT, NCHW),
        ("strength", FLOAT, (1,)),
        ("rounds", TensorProto.INT64, ()),
        ("flip", TensorProto.BOOL, ()),
        ("styles", FLOAT, (3,)),
    ]
    table = np.linspace(0.3, 1, 9).astype(np.float32)
    axes = np.array([0])
    return save(path, nodes, inputs, [("y", FLOAT, NCHW)], one=1.0, table=table, axes=axes)


def several_outputs(path: Path) -> Path:
    """Make a mean as well, with a number that only the mean needs."""
    nodes = [
        node("ReduceMean", "x", "mean", keepdims=0),
        node("Mul", "mean gain", "loud"),
        node("Sub", "one x", "picture"),
    ]
    inputs = [("x", FLOAT, NCHW), ("gain", FLOAT, ())]
    outputs = [("loud", FLOAT, ()), ("picture", FLOAT, NCHW)]
    return save(path, nodes, inputs, outputs, one=1.0)


# Models that cannot become a filter.


def words(path: Path) -> Path:
    nodes = [node("Cast", "ids", "y", to=FLOAT)]
    shape = (1, "length")
    return save(path, nodes, [("ids", TensorProto.INT64, shape)], [("y", FLOAT, shape)])


def classifier(path: Path) -> Path:
    nodes = [node("ReduceMean", "x axes", "y", keepdims=0)]
    axes = np.array([2, 3])
    return save(path, nodes, [("x", FLOAT, NCHW)], [("y", FLOAT, (1, 3))], axes=axes)


def two_pictures(path: Path) -> Path:
    nodes = [node("Add", "x style", "y")]
    return save(path, nodes, [("x", FLOAT, NCHW), ("style", FLOAT, NCHW)], [("y", FLOAT, NCHW)])


def with_latent(path: Path) -> Path:
    nodes = [node("ReduceMean", "z axes", "m", keepdims=1), node("Add", "x m", "y")]
    inputs = [("x", FLOAT, NCHW), ("z", FLOAT, (1, 4, 5, 6))]
    return save(path, nodes, inputs, [("y", FLOAT, NCHW)], axes=np.array([1, 2, 3]))


def unpadded(path: Path) -> Path:
    kernel = np.full((3, 1, 5, 5), 1 / 25, np.float32)
    out = (1, 3, "a", "b")
    nodes = [node("Conv", "x k", "y", group=3)]
    return save(path, nodes, [("x", FLOAT, NCHW)], [("y", FLOAT, out)], k=kernel)


def not_finite(path: Path) -> Path:
    nodes = [node("Mul", "x zero", "none"), node("Div", "none none", "y")]
    return save(path, nodes, [("x", FLOAT, NCHW)], [("y", FLOAT, NCHW)], zero=0.0)


def beside(path: Path) -> Path:
    """Keep the weights in a file of their own."""
    kernel = np.full((3, 1, 5, 5), 1 / 25, np.float32)
    nodes = [node("Conv", "x k", "y", group=3, pads=[2, 2, 2, 2])]
    save(path, nodes, [("x", FLOAT, NCHW)], [("y", FLOAT, NCHW)], k=kernel)
    made = onnx.load(path)
    onnx.save(made, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path

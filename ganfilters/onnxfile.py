"""The two things the host asks of an ``.onnx`` file itself, read from its protobuf bytes.

`read_metadata` tells what a model says of itself without loading its weights; `extract` cuts a
model down to the outputs that are wanted. Both would cost every user the ``onnx`` package
otherwise, and both need only the outermost levels of the format: ``ModelProto``, ``GraphProto``
and ``NodeProto`` in onnx.proto3.
"""

from __future__ import annotations

import mmap
from collections.abc import Collection, Iterator
from pathlib import Path

from ganfilters.errors import ModelError

__all__ = ["extract", "read_metadata"]

# Field numbers of onnx.proto3.
_IR_VERSION, _GRAPH, _METADATA = 1, 7, 14
_NODE, _INITIALIZER, _INPUT, _OUTPUT, _VALUE_INFO = 1, 5, 11, 12, 13
_NODE_INPUT, _NODE_OUTPUT, _NODE_ATTRIBUTE = 1, 2, 5
_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS = 6, 11
_TENSOR_NAME = 8
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# (field number, wire type, start of the field, start of its content, end)
_Field = tuple[int, int, int, int, int]


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of an ONNX file; its graph is skipped, not read.

    Raises
    ------
    ModelError
        The file cannot be read, or is no ONNX model.
    """
    try:
        with path.open("rb") as file:
            if path.stat().st_size == 0:
                raise ModelError(f"{path} is not an ONNX model: it is empty")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                fields = _model_fields(data, path)
                return dict(
                    _string_pair(data[begin:end])
                    for number, _wire, _start, begin, end in fields
                    if number == _METADATA
                )
    except OSError as error:
        reason = error.strerror or error
        raise ModelError(f"model file {path} cannot be read: {reason}") from error
    except (ValueError, IndexError) as error:
        raise ModelError(f"{path} is not an ONNX model, or it is damaged") from error


def extract(path: Path, outputs: Collection[str]) -> bytes:
    """Return the model cut down to what computes the named outputs.

    ONNX Runtime computes every output of a model, wanted or not, and optimises for all of them.
    A file with several outputs (a picture, and the statistics that its tiles share) therefore
    runs as fast as a file made for one only after it is cut.

    Parameters
    ----------
    path
        The model.
    outputs
        Names of graph outputs.

    Raises
    ------
    ModelError
        The file is no ONNX model, or has no such output.
    """
    try:
        data = path.read_bytes()
        fields = _model_fields(data, path)
        (graph,) = [field for field in fields if field[0] == _GRAPH]
        cut = _cut_graph(data[graph[3] : graph[4]], set(outputs), path)
        before, after = data[: graph[2]], data[graph[4] :]
    except OSError as error:
        reason = error.strerror or error
        raise ModelError(f"model file {path} cannot be read: {reason}") from error
    except (ValueError, IndexError) as error:
        raise ModelError(f"{path} is not an ONNX model, or it is damaged") from error
    return b"".join([before, bytes([_GRAPH << 3 | _BYTES]), _encoded(len(cut)), cut, after])


def _cut_graph(graph: bytes, wanted: set[str], path: Path) -> bytes:
    fields = list(_walk(graph))
    nodes = [field for field in fields if field[0] == _NODE]
    present = {_named(graph, field, 1) for field in fields if field[0] == _OUTPUT}
    if not wanted <= present:
        missing = ", ".join(sorted(wanted - present))
        raise ModelError(f"model file {path} has no output {missing}")
    needed, kept = set(wanted), set()
    for field in reversed(nodes):  # nodes stand in topological order
        inputs, made, nested = _node(graph[field[3] : field[4]])
        if nested:
            return graph  # a node with subgraphs may read any name: leave the model whole
        if needed & made:
            needed |= inputs
            kept.add(field)
    names = {_INITIALIZER: _TENSOR_NAME, _INPUT: 1, _OUTPUT: 1, _VALUE_INFO: 1}
    parts = []
    for field in fields:
        number, keep = field[0], True
        if number == _NODE:
            keep = field in kept
        elif number in names:
            name = _named(graph, field, names[number])
            keep = name in (wanted if number == _OUTPUT else needed)
        if keep:
            parts.append(graph[field[2] : field[4]])
    return b"".join(parts)


def _node(node: bytes) -> tuple[set[str], set[str], bool]:
    """Return a node's inputs and outputs, and whether it holds subgraphs."""
    inputs, outputs, nested = set(), set(), False
    for number, _wire, _start, begin, end in _walk(node):
        if number == _NODE_INPUT:
            inputs.add(node[begin:end].decode())
        elif number == _NODE_OUTPUT:
            outputs.add(node[begin:end].decode())
        elif number == _NODE_ATTRIBUTE:
            kinds = {field[0] for field in _walk(node[begin:end])}
            nested |= bool(kinds & {_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS})
    return inputs - {""}, outputs - {""}, nested


def _named(data: bytes, field: _Field, number: int) -> str:
    """Return the string in field `number` of an embedded message."""
    for found, wire, _start, begin, end in _walk(data, field[3], field[4]):
        if found == number and wire == _BYTES:
            return data[begin:end].decode()
    return ""


def _model_fields(data: bytes | mmap.mmap, path: Path) -> list[_Field]:
    fields = list(_walk(data))
    numbers = {field[0] for field in fields}
    if _GRAPH not in numbers or _IR_VERSION not in numbers:
        raise ModelError(f"{path} is not an ONNX model")
    return fields


def _walk(data: bytes | mmap.mmap, at: int = 0, end: int | None = None) -> Iterator[_Field]:
    """Yield the fields of one message."""
    end = len(data) if end is None else end
    while at < end:
        start = at
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            begin = at
            _, stop = _varint(data, at)
        elif wire == _BYTES:
            length, begin = _varint(data, at)
            stop = begin + length
        elif wire in (_FIXED64, _FIXED32):
            begin = at
            stop = begin + (8 if wire == _FIXED64 else 4)
        else:
            raise ValueError(f"wire type {wire}")
        if number < 1 or stop > end:
            raise ValueError("no protobuf message")
        yield number, wire, start, begin, stop
        at = stop


def _varint(data: bytes | mmap.mmap, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a varint is too long")


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _string_pair(data: bytes) -> tuple[str, str]:
    """Decode a ``StringStringEntryProto``: field 1 is the key, field 2 the value."""
    parts = {1: "", 2: ""}
    for number, _wire, _start, begin, end in _walk(data):
        parts[number] = data[begin:end].decode("utf-8")
    return parts[1], parts[2]

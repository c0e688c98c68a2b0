"""The metadata of an ``.onnx`` file, read from its protobuf bytes.

Naming a model's licence must cost neither the import of onnxruntime, nor the ``onnx`` package, nor
the reading of the weights, and needs only the outermost level of the format: ``ModelProto`` in
onnx.proto3.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from ganfilters.errors import ModelError

__all__ = ["read_metadata"]

# Field numbers of onnx.proto3.
_IR_VERSION, _GRAPH, _METADATA = 1, 7, 14
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# (field number, start of its content, end)
_Field = tuple[int, int, int]


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
                    for number, begin, end in fields
                    if number == _METADATA
                )
    except OSError as error:
        reason = error.strerror or error
        raise ModelError(f"model file {path} cannot be read: {reason}") from error
    except (ValueError, IndexError) as error:
        raise ModelError(f"{path} is not an ONNX model, or it is damaged") from error


def _model_fields(data: bytes | mmap.mmap, path: Path) -> list[_Field]:
    fields = list(_walk(data))
    numbers = {field[0] for field in fields}
    if _GRAPH not in numbers or _IR_VERSION not in numbers:
        raise ModelError(f"{path} is not an ONNX model")
    return fields


def _walk(data: bytes | mmap.mmap) -> Iterator[_Field]:
    """Yield the fields of one message."""
    at, end = 0, len(data)
    while at < end:
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
        yield number, begin, stop
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


def _string_pair(data: bytes) -> tuple[str, str]:
    """Decode a ``StringStringEntryProto``: field 1 is the key, field 2 the value."""
    parts = {1: "", 2: ""}
    for number, begin, end in _walk(data):
        parts[number] = data[begin:end].decode("utf-8")
    return parts[1], parts[2]

"""Kinds of parameter beyond numbers and words: pictures, models, files, sizes, weighted names.

Each is an annotated type for a field of `~ganfilters.filter.Params`. All take both what a shell
can write and what Python code would pass, and all turn back into JSON for the recipe.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    InstanceOf,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
)

from ganfilters.errors import GanfiltersError, UsageError
from ganfilters.image import Animation, Image
from ganfilters.limits import MAX_PIXELS, MAX_PIXELS_KEY
from ganfilters.models import ModelFile

__all__ = [
    "DataFile",
    "ImageParam",
    "InputFile",
    "ModelParam",
    "OutputFile",
    "Size",
    "WeightedNames",
    "size_of",
    "weighted_names",
]


def weighted_names(value: Any) -> dict[str, float]:
    """Read ``"a=1,b=0.5"`` (a missing weight is 1), a list of names, or a mapping.

    Raises
    ------
    ValueError
        A weight is no finite number, a name is empty or appears twice, or all weights are 0.

    Examples
    --------
    >>> weighted_names("stage4=1, stage5=0.5")
    {'stage4': 1.0, 'stage5': 0.5}
    >>> weighted_names(["starry-night"])
    {'starry-night': 1.0}
    """
    pairs: Iterable[tuple[Any, Any]]
    if isinstance(value, str):
        split = [part.partition("=") for part in value.split(",") if part.strip()]
        pairs = [(name, weight if equals else 1.0) for name, equals, weight in split]
    elif isinstance(value, Mapping):
        pairs = value.items()
    elif isinstance(value, Iterable):
        pairs = [(name, 1.0) for name in value]
    else:
        raise ValueError("write names with weights as name=1,other=0.5")
    found: dict[str, float] = {}
    for raw, weight in pairs:
        name = str(raw).strip()
        if not name:
            raise ValueError("a name is empty; write names with weights as name=1,other=0.5")
        if name in found:
            raise ValueError(f"{name} appears twice")
        try:
            found[name] = float(weight)
        except (TypeError, ValueError):
            raise ValueError(
                f"the weight of {name} is {str(weight)!r}, not a number; write {name}=0.5"
            ) from None
        if not math.isfinite(found[name]):
            raise ValueError(f"the weight of {name} is {weight}; it must be a finite number")
    if not found:
        raise ValueError("no name is given; write names with weights as name=1,other=0.5")
    if not any(found.values()):
        raise ValueError("all weights are 0; at least one must not be, or leave all out")
    return found


_SIZE = re.compile(r"\s*(\d{1,6})\s*[xX]\s*(\d{1,6})\s*")


def size_of(value: Any) -> tuple[int, int]:
    """Read ``"768x512"`` or a pair as (width, height) in pixels.

    Raises
    ------
    ValueError
        Not two whole numbers from 1 to 32768.
    """
    if isinstance(value, str):
        match = _SIZE.fullmatch(value)
        value = match.groups() if match else ()
    try:
        width, height = (int(part) for part in value)
    except (TypeError, ValueError):
        raise ValueError("a size is WIDTHxHEIGHT in pixels, for example 768x512") from None
    if not (1 <= width <= 32768 and 1 <= height <= 32768):
        raise ValueError(f"a size of {width}x{height} is out of range; each side is 1 to 32768")
    return width, height


@dataclass(frozen=True)
class DataFile:
    """A small file beside the picture that a filter reads or writes itself.

    Attributes
    ----------
    path
        Where it is.
    """

    path: Path

    def read_text(self) -> str:
        """Return what the file holds.

        Raises
        ------
        UsageError
            It is not there, cannot be read, or is not UTF-8 text.
        """
        try:
            return self.path.read_text("utf-8")
        except UnicodeDecodeError as error:
            raise UsageError(f"{self.path} is not UTF-8 text") from error
        except OSError as error:
            raise UsageError(f"{self.path} cannot be read: {error.strerror or error}") from error

    def write_text(self, text: str) -> None:
        """Write a new file, whole or not at all.

        Raises
        ------
        ImageError
            It exists already, or cannot be written.
        """
        from ganfilters.files import replacing

        with replacing(self.path, overwrite=False) as file:
            file.write(text.encode())


def _data_file(value: Any) -> Any:
    if value is None or isinstance(value, DataFile):
        return value
    if isinstance(value, (str, Path)) and str(value):
        return DataFile(Path(value))
    raise ValueError("it must be the path of a file")


def _read_file(value: Any) -> Any:
    file = _data_file(value)
    if file is None:
        return None
    try:
        if not file.path.is_file():
            what = "is a folder" if file.path.is_dir() else "does not exist"
            raise ValueError(f"{file.path} {what}")
    except OSError as error:
        raise ValueError(f"{file.path} cannot be read: {error.strerror or error}") from error
    return file


def _new_file(value: Any) -> Any:
    file = _data_file(value)
    if file is not None:
        from ganfilters.files import check

        try:  # now, and not after the work
            check(file.path, overwrite=False)
        except GanfiltersError as error:
            raise ValueError(
                str(error).replace("replace it with `overwrite=True`, or ", "")
            ) from error
    return file


def _picture(value: Any, info: ValidationInfo) -> Any:
    if value is None or isinstance(value, Image):
        return value
    from ganfilters import convert

    limit = (info.context or {}).get(MAX_PIXELS_KEY) or MAX_PIXELS
    try:
        loaded = convert.to_image(value, max_pixels=limit)
        return loaded.first() if isinstance(loaded, Animation) else loaded
    except GanfiltersError as error:
        raise ValueError(str(error)) from error


def _picture_json(value: Any) -> Any:
    if not isinstance(value, Image):
        return value
    from ganfilters import convert

    return convert.reference(value)


def _model(value: Any) -> Any:
    if value is None or isinstance(value, ModelFile):
        return value
    if isinstance(value, (str, Path)):
        return ModelFile(Path(value))
    raise ValueError("a model is the path of an .onnx file")


def _path_json(value: Any) -> Any:
    return str(value.path) if isinstance(value, (ModelFile, DataFile)) else value


WeightedNames = Annotated[
    dict[str, float],
    BeforeValidator(weighted_names),
    WithJsonSchema({"type": "string", "format": "weighted-names"}),
]
"""Names with weights: ``"stage4=1,stage5=0.5"``, a mapping, or a list of names."""

Size = Annotated[
    tuple[int, int],
    BeforeValidator(size_of),
    PlainSerializer(lambda size: f"{size[0]}x{size[1]}", return_type=str),
    WithJsonSchema({"type": "string", "format": "size", "pattern": r"^\d+x\d+$"}),
]
"""Width and height in pixels: ``"768x512"`` or ``(768, 512)``."""

ImageParam = Annotated[
    InstanceOf[Image],
    BeforeValidator(_picture),
    PlainSerializer(_picture_json),
    WithJsonSchema({"type": "string", "format": "image"}),
]
"""A second picture: a path, bytes, PIL image, array or `~ganfilters.image.Image`."""

ModelParam = Annotated[
    InstanceOf[ModelFile],
    BeforeValidator(_model),
    PlainSerializer(_path_json),
    WithJsonSchema({"type": "string", "format": "model"}),
]
"""A model file of the user's: the path of an ``.onnx`` file that carries a card."""

InputFile = Annotated[
    InstanceOf[DataFile],
    BeforeValidator(_read_file),
    PlainSerializer(_path_json),
    WithJsonSchema({"type": "string", "format": "file"}),
]
"""A text file that the filter reads with `DataFile.read_text`: a path in every interface."""

OutputFile = Annotated[
    InstanceOf[DataFile],
    BeforeValidator(_new_file),
    # What was written beside a picture is no part of how the picture was made.
    PlainSerializer(lambda _: None, return_type=None),
    WithJsonSchema({"type": "string", "format": "new-file"}),
]
"""A new text file that the filter writes with `DataFile.write_text` beside its picture."""

"""`Parameter`, and the reading of parameters from the JSON Schema of a `Params`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import to_jsonable_python

from ganfilters.errors import PluginError
from ganfilters.filter import Params
from ganfilters.image import Image
from ganfilters.schema._names import flag

if TYPE_CHECKING:
    from ganfilters.fields import DataFile

__all__ = [
    "FILE_FORMATS",
    "METAVARS",
    "PRESET",
    "Parameter",
    "file_parameters",
    "json_schema",
    "new_files",
    "parameters",
    "written",
]

PRESET = "preset"
_PRESET_HELP = "Start from a named set of values; values given beside it win"

METAVARS = {
    "integer": "INTEGER",
    "number": "FLOAT",
    "boolean": "BOOLEAN",
    "choice": "CHOICE",
    "text": "TEXT",
    "list": "VALUE",
    "object": "JSON",
    "weighted-names": "NAME[=WEIGHT],...",
    "size": "WIDTHxHEIGHT",
    "image": "FILE",
    "model": "FILE.onnx",
    "file": "FILE",
    "new-file": "FILE",
}
"""What a value looks like on a command line, by kind of parameter."""

FILE_FORMATS = ("image", "model", "file", "new-file")
"""Kinds whose values are files."""

_OWN_FORMATS = ("weighted-names", "size", "model")
_NOUNS = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a filter, ready to be shown.

    Attributes
    ----------
    name
        As written in Python.
    kind
        ``"integer"``, ``"number"``, ``"boolean"``, ``"choice"``, ``"text"``, ``"list"``,
        ``"object"``, or the format of a type from `ganfilters.fields`: ``"weighted-names"``,
        ``"size"``, ``"image"``, ``"model"``, ``"file"``, ``"new-file"``.
    description
        One line, with the unit where there is one.
    default
        The default as a user would write it; ``""`` if there is none.
    bounds
        For example ``"1..8"`` or ``"more than 0"``; ``""`` if there are none.
    choices
        The allowed values of a choice, or the names of the presets.
    examples
        Values that are known, of a parameter that may take others too (``Field(examples=...)``).
    required
        There is no default.
    length
        How many values a list takes; None for any number.
    items
        The kind of each value of a list that takes any number; else ``""``.
    """

    name: str
    kind: str
    description: str = ""
    default: str = ""
    bounds: str = ""
    choices: tuple[Any, ...] = ()
    examples: tuple[Any, ...] = ()
    required: bool = False
    length: int | None = None
    items: str = ""

    @property
    def known(self) -> tuple[Any, ...]:
        """Values that can be named: the choices, or the examples."""
        return self.choices or self.examples

    @property
    def flag(self) -> str:
        """The parameter as a command-line flag, for example ``--step-size``."""
        return flag(self.name)

    @property
    def metavar(self) -> str:
        """What one value looks like on a command line, for example ``FILE``."""
        return METAVARS[self.items if self.items in FILE_FORMATS else self.kind]

    @property
    def expected(self) -> str:
        """What a value must be, as the end of a sentence: ``"a whole number from 1 to 8"``."""
        if self.kind == "choice":
            return f"one of: {', '.join(map(str, self.choices))}"
        noun = _NOUNS.get(self.kind, "")
        low, dots, high = self.bounds.partition("..")
        limits = f"from {low} to {high}" if dots else self.bounds
        return " ".join(part for part in (noun, limits) if part)

    @property
    def values(self) -> str:
        """What may be given, for a table: bounds, choices, or the form of a value."""
        if self.kind == "boolean":
            return "on, off"
        return self.bounds or ", ".join(map(str, self.choices)) or self.metavar

    @property
    def facts(self) -> str:
        """Bounds and default on one line, for example ``"1..8; default 4"``."""
        default = f"default {self.default}" if self.default else ""
        needed = "required" if self.required else ""
        return "; ".join(part for part in (self.bounds, default or needed) if part)


def json_schema(params_type: type[Params]) -> dict[str, Any]:
    """Return the JSON Schema of a filter's parameters.

    Defaults are as a user would write them (``"768x512"``, ``"stage4=1"``). Where there are
    presets, the property ``preset`` names them and the key ``presets`` holds their values.

    Raises
    ------
    PluginError
        A field is of a type that has no JSON Schema.
    """
    schema = _model_schema(params_type)
    for name, spec in schema.get("properties", {}).items():
        inner, _ = _without_null(spec, schema.get("$defs", {}))
        if inner.get("format") in _OWN_FORMATS and spec.get("default") is not None:
            default = params_type.model_fields[name].get_default()
            spec["default"] = written(default, inner["format"])
        elif inner.get("format") == "image" and spec.get("default") is not None:
            del spec["default"]
    if params_type.presets:
        schema.setdefault("properties", {})[PRESET] = {
            "type": "string",
            "enum": list(params_type.presets),
            "description": _PRESET_HELP,
        }
        schema["presets"] = to_jsonable_python(dict(params_type.presets), fallback=str)
    return schema


class _Describer(GenerateJsonSchema):
    """Leaves defaults out that have no JSON, such as a model file, without a warning."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012


def _model_schema(params_type: type[Params]) -> dict[str, Any]:
    try:
        return params_type.model_json_schema(schema_generator=_Describer)
    except PydanticUserError as error:
        text = " ".join(str(error).split())
        raise PluginError(
            f"the parameters {params_type.__qualname__} cannot be described: {text}"
        ) from error


def parameters(params_type: type[Params]) -> list[Parameter]:
    """Return the parameters of a filter in the order of declaration, ``preset`` first if any.

    Raises
    ------
    PluginError
        A field is of a type that has no JSON Schema.
    """
    schema = _model_schema(params_type)
    defs = schema.get("$defs", {})
    found = []
    if params_type.presets:
        found.append(Parameter(PRESET, "choice", _PRESET_HELP, choices=tuple(params_type.presets)))
    for name, spec in schema.get("properties", {}).items():
        field = params_type.model_fields[name]
        inner, union = _without_null(spec, defs)
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        kind = "text" if union else _kind(inner)
        items = inner.get("prefixItems")
        found.append(
            Parameter(
                name=name,
                kind=kind,
                description=" ".join((field.description or "").split()),
                default=written(default, kind),
                bounds=_bounds(inner),
                choices=tuple(inner.get("enum", ())),
                examples=tuple(spec.get("examples", ())),
                required=field.is_required(),
                length=len(items) if items else None,
                items=_kind(inner["items"]) if isinstance(inner.get("items"), dict) else "",
            )
        )
    return found


def file_parameters(
    params_type: type[Params], values: Mapping[str, Any] | None = None
) -> frozenset[str]:
    """Return the names of the parameters whose values are files, or lists of files.

    Parameters
    ----------
    params_type
        The filter's `Params`.
    values
        Values by name. One that the parameter knows by name (an example of it) is no file.
    """
    schema = _model_schema(params_type)
    given = values or {}
    found = set()
    for name, spec in schema.get("properties", {}).items():
        inner, _ = _without_null(spec, schema.get("$defs", {}))
        items = inner.get("items")
        kinds = {each.get("format") for each in (inner, items) if isinstance(each, Mapping)}
        if kinds & set(FILE_FORMATS) and given.get(name) not in spec.get("examples", ()):
            found.add(name)
    return frozenset(found)


def _without_null(spec: Mapping[str, Any], defs: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return the schema of a value that is not null, and whether there are several."""
    inner = dict(spec)
    while "$ref" in inner:
        inner = {**inner, **defs[inner.pop("$ref").rpartition("/")[2]]}
    if "anyOf" not in inner:
        return inner, False
    members = [member for member in inner["anyOf"] if member.get("type") != "null"]
    if len(members) != 1:
        return inner, True
    return _without_null(members[0], defs)


def _kind(schema: Mapping[str, Any]) -> str:
    if schema.get("format") in METAVARS:
        return str(schema["format"])
    if "enum" in schema or "const" in schema:
        return "choice"
    return {
        "integer": "integer",
        "number": "number",
        "boolean": "boolean",
        "array": "list",
        "object": "object",
    }.get(str(schema.get("type")), "text")


def _bounds(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    parts = []
    if low is not None and high is not None:
        parts.append(f"{written(low)}..{written(high)}")
    else:
        words = (("at least", low), ("more than", above), ("at most", high), ("less than", below))
        parts += [f"{word} {written(limit)}" for word, limit in words if limit is not None]
    if schema.get("multipleOf") is not None:
        parts.append(f"a multiple of {written(schema['multipleOf'])}")
    return " and ".join(parts)


def written(value: Any, kind: str = "") -> str:
    """Return a value as a user would write it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, Mapping):
        return ",".join(f"{name}={written(weight)}" for name, weight in value.items())
    if isinstance(value, (tuple, list)):
        return ("x" if kind == "size" else ",").join(written(part) for part in value)
    if isinstance(value, Image):
        return value.metadata.source or "a picture"
    # An array or a PIL image, but no single number of NumPy's; or what a file holds.
    array = getattr(value, "__array_interface__", {}).get("shape")
    if array or isinstance(value, (bytes, bytearray, memoryview)) or hasattr(value, "read"):
        return "a picture"
    return str(getattr(value, "path", value))


def new_files(params: Params) -> dict[str, DataFile]:
    """Return the files that a filter is to write itself, by the parameter's name."""
    kinds = {declared.name: declared.kind for declared in parameters(type(params))}
    return {
        name: value for name, value in params if value is not None and kinds.get(name) == "new-file"
    }

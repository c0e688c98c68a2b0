"""One declaration, many faces: from `Params` to checks, flags, JSON Schema and tables.

Everything is read from the model's JSON Schema, so a plugin's own parameter types work as soon as
pydantic can describe them. pydantic is the only validator: flags hand over words as typed.
"""

from __future__ import annotations

import difflib
import json
import keyword
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError
from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import to_jsonable_python

from ganfilters.errors import GanfiltersError, PluginError, UsageError, nearest
from ganfilters.filter import Params
from ganfilters.limits import MAX_PIXELS_KEY

if TYPE_CHECKING:
    import click

    from ganfilters.fields import DataFile

__all__ = [
    "Parameter",
    "explain",
    "file_parameters",
    "flag",
    "json_schema",
    "markdown",
    "nearest_flag",
    "new_files",
    "options",
    "parameters",
    "spelled",
    "underscored",
    "validate",
    "written",
]

PRESET = "preset"
# In the message of a check of several parameters: `name`, or a name that can be no other word.
_MENTIONED = re.compile(r"`(\w+)`|\b([a-z]\w*_\w*)")
_PRESET_HELP = "Start from a named set of values; values given beside it win"
_P = TypeVar("_P", bound=Params)
_Names = Callable[[str], str]

# What a value looks like on a command line, by kind of parameter.
_METAVARS = {
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
_OWN_FORMATS = ("weighted-names", "size", "model")
_FILE_FORMATS = ("image", "model", "file", "new-file")
_NOUNS = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}
_BOUND_ERRORS = (
    "greater_than",
    "greater_than_equal",
    "less_than",
    "less_than_equal",
    "multiple_of",
    "finite_number",
)


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

    @property
    def known(self) -> tuple[Any, ...]:
        """Values that can be named: the choices, or the examples."""
        return self.choices or self.examples

    @property
    def flag(self) -> str:
        """The parameter as a command-line flag, for example ``--step-size``."""
        return flag(self.name)

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
        return self.bounds or ", ".join(map(str, self.choices)) or _METAVARS[self.kind]

    @property
    def facts(self) -> str:
        """Bounds and default on one line, for example ``"1..8; default 4"``."""
        default = f"default {self.default}" if self.default else ""
        needed = "required" if self.required else ""
        return "; ".join(part for part in (self.bounds, default or needed) if part)


def flag(name: str) -> str:
    """Return the command-line flag of a parameter.

    Examples
    --------
    >>> flag("step_size")
    '--step-size'
    >>> flag("class_")
    '--class'
    """
    return "--" + spelled(name)


def spelled(name: str) -> str:
    """Return a name as it is written outside of Python: ``octave_scale`` to ``octave-scale``.

    The last underscore of ``class_``, which only keeps it from being a Python keyword, is left out.
    """
    return name.rstrip("_").replace("_", "-")


def underscored(name: str) -> str:
    """Return a name as it is written in Python."""
    name = name.replace("-", "_")
    return f"{name}_" if keyword.iskeyword(name) else name


def nearest_flag(word: str, flags: Iterable[str]) -> str:
    """Return the second half of an "unknown option" message; see `ganfilters.errors.nearest`.

    Examples
    --------
    >>> nearest_flag("--octavs", ["--octaves", "--seed"])
    'did you mean --octaves?'
    """
    # Compared without the dashes, which would make all short flags look alike.
    bare = {name.lstrip("-"): name for name in flags}
    close = difflib.get_close_matches(word.lstrip("-").casefold(), bare, n=2, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(bare[name] for name in close)}?"
    return f"the options are: {', '.join(bare.values())}"


def validate(
    params_type: type[_P],
    values: Mapping[str, Any],
    *,
    flags: bool = False,
    names: _Names | None = None,
    max_pixels: int | None = None,
) -> _P:
    """Return checked parameters, with the preset resolved.

    Parameters
    ----------
    params_type
        The filter's `Params`.
    values
        Parameter names and values, and ``preset`` where there are presets. Values win over the
        preset's.
    flags
        Speak of parameters as command-line flags in messages.
    names
        How messages speak of a parameter; overrides `flags`.
    max_pixels
        Largest picture that a parameter may name; None for the usual limit.

    Raises
    ------
    UsageError
        An unknown parameter or preset, or a value that is not allowed; one line.
    PluginError
        A check of the filter's own failed to run.
    """
    called = names or _names(flags)
    given = dict(values)
    if params_type.presets:
        preset = given.pop(PRESET, None)
        if preset is not None:
            given = {**_preset(params_type, preset, called), **given}
    try:
        params = params_type.model_validate(given, context={MAX_PIXELS_KEY: max_pixels})
    except ValidationError as error:
        raise UsageError(explain(error, params_type, flags=flags, names=names)) from error
    except GanfiltersError:
        raise
    except (
        Exception,
        SystemExit,
    ) as error:  # validators are the plugin's code
        text = " ".join(str(error).split())
        raise PluginError(
            f"checking the parameters failed inside the filter: {type(error).__name__}: {text}"
        ) from error
    for name, value in params:
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"{called(name)} is {value}; it must be a finite number")
    return params


def new_files(params: Params) -> dict[str, DataFile]:
    """Return the files that a filter is to write itself, by the parameter's name."""
    kinds = {declared.name: declared.kind for declared in parameters(type(params))}
    return {
        name: value for name, value in params if value is not None and kinds.get(name) == "new-file"
    }


def _names(flags: bool) -> _Names:
    return flag if flags else str


def _preset(params_type: type[Params], preset: Any, called: _Names) -> Mapping[str, Any]:
    if isinstance(preset, str) and preset in params_type.presets:
        return params_type.presets[preset]
    hint = nearest(str(preset), params_type.presets, what="presets")
    raise UsageError(f"{called(PRESET)} is {_shown(preset)}; {hint}")


def explain(
    error: ValidationError,
    params_type: type[Params],
    *,
    flags: bool = False,
    names: _Names | None = None,
) -> str:
    """Return what is wrong with the values, in one line.

    Parameters
    ----------
    error
        Raised by validating `params_type`.
    params_type, flags, names
        As for `validate`.
    """
    called = names or _names(flags)
    known = {parameter.name: parameter for parameter in parameters(params_type)}
    lines: dict[object, str] = {}
    for item in error.errors(include_url=False):
        where = item["loc"][0] if item["loc"] else None
        # A union reports once for each of its members; the first says enough.
        if where not in lines:
            lines[where] = _line(item, known, called)
    return "; also ".join(lines.values())


def _line(item: Mapping[str, Any], known: Mapping[str, Parameter], called: _Names) -> str:
    """Return one pydantic error in the words of this project."""
    kind, place = item["type"], item["loc"]
    message = " ".join(str(item["msg"]).split())
    if kind in ("value_error", "assertion_error"):
        message = message.partition(", ")[2]
    if not place:
        return _MENTIONED.sub(lambda m: _mentioned(m, known, called), message)
    name = str(place[0])
    label = called(name)
    if kind == "extra_forbidden":
        if label.startswith("--"):
            return f"there is no option {label}; {nearest_flag(label, map(flag, known))}"
        hint = nearest(underscored(name), known, what="parameters")
        return f"there is no parameter {label}; {hint}"
    if kind == "missing":
        return f"{label} is missing"
    if kind in ("value_error", "assertion_error"):
        return f"{label}: {message}"
    parameter = known.get(name)
    value = _shown(item["input"])
    if parameter is None or len(place) > 1 or not parameter.expected:
        return f"{label} is {value}: {message[:1].lower()}{message[1:]}"
    if parameter.kind == "choice" and len(parameter.choices) > 8:
        return f"{label} is {value}; " + nearest(
            str(item["input"]), map(str, parameter.choices), what="choices"
        )
    if kind in _BOUND_ERRORS and parameter.bounds:
        low, dots, high = parameter.bounds.partition("..")
        return f"{label} is {value}; it must be {f'from {low} to {high}' if dots else low}"
    return f"{label} is {value}; it must be {parameter.expected}"


def _mentioned(match: re.Match[str], known: Mapping[str, Parameter], called: _Names) -> str:
    """Return a parameter's name in a message as it is to be called."""
    name = match[1] or match[2]
    return called(name) if name in known else match[0]


def _shown(value: Any) -> str:
    """Return a value as the user wrote it, short, on one line."""
    if isinstance(value, str) and value.isprintable() and value and " " not in value:
        text = value
    elif value is None or isinstance(value, (str, int, float, list, tuple, dict)):
        text = repr(value)
    else:
        text = f"of type {type(value).__name__}"
    return text if len(text) <= 60 else text[:57] + "..."


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
        if kinds & set(_FILE_FORMATS) and given.get(name) not in spec.get("examples", ()):
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
    if schema.get("format") in _METAVARS:
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
    return str(getattr(value, "path", value))


def markdown(params_type: type[Params]) -> str:
    """Return a Markdown table of the parameters, for documentation."""
    rows = ["| option | values | default | what it does |", "| --- | --- | --- | --- |"]
    for parameter in parameters(params_type):
        default = f"`{parameter.default}`" if parameter.default else ""
        cells = (f"`{parameter.flag}`", parameter.values, default, parameter.description)
        rows.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(rows) + "\n"


def options(params_type: type[Params]) -> list[click.Option]:
    """Return one click option for each parameter.

    Values arrive as they were typed: `validate` is what checks them. An option that was not given
    is None, so that presets and defaults stay with the model.
    """
    return [_option(parameter) for parameter in parameters(params_type)]


def _option(parameter: Parameter) -> click.Option:
    import click

    help_text = parameter.description + (f"  [{parameter.facts}]" if parameter.facts else "")
    if parameter.kind == "boolean":
        off = "--no-" + parameter.flag[2:]
        declaration = [f"{parameter.flag}/{off}", parameter.name]
        return click.Option(declaration, help=help_text, default=None)
    is_file = parameter.kind in _FILE_FORMATS
    words = [str(choice) for choice in parameter.choices]
    metavar = _METAVARS[parameter.kind]
    if words:
        joined = f"[{'|'.join(words)}]"
        metavar = joined if len(joined) <= 60 else metavar
        if metavar != joined:
            more = ", ..." if len(words) > 20 else ""
            help_text += f"  (choices: {', '.join(words[:20])}{more})"
    elif parameter.examples:
        help_text += f"  (known: {', '.join(map(str, parameter.examples[:20]))})"
    return click.Option(
        [parameter.flag, parameter.name],
        help=help_text,
        metavar=metavar,
        type=click.Path() if is_file else click.UNPROCESSED,
        callback=_callback(parameter),
        multiple=parameter.kind == "list" and parameter.length is None,
        nargs=parameter.length or 1,
        shell_complete=(lambda _ctx, _param, begun: [w for w in words if w.startswith(begun)])
        if words
        else None,
    )


def _callback(parameter: Parameter) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Return what turns words into values where pydantic would not: choices, JSON objects."""
    originals = {str(choice): choice for choice in parameter.choices}

    def convert(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
        if originals and isinstance(value, str):
            return originals.get(value, value)
        if parameter.kind == "object" and isinstance(value, str):
            try:
                return json.loads(value)
            except ValueError as error:
                raise UsageError(f"{parameter.flag} is not valid JSON: {error}") from error
        return value

    return convert

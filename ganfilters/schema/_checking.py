"""Checking values, and saying in one line what is wrong with them.

pydantic is the only validator; its errors are put into the words of this project.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import ValidationError

from ganfilters.errors import GanfiltersError, PluginError, UsageError, nearest
from ganfilters.filter import Params
from ganfilters.limits import MAX_PIXELS_KEY
from ganfilters.schema._names import flag, nearest_flag, underscored
from ganfilters.schema._parameters import PRESET, Parameter, parameters

__all__ = ["explain", "renamed", "validate"]

# In the message of a check of several parameters: `name`, or a name that can be no other word.
_MENTIONED = re.compile(r"`(\w+)`|\b([a-z]\w*_\w*)")
_QUOTED = re.compile(r"`(\w+)`")
_P = TypeVar("_P", bound=Params)
_Names = Callable[[str], str]
_BOUND_ERRORS = (
    "greater_than",
    "greater_than_equal",
    "less_than",
    "less_than_equal",
    "multiple_of",
    "finite_number",
)


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
    for parameter in parameters(params_type):
        # To Python it is the number 1; to whoever writes it into a file it is a switch.
        if parameter.kind in ("integer", "number") and isinstance(given.get(parameter.name), bool):
            told = f"{called(parameter.name)} is {_shown(given[parameter.name])}"
            raise UsageError(f"{told}; it must be {parameter.expected}")
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


@contextmanager
def renamed(params_type: type[Params], called: _Names) -> Iterator[None]:
    """Make errors of the enclosed work call a filter's parameters, `name`, as the user does."""
    try:
        yield
    except GanfiltersError as error:
        known = {parameter.name: parameter for parameter in parameters(params_type)}
        text = _QUOTED.sub(lambda m: _mentioned(m, known, called), str(error))
        if text == str(error):
            raise
        raise type(error)(text) from error


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

"""The type of a parameter that several steps of a chain share: what all of them take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from ganfilters.errors import UsageError
from ganfilters.schema import spelled

__all__ = ["annotated", "common_type", "listed"]


def listed(parts: Iterable[object]) -> str:
    """Return parts in words.

    Examples
    --------
    >>> listed([1, 2, 3])
    '1, 2 and 3'
    """
    *most, last = map(str, parts)
    return f"{', '.join(most)} and {last}" if most else last


def annotated(field: FieldInfo) -> Any:
    """Return the type of a field with its bounds and checks."""
    return _marked(field.annotation, field.metadata)


def common_type(name: str, fields: Sequence[tuple[int, FieldInfo]]) -> Any:
    """Return the type of the values that all steps take.

    Parameters
    ----------
    name
        The parameter.
    fields
        Number and declaration of each step.

    Raises
    ------
    UsageError
        The steps take values of different kinds, or have none in common.
    """
    _, first = fields[0]
    numbers = listed(number for number, _ in fields)
    unlike = any(
        field.annotation != first.annotation or _checks(field) != _checks(first)
        for _, field in fields
    )
    if unlike:
        raise UsageError(
            f"{spelled(name)} is not of the same kind in steps {numbers}; "
            "make a parameter for each of them"
        )
    marks = [mark for _, field in fields for mark in field.metadata]
    # At the same number the bound that leaves the number out is the tighter one.
    low = max((m for m in marks if isinstance(m, Ge | Gt)), key=_lower, default=None)
    high = min((m for m in marks if isinstance(m, Le | Lt)), key=_upper, default=None)
    if low is not None and high is not None:
        (least, open_low), (most, open_high) = _lower(low), _upper(high)
        if least > most or (least == most and (open_low or not open_high)):
            raise UsageError(
                f"steps {numbers} have no value of {spelled(name)} in common; "
                "make a parameter for each of them"
            )
    bounds = [mark for mark in (low, high) if mark is not None]
    return _marked(first.annotation, [*bounds, *_checks(first)])


def _checks(field: FieldInfo) -> list[Any]:
    return [mark for mark in field.metadata if not isinstance(mark, Ge | Gt | Le | Lt)]


def _lower(mark: Any) -> tuple[Any, bool]:
    return (mark.gt, True) if isinstance(mark, Gt) else (mark.ge, False)


def _upper(mark: Any) -> tuple[Any, bool]:
    return (mark.lt, False) if isinstance(mark, Lt) else (mark.le, True)


def _marked(kind: Any, marks: Sequence[Any]) -> Any:
    for mark in marks:
        kind = Annotated[kind, mark]
    return kind

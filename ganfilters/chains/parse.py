"""From the tables of a TOML file to a `Chain`, with errors that name step and key."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from ganfilters.chains.data import Chain, ChainParam, ChainStep
from ganfilters.errors import UsageError, nearest
from ganfilters.schema import spelled, underscored

__all__ = ["STEP_KEYS", "chain_of", "line_of"]

_CHAIN_KEYS = ("title", "summary", "step", "params")
_PARAM_KEYS = ("step", "param", "description", "default")
_HOST_KEYS = ("filter", "mask", "invert-mask", "feather", "strength")
STEP_KEYS = (*_HOST_KEYS, "step")
"""What a step may hold besides the parameters of its filter."""
_MOST_STEPS = 100


def chain_of(record: Mapping[str, Any], depth: int = 0) -> Chain:
    """Return the chain of a table as a file holds it.

    Parameters
    ----------
    record
        The table.
    depth
        In how many steps of other chains it lies.

    Raises
    ------
    UsageError
        One line that names the step and the key.
    """
    for key in record:
        if key not in _CHAIN_KEYS:
            raise UsageError(f"there is no key {key!r}; {nearest(key, _CHAIN_KEYS, what='keys')}")
    title, summary = (line_of(record.get(key, ""), key) for key in ("title", "summary"))
    tables = record.get("step", [])
    if isinstance(tables, Mapping):
        raise UsageError("step must be written [[step]], with two brackets, for each step")
    if not isinstance(tables, Sequence) or isinstance(tables, str):
        raise UsageError("step must be a list of tables, each written [[step]]")
    if not tables:
        raise UsageError('there are no steps; write at least one: [[step]] with filter = "NAME"')
    if len(tables) > _MOST_STEPS or depth > 10:
        raise UsageError(f"there are too many steps; at most {_MOST_STEPS}, 10 deep, are possible")
    steps = tuple(_step(table, number, depth) for number, table in enumerate(tables, 1))
    named = record.get("params", {})
    if not isinstance(named, Mapping):
        raise UsageError("params must be tables, each written [params.NAME]")
    params = {underscored(name): _param(name, table, steps) for name, table in named.items()}
    return Chain(steps, params, title, summary)


def line_of(value: Any, key: str) -> str:
    """Return a text for people, after checking that it is one line.

    Raises
    ------
    UsageError
        It is no text, or too long.
    """
    if not isinstance(value, str):
        raise UsageError(f"{key} must be text, not {value!r}")
    if "\n" in value.strip() or len(value) > 100:
        raise UsageError(f"{key} must be one line of at most 100 characters")
    return value.strip()


def _step(table: Any, number: int, depth: int) -> ChainStep:
    where = f"step {number}"
    if not isinstance(table, Mapping):
        raise UsageError(f"{where} must be a table, written [[step]]")
    values: dict[str, Any] = {}
    for key, value in table.items():
        if underscored(key) in values:
            raise UsageError(f"{where}: {spelled(key)} is given twice")
        values[underscored(key)] = value
    own = {name: values.pop(name) for name in map(underscored, _HOST_KEYS) if name in values}
    inner = values.pop("step") if _is_tables(values.get("step")) else None
    name, chain = own.get("filter"), None
    if inner is not None:
        wrong = ["filter"] if name is not None else list(values)
        if wrong:
            raise UsageError(
                f"{where} holds steps of its own, so {spelled(wrong[0])} has no place in it"
            )
        try:
            chain = chain_of({"step": inner}, depth + 1)
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from error
    elif not isinstance(name, str) or not name:
        near = difflib.get_close_matches("filter", values, n=1)
        if near:
            raise UsageError(f"{where}: there is no key {near[0]}; did you mean filter?")
        raise UsageError(f'{where}: filter is missing; write filter = "NAME"')
    for key in ("feather", "strength"):
        if isinstance(own.get(key, 0), bool) or not isinstance(own.get(key, 0), (int, float)):
            raise UsageError(f"{where}: {key} is {own[key]!r}; it must be a number")
    if not isinstance(own.get("invert_mask", False), bool):
        raise UsageError(
            f"{where}: invert-mask is {own['invert_mask']!r}; it must be true or false"
        )
    return ChainStep(
        filter=name if isinstance(name, str) else "",
        values=values,
        chain=chain,
        mask=own.get("mask"),
        invert_mask=own.get("invert_mask", False),
        feather=float(own.get("feather", 0.0)),
        strength=float(own.get("strength", 1.0)),
    )


def _is_tables(value: Any) -> bool:
    """Return whether a value is written ``[[step.step]]``, and no parameter called step."""
    return isinstance(value, list) and all(isinstance(each, Mapping) for each in value)


def _param(name: str, table: Any, steps: Sequence[ChainStep]) -> ChainParam:
    where = f"params.{name}"
    if not isinstance(table, Mapping):
        raise UsageError(f'{where} must be a table: [{where}] with step = 1 and param = "NAME"')
    for key in table:
        if key not in _PARAM_KEYS:
            hint = nearest(key, _PARAM_KEYS, what="keys")
            raise UsageError(f"{where}: there is no key {key!r}; {hint}")
    found = table.get("step", 1 if len(steps) == 1 else None)
    numbers = found if isinstance(found, list) else [found]
    for number in numbers or [None]:
        if number is None:
            raise UsageError(f"{where}: step is missing; write the number of the step")
        if isinstance(number, bool) or not isinstance(number, int):
            raise UsageError(f"{where}: step is {number!r}; it must be the number of a step")
        if not 1 <= number <= len(steps):
            raise UsageError(f"{where}: step is {number}; it must be from 1 to {len(steps)}")
    param = table.get("param", name)
    if not isinstance(param, str):
        raise UsageError(f"{where}: param is {param!r}; it must be the name of a parameter")
    return ChainParam(
        steps=tuple(dict.fromkeys(number - 1 for number in numbers)),
        param=underscored(param),
        description=line_of(table.get("description", ""), f"{where}: description"),
        default=table.get("default"),
    )

"""Writing a `~ganfilters.chains.Chain` as TOML, which the standard library only reads."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ganfilters.chains.data import Chain, ChainStep
from ganfilters.errors import UsageError
from ganfilters.image import Image
from ganfilters.models import ModelFile
from ganfilters.recipe import Reference
from ganfilters.schema import spelled

__all__ = ["text"]


def text(chain: Chain, *, strict: bool = True) -> str:
    """Return the text of a file that holds the chain.

    Parameters
    ----------
    chain
        What to write.
    strict
        Refuse pictures that are in memory only; otherwise they get a name that is no file's.

    Raises
    ------
    UsageError
        `strict`, and a mask or picture is not from a file.
    """
    blocks = [
        [
            f"{key} = {_value(getattr(chain, key))}"
            for key in ("title", "summary")
            if getattr(chain, key)
        ]
    ]
    for number, step in enumerate(chain.steps, 1):
        try:
            blocks += _step(step, "step", strict=strict)
        except _NotAFile as error:
            where = f"{chain.file}: step {number}" if chain.file else f"step {number}"
            raise UsageError(
                f"{where}: {error} is not from a file; save it as one and name that"
            ) from error
    for name, param in chain.params.items():
        numbers = [index + 1 for index in param.steps]
        lines = [
            f"[params.{_key(name)}]",
            f"step = {numbers[0] if len(numbers) == 1 else _value(numbers)}",
            f"param = {_value(spelled(param.param))}",
        ]
        if param.description:
            lines.append(f"description = {_value(param.description)}")
        if param.default is not None:
            lines.append(f"default = {_value(param.default)}")
        blocks.append(lines)
    return "\n\n".join("\n".join(lines) for lines in blocks if lines) + "\n"


class _NotAFile(Exception):  # noqa: N818 - becomes a UsageError that names the step
    """A picture that is in memory only; the text names its key."""


def _step(step: ChainStep, where: str, *, strict: bool) -> Iterator[list[str]]:
    lines = [f"[[{where}]]"]
    if step.filter:
        lines.append(f"filter = {_value(step.filter)}")
    pairs: dict[str, Any] = dict(step.values)
    if step.mask is not None:
        pairs["mask"] = step.mask
    if step.invert_mask:
        pairs["invert_mask"] = True
    if step.feather:
        pairs["feather"] = int(step.feather) if step.feather.is_integer() else step.feather
    if step.strength != 1.0:
        pairs["strength"] = step.strength
    for name, value in pairs.items():
        if value is None:  # TOML has no null, and a parameter left out is its default
            continue
        try:
            lines.append(f"{_key(name)} = {_value(value)}")
        except _NotAFile as error:
            if strict:
                raise _NotAFile(spelled(name)) from error
            lines.append(f"{_key(name)} = {_value(type(value).__name__)}")
    yield lines
    for inner in step.chain.steps if step.chain is not None else ():
        yield from _step(inner, f"{where}.step", strict=strict)


def _key(name: str) -> str:
    bare = re.fullmatch(r"[A-Za-z0-9_-]+", spelled(name))  # others TOML wants in quotes
    return spelled(name) if bare else _value(spelled(name))


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    if isinstance(value, (str, Path)):
        # JSON's escapes are TOML's, but for one character that JSON leaves as it is.
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Reference) and value.path:
        return _value(value.path)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_value(each) for each in value)}]"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_value(str(k))} = {_value(v)}' for k, v in value.items())} }}"
    if isinstance(value, ModelFile):
        return _value(value.path)
    if isinstance(value, Image) and value.metadata.source:
        return _value(value.metadata.source)
    raise _NotAFile

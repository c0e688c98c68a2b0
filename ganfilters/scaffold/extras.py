"""Further inputs of a model: numbers and lists of weights, which become parameters."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ganfilters.errors import UsageError
from ganfilters.filter import Params
from ganfilters.registry import RESERVED

if TYPE_CHECKING:
    from ganfilters.runtime import TensorInfo

__all__ = ["Extra", "extra_of", "extras_of", "neutral_values"]

Array = npt.NDArray[Any]

_NUMBER_TYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
}
_LONGEST_LIST = 1000


@dataclass(frozen=True)
class Extra:
    """One further input.

    Attributes
    ----------
    name
        Of the model's input.
    parameter
        The same as a Python name.
    dtype
        Of NumPy.
    shape
        The tensor's; open sides are 1.
    low, high, default
        Bounds and default of a number, as found by trial.
    """

    name: str
    parameter: str
    dtype: str
    shape: tuple[int, ...]
    low: float = 0.0
    high: float = 1.0
    default: float = 1.0

    @property
    def count(self) -> int:
        """How many numbers it holds."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def whole(self) -> bool:
        """It takes whole numbers only."""
        return "int" in self.dtype

    def filled(self, value: float) -> Array:
        """Return the tensor: a number everywhere, or of a list its first weight only."""
        values = np.zeros(self.count)
        values[0] = value
        return values.reshape(self.shape).astype(self.dtype)


def extra_of(info: TensorInfo, path: Path) -> Extra:
    """Return an input as a parameter.

    Raises
    ------
    UsageError
        It is neither a number nor a list of weights.
    """
    shape = tuple(side or 1 for side in info.shape)
    extra = Extra(info.name, _python_name(info.name), _NUMBER_TYPES.get(info.type, ""), shape)
    is_list = len([side for side in shape if side > 1]) == 1 and len(shape) <= 2
    listable = is_list and extra.count <= _LONGEST_LIST and "float" in extra.dtype
    if not extra.dtype or (extra.count != 1 and not listable):
        shown = " x ".join("?" if side is None else str(side) for side in info.shape)
        raise UsageError(
            f"{path} cannot be wired: its input {info.name} ({shown}, {info.type}) is neither a "
            "picture, a number nor a list of weights"
        )
    return extra


def extras_of(infos: Iterable[TensorInfo], path: Path) -> tuple[Extra, ...]:
    """Return inputs as parameters, each with a name of its own.

    Raises
    ------
    UsageError
        One is neither a number nor a list of weights.
    """
    found: dict[str, Extra] = {}
    for info in infos:
        extra = extra_of(info, path)
        name, number = extra.parameter, 2
        while name in found:
            name, number = f"{extra.parameter}_{number}", number + 1
        found[name] = replace(extra, parameter=name)
    return tuple(found.values())


def neutral_values(extras: Sequence[Extra]) -> Iterator[dict[str, Array]]:
    """Yield values of all further inputs to try a model with: ones first, then zeros."""
    for numbers in product((1.0, 0.0), repeat=min(len(extras), 4)):
        padded = [*numbers, *[1.0] * (len(extras) - len(numbers))]
        yield {extra.name: extra.filled(value) for extra, value in zip(extras, padded, strict=True)}


def _python_name(name: str) -> str:
    found = re.sub(r"[^a-z0-9]+", "_", name.rpartition("/")[2].lower()).strip("_")
    if not found or not found[0].isalpha() or len(found) > 40:
        found = "value"
    if found.startswith("model_"):  # pydantic keeps these for itself
        found = found.removeprefix("model_") or "value"
    taken = keyword.iskeyword(found) or found in RESERVED or hasattr(Params, found)
    return f"{found}_value" if taken else found

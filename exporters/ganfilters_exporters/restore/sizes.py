"""Sizes of a network as JSON and back, for cards and runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

__all__ = ["Sizes"]


@dataclass(frozen=True)
class Sizes:
    """What both networks' configurations are."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return what `to_dict` described."""
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})

"""What a chain would do, for people to read before it does it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ganfilters import schema
from ganfilters.chains.filter import ChainFilter
from ganfilters.filter import Params
from ganfilters.limits import MAX_PIXELS
from ganfilters.options import Options
from ganfilters.registry import Entry

__all__ = ["Resolved", "resolved"]


@dataclass(frozen=True)
class Resolved:
    """One step of a chain with all that is known before it runs.

    Attributes
    ----------
    number
        Which step; one within a step is ``"2.1"``.
    title
        Name of its filter.
    params, options
        Checked; None for a step that holds steps.
    """

    number: str
    title: str
    params: Params | None
    options: Options

    @property
    def values(self) -> str:
        """The values that are not the defaults, as options of the command line."""
        if self.params is None:
            return ""
        kinds = {p.name: p.kind for p in schema.parameters(type(self.params))}
        parts = []
        for name, field in type(self.params).model_fields.items():
            value = getattr(self.params, name)
            if value is None or value == field.get_default(call_default_factory=True):
                continue
            parts.append(f"{schema.flag(name)} {schema.written(value, kinds.get(name, ''))}")
        return " ".join(parts)

    @property
    def selection(self) -> str:
        """Mask and strength in words."""
        options, parts = self.options, []
        if options.mask is not None:
            name = options.mask.metadata.source or "given"
            parts.append(f"mask {name}{' inverted' if options.invert_mask else ''}")
        if options.feather:
            parts.append(f"feather {options.feather:g}")
        if options.strength != 1.0:
            parts.append(f"strength {options.strength:g}")
        return ", ".join(parts)

    def record(self) -> dict[str, Any]:
        """Return the step as JSON values."""
        options = self.options
        return {
            "step": self.number,
            "filter": self.title,
            "params": None if self.params is None else self.params.model_dump(mode="json"),
            "mask": None if options.mask is None else options.mask.metadata.source,
            "invert_mask": options.invert_mask,
            "feather": options.feather,
            "strength": options.strength,
        }


def resolved(
    entry: Entry, params: Params, max_pixels: int = MAX_PIXELS, *, prefix: str = ""
) -> Iterator[Resolved]:
    """Yield the steps of a chain with their values; no filter is started.

    Parameters
    ----------
    entry
        From `chain_entry`.
    params
        The chain's own parameters.
    max_pixels
        Largest mask or picture parameter that is decoded.
    prefix
        What is put before the numbers of steps within a step.

    Raises
    ------
    GanfiltersError
        A value is not allowed, or a file is missing.
    """
    cls = entry.filter
    if not issubclass(cls, ChainFilter):
        raise TypeError(f"{cls.__name__} is no chain")
    for link in cls.links:
        values, options = link.loaded(max_pixels).parse(
            cls.overrides(params, link.number - 1), max_pixels
        )
        number = f"{prefix}{link.number}"
        is_chain = issubclass(link.entry.filter, ChainFilter)
        yield Resolved(number, link.step.title, values if not link.step.chain else None, options)
        if is_chain:
            with link.named():
                yield from resolved(link.entry, values, max_pixels, prefix=f"{number}.")

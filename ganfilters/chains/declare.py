"""Parameters and traits of a chain, from those of its steps."""

from __future__ import annotations

import keyword
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError, create_model
from pydantic.fields import FieldInfo

from ganfilters import schema
from ganfilters.chains.data import Chain, ChainParam, spelled
from ganfilters.errors import UsageError, nearest
from ganfilters.filter import Params, Traits
from ganfilters.registry import RESERVED

if TYPE_CHECKING:
    from ganfilters.chains.links import Link

__all__ = ["params_of", "traits_of"]


class _Host(Params):
    """What the host has for every step and a chain may offer as its parameter."""

    strength: float = Field(1.0, ge=0.0, le=1.0, description="How much of a step's effect to take")


def params_of(chain: Chain, links: Sequence[Link]) -> type[Params]:
    """Return the class of a chain's parameters: type, bounds and default are the steps' own.

    Raises
    ------
    UsageError
        A parameter that ``[params]`` names does not exist, or a name is not possible.
    """
    fields: dict[str, Any] = {}
    for name, param in chain.params.items():
        try:
            if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
                raise UsageError("a name is made of letters, digits and hyphens")
            if name in RESERVED or hasattr(Params, name):
                raise UsageError("the name is the host's own; choose another")
            fields[name] = _field(param, [links[index] for index in param.steps])
        except UsageError as error:
            raise UsageError(f"params.{spelled(name)}: {error}") from error
    made: type[Params] = create_model(
        "ChainParams", __base__=Params, __module__=__name__, __doc__=chain.described(), **fields
    )
    return made


def _field(param: ChainParam, links: Sequence[Link]) -> tuple[Any, Any]:
    """Return type and declaration of one parameter."""
    for link in links:
        known = _fields(link)
        if param.param not in known:
            hint = nearest(spelled(param.param), map(spelled, known), what="parameters")
            raise UsageError(
                f"step {link.number} ({link.step.title}) has no parameter "
                f"{spelled(param.param)}; {hint}"
            )
    link = links[0]
    declared = _fields(link)[param.param]
    kind: Any = declared.annotation
    for mark in declared.metadata:
        kind = Annotated[kind, mark]
    description = param.description or declared.description or param.param
    given = _given(param, link)
    if param.param in link.files and param.default is not None:
        raise UsageError(f"default has no place here; give {spelled(param.param)} in the step")
    if param.param in link.files and given is not ...:
        # The file stays with the step, which knows its folder; None leaves it there.
        return kind | None, Field(None, description=description)
    default = given if given is not ... else declared.get_default(call_default_factory=True)
    if declared.is_required() and given is ...:
        return kind, Field(description=description)
    try:
        default = TypeAdapter(kind).validate_python(default)
    except ValidationError as error:
        if param.default is None:
            # The step says it better, with its own number and key.
            link.parse({}, 1 << 62)
        text = " ".join(error.errors(include_url=False)[0]["msg"].split())
        raise UsageError(f"default is {given!r}: {text[:1].lower()}{text[1:]}") from error
    return kind, Field(default, description=description)


def _fields(link: Link) -> dict[str, FieldInfo]:
    return {**link.entry.filter.Params.model_fields, **_Host.model_fields}


def _given(param: ChainParam, link: Link) -> Any:
    """Return the value that the chain gives: its own default, the step's, or the preset's."""
    step, params = link.step, link.entry.filter.Params
    if param.default is not None:
        return param.default
    if param.param == "strength":
        return step.strength
    preset = params.presets.get(str(step.values.get(schema.PRESET)), {})
    return {**preset, **step.values}.get(param.param, ...)


def traits_of(links: Sequence[Link]) -> Traits:
    """Return what a chain needs and can do."""
    takes = links[0].entry.filter.traits.input
    if takes == "optional" and (links[0].step.mask is not None or links[0].step.strength != 1.0):
        takes = "required"
    largest = None
    for link in links:
        traits = link.entry.filter.traits
        if traits.size_max is not None and traits.tiling is None:
            largest = min(traits.size_max, largest or traits.size_max)
        if not traits.keeps_size:
            break  # what size the later steps see is not known here
    needs = any(
        link.entry.filter.traits.mask == "required" and link.step.mask is None for link in links
    )
    return Traits(
        input=takes,
        mask="required" if needs else "optional",
        size_max=largest,
        keeps_size=all(link.entry.filter.traits.keeps_size for link in links),
    )

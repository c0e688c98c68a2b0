"""Parameters and traits of a chain, from those of its steps."""

from __future__ import annotations

import keyword
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field, TypeAdapter, ValidationError, create_model
from pydantic.fields import FieldInfo

from ganfilters import schema
from ganfilters.chains.common import annotated, common_type, listed
from ganfilters.chains.data import Chain, ChainParam
from ganfilters.errors import UsageError, nearest
from ganfilters.filter import Params, Traits
from ganfilters.registry import RESERVED
from ganfilters.schema import spelled

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
        A parameter that ``[params]`` names does not exist, a name is not possible, or the steps
        of one parameter differ in it.
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
    name = param.param
    kind = common_type(name, [(link.number, _fields(link)[name]) for link in links])
    declared = _fields(links[0])[name]
    description = param.description or declared.description or name
    own = [_own(name, link) for link in links]
    is_file = any(name in link.files for link in links)
    if is_file and param.default is not None:
        raise UsageError(f"default has no place here; give {spelled(name)} in the step")
    if param.default is None and ... in own:
        return kind, Field(description=description, examples=declared.examples)
    if is_file and (len(links) > 1 or _given(name, links[0]) is not ...):
        # The files stay with the steps, which know their folder; None leaves them there.
        return kind | None, Field(None, description=description)
    default = param.default if param.default is not None else _agreed(name, links, own)
    try:
        default = TypeAdapter(kind).validate_python(default)
    except ValidationError as error:
        if param.default is None:
            for link in links:
                # The step says it better, with its own number and key.
                link.parse({}, 1 << 62)
        text = " ".join(error.errors(include_url=False)[0]["msg"].split())
        raise UsageError(f"default is {default!r}: {text[:1].lower()}{text[1:]}") from error
    return kind, Field(default, description=description, examples=declared.examples)


def _fields(link: Link) -> dict[str, FieldInfo]:
    return {**link.entry.filter.Params.model_fields, **_Host.model_fields}


def _given(name: str, link: Link) -> Any:
    """Return the value that the step gives itself or by its preset; ``...`` if none."""
    step, params = link.step, link.entry.filter.Params
    if name == "strength":
        return step.strength
    preset = params.presets.get(str(step.values.get(schema.PRESET)), {})
    return {**preset, **step.values}.get(name, ...)


def _own(name: str, link: Link) -> Any:
    """Return the value that the step works with by itself; ``...`` if it needs one."""
    given, declared = _given(name, link), _fields(link)[name]
    if given is not ... or declared.is_required():
        return given
    return declared.get_default(call_default_factory=True)


def _agreed(name: str, links: Sequence[Link], own: Sequence[Any]) -> Any:
    """Return the one value that all steps have; with several none of them is the default."""
    values = [
        _read(annotated(_fields(link)[name]), value) for link, value in zip(links, own, strict=True)
    ]
    if all(value == values[0] for value in values):
        return own[0]
    kinds = {p.name: p.kind for p in schema.parameters(links[0].entry.filter.Params)}
    shown = [schema.written(value, kinds.get(name, "")) or "none" for value in values]
    raise UsageError(
        f"steps {listed([link.number for link in links])} have {listed(shown)}; "
        "give default = ..., one value for all of them"
    )


def _read(kind: Any, value: Any) -> Any:
    """Return the value as the filter gets it; one that is not allowed as it is."""
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return value


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
    steps = [link.entry.filter.traits for link in links]
    return Traits(
        input=takes,
        mask="required" if needs else "optional",
        size_max=largest,
        keeps_size=all(traits.keeps_size for traits in steps),
        # One step that knows no bounds, and the host has to set them for all.
        selection="filter" if all(x.selection == "filter" for x in steps) else "host",
        alpha="edited" if any(traits.alpha == "edited" for traits in steps) else "kept",
    )

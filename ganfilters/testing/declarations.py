"""Checks of what a filter says about itself; nothing is run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ganfilters import schema
from ganfilters.errors import GanfiltersError
from ganfilters.filter import Params
from ganfilters.models import CARD_KEY, ModelCard
from ganfilters.onnxfile import read_metadata
from ganfilters.registry import check_class
from ganfilters.testing.subject import Subject, expect

__all__ = [
    "check_declarations",
    "check_help",
    "check_models",
    "check_parameters",
    "limits",
    "properties",
]


def check_declarations(subject: Subject) -> str:
    """Check that the class has a name, a summary, parameters and traits of the right kinds."""
    try:
        check_class(subject.filter)
    except GanfiltersError as error:
        raise AssertionError(str(error)) from error
    summary = subject.filter.summary
    expect(
        len(summary) <= 100,
        f"summary has {len(summary)} characters; at most 100 fit on a line of `ganfilters list`",
    )
    return ""


def check_parameters(subject: Subject) -> str:
    """Check descriptions, the bounds of numbers, and that defaults and presets are allowed."""
    params = subject.filter.Params
    for parameter in schema.parameters(params):
        where = f"parameter {parameter.name!r}"
        expect(parameter.description.strip(), f"{where} has no description; give it one line")
        expect("\n" not in parameter.description, f"the description of {where} must be one line")
        if parameter.required:
            expect(
                parameter.kind == "image",
                f"{where} has no default; only pictures may be without one",
            )
    for name, spec in properties(params):
        if spec.get("type") in ("integer", "number") and "enum" not in spec and "const" not in spec:
            low, high = limits(spec)
            expect(
                low is not None and high is not None,
                f"parameter {name!r} is a number without {'ge' if low is None else 'le'}; "
                "give it both bounds, as in Field(4, ge=1, le=16, ...)",
            )
    for name, field in params.model_fields.items():
        if field.is_required():
            continue
        try:
            schema.validate(params, subject.values(**{name: _default(field)}))
        except GanfiltersError as error:
            raise AssertionError(
                f"the default of parameter {name!r} is not allowed: {error}"
            ) from (error)
    for preset in params.presets:
        try:
            schema.validate(params, {**subject.values(), **params.presets[preset]})
        except GanfiltersError as error:
            raise AssertionError(f"the preset {preset!r} is not allowed: {error}") from error
    return ""


def check_help(subject: Subject) -> str:
    """Check that the command-line help, JSON Schema and the Markdown table can be made."""
    import click

    params = subject.filter.Params
    faces: dict[str, Callable[[], object]] = {
        "the command-line help": lambda: click.Command(
            subject.filter.name, params=list(schema.options(params)), help=subject.filter.summary
        ).get_help(click.Context(click.Command(subject.filter.name))),
        "the JSON Schema": lambda: schema.json_schema(params),
        "the Markdown table": lambda: schema.markdown(params),
    }
    for what, make in faces.items():
        try:
            made = make()
        except Exception as error:
            raise AssertionError(
                f"{what} cannot be made: {' '.join(str(error).split())}; use types that pydantic "
                "can describe, or those of ganfilters (ImageParam, Size, WeightedNames, ...)"
            ) from error
        expect(made, f"{what} is empty")
    return ""


def check_models(subject: Subject) -> str:
    """Check that model files are those pinned, and that their cards fit the filter's traits.

    A card is for files that this project's exporters make; those of others need none.
    """
    models = subject.filter.models
    if not models:
        return "no model files"
    bare = []
    for model in models:
        where = f"model {model.path.name}"
        expect(model.sha256, f"{where} is not pinned; give its sha256: {_digest(model)}")
        try:
            model.verify()
            if CARD_KEY not in read_metadata(model.path):
                bare.append(model.path.name)
                continue
            card = model.card_for(subject.filter.models_of or subject.filter.name)
        except GanfiltersError as error:
            raise AssertionError(str(error)) from error
        expect(card.licence.strip(), f"the card of {where} states no licence; add one (SPDX)")
        _agree(subject, card, where)
    without = f", without a card: {', '.join(bare)}" if bare else ""
    return f"{len(models)} verified{without}"


def _digest(model: Any) -> str:
    try:
        return str(model.verify())
    except GanfiltersError as error:
        return str(error)


def _agree(subject: Subject, card: ModelCard, where: str) -> None:
    """Compare the size rules of a card with the traits.

    Traits that declare no rule say that the filter fits any picture to its network itself; whether
    it does is `check_sizes`'s to find out. Traits that declare one must be as strict as the card.
    """
    traits = subject.traits
    expect(
        traits.size_multiple == 1 or traits.size_multiple % card.size_multiple == 0,
        f"the card of {where} asks for multiples of {card.size_multiple} and the traits give "
        f"multiples of {traits.size_multiple}; declare Traits(size_multiple={card.size_multiple})",
    )
    expect(
        traits.size_min == 1 or traits.size_min >= card.size_min,
        f"the card of {where} asks for sides of at least {card.size_min} and the traits give "
        f"{traits.size_min}; declare Traits(size_min={card.size_min})",
    )
    if traits.size_max is not None and card.size_max is not None:
        expect(
            traits.size_max <= card.size_max,
            f"the card of {where} allows sides of at most {card.size_max} and the traits give "
            f"{traits.size_max}; declare Traits(size_max={card.size_max})",
        )


def limits(spec: dict[str, Any]) -> tuple[float | None, float | None]:
    """Return the smallest and largest value that a JSON Schema of a number allows."""
    whole = spec.get("type") == "integer"
    low, high = spec.get("minimum"), spec.get("maximum")
    above, below = spec.get("exclusiveMinimum"), spec.get("exclusiveMaximum")
    if low is None and above is not None:
        low = above + 1 if whole else above + max(abs(above), 1.0) * 1e-6
    if high is None and below is not None:
        high = below - 1 if whole else below - max(abs(below), 1.0) * 1e-6
    return low, high


def properties(params: type[Params]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each parameter's name and its JSON Schema, that of the value where None is allowed."""
    specs = schema.json_schema(params).get("properties", {})
    for name in params.model_fields:
        spec = specs[name]
        for member in spec.get("anyOf", [spec]):
            if member.get("type") != "null":
                yield name, {**spec, **member}
                break


def _default(field: Any) -> Any:
    return field.get_default(call_default_factory=True)

"""``ganfilters show FILTER``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from ganfilters.cli._output import size_text, table
from ganfilters.cli._state import State, pass_state, print_json

if TYPE_CHECKING:
    from ganfilters.filter import Traits
    from ganfilters.models import ModelFile
    from ganfilters.registry import Entry

__all__ = ["command"]

_INPUT = {
    "required": "works on a picture",
    "optional": "works on a picture, or makes one from nothing",
    "none": "makes a picture from nothing",
}
_CARD_FACTS = ("title", "version", "licence", "attribution", "command", "commit")


@click.command("show")
@click.argument("name", metavar="FILTER")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: JSON Schema, traits, models.")
@pass_state
def command(state: State, name: str, as_json: bool) -> None:
    """Describe a filter: parameters, needs, models."""
    entry = state.registry.get(name)
    models = [_model(model) for model in entry.filter.models]
    if as_json:
        print_json(_record(entry, models), indent=2)
        return
    from ganfilters import schema

    cls = entry.filter
    click.echo(f"{cls.name}: {cls.summary}")
    click.echo(f"from {entry.distribution} {entry.version}\n")
    for line in _traits(cls.traits):
        click.echo(f"- {line}")
    for number, step in enumerate(_steps(entry), 1):
        click.echo(f"- step {number}: {step}")
    click.echo("\nParameters")
    rows = [(p.flag, p.values, p.default, p.description) for p in schema.parameters(cls.Params)]
    if rows:
        table(("option", "values", "default", "what it does"), rows)
    else:
        click.echo("none")
    for parameter in schema.parameters(cls.Params):
        if parameter.examples:
            click.echo(f"\nValues of {parameter.flag}")
            click.echo(", ".join(map(str, parameter.examples)))
    if cls.Params.presets:
        click.echo("\nPresets")
        for preset, values in cls.Params.presets.items():
            shown = ", ".join(
                f"{schema.flag(key)} {schema.written(value)}" for key, value in values.items()
            )
            click.echo(f"{preset}: {shown or 'the defaults'}")
    for model in models:
        _show_model(model)


def _steps(entry: Entry) -> list[str]:
    """Return the steps of a chain in words; nothing for another filter."""
    from ganfilters.chains.filter import ChainFilter

    cls = entry.filter
    return [link.step.title for link in cls.links] if issubclass(cls, ChainFilter) else []


def _record(entry: Entry, models: list[dict[str, Any]]) -> dict[str, Any]:
    from ganfilters import schema

    return {
        "name": entry.filter.name,
        "summary": entry.filter.summary,
        "distribution": entry.distribution,
        "version": entry.version,
        "traits": asdict(entry.filter.traits),
        "params": schema.json_schema(entry.filter.Params),
        "models": models,
        **({"steps": steps} if (steps := _steps(entry)) else {}),
    }


def _model(model: ModelFile) -> dict[str, Any]:
    """Return what is known of a model; a damaged one is described, not fatal."""
    from ganfilters.errors import ModelError
    from ganfilters.models import CARD_KEY
    from ganfilters.onnxfile import read_metadata

    record: dict[str, Any] = {"file": model.path.name, "path": str(model.path)}
    try:
        record["sha256"] = model.verify()
        record["bytes"] = model.path.stat().st_size
        if CARD_KEY not in read_metadata(model.path):  # not needed, only better
            return record | {"card": None}
        card = model.card
        record |= {"name": card.name, "licence": card.licence, "card": card.model_dump(mode="json")}
    except ModelError as error:
        record.setdefault("sha256", model.sha256)
        record["problem"] = str(error)
    return record


def _traits(traits: Traits) -> list[str]:
    """Return the traits in words."""
    lines = [_INPUT[traits.input]]
    if traits.input != "none":
        needed = traits.mask == "required"
        lines.append("needs a mask" if needed else "takes a mask, and works without")
        tiling = traits.tiling
        lines.append(
            f"large pictures are cut into tiles of {tiling.size} px, overlap {tiling.overlap} px"
            if tiling
            else "sees the whole picture at once"
        )
    if traits.size_max is not None and traits.tiling is None:
        lines.append(f"takes pictures of up to {traits.size_max} px a side")
    if traits.selection == "filter":
        lines.append("may work a little beyond the mask, and fades its edges itself")
    if traits.alpha == "edited":
        lines.append("may change what is transparent")
    if not traits.keeps_size:
        lines.append("changes the size of the picture")
    return lines


def _show_model(model: dict[str, Any]) -> None:
    click.echo(f"\nModel {model['file']}")
    if "bytes" in model:
        click.echo(f"size: {size_text(model['bytes'])}")
    click.echo(f"sha256: {model['sha256'] or 'not pinned'}")
    card = model.get("card") or {}
    if not card and "problem" not in model:
        click.echo("card: none")
    for fact in _CARD_FACTS:
        if card.get(fact):
            click.echo(f"{fact}: {card[fact]}")
    for source in card.get("data", ()):
        click.echo(f"data: {source}")
    for measure, value in card.get("quality", {}).items():
        click.echo(f"quality, {measure}: {value:g}")
    if card.get("parity"):
        click.echo(f"agrees with PyTorch to: {card['parity']['tolerance']:g} (relative)")
    if "problem" in model:
        click.echo(f"PROBLEM: {model['problem']}")

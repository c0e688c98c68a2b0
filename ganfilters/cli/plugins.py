"""``ganfilters plugins``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ganfilters.cli._output import table
from ganfilters.cli._state import State, print_json

if TYPE_CHECKING:
    from ganfilters.registry import LoadError

__all__ = ["command"]


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Show which plugins loaded, and why others did not."""
    from ganfilters.registry import load_commands

    state = ctx.ensure_object(State)
    registry = state.registry
    # Commands are added to a group that is thrown away: here only their errors count.
    broken = load_commands(click.Group("unused"), state.plugin_files)
    errors = _distinct([*registry.errors(), *broken])
    if as_json:
        _as_json(state, errors)
        return
    rows = [
        (
            plugin.name,
            plugin.distribution,
            plugin.version,
            ", ".join(plugin.filters) or "none",
            f"{plugin.seconds * 1000:.0f} ms",
        )
        for plugin in registry.plugins()
    ]
    if rows:
        table(("plugin", "from", "version", "filters", "loaded in"), rows)
    else:
        click.echo("no plugin loaded")
    for error in errors:
        click.echo(f"FAILED  {error.plugin} ({error.distribution}), {error.stage}: {error.message}")
        if state.debug and error.traceback:
            click.echo(error.traceback.rstrip())


def _distinct(errors: Sequence[LoadError]) -> list[LoadError]:
    """Leave out what a file of filters and commands reports twice."""
    return list({(e.plugin, e.distribution, e.stage, e.message): e for e in errors}.values())


def _as_json(state: State, errors: Sequence[LoadError]) -> None:
    loaded = [
        {
            "plugin": plugin.name,
            "distribution": plugin.distribution,
            "version": plugin.version,
            "filters": list(plugin.filters),
            "seconds": round(plugin.seconds, 4),
        }
        for plugin in state.registry.plugins()
    ]
    failed = [
        {
            "plugin": error.plugin,
            "distribution": error.distribution,
            "stage": error.stage,
            "message": error.message,
            "traceback": error.traceback,
        }
        for error in errors
    ]
    print_json({"loaded": loaded, "failed": failed}, indent=2)

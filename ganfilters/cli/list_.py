"""``ganfilters list``."""

from __future__ import annotations

import click

from ganfilters.cli._output import table
from ganfilters.cli._state import State, pass_state, print_json

__all__ = ["command"]


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_state
def command(state: State, as_json: bool) -> None:
    """List the filters."""
    registry = state.registry
    entries = registry.entries()
    if as_json:
        records = [
            {
                "name": entry.filter.name,
                "summary": entry.filter.summary,
                "input": entry.filter.traits.input,
                "distribution": entry.distribution,
                "version": entry.version,
            }
            for entry in entries
        ]
        print_json(records, indent=2)
    elif entries:
        rows = [
            (e.filter.name, e.filter.summary, e.filter.traits.input, e.distribution)
            for e in entries
        ]
        table(("name", "summary", "input", "from"), rows)
    else:
        click.echo("no filter is installed")
    count = len(registry.errors())
    if count:
        click.echo(f"{count} not usable; `ganfilters plugins` says why", err=True)

"""``ganfilters apply FILTER ...``: one sub-command a filter, its options made from `Params`."""

from __future__ import annotations

import click

from ganfilters.cli._filtering import execute, filter_command
from ganfilters.cli._state import State

__all__ = ["command"]


class FilterGroup(click.Group):
    """The filters as sub-commands, found when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all filters."""
        return ctx.ensure_object(State).registry.names()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Make a filter's command; an unknown filter is an error that names the nearest."""
        entry = ctx.ensure_object(State).registry.get(cmd_name)
        return filter_command(entry, lambda inner, given: execute(inner, entry, given))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the filters, without making their commands."""
        registry = ctx.ensure_object(State).registry
        rows = [(entry.filter.name, entry.filter.summary) for entry in registry.entries()]
        with formatter.section("Filters"):
            if rows:
                formatter.write_dl(rows)
            else:
                formatter.write_text("none is installed")
        if registry.errors():
            formatter.write_paragraph()
            formatter.write_text("Some plugins did not load; `ganfilters plugins` says why.")


command = FilterGroup(
    name="apply",
    help="Apply a filter to pictures.\n\n`ganfilters apply FILTER --help` lists the filter's "
    "parameters; options go after the filter's name.",
    subcommand_metavar="FILTER [INPUT...] OUTPUT [OPTIONS]",
)

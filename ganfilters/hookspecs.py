"""The two hooks a plugin may implement. This is the whole of what pluggy sees."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import click

    from ganfilters.filter import Filter

__all__ = ["hookimpl"]

hookspec = pluggy.HookspecMarker("ganfilters")
hookimpl = pluggy.HookimplMarker("ganfilters")


@hookspec
def ganfilters_filters() -> Iterable[type[Filter[Any]]]:  # type: ignore[empty-body]
    """Return the plugin's Filter classes (classes, not instances: listing them must be cheap)."""


@hookspec
def ganfilters_commands(cli: click.Group) -> None:
    """Add commands to the command line (entry-point group ``ganfilters.commands``)."""

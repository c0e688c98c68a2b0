"""`Commands`: the commands of plugins."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganfilters.errors import PluginError
from ganfilters.registry._choice import Choice
from ganfilters.registry._filters import PluginInfo
from ganfilters.registry._loading import LoadError, Notify, load, load_error
from ganfilters.registry._sources import COMMANDS_GROUP, Source, from_files, installed

if TYPE_CHECKING:
    import click

__all__ = ["Commands"]


class Commands:
    """The commands that plugins add to a command line, loaded when first asked for.

    A plugin whose hook raises adds nothing, and none can take over the command of another.

    Parameters
    ----------
    cli
        Where the commands are added.
    choice
        Which installed plugins are asked.
    plugin_files
        Python files of plugins being written.
    reserved
        Names of the host's own commands.
    notify
        Called with one line when a plugin is slow. Given it, what plugins print while they load
        goes to standard error.

    Attributes
    ----------
    plugins
        Plugins that have loaded.
    errors
        What could not be used, and why.
    left_out
        Plugins that are not asked.
    owners
        Name of a command to the plugin that it comes from.

    Raises
    ------
    UsageError
        A plugin file does not exist.
    """

    def __init__(
        self,
        cli: click.Group,
        choice: Choice,
        plugin_files: Sequence[Path] = (),
        *,
        reserved: Collection[str] = (),
        notify: Notify | None = None,
    ) -> None:
        chosen, self.left_out = choice.split(installed(COMMANDS_GROUP))
        files = from_files(plugin_files)
        self._pending = sorted([*files, *chosen], key=lambda source: source.rank)
        self._cli = cli
        self._timeout = choice.timeout
        self._reserved = frozenset(reserved)
        self._notify = notify
        self.plugins: list[PluginInfo] = []
        self.errors: list[LoadError] = []
        self.owners: dict[str, PluginInfo] = {}

    def find(self, name: str) -> click.Command | None:
        """Return a command, importing the plugins of others only if no first-party one has it."""
        while self._pending and self._pending[0].first_party:
            self._load(self._pending.pop(0))
        if name not in self._cli.commands:
            self.load_all()
        return self._cli.commands.get(name)

    def load_all(self) -> None:
        """Ask all plugins."""
        while self._pending:
            self._load(self._pending.pop(0))

    def remove(self) -> None:
        """Take all that was added away again."""
        for name in self.owners:
            self._cli.commands.pop(name, None)

    def _load(self, source: Source) -> None:
        import click

        # A copy, so that what the plugin has added is known, and is dropped if its hook fails.
        scratch = click.Group(self._cli.name)
        scratch.commands = dict(self._cli.commands)
        ask = partial(_ask, scratch)
        found = load(source, "ganfilters_commands", ask, limit=self._timeout, notify=self._notify)
        if isinstance(found, LoadError):
            self.errors.append(found)
            return
        added = {}
        for name, command in scratch.commands.items():
            if self._cli.commands.get(name) is command:
                continue
            if name in self._reserved or name in self._cli.commands:
                self.errors.append(self._taken(source, name))
            else:
                added[name] = command
        info = PluginInfo(
            source.name, source.distribution, source.version, (), found.seconds, tuple(added)
        )
        self.plugins.append(info)
        self.owners |= dict.fromkeys(added, info)
        self._cli.commands.update(added)

    def _taken(self, source: Source, name: str) -> LoadError:
        owner = self.owners.get(name)
        by = f"{owner.name} ({owner.distribution})" if owner is not None else "ganfilters itself"
        error = PluginError(f"the command name {name!r} is taken by {by}; choose another")
        return load_error(source, "check", error)


def _ask(cli: click.Group, hook: Callable[..., Any]) -> None:
    hook(cli=cli)

"""``ganfilters plugins``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from ganfilters.cli._output import table
from ganfilters.cli._state import State, print_json
from ganfilters.errors import UsageError, nearest

if TYPE_CHECKING:
    from ganfilters.registry import LeftOut, LoadError, PluginInfo, Source

__all__ = ["command"]


@click.command("plugins")
@click.option(
    "--disable",
    multiple=True,
    metavar="NAME",
    help="Load a plugin no more, from now on; may be given several times.",
)
@click.option("--enable", multiple=True, metavar="NAME", help="Load a disabled plugin again.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(
    ctx: click.Context, disable: tuple[str, ...], enable: tuple[str, ...], as_json: bool
) -> None:
    """Show which plugins loaded, and why others did not.

    NAME is a plugin, or a distribution with all its plugins. What is disabled is remembered in the
    user's settings file and is not imported; plugins that ship with ganfilters may be disabled too.

    GANFILTERS_PLUGINS=a,b loads these plugins or distributions only, for one run and whatever is
    disabled; "ganfilters" names all that ship with it. Empty is the same as not set. Files named
    with --plugin load besides. --safe-mode heeds neither this nor the settings file.

    A plugin that takes longer than 10 s to import is given up. GANFILTERS_IMPORT_TIMEOUT sets
    another time in seconds, 0 none. GANFILTERS_CONFIG_DIR names another folder for settings.json.
    """
    state = ctx.ensure_object(State)
    if disable or enable:
        _change(disable, enable, as_json=as_json)
    else:
        _show(state, as_json=as_json)


def _change(disable: Sequence[str], enable: Sequence[str], *, as_json: bool) -> None:
    """Write which plugins are disabled. None is imported for it."""
    from ganfilters.registry import all_installed
    from ganfilters.settings import (
        PLUGINS_VARIABLE,
        chosen_plugins,
        read_settings,
        settings_file,
        settings_locked,
        write_settings,
    )

    both = sorted({*disable} & {*enable})
    if both:
        raise UsageError(f"{both[0]} cannot be disabled and enabled at once")
    installed = all_installed()
    for name in disable:
        _check_disable(name, installed)
    with settings_locked():
        settings = read_settings()
        before = settings.disabled_plugins
        for name in enable:
            _check_enable(name, installed, before)
        after = (before | {*disable}) - {*enable}
        path = settings_file()
        if after != before:
            path = write_settings(replace(settings, disabled_plugins=after))
    if as_json:
        print_json({"settings": str(path), "disabled_plugins": sorted(after)}, indent=2)
        return
    for name in disable:
        was = " already" if name in before else ""
        click.echo(f"{name} is disabled{was}; `ganfilters plugins --enable {name}` enables it")
    for name in enable:
        was = "" if name in before else " already"
        click.echo(f"{name} is enabled{was}")
    if chosen_plugins() is not None:
        click.echo(f"{PLUGINS_VARIABLE} is set, and goes before this", err=True)


def _check_disable(name: str, installed: Sequence[Source]) -> None:
    from ganfilters.registry import unknown_plugin

    if not any(source.is_called(name) for source in installed):
        raise UsageError(unknown_plugin(name, installed))


def _check_enable(name: str, installed: Sequence[Source], disabled: frozenset[str]) -> None:
    if name in disabled:
        return
    for source in installed:
        if not source.is_called(name):
            continue
        word = next((word for word in sorted(disabled) if source.is_called(word)), None)
        if word is not None:
            raise UsageError(
                f"{name} is disabled as {word}; write: ganfilters plugins --enable {word}"
            )
    if not any(source.is_called(name) for source in installed):
        hint = nearest(name, disabled, what="disabled plugins")
        raise UsageError(f"there is no plugin {name!r}; {hint}")


def _show(state: State, *, as_json: bool) -> None:
    from ganfilters.cli import COMMANDS
    from ganfilters.registry import Commands, all_installed

    registry = state.any_registry
    # Commands are added to a group that is thrown away.
    commands = Commands(
        click.Group("unused"),
        state.choice,
        state.plugin_files,
        reserved=COMMANDS,
        notify=state.note,
    )
    commands.load_all()
    plugins = _merged([*registry.plugins(), *commands.plugins])
    errors = _distinct([*registry.errors(), *commands.errors])
    left_out = sorted(
        {*registry.left_out(), *commands.left_out},
        key=lambda left: (left.reason, left.plugin, left.distribution),
    )
    if as_json:
        _as_json(state, plugins, errors, left_out)
        return
    if plugins:
        table(("plugin", "from", "version", "filters", "commands", "loaded in"), _rows(plugins))
    else:
        click.echo("no plugin loaded")
    for error in errors:
        click.echo(f"FAILED  {error.plugin} ({error.distribution}), {error.stage}: {error.message}")
        if state.debug and error.traceback:
            click.echo(error.traceback.rstrip())
    for left in left_out:
        mark = "DISABLED" if left.reason == "disabled" else "LEFT OUT"
        click.echo(f"{mark}  {left.plugin} ({left.distribution}): {_explained(left)}")
    installed = {source.distribution for source in all_installed()}
    if any(error.distribution in installed for error in errors):
        click.echo("`ganfilters plugins --disable NAME` leaves a plugin out")
    if state.choice.problem:
        click.echo(f"PROBLEM  {state.choice.problem}")


def _merged(plugins: Sequence[PluginInfo]) -> list[PluginInfo]:
    """Show a plugin with filters and commands once."""
    found: dict[tuple[str, str], PluginInfo] = {}
    for plugin in plugins:
        key = (plugin.name, plugin.distribution)
        first = found.get(key)
        found[key] = (
            plugin
            if first is None
            else replace(
                first,
                filters=first.filters + plugin.filters,
                commands=first.commands + plugin.commands,
                seconds=first.seconds + plugin.seconds,
            )
        )
    return list(found.values())


def _distinct(errors: Sequence[LoadError]) -> list[LoadError]:
    """Leave out what a plugin of filters and commands reports twice."""
    return list({(e.plugin, e.distribution, e.stage, e.message): e for e in errors}.values())


def _rows(plugins: Sequence[PluginInfo]) -> list[tuple[str, ...]]:
    return [
        (
            plugin.name,
            plugin.distribution,
            plugin.version,
            ", ".join(plugin.filters) or "none",
            ", ".join(plugin.commands) or "none",
            f"{plugin.seconds * 1000:.0f} ms",
        )
        for plugin in plugins
    ]


def _explained(left: LeftOut) -> str:
    return left.fix if left.reason == "disabled" else f"{left.why}; {left.fix}"


def _as_json(
    state: State,
    plugins: Sequence[PluginInfo],
    errors: Sequence[LoadError],
    left_out: Sequence[LeftOut],
) -> None:
    from ganfilters.settings import settings_file

    loaded = [
        {
            "plugin": plugin.name,
            "distribution": plugin.distribution,
            "version": plugin.version,
            "filters": list(plugin.filters),
            "commands": list(plugin.commands),
            "seconds": round(plugin.seconds, 4),
        }
        for plugin in plugins
    ]
    failed: list[dict[str, Any]] = [
        {**asdict(error), "seconds": round(error.seconds, 4)} for error in errors
    ]
    record = {
        "loaded": loaded,
        "failed": failed,
        "left_out": [asdict(left) for left in left_out],
        "safe_mode": state.safe_mode,
        "settings": str(settings_file()),
        "problem": state.choice.problem or None,
    }
    print_json(record, indent=2)

"""`Registry`: the filters of all plugins."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganfilters.errors import PluginError, UsageError, nearest
from ganfilters.registry._choice import Choice, LeftOut
from ganfilters.registry._contract import check_class
from ganfilters.registry._loading import LoadError, Notify, load, load_error
from ganfilters.registry._sources import CHAIN, FILTERS_GROUP, Source, from_files, installed
from ganfilters.settings import IMPORT_TIMEOUT

if TYPE_CHECKING:
    from ganfilters.filter import Filter

__all__ = ["Entry", "PluginInfo", "Registry"]


@dataclass(frozen=True)
class Entry:
    """One filter that can be used, and where it comes from."""

    filter: type[Filter[Any]]
    plugin: str
    distribution: str
    version: str


@dataclass(frozen=True)
class PluginInfo:
    """One plugin that loaded; `seconds` is what importing it took."""

    name: str
    distribution: str
    version: str
    filters: tuple[str, ...]
    seconds: float
    commands: tuple[str, ...] = ()


class Registry:
    """The filters that can be used, loaded when first asked for.

    Safe from several threads. Make one with `discover`.

    Parameters
    ----------
    sources
        Plugins that load.
    left_out
        Plugins that do not, to be named where somebody asks for them.
    timeout
        Seconds that a plugin may take to be imported; None for no limit, and then plugins are
        imported in the thread that asks for them.
    notify
        Called with one line when a plugin is slow. Given it, what plugins print while they load
        goes to standard error.
    """

    def __init__(
        self,
        sources: Iterable[Source],
        *,
        left_out: Iterable[LeftOut] = (),
        timeout: float | None = IMPORT_TIMEOUT,
        notify: Notify | None = None,
    ) -> None:
        self._pending = sorted(sources, key=lambda source: source.rank)
        self._left_out = list(left_out)
        self._timeout = timeout
        self._notify = notify
        self._entries: dict[str, Entry] = {}
        self._owners: dict[str, Source] = {}
        self._loaded: list[tuple[Source, float]] = []
        self._errors: list[LoadError] = []
        self._lock = threading.RLock()

    @classmethod
    def discover(
        cls,
        plugin_files: Sequence[Path] = (),
        *,
        safe_mode: bool = False,
        only: Collection[str] | None = None,
        disabled: Collection[str] | None = None,
    ) -> Registry:
        """Find installed plugins and the given files, without importing any.

        Parameters
        ----------
        plugin_files
            Python files of plugins being written. They load whatever `only` and `disabled` say.
        safe_mode
            First-party plugins only, all of them, whatever the user has set.
        only
            Names of the plugins, or of distributions for all their plugins, that load, and no
            others. None for what the environment variable GANFILTERS_PLUGINS names, or all.
        disabled
            Names of those that do not load. None for what the user's settings file names, which
            counts only where neither `only` nor GANFILTERS_PLUGINS is given.

        Raises
        ------
        UsageError
            A plugin file does not exist, safe mode goes with a file or `only`, a name in `only` or
            GANFILTERS_PLUGINS is no plugin's, or the settings file is damaged. (What is wrong
            inside a plugin becomes a `LoadError`.)
        """
        choice = Choice.make(plugin_files, safe_mode=safe_mode, only=only, disabled=disabled)
        choice.check()
        return cls.of(choice, plugin_files)

    @classmethod
    def of(
        cls, choice: Choice, plugin_files: Sequence[Path] = (), *, notify: Notify | None = None
    ) -> Registry:
        """Find the plugins of a choice that is made already, and the given files."""
        from ganfilters.chains.store import chain_sources

        files = from_files(plugin_files)
        chosen, left_out = choice.split(installed(FILTERS_GROUP))
        made = cls([*files, *chosen], left_out=left_out, timeout=choice.timeout, notify=notify)
        made._pending += chain_sources(made._loaded_filter)
        return made

    def _loaded_filter(self, name: str) -> Entry:
        """Return a filter to a saved chain, which is loaded after all plugins."""
        if name in self._entries:
            return self._entries[name]
        raise UsageError(self._missing(name))

    def get(self, name: str) -> Entry:
        """Return the filter called `name`, importing as few plugins as possible.

        Raises
        ------
        UsageError
            There is no such filter; the message names the nearest, or why its plugin is broken or
            left out.
        """
        entry = self._entries.get(name)
        if entry is not None and self._owners[name].first_party:
            return entry  # not waiting for a thread that imports somebody's slow plugin
        with self._lock:
            self._load_likely(name)
            if name not in self._entries:
                self._load_each(self._pending)
            if name in self._entries:
                return self._entries[name]
            raise UsageError(self._missing(name))

    def _missing(self, name: str) -> str:
        """Return why there is no filter of this name."""
        for error in self._errors:
            if error.plugin == name:
                if error.distribution == CHAIN:
                    return f"the saved chain {name!r} cannot be used: {error.message}"
                return (
                    f"the plugin of filter {name!r} is broken: {error.message}; "
                    "`ganfilters plugins` says more"
                )
        for left in self._left_out:
            if left.plugin == name:
                return f"the plugin of filter {name!r} is {left.why}; {left.fix}"
        text = f"there is no filter {name!r}; {nearest(name, self._entries, what='filters')}"
        unusable = len({error.plugin for error in self._errors}) + len(self._left_out)
        if unusable:
            plugins = "1 plugin is" if unusable == 1 else f"{unusable} plugins are"
            text += f"; {plugins} broken or left out, `ganfilters plugins` says why"
        return text

    def names(self) -> list[str]:
        """Return the names of all filters, sorted."""
        return [entry.filter.name for entry in self.entries()]

    def entries(self) -> list[Entry]:
        """Return all filters, sorted by name."""
        with self._lock:
            self._load_each(self._pending)
            return [self._entries[name] for name in sorted(self._entries)]

    def plugins(self) -> list[PluginInfo]:
        """Return the plugins that loaded."""
        with self._lock:
            self._load_each(self._pending)
            return [
                PluginInfo(
                    source.name,
                    source.distribution,
                    source.version,
                    tuple(name for name, owner in self._owners.items() if owner is source),
                    seconds,
                )
                for source, seconds in self._loaded
                if source.origin != CHAIN
            ]

    def errors(self) -> list[LoadError]:
        """Return what could not be used, and why."""
        with self._lock:
            self._load_each(self._pending)
            return list(self._errors)

    def left_out(self) -> list[LeftOut]:
        """Return the plugins that somebody has disabled or not chosen. None of them is imported."""
        return list(self._left_out)

    def _load_likely(self, name: str) -> None:
        """Load the plugins named like a filter, as they by custom hold it.

        Each is loaded only after all those whose names it cannot take.
        """
        for source in [source for source in self._pending if source.name == name]:
            self._load_each(other for other in self._pending if other.tier < source.tier)
            owner = self._owners.get(name)
            if owner is not None and owner.claim(name) < source.claim(name):
                return
            self._load_each([source])

    def _load_each(self, sources: Iterable[Source]) -> None:
        for source in list(sources):
            if source in self._pending:  # else a plugin has asked for another while it loaded
                self._pending.remove(source)
                self._load(source)

    def _load(self, source: Source) -> None:
        # The host's own share of the cost, which must not be counted as the first plugin's.
        import ganfilters.filter  # noqa: F401

        found = load(
            source, "ganfilters_filters", _classes, limit=self._timeout, notify=self._notify
        )
        if isinstance(found, LoadError):
            self._errors.append(found)
            return
        self._loaded.append((source, found.seconds))
        for classes in found.value:
            for cls in classes:
                self._add(source, cls)

    def _add(self, source: Source, cls: object) -> None:
        try:
            checked = check_class(cls)
        except PluginError as error:
            self._errors.append(load_error(source, "check", error))
            return
        name = checked.name
        owner = self._owners.get(name)
        if owner is not None and owner.claim(name) <= source.claim(name):
            self._errors.append(_taken(source, name, owner))
            return
        if owner is not None:
            self._errors.append(_taken(owner, name, source))
        self._owners[name] = source
        self._entries[name] = Entry(checked, source.name, source.distribution, source.version)


def _classes(hook: Callable[..., Any]) -> list[Any]:
    made = hook()
    if not isinstance(made, Iterable) or isinstance(made, str | bytes):
        raise PluginError(
            f"ganfilters_filters() must return a list of Filter classes, not {made!r}"
        )
    return list(made)


def _taken(loser: Source, name: str, owner: Source) -> LoadError:
    by = "itself" if loser is owner else f"{owner.name} ({owner.distribution})"
    error = PluginError(f"the filter name {name!r} is taken by {by}; choose another")
    return load_error(loser, "check", error)

"""Discovery of plugins. A broken plugin is a value (`LoadError`), never a crash.

Plugins are found through two entry-point groups: ``ganfilters`` for modules with filters, and
``ganfilters.commands`` for modules with commands. They are apart because ``ganfilters --help`` has
to import every module that may add a command, and must not import every filter for that.

pluggy stops a whole hook call when one implementation raises, so each implementation is called
here on its own.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pluggy

from ganfilters import hookspecs
from ganfilters.errors import PluginError, UsageError, nearest

if TYPE_CHECKING:
    import click

    from ganfilters.filter import Filter

__all__ = [
    "COMMANDS_GROUP",
    "FILTERS_GROUP",
    "Entry",
    "LoadError",
    "PluginInfo",
    "Registry",
    "check_class",
    "load_commands",
]

FILTERS_GROUP = "ganfilters"
COMMANDS_GROUP = "ganfilters.commands"
_FIRST_PARTY = "ganfilters"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


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


@dataclass(frozen=True)
class LoadError:
    """One plugin, or one of its filters, that could not be used.

    Attributes
    ----------
    stage
        ``"import"``, ``"register"`` (hook signatures), ``"filters"`` or ``"commands"`` (the hook
        raised), or ``"check"`` (a filter breaks its contract, or its name is taken).
    message
        One line.
    traceback
        The whole story, for ``--debug``.
    """

    plugin: str
    distribution: str
    stage: str
    message: str
    traceback: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class _Source:
    """A plugin that has been found and not yet imported."""

    name: str
    distribution: str
    version: str
    load: Callable[[], object]

    @property
    def rank(self) -> tuple[bool, str, str]:
        """First-party plugins first: no other distribution can take over their filters' names."""
        return (self.distribution != _FIRST_PARTY, self.distribution, self.name)


class Registry:
    """The filters that can be used, loaded when first asked for.

    Safe from several threads. Make one with `discover`.
    """

    def __init__(self, sources: Iterable[_Source]) -> None:
        self._pending = sorted(sources, key=lambda source: source.rank)
        self._entries: dict[str, Entry] = {}
        self._plugins: list[PluginInfo] = []
        self._errors: list[LoadError] = []
        self._lock = threading.RLock()

    @classmethod
    def discover(cls, plugin_files: Sequence[Path] = ()) -> Registry:
        """Find installed plugins and the given files, without importing any.

        Parameters
        ----------
        plugin_files
            Python files of plugins being written.

        Raises
        ------
        UsageError
            A plugin file does not exist. (What is wrong inside it becomes a `LoadError`.)
        """
        return cls([*_files(plugin_files), *_installed(FILTERS_GROUP)])

    def get(self, name: str) -> Entry:
        """Return the filter called `name`, importing as few plugins as possible.

        Raises
        ------
        UsageError
            There is no such filter; the message names the nearest, or why its plugin is broken.
        """
        with self._lock:
            # Plugins are by custom named after their filter, so the likely one is tried first;
            # but a third party's only after all first-party ones, whose names it cannot take.
            likely = [source for source in self._pending if source.name == name]
            if likely and likely[0].distribution != _FIRST_PARTY:
                own = [s for s in self._pending if s.distribution == _FIRST_PARTY]
                likely = [*own, *likely]
            for source in likely:
                self._load(source)
            if name not in self._entries:
                self._load_all()
            if name in self._entries:
                return self._entries[name]
            for error in self._errors:
                if error.plugin == name:
                    raise UsageError(
                        f"the plugin of filter {name!r} is broken: {error.message}; "
                        "`ganfilters plugins` says more"
                    )
            raise UsageError(
                f"there is no filter {name!r}; {nearest(name, self._entries, what='filters')}"
            )

    def names(self) -> list[str]:
        """Return the names of all filters, sorted."""
        return [entry.filter.name for entry in self.entries()]

    def entries(self) -> list[Entry]:
        """Return all filters, sorted by name."""
        with self._lock:
            self._load_all()
            return [self._entries[name] for name in sorted(self._entries)]

    def plugins(self) -> list[PluginInfo]:
        """Return the plugins that loaded."""
        with self._lock:
            self._load_all()
            return list(self._plugins)

    def errors(self) -> list[LoadError]:
        """Return what could not be used, and why."""
        with self._lock:
            self._load_all()
            return list(self._errors)

    def _load_all(self) -> None:
        while self._pending:
            self._load(self._pending[0])

    def _load(self, source: _Source) -> None:
        self._pending.remove(source)
        started = time.perf_counter()
        manager = _manager()
        stage = "import"
        try:
            plugin = source.load()
            stage = "register"
            manager.register(plugin, source.name)
            manager.check_pending()
            stage = "filters"
            classes: list[Any] = []
            for implementation in manager.hook.ganfilters_filters.get_hookimpls():
                classes.extend(cast("Iterable[Any]", implementation.function()))
        # A plugin may raise anything, SystemExit included, and must not take the host with it.
        except (Exception, SystemExit) as error:  # noqa: BLE001
            self._errors.append(_load_error(source, stage, error, time.perf_counter() - started))
            return
        seconds = time.perf_counter() - started
        names = [name for name in (self._add(source, cls) for cls in classes) if name]
        self._plugins.append(
            PluginInfo(source.name, source.distribution, source.version, tuple(names), seconds)
        )

    def _add(self, source: _Source, cls: object) -> str | None:
        try:
            checked = check_class(cls)
            taken = self._entries.get(checked.name)
            if taken is not None:
                raise PluginError(
                    f"the filter name {checked.name!r} is taken by {taken.plugin} "
                    f"({taken.distribution}); choose another"
                )
        except PluginError as error:
            self._errors.append(_load_error(source, "check", error, 0.0))
            return None
        self._entries[checked.name] = Entry(
            checked, source.name, source.distribution, source.version
        )
        return checked.name


def check_class(cls: object) -> type[Filter[Any]]:
    """Return `cls` after checking that it keeps the static half of the filter contract.

    Raises
    ------
    PluginError
        It is no `Filter` subclass, is abstract, or a declaration is missing or of a wrong type.
    """
    from ganfilters.filter import Filter, Params, Traits

    if not (isinstance(cls, type) and issubclass(cls, Filter)):
        raise PluginError(f"ganfilters_filters() must return Filter classes, not {_describe(cls)}")
    where = f"filter class {cls.__name__}"
    missing = sorted(cls.__abstractmethods__)
    if missing:
        raise PluginError(f"{where} does not implement {', '.join(missing)}")
    if not _NAME.fullmatch(str(getattr(cls, "name", ""))):
        raise PluginError(
            f"{where} needs `name`: lower-case letters, digits and single hyphens, "
            f"not {getattr(cls, 'name', None)!r}"
        )
    summary = getattr(cls, "summary", None)
    if not isinstance(summary, str) or not summary.strip() or "\n" in summary:
        raise PluginError(f"{where} needs `summary`: one line of text")
    params = getattr(cls, "Params", None)
    if not (isinstance(params, type) and issubclass(params, Params)):
        raise PluginError(f"{where} needs `Params`: a subclass of ganfilters.Params")
    for field_name, field in params.model_fields.items():
        if not field.description:
            raise PluginError(f"{where}: parameter {field_name!r} has no description")
        if field_name in RESERVED:
            raise PluginError(f"{where}: the parameter name {field_name!r} is the host's own")
    if not isinstance(cls.traits, Traits):
        raise PluginError(f"{where} needs `traits`: a ganfilters.Traits")
    if cls.traits.input != "required" and cls.generate is Filter.generate:
        raise PluginError(f"{where} says input={cls.traits.input!r} but has no generate()")
    return cls


RESERVED = frozenset(
    [
        "preset",
        "mask",
        "invert_mask",
        "feather",
        "strength",
        "on_progress",
        "cancel",
        "name",
        "image",
        "device",
        "threads",
        "plugin",
        "format",
        "quality",
        "fps",
        "overwrite",
        "max_pixels",
        "json",
        "quiet",
        "debug",
        "help",
        "params",
        "recursive",
        "out_dir",
    ]
)
"""Names that a parameter cannot have, because the host or the command line uses them."""


def load_commands(cli: click.Group, plugin_files: Sequence[Path] = ()) -> list[LoadError]:
    """Call every ``ganfilters_commands(cli)`` hook; return those that failed."""
    errors = []
    for source in [*_files(plugin_files), *_installed(COMMANDS_GROUP)]:
        started = time.perf_counter()
        manager = _manager()
        stage = "import"
        try:
            plugin = source.load()
            stage = "register"
            manager.register(plugin, source.name)
            stage = "commands"
            manager.hook.ganfilters_commands(cli=cli)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as in Registry._load
            errors.append(_load_error(source, stage, error, time.perf_counter() - started))
    return errors


def _manager() -> pluggy.PluginManager:
    """Return a manager for one plugin, so that none can disturb another."""
    manager = pluggy.PluginManager("ganfilters")
    manager.add_hookspecs(hookspecs)
    return manager


def _installed(group: str) -> list[_Source]:
    return [_from_entry_point(point) for point in entry_points(group=group)]


def _from_entry_point(point: EntryPoint) -> _Source:
    dist = point.dist
    return _Source(
        name=point.name,
        distribution=dist.name if dist else "unknown",
        version=dist.version if dist else "unknown",
        load=point.load,
    )


def _files(paths: Sequence[Path]) -> list[_Source]:
    for path in paths:
        if not path.is_file():
            raise UsageError(f"plugin file {path} does not exist")
    return [
        _Source(path.stem, distribution=str(path), version="0", load=partial(_module, path))
        for path in paths
    ]


def _module(path: Path) -> object:
    """Import a plugin from a file, once: commands and filters come from the same module."""
    name = f"ganfilters_file_{path.resolve().as_posix().encode().hex()}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"plugin file {path} is not a Python file (.py)")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pydantic resolves a class's annotations through its module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _load_error(source: _Source, stage: str, error: BaseException, seconds: float) -> LoadError:
    text = " ".join(str(error).split())
    plain = isinstance(error, PluginError)
    return LoadError(
        plugin=source.name,
        distribution=source.distribution,
        stage=stage,
        message=text if plain else f"{type(error).__name__}: {text}".rstrip(": "),
        traceback="".join(traceback.format_exception(error)),
        seconds=seconds,
    )


def _describe(value: object) -> str:
    return f"the instance {value!r}" if not isinstance(value, type) else value.__name__

"""Where plugins come from: installed distributions and files. Nothing is imported here."""

from __future__ import annotations

import importlib.util
import re
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points
from pathlib import Path
from typing import Final, Literal, NoReturn

from ganfilters.errors import PluginError, UsageError

__all__ = [
    "CHAIN",
    "COMMANDS_GROUP",
    "FILTERS_GROUP",
    "FILTER_NAME",
    "FIRST_PARTY",
    "Source",
    "canonical",
    "from_files",
    "installed",
]

FILTERS_GROUP = "ganfilters"
COMMANDS_GROUP = "ganfilters.commands"
FIRST_PARTY = "ganfilters"

Origin = Literal["file", "installed", "chain"]
CHAIN: Final = "chain"
"""Origin of a saved chain, and what stands for its distribution."""
_ORDER: tuple[Origin, ...] = ("file", "installed", CHAIN)


@dataclass(frozen=True)
class Source:
    """A plugin that has been found and not yet imported.

    Attributes
    ----------
    name, distribution, version
        As `ganfilters plugins` shows them.
    load
        Imports the plugin and returns what pluggy registers.
    origin
        What kind of source it is; of two plugins with a filter of one name, the one whose origin
        comes first in `_ORDER` keeps the name.
    """

    name: str
    distribution: str
    version: str
    load: Callable[[], object]
    origin: Origin = "installed"

    @property
    def first_party(self) -> bool:
        """It is part of this distribution."""
        return self.distribution == FIRST_PARTY

    @property
    def tier(self) -> int:
        """First-party plugins come first: nobody else can take over their filters' names."""
        return 0 if self.first_party else 1 + _ORDER.index(self.origin)

    @property
    def rank(self) -> tuple[int, str, str]:
        """The order in which plugins load."""
        return (self.tier, self.distribution, self.name)

    def claim(self, name: str) -> tuple[int, bool, str, str]:
        """Return how good its claim to a filter's name is; the smallest wins.

        The order in which plugins were loaded is no part of it, so that a name means the same
        filter whether one plugin was loaded or all.
        """
        return (self.tier, self.name != name, self.distribution, self.name)

    def is_called(self, word: str) -> bool:
        """Return whether `word` is the plugin's name or its distribution's."""
        return word == self.name or canonical(word) == canonical(self.distribution)


FILTER_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
"""What a filter, and a saved chain, may be called."""


def canonical(name: str) -> str:
    """Return a distribution's name as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(group: str) -> list[Source]:
    """Return the installed plugins of an entry-point group."""
    try:
        points = list(entry_points(group=group))
    except Exception:  # noqa: BLE001 - one damaged distribution, of anything, spoils the call
        return list(_one_by_one(group))
    return [_from_entry_point(point, point.dist) for point in points]


def _one_by_one(group: str) -> Iterator[Source]:
    """Yield the plugins of each distribution that can be read."""
    seen = set()
    for dist in distributions():
        name, version = _identity(dist)
        if canonical(name) in seen:
            continue  # a later folder of sys.path
        seen.add(canonical(name))
        try:
            points = list(dist.entry_points.select(group=group))
        except Exception:  # noqa: BLE001 - as above
            if f"[{group}]" in (dist.read_text("entry_points.txt") or ""):
                yield Source(name, name, version, partial(_refuse_metadata, name))
            continue
        for point in points:
            yield _from_entry_point(point, dist)


def _refuse_metadata(name: str) -> NoReturn:
    raise PluginError(f"entry_points.txt of the distribution {name} is damaged; install it again")


def _from_entry_point(point: EntryPoint, dist: Distribution | None) -> Source:
    name, version = _identity(dist)
    return Source(point.name, name, version, point.load)


def _identity(dist: Distribution | None) -> tuple[str, str]:
    """Return name and version; a half-removed distribution has none."""
    try:
        name, version = (dist.name, dist.version) if dist is not None else (None, None)
    except Exception:  # noqa: BLE001 - what is raised differs between versions of Python
        name, version = None, None
    return name or "unknown", version or "unknown"


def from_files(paths: Sequence[Path]) -> list[Source]:
    """Return the plugins in Python files.

    Raises
    ------
    UsageError
        A file does not exist.
    """
    for path in paths:
        if not path.is_file():
            raise UsageError(f"plugin file {path} does not exist")
    return [
        Source(path.stem, str(path), version="0", load=partial(_module, path), origin="file")
        for path in paths
    ]


# Not held by the import system, as the module has no place on sys.path.
_file_locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)


def _module(path: Path) -> object:
    """Import a plugin from a file, once: commands and filters come from the same module."""
    name = f"ganfilters_file_{path.resolve().as_posix().encode().hex()}"
    with _file_locks[name]:
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

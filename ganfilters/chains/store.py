"""Saved chains: a folder each in the user's configuration folder, and each a filter.

A chain is data and no code, so neither safe mode nor a choice of plugins leaves it out; one whose
steps need a plugin that is left out cannot be used, and says so.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganfilters.chains.data import Chain, ChainStep
from ganfilters.errors import GanfiltersError, ImageError, PluginError, UsageError, nearest
from ganfilters.hookspecs import hookimpl
from ganfilters.registry._sources import CHAIN, FILTER_NAME, Source
from ganfilters.settings import config_folder

if TYPE_CHECKING:
    from ganfilters.filter import Filter
    from ganfilters.registry import Entry, Registry

__all__ = ["ChainStore", "chain_sources"]

_FILE = "chain.toml"


@dataclass(frozen=True)
class ChainStore:
    """The saved chains.

    Attributes
    ----------
    folder
        Where they are; it may not exist.
    """

    folder: Path

    @classmethod
    def of_user(cls) -> ChainStore:
        """Return the store in the user's configuration folder."""
        return cls(config_folder() / "chains")

    def names(self) -> list[str]:
        """Return the names of all saved chains, sorted; none is read."""
        try:
            found = [path.parent.name for path in self.folder.glob(f"*/{_FILE}")]
        except OSError:
            return []
        return sorted(name for name in found if FILTER_NAME.fullmatch(name))

    def path(self, name: str) -> Path:
        """Return the path of a chain's file.

        Raises
        ------
        UsageError
            No chain is saved under this name.
        """
        if name not in self.names():
            hint = nearest(name, self.names(), what="saved chains")
            raise UsageError(f"there is no saved chain {name!r}; {hint}")
        return self.folder / name / _FILE

    def load(self, name: str) -> Chain:
        """Read a saved chain.

        Raises
        ------
        UsageError
            There is none of this name, or its file was damaged.
        """
        path = self.path(name)
        chain = Chain.load(path)
        # Messages call it by its name, and a recipe tells nobody the user's folders.
        return replace(chain, name=name, version=_version(path), store=self.folder, file=None)

    def save(self, name: str, chain: Chain, registry: Registry, *, overwrite: bool = False) -> Path:
        """Save a chain, with copies of the pictures and models that it names.

        Parameters
        ----------
        name
            Lower-case letters, digits and single hyphens; no filter's name.
        chain
            What to save.
        registry
            Knows the filters.
        overwrite
            Replace a chain of this name.

        Returns
        -------
        Path
            The file of the saved chain.

        Raises
        ------
        GanfiltersError
            The name cannot be used, the chain is not possible, or a file is missing.
        """
        self._check_name(name, registry, overwrite=overwrite)
        from ganfilters.chains.filter import chain_entry
        from ganfilters.runtime import Runtime

        chain = replace(chain, name=name, version="", store=None)
        entry = chain_entry(chain, partial(self._find, registry.get, (name,)))
        entry.filter.check(Runtime("cpu"))  # type: ignore[attr-defined]
        target = self.folder / name
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".saving-", dir=self.folder) as made:
                whole = Path(made, name)
                whole.mkdir()
                kept = _Keeper(whole, chain.folder or Path()).chain(chain, entry)
                (whole / _FILE).write_text(kept.to_toml(), "utf-8")
                _check_readable(whole / _FILE)
                if target.exists():
                    target.rename(Path(made, "old"))
                try:
                    whole.rename(target)
                except OSError:
                    with suppress(OSError):
                        Path(made, "old").rename(target)
                    raise
        except OSError as error:
            reason = error.strerror or error
            raise UsageError(f"the chain cannot be saved in {self.folder}: {reason}") from error
        return target / _FILE

    def check(self, name: str, registry: Registry) -> None:
        """Check that a saved chain can be used: its steps, their values and their files.

        Raises
        ------
        GanfiltersError
            What is wrong; the message names the step.
        """
        self.entry(name, registry.get).filter.check()  # type: ignore[attr-defined]

    def _check_name(self, name: str, registry: Registry, *, overwrite: bool) -> None:
        if not FILTER_NAME.fullmatch(name):
            raise UsageError(
                f"a chain cannot be called {name!r}; a name is lower-case letters, digits and "
                "single hyphens, for example my-look"
            )
        if name in self.names():
            if not overwrite:
                raise UsageError(f"a chain {name} is saved already; --overwrite replaces it")
            return
        taken = [entry for entry in registry.entries() if entry.filter.name == name]
        if taken:
            raise UsageError(
                f"{name} is the name of a filter ({taken[0].distribution}); choose another"
            )

    def remove(self, *names: str) -> list[str]:
        """Remove saved chains and the files kept beside them; return their names.

        Raises
        ------
        UsageError
            There is none of a name, or another saved chain needs it. None is removed then.
        """
        paths = {name: self.path(name) for name in names}
        for other in self.names():
            needed = [name for name in names if other not in paths and self._uses(other, name)]
            if needed:
                raise UsageError(f"{needed[0]} is a step of {other}; remove {other} first")
        for path in paths.values():
            try:
                shutil.rmtree(path.parent)
            except OSError as error:
                reason = error.strerror or error
                raise UsageError(f"{path.parent} cannot be removed: {reason}") from error
        return list(paths)

    def _uses(self, name: str, other: str) -> bool:
        try:
            return other in _filters(self.load(name).steps)
        except UsageError:
            return False

    def _find(self, loaded: Callable[[str], Entry], trail: Sequence[str], name: str) -> Entry:
        """Return a filter for a step of the chain that `trail` leads to.

        Saved chains are made here and not asked of the registry, which may be loading one.
        """
        if name in trail:
            if len(trail) == 1:
                raise UsageError(f"the chain {name} names itself")
            way = " -> ".join([*trail[trail.index(name) :], name])
            raise UsageError(f"chains name each other: {way}")
        if name in self.names():
            with suppress(UsageError):
                entry = loaded(name)
                if entry.distribution != CHAIN:  # a plugin's filter of that name came later
                    return entry
            return self.entry(name, loaded, trail)
        return loaded(name)

    def entry(self, name: str, loaded: Callable[[str], Entry], trail: Sequence[str] = ()) -> Entry:
        """Return a saved chain as a filter.

        Parameters
        ----------
        name
            The chain.
        loaded
            Returns the filter of a name, from a plugin.
        trail
            Chains that this one is a step of.
        """
        from ganfilters.chains.filter import chain_entry

        entry = chain_entry(self.load(name), partial(self._find, loaded, (*trail, name)))
        return replace(entry, plugin=name)


class _Keeper:
    """Copies the files that a chain names into the folder where it is saved."""

    def __init__(self, folder: Path, source: Path) -> None:
        self._folder = folder
        self._source = source
        self._copied: dict[Path, str] = {}

    def chain(self, chain: Chain, entry: Entry) -> Chain:
        """Return the chain with the names of the copies."""
        links: Iterable[Any] = entry.filter.links  # type: ignore[attr-defined]
        return replace(chain, steps=tuple(self._step(link) for link in links))

    def _step(self, link: Any) -> ChainStep:
        from ganfilters.chains.links import map_files

        with link.named():
            step = map_files(
                link.step, link.files if not link.step.chain else frozenset(), self._copy
            )
        if step.chain is not None:
            return replace(step, chain=self.chain(step.chain, link.entry))
        return step

    def _copy(self, key: str, value: Any) -> str | None:
        from ganfilters.recall import recall
        from ganfilters.recipe import Reference

        if value is None:  # a recipe names what was not given, too
            return None
        if isinstance(value, Reference):
            image = recall(value, f"the picture {key}", f"{key} in a TOML file", [self._source])
            value = image.metadata.source
        if not isinstance(value, (str, Path)):
            raise UsageError(f"{key} is not from a file; save it as one and name that")
        path = (self._source / value).resolve()
        if path not in self._copied:
            name = path.name
            taken = {_FILE, *self._copied.values()}
            number = 1
            while name in taken:
                number += 1
                name = f"{path.stem}-{number}{path.suffix}"
            try:
                shutil.copyfile(path, self._folder / name)
            except FileNotFoundError as error:
                raise ImageError(f"{key} {path}: there is no such file") from error
            except OSError as error:
                reason = error.strerror or error
                raise ImageError(f"{key} {path} cannot be copied: {reason}") from error
            self._copied[path] = name
        return self._copied[path]


def _check_readable(path: Path) -> None:
    """Check that a chain can be read again, before it takes the place of one that can."""
    try:
        Chain.load(path)
    except UsageError as error:
        # Nobody knows the folder in which it is made.
        reason = str(error).replace(str(path), path.name)
        raise UsageError(f"the chain cannot be saved: {reason}") from error


def _version(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    except OSError:
        return "unknown"


def _filters(steps: Iterable[ChainStep]) -> set[str]:
    found = set()
    for step in steps:
        found |= {step.filter} if step.chain is None else _filters(step.chain.steps)
    return found


def chain_sources(loaded: Callable[[str], Entry]) -> list[Source]:
    """Return the user's saved chains as plugins of one filter each; none is read.

    Parameters
    ----------
    loaded
        Returns a filter among those that are loaded, or raises `UsageError`.
    """
    store = ChainStore.of_user()
    return [
        Source(
            name=name,
            distribution=CHAIN,
            version=_version(store.folder / name / _FILE),
            load=partial(_Plugin, store, name, loaded),
            origin=CHAIN,
        )
        for name in store.names()
    ]


class _Plugin:
    """What a plugin's module is for other filters."""

    def __init__(self, store: ChainStore, name: str, loaded: Callable[[str], Entry]) -> None:
        try:
            self._filter = store.entry(name, loaded).filter
        except GanfiltersError as error:
            raise PluginError(str(error)) from error

    @hookimpl
    def ganfilters_filters(self) -> list[type[Filter[Any]]]:
        """Return the chain as a filter."""
        return [self._filter]

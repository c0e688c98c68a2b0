"""Which of the installed plugins load: the user's wishes, or the embedding program's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ganfilters.errors import UsageError, nearest
from ganfilters.registry._sources import COMMANDS_GROUP, FILTERS_GROUP, Source, installed
from ganfilters.settings import (
    IMPORT_TIMEOUT,
    PLUGINS_VARIABLE,
    chosen_plugins,
    import_timeout,
    read_settings,
)

__all__ = ["Choice", "LeftOut", "Reason", "all_installed", "unknown_plugin"]

Reason = Literal["disabled", "not chosen", "safe mode", "settings"]


@dataclass(frozen=True)
class LeftOut:
    """One plugin that was found and, by somebody's wish, not imported.

    Attributes
    ----------
    reason
        ``"disabled"``, ``"not chosen"`` (GANFILTERS_PLUGINS or ``only`` names others), ``"safe
        mode"``, or ``"settings"`` (the settings file is damaged, so nobody knows).
    why
        The reason in words that follow "is".
    fix
        How to load it, as the second half of a sentence.
    """

    plugin: str
    distribution: str
    version: str
    reason: Reason
    why: str
    fix: str


@dataclass(frozen=True)
class Choice:
    """Which installed plugins load. Plugins in files are asked for by name, and always do.

    Attributes
    ----------
    safe_mode
        First-party plugins only, all of them.
    only
        Names of the plugins or distributions that load, and no others; None for all.
    disabled
        Names of those that do not.
    timeout
        Seconds that a plugin may take to be imported; None for no limit.
    problem
        What is wrong with the wishes, in one line; `check` raises it.
    """

    safe_mode: bool = False
    only: frozenset[str] | None = None
    disabled: frozenset[str] = frozenset()
    timeout: float | None = IMPORT_TIMEOUT
    problem: str = ""
    _only_place: str = "`only`"
    _remembered: bool = False
    _damaged: bool = False

    @classmethod
    def make(
        cls,
        plugin_files: Sequence[Path] = (),
        *,
        safe_mode: bool = False,
        only: Collection[str] | None = None,
        disabled: Collection[str] | None = None,
    ) -> Choice:
        """Return the caller's wishes, and the user's where the caller has none.

        Safe mode asks neither the environment nor the settings file. GANFILTERS_PLUGINS, or
        `only`, is for one run and goes before the settings file. A fault in what the user set does
        not raise here: it becomes `problem`, and less is loaded.

        Raises
        ------
        UsageError
            Safe mode together with something that it excludes.
        """
        if safe_mode and plugin_files:
            raise UsageError(
                f"safe mode loads no plugin file; leave out {plugin_files[0]}, or set "
                f"{PLUGINS_VARIABLE}=ganfilters in place of safe mode"
            )
        if safe_mode and only is not None:
            raise UsageError("safe mode loads all first-party plugins; leave out `only`")
        for given, names in (("only", only), ("disabled", disabled)):
            if isinstance(names, str):  # which is a collection of strings too
                raise UsageError(f"`{given}` is a list of names; write {given}=[{names!r}]")
        if safe_mode:
            return cls(safe_mode=True, disabled=frozenset(disabled or ()))
        try:
            timeout, problem = import_timeout(), ""
        except UsageError as error:
            timeout, problem = IMPORT_TIMEOUT, str(error)
        made = cls(disabled=frozenset(disabled or ()), timeout=timeout, problem=problem)
        names = only if only is not None else chosen_plugins()
        if names is not None:
            place = "`only`" if only is not None else PLUGINS_VARIABLE
            problem = problem or _unknown(names, place, plugin_files)
            return replace(made, only=frozenset(names), problem=problem, _only_place=place)
        if disabled is not None:
            return made
        try:
            return replace(made, disabled=read_settings().disabled_plugins, _remembered=True)
        except UsageError as error:
            return replace(made, problem=problem or str(error), _damaged=True)

    def check(self) -> None:
        """Raise what is wrong with the wishes.

        Raises
        ------
        UsageError
            A name in GANFILTERS_PLUGINS or `only` that no plugin has, a damaged settings file, or a
            time limit that is no number.
        """
        if self.problem:
            raise UsageError(self.problem)

    def split(self, found: Iterable[Source]) -> tuple[list[Source], list[LeftOut]]:
        """Return the plugins that load, and those that do not."""
        chosen, left_out = [], []
        for source in found:
            left = self._left_out(source)
            if left is None:
                chosen.append(source)
            else:
                left_out.append(left)
        return chosen, left_out

    def _left_out(self, source: Source) -> LeftOut | None:
        def because(reason: Reason, why: str, fix: str) -> LeftOut:
            return LeftOut(source.name, source.distribution, source.version, reason, why, fix)

        if self.safe_mode and not source.first_party:
            return because("safe mode", "left out by safe mode", "run without safe mode")
        if self._damaged and not source.first_party:
            return because("settings", "left out", "mend the settings file")
        if self.only is not None and not any(map(source.is_called, self.only)):
            fix = f"add {source.name} to it"
            return because("not chosen", f"left out by {self._only_place}", fix)
        word = next((word for word in sorted(self.disabled) if source.is_called(word)), None)
        if word is None:
            return None
        enable = f"`ganfilters plugins --enable {word}` enables it"
        fix = enable if self._remembered else f"take {word} out of `disabled`"
        return because("disabled", "disabled", fix)


def all_installed() -> list[Source]:
    """Return the plugins of both entry-point groups, as `ganfilters plugins` shows them."""
    return [*installed(FILTERS_GROUP), *installed(COMMANDS_GROUP)]


def unknown_plugin(name: str, found: Iterable[Source]) -> str:
    """Return the message for a name that no plugin has."""
    known = {word for source in found for word in (source.name, source.distribution)}
    return f"there is no plugin {name!r}; {nearest(name, known, what='plugins')}"


def _unknown(names: Iterable[str], place: str, plugin_files: Sequence[Path]) -> str:
    """Return what is wrong with a list of names, or nothing."""
    found = all_installed()
    stems = {path.stem for path in plugin_files}
    for name in names:
        if name not in stems and not any(source.is_called(name) for source in found):
            return f"{place}: {unknown_plugin(name, found)}"
    return ""

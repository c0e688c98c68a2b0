"""What a new plugin may be called, and the names that follow from it."""

from __future__ import annotations

import importlib.util
import keyword
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ganfilters
from ganfilters.errors import UsageError
from ganfilters.registry._sources import FILTER_NAME

if TYPE_CHECKING:
    from ganfilters.registry import Registry

__all__ = ["Names", "check_text", "names_for"]

# Longer names would not fit the lines of the templates.
_LONGEST_NAME = 30
_LONGEST_TEXT = 80
# Classes that the templates import beside those of ganfilters.
_IMPORTED = {"Any", "Field"}


@dataclass(frozen=True)
class Names:
    """The names of one plugin.

    Attributes
    ----------
    name
        Of the filter: ``"oil-paint"``.
    distribution
        ``"ganfilters-oil-paint"``.
    module
        ``"ganfilters_oil_paint"``.
    class_name
        ``"OilPaint"``.
    """

    name: str

    @property
    def distribution(self) -> str:  # noqa: D102 - told above
        return f"ganfilters-{self.name}"

    @property
    def module(self) -> str:  # noqa: D102
        return self.distribution.replace("-", "_")

    @property
    def class_name(self) -> str:  # noqa: D102
        return "".join(part.capitalize() for part in self.name.split("-"))


def names_for(name: str, registry: Registry, commands: set[str]) -> Names:
    """Return the names of a plugin after checking that nothing else has them.

    Parameters
    ----------
    name
        What the user wants the filter to be called.
    registry
        The filters that are there. Those of the plugin's own distribution do not count, so that a
        plugin that is installed can be written anew.
    commands
        Names of commands, which a filter of the same name would be taken for.

    Raises
    ------
    UsageError
        The name is no filter name, is too long, or is taken.
    """
    if not FILTER_NAME.fullmatch(name):
        proposed = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")
        hint = f"; write {proposed}" if FILTER_NAME.fullmatch(proposed) else ""
        raise UsageError(
            f"the name {name!r} cannot be a filter's: it needs lower-case letters, digits and "
            f"single hyphens, a letter first{hint}"
        )
    if len(name) > _LONGEST_NAME:
        raise UsageError(f"the name {name} has {len(name)} characters; at most {_LONGEST_NAME} fit")
    names = Names(name)
    if keyword.iskeyword(name) or keyword.iskeyword(names.class_name):
        raise UsageError(f"{name} is a word of Python's own; choose another name, or add a word")
    if names.class_name in {*ganfilters.__all__, *_IMPORTED}:
        raise UsageError(
            f"the filter {name} would be the class {names.class_name}, a name that every plugin "
            "imports; choose another name, or add a word"
        )
    if name in commands:
        raise UsageError(f"{name} is a command of ganfilters; choose another name, or add a word")
    for entry in registry.entries():
        if entry.filter.name == name and entry.distribution != names.distribution:
            raise UsageError(
                f"there is a filter {name} already (from {entry.distribution}); choose another name"
            )
    own = {entry.distribution for entry in registry.entries()}
    if names.distribution not in own and importlib.util.find_spec(names.module) is not None:
        raise UsageError(
            f"there is a Python package {names.module} already; choose another name, or uninstall "
            "it first"
        )
    return names


def check_text(text: str, what: str) -> str:
    """Return a text for the templates' quoted strings after checking that it fits them.

    Raises
    ------
    UsageError
        It is empty, too long, has several lines, or quotes or backslashes.
    """
    text = text.strip()
    if not text or not text.isprintable() or len(text) > _LONGEST_TEXT:
        raise UsageError(f"{what} must be one line of 1 to {_LONGEST_TEXT} characters")
    if '"' in text or "\\" in text:
        raise UsageError(f'{what} must be without " and \\')
    return text

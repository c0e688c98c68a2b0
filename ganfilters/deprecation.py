"""How a public name goes away: it warns and names its successor for two minor versions.

The rules are in CONTRIBUTING.md; a test fails when something has outlived its removal.
"""

from __future__ import annotations

import warnings

__all__ = ["RENAMED", "removed_in", "warn_deprecated"]

RENAMED: dict[str, tuple[str, str]] = {}
"""Former names of ``ganfilters.__all__``: to the present name, and the version that renamed it."""


def removed_in(since: str) -> str:
    """Return the version that removes what was deprecated in `since`.

    Examples
    --------
    >>> removed_in("0.3.1")
    '0.5'
    """
    major, minor, *_ = since.split(".")
    return f"{major}.{int(minor) + 2}"


def warn_deprecated(old: str, new: str, *, since: str, stacklevel: int = 1) -> None:
    """Warn that `old` goes away.

    Parameters
    ----------
    old, new
        What the caller used, and what to use in its place, as they would write it.
    since
        Version that deprecated it.
    stacklevel
        1 points at whoever called the function that calls this; 2 one call further out.
    """
    warnings.warn(
        f"{old} is deprecated since ganfilters {since} and will be removed in "
        f"{removed_in(since)}; use {new}",
        DeprecationWarning,
        stacklevel=stacklevel + 2,
    )

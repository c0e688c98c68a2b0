"""Every error a user can cause, one class per kind.

The text of each error is one line: what was wrong, then what would be right. The command line
prints it and exits with 2; nothing here needs a traceback to be understood.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

__all__ = [
    "Cancelled",
    "DeviceError",
    "GanfiltersError",
    "ImageError",
    "ModelError",
    "NothingToDo",
    "OutOfMemory",
    "PluginError",
    "UsageError",
    "nearest",
]


class GanfiltersError(Exception):
    """Base of all errors that carry a message for the user."""


class UsageError(GanfiltersError):
    """A filter, parameter, option or combination of them that cannot be used."""


class NothingToDo(UsageError):
    """What the parameters speak of is not in the picture; of an animation such a frame stays."""


class ImageError(GanfiltersError):
    """A picture or mask that cannot be read, written or used."""


class ModelError(GanfiltersError):
    """A model file that is missing, damaged, or made for something else."""


class DeviceError(GanfiltersError):
    """A device that does not exist or does not start."""


class OutOfMemory(GanfiltersError):
    """A device ran out of memory during inference; smaller tiles may fit."""


class PluginError(GanfiltersError):
    """A filter raised, or returned something its contract forbids."""


class Cancelled(GanfiltersError):
    """The caller asked the running filter to stop."""


_WORDS = re.compile(r"[^\W_]+")
_MOST_HINTS = 5


def nearest(word: str, known: Iterable[str], *, what: str) -> str:
    """Return the second half of an "unknown ..." message: near misses, or all known names.

    Parameters
    ----------
    word
        What the user wrote.
    known
        All names that would have been right.
    what
        Plural noun for them, for example ``"filters"``.

    Examples
    --------
    >>> nearest("draem", ["dream", "style"], what="filters")
    'did you mean dream?'
    >>> nearest("cat", ["crate", "Persian cat", "tabby cat"], what="classes")
    'did you mean Persian cat or tabby cat?'
    >>> nearest("x", ["dream", "style"], what="filters")
    'the filters are: dream, style'
    """
    names = sorted(set(known))
    folded = {name.casefold(): name for name in names}
    wanted = word.casefold()
    # Of a class "tabby cat" the word "cat" is no misspelling, and further away than "crate".
    holding = [low for low in folded if wanted in _WORDS.findall(low)]
    holding.sort(key=lambda low: (not low.endswith(wanted), len(low)))
    if holding:
        almost = difflib.get_close_matches(wanted, folded, n=3, cutoff=0.85)
        close = list(dict.fromkeys([*almost, *holding]))[:_MOST_HINTS]
    else:
        close = difflib.get_close_matches(wanted, folded, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(folded[c] for c in close)}?"
    if not names:
        return f"there are no {what}"
    shown = ", ".join(names[:20])
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return f"the {what} are: {shown}{more}"

"""How a parameter is called in Python, in files and on the command line."""

from __future__ import annotations

import difflib
import keyword
from collections.abc import Iterable

__all__ = ["flag", "nearest_flag", "spelled", "underscored"]


def flag(name: str) -> str:
    """Return the command-line flag of a parameter.

    Examples
    --------
    >>> flag("step_size")
    '--step-size'
    >>> flag("class_")
    '--class'
    """
    return "--" + spelled(name)


def spelled(name: str) -> str:
    """Return a name as it is written outside of Python: ``octave_scale`` to ``octave-scale``.

    The last underscore of ``class_``, which only keeps it from being a Python keyword, is left out.
    """
    return name.rstrip("_").replace("_", "-")


def underscored(name: str) -> str:
    """Return a name as it is written in Python."""
    name = name.replace("-", "_")
    return f"{name}_" if keyword.iskeyword(name) else name


def nearest_flag(word: str, flags: Iterable[str]) -> str:
    """Return the second half of an "unknown option" message; see `ganfilters.errors.nearest`.

    Examples
    --------
    >>> nearest_flag("--octavs", ["--octaves", "--seed"])
    'did you mean --octaves?'
    """
    # Compared without the dashes, which would make all short flags look alike.
    bare = {name.lstrip("-"): name for name in flags}
    close = difflib.get_close_matches(word.lstrip("-").casefold(), bare, n=2, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(bare[name] for name in close)}?"
    return f"the options are: {', '.join(bare.values())}"

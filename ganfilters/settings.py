"""The user's settings: one small JSON file, and the environment variables that override it.

The file is ``settings.json`` in the user's configuration folder. It is written by the command line
(``ganfilters plugins --disable NAME``) and may be edited by hand.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganfilters.errors import UsageError

__all__ = [
    "CONFIG_DIR_VARIABLE",
    "IMPORT_TIMEOUT_VARIABLE",
    "PLUGINS_VARIABLE",
    "Settings",
    "chosen_plugins",
    "config_folder",
    "import_timeout",
    "read_settings",
    "settings_file",
    "settings_locked",
    "write_settings",
]

CONFIG_DIR_VARIABLE = "GANFILTERS_CONFIG_DIR"
PLUGINS_VARIABLE = "GANFILTERS_PLUGINS"
IMPORT_TIMEOUT_VARIABLE = "GANFILTERS_IMPORT_TIMEOUT"

IMPORT_TIMEOUT = 10.0
"""Seconds that a plugin may take to be imported."""

_DISABLED = "disabled_plugins"
_LOCK_SECONDS = 10.0


@dataclass(frozen=True)
class Settings:
    """What the settings file holds.

    Attributes
    ----------
    disabled_plugins
        Plugins, or distributions with all their plugins, that are not to be loaded.
    others
        What else the file holds: a mistake, or a setting of a later version. It is kept when the
        file is written.
    """

    disabled_plugins: frozenset[str] = frozenset()
    others: Mapping[str, Any] = field(default_factory=dict)


def config_folder() -> Path:
    r"""Return the user's configuration folder, which may not exist.

    It is ``$XDG_CONFIG_HOME/ganfilters`` (``~/.config/ganfilters``) on Linux,
    ``~/Library/Application Support/ganfilters`` on macOS and ``%APPDATA%\ganfilters`` on Windows,
    unless the environment variable GANFILTERS_CONFIG_DIR names another.
    """
    given = os.environ.get(CONFIG_DIR_VARIABLE)
    if given:
        return Path(given)
    import platformdirs

    return platformdirs.user_config_path("ganfilters", appauthor=False, roaming=True)


def settings_file() -> Path:
    """Return the path of the settings file, which may not exist."""
    return config_folder() / "settings.json"


def read_settings() -> Settings:
    """Read the settings; a file that does not exist is an empty one.

    Raises
    ------
    UsageError
        The file cannot be read or is damaged; the message names it.
    """
    path = settings_file()
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return Settings()
    except OSError as error:
        raise UsageError(
            f"the settings file {path} cannot be read ({error.strerror or error})"
        ) from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path, " ".join(str(error).split())) from error
    if not isinstance(found, dict):
        raise _damaged(path, "it must be a JSON object")
    disabled = found.pop(_DISABLED, [])
    if not isinstance(disabled, list) or not all(isinstance(name, str) for name in disabled):
        raise _damaged(path, f"{_DISABLED} must be a list of names")
    return Settings(frozenset(disabled), found)


def write_settings(settings: Settings) -> Path:
    """Write the settings, whole or not at all, and return the file's path.

    Raises
    ------
    GanfiltersError
        The file cannot be written.
    """
    from ganfilters.files import replacing

    path = settings_file()
    record = {**settings.others, _DISABLED: sorted(settings.disabled_plugins)}
    _make_folder(path.parent)
    with replacing(path, overwrite=True) as file:
        file.write(json.dumps(record, indent=2, ensure_ascii=False).encode() + b"\n")
    return path


@contextmanager
def settings_locked() -> Iterator[None]:
    """Keep others from changing the settings between reading and writing them.

    Raises
    ------
    UsageError
        The file cannot be changed, or somebody else does not finish changing it.
    """
    # Imported here, as it is needed by who changes settings only. The lock ends with the process,
    # however that ends.
    from filelock import FileLock, Timeout

    path = settings_file()
    _make_folder(path.parent)
    lock = FileLock(path.with_name(f"{path.name}.lock"), timeout=_LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout as error:
        raise UsageError(
            f"another process has been changing the settings file {path} for {_LOCK_SECONDS:g} s; "
            "try again when it is done"
        ) from error
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"the settings file {path} cannot be changed ({reason})") from error
    try:
        yield
    finally:
        lock.release()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the folder of settings {folder} cannot be made ({error.strerror or error}); "
            f"{CONFIG_DIR_VARIABLE} names another"
        ) from error


def chosen_plugins() -> tuple[str, ...] | None:
    """Return what GANFILTERS_PLUGINS names; None if it is not set or names nothing."""
    words = os.environ.get(PLUGINS_VARIABLE, "").split(",")
    return tuple(word.strip() for word in words if word.strip()) or None


def import_timeout() -> float | None:
    """Return the seconds that a plugin may take to be imported; None for no limit.

    Raises
    ------
    UsageError
        GANFILTERS_IMPORT_TIMEOUT is no number of seconds.
    """
    text = os.environ.get(IMPORT_TIMEOUT_VARIABLE, "").strip()
    if not text:
        return IMPORT_TIMEOUT
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0.0:  # NaN too
        raise UsageError(
            f"{IMPORT_TIMEOUT_VARIABLE} is {text!r}; write seconds, such as {IMPORT_TIMEOUT:g}, or "
            "0 for no limit"
        )
    return seconds if 0.0 < seconds < math.inf else None


def _damaged(path: Path, what: str) -> UsageError:
    return UsageError(f"the settings file {path} is damaged: {what}; mend it or delete it")

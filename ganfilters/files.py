"""Files: whether they can be written, whole or not at all, and why they cannot be read."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ganfilters.errors import ImageError

__all__ = ["check", "replacing", "why_unreadable"]


def check(target: str | Path, *, overwrite: bool) -> Path:
    """Return the path to write to, behind links, or say why it cannot be written.

    Raises
    ------
    ImageError
        It exists and may not be replaced, is no plain file, or its folder is missing or
        write-protected.
    """
    shown = str(target)
    try:
        real = Path(os.path.realpath(target))
        found = real.stat() if real.exists() else None
    except (OSError, ValueError) as error:
        raise ImageError(f"{shown!r} cannot be written ({_reason(error)})") from error
    if found is not None and stat.S_ISDIR(found.st_mode):
        raise ImageError(f"{shown} is a folder; give the name of a file in it")
    if found is not None and not stat.S_ISREG(found.st_mode):
        raise ImageError(
            f"{shown} is no plain file, so it cannot be replaced; write to a new name, or use - "
            "for standard output"
        )
    if found is not None and not overwrite:
        raise ImageError(_exists(shown))
    if not real.parent.exists():
        raise ImageError(f"{shown} cannot be written: there is no folder {Path(target).parent}")
    if not real.parent.is_dir():
        raise ImageError(f"{shown} cannot be written: {Path(target).parent} is no folder")
    if found is not None and not os.access(real, os.W_OK):
        raise ImageError(f"{shown} is write-protected; allow writing to it, or use another name")
    if not os.access(real.parent, os.W_OK | os.X_OK):
        raise ImageError(f"{shown} cannot be written: the folder is write-protected")
    return real


def _exists(shown: str) -> str:
    return f"{shown} exists already; replace it with `overwrite=True`, or choose another name"


def _reason(error: Exception) -> str:
    code = getattr(error, "errno", None)
    if code in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full"
    if code == errno.EFBIG:
        return "the file would be larger than allowed"
    return str(getattr(error, "strerror", None) or error)


@contextmanager
def replacing(target: str | Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """Open a temporary file beside the target that takes its place when the block ends well.

    Otherwise, Ctrl-C included, it is removed, and an existing target stays as it was.

    Raises
    ------
    ImageError
        The target cannot be written, or the disk is full.
    """
    real = check(target, overwrite=overwrite)
    # 50 characters, as the name must stay below the 255 bytes of most file systems
    temporary = real.with_name(f".{real.name[:50]}.{secrets.token_hex(4)}.tmp")
    # O_BINARY is Windows' own; 0o666 leaves the permissions to the umask.
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        try:
            with os.fdopen(os.open(temporary, flags, 0o666), "w+b") as file:
                if overwrite and real.exists():
                    with suppress(OSError, AttributeError):  # a file system without permissions
                        os.fchmod(file.fileno(), stat.S_IMODE(real.stat().st_mode))
                yield file
            _put(temporary, real, str(target), overwrite=overwrite)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ImageError(f"{target} was not written: {_reason(error)}") from error


def _put(temporary: Path, real: Path, shown: str, *, overwrite: bool) -> None:
    if overwrite:
        temporary.replace(real)
        return
    # A hard link fails where a target has appeared meanwhile; a rename would replace it.
    try:
        os.link(temporary, real)
    except FileExistsError:
        raise ImageError(_exists(shown)) from None
    except (OSError, AttributeError):  # no hard links on this file system
        if real.exists():
            raise ImageError(_exists(shown)) from None
        temporary.replace(real)
    else:
        temporary.unlink()


def why_unreadable(name: str, error: OSError) -> str:
    """Return why a picture cannot be read, in one line."""
    if isinstance(error, FileNotFoundError):
        return f"{name}: there is no such file"
    with suppress(OSError):  # a name that is too long
        if Path(name).is_dir():
            return f"{name} is a folder; name a picture in it"
    if isinstance(error, PermissionError):
        return f"{name} may not be read (permission denied)"
    return f"{name} cannot be read ({error.strerror or error})"

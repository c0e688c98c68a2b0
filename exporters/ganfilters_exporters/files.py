"""The files of a command: checks before hours of work are at stake, and writing them whole."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ganfilters.errors import GanfiltersError, UsageError

__all__ = [
    "CHECKPOINT",
    "CONFIG",
    "PREVIOUS",
    "DiskFullError",
    "begun",
    "disk_full",
    "last_name",
    "make_folder",
    "read_config",
    "refuse_target",
    "remove_leftovers",
    "written_whole",
]

CHECKPOINT, PREVIOUS = "checkpoint.pt", "checkpoint.previous.pt"
"""What a run goes on from, in its folder."""

CONFIG = "config.json"
"""What a run was started with, in its folder."""

_LEFT = ".tmp"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def last_name(path: Path) -> str:
    """Return a path's last name, also of one such as ``.`` that does not say it."""
    return path.name or path.resolve().name


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that gets its name when all of it is written; what was there stays till then."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=_LEFT)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove_leftovers(run: Path) -> None:
    """Remove what a process that was killed while writing left; only for who holds the folder."""
    kinds = (f"{Path(CHECKPOINT).stem}*", f"{Path(CONFIG).stem}*", "log*", "samples/*")
    for kind in kinds:
        for path in run.glob(kind + _LEFT):
            path.unlink(missing_ok=True)


def begun(run: Path) -> bool:
    """Return whether a run has begun in a folder, and would go on there."""
    return any((run / name).exists() for name in (CHECKPOINT, PREVIOUS))


class DiskFullError(GanfiltersError):
    """A file that no room is left for."""


@contextlib.contextmanager
def disk_full(path: Path, then: str) -> Iterator[None]:
    """Turn the error of a full disk into one line.

    Parameters
    ----------
    path : Path
        What is being written.
    then : str
        What is not lost, or what to do.

    Raises
    ------
    DiskFullError
        There is no space left, a quota is used up, or the file is too large for its disk.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        # PyTorch's writer raises its own error while it handles that of the file.
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, OSError) and cause.errno in _FULL:
                reason = (cause.strerror or "no space left on device").lower()
                raise DiskFullError(f"{path} cannot be written: {reason}; {then}") from error
            cause = cause.__cause__ or cause.__context__
        raise


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, or say why that cannot be.

    Raises
    ------
    UsageError
        Names the folder and the reason.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "it is a file" if folder.is_file() else error.strerror or error
        raise UsageError(f"the folder {folder} cannot be made: {reason}") from error


def read_config(run: Path) -> dict[str, Any]:
    """Return what the run of a folder was started with; nothing if that cannot be read."""
    try:
        config = json.loads((run / CONFIG).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def refuse_target(out: Path, run: Path, *, overwrite: bool) -> None:
    """Refuse an ``.onnx`` file that could not be written at the end, or is something else's.

    The file that an earlier part of the same run wrote may be replaced: the same command goes on.

    Raises
    ------
    FileExistsError
        It exists, this run did not write it, and `overwrite` is false.
    UsageError
        Its name or its folder will not do.
    """
    if out.suffix.lower() != ".onnx":
        raise UsageError(f"--out {out} is no name of a network; give one that ends in .onnx")
    above = next((folder for folder in out.absolute().parents if folder.exists()), None)
    if above is None or not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise UsageError(f"--out {out} cannot be written: {above} is no folder to write to")
    if not out.exists() or overwrite:
        return
    # A run of which nothing more is known goes on as it is told.
    here = str(out.resolve())
    own = begun(run) and read_config(run).get("out", here) == here
    if not own:
        raise FileExistsError(f"{out} exists; pass --overwrite to replace it")

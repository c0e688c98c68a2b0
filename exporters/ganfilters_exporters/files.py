"""Checks of what a command is about to write, before hours of work are at stake."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ganfilters.errors import UsageError

__all__ = ["CONFIG", "make_folder", "read_config", "refuse_target"]

CONFIG = "config.json"
"""What a run was started with, in its folder."""


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
    own = (run / "checkpoint.pt").exists() and read_config(run).get("out", here) == here
    if not own:
        raise FileExistsError(f"{out} exists; pass --overwrite to replace it")

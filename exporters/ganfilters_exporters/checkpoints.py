"""Checkpoints: written whole or not at all, checked when read, the previous one kept."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from ganfilters.errors import UsageError

from .files import CHECKPOINT, PREVIOUS, begun, disk_full, written_whole

__all__ = ["CHECKPOINT", "PREVIOUS", "read_checkpoint", "run_folder", "write_checkpoint"]

_KEYS = {"step", "seconds", "seed", "identity", "modules", "optimizers", "averages", "task"}


def write_checkpoint(folder: Path, state: Mapping[str, Any]) -> Path:
    """Write ``checkpoint.pt`` whole or not at all; what was there becomes the previous one.

    Raises
    ------
    DiskFullError
        There is no room for it; what was there stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    last = "the last checkpoint is good" if begun(folder) else "nothing was saved"
    with disk_full(folder / CHECKPOINT, f"{last}; make room and run the same command again"):
        return _write(folder, state)


def run_folder(path: Path) -> Path | None:
    """Return the run's folder that is meant, by itself or by the checkpoint in it; else None."""
    if path.is_dir():
        return path
    return path.parent if path.name == CHECKPOINT else None


def _write(folder: Path, state: Mapping[str, Any]) -> Path:
    target = folder / CHECKPOINT
    with written_whole(target) as file:
        torch.save(dict(state), file)
        file.flush()
        os.fsync(file.fileno())
        # A damaged one must not push out the good one before it.
        if target.exists() and _damage(target) is None:
            target.replace(folder / PREVIOUS)
    return target


def read_checkpoint(
    folder: Path, say: Callable[[str], None] = lambda _: None
) -> dict[str, Any] | None:
    """Return the newest good checkpoint of a folder, on the CPU, or None if there is none.

    Parameters
    ----------
    folder : Path
        A run's folder.
    say : callable
        Is told of a damaged checkpoint.

    Raises
    ------
    UsageError
        There are checkpoints, and all are damaged; names them.
    """
    damaged = []
    for name in (CHECKPOINT, PREVIOUS):
        path = folder / name
        if not path.exists():
            continue
        try:
            # First, as torch.load does not compare all checksums.
            damage = _damage(path)
            if damage is not None:
                raise zipfile.BadZipFile(damage)
            state = torch.load(path, map_location="cpu", weights_only=True)
            if not isinstance(state, dict) or not state.keys() >= _KEYS:
                raise ValueError("no checkpoint of this trainer")
        except Exception as error:  # noqa: BLE001 - damage shows as many kinds of error
            reason = (str(error) or type(error).__name__).splitlines()[0]
            damaged.append(path)
            say(f"{path} is damaged ({reason[:80]}); it is not used")
            continue
        return state
    if damaged:
        names = " and ".join(map(str, damaged))
        raise UsageError(f"{names}: damaged, and no other checkpoint is there; delete to restart")
    return None


def _damage(path: Path) -> str | None:
    """Return what is wrong with the archive, None if its checksums are right."""
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except (OSError, zipfile.BadZipFile) as error:
        return str(error) or type(error).__name__
    return None if broken is None else f"bad checksum of {broken}"

"""Toy networks that several tests use: each is exported once in a run, however many workers it has.

An export takes seconds, and fixtures of scope ``session`` are made anew by every worker.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from torch.onnx._internal.exporter._registration import ONNXRegistry

# Each export collects the table of ONNX's counterparts of torch's operators anew, a tenth of the
# time of a tiny network's. It is always the same, and an export only reads it.
ONNXRegistry.from_torchlib = staticmethod(functools.cache(ONNXRegistry.from_torchlib))  # type: ignore[method-assign]


def exported_once(
    factory: pytest.TempPathFactory, name: str, export: Callable[[Path], object]
) -> Path:
    """Return the file `name`, exported by whichever worker asks first; the others wait for it.

    Tests share it and must not change it. `name` has to be the file's own among all tests.
    """
    folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        # That of the run, which the workers' folders are in.
        folder = folder.parent
    folder = folder / "exported"
    folder.mkdir(exist_ok=True)
    path = folder / name
    with FileLock(folder / f"{name}.lock"):
        if not path.exists():
            export(path)
    return path

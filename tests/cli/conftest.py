from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image as Pillow

from ganfilters.cli import command_line

TOYS = Path(__file__).with_name("toys.py")

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line in an empty folder with the toy filters."""
    monkeypatch.chdir(tmp_path)

    def call(*words: object, stdin: bytes | None = None, root: tuple[str, ...] = ()) -> Result:
        line = ["--plugin", str(TOYS), *root, *map(str, words)]
        return CliRunner().invoke(command_line(), line, input=stdin)

    return call


@pytest.fixture
def apply(run: Run) -> Run:
    """Run ``apply`` on the CPU."""

    def call(name: str, *words: object, **options: Any) -> Result:
        return run("apply", name, *words, "--device", "cpu", **options)

    return call


def picture(path: str | Path, *, size: tuple[int, int] = (12, 8), seed: int = 0) -> Path:
    """Write a picture of random pixels."""
    width, height = size
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(pixels).save(path)
    return path


def pixels(path: str | Path) -> np.ndarray[Any, Any]:
    """Read the pixels of a picture with Pillow alone."""
    with Pillow.open(path) as opened:
        return np.asarray(opened.convert("RGB"))


def error(result: Result, code: int = 2) -> str:
    """Return the one line of an error after checking that it is one line."""
    assert result.exit_code == code, result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("ganfilters: error: ")
    return lines[0].removeprefix("ganfilters: error: ")


def records(result: Result) -> list[Any]:
    """Return the JSON lines of standard output."""
    return [json.loads(line) for line in result.stdout.splitlines()]

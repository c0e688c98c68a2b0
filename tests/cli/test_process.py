"""What only a process of its own can show: imports, pipes, signals, streams."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import TOYS, picture

PROGRAM = [sys.executable, "-c", "import sys; from ganfilters.cli import main; sys.exit(main())"]
HEAVY = {"numpy", "onnxruntime", "torch", "pydantic", "rich", "PIL"}


def start(*words: object, **options: Any) -> subprocess.CompletedProcess[str]:
    line = [*PROGRAM, "--plugin", str(TOYS), *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, check=False, **options)


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["list", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    script = (
        "import sys; from ganfilters.cli import command_line; "
        f"code = command_line().main({words!r}, standalone_mode=False); "
        f"print(*{HEAVY!r} & set(sys.modules), file=sys.stderr, end=''); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_exit_code_leaves_the_process(tmp_path: Path) -> None:
    assert start("list").returncode == 0
    assert start("show", "nothing").returncode == 2
    script = Path(sys.executable).with_name("ganfilters")
    if script.exists():
        assert (
            subprocess.run([script, "nonsense"], capture_output=True, check=False).returncode == 2
        )


def test_warnings_and_logs_of_libraries_stay_inside(tmp_path: Path) -> None:
    source = picture(tmp_path / "in.png")
    done = start("apply", "noisy", source, tmp_path / "out.png", "--device", "cpu")
    assert (done.returncode, done.stderr) == (0, "")
    line = [*PROGRAM, "--debug", "--plugin", TOYS, "apply", "noisy", source, tmp_path / "b.png"]
    shown = subprocess.run(line, capture_output=True, text=True, check=False).stderr
    assert "a warning from a library" in shown


def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    line = [*PROGRAM, "--plugin", str(TOYS), "show", "kinds", "--json"]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(line, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert done.stderr == ""
    assert done.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device here")
def test_standard_output_that_takes_no_more_is_told() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, "list"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    told = "ganfilters: error: standard output was not written: No space left on device\n"
    assert done.stderr == told


def test_names_that_an_ascii_terminal_cannot_show_do_no_harm(tmp_path: Path) -> None:
    source = picture(tmp_path / "caf\u00e9.png")
    done = start(
        "apply", "invert", source, tmp_path / "\u732b.png", "--device", "cpu",
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "\u732b.png").exists()
    assert done.stdout.endswith(" s on cpu)\n")


SLOW = """
import time
import numpy as np
from ganfilters import Filter, Image, Params, hookimpl

class NoParams(Params):
    pass

class Slow(Filter[NoParams]):
    name = "slow"
    summary = "Takes its time"
    Params = NoParams

    def apply(self, image, params):
        open("started", "w").close()
        time.sleep(120)
        return image

@hookimpl
def ganfilters_filters():
    return [Slow]
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process there")
def test_ctrl_c_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    picture(tmp_path / "in.png")
    line = [*PROGRAM, "--plugin", "slow.py", "apply", "slow", "in.png", "out.png"]
    # A shell starts background jobs with the signal ignored, and children inherit that.
    with subprocess.Popen(
        [*line, "--device", "cpu"], cwd=tmp_path, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        limit = time.monotonic() + 60
        while not (tmp_path / "started").exists() and time.monotonic() < limit:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        try:
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert said.strip() == "ganfilters: interrupted"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "in.png",
        "slow.py",
        "started",
    ]

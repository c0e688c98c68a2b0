"""``ganfilters check-plugin``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ganfilters.cli import command_line
from tests.sites import Site

GOOD = """
import numpy as np
from pydantic import Field
from ganfilters import Filter, Image, Params, hookimpl

class P(Params):
    levels: int = Field(4, ge=2, le=64, description="Number of levels")

class Posterize(Filter[P]):
    name = "poster"
    summary = "Reduces colours"
    Params = P

    def apply(self, image, params):
        steps = np.float32(params.levels - 1)
        return image.replace(pixels=np.rint(image.pixels * steps) / steps)

@hookimpl
def ganfilters_filters():
    return [Posterize]
"""


def check(*words: object) -> Result:
    return CliRunner().invoke(command_line(), ["check-plugin", *map(str, words)])


def test_a_good_file_passes(tmp_path: Path) -> None:
    path = tmp_path / "poster.py"
    path.write_text(GOOD)
    result = check(path, "--set", "levels=3")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert all(line.startswith("ok      poster: ") for line in lines[:-1])
    assert lines[-1] == f"{len(lines) - 1} of {len(lines) - 1} checks passed"


def test_checks_can_be_chosen(tmp_path: Path) -> None:
    path = tmp_path / "poster.py"
    path.write_text(GOOD)
    result = check(path, "--only", "mask", "--only", "strength", "--skip", "strength")
    assert (result.exit_code, result.output) == (
        0,
        "ok      poster: mask\n1 of 1 checks passed\n",
    )


def test_values_for_pictures_from_nothing_and_for_animations() -> None:
    quick = ["--set", "octaves=1", "--set", "iterations=1", "--only", "generate", "--only"]
    given = ["--set-generate", "size=32x24", "--set-frames", "zoom-frames=3"]
    result = check("dream", *quick, "frames", *given)
    assert result.exit_code == 0, result.output
    assert "frames: tried with zoom_frames=3" in result.output


@pytest.mark.parametrize("setting", ["class=red", "class_=red", "level-count=3", "preset=few"])
def test_values_are_named_as_on_the_command_line(tmp_path: Path, setting: str) -> None:
    path = tmp_path / "poster.py"
    more = """
    class_: Literal["any", "red"] = Field("any", description="What to look for")
    presets: ClassVar = {"few": {"level_count": 2}}
"""
    path.write_text(
        "from typing import ClassVar, Literal\n"
        + GOOD.replace("levels", "level_count").replace(
            "\nclass Posterize", f"{more}\nclass Posterize"
        )
    )
    result = check(path, "--set", setting, "--only", "defaults_run", "--only", "declarations")
    assert result.exit_code == 0, result.output
    wrong = check(path, "--set", "level-coun=3")
    assert "there is no parameter level-coun; did you mean level-count?" in wrong.output
    wrong = check(path, "--set", "classe=red")
    assert "did you mean class?" in wrong.output


def test_a_filter_that_hangs_fails_and_the_command_ends(tmp_path: Path) -> None:
    path = tmp_path / "poster.py"
    path.write_text(
        GOOD.replace("        steps =", "        import time; time.sleep(30)\n        steps =")
    )
    line = [sys.executable, "-m", "ganfilters", "check-plugin", path, "--time-limit", "3"]
    line += ["--skip", "light_import"]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=28)
    assert done.returncode == 1, done.stderr
    (failed,) = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert "defaults_run: not done after 3 s: it is at poster.py:15, in apply()" in failed


def test_a_broken_file_fails_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "poster.py"
    path.write_text(GOOD.replace("/ steps)", "* steps)"))
    result = check(path, "--json")
    assert result.exit_code == 1, result.output
    told = json.loads(result.output)
    assert not told["passed"]
    (wrong,) = [record for record in told["checks"] if record["check"] == "result"]
    assert "they must be in [0, 1]" in wrong["message"]


def test_a_file_that_does_not_load_fails(tmp_path: Path) -> None:
    path = tmp_path / "poster.py"
    path.write_text("raise RuntimeError('oops')")
    result = check(path)
    assert result.exit_code == 1
    assert "FAILED  poster: load: RuntimeError: oops" in result.output


def test_of_a_file_only_its_own_filters_are_loaded(site: Site, tmp_path: Path) -> None:
    module = site.add("glow")
    path = tmp_path / "poster.py"
    path.write_text(GOOD)
    assert check(path, "--only", "declarations").exit_code == 0
    assert module not in sys.modules


def test_a_file_cannot_take_the_name_of_a_filter_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "poster.py"
    path.write_text(GOOD.replace('"poster"', '"dream"'))
    result = check(path)
    assert result.exit_code == 1, result.output
    assert "FAILED  poster: load: the filter name 'dream' is taken by dream" in result.output


def test_bad_use() -> None:
    for words, message in (
        (["no-such-thing"], "there is no filter or distribution 'no-such-thing'"),
        (["no_such.py"], "does not exist"),
        (["dream", "--set", "octaves"], "write --set name=value"),
        (["dream", "--set", "octavs=1"], "did you mean octaves"),
        (["dream", "--only", "size"], "no check 'size'; did you mean sizes"),
        (["dream", "--only", "mask", "--skip", "mask"], "no check is left to run"),
        (["dream", "--device", "gpu"], "gpu"),
        (["dream", "--time-limit", "0"], "--time-limit"),
    ):
        result = check(*words)
        assert result.exit_code == 2
        assert message in result.output


@pytest.mark.parametrize("place", ["        steps =", "    def apply("])
def test_a_filter_that_exits_fails_and_the_count_is_told(tmp_path: Path, place: str) -> None:
    path = tmp_path / "poster.py"
    leaves = {
        "        steps =": "        raise SystemExit(0)\n        steps =",
        "    def apply(": "    def __init__(self, runtime):\n        raise SystemExit(0)\n\n"
        "    def apply(",
    }
    path.write_text(GOOD.replace(place, leaves[place], 1))
    result = check(path, "--only", "defaults_run", "--only", "sizes", "--only", "threads")
    assert result.exit_code == 1, result.output
    assert result.output.splitlines()[-1] == "0 of 3 checks passed"
    assert "SystemExit" in result.output

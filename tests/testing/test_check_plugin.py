"""``ganfilters check-plugin``."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from ganfilters.cli import command_line

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


def test_bad_use() -> None:
    for words, message in (
        (["no-such-thing"], "there is no filter or distribution 'no-such-thing'"),
        (["no_such.py"], "does not exist"),
        (["dream", "--set", "octaves"], "write --set name=value"),
        (["dream", "--set", "octavs=1"], "did you mean octaves"),
    ):
        result = check(*words)
        assert result.exit_code == 2
        assert message in result.output

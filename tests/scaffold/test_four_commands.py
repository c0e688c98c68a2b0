"""From an empty folder to a filter that conforms and is listed, in four commands."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.environments import OFFLINE, Environment
from tests.scaffold import models

PROMISED = """\
wrote ganfilters-posterize; next:
  pip install -e "./ganfilters-posterize[test]"
  pytest ganfilters-posterize
  ganfilters list
"""


@pytest.mark.parametrize("with_model", [False, True], ids=["plain", "onnx"])
def test_four_commands(tmp_path: Path, with_model: bool) -> None:
    environment = Environment(tmp_path / "venv")
    work = tmp_path / "work"
    work.mkdir()
    words = ["--onnx", models.bytes_(tmp_path / "bytes.onnx")] if with_model else []

    told = environment.run("ganfilters", "new-plugin", "posterize", *words, cwd=work)
    assert told.endswith(PROMISED)
    pip, pytest_, list_ = (shlex.split(line) for line in told.splitlines()[-3:])
    environment.run(*pip, *OFFLINE, cwd=work)
    assert " passed" in environment.run(*pytest_, "-p", "no:cacheprovider", cwd=work)
    rows = environment.run(*list_, cwd=work).splitlines()

    (row,) = [row for row in rows if row.startswith("posterize ")]
    assert "ganfilters-posterize" in row
    # Nothing was edited, and all that was written is the package.
    assert [path.name for path in work.iterdir()] == ["ganfilters-posterize"]
    photo = Path(__file__).resolve().parents[2] / "examples" / "chelsea.jpg"
    environment.run("ganfilters", "apply", "posterize", photo, "out.png", "--quiet", cwd=work)
    assert (work / "out.png").is_file()
    for target in ("posterize", "ganfilters-posterize"):
        assert "checks passed" in environment.run("ganfilters", "check-plugin", target, cwd=work)
    # An installed plugin may be written anew, but not silently.
    again = environment.start(["ganfilters", "new-plugin", "posterize"], cwd=work)
    assert again.returncode == 2
    assert "--overwrite" in again.stderr
    environment.run("ganfilters", "new-plugin", "posterize", "--overwrite", cwd=work)


def test_the_package_can_be_built_with_its_model(tmp_path: Path) -> None:
    import zipfile

    environment = Environment(tmp_path / "venv")
    (tmp_path / ".git").mkdir()  # a repository around it that ignores models
    (tmp_path / ".gitignore").write_text("*.onnx\n")
    model = models.negative(tmp_path / "n.onnx")
    environment.run("ganfilters", "new-plugin", "night", "--onnx", model, cwd=tmp_path)
    folder = tmp_path / "ganfilters-night"
    environment.run("hatchling", "build", "-t", "wheel", "-d", tmp_path, cwd=folder)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"ganfilters_night/model.onnx", "ganfilters_night/py.typed"} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)

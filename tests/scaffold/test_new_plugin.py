"""``ganfilters new-plugin``: names, files, and what happens to those that are there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ganfilters.cli import command_line
from ganfilters.cli.new_plugin import command
from ganfilters.scaffold.ranges import RANGES
from tests.cli.conftest import error
from tests.scaffold import models

FILES = {
    ".gitignore",
    "LICENSE",
    "README.md",
    "pyproject.toml",
    "src/ganfilters_{}/__init__.py",
    "src/ganfilters_{}/py.typed",
    "tests/test_{}.py",
}


def new(*words: object) -> Result:
    return CliRunner().invoke(command_line(), ["new-plugin", *map(str, words)])


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["posterize", "oil-paint", "x", "a-name-of-thirty-letters-abcd"])
@pytest.mark.parametrize("make", [None, models.with_inputs], ids=["plain", "onnx"])
def test_what_is_written_is_clean(tmp_path: Path, name: str, make: object) -> None:
    words = ["--onnx", make(tmp_path / "m.onnx")] if callable(make) else []
    text = ["--summary", "S" * 80, "--author", "Ada Lovelace"]
    result = new(name, *words, *text)
    assert result.exit_code == 0, result.output
    folder = tmp_path / f"ganfilters-{name}"
    snake = name.replace("-", "_")
    model = {f"src/ganfilters_{snake}/model.onnx"} if words else set()
    assert files(folder) == {path.format(snake) for path in FILES} | model
    assert "Copyright (c) Ada Lovelace" in (folder / "LICENSE").read_text()
    for tool in (["ruff", "check", "."], ["ruff", "format", "--check", "."]):
        done = subprocess.run(
            [sys.executable, "-m", *tool], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


def test_what_is_written_is_typed(tmp_path: Path) -> None:
    assert new("plain").exit_code == 0
    assert new("wired", "--onnx", models.with_inputs(tmp_path / "m.onnx")).exit_code == 0
    folders = ["ganfilters-plain/src", "ganfilters-wired/src"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", *folders],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Posterize", "write posterize"),
        ("oil paint", "write oil-paint"),
        ("oil_paint", "write oil-paint"),
        ("2d", "write d"),
        ("é", "lower-case letters, digits and single hyphens"),
        ("a" * 31, "31 characters; at most 30"),
        ("class", "a word of Python's own"),
        ("none", "a word of Python's own"),
        ("filter", "the class Filter, a name that every plugin imports"),
        ("image-param", "the class ImageParam"),
        ("field", "the class Field"),
        ("apply", "a command of ganfilters"),
        ("new-plugin", "a command of ganfilters"),
        ("dream", "there is a filter dream already (from ganfilters)"),
        ("exporters", "a Python package ganfilters_exporters already"),
    ],
)
def test_bad_names_are_refused(tmp_path: Path, name: str, message: str) -> None:
    assert message in error(new(name))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--range", "0..1"], "about a model; give one with --onnx"),
        (["--onnx", "none.onnx"], "there is no model file none.onnx"),
        (["--onnx", "a" * 300], "aaa: File name too long"),
        (["--summary", ""], "--summary must be one line"),
        (["--summary", "two\nlines"], "--summary must be one line"),
        (["--author", 'A "quoted" name'], '--author must be without "'),
        (["--summary", "s" * 81], "of 1 to 80 characters"),
        (["no/such/folder"], "the folder no/such does not exist"),
    ],
)
def test_bad_use(tmp_path: Path, words: list[str], message: str) -> None:
    assert message in error(new("posterize", *words))
    assert not list(tmp_path.iterdir())


def test_nothing_is_replaced_unasked_and_nothing_else_is_touched(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    (folder / "src").mkdir(parents=True)
    (folder / "README.md").write_text("mine")
    (folder / "notes.txt").write_text("keep")
    message = error(new("posterize", "mine"))
    assert message == "mine/README.md exists; --overwrite replaces what this command writes"
    assert files(folder) == {"README.md", "notes.txt"}
    assert new("posterize", "mine", "--overwrite").exit_code == 0
    assert files(folder) == {path.format("posterize") for path in FILES} | {"notes.txt"}
    assert (folder / "README.md").read_text().startswith("# ganfilters-posterize")
    assert (folder / "notes.txt").read_text() == "keep"


def test_the_folder_may_be_the_current_one(tmp_path: Path) -> None:
    beside = set(tmp_path.parent.iterdir())
    result = new("posterize", ".")
    assert result.exit_code == 0, result.output
    assert files(tmp_path) == {path.format("posterize") for path in FILES}
    assert 'pip install -e ".[test]"' in result.output
    assert set(tmp_path.parent.iterdir()) == beside


@pytest.mark.parametrize("obstacle", ["file", "folder-for-file", "file-for-folder"])
def test_obstacles_are_told_and_nothing_is_written(tmp_path: Path, obstacle: str) -> None:
    folder = tmp_path / "mine"
    if obstacle == "file":
        folder.write_text("")
    elif obstacle == "folder-for-file":
        (folder / "LICENSE").mkdir(parents=True)
    else:
        folder.mkdir()
        (folder / "tests").write_text("")
    before = sorted(tmp_path.rglob("*"))
    message = error(new("posterize", "mine", "--overwrite"))
    assert message.startswith("mine")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    message = error(new("posterize"))
    assert message == "ganfilters-posterize cannot be written: No space left on device"
    assert not list(tmp_path.iterdir())


def test_ranges_of_the_command_are_those_that_are_tried() -> None:
    options = {option.name: option.type for option in command.params}
    assert tuple(options["given"].choices) == RANGES
    assert tuple(options["made"].choices) == RANGES[:3]

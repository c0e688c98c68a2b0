"""The tutorial's four commands are those that the tool names; tests/scaffold runs them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from ganfilters.cli import command_line
from tests.docs import DOCS, ROOT, code
from tests.sites import Site


def test_the_four_commands_are_those_that_the_tool_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    first, *others = code((DOCS / "plugins" / "tutorial.md").read_text("utf-8"), "sh")[
        0
    ].splitlines()
    assert command_line().main(first.split()[1:], standalone_mode=False) == 0
    told = [line.strip() for line in capsys.readouterr().out.splitlines()[1:]]
    assert others == told
    assert len(others) == 3
    readme = (ROOT / "README.md").read_text("utf-8")
    for command in (first, *others):
        assert command in readme


def test_the_command_is_found_as_the_tutorial_says(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (DOCS / "plugins" / "tutorial.md").read_text("utf-8")
    (block,) = [block for block in code(text, "python") if "def ganfilters_commands" in block]
    (lines,) = [block for block in code(text, "toml") if "ganfilters.commands" in block]
    ((group, points),) = tomllib.loads(lines)["project"]["entry-points"].items()
    assert set(points.values()) == {"ganfilters_posterize.commands"}
    assert "src/ganfilters_posterize/commands.py" in text
    site.add("posterize", block, groups=[group])
    command_line().main(["palette", "--help"], standalone_mode=False)
    assert "Print the palettes." in capsys.readouterr().out

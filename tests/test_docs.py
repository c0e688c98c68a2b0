"""README and the page of the dream filter are true. What all pages have in common: tests/docs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from ganfilters_dream import Dream

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
DREAM = (ROOT / "docs" / "filters" / "dream.md").read_text("utf-8")


def block(language: str, containing: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (found,) = [text for text in blocks if containing in text]
    return found


def test_ci_runs_the_test_command_of_the_readme() -> None:
    command = block("sh", "-m pytest")
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    for part in ('-c constraints.txt -e ".[test]"', "-m pytest"):
        assert part in command
        assert part in script


def test_the_plugin_of_the_readme_works(tmp_path: Path) -> None:
    (tmp_path / "posterize.py").write_text(block("python", "class Posterize("))
    (command,) = [
        line for line in block("sh", "--plugin posterize.py").splitlines() if "posterize" in line
    ]
    words = command.replace("in.jpg", str(ROOT / "examples" / "chelsea.jpg")).split()[1:]
    done = subprocess.run(
        [sys.executable, "-m", "ganfilters", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.jpg").is_file()


def test_presets_named_in_the_documentation_exist() -> None:
    named = set(re.findall(r"apply dream[^\n`]* --preset ([a-z]+)", README + DREAM))
    assert named
    assert named <= set(Dream.Params.presets)


def test_channels_named_in_the_documentation_exist() -> None:
    layers = {x["name"]: x["channels"] for x in Dream.models[0].card.extra["layers"]}
    for layer, channel in re.findall(r"(stage\d):(\d+)", DREAM):
        assert int(channel) < layers[layer]

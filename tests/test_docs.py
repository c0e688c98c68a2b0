"""The documentation says what is there: commands of the README run, names and files exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import ganfilters
from ganfilters import Host
from ganfilters_dream import Dream

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def block(language: str, containing: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (found,) = [text for text in blocks if containing in text]
    return found


def test_ci_runs_the_test_command_of_the_readme() -> None:
    command = block("sh", "pytest")
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


@pytest.mark.parametrize("page", ["README.md", "docs/dream.md", "docs/design.md"])
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"


def test_options_in_the_documentation_exist() -> None:
    text = README + (ROOT / "docs" / "dream.md").read_text("utf-8")
    known = {f"--{name.replace('_', '-')}" for name in Dream.Params.model_fields}
    known |= {
        "--preset",
        "--help",
        "--mask",
        "--feather",
        "--strength",
        "--recursive",
        "--verify",
        "--device",
        "--plugin",
        "--backbone",
        "--weights",
        "--out",
        "--levels",
    }
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) <= known


def test_presets_named_in_the_documentation_exist() -> None:
    text = README + (ROOT / "docs" / "dream.md").read_text("utf-8")
    named = set(re.findall(r"--preset ([a-z]+)", text))
    assert named
    assert named <= set(Dream.Params.presets)


def test_channels_named_in_the_documentation_exist() -> None:
    text = (ROOT / "docs" / "dream.md").read_text("utf-8")
    layers = {x["name"]: x["channels"] for x in Dream.models[0].card.extra["layers"]}
    for layer, channel in re.findall(r"(stage\d):(\d+)", text):
        assert int(channel) < layers[layer]


def test_public_names_exist_and_are_the_ones_we_mean() -> None:
    expected = [
        "Animation",
        "Cancelled",
        "DeviceError",
        "Filter",
        "FloatArray",
        "GanfiltersError",
        "Host",
        "Image",
        "ImageError",
        "ImageParam",
        "Metadata",
        "ModelCard",
        "ModelError",
        "ModelFile",
        "ModelParam",
        "OutOfMemory",
        "Params",
        "PluginError",
        "Recipe",
        "Runtime",
        "Session",
        "Size",
        "Tiling",
        "Traits",
        "UsageError",
        "WeightedNames",
        "__version__",
        "apply",
        "hookimpl",
        "nearest",
        "pad_to",
        "progress_part",
        "report_progress",
        "resize",
    ]
    assert sorted(ganfilters.__all__) == sorted(expected)
    for name in expected:
        assert getattr(ganfilters, name) is not None
        assert name in dir(ganfilters)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ganfilters.nothing


def test_every_public_thing_has_a_docstring() -> None:
    for name in ganfilters.__all__:
        value = getattr(ganfilters, name)
        if isinstance(value, type) or callable(value):
            assert value.__doc__, name


def test_every_parameter_is_documented_with_bounds() -> None:
    for entry in Host("cpu").registry.entries():
        if entry.distribution != "ganfilters":
            continue
        for name, field in entry.filter.Params.model_fields.items():
            assert field.description
            if field.annotation in (int, float):
                kinds = {type(mark).__name__ for mark in field.metadata}
                assert {"Ge", "Le"} <= kinds, name

"""The tree itself: lint, format, types, and what importing costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ganfilters.testing.sources import private_names

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy", "ganfilters", "plugins"],
        ["mypy", *(str(path) for path in sorted(ROOT.glob("examples/plugins/*/src")))],
    ],
    ids=["check", "format", "types", "types of examples"],
)
def test_tool_is_content(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import ganfilters", {"numpy", "pydantic", "onnxruntime", "PIL", "torch"}),
        ("from ganfilters import Filter, Params, hookimpl", {"onnxruntime", "torch"}),
        (
            "from ganfilters.registry import Registry; Registry.discover().names()",
            {"onnxruntime", "torch", "onnx"},
        ),
        (
            "from ganfilters import Host; Host('cpu').apply('dream', size='64x64', octaves=1, "
            "iterations=1)",
            {"torch", "onnx", "scipy"},
        ),
    ],
)
def test_heavy_modules_stay_out(statement: str, absent: set[str]) -> None:
    script = f"{statement}\nimport sys\nprint(*{absent!r} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_the_host_never_names_a_plugin() -> None:
    plugins = [path.name for path in (ROOT / "plugins").iterdir() if path.is_dir()]
    for source in (ROOT / "ganfilters").rglob("*.py"):
        for plugin in [*plugins, "ganfilters_exporters"]:
            assert plugin not in source.read_text("utf-8"), f"{source} names {plugin}"


def test_plugins_use_public_names_only() -> None:
    sources = [*(ROOT / "plugins").rglob("*.py"), *(ROOT / "examples").rglob("*.py")]
    assert len(sources) > 10
    found = {
        str(path.relative_to(ROOT)): list(private_names(path.read_text("utf-8")))
        for path in sources
    }
    assert {path: names for path, names in found.items() if names} == {}


def test_the_host_never_imports_torch() -> None:
    for folder in ("ganfilters", "plugins"):
        for source in (ROOT / folder).rglob("*.py"):
            text = source.read_text("utf-8")
            assert "import torch" not in text, f"{source} imports torch"


def test_no_file_in_git_is_over_16_megabytes() -> None:
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split("\n")
    large = [
        name
        for name in files
        if name and (ROOT / name).is_file() and (ROOT / name).stat().st_size > 16 * 2**20
    ]
    assert not large


def test_no_file_names_a_package_index() -> None:
    # People install from where they install from.
    done = subprocess.run(
        ["git", "grep", "-lE", r"(pypi|pythonhosted|npmjs)\.(org|com)"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split() in ([], ["tests/test_quality.py"])

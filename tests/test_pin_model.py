"""The developer command that puts a network into its plugin."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from ganfilters import ModelFile, UsageError

ROOT = Path(__file__).resolve().parent.parent
STYLE = ROOT / "plugins" / "ganfilters_style" / "models" / "style.onnx"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pin_model", ROOT / "tools" / "pin_model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def plugin(root: Path, text: str) -> Path:
    source = root / "plugins" / "ganfilters_style" / "filter.py"
    source.parent.mkdir(parents=True)
    source.write_text(text)
    return source


@pytest.mark.parametrize("pinned", ['"0" * 64', f'"{"a" * 64}",\n'])
def test_the_network_is_copied_and_pinned(tool: ModuleType, tmp_path: Path, pinned: str) -> None:
    source = plugin(
        tmp_path,
        'before = 1\n_M = ModelFile.packaged("ganfilters_style", "models/s.onnx", '
        f"sha256={pinned})\nafter = 2\n",
    )
    target, changed = tool.pin(tmp_path, STYLE)
    assert changed == source
    assert target == source.parent / "models" / "s.onnx"
    assert target.read_bytes() == STYLE.read_bytes()
    lines = source.read_text().splitlines()
    assert lines[0] == "before = 1"
    assert lines[-1] == "after = 2"
    assert f'    sha256="{ModelFile(STYLE).verify()}",' in lines
    assert [path.name for path in target.parent.iterdir()] == ["s.onnx"]
    before = source.read_text()
    tool.pin(tmp_path, STYLE)
    assert source.read_text() == before


def test_what_cannot_be_pinned_is_refused(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = plugin(tmp_path, "nothing here\n")
    with pytest.raises(UsageError, match="for the filter style, and plugins/ganfilters_style"):
        tool.pin(tmp_path, STYLE)
    monkeypatch.setattr(tool, "LARGEST", 1000)
    with pytest.raises(UsageError, match="train a smaller network"):
        tool.pin(tmp_path, STYLE)
    assert source.read_text() == "nothing here\n"
    assert not (source.parent / "models").exists()


@pytest.mark.parametrize("name", ["dream", "style", "inpaint", "denoise"])
def test_every_plugin_declares_its_network_so_that_it_is_found(tool: ModuleType, name: str) -> None:
    sources = (ROOT / "plugins" / f"ganfilters_{name}").glob("*.py")
    found = [m for path in sources for m in tool._DECLARATION.finditer(path.read_text())]
    assert {match["package"] for match in found} == {f"ganfilters_{name}"}

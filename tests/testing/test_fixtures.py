"""The pytest fixtures for plugin authors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "plugins" / "testing.md"


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Return the guide's test module, with a filter that is installed here."""
    (block,) = [
        block
        for block in GUIDE.read_text("utf-8").split("```")
        if block.startswith("python\n") and "pytest_plugins" in block
    ]
    text = block.removeprefix("python\n")
    text = text.replace('"my-filter", picture', '"dream", picture, octaves=1, iterations=1')
    (tmp_path / "test_guide.py").write_text(
        f"{text}\n\ndef test_shapes(host, picture, half_mask):\n"
        "    assert 'dream' in host.registry.names() and host.device == 'cpu'\n"
        "    assert picture.shape == (45, 61, 3) and picture.dtype == np.float32\n"
        "    assert set(np.unique(half_mask)) == {0, 1} and half_mask.shape == (45, 61)\n"
    )
    return tmp_path


def test_the_guides_test_passes_as_pasted(written: Path, config: Path) -> None:
    """In a process of its own, as pytest loads such a module once; a user has disabled `dream`."""
    config.mkdir(parents=True, exist_ok=True)
    (config / "settings.json").write_text('{"disabled_plugins": ["dream"]}')
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", written],
        cwd=written,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout

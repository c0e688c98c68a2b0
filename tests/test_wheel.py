"""The wheel, built and installed as a user would, in an environment with nothing else."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (found,) = folder.glob("*.whl")
    return found


def test_top_level_holds_only_ganfilters(wheel: Path) -> None:
    names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert names
    assert all(name.startswith("ganfilters") for name in names), names


def test_models_typing_marker_and_notice_are_in_and_it_is_small(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    models = {name for name in names if name.endswith(".onnx")}
    assert models == {
        "ganfilters_denoise/models/denoise.onnx",
        "ganfilters_denoise/models/texture.onnx",
        "ganfilters_dream/models/efficientnet-lite0-dream.onnx",
        "ganfilters_inpaint/models/inpaint.onnx",
        "ganfilters_latent/models/kmnist-dense.onnx",
        "ganfilters_latent/models/kmnist.onnx",
        "ganfilters_latent/models/landscape.onnx",
        "ganfilters_style/models/refiner.onnx",
        "ganfilters_style/models/style.onnx",
    }
    assert "ganfilters/py.typed" in names
    templates = sorted(path.name for path in ROOT.glob("ganfilters/scaffold/templates/*"))
    assert len(templates) > 8
    assert {f"ganfilters/scaffold/templates/{name}" for name in templates} <= set(names)
    assert any(name.endswith("licenses/NOTICE") for name in names)
    assert wheel.stat().st_size < 100 * 10**6


def test_a_filter_runs_from_the_wheel_with_no_torch(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=True)
    binaries = environment / ("Scripts" if sys.platform == "win32" else "bin")
    run(binaries / "pip", "install", "--quiet", wheel)
    photo, dream = ROOT / "examples" / "chelsea.jpg", tmp_path / "dream.png"
    options = ["--octaves", "2", "--iterations", "2", "--quiet"]
    run(binaries / "ganfilters", "apply", "dream", photo, dream, *options, cwd=tmp_path)
    script = (
        "import importlib.util as u, PIL.Image as p; assert not u.find_spec('torch'); "
        f"print(*p.open({str(dream)!r}).size)"
    )
    assert run(binaries / "python", "-c", script).split() == ["451", "300"]

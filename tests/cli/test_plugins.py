"""``--safe-mode``, ``plugins --disable``, and commands of plugins that do not behave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ganfilters import settings
from ganfilters.cli import command_line
from ganfilters.cli.plugins import command as plugins
from tests.cli.conftest import error, picture
from tests.sites import COMMAND, FILTER, Site

HANG = """
import threading
from concurrent.futures import ThreadPoolExecutor
ThreadPoolExecutor().submit(threading.Event().wait).result()
"""


def run(*words: object) -> Result:
    return CliRunner().invoke(command_line(), [str(word) for word in words])


def table(result: Result) -> dict[str, list[str]]:
    """Return the words of each line of ``ganfilters plugins`` by the plugin's name."""
    assert result.exit_code == 0, result.output
    return {words[0]: words for words in map(str.split, result.stdout.splitlines())}


def start(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "ganfilters", *map(str, words)]
    return subprocess.run(
        line,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **environment},
    )


# Disabling


def test_disable_is_remembered_and_enable_takes_it_back(site: Site, config: Path) -> None:
    module = site.add("glow")
    assert "glow" in table(run("plugins"))
    sys.modules.pop(module)
    result = run("plugins", "--disable", "glow")
    assert "glow is disabled; `ganfilters plugins --enable glow` enables it" in result.stdout
    assert json.loads((config / "settings.json").read_text()) == {"disabled_plugins": ["glow"]}

    lines = run("plugins").stdout.splitlines()
    assert "DISABLED  glow (glow): `ganfilters plugins --enable glow` enables it" in lines
    assert "glow" not in run("list").stdout
    text = error(run("apply", "glow", "a.png", "b.png"))
    assert text == (
        "the plugin of filter 'glow' is disabled; `ganfilters plugins --enable glow` enables it"
    )
    assert "glow" in run("doctor").stdout
    assert module not in sys.modules
    assert "disabled already" in run("plugins", "--disable", "glow").stdout

    assert run("plugins", "--enable", "glow").stdout == "glow is enabled\n"
    assert "glow" in run("list").stdout
    assert run("plugins", "--enable", "glow").stdout == "glow is enabled already\n"


def test_plugins_json_tells_of_what_is_left_out(site: Site, config: Path) -> None:
    site.add("glow", distribution="acme")
    changed = json.loads(run("plugins", "--disable", "acme", "--json").stdout)
    assert changed == {"settings": str(config / "settings.json"), "disabled_plugins": ["acme"]}
    found = json.loads(run("plugins", "--json").stdout)
    assert found["left_out"] == [
        {
            "plugin": "glow",
            "distribution": "acme",
            "version": "1.0",
            "reason": "disabled",
            "why": "disabled",
            "fix": "`ganfilters plugins --enable acme` enables it",
        }
    ]
    assert (found["problem"], found["safe_mode"]) == (None, False)
    assert found["settings"] == str(config / "settings.json")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--disable", "golw"], "there is no plugin 'golw'; did you mean glow?"),
        (["--enable", "golw"], "there is no plugin 'golw'; did you mean glow?"),
        (["--disable", "glow", "--enable", "glow"], "cannot be disabled and enabled at once"),
        (["--enable", "sheen"], "sheen is disabled as acme; write: ganfilters plugins --enable"),
    ],
)
def test_names_that_cannot_be_changed(
    site: Site, config: Path, words: list[str], expected: str
) -> None:
    site.add("glow")
    site.add("sheen", distribution="acme")
    run("plugins", "--disable", "acme", "--disable", "glow")
    before = (config / "settings.json").read_text()
    assert expected in error(run("plugins", *words))
    assert (config / "settings.json").read_text() == before


def test_of_two_changes_at_one_moment_none_is_lost(
    site: Site, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add("glow")
    site.add("sheen")
    both_have_read = threading.Barrier(2)

    def write_late(changed: settings.Settings) -> Path:
        with suppress(threading.BrokenBarrierError):
            both_have_read.wait(0.3)
        return write(changed)

    write = settings.write_settings
    monkeypatch.setattr(settings, "write_settings", write_late)

    def disable(name: str) -> None:
        plugins.main(["--disable", name], standalone_mode=False)

    threads = [threading.Thread(target=disable, args=[name]) for name in ("glow", "sheen")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert settings.read_settings().disabled_plugins == {"glow", "sheen"}


def test_a_change_does_not_wait_for_ever(
    site: Site, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add("glow")
    monkeypatch.setattr(settings, "_LOCK_SECONDS", 0.05)
    with settings.settings_locked():
        text = error(run("plugins", "--disable", "glow"))
    assert text.startswith("another process has been changing the settings file")
    assert not (config / "settings.json").exists()


def test_a_plugin_that_is_gone_can_be_enabled(site: Site, config: Path) -> None:
    config.mkdir()
    (config / "settings.json").write_text('{"disabled_plugins": ["gone"]}')
    assert run("plugins", "--enable", "gone").exit_code == 0
    assert json.loads((config / "settings.json").read_text()) == {"disabled_plugins": []}


def test_disabling_imports_nothing(site: Site) -> None:
    module = site.add("trap", "raise RuntimeError")
    assert run("plugins", "--disable", "trap").exit_code == 0
    assert module not in sys.modules


def test_commands_of_a_disabled_plugin_are_gone(site: Site) -> None:
    site.add("greet", COMMAND.format(name="hello"), groups=["ganfilters.commands"])
    assert run("hello").stdout == "hello\n"
    run("plugins", "--disable", "greet")
    assert "hello" not in run("--help").stdout
    assert "1 left out; `ganfilters plugins` says why" in error(run("hello"))
    assert run("--safe-mode", "hello").exit_code == 2


def test_disabling_under_the_variable_says_which_counts(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add("glow")
    monkeypatch.setenv("GANFILTERS_PLUGINS", "glow")
    assert "GANFILTERS_PLUGINS is set" in run("plugins", "--disable", "glow").stderr
    assert "glow" in run("list").stdout


# Damaged settings, unknown names


def test_damaged_settings_stop_filters_and_nothing_else(site: Site, config: Path) -> None:
    module = site.add("glow")
    site.add("greet", COMMAND.format(name="hello"), groups=["ganfilters.commands"])
    config.mkdir()
    path = config / "settings.json"
    path.write_text("{")
    for words in (["list"], ["apply", "dream", "a.png", "b.png"], ["plugins", "--disable", "glow"]):
        assert f"the settings file {path} is damaged" in error(run(*words))
    assert path.read_text() == "{"
    shown = " ".join(run("--help").stdout.split())  # lines break where the path ends
    assert "is damaged" in shown
    assert "hello" not in shown
    found = json.loads(run("plugins", "--json").stdout)
    assert str(path) in found["problem"]
    assert "dream" in {plugin["plugin"] for plugin in found["loaded"]}
    assert {left["reason"] for left in found["left_out"]} == {"settings"}
    assert any(line.startswith("PROBLEM") for line in run("plugins").stdout.splitlines())
    doctor = run("doctor")
    assert doctor.exit_code == 1
    assert str(path) in doctor.stdout
    assert run("--safe-mode", "list").exit_code == 0
    assert module not in sys.modules


def test_doctor_names_an_unknown_setting(site: Site, config: Path) -> None:
    config.mkdir()
    (config / "settings.json").write_text('{"disabled_plugin": ["glow"]}')
    assert "did you mean disabled_plugins?" in run("doctor").stdout


def test_an_unknown_name_in_the_variable(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANFILTERS_PLUGINS", "draem")
    text = error(run("list"))
    assert text == "GANFILTERS_PLUGINS: there is no plugin 'draem'; did you mean dream?"
    assert text in run("plugins").stdout
    assert " ".join(text.split()) in " ".join(run("--help").stdout.split())


def test_a_time_limit_that_is_none(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANFILTERS_IMPORT_TIMEOUT", "soon")
    assert "GANFILTERS_IMPORT_TIMEOUT is 'soon'" in error(run("list"))
    assert "GANFILTERS_IMPORT_TIMEOUT is 'soon'" in run("plugins").stdout


# Safe mode


def test_safe_mode(site: Site) -> None:
    module = site.add("glow")
    assert run("--safe-mode", "list").stdout.splitlines()[1:] != []
    assert "glow" not in run("--safe-mode", "list").stdout
    assert "left out by safe mode" in error(run("--safe-mode", "apply", "glow", "a", "b"))
    assert "LEFT OUT  glow (glow): left out by safe mode" in run("--safe-mode", "plugins").stdout
    assert "safe mode" in run("--safe-mode", "doctor").stdout
    assert module not in sys.modules


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["--safe-mode", "--plugin", "x.py", "list"],
            "safe mode loads no plugin file; leave out x.py",
        ),
        (
            ["apply", "posterize", "a.png", "b.png", "--plugin", "x.py"],
            "--plugin goes before the command: ganfilters --plugin x.py apply ...",
        ),
        (
            ["apply", "posterize", "a.png", "b.png", "--plugin=x.py"],
            "--plugin goes before the command: ganfilters --plugin=x.py apply ...",
        ),
        (["hello", "--plugin"], "ganfilters --plugin FILE.py hello ..."),
        (["list", "--safe-mode"], "--safe-mode goes before the command: ganfilters --safe-mode"),
    ],
)
def test_root_options_in_the_wrong_place(site: Site, words: list[str], expected: str) -> None:
    assert expected in error(run(*words))


# Plugins that break


def test_an_error_of_a_plugins_command_names_it(site: Site) -> None:
    text = COMMAND.replace('click.echo("{name}")', 'open("no/such/file")').format(name="hello")
    site.add("greet", text, distribution="acme", groups=["ganfilters.commands"])
    message = error(run("hello"))
    assert message.startswith(
        "the command hello of plugin greet (acme) failed: FileNotFoundError: "
    )
    assert message.endswith("`ganfilters --debug ...` shows where")
    shown = run("--debug", "hello").stderr
    assert "Traceback" in shown
    assert 'open("no/such/file")' in shown


def test_what_a_plugins_command_says_on_purpose_is_left_as_it_is(site: Site) -> None:
    text = COMMAND.replace('click.echo("{name}")', 'raise click.UsageError("no such colour")')
    site.add("greet", text.format(name="hello"), groups=["ganfilters.commands"])
    assert error(run("hello")).startswith("no such colour")


def test_a_command_cannot_take_the_name_of_another(site: Site) -> None:
    group = ["ganfilters.commands"]
    site.add("one", COMMAND.format(name="hello"), groups=group)
    site.add("two", COMMAND.format(name="hello"), groups=group)
    site.add("three", COMMAND.format(name="export"), groups=group)
    site.add("four", COMMAND.format(name="list"), groups=group)
    failed = {
        e["plugin"]: e["message"] for e in json.loads(run("plugins", "--json").stdout)["failed"]
    }
    assert failed == {
        "two": "the command name 'hello' is taken by one (one); choose another",
        "three": "the command name 'export' is taken by exporters (ganfilters); choose another",
        "four": "the command name 'list' is taken by ganfilters itself; choose another",
    }


def test_a_hook_that_fails_adds_no_command(site: Site) -> None:
    site.add("half", COMMAND.format(name="hello") + "    1 / 0\n", groups=["ganfilters.commands"])
    text = run("--help").stdout
    assert "hello" not in text
    assert "plugins: 1 could not add commands" in text


def test_a_first_party_command_does_not_import_the_plugins_of_others(site: Site) -> None:
    module = site.add("greet", COMMAND.format(name="hello"), groups=["ganfilters.commands"])
    assert run("export", "--help").exit_code == 0
    assert module not in sys.modules


def test_one_command_line_for_several_runs(site: Site) -> None:
    site.add("greet", COMMAND.format(name="hello"), groups=["ganfilters.commands"])
    cli = command_line()
    for _ in range(2):
        assert CliRunner().invoke(cli, ["hello"]).stdout == "hello\n"
        text = CliRunner().invoke(cli, ["--help"]).stdout
        assert "hello" in text
        assert "could not" not in text
    assert CliRunner().invoke(cli, ["--safe-mode", "hello"]).exit_code == 2


def test_a_plugin_with_filters_and_commands_is_one_line(site: Site) -> None:
    both = FILTER.format(name="glow") + COMMAND.format(name="hello")
    site.add("glow", both, groups=["ganfilters", "ganfilters.commands"])
    assert table(run("plugins"))["glow"][:5] == ["glow", "glow", "1.0", "glow", "hello"]


def test_a_plugin_file_without_a_hook_says_so(tmp_path: Path) -> None:
    path = tmp_path / "bare.py"
    path.write_text("x = 1\n")
    lines = run("--plugin", path, "plugins").stdout.splitlines()
    (line,) = [line for line in lines if "bare" in line]
    assert line.startswith(f"FAILED  bare ({path}), register: it has no hook; write a function")


# Plugins that hang, in processes of their own: these must end


@pytest.fixture
def stuck(site: Site) -> Site:
    site.add("stuck", HANG, groups=["ganfilters", "ganfilters.commands"])
    site.add("glow")
    return site


LIMIT: Any = {"GANFILTERS_IMPORT_TIMEOUT": "0.3"}


def test_a_plugin_that_hangs_leaves_every_command_usable(stuck: Site, tmp_path: Path) -> None:
    listed = start("list", **LIMIT)
    assert listed.returncode == 0
    assert {line.split()[0] for line in listed.stdout.splitlines()} >= {"dream", "glow"}
    assert "1 not usable" in listed.stderr

    shown = start("plugins", **LIMIT)
    assert shown.returncode == 0
    assert [line for line in shown.stdout.splitlines() if "stuck" in line] == [
        "FAILED  stuck (stuck), import: import took longer than 0.3 s; GANFILTERS_IMPORT_TIMEOUT "
        "sets another limit"
    ]

    told = start("--help", **LIMIT)
    assert told.returncode == 0
    assert "1 could not add commands" in told.stdout

    assert start("show", "stuck", **LIMIT).returncode == 2
    source = picture(tmp_path / "in.png")
    made = start("apply", "glow", source, tmp_path / "out.png", "--device", "cpu", **LIMIT)
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "out.png").is_file()


def test_doctor_survives_a_plugin_that_hangs(stuck: Site) -> None:
    done = start("doctor", **LIMIT)
    assert done.returncode == 0, done.stdout
    assert "import took longer than 0.3 s" in done.stdout


@pytest.mark.parametrize(
    ("words", "environment"),
    [
        (["--safe-mode", "list"], {}),
        (["list"], {"GANFILTERS_PLUGINS": "glow,dream"}),
        (["apply", "dream", "--help"], {}),
        (["plugins", "--disable", "stuck"], {}),
    ],
)
def test_a_plugin_that_hangs_can_be_left_out(
    stuck: Site, words: list[str], environment: dict[str, str]
) -> None:
    done = start(*words, GANFILTERS_IMPORT_TIMEOUT="0", **environment)  # it would hang for ever
    assert (done.returncode, done.stderr) == (0, "")


# Thirty plugins


def test_thirty_plugins_are_not_imported_for_help_or_for_one_filter(site: Site) -> None:
    modules = [site.add(f"filter-{number}") for number in range(30)]
    script = (
        "import sys; from ganfilters.cli import command_line; "
        "code = command_line().main(sys.argv[1:], standalone_mode=False); "
        f"print(*[m for m in {modules!r} if m in sys.modules], file=sys.stderr); sys.exit(code)"
    )

    def imported(*words: str) -> list[str]:
        line = [sys.executable, "-c", script, *words]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stderr.split()

    assert imported("--help") == []
    assert imported("apply", "dream", "--help") == []
    assert imported("apply", "filter-7", "--help") == [modules[7]]
    assert imported("list") == modules


def test_list_imports_no_deep_learning_library(site: Site) -> None:
    site.add("glow")
    script = (
        "import sys; from ganfilters.cli import command_line; "
        "code = command_line().main(['list'], standalone_mode=False); "
        "print(*{'torch', 'onnxruntime', 'onnx'} & set(sys.modules), file=sys.stderr, end=''); "
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "glow" in done.stdout


def test_doctor_says_how_to_leave_a_broken_plugin_out(site: Site, tmp_path: Path) -> None:
    site.add("broken", "import no_such_module")
    path = tmp_path / "bare.py"
    path.write_text("x = 1\n")
    text = run("--plugin", path, "doctor").stdout
    assert "update it, or ganfilters plugins --disable broken" in text
    assert "mend it; `ganfilters --debug plugins` says more" in text


def test_what_a_plugin_prints_stays_out_of_standard_output(tmp_path: Path) -> None:
    noisy = tmp_path / "noisy.py"
    noisy.write_text(
        "print('noise at import')\n"
        "from ganfilters import hookimpl\n"
        "@hookimpl\n"
        "def ganfilters_filters():\n"
        "    print('noise in the hook')\n"
        "    return []\n"
    )
    done = CliRunner().invoke(command_line(), ["--plugin", str(noisy), "list", "--json"])
    assert isinstance(json.loads(done.stdout), list)
    assert "noise at import" in done.stderr
    assert "noise in the hook" in done.stderr

"""Plugins that hang or have no hook: they are reported, and the others go on."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ganfilters import UsageError
from ganfilters.registry import Registry, Source, _loading, any_import_runs
from ganfilters.registry._sources import _module
from tests.sites import FILTER, Site

HANG = """
import time
from pathlib import Path
while not Path({gate!r}).exists():
    time.sleep(0.01)
"""


@pytest.fixture
def gate(tmp_path: Path) -> object:
    """Return a file whose appearance ends what hangs; it appears when the test is over."""
    path = tmp_path / "gate"
    yield path
    path.touch()


def test_an_import_that_hangs_is_given_up_and_reported_with_its_time(
    site: Site, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add("glow")
    site.add("stuck", HANG.format(gate=str(gate)) + FILTER.format(name="stuck"))
    monkeypatch.setenv("GANFILTERS_IMPORT_TIMEOUT", "0.2")
    registry = Registry.discover()
    assert {"dream", "glow"} <= set(registry.names())
    (error,) = registry.errors()
    assert (error.plugin, error.distribution, error.stage) == ("stuck", "stuck", "import")
    assert error.message.startswith("import took longer than 0.2 s; ")
    assert "GANFILTERS_IMPORT_TIMEOUT" in error.message
    assert error.seconds >= 0.2
    assert "time.sleep" in error.traceback  # where it hangs
    with pytest.raises(UsageError, match=r"'stuck' is broken: import took longer than 0\.2 s"):
        registry.get("stuck")
    assert any_import_runs()


def test_a_second_registry_does_not_wait_again_and_one_after_the_end_finds_it(
    site: Site, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add("late", HANG.format(gate=str(gate)) + FILTER.format(name="late"))
    monkeypatch.setenv("GANFILTERS_IMPORT_TIMEOUT", "0.2")
    assert "late" not in Registry.discover().names()
    threads = threading.active_count()
    assert "late" not in Registry.discover().names()
    assert threading.active_count() == threads  # nobody was sent to wait for it
    thread, _ = _loading._running["late", "late"]
    gate.touch()
    thread.join()
    assert Registry.discover().get("late").plugin == "late"


def test_a_hook_that_hangs_is_given_up(
    site: Site, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = "\n".join("    " + line for line in HANG.format(gate=str(gate)).splitlines())
    site.add(
        "stuck",
        "from ganfilters import hookimpl\n@hookimpl\ndef ganfilters_filters():\n"
        f"{body}\n    return []\n",
        distribution="stuck-in-hook",
    )
    monkeypatch.setenv("GANFILTERS_IMPORT_TIMEOUT", "0.2")
    (error,) = Registry.discover().errors()
    assert error.stage == "filters"
    assert error.message.startswith("ganfilters_filters() took longer than 0.2 s")


def test_a_file_that_hangs_is_not_taken_half_imported(
    tmp_path: Path, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "stuck.py"
    path.write_text(HANG.format(gate=str(gate)) + FILTER.format(name="stuck"))
    monkeypatch.setenv("GANFILTERS_IMPORT_TIMEOUT", "0.1")
    for _ in range(2):
        (error,) = [e for e in Registry.discover([path]).errors() if e.plugin == "stuck"]
        assert error.message.startswith("import took longer than 0.1 s")


def test_the_user_is_told_what_is_waited_for(
    site: Site, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add("stuck", HANG.format(gate=str(gate)), distribution="stuck-and-told")
    monkeypatch.setattr(_loading, "NOTICE_SECONDS", 0.0)
    monkeypatch.setattr(_loading, "_SLICE_SECONDS", 0.01)
    source = next(s for s in _sources() if s.name == "stuck")
    told: list[str] = []
    Registry([source], timeout=0.2, notify=told.append).names()
    assert told == ["still waiting for the plugin stuck (stuck-and-told), for up to 0.2 s"]


def _sources() -> list[Source]:
    from ganfilters.registry import all_installed

    return all_installed()


def test_another_thread_gets_first_party_filters_meanwhile(site: Site, gate: Path) -> None:
    site.add("stuck", HANG.format(gate=str(gate)), distribution="stuck-in-thread")
    registry = Registry.discover(only=["ganfilters", "stuck"])
    registry.get("dream")
    waiting = threading.Thread(target=registry.names)
    waiting.start()
    try:
        found = threading.Thread(target=registry.get, args=("dream",))
        found.start()
        found.join(5)
        assert not found.is_alive()
        assert waiting.is_alive()
    finally:
        gate.touch()
        waiting.join()


WHERE = """
import threading
from ganfilters import hookimpl
THREAD = threading.current_thread()
@hookimpl
def ganfilters_filters():
    return []
"""


@pytest.mark.parametrize(
    ("distribution", "timeout", "own"),
    [("ganfilters", 10.0, True), ("somebody", 10.0, False), ("somebody", None, True)],
)
def test_others_are_imported_in_a_thread_unless_there_is_no_limit(
    tmp_path: Path, distribution: str, timeout: float | None, own: bool
) -> None:
    path = tmp_path / "where.py"
    path.write_text(WHERE)
    seen = []
    source = Source("where", distribution, "1", lambda: seen.append(_module(path)) or seen[0])
    registry = Registry([source], timeout=timeout)
    assert [plugin.name for plugin in registry.plugins()] == ["where"]
    assert (seen[0].THREAD is threading.current_thread()) is own


@pytest.mark.parametrize("name", ["KeyboardInterrupt", "GeneratorExit", "SystemExit"])
def test_whatever_a_plugin_raises_is_a_value(site: Site, name: str) -> None:
    site.add("rude", f"raise {name}('no')")
    (error,) = Registry.discover().errors()
    assert error.message == f"{name}: no"


def test_ctrl_c_while_a_first_party_plugin_is_imported_is_the_users() -> None:
    def interrupt() -> object:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Registry([Source("own", "ganfilters", "1", interrupt)]).names()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1", "it has no hook; write a function ganfilters_filters()"),
        (
            "def ganfilters_filters(): return []",
            "ganfilters_filters() is not marked with @hookimpl",
        ),
        (
            "from ganfilters import hookimpl\n@hookimpl\ndef ganfilters_commands(cli): pass",
            "its entry point belongs in the group 'ganfilters.commands'",
        ),
        (
            "from ganfilters import hookimpl\n@hookimpl\ndef ganfilters_filters(): pass",
            "must return a list of Filter classes, not None",
        ),
    ],
)
def test_a_plugin_without_its_hook_says_so(site: Site, text: str, words: str) -> None:
    site.add("bare", text)
    registry = Registry.discover()
    (error,) = registry.errors()
    assert words in error.message
    assert "bare" not in [plugin.name for plugin in registry.plugins()]


def test_a_file_may_have_either_hook(tmp_path: Path) -> None:
    path = tmp_path / "commands.py"
    path.write_text(
        "from ganfilters import hookimpl\n@hookimpl\ndef ganfilters_commands(cli): pass\n"
    )
    assert Registry.discover([path]).errors() == []

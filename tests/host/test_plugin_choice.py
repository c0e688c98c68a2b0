"""Which of the installed plugins load, and what is said about the others."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ganfilters import Host, UsageError
from ganfilters.registry import Choice, Registry
from ganfilters.settings import Settings, write_settings
from tests.sites import FILTER, Site


def left_out(registry: Registry) -> dict[str, str]:
    return {left.plugin: left.reason for left in registry.left_out()}


def disable(*names: str) -> None:
    write_settings(Settings(frozenset(names)))


def test_what_is_installed_loads(site: Site) -> None:
    site.add("glow")
    registry = Registry.discover()
    assert {"dream", "glow"} <= set(registry.names())
    assert registry.left_out() == []


def test_a_disabled_plugin_is_not_imported_and_its_filter_says_how(site: Site) -> None:
    module = site.add("glow", distribution="acme-filters")
    disable("glow")
    registry = Registry.discover()
    assert "glow" not in registry.names()
    assert module not in sys.modules
    assert left_out(registry) == {"glow": "disabled"}
    with pytest.raises(UsageError, match="'glow' is disabled; `ganfilters plugins --enable glow`"):
        registry.get("glow")


@pytest.mark.parametrize("word", ["acme-filters", "Acme_Filters"])
def test_a_distribution_names_all_its_plugins(site: Site, word: str) -> None:
    site.add("glow", distribution="acme-filters")
    site.add("bloom", distribution="acme-filters")
    site.add("other")
    disable(word)
    registry = Registry.discover()
    assert left_out(registry) == {"glow": "disabled", "bloom": "disabled"}
    assert "other" in registry.names()
    with pytest.raises(UsageError, match=f"plugins --enable {word}"):
        registry.get("glow")
    assert left_out(Registry.discover(only=[word]))["other"] == "not chosen"


def test_first_party_plugins_can_be_disabled_too(site: Site) -> None:
    disable("dream")
    with pytest.raises(UsageError, match="'dream' is disabled"):
        Registry.discover().get("dream")


def test_a_disabled_plugin_that_is_gone_is_no_error(site: Site) -> None:
    disable("gone")
    assert "dream" in Registry.discover().names()


def test_the_variable_picks_which_load(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.add("glow")
    site.add("bloom")
    monkeypatch.setenv("GANFILTERS_PLUGINS", " glow , ")
    registry = Registry.discover()
    assert registry.names() == ["glow"]
    assert left_out(registry)["bloom"] == "not chosen"
    with pytest.raises(UsageError, match="'dream' is left out by GANFILTERS_PLUGINS; add dream"):
        registry.get("dream")
    monkeypatch.setenv("GANFILTERS_PLUGINS", "glow,ganfilters")
    assert {"glow", "dream"} <= set(Registry.discover().names())


def test_the_variable_goes_before_what_is_disabled(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add("glow")
    disable("glow")
    monkeypatch.setenv("GANFILTERS_PLUGINS", "glow")
    assert Registry.discover().names() == ["glow"]


@pytest.mark.parametrize("text", ["", " ", ","])
def test_an_empty_variable_is_not_set(
    site: Site, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("GANFILTERS_PLUGINS", text)
    assert "dream" in Registry.discover().names()


def test_an_unknown_name_suggests_the_nearest(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.add("glow")
    monkeypatch.setenv("GANFILTERS_PLUGINS", "golw")
    with pytest.raises(UsageError, match=r"GANFILTERS_PLUGINS: .*'golw'; did you mean glow"):
        Registry.discover()
    # For the commands that must work all the same, the names that are right count.
    monkeypatch.setenv("GANFILTERS_PLUGINS", "golw,dream")
    choice = Choice.make()
    assert "golw" in choice.problem
    assert Registry.of(choice).names() == ["dream"]


def test_files_load_whatever_is_chosen(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(FILTER.format(name="mine"))
    monkeypatch.setenv("GANFILTERS_PLUGINS", "dream")
    assert Registry.discover([path]).names() == ["dream", "mine"]
    monkeypatch.setenv("GANFILTERS_PLUGINS", "mine")  # as `ganfilters plugins` shows it
    assert Registry.discover([path]).names() == ["mine"]


def test_safe_mode_is_first_party_only_whatever_is_set(
    site: Site, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = site.add("glow")
    config.mkdir()
    (config / "settings.json").write_text("damaged")
    monkeypatch.setenv("GANFILTERS_PLUGINS", "no-such-plugin")
    monkeypatch.setenv("GANFILTERS_IMPORT_TIMEOUT", "soon")
    registry = Registry.discover(safe_mode=True)
    assert "dream" in registry.names()
    assert {entry.distribution for entry in registry.entries()} == {"ganfilters"}
    assert module not in sys.modules
    with pytest.raises(UsageError, match="'glow' is left out by safe mode; run without"):
        registry.get("glow")


def test_safe_mode_excludes_files_and_choices(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"safe mode loads no plugin file; leave out mine\.py"):
        Registry.discover([Path("mine.py")], safe_mode=True)
    with pytest.raises(UsageError, match=r"write only=\['dream'\]"):
        Registry.discover(only="dream")
    with pytest.raises(UsageError, match="leave out `only`"):
        Registry.discover(safe_mode=True, only=["dream"])


def test_an_embedding_program_may_choose_for_itself(
    site: Site, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add("glow")
    site.add("bloom")
    config.mkdir()
    (config / "settings.json").write_text("damaged")
    with pytest.raises(UsageError, match="damaged"):
        Registry.discover()
    assert {"glow", "bloom", "dream"} <= set(Registry.discover(disabled=[]).names())
    registry = Registry.discover(disabled=["glow"])
    assert {"bloom", "dream"} <= set(registry.names())
    with pytest.raises(UsageError, match="take glow out of `disabled`"):
        registry.get("glow")
    monkeypatch.setenv("GANFILTERS_PLUGINS", "glow")
    assert Registry.discover(only=["bloom"]).names() == ["bloom"]
    assert Registry.discover(only=["bloom", "glow"], disabled=["glow"]).names() == ["bloom"]
    assert Registry.discover(only=[]).names() == []
    with pytest.raises(UsageError, match="`only`: there is no plugin 'blom'; did you mean bloom"):
        Registry.discover(only=["blom"])


def test_damaged_settings_leave_first_party_plugins_to_those_who_ask(
    site: Site, config: Path
) -> None:
    module = site.add("glow")
    config.mkdir()
    (config / "settings.json").write_text("{")
    choice = Choice.make()
    assert str(config / "settings.json") in choice.problem
    registry = Registry.of(choice)
    assert "dream" in registry.names()
    assert left_out(registry) == {"glow": "settings"}
    assert module not in sys.modules


def test_an_unknown_filter_hints_at_what_is_left_out(site: Site) -> None:
    site.add("glow", FILTER.format(name="shine"))
    disable("glow")
    with pytest.raises(UsageError, match="1 plugin is broken or left out, `ganfilters plugins`"):
        Registry.discover().get("shine")


def test_a_damaged_distribution_harms_only_itself(site: Site) -> None:
    site.add("glow")
    site.add("bloom")
    entry_points = site.folder / "bloom-1.0.dist-info" / "entry_points.txt"
    entry_points.write_text("[ganfilters]\nnonsense\n")
    (site.folder / "rest-1.0.dist-info").mkdir()  # what a removal has left behind
    (site.folder / "rest-1.0.dist-info" / "entry_points.txt").write_text(
        "[ganfilters]\nrest = no_such_module\n"
    )
    registry = Registry.discover()
    assert {"dream", "glow"} <= set(registry.names())
    found = {error.plugin: error.message for error in registry.errors()}
    assert "entry_points.txt of the distribution bloom is damaged" in found["bloom"]
    assert "no_such_module" in found["rest"]


@pytest.mark.parametrize("order", ["names", "get"])
def test_of_two_the_one_named_like_the_filter_keeps_the_name(site: Site, order: str) -> None:
    site.add("aaa", FILTER.format(name="shine"))
    site.add("shine")
    registry = Registry.discover()
    if order == "names":
        registry.names()
    assert registry.get("shine").plugin == "shine"
    (error,) = registry.errors()
    assert (error.plugin, error.stage) == ("aaa", "check")
    assert "taken by shine (shine)" in error.message
    assert {p.name: p.filters for p in registry.plugins()}["aaa"] == ()


def test_a_file_goes_before_what_is_installed(site: Site, tmp_path: Path) -> None:
    site.add("shine", distribution="a-first-in-the-alphabet")
    path = tmp_path / "zzz.py"
    path.write_text(FILTER.format(name="shine"))
    assert Registry.discover([path]).get("shine").plugin == "zzz"


def test_a_host_takes_the_same_choices(site: Site, tmp_path: Path) -> None:
    site.add("glow")
    disable("glow")
    assert "glow" not in Host("cpu").registry.names()
    assert "glow" in Host("cpu", disabled=[]).registry.names()
    assert Host("cpu", only=["glow"]).registry.names() == ["glow"]
    safe = Host("cpu", safe_mode=True).registry
    assert {entry.distribution for entry in safe.entries()} == {"ganfilters"}
    path = tmp_path / "mine.py"
    path.write_text(FILTER.format(name="mine"))
    assert "mine" in Host("cpu", plugins=[path]).registry.names()
    for given in ({"plugins": [path]}, {"safe_mode": True}, {"only": []}, {"disabled": []}):
        with pytest.raises(UsageError, match="a registry is given"):
            Host("cpu", registry=safe, **given)

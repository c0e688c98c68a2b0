"""Plugins are found, checked, and kept from doing harm."""

from __future__ import annotations

import textwrap
from functools import partial
from pathlib import Path

import click
import pytest

from ganfilters import UsageError, nearest
from ganfilters.registry import Choice, Commands, Registry, Source
from ganfilters.registry._sources import _module
from tests.sites import FILTER


def plugin(folder: Path, text: str, name: str = "plug.py") -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(text))
    return path


def errors_of(path: Path) -> list[tuple[str, str]]:
    registry = Registry.discover([path])
    return [(e.stage, e.message) for e in registry.errors() if e.distribution == str(path)]


def test_a_plugin_file_is_found_beside_the_installed_ones(tmp_path: Path) -> None:
    registry = Registry.discover([plugin(tmp_path, FILTER.format(name="invert"))])
    assert {"dream", "invert"} <= set(registry.names())
    assert registry.get("invert").plugin == "plug"
    assert not registry.errors()
    assert "invert" in {name for info in registry.plugins() for name in info.filters}


def test_the_plugin_named_like_the_filter_is_loaded_alone(tmp_path: Path) -> None:
    trap = plugin(tmp_path, "raise RuntimeError('must not be imported')", "trap.py")
    registry = Registry.discover([trap])
    assert registry.get("dream").distribution == "ganfilters"
    pending = [source.name for source in registry._pending]
    assert "dream" not in pending
    assert pending[-1] == "trap"
    assert {"latent", "style"} <= set(pending)


def test_words_of_names_are_suggested_beside_near_misses() -> None:
    hint = nearest("tile", ["tiles", "overlap of a tile", "style"], what="parameters")
    assert hint == "did you mean tiles or overlap of a tile?"


def test_an_unknown_filter_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean dream"):
        Registry.discover().get("draem")


def test_a_missing_plugin_file_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        Registry.discover([tmp_path / "nothing.py"])


@pytest.mark.parametrize(
    ("text", "stage", "words"),
    [
        ("import no_such_module", "import", "ModuleNotFoundError"),
        ("raise SystemExit(3)", "import", "SystemExit: 3"),
        ("def f(:", "import", "SyntaxError"),
        (
            "from ganfilters import hookimpl\n@hookimpl\ndef ganfilters_filters(wrong): return []",
            "register",
            "PluginValidationError",
        ),
        (
            "from ganfilters import hookimpl\n@hookimpl\ndef ganfilters_nonsense(): return []",
            "register",
            "ganfilters_nonsense",
        ),
        (
            "from ganfilters import hookimpl\n@hookimpl\ndef ganfilters_filters(): 1 / 0",
            "filters",
            "ZeroDivisionError",
        ),
        (
            "from ganfilters import hookimpl\n@hookimpl\ndef ganfilters_filters(): return [3]",
            "check",
            "must return Filter classes",
        ),
        (FILTER.format(name="Not A Name"), "check", "lower-case"),
        (FILTER.format(name="dream"), "check", "is taken by dream"),
        (FILTER.format(name="x").replace('summary = "Inverts"', ""), "check", "summary"),
        (FILTER.format(name="x").replace("Params = InvertParams", ""), "check", "needs `Params`"),
        (
            FILTER.format(name="x").replace(', description="How much"', ""),
            "check",
            "no description",
        ),
        (FILTER.format(name="x").replace("amount:", "strength:"), "check", "host's own"),
        (FILTER.format(name="x").replace("def apply", "def other"), "check", "implement apply"),
        (
            FILTER.format(name="x").replace(
                "Params = Inv",
                "traits = __import__('ganfilters').Traits(input='none')\n    Params = Inv",
            ),
            "check",
            "no generate",
        ),
    ],
)
def test_a_broken_plugin_is_a_value(tmp_path: Path, text: str, stage: str, words: str) -> None:
    path = plugin(tmp_path, text)
    found = errors_of(path)
    assert len(found) == 1
    assert found[0][0] == stage
    assert words in found[0][1]
    assert "\n" not in found[0][1]
    assert Registry.discover([path]).get("dream")


def test_the_filter_of_a_broken_plugin_says_why(tmp_path: Path) -> None:
    registry = Registry.discover([plugin(tmp_path, "import no_such_module", "glow.py")])
    with pytest.raises(UsageError, match="plugin of filter 'glow' is broken: ModuleNotFound"):
        registry.get("glow")


def test_a_plugin_may_add_commands(tmp_path: Path) -> None:
    path = plugin(
        tmp_path,
        """
        import click
        from ganfilters import hookimpl

        @hookimpl
        def ganfilters_commands(cli):
            cli.add_command(click.Command("hello"))
        """,
    )
    cli = click.Group()
    commands = Commands(cli, Choice.make(), [path])
    assert commands.find("hello") is not None
    assert commands.errors == []
    assert "hello" in cli.commands


def test_a_plugin_whose_commands_break_is_a_value(tmp_path: Path) -> None:
    path = plugin(
        tmp_path,
        """
        from ganfilters import hookimpl

        @hookimpl
        def ganfilters_commands(cli):
            raise OSError("no")
        """,
    )
    commands = Commands(click.Group(), Choice.make(), [path])
    commands.load_all()
    (error,) = commands.errors
    assert (error.stage, error.message) == ("commands", "OSError: no")


@pytest.mark.parametrize("order", ["get", "names"])
def test_a_third_party_cannot_take_a_first_party_name(tmp_path: Path, order: str) -> None:
    text = FILTER.format(name="shine")
    own, other = plugin(tmp_path, text, "own.py"), plugin(tmp_path, text, "shine.py")
    sources = [
        Source("shine", "somebody", "1", partial(_module, other)),
        Source("own", "ganfilters", "1", partial(_module, own)),
    ]
    registry = Registry(sources)
    if order == "names":
        registry.names()
    assert registry.get("shine").distribution == "ganfilters"

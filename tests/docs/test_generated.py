"""Generated parts are fresh, and everything that can be documented is."""

from __future__ import annotations

import re

import pytest
from pydantic import Field

import ganfilters
import ganfilters.testing
from ganfilters import Filter, Image, Params, PluginError, cli, hookspecs, schema
from ganfilters.devices import DEVICES
from ganfilters.registry import check_class
from ganfilters.testing import fixtures
from tests import public_api
from tests.docs import DOCS, PAGES, generate

COMMANDS = generate.commands()
FILTERS = {entry.filter.name: entry.filter for entry in generate.first_party()}
REFERENCE = "".join(path.read_text("utf-8") for path in (DOCS / "reference").glob("*.md"))


def read(page: str) -> str:
    path = DOCS / page
    if not path.exists():
        pytest.fail(f"docs/{page} is missing", pytrace=False)
    return path.read_text("utf-8")


def test_generated_parts_are_fresh() -> None:
    stale = generate.stale()
    if stale:
        told = "\n".join(stale.values())
        pytest.fail(f"{told}\n\nstale; run: python docs/generate.py", pytrace=False)


def test_a_change_makes_a_page_stale() -> None:
    page = DOCS / "filters" / "dream.md"
    text = page.read_text("utf-8")
    assert generate.refreshed(text) == text
    assert generate.refreshed(text.replace("| `--octaves` |", "| `--octave` |")) == text
    with pytest.raises(SystemExit, match="no generated part 'nothing'; there are: card, checks"):
        generate.refreshed("<!-- generated: nothing -->\n<!-- end of generated -->\n")


@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_has_a_page_with_its_parameters(name: str) -> None:
    """Write docs/filters/NAME.md with these parts; python docs/generate.py fills them."""
    found = generate.blocks(read(f"filters/{name}.md"))
    wanted = {f"parameters {name}", f"traits {name}"}
    wanted |= {f"presets {name}"} if FILTERS[name].Params.presets else set()
    missing = wanted - set(found)
    assert not missing, f"docs/filters/{name}.md lacks the generated parts {missing}"


@pytest.mark.parametrize("name", FILTERS)
def test_every_parameter_is_in_the_table_of_its_filter(name: str) -> None:
    text = read(f"filters/{name}.md")
    for parameter in schema.parameters(FILTERS[name].Params):
        assert f"| `{parameter.flag}` |" in text
        assert parameter.description, parameter.name
        if parameter.kind in ("integer", "number"):
            assert parameter.bounds, parameter.name


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_and_option_is_on_a_page(words: str) -> None:
    text = read(f"commands/{words.partition(' ')[0]}.md")
    assert f"help {words}" in generate.blocks(text)
    for param in COMMANDS[words].params:
        for flag in getattr(param, "opts", ()) if param.param_type_name == "option" else ():
            assert flag in text
            assert getattr(param, "help", None), f"{words} {flag} has no help"


@pytest.mark.parametrize("word", generate.shared_options())
def test_every_option_of_commands_made_for_filters_is_on_a_page(word: str) -> None:
    text = read(f"commands/{word}.md")
    assert f"options {word}" in generate.blocks(text)
    for option in generate.shared_options()[word]:
        assert f"{option.opts[0]}" in text
        assert option.help, f"{word} {option.opts[0]} has no help"


def test_the_table_of_commands_matches_them() -> None:
    for words, (_, text) in cli.COMMANDS.items():
        assert COMMANDS[words].get_short_help_str(200) == text


@pytest.mark.parametrize("stem", generate.model_files())
def test_every_network_has_a_page_with_its_card(stem: str) -> None:
    assert f"card {stem}" in generate.blocks(read(f"models/{stem}.md"))


@pytest.mark.parametrize("folder", ["filters", "commands", "models"])
def test_no_page_is_left_of_what_is_gone(folder: str) -> None:
    there = {path.stem for path in (DOCS / folder).glob("*.md")} - {"index"}
    known = {
        "filters": set(FILTERS),
        "commands": {words.partition(" ")[0] for words in COMMANDS},
        "models": set(generate.model_files()),
    }
    assert there == known[folder]


@pytest.mark.parametrize("module", [ganfilters, ganfilters.testing], ids=lambda x: x.__name__)
def test_every_public_name_is_in_the_reference(module: object) -> None:
    home = module.__name__  # type: ignore[attr-defined]
    for name in module.__all__:  # type: ignore[attr-defined]
        shown = f"::: {home}.{name}\n" in REFERENCE or f"`{home}.{name}`" in REFERENCE
        assert shown, f"docs/reference/ has no '::: {home}.{name}'"


@pytest.mark.parametrize("name", public_api.HELD)
def test_every_class_that_one_gets_is_in_the_reference(name: str) -> None:
    assert f"::: {name}\n" in REFERENCE, f"docs/reference/ has no '::: {name}'"


def test_every_fixture_is_in_the_reference_and_the_guide() -> None:
    guide = read("plugins/testing.md")
    for name in fixtures.__all__:
        assert f"::: ganfilters.testing.fixtures.{name}\n" in REFERENCE
        assert f"| `{name}` |" in guide


def test_the_reference_shows_public_names_only() -> None:
    for name in re.findall(r"^::: (.+)$", REFERENCE, re.MULTILINE):
        home, _, last = name.rpartition(".")
        if home != "ganfilters.hookspecs":
            assert last in __import__(home, fromlist=["x"]).__all__, name


def test_every_hook_is_in_the_reference() -> None:
    hooks = [name for name, value in vars(hookspecs).items() if hasattr(value, "ganfilters_spec")]
    assert len(hooks) >= 2
    for name in hooks:
        assert f"::: ganfilters.hookspecs.{name}\n" in REFERENCE
        assert getattr(hookspecs, name).__doc__


def test_every_exit_code_and_device_is_explained() -> None:
    codes = re.findall(r"^\| (\d+) \|", read("commands/index.md"), re.MULTILINE)
    assert list(map(int, codes)) == public_api.exit_codes()
    for device in DEVICES:
        assert f"`{device}`" in read("gpu.md")


def test_every_environment_variable_is_explained() -> None:
    used = set()
    for source in (DOCS.parent / "ganfilters").rglob("*.py"):
        used |= set(re.findall(r"[\"'](GANFILTERS_[A-Z_]+)[\"']", source.read_text("utf-8")))
    text = "".join(page.read_text("utf-8") for page in PAGES)
    for name in used:
        assert name in text


def test_the_house_of_the_design_has_every_part() -> None:
    (house,) = re.findall(r"^## The house\n```\n(.*?)^```", read("design.md"), re.DOTALL | re.M)
    named = set(re.findall(r"[\w.]+", house))
    for path in (DOCS.parent / "ganfilters").iterdir():
        if not path.name.startswith("_") and (
            path.suffix == ".py" or (path / "__init__.py").exists()
        ):
            assert path.name in named, f"docs/design.md, The house: {path.name}"


def test_what_loading_finds_and_what_it_leaves_to_check_plugin() -> None:
    """As docs/plugins/loading.md tells."""

    class Unbounded(Params):
        amount: int = Field(3, description="Amount")

    class Undescribed(Params):
        amount: int = 3

    class Loads(Filter[Unbounded]):
        name, summary, Params = "loads", "Loads", Unbounded

        def apply(self, image: Image, params: Unbounded) -> Image:
            return image

    assert check_class(Loads) is Loads
    for wrong in ({"Params": Undescribed}, {"name": "Not A Name"}, {"summary": ""}, {"traits": 3}):
        with pytest.raises(PluginError, match="filter class Wrong"):
            check_class(type("Wrong", (Loads,), wrong))

"""Write the generated parts of the documentation from the declarations in the code.

``python docs/generate.py`` rewrites them; with ``--check`` it only says what is stale.

A generated part stands between two comments, in a page or in ``zensical.toml``::

    <!-- generated: parameters dream -->
    <!-- end of generated -->

The words after the colon name a function below and its arguments. The text between is committed, so
that whoever reads the page in the repository sees it too. Pages of commands and of models that
do not exist are started; a page of a filter is written by a person.
"""

from __future__ import annotations

import copy
import difflib
import os
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from click.testing import CliRunner

from ganfilters import schema
from ganfilters.cli import Root, command_line
from ganfilters.cli._state import State
from ganfilters.cli.show import _traits
from ganfilters.devices import DEVICES, provider_of
from ganfilters.errors import GanfiltersError
from ganfilters.imageio import FORMATS
from ganfilters.limits import DEFAULT_QUALITY
from ganfilters.models import ModelFile
from ganfilters.registry import Entry, Registry
from ganfilters.settings import CONFIG_DIR_VARIABLE
from ganfilters.testing import CHECKS

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
EXAMPLES = ROOT / "examples" / "plugins"
SITE = ROOT / "zensical.toml"

_BLOCK = re.compile(
    r"(?P<begin>^ *(?:<!--|#) generated: (?P<words>[^\n]*?)(?: -->)?\n)"
    r"(?P<body>.*?)"
    r"(?P<end>^ *(?:<!--|#) end of generated(?: -->)?$)",
    re.DOTALL | re.MULTILINE,
)
_WIDTH = 88
_LANGUAGES = {".py": "python", ".toml": "toml", ".md": "markdown", ".json": "json"}


def first_party() -> list[Entry]:
    """Return the filters that ship with this project."""
    entries = Registry.discover(safe_mode=True).entries()
    return [entry for entry in entries if entry.distribution == "ganfilters"]


def model_files() -> dict[str, ModelFile]:
    """Return the networks that ship with this project, by the name of their page."""
    return {model.path.stem: model for x in first_party() for model in x.filter.models}


def commands() -> dict[str, click.Command]:
    """Return every command of this project by its words: ``{"train style": ...}``.

    Filters are commands of ``apply`` and ``sheet``, chains of ``run``; they are not listed.
    """
    root = command_line()
    found: dict[str, click.Command] = {}

    def collect(words: str, command: click.Command, context: click.Context) -> None:
        found[words] = command
        if type(command) is click.Group:  # the others make commands of filters and chains
            for name in command.list_commands(context):
                child = command.get_command(context, name)
                if child is not None:
                    collect(f"{words} {name}", child, click.Context(child, context, name))

    context = _context(root)
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        if command is not None:
            collect(name, command, click.Context(command, context, name))
    return found


def _context(root: click.Command) -> click.Context:
    """Return a context without the plugins that happen to be installed on this machine."""
    state = State(safe_mode=True)
    settings = {**root.context_settings, "obj": state, "terminal_width": _WIDTH}
    return click.Context(root, info_name="ganfilters", **settings)


def _table(*rows: tuple[str, ...]) -> str:
    head, *body = rows
    lines = [head, ("---",) * len(head), *body]
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in x)} |\n" for x in lines)


def _fence(text: str, language: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```\n"


def _filter(name: str) -> Any:
    return Registry.discover(safe_mode=True).get(name).filter


def parameters(name: str) -> str:
    """Return the table of a filter's parameters."""
    return schema.markdown(_filter(name).Params)


def presets(name: str) -> str:
    """Return what each preset of a filter sets."""
    rows = [
        (
            f"`{preset}`",
            " ".join(f"`{schema.flag(x)} {schema.written(y)}`" for x, y in values.items()),
        )
        for preset, values in _filter(name).Params.presets.items()
    ]
    return _table(("preset", "sets"), *rows)


def traits(name: str) -> str:
    """Return what a filter needs and can do."""
    return "".join(f"- {line}\n" for line in _traits(_filter(name).traits))


def shared_options() -> dict[str, list[click.Option]]:
    """Return the options of commands that are made for each filter or chain, but for its own.

    By command: ``apply``, ``sheet``, ``run``.
    """
    root = command_line()
    name = first_party()[0].filter.name
    found = {}
    with TemporaryDirectory() as folder:
        chain = Path(folder) / "chain.toml"
        chain.write_text(f'[[step]]\nfilter = "{name}"\n')
        for word, which in (("apply", name), ("sheet", name), ("run", str(chain))):
            context = _context(root)
            group = root.get_command(context, word)
            assert isinstance(group, click.Group)  # noqa: S101
            made = group.get_command(click.Context(group, context, word), which)
            assert made is not None  # noqa: S101
            own: frozenset[str] = getattr(made, "own", frozenset())
            options = [option for option in made.params if isinstance(option, click.Option)]
            found[word] = [option for option in options if option.name not in own]
    return found


def options(word: str) -> str:
    """Return the options of ``apply``, ``sheet`` or ``run`` that every filter or chain has."""
    rows = []
    context = click.Context(click.Command(word))
    for option in shared_options()[word]:
        record = option.get_help_record(context)
        if record is not None:
            text, _, facts = record[1].rstrip("]").replace("]  [", "; ").partition("  [")
            rows.append((f"`{record[0]}`", facts, " ".join(text.split())))
    return _table(("option", "values", "what it does"), *rows)


def formats() -> str:
    """Return what each file format can hold."""
    rows = []
    for entry in dict.fromkeys(FORMATS.values()):
        holds = (entry.animation, entry.alpha, entry.deep, entry.icc, entry.recipe)
        quality = str(DEFAULT_QUALITY[entry.name]) if entry.quality else ""
        extensions = " ".join(f"`{extension}`" for extension in entry.extensions)
        rows.append((extensions, *("yes" if held else "" for held in holds), quality))
    columns = ("frames", "transparency", "16 bits", "colour profile", "recipe", "default quality")
    return _table(("format", *columns), *rows)


def filters() -> str:
    """Return a list of the filters, each with a link to its page."""
    rows = [(f"[`{x.filter.name}`]({x.filter.name}.md)", x.filter.summary) for x in first_party()]
    return _table(("filter", "what it does"), *rows)


def command_list() -> str:
    """Return a list of the commands, each with a link to its page."""
    rows = [
        (f"[`ganfilters {words}`]({page_of(words)})", command.get_short_help_str(200))
        for words, command in commands().items()
    ]
    return _table(("command", "what it does"), *rows)


def page_of(words: str) -> str:
    """Return the page of a command, with the anchor of a subcommand."""
    name, _, sub = words.partition(" ")
    return f"{name}.md" + (f"#ganfilters-{name}-{sub.replace(' ', '-')}" if sub else "")


def help(*words: str) -> str:
    """Return what ``--help`` of a command prints; of ganfilters itself without words."""
    with TemporaryDirectory() as folder, _configuration(folder):
        return _fence(_help(words), "text")


@contextmanager
def _configuration(folder: str) -> Iterator[None]:
    """Leave out the chains that whoever runs this has saved."""
    before = os.environ.get(CONFIG_DIR_VARIABLE)
    os.environ[CONFIG_DIR_VARIABLE] = folder
    try:
        yield
    finally:
        del os.environ[CONFIG_DIR_VARIABLE]
        if before is not None:
            os.environ[CONFIG_DIR_VARIABLE] = before


def _help(words: Sequence[str]) -> str:
    command: click.Command = command_line()
    context = _context(command)
    for word in words:
        assert isinstance(command, click.Group)  # noqa: S101
        child = command.get_command(context, word)
        if child is None:
            raise SystemExit(f"there is no command {' '.join(words)}")
        command = child
        settings = {**child.context_settings, "terminal_width": _WIDTH}
        context = click.Context(child, context, word, **settings)
    if isinstance(command, Root):
        command.list_commands(context)
        context.ensure_object(State).commands = None  # nor a word on those that were left out
    # A copy: click keeps the help option that the command had where it was first run.
    fresh = copy.copy(command)
    fresh._help_option = None
    return fresh.get_help(context)


def card(stem: str) -> str:
    """Return the card inside a model file, as tables."""
    model = model_files()[stem]
    found = model.card
    rows = [("fact", "value")]
    for name, value in found:
        if name in ("filter", "title", "description", "quality", "parity", "extra"):
            continue
        shown = ", ".join(value) if isinstance(value, tuple) else value
        if shown not in (None, ""):
            rows.append((name.replace("_", " "), _code(name, shown)))
    rows.append(("file", f"{model.path.stat().st_size / 1e6:.1f} MB"))
    rows.append(("sha256", f"`{model.verify()}`"))
    text = [f"**{found.title}**, for the filter [`{found.filter}`](../filters/{found.filter}.md)\n"]
    text += [found.description + "\n"] if found.description else []
    text.append(_table(*rows))
    if found.quality:
        measured = [(x.replace("_", " "), f"{y:.3g}") for x, y in found.quality.items()]
        text.append(_table(("measured quality", "value"), *measured))
    if found.parity:
        cases = [(x, f"{y:.1e}") for x, y in found.parity.measured.items()]
        head = (
            f"PyTorch against ONNX Runtime (at most {found.parity.tolerance:g})",
            "relative error",
        )
        text.append(_table(head, *cases))
    return "\n".join(text)


def _code(name: str, value: object) -> str:
    if isinstance(value, float):
        return f"{value:g} s" if name == "seconds" else f"{value:g}"
    return f"`{value}`" if name in ("command", "commit", "name") else str(value)


def models() -> str:
    """Return a list of the networks that ship here."""
    rows = [
        (f"[{stem}]({stem}.md)", model.card.title, model.card.licence)
        for stem, model in model_files().items()
    ]
    return _table(("network", "what it is", "licence"), *rows)


def checks() -> str:
    """Return the list of the conformance kit's checks."""
    rows = []
    for check in CHECKS:
        line = " ".join((check.__doc__ or "").split("\n\n")[0].split())
        name = getattr(check, "__name__", "").removeprefix("check_")
        rows.append((f"`{name}`", line.removeprefix("Check ")))
    return _table(("check", "what is checked"), *rows)


def errors() -> str:
    """Return the table of errors."""
    kinds: list[type[Exception]] = [GanfiltersError, *GanfiltersError.__subclasses__()]
    rows = [
        (f"`{kind.__name__}`", " ".join((kind.__doc__ or "").split()))
        for kind in kinds
        if kind.__module__ == GanfiltersError.__module__
    ]
    return _table(("error", "what it means"), *rows)


def devices() -> str:
    """Return the table of device names."""
    rows = [(f"`{x}`", provider_of(x)) for x in DEVICES if x != "auto"]
    return _table(("device", "ONNX Runtime execution provider"), *rows)


def file(path: str) -> str:
    """Return a file of the repository as a code block."""
    source = ROOT / path
    return _fence(source.read_text("utf-8"), _LANGUAGES.get(source.suffix, "text"))


def scaffold(name: str, path: str) -> str:
    """Return a file of what ``ganfilters new-plugin NAME`` writes, as a code block."""
    with TemporaryDirectory() as folder:
        target = Path(folder) / "made"
        done = CliRunner().invoke(command_line(), ["new-plugin", name, str(target)])
        if not target.is_dir():
            raise SystemExit(f"ganfilters new-plugin {name} wrote nothing: {done.output}")
        return _fence((target / path).read_text("utf-8"), _LANGUAGES[Path(path).suffix])


def examples() -> str:
    """Return the example plugins: what each is, and all of its code."""
    parts = []
    for project in sorted(EXAMPLES.glob("*/pyproject.toml")):
        about = tomllib.loads(project.read_text("utf-8"))["project"]
        parts.append(f"## {about['name']}\n\n{about['description']}.\n")
        for source in sorted(project.parent.rglob("*.py")):
            if not {"tests", "build", ".venv"} & set(source.relative_to(EXAMPLES).parts):
                path = source.relative_to(ROOT).as_posix()
                parts.append(f"`{path}`:\n\n{file(path)}")
    return "\n".join(parts)


def nav(kind: str) -> str:
    """Return the lines of the site's navigation for filters, commands or models."""
    if kind == "filters":
        names = [x.filter.name for x in first_party()]
    elif kind == "commands":
        names = sorted({words.partition(" ")[0] for words in commands()})
    else:
        names = sorted(model_files())
    return "".join(f'    {{ "{name}" = "{kind}/{name}.md" }},\n' for name in names)


PARTS: dict[str, Callable[..., str]] = {
    "card": card,
    "checks": checks,
    "commands": command_list,
    "devices": devices,
    "errors": errors,
    "examples": examples,
    "file": file,
    "filters": filters,
    "formats": formats,
    "help": help,
    "models": models,
    "nav": nav,
    "options": options,
    "parameters": parameters,
    "presets": presets,
    "scaffold": scaffold,
    "traits": traits,
}


def blocks(text: str) -> list[str]:
    """Return the words of each generated part in a page."""
    return [match["words"] for match in _BLOCK.finditer(text)]


def written_by_hand(text: str) -> str:
    """Return a page without its generated parts."""
    return _BLOCK.sub("", text)


def refreshed(text: str) -> str:
    """Return a page with its generated parts as they should be now."""

    def rewrite(match: re.Match[str]) -> str:
        part, *arguments = match["words"].split()
        if part not in PARTS:
            raise SystemExit(f"there is no generated part {part!r}; there are: {', '.join(PARTS)}")
        made = PARTS[part](*arguments)
        is_page = "<!--" in match["begin"]
        return f"{match['begin']}{chr(10) * is_page}{made}{chr(10) * is_page}{match['end']}"

    return _BLOCK.sub(rewrite, text)


def _block(words: str) -> str:
    return f"<!-- generated: {words} -->\n<!-- end of generated -->\n"


def _started() -> Iterator[tuple[Path, str]]:
    """Yield the pages of commands and models that do not exist, with what they start as."""
    groups: dict[str, list[str]] = {}
    for words in commands():
        groups.setdefault(words.partition(" ")[0], []).append(words)
    for name, members in groups.items():
        text = f"# ganfilters {name}\n\n{_block(f'help {name}')}"
        for words in members[1:]:
            text += f"\n## ganfilters {words}\n\n{_block(f'help {words}')}"
        if name in shared_options():
            text += f"\n## Options\n\n{_block(f'options {name}')}"
        yield DOCS / "commands" / f"{name}.md", text
    for stem in model_files():
        yield DOCS / "models" / f"{stem}.md", f"# {stem}\n\n{_block(f'card {stem}')}"


def wanted() -> dict[Path, str]:
    """Return every file that has generated parts, as it should be."""
    pages = {path: path.read_text("utf-8") for path in [SITE, *DOCS.rglob("*.md")]}
    for path, text in _started():
        pages.setdefault(path, text)
    return {path: refreshed(text) for path, text in sorted(pages.items()) if blocks(text)}


def stale() -> dict[Path, str]:
    """Return the files that are not as they should be, each with the difference."""
    found = {}
    for path, text in wanted().items():
        old = path.read_text("utf-8") if path.exists() else ""
        if old != text:
            name = path.relative_to(ROOT).as_posix()
            lines = difflib.unified_diff(
                old.splitlines(), text.splitlines(), name, f"{name} (generated)", lineterm="", n=1
            )
            found[path] = "\n".join(lines)
    return found


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if something is stale.")
def main(check: bool) -> None:
    """Write the generated parts of the documentation."""
    changed = stale()
    for path, difference in changed.items():
        if check:
            click.echo(difference)
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(wanted()[path], "utf-8")
            click.echo(path.relative_to(ROOT))
    if check and changed:
        click.echo("\nthe documentation is stale; run: python docs/generate.py")
        sys.exit(1)


if __name__ == "__main__":
    main()

"""What the documentation tells people to type works as it stands."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import click
import PIL.Image
import pytest

import ganfilters
import ganfilters.testing
from ganfilters import schema
from ganfilters.cli import command_line
from tests.docs import DOCS, PAGES, ROOT, code, generate, name_of, shell_commands

RUN = re.compile(r"^<!-- run -->\n```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
COMMANDS = sorted({line for page in PAGES for line in shell_commands(page.read_text("utf-8"))})
FILTERS = {entry.filter.name: entry.filter for entry in generate.first_party()}


def small(folder: Path, *names: str) -> None:
    """Put small photos into a folder."""
    photo = PIL.Image.open(ROOT / "examples" / "chelsea.jpg").resize((96, 64))
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        photo.save(folder / name)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if RUN.search(page.read_text("utf-8"))], ids=name_of
)
def test_python_that_is_marked_to_run_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(tmp_path, "photo.jpg")
    monkeypatch.chdir(tmp_path)
    text = page.read_text("utf-8")
    blocks = RUN.findall(text)
    assert len(blocks) == text.count("\n<!-- run -->\n")
    names: dict[str, object] = {}
    for block in blocks:
        line = text[: text.index(block)].count("\n")
        # The blocks of a page are one program; its errors point into the page.
        exec(compile("\n" * line + block, str(page), "exec"), names)  # noqa: S102


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_in_the_documentation_uses_public_names(page: Path) -> None:
    for block in code(page.read_text("utf-8"), "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module in (
                "ganfilters",
                "ganfilters.testing",
            ):
                home = ganfilters if node.module == "ganfilters" else ganfilters.testing
                assert {alias.name for alias in node.names} <= set(home.__all__)
            elif isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("ganfilters."), ast.unparse(node)


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_in_the_documentation_parse(line: str) -> None:
    words = shlex.split(line)[1:]
    if "--plugin" in words or words[0] == "run":
        pytest.skip("run by a test of its own")
    if words[0] == "apply" and words[1] not in FILTERS:
        pytest.skip("a filter of an example plugin, run by a test of its own")
    words = [word for word in words if word != "--help"]
    command: click.Command = command_line()
    context = click.Context(command, info_name="ganfilters", **command.context_settings)
    while isinstance(command, click.Group) and words:
        child = command.get_command(context, words[0])
        assert child is not None, f"there is no command {words[0]}"
        command, context = child, click.Context(child, context, words.pop(0))
    if not words:
        return
    # Files of an example need not exist.
    for param in command.params:
        if isinstance(param.type, click.Path):
            param.type.exists = False
    command.parse_args(context, words)
    if context.parent is not None and context.parent.info_name == "apply":
        given = {
            name: value
            for name, value in context.params.items()
            if name in ("preset", *FILTERS[command.name or ""].Params.model_fields)
            and value is not None
            and name not in ("model", "guide", "style_image", "latent", "save_latent")
        }
        schema.validate(FILTERS[command.name or ""].Params, given, flags=True)


def test_options_named_in_the_documentation_exist() -> None:
    known = {"--help", "-h"}
    for command in [command_line(), *generate.commands().values()]:
        known |= {word for param in command.params for word in [*param.opts, *param.secondary_opts]}
    for options in generate.shared_options().values():
        known |= {word for option in options for word in option.opts}
    for filter in FILTERS.values():
        for option in schema.options(filter.Params):
            known |= {*option.opts, *option.secondary_opts}
    foreign = {  # of pip, pytest, our scripts and other tools
        "--no-deps", "--no-build-isolation", "--strict", "--check", "--update", "--levels",
        "--name", "--no-name", "--new", "--depth", "--force-reinstall", "--nproc-per-node",
    }  # fmt: skip
    for page in PAGES:
        text = generate.written_by_hand(page.read_text("utf-8"))
        named = set(re.findall(r"(?<![\w<-])--[a-z][a-z-]*[a-z]", text))
        strange = named - known - foreign
        assert not strange, f"{name_of(page)} names options that do not exist: {strange}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{name_of(page)} links to {target}"


def test_pictures_are_light_and_used() -> None:
    text = "".join(page.read_text("utf-8") for page in PAGES)
    for picture in (DOCS / "images").iterdir():
        assert picture.name in text, f"no page shows {picture.name}"
        assert picture.stat().st_size < 300_000, f"{picture.name} is over 300 kB"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: Path) -> Path:
    """A folder with the pictures that the documentation speaks of, as the current one."""
    monkeypatch.chdir(tmp_path)
    small(tmp_path, "photo.jpg", "other.jpg", "photos/one.jpg", "photos/more/two.jpg")
    half = PIL.Image.new("L", (96, 64))
    half.paste(255, (0, 0, 96, 32))
    half.save("sky.png")
    half.save("object.png")
    return tmp_path


def run(*lines: str) -> None:
    """Run commands, with what takes long made shorter."""
    shorter = {
        "768x512": "96x64 --iterations 1",
        "--zoom-frames 60": "--zoom-frames 2 --iterations 1",
        "presets.png": "presets.png --value eyes --value strokes --iterations 1",
        "photos/ dreams/": "photos/ dreams/ --octaves 1",
    }
    for line in lines:
        text = line
        for word, quick in shorter.items():
            text = text.replace(word, quick)
        code = command_line().main(shlex.split(text)[1:], standalone_mode=False)
        assert code == 0, line


def test_the_tour_works_as_pasted(desk: Path) -> None:
    run(*shell_commands((DOCS / "index.md").read_text("utf-8")))
    assert (desk / "eyes.jpg").exists()
    assert (desk / "again.png").exists()


def test_the_readme_works_as_pasted(desk: Path) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    (block,) = [
        text for text in code(text, "sh") if "ganfilters list " in text and "--mask" in text
    ]
    run(*shell_commands(f"```sh\n{block}```\n"))
    assert (desk / "dreams" / "more" / "two.jpg").exists()


def test_recipes_work_as_pasted(desk: Path) -> None:
    run(*shell_commands((DOCS / "recipes.md").read_text("utf-8")))
    assert (desk / "again.png").exists()


def test_chains_work_as_pasted(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (DOCS / "chains.md").read_text("utf-8")
    (chain,) = code(text, "toml")
    (desk / "look.toml").write_text(chain)
    run(*shell_commands(text))
    assert (desk / "dusk.png").exists()
    assert "A deep dream of the sky" in capsys.readouterr().out
    loaded = ganfilters.Chain.load(desk / "look.toml")
    assert loaded.title == "Dusk"

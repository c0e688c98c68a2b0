"""``ganfilters new-plugin``."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganfilters.cli._state import State, pass_state
from ganfilters.errors import ModelError, UsageError

if TYPE_CHECKING:
    from ganfilters.scaffold.names import Names
    from ganfilters.scaffold.probe import Network

__all__ = ["command"]

# As in ganfilters.scaffold.ranges, which imports numpy; a test compares them.
_RANGES = ("0..1", "0..255", "-1..1", "imagenet")
_LARGE = 100 * 10**6


@click.command("new-plugin")
@click.argument("name")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--onnx",
    "model",
    metavar="MODEL.onnx",
    type=click.Path(path_type=Path),
    help="Wire the filter to this model, which is copied into the package.",
)
@click.option(
    "--range",
    "given",
    type=click.Choice(_RANGES),
    help="Values that the model takes; guessed by running it if left out.",
)
@click.option(
    "--output-range",
    "made",
    type=click.Choice(_RANGES[:3]),
    help="Values that the model makes; guessed as well, or as --range says.",
)
@click.option("--summary", metavar="TEXT", help="One line on what the filter does.")
@click.option("--author", metavar="TEXT", help="Author named in the package.")
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
@pass_state
def command(
    state: State,
    name: str,
    folder: Path | None,
    model: Path | None,
    given: str | None,
    made: str | None,
    summary: str | None,
    author: str | None,
    overwrite: bool,
) -> None:
    """Write a package with one filter, ready to install and to publish.

    NAME is the filter's; the package is ganfilters-NAME, in a folder of that name or in DIR.
    What comes works, has tests that pass, and is yours to change.
    """
    from ganfilters.cli import COMMANDS
    from ganfilters.scaffold.names import check_text, names_for
    from ganfilters.scaffold.render import check_folder, render, write

    if model is None and (given or made):
        raise UsageError("--range and --output-range are about a model; give one with --onnx")
    names = names_for(name, state.registry, set(COMMANDS))
    target = folder or Path(names.distribution)
    check_folder(target)
    by = check_text(author, "--author") if author is not None else f"The {name} authors"
    does = "Reduces each colour to a few levels" if model is None else f"Runs the model of {name}"
    does = check_text(summary, "--summary") if summary is not None else does
    if model is None:
        files: dict[str, bytes | Path] = {**render(names, summary=does, author=by)}
        write(target, files, overwrite=overwrite)
    else:
        _with_model(names, target, model, given, made, (does, by), overwrite=overwrite)
    click.echo(f"wrote {target}; next:")
    for line in _next(target):
        click.echo(f"  {line}")


def _with_model(
    names: Names,
    target: Path,
    model: Path,
    given: str | None,
    made: str | None,
    told: tuple[str, str],
    *,
    overwrite: bool,
) -> None:
    """Find out about the model, say it, and write the plugin."""
    import shutil
    import tempfile

    from ganfilters.scaffold.render import render, write
    from ganfilters.scaffold.trials import investigate
    from ganfilters.scaffold.wiring import report, template_values

    if not model.is_file():
        raise UsageError(f"there is no model file {model}")
    with tempfile.TemporaryDirectory() as place:
        # The copy is what is tried, so that a model that keeps its weights in files beside it is
        # found out here and not by those who install the package.
        copy = Path(place) / model.name
        shutil.copyfile(model, copy)
        network = _opened(copy, model, names.name)
        findings = investigate(network, given, made)
        sha256 = hashlib.sha256(copy.read_bytes()).hexdigest()
        shown = "".join(c for c in model.name if c.isprintable() and c not in '"\\`|')
        values = template_values(findings, model_name=shown, sha256=sha256)
        summary, author = told
        files = render(names, summary=summary, author=author, model=values)
        path = f"src/{names.module}/model.onnx"
        write(target, {**files, path: copy}, overwrite=overwrite)
    click.echo(f"read from {model}:")
    rows = list(report(findings))
    if model.stat().st_size > _LARGE:
        rows.append(("note", f"{model.stat().st_size // 10**6} MB; package indexes take about 100"))
    width = max(len(what) for what, _ in rows)
    for what, found in rows:
        click.echo(f"  {what:<{width}}  {found}")


def _opened(copy: Path, model: Path, name: str) -> Network:
    """Open the copy of a model, which must not need files beside the original."""
    from ganfilters.models import ModelFile
    from ganfilters.runtime import Runtime
    from ganfilters.scaffold.probe import open_network

    try:
        return open_network(copy, name, model)
    except ModelError:
        Runtime("cpu").session(ModelFile(model))  # tells what is wrong with the original
    raise UsageError(
        f"{model} keeps its weights in files beside it; save it as one file: "
        "onnx.save(onnx.load(path), other_path)"
    )


def _next(target: Path) -> Iterator[str]:
    """Yield the commands that lead on to `ganfilters list`."""
    installed = f"./{target}" if len(target.parts) == 1 else str(target)
    yield f'pip install -e "{installed}[test]"'
    yield f"pytest {shlex.quote(str(target))}"
    yield "ganfilters list"

"""Distributions as pip leaves them behind: a module, and a .dist-info folder with entry points."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path

FILTER = """
from pydantic import Field
from ganfilters import Filter, Image, Params, hookimpl

class InvertParams(Params):
    amount: float = Field(1.0, ge=0, le=1, description="How much")

class Invert(Filter[InvertParams]):
    name = "{name}"
    summary = "Inverts"
    Params = InvertParams

    def apply(self, image, params):
        return image.replace(pixels=1 - image.pixels)

@hookimpl
def ganfilters_filters():
    return [Invert]
"""

COMMAND = """
import click
from ganfilters import hookimpl

@hookimpl
def ganfilters_commands(cli):
    @cli.command("{name}", help="Say {name}.")
    def command():
        click.echo("{name}")
"""

_numbers = itertools.count()


class Site:
    """A folder of installed distributions."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder

    def add(
        self,
        plugin: str,
        text: str | None = None,
        *,
        distribution: str | None = None,
        groups: Iterable[str] = ("ganfilters",),
    ) -> str:
        """Install a plugin; return the name of its module, which nothing else has imported.

        Without `text` it is a filter of the plugin's name, in a distribution of that name.
        """
        module = f"{plugin.replace('-', '_')}_{next(_numbers)}"
        text = FILTER.format(name=plugin) if text is None else text
        (self.folder / f"{module}.py").write_text(text)
        name = distribution or plugin
        folder = self.folder / f"{name.replace('-', '_')}-1.0.dist-info"
        folder.mkdir(exist_ok=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        with (folder / "entry_points.txt").open("a") as file:
            for group in groups:
                file.write(f"[{group}]\n{plugin} = {module}\n")
        return module

"""Types of options, and options that several commands take."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

__all__ = [
    "EXISTING", "FILE", "FOLDER", "POSITIVE", "TARGET", "Number", "attribution_option",
    "overwrite_option",
]  # fmt: skip

EXISTING = click.Path(exists=True, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
TARGET = click.Path(dir_okay=False, path_type=Path)
POSITIVE = click.IntRange(min=1)

attribution_option = click.option(
    "--attribution", default="", help="Whom the data's licence asks to name."
)
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace an existing file.")


class Number(click.FloatRange):
    """A range of numbers that NaN and infinity are not in."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number, or fail."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not finite.", param, ctx)
        return number

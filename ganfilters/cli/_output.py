"""Tables, and the progress bar. rich is imported only where a terminal shows it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import click

__all__ = ["ProgressBar", "size_text", "table"]


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: fitted to a terminal, or one row a line in a pipe, for grep and cut."""
    cells = [[str(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _rich_table(headers, cells)
        return
    widths = [max(map(len, column)) for column in zip(headers, *cells, strict=True)]
    for row in (headers, *cells):
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def _rich_table(headers: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for header in headers:
        shown.add_column(header, overflow="fold")
    for row in cells:
        # Text, because square brackets in a summary are no markup.
        shown.add_row(*(Text(cell) for cell in row))
    Console().print(shown)


def size_text(count: int) -> str:
    """Return a number of bytes for people.

    Examples
    --------
    >>> size_text(12_400_000)
    '12.4 MB'
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} bytes"


class ProgressBar:
    """A bar on standard error if that is a terminal; otherwise nothing.

    Parameters
    ----------
    count
        Pictures to come.
    quiet
        Show nothing.
    """

    def __init__(self, count: int, *, quiet: bool = False) -> None:
        self._count = count
        self._shown = not quiet and sys.stderr.isatty()
        self._bar: Any = None
        self._task: Any = None
        self._index = 0
        self._label = ""

    def __enter__(self) -> ProgressBar:
        if self._shown:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
            from rich.progress import TimeRemainingColumn as Remaining

            # Results and pictures go to standard output while the bar is up: rich must not
            # take the streams over.
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TaskProgressColumn(),
                Remaining(),
                TextColumn("{task.fields[note]}", markup=False),
                console=Console(stderr=True),
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._task = self._bar.add_task("", total=1.0, note="")
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, index: int, label: str) -> None:
        """Say which picture comes next."""
        self._index = index
        self._label = f"{label} ({index + 1} of {self._count})" if self._count > 1 else label
        self.update(0.0, "")

    def update(self, fraction: float, note: str) -> None:
        """Show how far the current picture is; an ``on_progress`` callback."""
        if self._bar is not None:
            done = (self._index + fraction) / self._count
            self._bar.update(self._task, completed=done, description=self._label, note=note)

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Take the bar away while something else is printed."""
        if self._bar is not None:
            self._bar.stop()
        yield
        if self._bar is not None:
            self._bar.start()

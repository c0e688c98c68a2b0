"""What the commands of one run share, and how they speak to people and programs."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ganfilters.host import Host
    from ganfilters.registry import Choice, Commands, Registry

__all__ = ["State", "as_typed", "error_record", "one_line", "pass_state", "print_json"]

# In messages of the host, which Python's callers get too. Those of filters have their own way,
# `ganfilters.schema.renamed`.
_HOSTS_OWN = re.compile(r"`(device|max_pixels|overwrite)(?:=([^`]*))?`")
_QUOTES = "'\""


@dataclass
class State:
    """Options of the root command, and what is made once from them.

    Attributes
    ----------
    debug
        Show tracebacks.
    json
        Errors are printed as JSON too.
    stdout_is_picture
        Standard output carries a picture, so nothing else may be written there.
    plugin_files
        Python files named with ``--plugin``.
    safe_mode
        First-party plugins only.
    commands
        What plugins have added to the command line; None before they are asked.
    """

    debug: bool = False
    json: bool = False
    stdout_is_picture: bool = False
    plugin_files: tuple[Path, ...] = ()
    safe_mode: bool = False
    commands: Commands | None = None

    @cached_property
    def choice(self) -> Choice:
        """Which plugins load. What is wrong with the user's settings is told, not raised."""
        from ganfilters.registry import Choice

        return Choice.make(self.plugin_files, safe_mode=self.safe_mode)

    @property
    def registry(self) -> Registry:
        """The installed filters and those in plugin files.

        Raises
        ------
        UsageError
            Something is wrong with what the user has set about plugins.
        """
        self.choice.check()
        return self.any_registry

    @cached_property
    def any_registry(self) -> Registry:
        """The same for commands that must work whatever the user has set."""
        from ganfilters.registry import Registry

        return Registry.of(self.choice, self.plugin_files, notify=self.note)

    def host(
        self, device: str, *, threads: int | None = None, max_pixels: int | None = None
    ) -> Host:
        """Return a host whose device has started.

        Raises
        ------
        DeviceError
            The device does not exist or does not start.
        """
        import logging

        from ganfilters.host import Host
        from ganfilters.limits import MAX_PIXELS

        if not self.debug:
            # Libraries log what they repair in odd files; that is not for people.
            logging.getLogger().addHandler(logging.NullHandler())
        host = Host(
            device,
            threads=threads,
            registry=self.registry,
            max_pixels=MAX_PIXELS if max_pixels is None else max_pixels,
        )
        _ = host.device
        return host

    def emit(self, record: Any) -> None:
        """Print one line of JSON, on standard error if a picture goes to standard output."""
        print_json(record, err=self.stdout_is_picture)

    def note(self, message: str) -> None:
        """Tell people on standard error what takes so long."""
        if not (self.json and self.stdout_is_picture):
            click.echo(f"ganfilters: {message}", err=True)

    def warn(self, message: str) -> None:
        """Warn people on standard error."""
        self.note(f"warning: {message}")

    def complain(self, message: str, *, record: Any = None) -> None:
        """Print an error for people on standard error and, with ``--json``, for programs too."""
        if not (self.json and self.stdout_is_picture):
            click.echo(f"ganfilters: error: {message}", err=True)
        if self.json and record is not None:
            self.emit(record)


pass_state = click.make_pass_decorator(State)


def one_line(error: BaseException) -> str:
    """Return the message of an error on one line, as the command line says it."""
    return as_typed(" ".join(str(error).split()))


def as_typed(text: str) -> str:
    """Return a message that calls the host's own parameters as they are typed here.

    Examples
    --------
    >>> as_typed("replace it with `overwrite=True`, or use `device='cpu'`")
    'replace it with --overwrite, or use --device cpu'
    """
    return _HOSTS_OWN.sub(_option, text)


def _option(match: re.Match[str]) -> str:
    flag, value = "--" + match[1].replace("_", "-"), match[2]
    return flag if value in (None, "True") else f"{flag} {value.strip(_QUOTES)}"


def error_record(error: BaseException) -> dict[str, str]:
    """Return an error as ``--json`` shows it."""
    return {"type": type(error).__name__, "message": one_line(error)}


def print_json(record: Any, *, indent: int | None = None, err: bool = False) -> None:
    """Print a value as JSON, at once, so that a reader of the pipe can follow."""
    stream = sys.stderr if err else sys.stdout
    stream.write(json.dumps(record, indent=indent) + "\n")
    stream.flush()

"""The ``ganfilters`` command.

Exit codes: 0 done; 1 some inputs of several failed, or a check did not pass; 2 bad use or bad
input, and nothing was made; 130 interrupted. A reader that closes the pipe ends the command with
141, as the shell reports it for other tools.

This module imports click and nothing else of weight. A command's module is imported when the
command is run, and the table below stands in for it in ``ganfilters --help``.
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from ganfilters._version import __version__
from ganfilters.cli._state import State, error_record, one_line
from ganfilters.errors import GanfiltersError, UsageError, nearest

__all__ = ["COMMANDS", "Root", "command_line", "main"]

COMMANDS = {
    "apply": ("apply", "Apply a filter to pictures."),
    "check-plugin": ("check_plugin", "Check that a filter keeps the promises of its contract."),
    "doctor": ("doctor", "Check devices and libraries, and say how to fix them."),
    "list": ("list_", "List the filters."),
    "plugins": ("plugins", "Show which plugins loaded, and why others did not."),
    "replay": ("replay", "Make a picture again from the recipe inside it."),
    "show": ("show", "Describe a filter: parameters, needs, models."),
}
"""Command name to module in this package and short help; a test compares it with the command's."""

EXIT_PARTLY, EXIT_BAD, EXIT_INTERRUPTED, EXIT_PIPE = 1, 2, 130, 141

_HELP = """Neural image filters: DeepDream, style transfer, inpainting, generation.

\b
  ganfilters list                          which filters there are
  ganfilters apply dream in.png out.png    apply one
  ganfilters apply dream --help            its parameters

Exit codes: 0 done, 1 some inputs failed, 2 bad use or bad input.
"""


class Root(click.Group):
    """The root command: commands are imported when used, and errors are one line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._loaded = False

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names, plugins' commands included."""
        self._load_commands(ctx)
        return sorted({*COMMANDS, *self.commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; the host's own win over a plugin's of the same name."""
        if cmd_name in COMMANDS:
            module = import_module(f"ganfilters.cli.{COMMANDS[cmd_name][0]}")
            command: click.Command = module.command
            return command
        self._load_commands(ctx)
        return self.commands.get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name the nearest."""
        name = args[0]
        if self.get_command(ctx, name) is None:
            state = ctx.ensure_object(State)
            if name in state.registry.names():
                raise UsageError(f"{name} is a filter; write: ganfilters apply {name} ...")
            hint = nearest(name, self.list_commands(ctx), what="commands")
            raise UsageError(f"there is no command {name!r}; {hint}{_broken(state)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the host's commands from the table, without importing them."""
        extra = [name for name in self.list_commands(ctx) if name not in COMMANDS]
        width = max(map(len, [*COMMANDS, *extra]))
        with formatter.section("Commands"):
            formatter.write_dl([(name.ljust(width), text) for name, (_, text) in COMMANDS.items()])
        if extra:
            limit = formatter.width - width - 6
            rows = [(n.ljust(width), self.commands[n].get_short_help_str(limit)) for n in extra]
            with formatter.section("Commands of plugins"):
                formatter.write_dl(rows)
        note = _broken(ctx.ensure_object(State))
        if note:
            formatter.write_paragraph()
            formatter.write_text(note.lstrip("; "))

    def _load_commands(self, ctx: click.Context) -> None:
        if self._loaded:
            return
        self._loaded = True
        from ganfilters.registry import load_commands

        state = ctx.ensure_object(State)
        state.command_errors = load_commands(self, state.plugin_files)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Parse the command line; ``--help`` prints from here."""
        with _pipe():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _pipe():
            return super().invoke(ctx)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line; return the exit code, or exit with it in standalone mode."""
        words = sys.argv[1:] if args is None else list(args)
        options = words[: words.index("--")] if "--" in words else words
        state = State(json="--json" in options)
        try:
            result = super().main(
                args=args,
                prog_name=prog_name or "ganfilters",
                complete_var=complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                obj=state,
                **extra,
            )
            code = result if isinstance(result, int) else 0
            sys.stdout.flush()
        except (_PipeClosed, BrokenPipeError):
            code = _close_pipe()
        except Exception as error:  # noqa: BLE001 - the last resort of the command line
            code = _report(error, state)
        if standalone_mode:
            sys.exit(code)
        return code


class _PipeClosed(Exception):  # noqa: N818 - no error
    """The reader of a pipe has gone."""


@contextmanager
def _pipe() -> Iterator[None]:
    """Rename `BrokenPipeError`, for which click would end the process with exit code 1."""
    try:
        yield
    except BrokenPipeError as error:
        raise _PipeClosed from error


def _report(error: Exception, state: State) -> int:
    """Print one line about an error and return the exit code."""
    if state.debug:
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    if isinstance(error, click.Abort):
        click.echo("ganfilters: interrupted", err=True)
        return EXIT_INTERRUPTED
    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):
        click.echo(error.format_message(), err=True)  # type: ignore[attr-defined]
        return EXIT_BAD
    if isinstance(error, GanfiltersError):
        message = one_line(error)
    elif isinstance(error, click.ClickException):
        message = _click_message(error)
    elif isinstance(error, OSError):
        message = f"standard output was not written: {error.strerror or one_line(error)}"
    elif isinstance(error, MemoryError):
        message = "out of memory; a smaller picture may fit"
    else:
        message = f"{type(error).__name__}: {one_line(error)}".rstrip(": ")
        if not state.debug:
            message += "; this is a defect, `ganfilters --debug ...` shows where"
    record = {**error_record(error), "message": message}
    state.complain(message, record={"error": record, "exit_code": EXIT_BAD})
    return EXIT_BAD


def _click_message(error: click.ClickException) -> str:
    """Return a click error in one line, with where to read on."""
    message = " ".join(error.format_message().split())
    ctx = getattr(error, "ctx", None)
    if ctx is None:
        return message.rstrip(".")
    path = ctx.command_path
    if isinstance(error, click.NoSuchOption):
        name = error.option_name
        flags = [word for param in ctx.command.get_params(ctx) for word in _flags(param)]
        if any(name in _flags(param) for param in ctx.find_root().command.params):
            return f"{name} goes before the command: ganfilters {name} ..."
        from ganfilters.schema import nearest_flag  # pydantic, which only errors may cost

        close = nearest_flag(name, flags)
        hint = close if close.startswith("did you mean") else f"see `{path} --help`"
        if isinstance(ctx.command, click.Group) and ctx.parent is not None:
            hint = f"options of a filter go after its name, see `{path} --help`"
        return f"there is no option {name}; {hint}"
    return f"{message.rstrip('.')}; see `{path} --help`"


def _flags(param: click.Parameter) -> list[str]:
    return [*param.opts, *param.secondary_opts] if isinstance(param, click.Option) else []


def _broken(state: State) -> str:
    count = len(state.command_errors)
    if not count:
        return ""
    what = "one plugin" if count == 1 else f"{count} plugins"
    return f"; {what} could not add commands, `ganfilters plugins` says why"


def _close_pipe() -> int:
    """Let the interpreter shut down without a second error from flushing the closed pipe."""
    try:
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, sys.stdout.fileno())
        os.close(sink)
    except (OSError, ValueError):  # no real stream, as in tests
        pass
    return EXIT_PIPE


def _set_debug(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    ctx.ensure_object(State).debug = value


def _set_plugins(ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]) -> None:
    ctx.ensure_object(State).plugin_files = tuple(Path(name) for name in value)


def command_line() -> Root:
    """Return the command line as a fresh click group, for a run, a test, or the documentation."""
    return Root(
        name="ganfilters",
        help=_HELP,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        callback=lambda: None,
        params=[
            click.Option(
                ["--plugin"],
                metavar="FILE.py",
                multiple=True,
                type=click.Path(),
                is_eager=True,
                expose_value=False,
                callback=_set_plugins,
                help="Load a plugin from a file too; may be given several times.",
            ),
            click.Option(
                ["--debug"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_set_debug,
                help="Show a traceback with errors, and Python warnings.",
            ),
            _version_option(),
        ],
    )


def _version_option() -> click.Option:
    def show(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            click.echo(f"ganfilters {__version__}")
            ctx.exit()

    return click.Option(
        ["--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=show,
        help="Show the version and exit.",
    )


def main() -> int:
    """Run the command line of this process; the entry point of the ``ganfilters`` script."""
    if not sys.warnoptions and "--debug" not in sys.argv:
        warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        # A name that a terminal cannot show is shown escaped; it must not end the command.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    code: int = command_line().main(standalone_mode=False)
    return code

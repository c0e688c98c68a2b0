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
from contextlib import contextmanager, suppress
from importlib import import_module
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganfilters._version import __version__
from ganfilters.cli._state import State, error_record, one_line
from ganfilters.errors import GanfiltersError, PluginError, UsageError, nearest

if TYPE_CHECKING:
    from ganfilters.registry import Commands

__all__ = ["COMMANDS", "Root", "command_line", "main"]

COMMANDS = {
    "apply": ("apply", "Apply a filter to pictures."),
    "chain": ("chain", "Save chains of filters under a name, and show them."),
    "check-plugin": ("check_plugin", "Check that a filter keeps the promises of its contract."),
    "doctor": ("doctor", "Check devices and libraries, and say how to fix them."),
    "list": ("list_", "List the filters."),
    "new-plugin": (
        "new_plugin",
        "Write a package with one filter, ready to install and to publish.",
    ),
    "plugins": ("plugins", "Show which plugins loaded, and why others did not."),
    "replay": ("replay", "Make a picture again from the recipe inside it."),
    "run": ("run", "Apply several filters one after the other."),
    "sheet": ("sheet", "Make a contact sheet of a filter's choices."),
    "show": ("show", "Describe a filter: parameters, needs, models."),
}
"""Command name to module in this package and short help; a test compares it with the command's."""

EXIT_PARTLY, EXIT_BAD, EXIT_INTERRUPTED, EXIT_PIPE = 1, 2, 130, 141

_EARLY = ("--plugin", "--safe-mode")
"""Options of the root command that are looked for behind the command too."""

_DEBUG_HINT = "; `ganfilters --debug ...` shows where"

_TOLD = (GanfiltersError, click.ClickException, click.Abort, click.exceptions.Exit)
"""What a command raises to say something, and not by a defect."""

_HELP = """Neural image filters: DeepDream, style transfer, inpainting, generation.

\b
  ganfilters list                          which filters there are
  ganfilters apply dream in.png out.png    apply one
  ganfilters apply dream --help            its parameters

The environment variable GANFILTERS_PLUGINS=a,b loads these plugins only, by the names that
`ganfilters plugins` shows; `ganfilters plugins --help` says more.

Exit codes: 0 done, 1 some inputs failed, 2 bad use or bad input.
"""


class Root(click.Group):
    """The root command: commands are imported when used, and errors are one line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._of_plugins: Commands | None = None

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names, plugins' commands included."""
        self._plugins(ctx).load_all()
        return sorted({*COMMANDS, *self.commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; the host's own win over a plugin's of the same name."""
        if cmd_name in COMMANDS:
            module = import_module(f"ganfilters.cli.{COMMANDS[cmd_name][0]}")
            command: click.Command = module.command
            return command
        return self._plugins(ctx).find(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name the nearest."""
        name = args[0]
        missing = self.get_command(ctx, name) is None
        if (missing or name in COMMANDS) and not ctx.resilient_parsing:
            _check_place(name, args[1:])
        if missing:
            state = ctx.ensure_object(State)
            if name in state.any_registry.names():
                raise UsageError(f"{name} is a filter; write: ganfilters apply {name} ...")
            hint = nearest(name, self.list_commands(ctx), what="commands")
            raise UsageError(f"there is no command {name!r}; {hint}{_without(state)}")
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
        state = ctx.ensure_object(State)
        for note in (_without(state).lstrip("; "), state.choice.problem):
            if note:
                formatter.write_paragraph()
                formatter.write_text(note)

    def _plugins(self, ctx: click.Context) -> Commands:
        """Return the commands of plugins; they join those of this group as they are loaded."""
        state = ctx.ensure_object(State)
        if state.commands is None:
            from ganfilters.registry import Commands

            if self._of_plugins is not None:  # of another run, whose plugins may be others
                self._of_plugins.remove()
            self._of_plugins = state.commands = Commands(
                self, state.choice, state.plugin_files, reserved=COMMANDS, notify=state.note
            )
        return state.commands

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
        """Run the command; an error of a plugin's command names the plugin."""
        with _pipe():
            try:
                return super().invoke(ctx)
            except (*_TOLD, BrokenPipeError, MemoryError):
                raise
            except Exception as error:
                state = ctx.ensure_object(State)
                commands = state.commands
                owner = commands.owners.get(str(ctx.invoked_subcommand)) if commands else None
                if owner is None:
                    raise
                text = f"{type(error).__name__}: {one_line(error)}".rstrip(": ")
                raise PluginError(
                    f"the command {ctx.invoked_subcommand} of plugin {owner.name} "
                    f"({owner.distribution}) failed: {text}{'' if state.debug else _DEBUG_HINT}"
                ) from error

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
    elif isinstance(error, OSError) and error.filename is not None:
        message = f"{os.fsdecode(error.filename)}: {error.strerror or one_line(error)}"
    elif isinstance(error, OSError) and error.errno is not None:
        # What concerns a file has its name; without one it is a stream that is open already.
        message = f"standard output was not written: {error.strerror}"
    elif isinstance(error, MemoryError):
        message = "out of memory; a smaller picture may fit"
    else:
        message = f"{type(error).__name__}: {one_line(error)}".rstrip(": ")
        if not state.debug:
            message += f"; this is a defect{_DEBUG_HINT.replace(';', ',')}"
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
        hint = _listed(ctx, name) or (
            close if close.startswith("did you mean") else _elsewhere(ctx, name)
        )
        if isinstance(ctx.command, click.Group) and ctx.parent is not None:
            hint = f"options of a filter go after its name, see `{path} --help`"
        return f"there is no option {name}; {hint}"
    return f"{message.rstrip('.')}; see `{path} --help`"


def _listed(ctx: click.Context, name: str) -> str:
    """Return which command lists a filter's styles, classes and so on, if that is asked for."""
    from ganfilters.cli._filtering import FilterCommand

    if name.startswith("--list") and isinstance(ctx.command, FilterCommand):
        return f"`ganfilters show {ctx.command.name}` lists the values that are known"
    return ""


def _elsewhere(ctx: click.Context, name: str) -> str:
    """Return where to read on about an option; another filter may have it."""
    from ganfilters.cli._filtering import FilterCommand
    from ganfilters.schema import flag, parameters

    if isinstance(ctx.command, FilterCommand):
        for entry in ctx.ensure_object(State).registry.entries():
            if name in (flag(declared.name) for declared in parameters(entry.filter.Params)):
                other = entry.filter.name
                return f"{other} has one, see `ganfilters apply {other} --help`"
    return f"see `{ctx.command_path} --help`"


def _flags(param: click.Parameter) -> list[str]:
    return [*param.opts, *param.secondary_opts] if isinstance(param, click.Option) else []


def _check_place(command: str, words: Sequence[str]) -> None:
    """Refuse options of the root command that come too late; no filter has one of their names.

    click would miss the filter or command in the plugin file first, and say so.
    """
    for word, following in zip_longest(words, words[1:], fillvalue="FILE.py"):
        name, equals, _ = word.partition("=")
        if word == "--":
            return
        if name in _EARLY:
            given = f"{word} {following}" if name == "--plugin" and not equals else word
            raise UsageError(f"{name} goes before the command: ganfilters {given} {command} ...")


def _without(state: State) -> str:
    """Return a half sentence on plugins that have not added their commands."""
    if state.commands is None:
        return ""
    broken = len({error.plugin for error in state.commands.errors})
    left = len(state.commands.left_out)
    parts = []
    if broken:
        parts.append(f"{broken} could not add commands")
    if left:
        parts.append(f"{left} left out")
    return f"; plugins: {', '.join(parts)}; `ganfilters plugins` says why" if parts else ""


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


def _set_safe_mode(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    ctx.ensure_object(State).safe_mode = value


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
                ["--safe-mode"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_set_safe_mode,
                help="Load the plugins that ship with ganfilters and no others, whatever is set.",
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
    _leave_hanging_imports(code)
    return code


def _leave_hanging_imports(code: int) -> None:
    """End the process if a plugin's import hangs; Python would wait for threads it has started."""
    registry = sys.modules.get("ganfilters.registry")
    if registry is None or not registry.any_import_runs():
        return
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)

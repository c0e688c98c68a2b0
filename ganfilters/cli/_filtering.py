"""Running a filter from the command line: what ``apply`` and ``run`` share."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganfilters import schema
from ganfilters.cli._options import common_options
from ganfilters.cli._output import ProgressBar
from ganfilters.cli._state import State, error_record, one_line
from ganfilters.errors import DeviceError, GanfiltersError, ModelError, UsageError
from ganfilters.limits import FEATHER_MAX

if TYPE_CHECKING:
    from ganfilters import Host, Params, Prepared
    from ganfilters.chains import Chain
    from ganfilters.cli._plan import Output, Plan
    from ganfilters.cli._work import Result, Work
    from ganfilters.registry import Entry

__all__ = [
    "PATHS",
    "FilterCommand",
    "execute",
    "filter_command",
    "given_params",
    "paths_argument",
    "prepare",
    "typed",
]

PATHS = {"required": "INPUT OUTPUT", "optional": "[INPUT] OUTPUT", "none": "OUTPUT"}
"""Which pictures a filter's command line names, by ``traits.input``."""
_PATHS_HELP = {
    "required": "INPUT and OUTPUT are files, or - for standard input and output; or two folders; "
    "or give several inputs and --out-dir.",
    "optional": "INPUT and OUTPUT are files, or - for standard input and output; or two folders; "
    "or give several inputs and --out-dir. OUTPUT alone makes a picture from nothing.",
    "none": "OUTPUT is a file, or - for standard output.",
}


class FilterCommand(click.Command):
    """One filter; its help shows the filter's own parameters first."""

    own: frozenset[str] = frozenset()

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; an error of the parser learns which command's help to point at."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write two lists of options: the filter's, and those that all filters have."""
        groups: dict[str, list[tuple[str, str]]] = {"Parameters": [], "Options": []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                groups["Parameters" if param.name in self.own else "Options"].append(record)
        for title, rows in groups.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def filter_command(
    entry: Entry,
    callback: Callable[[click.Context, dict[str, Any]], int],
    *,
    extra: Sequence[click.Parameter] = (),
) -> FilterCommand:
    """Return the command that runs a filter or a chain: its parameters, and those of all.

    Parameters
    ----------
    entry
        The filter.
    callback
        Given context and options, returns the exit code.
    extra
        Further options.
    """
    own = schema.options(entry.filter.Params)
    takes = entry.filter.traits.input
    made = FilterCommand(
        name=entry.filter.name,
        help=f"{entry.filter.summary}\n\n{_PATHS_HELP[takes]}",
        short_help=entry.filter.summary,
        params=[paths_argument(takes), *own, *common_options(), *extra],
        options_metavar="[OPTIONS]",
        callback=click.pass_context(lambda ctx, **given: callback(ctx, given)),
    )
    made.own = frozenset(str(option.name) for option in own)
    return made


def paths_argument(takes: str) -> click.Argument:
    """Return the argument for the pictures of a filter whose ``traits.input`` is `takes`."""
    return click.Argument(["paths"], nargs=-1, type=click.Path(), metavar=PATHS[takes])


def typed(ctx: click.Context, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a filter's own parameters that the user has written."""
    return {
        name: given[name]
        for name in getattr(ctx.command, "own", ())
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    }


def execute(
    ctx: click.Context, entry: Entry, given: Mapping[str, Any], chain: Chain | None = None
) -> int:
    """Run a filter on the pictures of a command line; return the exit code.

    Parameters
    ----------
    ctx
        Of a command that `filter_command` made.
    entry
        The filter.
    given
        The command's options.
    chain
        What the filter was made from, if it has no name that the host knows.
    """
    from ganfilters.cli._plan import STREAM, plan
    from ganfilters.cli._work import Work

    state = ctx.ensure_object(State)
    _check_numbers(given)
    traits = entry.filter.traits
    todo = plan(
        given["paths"],
        takes=traits.input,
        out_dir=given["out_dir"],
        recursive=given["recursive"],
        format=given["format"],
        overwrite=given["overwrite"],
        skip_existing=given["skip_existing"],
    )
    state.stdout_is_picture = any(output.target == STREAM for output in todo.outputs)
    _check_mask(given, needed=traits.mask == "required", made=todo.outputs[0].source is None)
    params = given_params(ctx, entry, given)
    _check_written(params, todo)
    host = state.host(given["device"], threads=given["threads"], max_pixels=given["max_pixels"])
    options = {name: given[name] for name in ("mask", "invert_mask", "feather", "strength")}
    prepared = prepare(host, chain or entry.filter.name, params, **options)
    work = Work(
        prepared=prepared,
        format=given["format"],
        quality=given["quality"],
        fps=given["fps"],
        overwrite=given["overwrite"],
        max_pixels=given["max_pixels"],
    )
    return _run(state, todo, work, skip=given["skip_existing"], quiet=given["quiet"])


def prepare(host: Host, filter: str | Chain, params: Params, **options: Any) -> Prepared:
    """Let the host check a filter's values; its errors call them as the command line does."""
    values = {name: getattr(params, name) for name in params.model_fields_set}
    with schema.renamed(type(params), schema.flag):
        return host.prepare(filter, **options, **values)


def _check_numbers(given: Mapping[str, Any]) -> None:
    limits = {
        "strength": (0.0, 1.0),
        "feather": (0.0, FEATHER_MAX),
        "quality": (1, 100),
        "fps": (0.01, 1000.0),
        "threads": (1, 1024),
        "max_pixels": (1, math.inf),
    }
    for name, (low, high) in limits.items():
        value = given[name]
        if value is None or low <= value <= high:
            continue
        to = f"from {low:g} to {high:g}" if math.isfinite(high) else f"at least {low:g}"
        raise UsageError(f"{schema.flag(name)} is {value:g}; it must be {to}")


def _check_mask(given: Mapping[str, Any], *, needed: bool, made: bool) -> None:
    """Refuse at once what the host would refuse for every picture."""
    from ganfilters.cli._plan import check_given

    mask = given["mask"]
    check_given("--mask", mask)
    if mask is None:
        if given["invert_mask"] or given["feather"]:
            raise UsageError("--invert-mask and --feather need a mask; give --mask FILE as well")
        if needed:
            raise UsageError("the filter needs a mask, white where it shall work; give --mask FILE")
    elif not Path(mask).exists() or Path(mask).is_dir():
        what = "is a folder" if Path(mask).is_dir() else "does not exist"
        raise UsageError(f"the mask {mask} {what}")
    if made and (mask is not None or given["strength"] != 1.0):
        raise UsageError("--mask and --strength need an INPUT to keep parts of")


def _check_written(params: Any, todo: Plan) -> None:
    """Refuse a filter's own new file that a picture is written to, or that is needed twice."""
    count, target = len(todo.outputs), todo.outputs[0].target
    for name, file in schema.new_files(params).items():
        path = file.path
        if count > 1:
            raise UsageError(f"{schema.flag(name)} is for one picture; there are {count}")
        if target and os.path.realpath(target) == os.path.realpath(path):
            raise UsageError(f"{schema.flag(name)} and the output are the same file, {path}")


def given_params(ctx: click.Context, entry: Entry, given: Mapping[str, Any]) -> Any:
    """Return the checked parameters of options and of the file together; options win."""
    file = given["params"]
    loaded = _load(file) if file is not None else {}
    written = typed(ctx, given)

    def called(name: str) -> str:
        in_file = name in loaded and name not in written
        return f"{name} (in {file})" if in_file else schema.flag(name)

    return schema.validate(
        entry.filter.Params, {**loaded, **written}, names=called, max_pixels=given["max_pixels"]
    )


def _load(file: str) -> dict[str, Any]:
    try:
        text = Path(file).read_text("utf-8")
    except OSError as error:
        raise UsageError(f"--params {file} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--params {file} is not UTF-8 text") from error
    try:
        values = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--params {file} is not valid JSON: {error}") from error
    if not isinstance(values, dict):
        raise UsageError(f'--params {file} must hold a JSON object such as {{"octaves": 4}}')
    return {schema.underscored(name): value for name, value in values.items()}


def _run(state: State, todo: Plan, work: Work, *, skip: bool, quiet: bool) -> int:
    from ganfilters.cli import EXIT_BAD, EXIT_PARTLY
    from ganfilters.cli._plan import is_made

    failed = skipped = 0
    told: set[str] = set()
    with ProgressBar(len(todo.outputs), quiet=quiet) as bar:
        for index, output in enumerate(todo.outputs):
            bar.begin(index, output.source or output.target)
            # Looked at now, as another run may be at work in the same folder.
            if skip and is_made(output.target):
                skipped += 1
                with bar.hidden():
                    _tell_skipped(state, output, quiet=quiet or todo.batch)
                continue
            try:
                result = work.run(output, bar.update)
            except Exception as error:  # one bad picture must not stop the others
                # No other picture can fare better without a device or a model.
                hopeless = (
                    isinstance(error, (DeviceError, ModelError)) and failed == index - skipped
                )
                if not todo.batch or hopeless or isinstance(error, BrokenPipeError):
                    raise
                failed += 1
                with bar.hidden():
                    _tell_failure(state, output, error)
                continue
            with bar.hidden():
                _tell(state, result, quiet=quiet)
                if not quiet:
                    _warn(state, result, told)
    if not todo.batch:
        return 0
    done = len(todo.outputs) - failed - skipped
    if failed or not quiet:
        left = f"{skipped} skipped, " if skip else ""
        click.echo(f"{done} done, {left}{failed} failed", err=True)
    if failed:
        return EXIT_PARTLY if done or skipped else EXIT_BAD
    return 0


def _tell(state: State, result: Result, *, quiet: bool) -> None:
    if state.json:
        state.emit(result.record())
    elif not quiet and not state.stdout_is_picture:
        click.echo(f"{result.target}  ({result.seconds:.1f} s on {result.device})")


def _warn(state: State, result: Result, told: set[str]) -> None:
    """Say what was left behind: what formats do not hold once, as it is true of a whole folder."""
    if result.pages > 1:
        state.warn(f"{result.source}: {result.pages} pages; only the first is used")
    for text in result.lost:
        if text not in told:
            told.add(text)
            state.warn(f"{result.target}: {text}")


def _tell_skipped(state: State, output: Output, *, quiet: bool) -> None:
    if state.json:
        state.emit({"input": output.source, "output": output.target, "skipped": True})
    elif not quiet:
        click.echo(f"{output.target}  (exists, skipped)")


def _tell_failure(state: State, output: Output, error: Exception) -> None:
    if state.debug:
        import traceback

        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    text = one_line(error)
    if not isinstance(error, GanfiltersError):
        text = f"{type(error).__name__}: {text}".rstrip(": ")
    shown = text if output.source and output.source in text else f"{output.source}: {text}"
    record = {"input": output.source, "output": output.target, "error": error_record(error)}
    state.complain(shown, record=record)

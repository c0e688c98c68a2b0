"""``ganfilters check-plugin``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganfilters import schema
from ganfilters.cli._state import State, pass_state, print_json
from ganfilters.errors import UsageError, nearest

if TYPE_CHECKING:
    from ganfilters.registry import Entry, LoadError, Registry, Source
    from ganfilters.testing import Outcome

__all__ = ["command"]

EXIT_FAILED = 1


@click.command("check-plugin")
@click.argument("target", metavar="NAME|FILE.py|DISTRIBUTION")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Use this value in every run, to keep a heavy filter quick; its bounds are not tried.",
)
@click.option(
    "--set-generate",
    "generated",
    multiple=True,
    metavar="NAME=VALUE",
    help="Use this value as well where a picture is made from nothing.",
)
@click.option(
    "--set-frames",
    "moving",
    multiple=True,
    metavar="NAME=VALUE",
    help="The value that asks for an animation; found by trial if left out.",
)
@click.option("--device", default="cpu", show_default=True, help="Where networks run.")
@click.option("--only", multiple=True, metavar="CHECK", help="Run this check only; repeatable.")
@click.option("--skip", multiple=True, metavar="CHECK", help="Leave this check out; repeatable.")
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True),
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="A check that takes longer is reported as hanging.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_state
def command(
    state: State,
    target: str,
    settings: tuple[str, ...],
    generated: tuple[str, ...],
    moving: tuple[str, ...],
    device: str,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    time_limit: float,
    as_json: bool,
) -> int:
    """Check that a filter keeps the promises of its contract.

    NAME is a filter; of a file or a distribution all filters are checked. One line is printed for
    each check. The exit code is 1 if any failed.
    """
    from ganfilters.testing import Subject, run_checks
    from ganfilters.testing.suite import chosen

    if not chosen(only, skip):
        raise UsageError("no check is left to run; give fewer --skip")
    if device != "cpu":
        state.host(device)  # says at once what is wrong with it, not once for each check
    entries, errors = _find(state, target)
    given = {"--set": settings, "--set-generate": generated, "--set-frames": moving}
    values = [_values(words, entries, flag) for flag, words in given.items()]
    records: list[dict[str, Any]] = [
        {"filter": error.plugin, "check": "load", "passed": False, "message": error.message}
        for error in errors
    ]
    if not as_json:
        for record in records:
            click.echo(f"FAILED  {record['filter']}: load: {record['message']}")
    for entry in entries:
        params, made, frames = (_known(entry, each) for each in values)
        subject = Subject(entry.filter, params, made, frames, device=device, time_limit=time_limit)
        for outcome in run_checks(subject, only=only, skip=skip):
            records.append(_record(entry, outcome))
            if not as_json:
                click.echo(_line(entry, outcome))
    failed = sum(not record["passed"] for record in records)
    if as_json:
        print_json({"passed": not failed, "checks": records}, indent=2)
    else:
        click.echo(f"{len(records) - failed} of {len(records)} checks passed")
    return EXIT_FAILED if failed else 0


def _find(state: State, target: str) -> tuple[list[Entry], list[LoadError]]:
    """Return the filters that `target` means, and what of it could not be loaded."""
    from ganfilters.registry._sources import canonical

    if target.endswith(".py"):
        registry = _of_file(state, Path(target))
        wanted = {target, str(Path(target))}
    else:
        registry = state.registry
        wanted = {target}
    entries = registry.entries()
    by_name = [entry for entry in entries if entry.filter.name == target]
    if by_name:
        return by_name, []
    folded = {canonical(name) for name in wanted}
    found = [entry for entry in entries if canonical(entry.distribution) in folded]
    errors = [
        error
        for error in registry.errors()
        if canonical(error.distribution) in folded or error.plugin in wanted
    ]
    if not found and not errors:
        if target.endswith(".py"):
            raise UsageError(f"{target} has no filters; return them from ganfilters_filters()")
        names = [entry.filter.name for entry in entries]
        hint = nearest(target, names, what="filters")
        raise UsageError(f"there is no filter or distribution {target!r}; {hint}")
    return found, errors


def _of_file(state: State, path: Path) -> Registry:
    """Return the filters of a file, and of ours those whose names they have: ours win."""
    from ganfilters.registry import FILTERS_GROUP, Registry
    from ganfilters.registry._sources import from_files, installed

    def registry(sources: list[Source]) -> Registry:
        return Registry(sources, timeout=state.choice.timeout, notify=state.note)

    files = from_files([path])
    alone = registry(files)
    names = alone.names()
    chosen, _ = state.choice.split(installed(FILTERS_GROUP))
    # Our plugins are named like their filters, so none is imported to find out.
    ours = [source for source in chosen if source.first_party and source.name in names]
    return registry([*files, *ours]) if ours else alone


def _values(settings: tuple[str, ...], entries: list[Entry], flag: str) -> dict[str, str]:
    values = {}
    known = {name for entry in entries for name in _names(entry)}
    for setting in settings:
        given, equals, value = setting.partition("=")
        name = schema.underscored(given.strip())
        if not equals or not name:
            raise UsageError(f"{flag} {setting} has no value; write {flag} name=value")
        if entries and name not in known:
            hint = nearest(schema.spelled(name), map(schema.spelled, known), what="parameters")
            raise UsageError(f"there is no parameter {given.strip()}; {hint}")
        values[name] = value
    return values


def _known(entry: Entry, values: dict[str, str]) -> dict[str, str]:
    """Return the values of parameters that a filter has: others are for its neighbours."""
    names = _names(entry)
    return {key: value for key, value in values.items() if key in names}


def _names(entry: Entry) -> list[str]:
    return [parameter.name for parameter in schema.parameters(entry.filter.Params)]


def _record(entry: Entry, outcome: Outcome) -> dict[str, Any]:
    return {
        "filter": entry.filter.name,
        "check": outcome.check,
        "passed": outcome.passed,
        "message": outcome.message,
        "seconds": round(outcome.seconds, 3),
    }


def _line(entry: Entry, outcome: Outcome) -> str:
    told = f": {outcome.message}" if outcome.message else ""
    return f"{'ok' if outcome.passed else 'FAILED':6}  {entry.filter.name}: {outcome.check}{told}"

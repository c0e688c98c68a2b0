"""``ganfilters sheet FILTER ...``: one picture with every value of one parameter."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from ganfilters import schema
from ganfilters.cli._filtering import PATHS, FilterCommand, paths_argument, typed
from ganfilters.cli._options import common_options
from ganfilters.cli._output import ProgressBar
from ganfilters.cli._state import State
from ganfilters.cli.apply import FilterGroup
from ganfilters.errors import UsageError

if TYPE_CHECKING:
    from ganfilters.registry import Entry

__all__ = ["command"]

_SHARED = frozenset(
    [
        "mask",
        "invert_mask",
        "feather",
        "strength",
        "device",
        "threads",
        "overwrite",
        "max_pixels",
        "json",
        "quiet",
    ]
)


class SheetGroup(FilterGroup):
    """The filters as sub-commands."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Make a filter's command; an unknown filter is an error that names the nearest."""
        return _sheet_command(ctx.ensure_object(State).registry.get(cmd_name))


command = SheetGroup(
    name="sheet",
    help="Make a labelled contact sheet of a filter's presets, styles or other choices.\n\n"
    "The picture is reduced to twice the thumbnail before it is filtered, so parameters in pixels "
    "look larger than on a whole photo.\n\n"
    "\b\n"
    "  ganfilters sheet style photo.jpg styles.png\n"
    "  ganfilters sheet dream photo.jpg presets.png\n"
    "  ganfilters sheet dream photo.jpg sheet.png --vary octaves --value 1 --value 3 --value 6\n",
    short_help="Make a contact sheet of a filter's choices.",
    subcommand_metavar="FILTER [INPUT] OUTPUT [OPTIONS]",
)


def _options() -> list[click.Parameter]:
    return [
        click.Option(
            ["--vary"],
            metavar="PARAMETER",
            help="What changes from picture to picture.  [default: the presets, or the first "
            "parameter with a list of values]",
        ),
        click.Option(
            ["--value", "values"],
            multiple=True,
            metavar="VALUE",
            help="A value to show; may be repeated.  [default: all that are known]",
        ),
        click.Option(
            ["--across"],
            type=click.IntRange(1, 100),
            metavar="N",
            help="Pictures in a row.  [default: as many as make the sheet about square]",
        ),
        click.Option(
            ["--thumbnail"],
            type=click.IntRange(32, 2048),
            default=320,
            metavar="PX",
            show_default=True,
            help="Longer side of each picture in pixels.",
        ),
        *(option for option in common_options() if option.name in _SHARED),
    ]  # fmt: skip


def _sheet_command(entry: Entry) -> click.Command:
    own = schema.options(entry.filter.Params)
    made = FilterCommand(
        name=entry.filter.name,
        help=f"Make a labelled contact sheet of the choices of {entry.filter.name}.",
        short_help=entry.filter.summary,
        params=[paths_argument(entry.filter.traits.input), *own, *_options()],
        callback=click.pass_context(lambda ctx, **values: _run(ctx, entry, values)),
    )
    made.own = frozenset(str(option.name) for option in own)
    return made


def _run(ctx: click.Context, entry: Entry, given: dict[str, Any]) -> None:
    from ganfilters import imageio
    from ganfilters.cli._plan import check_given
    from ganfilters.sheet import contact_sheet, values_of

    state = ctx.ensure_object(State)
    takes = entry.filter.traits.input
    paths = given["paths"]
    if len(paths) not in {"required": (2,), "optional": (1, 2), "none": (1,)}[takes]:
        raise UsageError(f"give {PATHS[takes]}; see `ganfilters sheet {entry.filter.name} --help`")
    *source, target = paths
    check_given("OUTPUT", target)
    check_given("INPUT", source[0] if source else None)
    check_given("--mask", given["mask"])
    imageio.check_target(target, overwrite=given["overwrite"])
    params = typed(ctx, given)
    host = state.host(given["device"], threads=given["threads"], max_pixels=given["max_pixels"])
    picture = imageio.read(source[0], max_pixels=host.max_pixels) if source else None
    with (
        ProgressBar(1, quiet=given["quiet"]) as bar,
        schema.renamed(entry.filter.Params, schema.flag),
    ):
        name, known = values_of(host, entry.filter.name, given["vary"], params)
        for value in () if name in params else given["values"] or known:
            # Told by their flags, which Python's callers do not know.
            host.parse(entry.filter.name, {**params, name: value}, flags=True)
        bar.begin(0, target)
        made = contact_sheet(
            host,
            entry.filter.name,
            picture,
            vary=given["vary"],
            values=given["values"],
            across=given["across"],
            thumbnail=given["thumbnail"],
            **{name: given[name] for name in ("mask", "invert_mask", "feather", "strength")},
            on_progress=bar.update,
            **params,
        )
    imageio.write(made, target, overwrite=given["overwrite"])
    if given["json"]:
        click.echo(json.dumps({"input": source[0] if source else None, "output": target}))
    elif not given["quiet"]:
        click.echo(target)

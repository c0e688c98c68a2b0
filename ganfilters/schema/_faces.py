"""Parameters as options of the command line, and as a table of the documentation."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ganfilters.errors import UsageError
from ganfilters.filter import Params
from ganfilters.schema._parameters import FILE_FORMATS, Parameter, parameters

if TYPE_CHECKING:
    import click

__all__ = ["markdown", "options"]


def markdown(params_type: type[Params]) -> str:
    """Return a Markdown table of the parameters, for documentation."""
    rows = ["| option | values | default | what it does |", "| --- | --- | --- | --- |"]
    for parameter in parameters(params_type):
        default = f"`{parameter.default}`" if parameter.default else ""
        cells = (f"`{parameter.flag}`", parameter.values, default, parameter.description)
        rows.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(rows) + "\n"


def options(params_type: type[Params]) -> list[click.Option]:
    """Return one click option for each parameter.

    Values arrive as they were typed: `validate` is what checks them. An option that was not given
    is None, so that presets and defaults stay with the model.
    """
    return [_option(parameter) for parameter in parameters(params_type)]


def _option(parameter: Parameter) -> click.Option:
    import click

    help_text = parameter.description + (f"  [{parameter.facts}]" if parameter.facts else "")
    if parameter.kind == "boolean":
        off = "--no-" + parameter.flag[2:]
        declaration = [f"{parameter.flag}/{off}", parameter.name]
        return click.Option(declaration, help=help_text, default=None)
    is_file = bool({parameter.kind, parameter.items} & set(FILE_FORMATS))
    words = [str(choice) for choice in parameter.choices]
    metavar = parameter.metavar
    if words:
        joined = f"[{'|'.join(words)}]"
        metavar = joined if len(joined) <= 60 else metavar
        if metavar != joined:
            more = ", ..." if len(words) > 20 else ""
            help_text += f"  (choices: {', '.join(words[:20])}{more})"
    elif parameter.examples:
        help_text += f"  (known: {', '.join(map(str, parameter.examples[:20]))})"
    return click.Option(
        [parameter.flag, parameter.name],
        help=help_text,
        metavar=metavar,
        type=click.Path() if is_file else click.UNPROCESSED,
        callback=_callback(parameter),
        # Names may be repeated, as those of a list: the last alone would be a silent surprise.
        multiple=parameter.kind == "weighted-names"
        or (parameter.kind == "list" and parameter.length is None),
        nargs=parameter.length or 1,
        shell_complete=(lambda _ctx, _param, begun: [w for w in words if w.startswith(begun)])
        if words
        else None,
    )


def _callback(parameter: Parameter) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Return what turns words into values where pydantic would not: choices, names, JSON."""
    originals = {str(choice): choice for choice in parameter.choices}

    def convert(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
        if parameter.kind == "weighted-names":
            return ",".join(value) if value else None
        if originals and isinstance(value, str):
            return originals.get(value, value)
        if parameter.kind == "object" and isinstance(value, str):
            try:
                return json.loads(value)
            except ValueError as error:
                raise UsageError(f"{parameter.flag} is not valid JSON: {error}") from error
        return value

    return convert

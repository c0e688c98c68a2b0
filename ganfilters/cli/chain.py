"""``ganfilters chain``: saved chains, each of which is a filter."""

from __future__ import annotations

from dataclasses import replace

import click

from ganfilters.cli._output import table
from ganfilters.cli._state import State, one_line, pass_state, print_json
from ganfilters.cli.run import find_chain
from ganfilters.errors import GanfiltersError

__all__ = ["command"]

EXIT_PARTLY = 1


_HELP = """Save chains of filters under a name, and show them.

A saved chain is a filter: `ganfilters list` names it, `ganfilters apply NAME` applies it, and
steps of other chains may be it. `ganfilters run --help` says how a chain is written.

\b
  ganfilters chain save dusk look.toml
  ganfilters chain save dusk out.png      the steps that made out.png
  ganfilters apply dusk in.jpg out.png
"""

_SHOW_HELP = """Print a chain as TOML.

CHAIN is the name of a saved chain, a TOML file, or a picture that ganfilters made:

\b
  ganfilters chain show out.png > look.toml

Masks, pictures and models are written with their whole paths, so the text may go to any folder.
"""


@click.group("chain", help=_HELP)
def command() -> None:
    """Group the commands about saved chains."""


@command.command("save")
@click.argument("name")
@click.argument("source", metavar="CHAIN", type=click.Path())
@click.option("--summary", metavar="TEXT", help="One line for `ganfilters list`.")
@click.option("--overwrite", is_flag=True, help="Replace the chain that has this name.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_state
def save(
    state: State, name: str, source: str, summary: str | None, overwrite: bool, as_json: bool
) -> None:
    """Save a chain under a name, which makes it a filter.

    CHAIN is a TOML file, a picture that ganfilters made, or the name of another saved chain. The
    masks, pictures and models that it names are copied, so the originals may move. NAME cannot be
    that of a filter.
    """
    from ganfilters.chains.parse import line_of
    from ganfilters.chains.store import ChainStore

    chain = find_chain(source, state)
    if summary is not None:
        chain = replace(chain, summary=line_of(summary, "--summary"))
    path = ChainStore.of_user().save(name, chain, state.registry, overwrite=overwrite)
    if as_json:
        print_json({"name": name, "path": str(path)})
    else:
        click.echo(f"{path}\nganfilters apply {name} INPUT OUTPUT")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_state
def list_(state: State, as_json: bool) -> int:
    """List the saved chains; the exit code is 1 if one cannot be used."""
    from ganfilters.chains.store import ChainStore

    rows: list[dict[str, str]] = []
    store = ChainStore.of_user()
    for name in store.names():
        row = {"name": name, "summary": "", "steps": "", "problem": ""}
        try:
            chain = store.load(name)
            row |= {"summary": chain.described(), "steps": ", ".join(s.title for s in chain.steps)}
            store.check(name, state.registry)
        except GanfiltersError as error:
            row["problem"] = one_line(error)
        rows.append(row)
    broken = any(row["problem"] for row in rows)
    if as_json:
        print_json(rows, indent=2)
    elif rows:
        headers = ("name", "summary", "steps", *(["problem"] if broken else []))
        table(headers, [[row[header] for header in headers] for row in rows])
    else:
        click.echo("no chain is saved; see `ganfilters chain save --help`")
    return EXIT_PARTLY if broken else 0


@command.command("show", help=_SHOW_HELP)
@click.argument("source", metavar="CHAIN", type=click.Path())
@pass_state
def show(state: State, source: str) -> None:
    """Print a chain as TOML."""
    from ganfilters.chains.paths import with_whole_paths

    chain = with_whole_paths(find_chain(source, state), state.registry.get, state.warn)
    click.echo(chain.to_toml(), nl=False)


@command.command("remove")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def remove(names: tuple[str, ...]) -> None:
    """Remove saved chains, with the copies of pictures that were kept for them."""
    from ganfilters.chains.store import ChainStore

    store = ChainStore.of_user()
    for name in store.remove(*names):
        click.echo(f"removed {name}")

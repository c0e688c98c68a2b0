"""``ganfilters run CHAIN ...``: the steps of a chain, with the options of ``apply``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganfilters.cli._filtering import execute, filter_command, given_params, prepare
from ganfilters.cli._output import table
from ganfilters.cli._state import State, print_json
from ganfilters.errors import UsageError, nearest

if TYPE_CHECKING:
    from ganfilters.chains import Chain
    from ganfilters.filter import Params
    from ganfilters.registry import Entry

__all__ = ["command", "find_chain"]

_HELP = """Apply several filters one after the other.

CHAIN is a TOML file, a picture that ganfilters made (the same is done to another picture), or the
name of a saved chain. Paths and options are those of `ganfilters apply`; --mask and --strength act
on all steps together. `ganfilters run CHAIN --help` shows the chain's own parameters.

\b
  ganfilters run look.toml in.jpg out.png
  ganfilters run look.toml photos/ results/ --strength 0.5
  ganfilters run out.png other.jpg other-out.png   the steps that made out.png
  ganfilters run look.toml --dry-run               only show the steps

\b
A chain is written like this:
  title = "Dusk"
  [[step]]
  filter = "dream"      # a filter's parameters, and preset, under their names
  octaves = 3
  mask = "sky.png"      # mask, invert-mask, feather, strength: of this step
  feather = 20          # paths are relative to the file
  [[step]]
  filter = "dream"
  strength = 0.4
  [params.depth]        # makes it an option of the chain: --depth
  step = 1
  param = "octaves"
"""


class ChainGroup(click.Group):
    """Chains as sub-commands, read when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of the saved chains."""
        from ganfilters.chains.store import ChainStore

        return ChainStore.of_user().names()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Read a chain and make its command."""
        from ganfilters.chains.filter import chain_entry

        chain = find_chain(cmd_name, ctx.ensure_object(State))
        entry = chain_entry(chain, ctx.ensure_object(State).registry.get)

        def run(inner: click.Context, given: dict[str, Any]) -> int:
            dry = given.pop("dry_run")
            if not dry:
                return execute(inner, entry, given, chain)
            state = inner.ensure_object(State)
            params = given_params(inner, entry, given)
            # What a run would refuse is refused.
            prepare(state.host(given["device"], max_pixels=given["max_pixels"]), chain, params)
            _show(state, entry, params, max_pixels=given["max_pixels"])
            return 0

        option = click.Option(["--dry-run"], is_flag=True, help="Show the steps and do nothing.")
        return filter_command(entry, run, extra=[option])

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the saved chains, without reading them."""
        names = self.list_commands(ctx)
        with formatter.section("Saved chains"):
            formatter.write_text(", ".join(names) or "none; see `ganfilters chain save --help`")


command = ChainGroup(name="run", help=_HELP, subcommand_metavar="CHAIN [INPUT...] OUTPUT [OPTIONS]")


def find_chain(name: str, state: State) -> Chain:
    """Return a chain by the name it is saved under, or the path of its file.

    Raises
    ------
    UsageError
        There is none, or it is none that can be read.
    """
    from ganfilters.chains import Chain
    from ganfilters.chains.store import ChainStore

    store = ChainStore.of_user()
    names = store.names()
    if name in names:
        return store.load(name)
    if Path(name).is_file():
        return Chain.load(name)
    if Path(name).suffix or "/" in name:
        raise UsageError(f"{name}: there is no such file")
    if name in state.registry.names():
        raise UsageError(f"{name} is a filter; write: ganfilters apply {name} ...")
    hint = nearest(name, names, what="saved chains")
    raise UsageError(f"there is no chain {name!r}, neither saved nor a file; {hint}")


def _show(state: State, entry: Entry, params: Params, *, max_pixels: int | None) -> None:
    """Print the steps with their values."""
    from ganfilters.chains.plan import resolved
    from ganfilters.limits import MAX_PIXELS

    steps = list(resolved(entry, params, max_pixels or MAX_PIXELS))
    if state.json:
        print_json({"chain": entry.filter.summary, "steps": [step.record() for step in steps]})
        return
    table(
        ("step", "filter", "parameters", "selection"),
        [(step.number, step.title, step.values, step.selection) for step in steps],
    )

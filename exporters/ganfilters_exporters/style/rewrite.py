"""The command ``ganfilters export style``: a trained network once more, with looks for refining."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from ganfilters import ModelCard
from ganfilters.errors import UsageError

from ..export import refuse_existing
from .export import StyleGraph, export_style
from .looks import measure_looks
from .network import StyleTable
from .paintings import find_paintings, read_options
from .trained import read_trained

__all__ = ["add_looks"]


def add_looks(
    init: Path,
    styles: Sequence[Path],
    out: Path,
    *,
    options: Path | None = None,
    overwrite: bool = False,
    command: str = "ganfilters export style",
    say: Callable[[str], None] = lambda _: None,
) -> ModelCard:
    """Write a trained network once more, with what the paintings of its named styles look like.

    Parameters
    ----------
    init : Path
        The network, an ``.onnx`` file; of a run that stopped, the command that began it writes one.
    styles : sequence of Path
        The paintings, files or folders; those of other names are left out.
    out : Path
        The ``.onnx`` file.
    options : Path, optional
        The TOML that the styles were named with.
    overwrite : bool
        Whether an existing file is replaced.
    command : str
        What the user typed; it is added to the card's.
    say : callable
        Is told which styles and which pictures have no counterpart.

    Raises
    ------
    UsageError
        `init` is no network with named styles, or none of the paintings is one of them.
    FileExistsError
        `out` exists and `overwrite` is false.
    """
    refuse_existing(out, overwrite=overwrite)
    trained = read_trained(init)
    if trained.card is None:
        raise UsageError(f"{init} is a run; pass the command that began it again, which exports")
    paintings = find_paintings(styles, read_options(options))
    by_name = {painting.name: painting for painting in paintings}
    found = [by_name[name] for name in trained.names if name in by_name]
    if not found:
        raise UsageError(
            f"none of these pictures is a style of {init}, which has {', '.join(trained.names)}; "
            "name the files so, or give the --options that they were named by in training"
        )
    unknown = [name for name in by_name if name not in trained.names]
    missing = [name for name in trained.names if name not in by_name]
    for text, names in (("not styles of it", unknown), ("styles without a picture", missing)):
        if names:
            say(f"{text}: {', '.join(names)}")
    new = dict(zip([p.name for p in found], measure_looks([p.path for p in found]), strict=True))
    blank = torch.zeros_like(next(iter(new.values())))
    old = dict(zip(trained.names, [] if trained.looks is None else trained.looks, strict=False))
    looks = torch.stack([new.get(name, old.get(name, blank)) for name in trained.names])
    table = StyleTable(trained.names, trained.net.neutral())
    table.load_state_dict({"styles": trained.rows})
    graph = StyleGraph(trained.net, table, trained.predictor, trained.seen, looks)
    return export_style(
        graph,
        out,
        trained.styles,
        name=out.stem,
        title=trained.card.title,
        overwrite=overwrite,
        card=_card(trained.card, command),
    )


def _card(own: ModelCard, command: str) -> dict[str, Any]:
    """Return the card's fields: those that the network had."""
    kept = ("seed", "seconds", "licence", "data", "attribution")
    fields = {name: getattr(own, name) for name in kept}
    told = ("steps", "style_size", "painting_size", "grain", "palette")
    extra = {name: own.extra[name] for name in told if name in own.extra}
    return {
        **fields,
        # Once, however often it is done.
        "command": own.command if own.command.endswith(command) else f"{own.command}; {command}",
        "quality": dict(own.quality),
        "extra": extra,
    }

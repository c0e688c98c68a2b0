"""The commands ``ganfilters train ...``. Light: PyTorch is imported when a command runs.

Also ``python -m ganfilters_exporters.train_commands``, where only the training libraries are
installed; with ``--no-export`` it needs neither onnx nor pydantic.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import sys
from collections.abc import Collection, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from ganfilters.errors import GanfiltersError, UsageError

from .files import last_name
from .options import (
    EXISTING,
    FILE,
    FOLDER,
    POSITIVE,
    TARGET,
    Number,
    attribution_option,
    overwrite_option,
)

__all__ = [
    "need",
    "need_to_train",
    "refuse_unused",
    "shown",
    "tell",
    "train",
    "train_config",
    "training_options",
    "typed",
]

_WEIGHTS = {
    "content": (1.0, "Weight of keeping what the photograph shows."),
    "style": (3.0, "Weight of painting like the style picture."),
    "smooth": (4.0, "Weight of total variation, against speckle."),
    "tone": (0.5, "Weight of the photograph's light and dark, in the painting's range."),
    "weave": (0.5, "Weight against texture that is more regular than the painting's."),
}
"""Of the terms of the style loss: default and help."""

_STYLE_EXAMPLES = """\b
Examples:
  ganfilters train style --styles paintings/ --photos photos/ --teacher vgg16.pth --out my.onnx
  ganfilters train style --init my.onnx --styles one.jpg --photos photos/ ... --out more.onnx
"""


@click.group()
def train() -> None:
    """Train networks with PyTorch and export them to ONNX (needs the extra [train])."""


def training_options(command: Any) -> Any:
    """Add what every training command takes; `train_config` reads it."""
    for option in reversed(
        [
            click.option("--steps", type=POSITIVE, default=20_000, show_default=True,
                         help="Steps in all, those of earlier calls included."),
            click.option("--minutes", type=Number(min=0, min_open=True),
                         help="Stop after this time; the same command goes on from there."),
            click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto",
                         show_default=True, help="Where to train."),
            click.option("--precision", type=click.Choice(["auto", "fp32", "bf16"]),
                         default="auto", show_default=True, help="auto: bf16 on a GPU."),
            click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True,
                         help="Seed of everything random."),
            click.option("--run", type=FOLDER,
                         help="Folder of the run: checkpoints, log, samples; a run in it goes on.  "
                         "[default: OUT.run]"),
            click.option("--checkpoint-every", type=POSITIVE, default=1000, show_default=True,
                         help="Steps from one checkpoint to the next."),
            click.option("--log-every", type=POSITIVE, default=20, show_default=True,
                         help="Steps from one line of the log to the next."),
            click.option("--threads", type=POSITIVE, help="Threads on the CPU."),
            click.option("--dry-run", is_flag=True,
                         help="Do two steps, print their time and memory, write nothing."),
        ]
    ):  # fmt: skip
        command = option(command)
    return command


def _weight_options(command: Any) -> Any:
    for name, (default, text) in reversed(_WEIGHTS.items()):
        kind = Number(min=0)
        command = click.option(
            f"--{name}-weight", type=kind, default=default, show_default=True, help=text
        )(command)
    return command


def need(what: str, *packages: str) -> None:
    """Raise UsageError if a package is missing: `what` needs it."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise UsageError(f"{what} needs {' and '.join(missing)}; pip install 'ganfilters[train]'")


def need_to_train(values: Mapping[str, Any], *more: str) -> None:
    """Raise UsageError if a package is missing that a training takes, its export included.

    `more` are those that this training takes beside the trainer's.
    """
    need("training", "torch", "accelerate", "filelock", *more)
    if not values["no_export"]:
        need(
            "exporting in the end (--no-export leaves it out)",
            "onnx",
            "onnx_ir",
            "onnxscript",
            "onnxruntime",
            "pydantic",
        )
    if values["init"] is not None and values["init"].suffix.lower() == ".onnx":
        need("--init with an .onnx file", "onnx", "pydantic")


def tell(result: Any, steps: int, run: Path, written: Path | None) -> None:
    """Print how a training ended, or what a dry run measured; exit with 130 if it was stopped.

    Of several processes one prints.
    """

    def say(text: str, *, err: bool = False) -> None:
        if _speaks():
            click.echo(text, err=err)

    if isinstance(result, dict):
        say("  ".join(f"{key} {value:.4g}" for key, value in result.items()))
        return
    if result.step > steps:
        say(f"{result.step} steps were done before, more than --steps {steps}; run in {run}")
    else:
        say(f"{result.step} of {steps} steps done ({result.stopped}); run in {run}")
    if result.stopped == "signal":
        say("stopped and saved; the same command goes on from here", err=True)
        click.get_current_context().exit(130)
    if written is not None:
        say(f"wrote {written}")


def _speaks() -> bool:
    """Return whether this is the one of several processes that prints; torchrun numbers them."""
    return os.environ.get("RANK", "0") == "0"


def train_config(values: dict[str, Any]) -> Any:
    """Take the options of `training_options` out of `values`; return a ``TrainConfig``."""
    import torch

    from .accelerators import check_device
    from .trainer import TrainConfig

    check_device(values["device"])
    threads = values.pop("threads")
    if threads:
        torch.set_num_threads(threads)
    names = (
        "steps", "minutes", "device", "precision", "seed", "checkpoint_every", "log_every",
    )  # fmt: skip
    return TrainConfig(**{name: values.pop(name) for name in names}, quiet=not _speaks())


@train.command(epilog=_STYLE_EXAMPLES)
@click.option(
    "--styles",
    type=EXISTING,
    multiple=True,
    help="Folder of style pictures, or one picture, each a style with a name; may be repeated.",
)
@click.option(
    "--photos",
    type=EXISTING,
    multiple=True,
    required=True,
    help="Folder of photographs; may be repeated.",
)
@click.option(
    "--out",
    type=TARGET,
    required=True,
    help="The .onnx file to write.",
)
@click.option(
    "--teacher",
    type=FILE,
    required=True,
    help="VGG16 weights for the loss: .safetensors, or torchvision's .pth.",
)
@click.option(
    "--backbone",
    type=FILE,
    help="EfficientNet-Lite0 weights for --corpus, or for a run as --init that had it.  "
    "[default: those of its package]",
)
@click.option(
    "--corpus",
    type=EXISTING,
    multiple=True,
    help="Folder of many paintings: learn to paint like any picture as well; may be repeated.",
)
@click.option(
    "--init",
    type=EXISTING,
    help="Trained network (.onnx, or a run's folder or checkpoint): add the styles to it, the "
    "rest unchanged; with --corpus, train all of it on from there.",
)
@click.option(
    "--options",
    type=FILE,
    help="TOML, [styles.FILE_STEM]: name, title, source, content, style, size.",
)
@click.option(
    "--size",
    type=click.IntRange(32, 1024),
    default=256,
    show_default=True,
    help="Side of the photographs in pixels, a multiple of 8.",
)
@click.option(
    "--style-size",
    type=click.IntRange(64, 1024),
    default=256,
    show_default=True,
    help="Short side of the style pictures in pixels; strokes grow with it.",
)
@click.option(
    "--corpus-size",
    type=click.IntRange(64, 1024),
    default=192,
    show_default=True,
    help="Side of the parts of the corpus's paintings in pixels, a multiple of 32.",
)
@click.option(
    "--batch",
    type=POSITIVE,
    default=1,
    show_default=True,
    help="Photographs in a step: few learn most from each, more fill a GPU.",
)
@click.option(
    "--rate",
    type=Number(min=0, min_open=True),
    default=5e-3,
    show_default=True,
    help="Learning rate.",
)
@_weight_options
@click.option(
    "--grain",
    type=Number(min=0, max=0.5),
    default=0.08,
    show_default=True,
    help="Largest grain given to the photographs, from which strokes are made in plain parts.",
)
@click.option(
    "--palette",
    type=Number(min=0, max=1),
    default=0.5,
    show_default=True,
    help="How far what is painted is moved to the painting's palette, as the filter does.",
)
@click.option(
    "--overpaint",
    type=Number(min=0, max=1),
    default=0.5,
    show_default=True,
    help="Share of the steps that paint over what was painted smaller, as the filter does.",
)
@click.option(
    "--named-share",
    type=Number(min=0.05, max=0.95),
    default=0.5,
    show_default=True,
    help="Share of the photographs painted in a named style; the others are like --corpus.",
)
@click.option(
    "--blocks",
    type=click.IntRange(1, 12),
    default=6,
    show_default=True,
    help="Residual blocks of a new network, at an eighth of the size.",
)
@click.option(
    "--sheet-every",
    type=POSITIVE,
    default=500,
    show_default=True,
    help="Steps from one sample sheet to the next.",
)
@click.option(
    "--sheet-photos",
    type=EXISTING,
    multiple=True,
    help="Photographs for the sample sheets.  [default: some of --photos]",
)
@click.option(
    "--no-export", is_flag=True, help="Only train; the same command without it exports later."
)
@click.option(
    "--licence",
    help="SPDX licence of the trained weights, for the model card.  "
    "[default: that of --init, or Apache-2.0]",
)
@attribution_option
@overwrite_option
@training_options
def style(**values: Any) -> None:
    """Train a style network: named styles, one more style, or any painting."""
    need_to_train(values, "safetensors")
    from .losses import Weights
    from .style.network import NetworkConfig
    from .style.tasks import StyleConfig
    from .style.train import StyleRequest, train_style

    if values["init"] and "blocks" in typed(click.get_current_context()):
        raise UsageError("--blocks is for a new network, and --init brings one; leave one out")
    if not values["corpus"]:
        if values["init"]:
            refuse_unused(("palette",), "--corpus, as --init says how far its own goes")
        refuse_unused(("named_share", "corpus_size"), "--corpus")
        if not values["init"]:  # a run, which may have learned any painting, lacks the backbone
            refuse_unused(("backbone",), "--corpus or --init")
    if not values["styles"]:
        refuse_unused(("named_share",), "--styles")
    dry = values.pop("dry_run")
    run = values.pop("run") or values["out"].with_name(values["out"].name + ".run")
    config = train_config(values)
    weights = Weights(**{name: values.pop(f"{name}_weight") for name in _WEIGHTS})
    own = {field.name for field in dataclasses.fields(StyleConfig)} & values.keys()
    how = StyleConfig(weights=weights, seed=config.seed, **{n: values.pop(n) for n in own})
    request = StyleRequest(
        style=how,
        run=run,
        network=NetworkConfig(blocks=values.pop("blocks")),
        export=not values.pop("no_export"),
        command="ganfilters train style " + shlex.join(shown(click.get_current_context())),
        **values,
    )
    try:
        result = train_style(request, config, dry_run=dry)
    except FileExistsError as error:
        raise UsageError(str(error)) from error
    tell(result, config.steps, run, values["out"] if request.export else None)


def typed(context: click.Context) -> dict[str, click.Parameter]:
    """Return what the user gave of a command's options, by name."""
    return {
        parameter.name: parameter
        for parameter in context.command.params
        if parameter.name
        and context.get_parameter_source(parameter.name) is click.core.ParameterSource.COMMANDLINE
    }


def refuse_unused(names: Collection[str], needed: str) -> None:
    """Refuse options of the running command that were given and have no use without another.

    Raises
    ------
    UsageError
        Names the first, and what it needs.
    """
    for name, parameter in typed(click.get_current_context()).items():
        if name in names:
            raise UsageError(f"{parameter.opts[-1]} has no use without {needed}; leave it out")


def shown(context: click.Context) -> list[str]:
    """Return the options that were given, paths by their last name: a card goes to other people."""
    words: list[str] = []
    for name, parameter in typed(context).items():
        value = context.params[name]
        for item in value if isinstance(value, tuple) else (value,):
            words.append(parameter.opts[-1])
            if not isinstance(item, bool):
                words.append(last_name(item) if isinstance(item, Path) else str(item))
    return words


if __name__ == "__main__":
    from .gan_commands import gan
    from .restore_commands import denoise, inpaint

    for command in (gan, inpaint, denoise):
        train.add_command(command)
    try:
        train()
    except GanfiltersError as error:
        sys.exit(f"error: {error}")

"""The commands ``ganfilters train inpaint`` and ``ganfilters train denoise``.

Light: PyTorch is imported when a command runs.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable
from typing import Any

import click

from ganfilters.errors import UsageError

from .options import (
    EXISTING,
    FILE,
    POSITIVE,
    TARGET,
    Number,
    attribution_option,
    overwrite_option,
)
from .train_commands import (
    need_to_train,
    refuse_unused,
    shown,
    tell,
    train_config,
    training_options,
)

__all__ = ["denoise", "inpaint"]

_WEIGHT = Number(min=0)
_RATE = Number(min=0, min_open=True)
_GAME = click.Choice(["hinge", "nonsaturating"])

_INPAINT_EXAMPLES = """\b
Examples:
  ganfilters train inpaint --photos photos/ --teacher vgg16.pth --out inpaint.onnx
  ganfilters train inpaint --init inpaint.onnx --size 256 --photos photos/ ... --out large.onnx
"""
_DENOISE_EXAMPLES = """\b
Examples:
  ganfilters train denoise --photos photos/ --out denoise.onnx
  ganfilters train denoise --init denoise.onnx --adversarial 0.01 --size 128 ... --out tex.onnx
"""

_COMMON = [
    click.option("--photos", type=EXISTING, multiple=True, required=True,
                 help="Folder of photographs; may be repeated."),
    click.option("--out", type=TARGET, required=True,
                 help="The .onnx file to write."),
    click.option("--init", type=EXISTING,
                 help="Trained network (.onnx, or a run's folder or checkpoint) to "
                 "start from."),
    click.option("--backbone", type=FILE,
                 help="EfficientNet-Lite0 weights, for the discriminator.  "
                 "[default: those of its package]"),
    click.option("--smallest-cut", type=Number(0.2, 1), default=0.5, show_default=True,
                 help="Smallest random cut, as a share of the photograph's side."),
    click.option("--sheet-every", type=POSITIVE, default=500, show_default=True,
                 help="Steps from one sample sheet to the next."),
    click.option("--sheet-photos", type=EXISTING, multiple=True,
                 help="Photographs for the sample sheets.  [default: some of --photos]"),
    click.option("--no-export", is_flag=True,
                 help="Only train; the same command without it exports later."),
    click.option("--licence",
                 help="SPDX licence of the trained weights, for the model card.  "
                 "[default: that of --init, or Apache-2.0]"),
    attribution_option,
    overwrite_option,
    training_options,
]  # fmt: skip

_GAMES = [
    click.option("--loss", type=_GAME, default="hinge", show_default=True,
                 help="The game of the discriminator."),
    click.option("--feature-weight", "features", type=_WEIGHT,
                 help="Weight of the distance of the discriminator's frozen features.  "
                 "[default: 0.5 for holes, 0.2 for noise]"),
]  # fmt: skip

_INPAINT = [
    click.option("--teacher", type=FILE, required=True,
                 help="VGG16 weights for the loss: .safetensors, or torchvision's .pth."),
    click.option("--size", type=click.IntRange(64, 1024), default=128, show_default=True,
                 help="Side of the photographs in pixels, a multiple of 32."),
    click.option("--batch", type=POSITIVE, default=8, show_default=True,
                 help="Photographs in a step."),
    click.option("--rate", type=_RATE, default=5e-4, show_default=True,
                 help="Learning rate of both networks."),
    click.option("--warm-up", type=click.IntRange(min=0), default=2000, show_default=True,
                 help="Steps without the discriminator."),
    click.option("--pixel-weight", "pixels", type=_WEIGHT, default=2.0, show_default=True,
                 help="Weight of the absolute difference in the hole."),
    click.option("--perceptual-weight", "perceptual", type=_WEIGHT, default=1.0, show_default=True,
                 help="Weight of the distance of VGG16's features."),
    click.option("--adversarial", type=_WEIGHT, default=0.1, show_default=True,
                 help="Weight of the discriminator."),
    click.option("--perceptual-size", type=click.IntRange(32, 1024), default=64, show_default=True,
                 help="Side of the part around the hole that VGG16 sees; its time goes with the "
                 "square."),
    click.option("--feature-size", type=click.IntRange(64, 1024), default=128, show_default=True,
                 help="Side to which the discriminator's frozen features see pictures resized, a "
                 "multiple of 32."),
    click.option("--guessed", type=Number(0, 1), default=0.35, show_default=True,
                 help="Share of the photographs that come with a coarse guess."),
    click.option("--objects", type=Number(0, 1), default=0.25, show_default=True,
                 help="Share of the photographs on which things are laid, whose outlines are to be "
                 "continued."),
]  # fmt: skip

_DENOISE = [
    click.option("--size", type=click.IntRange(32, 1024), default=96, show_default=True,
                 help="Side of the photographs in pixels, a multiple of 8; of 32 with "
                 "--adversarial."),
    click.option("--batch", type=POSITIVE, default=8, show_default=True,
                 help="Photographs in a step."),
    click.option("--rate", type=_RATE, default=1e-3, show_default=True, help="Learning rate."),
    click.option("--adversarial", type=_WEIGHT, default=0.0, show_default=True,
                 help="Weight of a discriminator, for texture; 0 for the least error."),
    click.option("--texture-weight", "texture", type=_WEIGHT, default=0.0, show_default=True,
                 help="Weight of the distance of textures, and of power where the photograph has "
                 "none; needs --adversarial and --teacher."),
    click.option("--teacher", type=FILE,
                 help="VGG16 weights for that distance: .safetensors, or torchvision's .pth."),
]  # fmt: skip


def _with(*groups: list[Any]) -> Callable[[Any], Any]:
    """Return a decorator that adds the options in order."""

    def decorate(command: Any) -> Any:
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return decorate


@click.command(epilog=_INPAINT_EXAMPLES)
@_with(_INPAINT, _GAMES, _COMMON)
def inpaint(**values: Any) -> None:
    """Train a network that fills holes in photographs."""
    need_to_train(values, "safetensors")
    from .restore.filling import FillingConfig
    from .restore.train import InpaintRequest, train_inpaint

    _run("inpaint", values, FillingConfig, InpaintRequest, train_inpaint)


@click.command(epilog=_DENOISE_EXAMPLES)
@_with(_DENOISE, _GAMES, _COMMON)
def denoise(**values: Any) -> None:
    """Train a network that removes noise and JPEG artefacts."""
    need_to_train(values, "safetensors")
    from .restore.denoising import DenoisingConfig
    from .restore.train import DenoiseRequest, train_denoise

    _run("denoise", values, DenoisingConfig, DenoiseRequest, train_denoise)


def _run(name: str, values: dict[str, Any], how: Any, request: Any, call: Any) -> None:
    """Sort the options into a configuration and a request, and train."""
    dry, out = values.pop("dry_run"), values["out"]
    run = values.pop("run") or out.with_name(out.name + ".run")
    config = train_config(values)
    values = {key: value for key, value in values.items() if value is not None}
    values["zoom"] = (values.pop("smallest_cut"), 1.0)
    fields = {field.name for field in dataclasses.fields(how)}
    if not values["adversarial"]:
        # Of noise nothing else has a use for features; of holes their distance is part of the loss.
        refuse_unused(
            (
                "loss",
                *(
                    ("features", "texture", "teacher", "backbone")
                    if name == "denoise"
                    else ("warm_up",)
                ),
            ),
            "--adversarial above 0",
        )
    if name == "denoise" and not values["texture"]:
        refuse_unused(("teacher",), "--texture-weight above 0")
    chosen = {key: values.pop(key) for key in list(values) if key in fields}
    words = shlex.join(shown(click.get_current_context()))
    made = request(
        how=how(seed=config.seed, **chosen), run=run, export=not values.pop("no_export"),
        command=f"ganfilters train {name} {words}", **values,
    )  # fmt: skip
    try:
        result = call(made, config, dry_run=dry)
    except FileExistsError as error:
        raise UsageError(str(error)) from error
    tell(result, config.steps, run, out if made.export else None)

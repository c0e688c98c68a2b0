"""The commands ``ganfilters train gan``, ``ganfilters evaluate gan`` and ``ganfilters plot``.

Light: PyTorch is imported when a command runs.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path
from typing import Any

import click

from ganfilters.errors import UsageError

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
from .train_commands import need, need_to_train, shown, tell, train_config, training_options, typed

__all__ = ["evaluate", "gan", "plot"]

_WEIGHT = Number(min=0)

_LOSSES = ("minimax", "nonsaturating", "lsgan", "hinge", "wgan-gp")

_EXAMPLES = """\b
Examples:
  ganfilters train gan --data photos/ --arch style --size 64 --out mine.onnx
  ganfilters train gan --data digits.npz --arch dcgan --conditional --size 28 --out digits.onnx
  ganfilters train gan --data lakes/ --init landscape.onnx --steps 2000 --out lakes.onnx
  ganfilters train gan --data photos/ --degrade grey --arch dcgan --out colour.onnx
"""

_OPTIONS = [
    click.option("--data", type=EXISTING, multiple=True,
                 help="Folder of pictures, or one .npz of pictures (and labels); may be repeated."),
    click.option("--out", type=TARGET, required=True,
                 help="The .onnx file to write."),
    click.option("--arch", type=click.Choice(["mlp", "dcgan", "style"]),
                 help="Networks: dense, convolutional, or style.  [required, without --init]"),
    click.option("--init", type=EXISTING,
                 help="Trained network (.onnx, or a run's folder or checkpoint) to start from: "
                 "fewer pictures and less time are enough.  Classes that it has by name are kept."),
    click.option("--loss", type=click.Choice(_LOSSES),
                 help="The game.  [default: nonsaturating; style: hinge]"),
    click.option("--conditional", is_flag=True,
                 help="Learn classes: labels of the .npz, or the folders that pictures lie in."),
    click.option("--auxiliary", type=_WEIGHT, default=0.0, show_default=True,
                 help="With --conditional: weight of a classifier in the discriminator, which "
                 "teaches the generator to be told right."),
    click.option("--minibatch-std", is_flag=True,
                 help="The discriminator sees how much pictures of a class differ in a batch: "
                 "against mode collapse."),
    click.option("--diversity", type=_WEIGHT,
                 help="Weight of a term that keeps two pictures of a class as different as two of "
                 "the data: against mode collapse.  [default: 0; style: 1]"),
    click.option("--size", type=click.IntRange(8, 1024),
                 help="Side of the generated pictures: 4 to 7 times a power of two.  "
                 "[default: 64; mlp: 28]"),
    click.option("--channels", type=click.Choice(["1", "3"]),
                 help="Grey or colour.  [default: as stored in an .npz; 3 for folders]"),
    click.option("--discriminator", type=click.Choice(["plain", "projected"]),
                 help="A network of its own, or heads on frozen features of EfficientNet-Lite0.  "
                 "[default: plain; style: projected]"),
    click.option("--norm", type=click.Choice(["batch", "spectral", "none"]),
                 help="Normalisation of a plain discriminator.  [default: batch; style: spectral; "
                 "none with a gradient penalty]"),
    click.option("--head-start", type=click.IntRange(min=0),
                 help="Steps in which the discriminator learns alone.  [default: 0; with --init "
                 "100, unless that is a run whose discriminator fits]"),
    click.option("--r1", type=_WEIGHT, default=0.0, show_default=True,
                 help="Weight of R1 regularisation, applied every 16 steps."),
    click.option("--critic-steps", type=POSITIVE,
                 help="Discriminator steps for one of the generator.  [default: 1; wgan-gp: 5]"),
    click.option("--augment", default="color,translation,cutout", show_default=True,
                 help="Differentiable augmentation, or none."),
    click.option("--augment-strength", type=Number(0, 2), default=1.0, show_default=True,
                 help="1 for the ranges of its paper."),
    click.option("--modulation", type=click.Choice(["none", "batch", "adain", "demod"]),
                 help="How w modulates layers after the first: all for style, batch for dcgan.  "
                 "[default: none; style: batch]"),
    click.option("--mapping", type=click.IntRange(0, 8),
                 help="Layers of the mapping network.  [default: 2 for style with "
                 "modulation, else 0]"),
    click.option("--mixing", type=Number(0, 1), default=0.5, show_default=True,
                 help="Share of steps with style mixing, where w modulates layers."),
    click.option("--noise/--no-noise", default=True, show_default=True,
                 help="Noise for each layer of a style network."),
    click.option("--z", type=POSITIVE,
                 help="Length of the latent.  [default: 100; style: 256]"),
    click.option("--width", type=POSITIVE,
                 help="Width of the networks.  [default: mlp 256; dcgan 64; style 24]"),
    click.option("--pairs", type=click.Path(exists=True, file_okay=False, path_type=Path),
                 help="Learn image to image: folder with the folders input and target, a pair "
                 "having one name in both."),
    click.option("--degrade", type=click.Choice(["noise", "grey", "blur"]),
                 help="Learn image to image: to undo this, on the pictures of --data."),
    click.option("--reconstruction", type=click.Choice(["L1", "L2"]), default="L1",
                 show_default=True, help="With pairs: distance of output and target."),
    click.option("--reconstruction-weight", type=_WEIGHT, default=100.0, show_default=True,
                 help="With pairs: weight of that distance."),
    click.option("--perceptual", type=_WEIGHT, default=0.0, show_default=True,
                 help="Weight of a term on frozen features: distance with pairs, else feature "
                 "matching."),
    click.option("--feature-size", type=click.IntRange(64, 512), default=128, show_default=True,
                 help="Pictures are resized to this side for frozen features; a multiple of 32."),
    click.option("--backbone", type=FILE,
                 help="EfficientNet-Lite0 weights.  [default: those of its package]"),
    click.option("--batch", type=POSITIVE, help="Pictures in a step.  [default: 64; style: 16]"),
    click.option("--rate", type=Number(min=0, min_open=True),
                 help="Learning rate.  [default: 0.0002]"),
    click.option("--ema", type=Number(0, 1, max_open=True), default=0.999,
                 show_default=True, help="Decay of the average of the generator's weights."),
    click.option("--zoom", type=Number(0.3, 1),
                 help="Smallest random cut, as a share of the side.  [default: 1 for .npz, grey "
                 "or pairs; else 0.9]"),
    click.option("--flip/--no-flip", default=None,
                 help="Mirror half of the pictures.  [default: not for .npz or grey]"),
    click.option("--sheet-every", type=POSITIVE, default=500, show_default=True,
                 help="Steps from one sample sheet to the next."),
    click.option("--check-every", type=POSITIVE, default=250, show_default=True,
                 help="Steps from one check for mode collapse to the next."),
    click.option("--stop-on-collapse", is_flag=True, help="End a run whose samples collapse."),
    click.option("--no-export", is_flag=True,
                 help="Only train; the same command without it exports later."),
    click.option("--licence",
                 help="SPDX licence of the trained weights, for the model card.  "
                 "[default: that of --init, or Apache-2.0]"),
    attribution_option,
    click.option("--title", default="", help="One line on the network, for the model card."),
    overwrite_option,
    training_options,
]  # fmt: skip


def _all_options(command: Any) -> Any:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command(epilog=_EXAMPLES)
@_all_options
def gan(**values: Any) -> None:
    """Train a GAN: pictures from noise and class, or from pictures."""
    need_to_train(values)
    from .gan.train import train_gan

    dry, out = values.pop("dry_run"), values["out"]
    run = values.pop("run") or out.with_name(out.name + ".run")
    _refuse_pairless(click.get_current_context())
    config = train_config(values)
    command = "ganfilters train gan " + shlex.join(shown(click.get_current_context()))
    request = _request(values, run, config.seed, command)
    try:
        result = train_gan(request, config, dry_run=dry)
    except FileExistsError as error:
        raise UsageError(str(error)) from error
    tell(result, config.steps, run, out if request.export else None)


def _refuse_pairless(context: click.Context) -> None:
    """Refuse what needs pairs where there are none: it would be left out without a word."""
    if context.params["pairs"] or context.params["degrade"]:
        return
    for name in ("reconstruction", "reconstruction_weight"):
        if name in typed(context):
            flag = "--" + name.replace("_", "-")
            raise UsageError(f"{flag} needs pairs: give --pairs DIR or --degrade KIND as well")


def _request(values: dict[str, Any], run: Path, seed: int, command: str) -> Any:
    """Return a ``GanRequest`` of the options, what was not given filled in."""
    from .gan.adversarial import GanConfig
    from .gan.augment import parse_augmentations
    from .gan.networks import NetworkConfig, base_of
    from .gan.recipes import refuse_unfitting, settings_of
    from .gan.train import GanRequest

    values["opened"] = None
    if values["init"]:
        values = _opened(values)
    if values["arch"] is None:
        raise UsageError("give --arch mlp, dcgan or style, or --init with a trained generator")
    values = settings_of(values["arch"], values)
    refuse_unfitting(values)
    if values["arch"] != "mlp":
        base_of(values["size"])
    if values["feature_size"] % 32:
        raise UsageError(f"--feature-size {values['feature_size']} is not a multiple of 32")
    plain_data = values["channels"] == "1" or any(p.suffix == ".npz" for p in values["data"])
    if values["zoom"] is None:
        values["zoom"] = 1.0 if plain_data or values["pairs"] else 0.9
    if values["flip"] is None:
        values["flip"] = not plain_data
    modulation = values["modulation"]
    styled = values["arch"] == "style" and modulation != "none"
    mapping = values["mapping"]
    network = NetworkConfig(
        arch=values["arch"], size=values["size"], z=values["z"], width=values["width"],
        mapping=(2 if styled else 0) if mapping is None else mapping,
        modulation=modulation, noise=values["noise"] and values["arch"] == "style",
    )  # fmt: skip
    values |= {
        "augment": parse_augmentations(values["augment"]),
        "feature_side": values["feature_size"],
        "seed": seed,
    }
    own = {field.name for field in dataclasses.fields(GanConfig)} & values.keys()
    how = GanConfig(**{name: values[name] for name in own})
    kept = (
        "data", "out", "init", "conditional", "pairs", "backbone", "sheet_every", "check_every",
        "stop_on_collapse", "overwrite", "title", "licence", "attribution", "opened",
    )  # fmt: skip
    return GanRequest(
        run=run, gan=how, network=network, command=command, degrade=values["degrade"] or "",
        channels=int(values["channels"]) if values["channels"] else None,
        export=not values["no_export"], **{name: values[name] for name in kept},
    )  # fmt: skip


def _opened(values: dict[str, Any]) -> dict[str, Any]:
    """Return the options with the trained network that --init brings, and its sizes.

    Raises
    ------
    UsageError
        It is none, or a size was given beside it.
    """
    from .gan.trained import read_trained

    given = typed(click.get_current_context())
    for name in ("size", "channels", "z", "width", "mapping", "modulation", "noise"):
        if name in given:
            off = values[name] is False  # --no-noise
            flag = (given[name].secondary_opts if off else given[name].opts)[-1]
            raise UsageError(f"{flag} is for a new network, and --init brings one; leave one out")
    trained = read_trained(values["init"])
    # Before the data are read, which takes longer.
    trained.refuse_unless(pairs=bool(values["pairs"] or values["degrade"]))
    network = trained.network.to_dict()
    if values["arch"] not in (None, network["arch"]):
        raise UsageError(
            f"--arch {values['arch']}: {values['init']} is {network['arch']}; leave it out"
        )
    return values | network | {"channels": str(network["channels"]), "opened": trained}


@click.group()
def evaluate() -> None:
    """Measure trained networks (needs the extra [train])."""


@evaluate.command("gan")
@click.argument("model", type=EXISTING)
@click.option(
    "--data",
    type=EXISTING,
    multiple=True,
    required=True,
    help="What it was trained on: folder, or .npz; may be repeated.",
)
@click.option(
    "--count",
    type=click.IntRange(min=100),
    default=5000,
    show_default=True,
    help="Samples, and as many real pictures.",
)
@click.option(
    "--truncation",
    type=Number(0, 2),
    default=1.0,
    show_default=True,
    help="Of the samples.",
)
@click.option(
    "--cache",
    type=FOLDER,
    help="Folder for features, classifier and pictures.  [default: MODEL.evaluation, or "
    "evaluation in the run's folder]",
)
@click.option(
    "--backbone", type=FILE, help="EfficientNet-Lite0 weights.  [default: those of its package]"
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Seed of the samples.",
)
@click.option("--threads", type=POSITIVE, help="Threads on the CPU.")
@click.option("--write-card", is_flag=True, help="Put the figures into the card of MODEL.")
def evaluate_gan_command(**values: Any) -> None:
    """Measure a generator: MODEL is an .onnx file, or the folder of a run. Prints JSON."""
    need("this", "torch", "onnxruntime")
    import torch

    from .gan.evaluate import EvaluationRequest, evaluate_gan, write_figures

    threads, write = values.pop("threads"), values.pop("write_card")
    if threads:
        torch.set_num_threads(threads)
    request = EvaluationRequest(**values)
    if write and request.model.is_dir():
        raise UsageError(f"--write-card: {request.model} is a run's folder, which has no card")
    found = evaluate_gan(request)
    if write:
        write_figures(request.model, found)
    click.echo(json.dumps(found, indent=2))


@evaluate.command("denoise")
@click.argument("model", type=FILE)
@click.option(
    "--photos",
    type=EXISTING,
    multiple=True,
    required=True,
    help="Photographs that it was not trained on; may be repeated.",
)
@click.option(
    "--count", type=POSITIVE, default=20, show_default=True, help="Photographs used, of all."
)
@click.option(
    "--teacher",
    type=FILE,
    help="VGG16 weights, to measure the distance of texture as well: .safetensors, or "
    "torchvision's .pth.",
)
@click.option("--threads", type=POSITIVE, help="Threads on the CPU.")
@click.option("--write-card", is_flag=True, help="Put the figures into the card of MODEL.")
def evaluate_denoise_command(
    model: Path,
    photos: tuple[Path, ...],
    count: int,
    teacher: Path | None,
    threads: int | None,
    *,
    write_card: bool,
) -> None:
    """Measure a denoising network, an .onnx file, on known damage.

    Prints JSON: decibels, and with --teacher relative distances of textures.
    """
    need("this", "torch", "onnxruntime")
    import torch

    from .restore.evaluate import evaluate_denoise, write_figures

    if threads is not None:
        torch.set_num_threads(threads)
    found = evaluate_denoise(model, photos, count, threads, teacher)
    if write_card:
        write_figures(model, found)
    click.echo(json.dumps(found, indent=2))


@click.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--out",
    type=TARGET,
    help="File to write.  [default: log.svg in the run's folder]",
)
def plot(run: Path, out: Path | None) -> None:
    """Draw the log of a training run: a chart for each scalar, SVG."""
    from .gan.plot import plot_run

    out = out or run / "log.svg"
    plot_run(run, out)
    click.echo(f"wrote {out}")

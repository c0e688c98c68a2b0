"""The command ``ganfilters export``. Light: PyTorch is imported when a command runs."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganfilters.errors import UsageError
from ganfilters.hookspecs import hookimpl

from .options import EXISTING, FILE, TARGET, overwrite_option

if TYPE_CHECKING:
    from ganfilters.models import ModelCard

_NEEDED = ("torch", "onnx", "onnxscript", "onnx_ir", "safetensors", "skimage")
_BACKBONES = ("efficientnet-lite0", "vgg16")


@hookimpl
def ganfilters_commands(cli: click.Group) -> None:
    """Add ``ganfilters export``, ``train``, ``evaluate`` and ``plot``."""
    from .gan_commands import evaluate, gan, plot
    from .restore_commands import denoise, inpaint
    from .train_commands import train

    for command in (gan, inpaint, denoise):
        train.add_command(command)
    cli.add_command(export)
    cli.add_command(train)
    cli.add_command(evaluate)
    cli.add_command(plot)


@click.group()
def export() -> None:
    """Export networks from PyTorch to ONNX (needs the extra [train])."""


@export.command()
@click.option(
    "--backbone",
    type=click.Choice(_BACKBONES),
    default=_BACKBONES[0],
    show_default=True,
    help="Network to dream with.",
)
@click.option(
    "--weights",
    type=FILE,
    help="Its weights: .safetensors, or torchvision's .pth. EfficientNet-Lite0 needs none.",
)
@click.option(
    "--out",
    type=TARGET,
    help="File to write  [default: BACKBONE-dream.onnx]",
)
@overwrite_option
def dream(backbone: str, weights: Path | None, out: Path | None, overwrite: bool) -> None:
    """Export the gradient that the dream filter ascends."""
    require_training_extra()
    started = time.perf_counter()
    from .dream.export import export_dream

    words = ["ganfilters", "export", "dream", "--backbone", backbone]
    words += ["--weights", weights.name] if weights else []
    words += ["--out", out.name] if out else []
    with _errors_in_a_line(ValueError):
        path, card = export_dream(
            backbone, weights, out, overwrite=overwrite, command=shlex.join(words)
        )
    _tell(path, card, started)


@export.command()
@click.option(
    "--weights",
    required=True,
    type=FILE,
    help="VGG16's weights: .safetensors, or torchvision's .pth.",
)
@click.option(
    "--out",
    default="refiner.onnx",
    show_default=True,
    type=TARGET,
    help="File to write.",
)
@overwrite_option
def refiner(weights: Path, out: Path, overwrite: bool) -> None:
    """Export the gradient that the style filter descends with --refine."""
    require_training_extra()
    started = time.perf_counter()
    from .style.refiner import export_refiner

    words = ["ganfilters", "export", "refiner", "--weights", weights.name, "--out", out.name]
    with _errors_in_a_line(ValueError):
        card = export_refiner(weights, out, overwrite=overwrite, command=shlex.join(words))
    _tell(out, card, started)


@export.command()
@click.argument("network", type=FILE)
@click.option(
    "--styles",
    required=True,
    multiple=True,
    type=EXISTING,
    help="Folder of the paintings, or one; may be repeated.",
)
@click.option(
    "--options",
    type=FILE,
    help="TOML that the styles were named with.",
)
@click.option(
    "--out",
    required=True,
    type=TARGET,
    help="File to write.",
)
@overwrite_option
def style(
    network: Path, styles: tuple[Path, ...], options: Path | None, out: Path, overwrite: bool
) -> None:
    """Write a trained style network again, with what --refine needs of its paintings.

    `ganfilters train style` does so by itself; this is for a NETWORK made before, an .onnx file.
    """
    require_training_extra()
    started = time.perf_counter()
    from .style.rewrite import add_looks

    words = ["ganfilters", "export", "style", network.name]
    words += [word for path in styles for word in ("--styles", path.name)]
    words += ["--options", options.name] if options else []
    words += ["--out", out.name]
    with _errors_in_a_line():
        card = add_looks(
            network, styles, out, options=options, overwrite=overwrite, command=shlex.join(words),
            say=lambda text: click.echo(text, err=True),
        )  # fmt: skip
    _tell(out, card, started)


@contextmanager
def _errors_in_a_line(*others: type[Exception]) -> Iterator[None]:
    """Turn what keeps a network from being written into the user's error."""
    from .export import ExportError

    try:
        yield
    except (ExportError, OSError, *others) as error:
        raise UsageError(str(error)) from error


def _tell(path: Path, card: ModelCard, started: float) -> None:
    """Say what was written."""
    seconds = time.perf_counter() - started
    worst = max(card.parity.measured.values()) if card.parity else float("nan")
    size = path.stat().st_size / 1e6
    click.echo(f"{path}: {size:.1f} MB, agrees with PyTorch to {worst:.1e} ({seconds:.0f} s)")


def require_training_extra() -> None:
    """Raise an error that names the fix if the extra [train] is not installed.

    Raises
    ------
    UsageError
        Naming the first package that is missing.
    """
    for package in _NEEDED:
        if find_spec(package) is None:
            raise UsageError(
                f"this command needs the package {package}; install it with: "
                'pip install "ganfilters[train]"'
            )

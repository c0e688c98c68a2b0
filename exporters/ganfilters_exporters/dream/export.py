"""The command ``ganfilters export dream``: measure the gains, trace, convert, check, write."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx_ir as ir
import torch
from ganfilters.models import ModelCard, Parity
from torch import Tensor

from .. import export, gradient
from ..backbones import BACKBONES, Backbone
from ..photos import PHOTOS, photo
from .objective import LOGITS, DreamGradient

TOLERANCE = 1e-3
"""Largest relative error of a gradient, ONNX Runtime against PyTorch."""

PARITY_SIZES = ((96, 160), (256, 256), (448, 320))
GAIN_SIZE = (320, 320)
GAIN_CLASSES = range(0, 1000, 83)
"""Thirteen classes, from fish to toilet paper, over which the gain of a class is averaged."""


def export_dream(
    backbone: str = "efficientnet-lite0",
    weights: Path | None = None,
    out: Path | None = None,
    *,
    overwrite: bool = False,
    command: str = "ganfilters export dream",
) -> tuple[Path, ModelCard]:
    """Export the dream gradient of a backbone.

    Parameters
    ----------
    backbone : str
        A name in :data:`.backbones.BACKBONES`.
    weights : Path, optional
        The backbone's weights, if they do not come with a package.
    out : Path, optional
        The file to write; ``BACKBONE-dream.onnx`` in the working folder by default.
    overwrite : bool
        Whether an existing file is replaced.
    command : str
        What the user typed, for the model card.

    Returns
    -------
    Path, ModelCard
        The file, and the card inside it.

    Raises
    ------
    FileExistsError
        If `out` exists and `overwrite` is false.
    export.ExportError
        If PyTorch and ONNX Runtime disagree; nothing is written then.
    """
    started = time.perf_counter()
    out = out or Path(f"{backbone}-dream.onnx")
    if out.exists() and not overwrite:
        raise FileExistsError(f"{out} exists; pass --overwrite to replace it")
    network = BACKBONES[backbone](weights)
    dream = DreamGradient(network, measure_gains(network))
    model = build(dream)
    parity = check(dream, model)
    quality = {"gradient_relative_error": max(parity.values())}
    card = describe(dream, parity, quality, command, time.perf_counter() - started)
    export.write(model, out, card, overwrite=overwrite)
    return out, card


def measure_gains(backbone: Backbone) -> dict[str, float]:
    """Return factors that bring every layer's gradient to a root mean square of 1.

    Measured with ``square`` = 1 on four photographs; for the logits with one-hot classes.
    """
    dream = DreamGradient(backbone)
    rms: dict[str, list[float]] = {depth: [] for depth in dream.depths}
    for name in PHOTOS:
        image = photo(name, *GAIN_SIZE).requires_grad_()
        features = backbone.module(image)
        choices = [c for layer in backbone.layers for c in _neutral(layer.channels, 1.0)]
        values = dream.objectives(features, [*choices, torch.zeros(len(backbone.classes))])
        for layer, value in zip(dream.layers, values, strict=False):
            rms[layer].append(_rms(value, image))
        for index in GAIN_CLASSES if backbone.classes else ():
            one_hot = torch.eye(len(backbone.classes))[index]
            rms[LOGITS].append(_rms(dream.objectives(features, [*choices, one_hot])[-1], image))
    return {depth: 1 / float(np.mean(values)) for depth, values in rms.items()}


def _neutral(channels: int, square: float) -> tuple[Tensor, Tensor, Tensor]:
    return torch.full((channels,), square), torch.zeros(channels), torch.zeros(1, channels)


def _rms(value: Tensor, image: Tensor) -> float:
    (gradient,) = torch.autograd.grad(value, image, retain_graph=True)
    return float(gradient.square().mean().sqrt())


def build(dream: DreamGradient) -> ir.Model:
    """Trace and convert; the result is unchecked and has no card."""
    signature = dream.signature()
    graph = gradient.trace(dream, signature.examples, dynamic=signature.dynamic)
    model = export.convert(
        graph,
        signature.examples,
        input_names=signature.inputs,
        output_names=signature.outputs,
        dynamic=signature.dynamic,
    )
    if dream.backbone.classes:
        # Only the classifier: no clamp follows it. Rounding any weight before a ReLU6 moves some
        # activations across its corners, where the gradient jumps; see docs/design.md.
        channels = dream.backbone.layers[-1].channels
        export.store_float16(model, {(len(dream.backbone.classes), channels)})
    return model


def example_feeds(dream: DreamGradient, image: Tensor, seed: int = 0) -> dict[str, np.ndarray]:
    """Return feeds in which every layer and every kind of objective takes part.

    Each layer's objective is as strong as the others', so that an error in one is not hidden.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        features = dream.network(image)
    feeds = {"image": image.detach().numpy()}
    for layer in dream.backbone.layers:
        flat = features[layer.name].flatten(2)[0]
        scale = flat.square().mean().sqrt()
        size = (layer.channels,)
        feeds[f"{layer.name}.square"] = torch.rand(size, generator=generator).numpy()
        linear = scale * torch.randn(size, generator=generator)
        feeds[f"{layer.name}.linear"] = linear.numpy()
        rows = torch.randint(flat.shape[1], (5,), generator=generator)
        feeds[f"{layer.name}.guide"] = flat[:, rows].t().contiguous().numpy()
    if dream.backbone.classes:
        one_hot = torch.eye(len(dream.backbone.classes))[281]
        feeds[f"{LOGITS}.linear"] = one_hot.numpy()
    return feeds


def check(dream: DreamGradient, model: ir.Model) -> dict[str, float]:
    """Compare every output of PyTorch and ONNX Runtime at several sizes.

    Returns
    -------
    dict
        The largest relative error over the outputs, by size.

    Raises
    ------
    export.ExportError
        If an error exceeds the tolerance; the message names the output.
    """
    session = export.session(ir.to_proto(model).SerializeToString())
    names = [output.name for output in session.get_outputs()]
    multiple = dream.backbone.size_multiple
    worst = {}
    for number, (height, width) in enumerate(PARITY_SIZES):
        image = photo(PHOTOS[number], height // multiple * multiple, width // multiple * multiple)
        feeds = example_feeds(dream, image, number)
        expected = dream(*(torch.from_numpy(feeds[n]) for n in dream.signature().inputs))
        measured = session.run(names, feeds)
        errors = {
            name: export.relative_error(m, e.numpy())
            for name, m, e in zip(names, measured, expected, strict=True)
        }
        name = max(errors, key=lambda n: errors[n])
        if not errors[name] < TOLERANCE:
            raise export.ExportError(
                f"{name} at {height} x {width} differs between PyTorch and ONNX Runtime by a "
                f"relative {errors[name]:.2g}, more than {TOLERANCE:g}; nothing was written"
            )
        worst[f"{height}x{width}"] = errors[name]
    return worst


def describe(
    dream: DreamGradient,
    parity: Mapping[str, float],
    quality: Mapping[str, float],
    command: str,
    seconds: float,
) -> ModelCard:
    """Return the model card."""
    backbone = dream.backbone
    layers = [
        {
            "name": layer.name,
            "channels": layer.channels,
            "stride": layer.stride,
            "gain": dream.gains[layer.name],
            "depth": depth,
        }
        for depth, layer in enumerate(backbone.layers)
    ]
    return ModelCard(
        filter="dream",
        name=f"{backbone.name}-dream",
        version="1",
        title=f"DeepDream with {backbone.title}",
        description=(
            f"The gradient of a dream objective with respect to the image, through "
            f"{backbone.title}, as an ONNX graph: squares, single channels and guides at every "
            "layer" + (", and ImageNet classes." if backbone.classes else ".")
        ),
        licence=backbone.licence,
        attribution=backbone.attribution,
        data=backbone.data,
        command=command,
        commit=export.commit(),
        seconds=round(seconds, 1),
        size_multiple=backbone.size_multiple,
        size_min=backbone.size_min,
        storage="float32",
        quality=dict(quality),
        parity=Parity(tolerance=TOLERANCE, measured=dict(parity)),
        extra={
            "backbone": backbone.name,
            "layers": layers,
            "logits_gain": dream.gains.get(LOGITS),
            "default_layers": {backbone.default_layer: 1.0},
            "guide_layers": {backbone.default_layer: 1.0},
            "classes": list(backbone.classes),
        },
    )

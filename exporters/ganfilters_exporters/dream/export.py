"""The command ``ganfilters export dream``: measure the gains, build, compare, write."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx_ir as ir
import onnxruntime
import torch
from torch import Tensor

from ganfilters.models import ModelCard, Parity

from .. import export
from ..backbones import BACKBONES, LOGITS, Backbone
from ..photos import PHOTOS, photo
from .graph import build
from .objective import Dream, output_name

PARITY_SIZES = ((64, 96), (128, 96), (128, 128))
"""Heights and widths at which they are compared; multiples of every backbone's `size_multiple`."""

LARGE_SIZE = (512, 512)
GAIN_SIZE = (320, 320)
GAIN_CLASSES = range(0, 1000, 83)
"""Thirteen classes, spread over all, over which the gain of the class scores is averaged."""


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
    export.refuse_existing(out, overwrite=overwrite)
    network = BACKBONES[backbone](weights)
    dream = Dream(network, measure_gains(network))
    model = build(dream)
    session = export.session(ir.to_proto(model).SerializeToString())
    parity = compare(dream, session)
    quality = large_picture(dream, session)
    card = describe(dream, parity, quality, command, time.perf_counter() - started)
    export.write(model, out, card, overwrite=overwrite)
    return out, card


def measure_gains(backbone: Backbone) -> dict[str, float]:
    """Return factors that bring every layer's gradient to a root mean square of 1.

    So weights of different layers mean the same. Measured on four photographs, with ``square`` = 1
    for the layers and one-hot ``linear`` for the class scores.
    """
    dream = Dream(backbone)
    rms: dict[str, list[float]] = {depth: [] for depth in backbone.depths}
    for name in PHOTOS:
        image = photo(name, *GAIN_SIZE).requires_grad_()
        features = backbone.features(image)
        for depth, layer in enumerate(backbone.layers):
            choices = dream.silence()
            choices[f"{layer.name}.square"] += 1
            rms[layer.name].append(_rms(dream.objective(features, choices, depth), image))
        for index in GAIN_CLASSES if backbone.classes else ():
            choices = dream.silence()
            choices[f"{LOGITS}.linear"][index] = 1
            value = dream.objective(features, choices, len(backbone.layers))
            rms[LOGITS].append(_rms(value, image))
    return {depth: 1 / float(np.mean(values)) for depth, values in rms.items()}


def _rms(value: Tensor, image: Tensor) -> float:
    (gradient,) = torch.autograd.grad(value, image, retain_graph=True)
    return float(gradient.square().mean().sqrt())


def example_choices(dream: Dream, image: Tensor, depth: int, seed: int = 0) -> dict[str, Tensor]:
    """Return choices in which every layer down to `depth` takes part with every kind.

    Layers and kinds have about the same strength, so that an error in one is not hidden.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        features = dream.backbone.features(image)
    choices = dream.silence()
    for layer in dream.backbone.layers[: depth + 1]:
        flat = features[layer.name].flatten(2)[0]
        scale = flat.square().mean().sqrt()
        choices[f"{layer.name}.square"] = torch.rand(layer.channels, generator=generator)
        linear = scale * torch.randn(layer.channels, generator=generator)
        choices[f"{layer.name}.linear"] = linear
        rows = torch.randint(flat.shape[1], (5,), generator=generator)
        choices[f"{layer.name}.guide"] = flat[:, rows].t().contiguous()
    if dream.backbone.depths[depth] == LOGITS:
        choices[f"{LOGITS}.linear"][seed] = 1
    return choices


def run(
    session: onnxruntime.InferenceSession, image: Tensor, choices: Mapping[str, Tensor], depth: int
) -> dict[str, np.ndarray]:
    """Run an exported dream network; return all outputs by name."""
    feeds = {name: choice.numpy() for name, choice in choices.items()}
    feeds |= {"image": image.detach().numpy(), "depth": np.array(depth, np.int64)}
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def errors(
    dream: Dream,
    session: onnxruntime.InferenceSession,
    image: Tensor,
    choices: Mapping[str, Tensor],
    depth: int,
) -> dict[str, float]:
    """Return the relative error of every output down to `depth`, against PyTorch's autograd."""
    expected = dream.reference(image, choices, depth)
    measured = run(session, image, choices, depth)
    return {
        name: export.relative_error(measured[name], value.numpy())
        for name, value in expected.items()
    }


def compare(dream: Dream, session: onnxruntime.InferenceSession) -> dict[str, float]:
    """Compare PyTorch and ONNX Runtime at several sizes, at every depth.

    A clamp's derivative jumps at its corners, and where rounding carries an activation across one,
    two correct gradients differ: PyTorch's own in float32 and float64 do as much. That is rare, so
    an error counts by its median over four photographs.

    Returns
    -------
    dict
        The largest error over outputs and depths, by size.

    Raises
    ------
    export.ExportError
        If it exceeds the tolerance; the message names the output.
    """
    worst: dict[str, float] = {}
    for height, width in PARITY_SIZES:
        size = f"{height}x{width}"
        for depth, name in enumerate(dream.backbone.depths):
            by_photo = []
            for seed, source in enumerate(PHOTOS):
                image = photo(source, height, width)
                choices = example_choices(dream, image, depth, seed)
                by_photo.append(errors(dream, session, image, choices, depth))
            for output in by_photo[0]:
                error = float(np.median([found[output] for found in by_photo]))
                if not error < export.TOLERANCE:
                    raise export.ExportError(
                        f"{output} at {size}, depth {name}, differs between PyTorch and ONNX "
                        f"Runtime by {error:.2g} of its norm, more than {export.TOLERANCE:g}"
                    )
                worst[size] = max(worst.get(size, 0.0), error)
    return worst


def large_picture(dream: Dream, session: onnxruntime.InferenceSession) -> dict[str, float]:
    """Return the gradient's median error on large photographs beside PyTorch's own rounding."""
    depth = len(dream.backbone.layers) - 1
    found, own = [], []
    exact = dream.double()
    for seed, source in enumerate(PHOTOS):
        image = photo(source, *LARGE_SIZE)
        choices = example_choices(dream, image, depth, seed)
        single = dream.reference(image, choices, depth)["gradient"]
        wide = {name: choice.double() for name, choice in choices.items()}
        double = exact.reference(image.double(), wide, depth)["gradient"]
        measured = run(session, image, choices, depth)["gradient"]
        found.append(export.relative_error(measured, double.numpy()))
        own.append(export.relative_error(single.numpy(), double.numpy()))
    size = "x".join(map(str, LARGE_SIZE))
    return {
        f"gradient_error_{size}_onnxruntime_against_float64": float(np.median(found)),
        f"gradient_error_{size}_pytorch_against_float64": float(np.median(own)),
    }


def describe(
    dream: Dream,
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
            f"layer{', and ImageNet classes' if backbone.classes else ''}. Set `depth` to the "
            "deepest layer in use; deeper ones are not computed. Weights of 2^17 elements or more "
            "are stored as float16 plus an int8 remainder, exact to float32 rounding."
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
        parity=Parity(tolerance=export.TOLERANCE, measured=dict(parity)),
        extra={
            "backbone": backbone.name,
            "layers": layers,
            "logits": {"gain": dream.gains[LOGITS], "depth": len(layers)}
            if backbone.classes
            else None,
            "default_layers": {backbone.default_layer: 1.0},
            "guide_layers": {backbone.default_layer: 1.0},
            "outputs": [output_name(depth) for depth in backbone.depths],
            "classes": list(backbone.classes),
        },
    )

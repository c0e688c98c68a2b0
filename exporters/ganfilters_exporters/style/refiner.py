"""The command ``ganfilters export refiner``: the gradient that the style filter descends.

A painted picture is improved step by step, as Gatys, Ecker and Bethge, "Image Style Transfer Using
Convolutional Neural Networks" (2016), paint from noise. What that needs is the gradient of the
content and style loss (:mod:`..losses.style`) with respect to the picture, through VGG16 up to
relu4_3, the layers of Johnson et al. 2016. Weights are stored in 4 bits: features that are only
compared with each other bear that, and the picture reaches nearly the same loss.

| input | what |
|---|---|
| ``image`` | (1, 3, H, W), RGB in [0, 1], H and W multiples of 8 and at least 32 |
| ``content`` | (1, 256, H / 4, W / 4): the photograph's features |
| ``gram.LAYER`` | (C, C): the painting's Gram matrix, for each of the four layers |
| ``weights`` | (3,): of the content, the style and the smoothness term |

| output | what |
|---|---|
| ``gradient`` | (1, 3, H, W): of the weighted sum |
| ``terms`` | (3,): content, style and smoothness, without their weights |
| ``content_found`` | (1, 256, H / 4, W / 4): features of ``image`` |
| ``gram_found.LAYER`` | (C, C): Gram matrices of ``image`` |

So the photograph and the painting are measured by the same file, as ``image``.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import onnx_ir as ir
import torch
from torch import Tensor, nn

from ganfilters.models import ModelCard

from .. import export, storage
from ..backbones import Backbone, vgg16
from ..gradient import Axis, Dynamic
from ..losses import LAYERS, ContentLoss, Features, GramLoss, TotalVariation
from ..photos import PHOTOS, photo

__all__ = ["Objective", "build", "export_refiner"]

CONTENT = "relu3_3"
LOOSE = 0.02
"""Of the gradient: rounding carries activations across the corner of a rectifier, and which of
four equal values is the largest is anyone's guess, in PyTorch's own float32 as well."""
SIZES = ((64, 96), (128, 96), (192, 256))
ORIGIN = "VGG16 by K. Simonyan and A. Zisserman (Oxford), their own release under CC BY 4.0"
BYTES_FROM, NIBBLES_FROM = 2**15, 2**17
"""Weights of so many elements are stored in 8 and in 4 bits."""


class Objective(nn.Module):
    """The loss of a picture, its gradient, and what was measured on the way.

    Parameters
    ----------
    network : Features
        The loss network, which gives `CONTENT` and all `LAYERS`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.content, self.style = ContentLoss(CONTENT), GramLoss(dict.fromkeys(LAYERS, 1.0))
        self.smooth = TotalVariation()
        self.inputs = ("image", "content", *(f"gram.{layer}" for layer in LAYERS), "weights")
        found = (f"gram_found.{layer}" for layer in LAYERS)
        self.outputs = ("gradient", "terms", "content_found", *found)
        image = {2: Axis("tall", 8, 4), 3: Axis("wide", 8, 4)}
        content = {2: Axis("tall", 2, 4), 3: Axis("wide", 2, 4)}
        self.dynamic: Dynamic = (image, content, *({} for _ in self.inputs[2:]))

    def forward(self, image: Tensor, content: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        """See the module's tables; `others` are the Gram matrices, then the weights."""
        grams, weights = others[:-1], others[-1]
        target = {layer: gram[None] for layer, gram in zip(LAYERS, grams, strict=True)}
        with torch.enable_grad():
            image = image.detach().requires_grad_()
            features = self.network(image)
            parts = (
                self.content(features, {CONTENT: content}),
                self.style(features, target),
                self.smooth(image),
            )
            terms = torch.cat(parts)
            (gradient,) = torch.autograd.grad((terms * weights).sum(), image)
        found = self.style.target({name: value.detach() for name, value in features.items()})
        return (
            gradient,
            terms.detach(),
            features[CONTENT].detach(),
            *(found[layer][0] for layer in LAYERS),
        )

    def example(self, height: int, width: int, number: int) -> tuple[Tensor, ...]:
        """Return inputs: a photograph that is to become another, in the look of that other."""
        image, wanted = (photo(PHOTOS[n], height, width) for n in (number, number - 1))
        with torch.no_grad():
            features = self.network(wanted)
            grams = [gram[0] for gram in self.style.target(features).values()]
        return image, features[CONTENT], *grams, torch.tensor([1.0, 10.0, 1.0])


def loss_network(weights: Path) -> tuple[Features, Backbone]:
    """Return VGG16, its weights rounded to what is stored of them, and where it comes from."""
    backbone = vgg16.load(weights)
    names = [layer.name for layer in backbone.layers]
    network = Features(backbone.segments, names).eval().requires_grad_(False)
    storage.round_weights(
        network, half_from=BYTES_FROM, byte_from=BYTES_FROM, nibble_from=NIBBLES_FROM
    )
    return network, backbone


def build(objective: Objective) -> ir.Model:
    """Trace the gradient and convert it; the result is unchecked and has no card."""
    example = objective.example(64, 64, 0)
    return export.build(objective, example, compact_from=BYTES_FROM, traced=True)


def export_refiner(
    weights: Path,
    out: Path,
    *,
    overwrite: bool = False,
    command: str = "ganfilters export refiner",
) -> ModelCard:
    """Build, compare with PyTorch, write.

    Parameters
    ----------
    weights : Path
        VGG16's, see :func:`..backbones.vgg16.load`.
    out : Path
        The ``.onnx`` file.
    overwrite : bool
        Whether an existing file is replaced.
    command : str
        What the user typed, for the card.

    Raises
    ------
    ValueError
        `weights` are not VGG16's; one line.
    FileExistsError
        `out` exists and `overwrite` is false.
    export.ExportError
        PyTorch and ONNX Runtime disagree; nothing is written.
    """
    started = time.perf_counter()
    export.refuse_existing(out, overwrite=overwrite)
    network, backbone = loss_network(weights)
    objective = Objective(network)
    model = build(objective)
    cases = export.at_sizes(SIZES, objective.example)
    compared = export.compare(objective, model, cases, {"gradient": LOOSE})
    figures = {
        f"gradient_error_{size}": float(f"{errors['gradient']:.2g}")
        for size, errors in compared.errors.items()
    }
    card = ModelCard(
        filter="style",
        name="refiner",
        version="1",
        title="Gradient of the content and style loss through VGG16",
        description=(
            "Content and style loss of a picture (Gatys et al. 2016), through VGG16 up to "
            f"{LAYERS[-1]}, and their gradient with respect to the picture: what --refine descends."
        ),
        licence=backbone.licence,
        attribution=f"{backbone.attribution}; {ORIGIN}",
        data=(*backbone.data, *(("BSDS500",) if "bsds500" in backbone.attribution.lower() else ())),
        command=command,
        commit=export.commit(),
        seconds=round(time.perf_counter() - started, 1),
        size_multiple=8,
        size_min=32,
        storage="float32",
        quality=figures,
        parity=compared.parity,
        extra={
            **_layout(backbone),
            "features": features_of(network),
            "gradient_tolerance": LOOSE,
        },
    )
    export.write(model, out, card, overwrite=overwrite)
    return card


def features_of(network: nn.Module) -> str:
    """Return a name of the features: 16 digits of the SHA-256 of all weights as they are stored."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(name.encode() + value.numpy().tobytes())
    return digest.hexdigest()[:16]


def _layout(backbone: Backbone) -> dict[str, Any]:
    """Return the side of each layer's Gram matrix, and channels and stride of the content."""
    by_name = {layer.name: layer for layer in backbone.layers}
    content = by_name[CONTENT]
    return {
        "layers": {name: by_name[name].channels for name in LAYERS},
        "content": {"channels": content.channels, "stride": content.stride},
    }

"""From a trained generator to a checked ONNX file, one for all architectures.

| input | what |
|---|---|
| ``z`` | (N, Z), of a standard normal distribution |
| ``class_weights`` (conditional networks) | (N, classes), of sum 1: one class, or a blend |
| ``w`` | (N, layers, W), or zeros: computed from ``z`` |
| ``truncation`` | a number: 1 leaves w, 0 gives the mean w of the class; for computed w only |
| ``noise`` (networks with noise) | (N, numbers), standard normal: the noise of all layers |
| ``noise_strength`` (networks with noise) | a number that ``noise`` is multiplied by |
| ``target`` | (1, C, H, W) in [0, 1]: a picture to compare with |

| output | what |
|---|---|
| ``image`` | (N, C, H, W) in [0, 1] |
| ``w_used`` | (N, layers, W): given, or computed and truncated |
| ``distance`` | (N,), of the pictures without noise from the target: see :mod:`.projection` |
| ``gradient`` | (N, layers, W), of ``distance`` with respect to w |

The host loads what computes the outputs that are wanted, and feeds no target then. Nothing in the
file is random, so the same inputs give the same picture on every machine. ``w_used`` of one call,
moved along a direction of the card or mixed by layers with another, is given back as ``w``.
Directions and mean w are in the card, under ``extra``.

A network trained on pairs takes ``input`` (N, C, H, W) and gives ``image``, both in [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganfilters.models import ModelCard

from .. import export, gradient, storage
from ..backbones import Backbone
from ..gradient import Axis, Dynamic, sides
from .directions import find_directions, mean_w
from .networks import Generator, Translator
from .projection import Distance

__all__ = ["GeneratorGraph", "TranslatorGraph", "constants_of", "export_gan"]

BATCHES = (1, 3, 8)

COMPACT_FROM, BYTE_FROM = 2**15, 2**20
"""Weights of so many elements are rounded to 16 and to 8 bits, which changes no picture visibly."""

GRADIENT_TOLERANCE = 2e-2
"""A gradient jumps where rounding takes an activation across a corner of ReLU6."""


class GeneratorGraph(nn.Module):
    """A generator as it is exported; see the module's tables.

    Parameters
    ----------
    generator : Generator
        The trained network.
    distance : Distance
        What pictures are compared by.
    """

    filter = "latent"

    def __init__(self, generator: Generator, distance: nn.Module) -> None:
        super().__init__()
        self.generator, self.distance = generator, distance
        self.register_buffer("mean_w", mean_w(generator))
        config = generator.config
        self.inputs: tuple[str, ...] = ("z",)
        if config.classes:
            self.inputs += ("class_weights",)
        self.inputs += ("w", "truncation")
        if generator.noise_sides:
            self.inputs += ("noise", "noise_strength")
        self.inputs += ("target",)
        self.outputs = ("image", "w_used", "gradient", "distance")
        batch = {0: Axis("batch")}
        fixed = ("truncation", "noise_strength", "target")
        self.dynamic: Dynamic = tuple({} if n in fixed else batch for n in self.inputs)

    def forward(self, *values: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """See the module's tables; the inputs are those of `inputs`, in that order."""
        given = dict(zip(self.inputs, values, strict=True))
        weights = given.get("class_weights")
        mean: Tensor = self.mean_w  # type: ignore[assignment]
        if weights is not None:
            mean = weights @ mean
        computed = mean + given["truncation"] * (self.generator.mapping(given["z"], weights) - mean)
        computed = computed[:, None].repeat(1, self.generator.layers, 1)
        # No w is all zeros: the latent it comes from is not.
        w = torch.where(given["w"].abs().max() > 0, given["w"], computed)
        noise = given["noise"] * given["noise_strength"] if "noise" in given else None
        image = self.generator.synthesis(w, noise) / 2 + 0.5
        with torch.enable_grad():
            variable = w.detach().requires_grad_()
            still = self.generator.synthesis(variable) / 2 + 0.5
            distance = self.distance(still, given["target"])
            (slope,) = torch.autograd.grad(distance.sum(), variable)
        return image, w, slope, distance.detach()

    def example(self, batch: int, seed: int) -> tuple[Tensor, ...]:
        """Return inputs; w is given every third time."""
        random = torch.Generator().manual_seed(seed)
        generator, config = self.generator, self.generator.config
        classes = max(1, config.classes)
        width = generator.mapping.width
        values = {
            "z": torch.randn(batch, config.z, generator=random),
            "class_weights": torch.rand(batch, classes, generator=random).softmax(1),
            "w": torch.randn(batch, generator.layers, width, generator=random) * (seed % 3 == 2),
            "truncation": torch.tensor(1.0 if seed % 2 else 0.7),
            "noise": torch.randn(batch, generator.noise_size, generator=random),
            "noise_strength": torch.tensor(1.0 if seed % 2 else 0.5),
            "target": torch.rand(1, config.channels, config.size, config.size, generator=random),
        }
        return tuple(values[name] for name in self.inputs)

    def facts(self, classes: Sequence[str]) -> dict[str, Any]:
        """Return what the filter needs to know, for the card."""
        generator, config = self.generator, self.generator.config
        mean: Tensor = self.mean_w  # type: ignore[assignment]
        return {
            "network": config.to_dict(),
            "size": config.size,
            "channels": config.channels,
            "classes": list(classes),
            "z": config.z,
            "w": generator.mapping.width,
            "layers": generator.layers,
            "noise_sides": list(generator.noise_sides),
            "mean_w": [[round(float(x), 6) for x in row] for row in mean],
            "directions": find_directions(generator).to_dict(),
        }


class TranslatorGraph(nn.Module):
    """A network trained on pairs as it is exported."""

    filter = "translate"

    def __init__(self, network: Translator) -> None:
        super().__init__()
        self.network = network
        self.inputs: tuple[str, ...] = ("input",)
        self.outputs: tuple[str, ...] = ("image",)
        free = sides(network.multiple, network.multiple)
        self.dynamic: Dynamic = ({0: Axis("batch"), **free},)

    def forward(self, image: Tensor) -> Tensor:
        """Map pictures in [0, 1] to the same."""
        made: Tensor = self.network(image * 2 - 1)
        return made / 2 + 0.5

    def example(self, batch: int, seed: int) -> tuple[Tensor, ...]:
        """Return one input, wider than high every other time."""
        random = torch.Generator().manual_seed(seed)
        config, multiple = self.network.config, self.network.multiple
        height, width = config.size, config.size + multiple * (1 + seed % 2)
        return (torch.rand(batch, config.channels, height, width, generator=random),)

    def facts(self, classes: Sequence[str]) -> dict[str, Any]:  # noqa: ARG002
        """Return what the filter needs to know, for the card."""
        config = self.network.config
        return {
            "network": config.to_dict(), "channels": config.channels,
            "size_multiple": self.network.multiple,
        }  # fmt: skip


Graph = GeneratorGraph | TranslatorGraph


class _Undistanced(nn.Module):
    """In place of a distance, where only the generator matters."""

    def forward(self, images: Tensor, target: Tensor) -> Tensor:  # noqa: ARG002
        return images.flatten(1).mean(1)


def constants_of(generator: Generator) -> dict[str, str]:
    """Return the names of a file's constants, and of the generator's weights that they are.

    A traced graph numbers its constants as they are met. The generator's come first, and tracing
    the same network again meets them in the same order.
    """
    graph = GeneratorGraph(generator, _Undistanced()).eval().requires_grad_(False)
    module = gradient.trace(graph.forward, graph.example(2, 0), dynamic=graph.dynamic)
    weights = [*generator.named_parameters(), *generator.named_buffers()]
    names = {tensor.data_ptr(): name for name, tensor in weights}
    constants = [str(node.target) for node in module.graph.nodes if node.op == "get_attr"]
    found = {constant: names.get(getattr(module, constant).data_ptr()) for constant in constants}
    return {constant: name for constant, name in found.items() if name is not None}


def export_gan(
    network: Generator | Translator,
    out: Path,
    classes: Sequence[str],
    *,
    backbone: Backbone | None,
    overwrite: bool,
    card: Mapping[str, Any],
) -> ModelCard:
    """Convert, compare, write.

    Parameters
    ----------
    network : Generator or Translator
        The trained network, on the CPU.
    out : Path
        The file.
    classes : sequence of str
        Names of the classes, in order.
    backbone : Backbone or None
        The features that latents are found by; a network of pairs needs none.
    overwrite : bool
        Whether an existing file is replaced.
    card : mapping
        More fields of the card: command, data, seed, seconds, quality, licence, and `extra`.

    Raises
    ------
    export.ExportError
        PyTorch and ONNX Runtime disagree; nothing is written.
    """
    network = network.cpu().eval()
    graph: Graph
    if isinstance(network, Generator):
        assert backbone is not None  # noqa: S101 - for the type checker
        graph = GeneratorGraph(network, Distance(backbone, network.config.size))
    else:
        graph = TranslatorGraph(network)
    storage.round_weights(graph, half_from=COMPACT_FROM, byte_from=BYTE_FROM)
    model = export.build(
        graph,
        graph.example(2, 0),
        compact_from=COMPACT_FROM,
        traced=isinstance(graph, GeneratorGraph),
    )
    cases = (
        (f"batch {batch}", f"of a batch of {batch}", graph.example(batch, seed))
        for seed, batch in enumerate(BATCHES)
    )
    compared = export.compare(graph, model, cases, {"gradient": GRADIENT_TOLERANCE})
    given = dict(card)
    size = network.config.size
    multiple = 1 if isinstance(network, Generator) else network.multiple
    made = ModelCard(
        filter=graph.filter,
        name=out.stem,
        version="1",
        commit=export.commit(),
        size_multiple=multiple,
        size_min=size if isinstance(network, Generator) else multiple,
        size_max=size if isinstance(network, Generator) else None,
        parity=compared.parity,
        extra={**graph.facts(classes), **given.pop("extra", {})},
        **given,
    )
    export.write(model, out, made, overwrite=overwrite)
    return made

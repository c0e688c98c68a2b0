"""Networks whose inner layers are dreamed, compared or matched.

A backbone is a :class:`torch.nn.Module` from an image to its named features, from shallow to
deep, with everything an exporter must know about it as data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

LOGITS = "logits"
"""The name under which class scores go, where layers go under theirs."""


@dataclass(frozen=True)
class Layer:
    """One layer that a backbone exposes.

    Attributes
    ----------
    name : str
        Its name in the exported file, such as ``"stage3"``.
    channels : int
        Number of feature channels.
    stride : int
        Input pixels per feature position, along each axis.
    """

    name: str
    channels: int
    stride: int


@dataclass(frozen=True)
class Backbone:
    """A network with weights, ready to export.

    Attributes
    ----------
    name, title : str
        The name used in files and on the command line, and the one for people.
    segments : tuple of torch.nn.Module
        The network cut behind each layer of `layers`: the first segment maps the image, float32
        (1, 3, H, W), RGB, sRGB-encoded, [0, 1], to the first layer's features
        (1, channels, H / stride, W / stride), the second maps these to the second layer's, and so
        on; a last one maps the deepest features to logits (1, classes) if there are `classes`.
    layers : tuple of Layer
        The exposed layers, from shallow to deep.
    classes : tuple of str
        Names of the classes of the logits; empty for a network without a classifier.
    default_layer : str
        The layer to dream at when nobody chooses one.
    size_multiple, size_min : int
        H and W must be multiples of `size_multiple` and at least `size_min`.
    licence : str
        SPDX identifier of the weights' licence.
    attribution : str
        Whom to name.
    data : tuple of str
        What the weights were trained on.
    """

    name: str
    title: str
    segments: tuple[torch.nn.Module, ...]
    layers: tuple[Layer, ...]
    classes: tuple[str, ...]
    default_layer: str
    size_multiple: int
    size_min: int
    licence: str
    attribution: str
    data: tuple[str, ...]

    @property
    def depths(self) -> tuple[str, ...]:
        """What each segment gives: the layers' names, then ``"logits"`` if there are classes."""
        names = tuple(layer.name for layer in self.layers)
        return (*names, LOGITS) if self.classes else names

    def features(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """Run the whole network on (1, 3, H, W); see `segments` for what it takes and gives."""
        found = {}
        x = image
        for name, segment in zip(self.depths, self.segments, strict=True):
            x = found[name] = segment(x)
        return found


def load_efficientnet_lite0(weights: Path | None = None) -> Backbone:
    """Load EfficientNet-Lite0; see :func:`.efficientnet_lite.load`."""
    from . import efficientnet_lite

    return efficientnet_lite.load(weights)


def load_vgg16(weights: Path | None = None) -> Backbone:
    """Load the convolutions of VGG16; see :func:`.vgg16.load`."""
    from . import vgg16

    return vgg16.load(weights)


BACKBONES: dict[str, Callable[[Path | None], Backbone]] = {
    "efficientnet-lite0": load_efficientnet_lite0,
    "vgg16": load_vgg16,
}
"""Loaders by the name used on the command line; a loader imports torch when called."""

__all__ = ["BACKBONES", "LOGITS", "Backbone", "Layer"]

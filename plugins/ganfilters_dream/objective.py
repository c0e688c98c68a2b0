"""What is dreamed of: from parameters to the inputs of the gradient network.

The network (see ``ganfilters export dream``) takes the number of the deepest layer to go to
(``depth``) and three arrays for every layer it exposes. It returns the gradient of the sum of these
objectives, a being the layer's activation:

- ``LAYER.square`` (C,): sum over positions of the weighted squares a_c^2 / 2 (DeepDream,
  Mordvintsev et al. 2015)
- ``LAYER.linear`` (C,): sum of the weighted activations (one channel: Olah et al. 2017,
  "Feature Visualization")
- ``LAYER.guide`` (K, C): sum of the dot product with the best matching of K vectors (guided
  dreaming, Mordvintsev et al. 2015)

and ``logits.linear`` (classes,): the weighted class scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ganfilters import (
    FloatArray,
    Image,
    ModelCard,
    Session,
    UsageError,
    nearest,
    pad_to,
    padded_size,
    resize,
    to_batch,
)

__all__ = ["Network", "check_objective", "objective_for"]

Array = npt.NDArray[Any]

# A guide's features are looked at on this many pixels a side, and thinned to this many vectors:
# more of them cost time and choose no differently.
_GUIDE_SIDE = 448
_GUIDE_VECTORS = 1024


@dataclass(frozen=True)
class Network:
    """The gradient network and what its card says of it."""

    session: Session
    card: ModelCard

    @property
    def layers(self) -> dict[str, int]:
        """Names of the layers, shallow to deep, with their numbers of channels."""
        return _layers(self.card)

    @property
    def classes(self) -> list[str]:
        """Names of the classes; empty if the network has no classifier."""
        return _classes(self.card)


def _layers(card: ModelCard) -> dict[str, int]:
    return {layer["name"]: int(layer["channels"]) for layer in card.extra["layers"]}


def _classes(card: ModelCard) -> list[str]:
    return list(card.extra.get("classes") or ())


def check_objective(
    card: ModelCard, *, layers: Mapping[str, float] | None, dream_of: str | None, guided: bool
) -> None:
    """Check that a network has what `objective_for` is to be given.

    Raises
    ------
    UsageError
        A layer, channel or class that the network does not have.
    """
    for name in _chosen(card, layers, dream_of, guided=guided):
        _split(name, _layers(card))
    if dream_of is not None:
        _class_index(dream_of, _classes(card))


def _chosen(
    card: ModelCard, layers: Mapping[str, float] | None, dream_of: str | None, *, guided: bool
) -> dict[str, float]:
    """Return the layers to dream of with their weights, the network's own where none is named."""
    chosen = dict(layers or {})
    if not chosen and dream_of is None:
        chosen = dict(card.extra["guide_layers" if guided else "default_layers"])
    if guided and not any(":" not in name for name in chosen):
        raise UsageError(
            "a guide works on whole layers; name one in layers, or leave the guide out"
        )
    return chosen


def objective_for(
    network: Network,
    *,
    layers: Mapping[str, float] | None,
    dream_of: str | None,
    guide: Image | None,
) -> dict[str, Array]:
    """Return the inputs of the network, but for the image, that the parameters describe.

    Raises
    ------
    UsageError
        A layer, channel or class that the network does not have.
    """
    feeds = _silence(network)
    known = network.layers
    chosen = _chosen(network.card, layers, dream_of, guided=guide is not None)
    deepest = -1
    for name, weight in chosen.items():
        layer, channel = _split(name, known)
        deepest = max(deepest, list(known).index(layer))
        if channel is not None:
            feeds[f"{layer}.linear"][channel] += weight
        elif guide is not None:
            feeds[f"{layer}.guide"] = weight * _guide_vectors(network, guide, layer)
        else:
            feeds[f"{layer}.square"] += weight
    if dream_of is not None:
        feeds["logits.linear"][_class_index(dream_of, network.classes)] = 1.0
        deepest = network.card.extra["logits"]["depth"]
    return {**feeds, "depth": np.array(deepest, np.int64)}


def _silence(network: Network) -> dict[str, FloatArray]:
    """All weights 0."""
    feeds: dict[str, FloatArray] = {}
    for layer, channels in network.layers.items():
        feeds[f"{layer}.square"] = np.zeros(channels, np.float32)
        feeds[f"{layer}.linear"] = np.zeros(channels, np.float32)
        feeds[f"{layer}.guide"] = np.zeros((1, channels), np.float32)
    if network.classes:
        feeds["logits.linear"] = np.zeros(len(network.classes), np.float32)
    return feeds


def _split(name: str, known: Mapping[str, int]) -> tuple[str, int | None]:
    """Read ``stage4`` or ``stage4:33``."""
    layer, colon, number = name.partition(":")
    if layer not in known:
        raise UsageError(
            f"the network has no layer {layer!r}; {nearest(layer, known, what='layers')}"
        )
    if not colon:
        return layer, None
    if not number.isdecimal() or int(number) >= known[layer]:
        raise UsageError(
            f"layer {layer} has no channel {number!r}; its channels are 0 to {known[layer] - 1}"
        )
    return layer, int(number)


def _plain(name: str) -> str:
    """Return the name of a class as it is compared: in lower case, its words a space apart."""
    return " ".join(name.replace("_", " ").casefold().split())


def _class_index(name: str, classes: Sequence[str]) -> int:
    """Find a class by its name or one of its synonyms, whatever the case."""
    if not classes:
        raise UsageError("this model has no classes to dream of; choose layers instead")
    wanted = _plain(name)
    if not wanted:
        raise UsageError("the class to dream of is empty; name one, such as tabby cat")
    # A full name beats a synonym: "cardigan" is the garment, though it also names a dog.
    synonyms = {_plain(title): index for index, title in enumerate(classes)}
    for index, title in enumerate(classes):
        for word in title.split(","):
            synonyms.setdefault(_plain(word), index)
    if wanted not in synonyms:
        words = [word for word in synonyms if "," not in word]
        raise UsageError(
            f"the network has no class {name!r}; {nearest(wanted, words, what='classes')}"
        )
    return synonyms[wanted]


def _guide_vectors(network: Network, guide: Image, layer: str) -> FloatArray:
    """Return the guide's features at `layer`, K x C, of unit mean square."""
    scale = _GUIDE_SIDE / max(guide.width, guide.height)
    width, height = (max(round(side * scale), 1) for side in (guide.width, guide.height))
    small = np.clip(resize(guide.pixels, width, height), 0.0, 1.0)
    size = padded_size(height, width, network.card.size_multiple, network.card.size_min)
    batch = to_batch(pad_to(small, *size))
    depth = np.array(list(network.layers).index(layer), np.int64)
    feeds: dict[str, Array] = {**_silence(network), "depth": depth, "image": batch}
    (features,) = network.session.run(feeds, [f"features.{layer}"])
    vectors = features[0].reshape(features.shape[1], -1).T
    step = -(-len(vectors) // _GUIDE_VECTORS)
    thinned = np.ascontiguousarray(vectors[::step], dtype=np.float32)
    return thinned / max(float(np.sqrt(np.mean(thinned**2))), 1e-8)

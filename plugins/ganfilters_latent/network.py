"""The generator: from seeds and classes to w, and from w to pictures.

What the network takes and gives, see ``ganfilters_exporters.gan.export``. A point of its latent
space is w, (layers, W): one vector for each part of the generator that takes one. Everything here
works on w: it is mixed by layers, moved along directions, and walked through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ganfilters import (
    FloatArray,
    ModelCard,
    ModelFile,
    Runtime,
    UsageError,
    nearest,
    report_progress,
)

__all__ = ["Network"]

_BATCH = 8

# What a seed draws: each from a stream of its own, so that one does not move the others.
_LATENT, _CLASS, _NOISE = range(3)


@dataclass(frozen=True)
class Network:
    """A generator on a device, and what its card says of it.

    Attributes
    ----------
    runtime
        Runs it.
    model
        Its file.
    """

    runtime: Runtime
    model: ModelFile

    @property
    def card(self) -> ModelCard:
        """The card in the file."""
        return self.model.card

    @property
    def size(self) -> int:
        """Side of its pictures in pixels."""
        return int(self.card.extra["size"])

    @property
    def channels(self) -> int:
        """1 for grey, 3 for colour."""
        return int(self.card.extra["channels"])

    @property
    def layers(self) -> int:
        """How many parts of it take a w of their own."""
        return int(self.card.extra["layers"])

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of w: layers, and numbers for each."""
        return self.layers, int(self.card.extra["w"])

    @property
    def classes(self) -> list[str]:
        """Names of its classes; empty without."""
        return list(self.card.extra["classes"])

    @cached_property
    def directions(self) -> dict[str, FloatArray]:
        """Directions in w by name, each as long as w varies along it."""
        found = self.card.extra["directions"]
        rows = zip(found["names"], found["deviations"], found["vectors"], strict=True)
        return {name: np.float32(size) * np.array(v, np.float32) for name, size, v in rows}

    @cached_property
    def mean_w(self) -> FloatArray:
        """The mean w of each class, (max(classes, 1), W)."""
        return np.array(self.card.extra["mean_w"], np.float32)

    def class_weights(self, named: Mapping[str, float] | None, seed: int) -> FloatArray:
        """Return the share of each class, of sum 1; one drawn by the seed if none is named.

        Raises
        ------
        UsageError
            The network has no such class, or none at all.
        """
        classes = self.classes
        weights = np.zeros(max(1, len(classes)))
        if named is None:
            weights[_stream(seed, _CLASS).integers(len(weights))] = 1.0
            drawn: FloatArray = weights.astype(np.float32)
            return drawn
        if not classes:
            raise UsageError(f"the network {self.card.name} has no classes; leave class out")
        for name, weight in named.items():
            if name not in classes:
                hint = nearest(name, classes, what="classes")
                raise UsageError(f"the network has no class {name!r}; {hint}")
            weights[classes.index(name)] = weight
        weights /= weights.max()  # first, or the sum of huge ones would be infinite
        shares: FloatArray = (weights / weights.sum()).astype(np.float32)
        return shares

    def w(self, seed: int, class_weights: FloatArray, truncation: float) -> FloatArray:
        """Return the w of a seed, (layers, W).

        Parameters
        ----------
        seed
            The same seed gives the same latent on every machine.
        class_weights
            (classes,), of sum 1.
        truncation
            1 leaves w as it is, 0 gives the mean of the class.
        """
        length = int(self.card.extra["z"])
        z = _numbers(seed, _LATENT, length)
        feeds = {
            "z": z[None],
            "class_weights": class_weights[None],
            "w": np.zeros((1, *self.shape), np.float32),
            "truncation": np.array(truncation, np.float32),
        }
        session = self.runtime.session(self.model, ["w_used"])
        (found,) = session.run(feeds, ["w_used"])
        w: FloatArray = found[0]
        return w

    def noise(self, seed: int) -> FloatArray:
        """Return the noise of all layers for one picture; empty if the network has none."""
        count = sum(side * side for side in self.card.extra["noise_sides"])
        return _numbers(seed, _NOISE, count)

    def pictures(self, w: FloatArray, noise: FloatArray, strength: float) -> FloatArray:
        """Return the pictures of several w, (N, size, size, 3) in [0, 1].

        Parameters
        ----------
        w
            (N, layers, W).
        noise
            (N, numbers).
        strength
            What noise is multiplied by.
        """
        session = self.runtime.session(self.model, ["image"])
        made = np.empty((len(w), self.size, self.size, 3), np.float32)
        for start in range(0, len(w), _BATCH):
            if len(w) > _BATCH:  # a few are soon made, and part of what others report
                report_progress(start / len(w), f"picture {start + 1} of {len(w)}")
            part = slice(start, start + _BATCH)
            feeds = self.given(w[part])
            feeds |= {"noise": noise[part], "noise_strength": np.array(strength, np.float32)}
            (images,) = session.run(feeds, ["image"])
            # Grey ones get three equal channels.
            made[part] = np.clip(images, 0.0, 1.0).transpose(0, 2, 3, 1)
        if self.layers > 1:
            _without_rim(made)
        return made

    def given(self, w: FloatArray) -> dict[str, Any]:
        """Return the inputs that make the network take these w, (N, layers, W)."""
        count = len(w)
        classes = max(1, len(self.classes))
        return {
            "z": np.zeros((count, int(self.card.extra["z"])), np.float32),
            "class_weights": np.full((count, classes), 1 / classes, np.float32),
            "w": w.astype(np.float32),
            "truncation": np.array(1.0, np.float32),
        }


def _without_rim(pictures: FloatArray) -> None:
    """Put what is beside the outermost pixels in their place.

    Convolutions see zeros beyond the border, which makes these grey: a frame around each picture.
    """
    for one in (pictures, pictures.transpose(0, 2, 1, 3)):
        one[:, 0], one[:, -1] = one[:, 1], one[:, -2]


def _stream(seed: int, purpose: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([seed, purpose]))


def _numbers(seed: int, purpose: int, count: int) -> FloatArray:
    """Return numbers of a standard normal distribution."""
    return _stream(seed, purpose).standard_normal(count).astype(np.float32)

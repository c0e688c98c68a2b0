"""Samples of a trained generator: of an exported file, by ONNX Runtime, or of a run, by PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganfilters.errors import UsageError
from ganfilters.models import ModelFile
from ganfilters.onnxfile import extract

from .directions import mean_w
from .networks import Generator
from .standing import settle
from .trained import read_trained

__all__ = ["Sampler", "of_network", "open_sampler"]

PART = 64


@dataclass(frozen=True)
class Sampler:
    """A generator as a function.

    Attributes
    ----------
    size, channels : int
        Of the pictures.
    classes : tuple of str
        Empty for an unconditional generator.
    z, noise : int
        Numbers of latent and noise for one picture.
    make : callable
        Takes z (N, Z), class weights (N, classes), noise (N, numbers) and the truncation, float32;
        returns pictures (N, C, H, W) in [0, 1].
    """

    size: int
    channels: int
    classes: tuple[str, ...]
    z: int
    noise: int
    make: Callable[[np.ndarray, np.ndarray, np.ndarray, float], np.ndarray]

    def sample(self, count: int, seed: int, truncation: float = 1.0) -> tuple[Tensor, Tensor]:
        """Return pictures, uint8 (N, H, W, C), and their labels, the classes in turn."""
        random = np.random.default_rng(seed)
        labels = np.arange(count) % max(1, len(self.classes))
        images = np.empty((count, self.size, self.size, self.channels), np.uint8)
        for start in range(0, count, PART):
            part = slice(start, min(count, start + PART))
            number = part.stop - start
            z = random.standard_normal((number, self.z), np.float32)
            noise = random.standard_normal((number, self.noise), np.float32)
            weights = np.eye(max(1, len(self.classes)), dtype=np.float32)[labels[part]]
            made = self.make(z, weights, noise, truncation)
            images[part] = np.rint(np.clip(made, 0, 1) * 255).transpose(0, 2, 3, 1)
        return torch.from_numpy(images), torch.from_numpy(labels)


def open_sampler(model: Path, threads: int) -> Sampler:
    """Open an ``.onnx`` file, or a run's folder.

    Raises
    ------
    UsageError
        It holds no generator.
    """
    if not model.is_dir():
        return _from_file(model, threads)
    trained = read_trained(model)
    generator = trained.load().eval().requires_grad_(False)
    if not isinstance(generator, Generator):
        raise UsageError(f"{model} is a run on pairs, which generates no pictures of its own")
    settle(generator)
    return of_network(generator, trained.classes)


def of_network(generator: Generator, classes: tuple[str, ...]) -> Sampler:
    """Return samples of a network on the CPU, in evaluation mode."""
    config, mean = generator.config, mean_w(generator)

    def make(
        z: np.ndarray, weights: np.ndarray, noise: np.ndarray, truncation: float
    ) -> np.ndarray:
        mine = torch.from_numpy(weights) if classes else None
        middle = mean if mine is None else mine @ mean
        with torch.inference_mode():
            w = middle + truncation * (generator.mapping(torch.from_numpy(z), mine) - middle)
            w = w[:, None].expand(-1, generator.layers, -1)
            made = generator.synthesis(w, torch.from_numpy(noise) if noise.size else None)
        array: np.ndarray = (made / 2 + 0.5).numpy()
        return array

    return Sampler(config.size, config.channels, classes, config.z, generator.noise_size, make)


def _from_file(file: Path, threads: int) -> Sampler:
    from .. import export

    card = ModelFile(file).card_for("latent")
    session = export.session(extract(file, ["image"]), threads)
    extra = card.extra
    names = {item.name for item in session.get_inputs()}
    layers, width = int(extra["layers"]), int(extra["w"])
    noise_size = sum(side * side for side in extra["noise_sides"])

    def make(
        z: np.ndarray, weights: np.ndarray, noise: np.ndarray, truncation: float
    ) -> np.ndarray:
        feeds = {
            "z": z, "class_weights": weights, "noise": noise,
            "w": np.zeros((len(z), layers, width), np.float32),
            "truncation": np.float32(truncation), "noise_strength": np.float32(1),
        }  # fmt: skip
        made: np.ndarray = session.run(
            ["image"], {key: np.asarray(value) for key, value in feeds.items() if key in names}
        )[0]
        return made

    return Sampler(
        int(extra["size"]), int(extra["channels"]), tuple(extra["classes"]), int(extra["z"]),
        noise_size, make,
    )  # fmt: skip

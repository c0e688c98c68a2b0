"""Small data and networks for the GAN tests."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ganfilters_exporters.backbones import Backbone
from ganfilters_exporters.gan.adversarial import GanConfig
from ganfilters_exporters.gan.networks import NetworkConfig
from ganfilters_exporters.gan.train import GanRequest
from ganfilters_exporters.trainer import TrainConfig

from .style_toys import backbone as five_stages

# Threads of tiny networks only wait for one another.
torch.set_num_threads(1)

SIZE = 16
CLASSES = ("bar", "disc", "frame")

NETWORKS: dict[str, NetworkConfig] = {
    "mlp": NetworkConfig("mlp", SIZE, z=6, width=16, embedding=3),
    "dcgan": NetworkConfig("dcgan", SIZE, z=6, width=6, embedding=3),
    "style": NetworkConfig("style", SIZE, z=6, width=2, embedding=3, w=8),
}


def drawings(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return uint8 (count, 16, 16) of three kinds of shapes, each of its own size and place."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(CLASSES)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    images = np.zeros((count, SIZE, SIZE), np.uint8)
    for number, label in enumerate(labels):
        across, down = rng.integers(5, 11, 2)
        reach = rng.integers(2, 5)
        x, y = columns - across, rows - down
        if label == 0:
            shape = (abs(x) <= 1) & (abs(y) <= reach + 1)
        elif label == 1:
            shape = x**2 + y**2 <= reach**2
        else:
            shape = np.maximum(abs(x), abs(y)) == reach
        images[number] = np.where(shape, rng.integers(160, 256), 0)
    return images, labels.astype(np.uint8)


def npz(folder: Path, count: int = 96) -> Path:
    """Write ``toy.npz`` with pictures and labels."""
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = drawings(count)
    np.savez(folder / "toy.npz", images=images, labels=labels)
    return folder / "toy.npz"


def folders(folder: Path, count: int = 12) -> Path:
    """Write coloured pictures, a folder for each class."""
    images, labels = drawings(count)
    tint = np.array([255, 180, 90]) / 255
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = folder / CLASSES[label] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((image[..., None] * tint).astype(np.uint8)).save(path)
    return folder


def backbone(_: Any = None) -> Backbone:
    """Return seven random stages with the names and strides of EfficientNet-Lite0's scales."""
    five = five_stages()
    stages = [
        dataclasses.replace(layer, name=name)
        for layer, name in zip(
            five.layers, ("stage1", "stage2", "stage3", "stage5", "stage7"), strict=True
        )
    ]
    return dataclasses.replace(five, layers=tuple(stages), segments=frozen(five))


def frozen(model: Backbone) -> tuple[torch.nn.Module, ...]:
    """Return the segments, frozen."""
    return tuple(segment.requires_grad_(False) for segment in model.segments)


def how(**changes: Any) -> GanConfig:
    """Return a configuration for a few steps."""
    base: dict[str, Any] = {"batch": 8, "rate": 2e-3, "feature_side": 64, "ema": 0.9}
    return GanConfig(**{**base, **changes})


def request(folder: Path, arch: str, gan: GanConfig | None = None, **changes: Any) -> GanRequest:
    """Return a request on the toy pictures."""
    values = {"network": NETWORKS[arch], "conditional": True, **changes}
    if "data" not in values:
        values["data"] = (npz(folder),)
    values.setdefault("run", folder / "run")
    return GanRequest(out=folder / "out.onnx", gan=gan or how(), **values)


def steps(count: int, **changes: Any) -> TrainConfig:
    """Return a quiet run on the CPU."""
    values = {"device": "cpu", "quiet": True, "log_every": 1, "checkpoint_every": 10**6}
    return TrainConfig(steps=count, **{**values, **changes})

"""A small loss network, a small painting network and generated pictures for the style tests."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from ganfilters_exporters.backbones import Backbone, Layer
from ganfilters_exporters.losses import LAYERS, Features
from ganfilters_exporters.style.network import NetworkConfig

# Threads of tiny networks only wait for one another.
torch.set_num_threads(1)

TINY = NetworkConfig(half=4, quarter=8, eighth=8, full=4, outer=1, blocks=1, stem=3)


def loss_network(channels: tuple[int, ...] = (4, 6, 8, 8)) -> Features:
    """Return four random convolutions with VGG16's layer names, frozen."""
    torch.manual_seed(3)
    segments = []
    before = 3
    for number, after in enumerate(channels):
        layers: list[nn.Module] = [nn.MaxPool2d(2)] if number else []
        conv = nn.Conv2d(before, after, 3, padding=1)
        segments.append(nn.Sequential(*layers, conv, nn.ReLU()))
        before = after
    return Features(segments, LAYERS).eval().requires_grad_(False)


def backbone() -> Backbone:
    """Return five random stages of stride 2, in the place of EfficientNet-Lite0."""
    torch.manual_seed(4)
    widths = (3, 4, 4, 6, 6, 8)
    segments = tuple(
        nn.Sequential(nn.Conv2d(i, o, 3, 2, 1), nn.ReLU6()) for i, o in pairwise(widths)
    )
    layers = tuple(Layer(f"stage{n}", w, 2**n) for n, w in enumerate(widths[1:], 1))
    return Backbone(
        name="toy", title="Toy", segments=segments, layers=layers, classes=(),
        default_layer="stage1", size_multiple=32, size_min=32, licence="CC0-1.0",
        attribution="nobody", data=(),
    )  # fmt: skip


def pictures(folder: Path, count: int, side: int = 48, *, stripes: bool = False) -> Path:
    """Write soft or striped pictures and return their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        rng = np.random.default_rng(number)
        if stripes:
            period = 4 + 3 * number
            along = np.arange(2 * side) if number % 2 else np.arange(2 * side)[:, None]
            wave = np.broadcast_to(along // period % 2, (2 * side, 2 * side))
            pixels = np.where(wave[..., None], *rng.integers(0, 256, (2, 3)))
        else:
            coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8))
            pixels = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"Picture_{number}.png")
    return folder

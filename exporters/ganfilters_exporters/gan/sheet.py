"""Grids of pictures, one PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..files import written_whole

__all__ = ["grid", "write_picture"]

GAP = 2
"""Pixels between two pictures."""


def grid(pictures: Tensor, columns: int) -> Tensor:
    """Return (C, H, W) from pictures (N, C, h, w) in [0, 1], row by row."""
    pictures = pictures.detach().float().cpu()
    rows = -(-len(pictures) // columns)
    _, channels, height, width = pictures.shape
    sheet = torch.ones(channels, rows * (height + GAP) - GAP, columns * (width + GAP) - GAP)
    for number, picture in enumerate(pictures):
        top, left = (number // columns) * (height + GAP), (number % columns) * (width + GAP)
        sheet[:, top : top + height, left : left + width] = picture
    return sheet


def write_picture(picture: Tensor, path: Path, scale: int = 1) -> None:
    """Write a picture (1 or 3, H, W) in [0, 1] as PNG, each pixel `scale` times."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    pixels = np.kron(pixels, np.ones((scale, scale, 1), np.uint8))
    pixels = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    with written_whole(path) as file:
        Image.fromarray(pixels).save(file, "PNG")

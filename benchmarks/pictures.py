"""Opening pictures for the benchmarks beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow
from PIL import ImageOps
from torch import Tensor

__all__ = ["opened", "tensor", "unit"]

Array = np.ndarray[Any, Any]


def opened(path: Path, size: int, side: Callable[[tuple[int, int]], int]) -> Pillow.Image:
    """Return a picture whose shorter (`side` is min) or longer (max) side is `size`."""
    picture = ImageOps.exif_transpose(Pillow.open(path)).convert("RGB")
    scale = size / side(picture.size)
    width, height = (round(length * scale) for length in picture.size)
    return picture.resize((width, height), Pillow.Resampling.LANCZOS)


def unit(picture: Pillow.Image) -> Array:
    """Return a picture as float32 in [0, 1]."""
    return np.asarray(picture, np.float32) / np.float32(255)


def tensor(pixels: Array) -> Tensor:
    """Return (1, 3, H, W) of (H, W, 3)."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)[None]))

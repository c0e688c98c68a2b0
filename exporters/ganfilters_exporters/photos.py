"""The four photographs that exporters measure on; they come with scikit-image."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")
"""A portrait, a cat, a still life and a landscape, from scikit-image's data module."""


def photo(name: str, height: int, width: int) -> Tensor:
    """Return a photograph, centre-cropped to the aspect ratio and resized, (1, 3, H, W) in [0, 1].

    Raises
    ------
    ModuleNotFoundError
        If scikit-image is not installed.
    """
    from PIL import Image, ImageOps
    from skimage import data

    picture = Image.fromarray(getattr(data, name)())
    fitted = ImageOps.fit(picture, (width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(fitted, np.float32) / 255
    return torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy())

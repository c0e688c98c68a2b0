"""A picture to try networks on."""

from __future__ import annotations

import numpy as np

from ganfilters.image import FloatArray

__all__ = ["photo"]


def photo(height: int, width: int) -> FloatArray:
    """Return what is like a photo to a network: light falling off, edges, colours, fine texture."""
    rng = np.random.default_rng(0)
    down, across = np.mgrid[0:height, 0:width].astype(np.float32)
    down, across = down / max(height, 1), across / max(width, 1)
    pixels = np.stack([0.9 - 0.5 * down, 0.7 - 0.3 * down, 0.45 + 0.4 * across], axis=-1)
    for _ in range(12):
        row, column, radius = rng.random(3) * (1.0, 1.0, 0.25)
        inside = (down - row) ** 2 + (across - column) ** 2 < radius**2
        shade = 0.6 + 0.4 * np.clip((across - column) / max(radius, 0.01), -1, 1)
        pixels = np.where(inside[..., None], rng.random(3) * shade[..., None], pixels)
    bars = (np.sin(across * 60) > 0.6) & (down > 0.7)
    pixels = np.where(bars[..., None], (0.15, 0.1, 0.1), pixels)
    pixels = pixels + 0.04 * rng.standard_normal(pixels.shape)
    result: FloatArray = np.clip(pixels, 0.0, 1.0).astype(np.float32)
    return result

"""What a photo is painted on: its own pixels with grain.

From a plain sky a network makes what its own grid makes of it, a weave. Grain gives it something
to make strokes from that differ. Networks are trained on the same (see
``ganfilters_exporters.style.ground``).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ganfilters import FloatArray, resize

__all__ = ["grained"]

# Sides in pixels, at most, of what has one value in each layer of grain, the coarsest first.
_CELLS = (16, 8, 4)
# Deviation of each colour from the layer's light and dark, of which it is a part.
_CHROMA = 0.5


def grained(pixels: FloatArray, amount: float) -> FloatArray:
    """Return the picture with grain, the same for each picture of that size.

    Parameters
    ----------
    pixels
        (H, W, 3) in [0, 1].
    amount
        Deviation of the grain.
    """
    if not amount:
        return pixels
    height, width = pixels.shape[:2]
    ground = pixels + np.float32(amount) * _grain(height, width)
    return np.clip(ground, 0.0, 1.0, out=ground)


# One is kept for the pictures of a folder and the frames of a video, which have one size.
@lru_cache(maxsize=1)
def _grain(height: int, width: int) -> FloatArray:
    """Return grain of a deviation of 1, (height, width, 3)."""
    generator = np.random.default_rng(0)
    total = np.zeros((1, 1, 3), np.float32)
    for cell in _CELLS:
        down, right = -(-height // cell), -(-width // cell)
        noise = generator.standard_normal((down, right, 4), np.float32)
        layer = (1 - _CHROMA**2) ** 0.5 * noise[..., :1] + _CHROMA * noise[..., 1:]
        # What is coarse is enlarged with the finer, which is less to enlarge.
        total = resize(total, right, down) + layer
    total = resize(total, width, height)
    total -= total.mean((0, 1))
    total /= max(float(total.std()), 1e-6)  # of a single pixel there is none
    total.flags.writeable = False
    return total

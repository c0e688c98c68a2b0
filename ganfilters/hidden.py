"""Colours under full transparency: nobody sees them, so no filter should.

Editors leave black or white there. A network that looked at it would paint dark strokes around a
cut-out, and take its tones from what is not in the picture.
"""

from __future__ import annotations

import numpy as np
import PIL.Image

from ganfilters.image import BoolArray, FloatArray, Image

__all__ = ["as_shown", "hidden_in"]

# Rows handled at a time, so that temporary arrays stay small beside a large picture.
_ROWS = 256


def hidden_in(image: Image) -> BoolArray | None:
    """Return where nothing is seen of a picture; None if that is nowhere."""
    if image.alpha is None:
        return None
    hidden: BoolArray = image.alpha == 0
    return hidden if hidden.any() else None


def as_shown(image: Image) -> Image:
    """Return a picture in which what is hidden has the colours of what is near.

    Each hidden pixel takes the mean of the smallest squares of pixels around it in which any is
    seen (the pyramid of Gortler et al., "The Lumigraph", 1996, section 3.4). Of a picture of which
    nothing is seen, the colours stay.
    """
    hidden = hidden_in(image)
    if hidden is None or hidden.all():
        return image
    pixels = image.pixels.copy()
    _fill(pixels, hidden)
    return image.replace(pixels=pixels)


def _fill(pixels: FloatArray, hidden: BoolArray) -> None:
    """Fill what is hidden from a picture of half the size, which is filled so itself."""
    if not hidden.any():
        return
    height, width = hidden.shape
    small, empty = _halved(pixels, hidden)
    _fill(small, empty)
    box = (0.0, 0.0, width / 2, height / 2)
    for channel in range(pixels.shape[2]):
        plane = PIL.Image.fromarray(np.ascontiguousarray(small[..., channel]))
        large = np.asarray(plane.resize((width, height), PIL.Image.Resampling.BILINEAR, box=box))
        np.copyto(pixels[..., channel], large, where=hidden)


def _halved(pixels: FloatArray, hidden: BoolArray) -> tuple[FloatArray, BoolArray]:
    """Return the means of what is seen of each two by two pixels, and where that is nothing."""
    height, width = (-(-side // 2) for side in hidden.shape)
    small = np.zeros((height, width, pixels.shape[2]), np.float32)
    count = np.zeros((height, width, 1), np.float32)
    for top in range(0, height, _ROWS):
        rows = slice(2 * top, 2 * (top + _ROWS))
        for down in (0, 1):
            for right in (0, 1):
                part = pixels[rows][down::2, right::2]
                seen = ~hidden[rows][down::2, right::2, None]
                area = slice(top, top + part.shape[0]), slice(0, part.shape[1])
                small[area] += part * seen
                count[area] += seen
    small /= np.maximum(count, 1.0)
    empty: BoolArray = count[..., 0] == 0
    return small, empty

"""Resizing of float pictures, for filters and for the host."""

from __future__ import annotations

import numpy as np
import PIL.Image

from ganfilters.image import FloatArray

__all__ = ["resize", "resize_mask"]


def resize(
    pixels: FloatArray,
    width: int,
    height: int,
    *,
    box: tuple[float, float, float, float] | None = None,
) -> FloatArray:
    """Resize an H x W or H x W x C float array with Lanczos filtering.

    Values are not clipped, so differences and gradients can be resized as well; a picture may
    overshoot [0, 1] slightly at edges.

    Parameters
    ----------
    pixels
        float32, H x W or H x W x C.
    width, height
        Size of the result in pixels.
    box
        Part of the source to use as (left, top, right, bottom) in pixels, fractions allowed; all
        of it by default.
    """
    if box is None and pixels.shape[:2] == (height, width):
        return pixels
    planes = pixels[..., None] if pixels.ndim == 2 else pixels
    result = np.empty((height, width, planes.shape[2]), np.float32)
    for channel in range(planes.shape[2]):  # Pillow resizes float pictures one plane at a time
        plane = PIL.Image.fromarray(np.ascontiguousarray(planes[..., channel]))
        resized = plane.resize((width, height), PIL.Image.Resampling.LANCZOS, box=box)
        result[..., channel] = np.asarray(resized)
    return result[..., 0] if pixels.ndim == 2 else result


def resize_mask(plane: FloatArray, width: int, height: int) -> FloatArray:
    """Resize a mask, H x W in [0, 1], with bilinear filtering.

    A wider filter would ring: beyond the edges of what is selected a little would be selected too.

    Parameters
    ----------
    plane
        float32, H x W.
    width, height
        Size of the result in pixels.
    """
    if plane.shape == (height, width):
        return plane
    whole = PIL.Image.fromarray(np.ascontiguousarray(plane))
    resized = whole.resize((width, height), PIL.Image.Resampling.BILINEAR)
    result: FloatArray = np.clip(np.asarray(resized, np.float32), 0.0, 1.0)
    return result

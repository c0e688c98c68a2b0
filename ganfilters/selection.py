"""The user's selection: mask, inversion and feather, and how a result is blended under it."""

from __future__ import annotations

import numpy as np

from ganfilters.areas import bounding_box, distance_to
from ganfilters.errors import ImageError
from ganfilters.image import BoolArray, FloatArray, Image

__all__ = ["blend", "blend_alpha", "feathered", "prepare_mask"]

# Rows handled at a time, so that temporary arrays stay small beside a large picture.
_ROWS = 256


def prepare_mask(mask: FloatArray, *, invert: bool, needed: bool = True) -> FloatArray:
    """Return the mask, inverted on request, after checking that it selects anything.

    Parameters
    ----------
    mask
        float32, H x W, in [0, 1].
    invert
        Select what is black.
    needed
        Something must be selected, or nothing would be done.

    Raises
    ------
    ImageError
        No pixel is selected, and one is needed.
    """
    if invert:
        mask = np.subtract(1.0, mask, dtype=np.float32)
    if needed and not mask.any():
        raise ImageError(
            "the mask selects nothing: it is all "
            + ("white and inverted" if invert else "black; white means 'work here'")
            + ", and --invert-mask turns it round"
        )
    return mask


def feathered(mask: FloatArray, radius: float) -> FloatArray:
    """Fade the mask out towards its edge, inside the selection only.

    The weight of a selected pixel rises with its distance to the nearest pixel that is not
    selected and reaches the mask's own value at `radius`. Nothing outside the selection gains
    weight, and a selection thinner than `radius` is weakened but never vanishes. The picture's
    own border is no edge.

    Parameters
    ----------
    mask
        float32, H x W, in [0, 1].
    radius
        Pixels, 0 to `~ganfilters.limits.FEATHER_MAX`.
    """
    if radius <= 0.0 or mask.all():
        return mask
    # One pixel around the selection, where the picture has one, holds the nearest zeros.
    outside = mask <= 0.0
    box = bounding_box(~outside, 1)
    result = np.zeros_like(mask)
    ramp = np.minimum(distance_to(outside[box], radius) / np.float32(radius), 1.0)
    np.multiply(mask[box], ramp, out=result[box])
    return result


def blend(
    source: Image, result: FloatArray, weight: FloatArray | None, strength: float
) -> tuple[FloatArray, BoolArray | None]:
    """Mix the filter's result into the source.

    Parameters
    ----------
    source
        The picture before the filter.
    result
        float32, H x W x 3; changed in place when it is not the source's own memory.
    weight
        Feathered mask, H x W, or None for everywhere.
    strength
        0 (source) to 1 (result).

    Returns
    -------
    pixels
        float32, H x W x 3. Where the weight is 0 they are the source's, bit for bit.
    untouched
        True where the weight is 0; None if there is no such pixel by construction.
    """
    if strength == 0.0:
        return source.pixels, np.ones(result.shape[:2], np.bool_)
    if weight is None and strength == 1.0:
        return result, None
    if np.may_share_memory(result, source.pixels) or not result.flags.writeable:
        result = result.copy()
    for top in range(0, result.shape[0], _ROWS):
        rows = slice(top, top + _ROWS)
        before, after = source.pixels[rows], result[rows]
        if weight is None:
            after -= before
            after *= np.float32(strength)
            after += before
        else:
            amount = weight[rows, :, None] * np.float32(strength)
            # Exact at both ends: arithmetic alone would leave rounding where nothing may change.
            mixed = before + amount * (after - before)
            np.copyto(after, np.where(amount == 0.0, before, np.where(amount == 1.0, after, mixed)))
        np.clip(after, 0.0, 1.0, out=after)
    return result, None if weight is None else weight == 0.0


def blend_alpha(
    before: FloatArray | None, after: FloatArray, weight: FloatArray | None, strength: float
) -> FloatArray:
    """Mix the alpha that a filter made into the source's, as `blend` does with pixels.

    Parameters
    ----------
    before
        float32, H x W; None for opaque.
    after
        float32, H x W.
    weight, strength
        As for `blend`.
    """
    if weight is None and strength == 1.0:
        return after
    old = np.float32(1.0) if before is None else before
    amount = np.float32(strength) * (np.float32(1.0) if weight is None else weight)
    mixed = np.clip(old + amount * (after - old), 0.0, 1.0)
    found: FloatArray = np.where(amount == 0.0, old, np.where(amount == 1.0, after, mixed))
    return found

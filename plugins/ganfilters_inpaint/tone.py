"""The tone of a filling: that of what is around it, and of the coarser filling it came from.

A network that has seen few pictures gives a filling a cast of its own: orange cloth turns greyish.
Its structure and texture are kept here, and its mean colours over some pixels corrected. Sources:
the correction that is interpolated from the hole's edge is that of seamless cloning (Pérez et al.
2003), the interpolation push-pull (Gortler et al. 1996).
"""

from __future__ import annotations

import numpy as np

from ganfilters import BoolArray, FloatArray
from ganfilters_inpaint.holes import box_means, box_sums, halved, thickness

__all__ = ["TONE_REACH", "continued", "in_tone", "is_grey", "joined", "spread"]

# Means are taken over so many pixels to each side.
_EDGE = 4
TONE_REACH = 12
# A hole is thin where half of what is so near is known.
_THIN = 16
# Rows of a picture handled at a time.
_ROWS = 8
# Column of weights that gives the lightness of a colour (ITU-R BT.601).
_LIGHTNESS = np.array([[0.299], [0.587], [0.114]], np.float32)


def continued(made: FloatArray, pixels: FloatArray, hole: BoolArray) -> FloatArray:
    """Return the filling with the colours at its edge being those on the other side.

    Parameters
    ----------
    made
        The filled picture, (H, W, 3) in [0, 1].
    pixels
        The picture; what is in the hole does not matter.
    hole
        (H, W).
    """
    inside = hole.astype(np.float32)[..., None]
    toned = made + _tone(made, pixels, inside) * inside
    # Of a thin hole the means on both sides differ by what the picture shows there.
    if thickness(hole) >= _THIN:
        apart, sure = _apart(toned, pixels, inside, _EDGE)
        toned += spread(apart, inside * sure) * inside
    return np.clip(toned, 0.0, 1.0)


def _tone(made: FloatArray, pixels: FloatArray, inside: FloatArray) -> FloatArray:
    """Return what brings the filling to the colours that come from its edge, (H, W, 3).

    Where the network is unsure it goes grey. So colour is carried on smoothly everywhere, and
    lightness where the hole is thin; in the middle of a large one the network knows better.
    """
    # From the edge alone: what is farther, such as a shadow, is no business of the hole's.
    edge = (1 - inside) * (box_sums(inside, _EDGE) > 0.5).astype(np.float32)
    apart: FloatArray = spread(pixels * edge, edge) - made
    thin = np.clip(2 * box_sums(1 - inside, _THIN) / np.float32((2 * _THIN + 1) ** 2), 0.0, 1.0)
    change = apart - (1 - thin) * (apart @ _LIGHTNESS)
    return box_means(change, inside, TONE_REACH)[0]


def joined(made: FloatArray, pixels: FloatArray, inside: FloatArray) -> FloatArray:
    """Return the filling without a step of tone at the hole's edge.

    What takes away the step is interpolated from there. `inside` is (H, W, 1), 1 in the hole; made
    and pixels are as `continued` takes them, and the result is not clipped. A slope that goes on
    across the edge is no step: it makes means of twice as many pixels differ twice as much.
    """
    near, sure = _apart(made, pixels, inside, _EDGE // 2)
    far, farther = _apart(made, pixels, inside, _EDGE)
    return made + spread(2 * near - far, inside * sure * farther) * inside


def _apart(
    made: FloatArray, pixels: FloatArray, inside: FloatArray, reach: int
) -> tuple[FloatArray, FloatArray]:
    """Return how far the means on both sides of the edge are apart, and how sure that is."""
    within, _ = box_means(made, inside, reach)
    without, known = box_means(pixels, 1 - inside, reach)
    # Sure where both sides are in sight.
    return without - within, np.clip(known / np.float32((2 * reach + 1) * reach), 0.0, 1.0)


def in_tone(made: FloatArray, guess: FloatArray, hole: BoolArray) -> FloatArray:
    """Return the filling with the colours of the guess, as they are over some pixels.

    The guess was made with more of the picture in sight; what is finer was added since.
    """
    weight = hole.astype(np.float32)[..., None]
    shift, _ = box_means(made - guess, weight, TONE_REACH)
    return np.clip(made - shift * weight, 0.0, 1.0)


def is_grey(pixels: FloatArray, known: BoolArray) -> bool:
    """Return whether what is known of the picture is grey, so that its filling must be too."""
    for top in range(0, len(pixels), _ROWS):  # the first rows of a colour picture tell
        seen = pixels[top : top + _ROWS][known[top : top + _ROWS]]
        if (seen != seen[:, :1]).any():
            return False
    return True


def spread(values: FloatArray, weight: FloatArray) -> FloatArray:
    """Interpolate between values where their weight is small, (H, W, C) and (H, W, 1)."""
    planes = np.ascontiguousarray(values.transpose(2, 0, 1))  # the faster order, see `halved`
    return np.ascontiguousarray(_pushed(planes, weight[..., 0]).transpose(1, 2, 0))


def _pushed(values: FloatArray, weight: FloatArray) -> FloatArray:
    """Interpolate as `spread` does, (C, H, W) and (H, W)."""
    height, width = weight.shape
    planes = np.concatenate([values * weight, weight[None]])
    if min(height, width) <= 2:
        total = planes.mean(axis=(1, 2), keepdims=True)
        below = np.broadcast_to(total[:-1] / np.maximum(total[-1], np.float32(1e-6)), values.shape)
    else:
        if height % 2 or width % 2:
            planes = np.pad(planes, ((0, 0), (0, height % 2), (0, width % 2)), mode="edge")
        *half, share = halved(planes)
        # A cell of which a corner is known is known: else what is far away would seep in.
        known = np.stack(half) / np.maximum(share, np.float32(1e-6))
        coarse = _pushed(known, np.clip(4 * share, 0.0, 1.0))
        below = _doubled(_doubled(coarse, 1), 2)[:, :height, :width]
    found: FloatArray = values - below
    found *= weight
    found += below
    return found


def _doubled(planes: FloatArray, axis: int) -> FloatArray:
    """Return twice as many values along an axis: two thirds its own, and a third the next one's."""
    lengths = list(planes.shape)
    lengths[axis] *= 2
    found = np.empty(lengths, np.float32)
    large, small = found.swapaxes(0, axis), planes.swapaxes(0, axis)
    third = small * np.float32(1 / 3)
    large[::2] = large[1::2] = small - third
    # Beyond the first and the last it goes on as it is.
    large[0] += third[0]
    large[2::2] += third[:-1]
    large[1:-1:2] += third[1:]
    large[-1] += third[-1]
    return found

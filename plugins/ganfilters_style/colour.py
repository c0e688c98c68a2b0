"""Colours of a picture that is painted: the painting's, or the photo's; and its light and dark.

For the photo's colours see Gatys et al., "Preserving Color in Neural Artistic Style Transfer"
(2016).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ganfilters import FloatArray, resize

__all__ = [
    "COLOURS",
    "LUMA",
    "colour_moments",
    "half_lit",
    "known_moments",
    "match_colours",
    "match_moments",
    "painting_moments",
    "towards_palette",
    "with_luminance_of",
]

COLOURS = "colours"
"""What `colour_moments` are called among what a painting looks like."""
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of the luma of sRGB-encoded values, ITU-R BT.601, as Gatys used it."""
_SAMPLES = 250_000
# Colours are seen from here, so that moments in half precision tell faint ones apart.
_GREY = 0.5
# How far differences of colours are stretched at most.
_LARGEST_GAIN = 8.0
# The same, and how far at least, for what a network painted in one pass: its plain skies have grain
# to be stretched, and a painting of one colour is to leave something to see.
_PALETTE_GAINS = (1 / 3, 3.0)
# Variance added to that of a picture, so that one of a single colour has an inverse.
_FLOOR = 1e-6
# Longer side in pixels at which a painting's colours are measured.
_LOOKED_AT = 512
# Moments of colours have the weight 1, but for half precision.
_ALL_KNOWN = 0.99
# How far a photograph's contrast is changed to be a painting's: the grain of a sky is no picture.
_GAINS = (0.5, 2.0)

_Float64 = npt.NDArray[np.float64]


def with_luminance_of(photo: FloatArray, painting: FloatArray) -> FloatArray:
    """Return the photo's colours with the painting's light and dark, (H, W, 3) in [0, 1].

    The painting's luma is first given the photo's mean and contrast, as dark paintings would
    otherwise turn every photo dark.
    """
    own, painted = photo @ LUMA, painting @ LUMA
    scale = own.std() / max(float(painted.std()), 1e-6)
    change = (painted - painted.mean()) * scale + own.mean() - own
    result: FloatArray = np.clip(photo + change[..., None], 0.0, 1.0)
    return result


def half_lit(painting: FloatArray, photo: FloatArray) -> FloatArray:
    """Return the painting with its light and dark half its own and half the photo's.

    Those of the photo are given the painting's mean, and nearly its contrast. Colours stay the
    painting's. Both are (H, W, 3) in [0, 1], and so is the result.
    """
    own, given = painting @ LUMA, photo @ LUMA
    gain = np.clip(own.std() / max(float(given.std()), 1e-6), *_GAINS)
    change = (given - given.mean()) * gain + own.mean() - own
    change *= np.float32(0.5)
    result: FloatArray = painting + change[..., None]
    return np.clip(result, 0.0, 1.0, out=result)


def match_colours(painting: FloatArray, photo: FloatArray) -> FloatArray:
    """Return the painting with the photo's mean and covariance of colours, in [0, 1].

    See `match_moments`.
    """
    return match_moments(painting, colour_moments(photo))


def colour_moments(pixels: FloatArray) -> FloatArray:
    """Return first and second moments of a picture's colours, (4, 4).

    That is the mean of the products of (1, r, g, b), each less 0.5 but the one: like the Gram
    matrix of a layer, so moments of several pictures are mixed as those are. Of a large picture
    pixels at even distances count.
    """
    step = max(1, math.isqrt(pixels.shape[0] * pixels.shape[1] // _SAMPLES))
    some = pixels[::step, ::step].reshape(-1, 3)
    sample = np.ones((len(some), 4), np.float32)
    # Around about their mean, or single precision would lose small variances.
    centre = some[:: -(-len(some) // 1000)].mean(0)
    np.subtract(some, centre, out=sample[:, 1:])
    shifted = np.eye(4)
    shifted[1:, 0] = centre - _GREY
    moments = shifted @ (sample.T @ sample / np.float32(len(sample))) @ shifted.T
    return moments.astype(np.float32)


def painting_moments(pixels: FloatArray) -> FloatArray:
    """Return `colour_moments` of a painting, as one size: (H, W, 3) in [0, 1] to (4, 4).

    Reduced if it is large: a screen, or a scan's grain, are none of its colours.
    """
    height, width = pixels.shape[:2]
    scale = _LOOKED_AT / max(height, width)
    if scale < 1:
        small = resize(pixels, max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = np.clip(small, 0.0, 1.0)
    return colour_moments(pixels)


def known_moments(moments: FloatArray | None) -> FloatArray | None:
    """Return moments of colours, or None if not all that was blended says what its colours are."""
    return None if moments is None or moments[0, 0] < _ALL_KNOWN else moments


def towards_palette(painting: FloatArray, moments: FloatArray, share: float) -> FloatArray:
    """Return what a network painted, part of the way to the colours of `colour_moments`.

    Networks are trained with this (``ganfilters_exporters.style.palette``): one that is to keep
    what a photo shows settles on one hue of the painting's, and cannot know which photo lacks what.

    Parameters
    ----------
    painting
        (H, W, 3) in [0, 1], and so is the result.
    moments
        (4, 4), of the painting whose palette it is.
    share
        How far, from 0 to 1.
    """
    return match_moments(painting, moments, share=share, gains=_PALETTE_GAINS)


def match_moments(
    painting: FloatArray,
    moments: FloatArray,
    *,
    share: float = 1.0,
    gains: tuple[float, float] = (0.0, _LARGEST_GAIN),
) -> FloatArray:
    """Return the painting with the mean and covariance of `colour_moments`, in [0, 1].

    Or part of the way there, by `share`; differences of colours are stretched within `gains`, and
    what is not finite stays as it is. The linear map is the one that moves colours least
    (Monge-Kantorovich; Pitié and Kokaram 2007, "The linear Monge-Kantorovitch linear colour mapping
    for example-based colour transfer"): unlike a Cholesky factor's it turns no hue more than it
    must.
    """
    found = colour_moments(painting)
    if not (np.isfinite(found).all() and np.isfinite(moments).all()):
        return painting  # for others to tell of
    mean, covariance = _mean_and_covariance(found)
    wanted_mean, wanted = _mean_and_covariance(moments)
    root = _power(covariance, 0.5)
    inverse = _power(covariance, -0.5)
    linear = inverse @ _power(root @ wanted @ root, 0.5) @ inverse
    values, vectors = np.linalg.eigh(linear)
    # At most: from what is nearly one colour, many would be made of its noise.
    linear = (vectors * np.clip(values, *gains)) @ vectors.T
    shift = (share * (wanted_mean - linear @ mean)).astype(np.float32)
    linear = np.eye(3) + share * (linear - np.eye(3))
    result: FloatArray = painting @ linear.astype(np.float32).T.copy()
    result += shift
    return np.clip(result, 0.0, 1.0, out=result)


def _mean_and_covariance(moments: FloatArray) -> tuple[_Float64, _Float64]:
    """Return mean and covariance of colours from their moments, of whatever weight."""
    weighed = moments.astype(np.float64) / float(moments[0, 0])
    mean = weighed[0, 1:]
    covariance = weighed[1:, 1:] - np.outer(mean, mean) + _FLOOR * np.eye(3)
    return mean + _GREY, covariance


def _power(matrix: _Float64, exponent: float) -> _Float64:
    """Return a power of a symmetric positive matrix."""
    values, vectors = np.linalg.eigh(matrix)
    result: _Float64 = (vectors * np.maximum(values, 1e-12) ** exponent) @ vectors.T
    return result

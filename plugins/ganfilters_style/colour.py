"""Colours of a picture that is painted: the painting's, or the photo's; and its light and dark.

For the photo's colours see Gatys et al., "Preserving Color in Neural Artistic Style Transfer"
(2016).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ganfilters import FloatArray

__all__ = [
    "COLOURS",
    "LUMA",
    "colour_moments",
    "half_lit",
    "known_moments",
    "match_colours",
    "match_moments",
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
# The same for what a network painted in one pass, whose plain skies have grain to be stretched.
_PALETTE_GAIN = 3.0
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
    np.subtract(some, np.float32(_GREY), out=sample[:, 1:])
    moments: FloatArray = sample.T @ sample
    moments /= np.float32(len(sample))
    return moments


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
    return match_moments(painting, moments, share=share, largest_gain=_PALETTE_GAIN)


def match_moments(
    painting: FloatArray,
    moments: FloatArray,
    *,
    share: float = 1.0,
    largest_gain: float = _LARGEST_GAIN,
) -> FloatArray:
    """Return the painting with the mean and covariance of `colour_moments`, in [0, 1].

    Or part of the way there, by `share`; no difference of colours is stretched more than
    `largest_gain`. The linear map is the one that moves colours least (Monge-Kantorovich; Pitié and
    Kokaram 2007, "The linear Monge-Kantorovitch linear colour mapping for example-based colour
    transfer"): unlike a Cholesky factor's it turns no hue more than it must.
    """
    mean, covariance = _mean_and_covariance(colour_moments(painting))
    wanted_mean, wanted = _mean_and_covariance(moments)
    root = _power(covariance, 0.5)
    inverse = _power(covariance, -0.5)
    linear = inverse @ _power(root @ wanted @ root, 0.5) @ inverse
    values, vectors = np.linalg.eigh(linear)
    # From what is nearly one colour, many would be made of its noise.
    linear = (vectors * np.minimum(values, largest_gain)) @ vectors.T
    shift = (share * (wanted_mean - linear @ mean)).astype(np.float32)
    linear = np.eye(3) + share * (linear - np.eye(3))
    result: FloatArray = painting @ linear.astype(np.float32).T.copy()
    result += shift
    return np.clip(result, 0.0, 1.0, out=result)


def _mean_and_covariance(moments: FloatArray) -> tuple[_Float64, _Float64]:
    """Return mean and covariance of colours from their moments, of whatever weight."""
    weighed = moments.astype(np.float64) / float(moments[0, 0])
    mean = weighed[0, 1:]
    # A floor, so that a picture of one colour has an inverse.
    covariance = weighed[1:, 1:] - np.outer(mean, mean) + 1e-6 * np.eye(3)
    return mean + _GREY, covariance


def _power(matrix: _Float64, exponent: float) -> _Float64:
    """Return a power of a symmetric positive matrix."""
    values, vectors = np.linalg.eigh(matrix)
    result: _Float64 = (vectors * np.maximum(values, 1e-12) ** exponent) @ vectors.T
    return result

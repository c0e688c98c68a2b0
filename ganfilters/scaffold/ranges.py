"""In which range of values a network takes and makes pictures: a guess by running it.

Nothing in an ONNX file says it. A network that gets what it was trained on makes of a picture a
picture: its values fill a usual range, without running out of it, and large shapes stay where they
were. All combinations are tried and the best is taken; near ties go to the more usual one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ganfilters.errors import GanfiltersError, UsageError
from ganfilters.image import FloatArray

if TYPE_CHECKING:
    from ganfilters.scaffold.probe import Network

__all__ = ["RANGES", "decode", "encode", "guess_ranges", "imagenet"]

RANGES = ("0..1", "0..255", "-1..1", "imagenet")
"""Ranges that a network may take; it may make all but the last."""

_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_STD = np.array([0.229, 0.224, 0.225], np.float32)

_UNUSUAL = {"0..1": 0.0, "0..255": 0.03, "-1..1": 0.03, "imagenet": 0.15}
_MISMATCH = 0.1
_OUTSIDE_COST = 3.0
# Normalised convolutions overshoot a little, and rounding does.
_SLACK = 0.05


def encode(pixels: FloatArray, span: str) -> FloatArray:
    """Return pixels in [0, 1] as values of a range of `RANGES`."""
    if span == "0..255":
        return pixels * np.float32(255)
    if span == "-1..1":
        return pixels * np.float32(2) - np.float32(1)
    if span == "imagenet":
        mean, std = imagenet(pixels.shape[-1])
        return (pixels - mean) / std
    return pixels


def imagenet(channels: int) -> tuple[FloatArray, FloatArray]:
    """Return mean and deviation of ImageNet's pictures, for each of 3 channels or for grey."""
    if channels == 1:
        return _MEAN.mean(keepdims=True), _STD.mean(keepdims=True)
    return _MEAN, _STD


def decode(values: FloatArray, span: str) -> FloatArray:
    """Return values of a range as pixels; those out of [0, 1] are not clipped."""
    if span == "0..255":
        return values / np.float32(255)
    if span == "-1..1":
        return (values + np.float32(1)) / np.float32(2)
    return values


def guess_ranges(
    network: Network, pixels: FloatArray, given: str | None = None, made: str | None = None
) -> tuple[str, str]:
    """Return the ranges of input and output that suit a network best.

    Parameters
    ----------
    network
        To be run on `pixels`, once for each range.
    pixels
        A picture of a size that it takes.
    given, made
        The ranges as far as they are known.

    Raises
    ------
    UsageError
        In no range does the network make finite values.
    """
    byte_in, byte_out = network.input.dtype == "uint8", network.output.dtype == "uint8"
    inputs = [given] if given else ["0..255"] if byte_in else RANGES
    outputs = [made] if made else ["0..255"] if byte_out else RANGES[:3]
    scores: dict[tuple[str, str], float] = {}
    for span in inputs:
        try:
            values = network.run(pixels, span)
        except GanfiltersError:
            continue
        if not np.isfinite(values).all():
            continue
        for other in outputs:
            if other == "-1..1" and not made and values.min() > -_SLACK:
                continue  # it ends in a sigmoid or the like
            cost = _UNUSUAL[span]
            if span != other and span != "imagenet" and not (byte_in or byte_out):
                cost += _MISMATCH
            scores[span, other] = _likeness(decode(values, other), pixels) - cost
    if not scores:
        raise UsageError("the model makes values that are not finite, whatever range it is given")
    return max(scores, key=lambda pair: scores[pair])


def _likeness(values: FloatArray, pixels: FloatArray) -> float:
    """Return how much `values` look like a picture made from `pixels`; about 1.25 at most."""
    outside = float(((values < -_SLACK) | (values > 1 + _SLACK)).mean())
    shown = np.clip(values, 0.0, 1.0).mean(axis=-1)
    first, second = _coarse(shown), _coarse(pixels.mean(axis=-1))
    spread = min(float(shown.std()) / max(float(pixels.mean(axis=-1).std()), 1e-6), 1.0)
    flat = min(first.std(), second.std()) < 1e-6
    # A negative is as good a picture as a positive.
    alike = 0.0 if flat else abs(float(np.corrcoef(first.ravel(), second.ravel())[0, 1]))
    return alike + 0.25 * spread - _OUTSIDE_COST * outside


def _coarse(plane: FloatArray, cells: int = 12) -> FloatArray:
    """Return the means of a grid of cells, the same for pictures of any size."""
    rows = np.array_split(plane, min(cells, plane.shape[0]), axis=0)
    split = [np.array_split(row, min(cells, plane.shape[1]), axis=1) for row in rows]
    return np.array([[cell.mean() for cell in row] for row in split], np.float32)

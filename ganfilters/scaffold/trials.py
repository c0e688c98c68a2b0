"""What an ONNX file does not say, found out by running it: sizes, tiles, bounds of numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from ganfilters.errors import GanfiltersError, UsageError
from ganfilters.image import FloatArray
from ganfilters.scaffold.extras import Extra
from ganfilters.scaffold.probe import Network
from ganfilters.scaffold.ranges import decode, guess_ranges
from ganfilters.scaffold.samples import photo
from ganfilters.tiling import fitted, padded_size

__all__ = ["Findings", "investigate"]

_MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
_MINIMA = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
_LOWS = (0.0, 0.01, 0.1, 1.0, 2.0)
_HIGHS = {True: (100, 64, 50, 32, 25, 20, 16, 10, 8, 5, 4, 3, 2, 1), False: (1.0,)}
# Above this the two tiles that conformance compares would be too large to be quick.
_LARGEST_OVERLAP = 128
_TILE_TOLERANCE = 1 / 255


@dataclass(frozen=True)
class Findings:
    """All that a plugin's code needs to know of a model.

    Attributes
    ----------
    network
        The model; its extras have bounds.
    given, made
        Ranges of values of input and output, of `RANGES`.
    guessed
        The ranges are a guess, and not given by the user or by the types.
    multiple, least, most
        Rules for height and width; of a model of one size they do not matter.
    overlap
        Pixels that tiles have to share; None if the network has to see the whole picture.
    """

    network: Network
    given: str
    made: str
    guessed: bool
    multiple: int = 1
    least: int = 1
    most: int | None = None
    overlap: int | None = None


def investigate(network: Network, given: str | None = None, made: str | None = None) -> Findings:
    """Try a network at several sizes, in all ranges, and at the bounds of its numbers.

    Parameters
    ----------
    network
        From `open_network`.
    given, made
        Ranges of values that the user knows; None leaves them to be guessed.

    Raises
    ------
    UsageError
        A range does not suit the type of the model, no size rule does, or the model makes no
        finite values.
    """
    for span, picture, what in ((given, network.input, "takes"), (made, network.output, "makes")):
        if picture.dtype == "uint8" and span not in (None, "0..255"):
            raise UsageError(f"the model {what} uint8, so its range is 0..255, not {span}")
    fixed = network.input.size
    multiple, least, most = (1, 1, None) if fixed else _size_rules(network)
    shown = photo(*(fixed or padded_size(160, 224, multiple, least)))
    spans = guess_ranges(network, shown, given, made)
    network = _bounded(network, shown, spans[0])
    known = {"uint8"} >= {network.input.dtype, network.output.dtype} or (given and made)
    overlap = None
    if not fixed and most is None and network.scale == 1:
        overlap = _overlap(network, spans, multiple, least)
    return Findings(network, *spans, not known, multiple, least, most, overlap)


def _size_rules(network: Network) -> tuple[int, int, int | None]:
    """Return multiple, smallest and largest size: from the card, or else by trial."""
    card = network.card
    if card is not None and network.runs(
        photo(*padded_size(97, 131, card.size_multiple, card.size_min))
    ):
        return card.size_multiple, card.size_min, card.size_max
    for multiple in _MULTIPLES:
        # Odd numbers of multiples, lest a larger rule go unseen.
        odd = [(side // multiple | 1) * multiple for side in (97, 139)]
        wide = [(side // multiple | 1) * multiple for side in (289, 353)]
        if network.runs(photo(*odd)) or (min(odd) < 256 and network.runs(photo(*wide))):
            return multiple, _least(network, multiple), None
    sizes = [photo(height, width) for height, width in ((128, 192), (256, 320), (512, 640))]
    if any(_shaped(network, pixels) for pixels in sizes):
        raise UsageError("the model cannot be wired: it makes values that are not finite")
    raise UsageError(
        "the model cannot be wired: no rule for the size of its pictures was found (multiples of 1 "
        "to 64 pixels were tried)"
    )


def _shaped(network: Network, pixels: FloatArray) -> bool:
    try:
        network.run(pixels)
    except GanfiltersError:
        return False
    return True


def _least(network: Network, multiple: int) -> int:
    """Return the smallest side from which on the network runs."""
    for side in dict.fromkeys(fitted(side, multiple) for side in _MINIMA):
        others = (side, side + multiple, side + 2 * multiple)
        if all(network.runs(photo(side, other)) for other in others) and network.runs(
            photo(side + multiple, side)
        ):
            return side if side > multiple else 1
    return fitted(256, multiple)


def _bounded(network: Network, pixels: FloatArray, span: str) -> Network:
    """Return the network with the bounds of its numbers, found by trial one after the other."""
    extras = []
    for extra in network.extras:
        if extra.count > 1 or extra.dtype == "bool":
            default = float(network.values[extra.name].ravel()[0])
            extras.append(replace(extra, default=default))
            continue
        low = _first(network, pixels, span, extra, _LOWS)
        high = _first(network, pixels, span, extra, _HIGHS[extra.whole])
        default = float(network.values[extra.name].ravel()[0])
        low, high = min(low, default), max(high, default)
        if low == high:
            high = low + 1
        extras.append(replace(extra, low=low, high=high, default=default))
    return replace(network, extras=tuple(extras))


def _first(
    network: Network, pixels: FloatArray, span: str, extra: Extra, tried: Iterable[float]
) -> float:
    for value in tried:
        if extra.whole and value != int(value):
            continue
        values = {**network.values, extra.name: extra.filled(value)}
        if network.runs(pixels, span, values=values):
            return float(value)
    return float(network.values[extra.name].ravel()[0])


def _overlap(network: Network, spans: tuple[str, str], multiple: int, least: int) -> int | None:
    """Return the overlap with which tiles come out as the whole picture does, if there is one.

    Compares a part of a picture with the same part of the whole: a network that looks no further
    than some pixels makes the same of both, but near the cut.
    """
    side = 2 * fitted(max(96, least), multiple)
    # A slope and bare noise, so that the part has another mean and every pixel matters.
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 2, (side, side, 3)).astype(np.float32)
    pixels = (np.linspace(0, 1, side, dtype=np.float32)[None, :, None] + noise) / np.float32(2)
    half = side // 2
    whole = _picture(network, pixels, spans)
    reach = 0
    # Distance from the cut, for each part, falls (rises) along the columns that both show.
    for part, distance in (
        (slice(0, half), np.arange(half)[::-1]),
        (slice(half, side), np.arange(half)),
    ):
        alone = _picture(network, pixels[:, part], spans)
        error = np.abs(alone - whole[:, part]).max(axis=(0, 2))
        wrong = distance[error > _TILE_TOLERANCE]
        reach = max(reach, int(wrong.max()) + 1 if wrong.size else 0)
    overlap = 16
    while overlap < 4 * reach:
        overlap *= 2
    return overlap if overlap <= _LARGEST_OVERLAP else None


def _picture(network: Network, pixels: FloatArray, spans: tuple[str, str]) -> FloatArray:
    made = network.run(np.ascontiguousarray(pixels), spans[0])
    return np.clip(decode(made, spans[1]), 0.0, 1.0)

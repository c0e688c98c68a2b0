"""The style network: style vectors, statistics, and painting in tiles that match.

What the network takes and gives, see ``ganfilters_exporters.style.export``. A style is a vector
(2, C): scales and shifts after each instance normalisation (Dumoulin et al. 2017). Vectors of named
styles and of paintings live in one space, so a blend is their weighted mean.

Instance normalisation makes each pixel depend on the whole picture. In a large one its statistics
are measured once, on the reduced whole picture, and given to each tile (thumbnail instance
normalisation, Chen et al. 2022): then a tile that sees `reach` pixels more than it keeps equals the
same part of the whole picture. What counts as large does not depend on the tiles, or their size
would change the picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ganfilters import (
    FloatArray,
    Image,
    ModelCard,
    ModelError,
    Session,
    UsageError,
    from_batch,
    nearest,
    pad_to,
    padded_size,
    report_progress,
    resize,
    to_batch,
)
from ganfilters_style.colour import COLOURS, known_moments, painting_moments
from ganfilters_style.sizes import scaled

__all__ = [
    "Network",
    "check_styles",
    "colours_unknown",
    "knows_colours",
    "palette_of",
    "shares",
    "style_names",
]

# Longer side in pixels at which the statistics of a larger picture are measured.
_MEASURED = 1024
# A tile keeps at least this many pixels a side, or it would be little more than its overlap.
_KEPT_MIN = 256

_PAINTING_MULTIPLE = 32
_PAINTING_MIN = 64
_PAINTING_PIXELS = 1024 * 1024
_DEFAULT_PAINTING_SIDE = 384

_ADD_LOOKS = "add it with: ganfilters export style FILE.onnx --styles PAINTINGS --out NEW.onnx"


def shares(names: Mapping[str, float], paintings: Sequence[Image]) -> list[float]:
    """Return what part of a blend each named style and then each painting has; paintings weigh 1.

    By the largest first: the sum of large weights may be infinite, that of small ones 0.
    """
    weights = [*names.values(), *(1.0 for _ in paintings)]
    relative = [weight / max(weights) for weight in weights]
    return [weight / sum(relative) for weight in relative]


def style_names(card: ModelCard) -> list[str]:
    """Return the names of the styles that a network holds, from its card."""
    return [style["name"] for style in card.extra.get("styles", ())]


def palette_of(card: ModelCard) -> float:
    """Return how far what a network painted was moved to the painting's colours in training.

    Raises
    ------
    ModelError
        Its card says what no share is.
    """
    share = card.extra.get("palette", 0.0)
    number = isinstance(share, (int, float)) and not isinstance(share, bool)
    if not number or not 0 <= share <= 1:
        raise ModelError(
            f"the card of {card.title!r} says that palette is {share!r}; it must be a number from "
            "0 to 1"
        )
    return float(share)


def knows_colours(card: ModelCard) -> bool:
    """Return whether a network holds colours of its styles' paintings, if not of all."""
    return COLOURS in (card.extra.get("look") or {}).get("layers", {})


def colours_unknown(card: ModelCard, names: Iterable[str]) -> UsageError:
    """Return the error that a network does not hold the colours of named styles."""
    return UsageError(
        f"{card.title!r} does not hold the colours of {', '.join(names)}, which `palette` needs; "
        f"{_ADD_LOOKS}"
    )


def check_styles(card: ModelCard, names: Iterable[str], paintings: Sequence[Image] = ()) -> None:
    """Check that a network can paint in these styles.

    Raises
    ------
    UsageError
        A name that the network does not have, no style at all where it has none of its own, or a
        painting that is too small or that it cannot look at.
    """
    styles = style_names(card)
    for name in names:
        if name not in styles:
            hint = nearest(name, styles, what="styles") if styles else "give `style_image`"
            raise UsageError(f"there is no style {name!r} in {card.title!r}; {hint}")
    if not styles and not paintings:
        raise UsageError(f"{card.title!r} has no named styles; give `style_image`")
    if paintings and not card.extra.get("any_painting"):
        raise UsageError(
            f"{card.title!r} knows its own styles only ({', '.join(styles)}); "
            "a model trained with --corpus can look at a picture"
        )
    for number, image in enumerate(paintings, 1):
        if min(image.width, image.height) < _PAINTING_MIN:
            several = f"{number} of {len(paintings)}" if len(paintings) > 1 else ""
            which = image.metadata.source or several
            raise UsageError(
                f"{f'the style picture {which}'.rstrip()} is {image.width}x{image.height} pixels; "
                f"it must be at least {_PAINTING_MIN}x{_PAINTING_MIN}"
            )


@dataclass(frozen=True)
class Network:
    """The running network and what its card says of it."""

    session: Session
    card: ModelCard
    _known: dict[str, dict[str, FloatArray]] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def styles(self) -> list[str]:
        """Names of the styles that the network holds."""
        return style_names(self.card)

    @property
    def grain(self) -> float:
        """Largest deviation of the grain that it was trained with."""
        return float(self.card.extra.get("grain", 0.0))

    @property
    def palette(self) -> float:
        """See `palette_of`."""
        return palette_of(self.card)

    @property
    def default(self) -> dict[str, float]:
        """The style to use when none is asked for: the first; empty if there are none."""
        return dict.fromkeys(self.styles[:1], 1.0)

    def style(self, names: Mapping[str, float], paintings: Sequence[Image] = ()) -> FloatArray:
        """Return the mean of named styles, with their weights, and of paintings, each 1: (2, C).

        Raises
        ------
        UsageError
            As `check_styles`.
        """
        check_styles(self.card, names, paintings)
        styles = [self._named(name)["style_used"] for name in names]
        for image in paintings:
            found = self._asked({"style_image": self._painting(image)}, ["style_used"])
            styles += found.values()
        blend = self._no_style()
        for share, style in zip(shares(names, paintings), styles, strict=True):
            blend += np.float32(share) * style
        return blend

    def look(self, name: str, features: str) -> dict[str, FloatArray]:
        """Return the Gram matrices of a named style's painting, as `Refiner.grams` gives them.

        Parameters
        ----------
        name
            The style.
        features
            Of which loss network they are to be, `Refiner.features`.

        Raises
        ------
        UsageError
            The network does not hold them.
        """
        factors = self._factors(name)
        if not factors or self.card.extra["look"]["features"] != features:
            raise UsageError(
                f"{self.card.title!r} does not hold what the painting of {name!r} looks like, "
                f"which `refine` needs; {_ADD_LOOKS}"
            )
        return {layer: factor @ factor.T for layer, factor in factors.items()}

    def colours(self, names: Mapping[str, float], paintings: Sequence[Image]) -> FloatArray | None:
        """Return the `colour_moments` of a blend, (4, 4), as `style` blends; None if not all known.

        Those of named styles are in the file, but not in models made before.
        """
        factors = [self._factors(name).get(COLOURS) for name in names]
        found = [None if factor is None else factor @ factor.T for factor in factors]
        found += [painting_moments(image.pixels) for image in paintings]
        total = np.zeros((4, 4), np.float32)
        for share, moments in zip(shares(names, paintings), found, strict=True):
            if moments is not None:
                total += np.float32(share) * moments
        return known_moments(total)

    def _factors(self, name: str) -> dict[str, FloatArray]:
        """Return A of each Gram matrix A A^T of a named style's painting, if they are known."""
        packed = self._named(name).get("look")
        if packed is None or not packed.any():
            return {}
        factors, at = {}, 0
        for layer, (channels, rank) in self.card.extra["look"]["layers"].items():
            factors[layer] = packed[at : at + channels * rank].reshape(channels, rank)
            at += channels * rank
        return factors

    def paint(self, pixels: FloatArray, style: FloatArray, tile: int) -> FloatArray:
        """Return the picture painted in a style, tile by tile if a side is over `tile`.

        Parameters
        ----------
        pixels
            (H, W, 3) in [0, 1].
        style
            (2, C), from `style`.
        tile
            Largest side in pixels that the network sees at once, if that leaves a tile enough to
            keep beside its overlap. The picture does not depend on it.
        """
        height, width = pixels.shape[:2]
        multiple, smallest = self.card.size_multiple, self.card.size_min
        reach = int(self.card.extra["reach"])
        tile = max(tile, _KEPT_MIN + 2 * reach)
        down, right = padded_size(height, width, multiple, smallest)
        large = max(down, right) > _MEASURED
        if max(down, right) <= tile:
            statistics = self._statistics(pixels, style) if large else None
            whole = self._run(pad_to(pixels, down, right), style, statistics)[0]
            return whole[:height, :width]
        statistics = self._statistics(pixels, style)
        # Tiles begin at multiples of the network's own stride, or its grids would not meet.
        core = (tile - 2 * reach) // multiple * multiple
        painted = np.empty((height, width, 3), np.float32)
        tops, lefts = range(0, height, core), range(0, width, core)
        for number, (top, left) in enumerate((y, x) for y in tops for x in lefts):
            report_progress(number / (len(tops) * len(lefts)))
            rows, inner_rows = _with_margin(top, core, reach, height)
            columns, inner_columns = _with_margin(left, core, reach, width)
            part = pixels[rows, columns]
            sides = padded_size(part.shape[0], part.shape[1], multiple, smallest)
            result = self._run(pad_to(part, *sides), style, statistics)[0]
            painted[top : top + core, left : left + core] = result[inner_rows, inner_columns]
        return painted

    def _statistics(self, pixels: FloatArray, style: FloatArray) -> FloatArray:
        """Return the statistics of the picture, reduced if it is large."""
        height, width = pixels.shape[:2]
        multiple, smallest = self.card.size_multiple, self.card.size_min
        down, right = padded_size(height, width, multiple, smallest)
        if max(down, right) <= _MEASURED:
            return self._run(pad_to(pixels, down, right), style)[1]
        scale = _MEASURED / max(height, width)
        down, right = scaled(height, width, scale, multiple, smallest)
        reduced = np.clip(resize(pixels, right, down), 0.0, 1.0)
        return self._run(reduced, style)[1]

    def _run(
        self, pixels: FloatArray, style: FloatArray, statistics: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        feeds = self._unused() | {
            "image": to_batch(pixels),
            "style": style,
            "statistics": self._no_style() if statistics is None else statistics,
        }
        styled, used = self.session.run(feeds, ["styled", "statistics_used"])
        return from_batch(styled), used

    def _named(self, name: str) -> dict[str, FloatArray]:
        """Return what the network knows of a named style: ``style_used`` and, if it has, ``look``.

        Both are asked for at once, and once.
        """
        if name not in self._known:
            outputs = ["style_used", *(["look"] if self.card.extra.get("look") else [])]
            self._known[name] = self._asked({"style_weights": self._one_hot(name)}, outputs)
        return self._known[name]

    def _asked(self, feeds: Mapping[str, Any], outputs: list[str]) -> dict[str, FloatArray]:
        """Return what the network knows of weights or of a painting."""
        zeros = self._no_style()
        # The picture is painted as well, so it is as small as may be.
        side = max(self.card.size_min, self.card.size_multiple)
        blank = np.zeros((1, 3, side, side), np.float32)
        given = {"image": blank, "style": zeros, "statistics": zeros, **self._unused(), **feeds}
        return dict(zip(outputs, self.session.run(given, outputs), strict=True))

    def _unused(self) -> dict[str, FloatArray]:
        """Return the inputs that a given style leaves unread."""
        side = _PAINTING_MIN
        return {
            "style_weights": np.zeros(max(len(self.styles), 1), np.float32),
            "style_image": np.zeros((1, 3, side, side), np.float32),
        }

    def _no_style(self) -> FloatArray:
        return np.zeros((2, int(self.card.extra["channels"])), np.float32)

    def _one_hot(self, name: str) -> FloatArray:
        weights = np.zeros(len(self.styles), np.float32)
        weights[self.styles.index(name)] = 1.0
        return weights

    def _painting(self, image: Image) -> FloatArray:
        """Return a painting as the network looks at it, (1, 3, h, w)."""
        height, width = image.pixels.shape[:2]
        # Looked at as large as in training: strokes are as wide then as they were there.
        scale = int(self.card.extra.get("painting_size", _DEFAULT_PAINTING_SIDE)) / min(
            height, width
        )
        scale = min(scale, (_PAINTING_PIXELS / (height * width)) ** 0.5)
        down, right = scaled(height, width, scale, _PAINTING_MULTIPLE, _PAINTING_MIN)
        pixels = np.clip(resize(image.pixels, right, down), 0.0, 1.0)
        return to_batch(pixels)


def _with_margin(start: int, core: int, margin: int, length: int) -> tuple[slice, slice]:
    """Return what a tile sees along an axis, and which part of that it keeps."""
    stop = min(start + core, length)
    first, last = max(start - margin, 0), min(stop + margin, length)
    return slice(first, last), slice(start - first, stop - first)

"""Filling with the network, coarse to fine.

A network that learned holes of some 100 pixels is lost in one of 1000. So the picture is first
shrunk until the hole's thickness is what the network knows; that filling is the guess for a larger
size, and so on up to the picture's own. With a guess the network only makes sharp what is there.
What is large is done in tiles, one after the other, each seeing what those before it filled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ganfilters import (
    FloatArray,
    ModelCard,
    Session,
    pad_to,
    progress_part,
    report_progress,
    resize,
)
from ganfilters_inpaint.holes import BoolArray, thickness

__all__ = ["Network"]

# A tile and what it sees around itself, in pixels of the network.
_CORE = 384
_MARGIN = 64
# Where less of a pixel of the shrunk picture is known, it belongs to the hole.
_KNOWN = 0.7
_TRAINING_SIZE = 128


@dataclass(frozen=True)
class Network:
    """The running network and what its card says of it."""

    session: Session
    card: ModelCard

    @property
    def thickest(self) -> float:
        """Thickness in pixels of the holes that the network fills best without a guess."""
        training = self.card.extra.get("training", {})
        return 0.5 * float(training.get("size", _TRAINING_SIZE))

    def fill(
        self, pixels: FloatArray, hole: BoolArray, seed: int, *, open_side: bool
    ) -> FloatArray:
        """Return the picture filled.

        Parameters
        ----------
        pixels
            (H, W, 3) in [0, 1]; what is in the hole does not matter.
        hole
            (H, W).
        seed
            Another one gives another filling.
        open_side
            The hole lies at the border, so that it is as hard as one twice as thick.
        """
        scales = self._scales(thickness(hole) * (2 if open_side else 1))
        height, width = hole.shape
        areas = np.cumsum([0.0, *(scale**2 for scale in scales)]) / sum(s**2 for s in scales)
        guess: FloatArray | None = None
        for number, scale in enumerate(scales):
            rng = np.random.default_rng([seed, number])
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            small, missing = _shrunk(pixels, hole, *size)
            if guess is not None:
                guess = np.clip(resize(guess, *size), 0.0, 1.0)
            with progress_part(areas[number], areas[number + 1]):
                guess = self._fill_level(small, missing, guess, rng)
        assert guess is not None  # noqa: S101 - there is at least one scale
        return guess

    def _scales(self, thick: float) -> list[float]:
        """Return the scales to work at, the last being 1, none more than twice the one before."""
        first = min(1.0, self.thickest / max(thick, 1.0))
        steps = math.ceil(-math.log2(first) - 1e-6)
        return [first ** (1 - n / steps) for n in range(steps + 1)] if steps else [1.0]

    def _fill_level(
        self,
        pixels: FloatArray,
        hole: BoolArray,
        guess: FloatArray | None,
        rng: np.random.Generator,
    ) -> FloatArray:
        filled, todo = pixels.copy(), hole.copy()
        if not hole.any():
            return filled
        rows, columns = (np.flatnonzero(hole.any(axis=axis)) for axis in (1, 0))
        spans = [_spans(int(places[0]), int(places[-1]) + 1) for places in (rows, columns)]
        tiles = [(down, across) for down in spans[0] for across in spans[1]]
        # Without a guess, the network needs to see further.
        margin = _MARGIN if guess is not None else 2 * _MARGIN
        for number, tile in enumerate(tiles):
            report_progress(number / len(tiles), "filling")
            if not todo[tile].any():
                continue
            area = tuple(_wider(s, margin, side) for s, side in zip(tile, hole.shape, strict=True))
            hint = None if guess is None else guess[area]
            made = self._run(filled[area], todo[area], hint, rng)
            offset = [s.start - a.start for s, a in zip(tile, area, strict=True)]
            inner = tuple(
                slice(first, first + s.stop - s.start)
                for first, s in zip(offset, tile, strict=True)
            )
            np.copyto(filled[tile], made[inner], where=todo[tile][..., None])
            todo[tile] = False
        return filled

    def _run(
        self,
        pixels: FloatArray,
        hole: BoolArray,
        guess: FloatArray | None,
        rng: np.random.Generator,
    ) -> FloatArray:
        height, width = hole.shape
        sides = [
            max(-(-side // self.card.size_multiple) * self.card.size_multiple, self.card.size_min)
            for side in hole.shape
        ]
        image = pad_to(pixels, *sides)
        mask = pad_to(hole.astype(np.float32), *sides)
        hint = np.zeros((*sides, 4), np.float32)
        if guess is not None:
            hint[..., :3] = pad_to(guess, *sides)
            hint[..., 3] = mask
        noise = rng.standard_normal(mask.shape, np.float32)
        feeds = {
            "image": _planes(image),
            "mask": mask[None, None],
            "guess": _planes(hint),
            "noise": noise[None, None],
        }
        (filled,) = self.session.run(feeds, ["filled"])
        made: FloatArray = np.clip(filled[0].transpose(1, 2, 0)[:height, :width], 0.0, 1.0)
        return made


def _planes(pixels: FloatArray) -> FloatArray:
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])


def _spans(start: int, stop: int) -> list[slice]:
    """Cut a length into equal parts of at most the tile's core."""
    count = -(-(stop - start) // _CORE)
    edges = np.linspace(start, stop, count + 1).round().astype(int).tolist()
    return [slice(a, b) for a, b in pairwise(edges)]


def _wider(span: slice, margin: int, length: int) -> slice:
    return slice(max(span.start - margin, 0), min(span.stop + margin, length))


def _shrunk(
    pixels: FloatArray, hole: BoolArray, width: int, height: int
) -> tuple[FloatArray, BoolArray]:
    """Shrink what is known; nothing of the hole's content gets into it."""
    if hole.shape == (height, width):
        return pixels, hole
    known = np.logical_not(hole).astype(np.float32)
    share = resize(known, width, height)
    small = resize(pixels * known[..., None], width, height)
    small = np.clip(small / np.maximum(share, _KNOWN)[..., None], 0.0, 1.0)
    return small, share < _KNOWN

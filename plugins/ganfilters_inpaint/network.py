"""Filling with the network, coarse to fine.

A network that learned holes of some 100 pixels is lost in one of 1000. So the picture is first
shrunk until the hole's thickness is what the network knows, and that filling is the guess for a
larger size. What the network draws is soft, and less so than it is right: it says what belongs
where, and the filling is copied from around the hole, see `copying`. Only holes as thin as
scratches keep what the network drew. What is large is done in tiles, one after the other, each
seeing what those before it filled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np

from ganfilters import (
    BoolArray,
    FloatArray,
    ModelCard,
    Session,
    bounding_box,
    from_batch,
    pad_to,
    padded_size,
    progress_part,
    report_progress,
    to_batch,
)
from ganfilters_inpaint.copying import copied, copyable, find_shifts
from ganfilters_inpaint.holes import enlarged, halved
from ganfilters_inpaint.tone import continued, in_tone

__all__ = ["COPIED", "Network"]

# A tile and what it sees around itself, in pixels of the network. Of thin holes little is in each
# tile, so smaller ones may be less work: whichever are.
_CORE, _CORE_THIN = 384, 128
_MARGIN, _MARGIN_THIN = 64, 32
# Where less of a pixel of the shrunk picture is known, it belongs to the hole.
_KNOWN = 0.7
_TRAINING_SIZE = 128
COPIED = 16
"""Holes at least this thick, in pixels, are filled with copies of what is around them."""

# The network draws up to the size at which the hole is about so thick. Beyond that it would be
# most of the time, and copies fit no better for it.
_DRAWN = 64
# What the network was seen to fill best without a guess, as a part of the training size.
_BEST = 0.35
# Rows above and columns to the left that are mirrored: without a guess the mean is taken of these.
# Where a long hole lies just on the network's coarse pixels, it draws a grey streak.
_PLACED = ((0, 0), (3, 5))


@dataclass(frozen=True)
class Network:
    """The running network and what its card says of it."""

    session: Session
    card: ModelCard

    @property
    def thickest(self) -> float:
        """Thickness in pixels of the holes that the network fills best without a guess."""
        training = self.card.extra.get("training", {})
        return _BEST * float(training.get("size", _TRAINING_SIZE))

    def fill(
        self, pixels: FloatArray, hole: BoolArray, seed: int, *, thick: float, open_side: bool
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
        thick
            Thickness of the hole in pixels.
        open_side
            The hole lies at the border, so that it is as hard as one twice as thick.
        """
        halvings = self._halvings(thick * (2 if open_side else 1))
        levels = _Pyramid(pixels, hole, halvings)
        first = 0
        while first < halvings and levels.hole(first).all():  # nothing so small is known
            first += 1
        # Sizes at which the hole is thicker are only copied: drawing them takes most of the time.
        larger = max(0, math.ceil(math.log2(max(thick, 1.0) / _DRAWN)))
        drawn = max(first, halvings - larger)
        copying = thick >= COPIED
        # Where little is left around the hole, blocks to copy are found only at larger sizes.
        while drawn < halvings and copying and not copyable(levels.hole(drawn)):
            drawn += 1
        with progress_part(0.0, 0.9 if copying else 1.0):
            guess = self._drawn(levels, first, drawn, seed, thin=not copying)
        if copying:
            rng = np.random.default_rng([seed, drawn, 1])
            with progress_part(0.9, 1.0):
                shifts = find_shifts(levels.picture(drawn), levels.hole(drawn), guess, rng)
            whole = levels.picture(halvings), levels.hole(halvings)
            guess = copied(*whole, guess, shifts, 2 ** (halvings - drawn))
        return guess[: hole.shape[0], : hole.shape[1]]

    def _drawn(
        self, levels: _Pyramid, first: int, last: int, seed: int, *, thin: bool
    ) -> FloatArray:
        """Return what the network draws at the last of some sizes, from the first one on."""
        cost = 4.0 ** np.arange(last + 1 - first)
        done = np.cumsum([0.0, *cost]) / cost.sum()
        guess: FloatArray | None = None
        for turn, number in enumerate(range(first, last + 1)):
            rng = np.random.default_rng([seed, number])
            with progress_part(done[turn], done[turn + 1]):
                small = levels.picture(number), levels.hole(number)
                guess = self._fill_level(*small, guess, rng, thin=thin)
        assert guess is not None  # noqa: S101 - there is at least one size
        return guess

    def _halvings(self, thick: float) -> int:
        """Return how often to halve the picture until the hole is what the network knows."""
        return max(0, round(math.log2(max(thick, 1.0) / self.thickest)))

    def _fill_level(
        self,
        pixels: FloatArray,
        hole: BoolArray,
        guess: FloatArray | None,
        rng: np.random.Generator,
        *,
        thin: bool,
    ) -> FloatArray:
        filled, todo = pixels.copy(), hole.copy()
        if not hole.any():
            return filled
        # Without a guess, the network needs to see further.
        margin = _MARGIN_THIN if thin else _MARGIN if guess is not None else 2 * _MARGIN
        tiles = _tiles(hole, (_CORE, _CORE_THIN) if thin else (_CORE,), margin)
        for number, tile in enumerate(tiles):
            report_progress(number / len(tiles), "filling")
            rows, columns = (
                _wider(span, margin, side, self.card.size_multiple)
                for span, side in zip(tile, hole.shape, strict=True)
            )
            area = rows, columns
            if guess is None:
                made = self._run_placed(filled[area], todo[area], rng)
                made = continued(made, filled[area], todo[area])
            else:
                hint = enlarged(guess, area, hole.shape)
                made = self._run(filled[area], todo[area], hint, rng)
                made = in_tone(made, hint, todo[area])
            offset = [s.start - a.start for s, a in zip(tile, area, strict=True)]
            inner = tuple(
                slice(first, first + s.stop - s.start)
                for first, s in zip(offset, tile, strict=True)
            )
            np.copyto(filled[tile], made[inner], where=todo[tile][..., None])
            todo[tile] = False
        return filled

    def _run_placed(
        self, pixels: FloatArray, hole: BoolArray, rng: np.random.Generator
    ) -> FloatArray:
        """Return the mean of fillings that differ in where the network's coarse pixels lie."""
        total = np.zeros_like(pixels)
        for down, right in _PLACED:
            margins = (down, 0), (right, 0)
            moved = np.pad(pixels, (*margins, (0, 0)), mode="reflect")
            made = self._run(moved, np.pad(hole, margins, mode="reflect"), None, rng)
            total += made[down:, right:]
        return total / np.float32(len(_PLACED))

    def _run(
        self,
        pixels: FloatArray,
        hole: BoolArray,
        guess: FloatArray | None,
        rng: np.random.Generator,
    ) -> FloatArray:
        height, width = hole.shape
        sides = padded_size(height, width, self.card.size_multiple, self.card.size_min)
        image = pad_to(pixels, *sides)
        mask = pad_to(hole.astype(np.float32), *sides)
        hint = np.zeros((*sides, 4), np.float32)
        if guess is not None:
            hint[..., :3] = pad_to(guess, *sides)
            hint[..., 3] = mask
        noise = rng.standard_normal(mask.shape, np.float32)
        feeds = {
            "image": to_batch(image),
            "mask": mask[None, None],
            "guess": to_batch(hint),
            "noise": noise[None, None],
        }
        (filled,) = self.session.run(feeds, ["filled"])
        made: FloatArray = np.clip(from_batch(filled)[:height, :width], 0.0, 1.0)
        return made


def _tiles(hole: BoolArray, cores: Sequence[int], margin: int) -> list[tuple[slice, slice]]:
    """Return the tiles in which something is missing, of the core that makes the least work."""

    def of(core: int) -> list[tuple[slice, slice]]:
        down, across = (_spans(span.start, span.stop, core) for span in bounding_box(hole))
        return [tile for tile in product(down, across) if hole[tile].any()]

    def work(tiles: list[tuple[slice, slice]]) -> int:
        return sum(
            math.prod(span.stop - span.start + 2 * margin for span in tile) for tile in tiles
        )

    return min(map(of, cores), key=work)


def _spans(start: int, stop: int, core: int) -> list[slice]:
    """Cut a length into equal parts of at most `core`."""
    count = -(-(stop - start) // core)
    edges = np.linspace(start, stop, count + 1).round().astype(int).tolist()
    return [slice(a, b) for a, b in pairwise(edges)]


def _wider(span: slice, margin: int, length: int, multiple: int) -> slice:
    """Widen by about the margin, less if that is enough for a whole multiple of the network's."""
    over = (span.stop - span.start + 2 * margin) % multiple
    margin -= over // 2 if over <= margin // 2 else 0
    return slice(max(span.start - margin, 0), min(span.stop + margin, length))


class _Pyramid:
    """A picture and its hole at several sizes, each half of the next.

    Nothing of the hole's content gets into what is known. The sides are padded to be even at each.

    Parameters
    ----------
    pixels, hole
        (H, W, 3) and (H, W), the largest.
    halvings
        How often they are halved.
    """

    def __init__(self, pixels: FloatArray, hole: BoolArray, halvings: int) -> None:
        height, width = hole.shape
        size = padded_size(height, width, 2 ** (halvings + 1))
        self._pixels = pad_to(pixels, *size)
        missing = pad_to(hole.astype(np.float32), *size)
        self._hole: BoolArray = missing > 0
        # Means of what is known, (3, h, w), and how much that is, from large to small.
        self._smaller: list[tuple[FloatArray, FloatArray]] = []
        if not halvings:
            return
        share, known = 1 - missing, self._pixels.copy()
        area = bounding_box(self._hole)  # the padding mirrors what is near the border, holes too
        known[area] *= share[area][..., None]
        known, share = known.transpose(2, 0, 1), share[None]
        for _ in range(halvings):
            known, share = halved(known), halved(share)
            self._smaller.append((known, share[0]))

    def picture(self, number: int) -> FloatArray:
        """Return the picture at a size, the smallest being 0."""
        if number == len(self._smaller):
            return self._pixels
        known, share = self._smaller[-1 - number]
        small = np.clip(known / np.maximum(share, np.float32(_KNOWN)), 0.0, 1.0)
        return np.ascontiguousarray(small.transpose(1, 2, 0))

    def hole(self, number: int) -> BoolArray:
        """Return the hole at a size: where too little is known."""
        if number == len(self._smaller):
            return self._hole
        missing: BoolArray = self._smaller[-1 - number][1] < _KNOWN
        return missing

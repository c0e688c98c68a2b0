"""What named styles' paintings look like, kept in a style network for ``--refine``.

Refining compares Gram matrices, and paintings do not travel with a network. Their Gram matrices do,
as A in A A^T: of the hundreds of directions that features vary in, a few dozen are nearly all
(:data:`RANKS`, an error of about 2 % of the norm), so a painting takes 69 kB.

The matrices are measured by the refining network that ships with the style filter, as those of a
picture given to ``--style-image`` are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ganfilters import FloatArray, Image, Runtime
from ganfilters_style.colour import COLOURS
from ganfilters_style.refining import REFINER, Refiner

from ..data import read_picture
from .paintings import Painting

__all__ = ["RANKS", "layout", "lengthened", "looks_of", "measure_looks", "packed"]

RANKS = {"relu1_2": 24, "relu2_2": 16, "relu3_3": 40, "relu4_3": 40, COLOURS: 4}
"""Columns kept of A, by layer. Last the moments of colours, all of them: what was added later."""
_COLOUR_CHANNELS = 4


def packed(grams: Mapping[str, FloatArray]) -> FloatArray:
    """Return factors of Gram matrices by layer, (C, C) each, in one row of half precision."""
    parts = []
    for layer, rank in RANKS.items():
        values, vectors = np.linalg.eigh(grams[layer].astype(np.float64))
        kept = vectors[:, -rank:] * np.sqrt(np.maximum(values[-rank:], 0.0))
        parts.append(kept.ravel())
    return np.concatenate(parts).astype(np.float16).astype(np.float32)


def measure_looks(paintings: Sequence[Path]) -> Tensor:
    """Return what paintings look like, (paintings, P)."""
    refiner = Refiner(Runtime("cpu"))
    rows = []
    for path in paintings:
        pixels = np.asarray(read_picture(path), np.float32) / 255
        rows.append(packed(refiner.grams(Image(pixels))))
    return torch.from_numpy(np.stack(rows))


def layout() -> dict[str, Any]:
    """Return what a card says of the rows: of which features, and each factor's shape in order."""
    card = REFINER.card.extra
    channels = {**card["layers"], COLOURS: _COLOUR_CHANNELS}
    layers = {layer: [channels[layer], rank] for layer, rank in RANKS.items()}
    return {"features": card["features"], "layers": layers}


def looks_of(known: Tensor | None, before: int, paintings: Sequence[Painting]) -> Tensor:
    """Return rows for a network's styles: those `known` of `before` styles, or zeros, and new ones.

    Parameters
    ----------
    known : Tensor or None
        (before, P), what the network began with.
    before : int
        Its number of styles.
    paintings : sequence of Painting
        Those of the styles after them.
    """
    new = measure_looks([painting.path for painting in paintings])
    if known is None:
        known = new.new_zeros(before, new.shape[1])
    return torch.cat([known, new])


def lengthened(rows: Tensor) -> Tensor:
    """Return rows, (styles, P), with zeros for what they were made too early to say."""
    length = sum(channels * rank for channels, rank in layout()["layers"].values())
    return functional.pad(rows, (0, length - rows.shape[1]))

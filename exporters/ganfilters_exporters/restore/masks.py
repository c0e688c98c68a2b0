"""Holes to learn from: strokes, boxes, scratches, text and missing sides, as a function of a seed.

What people paint over is thick and roundish, or a rectangle; what damages a photograph is thin; a
stamp is text; a photo to be extended lacks a side. Thick free-form strokes are LaMa's finding: with
them a network learns to continue structures rather than to blur (Suvorov et al. 2022, section 2.3).

Examples
--------
>>> masks = draw_masks(4, 128, seed=7)
>>> masks.shape, bool(((masks == 0) | (masks == 1)).all())
(torch.Size([4, 1, 128, 128]), True)
"""

from __future__ import annotations

import math
import random
import string
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..task import seed_of

__all__ = ["KINDS", "SHARES", "draw_mask", "draw_masks"]

SHARES = (0.01, 0.6)
"""Smallest and largest part of a picture that is missing."""

_ATTEMPTS = 60
"""Shapes drawn at most for one mask."""


def _stroke(draw: ImageDraw.ImageDraw, side: int, rng: random.Random, width: float) -> None:
    """Draw a line that wanders, with round joints."""
    x, y = rng.uniform(0, side), rng.uniform(0, side)
    angle = rng.uniform(0, 2 * math.pi)
    for _ in range(rng.randint(1, 6)):
        angle += rng.gauss(0, 0.8)
        length = rng.uniform(0.08, 0.3) * side
        to_x, to_y = x + length * math.cos(angle), y + length * math.sin(angle)
        draw.line((x, y, to_x, to_y), fill=255, width=max(1, round(width)))
        radius = (round(width) - 1) / 2
        if radius >= 1:
            for a, b in ((x, y), (to_x, to_y)):
                draw.ellipse((a - radius, b - radius, a + radius, b + radius), fill=255)
        x, y = min(max(to_x, 0), side), min(max(to_y, 0), side)


def _strokes(draw: ImageDraw.ImageDraw, side: int, rng: random.Random, share: float) -> None:
    _stroke(draw, side, rng, rng.uniform(0.04, 0.1 + 0.3 * share) * side)


def _boxes(draw: ImageDraw.ImageDraw, side: int, rng: random.Random, share: float) -> None:
    # One large box, or what is left of the share in smaller ones.
    area = share * rng.choice((1.0, 1.0, 0.4)) * side * side
    ratio = math.exp(rng.uniform(-0.7, 0.7))
    width, height = min(math.sqrt(area * ratio), side), min(math.sqrt(area / ratio), side)
    x, y = rng.uniform(0, side - width), rng.uniform(0, side - height)
    draw.rectangle((x, y, x + width - 1, y + height - 1), fill=255)


def _scratches(draw: ImageDraw.ImageDraw, side: int, rng: random.Random, share: float) -> None:  # noqa: ARG001
    _stroke(draw, side, rng, rng.uniform(1, max(2.0, 0.03 * side)))


def _text(draw: ImageDraw.ImageDraw, side: int, rng: random.Random, share: float) -> None:  # noqa: ARG001
    height = rng.uniform(0.06, 0.25) * side
    letters = "".join(rng.choices(string.ascii_letters + "   ", k=rng.randint(2, 14)))
    place = (rng.uniform(-0.1, 0.6) * side, rng.uniform(0, 0.9) * side)
    draw.text(place, letters, fill=255, font=ImageFont.load_default(max(6.0, height)))


def _sides(draw: ImageDraw.ImageDraw, side: int, rng: random.Random, share: float) -> None:
    depth = min(share, 0.4) * side
    boxes = ((0, 0, depth, side), (side - depth, 0, side, side),
             (0, 0, side, depth), (0, side - depth, side, side))  # fmt: skip
    draw.rectangle(rng.choice(boxes), fill=255)


_Shape = Callable[[ImageDraw.ImageDraw, int, random.Random, float], None]
KINDS: dict[str, tuple[_Shape, float, float, float]] = {
    "strokes": (_strokes, 0.05, 0.6, 0.45),
    "boxes": (_boxes, 0.02, 0.5, 0.2),
    "scratches": (_scratches, 0.01, 0.1, 0.15),
    "text": (_text, 0.01, 0.15, 0.1),
    "sides": (_sides, 0.05, 0.4, 0.1),
}
"""By name: how to draw one, the smallest and largest share, and how often it is drawn."""


def draw_mask(
    side: int, seed: int, kind: str | None = None, share: float | None = None
) -> Image.Image:
    """Draw one hole, 255 where the picture is missing.

    Parameters
    ----------
    side : int
        Side in pixels.
    seed : int
        Decides everything random.
    kind : str, optional
        A key of `KINDS`; drawn by default.
    share : float, optional
        Part of the picture that is missing, about; drawn from the kind's range by default.
    """
    rng = random.Random(seed)  # noqa: S311 - no secret
    names = list(KINDS)
    chosen = kind or rng.choices(names, [KINDS[name][3] for name in names])[0]
    shape, low, high, _ = KINDS[chosen]
    wanted = share or math.exp(rng.uniform(math.log(low), math.log(high)))
    canvas = Image.new("L", (side, side))
    for _ in range(_ATTEMPTS):
        before = canvas.copy()
        shape(ImageDraw.Draw(canvas), side, rng, wanted)
        missing = _missing(canvas)
        if missing > min(SHARES[1], 1.4 * wanted + 0.02):
            canvas = before  # too much: another shape instead
        elif missing >= wanted * 0.9:
            break
    if not canvas.getbbox():  # every shape missed the picture, or was too large for it
        middle, reach = side // 2, max(1, round(side * math.sqrt(wanted) / 2))
        ImageDraw.Draw(canvas).rectangle((middle - reach, middle - reach, middle + reach - 1,
                                          middle + reach - 1), fill=255)  # fmt: skip
    return canvas


def _missing(canvas: Image.Image) -> float:
    return sum(canvas.histogram()[128:]) / (canvas.width * canvas.height)


def draw_masks(count: int, side: int, seed: int) -> Tensor:
    """Draw holes, float32 (count, 1, side, side): 1 where the picture is missing, else 0."""
    drawn = [np.asarray(draw_mask(side, seed_of("mask", seed, n))) > 127 for n in range(count)]
    return torch.from_numpy(np.stack(drawn)[:, None].astype(np.float32))

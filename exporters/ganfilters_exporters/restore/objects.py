"""Things laid on photographs, so that outlines are learned: plates, bands, boxes, edges.

What a hole hides of a plate is told by the rest of its rim. Few small photographs show so much,
and a network trained on those alone lets what surrounds a hole flow into it. Shapes that cover one
another have the edges and the statistics of photographs (the dead leaves of Lee, Mumford and Huang,
"Occlusion Models for Natural Images", 2001), and networks that saw nothing else restore photographs
(Achddou et al., "Synthetic Images as a Regularity Prior for Image Restoration Neural Networks",
2021). Here they lie on photographs and show others.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..task import seed_of

__all__ = ["SHAPES", "with_objects"]

MOST = 3
"""Objects on a picture."""
SOFT = 0.7
"""Width of an object's edge in pixels, to each side."""
RIM = (0.008, 0.03)
"""Width of a rim, as a part of the picture's side."""
SHADOW = 0.06
"""How far a shadow reaches at most, as a part of the picture's side."""

_Draw = Callable[[float, float], float]
"""Returns a number between two."""


def _ellipse(x: Tensor, y: Tensor, draw: _Draw) -> Tensor:
    """Return distances from an ellipse, to first order: too large far inside a thin one."""
    a, b = draw(0.12, 0.6), draw(0.12, 0.6)
    form = ((x / a).square() + (y / b).square()).sqrt()
    slope = ((x / a**2).square() + (y / b**2).square()).sqrt() / form.clamp_min(1e-3)
    return (form - 1) / slope.clamp_min(1e-3)


def _box(x: Tensor, y: Tensor, draw: _Draw) -> Tensor:
    """Return distances from a box with corners that may be round."""
    a, b, corner = draw(0.08, 0.5), draw(0.08, 0.5), draw(0.0, 0.08)
    right, down = (x.abs() - a + corner), (y.abs() - b + corner)
    outside = (right.clamp_min(0).square() + down.clamp_min(0).square()).sqrt()
    return outside + torch.maximum(right, down).clamp_max(0) - corner


def _band(x: Tensor, y: Tensor, draw: _Draw) -> Tensor:
    """Return distances from a band across the picture, that may be bent."""
    bend = draw(-0.8, 0.8)
    return _from_line(x, y, bend).abs() - draw(0.01, 0.12)


def _edge(x: Tensor, y: Tensor, draw: _Draw) -> Tensor:
    """Return distances from a half of the picture, whose edge may be bent."""
    return _from_line(x, y, draw(-0.8, 0.8))


def _from_line(x: Tensor, y: Tensor, bend: float) -> Tensor:
    """Return distances from a parabola, negative on one side."""
    return (y - 0.5 * bend * x.square()) / (1 + (bend * x).square()).sqrt()


SHAPES: dict[str, tuple[Callable[[Tensor, Tensor, _Draw], Tensor], int]] = {
    "ellipse": (_ellipse, 4),
    "box": (_box, 2),
    "band": (_band, 2),
    "edge": (_edge, 2),
}
"""By name: distances of points x, y from a shape of drawn size, negative inside, all in sides of
the picture; and how often the shape is drawn."""


def with_objects(photos: Tensor, share: float, seed: int) -> Tensor:
    """Return photographs, some with things laid on them.

    Parameters
    ----------
    photos : Tensor
        (N, 3, H, W) in [0, 1].
    share : float
        How many of them get one to `MOST` objects, 0 to 1.
    seed : int
        Decides everything random.

    Returns
    -------
    Tensor
        (N, 3, H, W) in [0, 1].
    """
    generator = torch.Generator().manual_seed(seed_of("objects", seed))

    def draw(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator))

    laid = []
    for number, photo in enumerate(photos):
        if draw(0, 1) < share:
            for _ in range(1 + int(draw(0, MOST))):
                other = photos[(number + 1 + int(draw(0, len(photos) - 1))) % len(photos)]
                photo = _with_one(photo, _surface(other, draw), draw)
        laid.append(photo)
    return torch.stack(laid)


def _surface(other: Tensor, draw: _Draw) -> Tensor:
    """Return what an object shows: a tone of a photograph, lit from a side, or its texture too."""
    _, height, width = other.shape
    if draw(0, 1) < 0.5:
        other = other.flip(2)
    plain = other[:, int(draw(0, height)), int(draw(0, width)), None, None]
    texture = draw(0, 1.2) if draw(0, 1) < 0.7 else 0.0
    shown = plain + texture * (other - other.mean((1, 2), keepdim=True))
    angle, strength = draw(0, 2 * math.pi), draw(0, 0.5)
    x, y = _places(other)
    light = 1 + strength * (math.cos(angle) * x + math.sin(angle) * y)
    return (shown * light).clamp(0, 1)


def _with_one(photo: Tensor, surface: Tensor, draw: _Draw) -> Tensor:
    """Return a photograph, (3, H, W), with one object on it."""
    side = min(photo.shape[1:])
    x, y = _places(photo)
    angle = draw(0, 2 * math.pi)
    right, down = x - draw(-0.4, 0.4), y - draw(-0.4, 0.4)
    across = right * math.cos(angle) + down * math.sin(angle)
    along = down * math.cos(angle) - right * math.sin(angle)
    shapes = [shape for shape, often in SHAPES.values() for _ in range(often)]
    apart = shapes[int(draw(0, len(shapes)))](across, along, draw)
    if draw(0, 1) < 0.2:  # a ring
        apart = apart.abs() - draw(0.02, 0.1)
    inside = _covered(apart * side)
    if draw(0, 1) < 0.5:
        reach, dark = draw(0.01, SHADOW), draw(0.1, 0.6)
        photo = photo * (1 - dark * torch.sigmoid(-apart / (reach / 4)))
    if draw(0, 1) < 0.6:
        width, tone = draw(*RIM), draw(-0.5, 0.6)
        rim = _covered(((apart + width / 2).abs() - width / 2) * side)
        surface = (surface + tone * rim).clamp(0, 1)
    return torch.lerp(photo, surface, inside)


def _covered(pixels: Tensor) -> Tensor:
    """Return how much of pixels an object covers, from their distances in pixels."""
    return (0.5 - pixels / (2 * SOFT)).clamp(0, 1)


def _places(photo: Tensor) -> tuple[Tensor, Tensor]:
    """Return the places of pixels, x (W,) and y (H, 1): 0 in the middle, a shorter side is 1."""
    height, width = photo.shape[1:]
    side = min(height, width)
    across, along = (
        (torch.arange(length, device=photo.device) - (length - 1) / 2) / side
        for length in (width, height)
    )
    return across, along[:, None]

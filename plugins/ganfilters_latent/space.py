"""Ways through the latent space: layers by number, closed walks, latents in files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from ganfilters import DataFile, FloatArray, UsageError
from ganfilters_latent.network import Network

__all__ = ["closed_curve", "layers_of", "load", "moved", "save"]

_FORMAT = "ganfilters latent 1"
_FARTHEST = 10


def layers_of(text: str, layers: int, parameter: str = "layers") -> list[int]:
    """Read ``"0-2,5"``: layers from the coarsest, 0, to the finest.

    Errors name the `parameter`.

    Raises
    ------
    UsageError
        It is not written so, or the network has fewer layers.

    Examples
    --------
    >>> layers_of("0-2,5", 6)
    [0, 1, 2, 5]
    """
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise UsageError(f"{parameter} {text!r} names no layers; write them as 0-2,5")
        start, end = int(first), int(last or first)
        if start > end:
            raise UsageError(
                f"{parameter} {text!r} names no layers; the coarser comes first, as in "
                f"{last}-{first}"
            )
        if end >= layers:
            which = f"layers 0 to {layers - 1}" if layers > 1 else "one layer, 0"
            raise UsageError(
                f"{parameter} {text!r} names layers that the network does not have; it has {which}"
            )
        found |= set(range(start, end + 1))
    return sorted(found)


def closed_curve(points: Sequence[FloatArray], count: int) -> FloatArray:
    """Return `count` steps along a smooth closed curve through the points.

    A uniform Catmull-Rom spline: its velocity is continuous, also where the end meets the
    beginning, so that a loop has no jerk.

    Parameters
    ----------
    points
        At least two arrays of one shape.
    count
        How many steps; the one after the last would be the first.
    """
    around = np.stack(points)
    steps = np.arange(count) * len(points) / count
    number = np.floor(steps).astype(int)
    t = (steps - number).reshape(-1, *(1,) * (around.ndim - 1))
    before, here, there, beyond = (around[(number + k) % len(points)] for k in (-1, 0, 1, 2))
    curve: FloatArray = here + t / 2 * (
        there
        - before
        + t
        * (2 * before - 5 * here + 4 * there - beyond + t * (3 * (here - there) + beyond - before))
    )
    return curve.astype(np.float32, copy=False)


def moved(
    w: FloatArray, network: Network, amounts: dict[str, float], layers: Sequence[int]
) -> FloatArray:
    """Return w moved along directions of the network, in units of the deviation along each.

    Raises
    ------
    UsageError
        The network has no such direction.
    """
    result = w.copy()
    for name, amount in amounts.items():
        if name not in network.directions:
            known = ", ".join(network.directions)
            raise UsageError(f"the network has no direction {name!r}; it has {known}")
        if abs(amount) > _FARTHEST:
            raise UsageError(
                f"edit has {name}={amount:g}; an amount must be from {-_FARTHEST} to {_FARTHEST}, "
                "and beyond 2 pictures fall apart"
            )
        result[list(layers)] += np.float32(amount) * network.directions[name]
    return result


def save(file: DataFile, w: FloatArray, network: Network) -> None:
    """Write w and the network that it belongs to as JSON.

    Raises
    ------
    ImageError
        The file exists already, or cannot be written.
    """
    record = {
        "format": _FORMAT,
        "model": network.card.name,
        "sha256": network.model.verify(),
        "w": [[float(f"{x:.8g}") for x in row] for row in w],
    }
    file.write_text(json.dumps(record) + "\n")


def load(file: DataFile, network: Network) -> FloatArray:
    """Read what `save` wrote.

    Raises
    ------
    UsageError
        It is no such file, or of another network.
    """
    text = file.read_text()
    try:
        record: Any = json.loads(text)
        known = record["format"] == _FORMAT
        w = np.array(record["w"], np.float32)
        sha256, name = str(record["sha256"]), str(record["model"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        known = False
    if not known:
        raise UsageError(f"{file.path} holds no latent; save one with --save-latent")
    if sha256 != network.model.verify():
        raise UsageError(
            f"{file.path} holds a latent of the network {name} ({sha256[:12]}...), not of "
            f"{network.card.name}; name its network with --model"
        )
    if w.shape != network.shape:
        raise UsageError(f"{file.path} is damaged: its latent has the shape {w.shape}")
    if not np.isfinite(w).all():
        raise UsageError(f"{file.path} is damaged: its latent has numbers that are not finite")
    return w

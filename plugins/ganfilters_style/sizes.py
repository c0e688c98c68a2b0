"""The size at which a network looks at a picture."""

from __future__ import annotations

__all__ = ["scaled"]


def scaled(height: int, width: int, scale: float, multiple: int, least: int) -> tuple[int, int]:
    """Return the size nearest to a reduced or enlarged picture's that a network takes."""
    down, right = (
        max(round(side * scale / multiple) * multiple, least) for side in (height, width)
    )
    return down, right

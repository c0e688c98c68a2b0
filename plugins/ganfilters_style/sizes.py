"""Sizes that a network takes: sides are multiples of a number, and not under a least one."""

from __future__ import annotations

__all__ = ["padded", "scaled", "up"]


def up(length: int, multiple: int) -> int:
    """Return the next multiple."""
    return -(-length // multiple) * multiple


def padded(height: int, width: int, multiple: int, least: int) -> tuple[int, int]:
    """Return the size to pad a picture to."""
    return max(up(height, multiple), least), max(up(width, multiple), least)


def scaled(height: int, width: int, scale: float, multiple: int, least: int) -> tuple[int, int]:
    """Return the size nearest to a reduced or enlarged picture's."""
    down, right = (
        max(round(side * scale / multiple) * multiple, least) for side in (height, width)
    )
    return down, right

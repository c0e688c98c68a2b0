"""Sample sheets: photographs down, styles across, one PNG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from ..data import list_pictures, none_usable, read_picture, read_some
from ..files import written_whole

__all__ = ["load_samples", "readable", "sheet", "write_sheet"]


def load_samples(paths: Sequence[Path], side: int) -> Tensor:
    """Return pictures cut to squares, (N, 3, side, side) in [0, 1]."""
    squares = []
    for path in paths:
        picture = ImageOps.fit(read_picture(path), (side, side), Image.Resampling.LANCZOS)
        squares.append(np.asarray(picture, np.float32).transpose(2, 0, 1) / 255)
    return torch.from_numpy(np.stack(squares))


def readable(folders: Sequence[Path], count: int) -> list[Path]:
    """Return pictures from all over folders that can be read, `count` at most.

    Raises
    ------
    UsageError
        There is none.
    """
    good, skipped = read_some(list_pictures(folders), count, lambda file: load_samples([file], 16))
    if not good:
        raise none_usable(folders, skipped, 1)
    return list(good)


def sheet(photos: Tensor, styles: Tensor, paint: Callable[[Tensor, int], Tensor]) -> Tensor:
    """Return a grid, (3, rows * side, columns * side), the paintings above, the photos at the left.

    Parameters
    ----------
    photos, styles : Tensor
        (P, 3, side, side) and (S, 3, side, side) in [0, 1].
    paint : callable
        Takes one photograph (1, 3, side, side) and the number of a style; returns the painting.
    """
    corner = torch.ones_like(photos[0])
    rows = [torch.cat([corner, *styles], 2)]
    for photo in photos:
        painted = [paint(photo[None], number)[0].float().cpu() for number in range(len(styles))]
        rows.append(torch.cat([photo, *painted], 2))
    return torch.cat(rows, 1)


def write_sheet(grid: Tensor, path: Path) -> None:
    """Write a grid (3, H, W) in [0, 1] as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = (grid.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    with written_whole(path) as file:
        Image.fromarray(pixels).save(file, "PNG")

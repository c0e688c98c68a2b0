"""Sample sheets: the pictures on them, grids of pictures, one PNG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from .data import list_pictures, none_usable, read_picture, read_some
from .files import written_whole

__all__ = ["grid", "load_samples", "readable", "sheet", "write_picture"]

GAP = 2
"""Pixels between two pictures."""


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


def grid(pictures: Tensor, columns: int) -> Tensor:
    """Return (C, H, W) from pictures (N, C, h, w) in [0, 1], row by row."""
    pictures = pictures.detach().float().cpu()
    rows = -(-len(pictures) // columns)
    _, channels, height, width = pictures.shape
    sheet = torch.ones(channels, rows * (height + GAP) - GAP, columns * (width + GAP) - GAP)
    for number, picture in enumerate(pictures):
        top, left = (number // columns) * (height + GAP), (number % columns) * (width + GAP)
        sheet[:, top : top + height, left : left + width] = picture
    return sheet


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


def write_picture(picture: Tensor, path: Path, scale: int = 1) -> None:
    """Write a picture (1 or 3, H, W) in [0, 1] as PNG, each pixel `scale` times."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    pixels = np.kron(pixels, np.ones((scale, scale, 1), np.uint8))
    with written_whole(path) as file:
        Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")

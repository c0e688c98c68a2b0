"""Pairs of pictures for image-to-image training: read from two folders, or made by degrading.

``--pairs DIR`` reads ``DIR/input`` and ``DIR/target``; a pair has the same path in both, whatever
the suffix. ``--degrade KIND`` makes the input from each picture of ``--data``, anew at each step,
as in a denoising autoencoder (Vincent et al. 2008): colouring, sharpening and denoising need no
pairs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from ganfilters.errors import UsageError

from ..data import Pictures, list_pictures, load_pictures

__all__ = ["DEGRADATIONS", "load_pairs"]

SIDES = ("input", "target")


def load_pairs(
    folder: Path, size: int, channels: int, cache: Path | None = None
) -> tuple[Pictures, Pictures]:
    """Read inputs and targets, in the same order; both name the files that were skipped.

    `cache` is that of `load_pictures`.

    Raises
    ------
    UsageError
        A folder is missing, or no pair can be used.
    """
    for side in SIDES:
        if not (folder / side).is_dir():
            raise UsageError(f"{folder} has no folder {side!r}; pairs lie in input and target")
    files = [_by_stem(folder / side) for side in SIDES]
    common = sorted(set(files[0]) & set(files[1]))
    if not common:
        raise UsageError(f"{folder}: no picture has the same name in input and in target")
    read = [load_pictures([names[stem] for stem in common], size, channels=channels,
                          smallest=1, cache=cache) for names in files]  # fmt: skip
    # Where one side of a pair is broken, the other goes too.
    good = [
        {_stem(Path(name), folder / side): number for number, name in enumerate(pictures.names)}
        for side, pictures in zip(SIDES, read, strict=True)
    ]
    both = [stem for stem in common if stem in good[0] and stem in good[1]]
    if not both:
        raise UsageError(f"{folder} holds no pair of which both pictures can be read")
    skipped = tuple(reason for pictures in read for reason in pictures.skipped)
    inputs, targets = (
        _chosen(pictures, [numbers[stem] for stem in both], skipped)
        for pictures, numbers in zip(read, good, strict=True)
    )
    return inputs, targets


def _chosen(pictures: Pictures, numbers: Sequence[int], skipped: tuple[str, ...]) -> Pictures:
    """Return some of the pictures, in order; moved together, as a copy may have no room."""
    names = tuple(pictures.names[number] for number in numbers)
    pixels = pictures.pixels
    for target, source in enumerate(numbers):
        if target < source:
            pixels[target] = pixels[source]
    return dataclasses.replace(
        pictures, pixels=pixels[: len(numbers)], names=names, skipped=skipped
    )


def _by_stem(folder: Path) -> dict[str, Path]:
    return {_stem(path, folder): path for path in list_pictures([folder])}


def _stem(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()


def _grey(images: Tensor) -> Tensor:
    return images.mean(1, keepdim=True).expand_as(images)


def _noise(images: Tensor) -> Tensor:
    sigma = 0.25 * torch.rand(len(images), 1, 1, 1, device=images.device)
    return (images + sigma * torch.randn_like(images)).clamp(0, 1)


def _blur(images: Tensor) -> Tensor:
    size = images.shape[-2:]
    small = functional.interpolate(images, scale_factor=0.25, mode="bilinear", antialias=True)
    return functional.interpolate(small, size, mode="bilinear")


DEGRADATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "noise": _noise,
    "grey": _grey,
    "blur": _blur,
}
"""What is done to pictures (N, C, H, W) in [0, 1], by ``--degrade``."""

"""Differentiable augmentation: real and generated pictures are changed alike, then judged.

So the discriminator cannot learn a small data set by heart, and the generator does not learn the
changes. Source: Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training".
Everything random comes from torch's global generator, which the trainer seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ganfilters.errors import UsageError

__all__ = ["AUGMENTATIONS", "augment", "parse_augmentations"]


def color(images: Tensor, strength: float) -> Tensor:
    """Change brightness by up to half, saturation to 0..2, contrast to 0.5..1.5."""
    brightness, saturation, contrast = (
        (torch.rand(len(images), 1, 1, 1, device=images.device) - 0.5) * strength for _ in range(3)
    )
    images = images + brightness
    if images.shape[1] > 1:
        grey = images.mean(1, keepdim=True)
        images = grey + (images - grey) * (1 + 2 * saturation)
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + (images - mean) * (1 + contrast)


def translation(images: Tensor, strength: float) -> Tensor:
    """Shift by up to an eighth of the side; what is uncovered is grey."""
    side = images.shape[-1]
    most = int(side * 0.125 * strength + 0.5)
    if not most:
        return images
    count, device = len(images), images.device
    padded = functional.pad(images, (most,) * 4)
    across, down = torch.randint(0, 2 * most + 1, (2, count, 1), device=device)
    steps = torch.arange(side, device=device)
    rows, columns = (down + steps)[:, :, None], (across + steps)[:, None, :]
    numbers = torch.arange(count, device=device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[numbers, rows, columns].permute(0, 3, 1, 2)


def cutout(images: Tensor, strength: float) -> Tensor:
    """Blank a square of half the side."""
    count, _, height, width = images.shape
    side = int(height * 0.5 * strength + 0.5)
    top, left = (
        torch.randint(-(side // 2), size - side // 2 + 1, (count, 1), device=images.device)
        for size in (height, width)
    )
    rows = torch.arange(height, device=images.device)
    columns = torch.arange(width, device=images.device)
    inside_rows = (rows >= top) & (rows < top + side)
    inside_columns = (columns >= left) & (columns < left + side)
    hole = inside_rows[:, None, :, None] & inside_columns[:, None, None, :]
    return images * ~hole


AUGMENTATIONS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "color": color,
    "translation": translation,
    "cutout": cutout,
}
"""Changes by name, in the order in which they are made."""


def augment(images: Tensor, kinds: Sequence[str], strength: float = 1.0) -> Tensor:
    """Change each picture at random.

    Parameters
    ----------
    images : Tensor
        (N, C, H, H) in [-1, 1], so that 0 is grey.
    kinds : sequence of str
        Keys of `AUGMENTATIONS`.
    strength : float
        1 for the paper's ranges.
    """
    for kind, change in AUGMENTATIONS.items():
        if kind in kinds and strength > 0:
            images = change(images, strength)
    return images


def parse_augmentations(text: str) -> tuple[str, ...]:
    """Read ``color,translation,cutout`` or ``none``.

    Raises
    ------
    UsageError
        A name is unknown.
    """
    names = tuple(word.strip() for word in text.split(",") if word.strip() and word != "none")
    for name in names:
        if name not in AUGMENTATIONS:
            known = ", ".join(AUGMENTATIONS)
            raise UsageError(f"there is no augmentation {name!r}; use some of {known}, or none")
    return names

"""Style pictures: names, options, loading."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganfilters.errors import UsageError, nearest

from ..data import list_pictures, none_usable, read_picture

__all__ = ["Painting", "find_paintings", "load_painting", "plural", "read_options"]

SMALLEST = 64
KEYS = {"name", "title", "source", "content", "style", "size"}


@dataclass(frozen=True)
class Painting:
    """A style picture, and how it differs from the others in training.

    Attributes
    ----------
    path : Path
        The file.
    name : str
        What a user writes: lower case, words joined by hyphens.
    title, source : str
        For people: title and painter; where the file comes from.
    content, style : float
        Factors of the content and the style loss, on top of the weights of all.
    size : float
        Factor of the size that the painting is looked at: strokes grow with it.
    """

    path: Path
    name: str
    title: str
    source: str = ""
    content: float = 1.0
    style: float = 1.0
    size: float = 1.0


def read_options(file: Path | None) -> dict[str, dict[str, Any]]:
    """Read ``[styles.FILE_STEM]`` tables of a TOML file: name, title, source, content, style, size.

    Raises
    ------
    UsageError
        The file cannot be read, or has other keys; names the nearest.
    """
    if file is None:
        return {}
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    styles: dict[str, dict[str, Any]] = content.get("styles", {})
    for stem, options in styles.items():
        for key, value in options.items():
            if key not in KEYS:
                hint = nearest(key, KEYS, what="options")
                raise UsageError(f"{file}: styles.{stem} has an unknown option {key!r}; {hint}")
            if key in ("content", "style", "size") and not (
                isinstance(value, int | float) and 0 < value <= 100
            ):
                raise UsageError(f"{file}: styles.{stem}.{key} must be a number in (0, 100]")
    return styles


def find_paintings(paths: Sequence[Path], options: dict[str, dict[str, Any]]) -> list[Painting]:
    """Return the style pictures in folders and files, ordered by name.

    A name is the file's, in lower case and with hyphens, unless the options give one. Files that
    cannot be read or have a side under 64 pixels are left out.

    Raises
    ------
    UsageError
        None is left, or two have one name.
    """
    found: dict[str, Painting] = {}
    reasons = []
    for path in list_pictures(paths):
        try:
            with Image.open(path) as picture:
                side = min(picture.size)
        except Exception as error:  # noqa: BLE001 - decoders raise all kinds
            reasons.append(f"{path}: {error}")
            continue
        if side < SMALLEST:
            reasons.append(f"{path}: {side} pixels are too small, {SMALLEST} are needed")
            continue
        given = options.get(path.stem, {})
        name = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")
        title = path.stem.replace("_", " ")
        painting = Painting(path, **{"name": name, "title": title, **given})
        if painting.name in found:
            raise UsageError(f"{path} and {found[painting.name].path} are both {painting.name!r}")
        found[painting.name] = painting
    if not found:
        raise none_usable(paths, reasons, SMALLEST, "style picture")
    return [found[name] for name in sorted(found)]


def load_painting(painting: Painting, size: int) -> Tensor:
    """Return the whole picture, short side `size` times its own factor, (1, 3, H, W) in [0, 1]."""
    picture = read_picture(painting.path)
    factor = size * painting.size / min(picture.size)
    width, height = (max(16, round(side * factor)) for side in picture.size)
    resized = picture.resize((width, height), Image.Resampling.LANCZOS)
    pixels = np.asarray(resized, np.float32) / 255
    return torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy())


def plural(count: int, noun: str) -> str:
    """Return ``"1 style"``, ``"2 styles"``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"

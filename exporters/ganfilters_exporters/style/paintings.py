"""Style pictures: names, options, loading."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganfilters.errors import UsageError, nearest

from ..data import list_pictures, none_usable, read_picture, reason_of

__all__ = ["Painting", "find_paintings", "load_painting", "plural", "read_options"]

SMALLEST = 64
WORDS = {"name", "title", "source"}
FACTORS = {"content", "style", "size"}
_NAME = re.compile(r"[^\W_]+(-[^\W_]+)*")


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
    styles = content.get("styles", {})
    if not isinstance(styles, dict):
        raise UsageError(f"{file}: styles must be tables, such as [styles.FILE_STEM]")
    for stem, options in styles.items():
        if not isinstance(options, dict):
            raise UsageError(f"{file}: styles.{stem} must be a table, [styles.{stem}]")
        for key, value in options.items():
            wrong = _wrong(key, value)
            if wrong:
                raise UsageError(f"{file}: styles.{stem}{wrong}")
    return styles


def _wrong(key: str, value: object) -> str:
    """Return what is wrong with an option of a style, or an empty string."""
    if key in FACTORS:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return "" if number and 0 < value <= 100 else f".{key} must be a number in (0, 100]"  # type: ignore[operator]
    if key not in WORDS:
        hint = nearest(key, WORDS | FACTORS, what="options")
        return f" has an unknown option {key!r}; {hint}"
    if not isinstance(value, str):
        return f".{key} must be text in quotes"
    if key == "name" and (value != value.lower() or not _NAME.fullmatch(value)):
        return f".name is {value!r}; a name is lower-case letters and digits, joined by hyphens"
    return ""


def name_of(path: Path) -> str:
    """Return the name of a style: the file's, in lower case and with hyphens.

    Raises
    ------
    UsageError
        There is no letter and no digit in the file's name.
    """
    # Some file systems take letters and their accents apart.
    stem = unicodedata.normalize("NFC", path.stem).lower()
    name = re.sub(r"[\W_]+", "-", stem).strip("-")
    if not name:
        raise UsageError(f"{path} has no letter or digit to name the style after; rename it")
    return name


def find_paintings(
    paths: Sequence[Path],
    options: Mapping[str, Mapping[str, Any]],
    say: Callable[[str], None] = lambda _: None,
) -> list[Painting]:
    """Return the style pictures in folders and files, ordered by name.

    Parameters
    ----------
    paths : sequence of Path
        Files in folders that cannot be used, or have a side under 64 pixels, are left out.
    options : mapping
        Of single styles, by file name without ending; a name other than the file's among them.
    say : callable
        Is told how many are used, which are not, and which options fit none.

    Raises
    ------
    UsageError
        None is left, one of `paths` is no usable picture, or two have one name.
    """
    found: dict[str, Painting] = {}
    skipped = []
    files = list_pictures(paths)
    for path in files:
        reason = _unusable(path)
        if reason and path in paths:
            raise UsageError(f"{path} cannot be used as a style picture: {reason}")
        if reason:
            skipped.append(f"{path}: {reason}")
            continue
        given = options.get(path.stem, {})
        name = given.get("name") or name_of(path)
        painting = Painting(path, **{"title": path.stem.replace("_", " "), **given, "name": name})
        if name in found:
            raise UsageError(f"{path} and {found[name].path} are both {name!r}")
        found[name] = painting
    if not found:
        raise none_usable(paths, skipped, SMALLEST, "style picture")
    text = plural(len(found), "style picture")
    say(text + (f", {len(skipped)} skipped, the first: {skipped[0]}" if skipped else ""))
    stems = {path.stem for path in files}
    unknown = [stem for stem in options if stem not in stems]
    if unknown:
        hint = nearest(unknown[0], stems, what="pictures")
        what = plural(len(unknown), "style")
        say(f"options of {what} are not used, the first: no picture is {unknown[0]!r}; {hint}")
    return [found[name] for name in sorted(found)]


def _unusable(path: Path) -> str:
    """Return why a file is no style picture, or an empty string; the whole of it is decoded."""
    try:
        side = min(read_picture(path).size)
    except Exception as error:  # noqa: BLE001 - decoders raise all kinds
        return reason_of(error)
    return "" if side >= SMALLEST else f"{side} pixels are too small, {SMALLEST} are needed"


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

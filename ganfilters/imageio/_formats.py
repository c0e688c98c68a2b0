"""The formats that can be written, what each can hold, and how a name finds its format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ganfilters.errors import ImageError, nearest

__all__ = ["FORMATS", "READABLE", "Format", "can_animate", "find", "format_of"]

READABLE = "AVIF, BMP, GIF, JPEG, PNG, TIFF and WebP"
"""What `read` reads, for messages."""


@dataclass(frozen=True)
class Format:
    """What a file format can hold.

    Attributes
    ----------
    name
        Pillow's name where Pillow has the format: ``"PNG"``, ``"JPEG"``, ``"WEBP"``, ...
    extensions
        File name endings, the usual one first.
    still
        One picture; False for video formats.
    animation
        Several frames with their timing.
    alpha
        Transparency. Other formats get the picture flattened onto white.
    deep
        16 bits per sample.
    cmyk
        CMYK samples. Other formats get sRGB.
    icc
        An ICC profile. Other formats get sRGB.
    quality
        Takes a quality from 1 to 100.
    side_max
        Largest width or height in pixels.
    recipe
        Has a place for the recipe.
    """

    name: str
    extensions: tuple[str, ...]
    still: bool = True
    animation: bool = False
    alpha: bool = False
    deep: bool = False
    cmyk: bool = False
    icc: bool = False
    quality: bool = False
    side_max: int = 2**31 - 1
    recipe: bool = True


_ALL = (
    Format("AVIF", (".avif",), alpha=True, icc=True, quality=True, side_max=65535),
    Format("BMP", (".bmp", ".dib"), recipe=False),
    Format("GIF", (".gif",), animation=True, alpha=True, side_max=65535),
    Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), cmyk=True, icc=True, quality=True,
           side_max=65500),
    Format("MP4", (".mp4", ".m4v"), still=False, animation=True, quality=True, side_max=16384),
    Format("PNG", (".png", ".apng"), animation=True, alpha=True, deep=True, icc=True),
    Format("TIFF", (".tiff", ".tif"), alpha=True, deep=True, cmyk=True, icc=True),
    Format("WEBM", (".webm",), still=False, animation=True, quality=True, side_max=16384),
    Format("WEBP", (".webp",), animation=True, alpha=True, icc=True, quality=True, side_max=16383),
)  # fmt: skip

FORMATS: Mapping[str, Format] = MappingProxyType(
    {extension: entry for entry in _ALL for extension in entry.extensions}
)
"""The format of each file name extension, for example ``FORMATS[".png"].deep``."""

_BY_NAME = {entry.name: entry for entry in _ALL}


def format_of(path: str | Path) -> str:
    """Return the name of the format that a file name asks for.

    Raises
    ------
    ImageError
        The extension is missing or unknown; the message lists the known ones.

    Examples
    --------
    >>> format_of("out.jpg")
    'JPEG'
    """
    extension = Path(path).suffix.lower()
    if extension in FORMATS:
        return FORMATS[extension].name
    known = ", ".join(FORMATS)
    if not extension:
        raise ImageError(
            f"the name {str(path)!r} has no extension that says in which format to write it; "
            f"end it with one of {known}, or name the format"
        )
    raise ImageError(f"{extension} is no format that can be written; the extensions are: {known}")


def find(name: str) -> Format:
    """Return a format by its name or extension, in any case: ``"PNG"``, ``"jpg"``, ``".tif"``.

    Raises
    ------
    ImageError
        There is no such format.
    """
    if name.upper() in _BY_NAME:
        return _BY_NAME[name.upper()]
    extension = "." + name.lower().lstrip(".")
    if extension in FORMATS:
        return FORMATS[extension]
    names = [entry.lower() for entry in _BY_NAME]
    raise ImageError(f"{name!r} is no format; {nearest(name.lower(), names, what='formats')}")


def can_animate(format: str) -> bool:
    """Return whether a format, by name or extension, holds several frames."""
    return find(format).animation


def able(what: str, *, animation: bool = False) -> str:
    """Return the formats that hold something, ``"alpha"`` or ``"deep"``, for messages.

    Parameters
    ----------
    what
        An attribute of `Format`.
    animation
        Only formats that hold several frames.
    """
    names = [
        entry.name for entry in _ALL if getattr(entry, what) and (entry.animation or not animation)
    ]
    return f"{', '.join(names[:-1])} and {names[-1]}"


def animating() -> str:
    """Return the extensions that hold an animation, for messages."""
    return ", ".join(entry.extensions[0] for entry in _ALL if entry.animation)

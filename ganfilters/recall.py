"""Finding again the pictures that a recipe names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ganfilters import convert
from ganfilters.chains.store import ChainStore
from ganfilters.errors import ImageError
from ganfilters.image import Image
from ganfilters.limits import MAX_PIXELS
from ganfilters.recipe import Reference

__all__ = ["recall"]


def recall(
    reference: Reference,
    what: str,
    remedy: str,
    folders: Sequence[Path] = (),
    *,
    max_pixels: int = MAX_PIXELS,
) -> Image:
    """Return the picture that a recipe names, after comparing its pixels.

    It is looked for where it was, and in `folders` by its path and by its name alone; then among
    the files of saved chains.

    Parameters
    ----------
    reference
        From the recipe.
    what
        What the picture is, for messages: ``"the mask"``.
    remedy
        How to name another file, for messages.
    folders
        Where to look, besides the current folder.
    max_pixels
        Largest picture that is decoded.

    Raises
    ------
    ImageError
        It is not there, or has other pixels.
    """
    changed = None
    for place in _places(reference, folders):
        image = Image.open(place, max_pixels=max_pixels)
        if convert.reference(image)["sha256"] == reference.sha256:
            return image
        changed = changed or place
    if changed is None:
        raise ImageError(
            f"{what} ({reference.path or 'not from a file'}) of the recipe is not there; "
            f"name it with {remedy}"
        )
    raise ImageError(
        f"{what} ({changed}) has changed since the recipe was written; "
        f"name the right one with {remedy}"
    )


def _places(reference: Reference, folders: Sequence[Path]) -> Iterator[Path]:
    if not reference.path:
        return
    path = Path(reference.path)
    names = [Path(), *folders, ChainStore.of_user().folder]
    tried = [folder / path for folder in names] + [folder / path.name for folder in names]
    for place in dict.fromkeys(tried):
        if place.is_file():
            yield place

"""Finding again the pictures and models that a recipe names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ganfilters import convert
from ganfilters.chains.store import ChainStore
from ganfilters.errors import ImageError, ModelError
from ganfilters.image import Image
from ganfilters.limits import MAX_PIXELS
from ganfilters.models import ModelFile
from ganfilters.recipe import Reference

__all__ = ["recall", "recall_file", "recall_model"]


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
    for place in _places(reference.path, folders):
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


def recall_model(
    path: str | Path, models: Mapping[str, str], folders: Sequence[Path] = ()
) -> Path | None:
    """Return where a model that a recipe names is, after comparing its checksum.

    Parameters
    ----------
    path
        As the recipe has it.
    models
        The checksums that the recipe has, by file name.
    folders
        Where to look, as `recall` does.

    Returns
    -------
    Path or None
        None if it is no model of the recipe, or is not there.
    """
    wanted = models.get(Path(path).name)
    for place in () if wanted is None else _places(str(path), folders):
        with suppress(ModelError):
            if ModelFile(place).verify() == wanted:
                return place
    return None


def recall_file(path: str | Path, folders: Sequence[Path] = ()) -> Path | None:
    """Return where a file that a recipe names is, looked for as `recall` does; None if nowhere.

    Recipes have no checksum of it.
    """
    return next(_places(str(path), folders), None)


def _places(named: str | None, folders: Sequence[Path]) -> Iterator[Path]:
    if not named:
        return
    path = Path(named)
    names = [Path(), *folders, ChainStore.of_user().folder]
    tried = [folder / path for folder in names] + [folder / path.name for folder in names]
    for place in dict.fromkeys(tried):
        if place.is_file():
            yield place

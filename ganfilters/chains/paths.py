"""A chain with whole paths, which can be written to any folder and run from there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganfilters import schema
from ganfilters.chains.data import Chain, ChainStep
from ganfilters.chains.filter import Find
from ganfilters.chains.links import map_files
from ganfilters.errors import GanfiltersError
from ganfilters.recall import recall, recall_model
from ganfilters.recipe import Reference

__all__ = ["with_whole_paths"]


def with_whole_paths(chain: Chain, find: Find, warn: Callable[[str], None]) -> Chain:
    """Return the chain with absolute paths of the files that it names.

    Parameters
    ----------
    chain
        From a file, a picture, or the saved ones.
    find
        Finds the filters of its steps, which know what is a file. Values of a step whose filter is
        not there stay as they are, but for its mask.
    warn
        Called with one line for each picture of a recipe that is not found; its path stays.
    """

    def said(text: str) -> None:
        warn(f"{chain.file}: {text}" if chain.file else text)

    return _chain(chain, chain.folder or Path(), find, said)


def _chain(chain: Chain, folder: Path, find: Find, warn: Callable[[str], None]) -> Chain:
    steps = tuple(
        _step(step, number, folder, find, warn) for number, step in enumerate(chain.steps, 1)
    )
    return replace(chain, steps=steps)


def _step(
    step: ChainStep, number: int, folder: Path, find: Find, warn: Callable[[str], None]
) -> ChainStep:
    def said(text: str) -> None:
        warn(f"step {number} ({step.title}): {text}")

    def whole(key: str, value: Any) -> Any:
        if isinstance(value, Reference):
            try:
                remedy = f"{key} in the TOML file"
                source = recall(value, f"the picture {key}", remedy, [folder]).metadata.source
            except GanfiltersError as error:
                said(str(error))
                return value
            return str(Path(str(source)).resolve())
        if not isinstance(value, (str, Path)):
            return value
        model = recall_model(value, step.models, [folder])
        # Not resolved: recipes call a model by its own name, not by what a link leads to.
        return str((folder / value).resolve() if model is None else model.absolute())

    changed = map_files(step, _files(step, find), whole)
    if step.chain is None:
        return changed
    inner = _chain(step.chain, step.chain.folder or folder, find, said)
    return replace(changed, chain=inner)


def _files(step: ChainStep, find: Find) -> frozenset[str]:
    """Return the parameters whose values are files."""
    names = {name for name, value in step.values.items() if isinstance(value, Reference)}
    if step.chain is None and step.values:
        with suppress(GanfiltersError):
            names |= schema.file_parameters(find(step.filter).filter.Params, step.values)
    return frozenset(names)

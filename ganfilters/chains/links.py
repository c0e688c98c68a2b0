"""`Link`: one step of a chain with its filter found, its files read and its values checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ganfilters import convert, schema
from ganfilters.chains.data import ChainStep
from ganfilters.errors import Cancelled, GanfiltersError, NothingToDo, UsageError
from ganfilters.filter import Params
from ganfilters.image import Image
from ganfilters.options import Options
from ganfilters.progress import callers_own
from ganfilters.recall import recall, recall_model
from ganfilters.recipe import Reference, Step
from ganfilters.registry import Entry
from ganfilters.schema import spelled

__all__ = ["Link", "file_named", "map_files", "step_named"]

_STRENGTH = "strength"


@dataclass(frozen=True, eq=False)
class Link:
    """One step of a chain with its filter found.

    Attributes
    ----------
    number, count
        Which step of how many, from 1.
    step
        Its declaration.
    entry
        Its filter.
    folder
        Where its relative paths start.
    store
        The folder that recipes name its files from; None for the paths as they are.
    file
        What the chain was read from, for messages.
    """

    number: int
    count: int
    step: ChainStep
    entry: Entry
    folder: Path
    store: Path | None = None
    file: Path | None = None

    @property
    def label(self) -> str:
        """The step in words, for progress."""
        return f"{self.step.title} ({self.number} of {self.count})"

    @contextmanager
    def named(self) -> Iterator[None]:
        """Make errors name the step, and the file that it is in."""
        params = self.entry.filter.Params
        with (
            file_named(self.file),
            step_named(self.number, self.step.title),
            schema.renamed(params, spelled),
        ):
            yield

    def loaded(self, max_pixels: int) -> Link:
        """Return the step with its files found, and its pictures decoded.

        Raises
        ------
        GanfiltersError
            A file is not there, or is not the one that a recipe names.
        """

        def load(key: str, value: Any) -> Any:
            if isinstance(value, Reference):
                remedy = f"{spelled(key)} in the chain: `ganfilters chain show` writes it as TOML"
                return recall(
                    value, f"the picture {spelled(key)}", remedy, [self.folder],
                    max_pixels=max_pixels,
                )  # fmt: skip
            if isinstance(value, (str, Path)):
                found = recall_model(value, self.step.models, [self.folder])
                return self.folder / value if found is None else found
            return value

        with self.named():
            step = map_files(self.step, self.files, load)
            if step.mask is not None:
                step = replace(step, mask=convert.mask_image(step.mask, max_pixels=max_pixels))
            kinds = {p.name: p.kind for p in schema.parameters(self.entry.filter.Params)}
            decoded = {
                name: Image.open(value, max_pixels=max_pixels)
                for name, value in step.values.items()
                if kinds.get(name) == "image" and isinstance(value, Path)
            }
            return replace(self, step=replace(step, values={**step.values, **decoded}))

    def recorded(self, step: Step) -> Step:
        """Return the record of the step without the path of the user's own folders."""
        if self.store is None:
            return step
        names = schema.file_parameters(self.entry.filter.Params, step.params)
        params = {
            name: self._from_store(value) if name in names else value
            for name, value in step.params.items()
        }
        selection = step.selection
        if selection is not None:
            mask = Reference(**self._from_store(selection.mask.model_dump()))
            selection = selection.model_copy(update={"mask": mask})
        return step.model_copy(update={"params": params, "selection": selection})

    def _from_store(self, value: Any) -> Any:
        """Return a recorded file, picture or list of them by its path from the store."""
        if isinstance(value, (list, tuple)):
            return [self._from_store(each) for each in value]
        if isinstance(value, Mapping):
            return {**value, "path": self._from_store(value.get("path"))}
        if not isinstance(value, str) or self.store is None:
            return value
        path = Path(value)
        return path.relative_to(self.store).as_posix() if path.is_relative_to(self.store) else value

    @property
    def files(self) -> frozenset[str]:
        """Parameters whose values are files."""
        return schema.file_parameters(self.entry.filter.Params, self.step.values)

    def parse(self, overrides: Mapping[str, Any], max_pixels: int) -> tuple[Params, Options]:
        """Return the checked parameters and options.

        Raises
        ------
        GanfiltersError
            A value is not allowed; the message names step and key.
        """
        step = self.step
        values = {**step.values, **overrides}
        strength = values.pop(_STRENGTH, step.strength)
        with self.named():
            params = schema.validate(
                self.entry.filter.Params, values, names=spelled, max_pixels=max_pixels
            )
            options = Options.read(
                step.mask,
                step.invert_mask,
                step.feather,
                strength,
                fit_mask=True,
                max_pixels=max_pixels,
            )
        return params, options


@contextmanager
def step_named(number: int, title: str) -> Iterator[None]:
    """Make errors of the enclosed work name a step of a chain."""
    with _named(f"step {number} ({title})"):
        yield


@contextmanager
def file_named(file: Path | None) -> Iterator[None]:
    """Make errors of the enclosed work name the file that a chain was read from, if any."""
    with nullcontext() if file is None else _named(str(file)):
        yield


@contextmanager
def _named(what: str) -> Iterator[None]:
    try:
        yield
    except GanfiltersError as error:
        if isinstance(error, Cancelled) or error is callers_own():
            raise
        # A frame is to have all steps or none, so it is no frame to pass over.
        kind = UsageError if isinstance(error, NothingToDo) else type(error)
        raise kind(f"{what}: {error}") from error


def map_files(
    step: ChainStep, names: frozenset[str], change: Callable[[str, Any], Any]
) -> ChainStep:
    """Return a step with `change` applied to its mask and to the values of file parameters.

    Parameters
    ----------
    step
        The step.
    names
        Its parameters that are files, or lists of files.
    change
        Gets key and value, and returns another value.
    """
    values = dict(step.values)
    for name in names & values.keys():
        value = values[name]
        many = isinstance(value, (list, tuple))
        values[name] = [change(name, v) for v in value] if many else change(name, value)
    mask = None if step.mask is None else change("mask", step.mask)
    return replace(step, values=values, mask=mask)

"""Doing again what a recipe says, from its input or from a picture on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganfilters import convert, imageio
from ganfilters.chains.data import ChainStep, recorded
from ganfilters.chains.links import map_files, step_named
from ganfilters.errors import UsageError, nearest
from ganfilters.image import Animation, Image
from ganfilters.progress import progress_part
from ganfilters.recall import recall, recall_file, recall_model
from ganfilters.recipe import Passage, Recipe, Reference
from ganfilters.schema import file_parameters, spelled

if TYPE_CHECKING:
    from ganfilters.host import Host, Prepared

__all__ = ["Replay"]


@dataclass(frozen=True, eq=False)
class Replay:
    """A recipe, and where its files are now; parameters as for `Host.replay`, the mask decoded."""

    recipe: Recipe
    mask: Image | None = None
    images: Mapping[str, Any] = field(default_factory=dict)
    folders: Sequence[Path] = ()
    on_warning: Callable[[str], None] | None = None

    def start(self, image: Image | Animation | None) -> int | None:
        """Return the index of the step that got this picture; None if none did."""
        recipe = self.recipe
        if image is None:
            return 0 if recipe.input is None else None
        digest = _reference(image).sha256
        if recipe.input is not None and recipe.input.sha256 == digest:
            return 0
        for index, step in enumerate(recipe.steps):
            if step.source is not None and step.source.picture.sha256 == digest:
                return index
        return None

    def run(self, host: Host, image: Any) -> Any:
        """Return what the recipe makes of the picture."""
        recipe = self.recipe
        given, kind = None, None
        if image is not None:
            given, kind = convert.accept(image, max_pixels=host.max_pixels)
        first = self.start(given)
        if first is None and (recipe.input is None or given is None):
            raise UsageError(
                "the recipe starts from nothing, so it takes no input picture"
                if recipe.input is None
                else "the recipe needs the input picture that it started from"
            )
        begin = first or 0
        steps = [recorded(step, None) for step in recipe.steps]
        self._check_mask(steps[begin:])
        self._check_images(host, steps)
        count = len(recipe.steps) - begin
        current: Any = given
        for index in range(begin, len(recipe.steps)):
            passage = recipe.steps[index].source
            with (
                progress_part((index - begin) / count, (index - begin + 1) / count),
                _numbered(index, steps[index], len(recipe.steps)),
            ):
                if passage is not None and index > begin:
                    current = self._through_file(current, passage, index, host.max_pixels)
                current = self._prepared(host, steps[index]).within(current)
        return current if kind is None else kind.give_back(current)

    def _prepared(self, host: Host, step: ChainStep) -> Prepared:
        step = self._found(host, step)
        prepared = host.prepare(
            step.chain or step.filter,
            mask=step.mask,
            invert_mask=step.invert_mask,
            feather=step.feather,
            strength=step.strength,
            **step.values,
        )
        # It may have been that of a chain, which fits masks.
        options = replace(prepared.job.options, fit_mask=True)
        return replace(prepared, job=replace(prepared.job, options=options))

    def _found(self, host: Host, step: ChainStep) -> ChainStep:
        """Return a step with the pictures that it refers to."""

        def find(key: str, value: Any) -> Any:
            limit = host.max_pixels
            if key == "mask":
                if self.mask is not None and self._is_given(value):
                    self._warn_unless(self.mask, value, "the mask given")
                    return self.mask
                return recall(value, "the mask", "--mask FILE", self.folders, max_pixels=limit)
            if key in self.images:
                if value is None and self.on_warning is not None:
                    self.on_warning(f"the recipe has none for {spelled(key)}, and one is given")
                if not isinstance(value, Reference):
                    return self.images[key]
                given = convert.to_image(self.images[key], max_pixels=limit)
                self._warn_unless(given, value, f"the picture given for {spelled(key)}")
                return given
            if isinstance(value, str):
                if Path(value).name in step.models:
                    return recall_model(value, step.models, self.folders) or value
                return recall_file(value, self.folders) or value
            if not isinstance(value, Reference):
                return value
            remedy = f"--image {spelled(key)}=FILE"
            what = f"the picture for {spelled(key)}"
            return recall(value, what, remedy, self.folders, max_pixels=limit)

        names: frozenset[str] = frozenset()
        chain = step.chain
        if chain is not None:
            inner = tuple(self._found(host, each) for each in chain.steps)
            chain = replace(chain, steps=inner)
        else:
            names = file_parameters(host.registry.get(step.filter).filter.Params, step.values)
        return replace(map_files(step, names, find), chain=chain)

    def _is_given(self, reference: Reference) -> bool:
        """Return whether `mask` stands for this mask of the recipe."""
        if self.mask is None:
            return False
        steps = [recorded(step, None) for step in self.recipe.steps]
        if len({mask.sha256 for mask in _masks(steps)}) == 1:
            return True  # also in place of one with other pixels: that is the caller's choice
        return _reference(self.mask).sha256 == reference.sha256

    def _check_mask(self, steps: Sequence[ChainStep]) -> None:
        if self.mask is None:
            return
        masks = list(_masks(steps))
        if not masks:
            raise UsageError("the recipe has no mask, so a mask has no place; leave it out")
        if not any(self._is_given(mask) for mask in masks):
            raise UsageError(
                f"the recipe has {len(masks)} masks and the one given is none of them; put them "
                "beside the picture that holds the recipe"
            )

    def _check_images(self, host: Host, steps: Sequence[ChainStep]) -> None:
        known = _file_names(host, steps) if self.images else set()
        for name in self.images:
            if name not in known:
                hint = nearest(spelled(name), map(spelled, known), what="files of the recipe")
                raise UsageError(f"the recipe names no file {spelled(name)}; {hint}")

    def _warn_unless(self, given: Image | Animation, wanted: Reference, what: str) -> None:
        """Say that a picture is not the one of the recipe, if so: to take another is allowed."""
        if self.on_warning is not None and _reference(given).sha256 != wanted.sha256:
            name = f" ({wanted.path})" if wanted.path else ""
            self.on_warning(f"{what} is not the one of the recipe{name}")

    def _through_file(
        self, image: Image | Animation, passage: Passage, index: int, max_pixels: int
    ) -> Image | Animation:
        """Return the picture as it is once written and read again, as it was the first time."""
        saved = passage.saved
        data = imageio.encode(image, saved.format, quality=saved.quality, bit_depth=saved.bit_depth)
        again = imageio.read(data, max_pixels=max_pixels)
        if self.on_warning is not None and _reference(again).sha256 != passage.picture.sha256:
            name = f" ({passage.picture.path})" if passage.picture.path else ""
            self.on_warning(
                f"the picture between steps {index} and {index + 1}{name} is not the one that was "
                "made then; if you have it, replay from it"
            )
        return again


def _file_names(host: Host, steps: Sequence[ChainStep]) -> set[str]:
    """Return the parameters of steps, and of chains among them, whose values are files."""
    found: set[str] = set()
    for step in steps:
        if step.chain is not None:
            found |= _file_names(host, step.chain.steps)
        else:
            found |= file_parameters(host.registry.get(step.filter).filter.Params, step.values)
    return found


def _masks(steps: Sequence[ChainStep]) -> Iterator[Reference]:
    for step in steps:
        if step.mask is not None:
            yield step.mask
        if step.chain is not None:
            yield from _masks(step.chain.steps)


def _reference(image: Image | Animation) -> Reference:
    first = image.first() if isinstance(image, Animation) else image
    return Reference(**convert.reference(first))


def _numbered(index: int, step: ChainStep, count: int) -> AbstractContextManager[None]:
    return step_named(index + 1, step.title) if count > 1 else nullcontext()

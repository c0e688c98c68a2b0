"""`ChainFilter`: a `Chain` as a filter like any other.

Its class is made from the chain: parameters from the declarations of the steps' own, traits from
the steps' traits. It runs each step as the host would (mask, strength, tiling, checks); what the
host does around a filter it does around the whole chain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import new_class
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ganfilters import schema
from ganfilters.chains.data import Chain
from ganfilters.chains.links import Link, file_named, step_named
from ganfilters.chains.parse import STEP_KEYS
from ganfilters.errors import UsageError, nearest
from ganfilters.filter import Filter, Params
from ganfilters.image import BoolArray, Image
from ganfilters.jobs import Job
from ganfilters.limits import MAX_PIXELS
from ganfilters.progress import progress_part, progress_silent, report_progress
from ganfilters.registry import Entry
from ganfilters.registry._sources import CHAIN
from ganfilters.running import guarded
from ganfilters.schema import spelled

if TYPE_CHECKING:
    from ganfilters.runtime import Runtime

__all__ = ["ChainFilter", "Find", "chain_entry"]

Find = Callable[[str], Entry]
"""Returns the filter of a name, or raises `UsageError`."""

Instance = Callable[[Entry], Filter[Any]]


class ChainFilter(Filter[Params]):
    """Runs the steps of a chain one after the other; its subclasses are made by `chain_entry`.

    The mask of the picture, if any, is shown to every step that has none of its own; what the
    chain did is blended in under it once, at the end.

    Parameters
    ----------
    runtime
        As for any filter.
    instance
        Makes, or returns again, the filter of an entry.
    max_pixels
        Largest mask or picture parameter that is decoded.

    Attributes
    ----------
    chain
        What it was made from.
    links
        Its steps with their filters.
    """

    chain: ClassVar[Chain]
    links: ClassVar[tuple[Link, ...]]

    def __init__(
        self,
        runtime: Runtime,
        *,
        instance: Instance | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        super().__init__(runtime)

        def make(entry: Entry) -> Filter[Any]:
            if issubclass(entry.filter, ChainFilter):
                return entry.filter(runtime, instance=instance, max_pixels=max_pixels)
            return instance(entry) if instance is not None else entry.filter(runtime)

        self._max_pixels = max_pixels
        self._loaded = tuple(link.loaded(max_pixels) for link in self.links)
        self._filters = tuple(make(link.entry) for link in self.links)
        self._last: tuple[Params, tuple[Job, ...]] | None = None

    @classmethod
    def check(cls, runtime: Runtime | None = None) -> None:
        """Check the values of all steps, as far as they are known without the chain's parameters.

        Parameters
        ----------
        runtime
            The filters are made on it and check the values as well (`Filter.check_params`), which
            may take time. If None, they are not asked.

        Raises
        ------
        GanfiltersError
            A value is not allowed, or a file is missing; the message names step and key.
        """
        later = {
            index
            for name, param in cls.chain.params.items()
            if cls.Params.model_fields[name].is_required()
            for index in param.steps
        }
        for link in cls.links:
            if issubclass(link.entry.filter, ChainFilter):
                with link.named():
                    link.entry.filter.check(runtime)
            loaded = link.loaded(MAX_PIXELS)
            if link.number - 1 in later:
                continue
            values, options = loaded.parse({}, MAX_PIXELS)
            if runtime is not None:
                with link.named():
                    filter = guarded(link.entry, partial(link.entry.filter, runtime))
                    Job(link.entry, filter, values, options).check_params()

    def jobs(self, params: Params) -> tuple[Job, ...]:
        """Return the steps with their values, those of the chain's own parameters put in.

        Raises
        ------
        GanfiltersError
            A value is not allowed.
        """
        last = self._last  # the same for every picture of a run
        if last is not None and last[0] is params:
            return last[1]
        made = []
        for link, filter in zip(self._loaded, self._filters, strict=True):
            overrides = self.overrides(params, link.number - 1)
            values, options = link.parse(overrides, self._max_pixels)
            made.append(Job(link.entry, filter, values, options))
        self._last = params, tuple(made)
        return tuple(made)

    def check_params(self, params: Params) -> None:
        """Check the steps with the values that the chain's own parameters give them."""
        for link, job in zip(self.links, self.jobs(params), strict=True):
            with link.named():
                job.check_params()

    @classmethod
    def shows_mask(cls) -> bool:
        """Return whether a step has a use for the chain's mask before the size changes."""
        for link in cls.links:
            traits = link.entry.filter.traits
            if not traits.keeps_size:
                return False
            if traits.selection == "filter" or traits.mask == "required":
                return True
        return False

    @classmethod
    def overrides(cls, params: Params, index: int) -> dict[str, Any]:
        """Return what the chain's parameters give to one of its steps."""
        found = {}
        for name, param in cls.chain.params.items():
            value = getattr(params, name)
            # None stands for a file that the step names itself.
            if index in param.steps and (value is not None or name in params.model_fields_set):
                found[param.param] = value
        return found

    def apply(self, image: Image, params: Params) -> Image:
        """Return the picture after all steps; `Image.untouched` where no step changed it."""
        current, kept = image, np.ones(image.pixels.shape[:2], np.bool_)
        untouched: BoolArray | None = kept
        jobs = self.jobs(params)
        for link, job in zip(self.links, jobs, strict=True):
            with self._part(link):
                current, same = _advance(link, job, current)
            untouched = None if untouched is None or same is None else untouched & same
        return current.replace(untouched=untouched, mask=None)

    def generate(self, params: Params) -> Image:
        """Return the first step's picture after all other steps."""
        jobs = self.jobs(params)
        with self._part(self.links[0]), self.links[0].named():
            current = Image(jobs[0].made())
        for link, job in zip(self.links[1:], jobs[1:], strict=True):
            with self._part(link):
                current, _ = _advance(link, job, current)
        return current

    def frames(self, image: Image | None, params: Params) -> Iterator[Image] | None:
        """Return the frames if a step makes an animation, each after all later steps."""
        jobs = self.jobs(params)
        turning = None
        for link, job in zip(self.links, jobs, strict=True):
            with link.named():
                if not job.animates(given=image is not None or link.number > 1):
                    continue
                if turning is not None:
                    raise UsageError("an animation can only be made from a still picture")
            turning = link.number - 1
        return None if turning is None else self._stream(image, jobs, turning)

    def _stream(self, image: Image | None, jobs: Sequence[Job], turning: int) -> Iterator[Image]:
        current = image
        for link, job in zip(self.links[:turning], jobs[:turning], strict=True):
            with self._part(link):
                if current is None:
                    with link.named():
                        current = Image(job.made())
                else:
                    current, _ = _advance(link, job, current)
        link = self.links[turning]
        with link.named():
            moving = jobs[turning].moving(current)
        while moving is not None:
            # From inside each step only: a generator must not leave its context behind.
            with progress_part(turning / len(jobs), 1.0, label=link.label), link.named():
                pixels = next(moving, None)
            if pixels is None:
                return
            frame = Image(pixels)
            with progress_silent():
                for later, job in zip(self.links[turning + 1 :], jobs[turning + 1 :], strict=True):
                    frame, _ = _advance(later, job, frame)
            yield frame

    def _part(self, link: Link) -> AbstractContextManager[None]:
        count = len(self.links)
        return progress_part((link.number - 1) / count, link.number / count, label=link.label)


def _advance(link: Link, job: Job, image: Image) -> tuple[Image, BoolArray | None]:
    """Run one step; return its picture, and where that is the picture before."""
    report_progress(0.0)  # a step that reports nothing is named all the same, and can be stopped
    with link.named():
        masked = image.mask is not None or job.options.mask is not None
        job.check_input(given=True, masked=masked)
        shown, weight = job.weight(image)
        made = job.effect(shown, weight)
    mask = image.mask if made.pixels.shape == image.pixels.shape else None
    return Image(made.pixels, alpha=made.alpha, mask=mask), made.untouched


def chain_entry(chain: Chain, find: Find) -> Entry:
    """Return a chain as a filter.

    Parameters
    ----------
    chain
        The chain.
    find
        Finds the filters of its steps.

    Raises
    ------
    UsageError
        A filter, key or parameter that a step or ``[params]`` names does not exist, or steps do
        not follow one another; the message names the file, if any, and the step.
    """
    from ganfilters.chains.declare import params_of, traits_of

    with file_named(chain.file):
        links = _links(chain, find)
        params = params_of(chain, links)
    body = {
        "__doc__": chain.described(),
        "__module__": __name__,
        "name": chain.name or CHAIN,
        "summary": chain.described(),
        "chain": chain,
        # From here on each step names the file itself.
        "links": tuple(replace(link, file=chain.file) for link in links),
        "Params": params,
        "traits": traits_of(links),
    }
    made = new_class("Chain", (ChainFilter,), exec_body=lambda space: space.update(body))
    return Entry(made, chain.name, CHAIN, chain.digest())


def _links(chain: Chain, find: Find) -> list[Link]:
    """Return the steps with their filters, after checking their keys."""
    count = len(chain.steps)
    links = []
    for number, step in enumerate(chain.steps, 1):
        with step_named(number, step.title):
            entry = find(step.filter) if step.chain is None else _within(chain, step.chain, find)
            folder = chain.folder or Path()
            links.append(Link(number, count, step, entry, folder, chain.store))
            _check_keys(links[-1])
            if number > 1 and entry.filter.traits.input == "none":
                raise UsageError("it makes pictures and takes none, so it can only be step 1")
    return links


def _within(outer: Chain, inner: Chain, find: Find) -> Entry:
    """Return the chain of a step; its files are where those of the chain around it are."""
    if inner.folder is None:
        inner = replace(inner, folder=outer.folder, store=outer.store)
    return chain_entry(inner, find)


def _check_keys(link: Link) -> None:
    params = link.entry.filter.Params
    known = [spelled(parameter.name) for parameter in schema.parameters(params)]
    for name in link.step.values:
        key = spelled(name)
        if key not in known:
            hint = nearest(key, [*known, *STEP_KEYS], what="keys")
            raise UsageError(f"there is no key {key}; {hint}")

"""`Job`: one filter with its parameters, mask and strength, checked once and run on any picture.

What the host does around a filter is here: the selection before, blending after, alpha and
metadata kept, and the record of it all. `ganfilters.running` makes the call itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ganfilters import convert, schema
from ganfilters.errors import ImageError, NothingToDo, UsageError
from ganfilters.filter import Filter, Traits
from ganfilters.hidden import as_shown
from ganfilters.image import Animation, FloatArray, Image, Metadata
from ganfilters.options import Options
from ganfilters.progress import progress_part, progress_silent, report_progress
from ganfilters.recipe import Recipe, Reference, Selection, Step
from ganfilters.resample import resize_mask
from ganfilters.running import Call, Made, checked, read_only, run
from ganfilters.selection import blend, blend_alpha, feathered, prepare_mask

if TYPE_CHECKING:
    from ganfilters.chains.filter import ChainFilter

__all__ = ["Job"]

# Pixels of a mask that is kept for the next picture; a larger one takes too much memory.
_KEPT_MASK = 1 << 22


@dataclass(frozen=True, eq=False)
class Job(Call):
    """One filter, ready to run.

    Attributes
    ----------
    options
        The selection and the strength.
    """

    options: Options
    # The last size and its mask, plain and feathered: a film's frames have one, most folders too.
    _weights: dict[tuple[int, int], tuple[FloatArray, FloatArray]] = field(
        init=False, default_factory=dict, repr=False
    )

    @property
    def traits(self) -> Traits:
        """The filter's traits."""
        return self.filter.traits

    @property
    def name(self) -> str:
        """The filter's name."""
        return self.filter.name

    @property
    def called(self) -> str:
        """The filter in messages; a chain may have no name."""
        made = self._chain_filter
        return f"the chain {made.chain.name}".rstrip() if made else f"the filter {self.name}"

    @property
    def _chain_filter(self) -> ChainFilter | None:
        """The filter, if it is a chain."""
        from ganfilters.chains.filter import ChainFilter  # which needs this module

        return self.filter if isinstance(self.filter, ChainFilter) else None

    def effect(self, source: Image, weight: FloatArray | None) -> Made:
        """Run the filter on a picture and blend the result into it.

        Parameters
        ----------
        source
            With the mask that the filter shall see.
        weight
            How much of the result to take, H x W; None for all of it.

        Returns
        -------
        Made
            The result, with the alpha of the picture. `Made.untouched` is where it is the source,
            unchanged; None if there is no such pixel by construction.
        """
        self._check_size(source)
        self._check_result((source.width, source.height))
        if self.traits.selection == "filter":
            weight = None
        made = run(self, source, weight)
        if not self.traits.keeps_size:
            same = made.pixels.shape == source.pixels.shape
            return replace(made, alpha=source.alpha) if made.alpha is None and same else made
        strength = self.options.strength
        pixels, untouched = blend(source, made.pixels, weight, strength)
        if made.untouched is not None:
            untouched = made.untouched if untouched is None else untouched | made.untouched
        alpha = source.alpha
        if made.alpha is not None and strength > 0.0:
            alpha = blend_alpha(source.alpha, made.alpha, weight, strength)
        return Made(pixels, untouched, alpha)

    def weight(self, source: Image) -> tuple[Image, FloatArray | None]:
        """Return the picture with the mask of the options, and the feathered mask."""
        size = source.width, source.height
        found = self._weights.get(size)
        if found is None:
            mask = self._mask(*size)
            if mask is None:
                return source, None
            found = read_only(mask), read_only(feathered(mask, self.options.feather))
            self._weights.clear()
            if mask.size <= _KEPT_MASK:
                self._weights[size] = found
        mask, weight = found
        return source.replace(mask=mask), weight

    def _mask(self, width: int, height: int) -> FloatArray | None:
        """Return the mask of the options for a picture of a size, if there is one."""
        given = self.options.mask
        if given is None:
            return None
        if self.options.fit_mask:
            plane = convert.read_mask(given, given.width, given.height)
            plane = resize_mask(plane, width, height)
        else:
            plane = convert.read_mask(given, width, height)
        # Others may have more to go by than the mask, and say themselves if there is nothing.
        needed = self.traits.selection == "host" or self.traits.mask == "required"
        return prepare_mask(plane, invert=self.options.invert_mask, needed=needed)

    def region(self, width: int, height: int) -> tuple[slice, slice] | None:
        """Return the part of a picture that is enough to see; None if it is all of it."""
        own = type(self.filter).region is not Filter.region
        if not own or not self.traits.keeps_size or self.options.fit_mask:
            return None
        mask = self._mask(width, height)
        if mask is None or not mask.any():
            return None

        def asked() -> tuple[slice, slice] | None:
            found = self.filter.region(self.given, read_only(mask))
            if found is None:
                return None
            # A feather looks at what is beside the selection.
            rim = 1 if self.options.feather else 0
            rows, columns = (
                slice(max(span.indices(side)[0] - rim, 0), min(span.indices(side)[1] + rim, side))
                for span, side in zip(found, (height, width), strict=True)
            )
            return (rows, columns) if mask[rows, columns].any() else None

        return self.guarded(asked)

    def cut(self, region: tuple[slice, slice]) -> Job:
        """Return the job for a part of the pictures that its mask is for."""
        whole = self.options.mask
        if whole is None:
            return self
        alpha = None if whole.alpha is None else whole.alpha[region]
        mask = Image(whole.pixels[region], alpha)
        return replace(self, options=replace(self.options, mask=mask))

    def check_params(self) -> None:
        """Refuse what is wrong for every picture; see `Filter.check_params`.

        Raises
        ------
        UsageError
            A value, a size over the limit, or a mask of which nothing would come.
        """
        for name, size in self._sizes():
            # What no picture needs may be larger by default.
            if size != type(self.params).model_fields[name].default:
                _refuse_over(self.options.max_pixels, name, size)
        if self.options.mask is not None and not self._heeds_mask():
            raise UsageError(
                f"{self.called} changes the picture's size, so nothing can be kept outside a mask; "
                "leave the mask out"
            )
        self.guarded(lambda: self.filter.check_params(self.given))

    def check_input(self, *, given: bool, masked: bool) -> None:
        """Compare what there is to work on with what the filter needs.

        Parameters
        ----------
        given
            There is an input picture.
        masked
            It has a mask.

        Raises
        ------
        UsageError
            They do not go together.
        """
        traits, options = self.traits, self.options
        if given and traits.input == "none":
            raise UsageError(f"{self.called} makes pictures and takes no input")
        if given and traits.mask == "required" and not masked:
            raise UsageError(
                f"{self.called} needs a mask; give one as mask (--mask FILE), "
                "white where it shall work"
            )
        if not given and traits.input == "required":
            raise UsageError(f"{self.called} needs an input picture")
        if options.feather and (traits.selection == "filter" or not traits.keeps_size):
            raise UsageError(
                f"{self.called} fades its edges itself; leave feather out, and see "
                f"`ganfilters show {self.name}` for a parameter of its own"
            )
        if options.strength != 1.0 and not traits.keeps_size:
            raise UsageError(
                f"{self.called} changes the picture's size, so its result cannot be mixed with the "
                "picture; leave strength out"
            )
        if not given and (options.mask is not None or options.strength != 1.0):
            raise UsageError("a mask or strength needs an input picture to keep; give one as well")

    def _sizes(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Yield the sizes among the parameters."""
        for parameter in schema.parameters(type(self.params)):
            value = getattr(self.params, parameter.name, None)
            if parameter.kind == "size" and value is not None:
                yield parameter.name, value

    def _heeds_mask(self) -> bool:
        """Return whether a mask changes anything: by the host's blending, or for a filter."""
        traits, made = self.traits, self._chain_filter
        if traits.keeps_size or traits.selection == "filter" or traits.mask == "required":
            return True
        return made is not None and made.shows_mask()

    def _check_size(self, source: Image) -> None:
        largest = self.traits.size_max
        if largest is None or self.traits.tiling is not None:
            return
        if max(source.width, source.height) > largest:
            raise ImageError(
                f"the picture is {source.width} x {source.height} pixels and the filter "
                f"{self.name} takes at most {largest} a side; make it smaller"
            )

    def _check_result(self, size: tuple[int, int] | None) -> None:
        """Refuse to make what is larger than what would be read, of a picture of this size.

        Raises
        ------
        UsageError
            It has more pixels than the limit.
        """
        limit = self.options.max_pixels
        for name, value in self._sizes() if size is None else ():
            _refuse_over(limit, name, value)
        found = self.guarded(lambda: self.filter.result_size(size, self.given))
        if found is not None and found != size:
            _refuse_over(limit, "the result", found)

    def made(self) -> FloatArray:
        """Return the pixels of a picture made from nothing."""
        self.check_input(given=False, masked=False)
        self._check_result(None)
        return checked(self, self.guarded(lambda: self.filter.generate(self.given)), None)

    def moving(self, shown: Image | None) -> Iterator[FloatArray] | None:
        """Return the frames' pixels if the parameters ask for an animation, else None."""
        # Any picture will do to ask, and most pictures stay still: what is hidden in a large one
        # is filled only if it moves.
        masked = shown is not None and shown.mask is not None
        if not self.animates(given=shown is not None, masked=masked):
            return None
        self._check_result(None if shown is None else (shown.width, shown.height))
        if shown is not None:
            shown = Image(read_only(as_shown(shown).pixels))
        frames = self.guarded(lambda: self.filter.frames(shown, self.given))
        return None if frames is None else self._frames(frames)

    def animates(self, *, given: bool, masked: bool = False) -> bool:
        """Return whether the parameters ask for an animation, of a picture or of nothing.

        Raises
        ------
        UsageError
            They do, and there is a mask, the picture's own if it is `masked`, or a strength.
        """
        if type(self.filter).frames is Filter.frames:
            return False
        picture = Image(read_only(np.full((64, 64, 3), 0.5, np.float32))) if given else None
        if self.guarded(lambda: self.filter.frames(picture, self.given)) is None:
            return False
        if masked or self.options.mask is not None or self.options.strength != 1.0:
            raise UsageError(
                "an animation cannot be combined with a mask or strength; leave it out"
            )
        return True

    def _frames(self, frames: Iterator[Image]) -> Iterator[FloatArray]:
        end = object()
        while True:
            with progress_silent():
                report_progress(0.0)  # a filter that reports nothing can be stopped all the same
            frame = self.guarded(lambda: next(frames, end))
            if frame is end:
                return
            yield checked(self, frame, None)

    def apply(
        self, source: Image | Animation | None, device: str, *, record: bool = True
    ) -> Image | Animation:
        """Return the finished picture, or pictures: alpha and metadata kept, recipe written.

        Parameters
        ----------
        source
            What to work on, if anything.
        device
            Where networks run, for the recipe.
        record
            Write the recipe. It takes checksums of whole pictures, so not for a result that
            cannot hold one.
        """
        if isinstance(source, Animation):
            count = len(source.frames)
            for name in schema.new_files(self.params) if count > 1 else ():
                raise UsageError(
                    f"{schema.spelled(name)} is for one picture; the input has {count} frames"
                )
            done, idle = [], []
            for index, frame in enumerate(source.frames):
                with progress_part(index / count, (index + 1) / count):
                    try:
                        done.append(self._still(frame, device, record=record))
                    except NothingToDo as error:
                        idle.append(error)
                        done.append(self._unchanged(frame, device, record=record))
            if len(idle) == count:
                raise idle[0]
            return Animation(tuple(done), source.durations, source.loop)
        if source is not None:
            return self._still(source, device, record=record)
        report_progress(0.0)
        pixels = self.made()
        return Image(pixels, metadata=Metadata(recipe=self.recipe(None, device)))

    def _still(self, source: Image, device: str, *, record: bool) -> Image:
        report_progress(0.0)
        job = self._with_mask_of(source)
        job.check_input(given=True, masked=job.options.mask is not None)
        shown, weight = job.weight(source)
        return job._result(source, job.effect(shown, weight), device, record=record)

    def _unchanged(self, frame: Image, device: str, *, record: bool) -> Image:
        """Return a frame in which there was nothing to do, as part of the result."""
        everywhere = np.ones(frame.pixels.shape[:2], np.bool_)
        made = Made(frame.pixels, everywhere, frame.alpha)
        return self._with_mask_of(frame)._result(frame, made, device, record=record)

    def _result(self, source: Image, made: Made, device: str, *, record: bool) -> Image:
        untouched = made.untouched
        if source.untouched is not None and untouched is not None:
            untouched = untouched & source.untouched  # of the file, not of what came in between
        return Image(
            made.pixels,
            alpha=made.alpha,
            metadata=_with_recipe(
                source.metadata,
                self.recipe(source, device) if record else None,
                keep_original=untouched is not None,
            ),
            untouched=untouched,
        )

    def _with_mask_of(self, source: Image) -> Job:
        """Return the job under the picture's own mask, if it has one and none was given."""
        options = self.options
        if options.mask is not None or source.mask is None:
            return self
        return replace(self, options=replace(options, mask=convert.mask_image(source.mask)))

    def frames(self, source: Image | Animation | None, device: str) -> Iterator[Image] | None:
        """Return the finished frames if the parameters ask for an animation, else None."""
        still = source.first() if isinstance(source, Animation) else source
        masked = self.options.mask is not None or (still is not None and still.mask is not None)
        self.check_input(given=still is not None, masked=masked)
        moving = self.moving(still)
        if moving is None:
            return None
        if isinstance(source, Animation):
            raise UsageError("an animation can only be made from a still picture")
        return self._finished(still, moving, device)

    def _finished(
        self, source: Image | None, moving: Iterator[FloatArray], device: str
    ) -> Iterator[Image]:
        kept = source.metadata if source is not None else Metadata()
        metadata = _with_recipe(kept, self.recipe(source, device), keep_original=False)
        alpha = source.alpha if source is not None else None
        for pixels in moving:
            fits = alpha is not None and alpha.shape == pixels.shape[:2]
            yield Image(pixels, alpha=alpha if fits else None, metadata=metadata)

    def recipe(self, source: Image | None, device: str) -> Recipe:
        """Return the recipe of the result: what was done to the source before, and this."""
        step = self.step()
        if source is None:
            return Recipe(device=device, steps=_flat(step))
        given = Reference(**convert.reference(source))
        before = source.metadata.recipe
        if before is None:
            return Recipe(device=device, input=given, steps=_flat(step))
        first, *others = _flat(step)
        after = before.then(first, picture=given, device=device)
        return after.model_copy(update={"steps": (*after.steps, *others)})

    def step(self) -> Step:
        """Return the record of this job; of a chain, its steps are in it."""
        options, made = self.options, self._chain_filter
        selection = None
        if options.reference is not None:
            selection = Selection(
                mask=options.reference, invert=options.invert_mask, feather=options.feather
            )
        name, version, steps = self.name, self.entry.version, tuple[Step, ...]()
        if made is not None:
            name = made.chain.name
            version = version if name else ""
            jobs = made.jobs(self.params)
            steps = tuple(
                link.recorded(job.step()) for link, job in zip(made.links, jobs, strict=True)
            )
        used = self.guarded(lambda: self.filter.models_for(self.params))
        models = {model.path.name: model.verify() for model in used}
        return Step(
            filter=name,
            version=version,
            params=self.params.model_dump(mode="json") if name else {},
            models={} if steps else models,
            selection=selection,
            strength=options.strength,
            steps=steps,
        )


def _flat(step: Step) -> tuple[Step, ...]:
    """Return a chain that is nothing but its steps as these."""
    bare = step.selection is None and step.strength == 1.0 and not step.filter
    return step.steps if step.steps and bare else (step,)


def _refuse_over(max_pixels: int, what: str, size: tuple[int, int]) -> None:
    if size[0] * size[1] > max_pixels:
        raise UsageError(
            f"{what} is {size[0]}x{size[1]}, over the limit of {max_pixels} pixels; "
            "`max_pixels` raises it"
        )


def _with_recipe(metadata: Metadata, recipe: Recipe | None, *, keep_original: bool) -> Metadata:
    kept = metadata.original if keep_original else None
    return replace(metadata, recipe=recipe, original=kept)

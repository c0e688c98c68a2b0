"""`Host`: runs filters on pictures. The interface for embedding.

>>> from ganfilters import Host
>>> host = Host(device="cpu")
>>> result = host.apply("dream", "photo.jpg", octaves=4)  # doctest: +SKIP

A host has no global state; several can live side by side, and one serves several threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ganfilters import convert, schema
from ganfilters.errors import (
    GanfiltersError,
    ImageError,
    OutOfMemory,
    PluginError,
    UsageError,
)
from ganfilters.filter import Filter, Params, Tiling, Traits
from ganfilters.image import Animation, FloatArray, Image, Metadata
from ganfilters.limits import FEATHER_MAX, MAX_PIXELS
from ganfilters.models import ModelFile
from ganfilters.progress import (
    CancelToken,
    OnProgress,
    progress_part,
    report_progress,
    reporting,
)
from ganfilters.recipe import Recipe, Reference, Selection, Step
from ganfilters.registry import Entry, Registry
from ganfilters.runtime import Runtime
from ganfilters.selection import blend, feathered, prepare_mask
from ganfilters.tiling import Window, blend_ramp, pad_to, windows

__all__ = ["Host", "apply"]

_FRAME_MS = 40.0
# Values may stray this far outside [0, 1] by rounding and are clipped; further is a defect.
_RANGE_SLACK = 1e-3
_T = TypeVar("_T")


@dataclass(frozen=True)
class _Job:
    """One call of `Host.apply`, checked: everything but the picture."""

    entry: Entry
    filter: Filter[Any]
    params: Params
    mask: Any
    invert_mask: bool
    feather: float
    strength: float
    device: str
    max_pixels: int

    @property
    def traits(self) -> Traits:
        return self.filter.traits


class Host:
    """Finds filters and applies them.

    Parameters
    ----------
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or another name of `ganfilters.devices.DEVICES`.
    threads
        CPU threads of one network; None is one per core.
    plugins
        Python files with further plugins.
    max_pixels
        Largest picture that is decoded, in pixels; a guard against decompression bombs.
    registry
        Where filters come from; found anew by default.

    Raises
    ------
    UsageError
        A plugin file does not exist.
    """

    def __init__(
        self,
        device: str = "auto",
        *,
        threads: int | None = None,
        plugins: Sequence[str | Path] = (),
        max_pixels: int = MAX_PIXELS,
        registry: Registry | None = None,
    ) -> None:
        self.registry = registry or Registry.discover([Path(path) for path in plugins])
        self.max_pixels = max_pixels
        self._device = device
        self._threads = threads
        self._lock = threading.RLock()
        self._runtime: Runtime | None = None
        self._filters: dict[str, Filter[Any]] = {}

    @property
    def runtime(self) -> Runtime:
        """The device and its loaded networks; started at the first use.

        Raises
        ------
        DeviceError
            The device is unknown or does not start.
        """
        with self._lock:
            if self._runtime is None:
                self._runtime = Runtime(self._device, threads=self._threads)
            return self._runtime

    @property
    def device(self) -> str:
        """The device that networks really run on."""
        return self.runtime.device

    def parse(self, filter: str, values: Mapping[str, Any], *, flags: bool = False) -> Params:
        """Return checked parameters of a filter, presets resolved.

        Parameters
        ----------
        filter
            Name of the filter.
        values
            Parameter names and values, and ``preset`` where the filter has presets.
        flags
            Speak of parameters as command-line flags in messages.

        Raises
        ------
        UsageError
            An unknown filter, an unknown parameter, or a value out of bounds.
        """
        return schema.validate(self.registry.get(filter).filter.Params, values, flags=flags)

    def apply(
        self,
        filter: str,
        image: Any = None,
        /,
        *,
        mask: Any = None,
        invert_mask: bool = False,
        feather: float = 0.0,
        strength: float = 1.0,
        on_progress: OnProgress | None = None,
        cancel: CancelToken | None = None,
        **params: Any,
    ) -> Any:
        """Apply a filter and return the same kind of picture that came in.

        Parameters
        ----------
        filter
            Name of the filter.
        image
            A path, encoded bytes, PIL image, NumPy array (uint8, uint16 or float; H x W, or
            H x W x 1, 3 or 4), `Image` or `Animation`. None for filters that make pictures.
        mask
            Where to work (white), of the picture's size: anything that `image` can be. Outside it
            the result is the input, unchanged.
        invert_mask
            Work where the mask is black.
        feather
            Pixels over which the effect fades out towards the mask's edge, 0 to 500.
        strength
            0 (the input) to 1 (the filter's full effect).
        on_progress
            Called with the fraction done and a note, from the calling thread.
        cancel
            Anything with ``is_set()``, such as `threading.Event`; once set, the call raises.
        **params
            The filter's parameters, and ``preset`` where it has presets.

        Returns
        -------
        object
            PIL image for PIL image, array for array (dtype and channels kept), bytes for bytes (in
            the same format); `Image` for a path, an `Image`, or no input. `Animation` for an
            animation, and where the parameters ask for one.

        Raises
        ------
        UsageError
            Unknown filter or parameter, or values that do not go together.
        ImageError
            A picture or mask that cannot be used.
        PluginError
            The filter raised, or returned what its contract forbids.
        Cancelled
            `cancel` was set.
        """
        with reporting(on_progress, cancel):
            result = self._within(
                filter,
                image,
                mask=mask,
                invert_mask=invert_mask,
                feather=feather,
                strength=strength,
                params=params,
            )
            report_progress(1.0)
        return result

    def frames(
        self,
        filter: str,
        image: Any = None,
        /,
        *,
        on_progress: OnProgress | None = None,
        cancel: CancelToken | None = None,
        **options: Any,
    ) -> Iterator[Image] | None:
        """Return the frames one by one if the parameters ask for an animation, else None.

        Parameters are those of `apply`; errors in them are raised at once.
        """
        source = None
        if image is not None:
            source, _ = convert.accept(image, max_pixels=self.max_pixels)
        common: dict[str, Any] = {
            "mask": None,
            "invert_mask": False,
            "feather": 0.0,
            "strength": 1.0,
        }
        common |= {name: options.pop(name) for name in list(options) if name in common}
        job = self._job(filter, options, **common)
        with reporting(on_progress, cancel):
            moving = self._frames(job, source)
        return None if moving is None else _reported(moving, on_progress, cancel)

    def replay(
        self,
        recipe: Recipe,
        image: Any = None,
        *,
        mask: Any = None,
        images: Mapping[str, Any] | None = None,
        folders: Sequence[Path] = (),
        on_progress: OnProgress | None = None,
        cancel: CancelToken | None = None,
    ) -> Any:
        """Do again what a recipe says.

        Parameters
        ----------
        recipe
            From ``image.metadata.recipe`` of a picture that this project made.
        image
            The picture to start from; None if the recipe starts from nothing.
        mask
            In place of the recorded mask, if that file has moved.
        images
            In place of recorded picture parameters, by parameter name.
        folders
            Where to look for recorded files whose paths are relative, after the current folder.

        Raises
        ------
        ImageError
            A recorded mask or picture is not where it was, or has other pixels.
        UsageError
            A filter or parameter of the recipe does not exist here.
        """
        if (recipe.input is None) != (image is None):
            raise UsageError(
                "the recipe starts from nothing, so it takes no input picture"
                if recipe.input is None
                else "the recipe needs the input picture that it started from"
            )
        count = len(recipe.steps)
        with reporting(on_progress, cancel):
            for index, step in enumerate(recipe.steps):
                chosen = mask
                if chosen is None and step.selection is not None:
                    chosen = _recall(step.selection.mask, "the mask", "--mask FILE", folders)
                selection = step.selection
                with progress_part(index / count, (index + 1) / count):
                    image = self._within(
                        step.filter,
                        image,
                        mask=chosen,
                        invert_mask=selection.invert if selection else False,
                        feather=selection.feather if selection else 0.0,
                        strength=step.strength,
                        params=_recall_all(step.params, images or {}, folders),
                    )
        return image

    def _within(self, name: str, image: Any, *, params: dict[str, Any], **common: Any) -> Any:
        """Apply one step inside the progress report that is already open."""
        source, kind = None, None
        if image is not None:
            source, kind = convert.accept(image, max_pixels=self.max_pixels)
        job = self._job(name, params, **common)
        moving = self._frames(job, source)
        if moving is not None:
            frames = tuple(moving)
            return Animation(frames, (_FRAME_MS,) * len(frames))
        result = self._apply(job, source)
        return kind.give_back(result) if kind is not None else result

    def _job(
        self,
        name: str,
        values: Mapping[str, Any],
        mask: Any,
        invert_mask: bool,
        feather: float,
        strength: float,
    ) -> _Job:
        entry = self.registry.get(name)
        params = schema.validate(entry.filter.Params, values)
        strength, feather = _number("strength", strength), _number("feather", feather)
        self._check_area(entry.filter.Params, params)
        if not 0.0 <= strength <= 1.0:
            raise UsageError(f"strength is {strength:g}; it must be from 0 to 1")
        if not 0.0 <= feather <= FEATHER_MAX:
            raise UsageError(f"feather is {feather:g}; it must be from 0 to {FEATHER_MAX:g} pixels")
        if mask is None and (invert_mask or feather):
            raise UsageError("inverting or feathering a mask needs a mask; give one as well")
        if mask is not None and not isinstance(mask, (Image, np.ndarray)):
            # Decoded once, however many frames there are.
            mask = convert.to_image(mask, max_pixels=self.max_pixels)
        return _Job(
            entry,
            self._instance(entry),
            params,
            mask,
            invert_mask,
            feather,
            strength,
            self.device,
            self.max_pixels,
        )

    def _check_area(self, params_type: type[Params], params: Params) -> None:
        """Refuse to make a picture larger than what would be read."""
        for parameter in schema.parameters(params_type):
            value = getattr(params, parameter.name, None) if parameter.kind == "size" else None
            if value is not None and value[0] * value[1] > self.max_pixels:
                raise UsageError(
                    f"{parameter.name} is {value[0]}x{value[1]}, over the limit of "
                    f"{self.max_pixels} pixels; --max-pixels raises it"
                )

    def _instance(self, entry: Entry) -> Filter[Any]:
        name = entry.filter.name
        with self._lock:
            if name not in self._filters:
                self._filters[name] = _guarded(entry, lambda: entry.filter(self.runtime))
            return self._filters[name]

    def _apply(self, job: _Job, source: Image | Animation | None) -> Image | Animation:
        if isinstance(source, Animation):
            count = len(source.frames)
            done = []
            for index, frame in enumerate(source.frames):
                with progress_part(index / count, (index + 1) / count):
                    done.append(self._still(job, frame))
            return Animation(tuple(done), source.durations, source.loop)
        return self._still(job, source)

    def _still(self, job: _Job, source: Image | None) -> Image:
        report_progress(0.0)
        if source is None:
            return self._generate(job)
        _check_input(job)
        source, weight, selection = _select(job, source)
        _check_size(job, source)
        pixels = _run(job, source)
        untouched = None
        if job.traits.keeps_size:
            pixels, untouched = blend(source, pixels, weight, job.strength)
        resized = pixels.shape != source.pixels.shape
        recipe = self._recipe(job, source, selection)
        metadata = source.metadata
        return Image(
            pixels,
            alpha=None if resized else source.alpha,
            metadata=_with_recipe(metadata, recipe, keep_original=untouched is not None),
            untouched=untouched,
        )

    def _generate(self, job: _Job) -> Image:
        if job.traits.input == "required":
            raise UsageError(f"the filter {job.entry.filter.name} needs an input picture")
        if job.mask is not None or job.strength != 1.0:
            raise UsageError("a mask or strength needs an input picture to keep; give one as well")
        made = _guarded(job.entry, lambda: job.filter.generate(job.params))
        pixels = _checked(job, made, None)
        return Image(pixels, metadata=Metadata(recipe=self._recipe(job, None, None)))

    def _frames(self, job: _Job, source: Image | Animation | None) -> Iterator[Image] | None:
        still = source.first() if isinstance(source, Animation) else source
        if still is None and job.traits.input == "required":
            raise UsageError(f"the filter {job.entry.filter.name} needs an input picture")
        shown = Image(_read_only(still.pixels)) if still is not None else None
        moving = _guarded(job.entry, lambda: job.filter.frames(shown, job.params))
        if moving is None:
            return None
        if isinstance(source, Animation):
            raise UsageError("an animation can only be made from a still picture")
        if job.mask is not None or job.strength != 1.0:
            raise UsageError(
                "an animation cannot be combined with a mask or strength; leave it out"
            )
        return self._finished(job, still, moving)

    def _finished(
        self, job: _Job, source: Image | None, moving: Iterator[Image]
    ) -> Iterator[Image]:
        kept = source.metadata if source is not None else Metadata()
        metadata = _with_recipe(kept, self._recipe(job, source, None), keep_original=False)
        alpha = source.alpha if source is not None else None
        end = object()
        while True:
            frame = _guarded(job.entry, lambda: next(moving, end))
            if frame is end:
                return
            pixels = _checked(job, frame, None)
            fits = alpha is not None and alpha.shape == pixels.shape[:2]
            yield Image(pixels, alpha=alpha if fits else None, metadata=metadata)

    def _recipe(self, job: _Job, source: Image | None, selection: Selection | None) -> Recipe:
        own = [value for _, value in job.params if isinstance(value, ModelFile)]
        models = {model.path.name: model.verify() for model in own or job.entry.filter.models}
        step = Step(
            filter=job.entry.filter.name,
            version=job.entry.version,
            params=job.params.model_dump(mode="json"),
            models=models,
            selection=selection,
            strength=job.strength,
        )
        given = None if source is None else Reference(**convert.reference(source))
        return Recipe(device=job.device, input=given, steps=(step,))


_default_hosts: dict[str, Host] = {}
_default_hosts_lock = threading.Lock()


def _default_host(device: str) -> Host:
    with _default_hosts_lock:  # two hosts would load every network twice
        return _default_hosts.setdefault(device, Host(device))


def apply(filter: str, image: Any = None, /, *, device: str = "auto", **options: Any) -> Any:
    """Apply a filter with a host that is kept for the next call; see `Host.apply`."""
    return _default_host(device).apply(filter, image, **options)


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UsageError(f"{name} is {value!r}; it must be a number") from None


def _select(job: _Job, source: Image) -> tuple[Image, FloatArray | None, Selection | None]:
    """Return the picture with its mask, the feathered weights, and their record."""
    given = job.mask
    if given is None and source.mask is not None:
        given = source.mask
    if given is None:
        if job.traits.mask == "required":
            raise UsageError(
                f"the filter {job.entry.filter.name} needs a mask; give one as mask (--mask FILE), "
                "white where it shall work"
            )
        return source, None, None
    plane = convert.read_mask(given, source.width, source.height, max_pixels=job.max_pixels)
    mask = prepare_mask(plane, invert=job.invert_mask)
    selection = Selection(
        mask=Reference(**convert.reference(given if isinstance(given, Image) else plane, given)),
        invert=job.invert_mask,
        feather=job.feather,
    )
    return source.replace(mask=mask), feathered(mask, job.feather), selection


def _check_input(job: _Job) -> None:
    if job.traits.input == "none":
        raise UsageError(f"the filter {job.entry.filter.name} makes pictures and takes no input")


def _check_size(job: _Job, source: Image) -> None:
    largest = job.traits.size_max
    if largest is None or job.traits.tiling is not None:
        return
    if max(source.width, source.height) > largest:
        raise ImageError(
            f"the picture is {source.width} x {source.height} pixels and the filter "
            f"{job.entry.filter.name} takes at most {largest} a side; make it smaller"
        )


def _run(job: _Job, source: Image) -> FloatArray:
    """Run the filter on the whole picture, or in tiles where it is too large."""
    traits = job.traits
    bare = source.replace(alpha=None, untouched=None)
    tiling = traits.tiling
    if tiling is None:
        return _run_padded(job, bare)
    size = min(tiling.size, traits.size_max or tiling.size)
    while True:
        try:
            if max(source.width, source.height) <= size:
                return _run_padded(job, bare)
            return _run_tiled(job, bare, Tiling(size, tiling.overlap))
        except (OutOfMemory, MemoryError):
            # Smaller tiles cost time, never correctness; below this they would be all overlap.
            size //= 2
            if size < max(2 * tiling.overlap + traits.size_multiple, traits.size_min, 32):
                raise
            report_progress(0.0, f"out of memory; trying tiles of {size} pixels")


def _run_tiled(job: _Job, source: Image, tiling: Tiling) -> FloatArray:
    result = np.zeros_like(source.pixels)
    multiple = job.traits.size_multiple
    tiles = list(windows(source.height, source.width, tiling.size, tiling.overlap, multiple))
    for index, tile in enumerate(tiles):
        with progress_part(index / len(tiles), (index + 1) / len(tiles)):
            report_progress(0.0, f"tile {index + 1} of {len(tiles)}")
            part = _run_padded(job, _cut(source, tile))
        ramp = blend_ramp(tile.rows)[:, None] * blend_ramp(tile.columns)
        result[tile.slices] += part * ramp[..., None]
    return np.clip(result, 0.0, 1.0, out=result)


def _cut(source: Image, tile: Window) -> Image:
    mask = None if source.mask is None else source.mask[tile.slices]
    return source.replace(pixels=source.pixels[tile.slices], mask=mask)


def _run_padded(job: _Job, source: Image) -> FloatArray:
    """Give the filter a picture of a size it can take; return the part that was asked for."""
    traits = job.traits
    height, width = (
        -(-max(side, traits.size_min) // traits.size_multiple) * traits.size_multiple
        for side in (source.height, source.width)
    )
    pixels = pad_to(source.pixels, height, width)
    mask = None if source.mask is None else _read_only(pad_to(source.mask, height, width))
    image = Image(_read_only(pixels), mask=mask)  # what its file held is the host's alone
    made = _guarded(job.entry, lambda: job.filter.apply(image, job.params))
    result = _checked(job, made, (height, width) if traits.keeps_size else None)
    return result[: source.height, : source.width] if traits.keeps_size else result


def _read_only(array: FloatArray) -> FloatArray:
    """Return a view that a filter cannot change by accident."""
    view = array.view()
    view.flags.writeable = False
    return view


def _guarded(entry: Entry, call: Callable[[], _T]) -> _T:
    """Call into a plugin; what it raises against its contract names it."""
    try:
        return call()
    except ImageError as error:  # an Image that the plugin made and that is none
        raise PluginError(
            f"the filter {entry.filter.name} ({entry.distribution}) failed: {error}"
        ) from error
    except (GanfiltersError, MemoryError):
        raise
    except (Exception, SystemExit) as error:  # a plugin may raise anything
        text = " ".join(str(error).split())
        raise PluginError(
            f"the filter {entry.filter.name} ({entry.distribution}) failed: "
            f"{type(error).__name__}: {text}".rstrip(": ")
        ) from error


def _checked(job: _Job, made: object, size: tuple[int, int] | None) -> FloatArray:
    """Return the pixels of a filter's result after checking its promises."""
    who = f"the filter {job.entry.filter.name} ({job.entry.distribution})"
    if not isinstance(made, Image):
        raise PluginError(
            f"{who} returned {type(made).__name__}; it must return a ganfilters.Image"
        )
    pixels = made.pixels
    if size is not None and pixels.shape[:2] != size:
        raise PluginError(
            f"{who} returned {pixels.shape[1]} x {pixels.shape[0]} pixels for "
            f"{size[1]} x {size[0]}; the sizes must be the same, or traits.keeps_size False"
        )
    low, high = float(pixels.min()), float(pixels.max())  # NaN if any value is
    if not (np.isfinite(low) and np.isfinite(high)):
        raise PluginError(f"{who} returned values that are not finite (NaN or infinity)")
    if low < -_RANGE_SLACK or high > 1.0 + _RANGE_SLACK:
        raise PluginError(
            f"{who} returned values from {low:.3g} to {high:.3g}; they must be in [0, 1]"
        )
    return np.clip(pixels, 0.0, 1.0) if low < 0.0 or high > 1.0 else pixels


def _reported(
    moving: Iterator[Image], on_progress: OnProgress | None, cancel: CancelToken | None
) -> Iterator[Image]:
    """Report from inside each step only: a generator must not leave its context behind."""
    while True:
        with reporting(on_progress, cancel):
            try:
                frame = next(moving)
            except StopIteration:
                return
        yield frame


def _with_recipe(metadata: Metadata, recipe: Recipe, *, keep_original: bool) -> Metadata:
    from dataclasses import replace

    kept = metadata.original if keep_original else None
    return replace(metadata, recipe=recipe, original=kept)


def _recall_all(
    params: Mapping[str, Any], images: Mapping[str, Any], folders: Sequence[Path]
) -> dict[str, Any]:
    """Load the pictures that recorded parameters refer to."""
    values = dict(params)
    for name, value in params.items():
        if name in images:
            values[name] = images[name]
        elif isinstance(value, Mapping) and value.keys() == Reference.model_fields.keys():
            values[name] = _recall(
                Reference.model_validate(value),
                f"the picture for {name}",
                f"--image {name}=FILE",
                folders,
            )
    return values


def _recall(reference: Reference, what: str, remedy: str, folders: Sequence[Path]) -> Image:
    places = [folder / (reference.path or "") for folder in (Path(), *folders)]
    found = next((place for place in places if reference.path and place.is_file()), None)
    if found is None:
        raise ImageError(
            f"{what} ({reference.path or 'not from a file'}) of the recipe is not there; "
            f"name it with {remedy}"
        )
    image = Image.open(found)
    if convert.reference(image)["sha256"] != reference.sha256:
        raise ImageError(
            f"{what} ({found}) has changed since the recipe was written; "
            f"name the right one with {remedy}"
        )
    return image

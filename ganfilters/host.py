"""`Host`: runs filters on pictures. The interface for embedding.

>>> from ganfilters import Host
>>> host = Host(device="cpu")
>>> result = host.apply("dream", "photo.jpg", octaves=4)  # doctest: +SKIP

A host has no global state; several can live side by side, and one serves several threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ganfilters import convert, schema
from ganfilters.chains import Chain
from ganfilters.errors import UsageError
from ganfilters.filter import Filter, Params
from ganfilters.image import Animation, Image
from ganfilters.jobs import Job
from ganfilters.limits import DEFAULT_FPS, MAX_PIXELS
from ganfilters.options import Options
from ganfilters.progress import CancelToken, OnProgress, report_progress, reporting
from ganfilters.recipe import Recipe, no_recipe
from ganfilters.registry import Entry, Registry
from ganfilters.running import guarded
from ganfilters.runtime import Runtime

__all__ = ["Host", "Prepared", "apply"]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A filter with its parameters and mask, checked once, for any number of pictures.

    Made with `Host.prepare`. Safe from several threads.

    Attributes
    ----------
    job
        What is run.
    device
        The device that networks run on, for the recipe.
    max_pixels
        Largest picture that is decoded.
    """

    job: Job
    device: str
    max_pixels: int

    def apply(
        self,
        image: Any = None,
        *,
        on_progress: OnProgress | None = None,
        cancel: CancelToken | None = None,
    ) -> Any:
        """Apply the filter; see `Host.apply`."""
        with reporting(on_progress, cancel):
            result = self.within(image)
            report_progress(1.0)
        return result

    def frames(
        self,
        image: Any = None,
        *,
        on_progress: OnProgress | None = None,
        cancel: CancelToken | None = None,
    ) -> Iterator[Image] | None:
        """Return the frames one by one if the parameters ask for an animation, else None."""
        source = None if image is None else convert.to_image(image, max_pixels=self.max_pixels)
        with reporting(on_progress, cancel):
            moving = self.job.frames(source, self.device)
        return None if moving is None else _reported(moving, on_progress, cancel)

    def within(self, image: Any) -> Any:
        """Apply the filter inside the progress report that is already open."""
        region = self._region(image) if isinstance(image, np.ndarray) else None
        if region is None:
            return self._whole(self.job, image)
        part = self._whole(self.job.cut(region), image[region])
        result = np.array(image, order="C")
        result[region] = part
        return result

    def _region(self, array: npt.NDArray[Any]) -> tuple[slice, slice] | None:
        """Return the part of an array that is enough to convert; None if it is all of it."""
        if array.dtype.kind != "u":  # floats are checked as a whole
            return None
        convert.check_array(array)
        if array.shape[2:] == (4,) and self.job.traits.alpha == "kept":
            return None  # what is hidden gets its colours from all of the picture
        return self.job.region(array.shape[1], array.shape[0])

    def _whole(self, job: Job, image: Any) -> Any:
        source, kind = None, None
        if image is not None:
            source, kind = convert.accept(image, max_pixels=self.max_pixels)
        moving = job.frames(source, self.device)
        if moving is not None:
            frames = tuple(moving)
            return Animation(frames, (1000.0 / DEFAULT_FPS,) * len(frames))
        record = kind is None or kind.records
        result = job.apply(source, self.device, record=record)
        return kind.give_back(result) if kind is not None else result


class Host:
    """Finds filters and applies them.

    Parameters
    ----------
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or another name of `ganfilters.devices.DEVICES`. It starts
        at the first use, or when `Host.device` is asked for; that raises if it cannot.
    threads
        CPU threads of one network; None is one per core.
    plugins
        Python files with further plugins.
    max_pixels
        Largest picture that is decoded, in pixels; a guard against decompression bombs. It counts
        for masks and for the pictures of parameters as well.
    safe_mode, only, disabled
        Which installed plugins load, as for `ganfilters.registry.Registry.discover`. By default it
        is what the user has set: GANFILTERS_PLUGINS, and ``ganfilters plugins --disable``.
    registry
        Where filters come from, in place of the four above; found anew by default.

    Raises
    ------
    UsageError
        A plugin file does not exist, a name in `only` is no plugin's, the user's settings file is
        damaged, or a registry is given together with what would make another.
    """

    def __init__(
        self,
        device: str = "auto",
        *,
        threads: int | None = None,
        plugins: Sequence[str | Path] = (),
        max_pixels: int = MAX_PIXELS,
        safe_mode: bool = False,
        only: Collection[str] | None = None,
        disabled: Collection[str] | None = None,
        registry: Registry | None = None,
    ) -> None:
        if registry is None:
            registry = Registry.discover(
                [Path(path) for path in plugins],
                safe_mode=safe_mode,
                only=only,
                disabled=disabled,
            )
        elif plugins or safe_mode or only is not None or disabled is not None:
            raise UsageError("a registry is given; choose its plugins with Registry.discover")
        self.registry = registry
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
        params_type = self.registry.get(filter).filter.Params
        return schema.validate(params_type, values, flags=flags, max_pixels=self.max_pixels)

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
            Name of the filter, or of a saved chain.
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
            Called with the fraction done and a note, from the calling thread. What it raises ends
            the work and reaches the caller as it is.
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
        prepared = self.prepare(
            filter,
            mask=mask,
            invert_mask=invert_mask,
            feather=feather,
            strength=strength,
            **params,
        )
        return prepared.apply(image, on_progress=on_progress, cancel=cancel)

    def run(
        self,
        chain: Chain | str | Path,
        image: Any = None,
        /,
        *,
        on_progress: OnProgress | None = None,
        cancel: CancelToken | None = None,
        **options: Any,
    ) -> Any:
        """Apply the steps of a chain one after the other.

        Parameters
        ----------
        chain
            A `Chain`, the path of its TOML file, or that of a picture with a recipe.
        image, on_progress, cancel
            As for `apply`.
        **options
            ``mask``, ``invert_mask``, ``feather`` and ``strength``, which act on all steps
            together, and the chain's own parameters.

        Returns
        -------
        object
            As for `apply`.

        Raises
        ------
        GanfiltersError
            As for `apply`; errors of a step name it.
        """
        chosen = chain if isinstance(chain, Chain) else Chain.load(chain)
        prepared = self.prepare(chosen, **options)
        return prepared.apply(image, on_progress=on_progress, cancel=cancel)

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
        prepared = self.prepare(filter, **options)
        return prepared.frames(image, on_progress=on_progress, cancel=cancel)

    def prepare(
        self,
        filter: str | Chain,
        /,
        *,
        mask: Any = None,
        invert_mask: bool = False,
        feather: float = 0.0,
        strength: float = 1.0,
        **params: Any,
    ) -> Prepared:
        """Check everything but the picture, once, to apply a filter to many.

        Parameters
        ----------
        filter
            Name of a filter or saved chain, or a `Chain`.
        mask, invert_mask, feather, strength, **params
            As for `apply`. The mask is decoded here.

        Raises
        ------
        GanfiltersError
            As `apply` does for these.
        """
        entry = self.entry(filter)
        checked = schema.validate(entry.filter.Params, params, max_pixels=self.max_pixels)
        options = Options.read(mask, invert_mask, feather, strength, max_pixels=self.max_pixels)
        job = Job(entry, self._instance(entry), checked, options)
        job.check_params()
        return Prepared(job, self.device, self.max_pixels)

    def entry(self, filter: str | Chain) -> Entry:
        """Return a filter by its name, or a chain as one.

        Raises
        ------
        UsageError
            There is none of this name, or a step of the chain is not possible.
        """
        if not isinstance(filter, Chain):
            return self.registry.get(filter)
        from ganfilters.chains.filter import chain_entry

        return chain_entry(filter, self.registry.get)

    def replay(
        self,
        recipe: Recipe | str | Path,
        image: Any = None,
        *,
        mask: Any = None,
        images: Mapping[str, Any] | None = None,
        folders: Sequence[Path] = (),
        on_progress: OnProgress | None = None,
        cancel: CancelToken | None = None,
        on_warning: Callable[[str], None] | None = None,
    ) -> Any:
        """Do again what a recipe says.

        Parameters
        ----------
        recipe
            From ``image.metadata.recipe`` of a picture that this project made, or its path.
        image
            The picture to start from; None if the recipe starts from nothing. It may also be one
            on the way: the result of an earlier step that was written to a file.
        mask
            In place of the recorded mask, if that file has moved.
        images
            In place of recorded picture parameters, by parameter name.
        folders
            Where to look for recorded files, after the current folder.
        on_progress, cancel
            As for `apply`.
        on_warning
            Called with one line if a picture on the way, or one given in place of a recorded one,
            is not the one that it was.

        Raises
        ------
        ImageError
            A recorded mask or picture is not where it was, or has other pixels.
        UsageError
            A filter or parameter of the recipe does not exist here.
        """
        from ganfilters.replaying import Replay

        if not isinstance(recipe, Recipe):
            from ganfilters.imageio import read_recipe

            found = read_recipe(recipe)
            if found is None:
                raise no_recipe(recipe)
            recipe = found
        given = None if mask is None else convert.mask_image(mask, max_pixels=self.max_pixels)
        again = Replay(
            recipe, mask=given, images=images or {}, folders=folders, on_warning=on_warning
        )
        with reporting(on_progress, cancel):
            result = again.run(self, image)
            report_progress(1.0)
        return result

    def _instance(self, entry: Entry) -> Filter[Any]:
        from ganfilters.chains.filter import ChainFilter

        name, cls = entry.filter.name, entry.filter
        with self._lock:
            if issubclass(cls, ChainFilter):  # its steps' filters are kept; it holds little else
                return cls(self.runtime, instance=self._instance, max_pixels=self.max_pixels)
            if name not in self._filters:
                self._filters[name] = guarded(entry, lambda: cls(self.runtime))
            return self._filters[name]


_default_hosts: dict[str, Host] = {}
_default_hosts_lock = threading.Lock()


def _default_host(device: str) -> Host:
    with _default_hosts_lock:  # two hosts would load every network twice
        if device not in _default_hosts:
            _default_hosts[device] = Host(device)
        return _default_hosts[device]


def apply(filter: str, image: Any = None, /, *, device: str = "auto", **options: Any) -> Any:
    """Apply a filter with a host that is kept for the next call; see `Host.apply`."""
    return _default_host(device).apply(filter, image, **options)


def _reported(
    moving: Iterator[Image], on_progress: OnProgress | None, cancel: CancelToken | None
) -> Iterator[Image]:
    """Report from inside each step only: a generator must not leave its context behind."""
    while True:
        with reporting(on_progress, cancel):
            frame = next(moving, None)
        if frame is None:
            return
        yield frame

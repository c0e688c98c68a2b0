"""`Subject`: the filter under test, with the means to run it in every way the checks need."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import new_class
from typing import Any

import numpy as np

from ganfilters import schema
from ganfilters.errors import Cancelled, GanfiltersError
from ganfilters.filter import Filter, Params, Traits
from ganfilters.hookspecs import hookimpl
from ganfilters.host import Host
from ganfilters.image import Animation, FloatArray, Image
from ganfilters.registry import Registry, Source
from ganfilters.tiling import fitted

__all__ = ["Subject", "expect", "half_mask", "picture", "pixels_of", "told"]

# Odd and unequal, so that no size rule holds by accident.
_HEIGHT, _WIDTH = 45, 61


@dataclass(eq=False)
class Subject:
    """A filter class and how its author wants it to be checked.

    Attributes
    ----------
    filter
        The class.
    params
        Values for every run, to keep heavy filters quick: ``{"iterations": 1}``. The bounds of
        these parameters are not tried.
    generate
        Further values for the runs that make a picture from nothing: ``{"size": "64x64"}``.
    frames
        Values that ask for an animation: ``{"zoom_frames": 2}``. Found by trial if left out.
    skip_bounds
        Further parameters whose bounds cost too much to try.
    package
        Import package whose sources are read for private imports; the filter's by default.
    device
        Where networks run.
    quiet_seconds
        A filter that works longer than this must report progress.
    import_seconds
        Largest processor time that importing the plugin may take of its own.
    time_limit
        Seconds after which a check that is not done is reported as hanging.
    """

    filter: type[Filter[Any]]
    params: Mapping[str, Any] = field(default_factory=dict)
    generate: Mapping[str, Any] = field(default_factory=dict)
    frames: Mapping[str, Any] = field(default_factory=dict)
    skip_bounds: Collection[str] = ()
    package: str = ""
    device: str = "cpu"
    quiet_seconds: float = 2.0
    import_seconds: float = 0.1
    time_limit: float = 120.0

    @property
    def traits(self) -> Traits:
        """The filter's traits."""
        return self.filter.traits

    @property
    def takes_pictures(self) -> bool:
        """The filter works on a picture."""
        return self.traits.input != "none"

    @property
    def wants_mask(self) -> bool:
        """The filter has nothing to do without a mask."""
        return self.traits.mask == "required" or self.traits.selection == "filter"

    @property
    def is_chain(self) -> bool:
        """The filter is a chain, which has no code of its own."""
        from ganfilters.chains.filter import ChainFilter

        return issubclass(self.filter, ChainFilter)

    @cached_property
    def host(self) -> Host:
        """A host that knows this filter only."""
        chosen = self.filter

        class Plugin:
            @staticmethod
            @hookimpl
            def ganfilters_filters() -> list[type[Filter[Any]]]:
                return [chosen]

        source = Source("checked", "under test", "0", lambda: Plugin)
        return Host(self.device, registry=Registry([source]))

    @cached_property
    def instance(self) -> Filter[Any]:
        """The filter itself, to be called without a host around it."""
        try:
            return self.filter(self.host.runtime)
        except (Exception, SystemExit) as error:
            raise AssertionError(f"the filter cannot be made: {told(error)}") from error

    def with_traits(self, **changes: Any) -> Subject:
        """Return the same filter with other traits."""
        traits = replace(self.traits, **changes)
        variant = new_class(
            self.filter.__name__, (self.filter,), exec_body=lambda body: body.update(traits=traits)
        )
        return replace(self, filter=variant)

    def values(self, **overrides: Any) -> dict[str, Any]:
        """Return the values of one run; pictures that a parameter requires are supplied."""
        supplied = {
            parameter.name: Image(picture(33, 47, seed=9))
            for parameter in schema.parameters(self.filter.Params)
            if parameter.required and parameter.kind == "image"
        }
        return {**supplied, **self.params, **overrides}

    def parse(self, **overrides: Any) -> Params:
        """Return the checked parameters of one run."""
        try:
            return schema.validate(self.filter.Params, self.values(**overrides))
        except GanfiltersError as error:
            raise AssertionError(f"the parameters are refused: {error}") from error

    def sides(self, height: int = _HEIGHT, width: int = _WIDTH) -> tuple[int, int]:
        """Return the nearest height and width that the traits let the filter see."""
        traits = self.traits
        multiple = traits.size_multiple
        sides = []
        for side in (height, width):
            most = traits.size_max or max(side, traits.size_min)
            sides.append(min(fitted(side, multiple, traits.size_min), most // multiple * multiple))
        return sides[0], sides[1]

    def picture(self, seed: int = 0) -> FloatArray:
        """Return pixels of a size that suits the filter and no rule in particular."""
        most = self.traits.size_max or _WIDTH
        return picture(min(_HEIGHT, most), min(_WIDTH, most), seed=seed)

    def run(self, pixels: FloatArray | None, *, what: str = "", **options: Any) -> FloatArray:
        """Apply the filter as a host does, to `pixels` or to nothing.

        Where the parameters ask for an animation, only its first frame is made.

        Parameters
        ----------
        pixels
            float32, H x W x 3, or None.
        what
            What is being tried, for the message.
        **options
            Of `Host.apply`: parameters and the host's own.

        Raises
        ------
        AssertionError
            The filter fails or breaks its word.
        Cancelled
            A cancel token in `options` stopped it.
        """
        if pixels is None:
            options = {**self.generate, **options}
        elif self.wants_mask:
            options.setdefault("mask", half_mask(pixels))
        given = None if pixels is None else Image(pixels.copy())
        try:
            values = self.values(**options)
            moving = self.host.frames(self.filter.name, given, **values)
            result = (
                self.host.apply(self.filter.name, given, **values)
                if moving is None
                else next(moving, None)
            )
        except Cancelled:
            raise
        except (Exception, SystemExit) as error:
            raise AssertionError(f"{what or 'a run'} failed: {told(error)}") from error
        expect(result is not None, f"{what or 'a run'} failed: frames() gave no frame")
        return pixels_of(result)

    def call(self, pixels: FloatArray, params: Params) -> Image:
        """Call ``apply`` of the filter itself: no padding, no tiling, no checks.

        `pixels` are handed over as they are, and may be written to.
        """
        mask = half_mask(pixels) if self.wants_mask else None
        try:
            return self.instance.apply(Image(pixels, mask=mask), params)
        except Cancelled:
            raise
        except (Exception, SystemExit) as error:
            height, width = pixels.shape[:2]
            raise AssertionError(f"apply() on {width} x {height} failed: {told(error)}") from error


def expect(kept: object, message: str) -> None:
    """Raise AssertionError with `message` unless `kept`; also where ``python -O`` drops asserts."""
    if not kept:
        raise AssertionError(message)


def picture(height: int, width: int, seed: int = 0) -> FloatArray:
    """Return a test picture: soft shapes with fine noise, float32 in [0, 1]."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = [
        np.sin(rows / (5 + 3 * channel) + channel + seed) * np.cos(columns / (7 + 2 * channel))
        for channel in range(3)
    ]
    noise = rng.random((height, width, 3), np.float32) - 0.5
    pixels = 0.5 + 0.3 * np.stack(waves, axis=-1) + 0.3 * noise
    return np.clip(pixels, 0.0, 1.0).astype(np.float32)


def half_mask(pixels: FloatArray) -> FloatArray:
    """Return a mask that is white on the right half; of one column, on the lower half."""
    mask = np.zeros(pixels.shape[:2], np.float32)
    height, width = pixels.shape[0], pixels.shape[1]
    mask[height // 2 if width == 1 else 0 :, width // 2 :] = 1.0
    return mask


def pixels_of(result: Any) -> FloatArray:
    """Return the pixels of a picture, or of an animation's first frame."""
    image = result.first() if isinstance(result, Animation) else result
    pixels: FloatArray = image.pixels
    return pixels


def told(error: BaseException) -> str:
    """Return an error on one line, with its type where the text alone would not do."""
    text = " ".join(str(error).split())
    if isinstance(error, GanfiltersError) and text:
        return text
    return f"{type(error).__name__}: {text}".rstrip(": ")

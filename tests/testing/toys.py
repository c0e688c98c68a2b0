"""Filters that keep every promise, and one for each promise that can be broken."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from ganfilters import (
    Cancelled,
    Filter,
    Image,
    ImageParam,
    Params,
    Tiling,
    Traits,
    report_progress,
)


class NoParams(Params):
    pass


class GainParams(Params):
    gain: float = Field(1.0, ge=0, le=1, description="How much to invert")
    steps: int = Field(2, gt=0, lt=5, description="Number of steps")
    gentle: bool = Field(False, description="Halve the effect")


class GlowParams(GainParams):
    glow: bool = Field(False, description="Glow")
    radius: int = Field(3, ge=1, le=9, description="With glow: how far")

    @model_validator(mode="after")
    def _fitting(self) -> GlowParams:
        if self.radius != 3 and not self.glow:
            raise ValueError("`radius` needs `glow` as well")
        return self


class Good(Filter[GainParams]):
    name = "good"
    summary = "Inverts colours in steps"
    Params = GainParams

    def apply(self, image: Image, params: GainParams) -> Image:
        gain = params.gain / (2 if params.gentle else 1)
        for step in range(params.steps):
            report_progress(step / params.steps)
        return image.replace(
            pixels=(image.pixels + gain * (1 - 2 * image.pixels)).astype(np.float32)
        )


class Blur(Filter[NoParams]):
    """Mean over 9 x 9 pixels: reaches 4, so an overlap of 16 is enough."""

    name = "blur"
    summary = "Blurs"
    Params = NoParams
    traits = Traits(tiling=Tiling(size=96, overlap=16), size_multiple=4, size_min=16)

    def apply(self, image: Image, params: NoParams) -> Image:
        height, width = image.pixels.shape[:2]
        assert height % 4 == width % 4 == 0
        assert min(height, width) >= 16
        padded = np.pad(image.pixels, [(4, 4), (4, 4), (0, 0)], mode="symmetric")
        windows = np.lib.stride_tricks.sliding_window_view(padded, (9, 9), axis=(0, 1))
        return image.replace(pixels=windows.mean(axis=(-1, -2), dtype=np.float32))


class SeedParams(Params):
    seed: int = Field(0, ge=0, le=99, description="Seed")


class Grain(Filter[SeedParams]):
    name = "grain"
    summary = "Makes noise"
    Params = SeedParams
    traits = Traits(input="none")

    def apply(self, image: Image, params: SeedParams) -> Image:
        raise AssertionError("takes no input")

    def generate(self, params: SeedParams) -> Image:
        rng = np.random.default_rng(params.seed)
        return Image(rng.random((6, 8, 3), np.float32))


class MixParams(Params):
    other: ImageParam = Field(description="Picture whose mean colour is mixed in")


class Mix(Filter[MixParams]):
    name = "mix"
    summary = "Mixes in a colour, under a mask only"
    Params = MixParams
    traits = Traits(mask="required", size_max=64)

    def apply(self, image: Image, params: MixParams) -> Image:
        assert image.mask is not None
        mean = params.other.pixels.mean(axis=(0, 1))
        return image.replace(pixels=(image.pixels + mean) / np.float32(2))


class Half(Filter[NoParams]):
    name = "half"
    summary = "Halves the size"
    Params = NoParams
    traits = Traits(keeps_size=False)

    def apply(self, image: Image, params: NoParams) -> Image:
        return Image(np.ascontiguousarray(image.pixels[::2, ::2]))


GOOD = [Good, Blur, Grain, Mix, Half]


def plain(**attributes: Any) -> type[Filter[Any]]:
    """Return a filter class that returns its input, but for the given attributes."""

    def apply(self: Any, image: Image, params: Any) -> Image:
        return image

    body = {"name": "plain", "summary": "Plain", "Params": NoParams, "apply": apply, **attributes}
    return type("Plain", (Filter,), {"__module__": __name__, **body})


def pixelwise(function: Any, **attributes: Any) -> type[Filter[Any]]:
    """Return a filter class that applies `function` to the array of pixels."""

    def apply(self: Any, image: Image, params: Any) -> Image:
        return image.replace(pixels=np.asarray(function(image.pixels), np.float32))

    return plain(apply=apply, **attributes)


def _params(**fields: Any) -> type[Params]:
    body = {name: default for name, (_, default) in fields.items()}
    notes = {name: kind for name, (kind, _) in fields.items()}
    return type("P", (Params,), {"__module__": __name__, "__annotations__": notes, **body})


NoBounds = _params(radius=(float, Field(1.0, ge=0, description="Radius in pixels")))
BadDefault = _params(radius=(float, Field(9.0, ge=0, le=4, description="Radius in pixels")))
NoDefault = _params(radius=(float, Field(ge=0, le=4, description="Radius in pixels")))
NoSchema = _params(odd=(Any, Field(lambda: 0, description="Something odd")))
BadPreset = type(
    "BadPreset",
    (GainParams,),
    {"__module__": __name__, "__annotations__": {}, "presets": {"loud": {"gain": 7}}},
)


def fails_at_bound(self: Any, image: Image, params: GainParams) -> Image:
    return image.replace(pixels=image.pixels / np.float32(params.gain))


def counts(self: Any, image: Image, params: Any) -> Image:
    self.calls = getattr(self, "calls", 0) + 1
    return image.replace(pixels=image.pixels * np.float32(1 / self.calls))


def draws(self: Any, params: Any) -> Image:
    return Image(np.random.default_rng().random((6, 8, 3), np.float32))


def writes(pixels: Any) -> Any:
    pixels[0, :3] = 0.5
    return pixels


def even_only(pixels: Any) -> Any:
    assert pixels.shape[0] % 8 == pixels.shape[1] % 8 == 0, "sides must be multiples of 8"
    return pixels


def large_only(pixels: Any) -> Any:
    assert min(pixels.shape[:2]) >= 30, "too small"
    return pixels


def small_only(pixels: Any) -> Any:
    assert max(pixels.shape[:2]) <= 64, "too large"
    return pixels


def no_mask(self: Any, image: Image, params: Any) -> Image:
    assert image.mask is None, "what is this mask"
    return image


class Stores(Filter[NoParams]):
    name = "stores"
    summary = "Keeps its work on self"
    Params = NoParams

    def apply(self, image: Image, params: NoParams) -> Image:
        self.work = image.pixels
        time.sleep(0.05)
        return Image(self.work.copy())


def slow(self: Any, image: Image, params: Any) -> Image:
    time.sleep(0.05)
    return image


def deaf(self: Any, image: Image, params: Any) -> Image:
    for step in range(3):
        with suppress(Cancelled):
            report_progress(step / 3)
    return image


class ZoomParams(Params):
    frames: int = Field(0, ge=0, le=10_000, description="Frames of an animation; 0 makes a still")


class Fade(Filter[ZoomParams]):
    """Makes a still, or an animation of so many frames that nobody should wait for all."""

    name = "fade"
    summary = "Fades to black"
    Params = ZoomParams

    def apply(self, image: Image, params: ZoomParams) -> Image:
        return image

    def frames(self, image: Image | None, params: ZoomParams) -> Iterator[Image] | None:
        return self.fade(image, params.frames) if image and params.frames else None

    def fade(self, image: Image, count: int) -> Iterator[Image]:
        for index in range(count):
            report_progress(index / count)
            yield Image(image.pixels * np.float32(1 - index / count))


GOOD.append(Fade)


def moving(fade: Any, **attributes: Any) -> type[Filter[Any]]:
    """Return a filter class whose animation is what the generator function `fade` yields."""
    return type("Moving", (Fade,), {"__module__": __name__, "fade": fade, **attributes})


def growing(self: Any, image: Image, count: int) -> Iterator[Image]:
    for index in range(count):
        yield Image(np.pad(image.pixels, [(0, index), (0, 0), (0, 0)]))


def flicker(self: Any, image: Image, count: int) -> Iterator[Image]:
    for _ in range(count):
        yield Image(np.random.default_rng().random((6, 8, 3), np.float32))


def too_bright(self: Any, image: Image, count: int) -> Iterator[Image]:
    yield Image(image.pixels + np.float32(2))


def no_frames(self: Any, image: Image, count: int) -> Iterator[Image]:
    yield from ()


def writing_frames(self: Any, image: Image, count: int) -> Iterator[Image]:
    if image.pixels.flags.writeable:  # a host gives it read-only
        image.pixels[0, 0] = 0.5
    yield Image(image.pixels.copy())


def deaf_frames(self: Any, image: Image, count: int) -> Iterator[Image]:
    for index in range(count):
        with suppress(Cancelled):
            report_progress(index / count)
        yield image


def never(self: Any, image: Image | None, params: Any) -> Iterator[Image] | None:
    return None


class GuideParams(Params):
    guide: ImageParam | None = Field(None, description="Picture to be guided by")


def misguided(self: Any, image: Image, params: GuideParams) -> Image:
    assert params.guide is None, "no guide is expected"
    return image


def deaf_generate(self: Any, params: Any) -> Image:
    with suppress(Cancelled):
        report_progress(0.5)
    return Image(np.zeros((6, 8, 3), np.float32))


RELEASE = threading.Event()


def hangs(self: Any, image: Image, params: Any) -> Image:
    RELEASE.wait()
    return image

"""Small filters for the tests: good ones, and one for each way to break the contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import ClassVar

import numpy as np
from pydantic import Field

from ganfilters import (
    Filter,
    Image,
    ImageParam,
    OutOfMemory,
    Params,
    Size,
    Tiling,
    Traits,
    UsageError,
    hookimpl,
    report_progress,
)
from ganfilters.registry import Registry, Source


class NoParams(Params):
    pass


class AmountParams(Params):
    presets: ClassVar = {"half": {"amount": 0.5}, "none": {"amount": 0.0}}

    amount: float = Field(1.0, ge=0, le=1, description="How much to invert")


class Invert(Filter[AmountParams]):
    name = "invert"
    summary = "Inverts colours"
    Params = AmountParams

    def apply(self, image: Image, params: AmountParams) -> Image:
        pixels = image.pixels + params.amount * (1 - 2 * image.pixels)
        return image.replace(pixels=pixels.astype(np.float32))


class Blur(Filter[NoParams]):
    """Mean over 9 x 9 pixels, mirrored at the border: reaches 4 pixels, so tiles can be exact."""

    name = "blur"
    summary = "Blurs"
    Params = NoParams
    traits = Traits(tiling=Tiling(size=96, overlap=16), size_multiple=4, size_min=16)
    seen: ClassVar[list[tuple[int, int]]] = []

    def apply(self, image: Image, params: NoParams) -> Image:
        Blur.seen.append(image.pixels.shape[:2])
        padded = np.pad(image.pixels, [(4, 4), (4, 4), (0, 0)], mode="symmetric")
        windows = np.lib.stride_tricks.sliding_window_view(padded, (9, 9), axis=(0, 1))
        return image.replace(pixels=windows.mean(axis=(-1, -2), dtype=np.float32))


class Hungry(Blur):
    """Runs out of memory above 50 pixels a side."""

    name = "hungry"
    limit: ClassVar[int] = 50

    def apply(self, image: Image, params: NoParams) -> Image:
        if max(image.pixels.shape) > self.limit:
            raise OutOfMemory("too large")
        return super().apply(image, params)


class NoiseParams(Params):
    seed: int = Field(0, ge=0, le=99, description="Seed")
    size: Size = Field((8, 6), description="Size in pixels")
    count: int = Field(0, ge=0, le=50, description="Frames")


class Noise(Filter[NoiseParams]):
    name = "noise"
    summary = "Makes noise"
    Params = NoiseParams
    traits = Traits(input="none")

    def apply(self, image: Image, params: NoiseParams) -> Image:
        raise AssertionError("takes no input")

    def generate(self, params: NoiseParams) -> Image:
        rng = np.random.default_rng(params.seed)
        return Image(rng.random((params.size[1], params.size[0], 3), np.float32))

    def frames(self, image: Image | None, params: NoiseParams) -> Iterator[Image] | None:
        if not params.count:
            return None
        return self._frames(params)

    def _frames(self, params: NoiseParams) -> Iterator[Image]:
        for index in range(params.count):
            report_progress(index / params.count)
            yield self.generate(params.model_copy(update={"seed": params.seed + index}))


class Fading(Filter[NoiseParams]):
    """Makes frames of a picture, and reports nothing."""

    name = "fading"
    summary = "Fades to black"
    Params = NoiseParams

    def apply(self, image: Image, params: NoiseParams) -> Image:
        return image

    def frames(self, image: Image | None, params: NoiseParams) -> Iterator[Image] | None:
        return self._frames(image, params) if params.count and image is not None else None

    def _frames(self, image: Image, params: NoiseParams) -> Iterator[Image]:
        for index in range(params.count):
            yield Image(image.pixels * np.float32(1 - index / params.count))


class NeedsMask(Invert):
    name = "needs-mask"
    traits = Traits(mask="required")

    def apply(self, image: Image, params: AmountParams) -> Image:
        assert image.mask is not None
        return super().apply(image, params)


class MixParams(Params):
    other: ImageParam = Field(description="Picture to mix in")


class Mix(Filter[MixParams]):
    name = "mix"
    summary = "Averages two pictures of one size"
    Params = MixParams

    def check_params(self, params: MixParams) -> None:
        if params.other.width < 2:
            raise UsageError("the other picture is 1 pixel wide; give a wider one")

    def apply(self, image: Image, params: MixParams) -> Image:
        return image.replace(pixels=(image.pixels + params.other.pixels) / np.float32(2))


class Steps(Filter[NoParams]):
    name = "steps"
    summary = "Reports four steps"
    Params = NoParams

    def apply(self, image: Image, params: NoParams) -> Image:
        for index in range(4):
            report_progress(index / 4, f"step {index}")
        return image


class Catches(Filter[NoParams]):
    name = "catches"
    summary = "Catches what its reports raise"
    Params = NoParams

    def apply(self, image: Image, params: NoParams) -> Image:
        with suppress(ValueError):
            report_progress(0.5, "caught")
        return image


class Half(Filter[NoParams]):
    name = "half"
    summary = "Halves the size"
    Params = NoParams
    traits = Traits(keeps_size=False)

    def apply(self, image: Image, params: NoParams) -> Image:
        return Image(np.ascontiguousarray(image.pixels[::2, ::2]))


class Small(Invert):
    name = "small"
    traits = Traits(size_max=32)


class OwnParams(Params):
    rim: int = Field(2, ge=0, le=9, description="Columns beyond the mask that are painted too")
    lie: str = Field("", description="Which promise to break")


class Own(Filter[OwnParams]):
    """Paints the mask and a rim beside it, and makes it opaque there."""

    name = "own"
    summary = "Keeps what is not selected itself"
    Params = OwnParams
    traits = Traits(selection="filter", alpha="edited")

    def apply(self, image: Image, params: OwnParams) -> Image:
        assert image.mask is not None
        touched = image.mask > 0
        for step in range(1, params.rim + 1):
            touched[:, :-step] |= image.mask[:, step:] > 0
        pixels = np.where(touched[..., None], np.float32(1), image.pixels)
        changes = {}
        if image.alpha is not None:
            changes["alpha"] = np.where(touched, np.float32(1), image.alpha)
            if params.lie == "alpha":
                changes["alpha"] = np.zeros_like(image.alpha)
        if params.lie == "pixels":
            pixels[0, 0] = 0.125
        if params.lie == "shape":
            return image.replace(pixels=pixels, untouched=~touched[:-1])
        untouched = None if params.lie == "silent" else ~touched
        return image.replace(pixels=pixels, untouched=untouched, **changes)


class WildParams(Params):
    how: str = Field("", description="Which promise to break")


class Wild(Filter[WildParams]):
    name = "wild"
    summary = "Breaks its word"
    Params = WildParams

    def apply(self, image: Image, params: WildParams) -> Image:
        pixels = image.pixels
        if params.how == "raise":
            raise KeyError("oops")
        if params.how == "exit":
            raise SystemExit(0)
        if params.how == "write":
            pixels[0, 0] = 0
        results = {
            "array": pixels,
            "shape": lambda: Image(pixels[:-1]),
            "nan": lambda: Image(pixels * np.float32("nan")),
            "range": lambda: Image(pixels + np.float32(1.5)),
            "rounding": lambda: Image(pixels * 0 + np.float32(1.0005)),
            "dtype": lambda: Image(pixels.astype(np.float64)),
            "untouched": lambda: Image(
                np.concatenate([pixels[:-1], 1 - pixels[-1:]]),
                untouched=np.ones(pixels.shape[:2], np.bool_),
            ),
        }
        made = results[params.how]
        return made() if callable(made) else made


TOYS = [Invert, Blur, Hungry, Noise, Fading, NeedsMask, Mix, Steps, Catches, Half, Small, Own, Wild]


def registry(*more: type) -> Registry:
    """Return all toys, and `more` filters."""

    class Plugin:
        @staticmethod
        @hookimpl
        def ganfilters_filters() -> list[type]:
            return [*TOYS, *more]

    return Registry([Source("toys", "toy-distribution", "1.2", lambda: Plugin)])

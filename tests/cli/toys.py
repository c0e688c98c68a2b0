"""A plugin file for the tests: ordinary filters, and one for each way to break the contract."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from ganfilters import (
    Filter,
    Image,
    ImageParam,
    Params,
    Size,
    Traits,
    WeightedNames,
    hookimpl,
    report_progress,
)


class NoParams(Params):
    pass


class AmountParams(Params):
    presets: ClassVar = {"half": {"amount": 0.5}, "none": {"amount": 0.0}}

    amount: float = Field(1.0, ge=0, le=1, description="How much to invert")


class Invert(Filter[AmountParams]):
    name = "invert"
    summary = "Inverts [some] colours"
    Params = AmountParams

    def apply(self, image: Image, params: AmountParams) -> Image:
        report_progress(0.5, "half way")
        pixels = image.pixels + params.amount * (1 - 2 * image.pixels)
        return image.replace(pixels=pixels.astype(np.float32))


class NoiseParams(Params):
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Seed of the noise")
    size: Size = Field((16, 12), description="Size in pixels of a made picture")
    frames: int = Field(0, ge=0, le=100, description="Frames of an animation; 0 is a still")


class Noise(Filter[NoiseParams]):
    name = "noise"
    summary = "Adds noise"
    Params = NoiseParams
    traits = Traits(input="optional")

    def apply(self, image: Image, params: NoiseParams) -> Image:
        noise = np.random.default_rng(params.seed).random(image.pixels.shape, np.float32)
        return image.replace(pixels=(image.pixels + noise) / 2)

    def generate(self, params: NoiseParams) -> Image:
        width, height = params.size
        return Image(np.random.default_rng(params.seed).random((height, width, 3), np.float32))

    def frames(self, image: Image | None, params: NoiseParams) -> Iterator[Image] | None:
        return self._frames(params) if params.frames else None

    def _frames(self, params: NoiseParams) -> Iterator[Image]:
        for index in range(params.frames):
            yield self.generate(params.model_copy(update={"seed": params.seed + index}))


class Plain(Filter[NoParams]):
    name = "plain"
    summary = "Makes a grey picture"
    Params = NoParams
    traits = Traits(input="none")

    def apply(self, image: Image, params: NoParams) -> Image:
        raise NotImplementedError

    def generate(self, params: NoParams) -> Image:
        return Image(np.full((8, 8, 3), 0.5, np.float32))


class KindsParams(Params):
    whole: int | None = Field(None, ge=1, description="A whole number")
    rate: float = Field(1.5, gt=0, lt=10, description="A rate, in px")
    multiple: int = Field(8, ge=8, le=64, multiple_of=8, description="A multiple")
    switch: bool = Field(False, description="A switch")
    mode: Literal["soft", "hard"] = Field("soft", description="A mode")
    scale: Literal[1, 2, 4] = Field(1, description="A factor")
    layers: WeightedNames = Field({"a": 1.0}, description="Layers")
    guide: ImageParam | None = Field(None, description="A guide")
    tint: tuple[float, float, float] = Field((0.0, 0.0, 0.0), description="A colour")
    names: tuple[str, ...] = Field((), description="Names")
    extra: dict[str, int] = Field({}, description="Numbers by name")


class Kinds(Filter[KindsParams]):
    name = "kinds"
    summary = "Has every kind of parameter"
    Params = KindsParams

    def apply(self, image: Image, params: KindsParams) -> Image:
        return image


class Masked(Filter[NoParams]):
    name = "masked"
    summary = "Blackens the mask"
    Params = NoParams
    traits = Traits(mask="required")

    def apply(self, image: Image, params: NoParams) -> Image:
        return image.replace(pixels=np.zeros_like(image.pixels))


class Broken(Filter[NoParams]):
    summary = "Breaks its word"
    Params = NoParams

    def apply(self, image: Image, params: NoParams) -> Any:
        raise NotImplementedError


class Raises(Broken):
    name = "raises"

    def apply(self, image: Image, params: NoParams) -> Any:
        raise RuntimeError("boom\nin two lines")


class NotFinite(Broken):
    name = "not-finite"

    def apply(self, image: Image, params: NoParams) -> Any:
        return image.replace(pixels=np.full_like(image.pixels, np.nan))


class WrongShape(Broken):
    name = "wrong-shape"

    def apply(self, image: Image, params: NoParams) -> Any:
        return Image(np.zeros((3, 3, 3), np.float32))


class Interrupted(Broken):
    name = "interrupted"

    def apply(self, image: Image, params: NoParams) -> Any:
        raise KeyboardInterrupt


class Noisy(Broken):
    name = "noisy"

    def apply(self, image: Image, params: NoParams) -> Any:
        warnings.warn("a warning from a library", UserWarning, stacklevel=1)
        logging.getLogger("some.library").error("a log line from a library")
        return image


@hookimpl
def ganfilters_filters() -> list[type[Filter[Any]]]:
    good: list[type[Filter[Any]]] = [Invert, Noise, Plain, Kinds, Masked]
    return [*good, Raises, NotFinite, WrongShape, Interrupted, Noisy]

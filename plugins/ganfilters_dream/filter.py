"""The ``dream`` filter: DeepDream on a photo, from noise, and as an endless zoom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from ganfilters import (
    Filter,
    FloatArray,
    Image,
    ImageParam,
    ModelFile,
    ModelParam,
    Params,
    Size,
    Traits,
    UsageError,
    WeightedNames,
    progress_part,
    resize,
)
from ganfilters_dream.ascent import Ascent, Gradient, dream
from ganfilters_dream.objective import Network, check_objective, objective_for
from ganfilters_dream.presets import PRESETS

__all__ = ["Dream", "DreamParams"]

LAYERS = (*(f"stage{number}" for number in range(1, 8)), "head")
"""Layers of the network that ships here."""

_DEFAULT_SIZE = (768, 512)
_NOISE_ROWS = 64
_MODEL = ModelFile.packaged(
    "ganfilters_dream",
    "models/efficientnet-lite0-dream.onnx",
    sha256="0d0946f1868c15e2ea5ac2d0e188030557b8ee3600a6a3d5352aa7a9bae9d038",
)


class DreamParams(Params):
    """Parameters of `Dream`."""

    presets = PRESETS

    layers: WeightedNames | None = Field(
        None,
        description="Layers to amplify with weights, such as stage4=1,stage5=0.5; a single channel "
        "as stage4:33=1; the model's own choice by default",
        examples=list(LAYERS),
    )
    dream_of: str | None = Field(
        None, description="Name of an ImageNet class to dream of, such as 'tabby cat'"
    )
    guide: ImageParam | None = Field(
        None, description="Picture whose features are amplified in place of the photo's own"
    )
    octaves: int = Field(5, ge=1, le=16, description="Number of scales")
    octave_scale: float = Field(1.4, ge=1.05, le=3.0, description="Ratio of neighbouring scales")
    iterations: int = Field(16, ge=1, le=500, description="Steps at each scale")
    step: float = Field(
        1.2, ge=0.01, le=32.0, description="Mean change of a value in one step, in 1/255"
    )
    jitter: int = Field(
        32, ge=0, le=512, description="Largest random shift before each step, in pixels"
    )
    normalize: Literal["mean", "smooth", "laplacian"] = Field(
        "laplacian",
        description="Treatment of the gradient: by its mean only, smoothed at several widths, or "
        "every band of its Laplacian pyramid brought to the same strength",
    )
    color: float = Field(
        0.7,
        ge=0.0,
        le=1.0,
        description="How much of the gradient's own colour a step keeps: 1 is all of it, 0 moves "
        "colours only as they vary together in natural pictures",
    )
    blur: float = Field(
        0.0,
        ge=0.0,
        le=8.0,
        description="Blur of the picture after each step in pixels, falling to 0 over the steps of "
        "a scale; calms dreams from noise",
    )
    finest: int = Field(
        1536,
        ge=0,
        le=32768,
        description="Longest side of the finest scale in pixels; larger pictures keep their own "
        "detail under the enlarged dream; 0 dreams at full resolution",
    )
    tile: int = Field(
        768,
        ge=128,
        le=4096,
        description="Largest side in pixels that the network sees at once; bounds the memory",
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Seed of shifts and noise")
    size: Size | None = Field(
        None, description="Size in pixels of a picture dreamed from noise; 768x512 by default"
    )
    zoom_frames: int = Field(
        0, ge=0, le=100_000, description="Frames of an endless zoom; 0 makes a still picture"
    )
    zoom: float = Field(1.03, ge=1.001, le=2.0, description="Enlargement from frame to frame")
    zoom_iterations: int = Field(
        3, ge=1, le=100, description="Steps at each scale for every frame after the first"
    )
    model: ModelParam | None = Field(
        None, description="Gradient network of another backbone, made by `ganfilters export dream`"
    )


class Dream(Filter[DreamParams]):
    """Amplifies what a network sees in a picture (Mordvintsev, Olah & Tyka 2015)."""

    name = "dream"
    summary = "DeepDream: eyes, animals and curves grow out of a photo, or out of noise"
    Params = DreamParams
    traits = Traits(input="optional")
    models: ClassVar[tuple[ModelFile, ...]] = (_MODEL,)

    @classmethod
    def known_values(cls, params: DreamParams) -> Mapping[str, Sequence[str]]:
        """Return the names of the layers that the model has."""
        if params.model is None:
            return {}
        layers = params.model.card_for(cls.name).extra["layers"]
        return {"layers": [layer["name"] for layer in layers]}

    def check_params(self, params: DreamParams) -> None:
        """Refuse layers, channels and classes that the model does not have."""
        super().check_params(params)
        check_objective(
            (params.model or _MODEL).card,
            layers=params.layers,
            dream_of=params.dream_of,
            guided=params.guide is not None,
        )

    def apply(self, image: Image, params: DreamParams) -> Image:
        """Return the dreamed picture."""
        _refuse_size(params)
        rng = np.random.default_rng(params.seed)
        return image.replace(pixels=self._dream(image.pixels, params, rng))

    def generate(self, params: DreamParams) -> Image:
        """Return a dream that started from noise."""
        rng = np.random.default_rng(params.seed)
        return Image(self._dream(_noise(params.size or _DEFAULT_SIZE, rng), params, rng))

    def frames(self, image: Image | None, params: DreamParams) -> Iterator[Image] | None:
        """Return the frames of an endless zoom, if one is asked for."""
        if params.zoom_frames == 0:
            return None
        if image is not None:
            _refuse_size(params)
        return self._zoom(image, params)

    def _zoom(self, image: Image | None, params: DreamParams) -> Iterator[Image]:
        rng = np.random.default_rng(params.seed)
        start = image.pixels if image is not None else _noise(params.size or _DEFAULT_SIZE, rng)
        gradient, network = self._gradient(params)
        first, later = (
            _ascent(params, network, iterations)
            for iterations in (params.iterations, params.zoom_iterations)
        )
        count = params.zoom_frames
        with progress_part(0.0, 1 / count):
            pixels = dream(start, gradient, first, rng, finest=params.finest)
        yield Image(pixels)
        mean, spread = pixels.mean(axis=(0, 1)), pixels.std(axis=(0, 1))
        for index in range(1, count):
            pixels = _enlarged(pixels, params.zoom)
            with progress_part(index / count, (index + 1) / count):
                pixels = dream(pixels, gradient, later, rng, finest=params.finest)
            pixels = _steadied(pixels, mean, spread)
            yield Image(pixels)

    def _dream(
        self, pixels: FloatArray, params: DreamParams, rng: np.random.Generator
    ) -> FloatArray:
        gradient, network = self._gradient(params)
        return dream(pixels, gradient, _ascent(params, network), rng, finest=params.finest)

    def _gradient(self, params: DreamParams) -> tuple[Gradient, Network]:
        model = params.model or _MODEL
        network = Network(self.runtime.session(model), model.card)
        choices = objective_for(
            network, layers=params.layers, dream_of=params.dream_of, guide=params.guide
        )
        run = network.session.bind(choices, ["gradient"])
        return (lambda batch: run(image=batch)[0]), network


def _refuse_size(params: DreamParams) -> None:
    if params.size is not None:
        raise UsageError("size is for dreams from noise; a picture keeps its own size")


def _ascent(params: DreamParams, network: Network, iterations: int | None = None) -> Ascent:
    return Ascent(
        octaves=params.octaves,
        octave_scale=params.octave_scale,
        iterations=iterations or params.iterations,
        step=params.step,
        jitter=params.jitter,
        normalize=params.normalize,
        color=params.color,
        blur=params.blur,
        tile=params.tile,
        multiple=network.card.size_multiple,
        smallest=network.card.size_min,
    )


def _noise(size: tuple[int, int], rng: np.random.Generator) -> FloatArray:
    """Return soft noise with as much strength in every octave (a 1/f spectrum), mostly grey.

    White noise has almost no large shapes for the deep layers to hold on to, and strong colours
    would outlast the dream.
    """
    width, height = size
    pixels = np.full((height, width, 3), 0.5, np.float32)
    cell = 1
    while cell <= max(width, height):
        coarse = _mixed_noise(-(-height // cell) + 1, -(-width // cell) + 1, rng)
        pixels += np.float32(0.035) * resize(coarse, width, height)
        cell *= 2
    return np.clip(pixels, 0.0, 1.0, out=pixels)


def _mixed_noise(height: int, width: int, rng: np.random.Generator) -> FloatArray:
    """Return white noise, (height, width, 3), most of it the same in the three channels."""
    made = np.empty((height, width, 3), np.float32)
    for top in range(0, height, _NOISE_ROWS):  # drawn in parts, which are twice as precise
        part = rng.standard_normal((min(_NOISE_ROWS, height - top), width, 4))
        made[top : top + _NOISE_ROWS] = part[..., :3] * 0.35 + part[..., 3:]
    return made


def _enlarged(pixels: FloatArray, zoom: float) -> FloatArray:
    """Return the middle of the picture, enlarged to its size."""
    height, width = pixels.shape[:2]
    across, down = width / zoom, height / zoom
    left, top = (width - across) / 2, (height - down) / 2
    result = resize(pixels, width, height, box=(left, top, left + across, top + down))
    return np.clip(result, 0.0, 1.0, out=result)


def _steadied(pixels: FloatArray, mean: FloatArray, spread: FloatArray) -> FloatArray:
    """Return the picture with the given mean and spread of each colour.

    Every frame adds contrast to the one before it; without this an endless zoom ends in black and
    white.
    """
    own_mean, own_spread = pixels.mean(axis=(0, 1)), pixels.std(axis=(0, 1))
    result: FloatArray = (pixels - own_mean) * (spread / np.maximum(own_spread, 1e-6)) + mean
    return np.clip(result, 0.0, 1.0, out=result)

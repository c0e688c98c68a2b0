"""The ``style`` filter: a photo painted in a named style, a blend, or like any painting."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from ganfilters import (
    Filter,
    FloatArray,
    Image,
    ImageParam,
    ModelFile,
    ModelParam,
    Params,
    Traits,
    UsageError,
    WeightedNames,
    progress_part,
    resize,
)
from ganfilters_style.colour import half_lit, match_colours, with_luminance_of
from ganfilters_style.network import Network, style_names

__all__ = ["STYLES", "Style", "StyleParams"]

STYLES = (
    "composition-vii",
    "delaunay",
    "great-wave",
    "houses",
    "night-cafe",
    "olive-trees",
    "scream",
    "self-portrait",
    "shipwreck",
    "starry-night",
    "tahiti",
    "udnie",
    "wheat-field",
    "woman-with-a-hat",
)
"""Styles of the network that ships here."""

_MODEL = ModelFile.packaged(
    "ganfilters_style",
    "models/style.onnx",
    sha256="f175488087307cf8a45004d74f5adc4c300091cc9b50abbafd722b5308631c44",
)

# Longer side in pixels at which the network's strokes are of the usual size.
_REFERENCE = 320
# A small picture is enlarged at most this much to be painted with small strokes.
_ENLARGE = 2.0
# A painting enlarged by this much still looks sharp.
_BLURRED = 1.2


class StyleParams(Params):
    """Parameters of `Style`."""

    style: WeightedNames | None = Field(
        None,
        description="Styles by name, with weights for a blend, such as great-wave=0.7,scream=0.3; "
        "the model's own choice by default",
        examples=list(STYLES),
    )
    style_image: tuple[ImageParam, ...] = Field(
        (),
        description="Painting, or any picture, to take the style from; several are blended, each "
        "with weight 1",
    )
    stroke_scale: float = Field(
        1.0,
        ge=0.25,
        le=8.0,
        description="Size of the strokes relative to the picture, whatever its resolution",
    )
    preserve_color: Literal["off", "luminance", "histogram"] = Field(
        "off",
        description="Keep the photo's colours: only light and dark are painted (luminance), or "
        "the painting's colours are moved to the photo's (histogram)",
    )
    other_style: WeightedNames | None = Field(
        None, description="Second style, painted where split is black", examples=list(STYLES)
    )
    split: ImageParam | None = Field(
        None,
        description="Picture that is white where the style is painted and black where the other "
        "style is, or the photo stays; of the photo's proportions",
    )
    tile: int = Field(
        1024,
        ge=256,
        le=8192,
        description="Largest side in pixels that the network sees at once; bounds the memory, and "
        "changes nothing else",
    )
    model: ModelParam | None = Field(
        None, description="Style network of your own, made by `ganfilters train style`"
    )

    @field_validator("style_image", mode="before")
    @classmethod
    def _several(cls, value: object) -> object:
        if value is None:
            return ()
        return value if isinstance(value, (list, tuple)) else (value,)

    @field_validator("style", "other_style")
    @classmethod
    def _positive(cls, value: dict[str, float] | None) -> dict[str, float] | None:
        for name, weight in (value or {}).items():
            if weight < 0:
                raise ValueError(f"the weight of {name} is {weight:g}; a weight must be 0 or more")
        return value

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.other_style is not None and self.split is None:
            raise ValueError("`other_style` needs `split`, which says where it is painted")
        return self


class Style(Filter[StyleParams]):
    """Paints a picture in a style (Johnson 2016; Dumoulin 2017; Ghiasi 2017)."""

    name = "style"
    summary = "Style transfer: a photo painted in a famous style, a blend, or like any painting"
    Params = StyleParams
    traits = Traits()
    models: ClassVar[tuple[ModelFile, ...]] = (_MODEL,)

    @classmethod
    def known_values(cls, params: StyleParams) -> Mapping[str, Sequence[str]]:
        """Return the names of the styles that the model holds."""
        if params.model is None:
            return {}
        names = style_names(params.model.card_for(cls.name))
        return {"style": names, "other_style": names}

    def apply(self, image: Image, params: StyleParams) -> Image:
        """Return the painted picture."""
        model = params.model or _MODEL
        card = model.card_for(self.name)  # first, as its errors say more than the session's
        network = Network(self.runtime.session(model), card)
        names = params.style or ({} if params.style_image else network.default)
        first = network.style(names, params.style_image)
        if params.split is None:
            painted = _painted(image.pixels, network, first, params)
        else:
            second = network.style(params.other_style) if params.other_style else None
            share = _share(params.split, image)
            painted = _split(image.pixels, network, (first, second), share, params)
        return image.replace(pixels=painted)


def working_sizes(height: int, width: int, stroke_scale: float) -> list[tuple[int, int]]:
    """Return the sizes (height, width) that a picture is painted at, one after the other.

    Strokes are as many pixels wide at any size, so the first size gives those asked for. A painting
    that is only enlarged would be blurred, so it is painted over at about each doubling.
    """
    scale = min(_REFERENCE / stroke_scale / max(height, width), _ENLARGE)
    steps = max(0, math.ceil(math.log2(1 / (_BLURRED * scale))))
    scales = [scale ** (1 - step / max(steps, 1)) for step in range(steps + 1)]
    return [(max(1, round(height * s)), max(1, round(width * s))) for s in scales]


def _painted(
    pixels: FloatArray, network: Network, style: FloatArray, params: StyleParams
) -> FloatArray:
    """Return the whole picture in one style, with the photo's colours if they are to stay."""
    height, width = pixels.shape[:2]
    sizes = working_sizes(height, width, params.stroke_scale)
    done = np.cumsum([0.0, *(down * right for down, right in sizes)])
    done /= done[-1]
    painted: FloatArray | None = None
    for number, (down, right) in enumerate(sizes):
        seen = _sized(pixels, down, right)
        if painted is not None:
            # Strokes on nothing but strokes would lose what the photo shows, eyes first.
            seen = half_lit(_sized(painted, down, right), seen)
        with progress_part(done[number], done[number + 1]):
            painted = network.paint(seen, style, params.tile)
    assert painted is not None  # noqa: S101 - there is at least one size
    painted = _sized(painted, height, width)
    # Here and not after the mix of a split, whose other part is to stay as it is.
    if params.preserve_color == "luminance":
        return with_luminance_of(pixels, painted)
    if params.preserve_color == "histogram":
        return match_colours(painted, pixels)
    return painted


def _sized(pixels: FloatArray, height: int, width: int) -> FloatArray:
    """Return the picture at a size, itself if it has it: a large one is not held twice."""
    if pixels.shape[:2] == (height, width):
        return pixels
    sized = resize(pixels, width, height)
    return np.clip(sized, 0.0, 1.0, out=sized)


def _split(
    pixels: FloatArray,
    network: Network,
    styles: tuple[FloatArray, FloatArray | None],
    share: FloatArray,
    params: StyleParams,
) -> FloatArray:
    """Return one style where `share` is 1, and the other, or the photo, where it is 0."""
    first, second = styles
    if second is None:
        return pixels + share * (_painted(pixels, network, first, params) - pixels)
    with progress_part(0.0, 0.5):
        painted = _painted(pixels, network, first, params)
    with progress_part(0.5, 1.0):
        other = _painted(pixels, network, second, params)
    return other + share * (painted - other)


def _share(split: Image, image: Image) -> FloatArray:
    """Return how much of the first style each pixel gets, (H, W, 1) in [0, 1]."""
    height, width = image.pixels.shape[:2]
    # Of the same proportions but for a pixel: one of the two may be the other reduced.
    if abs(split.width * height - split.height * width) > max(
        height, width, split.height, split.width
    ):
        which = f" {split.metadata.source}" if split.metadata.source else ""
        raise UsageError(
            f"the split picture{which} is {split.width}x{split.height} pixels, but the picture is "
            f"{width}x{height}; give one of the same proportions"
        )
    share = resize(split.pixels.mean(2), width, height)
    return np.clip(share, 0.0, 1.0)[..., None]

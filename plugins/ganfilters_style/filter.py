"""The ``style`` filter: a photo painted in a named style, a blend, or like any painting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self
from weakref import ReferenceType, ref

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
    Runtime,
    Traits,
    UsageError,
    WeightedNames,
    progress_part,
    resize,
    resize_mask,
)
from ganfilters_style.colour import (
    half_lit,
    match_colours,
    towards_palette,
    with_luminance_of,
)
from ganfilters_style.detail import detailed
from ganfilters_style.ground import grained
from ganfilters_style.network import (
    Network,
    check_styles,
    colours_unknown,
    knows_colours,
    shares,
    style_names,
)
from ganfilters_style.passes import Pass, passes
from ganfilters_style.refining import REFINER, Grams, Refiner, mixed

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
    sha256="1a32026782a0f8425a906d08bdd9e6fcc6b364467663c2e8e434e5070a5d0379",
)

# How many times as long as painting a step of refining takes.
_STEP_TIME = 10


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
    grain: float | None = Field(
        None,
        ge=0.0,
        le=0.5,
        description="Grain given to the photo before it is painted, from which plain parts get "
        "strokes that differ; 0 for none, as much as the model was trained with by default",
    )
    palette: float | None = Field(
        None,
        ge=0.0,
        le=1.0,
        description="How far colours are moved to the painting's: 0 leaves those that are painted, "
        "1 gives the painting's mean and spread; by default as much as the model was trained with, "
        "and 1 with refine",
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
        "style is, or the photo stays; what is transparent is black. Of the photo's proportions",
    )
    tile: int = Field(
        1024,
        ge=256,
        le=8192,
        description="Largest side in pixels that the network sees at once; bounds the memory of "
        "painting, and changes nothing else",
    )
    refine: int = Field(
        0,
        ge=0,
        le=400,
        description="Steps of optimisation after painting, a second or two each at 512 pixels on a "
        "CPU: strokes follow the painting far more closely; 40 are enough",
    )
    refine_weight: float = Field(
        10.0,
        ge=0.1,
        le=1000.0,
        description="How much the painting counts against the photo while refining; 3 keeps faces, "
        "30 gives them up",
    )
    refine_size: int = Field(
        768,
        ge=320,
        le=4096,
        description="Longest side in pixels that is refined, which bounds time and memory; what is "
        "larger the network paints over",
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
        if self.palette and self.preserve_color != "off":
            raise ValueError(
                "`palette` takes the painting's colours and `preserve_color` the photo's; leave "
                "one out"
            )
        for name in ("refine_weight", "refine_size"):
            standard = type(self).model_fields[name].default
            if not self.refine and getattr(self, name) != standard:
                raise ValueError(f"`{name}` needs `refine` as well")
        return self


class Style(Filter[StyleParams]):
    """Paints a picture in a style (Johnson 2016; Dumoulin 2017; Ghiasi 2017; Gatys 2016)."""

    name = "style"
    summary = "Style transfer: a photo painted in a famous style, a blend, or like any painting"
    Params = StyleParams
    traits = Traits()
    models: ClassVar[tuple[ModelFile, ...]] = (_MODEL, REFINER)

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        # Of the last values; they hold pictures, which shall not live as long as the filter.
        self._last: tuple[ReferenceType[StyleParams], tuple[_Painter, _Painter | None]] | None
        self._last = None

    @classmethod
    def models_for(cls, params: StyleParams) -> tuple[ModelFile, ...]:
        """Return the network that paints, and the one that refines where it is asked for."""
        return (params.model or _MODEL, *((REFINER,) if params.refine else ()))

    @classmethod
    def known_values(cls, params: StyleParams) -> Mapping[str, Sequence[str]]:
        """Return the names of the styles that the model holds."""
        if params.model is None:
            return {}
        names = style_names(params.model.card_for(cls.name))
        return {"style": names, "other_style": names}

    def check_params(self, params: StyleParams) -> None:
        """Refuse a model that does not paint, and styles and paintings that it cannot take."""
        super().check_params(params)
        card = (params.model or _MODEL).card
        if "channels" not in card.extra:
            raise UsageError(f"{card.title!r} is no style network; it refines what one painted")
        check_styles(card, params.style or (), params.style_image)
        if params.other_style:
            check_styles(card, params.other_style)
        if params.palette:
            named = {**(params.style or {}), **(params.other_style or {})}
            if not named and not params.style_image:
                named = dict.fromkeys(style_names(card)[:1], 1.0)
            if named and not knows_colours(card):
                raise colours_unknown(card, named)

    def apply(self, image: Image, params: StyleParams) -> Image:
        """Return the painted picture."""
        first, second = self._painters(params)
        if params.split is None:
            painted = first.paint(image.pixels, params)
        else:
            share = _share(params.split, image)
            painted = _split(image.pixels, (first, second), share, params)
        return image.replace(pixels=painted)

    def _painters(self, params: StyleParams) -> tuple[_Painter, _Painter | None]:
        """Return what paints, and what paints the other part of a split, if that is painted."""
        last = self._last  # the same for every picture of a run
        if last is not None and last[0]() is params:
            return last[1]
        model = params.model or _MODEL
        network = Network(self.runtime.session(model), model.card)
        refiner = Refiner(self.runtime) if params.refine else None
        names = params.style or ({} if params.style_image else network.default)
        palette = params.palette
        if params.preserve_color != "off" and refiner is None:
            palette = 0.0  # kept colours are the photo's, and what is painted is moved to them
        first = _Painter.of(network, refiner, palette, names, params.style_image)
        second = None
        if params.other_style:
            second = _Painter.of(network, refiner, palette, params.other_style)
        self._last = ref(params), (first, second)
        return first, second


@dataclass(frozen=True)
class _Painter:
    """A network with the one style, or blend, that it is to paint in.

    Attributes
    ----------
    network
        The network.
    style
        The style as the network takes it.
    refining
        What refines, and the Gram matrices that it is to reach; None without refining.
    palette
        Moments of the colours to move to, and how far; None if the painted ones stay.
    """

    network: Network
    style: FloatArray
    refining: tuple[Refiner, Grams] | None
    palette: tuple[FloatArray, float] | None

    @classmethod
    def of(
        cls,
        network: Network,
        refiner: Refiner | None,
        palette: float | None,
        names: Mapping[str, float],
        paintings: Sequence[Image] = (),
    ) -> Self:
        """Return the painter of named styles, with their weights, and paintings, each 1."""
        style = network.style(names, paintings)
        if refiner is None:
            colours = _palette(network, palette, names, paintings, usual=network.palette)
            return cls(network, style, None, colours)
        looks = [network.look(name, refiner.features) for name in names]
        looks += map(refiner.grams, paintings)
        parts = zip(shares(names, paintings), looks, strict=True)
        # Held while refining, and moved again where the network paints larger sizes over that.
        colours = _palette(network, palette, names, paintings, usual=1.0)
        return cls(network, style, (refiner, mixed(parts)), colours)

    def paint(self, pixels: FloatArray, params: StyleParams) -> FloatArray:
        """Return the whole picture painted, with the photo's colours if they are to stay."""
        height, width = pixels.shape[:2]
        planned = passes(
            height, width, params.stroke_scale, refine=params.refine, refine_size=params.refine_size
        )
        done = np.cumsum([0.0, *(p.height * p.width * (1 + _STEP_TIME * p.steps) for p in planned)])
        done /= done[-1]
        painted: FloatArray | None = None
        for number, this in enumerate(planned):
            seen = _sized(pixels, this.height, this.width)
            if self.refining and number and planned[number - 1].steps and not this.steps:
                # What refining took is more than painting the larger sizes needs.
                self.refining[0].release()
            with progress_part(done[number], done[number + 1]):
                painted = self._pass(seen, painted, this, params)
        assert painted is not None  # noqa: S101 - there is at least one pass
        painted = _sized(painted, height, width)
        # Here and not after the mix of a split, whose other part is to stay as it is.
        if params.preserve_color == "luminance":
            return with_luminance_of(pixels, painted)
        if params.preserve_color == "histogram":
            return match_colours(painted, pixels)
        if self.palette is not None and not planned[-1].steps:
            return towards_palette(painted, *self.palette)
        return painted

    def _pass(
        self, seen: FloatArray, before: FloatArray | None, this: Pass, params: StyleParams
    ) -> FloatArray:
        """Return the photo at one size, painted over what was painted at the size before."""
        height, width = seen.shape[:2]
        if before is None:
            grain = self.network.grain if params.grain is None else params.grain
            painted = self.network.paint(grained(seen, grain), self.style, params.tile)
        else:
            painted = _sized(before, height, width)
            if not this.steps:
                # Strokes on nothing but strokes would lose what the photo shows, eyes first.
                ground = half_lit(painted, seen)
                painted = self.network.paint(ground, self.style, params.tile)
            if this.detail:
                painted = detailed(before, painted, seen)
        if not this.steps or self.refining is None:
            return painted
        refiner, grams = self.refining
        held = 0.0 if self.palette is None else self.palette[1]
        return refiner.refine(painted, seen, grams, this.steps, params.refine_weight, held)


def _palette(
    network: Network,
    share: float | None,
    names: Mapping[str, float],
    paintings: Sequence[Image],
    *,
    usual: float,
) -> tuple[FloatArray, float] | None:
    """Return the colours to move to and how far, the usual share if none is given."""
    wanted = usual if share is None else share
    if not wanted:
        return None
    moments = network.colours(names, paintings)
    if moments is not None:
        return moments, wanted
    if share is None:
        return None
    unknown = [name for name in names if network.colours({name: 1.0}, ()) is None]
    raise colours_unknown(network.card, unknown)


def _sized(pixels: FloatArray, height: int, width: int) -> FloatArray:
    """Return the picture at a size, itself if it has it: a large one is not held twice."""
    if pixels.shape[:2] == (height, width):
        return pixels
    sized = resize(pixels, width, height)
    return np.clip(sized, 0.0, 1.0, out=sized)


def _split(
    pixels: FloatArray,
    painters: tuple[_Painter, _Painter | None],
    share: FloatArray,
    params: StyleParams,
) -> FloatArray:
    """Return one style where `share` is 1, and the other, or the photo, where it is 0."""
    first, second = painters
    if second is None:
        return pixels + share * (first.paint(pixels, params) - pixels)
    with progress_part(0.0, 0.5):
        painted = first.paint(pixels, params)
    with progress_part(0.5, 1.0):
        other = second.paint(pixels, params)
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
    white = split.pixels.mean(2)
    if split.alpha is not None:  # what is transparent is black, as in a mask
        white = white * split.alpha
    return resize_mask(white, width, height)[..., None]

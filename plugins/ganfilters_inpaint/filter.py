"""The filters ``inpaint``, which fills what is selected, and ``outpaint``, which extends a picture.

They are two since a filter declares whether it keeps the size: one that may not could have neither
strength nor the exact bytes of the input outside its mask.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from operator import index
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

import numpy as np
from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from ganfilters import (
    BoolArray,
    Filter,
    FloatArray,
    Image,
    ModelFile,
    ModelParam,
    NothingToDo,
    Params,
    Runtime,
    Traits,
    UsageError,
    bounding_box,
    progress_part,
    report_progress,
)
from ganfilters_inpaint import classic
from ganfilters_inpaint.holes import (
    Part,
    by_thickness,
    coloured,
    grown,
    parts,
    thickness,
)
from ganfilters_inpaint.network import COPIED, Network
from ganfilters_inpaint.tone import is_grey

__all__ = ["Inpaint", "InpaintParams", "Outpaint", "OutpaintParams"]

_MODEL = ModelFile.packaged(
    "ganfilters_inpaint",
    "models/inpaint.onnx",
    sha256="66642a2fd1a2c2328915eb0b08a0852a0e4f0a6bcef06e59613588497a35f938",
)

Method = Literal["gan", "patchmatch", "telea", "navier-stokes"]

# A mask that is painted or compressed is not quite black where it is black.
_SELECTED = 0.1
# What the network sees around a hole, in thicknesses of the hole, and at least in pixels; twice as
# many at the border, where there is only one side to go by. Around a thin one fewer pixels will do,
# as nothing is copied from there.
_CONTEXT = 1.0
_CONTEXT_MIN = 64
_CONTEXT_THIN = 24
_COLOUR = re.compile(r"#?([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")


def _read_colour(value: Any) -> tuple[int, int, int]:
    match = _COLOUR.fullmatch(value.strip()) if isinstance(value, str) else None
    channels = tuple(int(part, 16) for part in match.groups()) if match else value
    try:
        red, green, blue = (index(part) for part in channels)
    except (TypeError, ValueError):
        raise ValueError("a colour is #rrggbb, for example #ff00ff") from None
    if not all(0 <= part <= 255 for part in (red, green, blue)):
        raise ValueError("a colour has three numbers from 0 to 255")
    return red, green, blue


def _read_sides(value: Any) -> tuple[int, int, int, int]:
    given = value.split(",") if isinstance(value, str) else value
    try:
        left, top, right, bottom = (
            int(part) if isinstance(part, str) else index(part) for part in given
        )
    except (TypeError, ValueError):
        raise ValueError("write LEFT,TOP,RIGHT,BOTTOM in pixels, for example 64,0,64,0") from None
    sides = (left, top, right, bottom)
    if min(sides) < 0 or max(sides) > 8192:
        raise ValueError("each side grows by 0 to 8192 pixels")
    if not any(sides):
        raise ValueError("all sides grow by 0 pixels; at least one must grow")
    return sides


Colour = Annotated[
    tuple[int, int, int],
    BeforeValidator(_read_colour),
    PlainSerializer(lambda colour: "#{:02x}{:02x}{:02x}".format(*colour), return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^#?[0-9a-fA-F]{6}$"}),
]
Sides = Annotated[
    tuple[int, int, int, int],
    BeforeValidator(_read_sides),
    PlainSerializer(lambda sides: ",".join(map(str, sides)), return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+,\d+,\d+,\d+$"}),
]


class _FillParams(Params):
    method: Method = Field(
        "gan",
        description="gan: the network. patchmatch copies patches of the picture: for large regular "
        "textures. telea and navier-stokes smooth over scratches",
    )
    seam: float = Field(
        0.0,
        ge=0.0,
        le=64.0,
        description="Width in pixels of the fade from the filling to the picture, around the hole",
    )
    largest: float = Field(
        0.75,
        ge=0.01,
        le=1.0,
        description="Largest part of the picture to fill, before it grows; more is taken for an "
        "inverted mask",
    )
    seed: int = Field(
        0,
        ge=0,
        le=2**32 - 1,
        description="Another one gives another filling; telea and navier-stokes have one only",
    )
    model: ModelParam | None = Field(
        None, description="Network of your own, made by `ganfilters train inpaint`"
    )

    @model_validator(mode="after")
    def _model_used(self) -> Self:
        if self.model is not None and self.method != "gan":
            raise ValueError(f"`method` {self.method} uses no `model`; leave it out, or use gan")
        return self

    @property
    def network(self) -> ModelFile | None:
        """The network that fills, if it is one."""
        return (self.model or _MODEL) if self.method == "gan" else None


class InpaintParams(_FillParams):
    """Parameters of `Inpaint`."""

    from_alpha: bool = Field(
        False, description="Fill where the picture is transparent; it is opaque there afterwards"
    )
    mask_color: Colour | None = Field(
        None, description="Fill where the picture has this colour, such as #ff00ff"
    )
    tolerance: float = Field(
        24.0,
        ge=0.0,
        le=255.0,
        description="With a mask colour: largest difference of a channel, in 255ths",
    )
    dilate: float = Field(
        0.0,
        ge=0.0,
        le=256.0,
        description="Pixels around the hole that are filled as well: an outline leaves a halo",
    )

    @model_validator(mode="after")
    def _checked(self) -> Self:
        standard = type(self).model_fields["tolerance"].default
        if self.mask_color is None and self.tolerance != standard:
            raise ValueError("`tolerance` needs `mask_color` as well")
        return self


class OutpaintParams(_FillParams):
    """Parameters of `Outpaint`."""

    expand: Sides = Field(
        (64, 64, 64, 64), description="Pixels to add, LEFT,TOP,RIGHT,BOTTOM, such as 128,0,128,0"
    )


_P = TypeVar("_P", bound=_FillParams)


class _Fill(Filter[_P]):
    """What both filters share: the network, and what is refused before the first picture."""

    models: ClassVar[tuple[ModelFile, ...]] = (_MODEL,)

    @classmethod
    def models_for(cls, params: _P) -> tuple[ModelFile, ...]:
        """Return the network, or nothing for a classical method."""
        return () if params.network is None else (params.network,)

    def check_params(self, params: _P) -> None:
        """Refuse a method whose library is missing."""
        super().check_params(params)
        if params.method != "gan":
            classic.require(params.method)


class Inpaint(_Fill[InpaintParams]):
    """Fills what is selected from what is around it."""

    name = "inpaint"
    summary = "Removes an object or a scratch: fills the masked area from what is around it"
    Params = InpaintParams
    traits = Traits(selection="filter", alpha="edited")

    def region(self, params: InpaintParams, mask: FloatArray) -> tuple[slice, slice] | None:
        """Return the hole with all that its parts are filled by, where a mask alone says it."""
        if params.from_alpha or params.mask_color is not None:
            return None
        hole = _selected(mask)
        if hole is None:
            return None
        grown_by = math.ceil(params.dilate + params.seam)
        area = bounding_box(hole, grown_by)
        box = hole[area].shape
        open_side = _open(area, hole.shape)
        margin = _margin(params.method, box, float(min(box)), open_side=open_side)
        region = bounding_box(hole, grown_by + margin)
        # Where a hole is most of that, the share of the whole picture is what counts.
        if np.count_nonzero(hole[region]) > params.largest * hole[region].size:
            return None
        return region

    def apply(self, image: Image, params: InpaintParams) -> Image:
        """Return the picture with its holes filled."""
        area, weight = grown(_hole(image, params), params.dilate, params.seam)
        untouched = np.ones(image.pixels.shape[:2], np.bool_)
        untouched[area] = weight == 0
        if not untouched.any():
            raise UsageError(
                f"the hole grown by `dilate` {params.dilate:g} and `seam` {params.seam:g} is the "
                "whole picture, so nothing is left to go by; make them smaller"
            )
        filled = _filled(self.runtime, image.pixels, image.alpha, ~untouched, params)
        _fade(image.pixels[area], filled[area], weight)
        alpha = image.alpha
        if alpha is not None and params.from_alpha:
            alpha = alpha.copy()
            alpha[area] = np.maximum(alpha[area], weight)
        return image.replace(pixels=filled, alpha=alpha, untouched=untouched)


class Outpaint(_Fill[OutpaintParams]):
    """Extends a picture beyond its borders."""

    name = "outpaint"
    summary = "Extends a picture beyond its borders; fills the masked area too"
    Params = OutpaintParams
    traits = Traits(keeps_size=False, selection="filter", alpha="edited")
    models_of = "inpaint"

    def result_size(
        self, size: tuple[int, int] | None, params: OutpaintParams
    ) -> tuple[int, int] | None:
        """Return the size with what is added."""
        left, top, right, bottom = params.expand
        return None if size is None else (size[0] + left + right, size[1] + top + bottom)

    def apply(self, image: Image, params: OutpaintParams) -> Image:
        """Return the larger picture."""
        left, top, right, bottom = params.expand
        margins = ((top, bottom), (left, right))
        pixels = np.pad(image.pixels, (*margins, (0, 0)), mode="edge")
        hole = np.pad(np.zeros(image.pixels.shape[:2], np.bool_), margins, constant_values=True)
        masked = _selected(image.mask)
        if masked is not None:
            hole |= np.pad(_not_too_much({"mask": masked}, params.largest), margins)
        # At least half of the picture stays as it is, or there would be nothing to go by.
        seam = min(params.seam, min(image.width, image.height) // 4)
        area, weight = grown(hole, 0.0, seam)
        hole[area] = weight > 0
        if hole.all():
            raise UsageError(
                f"the mask and a `seam` of {params.seam:g} cover the whole picture, so nothing is "
                "left to go by; make them smaller"
            )
        alpha = None
        if image.alpha is not None:
            alpha = np.pad(image.alpha, margins, constant_values=np.float32(1.0))
        made = _filled(self.runtime, pixels, alpha, hole, params)
        _fade(pixels[area], made[area], weight)
        return Image(made, alpha=alpha)


def _selected(mask: FloatArray | None) -> BoolArray | None:
    """Return what a mask selects; None without one, or if that is nothing."""
    if mask is None:
        return None
    selected: BoolArray = mask > _SELECTED
    return selected if selected.any() else None


def _hole(image: Image, params: InpaintParams) -> BoolArray:
    """Return what is to be filled: the mask, what is transparent and what has the colour."""
    found: dict[str, BoolArray] = {}
    missed = []
    masked = _selected(image.mask)
    if masked is not None:
        found["mask"] = masked
    if params.from_alpha:
        if image.alpha is None or not (image.alpha < 1.0).any():
            missed.append("the picture has no transparent area to fill; give a mask instead")
        else:
            found["alpha"] = image.alpha < 1.0
    if params.mask_color is not None:
        painted = coloured(image.pixels, params.mask_color, params.tolerance)
        if image.alpha is not None:  # nobody sees what colour is there
            painted &= image.alpha > 0
        if painted.any():
            found["colour"] = painted
        else:
            name = "#{:02x}{:02x}{:02x}".format(*params.mask_color)
            missed.append(
                f"no pixel has the colour {name} within {params.tolerance:g}; raise `tolerance`, "
                "or give another `mask_color`"
            )
    if missed and not found:
        raise NothingToDo("; also ".join(missed))
    if not found:
        what = "the mask selects nothing" if image.mask is not None else "nothing says what to fill"
        raise UsageError(
            f"{what}; give a mask that is white there (--mask FILE), `from_alpha` for what "
            "is transparent, or `mask_color` for what is painted over"
        )
    return _not_too_much(found, params.largest, tolerance=params.tolerance)


def _not_too_much(
    found: Mapping[str, BoolArray], largest: float, *, tolerance: float = 0.0
) -> BoolArray:
    """Return all that was found, by what selected it; refuse a share that nobody means."""
    total: BoolArray = np.logical_or.reduce(list(found.values()))
    share = np.count_nonzero(total) / total.size
    if share < 1 and share <= largest:
        return total
    most = max(found, key=lambda name: np.count_nonzero(found[name]))
    hint = {
        "mask": "white means fill, and --invert-mask turns a mask round",
        "alpha": "`from_alpha` takes what is only partly transparent too; give a mask instead",
        "colour": f"lower `tolerance`, which is {tolerance:g}, or give a mask instead",
    }[most]
    if share == 1:
        raise UsageError(f"the whole picture is to be filled, so nothing is left to go by; {hint}")
    suspicion = ", so the mask is probably inverted" if most == "mask" else ""
    raise UsageError(
        f"{share:.0%} of the picture is to be filled{suspicion}; {hint}; `largest` 1 fills it all "
        "the same"
    )


def _filled(
    runtime: Runtime,
    pixels: FloatArray,
    alpha: FloatArray | None,
    hole: BoolArray,
    params: _FillParams,
) -> FloatArray:
    """Return the picture with every hole filled, one after the other."""
    model, network = params.network, None
    if model is not None:
        network = Network(runtime.session(model), model.card)
    left = hole.copy()
    # Nobody sees the colours of what is transparent, and editors leave black there.
    unknown = left if alpha is None else hole | (alpha == 0)
    result = pixels.copy()
    # Each by its own thickness: what is thin would be filled coarsely beside what is thick.
    apart = 2 * _CONTEXT_MIN
    thin = 2 * _CONTEXT_THIN if network is not None else apart  # others see more of the picture
    found = [each for part in parts(hole, apart) for each in by_thickness(part, COPIED, thin)]
    for number, part in enumerate(found):
        with progress_part(number / len(found), (number + 1) / len(found)):
            report_progress(0.0, f"hole {number + 1} of {len(found)}")
            made = _fill_part(result, (unknown, left), part, network, params)
        np.copyto(result[part.slices], made, where=part.hole[..., None])
        for still in (unknown, left):
            still[part.slices] &= ~part.hole
    return result


def _fill_part(
    pixels: FloatArray,
    holes: tuple[BoolArray, BoolArray],
    part: Part,
    network: Network | None,
    params: _FillParams,
) -> FloatArray:
    """Return the part's box filled, by what is around it.

    `holes` are what is unknown, and the smaller one to take if nothing in sight is known.
    """
    height, width = pixels.shape[:2]
    thick = thickness(part.hole)
    open_side = _open(part.slices, (height, width))
    margin = _margin(params.method, part.hole.shape, thick, open_side=open_side)
    rows = slice(max(part.rows.start - margin, 0), min(part.rows.stop + margin, height))
    columns = slice(max(part.columns.start - margin, 0), min(part.columns.stop + margin, width))
    top, left = part.rows.start - rows.start, part.columns.start - columns.start
    box = slice(top, top + part.hole.shape[0]), slice(left, left + part.hole.shape[1])
    # Other holes in sight are unknown as well, unless they were filled before. All else may be
    # transparent, whose colours are better than none.
    seen, missing = pixels[rows, columns], holes[0][rows, columns]
    if missing.all():
        missing = holes[1][rows, columns]
    if network is not None:
        made = network.fill(seen, missing, params.seed, thick=thick, open_side=open_side)
    else:
        made = classic.fill(params.method, seen, missing, params.seed)  # type: ignore[arg-type]
    made = made[box]
    return made.mean(axis=2, keepdims=True) if is_grey(seen, ~missing) else made


def _open(area: tuple[slice, slice], shape: tuple[int, ...]) -> bool:
    """Return whether an area lies at the border of a picture."""
    return any(span.start == 0 or span.stop == side for span, side in zip(area, shape, strict=True))


def _margin(method: Method, box: tuple[int, ...], thick: float, *, open_side: bool) -> int:
    """Return how much around a hole, in pixels, it is filled by.

    More for a thicker hole, a larger box, and one at the picture's border.
    """
    if method != "gan":
        return classic.context(method, max(box))
    sides = 2 if open_side else 1
    least = _CONTEXT_MIN if thick >= COPIED else sides * _CONTEXT_THIN
    return max(least, round(_CONTEXT * thick * sides))


def _fade(before: FloatArray, after: FloatArray, weight: FloatArray) -> None:
    """Let `after` fade into `before` where the weight is between 1 and 0."""
    fading = (weight > 0) & (weight < 1)
    if fading.any():
        mixed = before + weight[..., None] * (after - before)
        np.copyto(after, mixed, where=fading[..., None])

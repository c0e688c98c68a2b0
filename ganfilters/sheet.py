"""Contact sheets: one picture, filtered with every value of one parameter, labelled."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from ganfilters import convert, schema
from ganfilters.errors import UsageError, nearest
from ganfilters.hidden import as_shown
from ganfilters.image import Animation, FloatArray, Image, Metadata
from ganfilters.progress import CancelToken, OnProgress, progress_part, report_progress, reporting
from ganfilters.resample import resize, resize_mask
from ganfilters.running import guarded

if TYPE_CHECKING:
    from ganfilters.host import Host

__all__ = ["contact_sheet", "values_of"]

# The filter works at so many times a cell's size: reduced, strokes and edges look as they do on a
# large photo.
_FINER = 2
_GAP = 8
_TEXT = 14
# Cells of tall pictures are at least so wide, if they are as high, for their labels.
_NARROWEST = 96


def values_of(
    host: Host,
    filter: str,
    vary: str | None = None,
    params: Mapping[str, Any] | None = None,
) -> tuple[str, list[Any]]:
    """Return a parameter's name and the values that it is known to take.

    Parameters
    ----------
    host
        Where the filter is.
    filter
        Its name.
    vary
        The parameter; by default ``preset`` if there is one, else the first with a list of values.
    params
        Other parameters, which the values may depend on: a model of the user's has its own styles.

    Raises
    ------
    UsageError
        The filter or the parameter does not exist, or has no list of values.
    """
    found = {p.name: p for p in schema.parameters(host.registry.get(filter).filter.Params)}
    if vary is not None:
        name = schema.underscored(vary.lstrip("-_"))
        if name not in found:
            spelled = map(schema.spelled, found)
            hint = nearest(schema.spelled(name), spelled, what="parameters")
            raise UsageError(f"{filter} has no parameter {vary!r}; {hint}")
        return name, _known(host, filter, found[name], params)
    for parameter in found.values():
        if parameter.known:
            return parameter.name, _known(host, filter, parameter, params)
    raise UsageError(
        f"no parameter of {filter} has a list of values; say which one to vary, and give values"
    )


def _known(
    host: Host, filter: str, parameter: schema.Parameter, params: Mapping[str, Any] | None
) -> list[Any]:
    """Return the values of a parameter that go with the others, else those declared."""
    entry = host.registry.get(filter)
    try:
        others = host.parse(filter, params or {})
    except UsageError:  # may need the value that is still to come; if not, it is told of then
        return list(parameter.known)
    own = guarded(entry, lambda: entry.filter.known_values(others))
    return list(own.get(parameter.name, parameter.known))


def contact_sheet(
    host: Host,
    filter: str,
    image: Any = None,
    /,
    *,
    vary: str | None = None,
    values: Sequence[Any] = (),
    across: int | None = None,
    thumbnail: int = 320,
    mask: Any = None,
    invert_mask: bool = False,
    feather: float = 0.0,
    strength: float = 1.0,
    on_progress: OnProgress | None = None,
    cancel: CancelToken | None = None,
    **params: Any,
) -> Image:
    """Return a labelled sheet of what a filter makes of one picture, value by value.

    Parameters
    ----------
    host
        What applies the filter.
    filter
        Its name.
    image
        Anything that `Host.apply` takes; it is shown first. None for filters that make pictures.
    vary
        The parameter that changes; see `values_of`.
    values
        Its values; by default all that are known, of a model of the user's its own.
    across
        Pictures in a row; about as many as there are rows by default.
    thumbnail
        Longer side of each picture in pixels, 32 to 2048. The picture is reduced to twice
        that before it is filtered, so parameters in pixels look larger than on a whole photo.
    mask, invert_mask, feather, strength
        As for `Host.apply`; the mask has the picture's size, and is reduced with it.
    on_progress, cancel
        As for `Host.apply`.
    **params
        The filter's other parameters.

    Raises
    ------
    UsageError
        There is nothing to vary, the parameter that varies has a value, or a value is not allowed.
    """
    if not 32 <= thumbnail <= 2048:
        raise UsageError(f"thumbnail is {thumbnail}; it must be from 32 to 2048 pixels")
    if across is not None and across < 1:
        raise UsageError(f"across is {across}; it must be 1 or more")
    name, known = values_of(host, filter, vary, params)
    if name in params:
        raise UsageError(f"the sheet varies `{name}`; leave it out, or vary another parameter")
    chosen = list(values) or known
    if not chosen:
        raise UsageError(f"`{name}` has no list of values; give the values to show")
    common: dict[str, Any] = {"invert_mask": invert_mask, "feather": feather, "strength": strength}
    small = None
    if image is not None:
        whole = convert.to_image(image, max_pixels=host.max_pixels)
        small = _reduced(whole, _FINER * thumbnail)
        if mask is not None:
            common["mask"] = _reduced_mask(mask, whole, small, host.max_pixels)
    # All of them, before the first takes its time.
    prepared = [host.prepare(filter, **common, **{**params, name: value}) for value in chosen]
    files = name in schema.file_parameters(host.registry.get(filter).filter.Params)
    cells = [] if small is None else [("input", _on_white(_reduced(small, thumbnail)))]
    with reporting(on_progress, cancel):
        for number, (value, ready) in enumerate(zip(chosen, prepared, strict=True)):
            with progress_part(number / len(chosen), (number + 1) / len(chosen)):
                made = ready.within(small)
            cells.append((_label(value, files=files), _on_white(_reduced(made, thumbnail))))
        report_progress(1.0)
    return Image(_laid_out(cells, across), metadata=Metadata())


def _label(value: Any, *, files: bool) -> str:
    """Return a value as its label; of a file its name, which says more than where it lies."""
    if not files:
        return schema.written(value)
    several = value if isinstance(value, (tuple, list)) else (value,)
    return ",".join(Path(schema.written(each)).name for each in several)


def _reduced(image: Image | Animation, side: int) -> Image:
    still = image.first() if isinstance(image, Animation) else image
    height, width = still.pixels.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    alpha = None if still.alpha is None else np.clip(resize(still.alpha, *size), 0.0, 1.0)
    return Image(np.clip(resize(as_shown(still).pixels, *size), 0.0, 1.0), alpha=alpha)


def _on_white(image: Image) -> FloatArray:
    if image.alpha is None:
        return image.pixels
    one = np.float32(1)
    white: FloatArray = one - image.alpha[..., None] * (one - image.pixels)
    return white


def _reduced_mask(mask: Any, whole: Image | Animation, small: Image, max_pixels: int) -> FloatArray:
    """Return the mask at the reduced picture's size, (H, W) in [0, 1]."""
    still = whole.first() if isinstance(whole, Animation) else whole
    plane = convert.read_mask(mask, still.width, still.height, max_pixels=max_pixels)
    return resize_mask(plane, small.width, small.height)


def _laid_out(cells: Sequence[tuple[str, FloatArray]], across: int | None) -> FloatArray:
    """Return the pictures in rows, each with its label below, on white."""
    height = max(pixels.shape[0] for _, pixels in cells)
    width = max(min(_NARROWEST, height), *(pixels.shape[1] for _, pixels in cells))
    label = round(_TEXT * 1.6)
    columns = across or math.ceil(math.sqrt(len(cells) * (height + label) / width))
    columns = min(columns, len(cells))
    rows = math.ceil(len(cells) / columns)
    step_down, step_right = height + label + _GAP, width + _GAP
    size = (columns * step_right + _GAP, rows * step_down + _GAP)
    canvas = PIL.Image.new("RGB", size, "white")
    draw = PIL.ImageDraw.Draw(canvas)
    font = PIL.ImageFont.load_default(_TEXT)
    for number, (text, pixels) in enumerate(cells):
        row, column = divmod(number, columns)
        left = _GAP + column * step_right + (width - pixels.shape[1]) // 2
        top = _GAP + row * step_down + (height - pixels.shape[0]) // 2
        canvas.paste(PIL.Image.fromarray((pixels * 255 + 0.5).astype(np.uint8)), (left, top))
        middle = _GAP + column * step_right + width / 2
        shown = _shortened(text, lambda t: draw.textlength(t, font), width)
        draw.text((middle, _GAP + row * step_down + height + 3), shown, "black", font, anchor="ma")
    result: FloatArray = np.asarray(canvas, np.float32) / np.float32(255)
    return result


def _shortened(text: str, length: Any, width: int) -> str:
    while len(text) > 4 and length(text) > width:
        text = text[:-4] + "..."
    return text

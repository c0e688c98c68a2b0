"""What an ONNX model takes and makes: read from its declared inputs, and tried by running it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ganfilters.errors import GanfiltersError, UsageError
from ganfilters.image import FloatArray
from ganfilters.models import CARD_KEY, ModelCard, ModelFile
from ganfilters.onnxfile import read_metadata
from ganfilters.runtime import Runtime, Session, TensorInfo
from ganfilters.scaffold.extras import Extra, extras_of, neutral_values
from ganfilters.scaffold.ranges import encode
from ganfilters.scaffold.samples import photo

__all__ = ["LUMA", "Network", "Picture", "open_network"]

Array = npt.NDArray[Any]

_PICTURE_TYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
}
LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey."""

_SCALES = tuple(Fraction(text) for text in ("1", "2", "3", "4", "6", "8", "1/2", "1/4", "1/8"))
# Fixed sides below this are those of a vector.
_SMALLEST = 8
# Height and width to begin with, where the model leaves them open. Unequal, so that they cannot be
# mixed up, and multiples of all that is usual.
_TRIAL_SIZES = ((128, 192), (256, 320), (64, 96), (512, 640))


@dataclass(frozen=True)
class Picture:
    """A tensor that is a picture.

    Attributes
    ----------
    name
        Of the model's input or output.
    layout
        ``"NCHW"``, ``"NHWC"``, ``"CHW"`` or ``"HWC"``.
    channels
        1 or 3.
    dtype
        Of NumPy.
    size
        Height and width if the model fixes them.
    """

    name: str
    layout: str
    channels: int
    dtype: str
    size: tuple[int, int] | None = None

    def batch(self, pixels: FloatArray, span: str) -> Array:
        """Return pixels (H x W x 3, in [0, 1]) as the tensor, values in the range `span`."""
        if self.channels == 1:
            pixels = (pixels @ np.array(LUMA, np.float32))[..., None]
        values = encode(pixels, span)
        if self.dtype == "uint8":
            values = np.rint(values)
        if "CHW" in self.layout:
            values = values.transpose(2, 0, 1)
        values = values[None] if self.layout.startswith("N") else values
        return np.ascontiguousarray(values.astype(self.dtype))

    def planes(self, tensor: Array) -> FloatArray:
        """Return the tensor as H x W x C, its values as they are."""
        values = tensor[0] if self.layout.startswith("N") else tensor
        values = values.transpose(1, 2, 0) if "CHW" in self.layout else values
        return values.astype(np.float32)


@dataclass(frozen=True)
class Network:
    """A model with what is known of it, ready to be run on pictures.

    Attributes
    ----------
    session
        The model, cut to the output that is used.
    input, output
        The pictures.
    scale
        Size of the output over that of the input.
    extras
        Further inputs.
    values
        For each of them, what to feed.
    unused
        Outputs that are left out.
    card
        The model's card, if it has one.
    """

    session: Session
    input: Picture
    output: Picture
    scale: Fraction
    extras: tuple[Extra, ...] = ()
    values: dict[str, Array] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    card: ModelCard | None = None

    def run(
        self, pixels: FloatArray, span: str = "0..1", *, values: dict[str, Array] | None = None
    ) -> FloatArray:
        """Return what the network makes of pixels, as H x W x C.

        Raises
        ------
        GanfiltersError
            The network cannot be run on it, or the result is not of the size expected.
        """
        feeds = {self.input.name: self.input.batch(pixels, span), **(values or self.values)}
        (made,) = self.session.run(feeds, [self.output.name])
        planes = self.output.planes(made)
        expected = tuple(int(side * self.scale) for side in pixels.shape[:2])
        if planes.shape != (*expected, self.output.channels):
            raise UsageError(f"{pixels.shape[:2]} became {planes.shape}")
        return planes

    def runs(self, pixels: FloatArray, span: str = "0..1", **options: Any) -> bool:
        """Return whether the network makes finite values of the right size."""
        try:
            return bool(np.isfinite(self.run(pixels, span, **options)).all())
        except (GanfiltersError, ValueError, IndexError):
            return False


def open_network(path: Path, filter_name: str, shown: Path | None = None) -> Network:
    """Open a model and find the input, output and further inputs that a filter can use.

    Parameters
    ----------
    path
        The ``.onnx`` file.
    filter_name
        What the filter is to be called; a card must be for it.
    shown
        What messages call the file.

    Raises
    ------
    ModelError
        The file is no ONNX model, or cannot be loaded.
    UsageError
        It is for another filter, or does not make one picture of one picture.
    """
    shown = shown or path
    card = _card(path, filter_name, shown)
    runtime = Runtime("cpu")
    model = ModelFile(path)
    whole = runtime.session(model)
    found = _first_run(whole, shown)
    if len(whole.outputs) == 1:
        return replace(found, card=card)
    # What the wanted output does not need is no parameter.
    session = runtime.session(model, [found.output.name])
    extras = tuple(extra for extra in found.extras if extra.name in session.inputs)
    values = {extra.name: found.values[extra.name] for extra in extras}
    unused = tuple(name for name in whole.outputs if name != found.output.name)
    return replace(found, session=session, extras=extras, values=values, unused=unused, card=card)


def _card(path: Path, filter_name: str, shown: Path) -> ModelCard | None:
    if CARD_KEY not in read_metadata(path):
        return None
    card = ModelFile(path).card
    if card.filter != filter_name:
        raise UsageError(
            f"{shown} is made for the filter {card.filter} ({card.title}); if that filter takes "
            f"--model, give it there: ganfilters apply {card.filter} --model {shown} ..."
        )
    return card


def _first_run(session: Session, path: Path) -> Network:
    """Find, by running the model, which input is the picture and which output is the result."""
    pictures = [info for info in session.inputs.values() if _layouts(info)]
    likely = [info for info in pictures if 3 in {c for _, c in _layouts(info)}] or pictures
    if not likely:
        raise UsageError(
            f"{path} takes no picture: its inputs are {_shapes(session.inputs)}, and a picture is "
            "1 x 3 x H x W or 1 x H x W x 3 (or 1 for grey), float or uint8"
        )
    if len(pictures) > 1:
        raise UsageError(
            f"{path} takes {len(pictures)} pictures ({_shapes({i.name: i for i in pictures})}); "
            "only a model of one can be wired, so write this filter by hand, with an ImageParam"
        )
    info = likely[0]
    extras = extras_of((other for other in session.inputs.values() if other is not info), path)
    problem = ""
    for layout, channels in _layouts(info):
        picture = Picture(
            info.name, layout, channels, _PICTURE_TYPES[info.type], _fixed(info, layout)
        )
        for values in neutral_values(extras):
            for height, width in [picture.size] if picture.size else _TRIAL_SIZES:
                pixels = photo(height, width)
                feeds = {info.name: picture.batch(pixels, "0..1"), **values}
                try:
                    made = dict(zip(session.outputs, session.run(feeds), strict=True))
                except GanfiltersError as error:
                    problem = problem or str(error)
                    continue
                for name, tensor in made.items():
                    result = _result(name, tensor, picture, (height, width))
                    if result is not None:
                        output, scale = result
                        return Network(session, picture, output, scale, extras, values)
                shown = ", ".join(f"{n} {_by(t.shape)}" for n, t in made.items())
                problem = (
                    f"its outputs for a picture of {width} x {height} are no picture of 1 or 3 "
                    f"channels and the same shape ({shown})"
                )
    raise UsageError(f"{path} cannot be wired: {problem}")


def _layouts(info: TensorInfo) -> list[tuple[str, int]]:
    """Return the layouts and channels that a tensor may have, the certain ones first."""
    if info.type not in _PICTURE_TYPES:
        return []
    shape = info.shape
    if len(shape) == 4:
        if shape[0] not in (None, 1):
            return []
        kinds = {"NCHW": shape[1], "NHWC": shape[3]}
    elif len(shape) == 3:
        kinds = {"CHW": shape[0], "HWC": shape[2]}
    else:
        return []
    certain = [(layout, channels) for layout, channels in kinds.items() if channels in (1, 3)]
    open_ = [layout for layout, channels in kinds.items() if channels is None]
    certain = [
        (layout, channels)
        for layout, channels in certain
        if all((shape[layout.index(letter)] or _SMALLEST) >= _SMALLEST for letter in "HW")
    ]
    guesses = [(layout, channels) for channels in (3, 1) for layout in open_]
    fitting = [(layout, int(channels or 0)) for layout, channels in certain]
    return fitting or guesses


def _fixed(info: TensorInfo, layout: str) -> tuple[int, int] | None:
    """Return height and width if the model fixes either; one that is open is set to the other."""
    height, width = (info.shape[layout.index(letter)] for letter in "HW")
    if height is None and width is None:
        return None
    return height or width or 1, width or height or 1


def _result(
    name: str, tensor: Array, given: Picture, size: tuple[int, int]
) -> tuple[Picture, Fraction] | None:
    """Return the output as a picture, and its scale, if it is one."""
    if str(tensor.dtype) not in _PICTURE_TYPES.values():
        return None
    layouts = ["NCHW", "NHWC"] if tensor.ndim == 4 else ["CHW", "HWC"]
    if "CHW" not in given.layout:
        layouts.reverse()
    if tensor.ndim not in (3, 4) or (tensor.ndim == 4 and tensor.shape[0] != 1):
        return None
    for layout in layouts:
        height, width, channels = (tensor.shape[layout.index(letter)] for letter in "HWC")
        scale = Fraction(height, size[0])
        if channels in (1, 3) and scale in _SCALES and Fraction(width, size[1]) == scale:
            return Picture(name, layout, channels, str(tensor.dtype)), scale
    return None


def _shapes(infos: dict[str, TensorInfo]) -> str:
    shown = [f"{info.name} {_by(info.shape)} {_kind(info.type)}" for info in infos.values()]
    return "; ".join(shown[:4]) + (f" and {len(shown) - 4} more" if len(shown) > 4 else "")


def _kind(text: str) -> str:
    return re.sub(r"tensor\((.*)\)", r"\1", text)


def _by(shape: tuple[int | None, ...]) -> str:
    return " x ".join("?" if side is None else str(side) for side in shape) or "single"

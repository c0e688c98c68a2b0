"""A colour halftone in pure NumPy: the picture as dots of cyan, magenta, yellow and black ink.

Every ink has its own screen, a grid of dots turned by its own angle so that the four make rosettes
and no moire. The size of a dot is the share of paper that its ink covers, so from afar the eye, or
a smaller copy, sees the colours of the picture.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from ganfilters import Filter, FloatArray, Image, Params, hookimpl, report_progress, resize
from pydantic import Field

__all__ = ["Halftone", "HalftoneParams", "ganfilters_filters"]

# Angles in degrees, as printers set them: black, the strongest, at the angle seen least; yellow,
# the weakest, at the one seen most.
ANGLES = {"cyan": 15.0, "magenta": 75.0, "yellow": 0.0, "black": 45.0}

# What light each ink, printed solid, leaves of white, linear red, green and blue.
INKS = {
    "cyan": (0.0, 0.42, 0.84),
    "magenta": (0.83, 0.01, 0.26),
    "yellow": (1.0, 0.86, 0.0),
    "black": (0.012, 0.011, 0.013),
}

PAPERS = {
    "white": (1.0, 1.0, 1.0),
    "cream": (0.97, 0.90, 0.76),
    "newsprint": (0.75, 0.72, 0.64),
}

_ROWS = 256  # rows worked on at once: bounds the memory, and how long a cancelled run goes on


class HalftoneParams(Params):
    """Parameters of `Halftone`."""

    presets = {
        "newspaper": {"inks": "black", "paper": "newsprint", "dot": 5.0, "lightness": 1.6},
        "comic": {"dot": 9.0, "paper": "cream", "contrast": 1.25, "lightness": 1.6},
        "poster": {"dot": 14.0, "black": 0.4, "lightness": 2.0},
        "fine": {"dot": 4.0, "lightness": 1.0},
    }

    dot: float = Field(
        8.0, ge=3.0, le=64.0, description="Distance from dot to dot of a screen in pixels"
    )
    inks: Literal["cmyk", "black"] = Field("cmyk", description="Inks that are printed with")
    paper: Literal["white", "cream", "newsprint"] = Field(
        "white", description="Colour of the paper"
    )
    angle: float = Field(0.0, ge=-90.0, le=90.0, description="Turn of all screens in degrees")
    contrast: float = Field(
        1.1, ge=0.5, le=2.0, description="Contrast of the picture before it is printed"
    )
    lightness: float = Field(
        1.3,
        ge=0.5,
        le=3.0,
        description="How light midtones are printed: 1 gives from afar the light of the picture, "
        "more suits coarse dots that are looked at from near",
    )
    black: float = Field(
        0.8,
        ge=0.0,
        le=1.0,
        description="Share of grey that is printed in black and not in three colours",
    )


class Halftone(Filter[HalftoneParams]):
    """Prints a picture in dots."""

    name = "halftone"
    summary = "Prints the picture in dots of ink, as newspapers and comics do"
    Params = HalftoneParams
    # No tiling: a tile does not know where it lies in the picture, so its screens would not meet
    # those of its neighbour. The memory is bounded by working on some rows at a time.

    def apply(self, image: Image, params: HalftoneParams) -> Image:
        """Return the print."""
        height, width = image.pixels.shape[:2]
        cover = separations(_smoothed(image.pixels, params.dot), params)
        result = np.empty_like(image.pixels)
        for top in range(0, height, _ROWS):
            report_progress(top / height, "printing")
            rows = slice(top, min(top + _ROWS, height))
            light = np.broadcast_to(
                np.array(PAPERS[params.paper], np.float32), (rows.stop - top, width, 3)
            )
            for ink, wanted in cover.items():
                share = screened(wanted[rows], top, ANGLES[ink] + params.angle, params.dot)
                left = np.array(INKS[ink], np.float32)
                # Where ink lies on ink, light passes through both.
                light = light * (1 - share[..., None] * (1 - left))
            result[rows] = _encoded(light)
        return image.replace(pixels=result)


def separations(pixels: FloatArray, params: HalftoneParams) -> dict[str, FloatArray]:
    """Return for each ink which share of the paper it covers, from 0 to 1."""
    stretched = (pixels - np.float32(0.5)) * np.float32(params.contrast) + np.float32(0.5)
    light = _linear(np.clip(stretched, 0.0, 1.0)) ** np.float32(1 / params.lightness)
    if params.inks == "black":
        return {"black": 1 - light @ np.array([0.2126, 0.7152, 0.0722], np.float32)}
    wanted = 1 - light
    # Under-colour removal: what all three inks have in common is grey, and black prints it better.
    black = np.float32(params.black) * wanted.min(axis=-1)
    rest = np.clip((wanted - black[..., None]) / np.maximum(1 - black, 1e-3)[..., None], 0.0, 1.0)
    cyan, magenta, yellow = np.moveaxis(rest, -1, 0)
    return {"yellow": yellow, "magenta": magenta, "cyan": cyan, "black": black}


def screened(cover: FloatArray, top: int, angle: float, dot: float) -> FloatArray:
    """Return ink as dots: 1 inside, 0 outside, between over the pixel that an edge runs through.

    Parameters
    ----------
    cover
        Share of the paper that the ink covers, some rows of the picture.
    top
        Row of the picture that the first of them is.
    angle
        Of the screen, in degrees.
    dot
        Distance of neighbouring dots in pixels.
    """
    height, width = cover.shape
    turn = np.deg2rad(angle)
    rows = np.arange(top, top + height, dtype=np.float32)[:, None]
    columns = np.arange(width, dtype=np.float32)[None, :]
    along = (columns * np.cos(turn) + rows * np.sin(turn)) / dot
    across = (rows * np.cos(turn) - columns * np.sin(turn)) / dot
    # A hill on every dot. Ink lies where the hill is high enough, which makes round dots that grow
    # into a chequerboard at one half and into round holes after that.
    hill = (np.cos(2 * np.pi * along) + np.cos(2 * np.pi * across)).astype(np.float32) / 2
    level = np.interp(cover, *_LEVELS).astype(np.float32)
    # The slope of the hill is about pi / dot for each pixel: this makes edges one pixel wide.
    share: FloatArray = np.clip((hill - level) * np.float32(dot / np.pi) + 0.5, 0.0, 1.0)
    # Where there is no ink at all there is no dot either, and where all is ink no hole.
    return np.where(cover < 0.004, 0.0, np.where(cover > 0.996, 1.0, share)).astype(np.float32)


def _levels() -> tuple[FloatArray, FloatArray]:
    """Return for shares of covered paper how high the hill is at the edge of the ink."""
    phase = 2 * np.pi * (np.arange(256) + 0.5) / 256
    heights = np.sort(((np.cos(phase)[:, None] + np.cos(phase)[None, :]) / 2).ravel())[::-1]
    cover = np.linspace(0.0, 1.0, 129)
    at = np.minimum((cover * heights.size).astype(int), heights.size - 1)
    return cover.astype(np.float32), heights[at].astype(np.float32)


_LEVELS = _levels()


def _smoothed(pixels: FloatArray, dot: float) -> FloatArray:
    """Return the picture without what is too small for the screen to show."""
    height, width = pixels.shape[:2]
    small = [max(round(side * 3 / dot), 1) for side in (width, height)]
    return np.clip(resize(resize(pixels, *small), width, height), 0.0, 1.0)


def _linear(values: FloatArray) -> FloatArray:
    """Return sRGB values as amounts of light, which are what mixes."""
    low = values / np.float32(12.92)
    high = ((values + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4)
    return np.where(values <= 0.04045, low, high)


def _encoded(light: FloatArray) -> FloatArray:
    """Return amounts of light as sRGB values."""
    light = np.clip(light, 0.0, 1.0)
    high = np.float32(1.055) * light ** np.float32(1 / 2.4) - np.float32(0.055)
    return np.where(light <= 0.0031308, light * np.float32(12.92), high)


@hookimpl
def ganfilters_filters() -> list[type[Halftone]]:
    """Return the filters of this plugin."""
    return [Halftone]

"""Colour profiles: from a picture's own colour space to sRGB and back.

lcms2 does the arithmetic, through imagecodecs. Three things about it were measured, not guessed:
with 16-bit samples its optimisation errs by up to 19 of 255 levels in the shadows, so these are
transformed as float, and CMYK (which has no handy float form) without optimisation; with 8-bit RGB
going in it errs by a third of a level and is 15 times as fast, so there it stays on; and it
releases the interpreter's lock, so blocks run on several threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ganfilters.image import FloatArray
from ganfilters.tiling import row_blocks

__all__ = ["Profile", "from_srgb", "naive_cmyk", "naive_rgb", "to_srgb", "usable"]

Samples = npt.NDArray[Any]
_SPACES = {"L": (b"GRAY", "gray"), "RGB": (b"RGB ", "rgb"), "CMYK": (b"CMYK", "cmyk")}
_BLOCK = 1 << 19  # pixels: large enough to amortise setting up a transform, small against a photo


@dataclass(frozen=True)
class Profile:
    """A profile that lcms2 can use.

    Attributes
    ----------
    data
        The profile as it was embedded.
    mode
        ``"L"``, ``"RGB"`` or ``"CMYK"``.
    is_srgb
        Numbers mean what they mean in sRGB, so nothing is converted.
    reversible
        There is a way back from sRGB.
    """

    data: bytes
    mode: str
    is_srgb: bool
    reversible: bool


@lru_cache(maxsize=1)
def _srgb() -> bytes:
    import imagecodecs

    return imagecodecs.cms_profile("srgb")


def _transform(
    data: Samples, profile: Profile, *, back: bool, dtype: str, fast: bool = False
) -> Samples:
    import imagecodecs

    intent = imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC
    flags = int(imagecodecs.CMS.FLAGS.BLACKPOINTCOMPENSATION)
    if not fast:
        flags |= imagecodecs.CMS.FLAGS.NOOPTIMIZE
    space = _SPACES[profile.mode][1]
    source, target = (_srgb(), profile.data) if back else (profile.data, _srgb())
    return imagecodecs.cms_transform(
        np.ascontiguousarray(data),
        source,
        target,
        colorspace="rgb" if back else space,
        outcolorspace=space if back else "rgb",
        outdtype=dtype,
        intent=intent,
        flags=flags,
    )


@lru_cache(maxsize=16)
def usable(data: bytes | None, mode: str) -> Profile | None:
    """Return the profile, or None if it is damaged or not made for samples of this mode."""
    if not data or mode not in _SPACES or len(data) < 132:
        return None
    if data[36:40] != b"acsp" or data[16:20] != _SPACES[mode][0]:
        return None
    if int.from_bytes(data[:4], "big") > len(data):
        return None
    channels = {"L": 1, "RGB": 3, "CMYK": 4}[mode]
    levels = 33 if mode == "L" else 5
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, levels)] * channels, indexing="ij"), axis=-1)
    probe = np.rint(grid.reshape(1, -1, channels) * 65535).astype(np.uint16)
    profile = Profile(data, mode, is_srgb=False, reversible=True)
    try:
        seen = _block_to_srgb(probe, profile)
    except Exception:  # noqa: BLE001 - whatever lcms2 cannot use counts as no profile
        return None
    if not np.isfinite(seen).all():
        return None
    if mode != "CMYK" and float(np.abs(seen - probe / np.float32(65535)).max()) < 1 / 512:
        return Profile(data, mode, is_srgb=True, reversible=True)
    try:
        _block_from_srgb(seen, profile, 16)
    except Exception:  # noqa: BLE001 - a profile for input only, as scanners have
        return Profile(data, mode, is_srgb=False, reversible=False)
    return profile


def _each_block(work: Callable[[slice], None], height: int, width: int, *, threads: bool) -> None:
    blocks = list(row_blocks((height, width), _BLOCK))
    count = min(4, os.cpu_count() or 1, len(blocks))
    if not threads or count < 2:
        for rows in blocks:
            work(rows)
        return
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(work, blocks))


def naive_rgb(samples: Samples, limit: int) -> FloatArray:
    """Return CMYK samples as RGB in [0, 1] where no profile says what the inks look like."""
    ink = samples.astype(np.float32) / np.float32(limit)
    light: FloatArray = (1 - ink[..., :3]) * (1 - ink[..., 3:])
    return light


def naive_cmyk(pixels: FloatArray) -> FloatArray:
    """Return RGB as CMYK in [0, 1], with as much black as goes: the reverse of `naive_rgb`."""
    light = pixels.max(axis=2, keepdims=True)
    ink = 1 - pixels / np.maximum(light, np.float32(1e-6))
    ink[np.broadcast_to(light <= 0, ink.shape)] = 0
    return np.concatenate([ink, 1 - light], axis=2)


def _block_to_srgb(samples: Samples, profile: Profile | None) -> FloatArray:
    limit = np.iinfo(samples.dtype).max
    if profile is None:
        return naive_rgb(samples, limit)
    if profile.mode == "CMYK":
        inks = samples if limit == 65535 else samples.astype(np.uint16) * np.uint16(257)
        seen = _transform(inks, profile, back=False, dtype="uint16").astype(np.float32)
        seen /= np.float32(65535)
        return seen
    if profile.mode == "RGB" and limit == 255:
        seen = _transform(samples, profile, back=False, dtype="uint16", fast=True)
        return np.divide(seen, np.float32(65535), dtype=np.float32)
    values = samples.astype(np.float32)
    values /= np.float32(limit)
    if profile.mode == "L":
        values = values[..., 0]
    seen = _transform(values, profile, back=False, dtype="float32").astype(np.float32, copy=False)
    if profile.mode == "L":
        seen[...] = seen[..., :1]  # exactly grey, as rounding is not
    return np.clip(seen, 0, 1, out=seen)


def _block_from_srgb(pixels: FloatArray, profile: Profile | None, depth: int) -> Samples:
    limit = (1 << depth) - 1
    dtype: Literal["uint8", "uint16"] = "uint8" if depth == 8 else "uint16"
    if profile is None:
        values = naive_cmyk(pixels)
    elif profile.mode == "CMYK":
        deep = np.rint(np.clip(pixels, 0, 1) * np.float32(65535)).astype(np.uint16)
        inks = _transform(deep, profile, back=True, dtype="uint16")
        return inks if depth == 16 else ((inks.astype(np.uint32) + 128) // 257).astype(np.uint8)
    else:
        values = _transform(pixels, profile, back=True, dtype="float32")
    values = np.clip(values, 0, 1) * np.float32(limit)
    samples = np.rint(values).astype(dtype)
    return samples.reshape(*pixels.shape[:2], -1)


def to_srgb(samples: Samples, profile: Profile | None, out: FloatArray) -> None:
    """Convert samples of another colour space to sRGB in [0, 1]; CMYK needs no profile.

    What sRGB cannot show is clipped.
    """

    def work(rows: slice) -> None:
        out[rows] = _block_to_srgb(samples[rows], profile)

    _each_block(work, *samples.shape[:2], threads=profile is not None)


def from_srgb(pixels: FloatArray, profile: Profile | None, depth: int, out: Samples) -> None:
    """Convert sRGB in [0, 1] to samples of 8 or 16 bits; CMYK needs no profile."""

    def work(rows: slice) -> None:
        out[rows] = _block_from_srgb(pixels[rows], profile, depth)

    _each_block(work, *pixels.shape[:2], threads=profile is not None)

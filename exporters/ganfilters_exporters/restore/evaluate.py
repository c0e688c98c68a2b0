"""The command ``ganfilters evaluate denoise``: what is left of damage of known strength."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from ganfilters import ModelFile, Runtime, pad_to

from ..data import list_pictures, none_usable, read_picture
from .denoiser import MULTIPLE, SMALLEST

__all__ = [
    "QUALITIES", "SIGMAS", "Denoise", "compressed", "evaluate_denoise", "noised", "open_denoiser",
    "psnr", "write_figures",
]  # fmt: skip

SIGMAS = (15, 25, 50)
"""Deviations of colour Gaussian noise, in 255ths, that papers report."""

QUALITIES = (10, 30)
"""Qualities of JPEG."""

ESTIMATED = (-1.0, -1.0)

Array = np.ndarray[Any, Any]
Denoise = Callable[[Array, Sequence[float]], Array]


def evaluate_denoise(
    model: Path, photos: Sequence[Path], count: int = 20, threads: int | None = None
) -> dict[str, Any]:
    """Measure a denoising network on photographs that it was not trained on.

    Parameters
    ----------
    model : Path
        An ``.onnx`` file made by ``ganfilters train denoise``.
    photos : sequence of Path
        Folders or files.
    count : int
        How many are used, spread over all.
    threads : int, optional
        On the CPU.

    Returns
    -------
    dict
        ``photos``, their number, ``skipped``, those that are broken or too small, and mean peak
        signal-to-noise ratios in decibels: for each of `SIGMAS` ``noisy``, ``told`` (the network is
        told the deviation) and ``estimated``; for each of `QUALITIES` ``encoded`` and
        ``estimated``.

    Raises
    ------
    UsageError
        There is no usable photograph, or `model` is another kind of network.
    """
    denoise = open_denoiser(model, threads)
    files = list_pictures(photos)
    files = files[:: max(1, len(files) // count)][:count]
    pictures, skipped = [], []
    for file in files:
        try:
            pictures.append(_read(file))
        except ValueError as error:
            skipped.append(str(error))
    if not pictures:
        raise none_usable(photos, skipped, SMALLEST)
    found: dict[str, Any] = {"photos": len(pictures), "skipped": skipped}
    for sigma in SIGMAS:
        noisy = [noised(picture, sigma, n) for n, picture in enumerate(pictures)]
        found[f"sigma_{sigma}"] = {
            "noisy": _mean(pictures, noisy),
            "told": _mean(pictures, [denoise(each, (sigma, 0.0)) for each in noisy]),
            "estimated": _mean(pictures, [denoise(each, ESTIMATED) for each in noisy]),
        }
    for quality in QUALITIES:
        encoded = [compressed(picture, quality) for picture in pictures]
        found[f"jpeg_{quality}"] = {
            "encoded": _mean(pictures, encoded),
            "estimated": _mean(pictures, [denoise(each, ESTIMATED) for each in encoded]),
        }
    return found


def open_denoiser(model: Path | ModelFile, threads: int | None = None) -> Denoise:
    """Return a function of a picture (H, W, 3) and two strengths, as the network takes them.

    Not the filter, whose pictures are in [0, 1]: noise as papers measure it leads out of that.
    """
    file = model if isinstance(model, ModelFile) else ModelFile(model)
    file.card_for("denoise")
    session = Runtime("cpu", threads=threads).session(file)

    def denoise(noisy: Array, strengths: Sequence[float]) -> Array:
        height, width = (-(-side // MULTIPLE) * MULTIPLE for side in noisy.shape[:2])
        padded = pad_to(noisy, height, width).transpose(2, 0, 1)[None]
        feeds = {
            "image": np.ascontiguousarray(padded),
            "strengths": np.array(strengths, np.float32),
        }
        (denoised,) = session.run(feeds, ["denoised"])
        made: Array = denoised[0].transpose(1, 2, 0)[: noisy.shape[0], : noisy.shape[1]]
        return made

    return denoise


def noised(picture: Array, sigma: float, number: int, *, clipped: bool = False) -> Array:
    """Add the noise of picture `number`; unclipped as in papers, or as an 8-bit file has it."""
    noise = np.random.default_rng([7, number]).standard_normal(picture.shape, np.float32)
    noisy: Array = picture + np.float32(sigma / 255) * noise
    return np.rint(noisy.clip(0, 1) * 255) / np.float32(255) if clipped else noisy


def compressed(picture: Array, quality: int) -> Array:
    """Return a picture as it comes back from JPEG."""
    file = io.BytesIO()
    Pillow.fromarray(np.rint(picture * 255).astype(np.uint8)).save(file, "JPEG", quality=quality)
    return np.asarray(Pillow.open(file), np.float32) / np.float32(255)


def psnr(picture: Array, found: Array) -> float:
    """Return the peak signal-to-noise ratio in decibels, of `found` as it would be stored."""
    error = float(np.square(found.clip(0, 1) - picture).mean())
    return float(-10 * np.log10(max(error, 1e-10)))


def write_figures(model: Path, found: dict[str, Any]) -> None:
    """Put what `evaluate_denoise` found into the card of the network."""
    from .. import export  # imported here: measuring needs no onnx

    figures = {
        f"psnr_{damage}_{way}": ratio
        for damage, ways in found.items() if isinstance(ways, dict)
        for way, ratio in ways.items()
    }  # fmt: skip
    export.add_quality(model, {"psnr_photos": found["photos"], **figures})


def _read(file: Path) -> Array:
    """Return a picture, (H, W, 3) in [0, 1].

    Raises
    ------
    ValueError
        It is broken or too small: names the file.
    """
    try:
        picture = np.asarray(read_picture(file), np.float32) / np.float32(255)
    except (OSError, ValueError, SyntaxError) as error:  # what Pillow raises for broken files
        raise ValueError(f"{file}: {error}") from error
    if min(picture.shape[:2]) < SMALLEST:
        raise ValueError(f"{file}: pictures of {SMALLEST} pixels or more are needed")
    return picture


def _mean(pictures: Sequence[Array], found: Sequence[Array]) -> float:
    ratios = [psnr(*pair) for pair in zip(pictures, found, strict=True)]
    return round(float(np.mean(ratios)), 2)

"""The command ``ganfilters evaluate denoise``: what is left of damage of known strength."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow
from torch import Tensor

from ganfilters import ModelFile, Runtime, pad_to, padded_size

from ..data import list_pictures, none_usable, read_picture, read_some
from ..losses import GramLoss, load_vgg16_features
from .denoiser import MULTIPLE, SMALLEST

__all__ = [
    "ESTIMATED", "QUALITIES", "SIGMAS", "Denoise", "TextureDistance", "compressed",
    "evaluate_denoise", "noised", "open_denoiser", "psnr", "write_figures",
]  # fmt: skip

SIGMAS = (15, 25, 50)
"""Deviations of colour Gaussian noise, in 255ths, that papers report."""

QUALITIES = (10, 30)
"""Qualities of JPEG."""

ESTIMATED = (-1.0, -1.0)
"""Strengths that say: estimate them."""

Array = np.ndarray[Any, Any]
Denoise = Callable[[Array, Sequence[float]], Array]
Measure = Callable[[Array], float]


def evaluate_denoise(
    model: Path,
    photos: Sequence[Path],
    count: int = 20,
    threads: int | None = None,
    teacher: Path | None = None,
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
    teacher : Path, optional
        VGG16's weights, for distances of texture: the least error is not what looks most like a
        photograph (Blau and Michaeli, "The Perception-Distortion Tradeoff", 2018).

    Returns
    -------
    dict
        ``photos``, their number, ``skipped``, those that are broken or too small, and mean peak
        signal-to-noise ratios in decibels: for each of `SIGMAS` ``noisy``, ``told`` (the network is
        told the deviation) and ``estimated``; for each of `QUALITIES` ``encoded`` and
        ``estimated``. With a teacher also ``texture``, the same of the mean `TextureDistance`.

    Raises
    ------
    UsageError
        There is no usable photograph, or `model` is another kind of network.
    """
    denoise = open_denoiser(model, threads)
    read, skipped = read_some(list_pictures(photos), count, _read)
    pictures = list(read.values())
    if not pictures:
        raise none_usable(photos, skipped, SMALLEST)
    found: dict[str, Any] = {"photos": len(pictures), "skipped": skipped}
    ratios: list[Measure] = [partial(psnr, picture) for picture in pictures]
    distances: list[Measure] = []
    if teacher is not None:
        texture = TextureDistance(teacher)
        distances = [texture.to(picture) for picture in pictures]
        found["texture"] = {}
    for damage, ways in _cleaned(denoise, pictures):
        found[damage] = _means(ways, ratios, 2)
        if distances:
            found["texture"][damage] = _means(ways, distances, 4)
    return found


def _cleaned(
    denoise: Denoise, pictures: Sequence[Array]
) -> Iterator[tuple[str, dict[str, list[Array]]]]:
    """Yield each kind of damage, and the pictures damaged and cleaned, by way."""
    for sigma in SIGMAS:
        noisy = [noised(picture, sigma, n) for n, picture in enumerate(pictures)]
        told = [denoise(each, (sigma, 0.0)) for each in noisy]
        estimated = [denoise(each, ESTIMATED) for each in noisy]
        yield f"sigma_{sigma}", {"noisy": noisy, "told": told, "estimated": estimated}
    for quality in QUALITIES:
        encoded = [compressed(picture, quality) for picture in pictures]
        estimated = [denoise(each, ESTIMATED) for each in encoded]
        yield f"jpeg_{quality}", {"encoded": encoded, "estimated": estimated}


def _means(
    ways: dict[str, list[Array]], measures: Sequence[Measure], digits: int
) -> dict[str, float]:
    """Return the mean figure of each way's pictures, each with a measure of its own."""
    means = {}
    for way, made in ways.items():
        figures = [measure(each) for measure, each in zip(measures, made, strict=True)]
        means[way] = round(float(np.mean(figures)), digits)
    return means


def open_denoiser(model: Path | ModelFile, threads: int | None = None) -> Denoise:
    """Return a function of a picture (H, W, 3) and two strengths, as the network takes them.

    Not the filter, whose pictures are in [0, 1]: noise as papers measure it leads out of that.
    """
    file = model if isinstance(model, ModelFile) else ModelFile(model)
    file.card_for("denoise")
    session = Runtime("cpu", threads=threads).session(file)

    def denoise(noisy: Array, strengths: Sequence[float]) -> Array:
        height, width = noisy.shape[:2]
        padded = pad_to(noisy, *padded_size(height, width, MULTIPLE, SMALLEST))
        feeds = {
            "image": np.ascontiguousarray(padded.transpose(2, 0, 1)[None]),
            "strengths": np.array(strengths, np.float32),
        }
        (denoised,) = session.run(feeds, ["denoised"])
        made: Array = denoised[0].transpose(1, 2, 0)[:height, :width]
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


class TextureDistance:
    """How unlike the textures of two pictures are, wherever in them it is.

    The relative squared difference of Gram matrices of VGG16's features (Gatys, Ecker and Bethge,
    "Texture Synthesis Using Convolutional Neural Networks", 2015): made-up texture is right if it
    is of the right kind, though no pixel of it be.

    Parameters
    ----------
    teacher : Path
        VGG16's weights, see :func:`..backbones.vgg16.load`.
    """

    def __init__(self, teacher: Path) -> None:
        self.network = load_vgg16_features(teacher)
        self.grams = GramLoss()

    def to(self, picture: Array) -> Measure:
        """Return what measures the distance of others, as they would be stored, all (H, W, 3)."""
        target = self.grams.target(self._features(picture))

        def distance(found: Array) -> float:
            return float(self.grams(self._features(found.clip(0, 1)), target))

        return distance

    @torch.inference_mode()
    def _features(self, picture: Array) -> dict[str, Tensor]:
        planes = np.ascontiguousarray(picture.transpose(2, 0, 1)[None])
        found: dict[str, Tensor] = self.network(torch.from_numpy(planes))
        return found


def write_figures(model: Path, found: dict[str, Any]) -> None:
    """Put what `evaluate_denoise` found into the card of the network."""
    from .. import export  # imported here: measuring needs no onnx

    distances = found.get("texture", {})
    ratios = {k: v for k, v in found.items() if isinstance(v, dict) and k != "texture"}
    figures = {
        f"{name}_{damage}_{way}": figure
        for name, by_damage in (("psnr", ratios), ("texture", distances))
        for damage, ways in by_damage.items()
        for way, figure in ways.items()
    }
    export.add_quality(model, {"psnr_photos": found["photos"], **figures})


def _read(file: Path) -> Array:
    """Return a picture, (H, W, 3) in [0, 1].

    Raises
    ------
    ValueError
        It is too small.
    """
    picture = np.asarray(read_picture(file), np.float32) / np.float32(255)
    if min(picture.shape[:2]) < SMALLEST:
        raise ValueError(f"pictures of {SMALLEST} pixels or more are needed")
    return picture

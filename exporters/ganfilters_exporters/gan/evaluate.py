"""The command ``ganfilters evaluate gan``: how good samples are, and whether they are copies."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ganfilters.errors import UsageError

from ..backbones import BACKBONES, Backbone
from ..data import Pictures
from ..files import make_folder, written_whole
from ..sheets import grid, write_picture
from ..task import checksum
from .classifier import SMALL, class_accuracy, train_classifier
from .collapse import diversity, shares, shrunk
from .metrics import (
    frechet_distance,
    kernel_distance,
    nearest,
    precision_recall_density_coverage,
)
from .samplers import Sampler, open_sampler
from .train import load_data

__all__ = ["EvaluationRequest", "evaluate_gan", "write_figures"]

FEATURE_SIDE, SMALL_FEATURE_SIDE = 128, 64
"""Side that pictures are resized to; the second for those that are no larger than `SMALL`."""

LAYER = "head"
SHOWN = 12
FEWEST = 10
"""Real pictures: neighbours and covariances need some."""

NEIGHBOURS = 4


@dataclass(frozen=True)
class EvaluationRequest:
    """What is measured.

    Attributes
    ----------
    model : Path
        An ``.onnx`` file, or a run's folder.
    data : tuple of Path
        Folders, or one ``.npz``: what it was trained on.
    count : int
        Samples, and as many real pictures if there are.
    truncation : float
        Of the samples.
    cache : Path or None
        Folder for what is computed once, and for pictures.
    backbone : Path or None
        Weights of EfficientNet-Lite0.
    seed : int
        Of the samples.
    """

    model: Path
    data: tuple[Path, ...]
    count: int = 5000
    truncation: float = 1.0
    cache: Path | None = None
    backbone: Path | None = None
    seed: int = 0


def _backbone(request: EvaluationRequest) -> Backbone:
    return BACKBONES["efficientnet-lite0"](request.backbone)


def evaluate_gan(
    request: EvaluationRequest,
    backbone: Callable[[EvaluationRequest], Backbone] = _backbone,
    *,
    epochs: int | None = None,
) -> dict[str, Any]:
    """Measure a generator against its data.

    Parameters
    ----------
    request : EvaluationRequest
        What to measure.
    backbone : callable, optional
        In place of EfficientNet-Lite0 read from its package.
    epochs : int, optional
        For the classifier, in place of as many as are good for it.

    Returns
    -------
    dict
        Figures, as JSON. Distances are on EfficientNet-Lite0's pooled last features.

    Raises
    ------
    UsageError
        The model is no generator, the data does not fit it, or there are too few pictures.
    """
    sampler = open_sampler(request.model, torch.get_num_threads())
    classes = len(sampler.classes)
    if request.count < 2 * classes:
        raise UsageError(
            f"--count {request.count} is too few for two samples of each of {classes} classes; "
            f"give {2 * classes} or more"
        )
    pictures = load_data(request.data, sampler.size, sampler.channels, conditional=classes > 0)
    if classes and pictures.classes != sampler.classes:
        raise UsageError(
            f"{request.data[0]} has the classes {', '.join(pictures.classes[:5])}, ..., the model "
            f"{', '.join(sampler.classes[:5])}, ...; give the data it was trained on"
        )
    if len(pictures) < FEWEST:
        raise UsageError(
            f"{request.data[0]} has {len(pictures)} pictures; {FEWEST} are needed to compare with"
        )
    cache = request.cache or _beside(request.model)
    make_folder(cache)
    side = SMALL_FEATURE_SIDE if sampler.size <= SMALL else FEATURE_SIDE
    network = _Pooled(backbone(request), side)
    real_pixels = _resized(pictures.pixels, sampler.size)
    name = f"features-{side}-{network.weights}"
    real = _cached(cache, name, [real_pixels], lambda: network(real_pixels))
    chosen = torch.randperm(len(real), generator=torch.Generator().manual_seed(request.seed))
    chosen = chosen[: request.count]
    samples, labels = sampler.sample(request.count, request.seed, request.truncation)
    fake = network(samples)
    mean, error = kernel_distance(real[chosen], fake, seed=request.seed)
    found: dict[str, Any] = {
        "model": request.model.name,
        "samples": len(samples),
        "real": len(chosen),
        "features": f"EfficientNet-Lite0 {LAYER}, pictures at {side} x {side}",
        "truncation": request.truncation,
        "frechet_distance": frechet_distance(real[chosen], fake),
        "kernel_distance": mean,
        "kernel_distance_error": error,
        **precision_recall_density_coverage(real[chosen], fake),
        "diversity": _diversity(pictures, real_pixels, samples, labels, sampler),
        "copying": _copying(real, real_pixels, fake, samples, cache),
    }
    if classes:
        found["class_accuracy"] = _accuracy(
            cache, pictures, real_pixels, real, samples, fake, labels, epochs
        )
    return found


def _beside(model: Path) -> Path:
    if model.is_dir():
        return model / "evaluation"
    return model.with_name(model.name + ".evaluation")


def _resized(pixels: Tensor, size: int) -> Tensor:
    """Return uint8 pictures of the generator's size."""
    if pixels.shape[1] == size:
        return pixels
    parts = []
    for part in torch.split(pixels, 512):
        images = functional.interpolate(
            part.permute(0, 3, 1, 2).float(), (size, size), mode="bilinear", antialias=True
        )
        parts.append(images.round().clamp(0, 255).byte().permute(0, 2, 3, 1))
    return torch.cat(parts)


class _Pooled:
    """Pictures, uint8 (N, H, W, 1 or 3), to features (N, D)."""

    def __init__(self, backbone: Backbone, side: int) -> None:
        self.side = side
        self.segments = backbone.segments[: len(backbone.layers)]
        states = [segment.state_dict() for segment in self.segments]
        # Others' features mean something else.
        self.weights = checksum(tensor for state in states for tensor in state.values())
        for segment in self.segments:
            segment.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def __call__(self, pixels: Tensor) -> Tensor:
        found = []
        for part in torch.split(pixels, 64):
            x = part.permute(0, 3, 1, 2).float() / 255
            x = x.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
            if x.shape[-1] != self.side:
                size = (self.side, self.side)
                x = functional.interpolate(x, size, mode="bilinear", antialias=True)
            for segment in self.segments:
                x = segment(x)
            found.append(x.mean((2, 3)))
        return torch.cat(found).clone()


def _cached(cache: Path, name: str, keys: list[Tensor], compute: Callable[[], Any]) -> Any:
    """Return what was computed before for the same tensors, or compute and keep it."""
    digest = hashlib.blake2b(digest_size=8)
    for key in keys:
        digest.update(str(key.shape).encode() + key.contiguous().numpy().tobytes())
    path = cache / f"{name}-{digest.hexdigest()}.pt"
    if path.exists():
        try:
            return torch.load(path, weights_only=True)
        except Exception:  # noqa: BLE001 - a damaged cache is computed anew, whatever its damage
            path.unlink()
    value = compute()
    with written_whole(path) as file:
        torch.save(value, file)
    return value


def _diversity(
    pictures: Pictures, real: Tensor, samples: Tensor, labels: Tensor, sampler: Sampler
) -> dict[str, Any]:
    """Return the diversity of samples as a share of the data's, within classes."""
    classes = len(sampler.classes)
    chosen = torch.randperm(len(real), generator=torch.Generator().manual_seed(0))[: len(samples)]
    real_labels = pictures.labels[chosen] if classes and pictures.labels is not None else None
    pair = [
        diversity(_shrunk(pixels), some, classes)
        for pixels, some in ((samples, labels if classes else None), (real[chosen], real_labels))
    ]
    ratios = shares(*pair)
    known = ratios[~ratios.isnan()]
    if not len(known):
        raise UsageError("the data has no two different pictures of a class to compare with")
    return {"mean": float(known.mean()), "least": float(known.min())}


def _shrunk(pixels: Tensor) -> Tensor:
    """Return uint8 pictures as diversity compares them, in [0, 1], without a float copy of all."""
    parts = torch.split(pixels, 512)
    return torch.cat([shrunk(part.permute(0, 3, 1, 2).float() / 255) for part in parts])


def _copying(
    real: Tensor, real_pixels: Tensor, fake: Tensor, samples: Tensor, cache: Path
) -> dict[str, Any]:
    """Compare how near samples are to the data with how near real pictures are to one another.

    A real picture and the rest of the data are as a held-out picture and the data: near 1 samples
    are new, near 0 they are copies. Duplicates in the data count on the real side too.
    """
    distance, numbers = nearest(fake, real, NEIGHBOURS)
    held_out, _ = nearest(real, real, 1, itself=True)
    rows = []
    for number in range(min(SHOWN, len(samples))):
        rows += [samples[number], *real_pixels[numbers[number]]]
    images = torch.stack(rows).permute(0, 3, 1, 2).float() / 255
    path = cache / "neighbours.png"
    write_picture(grid(images, 1 + NEIGHBOURS), path, 2 if images.shape[-1] < 48 else 1)
    return {
        "sample_to_data": float(distance[:, 0].median()),
        "held_out_to_data": float(held_out.median()),
        "ratio": float(distance[:, 0].median() / held_out.median()),
        "picture": str(path),
    }


def _accuracy(
    cache: Path,
    pictures: Pictures,
    real_pixels: Tensor,
    real: Tensor,
    samples: Tensor,
    fake: Tensor,
    labels: Tensor,
    epochs: int | None,
) -> dict[str, Any]:
    """Return how often a classifier sees in a sample the class that was asked for."""
    true = pictures.labels
    assert true is not None  # noqa: S101 - loaded with classes
    own = real_pixels.shape[1] <= SMALL
    inputs, judged = (real_pixels, samples) if own else (real, fake)
    model = _cached(
        cache,
        "classifier",
        [inputs, true],
        lambda: train_classifier(inputs, true, len(pictures.classes), epochs=epochs or 10),
    )
    found = class_accuracy(model, judged, labels)
    by_class = dict(zip(pictures.classes, found["by_class"], strict=True))
    return {
        "samples": found["accuracy"],
        "held_out_data": model["held_out"],
        "by_class": by_class,
        "classifier": "convolutional network" if own else "linear, on the features",
    }


def write_figures(model: Path, found: dict[str, Any]) -> None:
    """Put what `evaluate_gan` found into the card of an ``.onnx`` file."""
    # Imported here: measuring a run needs no onnx.
    from .. import export

    names = ("samples", "truncation", "frechet_distance", "kernel_distance", "precision", "recall",
             "density", "coverage")  # fmt: skip
    figures = {name: float(found[name]) for name in names}
    figures |= {f"diversity_{key}": float(value) for key, value in found["diversity"].items()}
    if "class_accuracy" in found:
        figures["class_accuracy"] = found["class_accuracy"]["samples"]
        figures["class_accuracy_of_held_out_data"] = found["class_accuracy"]["held_out_data"]
    export.add_quality(model, figures)

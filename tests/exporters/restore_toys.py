"""Small networks and quick settings for the tests of restoration."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

from ganfilters_exporters.restore.denoiser import DenoiserConfig
from ganfilters_exporters.restore.denoising import DenoisingConfig
from ganfilters_exporters.restore.filler import FillerConfig
from ganfilters_exporters.restore.filling import FillingConfig
from ganfilters_exporters.restore.train import DenoiseRequest, InpaintRequest
from ganfilters_exporters.trainer import TrainConfig

from .gan_toys import backbone
from .style_toys import loss_network, pictures

__all__ = ["DENOISER", "FILLER", "backbone", "denoise_request", "inpaint_request", "loss_network",
           "pictures"]  # fmt: skip

# Threads of tiny networks only wait for one another.
torch.set_num_threads(1)

FILLER = FillerConfig(widths=(4, 4, 4, 6, 6), blocks=(0, 0, 1, 1, 1), kernel=3)
DENOISER = DenoiserConfig(widths=(8, 8, 8), blocks=1, estimator=4)


def inpaint_request(folder: Path, **how: Any) -> InpaintRequest:
    """Return a request on soft pictures of 64 pixels."""
    base = {"size": 64, "batch": 4, "rate": 5e-3, "warm_up": 0, "perceptual_size": 32}
    return InpaintRequest(
        photos=(pictures(folder / "photos", 4, 80),), out=folder / "inpaint.onnx",
        run=folder / "inpaint.run", how=FillingConfig(**{**base, "zoom": (0.8, 1.0), **how}),
        teacher=folder / "unused", network=FILLER,
    )  # fmt: skip


def denoise_request(folder: Path, **how: Any) -> DenoiseRequest:
    """Return a request on soft pictures of 64 pixels."""
    base = {"size": 32, "batch": 8, "rate": 1e-2}
    return DenoiseRequest(
        photos=(pictures(folder / "photos", 4, 80),), out=folder / "denoise.onnx",
        run=folder / "denoise.run", how=DenoisingConfig(**{**base, "zoom": (0.8, 1.0), **how}),
        network=DENOISER,
    )  # fmt: skip


def quick(steps: int, **changes: Any) -> TrainConfig:
    """Return a quiet run on the CPU."""
    values = {"device": "cpu", "quiet": True, "log_every": 5, "checkpoint_every": 10**6}
    return TrainConfig(steps=steps, **{**values, **changes})


def changed(request: Any, **how: Any) -> Any:
    """Return a request with other settings of training."""
    return dataclasses.replace(request, how=dataclasses.replace(request.how, **how))

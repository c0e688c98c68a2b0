"""Small restoration networks, exported once, and hosts that know the filters."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ganfilters_denoise
import ganfilters_inpaint.outpaint
from ganfilters import Host
from ganfilters.registry import Registry, Source
from ganfilters_exporters.restore.denoiser import Denoiser
from ganfilters_exporters.restore.export import export_restorer
from ganfilters_exporters.restore.filler import Filler

from ..exported import exported_once
from ..exporters.restore_toys import DENOISER, FILLER

CARD: dict[str, Any] = {"command": "test", "licence": "CC0-1.0"}


def floats(array: np.ndarray) -> np.ndarray:
    """Return 8-bit samples as a filter sees them."""
    return (array / np.float32(255)).astype(np.float32)


@pytest.fixture(scope="session")
def filler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that carries the surrounding colours on, with a little noise of its own."""
    torch.manual_seed(1)
    network = Filler(FILLER).eval()
    with torch.no_grad():
        for up in network.ups:
            up.strength.add_(0.3)
    export = partial(
        export_restorer,
        network,
        title="Fills",
        overwrite=False,
        card={**CARD, "extra": {"training": {"size": 64}}},
    )
    return exported_once(tmp_path_factory, "filler.onnx", export)


@pytest.fixture(scope="session")
def denoiser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random network that changes what it is given."""
    torch.manual_seed(2)
    export = partial(
        export_restorer, Denoiser(DENOISER), title="Cleans", overwrite=False, card=CARD
    )
    return exported_once(tmp_path_factory, "denoiser.onnx", export)


@pytest.fixture(scope="session")
def host() -> Host:
    """A host with the filters of both plugins."""
    sources = [
        Source(plugin.__name__, "ganfilters", "0", lambda plugin=plugin: plugin)  # type: ignore[misc]
        for plugin in (ganfilters_inpaint, ganfilters_inpaint.outpaint, ganfilters_denoise)
    ]
    return Host("cpu", threads=1, registry=Registry(sources))


@pytest.fixture
def photo() -> np.ndarray:
    """A soft picture with some grain, uint8."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 200, 144)[:, None, None] + np.array([0, 20, 40])
    return np.clip(ramp + rng.integers(0, 12, (144, 176, 3)), 0, 255).astype(np.uint8)


@pytest.fixture
def hole() -> np.ndarray:
    """A mask of the photo's size with a box in it, uint8."""
    mask = np.zeros((144, 176), np.uint8)
    mask[50:90, 60:110] = 255
    return mask

"""Small generators, exported once."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from ganfilters_exporters.gan.export import export_gan
from ganfilters_exporters.gan.networks import GENERATORS

from ..exported import exported_once
from ..exporters.gan_toys import CLASSES, NETWORKS, backbone


def _export(out: Path, arch: str, **changes: object) -> None:
    torch.manual_seed(3)
    config = dataclasses.replace(NETWORKS[arch], **changes)  # type: ignore[arg-type]
    network = GENERATORS[arch](config)
    for key, parameter in network.named_parameters():
        if key.endswith((".noise", "scale.weight", "shift.weight")):
            torch.nn.init.normal_(parameter, 0, 0.3)
        elif key == "to_image.weight":
            parameter.data *= 10  # or all pictures would be nearly grey
    weights = torch.eye(3)[torch.arange(30) % 3] if config.classes else None
    network(torch.randn(30, config.z), weights)  # statistics of the batch norms
    classes = CLASSES if config.classes else ()
    card = {"title": "Toy", "command": "test", "licence": "CC0-1.0"}
    export_gan(network.eval(), out, classes, backbone=backbone(), overwrite=False, card=card)


@pytest.fixture(scope="session")
def style(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator of colour pictures with classes, several layers and noise."""
    changes = {"channels": 3, "classes": 3, "modulation": "batch", "mapping": 2}
    return exported_once(tmp_path_factory, "style.onnx", partial(_export, arch="style", **changes))


@pytest.fixture(scope="session")
def grey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator of grey pictures without classes, of one layer."""
    return exported_once(tmp_path_factory, "grey.onnx", partial(_export, arch="mlp", channels=1))


@pytest.fixture
def photo() -> np.ndarray:
    """A soft picture, uint8, wider than high."""
    ramp = np.linspace(0, 220, 40)[:, None, None] + np.array([0, 10, 30])
    return np.clip(np.broadcast_to(ramp, (40, 64, 3)), 0, 255).astype(np.uint8)

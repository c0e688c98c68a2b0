"""Small generators, exported once."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from ganfilters_exporters.gan.export import export_gan
from ganfilters_exporters.gan.networks import GENERATORS

from ..exporters.gan_toys import CLASSES, NETWORKS, backbone


def _network(folder: Path, name: str, arch: str, **changes: object) -> Path:
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
    out = folder / f"{name}.onnx"
    classes = CLASSES if config.classes else ()
    card = {"title": "Toy", "command": "test", "licence": "CC0-1.0"}
    export_gan(network.eval(), out, classes, backbone=backbone(), overwrite=False, card=card)
    return out


@pytest.fixture(scope="session")
def style(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator of colour pictures with classes, several layers and noise."""
    folder = tmp_path_factory.mktemp("latent")
    return _network(folder, "style", "style", channels=3, classes=3, modulation="batch", mapping=2)


@pytest.fixture(scope="session")
def grey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator of grey pictures without classes, of one layer."""
    return _network(tmp_path_factory.mktemp("latent"), "grey", "mlp", channels=1)


@pytest.fixture
def photo() -> np.ndarray:
    """A soft picture, uint8, wider than high."""
    ramp = np.linspace(0, 220, 40)[:, None, None] + np.array([0, 10, 30])
    return np.clip(np.broadcast_to(ramp, (40, 64, 3)), 0, 255).astype(np.uint8)

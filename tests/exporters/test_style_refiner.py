"""The gradient that refining descends, and what style networks hold of their paintings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from ganfilters import Image, ModelFile, Runtime
from ganfilters.cli import command_line
from ganfilters_exporters import export, storage
from ganfilters_exporters.backbones import Backbone, Layer
from ganfilters_exporters.data import read_picture
from ganfilters_exporters.losses import LAYERS, PerceptualLoss, Weights
from ganfilters_exporters.stored import read_stored
from ganfilters_exporters.style import refiner as exported
from ganfilters_exporters.style.export import StyleGraph, export_style
from ganfilters_exporters.style.looks import RANKS, lengthened, looks_of, packed
from ganfilters_exporters.style.network import StyleTable, Stylizer
from ganfilters_exporters.style.paintings import Painting, find_paintings
from ganfilters_exporters.style.refiner import Objective, build, export_refiner
from ganfilters_style.colour import COLOURS
from ganfilters_style.network import Network
from ganfilters_style.refining import REFINER, Refiner

from .style_toys import TINY, loss_network, pictures

CARD = {"command": "first", "licence": "CC0-1.0", "seconds": 3.0}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A refiner on a small loss network."""
    layers = tuple(
        Layer(name, channels, 2**n)
        for n, (name, channels) in enumerate(zip(LAYERS, (4, 6, 8, 8), strict=True))
    )
    backbone = Backbone(
        name="toy", title="Toy", segments=(), layers=layers, classes=(), default_layer="relu1_2",
        size_multiple=8, size_min=32, licence="CC0-1.0", attribution="nobody", data=("noise",),
    )  # fmt: skip
    out = tmp_path_factory.mktemp("refiner") / "toy.onnx"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exported, "loss_network", lambda _: (loss_network(), backbone))
        card = export_refiner(Path("toy"), out)
    assert card.parity is not None
    assert max(card.parity.measured.values()) < card.parity.tolerance
    return out


def test_the_gradient_is_that_of_the_loss_at_other_sizes(file: Path) -> None:
    network = loss_network()
    image, photo, painting = (torch.rand(1, 3, *size) for size in ((40, 72), (40, 72), (64, 48)))
    loss = PerceptualLoss(network, Weights(content=2.0, style=7.0, smooth=3.0, tone=0.0, weave=0.0))
    image.requires_grad_()
    terms = loss(image, photo, loss.style_target(painting))
    (wanted,) = torch.autograd.grad(terms["loss"], image)
    with torch.no_grad():
        content = network(photo)["relu3_3"].numpy()
        grams = {n: g[0].numpy() for n, g in loss.style.target(network(painting)).items()}
    feeds = {f"gram.{name}": gram for name, gram in grams.items()}
    feeds |= {"image": image.detach().numpy(), "content": content}
    feeds["weights"] = np.array([2, 7, 3], np.float32)
    gradient, found, own = export.session(file).run(["gradient", "terms", "content_found"], feeds)
    assert export.relative_error(gradient, wanted.numpy()) < 1e-3
    expected = [float(terms[key]) for key in ("content", "style", "smooth")]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    with torch.no_grad():
        np.testing.assert_allclose(own, network(image)["relu3_3"].numpy(), atol=1e-5)


def test_the_filter_runs_any_refiner(file: Path) -> None:
    refiner = Refiner(Runtime("cpu", threads=1), ModelFile(file))
    rng = np.random.default_rng(0)
    painting = Image(rng.random((70, 50, 3), np.float32))
    grams = refiner.grams(painting)
    photo = np.broadcast_to(np.linspace(0, 1, 45, dtype=np.float32)[:, None, None], (45, 37, 3))
    refined = refiner.refine(photo, photo, grams, 20, 30.0)
    assert refined.shape == photo.shape
    before, after = (refiner.grams(Image(np.ascontiguousarray(p))) for p in (photo, refined))
    for name, gram in grams.items():
        assert np.linalg.norm(after[name] - gram) < np.linalg.norm(before[name] - gram)


def test_weights_that_are_none_are_refused_in_one_line(tmp_path: Path) -> None:
    wrong = tmp_path / "weights.safetensors"
    wrong.write_bytes(b"no tensors")
    words = ["export", "refiner", "--weights", str(wrong), "--out", str(tmp_path / "x.onnx")]
    result = CliRunner().invoke(command_line(), words)
    assert result.exit_code == 2
    assert "is no safetensors file, or is damaged; give VGG16's weights" in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "x.onnx").exists()


def test_weights_in_half_a_byte_are_stored_without_loss(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 64, 3), nn.Conv2d(64, 96, 3)).requires_grad_(False)
    exact = network[1].weight.clone()
    storage.round_weights(network, half_from=1000, byte_from=1000, nibble_from=50_000)
    rounded = network[1].weight
    assert float((rounded - exact).norm() / exact.norm()) < 0.12
    example = (torch.rand(1, 3, 16, 16),)
    names = {"input_names": ["x"], "output_names": ["y"]}
    model = export.convert(network, example, **names, dynamic=[{}])
    storage.store_compact(model, 1000)
    proto = ir.to_proto(model).SerializeToString()
    assert len(proto) < 0.55 * exact.numel() + network[0].weight.numel() + 8000
    (found,) = export.session(proto).run(None, {"x": example[0].numpy()})
    np.testing.assert_allclose(found, network(example[0]).numpy(), atol=1e-5)
    card = ModelFile(Path(REFINER.path)).card
    export.write(model, tmp_path / "x.onnx", card, overwrite=False)
    assert torch.equal(read_stored(tmp_path / "x.onnx").weight("1.weight"), rounded)


@pytest.fixture(scope="module")
def paintings(tmp_path_factory: pytest.TempPathFactory) -> list[Painting]:
    folder = pictures(tmp_path_factory.mktemp("paintings"), 2, stripes=True)
    return find_paintings([folder], {})


def style_network(out: Path, names: list[str], looks: torch.Tensor | None) -> Path:
    torch.manual_seed(0)
    net = Stylizer(TINY).eval()
    card = {**CARD, "extra": {"grain": 0.02, "palette": 0.25}}
    graph = StyleGraph(net, StyleTable(names, net.neutral()), looks=looks)
    styles = [{"name": name, "title": name, "source": ""} for name in names]
    export_style(graph, out, styles, name="toy", title="Toy", overwrite=False, card=card)
    return out


def running(file: Path) -> Network:
    model = ModelFile(file)
    return Network(Runtime("cpu", threads=1).session(model), model.card)


def test_a_network_holds_nearly_what_is_measured(paintings: list[Painting], tmp_path: Path) -> None:
    names = [painting.name for painting in paintings]
    net = running(style_network(tmp_path / "x.onnx", names, looks_of(None, 0, paintings)))
    refiner = Refiner(Runtime("cpu"))
    for painting in paintings:
        pixels = np.asarray(read_picture(painting.path), np.float32) / 255
        for name, gram in refiner.grams(Image(pixels)).items():
            error = np.linalg.norm(
                net.look(painting.name, refiner.features)[name] - gram
            ) / np.linalg.norm(gram)
            assert error < 0.1


def test_what_is_known_stays_and_what_is_not_is_zero(paintings: list[Painting]) -> None:
    both = looks_of(None, 0, paintings)
    assert torch.equal(looks_of(both[:1], 1, paintings[1:]), both)
    fresh = looks_of(None, 1, paintings[1:])
    assert not fresh[0].any()
    assert torch.equal(fresh[1], both[1])
    # Of a network made before the moments of colours were kept, which are the last.
    short = looks_of(lengthened(both[:1, :-16]), 1, paintings[1:])
    assert torch.equal(short[0, :-16], both[0, :-16])
    assert not short[0, -16:].any()
    assert torch.equal(short[1], both[1])


def test_factors_are_those_of_the_largest_directions() -> None:
    rng = np.random.default_rng(0)
    sides = {**REFINER.card.extra["layers"], COLOURS: 4}
    factors = {
        name: rng.normal(size=(side, 80)) * 0.9 ** np.arange(80) for name, side in sides.items()
    }
    grams = {name: (factor @ factor.T).astype(np.float32) for name, factor in factors.items()}
    row, at = packed(grams), 0
    for name, rank in RANKS.items():
        kept = row[at : at + sides[name] * rank].reshape(sides[name], rank)
        at += kept.size
        values = np.linalg.eigvalsh(grams[name].astype(np.float64))
        lost = np.linalg.norm(kept @ kept.T - grams[name])
        assert lost < 1.05 * np.linalg.norm(values[:-rank]) + 1e-3 * values[-1]
    assert at == len(row)


def test_looks_of_before_colours_were_kept_are_kept(
    paintings: list[Painting], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, features = [p.name for p in paintings], REFINER.card.extra["features"]
    whole = looks_of(None, 0, paintings)
    with monkeypatch.context() as before:
        before.delitem(RANKS, COLOURS)
        old = style_network(tmp_path / "old.onnx", names, whole[:, :-16])
    assert COLOURS not in running(old).look(names[0], features)
    first = running(old).look(names[1], features)
    out = tmp_path / "new.onnx"
    words = ["export", "style", str(old), "--out", str(out), "--styles", str(paintings[0].path)]
    result = CliRunner().invoke(command_line(), words)
    assert result.exit_code == 0, result.output
    assert running(out).look(names[0], features)[COLOURS][0, 0] == pytest.approx(1, abs=1e-3)
    kept = running(out).look(names[1], features)
    assert not kept[COLOURS].any()
    for layer, gram in first.items():
        np.testing.assert_allclose(kept[layer], gram, rtol=1e-3, atol=1e-3 * abs(gram).max())


def test_a_network_made_before_is_written_again(paintings: list[Painting], tmp_path: Path) -> None:
    old = style_network(tmp_path / "old.onnx", ["calm", *(p.name for p in paintings)], None)
    with pytest.raises(Exception, match="looks like"):
        running(old).look("calm", REFINER.card.extra["features"])
    out = tmp_path / "new.onnx"
    words = ["export", "style", str(old), "--out", str(out)]
    words += [word for painting in paintings for word in ("--styles", str(painting.path))]
    result = CliRunner().invoke(command_line(), words)
    assert result.exit_code == 0, result.output
    assert "styles without a picture: calm" in result.output
    net = running(out)
    features = REFINER.card.extra["features"]
    assert net.look(paintings[0].name, features)
    with pytest.raises(Exception, match="'calm' looks like"):
        net.look("calm", features)
    card = net.card
    assert card.command.startswith("first; ganfilters export style old.onnx")
    assert (card.licence, card.seconds) == ("CC0-1.0", 3.0)
    assert (net.grain, net.palette) == (0.02, 0.25)
    image = np.random.default_rng(1).random((40, 48, 3), np.float32)
    style = net.style({"calm": 1.0})
    np.testing.assert_allclose(
        net.paint(image, style, 1024), running(old).paint(image, style, 1024), atol=1e-6
    )
    again = CliRunner().invoke(command_line(), words)
    assert again.exit_code == 2
    assert "pass --overwrite" in again.output
    other = pictures(tmp_path / "other", 3, stripes=True) / "Picture_2.png"
    wrong = [*words[:3], "--out", str(tmp_path / "w.onnx"), "--styles", str(other)]
    result = CliRunner().invoke(command_line(), wrong)
    assert result.exit_code == 2
    assert "none of these pictures is a style of" in result.output


def test_the_objective_is_exported_as_it_is() -> None:
    objective = Objective(loss_network())
    model = build(objective)
    names = [str(value.name) for value in model.graph.inputs]
    assert names == list(objective.inputs)
    assert [str(value.name) for value in model.graph.outputs] == list(objective.outputs)

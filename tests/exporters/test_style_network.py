"""The painting network: statistics, tiles, export, and reading it back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch.nn import functional

from ganfilters.errors import UsageError
from ganfilters.models import ModelFile
from ganfilters_exporters.style import trained
from ganfilters_exporters.style.export import StyleGraph, export_style, measured_reach
from ganfilters_exporters.style.network import (
    NetworkConfig,
    Norms,
    PairedConv,
    StyleTable,
    Stylizer,
    TwiceConv,
)
from ganfilters_exporters.style.predictor import PaintingStatistics, Predictor
from ganfilters_exporters.style.trained import read_trained

from .style_toys import TINY, backbone

CARD = {"command": "test", "licence": "CC0-1.0"}


def network(config: NetworkConfig = TINY, seed: int = 0) -> Stylizer:
    torch.manual_seed(seed)
    return Stylizer(config).eval()


def table(net: Stylizer, names: tuple[str, ...] = ("calm", "wild")) -> StyleTable:
    made = StyleTable(names, net.neutral())
    with torch.no_grad():
        made.styles.add_(torch.randn(made.styles.shape) * 0.3)
    return made


def onnx_session(file: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])


def test_given_statistics_give_what_measured_ones_gave() -> None:
    net = network()
    style = table(net)(torch.tensor([[0.25, 0.75]]))
    image = torch.rand(1, 3, 40, 56)
    whole, statistics = net(image, style)
    assert whole.shape == image.shape
    assert statistics.shape == (1, 2, net.channels)
    assert whole.min() > 0
    assert whole.max() < 1
    again, used = net(image, style, statistics)
    assert torch.equal(used, statistics)
    assert torch.allclose(whole, again, atol=1e-6)


def test_convolving_twice_the_size_is_enlarging_and_convolving() -> None:
    conv, x = TwiceConv(5, 3), torch.rand(2, 5, 6, 8)
    enlarged = functional.interpolate(x, scale_factor=2.0, mode="bilinear")
    wanted = functional.conv2d(functional.pad(enlarged, (1,) * 4, "replicate"), conv.weight)
    assert torch.allclose(functional.pixel_shuffle(conv(x), 2), wanted, atol=1e-5)


def test_convolving_pairs_is_convolving_the_large_picture() -> None:
    conv, x = PairedConv(5, 3), torch.rand(2, 5, 12, 16)
    wanted = functional.conv2d(functional.pad(x, (1,) * 4, "reflect"), conv.weight)
    found = functional.pixel_shuffle(conv(functional.pixel_unshuffle(x, 2)), 2)
    assert torch.allclose(found, wanted, atol=1e-5)


def test_four_pixels_in_a_place_are_normalised_as_one_channel() -> None:
    x, style = torch.randn(2, 12, 6, 8), torch.randn(1, 2, 3)
    packed, plain = Norms(style, None, None), Norms(style, None, None)
    found = functional.pixel_shuffle(packed(x, 4), 2)
    assert torch.allclose(found, plain(functional.pixel_shuffle(x, 2)), atol=1e-5)
    assert torch.allclose(packed.used[0], plain.used[0], atol=1e-5)


@pytest.mark.parametrize("config", [TINY, NetworkConfig(4, 6, 8, 4, 2, 2, 5)])
def test_tiles_equal_the_whole_picture_at_the_reach(config: NetworkConfig) -> None:
    net = network(config)
    style = table(net)(torch.tensor([[1.0, 0.0]]))
    image = torch.rand(1, 3, 160, 480)
    with torch.no_grad():
        whole, statistics = net(image, style)
        reach = -(-net.reach // 8) * 8
        left = net(image[..., : 240 + reach], style, statistics)[0][..., :240]
        right = net(image[..., 240 - reach :], style, statistics)[0][..., reach:]
    tiles = torch.cat([left, right], 3)
    assert float((tiles - whole).abs().max()) < 1e-4  # 2/255 is what is asked


def test_the_reach_is_no_larger_than_the_gradient_says() -> None:
    net = network()
    style = table(net)(torch.tensor([[1.0, 0.0]]))
    image = torch.rand(1, 3, 256, 256, requires_grad=True)
    statistics = net(image, style)[1].detach()
    net(image, style, statistics)[0][0, :, 128, 128].sum().backward()
    assert image.grad is not None
    rows = image.grad.abs().sum((0, 1, 3)).nonzero().flatten()
    seen = max(128 - int(rows.min()), int(rows.max()) - 128)
    assert seen <= net.reach <= seen + 16


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StyleGraph]:
    net = network(seed=1)
    graph = StyleGraph(net, table(net))
    out = tmp_path_factory.mktemp("named") / "toy.onnx"
    styles = [{"name": n, "title": n.title(), "source": "toy"} for n in ("calm", "wild")]
    export_style(graph, out, styles, name="toy", title="Toy", overwrite=False, card=CARD)
    return out, graph


def test_the_file_has_a_card_and_parity(named: tuple[Path, StyleGraph]) -> None:
    card = ModelFile(named[0]).card_for("style")
    assert card.extra["any_painting"] is False
    assert [s["name"] for s in card.extra["styles"]] == ["calm", "wild"]
    assert card.size_multiple == 8
    assert card.parity is not None
    assert max(card.parity.measured.values()) < 1e-4
    assert card.quality["onnx_largest_difference_255"] < 0.1


def test_the_measured_reach_hides_the_ends_of_tiles() -> None:
    net = network(NetworkConfig(4, 6, 8, 4, 2, 2, 5), seed=1)
    graph = StyleGraph(net, table(net))
    reach = measured_reach(graph)
    assert reach % 16 == 0
    assert 16 < reach <= net.reach + 16
    image = torch.rand(1, 3, 96, 512)
    with torch.no_grad():
        whole, statistics = net(image, graph.table.styles[:1])
        tile = net(image[..., : 256 + reach], graph.table.styles[:1], statistics)[0][..., :256]
    assert float((tile - whole[..., :256]).abs().max()) < 1 / 255
    net.after.mix2.weight.data.zero_()  # nothing far away is left to be seen
    net.back.weight.data.zero_()
    assert measured_reach(graph) < reach


def run(file: Path, graph: StyleGraph, **feeds: np.ndarray) -> dict[str, np.ndarray]:
    zeros = np.zeros((2, graph.network.channels), np.float32)
    feeds = {"statistics": zeros, "style": zeros, **feeds}
    return dict(zip(graph.outputs, onnx_session(file).run(list(graph.outputs), feeds), strict=True))


def test_statistics_given_to_a_file(named: tuple[Path, StyleGraph]) -> None:
    out, graph = named
    image, _, _, weights = (value.numpy() for value in graph.example(48, 200, 0))
    whole = run(out, graph, image=image, style_weights=weights)
    assert whole["statistics_used"][1].min() > 0
    given = whole["statistics_used"]
    again = run(out, graph, image=image, style_weights=weights, statistics=given)
    assert np.abs(whole["styled"] - again["styled"]).max() < 1e-5
    assert np.array_equal(again["statistics_used"], given)
    # The same statistics for part of the picture: another picture than its own would give.
    part = {"image": image[..., :136], "style_weights": weights}
    tile, alone = run(out, graph, statistics=given, **part), run(out, graph, **part)
    assert np.abs(tile["styled"][..., :16] - whole["styled"][..., :16]).max() < 1e-4
    assert np.abs(alone["styled"][..., :16] - whole["styled"][..., :16]).max() > 0.01


def test_what_is_given_is_not_measured(named: tuple[Path, StyleGraph]) -> None:
    import onnx

    graph = onnx.load(named[0]).graph
    operators = [node.op_type for node in graph.node]
    assert "Where" not in operators
    assert "ReduceMean" not in operators
    outside, block = 8, 2  # normalisations
    blocks = TINY.outer + TINY.blocks + 1
    assert operators.count("If") == outside + block * blocks + 1  # and the style


def test_convolutions_have_no_computed_bias(named: tuple[Path, StyleGraph]) -> None:
    import onnx

    graph = onnx.load(named[0]).graph
    weights = {item.name for item in graph.initializer}
    for node in graph.node:
        if node.op_type == "Conv":
            assert all(name in weights for name in node.input[2:] if name)


def test_a_file_is_read_back_exactly(named: tuple[Path, StyleGraph]) -> None:
    out, graph = named
    found = read_trained(out)
    assert torch.equal(found.rows, graph.table.styles)
    for name, value in graph.network.state_dict().items():
        assert torch.equal(found.net.state_dict()[name], value)


def any_graph(names: tuple[str, ...] = ()) -> StyleGraph:
    net, seen = network(seed=2), PaintingStatistics(backbone())
    predictor = Predictor(seen.size, net.neutral(), 16, 8)
    predictor.calibrate(seen(torch.rand(8, 3, 64, 64)))
    return StyleGraph(net, table(net, names) if names else None, predictor, seen)


def predicted(graph: StyleGraph, painting: np.ndarray) -> np.ndarray:
    assert graph.predictor is not None
    assert graph.seen is not None
    with torch.no_grad():
        style: np.ndarray = graph.predictor(graph.seen(torch.from_numpy(painting)))[0].numpy()
    return style


def test_any_painting_is_exported(tmp_path: Path) -> None:
    graph = any_graph()
    out = tmp_path / "any.onnx"
    card = export_style(graph, out, [], name="any", title="Any", overwrite=False, card=CARD)
    assert card.extra["any_painting"] is True
    image, painting = torch.rand(1, 3, 32, 48).numpy(), torch.rand(1, 3, 96, 64).numpy()
    first = run(out, graph, image=image, style_image=painting)
    style = first["style_used"]
    np.testing.assert_allclose(style, predicted(graph, painting), atol=1e-4)
    other = np.zeros((1, 3, 64, 64), np.float32)
    again = run(out, graph, image=image, style=style, style_image=other)
    assert np.abs(again["styled"] - first["styled"]).max() < 1e-5
    assert np.array_equal(again["style_used"], style)
    with pytest.raises(UsageError, match="give a style network with named styles"):
        read_trained(out)


def test_one_file_with_names_and_any_painting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("calm", "wild")
    graph = any_graph(names)
    assert graph.table is not None
    out = tmp_path / "both.onnx"
    styles = [{"name": n, "title": n.title(), "source": "toy"} for n in names]
    export_style(graph, out, styles, name="both", title="Both", overwrite=False, card=CARD)
    image, painting = torch.rand(1, 3, 32, 48).numpy(), torch.rand(1, 3, 96, 64).numpy()
    weights = np.array([0, 1], np.float32)
    named = run(out, graph, image=image, style_weights=weights, style_image=painting)
    np.testing.assert_array_equal(named["style_used"], graph.table.styles[1].detach().numpy())
    any_ = run(out, graph, image=image, style_weights=0 * weights, style_image=painting)
    np.testing.assert_allclose(any_["style_used"], predicted(graph, painting), atol=1e-4)
    blend = (named["style_used"] + any_["style_used"]) / 2
    mixed = run(out, graph, image=image, style_weights=weights, style_image=painting, style=blend)
    np.testing.assert_array_equal(mixed["style_used"], blend)
    assert np.abs(mixed["styled"] - named["styled"]).max() > 0.01
    monkeypatch.setattr(trained, "blank_statistics", lambda: PaintingStatistics(backbone()))
    assert torch.equal(read_trained(out).rows, graph.table.styles)


def test_files_that_are_no_style_network(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"no")
    with pytest.raises(UsageError, match="not a model of this project"):
        read_trained(tmp_path / "x.onnx")
    with pytest.raises(UsageError, match="is no run of"):
        read_trained(tmp_path)


def test_a_new_predictor_gives_the_neutral_style_and_bounds_its_inputs() -> None:
    seen = PaintingStatistics(backbone())
    predictor = Predictor(seen.size, torch.tensor([[1.0] * 5, [0.0] * 5]), 16, 8)
    paintings = torch.rand(6, 3, 64, 64)
    statistics = seen(paintings)
    assert statistics.shape == (6, seen.size)
    predictor.calibrate(statistics)
    style = predictor(statistics)
    assert style.shape == (6, 2, 5)
    assert (style[:, 0] - 1).abs().max() < 0.5
    far = predictor(statistics * 1e6)
    assert torch.isfinite(far).all()
    assert far.abs().max() < 50

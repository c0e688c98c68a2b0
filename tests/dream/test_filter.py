"""The dream filter with its shipped network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from ganfilters import Animation, Host, Image, ModelError, UsageError
from ganfilters_dream import Dream
from ganfilters_dream.filter import _MODEL, LAYERS
from ganfilters_dream.objective import Network, _class_index, _silence

QUICK = {"octaves": 2, "iterations": 2}
EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"


@pytest.fixture(scope="module")
def host() -> Host:
    return Host("cpu")


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.asarray(PIL.Image.open(EXAMPLES / "chelsea.jpg").convert("RGB"))[60:220, 100:300]


@pytest.fixture(scope="module")
def network(host: Host) -> Network:
    model = Dream.models[0]
    return Network(host.runtime.session(model), model.card)


def activation(network: Network, pixels: np.ndarray, layer: str) -> np.ndarray:
    """Activations of `layer` for a uint8 picture, cropped to a size the network takes."""
    cropped = pixels[:160, :192].astype(np.float32) / 255
    batch = np.ascontiguousarray(cropped.transpose(2, 0, 1)[None])
    output = layer if layer == "logits" else f"features.{layer}"
    depth = len(network.layers) if layer == "logits" else list(network.layers).index(layer)
    feeds = {**_silence(network), "image": batch, "depth": np.array(depth, np.int64)}
    return network.session.run(feeds, [output])[0]


@pytest.mark.parametrize("layer", ["stage3", "stage4", "stage5", "head"])
def test_a_dream_amplifies_its_layer(
    host: Host, photo: np.ndarray, network: Network, layer: str
) -> None:
    result = host.apply("dream", photo, layers=layer, **QUICK, normalize="mean")
    before, after = (np.square(activation(network, p, layer)).mean() for p in (photo, result))
    assert after > 1.1 * before


def test_a_channel_grows_more_than_the_others(
    host: Host, photo: np.ndarray, network: Network
) -> None:
    result = host.apply("dream", photo, layers="stage4:24=1", **QUICK)
    change = (activation(network, result, "stage4") - activation(network, photo, "stage4"))[0]
    means = change.mean(axis=(1, 2))
    assert means.argmax() == 24


@pytest.mark.parametrize("name", ["tabby cat", "volcano", "Cardigan"])
def test_dreaming_of_a_class_raises_its_score(
    host: Host, photo: np.ndarray, network: Network, name: str
) -> None:
    result = host.apply("dream", photo, dream_of=name, octaves=1, iterations=6, jitter=0)
    before, after = (activation(network, p, "logits")[0] for p in (photo, result))
    synonyms = [{w.strip().casefold() for w in c.split(",")} for c in network.classes]
    index = next(
        (k for k, c in enumerate(network.classes) if c.casefold() == name.casefold()),
        next(k for k, words in enumerate(synonyms) if name.casefold() in words),
    )
    assert after[index] > before[index] + 2


def test_a_guide_steers(host: Host, photo: np.ndarray) -> None:
    guided = host.apply("dream", photo, guide=EXAMPLES / "coffee.jpg", **QUICK)
    other = host.apply("dream", photo, guide=EXAMPLES / "rocket.jpg", **QUICK)
    free = host.apply("dream", photo, **QUICK)
    assert np.abs(guided.astype(int) - free).mean() > 0.5
    assert np.abs(guided.astype(int) - other).mean() > 0.2


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(
    host: Host, photo: np.ndarray
) -> None:
    first, second = (host.apply("dream", photo, seed=3, **QUICK) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, host.apply("dream", photo, seed=4, **QUICK))


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (33, 65)])
def test_odd_sizes(host: Host, size: tuple[int, int]) -> None:
    array = np.random.default_rng(0).random((*size, 3), np.float32)
    assert host.apply("dream", array, octaves=1, iterations=1).shape == array.shape


def test_tiles_leave_no_seam(host: Host) -> None:
    """No column of the picture stands out more than in a dream made in one piece."""
    ramp = np.linspace(0.3, 0.7, 384, dtype=np.float32)
    pixels = np.repeat(np.repeat(ramp[None, :, None], 384, axis=0), 3, axis=2)
    worst = {}
    for tile in (128, 512):
        result = host.apply(
            "dream", pixels, tile=tile, octaves=1, iterations=8, normalize="mean", step=1.0
        )
        across = np.abs(np.diff(result, axis=1)).mean(axis=(0, 2))
        worst[tile] = across.max() / np.median(across)
    assert worst[128] < 1.5 * worst[512]


def test_from_noise(host: Host) -> None:
    result = host.apply("dream", size="96x64", seed=1, **QUICK)
    assert isinstance(result, Image)
    assert (result.width, result.height) == (96, 64)
    assert result.pixels.std() > 0.05
    with pytest.raises(UsageError, match="keeps its own size"):
        host.apply("dream", np.zeros((8, 8, 3), np.uint8), size="96x64", **QUICK)


def test_zoom_frames(host: Host, photo: np.ndarray) -> None:
    options = {"zoom_frames": 3, "zoom": 1.1, "zoom_iterations": 1, **QUICK}
    seen: list[float] = []
    moving = host.frames("dream", photo, on_progress=lambda done, _: seen.append(done), **options)
    frames = list(moving)
    assert seen == sorted(seen)
    assert len(frames) == 3
    still = host.apply("dream", photo.astype(np.float32) / 255, **QUICK)
    np.testing.assert_allclose(frames[0].pixels, still, atol=1e-6)
    assert all(frame.pixels.shape == photo.shape for frame in frames)
    assert isinstance(host.apply("dream", photo, **options), Animation)
    with pytest.raises(UsageError, match="keeps its own size"):
        next(host.frames("dream", photo, size="32x32", **options))


def test_every_preset_runs_and_looks_of_its_own(host: Host, photo: np.ndarray) -> None:
    results = {
        name: host.apply("dream", photo[:96, :96], preset=name, octaves=1, iterations=2)
        for name in Dream.Params.presets
    }
    for name, result in results.items():
        assert np.abs(result.astype(int) - photo[:96, :96]).mean() > 1, name
    names = list(results)
    for index, name in enumerate(names):
        for other in names[index + 1 :]:
            assert not np.array_equal(results[name], results[other]), (name, other)


def test_large_pictures_dream_at_a_bounded_size(host: Host, monkeypatch: Any) -> None:
    import ganfilters_dream.ascent as ascent

    seen: list[tuple[int, ...]] = []
    real = ascent._climb
    monkeypatch.setattr(
        ascent, "_climb", lambda picture, *rest: seen.append(picture.shape) or real(picture, *rest)
    )
    array = np.random.default_rng(0).random((300, 400, 3), np.float32)
    result = host.apply("dream", array, finest=128, octaves=2, iterations=1)
    assert result.shape == array.shape
    assert seen == [(69, 91, 3), (96, 128, 3)]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"layers": "stage44"}, "no layer 'stage44'; did you mean stage4"),
        ({"layers": "stage4:80"}, "channels are 0 to 79"),
        ({"layers": "stage4:x"}, "no channel 'x'"),
        ({"layers": "stage4=0"}, "all weights are 0"),
        ({"layers": "stage4=much"}, "write stage4=0.5"),
        (
            {"dream_of": "tabby catt"},
            "the network has no class 'tabby catt'; did you mean tabby cat",
        ),
        ({"dream_of": "cat"}, "did you mean .*tabby cat or .* or siamese cat"),
        ({"guide": EXAMPLES / "coffee.jpg", "dream_of": "volcano"}, "whole layers"),
        ({"guide": EXAMPLES / "coffee.jpg", "layers": "stage4:3"}, "whole layers"),
        ({"layers": ""}, "no name"),
        ({"dream_of": " "}, "is empty"),
        ({"octaves": 99}, "from 1 to 16"),
        ({"octaves": "two"}, "octaves"),
        ({"size": "big"}, "WIDTHxHEIGHT"),
        ({"preset": "eye"}, "did you mean eyes"),
        ({"guide": "no-such-file.jpg"}, "no-such-file.jpg"),
    ],
)
def test_bad_values_are_one_line(host: Host, values: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        host.prepare("dream", **values)  # before there is a picture
    assert "\n" not in str(caught.value)


def test_a_model_that_is_none(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "no.onnx"
    for content, words in ((None, "No such file"), (b"text", "not an ONNX model")):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ModelError, match=words):
            host.apply("dream", np.zeros((64, 64, 3), np.uint8), model=path)


def test_a_tampered_model_is_refused(tmp_path: Path) -> None:
    from ganfilters import ModelFile

    shipped = Dream.models[0]
    data = bytearray(shipped.path.read_bytes())
    data[len(data) // 2] ^= 1
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(data)
    with pytest.raises(ModelError, match="not the published one"):
        ModelFile(copy, shipped.sha256).verify()


def test_the_card_says_what_it_must() -> None:
    card = Dream.models[0].card_for("dream")
    assert card.licence == "Apache-2.0"
    assert "ganfilters export dream" in card.command
    assert card.parity is not None
    assert max(card.parity.measured.values()) < 1e-3
    assert len(card.extra["classes"]) == 1000


def test_silence_has_no_gradient(network: Network) -> None:
    batch = np.random.default_rng(0).random((1, 3, 64, 64), np.float32)
    depth = np.array(len(network.layers), np.int64)
    feeds = {"image": batch, "depth": depth, **_silence(network)}
    (gradient,) = network.session.run(feeds, ["gradient"])
    assert not gradient.any()


@pytest.mark.parametrize("name", ["tabby_cat", "Tabby cat", " tabby  cat", "house cat"])
def test_a_class_is_found_however_its_words_are_joined(name: str) -> None:
    assert _class_index(name, ["dog", "tabby_cat, house  cat"]) == 1


def test_the_layers_that_are_named_are_those_of_the_model() -> None:
    given = Dream.Params.model_validate({"model": _MODEL})
    assert Dream.known_values(given) == {"layers": list(LAYERS)}

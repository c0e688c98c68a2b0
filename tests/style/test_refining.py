"""Refining: the shipped gradient network, and what the filter does with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from ganfilters import Cancelled, Host, Image, ModelFile, OutOfMemory, UsageError, runtime
from ganfilters_style import Style, StyleParams
from ganfilters_style.colour import COLOURS, match_moments
from ganfilters_style.network import Network
from ganfilters_style.passes import REFERENCE, passes
from ganfilters_style.refining import REFINER, Descent, Refiner, mixed

Array = np.ndarray[Any, Any]
# Strokes as wide as they are at the picture's own size, so that it is refined there.
OWN_SIZE = {"stroke_scale": REFERENCE / 108}
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def host() -> Host:
    return Host("cpu", threads=2)


@pytest.fixture(scope="module")
def refiner(host: Host) -> Refiner:
    return Refiner(host.runtime)


@pytest.fixture(scope="module")
def coffee() -> Array:
    return np.asarray(Pillow.open(EXAMPLES / "coffee.jpg").convert("RGB").resize((108, 75)))


def distance(refiner: Refiner, picture: Array, grams: dict[str, Array]) -> float:
    """Mean relative distance of Gram matrices at the picture's own size: what is to be lowered."""
    height, width = (side // 8 * 8 for side in picture.shape[:2])
    pixels = picture[:height, :width].astype(np.float32).transpose(2, 0, 1)[None] / 255
    outputs = [f"gram_found.{name}" for name in refiner.layers]
    content = np.zeros((1, 256, height // 4, width // 4), np.float32)
    session = refiner.runtime.session(REFINER, outputs)
    found = session.run({"image": pixels, "content": content}, outputs)
    errors = [
        np.linalg.norm(own - gram) / np.linalg.norm(gram)
        for own, gram in zip(found, map(grams.get, refiner.layers), strict=True)
    ]
    return float(np.mean(errors))


def test_refining_comes_nearer_to_the_painting(host: Host, refiner: Refiner, coffee: Array) -> None:
    model = Style.models[0]
    look = Network(host.runtime.session(model), model.card).look("scream", refiner.features)
    painted = host.apply("style", coffee, style="scream", **OWN_SIZE)
    refined = host.apply("style", coffee, style="scream", refine=12, **OWN_SIZE)
    assert refined.shape == painted.shape
    assert distance(refiner, refined, look) < 0.9 * distance(refiner, painted, look)
    # Still the cup: light and dark are where they were.
    grey = [picture.mean(2).ravel() for picture in (coffee, refined)]
    assert np.corrcoef(*grey)[0, 1] > 0.4
    more = host.apply("style", coffee, style="scream", refine=12, refine_weight=0.1, **OWN_SIZE)
    assert distance(refiner, refined, look) < distance(refiner, more, look)


def test_a_painting_at_hand_is_refined_towards(host: Host, refiner: Refiner, coffee: Array) -> None:
    painting = np.asarray(Pillow.open(EXAMPLES / "chelsea.jpg").convert("RGB"))
    look = refiner.grams(Image(painting.astype(np.float32) / 255))
    painted = host.apply("style", coffee, style_image=painting, **OWN_SIZE)
    refined = host.apply("style", coffee, style_image=painting, refine=12, **OWN_SIZE)
    assert distance(refiner, refined, look) < 0.9 * distance(refiner, painted, look)


def test_the_refined_picture_has_the_colours_of_the_painting(
    host: Host, refiner: Refiner, coffee: Array
) -> None:
    pixels = coffee.astype(np.float32) / 255
    network = Network(host.runtime.session(Style.models[0]), Style.models[0].card)
    look = network.look("great-wave", refiner.features)
    refined = refiner.refine(pixels, pixels, look, 4, 10.0)
    wanted = match_moments(refined, look[COLOURS])
    assert np.abs(refined - wanted).mean() < 0.02
    assert np.abs(pixels - match_moments(pixels, look[COLOURS])).mean() > 0.1
    # A model made before does not say which they are: then they are what the features make of it.
    bare = {layer: look[layer] for layer in refiner.layers}
    free = refiner.refine(pixels, pixels, bare, 4, 10.0)
    assert np.abs(free - refined).mean() > 0.02
    for share in (0.0, 0.5):  # of none that is blended, or of one of two
        part = {**bare, COLOURS: np.float32(share) * look[COLOURS]}
        assert np.array_equal(refiner.refine(pixels, pixels, part, 4, 10.0), free)
    assert np.array_equal(refiner.refine(pixels, pixels, look, 4, 10.0, palette=0.0), free)
    half = refiner.refine(pixels, pixels, look, 4, 10.0, palette=0.5)
    off = [np.abs(p.mean((0, 1)) - refined.mean((0, 1))).sum() for p in (free, half, refined)]
    assert off[0] > off[1] > 0.1 * off[0]


def test_how_far_refined_colours_are_held_is_asked_for(host: Host, coffee: Array) -> None:
    def refined(**chosen: Any) -> Array:
        return host.apply("style", coffee, style="great-wave", refine=3, **OWN_SIZE, **chosen)

    assert np.array_equal(refined(), refined(palette=1))
    assert np.abs(refined(palette=0).astype(int) - refined()).mean() > 2
    with pytest.raises(UsageError, match="palette takes the painting's colours and preserve_color"):
        refined(palette=1, preserve_color="luminance")
    kept = refined(preserve_color="luminance")  # of a picture in the painting's colours
    assert not np.array_equal(kept, refined(preserve_color="luminance", palette=0))


def test_smoothness_counts_as_much_as_the_painting(refiner: Refiner, coffee: Array) -> None:
    """So one that counts little is not smoothed away."""
    seen: list[Array] = []
    session = refiner.runtime.session(REFINER, ["gradient"])

    class Spy:
        def bind(self, given: dict[str, Array], outputs: list[str]) -> Any:
            seen.append(given["weights"])
            return session.bind(given, outputs)

    pixels = coffee.astype(np.float32) / 255
    look = refiner.grams(Image(pixels))
    with pytest.MonkeyPatch.context() as patch:
        own = type(refiner.runtime).session

        def spied(runtime: Any, model: Any, outputs: list[str] | None = None) -> Any:
            return Spy() if outputs == ["gradient"] else own(runtime, model, outputs)

        patch.setattr(type(refiner.runtime), "session", spied)
        for style in (3.0, 30.0):
            refiner.refine(pixels, pixels, look, 1, style)
    assert [tuple(weights) for weights in seen] == [(1.0, 3.0, 3.0), (1.0, 30.0, 30.0)]


def test_larger_sizes_are_painted_without_what_refining_took(coffee: Array) -> None:
    host = Host("cpu", threads=2)
    sizes = {"refine_size": 320, "style": "scream", "refine": 2}
    host.apply("style", coffee.repeat(4, axis=0).repeat(4, axis=1), **sizes)
    loaded = {key[0] for key in host.runtime._pool}
    assert loaded == {Style.models[0].verify()}
    host.apply("style", coffee, **OWN_SIZE, **sizes)
    assert REFINER.verify() in {key[0] for key in host.runtime._pool}


def test_every_shipped_look_is_of_the_shipped_refiner(
    host: Host, refiner: Refiner, coffee: Array
) -> None:
    """Refined towards a style, a picture comes nearer to its look than to all others."""
    assert sum(file.path.stat().st_size for file in Style.models) < 12e6
    network = Network(host.runtime.session(Style.models[0]), Style.models[0].card)
    looks = {name: network.look(name, refiner.features) for name in network.styles}
    for look in looks.values():
        sides = {name: len(gram) for name, gram in look.items()}
        assert sides == {**refiner.layers, COLOURS: 4}
    small = coffee[:64, :64].astype(np.float32) / 255
    for name in ("great-wave", "udnie", "scream"):
        refined = refiner.refine(small, small, looks[name], 25, 100.0) * 255
        distances = {other: distance(refiner, refined, look) for other, look in looks.items()}
        assert min(distances, key=lambda other: distances[other]) == name


def test_looks_of_another_loss_network_are_refused(host: Host) -> None:
    network = Network(host.runtime.session(Style.models[0]), Style.models[0].card)
    with pytest.raises(UsageError, match="export style"):
        network.look("scream", "another")


def test_a_blend_and_a_split_are_refined(host: Host, coffee: Array) -> None:
    both = {"style": {"scream": 1.0, "udnie": 2.0}, **OWN_SIZE}
    split = np.zeros_like(coffee)
    split[:, :54] = 255
    plain = host.apply("style", coffee, **both)
    refined = host.apply("style", coffee, refine=3, **both)
    assert np.abs(refined.astype(int) - plain).mean() > 2
    parts = host.apply("style", coffee, refine=3, split=split, other_style="udnie", **both)
    assert np.array_equal(parts[:, :50], refined[:, :50])
    other = host.apply("style", coffee, refine=3, style="udnie", **OWN_SIZE)
    assert np.array_equal(parts[:, -50:], other[:, -50:])


def test_recipes_name_what_was_used(named: Path) -> None:
    own = ModelFile(named)
    assert Style.models_for(StyleParams()) == (Style.models[0],)
    assert Style.models_for(StyleParams(refine=3)) == (Style.models[0], REFINER)
    assert [m.path for m in Style.models_for(StyleParams(model=own, refine=3))] == [
        own.path, REFINER.path,
    ]  # fmt: skip


def test_the_refiner_does_not_paint(host: Host, coffee: Array) -> None:
    with pytest.raises(UsageError, match="is no style network"):
        host.apply("style", coffee, model=REFINER.path)


@pytest.mark.parametrize("name", ["refine_weight", "refine_size"])
def test_what_says_nothing_without_refining_is_refused(
    host: Host, coffee: Array, name: str
) -> None:
    with pytest.raises(UsageError, match=f"{name}.* needs .*refine.* as well"):
        host.apply("style", coffee, **{name: 400})


@pytest.mark.parametrize("size", [(1, 1), (9, 40), (33, 32)])
def test_any_size(host: Host, coffee: Array, size: tuple[int, int]) -> None:
    small = np.asarray(Pillow.fromarray(coffee).resize(size))
    refined = host.apply("style", small, refine=2, stroke_scale=8)
    assert refined.shape == small.shape
    assert refined.size < 100 or refined.std() > 3


def test_a_network_that_does_not_hold_the_painting_says_so(
    host: Host, named: Path, both: Path, photo: Array
) -> None:
    with pytest.raises(UsageError, match=r"looks like, which `refine` needs; .*export style"):
        host.apply("style", photo, model=named, refine=3)
    painted = host.apply("style", photo, model=both, style_image=photo[:, ::-1])
    refined = host.apply("style", photo, model=both, style_image=photo[:, ::-1], refine=3)
    assert not np.array_equal(painted, refined)


def test_steps_halve_and_end_at_the_size() -> None:
    planned = passes(1500, 2000, 1.0, refine=30, refine_size=700)
    sides = [(max(p.height, p.width), p.steps) for p in planned]
    assert [steps for _, steps in sides] == [30, 15, 0, 0]
    assert sides[-1] == (2000, 0)
    assert all((side <= 700) == (steps > 0) for side, steps in sides)
    with pytest.raises(UsageError, match=r"begin at 896 pixels, more than `refine_size` 768"):
        passes(1500, 2000, 0.25, refine=30, refine_size=768)
    unrefined = passes(1500, 2000, 1.0)
    assert all(p.steps == 0 for p in unrefined)
    assert len(unrefined) < len(sides)  # the more sizes, the more refined


def test_it_can_be_stopped(host: Host, coffee: Array) -> None:
    class Stopped:
        """Set once refining has begun."""

        def __init__(self) -> None:
            self.seen = False

        def is_set(self) -> bool:
            return self.seen

    cancel = Stopped()

    def on_progress(_: float, note: str) -> None:
        cancel.seen = cancel.seen or "refining" in note

    with pytest.raises(Cancelled):
        host.apply("style", coffee, refine=400, **OWN_SIZE, on_progress=on_progress, cancel=cancel)


def test_too_little_memory_says_what_to_change(
    refiner: Refiner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*_: object, **__: object) -> list[Array]:
        raise OutOfMemory("the device is full")

    monkeypatch.setattr(runtime.BoundRun, "__call__", run)
    grams = {name: np.eye(side, dtype=np.float32) for name, side in refiner.layers.items()}
    picture = np.zeros((40, 48, 3), np.float32)
    with pytest.raises(OutOfMemory, match=r"48x40 pixels .* smaller `refine_size`"):
        refiner.refine(picture, picture, grams, 2, 1.0)


def test_looks_are_mixed_by_weight() -> None:
    one, two = {"a": np.eye(2, dtype=np.float32)}, {"a": np.ones((2, 2), np.float32)}
    blend = mixed([(0.25, one), (0.75, two)])
    np.testing.assert_allclose(blend["a"], [[1.0, 0.75], [0.75, 1.0]])


def test_a_descent_reaches_coarse_and_fine_parts_of_a_picture() -> None:
    rng = np.random.default_rng(0)
    wanted = rng.random((40, 56, 3), np.float32) * 0.2
    wanted[:, :28] += 0.6
    picture = np.full_like(wanted, 0.5)
    descent = Descent()
    errors = []
    for step in range(200):
        picture -= descent.step(picture - wanted, 0.01 * (1 - step / 200))
        errors.append(float(np.abs(picture - wanted).mean()))
    # The halves differ by 0.6: single pixels alone, at half the rate, would not be halfway by 20.
    assert errors[20] < 0.5 * errors[0]
    assert errors[-1] < 0.01


def test_where_there_is_no_slope_there_is_no_step() -> None:
    assert not Descent().step(np.zeros((20, 20, 3), np.float32), 0.01).any()

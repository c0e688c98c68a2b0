"""The style filter, on small networks; the shipped one, in test_shipped."""

from __future__ import annotations

import gc
from itertools import pairwise
from pathlib import Path
from typing import Any
from weakref import ref

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image as Pillow

from ganfilters import (
    Host,
    Image,
    ImageError,
    ModelError,
    ModelFile,
    Runtime,
    UsageError,
    resize,
    schema,
)
from ganfilters.cli import command_line
from ganfilters.sheet import contact_sheet, values_of
from ganfilters_style import STYLES, StyleParams
from ganfilters_style.detail import detailed
from ganfilters_style.ground import grained
from ganfilters_style.network import Network
from ganfilters_style.passes import passes

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def host() -> Host:
    return Host(device="cpu", threads=1)


def network(file: Path) -> Network:
    model = ModelFile(file)
    return Network(Runtime("cpu", threads=1).session(model), model.card)


def apart(a: Array, b: Array) -> float:
    """Largest difference in 255ths."""
    return float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max())


def test_the_first_style_is_the_default(host: Host, both: Path, photo: Array) -> None:
    painted = host.apply("style", photo, model=both)
    assert painted.shape == photo.shape
    assert np.array_equal(painted, host.apply("style", photo, model=both, style="calm"))
    assert apart(painted, host.apply("style", photo, model=both, style="wild")) > 10
    assert apart(painted, photo) > 10


def test_a_blend_is_between_and_only_the_ratio_counts(both: Path) -> None:
    net = network(both)
    calm, wild = net.style({"calm": 1}), net.style({"wild": 1})
    np.testing.assert_allclose(
        net.style({"calm": 2, "wild": 6}), 0.25 * calm + 0.75 * wild, atol=1e-6
    )
    assert np.array_equal(net.style({"calm": 3}), calm)


@pytest.mark.parametrize("weight", [1e308, 3e38, 1e-40, 5e-324])
def test_weights_of_any_size_are_a_blend(both: Path, weight: float) -> None:
    net = network(both)
    even = net.style({"calm": 1, "wild": 1})
    np.testing.assert_allclose(net.style({"calm": weight, "wild": weight}), even, atol=1e-6)
    # Nothing of calm is left beside it, and that is no mistake.
    wild = net.style({"wild": 1})
    far = net.style({"calm": min(weight, 1.0) * 1e-300, "wild": max(weight, 1.0)})
    np.testing.assert_allclose(far, wild, atol=1e-6)


def test_a_model_without_names_needs_a_painting(host: Host, nameless: Path, photo: Array) -> None:
    with pytest.raises(UsageError, match="has no named styles; give `style_image`"):
        host.apply("style", photo, model=nameless)
    with pytest.raises(UsageError, match=r"no style 'calm' in .*give `style_image`"):
        host.apply("style", photo, model=nameless, style="calm")
    painting = np.random.default_rng(2).integers(0, 256, (70, 90, 3), np.uint8)
    painted = host.apply("style", photo, model=nameless, style_image=painting)
    assert apart(painted, photo) > 10


def test_a_sheet_shows_the_styles_of_the_model(
    host: Host, both: Path, nameless: Path, photo: Array
) -> None:
    assert values_of(host, "style") == ("style", list(STYLES))
    for vary in ("style", "other-style"):
        name, names = values_of(host, "style", vary, {"model": both})
        assert (name, names) == (vary.replace("-", "_"), ["calm", "wild", "dark"])
    assert values_of(host, "style", None, {"model": both}) == ("style", ["calm", "wild", "dark"])
    shown = {"thumbnail": 48, "across": 4}
    sheet = contact_sheet(host, "style", photo, model=both, **shown).pixels[8 : 8 + 36]
    cells = [sheet[:, 8 + 56 * n : 8 + 56 * n + 48] for n in range(4)]
    assert sheet.shape[1] == 8 + 4 * 56  # the photo and three styles
    assert all(apart(255 * a, 255 * b) > 10 for a, b in pairwise(cells))
    with pytest.raises(UsageError, match="`style` has no list of values; give the values to show"):
        contact_sheet(host, "style", photo, model=nameless)


def test_a_sheet_of_paintings(host: Host, both: Path, photo: Array, tmp_path: Path) -> None:
    long = tmp_path / ("folder, " * 20)
    long.mkdir()
    files = [long / "calm.png", long / "wild.png"]
    for number, file in enumerate(files):
        Pillow.fromarray(photo[:: 1 - 2 * number]).save(file)
    how = {"vary": "style-image", "model": both, "thumbnail": 96, "across": 3}
    by_file, by_array = (
        contact_sheet(host, "style", photo, values=values, **how).pixels
        for values in (files, [np.asarray(Pillow.open(file)) for file in files])
    )
    # Labels differ, pictures do not.
    same = (by_file == by_array).all((1, 2))
    assert same[:-32].all()
    assert not same[-32:].all()
    labels = by_file[-24:]
    assert not np.array_equal(labels[:, 112:208], labels[:, 216:312])
    with pytest.raises(UsageError, match="across is -1; it must be 1 or more"):
        contact_sheet(host, "style", photo, model=both, across=-1)


def test_paintings_alone_together_and_with_a_name(both: Path) -> None:
    net = network(both)
    rng = np.random.default_rng(1)
    first, second = (Image(rng.random((80, 120, 3), np.float32) * k) for k in (1.0, 0.3))
    a, b = net.style({}, [first]), net.style({}, [second])
    assert float(np.abs(a - b).max()) > 0.05
    np.testing.assert_allclose(net.style({}, [first, second]), (a + b) / 2, atol=1e-6)
    wild = net.style({"wild": 1})
    np.testing.assert_allclose(net.style({"wild": 3}, [first]), (3 * wild + a) / 4, atol=1e-6)


def test_a_style_picture_from_a_file(host: Host, both: Path, photo: Array, tmp_path: Path) -> None:
    painting = np.random.default_rng(2).integers(0, 256, (70, 90, 3), np.uint8)
    Pillow.fromarray(painting).save(tmp_path / "p.png")
    from_file = host.apply("style", photo, model=both, style_image=[tmp_path / "p.png"])
    from_array = host.apply("style", photo, model=both, style_image=[painting])
    assert np.array_equal(from_file, from_array)
    assert np.array_equal(from_file, host.apply("style", photo, model=both, style_image=painting))
    Pillow.fromarray(painting[:20]).save(tmp_path / "tiny.png")
    small = "is 90x20 pixels; it must be at least 64x64"
    with pytest.raises(UsageError, match=rf"picture .*tiny\.png {small}"):
        host.apply("style", photo, model=both, style_image=[painting, tmp_path / "tiny.png"])
    with pytest.raises(UsageError, match=f"picture 2 of 2 {small}"):
        host.apply("style", photo, model=both, style_image=[painting, painting[:20]])
    with pytest.raises(UsageError, match=f"the style picture {small}"):
        host.apply("style", photo, model=both, style_image=painting[:20])
    (tmp_path / "broken.png").write_bytes((tmp_path / "p.png").read_bytes()[:100])
    with pytest.raises((UsageError, ImageError), match="broken"):
        host.apply("style", photo, model=both, style_image=[tmp_path / "broken.png"])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"style": "clam"}, "no style 'clam' in .*did you mean calm"),
        ({"style": "calm=-1"}, "the weight of calm is -1; a weight must be 0 or more"),
        ({"style": "calm=0,wild=0"}, "all weights are 0"),
        ({"other_style": "wild"}, "other_style needs split"),
        ({"split": np.zeros((96, 72), np.uint8)}, "is 72x96 pixels, but the picture is 96x72"),
        ({"split": np.zeros((72, 90), np.uint8)}, "is 90x72 .*; give one of the same proportions"),
        ({"stroke_scale": 100}, "stroke_scale"),
    ],
)
def test_bad_values(
    host: Host, both: Path, photo: Array, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        host.apply("style", photo, model=both, **params)


def test_messages_speak_of_flags_where_flags_are_typed(host: Host) -> None:
    with pytest.raises(UsageError, match=r"^--other-style needs --split, which says where"):
        host.parse("style", {"other_style": "wild"}, flags=True)


def test_a_list_of_pictures_is_shown_as_files() -> None:
    table = schema.markdown(StyleParams)
    assert "| `--style-image` | FILE |" in table
    option = next(o for o in schema.options(StyleParams) if o.name == "style_image")
    assert option.metavar == "FILE"
    assert option.multiple


def test_styles_given_one_by_one_are_blended(
    both: Path, photo: Array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Pillow.fromarray(photo).save("in.png")

    def run(out: str, *words: str) -> Result:
        line = ["apply", "style", "in.png", out, "--model", str(both), *words]
        return CliRunner().invoke(command_line(), line)

    def made(out: str, *words: str) -> Array:
        done = run(out, *words)
        assert done.exit_code == 0, done.output
        return np.asarray(Pillow.open(out))

    one_by_one = made("a.png", "--style", "calm", "--style", "wild=0.5")
    assert np.array_equal(one_by_one, made("b.png", "--style", "calm,wild=0.5"))
    assert apart(one_by_one, made("c.png", "--style", "wild=0.5")) > 3
    for words, message in (
        (("--style", "calm", "--style", "calm"), "--style: calm appears twice"),
        (("--style", ""), "--style: no name is given"),
        (("--other-style", "calm"), "--other-style needs --split"),
        (("--list-styles",), "no option --list-styles; `ganfilters show style` lists"),
    ):
        done = run("d.png", *words)
        assert done.exit_code == 2
        assert message in done.output
        assert not Path("d.png").exists()


@pytest.mark.parametrize("size", [(36, 48), (24, 32), (17, 22), (144, 192), (101, 135)])
def test_a_split_of_the_same_proportions_may_have_another_size(
    host: Host, both: Path, photo: Array, size: tuple[int, int]
) -> None:
    split = np.zeros(size, np.uint8)
    split[:, : size[1] // 2] = 255
    done = host.apply("style", photo, model=both, split=split)
    assert apart(done[:, :36], photo[:, :36]) > 10
    assert np.array_equal(done[:, 60:], photo[:, 60:])
    white = np.full((*size, 2), 255, np.uint8).repeat(2, 2)
    white[..., 3] = split  # as black where it is transparent
    assert np.array_equal(host.apply("style", photo, model=both, split=white), done)


def test_models_that_do_not_fit(host: Host, named: Path, photo: Array) -> None:
    with pytest.raises(UsageError, match="knows its own styles only"):
        host.apply("style", photo, model=named, style_image=[np.zeros((64, 64, 3), np.uint8)])
    dream = host.registry.get("dream").filter.models[0].path
    with pytest.raises(ModelError, match="made for the filter dream"):
        host.apply("style", photo, model=dream)


@pytest.mark.parametrize("size", [(500, 420), (258, 1030), (700, 100)])
def test_the_picture_does_not_depend_on_the_tile(named: Path, size: tuple[int, int]) -> None:
    net = network(named)
    style = net.style({"wild": 1})
    pixels = np.random.default_rng(3).random((*size, 3), np.float32)
    pixels *= np.linspace(0.2, 1.0, size[1], dtype=np.float32)[:, None]  # tiles differ
    small, middle, whole = (255 * net.paint(pixels, style, tile) for tile in (256, 480, 2048))
    assert apart(small, whole) < 0.5  # 2 is what is asked
    assert apart(middle, whole) < 0.5
    alone = 255 * net.paint(np.ascontiguousarray(pixels[:, :64]), style, 2048)
    assert apart(alone, whole[:, :64]) > 2  # what is compared above does depend on the whole


def test_tiles_keep_enough_whatever_is_asked(named: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = network(named)
    seen: list[tuple[int, ...]] = []
    run = type(net.session).run

    def counted(self: Any, feeds: Any, names: Any = None) -> Any:
        seen.append(feeds["image"].shape)
        return run(self, feeds, names)

    style = net.style({"wild": 1})
    monkeypatch.setattr(type(net.session), "run", counted)
    monkeypatch.setitem(net.card.extra, "reach", 200)
    net.paint(np.zeros((700, 700, 3), np.float32), style, 256)
    assert len(seen) == 1 + 3 * 3  # one to measure, and tiles that keep 256 pixels each


@pytest.mark.parametrize("size", [(1, 1), (3, 17), (16, 16), (5, 400)])
def test_any_size(host: Host, named: Path, size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(4).integers(0, 256, (*size, 3), np.uint8)
    assert host.apply("style", pixels, model=named).shape == (*size, 3)


def sides(size: int, stroke_scale: float = 1.0) -> list[int]:
    """Return the sizes that a square is painted at; those that only add details are negative."""
    planned = passes(size, size, stroke_scale)
    assert all(p.height == p.width and not p.steps for p in planned)
    return [-p.width if p.detail else p.width for p in planned]


def test_strokes_are_relative_to_the_picture() -> None:
    assert sides(400) == [224, 400]
    assert sides(1024) == [224, 1024]
    assert sides(4000) == [224, 1024, -4000]
    assert sides(4000, 2.0) == [112, 512, -1431, -4000]
    assert sides(4000, 0.5) == [448, 2048, -4000]
    assert sides(600, 2.0) == [112, 300, -600]
    assert sides(260) == [224]  # hardly blurred when it is enlarged
    assert sides(100) == [200]  # enlarged at most twice
    assert sides(768, 0.25) == [896]
    assert sides(108, 224 / 108) == [108]
    wide = passes(1000, 2000, 2.0)
    assert [(p.height, p.width) for p in wide] == [(56, 112), (256, 512), (1000, 2000)]


def test_a_painting_is_looked_at_once_for_all_pictures(
    host: Host, both: Path, photo: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Image] = []
    style = Network.style

    def counted(self: Network, names: dict[str, float], paintings: list[Image]) -> Array:
        looked.extend(paintings)
        return style(self, names, paintings)

    monkeypatch.setattr(Network, "style", counted)
    prepared = host.prepare("style", model=both, style_image=photo[:, ::-1])
    made = [prepared.apply(picture) for picture in (photo, photo[::-1], photo)]
    assert len(looked) == 1
    assert np.array_equal(made[0], made[2])
    kept = ref(looked.pop())
    assert kept() is not None
    del prepared
    gc.collect()
    assert kept() is None  # a filter does not keep the pictures of its last run
    other = host.apply("style", photo, model=both, style_image=photo[::-1])
    assert len(looked) == 1
    assert not np.array_equal(other, made[0])


def test_details_are_added_where_the_photo_has_some() -> None:
    rng = np.random.default_rng(0)
    strokes = np.clip(rng.normal(0.5, 0.1, (20, 30, 3)), 0, 1).astype(np.float32)
    enlarged = resize(strokes, 300, 200)
    painted = np.clip(enlarged + rng.normal(0, 0.1, enlarged.shape), 0, 1).astype(np.float32)
    photo = np.full_like(painted, 0.5)
    photo[:, 150:] += rng.normal(0, 0.2, (200, 150, 1)).astype(np.float32)
    photo = np.clip(photo, 0, 1)
    result = detailed(strokes, painted.copy(), photo)
    assert result.shape == painted.shape
    assert 0 <= result.min() <= result.max() <= 1
    fine = np.abs(result - resize(resize(result, 30, 20), 300, 200)).mean((0, 2))
    assert fine[:120].mean() < 0.4 * fine[180:].mean()
    # What the smaller size holds is that of the strokes, only sharper.
    small = resize(result, 30, 20)
    assert np.corrcoef(small.ravel(), strokes.ravel())[0, 1] > 0.97


def test_what_is_painted_over_shows_the_photo_again(
    host: Host, named: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Array] = []
    paint = Network.paint

    def lost(self: Network, pixels: Array, style: Array, tile: int) -> Array:
        seen.append(pixels)
        return np.full_like(paint(self, pixels, style, tile), 0.5)  # all that it showed

    monkeypatch.setattr(Network, "paint", lost)
    line = np.full((700, 700, 3), 100, np.uint8)
    line[:, 340:360] = 200
    host.apply("style", line, model=named)
    assert len(seen) == 2
    luma = seen[1].mean((0, 2))
    assert luma[345:355].min() > luma[:330].max() + 0.05


def test_grain_is_as_strong_as_asked_and_the_same_each_time(
    host: Host, both: Path, photo: Array
) -> None:
    grey = np.full((90, 130, 3), 0.5, np.float32)
    for amount in (0.02, 0.1):
        grain = grained(grey, amount) - grey
        np.testing.assert_allclose(grain.std(), amount, rtol=1e-3)
        # Of blotches, not of pixels: neighbours are alike, and those far apart are not.
        along = grain[..., 1]
        alike = (along[:, 1:] * along[:, :-1]).mean() / along.var()
        assert alike > 0.8 > 0.3 > abs((along[:, 64:] * along[:, :-64]).mean() / along.var())
    assert np.array_equal(grained(grey, 0.05), grained(grey, 0.05))
    for size in ((1, 1), (2, 2), (5, 5), (1, 40)):
        tiny = np.full((*size, 3), 0.5, np.float32)
        np.testing.assert_allclose(grained(tiny, 0.02).mean((0, 1)), 0.5, atol=1e-3)
    assert grained(grey, 0) is grey
    painted, plain = (host.apply("style", photo, model=both, grain=g) for g in (0.1, 0))
    assert apart(painted, plain) > 5
    # A network that was trained without any gets none unless it is asked for.
    assert np.array_equal(plain, host.apply("style", photo, model=both))


def test_two_styles_split_by_a_picture(host: Host, both: Path, photo: Array) -> None:
    split = np.zeros(photo.shape[:2], np.uint8)
    split[:, :48] = 255
    done = host.apply("style", photo, model=both, style="calm", other_style="wild", split=split)
    calm = host.apply("style", photo, model=both, style="calm")
    wild = host.apply("style", photo, model=both, style="wild")
    assert apart(done[:, :48], calm[:, :48]) <= 1
    assert apart(done[:, 48:], wild[:, 48:]) <= 1
    alone = host.apply("style", photo, model=both, style="calm", split=split)
    assert apart(alone[:, :48], calm[:, :48]) <= 1
    assert np.array_equal(alone[:, 48:], photo[:, 48:])


@pytest.mark.parametrize("colours", ["off", "luminance", "histogram"])
def test_the_part_that_stays_the_photo_keeps_every_pixel(
    host: Host, both: Path, photo: Array, colours: str
) -> None:
    split = np.zeros(photo.shape[:2], np.uint8)
    split[:, :48] = 255
    chosen = {"model": both, "style": "wild", "preserve_color": colours}
    done = host.apply("style", photo, split=split, **chosen)
    assert np.array_equal(done[:, 48:], photo[:, 48:])
    assert apart(done[:, :48], host.apply("style", photo, **chosen)[:, :48]) <= 1
    assert apart(done[:, :48], photo[:, :48]) > 10


def test_what_no_picture_can_do_is_told_once(
    both: Path, named: Path, photo: Array, tmp_path: Path
) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / "in").mkdir(exist_ok=True)
        Pillow.fromarray(photo).save(tmp_path / "in" / name)
    Pillow.fromarray(photo[:20]).save(tmp_path / "tiny.png")
    folders = [str(tmp_path / "in"), str(tmp_path / "out")]
    for options, message in (
        (["--style", "monet"], "there is no style 'monet'"),
        (["--model", str(both), "--style", "clam"], "did you mean calm"),
        (["--other-style", "udni", "--split", str(tmp_path / "tiny.png")], "did you mean udnie"),
        (["--style-image", str(tmp_path / "tiny.png")], "is 96x20 pixels"),
        (["--model", str(named), "--style-image", str(tmp_path / "in/a.png")], "its own styles"),
    ):
        result = CliRunner().invoke(command_line(), ["apply", "style", *folders, *options])
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
        assert message in result.stderr
        assert not (tmp_path / "out").exists()
    step = tmp_path / "look.toml"
    step.write_text('[[step]]\nfilter = "style"\nstyle = "screem"\n')
    for words in (folders, ["--dry-run"]):
        result = CliRunner().invoke(command_line(), ["run", str(step), *words])
        assert result.exit_code == 2
        assert "step 1 (style): there is no style 'screem'" in result.stderr
        assert not result.stdout


def test_a_broken_mask_is_called_one(both: Path, photo: Array, tmp_path: Path) -> None:
    (tmp_path / "hole.png").write_bytes(b"nothing")
    with pytest.raises(ImageError, match=r"^mask: .*hole\.png"):
        Host("cpu").apply("style", photo, model=both, mask=tmp_path / "hole.png")

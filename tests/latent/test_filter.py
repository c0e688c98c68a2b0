"""The latent filter on small random networks: what it does, not how good it looks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image as Pillow

from ganfilters import Animation, Host, Image, ModelError, UsageError
from ganfilters.cli import command_line
from ganfilters_latent.space import closed_curve, layers_of

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def host() -> Host:
    return Host(device="cpu", threads=1)


def drawn(host: Host, model: Path, **params: Any) -> Array:
    image = host.apply("latent", None, model=model, **params)
    return np.rint(image.pixels * 255).astype(int)  # type: ignore[no-any-return, union-attr]


def pixels_of(file: Path) -> Array:
    with Pillow.open(file) as image:
        return np.asarray(image)


def test_a_seed_is_a_picture(host: Host, style: Path) -> None:
    first = drawn(host, style, seed=7)
    assert first.shape == (16, 16, 3)
    assert np.array_equal(first, drawn(host, style, seed=7))
    assert np.abs(first - drawn(host, style, seed=8)).mean() > 1
    assert np.abs(first - drawn(host, style, seed=7, truncation=0)).mean() > 1
    assert np.abs(first - drawn(host, style, seed=7, noise=0)).mean() > 0.1


def test_the_latent_of_a_seed_never_changes() -> None:
    # The docs promise the same latent on every machine, and so with every release of NumPy.
    rng = np.random.Generator(np.random.PCG64([7, 0]))
    assert rng.standard_normal(3) == pytest.approx([0.00123015, 0.29874554, -0.27413786], abs=1e-7)


def test_classes(host: Host, style: Path) -> None:
    bar, disc = (drawn(host, style, class_=name, noise=0) for name in ("bar", "disc"))
    assert np.abs(bar - disc).mean() > 1
    blend = drawn(host, style, class_="bar=3,disc=1", noise=0)
    assert np.abs(blend - bar).mean() < np.abs(blend - disc).mean()
    drawn_by_seed = {drawn(host, style, seed=n, noise=0, truncation=0).tobytes() for n in range(12)}
    assert len(drawn_by_seed) == 3  # with no truncation left there is one picture for each class
    with pytest.raises(UsageError, match="no class 'disk'; did you mean disc"):
        host.prepare("latent", model=style, class_="disk")  # before there is a picture


def test_a_network_without_classes(host: Host, grey: Path) -> None:
    made = drawn(host, grey)
    assert made.shape == (16, 16, 3)
    assert (made == made[..., :1]).all()
    with pytest.raises(UsageError, match="grey has no classes; leave class out"):
        drawn(host, grey, class_="bar")
    with pytest.raises(UsageError, match="has one layer, so there is nothing to mix"):
        drawn(host, grey, mix_seed=1)


def test_a_sheet_holds_the_pictures_of_its_seeds(host: Host, style: Path) -> None:
    sheet = drawn(host, style, seed=3, grid="3x2")
    assert sheet.shape == (32, 48, 3)
    assert np.abs(sheet[:16, 16:32] - drawn(host, style, seed=4)).max() <= 1
    assert np.abs(sheet[16:, 32:] - drawn(host, style, seed=8)).max() <= 1


def test_no_picture_has_a_frame(host: Host) -> None:
    """Convolutions see zeros beyond the border, and the rim came out grey."""
    sheet = host.apply("latent", grid="4x4", seed=20).pixels.reshape(4, 128, 4, 128, 3)
    pictures = sheet.transpose(0, 2, 1, 3, 4).reshape(16, 128, 128, 3)
    for one in (pictures, pictures[:, ::-1]):
        steps = np.abs(np.diff(one, axis=1)).mean((0, 2, 3))
        assert steps[0] < 1.5 * steps[4:40].mean()


@pytest.mark.parametrize("how", [{"grid": "5x4"}, {"walk": "1,2", "frames": 20}])
def test_sheets_and_walks_say_how_far_they_are(host: Host, how: dict[str, Any]) -> None:
    seen: list[float] = []
    host.apply("latent", model="kmnist-dense", on_progress=lambda done, _: seen.append(done), **how)
    assert seen == sorted(seen)
    assert len(set(seen)) > 3


def test_a_sheet_over_the_limit_is_refused() -> None:
    small = Host("cpu", max_pixels=28 * 28 * 4)
    assert small.apply("latent", model="kmnist-dense", grid="2x2").width == 56
    with pytest.raises(UsageError, match="the result is 84x56, over the limit of 3136 pixels"):
        small.apply("latent", model="kmnist-dense", grid="3x2")


def test_size_enlarges_and_cuts(host: Host, style: Path) -> None:
    made = drawn(host, style, seed=1, size="64x32")
    assert made.shape == (32, 64, 3)
    middle = drawn(host, style, seed=1, size="64x64")[16:48]
    assert np.abs(made - middle).mean() < 2


def test_mixing_takes_layers_of_another_seed(host: Host, style: Path) -> None:
    own, other = (drawn(host, style, seed=n, class_="bar", noise=0) for n in (1, 2))
    together = {"seed": 1, "mix_seed": 2, "class_": "bar", "noise": 0}
    mixed = drawn(host, style, **together)
    assert (mixed != own).any()
    assert (mixed != other).any()
    assert np.abs(drawn(host, style, **together, mix_layers="0-2") - other).max() <= 1
    with pytest.raises(UsageError, match=r"'1-5' names layers .* it has layers 0 to 2"):
        drawn(host, style, **together, mix_layers="1-5")
    with pytest.raises(UsageError, match="'top' names no layers; write them as 0-2,5"):
        drawn(host, style, **together, mix_layers="top")
    with pytest.raises(UsageError, match="mix_layers needs mix_seed"):
        drawn(host, style, mix_layers="0")


def test_edits_move_along_directions(host: Host, style: Path) -> None:
    plain = drawn(host, style, seed=1, noise=0)
    little, much = (drawn(host, style, seed=1, noise=0, edit={"pc1": n}) for n in (0.1, 3))
    assert 0 < np.abs(little - plain).mean() < np.abs(much - plain).mean()
    back = drawn(host, style, seed=1, noise=0, edit="pc1=-3")
    assert np.abs(back - much).mean() > np.abs(much - plain).mean() / 2
    fine = drawn(host, style, seed=1, noise=0, edit="pc1=3", edit_layers="2")
    assert np.abs(fine - much).mean() > 0.1
    with pytest.raises(UsageError, match="no direction 'age'; it has pc1, pc2"):
        host.prepare("latent", model=style, edit="age=1")


def test_layers_are_read() -> None:
    assert layers_of("3", 4) == [3]
    assert layers_of(" 0 - 1, 3", 4) == [0, 1, 3]
    for wrong in ("", "a", "1-", "-1", "1,,2"):
        with pytest.raises(UsageError, match="names no layers"):
            layers_of(wrong, 4)


def test_a_curve_passes_its_points_and_closes_smoothly() -> None:
    points = [np.array(p, np.float32) for p in ([0, 0], [1, 0], [1, 1])]
    curve = closed_curve(points, 300)
    for number, point in enumerate(points):
        assert np.allclose(curve[100 * number], point, atol=1e-6)
    steps = np.diff(np.concatenate([curve, curve[:2]]), axis=0)
    assert np.abs(np.diff(steps, axis=0)).max() < 1e-3  # no jerk anywhere, the seam included


def test_a_walk_is_a_loop(host: Host, style: Path, photo: Array, tmp_path: Path) -> None:
    walk = host.apply("latent", None, model=style, walk="1,7,23", frames=12, class_="bar")
    assert isinstance(walk, Animation)
    assert len(walk.frames) == 12
    frames = [frame.pixels for frame in walk.frames]
    seed_1 = host.apply("latent", None, model=style, seed=0, noise=1, class_="bar", walk="1,7",
                        frames=2)  # fmt: skip
    assert np.abs(frames[0] - seed_1.frames[0].pixels).max() < 1e-5  # type: ignore[union-attr]
    assert np.abs(frames[0] - frames[4]).mean() > 0.01
    over = host.apply("latent", photo, model=style, walk=(1, 7), frames=2)
    assert over.frames[0].pixels.shape == photo.shape  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"walk": "7"}, "needs two seeds"),
        ({"walk": "7,x"}, "whole numbers"),
        ({"walk": "7,-1"}, "-1 is no seed"),
        ({"walk": "7,4294967296"}, "4294967296 is no seed"),
        ({"walk": "7,7"}, "give two different seeds"),
        ({"walk": "1,2,3", "frames": 2}, "2 frames cannot pass 3 seeds"),
        ({"mix_seed": 1, "mix_layers": ""}, "names no layers"),
        ({"mix_seed": 1, "mix_layers": "0-30000000"}, "does not have; it has"),
        ({"mix_seed": 1, "mix_layers": "1-0"}, "the coarser comes first, as in 0-1"),
        ({"edit": "pc1=1e30"}, r"edit has pc1=1e\+30; an amount must be from -10 to 10"),
        ({"walk": "1,2", "grid": "2x2"}, "walk and grid cannot be combined"),
        ({"grid": "64x64"}, "grid: a grid of 64x64 is out of range"),
        ({"grid": "4"}, "grid: a grid is COLUMNSxROWS"),
        ({"truncation": 2.5}, "truncation is 2.5; it must be from 0 to 2"),
        ({"class_": "bar=-1,disc=2"}, "class_ has a negative weight"),
        ({"edit_layers": "1"}, "edit_layers needs edit"),
        ({"frames": 12}, "frames needs walk as well"),
        ({"steps": 50}, "steps needs project as well"),
        ({"steps": 50, "walk": "1,7"}, "steps needs project as well"),
        ({"project": True}, "give the picture as INPUT"),
        ({"model": "landscap"}, "there is no network 'landscap'; did you mean landscape"),
        ({"latent": "absent.json"}, "absent.json does not exist"),
    ],
)
def test_what_cannot_be_is_said(
    host: Host, style: Path, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        host.apply("latent", None, **{"model": style, **params})


def test_only_the_ratio_of_class_weights_counts(host: Host, style: Path) -> None:
    plain = host.apply("latent", None, model=style, class_="bar")
    for weight in ("1e39", "1e-46", "1e308"):
        same = host.apply("latent", None, model=style, class_=f"bar={weight}")
        assert np.array_equal(same.pixels, plain.pixels)
    half = host.apply("latent", None, model=style, class_="bar=1,disc=1")
    huge = host.apply("latent", None, model=style, class_="bar=1e308,disc=1e308")
    assert np.array_equal(huge.pixels, half.pixels)


def test_what_a_latent_cannot_take_is_said_before_it_is_looked_for(
    host: Host, style: Path, photo: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganfilters_latent.filter.project", lambda *_: pytest.fail("looked"))
    for wrong in ({"edit": "pc99=1"}, {"mix_seed": 1, "mix_layers": "99"}):
        with pytest.raises(UsageError, match=r"no direction|does not have"):
            host.apply("latent", photo, model=style, project=True, **wrong)


def test_a_file_of_another_kind_is_named(host: Host) -> None:
    from ganfilters_style.filter import Style

    with pytest.raises(ModelError, match=r"made for the filter style .*, not for latent"):
        host.apply("latent", None, model=Style.models[0].path)


def test_it_covers_a_picture_under_its_mask(host: Host, style: Path, photo: Array) -> None:
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[:15] = 255
    made = host.apply("latent", photo, model=style, seed=3, mask=mask)
    assert np.array_equal(made[15:], photo[15:])
    whole = host.apply("latent", photo, model=style, seed=3)
    assert np.array_equal(made[:15], whole[:15])
    half = host.apply("latent", photo, model=style, seed=3, strength=0.5)
    assert np.abs(half.astype(int) - (whole.astype(int) + photo) / 2).max() <= 1
    for name, value in (("size", "9x9"), ("grid", "2x2")):
        with pytest.raises(UsageError, match=f"{name} is for pictures made from nothing"):
            host.apply("latent", photo, model=style, **{name: value})


@pytest.mark.parametrize("network", ["style", "grey"])
def test_a_generated_picture_is_found_again(
    host: Host, network: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(network)
    goal = drawn(host, model, seed=999, noise=0, truncation=0.7).astype(np.uint8)
    few, many = (
        host.apply("latent", goal, model=model, project=True, steps=steps, noise=0).astype(int)
        for steps in (1, 120)
    )
    distances = [np.abs(found - goal).mean() for found in (few, many)]
    assert distances[1] < 0.7 * distances[0]
    again = host.apply("latent", goal, model=model, project=True, steps=120, noise=0)
    assert np.array_equal(again, many)


def test_a_latent_is_saved_and_loaded(
    host: Host, style: Path, grey: Path, photo: Array, tmp_path: Path
) -> None:
    file = tmp_path / "found.json"
    params = {"model": style, "noise": 0}
    found = host.apply("latent", photo, project=True, steps=5, save_latent=file, **params)
    assert np.array_equal(found, host.apply("latent", photo, latent=file, **params))
    moved = host.apply("latent", photo, latent=file, edit="pc1=2", **params)
    assert not np.array_equal(found, moved)
    with pytest.raises(UsageError, match=r"found.json exists already; choose another name"):
        host.apply("latent", photo, save_latent=file, **params)
    with pytest.raises(UsageError, match=r"a latent of the network style \(.*not of grey"):
        host.apply("latent", photo, latent=file, model=grey)
    moving = Animation((Image(np.float32(photo) / 255),) * 2, (40.0, 40.0))
    other = tmp_path / "other.json"
    with pytest.raises(UsageError, match="save-latent is for one picture; the input has 2 frames"):
        host.apply("latent", moving, save_latent=other, **params)
    assert not other.exists()
    record = json.loads(file.read_text())
    file.write_text(json.dumps({**record, "w": [[1.0, 2.0]]}))
    with pytest.raises(UsageError, match="is damaged: its latent has the shape"):
        host.apply("latent", photo, latent=file, **params)
    file.write_text("[1, 2]")
    with pytest.raises(UsageError, match="holds no latent; save one with --save-latent"):
        host.apply("latent", photo, latent=file, **params)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="is not UTF-8 text"):
        host.apply("latent", photo, latent=file, **params)


def test_the_command_line(style: Path, tmp_path: Path, photo: Array) -> None:
    out = tmp_path / "out.png"

    def run(*words: str) -> Any:
        base = ["apply", "latent", *words, "--model", str(style)]
        return CliRunner().invoke(command_line(), base)

    done = run(str(out), "--seed", "7", "--class", "disc")
    assert done.exit_code == 0, done.output
    assert pixels_of(out).shape == (16, 16, 3)
    assert run(str(out), "--overwrite", "--seed", "7", "--class", "disc").exit_code == 0
    gif = tmp_path / "walk.gif"
    assert run(str(gif), "--walk", "1,7", "--frames", "4").exit_code == 0
    with Pillow.open(gif) as animation:
        assert getattr(animation, "n_frames", 1) == 4
    wrong = run(str(tmp_path / "no.png"), "--clas", "disc")
    assert wrong.exit_code == 2
    assert "did you mean --class" in wrong.output
    params = tmp_path / "p.json"
    params.write_text('{"class": "disc", "seed": 7}')
    same = tmp_path / "same.png"
    assert run(str(same), "--params", str(params)).exit_code == 0
    assert np.array_equal(pixels_of(same), pixels_of(out))
    clash = run(str(tmp_path / "a.png"), "--save-latent", str(tmp_path / "a.png"))
    assert clash.exit_code == 2
    assert "--save-latent and the output are the same file" in clash.output
    alone = run(str(tmp_path / "m.png"), "--mix-layers", "0")
    assert "--mix-layers needs --mix-seed as well" in alone.output
    many = run(str(out), str(same), "--save-latent", "a.json", "--out-dir", str(tmp_path / "many"))
    assert many.exit_code == 2
    assert "--save-latent is for one picture; there are 2" in many.output
    # The picture says how it was made, and is made again from that.
    replayed = tmp_path / "replayed.png"
    done = CliRunner().invoke(command_line(), ["replay", str(out), str(replayed)])
    assert done.exit_code == 0, done.output
    assert np.array_equal(pixels_of(replayed), pixels_of(out))

"""``ganfilters replay``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from ganfilters import Image
from ganfilters.cli.replay import _compare
from tests.cli.conftest import Run, error, picture, pixels, records


@pytest.fixture
def again(run: Run) -> Run:
    return lambda *words: run("replay", *words, "--device", "cpu")


def test_the_same_picture_is_made_again(apply: Run, again: Run) -> None:
    picture("in.png")
    apply("noise", "in.png", "out.png", "--seed", "7")
    result = again("out.png", "in.png", "new.png", "--verify")
    assert result.exit_code == 0, result.output
    assert result.stdout == "identical: largest difference 0/255, mean 0/255\n"
    assert (pixels("new.png") == pixels("out.png")).all()


def test_the_largest_picture_is_as_asked(apply: Run, again: Run) -> None:
    picture("in.png", size=(12, 8))
    apply("noise", "in.png", "out.png")
    text = error(again("out.png", "in.png", "new.png", "--max-pixels", "95"))
    assert "12 x 8 is" in text
    assert "over the limit" in text
    assert not Path("new.png").exists()
    assert again("out.png", "in.png", "new.png", "--max-pixels", "96").exit_code == 0


@pytest.mark.parametrize("words", [["out.png", "new.png"], ["out.png", "-", "new.png"]])
def test_a_picture_made_from_nothing(apply: Run, again: Run, words: list[str]) -> None:
    apply("noise", "out.png", "--seed", "7")
    assert again(*words, "--verify").exit_code == 0
    assert (pixels("new.png") == pixels("out.png")).all()


def test_a_difference_is_measured_and_fails(apply: Run, again: Run) -> None:
    picture("in.png")
    apply("noise", "in.png", "out.png")
    picture("in.png", seed=1)
    result = again("out.png", "in.png", "new.png", "--verify", "--json")
    assert result.exit_code == 1
    verdict = records(result)[0]["verify"]
    assert verdict["same"] is False
    assert verdict["largest"] > verdict["mean"] > 1
    assert result.stderr.startswith(
        "ganfilters: warning: in.png is not the picture that out.png was made from"
    )


def test_another_size_fails(apply: Run, again: Run) -> None:
    picture("in.png")
    apply("noise", "in.png", "out.png")
    picture("in.png", size=(5, 5))
    result = again("out.png", "in.png", "new.png", "--verify")
    assert result.exit_code == 1
    assert "not of one size" in result.stdout


def test_a_lossy_picture_may_differ_a_little(apply: Run, again: Run) -> None:
    picture("in.png", size=(32, 32))
    Pillow.new("RGB", (32, 32), (90, 120, 200)).save("in.png")
    apply("invert", "in.png", "out.jpg", "--quality", "60")
    result = again("out.jpg", "in.png", "new.png", "--verify", "--json")
    assert result.exit_code == 0, result.output
    assert records(result)[0]["verify"]["allowed_mean"] > 0


def test_mask_strength_and_inversion_are_replayed(apply: Run, again: Run) -> None:
    picture("in.png")
    mask = Pillow.new("L", (12, 8), 0)
    mask.paste(255, (0, 0, 6, 8))
    mask.save("mask.png")
    apply(
        "invert", "in.png", "out.png", "--mask", "mask.png", "--invert-mask", "--feather", "2",
        "--strength", "0.7",
    )  # fmt: skip
    assert again("out.png", "in.png", "new.png", "--verify").exit_code == 0
    Path("mask.png").rename("moved.png")
    assert "--mask FILE" in error(again("out.png", "in.png", "b.png"))
    result = again("out.png", "in.png", "b.png", "--verify", "--mask", "moved.png")
    assert result.exit_code == 0, result.output
    assert not result.stderr
    picture("other.png", seed=9)
    result = again("out.png", "in.png", "c.png", "--mask", "other.png")
    assert "the mask given is not the one of the recipe (mask.png)" in result.stderr


def test_a_moved_parameter_picture_is_named(apply: Run, again: Run) -> None:
    picture("in.png")
    picture("guide.png")
    apply("kinds", "in.png", "out.png", "--guide", "guide.png")
    Path("guide.png").rename("moved.png")
    assert "--image guide=FILE" in error(again("out.png", "in.png", "new.png"))
    done = again("out.png", "in.png", "new.png", "--image", "guide=moved.png")
    assert (done.exit_code, done.stderr) == (0, "")
    picture("other.png", seed=5)
    done = again("out.png", "in.png", "c.png", "--image", "guide=other.png")
    assert done.exit_code == 0
    assert "the picture given for guide is not the one of the recipe (guide.png)" in done.stderr
    words = ["out.png", "in.png", "b.png", "--image", "scale=moved.png"]
    assert "the recipe names no file scale" in error(again(*words))
    apply("kinds", "in.png", "bare.png")
    done = again("bare.png", "in.png", "d.png", "--image", "guide=moved.png")
    assert "the recipe has none for guide, and one is given" in done.stderr
    words = ["out.png", "in.png", "b.png", "--image", "giude=moved.png"]
    assert "the recipe names no file giude; did you mean guide?" in error(again(*words))
    assert "write it as NAME=FILE" in error(again("out.png", "in.png", "b.png", "--image", "x"))


def test_an_animation_of_several_frames_as_input(apply: Run, again: Run) -> None:
    frames = [Pillow.new("RGB", (8, 6), (50 * index, 0, 9)) for index in range(3)]
    frames[0].save("in.png", save_all=True, append_images=frames[1:], duration=[100, 200, 300])
    apply("noise", "in.png", "out.png")
    result = again("out.png", "in.png", "new.png", "--verify")
    assert result.exit_code == 0, result.output
    with Pillow.open("new.png") as made:
        assert made.info["duration"] == 100


def test_an_animation_is_replayed(apply: Run, again: Run) -> None:
    apply("noise", "out.png", "--frames", "3")
    result = again("out.png", "new.png", "--verify")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["in.png", "in.png", "new.png"], "in.png holds no recipe"),
        (["nowhere.png", "in.png", "new.png"], "nowhere.png"),
        (["out.png", "new.png"], "starts from a picture (in.png); write: replay OUT IN NEW"),
        (["out.png"], "write: replay OUT IN NEW"),
        (["made.png", "in.png", "new.png"], "starts from nothing"),
        (["out.png", "in.png", "old.png"], "old.png exists already; replace it with --overwrite"),
        (["out.png", "in.png", "out.png"], "--overwrite"),
        (["out.png", "in.png", "-"], "NEW must be a file"),
        (["out.png", "in.png", "new.xyz"], ".xyz is no format"),
        (["out.png", "a", "b", "c"], "4 paths were given"),
        (["", "in.png", "new.png"], "the path of a picture is empty"),
        (["out.png", "in.png", ""], "the path of the output is empty"),
    ],
)
def test_bad_use(apply: Run, again: Run, words: list[str], expected: str) -> None:
    picture("in.png")
    picture("old.png")
    apply("noise", "in.png", "out.png")
    apply("noise", "made.png")
    assert expected in error(again(*words))
    assert not Path("new.png").exists()


def test_another_version_of_the_plugin_is_a_warning(
    apply: Run, again: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganfilters.recipe import Recipe

    picture("in.png")
    text = records(apply("noise", "in.png", "out.png", "--json"))[0]["recipe"]
    text["steps"][0]["version"] = "99"
    recipe = Recipe.from_json(json.dumps(text))
    monkeypatch.setattr("ganfilters.cli.replay._recipe", lambda _out, _old: recipe)
    result = again("out.png", "in.png", "new.png", "--verify")
    assert result.exit_code == 0
    assert "out.png was made with 99" in result.stderr


def test_a_changed_model_is_a_warning(run: Run) -> None:
    from ganfilters.cli._state import State
    from ganfilters.cli.replay import _changes
    from ganfilters.recipe import Step

    state = State()
    entry = state.registry.get("dream")
    name = entry.filter.models[0].path.name
    step = Step(filter="dream", version=entry.version, params={}, models={name: "0" * 64})
    assert list(_changes(state, step, "old.png")) == [
        f"the model {name} has changed since old.png was made"
    ]


def test_another_device_may_differ_a_little() -> None:
    before = Image(np.full((4, 4, 3), 100 / 255, np.float32))
    after = before.replace(pixels=before.pixels + np.float32(0.5 / 255))
    far = before.replace(pixels=before.pixels + np.float32(3 / 255))
    assert not _compare(before, after, same_device=True)["same"]
    assert _compare(before, after, same_device=False)["same"]
    assert not _compare(before, far, same_device=False)["same"]
    assert not _compare(
        before, before.replace(alpha=np.zeros((4, 4), np.float32)), same_device=True
    )["same"]


def test_two_steps_from_the_original_and_from_the_picture_between(apply: Run, again: Run) -> None:
    picture("in.png")
    apply("invert", "in.png", "a.jpg", "--amount", "0.3", "--quality", "60")
    apply("noise", "a.jpg", "out.png")
    for source in ("in.png", "a.jpg"):
        result = again("out.png", source, "new.png", "--verify", "--overwrite")
        assert result.stdout.startswith("identical"), result.output
        assert result.stderr == ""


def test_a_picture_changed_between_is_a_warning(apply: Run, again: Run) -> None:
    picture("in.png")
    apply("invert", "in.png", "a.png", "--amount", "0.3")
    image = Image.open("a.png")
    image.replace(pixels=image.pixels[::-1].copy()).save("a.png", overwrite=True)
    apply("noise", "a.png", "out.png")
    result = again("out.png", "in.png", "new.png", "--verify")
    assert result.exit_code == 1
    assert "between steps 1 and 2 (a.png) is not the one" in result.stderr
    assert again("out.png", "a.png", "b.png", "--verify").exit_code == 0


def test_a_made_picture_and_on(apply: Run, again: Run) -> None:
    apply("noise", "a.png", "--seed", "3")
    apply("invert", "a.png", "out.png")
    assert again("out.png", "new.png", "--verify").exit_code == 0
    assert again("out.png", "a.png", "b.png", "--verify").exit_code == 0
    picture("in.png")
    assert "starts from nothing" in error(again("out.png", "in.png", "c.png"))


@pytest.mark.parametrize("name", ["out.mp4", "out.webm"])
def test_a_video_is_replayed(apply: Run, run: Run, again: Run, name: str) -> None:
    pytest.importorskip("av")
    apply("noise", name, "--frames", "3", "--size", "32x24", "--fps", "10")
    result = again(name, "new" + Path(name).suffix, "--verify", "--json")
    assert result.exit_code == 0, result.output
    assert records(result)[0]["verify"]["same"] is True
    result = run("run", name, "other.gif", "--device", "cpu")
    assert result.exit_code == 0, result.output


def test_a_video_without_pyav_says_what_is_missing(
    apply: Run, again: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("av")
    apply("noise", "out.mp4", "--frames", "2", "--size", "32x24")
    monkeypatch.setitem(sys.modules, "av", None)
    assert 'needs PyAV: pip install "ganfilters[video]"' in error(again("out.mp4", "new.mp4"))


def test_a_damaged_video(again: Run) -> None:
    pytest.importorskip("av")
    Path("out.mp4").write_bytes(b"no video")
    assert "out.mp4 cannot be read" in error(again("out.mp4", "new.mp4"))
    assert "there is no such file" in error(again("none.webm", "new.mp4"))

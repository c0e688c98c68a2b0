"""``ganfilters sheet``: labelled pictures of a filter's choices."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from ganfilters import Cancelled, Host, Image, Prepared, UsageError
from ganfilters.sheet import contact_sheet, values_of

from .conftest import TOYS, Run, error, picture, pixels, records


@pytest.fixture(scope="module")
def host() -> Host:
    return Host("cpu", plugins=[TOYS])


def test_one_picture_for_each_preset_after_the_input(run: Run, tmp_path: Path) -> None:
    Pillow.new("RGB", (64, 48), (200, 40, 40)).save("in.png")
    done = run("sheet", "invert", "in.png", "out.png", "--thumbnail", 64, "--across", 3, "--json")
    assert done.exit_code == 0, done.output
    assert records(done) == [{"input": "in.png", "output": "out.png"}]
    made = pixels("out.png")
    assert made.shape == (8 + 48 + 22 + 8, 8 + 3 * (64 + 8), 3)
    middles = [tuple(made[32, 8 + 72 * n + 32]) for n in range(3)]
    # in.png, half inverted, not inverted
    for found, wanted in zip(middles, [(200, 40, 40), (128, 128, 128), (200, 40, 40)], strict=True):
        assert np.abs(np.subtract(found, wanted, dtype=int)).max() <= 1
    labels = made[8 + 48 : 8 + 48 + 22]
    assert all((labels[:, 8 + 72 * n : 8 + 72 * n + 64] < 100).any() for n in range(3))


def test_filters_work_at_twice_the_size_that_is_shown(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, ...]] = []
    within = Prepared.within

    def noted(self: Prepared, image: Any) -> Any:
        seen.append(image.pixels.shape)
        return within(self, image)

    monkeypatch.setattr(Prepared, "within", noted)
    for side, wanted in ((400, 100), (60, 60)):  # a small picture is not enlarged
        seen.clear()
        contact_sheet(host, "invert", np.zeros((side, side, 3), np.uint8), thumbnail=50)
        assert {shape[:2] for shape in seen} == {(wanted, wanted)}


def test_a_cut_out_is_shown_on_white_and_nothing_of_what_it_hides(host: Host) -> None:
    sheets = []
    for colour in (0.0, 0.9):
        shown = np.full((60, 80, 3), 0.5, np.float32)
        alpha = np.ones((60, 80), np.float32)
        alpha[:, :30] = 0.0
        shown[alpha == 0] = colour
        cut_out = Image(shown, alpha=alpha)
        made = contact_sheet(host, "invert", cut_out, values=[0.5], vary="amount", thumbnail=40)
        sheets.append(made.pixels)
    np.testing.assert_array_equal(*sheets)
    assert (sheets[0][12:34, 10:20] == 1.0).all()  # in the input, the first
    np.testing.assert_allclose(sheets[0][12:34, 26:44], 0.5, atol=0.01)


def test_values_of_any_parameter(run: Run) -> None:
    picture("in.png", size=(40, 40))
    words = ["--vary", "amount", "--value", 0, "--value", 0.5, "--value", 1, "--across", 2]
    done = run("sheet", "invert", "in.png", "out.png", "--thumbnail", 40, *words)
    assert done.exit_code == 0, done.output
    assert pixels("out.png").shape[1] == 8 + 2 * 48


def test_a_filter_that_makes_pictures(run: Run) -> None:
    done = run("sheet", "noise", "out.png", "--vary", "seed", "--value", 1, "--value", 2)
    assert done.exit_code == 0, done.output
    assert pixels("out.png").size


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("invert", "in.png"), "give INPUT OUTPUT; see `ganfilters sheet invert --help`"),
        (("noise", "in.png", "out.png"), "no parameter of noise has a list of values"),
        (("noise", "in.png", "out.png", "--vary", "seed"), "--seed has no list of values"),
        (("invert", "in.png", "out.png", "--vary", "amout"), "did you mean amount?"),
        (("invert", "in.png", "out.png", "--vary", "amount", "--value", "7"), "amount is 7"),
        (
            ("invert", "in.png", "out.png", "--vary", "amount", "--value", "1", "--amount", "1"),
            "the sheet varies --amount; leave it out",
        ),
        (("invert", "in.png", "in.png"), "exists already"),
        (("invrt", "in.png", "out.png"), "did you mean invert"),
        (("invert", "", "out.png"), "INPUT is empty"),
        (("invert", "in.png", ""), "OUTPUT is empty"),
    ],
)
def test_bad_use_is_one_line(run: Run, words: tuple[str, ...], message: str) -> None:
    picture("in.png")
    assert message in error(run("sheet", *words))
    assert not Path("out.png").exists()


def test_from_python(host: Host) -> None:
    assert values_of(host, "invert") == ("preset", ["half", "none"])
    seen: list[float] = []
    made = contact_sheet(
        host, "invert", np.zeros((30, 20, 3), np.uint8), values=["half"], thumbnail=32,
        on_progress=lambda fraction, _: seen.append(fraction),
    )  # fmt: skip
    assert made.pixels.dtype == np.float32
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        contact_sheet(
            host, "invert", np.zeros((30, 20, 3), np.uint8), values=["half", "none"],
            thumbnail=32, cancel=cancel, on_progress=lambda *_: cancel.set(),
        )  # fmt: skip
    with pytest.raises(UsageError, match="thumbnail is 8; it must be from 32 to 2048"):
        contact_sheet(host, "invert", np.zeros((8, 8, 3), np.uint8), thumbnail=8)


def test_a_mask_is_reduced_with_the_picture(run: Run) -> None:
    Pillow.new("RGB", (128, 96), (200, 40, 40)).save("in.png")
    mask = Pillow.new("L", (128, 96), 0)
    mask.paste(255, (0, 0, 64, 96))
    mask.save("mask.png")
    words = ["--thumbnail", 64, "--across", 3, "--value", "half", "--mask", "mask.png"]
    done = run("sheet", "invert", "in.png", "out.png", *words)
    assert done.exit_code == 0, done.output
    second = pixels("out.png")[8 : 8 + 48, 8 + 72 : 8 + 72 + 64].astype(int)
    assert np.abs(second[24, 8] - 128).max() <= 1
    assert np.abs(second[24, 56] - (200, 40, 40)).max() <= 1
    picture("small.png", size=(12, 8))
    words[-1] = "small.png"
    assert "12" in error(run("sheet", "invert", "in.png", "other.png", *words))
    picture("large.png", size=(200, 100))
    words = [*words[:-1], "large.png", "--max-pixels", 128 * 96]
    assert "large.png: 200 x 100 is" in error(run("sheet", "invert", "in.png", "out2.png", *words))


def test_a_mask_may_be_what_masks_may_be(host: Host) -> None:
    image = np.full((48, 64, 3), 200, np.uint8)
    left = np.zeros((48, 64), np.bool_)
    left[:, :32] = True
    shown = {"vary": "amount", "values": [1.0], "across": 2, "thumbnail": 64}
    made = contact_sheet(host, "invert", image, mask=left, **shown)
    second = made.pixels[8 : 8 + 48, 8 + 72 : 8 + 72 + 64]
    assert second[24, 8] == pytest.approx(55 / 255, abs=0.01)
    assert second[24, 56] == pytest.approx(200 / 255, abs=0.01)


def test_a_parameter_is_called_as_its_option_is(host: Host) -> None:
    assert values_of(host, "latent", "class")[0] == "class_"
    assert values_of(host, "latent", "--mix-seed", {"class_": "coast"})[0] == "mix_seed"

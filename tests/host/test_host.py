"""`Host`: kinds, masks, tiling, checks, progress, threads, recipes."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from ganfilters import (
    Animation,
    Cancelled,
    Host,
    Image,
    ImageError,
    OutOfMemory,
    PluginError,
    UsageError,
    jobs,
)
from ganfilters.hidden import as_shown
from ganfilters.selection import feathered

from . import toys


@pytest.fixture
def host() -> Host:
    return Host("cpu", registry=toys.registry())


def pixels(height: int = 20, width: int = 30, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


class TestKinds:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
    @pytest.mark.parametrize("channels", [None, 1, 3, 4])
    def test_an_array_comes_back_as_it_was(
        self, host: Host, dtype: Any, channels: int | None
    ) -> None:
        top = 1 if np.issubdtype(dtype, np.floating) else np.iinfo(dtype).max
        shape = (5, 7) if channels is None else (5, 7, channels)
        array = (np.random.default_rng(0).random(shape) * top).astype(dtype)
        result = host.apply("invert", array)
        assert result.dtype == array.dtype
        assert result.shape == array.shape
        expected = top - array
        if channels == 4:
            expected[..., 3] = array[..., 3]
            expected[array[..., 3] == 0] = array[array[..., 3] == 0]
        np.testing.assert_allclose(result, expected, atol=1e-6 if top == 1 else 0)

    def test_pil_bytes_path_and_image(self, host: Host, tmp_path: Path) -> None:
        picture = PIL.Image.fromarray((pixels() * 255).astype(np.uint8))
        path = tmp_path / "a.png"
        picture.save(path)
        expected = 255 - np.asarray(picture)
        result = host.apply("invert", picture)
        assert isinstance(result, PIL.Image.Image)
        np.testing.assert_array_equal(np.asarray(result), expected)
        encoded = host.apply("invert", path.read_bytes())
        assert isinstance(encoded, bytes)
        assert encoded[1:4] == b"PNG"
        for source in (path, str(path), Image.open(path)):
            made = host.apply("invert", source)
            assert isinstance(made, Image)
            np.testing.assert_array_equal(np.rint(made.pixels * 255), expected)

    def test_an_animation_keeps_its_timing(self, host: Host) -> None:
        frames = tuple(Image(pixels(seed=k)) for k in range(3))
        result = host.apply("invert", Animation(frames, (10, 20, 30), loop=2))
        assert result.durations == (10, 20, 30)
        assert result.loop == 2
        np.testing.assert_allclose(result.frames[2].pixels, 1 - frames[2].pixels, atol=1e-6)

    def test_the_input_is_not_changed(self, host: Host) -> None:
        array = pixels()
        before = array.copy()
        mask = np.zeros((20, 30), bool)
        mask[3:9, 3:9] = True
        host.apply("invert", array, mask=mask, strength=0.5, feather=2)
        np.testing.assert_array_equal(array, before)


class TestMasksAndStrength:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_outside_the_mask_nothing_changes(self, host: Host, dtype: Any) -> None:
        rng = np.random.default_rng(0)
        array = rng.integers(0, np.iinfo(dtype).max, (20, 30, 4), dtype)
        array[..., 3] |= 1  # colours under full transparency stay, whatever the mask says
        mask = np.zeros((20, 30), bool)
        mask[5:15, 5:15] = True
        result = host.apply("invert", array, mask=mask)
        np.testing.assert_array_equal(result[~mask], array[~mask])
        np.testing.assert_array_equal(result[..., 3], array[..., 3])
        np.testing.assert_array_equal(result[mask][:, :3], np.iinfo(dtype).max - array[mask][:, :3])

    def test_colours_under_full_transparency_are_neither_seen_nor_changed(self, host: Host) -> None:
        picture = np.dstack([pixels(), np.ones((20, 30), np.float32)])
        hidden = np.zeros((20, 30), bool)
        hidden[:, :13] = hidden[4:9, 20:25] = True
        made = []
        for colour in (0.0, 0.9):
            picture[hidden] = (colour, colour, colour, 0.0)
            result = host.apply("blur", picture)
            np.testing.assert_array_equal(result[hidden], picture[hidden])
            made.append(result[~hidden])
        np.testing.assert_array_equal(*made)
        picture[..., 3] = 0.0
        np.testing.assert_array_equal(host.apply("blur", picture), picture)

    def test_what_is_hidden_in_a_picture_of_a_parameter_is_not_seen(self, host: Host) -> None:
        other = np.dstack([pixels(seed=1), np.ones((20, 30), np.float32)])
        made = []
        for colour in (0.0, 0.9):
            other[:, :10] = (colour, colour, colour, 0.0)
            made.append(host.apply("mix", pixels(), other=other))
        np.testing.assert_array_equal(*made)

    def test_inverted_and_feathered(self, host: Host) -> None:
        array, mask = pixels(), np.zeros((20, 30), np.float32)
        mask[5:15, 5:15] = 1
        result = host.apply("invert", array, mask=mask, invert_mask=True)
        np.testing.assert_array_equal(result[mask == 1], array[mask == 1])
        np.testing.assert_allclose(result[mask == 0], 1 - array[mask == 0], atol=1e-6)
        soft = host.apply("invert", array, mask=mask, feather=3)
        np.testing.assert_array_equal(soft[mask == 0], array[mask == 0])
        change = np.abs(soft - array)[5, 10] / np.abs(1 - 2 * array[5, 10])
        np.testing.assert_allclose(change, 1 / 3, atol=1e-4)

    def test_strength(self, host: Host) -> None:
        array = pixels()
        np.testing.assert_array_equal(host.apply("invert", array, strength=0.0), array)
        np.testing.assert_allclose(host.apply("invert", array, strength=0.5), 0.5, atol=1e-6)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"mask": np.ones((4, 4), np.float32)}, "4 x 4.*30 x 20"),
            ({"mask": np.zeros((20, 30), np.float32)}, "selects nothing"),
            ({"strength": 1.5}, "from 0 to 1"),
            ({"strength": "a lot"}, "must be a number"),
            ({"feather": -1, "mask": np.ones((20, 30))}, "from 0 to 500"),
            ({"invert_mask": True}, "needs a mask"),
        ],
    )
    def test_wrong_use(self, host: Host, options: dict[str, Any], words: str) -> None:
        with pytest.raises((ImageError, UsageError), match=words):
            host.apply("invert", pixels(), **options)

    def test_a_filter_that_needs_a_mask_says_so(self, host: Host) -> None:
        with pytest.raises(UsageError, match="needs a mask"):
            host.apply("needs-mask", pixels())
        host.apply("needs-mask", pixels(), mask=np.ones((20, 30)))

    def test_the_mask_of_an_image_is_used(self, host: Host) -> None:
        mask = np.zeros((20, 30), np.float32)
        mask[:10] = 1
        result = host.apply("invert", Image(pixels(), mask=mask))
        np.testing.assert_array_equal(result.pixels[10:], pixels()[10:])
        assert not np.array_equal(result.pixels[:10], pixels()[:10])


class TestSizes:
    @pytest.mark.parametrize("size", [(1, 1), (1, 300), (17, 33), (64, 64), (200, 130)])
    def test_tiles_equal_the_whole(self, host: Host, size: tuple[int, int]) -> None:
        array = pixels(*size)
        toys.Blur.seen.clear()
        result = host.apply("blur", array)
        for height, width in toys.Blur.seen:
            assert height % 4 == width % 4 == 0
            assert 16 <= height <= 96
            assert 16 <= width <= 96
        whole = toys.Blur(host.runtime).apply(Image(array), toys.NoParams()).pixels
        if min(size) >= 16:  # a smaller one is mirrored before it is blurred, not after
            inner = slice(0, -8), slice(0, -8)
            np.testing.assert_allclose(result[inner], whole[inner], atol=1e-6)
        assert result.shape == array.shape

    def test_out_of_memory_makes_smaller_tiles_and_the_same_picture(self, host: Host) -> None:
        array = pixels(100, 100)
        notes: list[str] = []
        hungry = host.apply("hungry", array, on_progress=lambda _, note: notes.append(note))
        np.testing.assert_allclose(hungry, host.apply("blur", array), atol=1e-6)
        assert any("out of memory" in note for note in notes)

    def test_out_of_memory_for_good_is_an_error(self, host: Host, monkeypatch: Any) -> None:
        monkeypatch.setattr(toys.Hungry, "limit", 3)
        with pytest.raises(OutOfMemory):
            host.apply("hungry", pixels(100, 100))

    def test_too_large_is_refused(self, host: Host) -> None:
        host.apply("small", pixels(32, 32))
        with pytest.raises(ImageError, match="at most 32 a side"):
            host.apply("small", pixels(33, 8))

    def test_a_filter_may_change_the_size(self, host: Host) -> None:
        assert host.apply("half", pixels(20, 30)).shape == (10, 15, 3)


class TestBrokenWords:
    @pytest.mark.parametrize(
        ("how", "words"),
        [
            ("raise", "KeyError"),
            ("write", "read-only"),
            ("exit", "SystemExit"),
            ("array", "returned ndarray"),
            ("shape", "returned 30 x 19 pixels for 30 x 20"),
            ("nan", "not finite"),
            ("range", r"values from 1\.5"),
            ("dtype", "float32"),
        ],
    )
    def test_the_plugin_is_named(self, host: Host, how: str, words: str) -> None:
        with pytest.raises((PluginError, ImageError), match=words) as caught:
            host.apply("wild", pixels(), how=how)
        assert "wild (toy-distribution)" in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_rounding_is_clipped(self, host: Host) -> None:
        assert host.apply("wild", pixels(), how="rounding").max() == 1


class TestParameters:
    def test_presets_and_values_beside_them(self, host: Host) -> None:
        array = pixels()
        np.testing.assert_allclose(host.apply("invert", array, preset="half"), 0.5, atol=1e-6)
        np.testing.assert_array_equal(host.apply("invert", array, preset="none"), array)
        beside = host.apply("invert", array, preset="half", amount=1)
        np.testing.assert_allclose(beside, 1 - array, atol=1e-6)

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"amuont": 1}, "amount"),
            ({"amount": 3}, "amount.*1"),
            ({"amount": "much"}, "amount"),
            ({"amount": True}, "amount is True; it must be a number from 0 to 1"),
            ({"preset": "hlaf"}, "half"),
        ],
    )
    def test_wrong_values_are_one_line(
        self, host: Host, values: dict[str, Any], words: str
    ) -> None:
        with pytest.raises(UsageError, match=words) as caught:
            host.apply("invert", pixels(), **values)
        assert "\n" not in str(caught.value)

    def test_a_picture_as_parameter(self, host: Host, tmp_path: Path) -> None:
        Image(pixels(seed=1)).save(tmp_path / "b.png")
        result = host.apply("mix", pixels(), other=tmp_path / "b.png")
        np.testing.assert_allclose(result, (pixels() + pixels(seed=1)) / 2, atol=1 / 255)
        with pytest.raises(UsageError, match="other"):
            host.apply("mix", pixels(), other=tmp_path / "missing.png")


class TestGenerating:
    def test_from_nothing(self, host: Host) -> None:
        result = host.apply("noise", size="12x9", seed=3)
        assert result.pixels.shape == (9, 12, 3)
        np.testing.assert_array_equal(
            result.pixels, host.apply("noise", size=(12, 9), seed=3).pixels
        )

    def test_wrong_use(self, host: Host) -> None:
        with pytest.raises(UsageError, match="takes no input"):
            host.apply("noise", pixels())
        with pytest.raises(UsageError, match="needs an input"):
            host.apply("invert")
        with pytest.raises(UsageError, match="mask or strength"):
            host.apply("noise", strength=0.5)

    def test_a_size_over_the_limit_is_refused(self) -> None:
        small = Host("cpu", registry=toys.registry(), max_pixels=100)
        with pytest.raises(UsageError, match="over the limit of 100"):
            small.apply("noise", size="20x20")

    def test_a_size_over_the_limit_is_refused_before_there_is_a_picture(self) -> None:
        small = Host("cpu", registry=toys.registry(), max_pixels=30)
        with pytest.raises(UsageError, match="size is 20x20, over the limit of 30"):
            small.prepare("fading", size="20x20")
        # The default, which no picture needs, is larger than the limit.
        assert small.apply("fading", pixels(4, 5)).shape == (4, 5, 3)

    def test_frames_come_one_by_one(self, host: Host) -> None:
        assert host.frames("noise") is None
        moving = host.frames("noise", count=3, seed=5)
        assert moving is not None
        first = next(moving)
        np.testing.assert_array_equal(first.pixels, host.apply("noise", seed=5).pixels)
        assert len(list(moving)) == 2
        whole = host.apply("noise", count=3, seed=5)
        assert isinstance(whole, Animation)
        assert len(whole.frames) == 3

    def test_frames_report_and_hear_cancelling(self, host: Host) -> None:
        cancel, seen = threading.Event(), []
        moving = host.frames(
            "noise", count=9, cancel=cancel, on_progress=lambda done, _: seen.append(done)
        )
        assert moving is not None
        next(moving)
        cancel.set()
        with pytest.raises(Cancelled):
            next(moving)
        assert seen == [0.0]


class TestAnimations:
    def test_frames_of_a_filter_that_reports_nothing_can_be_stopped(self, host: Host) -> None:
        cancel = threading.Event()
        moving = host.frames("fading", pixels(), count=9, cancel=cancel)
        assert moving is not None
        next(moving)
        cancel.set()
        with pytest.raises(Cancelled):
            next(moving)

    def test_the_masks_and_inputs_that_a_still_refuses_are_refused(self, host: Host) -> None:
        masked = Image(pixels(), mask=np.ones((20, 30), np.float32))
        for call in (host.frames, host.apply):
            with pytest.raises(UsageError, match="cannot be combined with a mask"):
                call("fading", masked, count=3)
            with pytest.raises(UsageError, match="takes no input"):
                call("noise", pixels(), count=3)

    def test_what_is_hidden_is_filled_once_and_only_if_it_moves(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        alpha = np.ones((20, 30), np.float32)
        alpha[:, 20:] = 0
        filled: list[Image] = []

        def noted(image: Image) -> Image:
            filled.append(image)
            return as_shown(image)

        monkeypatch.setattr(jobs, "as_shown", noted)
        cut_out = Image(pixels(), alpha=alpha)
        host.apply("fading", cut_out)
        assert not filled
        moving = host.frames("fading", cut_out, count=2)
        assert moving is not None
        first = next(moving)
        assert len(filled) == 1
        np.testing.assert_allclose(first.pixels[:, 20:], as_shown(cut_out).pixels[:, 20:])

    def test_a_mask_is_feathered_once_for_pictures_of_one_size(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls: list[float] = []

        def noted(mask: np.ndarray, radius: float) -> np.ndarray:
            calls.append(radius)
            return feathered(mask, radius)

        monkeypatch.setattr(jobs, "feathered", noted)
        mask = np.zeros((20, 30), np.float32)
        mask[5:15, 5:25] = 1
        film = Animation(tuple(Image(pixels(seed=n)) for n in range(4)), (40.0,) * 4)
        made = host.apply("invert", film, mask=mask, feather=4)
        assert calls == [4.0]
        for before, after in zip(film.frames, made.frames, strict=True):
            alone = host.apply("invert", before, mask=mask, feather=4)
            np.testing.assert_array_equal(after.pixels, alone.pixels)


class TestProgress:
    def test_it_rises_to_one(self, host: Host) -> None:
        seen: list[tuple[float, str]] = []
        host.apply("steps", pixels(), on_progress=lambda done, note: seen.append((done, note)))
        assert [note for _, note in seen if note] == [f"step {k}" for k in range(4)]
        fractions = [done for done, _ in seen]
        assert fractions == sorted(fractions)
        assert fractions[-1] == 1.0

    def test_cancelling_stops_within_a_step(self, host: Host) -> None:
        cancel = threading.Event()
        notes: list[str] = []

        def watch(done: float, note: str) -> None:
            notes.append(note)
            if note == "step 1":
                cancel.set()

        with pytest.raises(Cancelled):
            host.apply("steps", pixels(), on_progress=watch, cancel=cancel)
        assert notes[-1] == "step 1"


class TestTheCallersOwnErrors:
    """What ``on_progress`` and the cancel token raise is no fault of the plugin."""

    @pytest.mark.parametrize("error", [ValueError("mine"), ImageError("mine"), SystemExit(3)])
    def test_they_pass_as_they_are(self, host: Host, error: BaseException) -> None:
        def fail(done: float, note: str) -> None:
            if note:
                raise error

        with pytest.raises(type(error)) as caught:
            host.apply("steps", pixels(), on_progress=fail)
        assert caught.value is error
        host.apply("steps", pixels())  # the next call knows nothing of it

    def test_also_if_the_filter_catches_them(self, host: Host) -> None:
        def fail(done: float, note: str) -> None:
            if note == "caught":
                raise ValueError("mine")

        with pytest.raises(ValueError, match="mine"):
            host.apply("catches", pixels(), on_progress=fail)

    def test_of_a_cancel_token(self, host: Host) -> None:
        class Token:
            def is_set(self) -> bool:
                raise ValueError("mine")

        with pytest.raises(ValueError, match="mine"):
            host.apply("steps", pixels(), cancel=Token())

    def test_while_frames_are_made(self, host: Host) -> None:
        def fail(done: float, note: str) -> None:
            raise ValueError("mine")

        moving = host.frames("noise", count=3, on_progress=fail)
        assert moving is not None
        with pytest.raises(ValueError, match="mine"):
            next(moving)


class TestPrepared:
    def test_one_for_many_pictures(self, host: Host) -> None:
        mask = np.zeros((20, 30), np.uint8)
        mask[:9] = 255
        prepared = host.prepare("invert", mask=mask, strength=0.5, amount=0.5)
        for seed in range(2):
            np.testing.assert_array_equal(
                prepared.apply(pixels(seed=seed)),
                host.apply("invert", pixels(seed=seed), mask=mask, strength=0.5, amount=0.5),
            )

    def test_what_is_wrong_is_told_at_once(self, host: Host, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="amount"):
            host.prepare("invert", amount=3)
        with pytest.raises(ImageError, match="no such file"):
            host.prepare("invert", mask=tmp_path / "none.png")
        with pytest.raises(UsageError, match="is 1 pixel wide"):
            host.prepare("mix", other=pixels(20, 1))


def test_the_limit_on_pixels_counts_for_masks_and_parameters(tmp_path: Path) -> None:
    small = Host("cpu", registry=toys.registry(), max_pixels=700)
    Image(pixels(30, 30)).save(tmp_path / "large.png")
    with pytest.raises(ImageError, match="over the limit"):
        small.apply("invert", pixels(), mask=tmp_path / "large.png")
    with pytest.raises(UsageError, match=r"other: .*over the limit"):
        small.apply("mix", pixels(), other=tmp_path / "large.png")


def test_a_mask_over_a_masked_result_keeps_only_what_neither_changed(host: Host) -> None:
    array = np.random.default_rng(0).integers(0, 65536, (20, 30, 3), np.uint16)
    left, top = np.zeros((20, 30), np.uint8), np.zeros((20, 30), np.uint8)
    left[:, :15], top[:10] = 255, 255
    once = host.apply("invert", Image.from_array(array), mask=left)
    twice = host.apply("invert", once, mask=top)
    np.testing.assert_array_equal(twice.untouched, (left == 0) & (top == 0))


def test_threads_agree(host: Host) -> None:
    arrays = [pixels(90, 90, seed=k) for k in range(8)]
    expected = [host.apply("blur", array) for array in arrays]
    found: dict[int, np.ndarray] = {}

    def work(index: int) -> None:
        found[index] = host.apply("blur", arrays[index])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, result in enumerate(expected):
        np.testing.assert_array_equal(found[index], result)


class TestRecipes:
    def test_it_says_what_was_done(self, host: Host) -> None:
        mask = np.zeros((20, 30), np.float32)
        mask[:5] = 1
        result = host.apply(
            "invert", Image(pixels()), preset="half", mask=mask, feather=2, strength=0.75
        )
        recipe = result.metadata.recipe
        (step,) = recipe.steps
        assert (step.filter, step.version, step.params) == ("invert", "1.2", {"amount": 0.5})
        assert step.strength == 0.75
        assert step.selection.feather == 2
        assert (recipe.device, recipe.input.width) == ("cpu", 30)

    def test_replay_through_files(self, host: Host, tmp_path: Path) -> None:
        Image(pixels()).save(tmp_path / "in.png")
        Image(pixels(seed=1)).save(tmp_path / "other.png")
        mask = np.zeros((20, 30), np.uint8)
        mask[4:12] = 255
        PIL.Image.fromarray(mask).save(tmp_path / "mask.png")
        made = host.apply(
            "mix", tmp_path / "in.png", other=tmp_path / "other.png", mask=tmp_path / "mask.png"
        )
        made.save(tmp_path / "out.png")
        recipe = Image.open(tmp_path / "out.png").metadata.recipe
        again = host.replay(recipe, tmp_path / "in.png")
        np.testing.assert_array_equal(again.pixels, made.pixels)
        (tmp_path / "mask.png").rename(tmp_path / "moved.png")
        with pytest.raises(ImageError, match="--mask FILE"):
            host.replay(recipe, tmp_path / "in.png")
        again = host.replay(recipe, tmp_path / "in.png", mask=tmp_path / "moved.png")
        np.testing.assert_array_equal(again.pixels, made.pixels)
        Image(pixels(seed=2)).save(tmp_path / "other.png", overwrite=True)
        with pytest.raises(ImageError, match="--image other=FILE"):
            host.replay(recipe, tmp_path / "in.png", mask=tmp_path / "moved.png")

    def test_generated_pictures_replay_from_nothing(self, host: Host) -> None:
        made = host.apply("noise", seed=9)
        again = host.replay(made.metadata.recipe)
        np.testing.assert_array_equal(again.pixels, made.pixels)
        with pytest.raises(UsageError, match="takes no input"):
            host.replay(made.metadata.recipe, pixels())


def test_a_filter_that_claims_too_much_untouched_is_named(host: Host) -> None:
    with pytest.raises(PluginError, match=r"wild \(toy-distribution\) changed pixels that it says"):
        host.apply("wild", pixels(300, 8), how="untouched")

"""Chains at work: steps, masks, the chain's own parameters, animations, recipes."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from ganfilters import Animation, Cancelled, Chain, Host, Image, ImageError, PluginError, UsageError
from tests.host import toys


@pytest.fixture
def host() -> Host:
    return Host("cpu", registry=toys.registry())


def pixels(height: int = 20, width: int = 30, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


def steps(*tables: dict[str, Any] | str, **options: Any) -> Chain:
    return Chain.from_steps([{"filter": t} if isinstance(t, str) else t for t in tables], **options)


def half(height: int = 20, width: int = 30) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    mask[:, : width // 2] = 255
    return mask


class TestSteps:
    def test_one_after_the_other(self, host: Host) -> None:
        made = host.run(steps({"filter": "invert", "amount": 0.25}, "blur"), pixels())
        expected = host.apply("blur", host.apply("invert", pixels(), amount=0.25))
        np.testing.assert_array_equal(made, expected)

    def test_kinds_come_back_as_they_were(self, host: Host) -> None:
        array = (pixels() * 65535).astype(np.uint16)
        made = host.run(steps("invert", "invert"), array)
        assert made.dtype == np.uint16
        np.testing.assert_array_equal(made, array)
        picture = PIL.Image.fromarray((pixels() * 255).astype(np.uint8))
        assert isinstance(host.run(steps("invert"), picture), PIL.Image.Image)

    def test_each_step_has_its_own_mask_and_strength(self, host: Host) -> None:
        chain = steps(
            {"filter": "invert", "mask": half()},
            {"filter": "invert", "mask": half(), "invert-mask": True, "strength": 0.5},
        )
        made = host.run(chain, pixels())
        np.testing.assert_allclose(made[:, :15], 1 - pixels()[:, :15], atol=1e-6)
        np.testing.assert_allclose(made[:, 15:], 0.5, atol=1e-6)

    def test_a_mask_is_fitted_to_the_picture(self, host: Host) -> None:
        made = host.run(steps({"filter": "invert", "mask": half(10, 10)}), pixels(40, 80))
        np.testing.assert_allclose(made[:, :30], 1 - pixels(40, 80)[:, :30], atol=1e-5)
        np.testing.assert_array_equal(made[:, 50:], pixels(40, 80)[:, 50:])

    def test_mask_and_strength_of_the_whole(self, host: Host) -> None:
        chain = steps({"filter": "invert", "amount": 0.5}, "blur")
        whole = host.run(chain, pixels())
        made = host.run(chain, pixels(), mask=half(), strength=0.5)
        np.testing.assert_array_equal(made[:, 15:], pixels()[:, 15:])
        np.testing.assert_allclose(made[:, :15], (whole[:, :15] + pixels()[:, :15]) / 2, atol=1e-6)

    def test_a_mask_is_refused_where_nothing_outside_it_could_be_kept(self, host: Host) -> None:
        for given in ({"mask": half()}, {"mask": half(), "feather": 3}):
            with pytest.raises(UsageError, match=r"the chain changes the picture's size.*the mask"):
                host.run(steps("half", "invert"), pixels(), **given)
            with pytest.raises(UsageError, match="the filter half changes the picture's size"):
                host.apply("half", pixels(), **given)
        # A mask that a step needs, or keeps by itself, is for that step.
        for first in ("needs-mask", "own"):
            made = host.run(steps(first, "half"), pixels(), mask=half())
            assert made.shape == (10, 15, 3)
        masked = Image(pixels(), mask=half().astype(np.float32) / 255)
        assert host.apply("half", masked).width == 15  # nobody has asked to keep anything

    def test_what_a_filter_refuses_is_told_at_once(self, host: Host) -> None:
        inner = steps("blur", {"filter": "mix", "other": pixels(20, 1)})
        with pytest.raises(UsageError, match=r"^step 2 \(mix\): .* is 1 pixel wide"):
            host.prepare(inner)

    def test_steps_within_a_step(self, host: Host) -> None:
        inner = [{"filter": "invert"}, {"filter": "blur"}]
        made = host.run(steps({"step": inner, "mask": half(), "strength": 0.5}), pixels())
        chain = steps("invert", "blur")
        np.testing.assert_array_equal(made, host.run(chain, pixels(), mask=half(), strength=0.5))

    def test_what_no_step_touched_keeps_its_samples(self, host: Host, tmp_path: Path) -> None:
        array = np.random.default_rng(0).integers(0, 65536, (20, 30, 3), np.uint16)
        chain = steps({"filter": "invert", "mask": half()}, {"filter": "blur", "mask": half()})
        made = host.run(chain, array)
        np.testing.assert_array_equal(made[:, 15:], array[:, 15:])
        made = host.run(chain, Image.from_array(array))
        assert made.untouched[:, 15:].all()
        assert not made.untouched[:, :15].any()
        # A step over everything leaves nothing untouched.
        assert (
            host.run(steps({"filter": "invert", "mask": half()}, "blur"), Image(pixels())).untouched
            is None
        )

    def test_a_filter_that_needs_a_mask_gets_the_chains(self, host: Host) -> None:
        chain = steps("blur", "needs-mask")
        with pytest.raises(UsageError, match="needs a mask"):
            host.run(chain, pixels())
        made = host.run(chain, pixels(), mask=half())
        np.testing.assert_array_equal(made[:, 15:], pixels()[:, 15:])

    def test_a_step_may_change_the_size(self, host: Host) -> None:
        assert host.run(steps("half", "blur", "half"), pixels()).shape == (5, 8, 3)

    def test_sizes_that_a_step_refuses(self, host: Host) -> None:
        with pytest.raises(ImageError, match="at most 32 a side"):
            host.run(steps("blur", "small"), pixels(40, 40))
        host.run(steps("half", "small"), pixels(40, 40))

    def test_from_nothing(self, host: Host) -> None:
        made = host.run(steps({"filter": "noise", "seed": 4}, "invert"))
        np.testing.assert_array_equal(made.pixels, 1 - host.apply("noise", seed=4).pixels)
        with pytest.raises(UsageError, match="takes no input"):
            host.run(steps("noise", "invert"), pixels())
        with pytest.raises(UsageError, match="needs an input picture"):
            host.run(steps("invert"))

    def test_a_broken_step_is_named_with_its_plugin(self, host: Host) -> None:
        chain = steps("invert", {"filter": "wild", "how": "nan"})
        with pytest.raises(PluginError, match=r"step 2 \(wild\): the filter wild \(toy-dist"):
            host.run(chain, pixels())

    def test_pictures_of_files_are_found_beside_the_chain(self, host: Host, tmp_path: Path) -> None:
        Image(pixels(seed=1)).save(tmp_path / "b.png")
        (tmp_path / "c.toml").write_text('[[step]]\nfilter = "mix"\nother = "b.png"')
        made = host.run(tmp_path / "c.toml", pixels())
        np.testing.assert_allclose(made, (pixels() + pixels(seed=1)) / 2, atol=1 / 255)


class TestParameters:
    CHAIN = (
        {"filter": "noise", "seed": 3},
        {"filter": "invert", "preset": "half"},
    )

    def chain(self, **params: Any) -> Chain:
        return steps(*self.CHAIN, params=params)

    def test_type_bounds_and_default_are_the_steps(self, host: Host) -> None:
        chain = self.chain(
            grain={"step": 1, "param": "seed", "description": "Which noise"},
            effect={"step": 2, "param": "amount"},
            size={"step": 1},
        )
        fields = host.entry(chain).filter.Params.model_fields
        assert (fields["grain"].default, fields["grain"].description) == (3, "Which noise")
        assert (fields["effect"].default, fields["effect"].description) == (
            0.5,
            "How much to invert",
        )
        with pytest.raises(UsageError, match="grain is 100; it must be from 0 to 99"):
            host.run(chain, grain=100)
        made = host.run(chain, grain=5, effect=1, size="4x3")
        expected = host.apply("noise", seed=5, size=(4, 3)).pixels
        np.testing.assert_allclose(made.pixels, 1 - expected, atol=1e-6)

    def test_one_parameter_of_several_steps(self, host: Host) -> None:
        both = {"step": [1, 2], "param": "amount"}
        made = host.run(steps("invert", "invert", params={"amount": both}), pixels(), amount=0.5)
        np.testing.assert_allclose(made, 0.5, atol=1e-6)
        made = host.run(steps("invert", "invert", params={"amount": both}), pixels())
        np.testing.assert_allclose(made, pixels(), atol=1e-6)

    def test_strength_of_a_step(self, host: Host) -> None:
        chain = steps({"filter": "invert", "strength": 0.0}, params={"how": {"param": "strength"}})
        np.testing.assert_array_equal(host.run(chain, pixels()), pixels())
        np.testing.assert_allclose(host.run(chain, pixels(), how=0.5), 0.5, atol=1e-6)

    def test_a_picture(self, host: Host, tmp_path: Path) -> None:
        Image(pixels(seed=1)).save(tmp_path / "b.png")
        exposed = {"painting": {"param": "other"}}
        with pytest.raises(UsageError, match="painting is missing"):
            host.run(steps("mix", params=exposed), pixels())
        made = host.run(steps("mix", params=exposed), pixels(), painting=pixels(seed=2))
        np.testing.assert_allclose(made, (pixels() + pixels(seed=2)) / 2, atol=1e-6)
        chain = steps({"filter": "mix", "other": str(tmp_path / "b.png")}, params=exposed)
        made = host.run(chain, pixels())
        np.testing.assert_allclose(made, (pixels() + pixels(seed=1)) / 2, atol=1 / 255)
        made = host.run(chain, pixels(), painting=pixels(seed=2))
        np.testing.assert_allclose(made, (pixels() + pixels(seed=2)) / 2, atol=1e-6)


class TestAnimations:
    MOVING = ({"filter": "noise", "count": 3, "seed": 5}, "invert")

    def test_later_steps_work_on_each_frame(self, host: Host) -> None:
        made = host.run(steps(*self.MOVING))
        assert isinstance(made, Animation)
        alone = host.apply("noise", count=3, seed=5)
        for frame, other in zip(made.frames, alone.frames, strict=True):
            np.testing.assert_array_equal(frame.pixels, 1 - other.pixels)
        recipe = made.first().metadata.recipe
        assert [step.filter for step in recipe.steps] == ["noise", "invert"]

    def test_frames_come_one_by_one_and_stop(self, host: Host) -> None:
        cancel, seen = threading.Event(), []
        prepared = host.prepare(steps(*self.MOVING))
        moving = prepared.frames(on_progress=lambda done, note: seen.append(done), cancel=cancel)
        next(moving)
        next(moving)
        assert seen == sorted(seen)
        cancel.set()
        with pytest.raises(Cancelled):
            next(moving)

    def test_what_does_not_go_together(self, host: Host) -> None:
        chain = steps({"filter": "noise", "count": 3}, params={"count": {"param": "count"}})
        assert isinstance(host.run(chain), Animation)
        assert isinstance(host.run(chain, count=0), Image)

    def test_an_animation_goes_through_frame_by_frame(self, host: Host) -> None:
        frames = tuple(Image(pixels(seed=k)) for k in range(3))
        made = host.run(steps("invert", "blur"), Animation(frames, (10, 20, 30), loop=2))
        assert (made.durations, made.loop) == ((10, 20, 30), 2)


class TestProgress:
    def test_it_is_spread_over_the_steps(self, host: Host) -> None:
        seen: list[tuple[float, str]] = []
        host.run(steps("steps", "steps"), pixels(), on_progress=lambda *told: seen.append(told))
        fractions = [done for done, _ in seen]
        assert fractions == sorted(fractions)
        assert fractions[-1] == 1.0
        assert (0.5 + 1 / 8, "steps (2 of 2): step 1") in seen

    def test_steps_that_report_nothing_are_named_and_can_be_stopped(self, host: Host) -> None:
        cancel, notes = threading.Event(), []

        def watch(done: float, note: str) -> None:
            notes.append(note)
            if note == "blur (2 of 3)":
                cancel.set()

        with pytest.raises(Cancelled):
            host.run(steps("invert", "blur", "blur"), pixels(), on_progress=watch, cancel=cancel)
        assert notes[-1] == "blur (2 of 3)"

    def test_cancelling(self, host: Host) -> None:
        cancel = threading.Event()

        def watch(done: float, note: str) -> None:
            if note.startswith("steps (2 of 2)"):
                cancel.set()

        with pytest.raises(Cancelled):
            host.run(steps("steps", "steps"), pixels(), on_progress=watch, cancel=cancel)

    def test_the_callers_own_error_passes_as_it_is(self, host: Host) -> None:
        def fail(done: float, note: str) -> None:
            raise UsageError("my own")

        with pytest.raises(UsageError, match=r"^my own$"):
            host.run(steps("invert", "steps"), pixels(), on_progress=fail)


class TestRecipes:
    def test_a_chain_without_a_name_is_its_steps(self, host: Host) -> None:
        made = host.run(steps({"filter": "invert", "mask": half()}, "blur"), Image(pixels()))
        recipe = made.metadata.recipe
        assert [step.filter for step in recipe.steps] == ["invert", "blur"]
        assert recipe.steps[0].selection.mask.width == 30

    def test_mask_and_strength_of_the_whole_are_kept(self, host: Host, tmp_path: Path) -> None:
        PIL.Image.fromarray(half()).save(tmp_path / "m.png")
        Image(pixels()).save(tmp_path / "in.png")
        chain = steps("invert", "blur", params={"amount": {"step": 1}})
        made = host.run(
            chain, tmp_path / "in.png", mask=tmp_path / "m.png", strength=0.5, amount=0.25
        )
        (group,) = made.metadata.recipe.steps
        assert (group.strength, group.steps[0].params) == (0.5, {"amount": 0.25})
        made.save(tmp_path / "out.png")
        recipe = Image.open(tmp_path / "out.png").metadata.recipe
        again = host.replay(recipe, tmp_path / "in.png")
        np.testing.assert_array_equal(again.pixels, made.pixels)
        assert again.metadata.recipe == made.metadata.recipe
        other = host.run(tmp_path / "out.png", tmp_path / "in.png")
        np.testing.assert_array_equal(other.pixels, made.pixels)

    def test_masks_of_steps_replay_fitted_as_they_were(self, host: Host, tmp_path: Path) -> None:
        PIL.Image.fromarray(half(7, 9)).save(tmp_path / "m.png")
        chain = steps({"filter": "invert", "mask": str(tmp_path / "m.png")}, "blur")
        made = host.run(chain, Image(pixels()))
        again = host.replay(made.metadata.recipe, Image(pixels()))
        np.testing.assert_array_equal(again.pixels, made.pixels)

    def test_a_second_filter_adds_its_step(self, host: Host) -> None:
        made = host.apply("blur", host.apply("invert", Image(pixels()), amount=0.25))
        recipe = made.metadata.recipe
        assert [step.filter for step in recipe.steps] == ["invert", "blur"]
        assert recipe.steps[1].source is None
        np.testing.assert_array_equal(host.replay(recipe, Image(pixels())).pixels, made.pixels)

    @pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
    def test_through_a_file_and_on(self, host: Host, tmp_path: Path, name: str) -> None:
        middle = tmp_path / name
        host.apply("invert", Image(pixels()), amount=0.3).save(middle, quality=70)
        made = host.apply("blur", middle)
        recipe = made.metadata.recipe
        assert recipe.steps[1].source.picture.path == str(middle)
        warned: list[str] = []
        again = host.replay(recipe, Image(pixels()), on_warning=warned.append)
        np.testing.assert_array_equal(again.pixels, made.pixels)
        assert warned == []
        from_middle = host.replay(recipe, middle)
        np.testing.assert_array_equal(from_middle.pixels, made.pixels)

    def test_a_picture_changed_on_the_way_is_told(self, host: Host, tmp_path: Path) -> None:
        first = host.apply("invert", Image(pixels()), amount=0.3)
        first.replace(pixels=first.pixels[::-1].copy()).save(tmp_path / "a.png")
        made = host.apply("blur", tmp_path / "a.png")
        warned: list[str] = []
        host.replay(made.metadata.recipe, Image(pixels()), on_warning=warned.append)
        assert len(warned) == 1
        assert "between steps 1 and 2" in warned[0]

    def test_an_animation_on_the_way(self, host: Host, tmp_path: Path) -> None:
        moving = host.apply("noise", count=3, seed=2)
        from ganfilters import imageio

        imageio.write(moving, tmp_path / "a.gif")
        made = host.apply("invert", tmp_path / "a.gif")
        again = host.replay(made.first().metadata.recipe)
        for frame, other in zip(made.frames, again.frames, strict=True):
            np.testing.assert_array_equal(frame.pixels, other.pixels)

    def test_two_masks_are_told_apart(self, host: Host, tmp_path: Path) -> None:
        PIL.Image.fromarray(half()).save(tmp_path / "a.png")
        PIL.Image.fromarray(255 - half()).save(tmp_path / "b.png")
        PIL.Image.fromarray(half(5, 5)).save(tmp_path / "other.png")
        first = host.apply("invert", Image(pixels()), mask=tmp_path / "a.png")
        made = host.apply("blur", first, mask=tmp_path / "b.png")
        recipe = made.metadata.recipe
        moved = tmp_path / "moved.png"
        (tmp_path / "b.png").rename(moved)
        with pytest.raises(ImageError, match=r"step 2 \(blur\): the mask .* is not there"):
            host.replay(recipe, Image(pixels()))
        again = host.replay(recipe, Image(pixels()), mask=moved)
        np.testing.assert_array_equal(again.pixels, made.pixels)
        with pytest.raises(UsageError, match="has 2 masks and the one given is none"):
            host.replay(recipe, Image(pixels()), mask=tmp_path / "other.png")
        beside = tmp_path / "beside"
        beside.mkdir()
        moved.rename(beside / "b.png")
        again = host.replay(recipe, Image(pixels()), folders=[beside])
        np.testing.assert_array_equal(again.pixels, made.pixels)

    def test_a_mask_where_none_was_has_no_place(self, host: Host) -> None:
        made = host.apply("invert", Image(pixels()))
        with pytest.raises(UsageError, match="has no mask"):
            host.replay(made.metadata.recipe, Image(pixels()), mask=half())

"""Filters that say which part of a picture they need to see."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from ganfilters import (
    Filter,
    Host,
    Image,
    ImageError,
    Params,
    PluginError,
    Traits,
    convert,
    hookimpl,
)
from ganfilters.image import FloatArray
from ganfilters.registry import Registry, Source
from ganfilters.testing import Subject, run_checks

Array = np.ndarray[Any, Any]


class NoParams(Params):
    pass


class Near(Filter[NoParams]):
    """Mean of what is up to two pixels away."""

    name = "near"
    summary = "Blurs what is selected"
    Params = NoParams
    reach: ClassVar[int] = 2
    seen: ClassVar[list[tuple[int, ...]]] = []

    def region(self, params: NoParams, mask: FloatArray) -> tuple[slice, slice] | None:
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        return (
            slice(max(rows[0] - self.reach, 0), rows[-1] + 1 + self.reach),
            slice(max(columns[0] - self.reach, 0), columns[-1] + 1 + self.reach),
        )

    def apply(self, image: Image, params: NoParams) -> Image:
        Near.seen.append(image.pixels.shape[:2])
        padded = np.pad(image.pixels, [(2, 2), (2, 2), (0, 0)], mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(0, 1))
        return image.replace(pixels=windows.mean(axis=(-1, -2)).astype(np.float32))


class Short(Near):
    """Sees less than it needs."""

    name = "short"
    reach = 0


class Flip(Near):
    """Needs nothing but what is selected."""

    name = "flip"
    reach = 0

    def apply(self, image: Image, params: NoParams) -> Image:
        return image.replace(pixels=1 - image.pixels)


class Required(Near):
    """Says itself what it left alone, and needs a mask."""

    name = "required"
    traits = Traits(selection="filter", mask="required")


class Odd(Near):
    """Names no part at all."""

    name = "odd"

    def region(self, params: NoParams, mask: FloatArray) -> Any:
        return "everything"


class Plugin:
    @staticmethod
    @hookimpl
    def ganfilters_filters() -> list[type[Filter[Any]]]:
        return [Near, Short, Flip, Required, Odd]


@pytest.fixture
def host() -> Host:
    return Host("cpu", registry=Registry([Source("toys", "toys", "0", lambda: Plugin)]))


def mask_at(rows: slice, columns: slice) -> Array:
    mask = np.zeros((40, 60), np.uint8)
    mask[rows, columns] = 255
    return mask


@pytest.mark.parametrize("channels", [0, 1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("strength", [1.0, 0.4])
def test_an_array_is_converted_there_only(
    host: Host, channels: int, dtype: Any, strength: float
) -> None:
    shape = (40, 60, channels) if channels else (40, 60)
    array = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype)
    before = array.copy()
    for rows, columns, seen in (
        (slice(10, 13), slice(20, 25), (7, 9)),
        (slice(0, 2), slice(58, 60), (4, 4)),
    ):
        mask = mask_at(rows, columns)
        whole = host.apply("near", Image.from_array(array), mask=mask, strength=strength)
        Near.seen.clear()
        part = host.apply("near", array, mask=mask, strength=strength)
        # Colours that alpha hides may come from anywhere.
        assert Near.seen == [seen if channels < 4 else (40, 60)]
        inside = mask > 0
        expected = convert.to_array(whole, dtype, channels)
        assert np.array_equal(part[inside], expected[inside])
        assert np.array_equal(part[~inside], array[~inside])
    assert np.array_equal(array, before)


@pytest.mark.parametrize("feather", [1, 3, 10])
@pytest.mark.parametrize("invert", [False, True])
def test_the_feather_is_that_of_the_whole_picture(host: Host, feather: float, invert: bool) -> None:
    array = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    mask = mask_at(slice(0, 30), slice(20, 45))
    mask[:, 30] = 0
    how = {"mask": 255 - mask if invert else mask, "invert_mask": invert, "feather": feather}
    whole = host.apply("flip", Image.from_array(array), **how)
    assert np.array_equal(host.apply("flip", array, **how), convert.to_array(whole))


def test_hidden_colours_come_from_all_of_a_picture(host: Host) -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(0, 255, (40, 60, 4), np.uint8)
    array[..., 3] = 0
    array[10:13, 20:23, 3] = array[30:33, 50:53, 3] = 255
    mask = mask_at(slice(10, 13), slice(20, 23))
    whole = host.apply("near", Image.from_array(array), mask=mask)
    expected = convert.to_array(whole, np.uint8, 4)
    assert np.array_equal(host.apply("near", array, mask=mask), expected)


def test_an_inverted_mask_is_what_it_is_asked_about(host: Host) -> None:
    array = np.zeros((40, 60, 3), np.uint8)
    Near.seen.clear()
    host.apply("near", array, mask=255 - mask_at(slice(3, 9), slice(3, 9)), invert_mask=True)
    assert Near.seen == [(10, 10)]


def test_other_pictures_are_seen_whole(host: Host) -> None:
    array = np.random.default_rng(0).random((40, 60, 3), np.float32)
    mask = mask_at(slice(10, 13), slice(20, 25))
    for given in (array, Image(array)):
        Near.seen.clear()
        host.apply("near", given, mask=mask)
        assert Near.seen == [(40, 60)]
    Near.seen.clear()
    host.apply("near", np.zeros((40, 60), np.uint8))  # no mask
    assert Near.seen == [(40, 60)]


def test_errors_are_those_of_whole_pictures(host: Host) -> None:
    array = np.zeros((40, 60, 3), np.uint8)
    with pytest.raises(ImageError, match=r"mask is 5 x 4 pixels but the picture is 60 x 40"):
        host.apply("near", array, mask=np.ones((4, 5), np.uint8) * 255)
    with pytest.raises(ImageError, match="selects nothing"):
        host.apply("near", array, mask=mask_at(slice(0, 0), slice(0, 0)))
    with pytest.raises(ImageError, match="selects nothing"):
        host.apply("required", array, mask=mask_at(slice(0, 0), slice(0, 0)))
    planes = array.transpose(2, 0, 1)
    with pytest.raises(ImageError, match="the channels come first here"):
        host.apply("near", planes, mask=mask_at(slice(0, 5), slice(0, 5)))
    with pytest.raises(PluginError, match=r"the filter odd \(toys\) failed"):
        host.apply("odd", array, mask=mask_at(slice(3, 4), slice(3, 4)))


def test_the_kit_compares_part_and_whole() -> None:
    def found(filter: type[Filter[Any]]) -> str:
        (outcome,) = [o for o in run_checks(Subject(filter)) if o.check == "region"]
        return "" if outcome.passed else outcome.message

    assert found(Near) == ""
    assert "pixels differ" in found(Short)

"""Masks: what they select, how they fade, and that nothing outside them changes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from ganfilters import Image, ImageError
from ganfilters.selection import blend, feathered, prepare_mask


def picture(height: int = 40, width: int = 50, seed: int = 0) -> Image:
    return Image(np.random.default_rng(seed).random((height, width, 3), np.float32))


def test_feather_is_the_distance_to_the_edge() -> None:
    mask = np.zeros((60, 80), np.float32)
    mask[10:50, 20:70] = 1
    mask[25:30, 40:45] = 0
    expected = np.minimum(distance_transform_edt(mask) / 7.0, 1.0)
    np.testing.assert_allclose(feathered(mask, 7.0), expected, atol=1e-6)


def test_feather_leaves_the_outside_at_zero_and_thin_selections_alive() -> None:
    mask = np.zeros((30, 30), np.float32)
    mask[15, 5:25] = 1
    weights = feathered(mask, 10.0)
    assert np.all(weights[mask == 0] == 0)
    assert np.all(weights[mask == 1] > 0)


def test_the_border_of_the_picture_is_no_edge() -> None:
    mask = np.zeros((20, 20), np.float32)
    mask[:, :10] = 1
    weights = feathered(mask, 4.0)
    assert np.all(weights[:, 0] == 1)
    assert np.all(weights[:, 9] < 0.5)


def test_feather_of_everything_or_by_nothing_is_the_mask_itself() -> None:
    full = np.ones((5, 5), np.float32)
    assert feathered(full, 3.0) is full
    part = np.eye(5, dtype=np.float32)
    assert feathered(part, 0.0) is part


@pytest.mark.parametrize("invert", [False, True])
def test_an_empty_selection_is_refused(invert: bool) -> None:
    mask = np.full((4, 4), float(invert), np.float32)
    with pytest.raises(ImageError, match="selects nothing"):
        prepare_mask(mask, invert=invert)


def test_blend_keeps_the_source_bit_for_bit_where_the_weight_is_zero() -> None:
    source = picture()
    weight = np.zeros((40, 50), np.float32)
    weight[5:20, 5:20] = 0.5
    weight[10:12, 10:12] = 1.0
    result = picture(seed=1).pixels
    pixels, untouched = blend(source, result.copy(), weight, 1.0)
    assert np.array_equal(pixels[weight == 0], source.pixels[weight == 0])
    assert np.array_equal(pixels[weight == 1], result[weight == 1])
    assert np.array_equal(untouched, weight == 0)
    half = weight == 0.5
    np.testing.assert_allclose(pixels[half], (source.pixels[half] + result[half]) / 2, atol=1e-6)


def test_blend_never_writes_into_the_source() -> None:
    source = picture()
    before = source.pixels.copy()
    blend(source, source.pixels, np.ones((40, 50), np.float32), 0.3)
    blend(source, source.pixels, None, 0.3)
    assert np.array_equal(source.pixels, before)


def test_strength_zero_is_the_source_and_one_the_result() -> None:
    source, result = picture(), picture(seed=1).pixels
    pixels, untouched = blend(source, result, None, 0.0)
    assert pixels is source.pixels
    assert untouched is not None
    assert untouched.all()
    pixels, untouched = blend(source, result, None, 1.0)
    assert pixels is result
    assert untouched is None


def test_blend_mixes_by_strength_across_row_blocks() -> None:
    source = Image(np.zeros((600, 3, 3), np.float32))
    pixels, _ = blend(source, np.ones((600, 3, 3), np.float32), None, 0.25)
    np.testing.assert_array_equal(pixels, np.float32(0.25))

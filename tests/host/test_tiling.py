"""Tiles cover the picture, have one shape, and their weights add up to one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from ganfilters.tiling import blend_ramp, pad_to, padded_size, spans, windows


@pytest.mark.parametrize("length", [1, 63, 64, 65, 100, 127, 128, 500, 1999])
@pytest.mark.parametrize(("size", "overlap", "multiple"), [(64, 16, 8), (64, 0, 1), (100, 49, 1)])
def test_weights_of_all_tiles_add_up_to_one(
    length: int, size: int, overlap: int, multiple: int
) -> None:
    if size <= 2 * overlap:
        pytest.skip("no room")
    total = np.zeros(length)
    for span in spans(length, size, overlap, multiple):
        assert 0 <= span.start < span.stop <= length
        total[span.start : span.stop] += blend_ramp(span)
    np.testing.assert_allclose(total, 1.0, atol=1e-6)


def test_tiles_have_one_shape_that_is_a_multiple() -> None:
    lengths = {span.stop - span.start for span in spans(1000, 130, 20, 32)}
    assert lengths == {128}


def test_neighbours_share_at_least_the_overlap() -> None:
    tiles = spans(1000, 128, 40)
    for left, right in pairwise(tiles):
        assert left.stop - right.start >= 40


def test_the_outer_part_of_an_overlap_has_no_weight() -> None:
    first, second = spans(100, 64, 16)[:2]
    assert blend_ramp(second)[0] == 0
    assert blend_ramp(first)[-1] == 0
    assert blend_ramp(first)[0] == 1


def test_a_tile_that_is_all_overlap_is_refused() -> None:
    with pytest.raises(ValueError, match="leave nothing"):
        spans(1000, 64, 32)


def test_windows_cover_the_picture() -> None:
    seen = np.zeros((70, 90), bool)
    for window in windows(70, 90, 40, 8):
        seen[window.slices] = True
    assert seen.all()


def test_padding_mirrors_as_often_as_it_takes() -> None:
    pixels = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    padded = pad_to(pixels, 64, 64)
    assert padded.shape == (64, 64, 3)
    assert np.array_equal(padded[:1, :2], pixels)
    assert np.array_equal(padded[0, 2], pixels[0, 1])
    assert pad_to(pixels, 1, 2) is pixels


@pytest.mark.parametrize(
    ("size", "rule", "fitting"),
    [
        ((97, 131), (8, 1), (104, 136)),
        ((96, 136), (8, 1), (96, 136)),
        ((5, 40), (8, 24), (24, 40)),
        ((5, 40), (16, 24), (32, 48)),  # the smallest is no multiple itself
        ((7, 9), (1, 1), (7, 9)),
    ],
)
def test_the_padded_size_is_the_next_that_fits(
    size: tuple[int, int], rule: tuple[int, int], fitting: tuple[int, int]
) -> None:
    assert padded_size(*size, *rule) == fitting

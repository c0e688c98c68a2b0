"""Resizing of pictures and masks."""

from __future__ import annotations

import numpy as np
import pytest

from ganfilters import resize, resize_mask


@pytest.mark.parametrize(("width", "edge"), [(330, 165), (2000, 1000)])
def test_a_resized_mask_selects_nothing_beyond_its_edge(width: int, edge: int) -> None:
    plane = np.zeros((10, 1000), np.float32)
    plane[:, :500] = 1
    made = resize_mask(plane, width, 10)
    assert made.dtype == np.float32
    assert (made[:, : edge - 2] == 1).all()
    assert (made[:, edge + 2 :] == 0).all()
    assert (np.diff(made[5]) <= 0).all()
    # which the filter for pictures does not promise
    assert resize(plane, width, 10)[:, edge + 2 :].any()


def test_a_mask_of_the_size_is_itself() -> None:
    plane = np.random.default_rng(0).random((4, 6), np.float32)
    assert resize_mask(plane, 6, 4) is plane

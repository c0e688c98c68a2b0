"""Areas: their bounding box, and distances against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from ganfilters import bounding_box, distance_to


def spots(*places: tuple[int, int]) -> np.ndarray:
    found = np.zeros((30, 50), np.bool_)
    found[tuple(zip(*places, strict=True))] = True
    return found


@pytest.mark.parametrize(
    ("margin", "expected"),
    [
        (0, (slice(4, 21), slice(7, 42))),
        (3, (slice(1, 24), slice(4, 45))),
        (10, (slice(0, 30), slice(0, 50))),
    ],
)
def test_the_box_with_its_margin_ends_with_the_picture(
    margin: int, expected: tuple[slice, slice]
) -> None:
    assert bounding_box(spots((4, 41), (20, 7)), margin) == expected


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (1, 1)])
def test_areas_of_a_line(shape: tuple[int, int]) -> None:
    where = np.zeros(shape, np.bool_)
    where[0, 0] = True
    assert bounding_box(where) == (slice(0, 1), slice(0, 1))
    assert distance_to(where, 20.0).ravel().tolist() == list(range(where.size))
    assert not distance_to(~where, 3.0)[~where].any()


def test_the_box_of_nothing_is_a_pixel() -> None:
    assert bounding_box(np.zeros((5, 6), np.bool_), 2) == (slice(0, 3), slice(0, 3))
    assert bounding_box(np.zeros((5, 6), np.bool_)) == (slice(0, 1), slice(0, 1))


@pytest.mark.parametrize("limit", [0.0, 0.5, 7.0, 12.3, 100.0, np.inf])
def test_distances_are_exact_up_to_the_limit(limit: float) -> None:
    where = spots((3, 4), (20, 30), (22, 31))
    expected = distance_transform_edt(~where)
    found = distance_to(where, limit)
    near = expected <= limit
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[near], expected[near], rtol=1e-6)
    assert (found[~near] > limit).all()


def test_everything_is_far_from_nothing() -> None:
    assert (distance_to(np.zeros((4, 5), np.bool_), 9.0) > 9.0).all()
    assert not distance_to(np.ones((4, 5), np.bool_), 9.0).any()

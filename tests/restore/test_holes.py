"""Where holes are, how they grow, and which belong together."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from ganfilters_inpaint import holes


def test_labels_are_those_of_scipy() -> None:
    rng = np.random.default_rng(0)
    for density in (0.02, 0.2, 0.4, 0.6, 1.0):
        area = rng.random((60, 70)) < density
        labels, count = holes._labels(area)
        expected, wanted = ndimage.label(area, np.ones((3, 3)))
        assert count == wanted
        pairs = {(a, b) for a, b in zip(labels.ravel(), expected.ravel(), strict=True)}
        assert len(pairs) == count + (0 if area.all() else 1)
        assert (labels == 0).tolist() == (~area).tolist()


def test_spreading_is_a_square_dilation() -> None:
    area = np.random.default_rng(1).random((40, 50)) < 0.03
    for reach in (0, 1, 4):
        expected = ndimage.binary_dilation(area, np.ones((2 * reach + 1,) * 2)) if reach else area
        assert np.array_equal(holes._spread(area, reach), expected)


@pytest.mark.parametrize("shape", [(30, 41), (1, 5), (9, 2, 3)])
@pytest.mark.parametrize("radius", [0, 1, 6])
def test_box_sums_are_sums_over_squares(shape: tuple[int, ...], radius: int) -> None:
    planes = np.random.default_rng(2).random(shape, np.float32)
    square = np.ones((2 * radius + 1,) * 2).reshape((2 * radius + 1,) * 2 + (1,) * len(shape[2:]))
    expected = ndimage.convolve(planes.astype(np.float64), square, mode="constant")
    found = holes.box_sums(planes, radius)
    assert found.dtype == np.float32
    assert np.allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_parts_cover_the_hole_once_and_join_what_is_near() -> None:
    area = np.zeros((700, 1300), np.bool_)
    area[10:40, 10:50] = True
    area[10:40, 60:90] = True  # 10 pixels from the first
    area[600:640, 1200:1290] = True
    area[300, 0:1300:97] = True  # dots far from one another
    found = list(holes.parts(area, 64))
    assert len(found) == 2 + 14
    covered = np.zeros(area.shape, np.int64)
    for part in found:
        covered[part.slices] += part.hole
        assert part.hole.any(axis=0)[[0, -1]].all()
        assert part.hole.any(axis=1)[[0, -1]].all()
    assert np.array_equal(covered, area.astype(np.int64))


def test_what_is_thick_comes_before_what_is_thin() -> None:
    hole = np.zeros((120, 700), bool)  # told apart at half the size
    hole[10:40, 20:60] = True
    hole[40:110, 30:33] = True  # touches it
    hole[10:80, 300:304] = True
    hole[60:64, 300:600] = True
    (part,) = holes.parts(hole, 1000)
    thick, thin = holes.by_thickness(part, 16, 1000)
    found = np.zeros_like(hole)
    found[thick.slices] = thick.hole
    assert np.array_equal(found[:50, :100], hole[:50, :100])  # with where the scratch begins
    assert not found[60:].any()
    assert not found[:, 100:].any()
    found[thin.slices] |= thin.hole
    assert np.array_equal(found, hole)
    assert thin.hole.sum() + thick.hole.sum() == hole.sum()
    (same,) = holes.by_thickness(thin, 16, 1000)
    assert same.slices == thin.slices
    assert np.array_equal(same.hole, thin.hole)


@pytest.mark.parametrize("width", [17, 19, 90])
def test_what_is_round_is_not_cut(width: int) -> None:
    """A square fits into a ring where it is level or upright, and not between."""
    rows, columns = np.ogrid[:400, :400]
    distance = np.hypot(rows - 200, columns - 200)
    (part,) = holes.parts((distance < 90) & (distance > 90 - width), 64)
    (thick,) = holes.by_thickness(part, 16, 64)
    assert np.array_equal(thick.hole, part.hole)


def test_a_scratch_beside_what_is_thick_is_whole() -> None:
    hole = np.zeros((200, 500), bool)
    hole[50:150, 100:300] = True
    hole[158:161, 20:480] = True  # eight pixels below, and joined far away
    hole[100:161, 20:23] = hole[100:103, 20:100] = True
    (part,) = holes.parts(hole, 64)
    thick, thin = holes.by_thickness(part, 16, 64)
    assert thick.columns.stop == 300
    assert thin.columns == slice(20, 480)
    assert thin.hole[-3:].all()


def test_what_is_thin_on_both_sides_is_two_parts() -> None:
    hole = np.zeros((300, 900), bool)
    hole[50:250, 300:600] = True
    hole[150:154, :] = True
    (part,) = holes.parts(hole, 64)
    found = list(holes.by_thickness(part, 16, 64))
    assert [each.columns.start for each in found][1] == 0
    assert len(found) == 3
    covered = np.zeros(hole.shape, int)
    for each in found:
        covered[each.slices] += each.hole
    assert np.array_equal(covered, hole)


def test_thickness_is_that_of_the_largest_square() -> None:
    area = np.zeros((100, 200), np.bool_)
    area[40:43, 5:195] = True
    assert holes.thickness(area) == 3
    area[50:90, 20:70] = True
    assert holes.thickness(area) == 40
    assert holes.thickness(np.ones((7, 9), np.bool_)) == 7


def test_thin_holes_alone_are_told_apart_as_well() -> None:
    area = np.zeros((100, 200), np.bool_)
    area[10:15, 20:26] = area[60:63, 110:140] = True
    (part,) = holes.parts(area, 128)
    found = list(holes.by_thickness(part, 16, 48))
    assert [each.slices for each in found] == [
        (slice(10, 15), slice(20, 26)),
        (slice(60, 63), slice(110, 140)),
    ]


@pytest.mark.parametrize(("dilate", "seam"), [(0, 0), (5, 0), (0, 4), (3, 6), (1.5, 2)])
def test_growth_follows_the_distance(dilate: float, seam: float) -> None:
    area = np.random.default_rng(2).random((60, 80)) < 0.002
    box, inner = holes.grown(area, dilate, seam)
    weight = np.zeros(area.shape, np.float32)
    weight[box] = inner
    distance = ndimage.distance_transform_edt(~area)
    assert (weight[area] == 1).all()
    assert (weight[distance <= dilate] == 1).all()
    assert (weight[distance >= dilate + seam + 1] == 0).all()
    order = np.argsort(distance, axis=None)
    assert (np.diff(weight.ravel()[order]) <= 1e-6).all()


def test_colours_are_found_within_the_tolerance() -> None:
    pixels = np.zeros((2, 3, 3), np.float32)
    pixels[0, 0] = (1.0, 0.0, 1.0)
    pixels[0, 1] = (240 / 255, 10 / 255, 1.0)
    assert holes.coloured(pixels, (255, 0, 255), 0).sum() == 1
    assert holes.coloured(pixels, (255, 0, 255), 15).sum() == 2

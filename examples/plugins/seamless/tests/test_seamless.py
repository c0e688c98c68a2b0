"""Cloning keeps the promises of every filter, and solves the equation that it is about."""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt
import pytest
from ganfilters import Cancelled, FloatArray, Host, Image
from ganfilters.testing import Subject, conformance, picture

from ganfilters_seamless import Seamless
from ganfilters_seamless.poisson import Mask, solve

test_conformance = conformance(Seamless)


def region(height: int, width: int) -> Mask:
    """Return a region with a hole, an island and a side on the picture's edge."""
    rows, columns = np.mgrid[0:height, 0:width]
    inside = (rows - height / 2) ** 2 + (columns - width / 3) ** 2 < (height / 2.5) ** 2
    inside &= (rows - height / 2) ** 2 + (columns - width / 3) ** 2 > (height / 8) ** 2
    inside[2:5, -4:] = True
    return inside


def differences(pixels: FloatArray) -> tuple[FloatArray, FloatArray]:
    return np.diff(pixels, axis=0), np.diff(pixels, axis=1)


def exact(target: FloatArray, inside: Mask, down: FloatArray, across: FloatArray) -> FloatArray:
    """Solve one equation for each unknown pixel, written out, with a dense matrix."""
    numbers = -np.ones(inside.shape, int)
    numbers[inside] = np.arange(inside.sum())
    matrix = np.zeros((inside.sum(), inside.sum()))
    right: npt.NDArray[np.float64] = np.zeros((inside.sum(), target.shape[2]))
    for row, column in np.argwhere(inside):
        here = numbers[row, column]
        for other, wanted in (
            ((row - 1, column), down[row - 1, column] if row else None),
            ((row + 1, column), -down[row, column] if row + 1 < len(inside) else None),
            ((row, column - 1), across[row, column - 1] if column else None),
            ((row, column + 1), -across[row, column] if column + 1 < inside.shape[1] else None),
        ):
            if wanted is None:
                continue
            matrix[here, here] += 1
            right[here] += wanted
            if inside[other]:
                matrix[here, numbers[other]] -= 1
            else:
                right[here] += target[other]
    result = target.copy()
    result[inside] = np.linalg.solve(matrix, right)
    return result


@pytest.mark.parametrize("size", [(24, 30), (33, 20), (9, 9)])
def test_the_solution_is_that_of_the_equations(size: tuple[int, int]) -> None:
    target, source, inside = picture(*size), picture(*size, seed=5), region(*size)
    wanted = differences(source)
    found = solve(target, source, inside, *wanted, 100)
    assert np.abs(found - exact(target, inside, *wanted)).max() < 0.5 / 255
    assert np.array_equal(found[~inside], target[~inside])


def test_steps_hardly_grow_with_the_region() -> None:
    def steps(side: int) -> int:
        count = 0

        def counted(_fraction: float, _note: str) -> None:
            nonlocal count
            count += 1

        image, mask = Image(picture(side, side)), np.zeros((side, side), np.float32)
        mask[2:-2, 2:-2] = 1
        source = Image(picture(side, side, seed=3))
        subject = Subject(Seamless)
        subject.host.apply("seamless", image, mask=mask, source=source, on_progress=counted)
        return count

    assert steps(256) <= steps(32) + 6


def test_light_that_differs_by_a_constant_is_cloned_away() -> None:
    target = picture(40, 60) * np.float32(0.5)
    source = Image(target + np.float32(0.3))
    mask = region(40, 60).astype(np.float32)
    result = Subject(Seamless).run(target, mask=mask, source=source, place="picture")
    assert np.abs(result - target).max() < 1 / 255


def test_mixed_keeps_the_edges_of_both() -> None:
    target = np.full((40, 60, 3), 0.5, np.float32)
    target[:, 30:] = 0.8
    flat = Image(np.full((40, 60, 3), 0.2, np.float32))
    mask = np.zeros((40, 60), np.float32)
    mask[5:35, 10:50] = 1
    subject = Subject(Seamless)
    options = {"mask": mask, "source": flat, "place": "picture"}
    assert np.abs(subject.run(target, mixed=True, **options) - target).max() < 1 / 255
    assert np.abs(subject.run(target, mixed=False, **options) - target).max() > 0.05


def test_where_nothing_is_known_the_result_is_the_source() -> None:
    source = picture(30, 40, seed=4)
    result = Subject(Seamless).run(
        picture(30, 40), mask=np.ones((30, 40), np.float32), source=Image(source)
    )
    assert np.abs(result - source).max() < 1 / 255


def test_the_source_can_be_moved() -> None:
    ramp = np.broadcast_to(np.linspace(0, 1, 90, dtype=np.float32)[None, :, None], (30, 90, 3))
    mask = np.ones((30, 30), np.float32)
    subject = Subject(Seamless)
    means = [
        subject.run(picture(30, 30), mask=mask, source=Image(ramp.copy()), shift_x=shift).mean()
        for shift in (-1.0, 0.0, 1.0)
    ]
    assert np.allclose(means, [1 / 6, 1 / 2, 5 / 6], atol=0.02)


@pytest.mark.parametrize("shift", [-1.0, 0.3, 1.0])
def test_the_source_covers_regions_of_any_size(shift: float) -> None:
    source, subject = Image(picture(30, 45)), Subject(Seamless)
    for height, width in [(h, w) for h in range(3, 60, 7) for w in range(3, 60, 7)]:
        mask = np.zeros((60, 60), np.float32)
        mask[1 : 1 + height, 1 : 1 + width] = 1
        values = {"shift_x": shift, "shift_y": -shift, "iterations": 1}
        subject.run(picture(60, 60), mask=mask, source=source, **values)


def test_a_cancelled_run_stops_between_steps() -> None:
    cancel = threading.Event()
    seen = []

    def stop(fraction: float, note: str) -> None:
        seen.append(note)
        if note == "step 2":
            cancel.set()

    host: Host = Subject(Seamless).host
    mask = np.zeros((80, 80), np.float32)
    mask[10:70, 10:70] = 1
    with pytest.raises(Cancelled):
        host.apply(
            "seamless",
            Image(picture(80, 80)),
            mask=mask,
            source=Image(picture(80, 80, seed=2)),
            on_progress=stop,
            cancel=cancel,
        )
    assert "step 2" in seen
    assert "step 3" not in seen

"""What is put in the place of colours that nobody sees."""

from __future__ import annotations

import numpy as np
import pytest

from ganfilters.hidden import shown_colours


@pytest.mark.parametrize("size", [(1, 2), (5, 9), (33, 70)])
def test_what_is_shown_stays_and_one_colour_spreads_everywhere(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.random((*size, 3), np.float32)
    hidden = np.ones(size, bool)
    hidden[0, 0] = False
    np.testing.assert_allclose(
        shown_colours(pixels, hidden), np.broadcast_to(pixels[0, 0], (*size, 3)), atol=1e-6
    )
    hidden = rng.random(size) < 0.5
    hidden[0, 0] = False
    before = pixels.copy()
    made = shown_colours(pixels, hidden)
    np.testing.assert_array_equal(made[~hidden], pixels[~hidden])
    np.testing.assert_array_equal(pixels, before)


def test_colours_come_from_near() -> None:
    pixels = np.zeros((64, 64, 3), np.float32)
    pixels[:, :20], pixels[:, 44:] = 0.2, 0.8
    hidden = np.zeros((64, 64), bool)
    hidden[:, 20:44] = True
    made = shown_colours(pixels, hidden)[30, :, 0]
    assert abs(made[20] - 0.2) < 0.01
    assert abs(made[43] - 0.8) < 0.01
    assert (np.diff(made) > -0.01).all()

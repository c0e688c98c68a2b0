"""What is put in the place of colours that nobody sees."""

from __future__ import annotations

import numpy as np
import pytest

from ganfilters import Image
from ganfilters.hidden import as_shown


def shown(pixels: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    picture = Image(pixels, alpha=1 - hidden.astype(np.float32))
    before = pixels.copy()
    made = as_shown(picture).pixels
    np.testing.assert_array_equal(pixels, before)
    return made


@pytest.mark.parametrize("size", [(1, 2), (5, 9), (33, 70), (600, 11)])
def test_what_is_shown_stays_and_one_colour_spreads_everywhere(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.random((*size, 3), np.float32)
    hidden = np.ones(size, bool)
    hidden[0, 0] = False
    np.testing.assert_allclose(
        shown(pixels, hidden), np.broadcast_to(pixels[0, 0], (*size, 3)), atol=1e-6
    )
    hidden = rng.random(size) < 0.5
    hidden[0, 0] = False
    np.testing.assert_array_equal(shown(pixels, hidden)[~hidden], pixels[~hidden])


def test_the_filling_is_smooth_and_of_what_is_near() -> None:
    across = np.linspace(0.1, 0.9, 200, dtype=np.float32)
    pixels = np.broadcast_to(across[None, :, None], (200, 200, 3)).copy()
    hidden = np.zeros((200, 200), bool)
    hidden[30:158, 41:169] = True
    pixels[hidden] = 0.0
    made = shown(pixels, hidden)[..., 0]
    assert np.abs(made[:, 41] - across[41]).max() < 0.05
    assert np.abs(made[:, 168] - across[168]).max() < 0.05
    steps = [np.abs(np.diff(made, axis=axis)).max() for axis in (0, 1)]
    assert max(steps) < 0.06


def test_what_is_seen_nowhere_or_everywhere_stays() -> None:
    pixels = np.random.default_rng(1).random((6, 8, 3), np.float32)
    for alpha in (None, np.ones((6, 8), np.float32), np.zeros((6, 8), np.float32)):
        picture = Image(pixels, alpha=alpha)
        assert as_shown(picture) is picture

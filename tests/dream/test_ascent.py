"""The ascent without a network: octaves, tiles, bands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ganfilters import OutOfMemory
from ganfilters_dream.ascent import Ascent, _shifted_gradient, dream, octave_sizes
from ganfilters_dream.pyramid import normalise_bands, smooth

ASCENT = Ascent(
    octaves=3,
    octave_scale=1.5,
    iterations=4,
    step=2.0,
    jitter=8,
    normalize="mean",
    color=1.0,
    blur=0.0,
    tile=64,
    multiple=32,
    smallest=64,
)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


def test_octaves_grow_to_the_picture() -> None:
    assert octave_sizes(90, 180, ASCENT, 0) == [(40, 80), (60, 120), (90, 180)]
    assert octave_sizes(90, 180, ASCENT, 120)[-1] == (60, 120)
    assert octave_sizes(1, 1, ASCENT, 0) == [(1, 1)]
    assert octave_sizes(1, 5000, ASCENT, 0)[-1] == (1, 5000)


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (64, 64), (70, 150), (200, 33)])
def test_a_local_gradient_is_the_same_in_tiles(size: tuple[int, int]) -> None:
    """Each pixel's gradient here depends on that pixel alone, so tiling must not show at all."""
    sizes = set()

    def gradient(batch: np.ndarray) -> np.ndarray:
        sizes.add(batch.shape[2:])
        return 2 * batch - 1

    pixels = picture(*size)
    slope = _shifted_gradient(pixels, gradient, ASCENT, np.array([0.3, -0.8]))
    np.testing.assert_allclose(slope, 2 * pixels - 1, atol=1e-6)
    assert len(sizes) == 1
    for side in sizes.pop():
        assert side % 32 == 0
        assert 64 <= side <= 96


def test_shifts_move_the_tiles() -> None:
    """Tile borders differ from step to step: a gradient that marks them marks different places."""

    def border(batch: np.ndarray) -> np.ndarray:
        marked = np.zeros_like(batch)
        marked[:, :, 0] = 1
        return marked

    rng = np.random.default_rng(0)
    rows = {
        tuple(
            np.flatnonzero(
                _shifted_gradient(picture(192, 64), border, ASCENT, rng.uniform(-1, 1, 2))[:, 0, 0]
            )
        )
        for _ in range(8)
    }
    assert len(rows) > 4


def test_a_step_has_the_size_that_was_asked_for() -> None:
    pixels = np.full((64, 64, 3), 0.5, np.float32)
    one = replace(ASCENT, octaves=1, iterations=1, step=5.1)
    result = dream(pixels, lambda batch: np.ones_like(batch), one, np.random.default_rng(0))
    np.testing.assert_allclose(result, 0.5 + 5.1 / 255, atol=1e-6)


def test_the_dream_climbs_and_leaves_the_input_alone() -> None:
    target = 0.9
    pixels = picture(100, 80)
    before = pixels.copy()
    result = dream(pixels, lambda batch: target - batch, ASCENT, np.random.default_rng(0))
    assert np.abs(result - target).mean() < np.abs(pixels - target).mean()
    assert result.min() >= 0
    assert result.max() <= 1
    np.testing.assert_array_equal(pixels, before)


def test_a_flat_gradient_changes_nothing() -> None:
    pixels = picture(64, 64)
    for normalize in ("mean", "smooth", "laplacian"):
        ascent = replace(ASCENT, normalize=normalize)
        result = dream(pixels, np.zeros_like, ascent, np.random.default_rng(0))
        np.testing.assert_allclose(result, pixels, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (64, 64), (65, 127)])
def test_bands_are_brought_to_one_strength(size: tuple[int, int]) -> None:
    wave = np.sin(np.arange(size[1], dtype=np.float32) / 40)[None, :, None]
    slope = picture(*size) * 0.001 + wave.astype(np.float32)
    flat = normalise_bands(slope.astype(np.float32))
    assert flat.shape == slope.shape
    assert np.isfinite(flat).all()
    if min(size) >= 64:
        fine = np.diff(flat, axis=0).std() / flat.std()
        assert fine > 20 * np.diff(slope, axis=0).std() / slope.std()


def test_smoothing_keeps_slow_waves_and_damps_noise() -> None:
    noise = picture(64, 64) - 0.5
    slow = np.ones((64, 64, 3), np.float32)
    gain_slow = smooth(slow).std() + smooth(slow).mean()
    gain_noise = smooth(noise.astype(np.float32)).std() / noise.std()
    assert gain_slow > 2 * gain_noise


def test_out_of_memory_makes_smaller_tiles_that_stay() -> None:
    sides: list[int] = []

    def gradient(batch: np.ndarray) -> np.ndarray:
        sides.append(batch.shape[2])
        if batch.shape[2] > 100:
            raise OutOfMemory("too large")
        return 2 * batch - 1

    large = replace(ASCENT, octaves=1, iterations=2, tile=256)
    pixels = picture(256, 256)
    result = dream(pixels, gradient, large, np.random.default_rng(0))
    assert sides[:3] == [256, 128, 64]
    assert set(sides[2:]) == {64}
    small = replace(large, tile=64)
    whole = dream(pixels, lambda batch: 2 * batch - 1, small, np.random.default_rng(0))
    np.testing.assert_allclose(result, whole, atol=1e-6)

    def never(batch: np.ndarray) -> np.ndarray:
        raise OutOfMemory("too large")

    with pytest.raises(OutOfMemory):
        dream(pixels, never, large, np.random.default_rng(0))

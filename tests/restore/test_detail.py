"""The finest detail of large fillings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganfilters import Host, resize
from ganfilters_inpaint import network, tone
from ganfilters_inpaint.detail import detailed

Array = np.ndarray[Any, Any]


def grain(picture: Array) -> float:
    """Return the strength of what differs from pixel to pixel."""
    return float(np.abs(np.diff(picture, axis=1)).mean())


@pytest.fixture
def grainy() -> Array:
    rng = np.random.default_rng(5)
    ramp = np.linspace(0.3, 0.6, 200, dtype=np.float32)[:, None, None]
    noise = rng.normal(0, 0.04, (200, 240, 3)).astype(np.float32)
    return np.clip(ramp + noise, 0, 1)


def test_a_smooth_filling_gets_the_grain_around_it(grainy: Array) -> None:
    hole = np.zeros(grainy.shape[:2], np.bool_)
    hole[50:150, 60:180] = True
    smooth = np.broadcast_to(
        np.linspace(0.3, 0.6, 100, dtype=np.float32)[:, None, None], (100, 120, 3)
    )
    made = detailed(grainy, hole, smooth, np.random.default_rng(0))
    assert np.array_equal(made[~hole], grainy[~hole])
    inside = made[50:150, 60:180]
    assert 0.5 * grain(grainy) < grain(inside) < 1.1 * grain(grainy)
    assert np.abs(inside.mean(axis=(1, 2)) - np.linspace(0.375, 0.525, 100)).max() < 0.02
    # No block is seen again at the next: the grain is no pattern.
    high = inside[..., 0] - inside[..., 0].mean(axis=1, keepdims=True)
    for shift in (8, 16, 24):
        same = (high[:, shift:] * high[:, :-shift]).mean() / (high**2).mean()
        assert same < 0.25


def test_edges_of_the_surroundings_do_not_spill_into_a_smooth_filling() -> None:
    pixels = np.full((160, 160, 3), 0.5, np.float32)
    pixels[:, :30] = (np.arange(160)[:, None, None] // 4 % 2) * np.float32(1.0)
    hole = np.zeros((160, 160), np.bool_)
    hole[40:120, 40:120] = True
    guess = np.clip(resize(pixels, 80, 80), 0, 1)
    made = detailed(pixels, hole, guess, np.random.default_rng(0))
    assert np.abs(made[hole] - 0.5).max() < 0.02


def test_without_surroundings_the_guess_is_enlarged(grainy: Array) -> None:
    hole = np.ones(grainy.shape[:2], np.bool_)
    guess = resize(grainy, 120, 100)
    made = detailed(grainy, hole, guess, np.random.default_rng(0))
    assert np.allclose(made, np.clip(resize(np.clip(guess, 0, 1), 240, 200), 0, 1), atol=1e-6)


def test_large_holes_spare_the_network_the_last_step(
    host: Host, filler: Path, grainy: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    hole = np.zeros(grainy.shape[:2], np.float32)
    hole[41:150, 60:181] = 1
    seen = []
    original = network.Network._run

    def run(self: Any, pixels: Array, *rest: Any) -> Array:
        seen.append(pixels.shape)
        return original(self, pixels, *rest)

    monkeypatch.setattr(network.Network, "_run", run)
    whole = host.apply("inpaint", grainy, mask=hole, model=filler)
    calls = len(seen)
    monkeypatch.setattr(network, "_DRAWN", 100)
    made = host.apply("inpaint", grainy, mask=hole, model=filler)
    assert len(seen) - calls == calls - 1
    assert np.array_equal(made[hole == 0], grainy[hole == 0])
    assert not np.array_equal(made, whole)
    assert np.array_equal(made, host.apply("inpaint", grainy, mask=hole, model=filler))


def test_the_tone_of_the_guess_is_kept_and_finer_changes_stay() -> None:
    rng = np.random.default_rng(0)
    guess = rng.random((64, 96, 3), np.float32) * 0.2 + 0.4
    hole = np.zeros((64, 96), np.bool_)
    hole[8:60, 0:70] = True
    fine = 0.1 * (np.indices(hole.shape).sum(0) % 2 - 0.5)[..., None].astype(np.float32)
    cast = np.array([0.1, 0.0, -0.1], np.float32)
    made = guess + (fine + cast) * hole[..., None]
    result = tone.in_tone(made, guess, hole)
    assert np.abs(result - guess - fine)[hole].max() < 0.01
    assert np.array_equal(result[~hole], guess[~hole])


def test_a_cast_of_the_network_is_taken_back() -> None:
    rows = np.linspace(0.2, 0.8, 96, dtype=np.float32)[None, :, None]
    photo = np.broadcast_to(rows * np.array([1.0, 0.6, 0.2], np.float32), (80, 96, 3)).copy()
    hole = np.zeros((80, 96), np.bool_)
    hole[30:50, 20:70] = True
    cast = np.array([-0.1, 0.0, 0.15], np.float32)
    fine = 0.05 * (np.indices(hole.shape).sum(0) % 2 - 0.5)[..., None].astype(np.float32)
    made = np.where(hole[..., None], photo + cast + fine, photo)
    damaged = np.where(hole[..., None], np.float32(0.0), photo)
    result = tone.continued(made, damaged, hole)
    assert np.array_equal(result[~hole], photo[~hole])
    left = np.abs(result - photo - fine)[hole]
    assert left.mean() < 0.015
    assert left.max() < 0.06


def test_colours_are_interpolated_from_the_edge_alone() -> None:
    values = np.zeros((64, 64, 3), np.float32)
    values[:, :4], values[:, -4:] = 1.0, 0.5
    weight = np.zeros((64, 64, 1), np.float32)
    weight[:, :4] = weight[:, -4:] = 1.0
    found = tone._spread(values, weight)
    assert np.array_equal(found[:, :4], values[:, :4])
    assert found.min() >= 0.5
    assert found.max() <= 1.0
    assert found[:, 8].mean() > 0.9
    assert found[:, -9].mean() < 0.6
    assert abs(found[:, 32].mean() - 0.75) < 0.1

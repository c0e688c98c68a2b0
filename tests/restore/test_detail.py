"""The finest detail of large fillings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganfilters import Host, resize
from ganfilters_inpaint import network
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
    monkeypatch.setattr(network, "_DETAIL", 100)
    made = host.apply("inpaint", grainy, mask=hole, model=filler)
    assert len(seen) - calls == calls - 1
    assert np.array_equal(made[hole == 0], grainy[hole == 0])
    assert not np.array_equal(made, whole)
    assert np.array_equal(made, host.apply("inpaint", grainy, mask=hole, model=filler))

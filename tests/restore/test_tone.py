"""Tones of fillings: those around the hole, and those of the guess."""

from __future__ import annotations

import numpy as np

from ganfilters_inpaint import tone


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
    found = tone.spread(values, weight)
    assert np.array_equal(found[:, :4], values[:, :4])
    assert found.min() >= 0.5
    assert found.max() <= 1.0
    assert found[:, 8].mean() > 0.9
    assert found[:, -9].mean() < 0.6
    assert abs(found[:, 32].mean() - 0.75) < 0.1

"""Fillings that are copied from around the hole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from ganfilters import Host
from ganfilters_inpaint import copying, network
from ganfilters_inpaint.copying import copied, find_shifts

Array = np.ndarray[Any, Any]


def filled(pixels: Array, hole: Array, guide: Array, seed: int = 0) -> Array:
    damaged = np.where(hole[..., None], np.float32(1.0), pixels)
    shifts = find_shifts(damaged, hole, guide, np.random.default_rng(seed))
    return copied(damaged, hole, guide, shifts, 1)


def blurred(pixels: Array) -> Array:
    """Return means over squares of 9 pixels."""
    for axis in (0, 1):
        pixels = np.mean([np.roll(pixels, by, axis) for by in range(-4, 5)], axis=0)
    return pixels.astype(np.float32)


@pytest.fixture
def grainy() -> Array:
    rng = np.random.default_rng(5)
    ramp = np.linspace(0.3, 0.6, 200, dtype=np.float32)[:, None, None]
    noise = rng.normal(0, 0.04, (200, 240, 3)).astype(np.float32)
    return np.clip(ramp + noise, 0, 1)


@pytest.fixture
def hole() -> Array:
    hole = np.zeros((200, 240), np.bool_)
    hole[50:150, 60:180] = True
    return hole


def test_a_smooth_filling_gets_grain_and_keeps_its_tones(grainy: Array, hole: Array) -> None:
    ramp = np.linspace(0.3, 0.6, 200, dtype=np.float32)[:, None, None]
    smooth = np.where(hole[..., None], ramp, grainy)
    made = filled(grainy, hole, smooth)
    assert np.array_equal(made[~hole], grainy[~hole])
    grain = [np.abs(np.diff(part, axis=1)).mean() for part in (grainy, made[50:150, 60:180])]
    assert 0.72 * grain[0] < grain[1] < 1.1 * grain[0]
    rows = made[50:150, 60:180].mean(axis=(1, 2))
    assert np.abs(rows - np.linspace(0.375, 0.525, 100)).max() < 0.04


def test_a_blurred_texture_is_found_again_sharp(hole: Array) -> None:
    down, across = np.indices(hole.shape)
    tiles = ((down // 7 + across // 10) % 2).astype(np.float32)[..., None]
    pixels = (0.3 + 0.4 * tiles * np.array([1.0, 0.7, 0.4])).astype(np.float32)
    guide = np.where(hole[..., None], blurred(pixels), pixels)
    made = filled(pixels, hole, guide)
    before, after = (np.abs(x - pixels)[hole].mean() for x in (guide, made))
    assert after < 0.25 * before


def test_the_guide_says_what_belongs_where(hole: Array) -> None:
    """Two materials, of which each side of the hole has both: the guide chooses."""
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.03, (200, 240, 1)).astype(np.float32)
    light, dark = (np.clip(tone + noise, 0, 1).repeat(3, axis=2) for tone in (0.8, 0.2))
    down, across = np.indices(hole.shape)
    pixels = np.where((down < 100)[..., None], light, dark)
    disc = (down - 100) ** 2 + (across - 120) ** 2 < 40**2
    wanted = np.where(disc[..., None], dark[::-1], pixels)
    guide = np.where(hole[..., None], blurred(wanted), pixels)
    made = filled(pixels, hole, guide)
    inner = (down - 100) ** 2 + (across - 120) ** 2 < 30**2
    assert abs(made[inner].mean() - 0.2) < 0.05
    assert made[inner].std() > 0.015


def test_shifts_found_small_copy_pixels_of_the_full_size(grainy: Array, hole: Array) -> None:
    small = grainy.reshape(100, 2, 120, 2, 3).mean(axis=(1, 3))
    shifts = find_shifts(small, hole[::2, ::2], small, np.random.default_rng(0))
    made = copied(grainy, hole, small, shifts, 2)
    assert np.array_equal(made[~hole], grainy[~hole])
    grain = [np.abs(np.diff(part, axis=1)).mean() for part in (grainy, made[50:150, 60:180])]
    assert grain[1] > 0.6 * grain[0]


def test_no_missing_pixel_is_left(grainy: Array) -> None:
    """A line too thin to be a hole at the size of the shifts, beside a square that is one."""
    large = grainy.repeat(4, axis=0).repeat(4, axis=1)
    hole = np.zeros(large.shape[:2], np.bool_)
    hole[200:500, 200:500] = hole[300:302, 100:900] = True
    damaged = np.where(hole[..., None], np.float32([1, 0, 1]), large)
    small_hole = hole.reshape(200, 4, 240, 4).mean(axis=(1, 3)) > 0.6
    shifts = find_shifts(grainy, small_hole, grainy, np.random.default_rng(0))
    made = copied(damaged, hole, grainy, shifts, 4)
    assert not (made == np.float32([1, 0, 1])).all(axis=2).any()
    assert np.array_equal(made[~hole], large[~hole])


def test_edges_have_the_tone_of_the_picture_and_slopes_stay() -> None:
    ramp = np.linspace(0.2, 0.8, 240, dtype=np.float32)[None, :, None]
    pixels = np.broadcast_to(ramp, (200, 240, 3)).astype(np.float32)
    hole = np.zeros((200, 240), np.bool_)
    hole[60:140, 80:160] = True
    guide = np.where(hole[..., None], pixels - 0.05, pixels)
    made = filled(pixels, hole, guide)
    assert np.abs(guide - pixels)[hole].max() > 0.04
    for edge in (made[62:138, 80] - pixels[62:138, 80], made[62:138, 159] - pixels[62:138, 159]):
        assert np.abs(edge.mean()) < 0.015


def test_copies_meet_the_picture_at_every_side_and_only_there() -> None:
    rng = np.random.default_rng(7)
    pixels = rng.uniform(0.3, 0.6, (80, 90, 3)).astype(np.float32)
    missing = np.zeros((80, 90), np.bool_)
    missing[4:76, 4:86] = True
    made = pixels + np.float32(0.2)
    copying._meet(made, pixels, missing, copying._beside(missing), 4)
    left = (made - pixels)[..., 0]
    assert np.allclose(left[~missing], 0.2, atol=1e-6)
    inner = left[4:76, 4:86]
    for side in (inner[0, 8:-8], inner[-1, 8:-8], inner[8:-8, 0], inner[8:-8, -1]):
        assert np.abs(side).max() < 0.08
    assert np.allclose(inner[5:-5, 5:-5], 0.2, atol=1e-6)
    nothing = pixels + np.float32(0.2)
    copying._meet(nothing, pixels, missing, np.zeros_like(missing), 4)
    assert np.array_equal(nothing, pixels + np.float32(0.2))


def test_what_touches_a_hole() -> None:
    hole = np.random.default_rng(0).random((12, 15)) < 0.1
    around = ndimage.binary_dilation(hole, np.ones((3, 3))) & ~hole
    assert np.array_equal(copying._beside(hole), around)


@pytest.mark.parametrize("scale", [1, 2, 4, 16])
def test_of_a_faint_share_the_colour_is_whole(scale: int) -> None:
    """Where a piece leads into the hole, what fades into it from beside is all there is."""
    shifts, hole, _ = two_pieces(24, 40)
    shifts.offsets[:, :20] = 1  # into the hole
    large = hole.repeat(scale, axis=0).repeat(scale, axis=1)
    pixels = np.where(large[..., None], np.float32(1.0), np.full((*large.shape, 3), 0.5))
    made = np.zeros((24 * scale, 40 * scale, 3), np.float32)
    wanted = np.ones(made.shape[:2], np.bool_)
    found = copying._put_together(made, wanted, pixels.astype(np.float32), large, shifts, scale)
    assert found[:, 20 * scale :].all()
    assert np.allclose(made[found], 0.5, atol=1e-3)


def test_places_that_were_not_looked_at_are_no_copies() -> None:
    shifts, hole, pixels = two_pieces(24, 40)
    shifts.offsets[:] = 0
    made = np.zeros((24, 40, 3), np.float32)
    wanted = np.ones((24, 40), np.bool_)
    found = copying._put_together(made, wanted, pixels, np.zeros_like(hole), shifts, 1)
    assert not found.any()


@pytest.mark.parametrize("scale", [4, 8])
def test_the_edge_of_a_hole_in_strong_texture_does_not_show(scale: int) -> None:
    """Neighbours on both sides of it differ little more than neighbours do elsewhere."""
    noise = np.random.default_rng(4).normal(0, 1, (400, 480, 3)).astype(np.float32)
    soft = blurred(noise)
    pixels = np.clip(0.5 + 0.12 * soft / soft.std(), 0, 1)
    hole = np.zeros(pixels.shape[:2], np.bool_)
    hole[100:300, 120:360] = True
    small = pixels.reshape(400 // scale, scale, 480 // scale, scale, 3).mean(axis=(1, 3))
    missing = hole[::scale, ::scale]
    damaged = np.where(hole[..., None], np.float32(1.0), pixels)
    shifts = find_shifts(small, missing, small, np.random.default_rng(0))
    made = copied(damaged, hole, np.where(missing[..., None], 0.5, small), shifts, scale)
    across = np.abs(made[100:300, 120] - made[100:300, 119]).mean()
    usual = np.abs(np.diff(pixels[100:300], axis=1)).mean()
    assert across < 1.6 * usual


@pytest.mark.parametrize("shape", [(200, 240), (6, 40)])
def test_without_surroundings_the_guide_remains(shape: tuple[int, int]) -> None:
    guide = np.random.default_rng(0).random((*shape, 3), np.float32)
    hole = np.ones(shape, np.bool_)
    made = filled(np.zeros_like(guide), hole, guide)
    assert np.allclose(made, guide, atol=1e-6)


def test_what_is_in_the_hole_does_not_matter(grainy: Array, hole: Array) -> None:
    results = []
    for value in (0.0, 1.0):
        damaged = np.where(hole[..., None], np.float32(value), grainy)
        guide = np.where(hole[..., None], np.float32(0.5), grainy)
        shifts = find_shifts(damaged, hole, guide, np.random.default_rng(0))
        results.append(copied(damaged, hole, guide, shifts, 1))
    assert np.array_equal(*results)


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
    monkeypatch.setattr(network, "_DRAWN", 128)
    whole = host.apply("inpaint", grainy, mask=hole, model=filler)
    calls = len(seen)
    monkeypatch.setattr(network, "_DRAWN", 100)
    made = host.apply("inpaint", grainy, mask=hole, model=filler)
    assert len(seen) - calls == calls - 1
    assert np.array_equal(made[hole == 0], grainy[hole == 0])
    assert not np.array_equal(made, whole)
    assert np.array_equal(made, host.apply("inpaint", grainy, mask=hole, model=filler))


def test_a_thin_rim_is_copied_from_as_well(host: Host, filler: Path) -> None:
    pixels = np.random.default_rng(0).random((256, 256, 3), np.float32)
    hole = np.zeros((256, 256), np.float32)
    hole[20:236, 20:236] = 1
    made = host.apply("inpaint", pixels, mask=hole, model=filler, largest=1)
    assert np.abs(np.diff(made[60:200, 60:200], axis=1)).mean() > 0.1


@pytest.mark.parametrize("tile", [40, 64])
def test_parts_meet(hole: Array, monkeypatch: pytest.MonkeyPatch, tile: int) -> None:
    """A hole in several parts is filled as well where they meet as elsewhere."""
    down, across = np.indices(hole.shape)
    wave = np.sin(down / 2.5) * np.sin(across / 3.5)
    pixels = (0.5 + 0.3 * wave[..., None] * np.array([1.0, 0.7, 0.4])).astype(np.float32)
    guide = np.where(hole[..., None], blurred(pixels), pixels)
    whole = np.abs(filled(pixels, hole, guide) - pixels)
    monkeypatch.setattr(copying, "_TILE", tile)
    parts = np.abs(filled(pixels, hole, guide) - pixels)
    assert whole[hole].mean() < 0.4 * np.abs(guide - pixels)[hole].mean()
    assert parts[hole].mean() < 1.5 * whole[hole].mean()
    # The hole's area begins a little before it, and so do its parts.
    first = 60 - copying._RADIUS + tile
    seams = parts[50:150, [c for b in range(first, 180, tile) for c in (b - 1, b)]]
    assert seams.mean() < 2 * max(parts[hole].mean(), whole[hole].mean())


def two_pieces(height: int, width: int) -> tuple[copying.Shifts, Array, Array]:
    """Return shifts of which the left half leads up and the right half down, and what to fill."""
    area = (slice(height, 2 * height), slice(0, width))
    offsets = np.zeros((height, width, 2), np.intp)
    offsets[:, : width // 2, 0], offsets[:, width // 2 :, 0] = -height, height
    hole = np.zeros((3 * height, width), np.bool_)
    hole[area] = True
    pixels = np.random.default_rng(3).random((3 * height, width, 3), np.float32)
    return copying.Shifts(area, offsets), hole, pixels


def test_within_a_piece_pixels_are_copied_and_at_its_border_they_fade(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(copying, "_SHARPENED", 0.0)
    shifts, hole, pixels = two_pieces(24, 40)
    made = np.zeros((24, 40, 3), np.float32)
    copying._put_together(made, hole[24:48], pixels, hole, shifts, 1)
    reach = copying._FADE + 1
    assert np.array_equal(made[:, : 20 - reach], pixels[:24, : 20 - reach])
    assert np.array_equal(made[:, 20 + reach :], pixels[48:, 20 + reach :])
    above, below = pixels[:24, 19:21], pixels[48:, 19:21]
    between = made[:, 19:21]
    assert (between > np.minimum(above, below) - 1e-6).all()
    assert (between < np.maximum(above, below) + 1e-6).all()
    # Each side has something of the other.
    assert np.abs(between - above)[:, 0].mean() > 0.05
    assert np.abs(between - below)[:, 1].mean() > 0.05


def test_details_get_contrast_back_where_copies_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    shifts, hole, pixels = two_pieces(300, 40)  # more rows than are handled at a time
    made = {}
    for share in (0.0, 1.0):
        monkeypatch.setattr(copying, "_SHARPENED", share)
        made[share] = np.zeros((300, 40, 3), np.float32)
        copying._put_together(made[share], hole[300:600], pixels, hole, shifts, 1)
    reach = copying._FADE + 1
    for side in (slice(0, 20 - reach), slice(20 + reach, 40)):
        assert np.array_equal(made[0.0][:, side], made[1.0][:, side])
    whole, plain, sharp = (x[:, 18:22].std() for x in (pixels, made[0.0], made[1.0]))
    assert plain < 0.8 * whole
    assert 0.9 * whole < sharp < 1.1 * whole
    gain = (made[1.0] - made[0.0])[:, 19]
    assert np.abs(gain).max(axis=1).min() > 0  # no row was left out
    # In one go it is the same.
    monkeypatch.setattr(copying, "_ROWS", 1000)
    whole_made = np.zeros((300, 40, 3), np.float32)
    copying._put_together(whole_made, hole[300:600], pixels, hole, shifts, 1)
    assert np.allclose(whole_made, made[1.0], atol=1e-5)


def test_borders_at_full_size_are_no_stairs() -> None:
    """Shifts are of blocks of pixels; where two pieces meet, they fade pixel by pixel."""
    scale = 4
    small, _, _ = two_pieces(24, 40)
    # A slanted border, so that blocks would show as steps.
    for row in range(24):
        small.offsets[row, : 12 + row // 2, 0], small.offsets[row, 12 + row // 2 :, 0] = -24, 24
    hole = np.zeros((3 * 24 * scale, 40 * scale), np.bool_)
    hole[24 * scale : 48 * scale] = True
    pixels = np.zeros((*hole.shape, 3), np.float32)
    pixels[48 * scale :] = 1.0
    made = np.zeros((24 * scale, 40 * scale, 3), np.float32)
    copying._put_together(made, hole[24 * scale : 48 * scale], pixels, hole, small, scale)
    blocks = made[..., 0].reshape(24, scale, 40, scale).swapaxes(1, 2)
    mixed = (blocks.mean((2, 3)) > 0.2) & (blocks.mean((2, 3)) < 0.8)
    assert mixed.any()
    assert (blocks[mixed].std((1, 2)) > 0.01).mean() > 0.9


@pytest.mark.parametrize("size", [(401, 389), (500, 501)])
def test_smaller_sizes_know_nothing_of_the_hole(size: tuple[int, int]) -> None:
    """Holes at the border are mirrored into the padding of sides that cannot be halved."""
    hole = np.zeros(size, np.bool_)
    hole[200:, 100 : size[1] - 9] = True
    pixels = np.random.default_rng(0).random((*size, 3), np.float32)
    darkened, lit = (
        network._Pyramid(np.where(hole[..., None], np.float32(value), pixels), hole, 3)
        for value in (0.0, 1.0)
    )
    for number in range(4):
        dark, light, missing = darkened.picture(number), lit.picture(number), lit.hole(number)
        known = ~missing
        assert known.any()
        assert np.array_equal(dark[known], light[known])

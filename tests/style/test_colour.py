"""Colours of painted pictures: the photo's that stay, the painting's that are taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganfilters import Host, ModelError, ModelFile, Runtime, UsageError
from ganfilters_style.colour import (
    colour_moments,
    half_lit,
    known_moments,
    match_colours,
    match_moments,
    painting_moments,
    towards_palette,
    with_luminance_of,
)
from ganfilters_style.network import Network

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def host() -> Host:
    return Host(device="cpu", threads=1)


def apart(a: Array, b: Array) -> float:
    """Largest difference in 255ths."""
    return float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max())


def test_half_lit_keeps_colours_and_does_not_raise_grain() -> None:
    rng = np.random.default_rng(3)
    painting = 0.3 + 0.4 * rng.random((40, 40, 3)).astype(np.float32)
    photo = 0.5 + 0.1 * rng.standard_normal((40, 40, 3)).astype(np.float32)
    lit = half_lit(painting, photo)
    np.testing.assert_allclose(np.ptp(lit - painting, axis=2), 0, atol=1e-5)
    np.testing.assert_allclose(lit.mean(), painting.mean(), atol=1e-3)
    sky = np.float32(0.6) + np.float32(1e-3) * rng.standard_normal((40, 40, 3)).astype(np.float32)
    luma = np.array([0.299, 0.587, 0.114], np.float32)
    half = painting - ((painting @ luma - (painting @ luma).mean()) / 2)[..., None]
    assert np.abs(half_lit(painting, sky) - half).max() < 0.01


def test_luminance_keeps_the_colours_of_the_photo(host: Host, both: Path, photo: Array) -> None:
    done = host.apply("style", photo, model=both, style="wild", preserve_color="luminance")
    inner = (done > 0).all(2) & (done < 255).all(2)
    chroma = [x.astype(int)[..., :1] - x.astype(int)[..., 1:] for x in (done, photo)]
    assert inner.mean() > 0.3
    assert apart(chroma[0][inner], chroma[1][inner]) <= 1
    assert apart(done, photo) > 10


def test_histogram_moves_colours_as_far_as_their_statistics_say() -> None:
    rng = np.random.default_rng(6)
    mix = rng.random((3, 3)).astype(np.float32) * 0.1
    photo = (rng.standard_normal((64, 64, 3)).astype(np.float32) @ mix) + 0.5
    painting = 0.3 + 0.1 * rng.standard_normal((80, 50, 3)).astype(np.float32)
    done = match_colours(painting, np.clip(photo, 0, 1))
    np.testing.assert_allclose(done.mean((0, 1)), photo.mean((0, 1)), atol=0.01)
    np.testing.assert_allclose(
        np.cov(done.reshape(-1, 3).T), np.cov(photo.reshape(-1, 3).T), atol=2e-3
    )
    # Moments of any weight say the same, in half precision too, and are mixed as pictures are.
    photo = np.clip(photo, 0, 1)
    halves = [colour_moments(part) for part in (photo[:32], photo[32:])]
    np.testing.assert_allclose(sum(halves) / 2, colour_moments(photo), atol=1e-6)
    stored = (7 * colour_moments(photo)).astype(np.float16).astype(np.float32)
    np.testing.assert_allclose(match_moments(painting, stored), done, atol=0.01)
    noise = 0.5 + 1e-4 * rng.standard_normal((64, 64, 3)).astype(np.float32)
    assert match_colours(noise, photo).std((0, 1)).max() < 2e-3  # which is no picture
    flat = match_colours(np.full((8, 8, 3), 0.5, np.float32), photo)
    assert np.isfinite(flat).all()
    assert np.isfinite(with_luminance_of(photo, np.full_like(photo, 0.5))).all()


def covariance(pixels: Array) -> Array:
    return np.cov((pixels.astype(np.float64) / 255).reshape(-1, 3).T)


def test_a_palette_is_taken_in_parts_and_plain_colours_are_hardly_stretched() -> None:
    rng = np.random.default_rng(2)
    painting = (0.5 + 0.1 * rng.standard_normal((60, 60, 3)) @ rng.random((3, 3))).astype(
        np.float32
    )
    picture = (0.4 + 0.1 * rng.standard_normal((50, 70, 3))).astype(np.float32)
    moments = colour_moments(painting)
    assert np.array_equal(towards_palette(picture, moments, 0), picture)
    whole, half = (towards_palette(picture, moments, share) for share in (1.0, 0.5))
    np.testing.assert_allclose(whole.mean((0, 1)), painting.mean((0, 1)), atol=1e-3)
    np.testing.assert_allclose(covariance(255 * whole), covariance(255 * painting), atol=1e-3)
    np.testing.assert_allclose(half, (whole + picture) / 2, atol=1e-5)
    sky = (0.5 + 0.01 * rng.standard_normal((50, 70, 3))).astype(np.float32)
    assert 0.02 < towards_palette(sky, moments, 1.0).std() < 0.031 < painting.std((0, 1)).min()


def test_colours_are_the_networks_share_of_the_paintings(
    host: Host, coloured: Path, photo: Array
) -> None:
    def painted(**given: object) -> Array:
        return host.apply("style", photo, model=coloured, **given)

    net = Network(Runtime("cpu", threads=1).session(ModelFile(coloured)), ModelFile(coloured).card)
    calm, wild = (net.colours({name: 1.0}, ()) for name in ("calm", "wild"))
    assert calm is not None
    assert wild is not None
    plain = painted(palette=0)
    assert apart(painted(), painted(palette=0.5)) == 0 < apart(painted(), plain)
    made = painted(palette=1)
    expected = towards_palette(plain.astype(np.float32) / 255, calm, 1.0)
    assert apart(made, 255 * expected) <= 4  # what was rounded in between is stretched
    # A blend has the colours of both.
    np.testing.assert_allclose(
        net.colours({"calm": 1.0, "wild": 3.0}, ()), calm / 4 + 3 * wild / 4, atol=1e-6
    )
    # And like any painting, those of the painting.
    painting = np.zeros((80, 90, 3), np.uint8)
    painting[:40, :, 1] = 255
    green = painted(style_image=painting, palette=1).astype(int)
    assert (green[..., 1] - green[..., ::2].max(2)).mean() > 30
    # Kept colours are the photo's, whatever the painting's are.
    for kept in ("luminance", "histogram"):
        chosen = {"preserve_color": kept}
        assert np.array_equal(painted(**chosen), painted(palette=0, **chosen))
    with pytest.raises(UsageError, match="palette takes the painting's colours and preserve_color"):
        painted(palette=0.5, preserve_color="luminance")


def test_each_side_of_a_split_has_its_own_palette(host: Host, coloured: Path, photo: Array) -> None:
    split = np.zeros(photo.shape[:2], np.uint8)
    split[:, :48] = 255
    chosen = {"model": coloured, "palette": 1}
    done = host.apply("style", photo, style="calm", other_style="wild", split=split, **chosen)
    for side, name in ((np.s_[:, :48], "calm"), (np.s_[:, 48:], "wild")):
        assert apart(done[side], host.apply("style", photo, style=name, **chosen)[side]) <= 1


def test_a_network_that_does_not_know_the_colours_says_so_when_asked(
    host: Host, both: Path, coloured: Path, photo: Array
) -> None:
    for model, style in ((both, "calm"), (coloured, "dark"), (coloured, {"calm": 1, "dark": 1})):
        chosen = {"model": model, "style": style}
        unmoved = host.apply("style", photo, palette=0, **chosen)
        assert np.array_equal(host.apply("style", photo, **chosen), unmoved)
        with pytest.raises(UsageError, match=r"not hold the colours of .*ganfilters export style"):
            host.apply("style", photo, palette=0.5, **chosen)
    assert known_moments(None) is None


def test_what_is_painted_over_a_refined_picture_has_the_paintings_colours(
    coloured: Path, photo: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def seen(painting: Array, moments: Array, share: float) -> Array:
        asked.append(share)
        return painting

    monkeypatch.setattr("ganfilters_style.filter.towards_palette", seen)
    host, shipped = Host(device="cpu", threads=1), {"style": "scream", "refine": 1}
    host.apply("style", photo, **shipped)  # refined last, which leaves those colours
    assert asked == []
    large = photo.repeat(5, axis=0).repeat(5, axis=1)
    host.apply("style", large, refine_size=320, **shipped)
    host.apply("style", large, refine_size=320, palette=0.25, **shipped)
    host.apply("style", large, refine_size=320, palette=0.0, **shipped)
    host.apply("style", photo, model=coloured)
    assert asked == [1.0, 0.25, 0.5]


def test_fine_screens_of_a_large_painting_are_seen_as_a_whole() -> None:
    for side, period in ((1200, 2), (2048, 4)):
        stripes = np.zeros((side, side, 3), np.float32)
        blue = np.arange(side) // (period // 2) % 2 == 0
        stripes[:, blue, 2] = 1
        stripes[:, ~blue, :2] = 1
        np.testing.assert_allclose(painting_moments(stripes)[0, 1:], 0, atol=0.01)


def test_a_painting_of_one_colour_leaves_something_to_see() -> None:
    rng = np.random.default_rng(3)
    picture = rng.random((40, 40, 3), np.float32)
    red = colour_moments(np.full((40, 40, 3), (0.8, 0.2, 0.2), np.float32))
    made = towards_palette(picture, red, 1.0)
    np.testing.assert_allclose(made.mean((0, 1)), (0.8, 0.2, 0.2), atol=0.03)
    assert made.std() > 0.3 * picture.std()


def test_small_variances_and_what_is_not_finite() -> None:
    rng = np.random.default_rng(4)
    flat = (0.2 + 1e-3 * rng.standard_normal((999, 999, 3))).astype(np.float32)
    moments = colour_moments(flat).astype(np.float64)
    found = moments[1:, 1:] - np.outer(moments[0, 1:], moments[0, 1:])
    np.testing.assert_allclose(found, 1e-6 * np.eye(3), atol=1e-7)
    broken = flat[:8, :8].copy()
    broken[0, 0] = np.nan
    assert towards_palette(broken, moments, 1.0) is broken  # for the host to tell of
    assert towards_palette(flat, moments * np.nan, 1.0) is flat


@pytest.mark.parametrize("share", [None, "much", -0.1, 5, True, np.nan])
def test_a_card_that_says_no_share(coloured: Path, share: object) -> None:
    card = ModelFile(coloured).card
    wrong = card.model_copy(update={"extra": {**card.extra, "palette": share}})
    net = Network(Runtime("cpu", threads=1).session(ModelFile(coloured)), wrong)
    with pytest.raises(ModelError, match=r"says that palette is .*; it must be a number from 0"):
        print(net.palette)

"""Filters that keep what is not selected themselves, and that edit alpha."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ganfilters import Chain, Host, Image, PluginError, Tiling, UsageError
from ganfilters.registry import Registry, Source

from . import toys

Array = np.ndarray[Any, Any]


@pytest.fixture
def host() -> Host:
    return Host("cpu", registry=toys.registry())


def picture() -> Image:
    rng = np.random.default_rng(0)
    alpha = rng.random((6, 12), np.float32) * np.float32(0.5)
    return Image(rng.random((6, 12, 3), np.float32) * np.float32(0.5), alpha=alpha)


@pytest.fixture
def mask() -> Array:
    mask = np.zeros((6, 12), np.float32)
    mask[:, 6:9] = 1
    return mask


def test_it_works_beyond_the_mask_and_says_where(host: Host, mask: Array) -> None:
    given = picture()
    made = host.apply("own", given, mask=mask)
    assert (made.pixels[:, 4:9] == 1).all()
    assert (made.alpha[:, 4:9] == 1).all()
    assert not made.untouched[:, 4:9].any()
    for columns in (slice(0, 4), slice(9, 12)):
        assert np.array_equal(made.pixels[:, columns], given.pixels[:, columns])
        assert np.array_equal(made.alpha[:, columns], given.alpha[:, columns])
        assert made.untouched[:, columns].all()


def test_strength_mixes_pixels_and_alpha(host: Host, mask: Array) -> None:
    given = picture()
    full, half, none = (
        host.apply("own", given, mask=mask, strength=strength) for strength in (1, 0.5, 0)
    )
    np.testing.assert_allclose(half.pixels, (given.pixels + full.pixels) / 2, atol=1e-6)
    np.testing.assert_allclose(half.alpha, (given.alpha + full.alpha) / 2, atol=1e-6)
    assert np.array_equal(half.pixels[half.untouched], given.pixels[half.untouched])
    assert np.array_equal(half.alpha[half.untouched], given.alpha[half.untouched])
    assert np.array_equal(half.untouched, full.untouched)
    assert np.array_equal(none.pixels, given.pixels)
    assert np.array_equal(none.alpha, given.alpha)


@pytest.mark.parametrize(
    ("lie", "message"),
    [
        ("silent", "its result must say in Image.untouched what it left alone"),
        ("pixels", "changed pixels that it says are untouched"),
        ("alpha", "changed pixels that it says are untouched"),
        ("shape", "Image.untouched must be bool of shape"),
    ],
)
def test_a_broken_word_is_told(host: Host, mask: Array, lie: str, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        host.apply("own", picture(), mask=mask, lie=lie)


def test_feather_is_its_own_affair(host: Host, mask: Array) -> None:
    with pytest.raises(UsageError, match="own fades its edges itself; leave feather out"):
        host.apply("own", picture(), mask=mask, feather=2)
    with pytest.raises(UsageError, match=r"half changes the picture's size, .* leave the mask out"):
        host.apply("half", picture(), mask=mask, feather=2)
    with pytest.raises(UsageError, match="half changes the picture's size"):
        host.apply("half", picture(), strength=0.5)


def test_alone_in_a_chain_it_is_as_by_itself(host: Host, mask: Array) -> None:
    given = picture()
    alone = host.apply("own", given, mask=mask)
    chain = Chain.from_steps([{"filter": "own"}, {"filter": "own", "rim": 0}])
    made = host.run(chain, given, mask=mask)
    assert np.array_equal(made.pixels, alone.pixels)
    assert np.array_equal(made.alpha, alone.alpha)
    assert np.array_equal(made.untouched, alone.untouched)


def test_beside_others_in_a_chain_the_host_sets_the_bounds(host: Host, mask: Array) -> None:
    given = picture()
    chain = Chain.from_steps([{"filter": "own"}, {"filter": "invert"}])
    made = host.run(chain, given, mask=mask)
    outside = mask == 0
    assert (made.pixels[~outside] == 0).all()
    assert (made.alpha[~outside] == 1).all()
    assert np.array_equal(made.pixels[outside], given.pixels[outside])
    assert np.array_equal(made.alpha[outside], given.alpha[outside])


@pytest.mark.parametrize("own", [{"selection": "filter"}, {"alpha": "edited"}])
def test_it_cannot_be_tiled(own: dict[str, Any]) -> None:
    class Bad(toys.Invert):
        traits = replace(toys.Invert.traits, tiling=Tiling(), **own)

    class Plugin:
        @staticmethod
        @toys.hookimpl
        def ganfilters_filters() -> list[type]:
            return [Bad]

    registry = Registry([Source("bad", "bad", "1", lambda: Plugin)])
    assert not registry.entries()
    (error,) = registry.errors()
    assert "says tiling, which goes neither with" in error.message


def test_only_tiles_under_the_mask_are_run(host: Host) -> None:
    pixels = np.random.default_rng(1).random((200, 300, 3)).astype(np.float32)
    mask = np.zeros((200, 300), np.float32)
    mask[20:40, 30:120] = 1
    whole = host.apply("blur", pixels)
    toys.Blur.seen.clear()
    made = host.apply("blur", pixels, mask=mask)
    assert len(toys.Blur.seen) == 2
    assert np.array_equal(made[mask > 0], whole[mask > 0])
    assert np.array_equal(made[mask == 0], pixels[mask == 0])

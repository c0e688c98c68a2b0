"""The networks that ship: their cards, their sizes, and that classes look as they should."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ganfilters import Host
from ganfilters_latent import MODELS, Latent
from ganfilters_latent.filter import CLASSES, DIRECTIONS

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def host() -> Host:
    return Host("cpu", threads=1)


@pytest.mark.parametrize("name", MODELS)
def test_a_card_says_how_the_network_was_made_and_how_good_it_is(name: str) -> None:
    card = MODELS[name].card_for("latent")
    assert card.name == name
    assert not any("/" in source for source in card.data)
    assert card.parity is not None
    assert {"frechet_distance", "precision", "recall", "class_accuracy"} <= card.quality.keys()
    assert card.attribution
    assert set(card.extra["directions"]["names"]) <= set(DIRECTIONS)
    assert MODELS[name].path.stat().st_size < 16e6


def test_the_options_name_what_the_landscapes_have() -> None:
    assert tuple(MODELS["landscape"].card.extra["classes"]) == CLASSES
    assert Latent.models[0] == MODELS["landscape"]


def draw(host: Host, **params: Any) -> Array:
    return host.apply("latent", None, **params).pixels  # type: ignore[no-any-return, union-attr]


def test_landscapes_have_the_colours_of_their_class(host: Host) -> None:
    means = {
        name: draw(host, class_=name, grid=(4, 2)).mean((0, 1))
        for name in ("bamboo_forest", "desert_sand", "iceberg")
    }
    forest, desert, ice = means.values()
    assert forest[1] > forest[0]  # green over red
    assert forest[1] > forest[2]
    assert desert[0] > desert[2] + 0.04  # red over blue
    assert ice[2] > ice[0]  # blue over red


@pytest.mark.parametrize("name", MODELS)
def test_seeds_of_a_class_differ(host: Host, name: str) -> None:
    first = MODELS[name].card.extra["classes"][0]
    pictures = [draw(host, model=name, class_=first, seed=seed, noise=0) for seed in range(6)]
    for number, one in enumerate(pictures):
        for other in pictures[number + 1 :]:
            assert np.abs(one - other).mean() > 0.02


def test_digits_of_a_class_are_nearer_to_each_other_than_to_other_classes(host: Host) -> None:
    for name in ("kmnist", "kmnist-dense"):
        means = np.stack([
            draw(host, model=name, class_=str(n), grid=(8, 1)).reshape(28, 8, 28, 3).mean((1, 3))
            for n in range(10)
        ])  # fmt: skip
        again = np.stack([
            draw(host, model=name, class_=str(n), grid=(8, 1), seed=100)
            .reshape(28, 8, 28, 3)
            .mean((1, 3))
            for n in range(10)
        ])  # fmt: skip
        distances = np.abs(means[:, None] - again[None]).mean((2, 3))
        assert (distances.argmin(1) == np.arange(10)).mean() >= 0.8

"""One parameter of several steps: whose default it has, and which values it takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import Field

from ganfilters import Chain, Filter, Host, Image, Params, Traits, UsageError, hookimpl
from ganfilters.registry import Registry, Source


class LevelsParams(Params):
    levels: int = Field(4, ge=2, le=8, description="Levels of a channel")


class Posterize(Filter[LevelsParams]):
    name = "posterize"
    summary = "Leaves a few levels"
    Params = LevelsParams
    traits = Traits(input="optional")

    def apply(self, image: Image, params: LevelsParams) -> Image:
        return image.replace(pixels=image.pixels / params.levels)

    def generate(self, params: LevelsParams) -> Image:
        return Image(np.full((2, 2, 3), 1 / params.levels, np.float32))


class CoarseParams(Params):
    presets = {"few": {"levels": 3}}  # noqa: RUF012

    levels: int = Field(5, gt=2, lt=64, description="Levels")


class Coarse(Posterize):
    name = "coarse"
    Params = CoarseParams


class FineParams(Params):
    levels: int = Field(16, ge=16, le=64, description="Levels")


class Fine(Posterize):
    name = "fine"
    Params = FineParams


class SmoothParams(Params):
    levels: float = Field(4.0, ge=2, le=8, description="Levels")


class Smooth(Posterize):
    name = "smooth"
    Params = SmoothParams


@hookimpl
def ganfilters_filters() -> list[type[Filter[Any]]]:
    return [Posterize, Coarse, Fine, Smooth]


@pytest.fixture
def host() -> Host:
    class Plugin:
        pass

    plugin = Plugin()
    plugin.ganfilters_filters = ganfilters_filters  # type: ignore[attr-defined]
    return Host("cpu", registry=Registry([Source("toys", "toy-dist", "1", lambda: plugin)]))


def chain(*steps: dict[str, Any], param: str = "levels", **more: Any) -> Chain:
    numbers = list(range(1, len(steps) + 1))
    return Chain.from_steps(steps, params={"n": {"step": numbers, "param": param, **more}})


def made(host: Host, given: Chain, **params: Any) -> float:
    """Return the one sample of a picture: 1 divided by the levels of each step."""
    return float(host.run(given, **params).pixels[0, 0, 0])


def step(levels: int | None = None, name: str = "posterize", **more: Any) -> dict[str, Any]:
    return {"filter": name, **({} if levels is None else {"levels": levels}), **more}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (chain(step(3), step(8)), "steps 1 and 2 have 3 and 8; give default = ..."),
        (chain(step(3), step(3), step()), "steps 1, 2 and 3 have 3, 3 and 4; give default"),
        (chain(step(), step(name="coarse")), "steps 1 and 2 have 4 and 5; give default"),
        (chain(step(4), step(name="coarse", preset="few")), "have 4 and 3; give default"),
        (
            chain(step(), step(strength=0.5), param="strength"),
            "steps 1 and 2 have 1 and 0.5; give default = ...",
        ),
        (chain(step(4), step(name="fine")), "steps 1 and 2 have no value of levels in common"),
        (chain(step(4), step(name="smooth")), "levels is not of the same kind in steps 1 and 2"),
    ],
)
def test_steps_that_do_not_agree(host: Host, given: Chain, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        host.entry(given)
    assert str(caught.value).startswith("params.n: ")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_default_settles_it(host: Host) -> None:
    both = chain(step(3), step(8), default=5)
    assert made(host, both) == pytest.approx(1 / 25)
    assert made(host, both, n=2) == pytest.approx(1 / 4)
    half = chain(step(2), step(2, strength=0.5), param="strength", default=1)
    assert made(host, chain(step(2), step(2))) == pytest.approx(1 / 4)
    with pytest.raises(UsageError, match="strength"):  # there is no picture to keep parts of
        host.run(half, n=0.5)
    picture = np.ones((2, 2, 3), np.float32)
    np.testing.assert_allclose(host.run(half, picture), 1 / 4)
    np.testing.assert_allclose(host.run(half, picture, n=0.5), (3 / 4) ** 2)


def test_values_that_agree_need_no_default(host: Host) -> None:
    assert made(host, chain(step(3), step(name="coarse", preset="few"))) == pytest.approx(1 / 9)
    assert made(host, chain(step(), step(4))) == pytest.approx(1 / 16)


@pytest.mark.parametrize(
    "steps", [(step(4), step(4, "coarse")), (step(4, "coarse"), step(4))], ids=["ab", "ba"]
)
def test_the_bounds_are_those_that_all_steps_allow(
    host: Host, steps: tuple[dict[str, Any], ...]
) -> None:
    given = chain(*steps)
    assert made(host, given, n=8) == pytest.approx(1 / 64)
    assert made(host, given, n=3) == pytest.approx(1 / 9)
    for wrong in (2, 9):
        with pytest.raises(UsageError, match=f"n is {wrong}; it must be"):
            host.run(given, n=wrong)
    schema = host.entry(given).filter.Params.model_json_schema()["properties"]["n"]
    assert (schema["exclusiveMinimum"], schema["maximum"]) == (2, 8)
    with pytest.raises(UsageError, match=r"params\.n: default is 9"):
        host.entry(chain(*steps, default=9))


def test_a_value_that_one_step_refuses_is_told_by_that_step(host: Host) -> None:
    with pytest.raises(UsageError, match=r"step 2 \(coarse\): levels is 2"):
        host.entry(chain(step(2), step(2, "coarse")))

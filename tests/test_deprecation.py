"""Deprecated names work and warn, filters can rename a parameter, and nothing outlives its time."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from pydantic import Field, model_validator

import ganfilters
from ganfilters import Filter, Image, Params, deprecation, schema


def number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


def test_a_former_name_works_and_names_its_successor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(deprecation.RENAMED, "Engine", ("Host", "0.3.0"))
    with pytest.warns(DeprecationWarning, match="Engine") as caught:
        assert ganfilters.Engine is ganfilters.Host
    (warning,) = caught
    assert str(warning.message) == (
        "ganfilters.Engine is deprecated since ganfilters 0.3.0 and will be removed in 0.5; "
        "use ganfilters.Host"
    )
    assert warning.filename == __file__


def test_a_function_can_point_at_its_caller() -> None:
    def old() -> None:
        deprecation.warn_deprecated("old()", "new()", since="1.9")

    with pytest.warns(DeprecationWarning, match=r"removed in 1\.11; use new\(\)") as caught:
        old()
    assert caught[0].filename == __file__


def test_nothing_outlives_its_removal() -> None:
    for name, (new, since) in deprecation.RENAMED.items():
        assert name not in ganfilters.__all__
        assert new in ganfilters.__all__
        last = deprecation.removed_in(since)
        assert number(ganfilters.__version__) < number(last), f"remove {name}: it is {last}"


class SoftenParams(Params):
    """As CONTRIBUTING.md says to rename a parameter."""

    radius: float = Field(1.0, ge=0, le=8, description="Radius in pixels")
    size: float | None = Field(None, ge=0, le=8, description="Deprecated, use --radius")

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("size") is not None:
            warnings.warn("size is deprecated; use radius", DeprecationWarning, stacklevel=2)
            values = {"radius": values["size"], **values, "size": None}
        return values


class Soften(Filter[SoftenParams]):
    name = "soften"
    summary = "Blurs nothing"
    Params = SoftenParams

    def apply(self, image: Image, params: SoftenParams) -> Image:
        return image.replace(pixels=np.clip(image.pixels * params.radius / 8, 0, 1))


def test_a_renamed_parameter_works_under_both_names() -> None:
    with pytest.warns(DeprecationWarning, match="use radius"):
        params = schema.validate(SoftenParams, {"size": 3})
    assert params.radius == 3
    assert schema.validate(SoftenParams, {"radius": 3}) == params
    assert "Deprecated, use --radius" in schema.markdown(SoftenParams)

"""One declaration, many faces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, field_validator, model_validator

from ganfilters import InputFile, ModelFile, ModelParam, Params, UsageError, schema
from ganfilters.cli._options import common_options
from ganfilters.errors import PluginError
from ganfilters.registry import RESERVED
from tests.cli.toys import AmountParams, KindsParams, NoiseParams


def message(values: dict[str, Any], params: type[Params] = KindsParams, **options: Any) -> str:
    with pytest.raises(UsageError) as caught:
        schema.validate(params, values, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"whole": "0"}, "--whole is 0; it must be at least 1"),
        ({"whole": "x"}, "--whole is x; it must be a whole number at least 1"),
        ({"whole": "2.5"}, "--whole is 2.5; it must be a whole number at least 1"),
        ({"rate": "0"}, "--rate is 0; it must be more than 0 and less than 10"),
        ({"rate": "nan"}, "--rate is nan; it must be more than 0 and less than 10"),
        ({"multiple": "9"}, "--multiple is 9; it must be from 8 to 64 and a multiple of 8"),
        ({"switch": "maybe"}, "--switch is maybe; it must be true or false"),
        ({"mode": "loud"}, "--mode is loud; it must be one of: soft, hard"),
        ({"layers": "a=x"}, "--layers: the weight of a is 'x', not a number; write a=0.5"),
        ({"size": 1}, "there is no option --size; the options are: --whole, "),
        ({"whole": ""}, "--whole is ''; it must be a whole number at least 1"),
        ({"tint": ("1", "2", "y")}, "--tint is y: input should be a valid number"),
    ],
)
def test_errors_name_flag_value_and_what_is_allowed(values: dict[str, Any], expected: str) -> None:
    assert message(values, flags=True).startswith(expected)


def test_python_names_in_python() -> None:
    assert message({"rate": 11}) == "rate is 11; it must be more than 0 and less than 10"
    assert message({"rat": 1}).startswith("there is no parameter rat; did you mean rate")


def test_all_errors_are_told_at_once() -> None:
    text = message({"rate": 11, "mode": "x"})
    assert text == (
        "rate is 11; it must be more than 0 and less than 10; also "
        "mode is x; it must be one of: soft, hard"
    )


def test_long_values_are_cut() -> None:
    assert len(message({"mode": "x" * 500})) < 150


def test_names_can_be_chosen_by_the_caller() -> None:
    text = message({"rate": 11}, names=lambda name: f"{name} (in p.json)")
    assert text.startswith("rate (in p.json) is 11;")


@pytest.mark.parametrize("value", ["nan", "inf", float("inf")])
def test_numbers_without_bounds_must_still_be_finite(value: object) -> None:
    class Free(Params):
        gain: float = Field(1.0, description="Gain")

    assert message({"gain": value}, Free).endswith("it must be a finite number")


def test_presets_fill_in_and_values_win() -> None:
    assert schema.validate(AmountParams, {"preset": "half"}).amount == 0.5
    assert schema.validate(AmountParams, {"preset": "half", "amount": "0.25"}).amount == 0.25
    assert schema.validate(AmountParams, {"preset": None}).amount == 1.0


def test_an_unknown_preset_suggests_the_nearest() -> None:
    text = message({"preset": "hlaf"}, AmountParams, flags=True)
    assert text == "--preset is hlaf; did you mean half?"


def test_preset_is_unknown_where_there_are_none() -> None:
    assert message({"preset": "half"}).startswith("there is no parameter preset")


def test_a_validator_speaks_for_itself() -> None:
    class Pair(Params):
        low: float = Field(0.0, description="Low")
        high: float = Field(1.0, description="High")

        @model_validator(mode="after")
        def ordered(self) -> Pair:
            if self.low > self.high:
                raise ValueError("low must not be over high")
            return self

    assert message({"low": 2}, Pair) == "low must not be over high"


def test_a_validator_that_crashes_is_the_plugins_fault() -> None:
    class Crashing(Params):
        low: float = Field(0.0, description="Low")

        @field_validator("low")
        @classmethod
        def crash(cls, value: float) -> float:
            raise KeyError("oops")

    with pytest.raises(PluginError, match=r"KeyError: 'oops'"):
        schema.validate(Crashing, {"low": 1})


def test_parameters_are_described() -> None:
    found = {parameter.name: parameter for parameter in schema.parameters(KindsParams)}
    assert list(found) == list(KindsParams.model_fields)
    assert found["rate"].facts == "more than 0 and less than 10; default 1.5"
    assert found["multiple"].facts == "8..64 and a multiple of 8; default 8"
    assert found["whole"].facts == "at least 1"
    assert found["layers"].default == "a=1"
    assert found["mode"].choices == ("soft", "hard")
    assert found["scale"].choices == (1, 2, 4)
    assert found["switch"].default == "off"
    assert found["tint"].length == 3
    assert {name: parameter.kind for name, parameter in found.items()} == {
        "whole": "integer",
        "rate": "number",
        "multiple": "integer",
        "switch": "boolean",
        "mode": "choice",
        "scale": "choice",
        "layers": "weighted-names",
        "guide": "image",
        "tint": "list",
        "names": "list",
        "extra": "object",
    }


def test_large_bounds_are_written_in_full() -> None:
    found = {parameter.name: parameter for parameter in schema.parameters(NoiseParams)}
    assert found["seed"].bounds == "0..4294967295"
    assert found["size"].default == "16x12"


def test_json_schema_has_bounds_formats_and_presets() -> None:
    described = schema.json_schema(AmountParams)
    assert described["additionalProperties"] is False
    assert described["properties"]["amount"]["maximum"] == 1
    assert described["properties"]["preset"]["enum"] == ["half", "none"]
    assert described["presets"] == {"half": {"amount": 0.5}, "none": {"amount": 0.0}}
    noise = schema.json_schema(NoiseParams)
    assert noise["properties"]["size"]["default"] == "16x12"
    assert "presets" not in noise
    assert schema.json_schema(KindsParams)["properties"]["layers"]["default"] == "a=1"


def test_json_schema_defaults_are_valid_input() -> None:
    for params in (AmountParams, NoiseParams, KindsParams):
        properties = schema.json_schema(params)["properties"]
        values = {name: spec["default"] for name, spec in properties.items() if "default" in spec}
        assert schema.validate(params, values) == params()


def test_markdown_is_a_table_of_every_parameter() -> None:
    lines = schema.markdown(AmountParams).splitlines()
    assert lines[0].startswith("| option |")
    assert (
        lines[2]
        == "| `--preset` | half, none |  | " + schema.parameters(AmountParams)[0].description + " |"
    )
    assert lines[3] == "| `--amount` | 0..1 | `1` | How much to invert |"


def test_a_type_without_json_schema_is_the_plugins_fault() -> None:
    class Odd(Params):
        call: Callable[[int], int] = Field(abs, description="Called")

    with pytest.raises(PluginError, match="Odd cannot be described"):
        schema.parameters(Odd)


def test_a_model_as_default_is_its_path() -> None:
    class Typed(Params):
        model: ModelParam = Field(ModelFile(Path("net.onnx")), description="Model")

    assert schema.parameters(Typed)[0].default == "net.onnx"
    assert schema.json_schema(Typed)["properties"]["model"]["default"] == "net.onnx"


def test_a_file_whose_name_is_too_long_is_the_users_fault() -> None:
    class Reading(Params):
        table: InputFile = Field(description="Table")

    told = message({"table": "a" * 300}, Reading)
    assert "aaa cannot be read: File name too long" in told


def test_no_parameter_can_have_the_name_of_an_option_of_all_filters() -> None:
    assert {option.name for option in common_options()} <= RESERVED

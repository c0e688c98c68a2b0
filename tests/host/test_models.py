"""Model files: checksums and the card inside."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from pydantic import Field

from ganfilters import Filter, Host, Image, ModelCard, ModelError, ModelFile, ModelParam, Params
from ganfilters.models import CARD_KEY
from ganfilters.onnxfile import extract, read_metadata

from . import toys

CARD = ModelCard(
    filter="toy", name="t", version="1", title="A toy", licence="MIT", command="make it"
)


def network(path: Path, metadata: dict[str, str]) -> Path:
    sides = ["n"]
    node = helper.make_node("Relu", ["x"], ["y"])
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, sides)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, sides)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path


def test_metadata_is_read_without_loading_the_model(tmp_path: Path) -> None:
    path = network(tmp_path / "a.onnx", {"one": "1", "zwei": "ü" * 300, "empty": ""})
    assert read_metadata(path) == {"one": "1", "zwei": "ü" * 300, "empty": ""}


def test_card_round_trip(tmp_path: Path) -> None:
    path = network(tmp_path / "a.onnx", {CARD_KEY: CARD.model_dump_json()})
    assert ModelFile(path).card_for("toy") == CARD


def test_a_card_for_another_filter_says_what_it_is(tmp_path: Path) -> None:
    path = network(tmp_path / "a.onnx", {CARD_KEY: CARD.model_dump_json()})
    with pytest.raises(ModelError, match=r"made for the filter toy \(A toy\), not for dream"):
        ModelFile(path).card_for("dream")


class ModelParams(Params):
    model: ModelParam | None = Field(None, description="Network of your own")


class Careless(Filter[ModelParams]):
    name = "careless"
    summary = "Says nothing of its models"
    Params = ModelParams
    models_of = "toy"

    def apply(self, image: Image, params: ModelParams) -> Image:
        return image


def test_the_users_model_for_another_filter_is_refused_for_every_filter(tmp_path: Path) -> None:
    made = network(tmp_path / "a.onnx", {CARD_KEY: CARD.model_dump_json()})
    other = CARD.model_copy(update={"filter": "dream"})
    wrong = network(tmp_path / "b.onnx", {CARD_KEY: other.model_dump_json()})
    host = Host("cpu", registry=toys.registry(Careless))
    host.prepare("careless")
    host.prepare("careless", model=made)
    with pytest.raises(ModelError, match=r"b\.onnx is made for the filter dream .* not for toy"):
        host.prepare("careless", model=wrong)


@pytest.mark.parametrize("text", ["{", "{}", '{"filter": 3}', "[]"])
def test_an_invalid_card_is_named(tmp_path: Path, text: str) -> None:
    path = network(tmp_path / "a.onnx", {CARD_KEY: text})
    with pytest.raises(ModelError, match="card in model file"):
        _ = ModelFile(path).card


def test_a_model_without_card(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no ganfilters\.card"):
        _ = ModelFile(network(tmp_path / "a.onnx", {})).card


@pytest.mark.parametrize(
    "content", [b"", b"hello, I am a text", b"\x89PNG\r\n\x1a\n" * 9, b"\xff" * 99]
)
def test_other_files_are_no_models(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"not an ONNX model|damaged"):
        read_metadata(path)


def test_a_truncated_model_is_damaged(tmp_path: Path) -> None:
    path = network(tmp_path / "a.onnx", {"k": "v" * 1000})
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ModelError, match="damaged"):
        read_metadata(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        ModelFile(tmp_path / "no.onnx").verify()
    with pytest.raises(ModelError, match="No such file"):
        _ = ModelFile(tmp_path / "no.onnx").card


def test_a_tampered_file_is_refused_also_after_it_was_good(tmp_path: Path) -> None:
    path = network(tmp_path / "a.onnx", {})
    model = ModelFile(path, ModelFile(path).verify())
    assert model.verify() == model.sha256
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data + b"\0")
    with pytest.raises(ModelError, match="not the published one"):
        model.verify()


def test_packaged_names_a_missing_package() -> None:
    with pytest.raises(ModelError, match="no_such_package"):
        ModelFile.packaged("no_such_package", "a.onnx", "00")


def many_outputs(path: Path) -> Path:
    """Write x -> a -> b, and x, w -> c."""
    graph = helper.make_graph(
        [
            helper.make_node("Relu", ["x"], ["a"]),
            helper.make_node("Mul", ["x", "w"], ["c"]),
            helper.make_node("Add", ["a", "k"], ["b"]),
        ],
        "g",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n"]) for n in ("x", "w")],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n"]) for n in ("b", "c")],
        [helper.make_tensor("k", TensorProto.FLOAT, [1], [1.0])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {"key": "value"})
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("wanted", "operators", "inputs", "constants"),
    [
        (["b"], ["Relu", "Add"], ["x"], ["k"]),
        (["c"], ["Mul"], ["x", "w"], []),
        (["b", "c"], ["Relu", "Mul", "Add"], ["x", "w"], ["k"]),
    ],
)
def test_extract_keeps_what_the_outputs_need(
    tmp_path: Path,
    wanted: list[str],
    operators: list[str],
    inputs: list[str],
    constants: list[str],
) -> None:
    model = onnx.load_from_string(extract(many_outputs(tmp_path / "a.onnx"), wanted))
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == operators
    assert [value.name for value in model.graph.input] == inputs
    assert [value.name for value in model.graph.output] == wanted
    assert [tensor.name for tensor in model.graph.initializer] == constants
    assert model.metadata_props[0].value == "value"


def test_extract_names_a_missing_output(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no output d"):
        extract(many_outputs(tmp_path / "a.onnx"), ["b", "d"])
    (tmp_path / "b.onnx").write_bytes(b"text")
    with pytest.raises(ModelError, match="not an ONNX model"):
        extract(tmp_path / "b.onnx", ["b"])

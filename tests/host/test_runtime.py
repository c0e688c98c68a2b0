"""Devices, sessions and the pool."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from ganfilters import DeviceError, ModelError, ModelFile, OutOfMemory, Runtime
from ganfilters.devices import DEVICES, installed_onnxruntimes
from ganfilters.runtime import probe_devices


def network(path: Path, factor: float = 2.0) -> ModelFile:
    """Write a model with outputs double = x * factor and quadruple = double * factor + c."""
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["x", "k"], ["double"]),
            helper.make_node("Mul", ["double", "k"], ["q"]),
            helper.make_node("Add", ["q", "c"], ["quadruple"]),
        ],
        "g",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info("c", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("double", TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info("quadruple", TensorProto.FLOAT, ["n"]),
        ],
        [helper.make_tensor("k", TensorProto.FLOAT, [1], [factor])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, path)
    return ModelFile(path)


ONE = np.ones(1, np.float32)


def test_run_returns_the_named_outputs(tmp_path: Path) -> None:
    session = Runtime("cpu").session(network(tmp_path / "a.onnx"))
    assert session.inputs["x"].shape == (None,)
    assert session.inputs["c"].shape == (1,)
    x = np.arange(4, dtype=np.float32)
    (quadruple,) = session.run({"x": x, "c": ONE}, ["quadruple"])
    np.testing.assert_array_equal(quadruple, 4 * x + 1)
    both = session.run({"x": x, "c": ONE})
    assert [len(a) for a in both] == [4, 4]


def test_bound_runs_take_changing_sizes(tmp_path: Path) -> None:
    session = Runtime("cpu").session(network(tmp_path / "a.onnx"))
    run = session.bind({"c": ONE}, ["quadruple"])
    for size in (3, 8, 2):
        x = np.arange(size, dtype=np.float32)
        np.testing.assert_array_equal(run(x=x)[0], 4 * x + 1)


def test_a_part_of_a_network_takes_the_feeds_of_the_whole(tmp_path: Path) -> None:
    runtime = Runtime("cpu")
    model = network(tmp_path / "a.onnx")
    part = runtime.session(model, ["double"])
    assert set(part.inputs) == {"x"}
    assert set(part.outputs) == {"double"}
    x = np.arange(4, dtype=np.float32)
    np.testing.assert_array_equal(part.run({"x": x, "c": ONE})[0], 2 * x)
    np.testing.assert_array_equal(part.bind({"c": ONE}, ["double"])(x=x)[0], 2 * x)
    assert runtime.session(model, ["double"]) is part
    assert runtime.session(model) is not part


def test_a_wrong_input_is_one_line(tmp_path: Path) -> None:
    session = Runtime("cpu").session(network(tmp_path / "a.onnx"))
    with pytest.raises(ModelError, match=r"a\.onnx failed") as caught:
        session.run({"x": np.zeros((2, 2), np.float32), "c": ONE})
    assert "\n" not in str(caught.value)


def test_the_pool_keeps_one_session_a_file_content(tmp_path: Path) -> None:
    runtime = Runtime("cpu", sessions=2)
    first = network(tmp_path / "a.onnx")
    assert runtime.session(first) is runtime.session(first)
    before = runtime.session(first)
    assert runtime.session(network(tmp_path / "a.onnx", 3.0)) is not before


def test_the_pool_is_bounded_and_drops_the_least_recently_used(tmp_path: Path) -> None:
    runtime = Runtime("cpu", sessions=2)
    models = [network(tmp_path / f"{k}.onnx", float(k)) for k in range(3)]
    sessions = [runtime.session(model) for model in models[:2]]
    assert runtime.session(models[0]) is sessions[0]
    runtime.session(models[2])
    assert runtime.session(models[0]) is sessions[0]
    assert runtime.session(models[1]) is not sessions[1]


def test_a_network_that_is_let_go_is_loaded_again(tmp_path: Path) -> None:
    runtime = Runtime("cpu")
    models = [network(tmp_path / f"{k}.onnx", float(k)) for k in range(2)]
    before = [runtime.session(model) for model in models]
    part = runtime.session(models[0], ["double"])
    runtime.release(models[0])
    runtime.release(ModelFile(models[0].path))
    assert runtime.session(models[1]) is before[1]
    assert runtime.session(models[0]) is not before[0]
    assert runtime.session(models[0], ["double"]) is not part
    feeds = {"x": np.zeros(1, np.float32), "c": ONE}
    # Who still has it can still use it.
    assert np.array_equal(before[0].run(feeds)[0], runtime.session(models[0]).run(feeds)[0])


def test_threads_that_want_one_network_load_it_once(tmp_path: Path) -> None:
    runtime = Runtime("cpu")
    model = network(tmp_path / "a.onnx")
    found: list[object] = []
    barrier = threading.Barrier(6)

    def work() -> None:
        barrier.wait()
        found.append(runtime.session(model))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1


def test_a_file_that_is_no_network(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(ModelError, match="cannot be loaded"):
        Runtime("cpu").session(ModelFile(path))


def test_unknown_device_suggests() -> None:
    with pytest.raises(DeviceError, match="did you mean cuda"):
        Runtime("cude")


def test_auto_starts_something() -> None:
    assert Runtime("auto").device in DEVICES


def test_every_device_starts_or_says_what_is_missing() -> None:
    reports = {report.name: report for report in probe_devices()}
    assert set(reports) == set(DEVICES) - {"auto"}
    assert reports["cpu"].available
    for report in reports.values():
        if not report.available:
            assert report.problem
            assert report.fix
            with pytest.raises(DeviceError):
                Runtime(report.name)


@pytest.mark.skipif(sys.platform != "linux", reason="names of Linux libraries")
def test_a_missing_driver_is_named_without_touching_onnxruntime(monkeypatch) -> None:
    import ganfilters.devices as devices

    monkeypatch.setattr(devices, "_loads", lambda name: False)
    assert "libcuda.so.1" in devices.missing_libraries("cuda")
    monkeypatch.setattr(devices, "_loads", lambda name: True)
    monkeypatch.setattr(devices, "_present", lambda name: "cudnn" not in name)
    assert 'libcudnn.so is not found; pip install "ganfilters[cuda]"' in (
        devices.missing_libraries("cuda")
    )


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        ("Failed to allocate memory for requested buffer", OutOfMemory, "while loading net.onnx"),
        ("INVALID_GRAPH : no such operator", ModelError, "net.onnx cannot be loaded: INVALID"),
    ],
)
def test_what_a_started_gpu_does_not_load_is_no_fault_of_the_gpu(
    monkeypatch, tmp_path: Path, said: str, kind: type[Exception], words: str
) -> None:
    import onnxruntime

    from ganfilters import runtime

    model = network(tmp_path / "net.onnx")

    class Started:
        def __init__(self, source: str | bytes, *_: object, **__: object) -> None:
            if isinstance(source, str):
                raise RuntimeError(said)

        def get_providers(self) -> list[str]:
            return ["CUDAExecutionProvider"]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Started)
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(runtime, "missing_libraries", lambda device: "")
    with pytest.raises(kind, match=words):
        Runtime("cuda").session(model)


def test_a_silent_fall_back_to_the_cpu_is_an_error(monkeypatch) -> None:
    import onnxruntime

    import ganfilters.runtime as runtime

    class Fallen:
        def get_providers(self) -> list[str]:
            return ["CPUExecutionProvider"]

    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *a, **k: Fallen())
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(runtime, "missing_libraries", lambda device: "")
    with pytest.raises(DeviceError, match="fell back to CPUExecutionProvider"):
        Runtime("cuda")


@pytest.mark.parametrize(
    "text", ["[ONNXRuntimeError] : 1 : Failed to allocate memory for requested buffer", "bad_alloc"]
)
def test_running_out_of_memory_is_told_apart(tmp_path: Path, text: str) -> None:
    session = Runtime("cpu").session(network(tmp_path / "a.onnx"))

    class Full:
        def run(self, *args: object) -> None:
            raise RuntimeError(text)

    session._session = Full()
    with pytest.raises(OutOfMemory):
        session.run({"x": ONE, "c": ONE})


def test_this_installation_has_one_onnxruntime() -> None:
    assert len(installed_onnxruntimes()) == 1

"""Devices, execution providers and the session pool: the only module that imports onnxruntime."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ganfilters.devices import DEVICES, DeviceReport, missing_libraries, provider_of
from ganfilters.errors import DeviceError, GanfiltersError, ModelError, OutOfMemory
from ganfilters.models import ModelFile
from ganfilters.onnxfile import extract

__all__ = ["BoundRun", "Runtime", "Session", "TensorInfo", "probe_devices"]

Array = npt.NDArray[Any]
_Key = tuple[str, tuple[str, ...]]  # checksum of the file, outputs

# `auto` tries these in order. TensorRT is left out because it builds an engine for minutes at the
# first use of every network; OpenVINO because it competes with the CPU provider on the same chip.
_AUTO = ("cuda", "directml", "coreml")

# One Relu on one float, opset 17: starting it proves that a provider starts.
_TINY = bytes.fromhex(
    "08083a330a0c0a0178120179220452656c751201675a0f0a0178120a0a08080112040a020801620f"
    "0a0179120a0a08080112040a02080142040a001011"
)

_OUT_OF_MEMORY = (
    "failed to allocate memory",
    "out of memory",
    "bad allocation",
    "bad_alloc",
    "cuda failure 2",
    "not enough memory",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
)


@dataclass(frozen=True)
class TensorInfo:
    """Name, type and shape of a model's input or output; unknown dimensions are None."""

    name: str
    type: str
    shape: tuple[int | None, ...]


class Session:
    """One network on one device. Safe to run from several threads at once."""

    def __init__(self, session: Any, device: str, label: str) -> None:
        self._session = session
        self._label = label
        self.device = device
        self.inputs = {info.name: _tensor_info(info) for info in session.get_inputs()}
        self.outputs = {info.name: _tensor_info(info) for info in session.get_outputs()}

    def run(self, feeds: Mapping[str, Array], outputs: Sequence[str] | None = None) -> list[Array]:
        """Return the named outputs, all of them by default.

        Feeds that the network has no input for are passed over, so that one set of feeds serves a
        model and its parts (see `Runtime.session`).

        Raises
        ------
        OutOfMemory
            The device could not hold the work; smaller input may fit.
        ModelError
            The network refused the input.
        """
        import onnxruntime as ort

        options = ort.RunOptions()
        options.log_severity_level = 4  # errors arrive as exceptions, not on standard error
        names = list(outputs if outputs is not None else self.outputs)
        used = {name: value for name, value in feeds.items() if name in self.inputs}
        with _translated(self._label):
            result: list[Array] = self._session.run(names, used, options)
        return result

    def bind(self, constants: Mapping[str, Array], outputs: Sequence[str]) -> BoundRun:
        """Return a run for loops: `constants` go to the device once and stay there."""
        used = {name: value for name, value in constants.items() if name in self.inputs}
        return BoundRun(self._session, self.device, self._label, used, outputs)


class BoundRun:
    """A network with some inputs fixed on its device, to be run many times by one thread."""

    def __init__(
        self,
        session: Any,
        device: str,
        label: str,
        constants: Mapping[str, Array],
        outputs: Sequence[str],
    ) -> None:
        import onnxruntime as ort

        self._session = session
        self._label = label
        self._outputs = list(outputs)
        self._binding = session.io_binding()
        self._options = ort.RunOptions()
        self._options.log_severity_level = 4
        where = "cuda" if device in ("cuda", "tensorrt") else "cpu"
        with _translated(label):
            # The binding does not own what it points to.
            self._held = [
                ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(value), where, 0)
                for value in constants.values()
            ]
        for name, value in zip(constants, self._held, strict=True):
            self._binding.bind_ortvalue_input(name, value)

    def __call__(self, **changing: Array) -> list[Array]:
        """Run with the remaining inputs; return the outputs named when binding."""
        binding = self._binding
        with _translated(self._label):
            for name, value in changing.items():
                binding.bind_cpu_input(name, np.ascontiguousarray(value))
            for name in self._outputs:  # anew each time, since sizes may differ from the last run's
                binding.bind_output(name, "cpu")
            self._session.run_with_iobinding(binding, self._options)
            result: list[Array] = binding.copy_outputs_to_cpu()
        return result


class Runtime:
    """A device and the sessions that live on it.

    Parameters
    ----------
    device
        ``"auto"`` takes the best that really starts; any other name of `DEVICES` is that device or
        an error, never a silent fall back to the CPU.
    threads
        Threads of one network on the CPU; None leaves it to ONNX Runtime (one per core).
    sessions
        How many networks stay loaded; the least recently used goes first.

    Raises
    ------
    DeviceError
        The device is unknown, or does not start.
    """

    def __init__(
        self, device: str = "auto", *, threads: int | None = None, sessions: int = 8
    ) -> None:
        self.device = _resolve(device)
        self.threads = threads
        self._limit = sessions
        self._lock = threading.Lock()
        self._pool: OrderedDict[_Key, Session] = OrderedDict()
        self._building: dict[_Key, threading.Lock] = {}

    def session(self, model: ModelFile, outputs: Sequence[str] | None = None) -> Session:
        """Return the running network of `model`, loading it if it is not in the pool.

        Parameters
        ----------
        model
            The file.
        outputs
            Load only what computes these outputs; everything by default. Every set of outputs is
            a network of its own, and as fast as if the file had no others.

        Raises
        ------
        ModelError
            The file is missing, damaged, not the published one, or no network this runtime knows.
        DeviceError
            The device refused to start.
        """
        # The pool belongs to one device and one thread count, so these two make the key.
        key = model.verify(), tuple(outputs or ())
        with self._lock:
            found = self._touch(key)
            if found is not None:
                return found
            building = self._building.setdefault(key, threading.Lock())
        try:
            return self._build(model, key, outputs, building)
        finally:
            with self._lock:
                self._building.pop(key, None)

    def release(self, model: ModelFile) -> None:
        """Let go of a network, with the memory that the largest picture so far has made it take.

        For one that takes much, before another that does. The memory is free once no other thread
        uses the network; whoever asks for it again has it loaded again.
        """
        checksum = model.verify()
        with self._lock:
            for key in [key for key in self._pool if key[0] == checksum]:
                del self._pool[key]

    def _build(
        self,
        model: ModelFile,
        key: _Key,
        outputs: Sequence[str] | None,
        building: threading.Lock,
    ) -> Session:
        with building:  # two threads that want the same network load it once
            with self._lock:
                found = self._touch(key)
            if found is not None:
                return found
            source = extract(model.path, outputs) if outputs else str(model.path)
            started = _start(self.device, source, self.threads, model.path.name)
            session = Session(started, self.device, model.path.name)
            with self._lock:
                self._pool[key] = session
                while len(self._pool) > self._limit:
                    self._pool.popitem(last=False)
            return session

    def _touch(self, key: _Key) -> Session | None:
        if key in self._pool:
            self._pool.move_to_end(key)
        return self._pool.get(key)


def probe_devices() -> list[DeviceReport]:
    """Start every device and report which run, and what the others lack."""
    reports = []
    for name in DEVICES:
        if name == "auto":
            continue
        provider = provider_of(name)
        try:
            _start(name, _TINY, None)
            reports.append(DeviceReport(name, True, provider))
        except DeviceError as error:
            problem, _, fix = str(error).partition("; ")
            reports.append(DeviceReport(name, False, provider, problem, fix))
    return reports


def _resolve(device: str) -> str:
    if device == "auto":
        for name in _AUTO:
            try:
                _start(name, _TINY, None)
            except DeviceError:
                continue
            return name
        return "cpu"
    _start(device, _TINY, None)
    return device


def _start(device: str, model: str | bytes, threads: int | None, label: str = "") -> Any:
    """Create an onnxruntime session on `device`, or say why that cannot be.

    Parameters
    ----------
    device, threads
        As for `Runtime`.
    model
        A file, or what is in it.
    label
        What to call the model. Without one it is only there to see whether the device starts.
    """
    provider = provider_of(device)
    import onnxruntime as ort

    if provider not in ort.get_available_providers():
        raise DeviceError(
            f"device {device} needs {provider}, which the installed onnxruntime does not have; "
            + _BUILD_FOR.get(device, "install the onnxruntime build that has it")
        )
    problem = missing_libraries(device)  # cheap, and spares the user ONNX Runtime's own log
    if problem:
        raise DeviceError(problem)
    if device in ("cuda", "tensorrt"):
        ort.preload_dlls()  # finds the CUDA and cuDNN wheels of the extra [cuda]
    options = ort.SessionOptions()
    options.log_severity_level = 4
    # Sizes differ from picture to picture, so a memory plan made for one shape is never reused.
    options.enable_mem_pattern = False
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        session = ort.InferenceSession(
            model, options, providers=[(provider, _OPTIONS.get(device, {}))]
        )
    except Exception as error:  # onnxruntime's exceptions share no base class
        if not label:
            raise DeviceError(
                f"device {device} does not start: {_first_line(error)}; "
                "`ganfilters doctor` lists what is missing"
            ) from error
        # The device has started before, so it is the model, or there is no room for it.
        if _is_out_of_memory(error):
            raise OutOfMemory(
                f"out of memory while loading {label}; close other programs that use the device, "
                "or use another `device`"
            ) from error
        raise ModelError(f"{label} cannot be loaded: {_first_line(error)}") from error
    if session.get_providers()[0] != provider:
        raise DeviceError(
            f"device {device} did not start and onnxruntime fell back to "
            f"{session.get_providers()[0]}; `ganfilters doctor` lists what is missing"
        )
    return session


_OPTIONS: dict[str, dict[str, Any]] = {
    # The exhaustive search of convolution algorithms stalls at every new image size, and doubling
    # the arena at each growth takes memory that other programs on the GPU need.
    "cuda": {
        "cudnn_conv_algo_search": "HEURISTIC",
        "arena_extend_strategy": "kSameAsRequested",
    },
    "tensorrt": {"trt_engine_cache_enable": True, "trt_timing_cache_enable": True},
}

_BUILD_FOR = {
    "cuda": "pip install onnxruntime-gpu (x86-64 Linux or Windows)",
    "tensorrt": "pip install onnxruntime-gpu (x86-64 Linux or Windows)",
    "directml": "pip install onnxruntime-directml in place of onnxruntime (Windows)",
    "openvino": "pip install onnxruntime-openvino in place of onnxruntime (Intel)",
    "coreml": "pip install onnxruntime on macOS",
}


class _translated:  # noqa: N801 - used as a function
    """Turn what onnxruntime raises during a run into this project's errors."""

    def __init__(self, label: str) -> None:
        self._label = label

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or isinstance(error, GanfiltersError) or not isinstance(error, Exception):
            return
        if _is_out_of_memory(error):
            raise OutOfMemory(
                f"out of memory while running {self._label}; use a smaller picture or another "
                "`device`"
            ) from error
        raise ModelError(f"{self._label} failed: {_first_line(error)}") from error


def _is_out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(sign in text for sign in _OUT_OF_MEMORY)


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__


def _tensor_info(info: Any) -> TensorInfo:
    shape = tuple(side if isinstance(side, int) else None for side in info.shape)
    return TensorInfo(info.name, info.type, shape)

"""Names of devices and the libraries behind them, found without importing onnxruntime."""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
import sys
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from ganfilters.errors import DeviceError, nearest

__all__ = [
    "DEVICES",
    "DeviceReport",
    "installed_onnxruntimes",
    "missing_libraries",
    "provider_of",
]

_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}

_MEANT = {
    "gpu": ("auto", "cuda", "directml", "coreml"),
    "amd": ("auto", "directml"),
    "nvidia": ("cuda", "tensorrt"),
    "trt": ("tensorrt",),
    "intel": ("openvino",),
    "npu": ("openvino", "directml", "coreml"),
    "dml": ("directml",),
    "directx": ("directml",),
    "dx12": ("directml",),
    "apple": ("coreml",),
    "metal": ("coreml",),
    "mps": ("coreml",),
}
"""What is meant by names of other libraries, and of makers, which are not near in spelling."""

DEVICES = ("auto", *_PROVIDERS)
"""Device names that every interface takes."""


@dataclass(frozen=True)
class DeviceReport:
    """Whether a device starts on this machine; if not, why, and what to do."""

    name: str
    available: bool
    provider: str
    problem: str = ""
    fix: str = ""


def provider_of(device: str) -> str:
    """Return the ONNX Runtime execution provider of a device name."""
    if device not in _PROVIDERS:
        meant = _MEANT.get(device.casefold().partition(":")[0])
        hint = (
            f"did you mean {' or '.join(meant)}?"
            if meant
            else nearest(device, DEVICES, what="devices")
        )
        raise DeviceError(f"there is no device {device!r}; {hint}")
    return _PROVIDERS[device]


def installed_onnxruntimes() -> list[tuple[str, str]]:
    """Return name and version of every installed distribution that provides onnxruntime.

    More than one is a broken installation: they write the same files over each other.
    """
    found = {
        (name.lower(), dist.version)
        for dist in distributions()
        if (name := dist.metadata["Name"] or "").lower().replace("_", "-").startswith("onnxruntime")
        and not name.lower().endswith(("-extensions", "-genai", "-tools"))
    }
    return sorted(found)


def missing_libraries(device: str) -> str:
    """Return why the shared libraries of `device` cannot be loaded; empty if they can.

    Looks first for NVIDIA's driver, then for CUDA and cuDNN: in the system's search path and in
    the ``nvidia`` wheels that the extra ``[cuda]`` installs.
    """
    if device not in ("cuda", "tensorrt"):
        return ""
    driver = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    if not _loads(driver):
        return (
            f"device {device} needs NVIDIA's driver, and {driver} is not on this machine; "
            "install the driver, or use `device='cpu'`"
        )
    if sys.platform == "win32":
        return ""  # DLL names carry the full version there; starting a session tells
    for library, purpose in (
        ("libcudart.so", "CUDA"),
        ("libcublasLt.so", "CUDA"),
        ("libcufft.so", "CUDA"),
        ("libcudnn.so", "cuDNN"),
    ):
        if not _present(library):
            return (
                f"device {device} needs {purpose}, and {library} is not found; "
                'pip install "ganfilters[cuda]"'
            )
    if device == "tensorrt" and not _present("libnvinfer.so"):
        return (
            "device tensorrt needs TensorRT, and libnvinfer.so is not found; "
            "pip install tensorrt, or use `device='cuda'`"
        )
    return ""


def _present(library: str) -> bool:
    """Tell whether some version of a shared library is in a wheel or on the system's path."""
    for package in ("nvidia", "tensorrt_libs"):
        spec = importlib.util.find_spec(package)
        for root in (spec.submodule_search_locations or ()) if spec else ():
            if any(Path(root).rglob(f"{library}*")):
                return True
    stem = library.removeprefix("lib").removesuffix(".so")
    return ctypes.util.find_library(stem) is not None or _loads(library)


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True

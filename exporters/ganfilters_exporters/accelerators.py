"""The device and the precision that a training run asks for, from Accelerate; memory."""

from __future__ import annotations

import sys

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from ganfilters.errors import DeviceError

__all__ = ["check_device", "make_accelerator", "peak_memory"]


def check_device(device: str) -> None:
    """Say what is wrong with a device, before anything is read for it.

    Raises
    ------
    DeviceError
        It is unknown, or absent.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise DeviceError(f"there is no training device {device!r}; use auto, cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            "device cuda: this PyTorch sees no CUDA GPU; install a CUDA build of torch and a "
            "driver, or use --device cpu"
        )


def make_accelerator(device: str, precision: str) -> Accelerator:
    """Return the accelerator of a device, or say why there is none.

    Raises
    ------
    DeviceError
        The device is unknown or absent, or cannot compute in bf16.
    """
    check_device(device)
    cpu = device == "cpu" or not torch.cuda.is_available()
    # Emulated it is slower than float32, and no more precise than bf16.
    able = not cpu and torch.cuda.is_bf16_supported(including_emulation=False)
    if precision == "auto":
        precision = "bf16" if able else "fp32"
    if precision == "bf16" and not (cpu or able):
        raise DeviceError("precision bf16: this GPU has no bf16; use --precision fp32")
    if not cpu:
        # Batches have one size, so the fastest convolutions are searched for once; what is left
        # in float32 may use the tensor cores' 19-bit format.
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
    # Accelerate keeps its state for the whole process, and refuses another device or precision.
    AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(cpu=cpu, mixed_precision="bf16" if precision == "bf16" else "no")


def peak_memory() -> dict[str, float]:
    """Return the largest memory of this process so far; nothing where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return {}
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes
    return {"peak_gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30}

"""Reading a trained network of restoration back, to train it on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from torch import nn

from ganfilters.errors import UsageError

from ..checkpoints import read_checkpoint, run_folder
from ..stored import other_layout, read_stored
from .denoiser import Denoiser, DenoiserConfig
from .filler import Filler, FillerConfig

__all__ = ["read_denoiser", "read_filler"]

_Config = TypeVar("_Config", FillerConfig, DenoiserConfig)
_Network = TypeVar("_Network", bound=nn.Module)


def read_filler(path: Path) -> Filler:
    """Read a filling network back, from its ``.onnx`` file, a run's folder, or its checkpoint.

    Of a run it is the averaged network.

    Raises
    ------
    UsageError
        It is neither, or of another layout.
    """
    return _read(path, "inpaint", FillerConfig, Filler)


def read_denoiser(path: Path) -> Denoiser:
    """Read a denoising network back; sources and errors are those of `read_filler`."""
    return _read(path, "denoise", DenoiserConfig, Denoiser)


def _read(
    path: Path, kind: str, config: type[_Config], make: Callable[[_Config], _Network]
) -> _Network:
    wanted = f"of `ganfilters train {kind}`"
    try:
        folder = run_folder(path)
        if folder is not None:
            state = read_checkpoint(folder)
            identity = json.loads(state["identity"]) if state else {}
            if state is None or identity.get("kind") != kind:
                raise UsageError(f"{folder} is no folder of a run {wanted}")
            network = make(config.from_dict(identity["network"]))
            network.load_state_dict(state["averages"]["generator"])
            return network
        stored = read_stored(path)
        if stored.card.filter != kind:
            raise UsageError(
                f"{path} is {stored.card.title!r}, of the filter {stored.card.filter}; --init "
                f"needs a network {wanted}"
            )
        network = make(config.from_dict(stored.card.extra["network"]))
        network.load_state_dict(stored.weights("network", network))
        return network
    except (AttributeError, TypeError, KeyError, RuntimeError) as error:
        raise other_layout(path) from error

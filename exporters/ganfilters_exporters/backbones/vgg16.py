"""The convolutions of VGG16 up to conv4_3.

Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition" (2014), configuration D.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from . import Backbone, Layer

GROUPS = (2, 2, 3, 3)
"""Convolutions in each group; a max pooling lies between two groups."""

WIDTHS = (64, 128, 256, 512)

_RIGHT = "give VGG16's weights: torchvision's .pth, or a .safetensors with the same names"


@dataclass(frozen=True)
class Convention:
    """What a set of weights takes as input: ``(value * scale - mean) / deviation``.

    Attributes
    ----------
    bgr : bool
        Whether blue comes first.
    scale : float
        What an input value of 1 becomes.
    mean, deviation : tuple of float
        By channel, red first.
    """

    bgr: bool
    scale: float
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


CAFFE = Convention(True, 255.0, (123.68, 116.779, 103.939), (1.0, 1.0, 1.0))
"""The authors' own weights and those that descend from them."""

TORCHVISION = Convention(False, 1.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""torchvision's weights, trained anew."""


class Normalise(nn.Module):
    """From RGB in [0, 1] to the values the network was trained on; channels stay in order."""

    def __init__(self, convention: Convention) -> None:
        super().__init__()
        mean, deviation = torch.tensor(convention.mean), torch.tensor(convention.deviation)
        self.register_buffer("factor", (convention.scale / deviation)[:, None, None])
        self.register_buffer("offset", (mean / deviation)[:, None, None])

    def forward(self, image: Tensor) -> Tensor:
        """Map (N, 3, H, W) to the same shape."""
        return image * self.factor - self.offset


def convention_of(metadata: dict[str, str]) -> Convention:
    """Tell what the weights take as input.

    A file whose metadata says ``input: BGR, 0..255, ...`` descends from the authors' weights; a
    file that says nothing, as torchvision's checkpoint, takes torchvision's input.
    """
    return CAFFE if metadata.get("input", "").upper().startswith("BGR") else TORCHVISION


def load(weights: Path | None = None) -> Backbone:
    """Load VGG16's convolutions up to conv4_3.

    Parameters
    ----------
    weights : path
        A ``.safetensors`` file with torchvision's names (``features.0.weight``, ...); its metadata
        may state another input than torchvision's. Or torchvision's checkpoint, ``.pth``.

    Raises
    ------
    ValueError
        If `weights` is None, as no package carries them, or is no such file, or lacks a tensor, or
        one has another shape than VGG16's; one line.
    OSError
        The file cannot be opened.
    """
    if weights is None:
        raise ValueError("vgg16 needs --weights FILE (a .safetensors or torchvision's .pth)")
    state, metadata = _read(weights)
    convention = convention_of(metadata)
    layers, segments = [], []
    channels, index = 3, 0
    for group, (count, width) in enumerate(zip(GROUPS, WIDTHS, strict=True), start=1):
        for number in range(1, count + 1):
            modules: list[nn.Module] = [Normalise(convention)] if index == 0 else []
            if number == 1 and group > 1:
                modules.append(nn.MaxPool2d(2))
                index += 1
            first_bgr = convention.bgr and index == 0
            try:
                conv = _convolution(state, f"features.{index}", channels, width, first_bgr)
            except ValueError as error:
                raise ValueError(f"{weights} holds other weights: {error}; {_RIGHT}") from error
            segments.append(nn.Sequential(*modules, conv, nn.ReLU()).eval())
            layers.append(Layer(f"relu{group}_{number}", width, 2 ** (group - 1)))
            channels, index = width, index + 2
    stride = layers[-1].stride
    return Backbone(
        name="vgg16",
        title="VGG16",
        segments=tuple(segments),
        layers=tuple(layers),
        classes=(),
        default_layer="relu4_2",
        size_multiple=stride,
        size_min=4 * stride,
        licence="BSD-3-Clause" if convention is TORCHVISION else "MIT",
        attribution=metadata.get("source", f"VGG16 weights from {weights.name}"),
        data=("ImageNet (ILSVRC)",),
    )


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read tensors and metadata; never a pickle that could run code."""
    safe = path.suffix == ".safetensors"
    kind = "safetensors file" if safe else "PyTorch checkpoint of tensors"
    metadata: dict[str, str] = {}
    try:
        if not safe:
            found = torch.load(path, map_location="cpu", weights_only=True)
        else:
            from safetensors import safe_open

            with safe_open(path, "pt") as file:
                found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                metadata = file.metadata() or {}
    except OSError:
        raise
    except Exception as error:  # other files show as many kinds of error, some of a page of text
        raise ValueError(f"{path} is no {kind}, or is damaged; {_RIGHT}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} is no {kind}; {_RIGHT}")
    return found, metadata


def _convolution(
    state: dict[str, Tensor], name: str, inputs: int, outputs: int, bgr: bool
) -> nn.Conv2d:
    """Build one 3 x 3 convolution; `bgr` turns weights for blue-first input to red-first."""
    conv = nn.Conv2d(inputs, outputs, 3, padding=1).requires_grad_(False)
    for part in ("weight", "bias"):
        tensor, target = state.get(f"{name}.{part}"), getattr(conv, part)
        if not isinstance(tensor, Tensor):
            raise ValueError(f"there is no tensor {name}.{part}")
        if tensor.shape != target.shape:
            raise ValueError(
                f"{name}.{part} has the shape {tuple(tensor.shape)}, not {tuple(target.shape)}"
            )
        target.copy_(tensor.flip(1) if bgr and part == "weight" else tensor)
    return conv

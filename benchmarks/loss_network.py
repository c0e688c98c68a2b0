"""A step down the style loss on a CPU, Winograd's convolutions against direct ones.

Value and gradient of the loss that style networks are trained with, on VGG16, the same picture and
threads, in turns in one process. Run:

    python benchmarks/loss_network.py --teacher VGG16 [--threads 1]
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from turns import in_turns

from ganfilters_exporters.losses import PerceptualLoss, Weights, load_vgg16_features
from ganfilters_exporters.losses.winograd import WinogradConv
from ganfilters_exporters.photos import photo

SIZES = ((128, 1), (128, 4), (256, 1), (256, 4))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    quick = load_vgg16_features(options.teacher).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    print("| side | pictures | Winograd, ms | direct, ms | ratio |")
    print("|---|---|---|---|---|")
    for size, count in SIZES:
        calls = [step(network, size, count) for network in (quick, direct(quick))]
        mine, other = in_turns(calls, options.repeat)
        print(f"| {size} | {count} | {1e3 * mine:.0f} | {1e3 * other:.0f} | {mine / other:.2f} |")


def direct(network: nn.Module) -> nn.Module:
    """Return a copy with the convolutions as they were."""
    network = copy.deepcopy(network)
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, WinogradConv):
                setattr(module, name, child.conv)
    return network


def step(network: nn.Module, size: int, count: int) -> Callable[[], None]:
    loss = PerceptualLoss(network, Weights(1.0, 8.0, tone=0.0, weave=0.0))
    content = photo("chelsea", size, size).expand(count, -1, -1, -1)
    content = content.contiguous(memory_format=torch.channels_last)
    target = loss.style_target(photo("coffee", size, size))
    target = {part: wanted.expand(count, *wanted.shape[1:]) for part, wanted in target.items()}

    def call() -> None:
        picture = content.flip(3).requires_grad_()
        loss(picture, content, target)["loss"].backward()

    return call


if __name__ == "__main__":
    main()

"""Training throughput of each GAN architecture, and generation in ONNX Runtime against PyTorch.

Images per second of whole training steps (both networks, augmentation, optimisers, average of
weights) on random pictures; then the time of 64 pictures from the exported file against PyTorch
eager with the same weights, in turns in one process. Run:

    python benchmarks/gan_training.py [--threads 2] [--device cpu]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import torch

from ganfilters_exporters import export
from ganfilters_exporters.backbones import load_efficientnet_lite0
from ganfilters_exporters.data import Pictures
from ganfilters_exporters.gan.discriminators import LiteFeatures, ProjectedDiscriminator
from ganfilters_exporters.gan.export import GeneratorGraph, export_gan
from ganfilters_exporters.gan.networks import (
    GENERATORS,
    Generator,
    NetworkConfig,
    plain_discriminator,
)
from ganfilters_exporters.gan.recipes import RECIPES
from ganfilters_exporters.gan.tasks import GanConfig, Generation
from ganfilters_exporters.trainer import TrainConfig, Trainer

CLASSES = 10
CASES = (
    ("mlp", 28, 1, "none"),
    ("dcgan", 28, 1, "none"),
    ("dcgan", 64, 3, "none"),
    ("style", 64, 3, "none"),
    ("style", 64, 3, "adain"),
    ("style", 64, 3, "demod"),
    ("style", 128, 3, "none"),
)
PICTURES = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print("| arch | size | modulation | training, images/s | 64 pictures: ONNX, ms | PyTorch, ms "
          "| ratio | one picture, ms |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    for arch, size, channels, modulation in CASES:
        task = make(arch, size, channels, modulation)
        config = TrainConfig(device=options.device, precision=options.precision, quiet=True)
        speed = throughput(Trainer(task, Path("unused"), config), options.repeat)
        network = cast("Generator", task.best("generator").cpu())
        onnx, eager, one = generation(network, options.threads, options.repeat)
        print(
            f"| {arch} | {size} | {modulation} | {speed:.0f} | {1e3 * onnx:.0f} "
            f"| {1e3 * eager:.0f} | {onnx / eager:.2f} | {1e3 * one:.1f} |",
            flush=True,
        )


def make(arch: str, size: int, channels: int, modulation: str) -> Generation:
    recipe = RECIPES[arch]
    network = NetworkConfig(
        arch, size, channels, CLASSES, z=recipe.z, width=recipe.width, modulation=modulation,
        mapping=2 if modulation != "none" else 0, noise=arch == "style",
    )  # fmt: skip
    config = GanConfig(
        loss=recipe.loss, discriminator=recipe.discriminator, norm=recipe.norm,
        batch=recipe.batch, betas=recipe.betas,
    )  # fmt: skip
    rng = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (256, size, size, channels), generator=rng).byte()
    names = tuple(str(n) for n in range(CLASSES))
    pictures = Pictures(pixels, torch.arange(256) % CLASSES, names)
    generator = GENERATORS[arch](network)
    if recipe.discriminator == "plain":
        judge = plain_discriminator(network, config.norm)  # type: ignore[arg-type]
        return Generation(config, pictures, generator, judge)
    features = LiteFeatures(load_efficientnet_lite0(), config.feature_side)
    return Generation(
        config, pictures, generator, ProjectedDiscriminator(features, CLASSES), features
    )


def throughput(trainer: Trainer, repeat: int) -> float:
    trainer.dry_run()
    speeds = [trainer.dry_run()["images_per_second"] for _ in range(repeat)]
    return statistics.median(speeds)


def generation(network: Generator, threads: int, repeat: int) -> tuple[float, float, float]:
    """Return seconds of a batch in ONNX Runtime and in PyTorch, and of one picture."""
    names = [str(n) for n in range(CLASSES)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "g.onnx"
        card = {"title": "", "command": "", "licence": "CC0-1.0"}
        export_gan(network, file, names, overwrite=False, card=card)
        session = export.session(file, threads)
    graph = GeneratorGraph(network)
    calls: list[Callable[[], object]] = []
    for batch in (PICTURES, 1):
        inputs = graph.example(batch, 1)
        feeds = {n: np.asarray(v) for n, v in zip(graph.inputs, inputs, strict=True)}
        calls.append(lambda feeds=feeds: session.run(["image"], feeds))  # type: ignore[misc]
    inputs = graph.example(PICTURES, 1)

    def eager() -> object:
        with torch.inference_mode():
            return graph(*inputs)

    calls.insert(1, eager)
    seconds: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()
    for _ in range(repeat):  # in turns: whatever slows the machine slows all
        for call, found in zip(calls, seconds, strict=True):
            start = time.perf_counter()
            call()
            found.append(time.perf_counter() - start)
    onnx, torchs, one = (statistics.median(found) for found in seconds)
    return onnx, torchs, one


if __name__ == "__main__":
    main()

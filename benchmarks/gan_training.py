"""Training throughput of each GAN architecture, and the exported file against PyTorch.

Images per second of whole training steps (both networks, augmentation, optimisers, average of
weights) on random pictures; then, from the exported file against PyTorch eager with the same
weights, in turns in one process: the time of 64 pictures, and of one step of finding a latent
(distance and gradient); and the time of one picture alone. Run:

    python benchmarks/gan_training.py [--threads 2] [--device cpu]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from turns import in_turns

from ganfilters.onnxfile import extract
from ganfilters_exporters import export
from ganfilters_exporters.backbones import load_efficientnet_lite0
from ganfilters_exporters.data import Pictures
from ganfilters_exporters.gan.adversarial import GanConfig
from ganfilters_exporters.gan.discriminators import LiteFeatures, ProjectedDiscriminator
from ganfilters_exporters.gan.export import GeneratorGraph, export_gan
from ganfilters_exporters.gan.networks import (
    GENERATORS,
    Generator,
    NetworkConfig,
    plain_discriminator,
)
from ganfilters_exporters.gan.projection import Distance
from ganfilters_exporters.gan.recipes import RECIPES
from ganfilters_exporters.gan.tasks import Generation
from ganfilters_exporters.trainer import TrainConfig, Trainer

CLASSES = 10
CASES = (
    ("mlp", 28, 1, "none"),
    ("dcgan", 28, 1, "none"),
    ("dcgan", 64, 3, "none"),
    ("style", 64, 3, "none"),
    ("style", 64, 3, "adain"),
    ("style", 64, 3, "demod"),
    ("style", 128, 3, "batch"),
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
          "| ratio | gradient: ONNX, ms | PyTorch, ms | ratio | one picture, ms |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for arch, size, channels, modulation in CASES:
        task = make(arch, size, channels, modulation)
        config = TrainConfig(device=options.device, precision=options.precision, quiet=True)
        speed = throughput(Trainer(task, Path("unused"), config), options.repeat)
        network = cast("Generator", task.best("generator").cpu())
        times = generation(network, options.threads, options.repeat)
        pairs = [(times[n], times[n + 1]) for n in (0, 2)]
        cells = [f"{1e3 * a:.0f} | {1e3 * b:.0f} | {a / b:.2f}" for a, b in pairs]
        print(
            f"| {arch} | {size} | {modulation} | {speed:.0f} | {' | '.join(cells)} "
            f"| {1e3 * times[4]:.1f} |",
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


def generation(network: Generator, threads: int, repeat: int) -> list[float]:
    """Return seconds of 64 pictures and of a gradient, each in both, and of one picture."""
    backbone = load_efficientnet_lite0()
    distance = Distance(backbone, network.config.size)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "g.onnx"
        card = {"title": "", "command": "", "licence": "CC0-1.0"}
        names = [str(n) for n in range(CLASSES)]
        export_gan(network, file, names, backbone=backbone, overwrite=False, card=card)
        drawing, projecting = (
            export.session(extract(file, outputs), threads)
            for outputs in (["image"], ["gradient", "distance"])
        )
    graph = GeneratorGraph(network, distance)

    def feeds(batch: int, session: Any) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors = dict(zip(graph.inputs, graph.example(batch, 2), strict=True))
        taken = {item.name for item in session.get_inputs()}
        return tensors, {n: t.numpy() for n, t in tensors.items() if n in taken}

    many, many_fed = feeds(PICTURES, drawing)
    one, one_fed = feeds(1, projecting)
    alone = feeds(1, drawing)[1]

    def eager_pictures() -> object:
        with torch.inference_mode():
            w = network.mapping(many["z"], many.get("class_weights"))
            return network.synthesis(w[:, None].expand(-1, network.layers, -1), many.get("noise"))

    def eager_gradient() -> object:
        w = one["w"].clone().requires_grad_()
        found = distance(network.synthesis(w) / 2 + 0.5, one["target"]).sum()
        return torch.autograd.grad(found, w)

    calls: list[Callable[[], object]] = [
        lambda: drawing.run(["image"], many_fed),
        eager_pictures,
        lambda: projecting.run(["gradient", "distance"], one_fed),
        eager_gradient,
        lambda: drawing.run(["image"], alone),
    ]
    network.requires_grad_(False)
    return in_turns(calls, repeat)


if __name__ == "__main__":
    main()

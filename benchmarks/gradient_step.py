"""One step of a dream: the exported gradient in ONNX Runtime against PyTorch's autograd.

Same network, picture, objective and number of threads, in turns in one process. Run:

    python benchmarks/gradient_step.py [--json FILE] [--model FILE.onnx] [--threads 2]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from turns import in_turns

from ganfilters_exporters import export
from ganfilters_exporters.backbones import load_efficientnet_lite0
from ganfilters_exporters.dream.objective import Dream
from ganfilters_exporters.photos import photo

MODEL = Path(__file__).parents[1] / "plugins/ganfilters_dream/models/efficientnet-lite0-dream.onnx"
DEPTHS = ("stage3", "stage5", "logits")
SIZES = (512, 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    dream = Dream(load_efficientnet_lite0())
    session = export.session(options.model, options.threads)
    rows = []
    for size in SIZES:
        for name in DEPTHS:
            seconds = in_turns(steps(dream, session, size, name), options.repeat)
            ours, theirs = (1000 * each for each in seconds)
            figures = {"onnx_ms": ours, "torch_ms": theirs, "ratio": ours / theirs}
            rows.append({"size": size, "depth": name, **figures})
    print("| size | depth | ONNX Runtime, ms | PyTorch eager, ms | ratio |")
    print("|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['size']} | {row['depth']} | {row['onnx_ms']:.0f} | {row['torch_ms']:.0f} "
            f"| {row['ratio']:.2f} |"
        )
    if options.json:
        options.json.write_text(json.dumps({"threads": options.threads, "rows": rows}, indent=1))


def steps(
    dream: Dream, session: object, size: int, name: str
) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return the two ways to compute the same gradient."""
    image = photo("chelsea", size, size)
    depth = dream.backbone.depths.index(name)
    choices = dream.silence()
    choices["logits.linear" if name == "logits" else f"{name}.square"] += 1
    feeds = {key: value.numpy() for key, value in choices.items()}
    feeds |= {"image": image.numpy(), "depth": np.array(depth, np.int64)}
    segments = dream.backbone.segments[: depth + 1]

    def onnx() -> object:
        return session.run(["gradient"], feeds)  # type: ignore[attr-defined]

    def eager() -> object:
        # As short as a person would write it: none of the other layers' objectives.
        x = image.detach().requires_grad_()
        a = x
        for segment in segments:
            a = segment(a)
        value = a.sum() if name == "logits" else a.square().sum() / 2
        return torch.autograd.grad(value, x)

    return onnx, eager


if __name__ == "__main__":
    main()

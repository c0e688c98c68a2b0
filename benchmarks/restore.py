"""Speed and memory of inpaint and denoise, on one machine with the same threads.

512 x 512 with a hole of a quarter of its area: ours, scikit-image's biharmonic and PyPI's
`pypatchmatch`, in turns in one process. A 24-megapixel photo with a hole of 600 pixels: time, and
peak memory of a process that does nothing else. Denoising: one megapixel, and 24 megapixels in
tiles. Run:

    pip install pypatchmatch
    python benchmarks/restore.py [--inpaint FILE.onnx] [--denoise FILE.onnx] [--threads 2]
"""

from __future__ import annotations

import argparse
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from peak import peak_memory
from turns import in_turns

import ganfilters_denoise
import ganfilters_inpaint
from ganfilters import Host
from ganfilters.registry import Registry, Source
from ganfilters_exporters.photos import photo

LARGE = (4000, 6000)

_LARGE = """
import sys
sys.path.insert(0, {folder!r})
import restore
print(restore.large(restore.host({threads}), {name!r}, {model!r}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inpaint", type=Path, default=ganfilters_inpaint.Inpaint.models[0].path)
    parser.add_argument("--denoise", type=Path, default=ganfilters_denoise.Denoise.models[0].path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    owner = host(options.threads)
    pixels = picture(512, 512)
    mask = np.zeros((512, 512), np.uint8)
    mask[128:384, 128:384] = 255
    calls = {
        "ours": lambda: owner.apply("inpaint", pixels, mask=mask, model=options.inpaint),
        "biharmonic": lambda: biharmonic(pixels, mask),
    }
    if find_spec("patchmatch"):
        calls["patchmatch"] = lambda: owner.apply("inpaint", pixels, mask=mask, method="patchmatch")
    else:
        print("pypatchmatch is not installed; it is left out")
    print("inpaint, 512 x 512, hole of 256 x 256, seconds:")
    for name, seconds in zip(calls, in_turns(list(calls.values()), options.repeat), strict=True):
        print(f"  {name}: {seconds:.3f}")
    megapixel = picture(1024, 1024)
    (alone,) = in_turns(
        [lambda: owner.apply("denoise", megapixel, model=options.denoise)], options.repeat
    )
    print(f"denoise, 1024 x 1024: {alone:.2f} s")
    for name, model in (("inpaint", options.inpaint), ("denoise", options.denoise)):
        seconds, gigabytes = peak(name, model, options.threads)
        print(f"{name}, 24 megapixels: {seconds:.2f} s, peak memory {gigabytes:.2f} GB")


def host(threads: int) -> Host:
    """Return a host that knows both plugins, installed or not."""
    sources = [
        Source(plugin.__name__, "ganfilters", "0", lambda plugin=plugin: plugin)
        for plugin in (ganfilters_inpaint, ganfilters_denoise)
    ]
    return Host("cpu", threads=threads, registry=Registry(sources))


def picture(height: int, width: int) -> np.ndarray[Any, Any]:
    pixels = photo("coffee", height, width)[0].permute(1, 2, 0).numpy()
    return np.rint(pixels * 255).astype(np.uint8)


def biharmonic(pixels: np.ndarray[Any, Any], mask: np.ndarray[Any, Any]) -> object:
    from skimage.restoration import inpaint_biharmonic

    return inpaint_biharmonic(pixels, mask > 0, channel_axis=-1)


def large(owner: Host, name: str, model: str) -> float:
    """Return the seconds of 24 megapixels, the second time."""
    # Photographs side by side: noise has no large pieces to copy, and to enlarge takes memory.
    pixels = np.tile(picture(500, 600), (LARGE[0] // 500, LARGE[1] // 600, 1))
    options: dict[str, Any] = {"model": model}
    if name == "inpaint":
        mask = np.zeros(LARGE, np.uint8)
        mask[1500:2100, 2500:3100] = 255
        options["mask"] = mask
        owner.apply(name, pixels, **options)
    start = time.perf_counter()
    owner.apply(name, pixels, **options)
    return time.perf_counter() - start


def peak(name: str, model: Path, threads: int) -> tuple[float, float]:
    """Return seconds and gigabytes of a process that does nothing else."""
    script = _LARGE.format(
        folder=str(Path(__file__).parent), threads=threads, name=name, model=str(model)
    )
    megabytes, seconds = peak_memory("-c", script)
    return float(seconds), megabytes / 1024


if __name__ == "__main__":
    main()

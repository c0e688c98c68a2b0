"""Quality of the denoise filter: colour Gaussian noise at sigma 15, 25 and 50.

Against BM3D (PyPI `bm3d`), OpenCV's and scikit-image's non-local means, told the true sigma; ours
is told it, estimates it, and estimates it with all the texture that it makes up. With ``--teacher``
also the distance of textures (Gram matrices of VGG16). Noise is added with a fixed seed; by default
it is clipped and rounded to 8 bits, as pictures are, for all; ``--unclipped`` keeps it as published
figures do (CBSD68: BM3D 33.5 / 30.7 / 27.4 dB, DnCNN 33.9 / 31.2 / 27.9, DRUNet 34.3 / 31.7 /
28.5). JPEG at two qualities is measured for ours alone. Run:

    pip install bm3d opencv-python-headless
    python benchmarks/denoise_quality.py --photos DIR [--teacher VGG16] [--unclipped]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from ganfilters_denoise import Denoise
from ganfilters_exporters.data import spread
from ganfilters_exporters.restore.evaluate import (
    ESTIMATED,
    QUALITIES,
    SIGMAS,
    TextureDistance,
    compressed,
    noised,
    open_denoiser,
    psnr,
)

Array = np.ndarray[Any, Any]
Clean = Callable[[Array, float], Array]


def main() -> None:
    options = parse()
    photos = sorted(p for p in options.photos.iterdir() if p.suffix in (".jpg", ".png"))
    photos = spread(photos, options.count)
    pictures = [np.asarray(Pillow.open(p).convert("RGB"), np.float32) / 255 for p in photos]
    ways = cleaners(options)
    distances = []
    if options.teacher:
        texture = TextureDistance(options.teacher)
        distances = [texture.to(picture) for picture in pictures]
    rows = []
    for sigma in SIGMAS:
        noisy = [noised(p, sigma, n, clipped=not options.unclipped) for n, p in enumerate(pictures)]
        for name, clean in ways.items():
            rows.append({"damage": f"sigma {sigma}", "way": name,
                         **measured(pictures, noisy, clean, sigma, distances)})  # fmt: skip
            print(rows[-1], flush=True)
    for quality in QUALITIES:
        encoded = [compressed(p, quality) for p in pictures]
        for name in ("input", "ours, estimating", "ours, texture"):
            if name in ways:
                rows.append({"damage": f"JPEG {quality}", "way": name,
                             **measured(pictures, encoded, ways[name], 0, distances)})  # fmt: skip
                print(rows[-1], flush=True)
    table(rows, list(ways))
    if options.json:
        options.json.write_text(json.dumps({"photos": len(photos), "rows": rows}, indent=1))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, help="VGG16 weights, for distances of textures")
    parser.add_argument("--model", type=Path, help="in place of the shipped network")
    parser.add_argument("--texture", type=Path, help="in place of the shipped one for texture")
    parser.add_argument("--count", type=int, default=10, help="photographs")
    parser.add_argument("--unclipped", action="store_true", help="noise as in published figures")
    parser.add_argument("--ways", nargs="*", help="input bm3d opencv skimage ours; all")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    return parser.parse_args()


def cleaners(options: argparse.Namespace) -> dict[str, Clean]:
    """Return the ways to clean, by name; what is not installed is left out, and said so."""
    chosen = options.ways or ["input", "bm3d", "opencv", "skimage", "ours"]
    found: dict[str, Clean] = {"input": lambda noisy, _: noisy}
    for name, way, package in (("bm3d", bm3d_way, "bm3d"), ("opencv", opencv_way, "cv2"),
                               ("skimage", skimage_way, "skimage")):  # fmt: skip
        if find_spec(package):
            found[name] = way
        else:
            print(f"{package} is not installed; it is left out")
    denoise = open_denoiser(options.model or Denoise.models[0], options.threads)
    found["ours"] = lambda noisy, sigma: denoise(noisy, (sigma, 0.0))
    found["ours, estimating"] = lambda noisy, _: denoise(noisy, ESTIMATED)
    textured = open_denoiser(options.texture or Denoise.models[1], options.threads)
    found["ours, texture"] = lambda noisy, _: textured(noisy, ESTIMATED)
    return {name: way for name, way in found.items() if name.partition(",")[0] in chosen}


def bm3d_way(noisy: Array, sigma: float) -> Array:
    import bm3d

    return np.asarray(bm3d.bm3d_rgb(noisy, sigma / 255), np.float32)


def opencv_way(noisy: Array, sigma: float) -> Array:
    import cv2

    pixels = np.rint(noisy.clip(0, 1) * 255).astype(np.uint8)
    # The best of 0.5, 0.9, 1.3, 1.8 and 2.4 times the deviation, at each of them.
    found = cv2.fastNlMeansDenoisingColored(pixels, None, sigma * 0.5, sigma * 0.5, 7, 21)
    return found.astype(np.float32) / np.float32(255)


def skimage_way(noisy: Array, sigma: float) -> Array:
    from skimage.restoration import denoise_nl_means

    found = denoise_nl_means(
        noisy, patch_size=5, patch_distance=6, h=0.6 * sigma / 255, sigma=sigma / 255,
        fast_mode=True, channel_axis=-1,
    )  # fmt: skip
    return np.asarray(found, np.float32)


def measured(
    pictures: list[Array],
    damaged: list[Array],
    clean: Clean,
    sigma: float,
    distances: Sequence[Callable[[Array], float]],
) -> dict[str, float]:
    """Return the mean ratio in decibels, the mean distance, and seconds for a picture."""
    started = time.perf_counter()
    cleaned = [clean(noisy, sigma) for noisy in damaged]
    seconds = (time.perf_counter() - started) / len(pictures)
    ratios = [psnr(*pair) for pair in zip(pictures, cleaned, strict=True)]
    found = {"psnr": float(np.mean(ratios)), "seconds": seconds}
    if distances:
        apart = [distance(made) for distance, made in zip(distances, cleaned, strict=True)]
        found["texture"] = float(np.mean(apart))
    return found


def cell(row: dict[str, Any]) -> str:
    distance = f" / {row['texture']:.4f}" if "texture" in row else ""
    return f"{row['psnr']:.2f}{distance} ({row['seconds']:.2f})"


def table(rows: list[dict[str, Any]], ways: list[str]) -> None:
    """Print a row for each kind of damage."""
    print("\nPSNR, dB / distance of textures (seconds for a picture)")
    print("| damage |" + "".join(f" {name} |" for name in ways))
    print("|---" * (len(ways) + 1) + "|")
    for kind in dict.fromkeys(row["damage"] for row in rows):
        of = {row["way"]: row for row in rows if row["damage"] == kind}
        cells = [cell(of[way]) if way in of else "" for way in ways]
        print(f"| {kind} |" + "".join(f" {cell} |" for cell in cells))


if __name__ == "__main__":
    main()

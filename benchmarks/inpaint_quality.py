"""Quality of the inpaint filter against four classical fillers, on fixed holes.

Ways: OpenCV's Telea and Navier-Stokes, scikit-image's biharmonic, PyPI's `pypatchmatch`, and ours.
Holes, by seed: thin (scratches and text, 1 to 5 %), medium (boxes, 10 to 20 %), large (free-form,
30 to 50 %). Figures: signal-to-noise ratio in the hole; perceptual distance, the mean relative
difference of VGG16's features up to relu3_3; Frechet distance of EfficientNet-Lite0's pooled
features, of parts of 128 pixels that touch the hole, between filled pictures and photographs (a
hundred photographs are few for it: compare columns, not papers). Run, with photographs that no
network was trained on:

    pip install opencv-python-headless pypatchmatch
    python benchmarks/inpaint_quality.py --photos DIR --teacher VGG16 [--model FILE.onnx]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pictures import opened, tensor, unit
from PIL import Image as Pillow
from torch import Tensor

from ganfilters import Image, ModelFile, Runtime
from ganfilters_exporters.backbones import BACKBONES
from ganfilters_exporters.data import spread
from ganfilters_exporters.export import add_quality
from ganfilters_exporters.gan.metrics import frechet_distance
from ganfilters_exporters.gan.perceptual import perceptual_distance
from ganfilters_exporters.losses import load_vgg16_features
from ganfilters_exporters.restore.masks import draw_mask
from ganfilters_exporters.task import seed_of
from ganfilters_inpaint import Inpaint, InpaintParams

HOLES = {
    "thin": (("scratches", "text"), 0.01, 0.05),
    "medium": (("boxes",), 0.1, 0.2),
    "large": (("strokes",), 0.3, 0.5),
}
PART = 128

Array = np.ndarray[Any, Any]
Fill = Callable[[Array, Array], Array]


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    photos = sorted(p for p in options.photos.iterdir() if p.suffix in (".jpg", ".png"))
    photos = spread(photos, options.count)
    ways = fillers(options)
    teacher = load_vgg16_features(options.teacher)
    pooled = Pooled()
    rows = []
    for kind in HOLES:
        real: list[Tensor] = []
        made: dict[str, list[Tensor]] = {name: [] for name in ways}
        figures: dict[str, list[list[float]]] = {name: [] for name in ways}
        for number, path in enumerate(photos):
            photo = unit(opened(path, options.size, min))
            hole = hole_of(kind, number, photo.shape[:2])
            real.append(pooled(photo, hole))
            for name, fill in ways.items():
                start = time.perf_counter()
                filled = fill(photo, hole)
                seconds = time.perf_counter() - start
                figures[name].append([*judged(filled, photo, hole, teacher), seconds])
                made[name].append(pooled(filled, hole))
                if options.out:
                    save(filled, options.out / f"{kind}-{path.stem}-{name}.png")
        for name in ways:
            psnr, perceptual, seconds = np.mean(figures[name], axis=0).tolist()
            frechet = frechet_distance(torch.cat(real), torch.cat(made[name]))
            rows.append({"holes": kind, "way": name, "psnr": psnr, "perceptual": perceptual,
                         "frechet": frechet, "seconds": seconds})  # fmt: skip
            print(rows[-1], flush=True)
    table(rows, list(ways))
    if options.write_card:
        write_card(options.model, rows, len(photos))
    if options.json:
        options.json.write_text(json.dumps({"photos": len(photos), "rows": rows}, indent=1))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="in place of the shipped network")
    parser.add_argument("--ways", nargs="*", help="telea ns biharmonic patchmatch gan; all")
    parser.add_argument("--count", type=int, default=100, help="photographs")
    parser.add_argument("--size", type=int, default=256, help="short side, pixels")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="folder for the pictures")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    parser.add_argument("--write-card", action="store_true", help="put ours into MODEL's card")
    options = parser.parse_args()
    if options.write_card and not options.model:
        parser.error("--write-card needs --model")
    return options


def fillers(options: argparse.Namespace) -> dict[str, Fill]:
    """Return the ways to fill, by name; what is not installed is left out, and said so."""
    owner = Inpaint(Runtime("cpu", threads=options.threads))
    given: dict[str, Any] = {"model": ModelFile(options.model)} if options.model else {}

    def ours(**values: Any) -> Fill:
        params = InpaintParams(**values)
        return lambda photo, hole: (
            owner.apply(Image(photo, mask=hole.astype(np.float32)), params).pixels
        )

    def biharmonic(photo: Array, hole: Array) -> Array:
        from skimage.restoration import inpaint_biharmonic

        # In parts, as its authors advise for large holes; without, it takes minutes.
        found = inpaint_biharmonic(photo, hole, channel_axis=-1, split_into_regions=True)
        return np.clip(found, 0, 1).astype(np.float32)

    found: dict[str, Fill] = {
        "telea": ours(method="telea"),
        "ns": ours(method="navier-stokes"),
        "biharmonic": biharmonic,
        "patchmatch": ours(method="patchmatch"),
        "gan": ours(**given),
    }
    return {name: way for name, way in found.items() if name in (options.ways or found)}


def hole_of(kind: str, number: int, shape: tuple[int, ...]) -> Array:
    """Return the hole of a photograph, (H, W) bool, the same in every run."""
    kinds, low, high = HOLES[kind]
    share = low + (high - low) * ((number * 0.618) % 1)
    side = max(shape)
    # Holes are drawn for squares: of what is cut off, too much or too little may be hole.
    for attempt in range(1000):
        seed = seed_of("benchmark", kind, number, attempt)
        mask = draw_mask(side, seed, kinds[number % len(kinds)], share)
        hole: Array = np.asarray(mask)[: shape[0], : shape[1]] > 127
        if low <= hole.mean() <= high:
            return hole
    raise SystemExit(f"no {kind} hole of {low:.0%} to {high:.0%} fits {shape[1]}x{shape[0]} pixels")


def judged(filled: Array, photo: Array, hole: Array, teacher: torch.nn.Module) -> list[float]:
    """Return the ratio in decibels in the hole, and the perceptual distance."""
    error = float(np.square(filled - photo)[hole].mean()) if hole.any() else 0.0
    with torch.no_grad():
        found, wanted = (
            list(teacher(tensor(x), until="relu3_3").values()) for x in (filled, photo)
        )
        return [-10 * float(np.log10(error + 1e-10)), float(perceptual_distance(found, wanted))]


class Pooled:
    """Parts of a picture that touch the hole to EfficientNet-Lite0's pooled features."""

    def __init__(self) -> None:
        backbone = BACKBONES["efficientnet-lite0"](None)
        self.segments = backbone.segments[: len(backbone.layers)]

    @torch.inference_mode()
    def __call__(self, pixels: Array, hole: Array) -> Tensor:
        """Return (parts, channels)."""
        tops, lefts = (range(0, side - PART + 1, PART) for side in hole.shape)
        parts = [
            tensor(pixels[y : y + PART, x : x + PART])
            for y in tops
            for x in lefts
            if hole[y : y + PART, x : x + PART].any()
        ]
        if not parts:
            return torch.zeros(0, 1280)
        features = torch.cat(parts)
        for segment in self.segments:
            features = segment(features)
        return features.mean((2, 3)).clone()


def save(pixels: Array, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(path)


def write_card(model: Path, rows: list[dict[str, Any]], photos: int) -> None:
    """Put the network's own figures into its card."""
    figures: dict[str, float] = {"photos": photos}
    for row in rows:
        if row["way"] == "gan":
            figures |= {f"{f}_{row['holes']}": row[f] for f in ("psnr", "perceptual", "frechet")}
    add_quality(model, figures)


def table(rows: list[dict[str, Any]], ways: list[str]) -> None:
    """Print a row for each kind of hole."""
    print("\nPSNR in the hole, dB / perceptual distance / Frechet distance / seconds")
    print("| holes |" + "".join(f" {name} |" for name in ways))
    print("|---" * (len(ways) + 1) + "|")
    for kind in HOLES:
        cells = []
        for name in ways:
            (row,) = (r for r in rows if r["holes"] == kind and r["way"] == name)
            cells.append(
                f"{row['psnr']:.2f} / {row['perceptual']:.4f} / {row['frechet']:.3f} / "
                f"{row['seconds']:.2f}"
            )
        print(f"| {kind} |" + "".join(f" {cell} |" for cell in cells))


if __name__ == "__main__":
    main()

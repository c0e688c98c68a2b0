"""Make the pictures of the documentation, each with the tool itself.

Run ``python docs/make_pictures.py [NAME...]``; takes some minutes on a CPU.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from ganfilters import Host

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "images"
HOST = Host("cpu")


def photo(name: str, width: int | None = None) -> PIL.Image.Image:
    """Return an example photo, scaled to a width."""
    picture = PIL.Image.open(ROOT / "examples" / f"{name}.jpg").convert("RGB")
    if width is None:
        return picture
    height = round(picture.height * width / picture.width)
    return picture.resize((width, height), PIL.Image.Resampling.LANCZOS)


def dream(picture: PIL.Image.Image | None = None, **params: Any) -> PIL.Image.Image:
    """Apply the dream filter."""
    if picture is None:
        made = HOST.apply("dream", **params)
        return PIL.Image.fromarray(np.rint(made.pixels * 255).astype(np.uint8))
    return HOST.apply("dream", picture, **params)


def sheet(cells: list[tuple[str, PIL.Image.Image]], columns: int) -> PIL.Image.Image:
    """Lay pictures of one size out in rows, each with its label below."""
    width, height = cells[0][1].size
    label = 22
    rows = -(-len(cells) // columns)
    result = PIL.Image.new(
        "RGB", (columns * (width + 6) - 6, rows * (height + label + 4) - 4), "white"
    )
    draw = PIL.ImageDraw.Draw(result)
    font = PIL.ImageFont.load_default(14)
    for index, (text, picture) in enumerate(cells):
        left = index % columns * (width + 6)
        top = index // columns * (height + label + 4)
        result.paste(picture, (left, top))
        draw.text((left + 2, top + height + 2), text, fill="black", font=font)
    return result


def before_after() -> PIL.Image.Image:
    """README: a photo, and its dream with the defaults."""
    cat = photo("chelsea")
    return sheet([("examples/chelsea.jpg", cat), ("ganfilters apply dream", dream(cat))], 2)


def six() -> PIL.Image.Image:
    """Six dreams that show what the filter can do."""
    size = (480, 320)
    rocket = photo("rocket", 480).crop((0, 0, *size))
    coffee = photo("coffee", 480)
    cat = photo("chelsea", 481).crop((0, 0, *size))
    woman = photo("astronaut", 480).crop((0, 30, 480, 350))
    return sheet(
        [
            ("rocket.jpg", dream(rocket)),
            ("chelsea.jpg --preset animals", dream(cat, preset="animals")),
            ("astronaut.jpg --preset eyes", dream(woman, preset="eyes")),
            ("coffee.jpg --preset curves", dream(coffee, preset="curves")),
            (
                "rocket.jpg --guide chelsea.jpg",
                dream(rocket, guide=photo("chelsea"), iterations=24),
            ),
            ("--layers stage5 --size 480x320", dream(layers="stage5", size=size, seed=4)),
        ],
        2,
    )


def presets() -> PIL.Image.Image:
    """Every preset on one photo."""
    woman = photo("astronaut").crop((40, 0, 340, 300))
    names = HOST.registry.get("dream").filter.Params.presets
    cells = [("(the photo)", woman), ("(defaults)", dream(woman))]
    for name in names:
        of = {"dream_of": "tabby cat"} if name == "vision" else {}
        label = f'{name} --dream-of "tabby cat"' if of else name
        cells.append((label, dream(woman, preset=name, **of)))
    return sheet(cells, 4)


def noise() -> PIL.Image.Image:
    """Dreams from noise: classes and layers."""
    cells = []
    for name in ("tabby cat", "goldfish", "castle", "monarch butterfly"):
        made = dream(preset="vision", dream_of=name, size=(288, 288), seed=1)
        cells.append((f'--preset vision --dream-of "{name}"', made))
    for layers in ("stage3", "stage5", "stage4:24", "stage5:48"):
        made = dream(layers=layers, size=(288, 288), iterations=20, seed=1)
        cells.append((f"--layers {layers}", made))
    return sheet(cells, 4)


def save(picture: PIL.Image.Image, path: Path, limit: int = 300_000) -> None:
    """Write a JPEG in the best quality that stays under a number of bytes."""
    for quality in range(90, 40, -4):
        picture.save(path, quality=quality, optimize=True, progressive=True)
        if path.stat().st_size < limit:
            return
    raise SystemExit(f"{path} is over {limit} bytes; make it smaller")


PICTURES: dict[str, Callable[[], PIL.Image.Image]] = {
    "before-after": before_after,
    "six": six,
    "presets": presets,
    "noise": noise,
}


def main() -> None:
    """Make the named pictures, or all."""
    OUT.mkdir(exist_ok=True)
    for name in sys.argv[1:] or PICTURES:
        save(PICTURES[name](), OUT / f"dream-{name}.jpg")
        print(OUT / f"dream-{name}.jpg")  # noqa: T201


if __name__ == "__main__":
    main()

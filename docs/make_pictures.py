"""Make the pictures of the documentation, each with the tool itself.

Run ``python docs/make_pictures.py [NAME...]``; takes some minutes on a CPU.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import PIL.ImageOps

from ganfilters import Host, contact_sheet

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


def style(picture: PIL.Image.Image, **params: Any) -> PIL.Image.Image:
    """Apply the style filter and show the result at half its size: photographs are large."""
    half = picture.width // 2, picture.height // 2
    return HOST.apply("style", picture, **params).resize(half, PIL.Image.Resampling.LANCZOS)


def styles() -> PIL.Image.Image:
    """Every named style on one photo."""
    made = contact_sheet(HOST, "style", photo("chelsea"), thumbnail=300, across=5)
    return PIL.Image.fromarray(np.rint(made.pixels * 255).astype(np.uint8))


def style_subjects() -> PIL.Image.Image:
    """Paint a portrait, a rocket, a still life and a cat in four styles each."""
    size = (640, 426)
    subjects = [
        photo("astronaut", 1024).crop((60, 0, 700, 426)),
        photo("rocket", 640).crop((0, 0, *size)),
        photo("coffee", 640).crop((0, 0, *size)),
        photo("chelsea", 640).crop((0, 0, *size)),
    ]
    names = ("starry-night", "great-wave", "tahiti", "composition-vii")
    return sheet([(f"--style {n}", style(p, style=n)) for p in subjects for n in names], 4)


def style_refined() -> PIL.Image.Image:
    """Photos as painted in one pass, and refined."""
    subjects = {"chelsea": "starry-night", "astronaut": "great-wave", "coffee": "udnie"}
    pictures = {name: photo(name, 512) for name in subjects}
    box = (420, 280)
    cells = []
    for extra in ({}, {"refine": 40}):
        for name, which in subjects.items():
            painted = HOST.apply("style", pictures[name], style=which, **extra)
            label = " ".join([f"--style {which}", *(f"--{k} {v}" for k, v in extra.items())])
            cells.append((label, PIL.ImageOps.fit(painted, box, centering=(0.5, 0.2))))
    return sheet(cells, len(subjects))


def style_options() -> PIL.Image.Image:
    """Blends, any painting, strokes, colours, two styles."""
    cat = photo("chelsea", 840).crop((0, 0, 840, 558))
    ramp = PIL.Image.linear_gradient("L").rotate(90).resize(cat.size)
    wave: dict[str, Any] = {"style": "great-wave"}
    return sheet(
        [
            ("--style great-wave", style(cat, **wave)),
            ("--style great-wave=1,scream=1", style(cat, style="great-wave=1,scream=1")),
            ("--style-image rocket.jpg", style(cat, style_image=[photo("rocket")])),
            ("--style starry-night --palette 0", style(cat, style="starry-night", palette=0)),
            ("--style starry-night --palette 1", style(cat, style="starry-night", palette=1)),
            ("--stroke-scale 0.5", style(cat, stroke_scale=0.5, **wave)),
            ("--stroke-scale 2", style(cat, stroke_scale=2, **wave)),
            ("--grain 0.2", style(cat, grain=0.2, **wave)),
            (
                "--split ramp.png --other-style scream",
                style(cat, split=ramp, other_style="scream", **wave),
            ),
            ("--preserve-color luminance", style(cat, preserve_color="luminance", **wave)),
            ("--preserve-color histogram", style(cat, preserve_color="histogram", **wave)),
            ("--strength 0.5", style(cat, strength=0.5, **wave)),
        ],
        3,
    )


def latent(size: int | None = None, **params: Any) -> PIL.Image.Image:
    """Draw from the latent space, enlarged to a side."""
    shape = {} if size is None else {"size": (size, size)}
    made = HOST.apply("latent", None, **params, **shape)
    return PIL.Image.fromarray(np.rint(made.pixels * 255).astype(np.uint8))


def latent_classes() -> PIL.Image.Image:
    """Four pictures of each class, as they come."""
    classes = HOST.registry.get("latent").filter.models[0].card.extra["classes"]
    return sheet([(name, latent(class_=name, grid=(2, 2), seed=11)) for name in classes], 4)


def latent_kmnist() -> PIL.Image.Image:
    """Twelve characters of each class, from both networks."""
    cells = []
    for model in ("kmnist", "kmnist-dense"):
        whole = PIL.Image.new("RGB", (12 * 28, 10 * 28))
        for number in range(10):
            row = latent(model=model, class_=str(number), grid=(12, 1), seed=1)
            whole.paste(row, (0, 28 * number))
        cells.append((f"--model {model}", whole))
    return sheet(cells, 2)


def latent_edits() -> PIL.Image.Image:
    """One picture, mixed, edited, truncated; another from a photo."""
    plain: dict[str, Any] = {"size": 192, "seed": 13, "class_": "volcano"}
    rocket = photo("rocket").crop((110, 0, 110 + 427, 427)).resize((192, 192))
    found = HOST.apply("latent", rocket, project=True)
    return sheet(
        [
            ("--seed 13 --class volcano", latent(**plain)),
            ("--truncation 0", latent(**plain, truncation=0)),
            ("--truncation 1.1", latent(**plain, truncation=1.1)),
            ("--class volcano,coast", latent(**{**plain, "class_": "volcano,coast"})),
            ("--mix-seed 3", latent(**plain, mix_seed=3)),
            ("--edit pc1=1", latent(**plain, edit="pc1=1")),
            ("--edit pc1=-1", latent(**plain, edit="pc1=-1")),
            ("--edit pc2=1", latent(**plain, edit="pc2=1")),
            ("rocket.jpg", rocket),
            ("--project", found),
        ],
        5,
    )


def denoised() -> PIL.Image.Image:
    """Grain, strong noise and JPEG, cut from photos: as they are, cleaned, and with texture."""
    damages: list[
        tuple[str, str, tuple[int, int], Callable[[PIL.Image.Image], PIL.Image.Image]]
    ] = [
        ("astronaut", "grain, deviation 15", (150, 20), lambda p: grainy(p, 15)),
        ("chelsea", "deviation 40", (90, 60), lambda p: grainy(p, 40)),
        ("coffee", "JPEG, quality 10", (210, 90), lambda p: jpeg(p, 10)),
    ]
    cells = []
    for name, label, (left, top), damage in damages:
        damaged = damage(photo(name))
        box = (left, top, left + 230, top + 230)
        cells += [
            (label, damaged.crop(box)),
            ("ganfilters apply denoise", HOST.apply("denoise", damaged).crop(box)),
            ("--texture 1", HOST.apply("denoise", damaged, texture=1.0).crop(box)),
        ]
    return sheet([*cells[::3], *cells[1::3], *cells[2::3]], 3)


def inpainted() -> PIL.Image.Image:
    """Show towers, scratches with letters, and a cup: each with its hole, and filled."""

    def towers(draw: PIL.ImageDraw.ImageDraw) -> None:
        draw.polygon([(194, 118), (206, 118), (216, 384), (160, 384)], fill=255)
        draw.polygon([(438, 118), (452, 118), (482, 392), (432, 392)], fill=255)

    def scratches(draw: PIL.ImageDraw.ImageDraw) -> None:
        draw.line((60, 20, 300, 480), fill=255, width=5)
        draw.line((330, 10, 280, 210, 310, 500), fill=255, width=3)
        draw.text((60, 290), "HOLIDAYS 1969", fill=255, font=PIL.ImageFont.load_default(44))

    def cup(draw: PIL.ImageDraw.ImageDraw) -> None:
        draw.ellipse((162, 8, 416, 222), fill=255)
        draw.polygon([(165, 110), (414, 110), (404, 220), (330, 262), (215, 245)], fill=255)
        draw.polygon([(398, 60), (430, 62), (425, 95), (400, 210), (360, 200)], fill=255)
        draw.ellipse((186, 220, 270, 316), fill=255)
        draw.ellipse((306, 216, 414, 334), fill=255)

    cells = []
    for name, shape in (("rocket", towers), ("astronaut", scratches), ("coffee", cup)):
        picture = photo(name)
        mask = PIL.Image.new("L", picture.size)
        shape(PIL.ImageDraw.Draw(mask))
        filled = HOST.apply("inpaint", picture, mask=mask, dilate=1)
        holed = picture.copy()
        holed.paste("white", mask=mask)
        size = (400, 300)
        ways = (("the hole", holed), ("ganfilters apply inpaint", filled))
        cells += [(label, PIL.ImageOps.fit(made, size)) for label, made in ways]
    return sheet([*cells[::2], *cells[1::2]], 3)


def outpainted() -> PIL.Image.Image:
    """Show a picture as it is, and with more at its sides."""
    picture = photo("coffee").resize((420, 280), PIL.Image.Resampling.LANCZOS)
    made = HOST.apply("outpaint", picture, expand=(90, 60, 90, 60))
    before = PIL.Image.new("RGB", made.size, "white")
    before.paste(picture, (90, 60))
    option = "ganfilters apply outpaint --expand 90,60,90,60"
    return sheet([("coffee.jpg", before), (option, made)], 2)


def grainy(picture: PIL.Image.Image, deviation: float) -> PIL.Image.Image:
    """Add noise, as in an 8-bit file."""
    noise = np.random.default_rng(0).normal(0, deviation, (*picture.size[::-1], 3))
    return PIL.Image.fromarray(np.rint(np.asarray(picture) + noise).clip(0, 255).astype(np.uint8))


def jpeg(picture: PIL.Image.Image, quality: int) -> PIL.Image.Image:
    """Encode and decode."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return PIL.Image.open(file).convert("RGB")


def save(picture: PIL.Image.Image, path: Path, limit: int = 300_000) -> None:
    """Write a JPEG in the best quality that stays under a number of bytes."""
    for quality in range(90, 40, -4):
        picture.save(path, quality=quality, optimize=True, progressive=True)
        if path.stat().st_size < limit:
            return
    raise SystemExit(f"{path} is over {limit} bytes; make it smaller")


PICTURES: dict[str, Callable[[], PIL.Image.Image]] = {
    "dream-before-after": before_after,
    "dream-six": six,
    "dream-presets": presets,
    "dream-noise": noise,
    "style-sheet": styles,
    "style-subjects": style_subjects,
    "style-refined": style_refined,
    "style-options": style_options,
    "latent-classes": latent_classes,
    "latent-kmnist": latent_kmnist,
    "latent-edits": latent_edits,
    "inpaint": inpainted,
    "outpaint": outpainted,
    "denoise": denoised,
}


def main() -> None:
    """Make the named pictures, or all."""
    OUT.mkdir(exist_ok=True)
    for name in sys.argv[1:] or PICTURES:
        save(PICTURES[name](), OUT / f"{name}.jpg")
        print(OUT / f"{name}.jpg")  # noqa: T201


if __name__ == "__main__":
    main()

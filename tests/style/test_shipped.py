"""The network that ships: its names, its size, and that it paints."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from ganfilters import Host
from ganfilters_style import STYLES, Style

PHOTO = Path(__file__).parents[2] / "examples/coffee.jpg"


def test_the_names_are_those_of_the_card() -> None:
    card = Style.models[0].card_for("style")
    assert tuple(style["name"] for style in card.extra["styles"]) == STYLES
    assert all(style["title"] for style in card.extra["styles"])
    assert card.extra["any_painting"]
    assert card.parity is not None
    assert not any("/" in source for source in card.data)
    assert Style.models[0].path.stat().st_size < 12e6


def test_styles_differ_from_the_photo_and_from_one_another() -> None:
    host = Host("cpu", threads=1)
    photo = np.asarray(Pillow.open(PHOTO).convert("RGB").resize((192, 128)))
    made = [photo, *(host.apply("style", photo, style=name) for name in STYLES)]
    made.append(host.apply("style", photo, style_image=[PHOTO]))
    for number, first in enumerate(made):
        for second in made[number + 1 :]:
            assert np.abs(first.astype(int) - second.astype(int)).mean() > 5
    # Painted, not erased: edges of the cup are where they were.
    grey = [x.astype(float).mean(2) for x in made]
    edges = [np.hypot(*np.gradient(x)) for x in grey]
    for painted in edges[1:]:
        assert np.corrcoef(edges[0].ravel(), painted.ravel())[0, 1] > 0.15


def test_strokes_are_as_large_as_asked_for() -> None:
    host = Host("cpu", threads=1)
    photo = np.asarray(Pillow.open(PHOTO).convert("RGB").resize((384, 256)))
    for name in ("starry-night", "great-wave", "udnie"):
        fineness = []
        for scale in (0.5, 1, 2, 4):
            made = host.apply("style", photo, style=name, stroke_scale=scale)
            spectrum = np.abs(np.fft.rfft2(made.astype(float).mean(2) - made.mean())) ** 2
            frequency = np.hypot(*np.meshgrid(np.fft.rfftfreq(384), np.fft.fftfreq(256)))
            fineness.append((spectrum * frequency).sum() / spectrum.sum())
        assert all(a > 1.05 * b for a, b in pairwise(fineness)), (name, fineness)

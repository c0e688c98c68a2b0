"""Small style networks, exported once, and a way to use them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from ganfilters_exporters.style.export import StyleGraph, export_style
from ganfilters_exporters.style.looks import lengthened
from ganfilters_exporters.style.network import StyleTable, Stylizer
from ganfilters_exporters.style.predictor import PaintingStatistics, Predictor
from ganfilters_style.colour import colour_moments

from ..exported import exported_once
from ..exporters.style_toys import TINY, backbone

NAMES = ("calm", "wild", "dark")


PALETTE = 0.5


def _export(
    out: Path, *, named: bool, any_painting: bool, looks: torch.Tensor | None = None
) -> None:
    torch.manual_seed(5)
    net = Stylizer(TINY).eval()
    table = StyleTable(NAMES, net.neutral())
    predictor = seen = None
    with torch.no_grad():
        table.styles.add_(0.4 * torch.randn(table.styles.shape))
        if any_painting:
            seen = PaintingStatistics(backbone())
            predictor = Predictor(seen.size, net.neutral(), 16, 8)
            predictor.outer.weight.mul_(20)
            predictor.calibrate(seen(torch.rand(8, 3, 64, 64)))
    styles = [{"name": n, "title": n.title(), "source": "toy"} for n in NAMES] if named else []
    extra = {"painting_size": 96, **({} if looks is None else {"palette": PALETTE})}
    export_style(
        StyleGraph(net, table if named else None, predictor, seen, looks), out, styles,
        name=out.stem, title=f"Toy, {out.stem}", overwrite=False,
        card={"command": "test", "licence": "CC0-1.0", "extra": extra},
    )  # fmt: skip


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with named styles that looks at paintings too."""
    export = partial(_export, named=True, any_painting=True)
    return exported_once(tmp_path_factory, "both.onnx", export)


@pytest.fixture(scope="session")
def named(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with named styles only."""
    export = partial(_export, named=True, any_painting=False)
    return exported_once(tmp_path_factory, "named.onnx", export)


@pytest.fixture(scope="session")
def nameless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network without named styles, which looks at paintings."""
    export = partial(_export, named=False, any_painting=True)
    return exported_once(tmp_path_factory, "nameless.onnx", export)


@pytest.fixture(scope="session")
def coloured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network as `both`, trained with a palette, that knows the colours of all styles but dark.

    Those of calm are blue and orange, those of wild red.
    """
    rng = np.random.default_rng(1)
    mixes = np.array([[[0.2, 0.02, -0.2], [0, 0.1, 0], [0, 0, 0.02]], np.diag([0.2, 0.02, 0.02])])
    means = np.array([[0.5, 0.5, 0.5], [0.7, 0.2, 0.2]])
    looks = lengthened(torch.zeros(len(NAMES), 0))
    for number in range(2):
        pixels = means[number] + 0.5 * rng.standard_normal((100, 100, 3)) @ mixes[number]
        factor = np.linalg.cholesky(colour_moments(pixels.astype(np.float32)).astype(float))
        looks[number, -factor.size :] = torch.from_numpy(factor.ravel())
    export = partial(_export, named=True, any_painting=True, looks=looks)
    return exported_once(tmp_path_factory, "coloured.onnx", export)


@pytest.fixture
def photo() -> np.ndarray:
    """A soft picture with some grain, uint8."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 200, 72)[:, None, None] + np.array([0, 20, 40])
    return np.clip(ramp + rng.integers(0, 40, (72, 96, 3)), 0, 255).astype(np.uint8)

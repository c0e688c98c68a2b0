"""What a style network paints on in training, and what is done with what it painted."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ganfilters_exporters.data import load_pictures
from ganfilters_exporters.style import palette
from ganfilters_exporters.style.ground import grained, half_lit
from ganfilters_exporters.style.network import Stylizer
from ganfilters_exporters.style.paintings import find_paintings, load_painting
from ganfilters_exporters.style.predictor import PaintingStatistics
from ganfilters_exporters.style.tasks import AnyStyle, NamedStyles, StyleConfig
from ganfilters_exporters.trainer import TrainConfig, Trainer
from ganfilters_style.colour import colour_moments, towards_palette
from ganfilters_style.colour import half_lit as half_lit_by_the_filter

from .style_toys import TINY, backbone, loss_network, pictures


def test_grain_has_the_deviation_asked_for() -> None:
    grey = torch.full((3, 3, 64, 96), 0.5)
    amounts = torch.tensor([0.0, 0.03, 0.06])
    made = grained(grey, amounts, torch.Generator().manual_seed(1))
    assert torch.equal(made[0], grey[0])
    torch.testing.assert_close(made.std((1, 2, 3)), amounts, rtol=0.25, atol=1e-6)
    assert torch.equal(made, grained(grey, amounts, torch.Generator().manual_seed(1)))


def test_what_is_painted_over_is_lit_as_the_filter_lights_it() -> None:
    rng = np.random.default_rng(0)
    painting, photo = (rng.random((40, 56, 3), np.float32) * k for k in (0.9, 0.4))
    lit = half_lit(*(torch.from_numpy(x).permute(2, 0, 1)[None] for x in (painting, photo)))
    expected = half_lit_by_the_filter(painting, photo)
    np.testing.assert_allclose(lit[0].permute(1, 2, 0).numpy(), expected, atol=1e-4)


def test_a_palette_is_taken_as_the_filter_takes_it() -> None:
    rng = np.random.default_rng(0)
    mixes = 0.4 * rng.random((2, 3, 3))
    painted = (0.3 + rng.random((2, 40, 56, 3)) @ mixes[:, None]).clip(0, 1).astype(np.float32)
    painted[1] = 0.5 + 0.01 * (painted[1] - 0.5)  # a plain one
    paintings = rng.random((2, 64, 48, 3), np.float32) ** 2
    both = [torch.from_numpy(x).permute(0, 3, 1, 2) for x in (painted, paintings)]
    both[0].requires_grad_()
    wanted = palette.mean_and_covariance(both[1])
    for share in (0.5, 1.0):
        moved = palette.towards(both[0], wanted, share)
        for number in range(2):
            moments = colour_moments(paintings[number])
            expected = towards_palette(painted[number], moments, share)
            found = moved[number].detach().permute(1, 2, 0).numpy()
            np.testing.assert_allclose(found, expected, atol=2e-4)
    palette.towards(both[0], wanted, 0.5).sum().backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(both[0].grad).all()
    assert palette.towards(both[0], wanted, 0.0) is both[0]
    broken = both[0].detach().clone()
    broken[0, 0, 0, 0] = torch.nan
    assert palette.towards(broken, wanted, 0.5) is broken  # for the loss to tell of
    flat = torch.full((1, 3, 8, 8), 0.5)
    assert torch.isfinite(palette.towards(flat, palette.mean_and_covariance(flat), 1.0)).all()


def test_a_step_paints_on_grain_or_over_what_was_painted(tmp_path: Path) -> None:
    photos = load_pictures([pictures(tmp_path / "photos", 4)], 64)
    paintings = find_paintings([pictures(tmp_path / "styles", 2, stripes=True)], {})

    def ground(step: int = 3, process: int = 0, **how: float) -> torch.Tensor:
        torch.manual_seed(0)
        chosen = StyleConfig(size=64, style_size=64, batch=2, **how)
        task = NamedStyles(chosen, photos, paintings, loss_network(), Stylizer(TINY))
        task.accelerator = SimpleNamespace(process_index=process)
        return task.ground(photo, task.net.neutral().expand(2, -1, -1), step)

    photo = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    assert torch.equal(ground(grain=0.0, overpaint=0.0), photo)
    assert not torch.equal(ground(grain=0.1, overpaint=0.0), photo)
    over = ground(grain=0.0, overpaint=1.0)
    assert over.shape == photo.shape
    assert not over.requires_grad
    assert (over - photo).abs().mean() > 0.05
    # The step alone decides, so that a run that goes on is the run that did not stop.
    assert torch.equal(ground(grain=0.1), ground(grain=0.1))
    assert not torch.equal(ground(grain=0.1, overpaint=0.0), ground(4, grain=0.1, overpaint=0.0))
    # All processes paint over in the same steps, or one would wait for another.
    over = [[torch.equal(ground(n, p, grain=0.0), photo) for n in range(6)] for p in (0, 1)]
    assert over[0] == over[1]
    assert set(over[0]) == {False, True}


@pytest.mark.parametrize("corpus", [False, True])
def test_the_loss_sees_what_the_filter_shows(
    tmp_path: Path, corpus: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each picture in the colours of its own painting, named or of the corpus."""
    torch.manual_seed(0)
    photos = load_pictures([pictures(tmp_path / "photos", 4)], 64)
    folder = pictures(tmp_path / "styles", 2, stripes=True)
    paintings = find_paintings([folder], {})
    how = StyleConfig(
        size=64, style_size=64, corpus_size=64, batch=2, grain=0.0, overpaint=0.0, palette=1.0
    )
    if corpus:
        seen = PaintingStatistics(backbone())
        many = load_pictures([folder], 160)
        task = AnyStyle(how, photos, many, loss_network(), Stylizer(TINY), seen, paintings)
    else:
        task = NamedStyles(how, photos, paintings, loss_network(), Stylizer(TINY))
    Trainer(task, tmp_path / "run", TrainConfig(steps=1, device="cpu", quiet=True))
    task.setup()
    batch = task.batch(0)
    judged: list[torch.Tensor] = []

    def judge(painted: torch.Tensor, *_: object) -> dict[str, torch.Tensor]:
        judged.append(painted)
        return {"loss": painted.mean()}

    monkeypatch.setattr(task.loss, "forward", judge)
    task.step(batch, 0)
    chosen = [load_painting(paintings[int(number)], 64)[0] for number in batch[1]]
    styles = [*chosen, *(batch[2] if corpus else ())]
    assert len(styles) == 2
    for made, painting in zip(judged[0], styles, strict=True):
        wanted = palette.mean_and_covariance(painting[None])
        again = palette.towards(made[None], wanted, 1.0)
        # What is there already moves no further, but for what was clipped or would stretch too far.
        assert (again - made).abs().mean() < 0.1
        assert (made.mean((1, 2)) - painting.mean((1, 2))).abs().max() < 0.15

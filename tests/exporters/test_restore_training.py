"""Training end to end on tiny networks: it learns, goes on, and exports what it trained."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import nn
from torch.nn import functional

from ganfilters.errors import UsageError
from ganfilters.models import ModelFile
from ganfilters_exporters import export
from ganfilters_exporters.backbones.vgg16 import GROUPS
from ganfilters_exporters.checkpoints import read_checkpoint, write_checkpoint
from ganfilters_exporters.gan_commands import evaluate
from ganfilters_exporters.losses import LAYERS
from ganfilters_exporters.restore import denoising
from ganfilters_exporters.restore import evaluate as evaluating
from ganfilters_exporters.restore import train as training
from ganfilters_exporters.restore.denoiser import Denoiser
from ganfilters_exporters.restore.denoising import clean
from ganfilters_exporters.restore.evaluate import SIGMAS, evaluate_denoise
from ganfilters_exporters.restore.filler import Filler
from ganfilters_exporters.restore.filling import Filling
from ganfilters_exporters.restore.masks import draw_masks
from ganfilters_exporters.restore.train import train_denoise, train_inpaint
from ganfilters_exporters.restore.trained import read_denoiser, read_filler
from ganfilters_exporters.restore_commands import denoise, inpaint
from ganfilters_exporters.trainer import Trainer

from .restore_toys import (
    DENOISER,
    FILLER,
    backbone,
    changed,
    denoise_request,
    inpaint_request,
    loss_network,
    pictures,
    quick,
)


def log(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def fill(request: Any, steps: int, **config: Any) -> Any:
    return train_inpaint(
        request, quick(steps, **config), loss_network=loss_network(), backbone=backbone
    )


def test_filling_learns_and_is_exported(tmp_path: Path) -> None:
    request = inpaint_request(tmp_path, warm_up=40, guessed=0.2, average=0.9)
    fill(request, 60)
    task = _filling(request)
    photos, masks = (
        task.pictures.pixels.permute(0, 3, 1, 2)[..., :64, :64] / 255,
        draw_masks(4, 64, 5),
    )
    none, noise = torch.zeros(4, 4, 64, 64), torch.zeros_like(masks)
    trained = read_filler(request.run / "checkpoint.pt").eval()
    errors = []
    for network in (Filler(FILLER).eval(), trained):
        with torch.no_grad():
            errors.append(float((network(photos, masks, none, noise) - photos).abs().mean()))
    assert errors[1] < 0.96 * errors[0]
    lines = log(request.run)
    assert "discriminator" not in lines[0]
    assert {"discriminator", "game", "real_score", "fake_score"} <= set(lines[-1])
    with Image.open(request.run / "samples" / "0000060.png") as sheet:
        assert sheet.size == (4 * 66 - 2, 4 * 66 - 2)
    card = ModelFile(request.out).card_for("inpaint")
    assert card.size_multiple == 16
    assert card.extra["training"]["size"] == 64
    assert card.parity is not None
    assert len(card.parity.measured) == 3
    session = export.session(request.out, 1)
    rng = np.random.default_rng(0)
    image = rng.random((1, 3, 64, 80), np.float32)
    mask = np.zeros((1, 1, 64, 80), np.float32)
    mask[..., 20:40, 20:50] = 1
    feeds = {
        "image": image, "mask": mask, "guess": np.zeros((1, 4, 64, 80), np.float32),
        "noise": np.zeros_like(mask),
    }  # fmt: skip
    (filled,) = session.run(None, feeds)
    assert np.array_equal(filled * (1 - mask), image * (1 - mask))
    hidden = np.where(mask == 1, 0.3, image).astype(np.float32)
    (again,) = session.run(None, {**feeds, "image": hidden})
    assert np.abs(again - filled).max() < 1e-6, "the hole's own content was looked at"
    with pytest.raises(FileExistsError, match="--overwrite"):
        fill(dataclasses.replace(request, run=tmp_path / "new"), 2)


def test_another_run_begins_with_the_weights(tmp_path: Path) -> None:
    first = dataclasses.replace(inpaint_request(tmp_path), export=False)
    fill(first, 4)
    second = dataclasses.replace(first, init=first.run, run=tmp_path / "second")
    second = changed(second, rate=1e-12)
    fill(second, 1)
    states = [
        torch.load(run / "checkpoint.pt")["averages"]["generator"]
        for run in (first.run, second.run)
    ]
    assert all(torch.allclose(states[0][k], states[1][k], atol=1e-6) for k, v in states[0].items()
               if v.is_floating_point() and "running" not in k)  # fmt: skip
    with pytest.raises(UsageError, match="no folder of a run of `ganfilters train denoise`"):
        train_denoise(
            dataclasses.replace(denoise_request(tmp_path), init=first.run), quick(1),
            backbone=backbone,
        )  # fmt: skip


def test_an_exported_file_begins_another_run(tmp_path: Path) -> None:
    filling = inpaint_request(tmp_path)
    fill(filling, 3)
    cleaning = denoise_request(tmp_path)
    train_denoise(cleaning, quick(3), backbone=backbone)
    for read, request in ((read_filler, filling), (read_denoiser, cleaning)):
        run, file = (read(path).state_dict() for path in (request.run, request.out))
        for name, weight in run.items():
            if not name.endswith("num_batches_tracked"):
                torch.testing.assert_close(file[name], weight, rtol=1e-4, atol=1e-5)
    for path in (filling.out, tmp_path / "none.onnx"):
        path.touch()
        with pytest.raises(UsageError, match=r"the filter inpaint; --init needs|not a model of"):
            read_denoiser(path)


def _filling(request: Any) -> Filling:
    torch.manual_seed(0)
    pictures = training._load(request, request.how.size, request.how.zoom)
    features = training.LiteFeatures(backbone(), request.how.size)
    return Filling(request.how, pictures, Filler(FILLER), features, loss_network())


def test_things_are_laid_on_the_photographs_of_a_step(tmp_path: Path) -> None:
    bare, laid = (_filling(inpaint_request(tmp_path, objects=share)) for share in (0.0, 1.0))
    for task in (bare, laid):
        Trainer(task, tmp_path / "run", quick(1))
    for step in (0, 1):
        photos, others = bare.batch(step).photos, laid.batch(step).photos
        assert (photos != others).flatten(1).any(1).all()
        assert torch.equal(others, laid.batch(step).photos)


def test_interrupted_filling_ends_the_same(tmp_path: Path) -> None:
    request = inpaint_request(tmp_path, warm_up=2)
    whole = _filling(request)
    Trainer(whole, tmp_path / "whole", quick(5, checkpoint_every=3)).run()
    Trainer(_filling(request), tmp_path / "parts", quick(3)).run()
    second = _filling(request)
    Trainer(second, tmp_path / "parts", quick(5)).run()
    for found in (lambda task: task.plain("generator"), lambda task: task.best("generator"),
                  lambda task: task.plain("discriminator")):  # fmt: skip
        one, other = (found(task).state_dict() for task in (whole, second))
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_run_goes_on_with_the_side_of_its_features(tmp_path: Path) -> None:
    request = dataclasses.replace(inpaint_request(tmp_path), export=False)
    fill(request, 1)
    with pytest.raises(UsageError, match=r"run with feature_size = 128, not 64"):
        fill(changed(request, feature_size=64), 2)
    # A run of before it said so is told by its weights.
    state = read_checkpoint(request.run)
    identity = json.loads(state["identity"])  # type: ignore[index]
    del identity["feature_size"]
    write_checkpoint(request.run, {**state, "identity": json.dumps(identity)})  # type: ignore[dict-item]
    with pytest.raises(UsageError, match="holds a run of other networks than these; choose"):
        fill(changed(request, feature_size=64), 2)
    assert fill(request, 2).step == 2


def test_another_frozen_network_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = dataclasses.replace(inpaint_request(tmp_path), export=False)
    fill(request, 1)
    fill(request, 2, quiet=False)
    assert "from here on" not in capsys.readouterr().err
    teacher = loss_network()
    next(teacher.parameters()).data.mul_(2)
    train_inpaint(request, quick(3, quiet=False), loss_network=teacher, backbone=backbone)
    said = capsys.readouterr().err
    assert said.count("frozen_weights.") == 1
    assert "frozen_weights.teacher is " in said


def test_other_layers_of_a_run_from_before_are_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = dataclasses.replace(inpaint_request(tmp_path), export=False)
    fill(request, 1)
    config = request.run / "config.json"
    noted = json.loads(config.read_text())
    assert noted["how"].pop("layers") == ["relu1_2", "relu2_2", "relu3_3"]
    config.write_text(json.dumps(noted))
    for step, times in ((2, 1), (3, 0)):
        fill(request, step, quiet=False)
        said = capsys.readouterr().err
        assert said.count("distance is of relu1_2, relu2_2, relu3_3 from here on") == times
        assert "how.layers" not in said
    monkeypatch.setattr(training, "PERCEPTUAL_LAYERS", ("relu1_2",))
    fill(request, 4, quiet=False)
    assert 'how.layers is ["relu1_2"] from here on; it was' in capsys.readouterr().err


class _Named(nn.Module):
    """As the real loss network, which knows every convolution; NaN for those not compared."""

    def forward(self, image: torch.Tensor, until: str) -> dict[str, torch.Tensor]:
        names = [
            f"relu{group}_{n}" for group in (1, 2, 3, 4) for n in range(1, GROUPS[group - 1] + 1)
        ]
        names = names[: names.index(until) + 1]
        return {name: image * (1.0 if name in LAYERS else torch.nan) for name in names}


def test_filling_compares_the_layers_it_says(tmp_path: Path) -> None:
    task = _filling(inpaint_request(tmp_path))
    task.frozen["teacher"] = _Named()
    found, wanted = torch.rand(2, 1, 3, 8, 8)
    expected = (found - wanted).abs().mean() / wanted.abs().mean()
    assert float(task._near(found, wanted)) == pytest.approx(float(expected), rel=1e-4)


def test_only_patches_at_the_hole_are_judged(tmp_path: Path) -> None:
    task = _filling(inpaint_request(tmp_path))
    Trainer(task, tmp_path / "run", quick(1))
    masks = torch.zeros(2, 1, 64, 64)
    masks[0, :, :8, :8] = 1
    touched = task.touched(masks)
    assert 0 < int(touched[0].sum()) <= len(task.patches)
    assert int(touched[1].sum()) == 0
    # What the hole only grazes is left out, unless nothing shows more of it.
    grazed = torch.zeros(1, 1, 64, 64)
    grazed[..., :34, :32] = 1
    side = task.patches[0]
    first = task.touched(grazed)[0, : side**2].view(side, side)
    shares = functional.adaptive_avg_pool2d(grazed, side)[0, 0]
    assert ((shares > 0) & (shares < 0.5)).any()
    assert torch.equal(first, shares >= 0.5)
    thin = torch.zeros(1, 1, 64, 64)
    thin[..., 7] = 1
    assert task.touched(thin).any()
    features = task.frozen["features"](torch.zeros(2, 3, 64, 64))
    assert task._scores(features, touched).shape == (int(touched.sum()),)


@pytest.mark.parametrize("loss", ["hinge", "nonsaturating"])
def test_a_gradient_reaches_every_weight(tmp_path: Path, loss: str) -> None:
    task = _filling(inpaint_request(tmp_path, loss=loss))
    Trainer(task, tmp_path / "run", quick(1))._one_step()
    for name, network in task.modules.items():
        for key, weight in network.named_parameters():
            if weight.requires_grad:
                assert weight.grad is not None, f"{name}.{key}"
                assert 0 < float(weight.grad.abs().max()) < torch.inf, f"{name}.{key}"


def test_denoising_learns_and_is_exported(tmp_path: Path) -> None:
    request = denoise_request(tmp_path)
    train_denoise(request, quick(200))
    lines = log(request.run)
    gains = [line["psnr"] - line["psnr_before"] for line in (lines[0], lines[-1])]
    assert gains[1] > max(0, gains[0] + 3)
    late = [line["estimate"] for line in lines[-8:]]
    assert sum(late) / 8 < 0.7 * lines[0]["estimate"]
    card = ModelFile(request.out).card_for("denoise")
    assert card.size_multiple == 8
    assert card.extra["reach"] > 0
    session = export.session(request.out, 1)
    rng = np.random.default_rng(0)
    estimates = []
    for sigma in (5, 40):
        noise = rng.standard_normal((1, 3, 64, 48), np.float32) * sigma / 255
        image = np.full((1, 3, 64, 48), 0.5, np.float32) + noise
        feeds = {"image": image, "strengths": np.array([-1, -1], np.float32)}
        denoised, estimated = session.run(None, feeds)
        assert denoised.shape == image.shape
        assert estimated.shape == (1, 2, 16, 12)
        estimates.append(float(estimated[:, 0].mean()))
        told, same = session.run(None, {**feeds, "strengths": np.array([60, 0], np.float32)})
        assert np.array_equal(same, estimated)
        assert np.abs(told - denoised).max() > 1e-4
    assert estimates[1] > 2 * estimates[0]


def test_a_denoiser_is_measured_and_its_card_says_so(tmp_path: Path) -> None:
    request = denoise_request(tmp_path)
    train_denoise(request, quick(60))
    photos = pictures(tmp_path / "held out", 3, 75)
    (photos / "broken.png").write_bytes(b"no picture")
    words = ["denoise", str(request.out), "--photos", str(photos)]
    done = CliRunner().invoke(evaluate, [*words, "--write-card"], catch_exceptions=False)
    found = json.loads(done.output)
    assert found["photos"] == 3
    assert [text.partition(":")[0] for text in found["skipped"]] == [str(photos / "broken.png")]
    for sigma in SIGMAS:
        noise = -20 * math.log10(sigma / 255)
        assert found[f"sigma_{sigma}"]["noisy"] == pytest.approx(noise, abs=2)
    strongest = found["sigma_50"]
    assert strongest["told"] > strongest["noisy"] + 0.2
    assert strongest["estimated"] > strongest["noisy"]
    assert found["jpeg_30"]["encoded"] > found["jpeg_10"]["encoded"]
    quality = ModelFile(request.out).card_for("denoise").quality
    assert quality["psnr_sigma_50_told"] == pytest.approx(strongest["told"], rel=1e-3)
    assert "training_psnr" in quality
    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError, match="none holds no usable picture"):
        evaluate_denoise(request.out, [tmp_path / "none"])
    small = pictures(tmp_path / "small", 1, 12)
    with pytest.raises(UsageError, match=r"1 skipped, the first: .*small.*16 pixels or more"):
        evaluate_denoise(request.out, [small])


def test_texture_is_measured_with_a_loss_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluating, "load_vgg16_features", lambda _: loss_network())
    distance = evaluating.TextureDistance(tmp_path / "unread")
    rng = np.random.default_rng(0)
    grain = rng.random((64, 64, 3), np.float32)
    smooth = np.full_like(grain, 0.5)
    to_grain = distance.to(grain)
    assert to_grain(grain) == 0.0
    # Of the same kind, with no pixel the same, against the least error.
    assert to_grain(rng.random(grain.shape, np.float32)) < 0.2 * to_grain(smooth)

    request = denoise_request(tmp_path)
    train_denoise(request, quick(2))
    photos = pictures(tmp_path / "held out", 1, 75)
    (tmp_path / "vgg16.pth").touch()
    words = ["denoise", str(request.out), "--photos", str(photos), "--write-card"]
    words += ["--teacher", str(tmp_path / "vgg16.pth")]
    done = CliRunner().invoke(evaluate, words, catch_exceptions=False)
    found = json.loads(done.output)["texture"]
    assert found["sigma_50"]["noisy"] > found["sigma_15"]["noisy"] > 0
    quality = ModelFile(request.out).card_for("denoise").quality
    assert quality["texture_sigma_50_noisy"] == pytest.approx(found["sigma_50"]["noisy"], rel=1e-3)
    assert quality["psnr_sigma_50_noisy"] < 20


@pytest.mark.parametrize("period", [2, 4, 8])
@pytest.mark.parametrize("side", [64, 96])
def test_a_grid_is_told_from_noise(period: int, side: int) -> None:
    wanted = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    place = torch.arange(side)
    board = ((place[:, None] + place) // (period // 2)) % 2 * 0.1 - 0.05
    noise = 0.05 * torch.randn(wanted.shape, generator=torch.Generator().manual_seed(1))
    grid = [float(denoising._grid(wanted + each, wanted)) for each in (0 * noise, noise, board)]
    assert grid[0] == 0.0
    assert grid[2] == pytest.approx(0.05, rel=1e-3)
    assert grid[1] < 0.2 * grid[2]
    # Wherever in the picture it is.
    corner = torch.zeros(side, side)
    corner[side // 2 :, side // 2 :] = board[side // 2 :, side // 2 :]
    assert float(denoising._grid(wanted + corner, wanted)) > 0.2 * grid[2]


def test_texture_is_trained_from_a_reconstruction(tmp_path: Path) -> None:
    plain = dataclasses.replace(denoise_request(tmp_path, size=64), export=False)
    train_denoise(plain, quick(2))
    textured = changed(plain, adversarial=0.05)
    textured = dataclasses.replace(textured, init=plain.run, run=tmp_path / "textured")
    train_denoise(textured, quick(2), backbone=backbone)
    assert {"game", "features", "discriminator"} <= set(log(textured.run)[-1])
    with pytest.raises(UsageError, match="adversarial"):
        train_denoise(changed(plain, adversarial=0.05), quick(4), backbone=backbone)


@pytest.mark.parametrize("size", [32, 96])
def test_textures_are_compared_while_training(tmp_path: Path, size: int) -> None:
    request = denoise_request(tmp_path, size=size, adversarial=0.05, texture=3.0)
    photos = pictures(tmp_path / "large", 4, 120)
    request = dataclasses.replace(request, export=False, photos=(photos,))
    with pytest.raises(UsageError, match="--texture-weight needs --teacher, weights of VGG16"):
        train_denoise(request, quick(2), backbone=backbone)
    learned = []
    for weight in (3.0, 1e-9):
        weighed = changed(dataclasses.replace(request, run=tmp_path / f"{weight}"), texture=weight)
        train_denoise(weighed, quick(2), backbone=backbone, loss_network=loss_network())
        line = log(weighed.run)[-1]
        assert "game" in line
        assert line["texture"] > 0
        assert line["excess"] > 0
        learned.append(read_checkpoint(weighed.run)["modules"]["generator"])  # type: ignore[index]
    # What is compared moves the weights, and not by what rounding does.
    apart = [
        float((a - b).abs().max()) for a, b in zip(*(x.values() for x in learned), strict=True)
    ]
    assert max(apart) > 1e-4


def test_textures_differ_the_more_noise_is_left() -> None:
    torch.manual_seed(0)
    how, features = denoising.DenoisingConfig(texture=1.0), training.LiteFeatures(backbone(), 64)
    network, photos = Denoiser(DENOISER), torch.rand(2, 3, 64, 64)
    with pytest.raises(ValueError, match="compared by a teacher's features"):
        denoising.TexturedDenoising(how, None, network, features)  # type: ignore[arg-type]
    task = denoising.TexturedDenoising(how, None, network, features, loss_network())  # type: ignore[arg-type]
    noise = torch.randn(photos.shape)
    terms = [task._textures(photos + scale * noise, photos) for scale in (0.0, 0.2, 0.6)]
    for name in ("texture", "excess"):
        none, some, more = (float(term[name]) for term in terms)
        assert none == 0
        assert more > 2 * some > 0


def test_what_is_compared_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were brightness the texture, pictures would become dark; and light with the sign wrong."""

    def bright(_: Any, cleaned: torch.Tensor, __: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"texture": cleaned.mean(), "excess": 0 * cleaned.mean()}

    monkeypatch.setattr(denoising.TexturedDenoising, "_textures", bright)
    request = denoise_request(tmp_path, size=32, adversarial=1e-6, texture=30.0, features=0.0)
    request = dataclasses.replace(request, export=False)
    train_denoise(request, quick(15), backbone=backbone, loss_network=loss_network())
    lines = [line["texture"] for line in log(request.run)]
    assert lines[-1] < 0.5 * lines[0]


def test_licence_and_data_of_the_start_are_kept(tmp_path: Path) -> None:
    first = dataclasses.replace(
        denoise_request(tmp_path), licence="CC-BY-4.0", attribution="Someone"
    )
    train_denoise(first, quick(1), backbone=backbone)
    more = pictures(tmp_path / "more", 4, 80)
    second = dataclasses.replace(
        first, init=first.out, out=tmp_path / "second.onnx", run=tmp_path / "second",
        licence=None, attribution="", photos=(more,),
    )  # fmt: skip
    train_denoise(second, quick(1), backbone=backbone)
    card = ModelFile(second.out).card
    assert (card.licence, card.data) == ("CC-BY-4.0", ("photos", "more"))
    assert card.attribution == "Someone"
    other = dataclasses.replace(second, licence="CC0-1.0", overwrite=True)
    train_denoise(other, quick(2), backbone=backbone)
    assert ModelFile(other.out).card.licence == "CC0-1.0"


def test_a_denoiser_does_not_care_about_brightness() -> None:
    torch.manual_seed(0)
    network = Denoiser(DENOISER)
    image = torch.rand(1, 3, 32, 32)
    strengths = torch.full((1, 2, 8, 8), 0.1)
    with torch.no_grad():
        once, twice = network(image, strengths), network(2 * image, 2 * strengths)
        assert torch.allclose(twice, 2 * once, atol=1e-5)
        cleaned, used = clean(network, image, sigma=25.0)
    assert cleaned.shape == image.shape
    assert torch.allclose(used[:, 0], torch.tensor(25 / 255))


def test_nothing_is_seen_beyond_the_reach() -> None:
    torch.manual_seed(0)
    network = Denoiser(DENOISER)
    image = torch.rand(1, 3, 16, 512)
    image.requires_grad_()
    network(image, network.estimate(image))[..., 256].sum().backward()
    assert image.grad is not None
    seen = image.grad.abs().sum((0, 1, 2)).nonzero().flatten()
    assert 256 - int(seen.min()) <= network.reach
    assert int(seen.max()) - 256 <= network.reach


def test_bad_use_is_told_in_one_line(tmp_path: Path) -> None:
    request = inpaint_request(tmp_path)
    with pytest.raises(UsageError, match="--size 72 is not a multiple of 32"):
        fill(changed(request, size=72), 1)
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(UsageError, match=r"holds no usable picture.*\.jpg, "):
        fill(dataclasses.replace(request, photos=(empty,)), 1)
    with pytest.raises(UsageError, match="holds no usable picture; 1 skipped"):
        fill(dataclasses.replace(request, sheet_photos=(empty,)), 1)
    with pytest.raises(UsageError, match="no folder of a run"):
        fill(dataclasses.replace(request, init=empty), 1)
    with pytest.raises(UsageError, match="not a model of this project"):
        fill(dataclasses.replace(request, init=empty / "broken.jpg"), 1)


def test_the_commands_hand_over_what_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def note(request: Any, config: Any, *, dry_run: bool) -> dict[str, float]:
        seen.append((request, config, dry_run))
        return {"loss": 1.0}

    monkeypatch.setattr(training, "train_inpaint", note)
    monkeypatch.setattr(training, "train_denoise", note)
    photos = denoise_request(tmp_path).photos[0]
    teacher = tmp_path / "vgg.pth"
    teacher.touch()
    words = ["--photos", str(photos), "--out", str(tmp_path / "o.onnx"), "--dry-run"]
    made = CliRunner().invoke(inpaint, [*words, "--teacher", str(teacher), "--size", "256"])
    assert made.exit_code == 0, made.output
    request, config, dry = seen[0]
    assert (request.how.size, request.how.zoom, dry) == (256, (0.5, 1.0), True)
    assert request.run == tmp_path / "o.onnx.run"
    assert request.command.startswith("ganfilters train inpaint")
    assert str(tmp_path) not in request.command
    named = ["--attribution", "Me"]
    made = CliRunner().invoke(denoise, [*words, "--adversarial", "0.1", "--steps", "7", *named])
    assert made.exit_code == 0, made.output
    request, config, _ = seen[1]
    assert (request.how.adversarial, config.steps, request.attribution) == (0.1, 7, "Me")
    for command, option in (
        (denoise, ["--loss", "hinge"]),
        (denoise, ["--feature-weight", "1"]),
        (inpaint, ["--teacher", str(teacher), "--adversarial", "0", "--loss", "hinge"]),
    ):
        unused = CliRunner().invoke(command, [*words, *option])
        assert isinstance(unused.exception, UsageError)
        assert "has no use without --adversarial above 0" in str(unused.exception)
    unused = CliRunner().invoke(
        denoise, [*words, "--adversarial", "0.1", "--teacher", str(teacher)]
    )
    assert "--teacher has no use without --texture-weight above 0" in str(unused.exception)
    missing = CliRunner().invoke(inpaint, words)
    assert missing.exit_code == 2
    assert "--teacher" in missing.output

"""Every row trains; runs go on exactly; the alarm fires on collapse; pairs are learned."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from ganfilters.errors import UsageError
from ganfilters_exporters.gan.losses import LOSSES
from ganfilters_exporters.gan.pairs import DEGRADATIONS, load_pairs
from ganfilters_exporters.gan.tasks import Generation, Translation
from ganfilters_exporters.gan.train import _callbacks, make_task, train_gan
from ganfilters_exporters.trainer import Trainer, TrainingError, read_checkpoint

from .gan_toys import NETWORKS, backbone, drawings, folders, how, npz, request, steps

ROWS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    # architecture, changes of the training, changes of the network
    **{f"mlp {loss}": ("mlp", {"loss": loss, "norm": "none"}, {}) for loss in LOSSES},
    "mlp batch": ("mlp", {}, {}),
    **{f"dcgan {loss}": ("dcgan", {"loss": loss, "norm": "none"}, {}) for loss in LOSSES},
    "dcgan batch": ("dcgan", {}, {}),
    "dcgan r1": ("dcgan", {"norm": "spectral", "r1": 1.0, "r1_every": 2}, {}),
    "dcgan 5 critic steps": ("dcgan", {"critic_steps": 5}, {}),
    "dcgan feature matching": ("dcgan", {"perceptual": 1.0}, {}),
    "dcgan modulated": ("dcgan", {"mixing": 1.0}, {"modulation": "batch"}),
    "dcgan projected": ("dcgan", {"loss": "hinge", "discriminator": "projected"}, {}),
    **{
        f"{arch} {judge}, telling classes": (
            arch,
            {"auxiliary": 0.5, "loss": "hinge", "discriminator": judge, "norm": "spectral"},
            {},
        )
        for arch, judge in (("mlp", "plain"), ("dcgan", "plain"), ("style", "projected"))
    },
    "dcgan mode seeking": ("dcgan", {"diversity": 1.0}, {}),
    "style mode seeking": (
        "style",
        {"loss": "hinge", "discriminator": "projected", "diversity": 1.0},
        {},
    ),
    "mlp comparing": ("mlp", {"minibatch_std": True}, {}),
    "dcgan comparing": ("dcgan", {"minibatch_std": True, "norm": "none", "r1": 1.0}, {}),
    "mlp projected": ("mlp", {"loss": "hinge", "discriminator": "projected"}, {}),
    "style plain": ("style", {"norm": "spectral", "loss": "nonsaturating", "r1": 1.0}, {}),
    **{
        f"style {modulation}": (
            "style",
            {"loss": "hinge", "discriminator": "projected", "mixing": 1.0},
            {"modulation": modulation, "mapping": 2 if modulation != "none" else 0},
        )
        for modulation in ("none", "batch", "adain", "demod")
    },
}


def task_of(folder: Path, row: str, *, conditional: bool = True) -> Generation:
    arch, gan, network = ROWS[row]
    made = request(
        folder, arch, how(**gan), conditional=conditional,
        network=dataclasses.replace(NETWORKS[arch], **network),
    )  # fmt: skip
    torch.manual_seed(0)
    task = make_task(made, backbone)
    assert isinstance(task, Generation)
    return task


def weights(task: Any) -> list[Tensor]:
    return [t for n in task.modules for t in task.plain(n).state_dict().values()]


@pytest.mark.parametrize("conditional", [True, False])
@pytest.mark.parametrize("row", list(ROWS))
def test_a_row_trains(tmp_path: Path, row: str, conditional: bool) -> None:
    task = task_of(tmp_path, row, conditional=conditional)
    trainer = Trainer(task, tmp_path / "run", steps(3))
    before = [w.clone() for w in weights(task)]
    reached = {name: set() for name in task.modules}  # type: ignore[var-annotated]
    update = task.update

    def watch(name: str, loss: Tensor) -> None:
        update(name, loss)
        for key, parameter in task.modules[name].named_parameters():
            if parameter.grad is not None and bool(parameter.grad.abs().max() > 0):
                reached[name].add(key)

    task.update = watch  # type: ignore[method-assign]
    result = trainer.run()
    assert all(np.isfinite(value) for value in result.scalars.values())
    for name, module in task.modules.items():
        wanted = {key for key, p in module.named_parameters() if p.requires_grad}
        if task.config.loss in ("hinge", "wgan-gp"):
            # A shift of all scores, or of those of a class, leaves differences as they are.
            wanted -= {"head.score.bias", "head.project.bias"}
            reached[name] -= {"head.score.bias", "head.project.bias"}
        assert reached[name] == wanted, f"no gradient reached {wanted - reached[name]}"
    assert any(not torch.equal(a, b) for a, b in zip(before, weights(task), strict=True))
    if task.loss.penalty:
        assert result.scalars["penalty"] > 0


@pytest.mark.parametrize("row", ["dcgan r1", "style demod"])
def test_bf16(tmp_path: Path, row: str) -> None:
    task = task_of(tmp_path, row)
    seen: dict[str, set[torch.dtype]] = {name: set() for name in task.modules}
    for name, network in task.modules.items():
        for part in network.modules():
            if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                part.register_forward_hook(
                    lambda _, __, made, name=name: seen[name].add(made.dtype)
                )
    result = Trainer(task, tmp_path / "run", steps(3, precision="bf16")).run()
    assert all(np.isfinite(value) for value in result.scalars.values())
    for name, dtypes in seen.items():
        assert torch.bfloat16 in dtypes, name
    assert all(p.dtype == torch.float32 for p in task.modules["generator"].parameters())


@pytest.mark.parametrize("row", ["mlp batch", "dcgan r1", "style adain"])
def test_a_run_in_parts_is_the_run_as_a_whole(tmp_path: Path, row: str) -> None:
    callbacks = _callbacks(request(tmp_path, "mlp", check_every=2, sheet_every=3))

    def run(name: str, *, kill_at: int = -1, **changes: Any) -> Generation:
        task = task_of(tmp_path, row)
        batch = task.batch

        def killed(step: int) -> Any:
            if step == kill_at:
                raise KeyboardInterrupt
            return batch(step)

        task.batch = killed  # type: ignore[method-assign]
        Trainer(task, tmp_path / name, steps(6, checkpoint_every=2, **changes), callbacks).run()
        return task

    whole = run("whole")
    with pytest.raises(KeyboardInterrupt):
        run("parts", kill_at=3)  # it goes on from 2, where a check was due
    run("parts", minutes=1e-6)  # and pauses at 3, with a check that is not part of it
    parts = run("parts")
    for a, b in zip(weights(whole), weights(parts), strict=True):
        assert torch.equal(a, b)
    saved = [read_checkpoint(tmp_path / name) for name in ("whole", "parts")]
    assert saved[0]["task"] == saved[1]["task"]  # type: ignore[index]
    assert saved[0]["task"]["checks"] == 4  # type: ignore[index]


def test_another_network_in_the_same_run_is_refused(tmp_path: Path) -> None:
    made = request(tmp_path, "mlp", export=False)
    train_gan(made, steps(2))
    other = dataclasses.replace(made, gan=how(loss="lsgan"))
    with pytest.raises(UsageError, match='holds a run with loss = "nonsaturating", not "lsgan"'):
        train_gan(other, steps(3))
    with pytest.raises(
        UsageError, match=r"holds a run with network\.classes = 3, not 0; with classes"
    ):
        train_gan(dataclasses.replace(made, conditional=False), steps(3))


def test_a_damaged_checkpoint_is_named_and_the_previous_one_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = request(tmp_path, "mlp", export=False)
    train_gan(made, steps(4, checkpoint_every=2))
    (made.run / "checkpoint.pt").write_bytes(b"broken")
    result = train_gan(made, steps(5, quiet=False))
    assert result.step == 5  # type: ignore[union-attr]
    said = capsys.readouterr().err
    assert "checkpoint.pt is damaged" in said
    assert "at step 2" in said


class Deaf(Generation):
    """Its generator hears no noise: the same picture for every latent of a class."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        for network in (self.modules["generator"], self.averages["generator"].module):
            network.register_forward_pre_hook(lambda _, given: (0 * given[0], *given[1:]))


@pytest.mark.parametrize("collapsed", [True, False])
def test_the_alarm(
    tmp_path: Path, collapsed: bool, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    if collapsed:
        monkeypatch.setattr("ganfilters_exporters.gan.train.Generation", Deaf)
    gan = how(batch=32, augment=(), norm="spectral", loss="hinge")
    network = dataclasses.replace(NETWORKS["mlp"], width=32)
    made = request(
        tmp_path, "mlp", gan, network=network, check_every=50, sheet_every=10**6, export=False
    )
    # Diversity is least at first; after 300 steps it is between 0.45 and 0.7, by seed and CPU.
    train_gan(made, steps(300 if collapsed else 500, checkpoint_every=50))
    said = capsys.readouterr().err
    log = [json.loads(line) for line in (made.run / "log.jsonl").read_text().splitlines()]
    if not collapsed:
        assert said == ""
        assert log[-1]["diversity"] > 0.5
        return
    assert "warning: mode collapse at step 300" in said
    assert log[-1]["diversity"] < 0.1
    # The alarm is part of the run: it goes on where it was.
    assert read_checkpoint(made.run)["task"]["streak"] == 3  # type: ignore[index]
    # The same command again does not export what was refused.
    strict = dataclasses.replace(made, stop_on_collapse=True, export=True)
    for _ in range(2):
        with pytest.raises(TrainingError, match=r"mode collapse at step 350.*try --augment"):
            train_gan(strict, steps(350, checkpoint_every=50), backbone=backbone)
    assert not made.out.exists()
    assert (made.run / "samples" / "0000350.png").exists()


def test_sample_sheets_have_a_row_for_each_class(tmp_path: Path) -> None:
    made = request(tmp_path, "mlp", export=False, sheet_every=2)
    train_gan(made, steps(4))
    files = sorted((made.run / "samples").iterdir())
    assert [file.name for file in files] == ["0000002.png", "0000004.png"]
    with Image.open(files[0]) as sheet:
        assert sheet.size == (2 * (8 * 18 - 2), 2 * (3 * 18 - 2))
        assert sheet.mode == "L"


def test_a_folder_for_each_class_with_odd_pictures_in_it(tmp_path: Path) -> None:
    data = folders(tmp_path / "data")
    Image.new("L", (40, 23), 99).save(data / "disc" / "grey.png")
    Image.new("RGB", (9, 9)).save(data / "bar" / "small.png")
    (data / "bar" / "broken.png").write_bytes(b"no picture")
    made = request(tmp_path, "style", how(discriminator="projected", loss="hinge"), data=(data,))
    task = make_task(made, backbone)
    assert isinstance(task, Generation)
    assert task.pictures.classes == ("bar", "disc", "frame")
    assert len(task.pictures) == 14
    assert len(task.pictures.skipped) == 1
    assert task.network.channels == 3
    grey = make_task(dataclasses.replace(made, channels=1), backbone)
    assert grey.network.channels == 1


def test_bad_data(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "broken.jpg").write_bytes(b"")
    bare = tmp_path / "bare.npz"
    np.savez(bare, images=drawings(6)[0])
    one = folders(tmp_path / "one")
    shutil.rmtree(one / "bar")
    shutil.rmtree(one / "disc")
    for data, message in (
        ((empty,), "holds no usable picture; 1 skipped, the first"),
        ((bare,), "bare.npz has no labels, which --conditional needs"),
        ((bare, one), "cannot be mixed"),
        ((one,), "has one class, 'frame'"),
        ((tmp_path / "none.npz",), "does not exist"),
    ):
        with pytest.raises(UsageError, match=message):
            make_task(request(tmp_path, "mlp", data=data))


@pytest.mark.parametrize("kind", list(DEGRADATIONS))
def test_degradations(kind: str) -> None:
    images = torch.rand(4, 3, 16, 16)
    made = DEGRADATIONS[kind](images)
    assert made.shape == images.shape
    assert not torch.equal(made, images)
    assert made.min() >= 0
    assert made.max() <= 1


def pair_folder(folder: Path, count: int = 24) -> Path:
    """Write pairs: a negative, and the picture."""
    for number, image in enumerate(drawings(count)[0]):
        for side, pixels in (("input", 255 - image), ("target", image)):
            (folder / side).mkdir(parents=True, exist_ok=True)
            suffix = "png" if side == "input" else "bmp"
            Image.fromarray(pixels).save(folder / side / f"{number:02}.{suffix}")
    return folder


def test_pairs(tmp_path: Path) -> None:
    folder = pair_folder(tmp_path)
    (folder / "input" / "03.png").write_bytes(b"broken")
    (folder / "target" / "extra.png").write_bytes(b"")
    inputs, targets = load_pairs(folder, 16, 1)
    assert len(inputs) == len(targets) == 23
    assert torch.equal(255 - inputs.pixels, targets.pixels)
    # Whichever side is broken, it is said.
    for pictures in (inputs, targets):
        (skipped,) = pictures.skipped
        assert skipped.startswith(f"{folder / 'input' / '03.png'}: ")
    with pytest.raises(UsageError, match="has no folder 'input'"):
        load_pairs(tmp_path / "input", 16, 1)
    for path in (folder / "input").iterdir():
        path.rename(path.with_stem(f"x{path.stem}"))
    with pytest.raises(UsageError, match="no picture has the same name"):
        load_pairs(folder, 16, 1)


@pytest.mark.parametrize("reconstruction", ["L1", "L2"])
def test_image_to_image_is_learned(tmp_path: Path, reconstruction: str) -> None:
    gan = how(
        reconstruction=reconstruction,
        flip=True,
        zoom=0.8,
        perceptual=0.1 * (reconstruction == "L1"),
    )
    made = request(
        tmp_path, "dcgan", gan, data=(), pairs=pair_folder(tmp_path), conditional=False,
        channels=1, sheet_every=40, export=reconstruction == "L1",
    )  # fmt: skip
    train_gan(made, steps(40), backbone=backbone)
    log = [json.loads(line) for line in (made.run / "log.jsonl").read_text().splitlines()]
    assert log[-1]["reconstruction"] < 0.5 * log[0]["reconstruction"]
    assert made.out.exists() == made.export
    with Image.open(made.run / "samples" / "0000040.png") as sheet:
        assert sheet.size == (2 * (3 * 18 - 2), 2 * (8 * 18 - 2))


def test_what_the_file_will_hold_is_read_before_the_training(tmp_path: Path) -> None:
    def wrong(given: Any) -> Any:
        raise UsageError("no weights of EfficientNet-Lite0")

    made = request(tmp_path, "mlp")
    with pytest.raises(UsageError, match="no weights of EfficientNet-Lite0"):
        train_gan(made, steps(2), backbone=wrong)
    assert not made.run.exists()
    # What has no use for it does without.
    train_gan(dataclasses.replace(made, export=False), steps(2), backbone=wrong)
    folder = pair_folder(tmp_path / "pairs")
    paired = request(tmp_path, "dcgan", data=(), pairs=folder, conditional=False, run=folder / "r")
    train_gan(paired, steps(2), backbone=wrong, dry_run=True)


def test_pairs_by_degrading(tmp_path: Path) -> None:
    data = folders(tmp_path / "data")
    made = request(tmp_path, "dcgan", data=(data,), degrade="grey", conditional=False)
    task = make_task(made)
    assert isinstance(task, Translation)
    Trainer(task, tmp_path / "run", steps(2)).run()
    given, wanted = task.batch(0).images
    assert torch.allclose(given[:, 0], given[:, 2])
    assert not torch.allclose(wanted[:, 0], wanted[:, 2])
    assert given.mean().item() == pytest.approx(wanted.mean().item(), abs=1e-4)


def test_the_toy_data_is_read(tmp_path: Path) -> None:
    task = make_task(request(tmp_path, "mlp", data=(npz(tmp_path, 30),)))
    assert isinstance(task, Generation)
    assert task.network.classes == 3
    assert task.network.channels == 1
    Trainer(task, tmp_path / "run", steps(1))
    batch = task.batch(0)
    assert batch.images.shape == (1, 8, 1, 16, 16)
    assert batch.class_weights is not None
    assert batch.class_weights.sum(2).eq(1).all()

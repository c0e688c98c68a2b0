"""``ganfilters train gan`` and ``ganfilters evaluate gan`` as they are typed."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from ganfilters.errors import UsageError
from ganfilters.models import ModelFile
from ganfilters_exporters import train_commands
from ganfilters_exporters.backbones import Backbone
from ganfilters_exporters.checkpoints import read_checkpoint, write_checkpoint
from ganfilters_exporters.files import read_config
from ganfilters_exporters.gan import evaluate as evaluating
from ganfilters_exporters.gan import train as training
from ganfilters_exporters.gan.adversarial import GanConfig
from ganfilters_exporters.gan.evaluate import EvaluationRequest, evaluate_gan
from ganfilters_exporters.gan.export import export_gan
from ganfilters_exporters.gan.networks import GENERATORS, NetworkConfig, Translator
from ganfilters_exporters.gan.plot import plot_run
from ganfilters_exporters.gan.recipes import RECIPES, settings_of
from ganfilters_exporters.gan.samplers import open_sampler
from ganfilters_exporters.gan.tasks import Generation
from ganfilters_exporters.gan.train import GanRequest, make_task, train_gan
from ganfilters_exporters.gan.trained import read_trained
from ganfilters_exporters.gan_commands import evaluate, gan, plot
from ganfilters_exporters.trainer import TrainConfig

from .gan_toys import CLASSES, backbone, drawings, folders, npz

ROOT = Path(__file__).parents[2]


def call(data: Path, out: Path, *more: str) -> Result:
    words = ["--data", str(data), "--out", str(out), "--size", "16", "--device", "cpu"]
    words += ["--batch", "8", "--width", "4", "--threads", "1", "--steps", "2", *more]
    return CliRunner().invoke(gan, words, catch_exceptions=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    done = call(npz(folder), folder / "toy.onnx", "--arch", "mlp", "--conditional")
    assert "2 of 2 steps done" in done.output
    return folder


def test_training_and_going_on(trained: Path) -> None:
    data, out = trained / "toy.npz", trained / "toy.onnx"
    dry = call(data, trained / "new.onnx", "--arch", "mlp", "--conditional", "--dry-run")
    assert "images_per_second" in dry.output
    assert not (trained / "new.onnx").exists()
    card = ModelFile(out).card_for("latent")
    assert card.extra["classes"] == ["0", "1", "2"]
    assert card.extra["steps"] == 2
    assert "--data toy.npz" in card.command
    assert str(trained) not in card.command
    done = call(data, out, "--arch", "mlp", "--conditional", "--steps", "3")
    assert "3 of 3 steps done" in done.output
    less = call(data, out, "--arch", "mlp", "--conditional", "--steps", "2", "--no-export")
    assert "3 steps were done before, more than --steps 2" in less.output
    assert ModelFile(out).card.extra["steps"] == 3


def test_an_existing_file_stays(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"mine")
    with pytest.raises(UsageError, match="exists; pass --overwrite"):
        call(npz(tmp_path), tmp_path / "x.onnx", "--arch", "mlp")
    assert (tmp_path / "x.onnx").read_bytes() == b"mine"
    with pytest.raises(UsageError, match=r"give one that ends in \.onnx"):
        call(npz(tmp_path), tmp_path / "x.txt", "--arch", "mlp")


def test_a_run_replaces_its_own_file_and_no_other(trained: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(b"mine")
    words = ["--arch", "mlp", "--conditional", "--run", str(trained / "toy.onnx.run")]
    with pytest.raises(UsageError, match="exists; pass --overwrite"):
        call(trained / "toy.npz", other, *words)
    assert other.read_bytes() == b"mine"


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    for option in ("--rate", "--zoom", "--diversity", "--ema"):
        words = ["--data", str(npz(tmp_path)), "--out", str(tmp_path / "x.onnx"), "--arch", "mlp"]
        done = CliRunner().invoke(gan, [*words, option, "nan"])
        assert done.exit_code == 2
        assert "nan is not finite" in done.output


def test_pictures_that_are_all_alike_are_nothing_to_learn_from(tmp_path: Path) -> None:
    np.savez(tmp_path / "same.npz", np.full((8, 28, 28), 7, np.uint8))
    np.savez(tmp_path / "many.npz", drawings(1)[0].repeat(96, 0))
    for data in ("same.npz", "many.npz"):
        with pytest.raises(UsageError, match="the data has no two different pictures"):
            call(tmp_path / data, tmp_path / "x.onnx", "--arch", "mlp", "--dry-run")


def test_training_begins_with_a_trained_network(trained: Path, tmp_path: Path) -> None:
    start, data = trained / "toy.onnx", trained / "toy.npz"
    words = ["--data", str(data), "--init", str(start), "--conditional", "--device", "cpu"]
    words += ["--batch", "8", "--threads", "1", "--steps", "2", "--head-start", "2"]
    out = tmp_path / "more.onnx"
    with pytest.raises(UsageError, match="--steps 2 is no more than the discriminator's head"):
        CliRunner().invoke(gan, [*words, "--out", str(out)], catch_exceptions=False)
    words += ["--steps", "3", "--out", str(out), "--attribution", "Me"]
    done = CliRunner().invoke(gan, words, catch_exceptions=False)
    assert f"begins with {start}; classes: 3 known" in done.output
    made, wanted = (open_sampler(file, 1).sample(6, 0)[0].int() for file in (out, start))
    # Of three steps the generator learns in the last alone: it is near what it was.
    assert float((made - wanted).abs().float().mean()) < 16
    assert int((made - wanted).abs().max()) > 1
    card, first = ModelFile(out).card, ModelFile(start).card
    assert card.licence == first.licence
    assert card.attribution == f"{first.attribution}; Me"
    more = [*words, "--no-export", "--steps", "4"]
    again = CliRunner().invoke(gan, more, catch_exceptions=False)
    assert "the run began" not in again.output
    # The folder of a run, and the checkpoint in it, are as good as the file.
    folder = Path(f"{start}.run")
    for source in (folder, folder / "checkpoint.pt"):
        assert read_trained(source).classes == ("0", "1", "2")
    # Another start changes nothing any more: neither what is trained nor whom the card names.
    words[words.index(str(start))] = str(folder)
    said = [
        CliRunner().invoke(gan, [*words, *more], catch_exceptions=False).output
        for more in (["--steps", "5", "--no-export"], ["--steps", "6"])
    ]
    assert all(f"the run began with {start}; {folder} is not used" in text for text in said)
    assert not any("begins with" in text for text in said)
    assert ModelFile(out).card.attribution == card.attribution


def test_licence_names_and_data_go_from_start_to_start(trained: Path, tmp_path: Path) -> None:
    """Whether a start is a file or a run, and whatever the run that goes on is given."""
    data, out = trained / "toy.npz", tmp_path / "x.onnx"
    words = ["--conditional", "--arch", "mlp", "--out", str(out), "--device", "cpu", "--threads"]
    words += ["1", "--batch", "8", "--steps", "1", "--no-export", "--head-start", "0"]
    words += ["--data", str(data)]
    licensed = ["--licence", "CC-BY-4.0", "--attribution", "Annette Meyer"]
    sizes = ["--size", "16", "--width", "4"]
    first, second = tmp_path / "first", tmp_path / "second"
    CliRunner().invoke(
        gan, [*words, *licensed, *sizes, "--run", str(first)], catch_exceptions=False
    )
    words.remove("--no-export")
    more = ["--init", str(first), "--run", str(second), "--attribution", "Me"]
    CliRunner().invoke(gan, [*words, *more], catch_exceptions=False)
    card = ModelFile(out).card
    assert card.licence == "CC-BY-4.0"
    # Whole names are compared: Me is a part of Meyer.
    assert card.attribution.startswith("Annette Meyer; Me; features")
    assert card.data == ("toy.npz",)
    again = ["--run", str(second), "--attribution", "Me", *sizes, "--steps", "2"]
    CliRunner().invoke(gan, [*words, *again], catch_exceptions=False)
    assert ModelFile(out).card.attribution == card.attribution
    assert ModelFile(out).card.licence == "CC-BY-4.0"


def test_a_run_is_trained_on_without_its_classes(tmp_path: Path) -> None:
    first, second = tmp_path / "first.onnx", tmp_path / "second.onnx"
    words = ["--arch", "mlp", "--mapping", "2", "--z", "8", "--no-export"]
    call(npz(tmp_path), first, "--conditional", *words)
    words = ["--data", str(tmp_path / "toy.npz"), "--init", f"{first}.run", "--out", str(second)]
    words += ["--batch", "8", "--steps", "2", "--head-start", "1", "--device", "cpu"]
    words += ["--threads", "1", "--no-export"]
    done = CliRunner().invoke(gan, words, catch_exceptions=False)
    assert "classes: 3 left out (0, 1, 2)" in done.output
    network = read_trained(Path(f"{second}.run")).load()
    assert network.config.classes == 0
    known = read_trained(Path(f"{first}.run")).generator(()).state_dict()
    # One step of Adam, which moves no weight by more than the rate.
    weights = {name: weight.detach() for name, weight in network.named_parameters()}
    moved = [float((weight - known[name]).abs().max()) for name, weight in weights.items()]
    assert 0 < max(moved) < 5e-4
    with pytest.raises(UsageError, match="was trained without classes; leave out --conditional"):
        read_trained(Path(f"{second}.run")).generator(("ring",))


def test_sizes_are_those_of_the_start_whoever_asks(trained: Path, tmp_path: Path) -> None:
    given = GanRequest(
        data=(trained / "toy.npz",), out=tmp_path / "x.onnx", run=tmp_path / "run",
        conditional=True,
        init=trained / "toy.onnx", gan=GanConfig(batch=4),
    )  # fmt: skip
    task = make_task(given)
    assert (task.network.size, task.network.channels, task.network.arch) == (16, 1, "mlp")
    paired = dataclasses.replace(given, degrade="grey", conditional=False)
    with pytest.raises(UsageError, match="leave out --pairs and --degrade"):
        make_task(paired)


def test_in_its_head_start_the_discriminator_learns_alone(trained: Path, tmp_path: Path) -> None:
    given = GanRequest(
        data=(trained / "toy.npz",), out=tmp_path / "x.onnx", run=tmp_path / "run",
        conditional=True,
        init=trained / "toy.onnx", gan=GanConfig(batch=8, head_start=2), export=False,
    )  # fmt: skip

    how = TrainConfig(3, device="cpu", log_every=1, checkpoint_every=2, quiet=True)
    with pytest.raises(
        UsageError, match="--steps 2 is no more than the discriminator's head start"
    ):
        # Before the data are read, which are not there.
        train_gan(
            dataclasses.replace(given, data=(tmp_path / "none",)), dataclasses.replace(how, steps=2)
        )
    train_gan(given, how)
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert ["generator" in json.loads(line) for line in lines] == [False, False, True]
    began, start = read_trained(given.init).load(), {}
    for name in ("checkpoint.previous.pt", "checkpoint.pt"):
        start[name] = torch.load(tmp_path / "run" / name)["averages"]["generator"]
    for key, weight in began.named_parameters():
        assert torch.equal(start["checkpoint.previous.pt"][key], weight)
    assert any(
        not torch.equal(start["checkpoint.pt"][key], weight)
        for key, weight in began.named_parameters()
    )


def test_a_run_brings_its_discriminator_where_it_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tmp_path / "first.onnx"
    words = ["--arch", "mlp", "--conditional", "--no-export"]
    call(npz(tmp_path), first, *words)
    saved = torch.load(f"{first}.run/checkpoint.pt")["modules"]["discriminator"]
    given = ["--data", str(tmp_path / "toy.npz"), "--init", f"{first}.run", "--no-export"]
    given += ["--out", str(tmp_path / "x.onnx"), "--batch", "4", "--device", "cpu", "--dry-run"]
    seen: list[Generation] = []

    def spy(request: GanRequest, backbone: Any) -> Any:
        seen.append(make_task(request, backbone))
        kept = {k: v.clone() for k, v in seen[-1].modules["discriminator"].state_dict().items()}
        same.append(all(torch.equal(kept[key], saved[key]) for key in kept.keys() & saved.keys()))
        return seen[-1]

    same: list[bool] = []
    monkeypatch.setattr(training, "make_task", spy)
    for more, fits in ((["--conditional"], True), (["--conditional", "--loss", "hinge"], False),
                       (["--conditional", "--norm", "spectral"], False)):  # fmt: skip
        done = CliRunner().invoke(gan, [*given, *more], catch_exceptions=False)
        assert ("first.onnx.run and its discriminator; classes" in done.output) == fits
        assert same[-1] == fits
        assert seen[-1].config.head_start == (0 if fits else 100)


def test_a_discriminator_of_other_weights_or_features_is_left(tmp_path: Path) -> None:
    """Those of before both were recorded say less of what they are."""
    how = GanConfig(batch=8, discriminator="projected", norm="spectral", feature_side=64)
    first = GanRequest(
        data=(npz(tmp_path),), out=tmp_path / "x.onnx", run=tmp_path / "first", export=False,
        network=NetworkConfig("mlp", 16, z=6, width=16), gan=how,
    )  # fmt: skip
    train_gan(first, TrainConfig(1, device="cpu", quiet=True), backbone=backbone)
    given = dataclasses.replace(first, run=tmp_path / "second", init=first.run)
    own = dataclasses.replace(given, backbone=tmp_path / "own.pth")

    def starts() -> list[int | None]:
        return [make_task(request, backbone).config.head_start for request in (given, own)]

    assert starts() == [0, 0]
    config = first.run / "config.json"
    config.write_text(config.read_text().replace("frozen_weights", "before"))
    assert starts() == [0, 100]
    state = read_checkpoint(first.run)
    state["modules"]["discriminator"].popitem()  # type: ignore[index]
    write_checkpoint(first.run, state)  # type: ignore[arg-type]
    given, own = dataclasses.replace(given), dataclasses.replace(own)  # read again
    assert starts() == [100, 100]


@pytest.mark.parametrize("fits", [True, False])
def test_a_run_keeps_its_head_start_whatever_it_is_given_later(tmp_path: Path, fits: bool) -> None:
    losses = ("nonsaturating", "hinge")
    words = ["--arch", "mlp", "--conditional", "--no-export", "--steps", "1", "--loss"]
    for loss in losses:
        call(npz(tmp_path), tmp_path / loss, *words, loss)
    given = ["--data", str(tmp_path / "toy.npz"), "--out", str(tmp_path / "x.onnx"), "--batch", "8"]
    given += ["--conditional", "--no-export", "--device", "cpu", "--steps", "101"]
    given += ["--minutes", "1e-6", "--loss", losses[not fits]]
    for first in losses:
        done = CliRunner().invoke(
            gan, [*given, "--init", str(tmp_path / f"{first}.run")], catch_exceptions=False
        )
        assert "head_start" not in done.output
        assert read_config(tmp_path / "x.onnx.run")["gan"]["head_start"] == (0 if fits else 100)


def test_a_start_is_read_once(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    load = onnx.load
    monkeypatch.setattr(onnx, "load", lambda path: read.append(path) or load(path))
    words = ["--data", str(trained / "toy.npz"), "--init", str(trained / "toy.onnx"), "--dry-run"]
    words += ["--conditional", "--out", str(tmp_path / "x.onnx"), "--no-export", "--device", "cpu"]
    CliRunner().invoke(gan, [*words, "--batch", "8"], catch_exceptions=False)
    assert len(read) == 1


def test_what_was_read_is_the_start_only_of_its_own_path(trained: Path, tmp_path: Path) -> None:
    call(trained / "toy.npz", tmp_path / "x.onnx", "--arch", "mlp", "--no-export")
    run, onnx_file = tmp_path / "x.onnx.run", trained / "toy.onnx"
    given = GanRequest(
        data=(trained / "toy.npz",), out=tmp_path / "y.onnx", run=tmp_path / "run",
        init=run / "checkpoint.pt", opened=read_trained(run),
    )  # fmt: skip
    assert given.trained is given.opened
    other = dataclasses.replace(given, init=onnx_file)
    assert other.trained is not None
    assert other.trained.path == onnx_file
    assert dataclasses.replace(given, init=None).trained is None


def test_new_classes_begin_near_those_that_are_known(tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = NetworkConfig("mlp", 16, 1, classes=3, z=6, width=16, embedding=3, mapping=2, w=8)
    network = GENERATORS["mlp"](sizes).eval()
    path = tmp_path / "toy.onnx"
    card = {"title": "Toy", "command": "none", "licence": "CC0-1.0"}
    export_gan(network, path, CLASSES, backbone=backbone(), overwrite=False, card=card)
    z, known = torch.randn(4, 6), torch.eye(3)[[1, 1, 1, 1]]
    with torch.no_grad():
        wanted = network(z, known)
        found = read_trained(path)
        other = found.generator(("ring", CLASSES[1])).eval()
        assert torch.allclose(other(z, torch.eye(2)[[1, 1, 1, 1]]), wanted, atol=1e-3)
        strange = other(z, torch.eye(2)[[0, 0, 0, 0]])
        assert not torch.allclose(strange, wanted, atol=1e-3)
        # Nearer to the mean of those it knows than they are to it themselves.
        columns, new = network.mapping.embedding.weight, other.mapping.embedding.weight[:, 0]
        mean, spread = columns.mean(1), columns.std(1)
        assert 0 < float(((new - mean) / spread).abs().mean()) < 1
        # Without classes: what a blend of all in equal parts draws.
        plain = found.generator(()).eval()
        assert plain.config.classes == 0
        assert torch.allclose(plain(z), network(z, torch.full((4, 3), 1 / 3)), atol=1e-3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--size 16 --conditional", "--size is for a new network, and --init brings one"),
        ("--no-noise --conditional", "--no-noise is for a new network, and --init brings one"),
        ("--arch dcgan --conditional", "toy.onnx is mlp; leave it out"),
        ("--degrade grey", "generates pictures from noise; leave out --pairs and --degrade"),
        ("", "no mapping network to do without them; give --conditional, and data with classes"),
    ],
)
def test_what_a_trained_network_does_not_go_with(
    trained: Path, tmp_path: Path, words: str, message: str
) -> None:
    given = ["--data", str(trained / "toy.npz"), "--init", str(trained / "toy.onnx"), "--out"]
    with pytest.raises(UsageError, match=message):
        CliRunner().invoke(
            gan, [*given, str(tmp_path / "x.onnx"), *words.split()], catch_exceptions=False
        )


def test_what_holds_no_generator_is_no_start(trained: Path, tmp_path: Path) -> None:
    denoiser = ROOT / "plugins/ganfilters_denoise/models/denoise.onnx"
    with pytest.raises(UsageError, match="of the filter denoise; --init needs a network"):
        read_trained(denoiser)
    with pytest.raises(UsageError, match="is no run of `ganfilters train gan`"):
        read_trained(tmp_path)
    with pytest.raises(UsageError, match="leave out --pairs and --degrade"):
        read_trained(trained / "toy.onnx").translator()
    with pytest.raises(UsageError, match="give --arch mlp, dcgan or style, or --init"):
        CliRunner().invoke(
            gan,
            ["--data", str(trained / "toy.npz"), "--out", str(tmp_path / "x.onnx")],
            catch_exceptions=False,
        )


def test_a_network_of_pairs_is_trained_on(trained: Path, tmp_path: Path) -> None:
    words = ["--degrade", "grey", "--arch", "dcgan", "--channels", "3"]
    first, second = tmp_path / "first.onnx", tmp_path / "second.onnx"
    call(folders(tmp_path / "data"), first, *words)
    found = read_trained(first).translator()
    words = ["--data", str(tmp_path / "data"), "--degrade", "grey", "--batch", "8", "--steps", "1"]
    words += ["--init", str(first), "--out", str(second), "--device", "cpu", "--threads", "1"]
    words += ["--head-start", "0", "--seed", "1"]
    CliRunner().invoke(gan, words, catch_exceptions=False)
    made = read_trained(second).translator()
    torch.manual_seed(1)
    fresh = Translator(found.config)
    image = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        wanted = found.eval()(image)
        far = float((made.eval()(image) - wanted).abs().mean())
        # Its first step is as long as any of Adam's; a new network is much farther away.
        assert far < 0.2 * float((fresh.eval()(image) - wanted).abs().mean())
    with pytest.raises(UsageError, match="was trained on pairs; give --pairs DIR"):
        read_trained(first).generator(())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--arch style --r1 1", "--r1 goes with --discriminator plain"),
        ("--arch dcgan --loss wgan-gp --r1 1", "a penalty of its own"),
        ("--arch style --loss wgan-gp", "with --discriminator projected use --loss hinge"),
        ("--arch dcgan --r1 1 --norm batch", "use --norm none or spectral"),
        (
            "--arch dcgan --modulation adain",
            "--modulation adain goes with --arch style; dcgan has none and batch",
        ),
        ("--arch dcgan --degrade grey --conditional", "--conditional does not go with pairs"),
        ("--arch mlp --degrade grey", "pairs go with --arch dcgan"),
        ("--arch dcgan --degrade grey --discriminator projected", "sees both pictures"),
        ("--arch dcgan --size 100", "the nearest sizes are 96, 112"),
        ("--arch style --feature-size 100", "not a multiple of 32"),
        ("--arch dcgan --augment blur", "there is no augmentation 'blur'"),
        ("--arch dcgan --pairs .", "give it without --data"),
        ("--arch style --batch 1", "give 2 or more"),
        (
            "--arch dcgan --loss wgan-gp --conditional --diversity 1",
            "cannot mix with real ones of other classes",
        ),
    ],
)
def test_options_that_do_not_go_together(tmp_path: Path, words: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call(npz(tmp_path), tmp_path / "x.onnx", *words.split())


def test_recipes_fill_in_what_is_not_given() -> None:
    assert set(RECIPES) == {"mlp", "dcgan", "style"}
    given = {"loss": None, "norm": None, "critic_steps": None, "r1": 0.0, "batch": None}
    style = settings_of("style", given)
    assert (style["loss"], style["batch"], style["betas"]) == ("hinge", 16, (0.0, 0.99))
    plain = settings_of("dcgan", given)
    assert (plain["norm"], plain["critic_steps"]) == ("batch", 1)
    wgan = settings_of("dcgan", {**given, "loss": "wgan-gp"})
    assert (wgan["norm"], wgan["critic_steps"], wgan["betas"]) == ("none", 5, (0.0, 0.9))
    assert settings_of("dcgan", {**given, "r1": 1.0})["norm"] == "none"


def measure(model: Path, data: Path, **more: object) -> dict[str, object]:
    return evaluate_gan(EvaluationRequest(model, (data,), 120, **more), backbone, epochs=8)  # type: ignore[arg-type]


def test_a_file_and_its_run_measure_alike(trained: Path) -> None:
    data = trained / "toy.npz"
    file = measure(trained / "toy.onnx", data)
    run = measure(trained / "toy.onnx.run", data)
    for key in ("frechet_distance", "kernel_distance", "recall", "coverage"):
        assert file[key] == pytest.approx(run[key], rel=1e-2, abs=1e-3)
    assert set(file["class_accuracy"]["by_class"]) == {"0", "1", "2"}  # type: ignore[index]
    folder = trained / "toy.onnx.evaluation"
    with Image.open(folder / "neighbours.png") as picture:
        assert picture.size == (2 * (5 * 18 - 2), 2 * (12 * 18 - 2))
    assert len(list(folder.glob("features-*.pt"))) == 1
    assert len(list(folder.glob("classifier-*.pt"))) == 1


def test_what_is_computed_once_is_kept_unless_it_is_damaged(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, data, cache = trained / "toy.onnx", trained / "toy.npz", trained / "cache"
    first = measure(model, data, cache=cache)
    seen: list[int] = []
    train = evaluating.train_classifier
    monkeypatch.setattr(
        evaluating, "train_classifier", lambda *a, **k: seen.append(1) or train(*a, **k)
    )
    assert measure(model, data, cache=cache) == first
    assert not seen
    next(cache.glob("classifier-*.pt")).write_bytes(b"damaged")
    assert measure(model, data, cache=cache) == first
    assert seen == [1]


def test_features_of_another_backbone_are_not_taken_for_its_own(
    trained: Path, tmp_path: Path
) -> None:
    def other(_: Any) -> Backbone:
        found = backbone()
        with torch.no_grad():
            for weight in found.segments[0].parameters():
                weight.mul_(-1.5)
        return found

    def measured(folder: Path, network: Any) -> dict[str, Any]:
        request = EvaluationRequest(trained / "toy.onnx", (trained / "toy.npz",), 100, cache=folder)
        return evaluate_gan(request, network, epochs=1)

    measured(tmp_path / "shared", backbone)
    found = [measured(tmp_path / name, other) for name in ("shared", "own")]
    for values in found:
        values["copying"].pop("picture")
    assert found[0] == found[1]


class Fake:
    """A generator that gives what it is told to."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.size, self.channels, self.classes = 16, 1, ("0", "1", "2")
        self.images, self.labels = images, labels

    def sample(self, count: int, seed: int, truncation: float) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.from_numpy(self.images[:count, ..., None]), torch.from_numpy(
            self.labels[:count]
        )


def test_copies_good_samples_and_collapsed_ones_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = npz(tmp_path, 240)
    images, labels = drawings(240)
    kinds = {
        "copies": (images, labels),
        "new": drawings(240, seed=9),
        "collapsed": (images[labels], labels),
    }
    found = {}
    for kind, (made, classes) in kinds.items():
        fake = Fake(made, classes.astype(np.int64))
        monkeypatch.setattr(evaluating, "open_sampler", lambda *_, fake=fake: fake)
        found[kind] = measure(tmp_path / f"{kind}.onnx", data)
    ratio = {kind: values["copying"]["ratio"] for kind, values in found.items()}  # type: ignore[index]
    assert ratio["copies"] < 0.01
    assert ratio["new"] > 0.5
    diversity = {kind: values["diversity"]["mean"] for kind, values in found.items()}  # type: ignore[index]
    assert diversity["collapsed"] < 0.05
    assert 0.8 < diversity["new"] < 1.2
    assert found["collapsed"]["frechet_distance"] > 5 * found["new"]["frechet_distance"]  # type: ignore[operator]
    assert found["collapsed"]["recall"] < 0.1 < found["new"]["recall"]  # type: ignore[operator]
    assert found["new"]["class_accuracy"]["samples"] > 0.9  # type: ignore[index]


def test_two_samples_of_each_class_are_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Fake(*drawings(120))
    fake.classes = tuple(map(str, range(61)))
    monkeypatch.setattr(evaluating, "open_sampler", lambda *_: fake)
    with pytest.raises(UsageError, match=r"--count 120 is too few .* 61 classes; give 122 or more"):
        measure(tmp_path / "many.onnx", tmp_path / "unread.npz")


def test_samples_depend_on_the_seed_alone(trained: Path) -> None:
    sampler = open_sampler(trained / "toy.onnx", 1)
    first, labels = sampler.sample(7, 3)
    assert labels.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert torch.equal(first, sampler.sample(7, 3)[0])
    assert not torch.equal(first, sampler.sample(7, 4)[0])


def test_the_evaluate_command(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluating, "BACKBONES", {"efficientnet-lite0": backbone})
    words = ["gan", str(trained / "toy.onnx"), "--data", str(trained / "toy.npz")]
    done = CliRunner().invoke(evaluate, [*words, "--count", "100"], catch_exceptions=False)
    found = json.loads(done.output)
    assert found["samples"] == 100
    # The figures go into the card, and nothing else of the file changes.
    model = tmp_path / "toy.onnx"
    shutil.copy(trained / "toy.onnx", model)
    words[1] = str(model)
    CliRunner().invoke(evaluate, [*words, "--count", "100", "--write-card"], catch_exceptions=False)
    before, after = ModelFile(trained / "toy.onnx").card, ModelFile(model).card
    assert after.quality["frechet_distance"] == pytest.approx(found["frechet_distance"], rel=1e-3)
    assert after.quality["class_accuracy"] == pytest.approx(found["class_accuracy"]["samples"])
    assert after.model_copy(update={"quality": before.quality}) == before
    samples = [open_sampler(file, 1).sample(4, 0)[0] for file in (trained / "toy.onnx", model)]
    assert torch.equal(*samples)
    run = next(trained.glob("*.run"), trained)
    with pytest.raises(UsageError, match="is a run's folder, which has no card"):
        CliRunner().invoke(
            evaluate, ["gan", str(run), *words[2:], "--write-card"], catch_exceptions=False
        )


def test_what_cannot_be_evaluated(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run of `ganfilters train gan`"):
        measure(tmp_path, trained / "toy.npz")
    with pytest.raises(UsageError, match=r"has the classes bar, disc, frame.*the model 0, 1, 2"):
        measure(trained / "toy.onnx", folders(tmp_path / "other"))


def test_the_commands_import_nothing_heavy() -> None:
    script = (
        "import sys, ganfilters_exporters.gan_commands; print({'torch', 'numpy'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_a_log_is_drawn(trained: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    lines = [{"step": n, "loss": 1 / n, "rate": 1.0, "speed": 3} for n in range(1, 2001)]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (run / "log.jsonl").write_text(text + '{"step": 20')
    done = CliRunner().invoke(plot, [str(run)], catch_exceptions=False)
    assert f"wrote {run / 'log.svg'}" in done.output
    root = ElementTree.parse(run / "log.svg").getroot()  # noqa: S314 - our own file
    charts = root.findall("{*}g")
    assert [chart.find("{*}text").text for chart in charts] == ["loss", "speed"]  # type: ignore[union-attr]
    points = charts[0].find("{*}polyline").get("points").split()  # type: ignore[union-attr]
    assert 500 < len(points) <= 800
    heights = [float(point.split(",")[1]) for point in points]
    assert heights == sorted(heights)  # a falling loss falls: y grows downwards
    with pytest.raises(UsageError, match=r"has no log\.jsonl"):
        plot_run(tmp_path, tmp_path / "x.svg")


def test_a_stopped_training_exports_nothing_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "x.onnx"
    batch = Generation.batch

    def stopping(task: Generation, step: int) -> Any:
        if step == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return batch(task, step)

    data = npz(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Generation, "batch", stopping)
        done = call(data, out, "--arch", "mlp", "--steps", "9")
    assert done.exit_code == 130
    assert "2 of 9 steps done (signal)" in done.output
    assert "the same command goes on from here" in done.output
    assert not out.exists()
    assert "3 of 3 steps done" in call(data, out, "--arch", "mlp", "--steps", "3").output
    assert out.exists()


@pytest.mark.parametrize(
    ("absent", "more", "message"),
    [
        ("filelock", ["--no-export"], r"training needs filelock; pip"),
        ("onnx_ir", [], r"in the end \(--no-export leaves it out\) needs onnx_ir; pip"),
        ("pydantic", [], r"in the end \(--no-export leaves it out\) needs pydantic; pip"),
        ("pydantic", ["--no-export", "--init"], r"--init with an \.onnx file needs pydantic; pip"),
    ],
)
def test_what_a_training_needs_is_asked_for_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, absent: str, more: list[str], message: str
) -> None:
    find = train_commands.find_spec
    monkeypatch.setattr(
        train_commands, "find_spec", lambda name: None if name == absent else find(name)
    )
    (tmp_path / "init.onnx").touch()
    init = [str(tmp_path / "init.onnx")] if "--init" in more else []
    with pytest.raises(UsageError, match=message):
        call(npz(tmp_path), tmp_path / "x.onnx", "--arch", "mlp", *more, *init)


def test_what_only_the_export_needs_is_not_asked_for_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, without = train_commands.find_spec, ("onnx", "onnx_ir", "pydantic")
    monkeypatch.setattr(
        train_commands, "find_spec", lambda name: None if name in without else find(name)
    )
    words = ["--arch", "mlp", "--no-export", "--steps", "1"]
    assert "1 of 1 steps" in call(npz(tmp_path), tmp_path / "x.onnx", *words).output


def test_of_several_processes_one_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, words = npz(tmp_path), ["--arch", "mlp", "--no-export", "--steps", "1"]
    monkeypatch.setenv("RANK", "1")
    done = call(data, tmp_path / "second.onnx", *words)
    assert (done.exit_code, done.output) == (0, "")
    monkeypatch.setenv("RANK", "0")
    output = call(data, tmp_path / "first.onnx", *words).output
    assert "96 pictures; " in output
    assert "1 of 1 steps done" in output


def test_reconstruction_without_pairs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--reconstruction needs pairs: give --pairs DIR or"):
        call(npz(tmp_path), tmp_path / "x.onnx", "--arch", "dcgan", "--reconstruction", "L2")

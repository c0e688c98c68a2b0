"""Training end to end on tiny networks: the loss falls, runs go on, styles do not disturb."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from ganfilters import Runtime
from ganfilters.errors import UsageError
from ganfilters.models import ModelFile
from ganfilters_exporters.checkpoints import write_checkpoint
from ganfilters_exporters.data import Pictures, load_pictures
from ganfilters_exporters.files import read_config
from ganfilters_exporters.losses import Weights
from ganfilters_exporters.style import tasks
from ganfilters_exporters.style import train as training
from ganfilters_exporters.style import trained as reading
from ganfilters_exporters.style.network import Stylizer
from ganfilters_exporters.style.paintings import find_paintings, read_options
from ganfilters_exporters.style.predictor import PaintingStatistics
from ganfilters_exporters.style.tasks import AnyStyle, NamedStyles, OneStyle, StyleConfig, recolour
from ganfilters_exporters.style.train import StyleRequest, train_style
from ganfilters_exporters.train_commands import train
from ganfilters_exporters.trainer import TrainConfig, Trainer
from ganfilters_style.network import Network
from ganfilters_style.refining import REFINER

from .style_toys import TINY, backbone, loss_network, pictures

HOW = StyleConfig(
    size=32, style_size=64, corpus_size=64, batch=2, rate=1e-2, warm=2,
    weights=Weights(0.1, 1.0, tone=0.02),
)  # fmt: skip


def config(steps: int, **more: object) -> TrainConfig:
    return TrainConfig(steps=steps, device="cpu", quiet=True, log_every=5, **more)  # type: ignore[arg-type]


@pytest.fixture
def request_(tmp_path: Path) -> StyleRequest:
    return StyleRequest(
        styles=(pictures(tmp_path / "styles", 2, stripes=True),),
        photos=(pictures(tmp_path / "photos", 4),),
        out=tmp_path / "out.onnx",
        teacher=tmp_path / "unused",
        style=HOW,
        network=TINY,
        run=tmp_path / "run",
    )


def outputs(
    file: Path, number: int | None, image: np.ndarray, painting: np.ndarray | None = None
) -> np.ndarray:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    shapes = {item.name: item.shape for item in session.get_inputs()}
    feeds = {name: np.zeros(shapes[name], np.float32) for name in ("style", "statistics")}
    weights = np.zeros(shapes["style_weights"], np.float32)
    if number is not None:
        weights[number] = 1
    feeds |= {"image": image, "style_weights": weights}
    if "style_image" in shapes:
        blank = np.zeros((1, 3, 64, 64), np.float32)
        feeds["style_image"] = blank if painting is None else painting
    found: np.ndarray = session.run(["styled"], feeds)[0]
    return found


def log(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_training_exporting_and_one_more_style(request_: StyleRequest, tmp_path: Path) -> None:
    train_style(request_, config(40), loss_network=loss_network())
    lines = log(request_.run)
    assert lines[-1]["style"] < 0.8 * lines[0]["style"]
    with Image.open(request_.run / "samples" / "000040.png") as sheet:
        assert sheet.size == (3 * 256, 5 * 256)
    card = ModelFile(request_.out).card_for("style")
    assert [s["name"] for s in card.extra["styles"]] == ["picture-0", "picture-1"]

    one = pictures(tmp_path / "more", 4, stripes=True) / "Picture_3.png"
    more = dataclasses.replace(
        request_, styles=(one,), init=request_.out, out=tmp_path / "more.onnx",
        run=tmp_path / "more.run", style=dataclasses.replace(HOW, grain=0.01, palette=0.0),
    )  # fmt: skip
    train_style(more, config(40), loss_network=loss_network())
    lines = log(more.run)
    assert lines[-1]["style"] < lines[0]["style"]
    card = ModelFile(more.out).card_for("style")
    assert [s["name"] for s in card.extra["styles"]] == ["picture-0", "picture-1", "picture-3"]
    # What the network saw, not what fitted the new style.
    assert (card.extra["grain"], card.extra["palette"]) == (0.08, 0.5)
    image = np.random.default_rng(0).random((1, 3, 40, 32), np.float32)
    for number in (0, 1):
        before, after = outputs(request_.out, number, image), outputs(more.out, number, image)
        assert np.abs(before - after).max() < 1e-5
    assert np.abs(outputs(more.out, 2, image) - outputs(more.out, 1, image)).max() > 0.01
    # What --refine needs of the paintings: of the old ones as it was, of the new one too.
    file = ModelFile(more.out)
    network = Network(Runtime("cpu").session(file), file.card)
    before = Network(Runtime("cpu").session(ModelFile(request_.out)), ModelFile(request_.out).card)
    features = REFINER.card.extra["features"]
    for name, gram in before.look("picture-0", features).items():
        assert np.array_equal(network.look("picture-0", features)[name], gram)
        apart = np.linalg.norm(network.look("picture-3", features)[name] - gram)
        assert apart > 0.05 * np.linalg.norm(gram)

    with pytest.raises(UsageError, match="has a style 'picture-3' already"):
        train_style(
            dataclasses.replace(more, init=more.out, out=tmp_path / "again.onnx"),
            config(2),
            loss_network=loss_network(),
        )
    with pytest.raises(FileExistsError, match="pass --overwrite"):
        train_style(
            dataclasses.replace(request_, run=tmp_path / "new"), config(2),
            loss_network=loss_network(),
        )  # fmt: skip


def test_a_run_can_be_the_start_of_one_more_style(request_: StyleRequest, tmp_path: Path) -> None:
    started = dataclasses.replace(request_, export=False)
    train_style(started, config(2), loss_network=loss_network())
    assert not request_.out.exists()
    one = pictures(tmp_path / "more", 4, stripes=True) / "Picture_3.png"
    more = dataclasses.replace(started, styles=(one,), init=request_.run, run=tmp_path / "more.run")
    result = train_style(more, config(2), loss_network=loss_network())
    assert not isinstance(result, dict)
    assert result.step == 2


def named(request: StyleRequest) -> NamedStyles:
    torch.manual_seed(0)
    photos = load_pictures(request.photos, 40)
    paintings = find_paintings(request.styles, {})
    return NamedStyles(HOW, photos, paintings, loss_network(), Stylizer(TINY))


def test_interrupted_style_training_ends_the_same(request_: StyleRequest, tmp_path: Path) -> None:
    whole = named(request_)
    Trainer(whole, tmp_path / "whole", config(6, checkpoint_every=2)).run()
    first = named(request_)
    original, count = first.step, 0

    def step(batch: object, number: int) -> object:
        if number == 5:
            raise KeyboardInterrupt
        return original(batch, number)  # type: ignore[arg-type]

    first.step = step  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        Trainer(first, tmp_path / "parts", config(6, checkpoint_every=2)).run()
    second = named(request_)
    Trainer(second, tmp_path / "parts", config(6, checkpoint_every=2)).run()
    for name in ("net", "table"):
        for module in (whole, second):
            count += len(list(module.best(name).parameters()))
        for a, b in zip(whole.best(name).parameters(), second.best(name).parameters(), strict=True):
            assert torch.equal(a, b)
    assert count


def test_every_style_is_trained_equally_often(request_: StyleRequest, tmp_path: Path) -> None:
    task = named(request_)
    Trainer(task, tmp_path / "run", config(1))
    chosen = [int(n) for step in range(10) for n in task.batch(step)[1]]
    assert chosen.count(0) == chosen.count(1) == 10


def test_any_painting_learns_and_tells_paintings_apart(
    request_: StyleRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(training.BACKBONES, "efficientnet-lite0", lambda _: backbone())
    how = dataclasses.replace(HOW, rate=3e-3)
    request = dataclasses.replace(request_, styles=(), corpus=request_.styles, style=how)
    train_style(request, config(40), loss_network=loss_network())
    style = [line["style"] for line in log(request.run)]
    assert sum(style[-3:]) < 0.9 * sum(style[:3])
    card = ModelFile(request.out).card_for("style")
    assert card.extra["any_painting"]
    assert card.extra["styles"] == []


def test_named_styles_and_any_painting_from_a_trained_network(
    request_: StyleRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[None] = []
    monkeypatch.setitem(
        training.BACKBONES, "efficientnet-lite0", lambda _: read.append(None) or backbone()
    )
    train_style(request_, config(10), loss_network=loss_network())
    corpus = pictures(tmp_path / "corpus", 4, stripes=True)
    both = dataclasses.replace(
        request_, corpus=(corpus,), init=request_.out, out=tmp_path / "both.onnx",
        run=tmp_path / "both.run", style=dataclasses.replace(HOW, rate=1e-7),
    )  # fmt: skip
    train_style(both, config(2), loss_network=loss_network())
    image = np.random.default_rng(0).random((1, 3, 40, 32), np.float32)
    for number in (0, 1):  # it goes on from the trained network
        before, after = outputs(request_.out, number, image), outputs(both.out, number, image)
        assert np.abs(before - after).max() < 1e-3
    card = ModelFile(both.out).card_for("style")
    assert [s["name"] for s in card.extra["styles"]] == ["picture-0", "picture-1"]
    assert card.extra["any_painting"]
    # Of the backbone, which is not read again to name it.
    assert backbone().attribution in card.attribution.split("; ")
    assert len(read) == 1


@pytest.mark.parametrize("start", ["file", "run"])
def test_the_predictor_stays_when_a_painting_is_added_and_when_training_goes_on(
    request_: StyleRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    monkeypatch.setitem(training.BACKBONES, "efficientnet-lite0", lambda _: backbone())
    monkeypatch.setattr(reading, "blank_statistics", lambda: PaintingStatistics(backbone()))
    corpus = pictures(tmp_path / "corpus", 3, stripes=True)
    how = dataclasses.replace(HOW, palette=0.25)
    both = dataclasses.replace(request_, corpus=(corpus,), licence="MIT", style=how)
    train_style(both, config(4), loss_network=loss_network())
    init = both.out if start == "file" else both.run
    one = pictures(tmp_path / "more", 4, stripes=True) / "Picture_3.png"
    added = dataclasses.replace(
        request_, styles=(one,), init=init, out=tmp_path / "added.onnx",
        run=tmp_path / "added.run", style=dataclasses.replace(HOW, corpus_size=96),
    )  # fmt: skip
    train_style(added, config(2), loss_network=loss_network())
    image = np.random.default_rng(0).random((1, 3, 40, 32), np.float32)
    painting = np.random.default_rng(1).random((1, 3, 64, 96), np.float32)
    before, after = (outputs(r.out, None, image, painting) for r in (both, added))
    assert np.abs(before - after).max() < 1e-5
    card = ModelFile(added.out).card_for("style")
    assert card.extra["any_painting"]
    assert card.extra["painting_size"] == 2 * HOW.corpus_size
    assert card.extra["palette"] == 0.25  # the network's, for all of its styles
    assert read_config(added.run)["style"]["palette"] == 0.25
    # And whom the looks are from, once.
    assert card.attribution == f"nobody; {REFINER.card.attribution}"
    assert [s["name"] for s in card.extra["styles"]] == ["picture-0", "picture-1", "picture-3"]
    if start == "file":
        assert card.licence == "MIT"
        assert card.data == ("styles", "corpus", "photos", "Picture_3.png")

    further = dataclasses.replace(
        both, init=init, run=tmp_path / "further.run", export=False,
        style=dataclasses.replace(HOW, rate=1e-9),
    )  # fmt: skip
    train_style(further, config(1), loss_network=loss_network())
    then, now = (reading.read_trained(r).predictor for r in (init, further.run))
    for a, b in zip(then.state_dict().values(), now.state_dict().values(), strict=True):  # type: ignore[union-attr]
        assert (a - b).abs().max() < 1e-5
    few = dataclasses.replace(further, styles=(request_.styles[0] / "Picture_0.png",))
    with pytest.raises(UsageError, match="1 style that --styles does not give, picture-1; their"):
        train_style(few, config(1), loss_network=loss_network())


def test_networks_that_cannot_be_started_from(request_: StyleRequest, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    identity = {"kind": "NamedStyles", "network": TINY.to_dict(), "styles": ["a"]}
    net = Stylizer(TINY)
    state = {
        "step": 1, "seconds": 1.0, "seed": 0, "optimizers": {}, "averages": {}, "task": {},
        "modules": {"net": net.state_dict(), "table": {"styles": net.neutral()[None]}},
    }  # fmt: skip

    def refused(message: str, path: Path = run) -> None:
        with pytest.raises(UsageError, match=message):
            train_style(
                dataclasses.replace(request_, init=path), config(1), loss_network=loss_network()
            )

    write_checkpoint(run, {**state, "identity": json.dumps(identity)})
    (run / "log.jsonl").write_text("")
    assert reading.read_trained(run / "checkpoint.pt").names == ["a"]
    refused("give an .onnx file, the folder of a run, or the checkpoint.pt", run / "log.jsonl")
    other = dataclasses.replace(TINY, half=6).to_dict()
    for network in (other, {**other, "kernel": 5}, {}):
        write_checkpoint(run, {**state, "identity": json.dumps({**identity, "network": network})})
        refused("holds a network of another layout, made by an earlier version; train anew")
    one = {**identity, "kind": "OneStyle"}
    write_checkpoint(run, {**state, "identity": json.dumps(one)})
    refused("holds only the added styles; give the .onnx that it wrote")


def test_a_run_keeps_its_palette(
    request_: StyleRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also one of a version that knew of none: its network has learned colours by itself."""
    loud = dataclasses.replace(config(2), quiet=False)
    quietly = dataclasses.replace(request_, export=False)
    train_style(quietly, loud, loss_network=loss_network())
    assert "palette" not in capsys.readouterr().err
    notes = read_config(request_.run)
    del notes["style"]["palette"]
    (request_.run / "config.json").write_text(json.dumps(notes))
    for request, steps in ((quietly, 4), (request_, 6)):
        longer = dataclasses.replace(loud, steps=steps)
        train_style(request, longer, loss_network=loss_network())
        said = capsys.readouterr().err
        assert "has the palette 0, which stays" in said
        assert "from here on" not in said
    assert ModelFile(request_.out).card_for("style").extra["palette"] == 0
    # And what is trained on from the run begins with the same.
    assert reading.read_trained(request_.run).palette == 0


def test_a_photograph_of_one_colour_does_not_end_the_run(
    request_: StyleRequest, tmp_path: Path
) -> None:
    # Normalised again and again, it has gradients that overflow.
    folder = tmp_path / "flat"
    folder.mkdir()
    for number in range(3):
        Image.new("RGB", (64, 64), (255, 255, 255)).save(folder / f"{number}.png")
    deep = dataclasses.replace(TINY, blocks=8)
    bare = dataclasses.replace(HOW, grain=0.0, overpaint=0.0, palette=0.0)
    request = dataclasses.replace(
        request_, photos=(folder,), network=deep, style=bare, export=False
    )
    result = train_style(request, config(40), loss_network=loss_network())
    assert not isinstance(result, dict)
    assert result.step == 40
    assert any(line.get("skipped_updates", 0) > 0 for line in log(request.run))


def test_colours_change_within_bounds_and_by_the_generator_alone() -> None:
    images = torch.rand(8, 3, 6, 6)
    first = recolour(images, torch.Generator().manual_seed(1))
    assert torch.equal(first, recolour(images, torch.Generator().manual_seed(1)))
    changed = [not torch.equal(a, b) for a, b in zip(first, images, strict=True)]
    assert 1 <= sum(changed) < 8
    assert first.min() >= 0
    assert first.max() <= 1


def test_any_style_is_resumed_with_its_calibration(request_: StyleRequest, tmp_path: Path) -> None:
    def task() -> AnyStyle:
        torch.manual_seed(0)
        photos, corpus = load_pictures(request_.photos, 40), load_pictures(request_.styles, 96)
        seen = PaintingStatistics(backbone())
        return AnyStyle(HOW, photos, corpus, loss_network(), Stylizer(TINY), seen)

    whole, parts = task(), task()
    Trainer(whole, tmp_path / "whole", config(4)).run()
    Trainer(parts, tmp_path / "parts", config(4, minutes=1e-6)).run()
    resumed = task()
    assert Trainer(resumed, tmp_path / "parts", config(4)).run().step == 4
    for a, b in zip(
        whole.best("predictor").state_dict().values(),
        resumed.best("predictor").state_dict().values(),
        strict=True,
    ):
        assert torch.equal(a, b)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("share", [0.5, 0.75])
def test_a_share_of_the_pictures_is_in_a_named_style(
    request_: StyleRequest, tmp_path: Path, count: int, share: float
) -> None:
    photos, corpus = load_pictures(request_.photos, 40), load_pictures(request_.styles, 96)
    paintings = find_paintings(list(request_.styles), {})
    how = dataclasses.replace(HOW, batch=count, named_share=share)
    seen = PaintingStatistics(backbone())
    task = AnyStyle(how, photos, corpus, loss_network(), Stylizer(TINY), seen, paintings)
    Trainer(task, tmp_path / "run", config(2)).run()
    all_named = []
    for step in range(4):
        photo, chosen, painting = task.batch(step)
        assert len(photo) == count == len(chosen) + len(painting)
        all_named += chosen.tolist()
    assert len(all_named) == 4 * count * share
    # Every style as often as the others, over the whole row.
    assert abs(all_named.count(0) - all_named.count(1)) <= 1


def test_photographs_are_hardly_enlarged(request_: StyleRequest, tmp_path: Path) -> None:
    stored = load_pictures(request_.photos, 48)
    cuts = []

    def spy(*args: object, zoom: tuple[float, float], **kwargs: object) -> object:
        cuts.append(zoom)
        return Pictures.batch(stored, *args, zoom=zoom, **kwargs)  # type: ignore[arg-type]

    for size in (16, 48, 96):
        how = dataclasses.replace(HOW, size=size)
        paintings = find_paintings(list(request_.styles), {})
        task = NamedStyles(how, stored, paintings, loss_network(), Stylizer(TINY))
        Trainer(
            task,
            tmp_path / str(size),
            config(
                1,
            ),
            [],
        ).dry_run()
        object.__setattr__(task.photos, "batch", spy)
        assert task.contents(0).shape[-1] == size
        object.__delattr__(task.photos, "batch")
    assert cuts[0][0] == HOW.zoom[0]  # small enough for any cut
    assert cuts[1][0] == pytest.approx(1 / 1.2)
    assert cuts[2] == (1.0, 1.0)


def test_a_sheet_shows_paintings_from_all_over_the_corpus(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[list[Path]] = []
    monkeypatch.setattr(tasks, "load_samples", lambda files, _: shown.append(files))
    task = AnyStyle.__new__(AnyStyle)
    task.corpus = SimpleNamespace(names=[f"{n}" for n in range(11)])  # type: ignore[assignment]
    task.sheet_styles(8)
    assert [path.name for path in shown[0]] == ["0", "1", "3", "5", "7", "9"]


def test_options_for_single_styles(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "styles", 2, stripes=True)
    (folder / "broken.jpg").write_bytes(b"no")
    file = tmp_path / "options.toml"
    file.write_text('[styles.Picture_1]\nname = "bars"\ntitle = "Bars"\nstyle = 2.5\nsize = 0.5\n')
    found = find_paintings([folder], read_options(file))
    assert [p.name for p in found] == ["bars", "picture-0"]
    assert (found[0].style, found[0].size, found[0].title) == (2.5, 0.5, "Bars")
    file.write_text("[styles.x]\nstlye = 1\n")
    with pytest.raises(UsageError, match="did you mean style"):
        read_options(file)
    file.write_text("[styles.x]\nstyle = -1\n")
    with pytest.raises(UsageError, match=r"styles\.x\.style must be a number"):
        read_options(file)
    with pytest.raises(UsageError, match="are both 'picture-0'"):
        find_paintings([folder, folder / "Picture_0.png"], {})
    with pytest.raises(UsageError, match=r"broken\.jpg cannot be used as a style picture: cannot"):
        find_paintings([folder / "broken.jpg"], {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("styles = 3", "styles must be tables"),
        ("[styles]\nx = 3", r"styles\.x must be a table"),
        ("[styles.x]\nname = 3", r"styles\.x\.name must be text"),
        ('[styles.x]\nname = "Two Words"', "lower-case letters and digits, joined by hyphens"),
        ('[styles.x]\nname = ""', "lower-case letters and digits"),
        ("[styles.x]\nsize = true", "must be a number"),
    ],
)
def test_options_that_no_style_can_have(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "options.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_options(file)


def test_style_pictures_that_cannot_be_used_are_counted(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "styles", 2, stripes=True)
    whole = (folder / "Picture_1.png").read_bytes()
    (folder / "Picture_1.png").write_bytes(whole[: len(whole) // 2])
    said: list[str] = []
    found = find_paintings([folder], {"Pictre_0": {"size": 2.0}}, said.append)
    assert [p.name for p in found] == ["picture-0"]
    assert said[0].startswith("1 style picture, 1 skipped, the first: ")
    assert "Picture_1.png: " in said[0]
    assert "no picture is 'Pictre_0'; did you mean Picture_0" in said[1]
    (folder / "Picture_0.png").unlink()
    with pytest.raises(UsageError, match="holds no usable style picture; 1 skipped"):
        find_paintings([folder], {})


def test_names_of_files_in_any_script(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "styles", 1, stripes=True)
    (folder / "Picture_0.png").rename(folder / "神奈川 Cafe\N{COMBINING ACUTE ACCENT}_2.png")
    (painting,) = find_paintings([folder], {})
    assert painting.name == "神奈川-café-2"
    (folder / "神奈川 Cafe\N{COMBINING ACUTE ACCENT}_2.png").rename(folder / "___.png")
    with pytest.raises(UsageError, match="no letter or digit to name the style after"):
        find_paintings([folder], {})
    assert find_paintings([folder], {"___": {"name": "waves"}})[0].name == "waves"


def test_an_added_style_goes_on_only_with_the_network_it_began_with(
    request_: StyleRequest, tmp_path: Path
) -> None:
    photos = load_pictures(request_.photos, 40)
    paintings = find_paintings(request_.styles, {})

    def run(seed: int, known: str) -> None:
        torch.manual_seed(seed)
        net = Stylizer(TINY)
        rows = net.neutral()[None]
        task = OneStyle(HOW, photos, paintings, loss_network(), net, rows, [known])
        Trainer(task, tmp_path / "one", config(2)).run()

    run(0, "a")
    run(0, "a")
    with pytest.raises(UsageError, match=r"init\.weights = "):
        run(1, "a")
    with pytest.raises(UsageError, match=r'init\.styles = \["a"\], not \["b"\]'):
        run(0, "b")


def test_the_command(request_: StyleRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "load_vgg16_features", lambda _: loss_network())
    request_.teacher.write_bytes(b"")
    words = ["style", "--styles", str(request_.styles[0]), "--photos", str(request_.photos[0])]
    words += ["--teacher", str(request_.teacher), "--out", str(request_.out), "--size", "32"]
    words += ["--style-size", "64", "--blocks", "1", "--batch", "2", "--device", "cpu"]
    dry = CliRunner().invoke(train, [*words, "--dry-run"], catch_exceptions=False)
    assert "images_per_second" in dry.output
    assert not request_.out.exists()
    for steps, more in (("2", ["--no-export"]), ("3", [])):  # the second call goes on
        call = [*words, "--steps", steps, "--attribution", "Me", *more]
        done = CliRunner().invoke(train, call, catch_exceptions=False)
        assert f"{steps} of {steps} steps done" in done.output
    card = ModelFile(request_.out).card
    assert "--styles styles --photos photos" in card.command
    assert str(request_.out.parent) not in card.command
    assert card.extra["steps"] == 3
    assert card.attribution.startswith("Me; ")


def test_what_a_trained_network_brings_is_not_asked_for(request_: StyleRequest) -> None:
    request_.teacher.write_bytes(b"")
    words = ["style", "--styles", str(request_.styles[0]), "--photos", str(request_.photos[0])]
    words += ["--teacher", str(request_.teacher), "--out", str(request_.out)]
    words += ["--init", str(request_.photos[0])]
    done = CliRunner().invoke(train, [*words, "--blocks", "6"])
    assert "--blocks is for a new network, and --init brings one" in str(done.exception)
    done = CliRunner().invoke(train, [*words, "--palette", "1"])
    assert "--palette has no use without --corpus, as --init says" in str(done.exception)


def test_what_a_backbone_is_for(
    request_: StyleRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that learned any painting lacks it, so one more style may need it as well."""
    seen: list[StyleRequest] = []

    def note(request: StyleRequest, config: TrainConfig, *, dry_run: bool) -> dict[str, float]:
        seen.append(request)
        return {"loss": 1.0}

    monkeypatch.setattr(training, "train_style", note)
    weights = tmp_path / "mine.pth"
    weights.touch()
    words = ["style", "--styles", str(request_.styles[0]), "--photos", str(request_.photos[0])]
    words += ["--teacher", str(weights), "--out", str(request_.out), "--backbone", str(weights)]
    with pytest.raises(UsageError, match="--backbone has no use without --corpus or --init"):
        CliRunner().invoke(train, words, catch_exceptions=False)
    CliRunner().invoke(train, [*words, "--init", str(tmp_path)], catch_exceptions=False)
    assert seen[0].backbone == weights


def test_a_file_to_begin_with_is_not_written_over(request_: StyleRequest) -> None:
    """The same command, going on, would begin with its own result."""
    given = dataclasses.replace(request_, init=request_.out, overwrite=True)
    with pytest.raises(UsageError, match=r"out\.onnx is what --init begins with, and would be"):
        train_style(given, config(1), loss_network=loss_network())


def test_the_command_imports_nothing_heavy() -> None:
    script = "import sys, ganfilters_exporters.train_commands; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_bad_requests(request_: StyleRequest) -> None:
    for change, message in (
        ({"styles": ()}, "nothing to learn from; give --styles, --corpus, or both"),
        ({"style": StyleConfig(size=34)}, "not a multiple of 8"),
        ({"photos": (request_.run,)}, "does not exist"),
        ({"style": StyleConfig(weights=Weights(0, 0, 0, 0, 0))}, "all weights of the loss are 0"),
    ):
        with pytest.raises(UsageError, match=message):
            train_style(
                dataclasses.replace(request_, **change), config(1), loss_network=loss_network()
            )

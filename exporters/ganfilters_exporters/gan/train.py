"""The command ``ganfilters train gan``: read, train or go on, export."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from ganfilters.errors import UsageError

from ..backbones import BACKBONES, Backbone
from ..checkpoints import run_folder
from ..data import Pictures, load_arrays, load_pictures
from ..files import read_config
from ..sheets import grid, write_picture
from ..stored import Origin
from ..trainer import Callback, TrainConfig, TrainingError, TrainResult
from ..training import TrainRequest, train
from .adversarial import Adversarial, GanConfig
from .discriminators import LiteFeatures, ProjectedDiscriminator
from .networks import (
    GENERATORS,
    Extras,
    Generator,
    NetworkConfig,
    PatchDiscriminator,
    Translator,
    plain_discriminator,
)
from .pairs import DEGRADATIONS, load_pairs
from .standing import settle
from .tasks import Generation, Translation
from .trained import Trained, read_trained

__all__ = ["GanRequest", "load_data", "make_task", "train_gan"]

SHEET_COLUMNS = 8
HEAD_START = 100
"""Of a new discriminator beside a trained generator, where nothing else is asked for."""
SMALL = 48
"""Pictures below this side are drawn twice as large on sheets."""


@dataclass(frozen=True, kw_only=True)
class GanRequest(TrainRequest):
    """What the user asks for. With `init` sizes are those of the trained network.

    Attributes
    ----------
    data : tuple of Path
        Folders of pictures, or one ``.npz``.
    gan : GanConfig
        How to train.
    network : NetworkConfig
        Sizes; `channels` and `classes` are found from the data.
    channels : int or None
        1 or 3; by default as stored in an ``.npz``, and 3 for folders, and with `init` as it has.
    conditional : bool
        Learn the classes: labels of the ``.npz``, or names of the folders that pictures lie in.
    pairs : Path or None
        Folder of pairs.
    degrade : str
        Make pairs of the data by a key of :data:`.pairs.DEGRADATIONS`; empty for none.
    check_every : int
        Steps from one check of diversity to the next.
    stop_on_collapse : bool
        End a run whose samples are collapsed.
    title : str
        For the card; one is made if it is empty.
    opened : Trained or None
        What `init` holds, where that was read before; that of another path is not used.
    """

    data: tuple[Path, ...]
    gan: GanConfig = field(default_factory=GanConfig)
    network: NetworkConfig = field(default_factory=lambda: NetworkConfig("dcgan", 64))
    channels: int | None = None
    conditional: bool = False
    pairs: Path | None = None
    degrade: str = ""
    check_every: int = 250
    stop_on_collapse: bool = False
    title: str = ""
    opened: Trained | None = field(default=None, repr=False, compare=False)
    command: str = "ganfilters train gan"

    @cached_property
    def trained(self) -> Trained | None:
        """What `init` holds; a UsageError if that is nothing to begin with."""
        if self.init is None:
            return None
        if self.opened and self.opened.path == (run_folder(self.init) or self.init):
            return self.opened
        return read_trained(self.init)

    @property
    def start(self) -> Origin:
        """What is known of `init`, which is not read again."""
        return self.trained.origin if self.trained else Origin()

    @property
    def data_paths(self) -> tuple[Path, ...]:
        """What is trained on."""
        return (*self.data, self.pairs) if self.pairs else self.data

    @property
    def paired(self) -> bool:
        """Whether pictures are made from pictures."""
        return bool(self.pairs or self.degrade)

    @property
    def sizes(self) -> NetworkConfig:
        """Those of `init`, or `network`."""
        return self.trained.network if self.trained else self.network

    @property
    def stored_channels(self) -> int | None:
        """Channels that the data are read with: those of `init`, or `channels`."""
        return self.trained.network.channels if self.trained else self.channels

    @property
    def stored_size(self) -> int:
        """Side that the data are read with."""
        return round(self.sizes.size / self.gan.zoom)


def load_data(
    data: tuple[Path, ...],
    size: int,
    channels: int | None,
    *,
    conditional: bool,
    cache: Path | None = None,
) -> Pictures:
    """Read one ``.npz``, or folders; `cache` is that of :func:`..data.load_pictures`.

    Raises
    ------
    UsageError
        There is no usable picture, or there are no labels where they are needed.
    """
    arrays = [path for path in data if path.suffix == ".npz"]
    if arrays and len(data) > 1:
        raise UsageError(f"{arrays[0]} and other data cannot be mixed; give one .npz, or folders")
    if arrays:
        if not arrays[0].is_file():
            raise UsageError(f"{arrays[0]} does not exist")
        pictures = load_arrays(arrays[0], channels=channels)
    else:
        pictures = load_pictures(
            data, size, channels=channels or 3, classes=conditional, cache=cache
        )
    if conditional and pictures.labels is None:
        raise UsageError(f"{arrays[0]} has no labels, which --conditional needs")
    if conditional and len(pictures.classes) < 2:
        raise UsageError(
            f"{data[0]} has one class, {pictures.classes[0]!r}; --conditional needs a folder for "
            "each of several classes"
        )
    return pictures


def _backbone(request: GanRequest) -> Backbone:
    return BACKBONES["efficientnet-lite0"](request.backbone)


def make_task(
    request: GanRequest, backbone: Callable[[GanRequest], Backbone] = _backbone
) -> Generation | Translation:
    """Read the data and build the networks."""
    config, features = request.gan, None
    if config.discriminator == "projected" or config.perceptual:
        features = LiteFeatures(backbone(request), config.feature_side)
    task = _pair_task(request, features) if request.paired else _plain_task(request, features)
    judge = request.trained.judge(task, request.backbone) if request.trained else None
    if judge is not None:
        task.modules["discriminator"].load_state_dict(judge)
    if config.head_start is None:
        # Decided once: a later part of the run may be given another `init`, which is not used.
        alone = _head_start_of(request.run) if request.goes_on else None
        if alone is None:
            alone = HEAD_START if request.trained and judge is None else 0
        task.config = dataclasses.replace(config, head_start=alone)
    return task


def _head_start_of(run: Path) -> int | None:
    """Return the head start that a run began with; None if its folder does not say."""
    noted = read_config(run).get("gan")
    found = noted.get("head_start") if isinstance(noted, dict) else None
    return found if isinstance(found, int) else None


def _plain_task(request: GanRequest, features: LiteFeatures | None) -> Generation:
    config, trained = request.gan, request.trained
    pictures = load_data(
        request.data, request.stored_size, request.stored_channels,
        conditional=request.conditional, cache=request.run,
    )  # fmt: skip
    classes = pictures.classes if request.conditional else ()
    channels = int(pictures.pixels.shape[3])
    sizes = dataclasses.replace(request.sizes, channels=channels, classes=len(classes))
    generator = trained.generator(classes) if trained else GENERATORS[sizes.arch](sizes)
    network = generator.config
    tells = config.auxiliary > 0 and network.classes > 0
    judge: torch.nn.Module
    if config.discriminator == "projected" and features is not None:
        judge = ProjectedDiscriminator(features, network.classes, seed=config.seed, tells=tells)
    else:
        extras = Extras(tells, config.minibatch_std)
        judge = plain_discriminator(network, config.norm, extras)  # type: ignore[arg-type]
    return Generation(config, pictures, generator, judge, features)


def _pair_task(request: GanRequest, features: LiteFeatures | None) -> Translation:
    config, trained = request.gan, request.trained
    stored, channels = request.stored_size, request.stored_channels
    if request.pairs:
        inputs: Any
        inputs, targets = load_pairs(request.pairs, stored, channels or 3, request.run)
    else:
        inputs = DEGRADATIONS[request.degrade]
        targets = load_data(request.data, stored, channels, conditional=False, cache=request.run)
    sizes = dataclasses.replace(request.sizes, channels=int(targets.pixels.shape[3]))
    translator = trained.translator() if trained else Translator(sizes)
    judge = PatchDiscriminator(translator.config, config.norm)  # type: ignore[arg-type]
    name = request.degrade or "pairs"
    return Translation(config, targets, inputs, translator, judge, features, name)


def train_gan(
    request: GanRequest,
    config: TrainConfig,
    *,
    dry_run: bool = False,
    backbone: Callable[[GanRequest], Backbone] = _backbone,
) -> TrainResult | dict[str, float]:
    """Train in the run's folder, or go on with it, and export the generator.

    Parameters
    ----------
    request : GanRequest
        What to train on, and what to write.
    config : TrainConfig
        How long, where and how precisely.
    dry_run : bool
        Do two steps and write nothing; return time and memory.
    backbone : callable, optional
        In place of EfficientNet-Lite0 read from its package.

    Raises
    ------
    UsageError
        Something asked for cannot be: says what and why.
    FileExistsError
        `request.out` exists, no run would go on, and `request.overwrite` is false.
    TrainingError
        The samples are collapsed, and the run was to stop then.
    """
    request.check_target()
    _refuse_short(config.steps, request.gan.head_start)
    # What the file will hold is read now, not when all steps are done.
    held = None
    if request.export and not request.paired:
        held = backbone(request)
    torch.manual_seed(config.seed)
    task = make_task(request, backbone)
    _refuse_short(config.steps, task.config.head_start)
    pictures = task.pictures if isinstance(task, Generation) else task.targets
    if not config.quiet:
        _report(request, task, pictures)
    notes = {
        "gan": asdict(task.config),
        "data": {"used": len(pictures), "skipped": list(pictures.skipped)},
    }

    def export(result: TrainResult) -> None:
        _export(request, task, config, result, held)

    return train(task, request, config, _callbacks(request), notes, export, dry_run=dry_run)


def _refuse_short(steps: int, head_start: int | None) -> None:
    """Refuse to train where the generator would not learn at all."""
    if steps <= (head_start or 0):
        raise UsageError(
            f"--steps {steps} is no more than the discriminator's head start of {head_start}; "
            "give more, or a smaller --head-start"
        )


def _report(request: GanRequest, task: Adversarial, pictures: Pictures) -> None:
    """Say how many pictures are used, which are not, how large the networks are, what is kept."""
    if request.trained and not request.goes_on:
        classes = pictures.classes if request.conditional else ()
        text = request.trained.describe(classes, task, request.backbone)
        print(text, file=sys.stderr)  # noqa: T201
    text = f"{len(pictures)} pictures"
    if pictures.skipped:
        text += f", {len(pictures.skipped)} skipped, the first: {pictures.skipped[0]}"
    sizes = {
        name: sum(p.numel() for p in module.parameters() if p.requires_grad) / 1e6
        for name, module in task.modules.items()
    }
    text += "; " + ", ".join(f"{name} {count:.2f} M weights" for name, count in sizes.items())
    print(text, file=sys.stderr)  # noqa: T201


def _callbacks(request: GanRequest) -> list[Callback]:
    """Return what is done while training: sample sheets, and the collapse alarm."""

    def draw(task: Adversarial, step: int, folder: Path) -> None:
        picture, scale = _sheet(task)
        write_picture(picture, folder / "samples" / f"{step:07}.png", scale)

    def check(task: Adversarial, step: int, folder: Path) -> None:
        if isinstance(task, Generation) and task.check_diversity():
            message = task.alarm.message(step)
            if request.stop_on_collapse:
                draw(task, step, folder)
                raise TrainingError(f"{message}; the run is in {request.run}")
            print(f"warning: {message}", file=sys.stderr, flush=True)  # noqa: T201

    return [Callback(request.check_every, check), Callback(request.sheet_every, draw)]


def _sheet(task: Adversarial) -> tuple[torch.Tensor, int]:
    """Return a grid with a row for each class, or of pairs, and how much to enlarge it."""
    if isinstance(task, Generation):
        classes = task.network.classes
        rows = classes or SHEET_COLUMNS
        labels = torch.arange(rows).repeat_interleave(SHEET_COLUMNS) if classes else None
        images = task.samples(labels, rows * SHEET_COLUMNS, 0)
        scale = 2 if task.network.size < SMALL else 1
        return grid(images, SHEET_COLUMNS), scale
    assert isinstance(task, Translation)  # noqa: S101 - for the type checker
    numbers = list(range(min(len(task.targets), SHEET_COLUMNS)))
    return grid(task.samples(numbers), 3), 2 if task.network.size < SMALL else 1


def _export(
    request: GanRequest,
    task: Generation | Translation,
    config: TrainConfig,
    result: TrainResult,
    backbone: Backbone | None,
) -> None:
    # Imported here: training needs neither onnx nor onnxruntime.
    from .export import export_gan

    classes: tuple[str, ...] = ()
    if isinstance(task, Generation) and task.network.classes:
        classes = task.pictures.classes
    what = f"{task.network.arch}, {task.network.size} x {task.network.size}"
    if classes:
        what += f", {len(classes)} classes"
    kind = "Image to image" if isinstance(task, Translation) else "Generator"
    # A generator's file holds them.
    named = []
    if backbone is not None:
        named = [f"features to compare pictures by: {backbone.attribution}"]
    card = request.card(
        config, result, named=named,
        measured=("diversity", "reconstruction", "perceptual"),
        extra={"training": asdict(task.config)},
    )  # fmt: skip
    card["title"] = request.title or f"{kind} ({what})"
    network: Any = task.best("generator").cpu()
    if isinstance(network, Generator):
        settle(network)
    export_gan(network, request.out, classes, backbone=backbone, overwrite=True, card=card)

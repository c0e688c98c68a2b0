"""The command ``ganfilters train style``: read, train or go on, export."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganfilters.errors import UsageError

from ..backbones import BACKBONES
from ..data import Pictures, load_pictures
from ..files import read_config
from ..losses import load_vgg16_features
from ..sheets import load_samples, readable, sheet, write_picture
from ..trainer import Callback, TrainConfig, TrainResult
from ..training import TrainRequest, train
from .network import MULTIPLE, NetworkConfig, StyleTable, Stylizer
from .paintings import Painting, find_paintings, plural, read_options
from .predictor import PREDICTOR_MULTIPLE, PaintingStatistics
from .tasks import CORPUS_ZOOM, AnyStyle, NamedStyles, OneStyle, StyleConfig
from .trained import Trained, read_trained

__all__ = ["StyleRequest", "train_style"]

SHEET_SIDE = 256
SHEET_PHOTOS = 4

Task = NamedStyles | AnyStyle


@dataclass(frozen=True, kw_only=True)
class StyleRequest(TrainRequest):
    """What the user asks for.

    Without a corpus the styles are added to the network of `init` and nothing else changes; with
    one, everything is trained on from there.

    Attributes
    ----------
    styles, photos : tuple of Path
        Folders or files.
    teacher : Path
        Weights of the loss network.
    corpus : tuple of Path
        Folders of paintings to learn any painting from; if there are any, `styles` may be empty.
    options : Path or None
        TOML with options for single styles.
    style : StyleConfig
        How the network is trained.
    network : NetworkConfig
        Sizes of a new network.
    sheet_photos : tuple of Path
        Photographs of the sheets; by default some of `photos`, from all over them.
    """

    styles: tuple[Path, ...]
    photos: tuple[Path, ...]
    teacher: Path
    corpus: tuple[Path, ...] = ()
    options: Path | None = None
    style: StyleConfig = field(default_factory=StyleConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    sheet_photos: tuple[Path, ...] = ()
    command: str = "ganfilters train style"

    @property
    def data_paths(self) -> tuple[Path, ...]:
        """What is trained on."""
        return (*self.styles, *self.corpus, *self.photos)


def train_style(
    request: StyleRequest,
    config: TrainConfig,
    *,
    dry_run: bool = False,
    loss_network: nn.Module | None = None,
) -> TrainResult | dict[str, float]:
    """Train a style network in its run's folder, or go on with it, and export it.

    Parameters
    ----------
    request : StyleRequest
        What to train on, and what to write.
    config : TrainConfig
        How long, where and how precisely.
    dry_run : bool
        Do two steps and write nothing; return time and memory.
    loss_network : nn.Module, optional
        In place of VGG16 read from `request.teacher`.

    Raises
    ------
    UsageError
        Something asked for cannot be: says what and why.
    FileExistsError
        `request.out` exists, no run would go on, and `request.overwrite` is false.
    """
    _check(request)
    torch.manual_seed(config.seed)
    trained = None
    if request.init is not None:
        trained = read_trained(request.init, request.backbone)
    say = _silent if config.quiet else _say
    request = _with_palette(request, trained, say)
    loss_network = loss_network or load_vgg16_features(request.teacher)
    task = _make_task(request, trained, loss_network, say)
    _report(task, say)
    callbacks = [Callback(request.sheet_every, _sheet_callback(request, task))]
    notes = {
        "style": asdict(request.style),
        "photos": {"used": len(task.photos), "skipped": list(task.photos.skipped)},
        "styles": [str(path) for path in request.styles],
    }

    def export(result: TrainResult) -> None:
        _export(request, trained, task, config, result)

    return train(task, request, config, callbacks, notes, export, dry_run=dry_run)


def _check(request: StyleRequest) -> None:
    """Find what is wrong before anything is read."""
    if not request.styles and not request.corpus:
        raise UsageError("there is nothing to learn from; give --styles, --corpus, or both")
    if request.style.size % MULTIPLE or request.style.size < 32:
        raise UsageError(f"--size {request.style.size} is not a multiple of {MULTIPLE} from 32 on")
    if request.style.corpus_size % PREDICTOR_MULTIPLE:
        raise UsageError(
            f"--corpus-size {request.style.corpus_size} is not a multiple of {PREDICTOR_MULTIPLE}"
        )
    weights = request.style.weights
    if not any((weights.content, weights.style, weights.smooth, weights.tone, weights.weave)):
        raise UsageError("all weights of the loss are 0; nothing would be learned")
    request.check_target()


def _with_palette(
    request: StyleRequest, trained: Trained | None, say: Callable[[str], None]
) -> StyleRequest:
    """Return the request with the palette that will be used, where that is given already."""
    palette = request.style.palette
    if trained is not None and not request.corpus:
        # As the filter will show it, which takes the network's word for all of its styles.
        palette = trained.palette
    else:
        # A run's own stays: its networks have learned to leave that part of the colours alone.
        before = read_config(request.run).get("style")
        if before is not None:
            palette = float(before.get("palette", 0.0))
        if palette != request.style.palette:
            say(f"{request.run} has the palette {palette:g}, which stays")
    return replace(request, style=replace(request.style, palette=palette))


def _make_task(
    request: StyleRequest,
    trained: Trained | None,
    loss_network: nn.Module,
    say: Callable[[str], None],
) -> Task:
    config = request.style
    options = read_options(request.options)
    paintings = find_paintings(request.styles, options, say) if request.styles else []
    if trained is not None:
        _check_names(request, trained, [painting.name for painting in paintings])
    # A little larger than the cuts, so that most cuts are made smaller, not larger.
    photos = load_pictures(
        request.photos,
        round(config.size / config.zoom[0]),
        smallest=config.size // 2,
        cache=request.run,
    )
    if request.corpus:
        return _any_task(request, trained, photos, paintings, loss_network)
    if trained is None:
        return NamedStyles(config, photos, paintings, loss_network, Stylizer(request.network))
    return OneStyle(
        config, photos, paintings, loss_network, trained.net, trained.rows, trained.names
    )


def _check_names(request: StyleRequest, trained: Trained, names: Sequence[str]) -> None:
    """Refuse to train what there is already, or on without what there is."""
    if request.corpus:
        missing = [name for name in trained.names if name not in names]
        if missing:
            raise UsageError(
                f"{request.init} has {plural(len(missing), 'style')} that --styles does not give, "
                f"{', '.join(missing)}; their pictures are needed to train on"
            )
        return
    for name in names:
        if name in trained.names:
            raise UsageError(
                f"{request.init} has a style {name!r} already; rename the file, or give another "
                "name in --options"
            )


def _any_task(
    request: StyleRequest,
    trained: Trained | None,
    photos: Pictures,
    paintings: Sequence[Painting],
    loss_network: nn.Module,
) -> AnyStyle:
    config = request.style
    corpus = load_pictures(
        (*request.corpus, *request.styles),
        round(config.corpus_size / CORPUS_ZOOM[0]),
        smallest=64,
        cache=request.run,
    )
    rows = predictor = statistics = None
    if trained is None:
        net = Stylizer(request.network)
    else:
        net, predictor, statistics = trained.net, trained.predictor, trained.seen
        # A style that is new begins as the mean of those there are.
        by_name = dict(zip(trained.names, trained.rows, strict=True))
        mean = trained.rows.mean(0)
        rows = torch.stack([by_name.get(painting.name, mean) for painting in paintings])
    if statistics is None:
        statistics = PaintingStatistics(BACKBONES["efficientnet-lite0"](request.backbone))
    return AnyStyle(
        config, photos, corpus, loss_network, net, statistics, paintings, rows, predictor
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201


def _silent(_: str) -> None:
    pass


def _report(task: Task, say: Callable[[str], None]) -> None:
    """Say how many pictures are used, and which are not."""
    for what, pictures in task.used().items():
        text = plural(len(pictures), what)
        if pictures.skipped:
            text += f", {len(pictures.skipped)} skipped, the first: {pictures.skipped[0]}"
        say(text)


def _sheet_callback(request: StyleRequest, task: Task) -> Callable[[Any, int, Path], None]:
    """Return a callback that writes ``samples/STEP.png``: photographs down, styles across."""
    files = readable(request.sheet_photos or request.photos, SHEET_PHOTOS)
    photos, styles = load_samples(files, SHEET_SIDE), task.sheet_styles(SHEET_SIDE)

    def write(current: Task, step: int, folder: Path) -> None:
        def paint(photo: Tensor, number: int) -> Tensor:
            return current.paint_like(photo.to(current.device), styles, number)

        write_picture(sheet(photos, styles, paint), folder / "samples" / f"{step:06}.png")

    return write


def _export(
    request: StyleRequest,
    trained: Trained | None,
    task: Task,
    config: TrainConfig,
    result: TrainResult,
) -> None:
    # Imported here: training needs neither onnx nor onnxruntime.
    from .export import StyleGraph, export_style
    from .looks import looks_of

    made = task.to_export(trained)
    named = [trained.attribution] if trained is not None else []
    if made.seen is not None and (trained is None or trained.predictor is None):
        named.append(made.seen.attribution)
    card = request.card(
        config, result, named=named, measured=("loss", "content", "style"),
        extra={
            "style_size": request.style.style_size,
            "painting_size": made.painting_size,
            "grain": made.grain,
            "palette": made.palette,
        },
    )  # fmt: skip
    net, table, looks = made.net.cpu(), None, None
    if made.styles:
        paintings = task.named.paintings
        looks = looks_of(made.looks, len(made.styles) - len(paintings), paintings)
        table = StyleTable(made.names, net.neutral())
        table.load_state_dict({"styles": made.rows})
    count = plural(len(made.styles), "style") if made.styles else ""
    what = " and ".join(part for part in (count, "any painting" if made.predictor else "") if part)
    out = request.out
    export_style(
        StyleGraph(net, table, made.predictor, made.seen, looks),
        out,
        made.styles,
        name=out.stem,
        title=f"Style transfer, {what}",
        overwrite=True,
        card=card,
    )

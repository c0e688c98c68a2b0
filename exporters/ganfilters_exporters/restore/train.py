"""The commands ``ganfilters train inpaint`` and ``denoise``: read, train or go on, export."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganfilters.errors import UsageError

from ..backbones import BACKBONES, Backbone
from ..data import Pictures, load_pictures, spread
from ..files import read_config
from ..gan.discriminators import LiteFeatures
from ..losses import load_vgg16_features
from ..sheets import grid, load_samples, readable, write_picture
from ..task import Task
from ..trainer import Callback, TrainConfig, TrainResult
from ..training import TrainRequest, train
from .degrade import jpeg
from .denoiser import MULTIPLE, Denoiser, DenoiserConfig
from .denoising import Denoising, DenoisingConfig, TexturedDenoising, clean
from .filler import Filler, FillerConfig
from .filling import PERCEPTUAL_LAYERS, Filling, FillingConfig, make_guesses
from .masks import draw_mask
from .trained import read_denoiser, read_filler

__all__ = ["DenoiseRequest", "InpaintRequest", "train_denoise", "train_inpaint"]

FEATURE_MULTIPLE = 32
SHEET_PHOTOS = 6
SHEET_MASKS = (("boxes", 0.15), ("strokes", 0.35), ("scratches", 0.04), ("text", 0.08),
               ("boxes", 0.3), ("sides", 0.25))  # fmt: skip
SHEET_NOISE = (15.0, 25.0, 50.0)
SHEET_QUALITY = 15.0

_Backbone = Callable[[Path | None], Backbone]


@dataclass(frozen=True, kw_only=True)
class _Request(TrainRequest):
    """What the user asks for, in both commands.

    Attributes
    ----------
    photos : tuple of Path
        Folders or files.
    sheet_photos : tuple of Path
        Photographs of the sheets; some of `photos` by default.
    """

    photos: tuple[Path, ...]
    sheet_photos: tuple[Path, ...] = ()

    @property
    def data_paths(self) -> tuple[Path, ...]:
        """What is trained on."""
        return self.photos


@dataclass(frozen=True, kw_only=True)
class InpaintRequest(_Request):
    """What the user asks of ``train inpaint``.

    Attributes
    ----------
    teacher : Path
        VGG16 for the loss.
    how : FillingConfig
        How to train.
    network : FillerConfig
        Sizes of a new network.
    """

    teacher: Path
    how: FillingConfig = field(default_factory=FillingConfig)
    network: FillerConfig = field(default_factory=FillerConfig)


@dataclass(frozen=True, kw_only=True)
class DenoiseRequest(_Request):
    """What the user asks of ``train denoise``.

    Attributes
    ----------
    teacher : Path or None
        VGG16 for the distance of textures, which needs it.
    how : DenoisingConfig
        How to train.
    network : DenoiserConfig
        Sizes of a new network.
    """

    teacher: Path | None = None
    how: DenoisingConfig = field(default_factory=DenoisingConfig)
    network: DenoiserConfig = field(default_factory=DenoiserConfig)


def train_inpaint(
    request: InpaintRequest,
    config: TrainConfig,
    *,
    dry_run: bool = False,
    loss_network: nn.Module | None = None,
    backbone: _Backbone = BACKBONES["efficientnet-lite0"],
) -> TrainResult | dict[str, float]:
    """Train a filling network in its run's folder, or go on with it, and export it.

    Parameters
    ----------
    request : InpaintRequest
        What to train on, and what to write.
    config : TrainConfig
        How long, where and how precisely.
    dry_run : bool
        Do two steps and write nothing; return time and memory.
    loss_network : nn.Module, optional
        In place of VGG16 read from `request.teacher`.
    backbone : callable, optional
        In place of EfficientNet-Lite0.

    Raises
    ------
    UsageError
        Something asked for cannot be: says what and why.
    FileExistsError
        `request.out` exists, no run would go on, and `request.overwrite` is false.
    """
    how = request.how
    _check(request, how.size, FEATURE_MULTIPLE)
    if how.feature_size % FEATURE_MULTIPLE:
        raise UsageError(f"--feature-size {how.feature_size} is not a multiple of 32")
    torch.manual_seed(config.seed)
    teacher = loss_network or load_vgg16_features(request.teacher)
    pictures = _load(request, how.size, how.zoom)
    network = read_filler(request.init) if request.init else Filler(request.network)
    features = LiteFeatures(backbone(request.backbone), how.feature_size)
    task = Filling(how, pictures, network, features, teacher)
    return _train(request, config, task, pictures, _filling_sheet(request, pictures), dry_run)


def train_denoise(
    request: DenoiseRequest,
    config: TrainConfig,
    *,
    dry_run: bool = False,
    loss_network: nn.Module | None = None,
    backbone: _Backbone = BACKBONES["efficientnet-lite0"],
) -> TrainResult | dict[str, float]:
    """Train a denoising network in its run's folder, or go on with it, and export it.

    Parameters, results and errors are those of `train_inpaint`; the loss network is for textures.
    """
    how = request.how
    _check(request, how.size, FEATURE_MULTIPLE if how.adversarial else MULTIPLE)
    torch.manual_seed(config.seed)
    teacher = loss_network
    if how.adversarial and how.texture and teacher is None:
        if request.teacher is None:
            raise UsageError("--texture-weight needs --teacher, weights of VGG16")
        teacher = load_vgg16_features(request.teacher)
    pictures = _load(request, how.size, how.zoom)
    network = read_denoiser(request.init) if request.init else Denoiser(request.network)
    task: Denoising | TexturedDenoising = Denoising(how, pictures, network)
    if how.adversarial:
        features = LiteFeatures(backbone(request.backbone), how.size)
        task = TexturedDenoising(how, pictures, network, features, teacher)
    return _train(request, config, task, pictures, _cleaning_sheet(request, pictures), dry_run)


def _check(request: _Request, size: int, multiple: int) -> None:
    """Find what is wrong before anything is read."""
    if size % multiple:
        raise UsageError(f"--size {size} is not a multiple of {multiple}")
    request.check_target()


def _load(request: _Request, size: int, zoom: tuple[float, float]) -> Pictures:
    # So large that no cut is enlarged, unless the photographs are that small themselves.
    side = round(size / zoom[0])
    return load_pictures(request.photos, side, smallest=size, cache=request.run)


def _train(
    request: Any,
    config: TrainConfig,
    task: Filling | Denoising | TexturedDenoising,
    pictures: Pictures,
    draw: Callable[[Any, int, Path], None],
    dry_run: bool,
) -> TrainResult | dict[str, float]:
    """Train and export, whichever network it is."""
    if not config.quiet:
        weights = sum(p.numel() for p in task.modules["generator"].parameters()) / 1e6
        text = f"{len(pictures)} photographs; {weights:.2f} M weights"
        if pictures.skipped:
            text += f"; {len(pictures.skipped)} skipped, the first: {pictures.skipped[0]}"
        print(text, file=sys.stderr)  # noqa: T201
    how = asdict(request.how)
    if isinstance(task, Filling):
        how["layers"] = list(PERCEPTUAL_LAYERS)
        _tell_layers(request, config)
    notes = {
        "how": how,
        "photos": {"used": len(pictures), "skipped": list(pictures.skipped)},
    }

    def export(result: TrainResult) -> None:
        # Imported here: training needs neither onnx nor onnxruntime.
        from .export import export_restorer

        card = request.card(
            config, result, measured=("pixels", "perceptual", "features", "psnr", "estimate"),
            extra={"training": asdict(request.how)},
        )  # fmt: skip
        network: Any = task.best("generator").cpu()
        export_restorer(network, request.out, title=task.title, overwrite=True, card=card)

    callbacks = [Callback(request.sheet_every, draw)]
    return train(task, request, config, callbacks, notes, export, dry_run=dry_run)


def _tell_layers(request: InpaintRequest, config: TrainConfig) -> None:
    """Say that a run from before layers were recorded may have compared others."""
    how = read_config(request.run).get("how", {})
    if request.goes_on and how and "layers" not in how and not config.quiet:
        print(  # noqa: T201
            f"the perceptual distance is of {', '.join(PERCEPTUAL_LAYERS)} from here on; in the "
            "version that began this run it may have been of relu1_1, relu1_2 and relu2_1",
            file=sys.stderr,
        )


def _samples(request: Any, pictures: Pictures) -> Tensor:
    """Return the photographs of the sheets, (N, 3, side, side) in [0, 1]."""
    side = max(64, request.how.size)
    if request.sheet_photos:
        files = readable(request.sheet_photos, SHEET_PHOTOS)
    else:
        files = [Path(name) for name in spread(pictures.names, SHEET_PHOTOS)]
    return load_samples(files, side)


def _filling_sheet(
    request: InpaintRequest, pictures: Pictures
) -> Callable[[Filling, int, Path], None]:
    """Return a callback: photograph, hole, filled, and filled with a guess, a row for each."""
    photos = _samples(request, pictures)
    side = photos.shape[-1]
    torch.manual_seed(0)
    drawn = []
    for number in range(len(photos)):
        kind, share = SHEET_MASKS[number % len(SHEET_MASKS)]
        mask = draw_mask(side, number, kind, share)
        drawn.append(torch.frombuffer(bytearray(mask.tobytes()), dtype=torch.uint8))
    masks = (torch.stack(drawn).view(-1, 1, side, side) > 127).float()
    guesses = make_guesses(photos, masks, 1.1)

    def draw(task: Filling, step: int, folder: Path) -> None:
        given, holes = photos.to(task.device), masks.to(task.device)
        filled = task.fill(given, holes)
        noise = torch.randn(masks.shape, generator=torch.Generator().manual_seed(0))
        network = task.best("generator")
        sharp = network(given, holes, guesses.to(task.device), noise.to(task.device))
        hole = photos * (1 - masks) + masks
        rows = torch.stack([photos, hole, filled.cpu(), sharp.cpu()], 1).flatten(0, 1)
        write_picture(grid(rows, 4), folder / "samples" / f"{step:07}.png")

    return draw


def _cleaning_sheet(
    request: DenoiseRequest, pictures: Pictures
) -> Callable[[Any, int, Path], None]:
    """Return a callback: photograph, then damaged and cleaned for each kind of damage."""
    photos = _samples(request, pictures)
    random = torch.Generator().manual_seed(0)
    noise = torch.randn(photos.shape, generator=random)
    damaged = [(photos + sigma / 255 * noise).clamp(0, 1) for sigma in SHEET_NOISE]
    torch.manual_seed(0)
    damaged.append(jpeg(photos, torch.full((len(photos),), SHEET_QUALITY)))

    def draw(task: Task, step: int, folder: Path) -> None:
        network = task.best("generator")
        columns = [photos]
        for images in damaged:
            cleaned, _ = clean(network, images.to(task.device))
            columns += [images, cleaned.float().cpu()]
        rows = torch.stack(columns, 1).flatten(0, 1)
        write_picture(grid(rows, len(columns)), folder / "samples" / f"{step:07}.png")

    return draw

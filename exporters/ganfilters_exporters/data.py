"""Folders of pictures as batches: read once, kept as uint8, cut and flipped on the device.

Reading and decoding happen once. After that a data set is one uint8 tensor of equal squares: in
memory, in a memory-mapped file, or on the GPU, where 14,400 pictures of 128 x 128 take 700 MB and
a batch costs an index and a `grid_sample`. So no worker processes are needed to feed a GPU.

What is random is a function of (seed, step): a resumed run sees the pictures that an uninterrupted
one would have seen.

Examples
--------
>>> pictures = load_pictures([Path("photos")], size=256)               # doctest: +SKIP
>>> pictures = pictures.to(torch.device("cuda"))                       # doctest: +SKIP
>>> batch, labels = pictures.batch(step=0, count=16, size=224, seed=7)  # doctest: +SKIP
"""

from __future__ import annotations

import dataclasses
import math
import os
import tempfile
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional

from ganfilters.errors import UsageError

from .files import disk_full
from .task import seed_of

__all__ = [
    "SUFFIXES",
    "Crops",
    "Pictures",
    "apply_crops",
    "draw_crops",
    "list_pictures",
    "load_arrays",
    "load_pictures",
    "none_usable",
    "read_picture",
    "read_some",
    "reason_of",
    "spread",
]

_T = TypeVar("_T")

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
RAM_LIMIT = 4 * 2**30
"""Bytes above which pictures go to a memory-mapped file, if there is a place for it."""


@dataclass(frozen=True)
class Pictures:
    """Equal squares and their labels.

    Attributes
    ----------
    pixels : Tensor
        uint8, (N, size, size, channels), sRGB-encoded; 1 or 3 channels.
    labels : Tensor or None
        int64, (N,).
    classes : tuple of str
        Names of the labels.
    names : tuple of str
        Where each picture comes from.
    skipped : tuple of str
        The files that were not used, each with the reason.
    """

    pixels: Tensor
    labels: Tensor | None = None
    classes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    _order: dict[tuple[int, int], Tensor] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def size(self) -> int:
        """Side of the squares in pixels."""
        return int(self.pixels.shape[1])

    def to(self, device: torch.device, *, share: float = 0.5) -> Pictures:
        """Return the data on a GPU if it takes at most `share` of its free memory."""
        if device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            if self.pixels.nbytes > share * free:
                return self
        labels = None if self.labels is None else self.labels.to(device)
        return dataclasses.replace(self, pixels=self.pixels.to(device), labels=labels)

    def indices(
        self, step: int, count: int, seed: int, *, process: int = 0, processes: int = 1
    ) -> Tensor:
        """Return which pictures a step uses, int64 (count,): every picture once in each epoch."""
        start = (step * processes + process) * count
        positions = range(start, start + count)
        size = len(self)
        chosen = [
            int(self._epoch(seed, position // size)[position % size]) for position in positions
        ]
        return torch.tensor(chosen)

    def _epoch(self, seed: int, epoch: int) -> Tensor:
        """Return the order of an epoch; the last ones are remembered."""
        key = (seed, epoch)
        if key not in self._order:
            for old in list(self._order)[:-3]:
                del self._order[old]
            generator = torch.Generator().manual_seed(seed_of("epoch", seed, epoch))
            self._order[key] = torch.randperm(len(self), generator=generator)
        return self._order[key]

    def batch(
        self,
        step: int,
        count: int,
        size: int,
        seed: int,
        *,
        device: torch.device | None = None,
        zoom: tuple[float, float] = (0.8, 1.0),
        flip: bool = True,
        process: int = 0,
        processes: int = 1,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the pictures of a step, cut and flipped at random.

        Parameters
        ----------
        step : int
            The number of the step; with `seed` it decides everything random.
        count : int
            Pictures.
        size : int
            Side of the result in pixels.
        seed : int
            Seed of the run.
        device : torch.device, optional
            Where the result goes and is computed; the place of the data by default.
        zoom : tuple of float
            Smallest and largest side of the cut, as a share of the picture's side.
        flip : bool
            Mirror half of the pictures.
        process, processes : int
            Of several processes, the number of this one; they get different pictures.

        Returns
        -------
        Tensor, Tensor or None
            Float32 (count, channels, size, size) in [0, 1], and the labels (count,).
        """
        device = device or self.pixels.device
        chosen = self.indices(step, count, seed, process=process, processes=processes)
        generator = torch.Generator().manual_seed(seed_of("crop", seed, step, process))
        crops = draw_crops(count, zoom, flip, generator)
        there = chosen.to(self.pixels.device)
        squares = self.pixels[there].to(device, non_blocking=True)
        labels = None if self.labels is None else self.labels[there].to(device, non_blocking=True)
        images = squares.permute(0, 3, 1, 2).float().div_(255)
        return apply_crops(images, crops, size), labels


@dataclass(frozen=True)
class Crops:
    """Random cuts; drawing them is apart from touching pixels.

    Attributes
    ----------
    scale : Tensor
        (N,), side of the cut as a share of the picture's.
    centre : Tensor
        (N, 2), x and y of its centre, -1 and 1 being the picture's edges.
    mirror : Tensor
        (N,), -1 where the picture is mirrored, else 1.
    """

    scale: Tensor
    centre: Tensor
    mirror: Tensor


def draw_crops(
    count: int, zoom: tuple[float, float], flip: bool, generator: torch.Generator
) -> Crops:
    """Draw `count` cuts that lie inside the picture."""
    low, high = zoom
    scale = low + (high - low) * torch.rand(count, generator=generator)
    centre = (torch.rand(count, 2, generator=generator) * 2 - 1) * (1 - scale[:, None])
    coin = torch.rand(count, generator=generator) < 0.5
    mirror = torch.where(coin & torch.tensor(flip), -1.0, 1.0)
    return Crops(scale, centre, mirror)


def apply_crops(images: Tensor, crops: Crops, size: int) -> Tensor:
    """Cut and resize (N, C, H, H) to (N, C, size, size), bilinear, on the images' device."""
    theta = torch.zeros(len(images), 2, 3)
    theta[:, 0, 0] = crops.scale * crops.mirror
    theta[:, 1, 1] = crops.scale
    theta[:, :, 2] = crops.centre
    # Cuts of nearly the wanted size alias a little; where they are far larger, shrink first.
    factor = int(float(crops.scale.min()) * images.shape[-1] / size)
    if factor > 1:
        images = functional.avg_pool2d(images, factor)
    shape = [len(images), images.shape[1], size, size]
    grid = functional.affine_grid(theta.to(images.device), shape, align_corners=False)
    cut = functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    return cut.clamp_(0, 1)


def spread(items: Sequence[_T], count: int) -> list[_T]:
    """Return `count` of some things, all if they are fewer, evenly from all over."""
    count = min(count, len(items))
    return [items[number * len(items) // count] for number in range(count)]


def read_some(
    files: Sequence[Path], count: int, read: Callable[[Path], _T]
) -> tuple[dict[Path, _T], list[str]]:
    """Read `count` of some files from all over, passing over those that cannot be read.

    Returns
    -------
    dict, list of str
        What was read, by file, and which were skipped, each with the reason.
    """
    found: dict[Path, _T] = {}
    skipped = []
    for file in dict.fromkeys([*spread(files, count), *files]):
        if len(found) == count:
            break
        try:
            found[file] = read(file)
        except Exception as error:  # noqa: BLE001 - decoders raise all kinds
            skipped.append(f"{file}: {error}")
    return found, skipped


def list_pictures(folders: Sequence[Path]) -> list[Path]:
    """Return the picture files in folders, recursively and in order; a file stands for itself.

    Raises
    ------
    UsageError
        A folder does not exist.
    """
    found = []
    for folder in folders:
        if folder.is_file():
            found.append(folder)
        elif folder.is_dir():
            files = (p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
            found += sorted(p for p in files if p.is_file() and not p.name.startswith("."))
        else:
            raise UsageError(f"{folder} does not exist; give a folder of pictures")
    return found


def read_picture(path: Path, *, channels: int = 3, at_least: int = 0) -> Image.Image:
    """Read a picture upright, in RGB or grey, transparency on white.

    Parameters
    ----------
    path : Path
        The file.
    channels : int
        3 or 1.
    at_least : int
        If positive, a JPEG may be decoded smaller, its short side no smaller than this.
    """
    mode = "RGB" if channels == 3 else "L"
    with Image.open(path) as opened:
        if at_least:
            opened.draft(mode, (at_least, at_least))
        opened.load()
        picture = ImageOps.exif_transpose(opened)
    if picture.mode.startswith("I"):  # 16 bits; PIL's own conversion would clip, not scale
        grey = np.asarray(picture).astype(np.float64)
        picture = Image.fromarray((grey / max(255.0, grey.max()) * 255).astype(np.uint8))
    if picture.mode in ("LA", "PA", "RGBA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture.convert(mode)


def load_pictures(
    folders: Sequence[Path],
    size: int,
    *,
    channels: int = 3,
    smallest: int | None = None,
    classes: bool = False,
    cache: Path | None = None,
    ram_limit: int = RAM_LIMIT,
) -> Pictures:
    """Read folders of pictures of any size; each becomes the square in its middle.

    Parameters
    ----------
    folders : sequence of Path
        Folders, searched recursively, or files.
    size : int
        Side of the stored squares; less if every picture is smaller.
    channels : int
        3 or 1.
    smallest : int, optional
        Pictures with a shorter side are skipped; half of `size` by default.
    classes : bool
        The name of the folder that a file lies in is its label.
    cache : Path, optional
        Folder whose disk has room for what is more than `ram_limit` bytes, in a file without a
        name; where there is no such folder yet, the nearest one above.
    ram_limit : int
        Bytes.

    Returns
    -------
    Pictures
        With the skipped files and why.

    Raises
    ------
    UsageError
        A folder does not exist, or holds no picture that can be used.
    DiskFullError
        There is no room on the disk of `cache`.
    """
    files = list_pictures(folders)
    smallest = max(1, size // 2) if smallest is None else smallest
    workers = ThreadPoolExecutor(min(16, os.cpu_count() or 1))  # decoding frees the interpreter
    with workers:
        sides = list(workers.map(lambda path: _short_side(path, smallest), files))
        skipped = [f"{p}: {s}" for p, s in zip(files, sides, strict=True) if isinstance(s, str)]
        usable = [p for p, s in zip(files, sides, strict=True) if isinstance(s, int)]
        size = min(size, max((s for s in sides if isinstance(s, int)), default=size))
        pixels = _storage((len(usable), size, size, channels), cache, ram_limit)
        errors = list(
            workers.map(lambda n: _fill(pixels, n, usable[n], channels), range(len(usable)))
        )
    skipped += [f"{p}: {e}" for p, e in zip(usable, errors, strict=True) if e]
    good = [number for number, error in enumerate(errors) if not error]
    if not good:
        raise none_usable(folders, skipped, smallest)
    if len(good) < len(usable):  # the broken ones leave no gap, and no copy of the rest is made
        for target, source in enumerate(good):
            pixels[target] = pixels[source]
    usable = [usable[number] for number in good]
    names = tuple(sorted({path.parent.name for path in usable})) if classes else ()
    labels = torch.tensor([names.index(p.parent.name) for p in usable]) if classes else None
    tensor = torch.from_numpy(pixels[: len(good)])
    return Pictures(tensor, labels, names, tuple(map(str, usable)), tuple(skipped))


def none_usable(
    folders: Sequence[Path], skipped: Sequence[str], smallest: int, what: str = "picture"
) -> UsageError:
    """Return the error of folders that hold nothing usable: why, and what they should hold.

    Parameters
    ----------
    folders : sequence of Path
        Where was looked.
    skipped : sequence of str
        The files that were not used, each with the reason.
    smallest : int
        Shortest side that is used.
    what : str
        What was looked for.
    """
    where = ", ".join(map(str, folders))
    reason = f"; {len(skipped)} skipped, the first: {skipped[0]}" if skipped else ""
    size = f" of {smallest} pixels a side or more" if smallest > 1 else ""
    endings = ", ".join(sorted(SUFFIXES))
    return UsageError(
        f"{where} holds no usable {what}{reason}; give a folder with pictures{size} ({endings})"
    )


def _short_side(path: Path, smallest: int) -> int | str:
    """Return a picture's short side, or why it is not used, from its header alone."""
    try:
        with Image.open(path) as picture:
            side = min(picture.size)
    except Exception as error:  # noqa: BLE001 - decoders raise all kinds
        return reason_of(error)
    return side if side >= smallest else f"{side} pixels are too small, {smallest} are needed"


def _fill(pixels: npt.NDArray[np.uint8], number: int, path: Path, channels: int) -> str:
    """Decode one picture into its place; return why not, or an empty string."""
    size = pixels.shape[1]
    try:
        picture = read_picture(path, channels=channels, at_least=size)
        square = ImageOps.fit(picture, (size, size), Image.Resampling.LANCZOS)
    except Exception as error:  # noqa: BLE001 - decoders raise all kinds
        return reason_of(error)
    pixels[number] = np.asarray(square).reshape(size, size, channels)
    return ""


def reason_of(error: Exception) -> str:
    """Return the first line of an error, or its kind if it says nothing."""
    return (str(error) or type(error).__name__).splitlines()[0]


def _storage(shape: tuple[int, ...], cache: Path | None, ram_limit: int) -> npt.NDArray[np.uint8]:
    """Return an array in memory, or in a file without a name that is gone with the process."""
    size = math.prod(shape)
    if cache is None or size <= ram_limit:
        return np.empty(shape, np.uint8)
    above = (folder for folder in (cache, *cache.absolute().parents) if folder.is_dir())
    place = next((folder for folder in above if os.access(folder, os.W_OK | os.X_OK)), None)
    with (
        disk_full(place or cache, f"{size / 2**30:.1f} GB are needed for the pictures; make room"),
        tempfile.TemporaryFile(dir=place) as file,
    ):
        if hasattr(os, "posix_fallocate"):  # or a full disk would end the process without a word
            os.posix_fallocate(file.fileno(), 0, size)
        mapped: npt.NDArray[np.uint8] = np.memmap(file, np.uint8, "w+", shape=shape)
    return mapped


def load_arrays(file: Path, labels: Path | None = None, *, channels: int | None = None) -> Pictures:
    """Read an ``.npz`` of pictures: uint8 (N, H, H) or (N, H, H, 1 or 3), and labels (N,).

    Parameters
    ----------
    file : Path
        Pictures are the first array of two or more dimensions. Labels are a one-dimensional array
        of the same file.
    labels : Path, optional
        Another file with the labels. By default a neighbour, named with ``labels`` where `file`
        has ``imgs`` or ``images``.
    channels : int, optional
        1 or 3, to convert; as stored by default.

    Raises
    ------
    UsageError
        The file cannot be read, or does not hold this.
    """
    arrays = _read_npz(file)
    pixels = next((a for a in arrays if a.ndim >= 2), None)
    if pixels is None or pixels.dtype != np.uint8 or pixels.ndim not in (3, 4):
        raise UsageError(f"{file} holds no uint8 pictures (N, H, H) or (N, H, H, channels)")
    pixels = pixels[..., None] if pixels.ndim == 3 else pixels
    if pixels.shape[1] != pixels.shape[2] or pixels.shape[3] not in (1, 3) or not len(pixels):
        raise UsageError(f"{file} has pictures of shape {pixels.shape}; N squares are needed")
    tensor = torch.from_numpy(np.ascontiguousarray(pixels))
    if channels == 3 and tensor.shape[3] == 1:
        tensor = tensor.expand(-1, -1, -1, 3).contiguous()
    elif channels == 1 and tensor.shape[3] == 3:
        weights = torch.tensor([0.299, 0.587, 0.114])
        tensor = (tensor.float() @ weights).round().byte()[..., None]
    found = [a for a in arrays if a.ndim == 1]
    for word in ("imgs", "images"):
        neighbour = file.with_name(file.name.replace(word, "labels"))
        if labels is None and not found and neighbour != file and neighbour.exists():
            labels = neighbour
    if labels is not None:
        found = _read_npz(labels)
    if not found:
        return Pictures(tensor)
    return Pictures(tensor, *_classes(found[0], len(tensor), labels or file))


def _classes(
    found: npt.NDArray[Any], count: int, file: Path
) -> tuple[torch.Tensor, tuple[str, ...]]:
    """Return labels as numbers (N,), and the names of the classes."""
    if found.shape != (count,):
        raise UsageError(f"{file} has labels of shape {found.shape} for {count} pictures")
    if found.dtype.kind in "US":
        names, numbers = np.unique(found, return_inverse=True)
        return torch.from_numpy(numbers.astype(np.int64)), tuple(map(str, names.astype(str)))
    if found.dtype.kind not in "iub":
        raise UsageError(
            f"{file} has labels of type {found.dtype}; whole numbers or names are needed"
        )
    least, most = int(found.min()), int(found.max())
    if least < 0 or most >= count:
        raise UsageError(
            f"{file} has labels from {least} to {most}; number the classes from 0 on, each used"
        )
    return torch.from_numpy(found.astype(np.int64)), tuple(str(n) for n in range(most + 1))


def _read_npz(file: Path) -> list[npt.NDArray[Any]]:
    try:
        # Opened here: NumPy leaves a file open that it cannot read.
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as archive:
            return [archive[key] for key in archive]
    except (OSError, ValueError, TypeError, EOFError, BadZipFile, zlib.error) as error:
        # NumPy takes what is no archive for a pickle, and tells how to read one unsafely.
        reason = "it is no archive" if "pickle" in str(error) else reason_of(error)
        raise UsageError(f"{file} cannot be read as .npz: {reason}") from error

"""Reading what this project wrote into MP4 and WebM: the recipe and, to compare, the frames."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ganfilters.errors import ImageError, UsageError
from ganfilters.image import Animation, Image, Metadata
from ganfilters.imageio import _xmp
from ganfilters.imageio._formats import FORMATS
from ganfilters.limits import DEFAULT_FPS, MAX_PIXELS
from ganfilters.recipe import Recipe

__all__ = ["is_video", "read_video", "video_recipe"]

_FRAMES_FACTOR = 4  # as for other animations: so many times the pixels of one picture


def is_video(path: str | Path) -> bool:
    """Return whether the name is that of a video (.mp4, .webm, ...)."""
    entry = FORMATS.get(Path(path).suffix.lower())
    return entry is not None and entry.animation and not entry.still


def video_recipe(path: str | Path) -> Recipe | None:
    """Return the recipe in a video; no frame is read.

    Raises
    ------
    ImageError
        The file is missing or damaged.
    UsageError
        PyAV is not installed.
    """
    with _opened(path) as container:
        return _recipe(container)


def read_video(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> Animation:
    """Return all frames of a video, with its recipe.

    Parameters
    ----------
    path
        The file.
    max_pixels
        Largest frame; all frames together may have four times as many pixels.

    Raises
    ------
    ImageError
        The file is missing, damaged, or too large.
    UsageError
        PyAV is not installed.
    """
    frames: list[Image] = []
    times: list[float] = []
    with _opened(path) as container:
        metadata = Metadata(
            source=str(path), format=FORMATS[Path(path).suffix.lower()].name,
            recipe=_recipe(container),
        )  # fmt: skip
        total = 0
        for frame in container.decode(video=0):
            total += frame.width * frame.height
            if frame.width * frame.height > max_pixels or total > max_pixels * _FRAMES_FACTOR:
                raise ImageError(
                    f"{path} is over the limit of {max_pixels:,} pixels a frame, or "
                    f"{max_pixels * _FRAMES_FACTOR:,} together"
                )
            rgb = frame.to_ndarray(format="rgb24").astype(np.float32)
            frames.append(Image(rgb / np.float32(255), metadata=metadata))
            times.append(1000.0 * float(frame.time or 0.0))
    if not frames:
        raise ImageError(f"{path} holds no frames")
    steps = [after - before for before, after in pairwise(times)]
    last = steps[-1] if steps else 1000.0 / DEFAULT_FPS
    return Animation(tuple(frames), tuple(max(step, 1.0) for step in [*steps, last]))


def _recipe(container: Any) -> Recipe | None:
    found = {str(key).lower(): value for key, value in container.metadata.items()}
    return _xmp.from_comment(found.get("comment"))


@contextmanager
def _opened(path: str | Path) -> Iterator[Any]:
    try:
        import av
    except ImportError as error:
        raise UsageError(
            f'reading the recipe of {path} needs PyAV: pip install "ganfilters[video]"'
        ) from error
    try:
        with av.open(str(path)) as container:
            yield container
    except FileNotFoundError as error:
        raise ImageError(f"{path}: there is no such file") from error
    except av.FFmpegError as error:
        raise ImageError(f"{path} cannot be read ({error.strerror})") from error

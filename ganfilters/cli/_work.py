"""Reading one picture, running the filter, writing the result."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganfilters import imageio, schema
from ganfilters.cli._plan import STREAM, Output, check_given, extension_of
from ganfilters.errors import ImageError, UsageError
from ganfilters.image import Animation, Image
from ganfilters.limits import DEFAULT_FPS

if TYPE_CHECKING:
    from ganfilters.host import Prepared
    from ganfilters.progress import OnProgress

__all__ = ["Result", "Work", "read_source", "write_result"]


@dataclass(frozen=True)
class Result:
    """What was made, as ``--json`` shows it, and what of the input it does not hold."""

    source: str | None
    target: str
    seconds: float
    device: str
    recipe: Any
    lost: tuple[str, ...] = ()
    pages: int = 1

    def record(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        recipe = self.recipe.model_dump(mode="json") if self.recipe is not None else None
        return {
            "input": self.source,
            "output": self.target,
            "seconds": round(self.seconds, 3),
            "device": self.device,
            "recipe": recipe,
        }


@dataclass(frozen=True)
class Work:
    """One filter with all its options, ready to run on any number of pictures.

    Attributes
    ----------
    prepared
        What to run.
    format, quality, fps, overwrite, max_pixels
        As the options of that name.
    """

    prepared: Prepared
    format: str | None = None
    quality: int | None = None
    fps: float | None = None
    overwrite: bool = False
    max_pixels: int | None = None

    def run(self, output: Output, on_progress: OnProgress) -> Result:
        """Make one output.

        Raises
        ------
        GanfiltersError
            The picture cannot be read, filtered or written; nothing was written then.
        """
        with schema.renamed(type(self.prepared.job.params), schema.flag):
            return self._run(output, on_progress)

    def _run(self, output: Output, on_progress: OnProgress) -> Result:
        started = time.perf_counter()
        image = None
        if output.source is not None:
            image = read_source(output.source, max_pixels=self.max_pixels)
        if isinstance(image, Animation):
            self._check_holds_frames(output.target, image.first())
        elif image is not None and output.target != STREAM:
            imageio.check_pages(image, output.target)
        frames = self.prepared.frames(image, on_progress=on_progress)
        if frames is not None:
            recipe, lost = self._write_frames(frames, output.target, image)
        else:
            recipe, lost = self._write_still(image, output.target, on_progress)
        seconds = time.perf_counter() - started
        return Result(
            output.source,
            output.target,
            seconds,
            self.prepared.device,
            recipe,
            lost,
            pages=image.metadata.pages if isinstance(image, Image) else 1,
        )

    def _write_still(
        self, image: Image | Animation | None, target: str, on_progress: OnProgress
    ) -> tuple[Any, tuple[str, ...]]:
        """Write what the filter makes; return the recipe, and what the format does not hold."""
        if not isinstance(image, Animation):
            self._check_holds_still(target)
        made = self.prepared.apply(image, on_progress=on_progress)
        if isinstance(made, Animation) and self.fps is not None:
            made = replace(made, durations=(1000.0 / self.fps,) * len(made.frames))
        write_result(
            made,
            target,
            format=self._format(target, made),
            quality=self.quality,
            overwrite=self.overwrite,
        )
        moving = isinstance(made, Animation)
        first = made.first() if isinstance(made, Animation) else made
        lost = imageio.losses(first, self._holds(target, first).name, animation=moving)
        return first.metadata.recipe, lost

    def _write_frames(
        self, frames: Iterator[Image], target: str, image: Image | Animation | None
    ) -> tuple[Any, tuple[str, ...]]:
        self._check_holds_frames(target, image if isinstance(image, Image) else None)
        if target != STREAM:
            _make_folder(target)
        recipe, lost = None, tuple[str, ...]()
        # Formats with an index cannot be written to a pipe, so the file is made first.
        with tempfile.TemporaryDirectory(prefix="ganfilters-") as folder:
            name = self._format(target, None) or imageio.format_of(target)
            whole = target if target != STREAM else str(Path(folder, "out" + extension_of(name)))
            with imageio.AnimationWriter(
                whole,
                format=name,
                fps=self.fps or DEFAULT_FPS,
                overwrite=self.overwrite,
                quality=self.quality,
            ) as writer:
                for frame in frames:
                    writer.add(frame)
                    recipe = frame.metadata.recipe
                    lost = lost or imageio.losses(frame, name, animation=True)
            if target == STREAM:
                _copy_to_stdout(Path(whole))
        return recipe, lost

    def _format(self, target: str, image: Image | Animation | None) -> str | None:
        """Return the format to write; None leaves it to the target's extension."""
        if self.format is not None or target != STREAM:
            return self.format
        first = image.first() if isinstance(image, Animation) else image
        name = first.metadata.format if first is not None else None
        known = {entry.name for entry in imageio.FORMATS.values()}
        return name if name in known else "PNG"

    def _holds(self, target: str, image: Image | None) -> imageio.Format:
        name = self._format(target, image) or imageio.format_of(target)
        return imageio.FORMATS[extension_of(name)]

    def _check_holds_frames(self, target: str, image: Image | None) -> None:
        entry = self._holds(target, image)
        if not entry.animation:
            able = {e.extensions[0]: None for e in imageio.FORMATS.values() if e.animation}
            raise UsageError(
                f"the result is an animation and {entry.name} holds one picture; "
                f"formats that can: {', '.join(able)}"
            )

    def _check_holds_still(self, target: str) -> None:
        if self.format is None and target == STREAM:
            return
        entry = self._holds(target, None)
        if not entry.still:
            raise UsageError(
                f"the result is one picture and {entry.name} is for animations; write a .png"
            )


def read_source(source: str, *, max_pixels: int | None = None) -> Image | Animation:
    """Read a picture from a file, or from standard input for ``-``.

    Raises
    ------
    ImageError
        It is missing, damaged, too large, or no picture.
    UsageError
        The path is empty.
    """
    check_given("the path of a picture", source)
    limit = {} if max_pixels is None else {"max_pixels": max_pixels}
    if source != STREAM:
        return imageio.read(Path(source), **limit)
    data = sys.stdin.buffer.read()
    if not data:
        raise ImageError("standard input is empty; pipe a picture into it")
    return imageio.read(data, **limit)


def write_result(
    made: Image | Animation,
    target: str,
    *,
    format: str | None = None,
    quality: int | None = None,
    overwrite: bool = False,
) -> None:
    """Write a picture to a file, whole or not at all, or to standard output for ``-``.

    Raises
    ------
    ImageError
        It cannot be written.
    """
    if target != STREAM:
        _make_folder(target)
        imageio.write(made, Path(target), format=format, quality=quality, overwrite=overwrite)
        return
    # Whole before its first byte is out, so that an error leaves the pipe empty.
    sys.stdout.buffer.write(imageio.encode(made, format or "PNG", quality=quality))
    sys.stdout.buffer.flush()


def _make_folder(target: str) -> None:
    folder = Path(target).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise ImageError(f"the folder {folder} cannot be made: {reason}") from error


def _copy_to_stdout(path: Path) -> None:
    with path.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.buffer.flush()

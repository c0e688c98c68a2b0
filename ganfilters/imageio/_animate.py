"""Writing animations frame by frame."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image as PILImage

from ganfilters import files
from ganfilters.errors import ImageError, UsageError
from ganfilters.image import Animation, Image
from ganfilters.imageio import _formats, _png, _webp, _xmp
from ganfilters.imageio._samples import Encodable, flatten, quantise
from ganfilters.limits import DEFAULT_FPS, DEFAULT_QUALITY
from ganfilters.recipe import Recipe

__all__ = ["AnimationWriter", "GifWriter", "encode_animation"]

_GIF_FPS_MAX = 50.0
_SAMPLE = 1 << 15  # pixels that a palette is chosen from


class _Backend(Protocol):
    def frame(self, what: Encodable, image: Image, duration_ms: float) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


class _Clock:
    """Rounds durations to a format's unit so that the sum stays right."""

    def __init__(self, unit_ms: float) -> None:
        self._unit = unit_ms
        self._due = 0.0
        self._given = 0

    def units(self, duration_ms: float) -> int:
        self._due += duration_ms / self._unit
        units = round(self._due) - self._given
        if duration_ms > 0:
            units = max(units, 1)
        self._given += units
        return max(units, 0)


class GifWriter:
    """Writes a GIF frame by frame, each with the palette that suits it best.

    `loop` is None for a still picture.
    """

    def __init__(self, file: BinaryIO, loop: int | None, *, dither: bool = True) -> None:
        self._file = file
        self._loop = loop
        self._dither = dither
        self._clock = _Clock(10.0)
        self._begun = False

    def add(self, what: Encodable, duration_ms: float, recipe: Recipe | None) -> None:
        """Write one frame; the recipe is written with the first."""
        height, width = what.samples.shape[:2]
        if not self._begun:
            self._begun = True
            self._file.write(b"GIF89a" + struct.pack("<HHBBB", width, height, 0x70, 0, 0))
            if self._loop is not None and self._loop != 1:
                # The file counts the repeats behind the first time.
                repeats = 0 if self._loop == 0 else min(self._loop - 1, 65535)
                self._file.write(b"!\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<HB", repeats, 0))
            if recipe is not None:
                self._file.write(_gif_comment(_xmp.comment(recipe)))
        frame, transparent = _with_palette(what, dither=self._dither)
        duration = min(self._clock.units(duration_ms), 65535)
        table, data = _compressed(frame)
        bits = max(1, (len(table) // 3 - 1).bit_length())
        # Full frames replace one another; one with holes is wiped away before the next.
        flags, hole = (0x04, 0) if transparent is None else (0x09, transparent)
        self._file.write(
            struct.pack("<3sBHBB", b"!\xf9\x04", flags, duration, hole, 0)
            + struct.pack("<sHHHHB", b",", 0, 0, width, height, 0x80 | bits - 1)
            + table.ljust(3 << bits, b"\0")
            + data
        )

    def close(self) -> None:
        """Write the end."""
        self._file.write(b";")


def _compressed(frame: PILImage.Image) -> tuple[bytes, bytes]:
    """Return palette and compressed indices: what lies between head and end of a still GIF."""
    out = BytesIO()
    frame.save(out, "GIF", optimize=False, interlace=0)
    still = out.getvalue()
    at = 13 + (3 << (still[10] & 7) + 1)
    while still[at] == 0x21:  # extensions
        at += 2
        while still[at]:
            at += still[at] + 1
        at += 1
    table = bytes(frame.getpalette() or [0, 0, 0])
    return table, still[at + 10 : -1]


def _gif_comment(text: str) -> bytes:
    data = text.encode("ascii")
    blocks = [data[at : at + 255] for at in range(0, len(data), 255)]
    return b"!\xfe" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def _with_palette(what: Encodable, *, dither: bool) -> tuple[PILImage.Image, int | None]:
    """Return the frame with 256 colours or fewer, and the index of the transparent one."""
    rgb = np.ascontiguousarray(np.broadcast_to(what.samples, (*what.samples.shape[:2], 3)))
    clear = None if what.alpha is None else what.alpha < 128
    if clear is not None and not clear.any():
        clear = None
    room = 256 if clear is None else 255
    exact = _exact(rgb, clear, room)
    if exact is not None:
        indices, colours = exact
    else:
        # What is not seen shall take no colours. A sample gives nearly the same ones as all pixels.
        seen = rgb.reshape(-1, 3) if clear is None else rgb[~clear]
        sample = np.ascontiguousarray(seen[:: -(-len(seen) // _SAMPLE)])
        palette = PILImage.fromarray(sample[None]).quantize(room, PILImage.Quantize.MEDIANCUT)
        way = PILImage.Dither.FLOYDSTEINBERG if dither else PILImage.Dither.NONE
        table = np.asarray(palette.getpalette() or [0, 0, 0], np.uint8)
        if clear is not None:  # a colour without an error to spread over what is seen
            rgb = np.where(clear[..., None], table[:3], rgb)
        indices = np.asarray(PILImage.fromarray(rgb).quantize(palette=palette, dither=way))
        colours = table.reshape(-1, 3)[:room]
    if clear is not None:
        indices = np.where(clear, np.uint8(len(colours)), indices)
        colours = np.concatenate([colours, np.zeros((1, 3), np.uint8)])
    frame = PILImage.fromarray(np.ascontiguousarray(indices.astype(np.uint8)))
    frame.putpalette(np.ascontiguousarray(colours).tobytes())
    return frame, None if clear is None else len(colours) - 1


def _exact(
    rgb: npt.NDArray[np.uint8], clear: npt.NDArray[np.bool_] | None, room: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]] | None:
    """Return indices and palette without loss, or None if there are too many colours."""
    wide = rgb.astype(np.uint32)
    packed = wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
    if clear is not None:
        packed[clear] = packed[~clear][0] if not clear.all() else 0
    if len(np.unique(packed[:: max(1, packed.shape[0] // 64)])) > room:
        return None  # a sample of rows is enough to see it is a photo
    found, indices = np.unique(packed, return_inverse=True)
    if len(found) > room:
        return None
    colours = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1).astype(np.uint8)
    return indices.reshape(packed.shape).astype(np.uint8), colours


class _Gif:
    def __init__(self, file: BinaryIO, loop: int, *, dither: bool) -> None:
        self._writer = GifWriter(file, loop, dither=dither)

    def frame(self, what: Encodable, image: Image, duration_ms: float) -> None:
        self._writer.add(what, duration_ms, image.metadata.recipe)

    def close(self) -> None:
        self._writer.close()

    def abort(self) -> None:
        pass


class _Webp:
    def __init__(self, file: BinaryIO, loop: int, quality: int | None) -> None:
        self._writer = _webp.WebpWriter(file, loop, quality or DEFAULT_QUALITY["WEBP"])
        self._clock = _Clock(1.0)

    def frame(self, what: Encodable, image: Image, duration_ms: float) -> None:
        xmp = _xmp.merge(image.metadata.xmp, image.metadata.recipe)
        self._writer.add(what, self._clock.units(duration_ms), image.metadata.exif, xmp)

    def close(self) -> None:
        self._writer.close()

    def abort(self) -> None:
        pass


class _Apng:
    def __init__(self, file: BinaryIO, loop: int) -> None:
        self._writer = _png.ApngWriter(file, loop)

    def frame(self, what: Encodable, image: Image, duration_ms: float) -> None:
        if what.mode == "L":  # a later frame may have colour
            shape = (*what.samples.shape[:2], 3)
            what.samples, what.mode = np.broadcast_to(what.samples, shape), "RGB"
        metadata = image.metadata
        xmp = _xmp.merge(metadata.xmp, metadata.recipe)
        side = _png.side_chunks(what.icc, metadata.exif, xmp, metadata.dpi)
        self._writer.add(what, duration_ms, side)

    def close(self) -> None:
        self._writer.close()

    def abort(self) -> None:
        pass


def _backend(
    file: BinaryIO, format: str, loop: int, quality: int | None, *, dither: bool
) -> _Backend:
    if format == "GIF":
        return _Gif(file, loop, dither=dither)
    if format == "WEBP":
        return _Webp(file, loop, quality)
    if format == "PNG":
        return _Apng(file, loop)
    from ganfilters.imageio import _video

    return _video.Video(file, format, quality)


class AnimationWriter(AbstractContextManager["AnimationWriter"]):
    """Writes an animation frame by frame: GIF, WebP, PNG (APNG), MP4 or WebM.

    Used in a ``with`` statement. The file appears when the block ends without an error, and not at
    all otherwise. Only a frame or two are in memory at a time. All frames have 8 bits a sample and
    the size of the first, whose metadata and recipe go into the file.

    Parameters
    ----------
    target
        The file.
    format
        Name or extension; None takes it from the name of the target.
    fps
        Frames per second for frames added without a duration; 25 if None. A GIF shows 50 at most.
    loop
        How often it plays; 0 is for ever. A video does not say.
    overwrite
        Replace an existing file.
    quality
        1 to 100 for WebP (90 if None; 100 is lossless) and videos (80).
    dither
        Dither the 256 colours of each GIF frame (Floyd-Steinberg).

    Raises
    ------
    ImageError
        The target cannot be written, or the format holds one picture only.
    UsageError
        A video is asked for and PyAV is not installed, or `fps` is out of range.

    Examples
    --------
    >>> with AnimationWriter("zoom.gif", fps=20) as writer:  # doctest: +SKIP
    ...     for frame in frames:
    ...         writer.add(frame)
    """

    def __init__(
        self,
        target: str | Path | BinaryIO,
        *,
        format: str | None = None,
        fps: float | None = None,
        loop: int = 0,
        overwrite: bool = False,
        quality: int | None = None,
        dither: bool = True,
    ) -> None:
        if format is None:
            if not isinstance(target, (str, Path)):
                raise UsageError("writing an animation to a stream needs a format")
            format = _formats.format_of(target)
        self._format = _formats.find(format)
        if not self._format.animation:
            raise ImageError(
                f"{self._format.name} holds one picture, not an animation; these hold one: "
                f"{_formats.animating()}"
            )
        if fps is not None and not 0.01 <= fps <= 1000:
            raise UsageError(f"{fps:g} frames per second cannot be; use 0.01 to 1000")
        if fps is not None and fps > _GIF_FPS_MAX and self._format.name == "GIF":
            raise UsageError(
                f"a GIF shows at most {_GIF_FPS_MAX:g} frames per second, not {fps:g}; use fewer, "
                "or write WebP or MP4"
            )
        if quality is not None and not 1 <= quality <= 100:
            raise ImageError(f"quality is {quality}; it must be from 1 to 100")
        if loop < 0:
            raise UsageError(f"loop is {loop}; it must be 0 (for ever) or more")
        self._target = target
        self._frame_ms = 1000.0 / (fps or DEFAULT_FPS)
        self._overwrite = overwrite
        self._quality = quality
        self._make: Callable[[BinaryIO], _Backend] = lambda file: _backend(
            file, self._format.name, loop, quality, dither=dither
        )
        self._stack = ExitStack()
        self._writer: _Backend | None = None
        self._size: tuple[int, int] | None = None
        self._alpha = False

    def __enter__(self) -> AnimationWriter:
        """Open the temporary file."""
        file: BinaryIO
        if isinstance(self._target, (str, Path)):
            file = self._stack.enter_context(
                files.replacing(self._target, overwrite=self._overwrite)
            )
        else:
            file = self._target
        try:
            self._writer = self._make(file)
        except BaseException as error:
            self._stack.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def add(self, image: Image, duration_ms: float | None = None) -> None:
        """Add a frame.

        Parameters
        ----------
        image
            Of the size of the first frame.
        duration_ms
            How long it is shown, in milliseconds; None is what `fps` says.

        Raises
        ------
        ImageError
            The frame has another size, or one that the format cannot hold.
        """
        if self._writer is None:
            raise UsageError("add frames inside `with AnimationWriter(...) as writer:`")
        size = (image.width, image.height)
        if self._size is None:
            if max(size) > self._format.side_max:
                raise ImageError(
                    f"{self._format.name} holds at most {self._format.side_max} pixels a side and "
                    f"the frames are {size[0]} x {size[1]}"
                )
            self._size = size
            self._alpha = image.alpha is not None and self._format.alpha
        if size != self._size:
            raise ImageError(
                f"a frame is {size[0]} x {size[1]} pixels but the first is {self._size[0]} x "
                f"{self._size[1]}; all frames of an animation have one size"
            )
        recipe = image.metadata.recipe
        if recipe is not None:
            recipe = recipe.saved_as(self._format.name, quality=self._quality)
            image = image.replace(metadata=replace(image.metadata, recipe=recipe))
        what = quantise(image, 8, icc=self._format.icc, cmyk=False)
        if not self._alpha:
            what = flatten(what)
        elif what.alpha is None:
            what.alpha = np.full(what.samples.shape[:2], 255, np.uint8)
        duration = self._frame_ms if duration_ms is None else duration_ms
        self._writer.frame(what, image, duration)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the file and put it in its place, or remove it after an error."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        if error is None:
            try:
                if self._size is None:
                    raise ImageError("an animation needs at least one frame; none was added")
                writer.close()
            except BaseException as problem:
                writer.abort()
                self._stack.__exit__(type(problem), problem, problem.__traceback__)
                raise
        else:
            writer.abort()
        self._stack.__exit__(kind, error, trace)


def encode_animation(animation: Animation, format: str, *, quality: int | None = None) -> bytes:
    """Return an animation as the bytes of a file."""
    out = BytesIO()
    with AnimationWriter(out, format=format, loop=animation.loop, quality=quality) as writer:
        for frame, duration in zip(animation.frames, animation.durations, strict=True):
            writer.add(frame, duration)
    return out.getvalue()

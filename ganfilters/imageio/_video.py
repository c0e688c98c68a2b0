"""MP4 (H.264) and WebM (VP9) through PyAV, which brings its own FFmpeg."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np

from ganfilters.errors import ImageError, UsageError
from ganfilters.image import Image
from ganfilters.imageio import _xmp
from ganfilters.imageio._samples import Encodable
from ganfilters.limits import DEFAULT_QUALITY

__all__ = ["Video"]

_BASE = 90_000  # time steps per second, which holds all usual rates exactly
_BT709, _SRGB_TRANSFER, _LIMITED = 1, 13, 1


class Video:
    """Encodes frames as they come.

    Pixels are 4:2:0, so odd sides are grown by one repeated row or column.
    """

    def __init__(self, file: BinaryIO, format: str, quality: int | None) -> None:
        try:
            import av
        except ImportError as error:
            raise UsageError(
                f'writing {format} needs PyAV: pip install "ganfilters[video]" (GIF and WebP '
                "need nothing more)"
            ) from error
        self._av = av
        self._codec = {"MP4": "libx264", "WEBM": "libvpx-vp9"}[format]
        if self._codec not in av.codecs_available:
            raise UsageError(
                f"the installed PyAV has no {self._codec} encoder; pip install --force-reinstall "
                '"ganfilters[video]", or write WebP'
            )
        self._file = _Guarded(file)
        self._container: Any = av.open(self._file, "w", format=format.lower())
        self._crf = round(50 - (quality or DEFAULT_QUALITY[format]) * 0.36)
        self._stream: Any = None
        self._clock = 0.0
        self._durations: dict[int, int] = {}

    def _start(self, width: int, height: int, image: Image, duration_ms: float) -> None:
        if image.metadata.recipe is not None:
            self._container.metadata["comment"] = _xmp.comment(image.metadata.recipe)
        rate = Fraction(1000 / max(duration_ms, 1)).limit_denominator(1001)
        options = {"crf": str(self._crf)}
        if self._codec == "libvpx-vp9":
            options |= {"b": "0", "row-mt": "1", "cpu-used": "4"}
        stream = self._container.add_stream(self._codec, rate=rate, options=options)
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = Fraction(1, _BASE)
        context.color_primaries = _BT709
        context.colorspace = _BT709
        context.color_trc = _SRGB_TRANSFER
        context.color_range = _LIMITED
        self._stream = stream

    def frame(self, what: Encodable, image: Image, duration_ms: float) -> None:
        """Encode one frame."""
        height, width = what.samples.shape[:2]
        if self._stream is None:
            self._start(width, height, image, duration_ms)
        rgb = np.broadcast_to(what.samples, (height, width, 3))
        rgb = np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        source = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
        frame = source.reformat(
            format="yuv420p", dst_colorspace="ITU709", src_color_range="JPEG",
            dst_color_range="MPEG",
        )  # fmt: skip
        frame.time_base = Fraction(1, _BASE)
        frame.pts = round(self._clock * _BASE / 1000)
        self._durations[frame.pts] = max(1, round(duration_ms * _BASE / 1000))
        self._clock += max(duration_ms, 1.0)
        self._mux(frame)

    def _mux(self, frame: Any) -> None:
        try:
            for packet in self._stream.encode(frame):
                # Encoders guess the duration, and the last one has no next frame to correct it.
                packet.duration = self._durations.pop(packet.pts, packet.duration)
                self._container.mux(packet)
        except self._av.FFmpegError as error:
            self._file.raise_failure()
            raise ImageError(f"the video could not be encoded ({error.strerror})") from error

    def close(self) -> None:
        """Encode what is pending and write the index."""
        self._mux(None)
        try:
            self._container.close()
        except self._av.FFmpegError as error:
            self._file.raise_failure()
            raise ImageError(f"the video could not be written ({error.strerror})") from error
        self._file.raise_failure()

    def abort(self) -> None:
        """Let go of the encoder without caring for what becomes of the file."""
        self._file.silent = True
        with suppress(Exception):
            self._container.close()


class _Guarded:
    """A file for FFmpeg, which reports failures of the file it writes to late and vaguely."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.silent = False
        self._failure: OSError | None = None

    def raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def write(self, data: bytes) -> int:
        if self.silent:
            return len(data)
        try:
            return self._file.write(data)
        except OSError as error:
            self._failure = error
            raise

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

"""WebP: the RIFF container here, the pictures in libwebp through Pillow and imagecodecs."""

from __future__ import annotations

import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image as PILImage

from ganfilters.errors import ImageError
from ganfilters.imageio._samples import Decoded, Encodable

__all__ = ["WebpWriter", "decode", "encode", "frame_count", "metadata"]

Guard = Callable[[int, int, int], None]
_ICC, _ALPHA, _EXIF, _XMP, _ANIMATED = 0x20, 0x10, 0x08, 0x04, 0x02


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return the chunks of a RIFF file, as far as they are whole."""
    found, place = [], 12
    while place + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, place)
        body = data[place + 8 : place + 8 + length]
        if len(body) < length:
            break
        found.append((name, body))
        place += 8 + length + length % 2
    return found


def read_size(head: bytes) -> tuple[int, int]:
    """Return width and height from the first 30 bytes."""
    kind = head[12:16]
    if kind == b"VP8X" and len(head) >= 30:
        return (
            int.from_bytes(head[24:27], "little") + 1,
            int.from_bytes(head[27:30], "little") + 1,
        )
    if kind == b"VP8L" and len(head) >= 25:
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and len(head) >= 30:
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    raise ImageError("the WebP has no header; copy or download it again")


def frame_count(file: BinaryIO) -> int:
    """Return how many frames an animated WebP holds; 1 for a still picture."""
    file.seek(0)
    head = file.read(30)
    if head[12:16] != b"VP8X" or len(head) < 21 or not head[20] & _ANIMATED:
        return 1
    count, place, size = 0, 12, file.seek(0, 2)
    while place + 8 <= size:
        file.seek(place)
        name, length = struct.unpack("<4sI", file.read(8))
        count += name == b"ANMF"
        place += 8 + length + length % 2
    return max(count, 1)


def metadata(data: bytes) -> Decoded:
    """Return what the file holds besides samples."""
    found = Decoded(np.empty((0, 0, 1), np.uint8), "RGB", "WEBP")
    for name, body in _chunks(data):
        if name == b"ICCP":
            found.icc = body
        elif name == b"EXIF":
            found.exif = body
        elif name == b"XMP ":
            found.xmp = body
    return found


def decode(file: BinaryIO, guard: Guard) -> Decoded:
    """Read a still WebP."""
    import imagecodecs

    file.seek(0)
    guard(*read_size(file.read(30)), 1)
    file.seek(0)
    data = file.read()
    if struct.unpack_from("<I", data, 4)[0] + 8 > len(data):
        raise ImageError("the WebP ends too early; copy or download it again")
    found = metadata(data)
    samples = imagecodecs.webp_decode(data)
    if samples.shape[2] == 4:
        found.alpha = np.ascontiguousarray(samples[..., 3])
        samples = np.ascontiguousarray(samples[..., :3])
    found.samples = samples
    return found


def _rgb(what: Encodable) -> npt.NDArray[Any]:
    """Return H x W x 3 or 4; WebP has no grey."""
    samples = what.samples
    if what.mode == "L":
        samples = np.broadcast_to(samples, (*samples.shape[:2], 3))
    if what.alpha is not None:
        return np.concatenate([samples, what.alpha[..., None]], axis=2)
    return np.ascontiguousarray(samples)


def encode(
    what: Encodable, quality: int, *, exif: bytes | None = None, xmp: bytes | None = None
) -> bytes:
    """Return a WebP; quality 100 is lossless."""
    out = BytesIO()
    PILImage.fromarray(_rgb(what)).save(
        out,
        "WEBP",
        icc_profile=what.icc or b"",
        exif=exif or b"",
        xmp=xmp or b"",
        **_options(quality),
    )
    return out.getvalue()


def _options(quality: int) -> dict[str, Any]:
    if quality == 100:
        # exact: also keep the colour of what is fully transparent
        return {"lossless": True, "quality": 60, "exact": True, "method": 4}
    return {"quality": quality, "method": 4}


def _riff_chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


class WebpWriter:
    """Writes an animated WebP frame by frame, each a whole picture; only one is kept in memory."""

    def __init__(self, file: BinaryIO, loop: int, quality: int) -> None:
        self._file = file
        self._loop = min(loop, 65535)
        self._quality = quality
        self._flags = _ANIMATED
        self._size = (0, 0)
        self._icc = b""
        self._exif = b""
        self._xmp = b""
        self._count = 0

    def add(self, what: Encodable, duration_ms: int, exif: bytes | None, xmp: bytes | None) -> None:
        """Write one frame; metadata comes from the first."""
        if not self._count:
            self._size = (what.samples.shape[1], what.samples.shape[0])
            self._icc, self._exif, self._xmp = what.icc or b"", exif or b"", xmp or b""
            self._flags |= (
                (_ICC if self._icc else 0) | (_EXIF if self._exif else 0) | (_XMP if xmp else 0)
            )
            self._file.write(self._head())
        if what.alpha is not None:
            self._flags |= _ALPHA
        out = BytesIO()
        PILImage.fromarray(_rgb(what)).save(out, "WEBP", **_options(self._quality))
        picture = b"".join(
            _riff_chunk(name, body)
            for name, body in _chunks(out.getvalue())
            if name in (b"ALPH", b"VP8 ", b"VP8L")
        )
        frame = (
            bytes(6)
            + (self._size[0] - 1).to_bytes(3, "little")
            + (self._size[1] - 1).to_bytes(3, "little")
            + min(duration_ms, 0xFFFFFF).to_bytes(3, "little")
            + b"\x02"  # replace the canvas, do not blend
        )
        self._file.write(_riff_chunk(b"ANMF", frame + picture))
        self._count += 1

    def _head(self) -> bytes:
        canvas = (
            bytes([self._flags, 0, 0, 0])
            + (self._size[0] - 1).to_bytes(3, "little")
            + (self._size[1] - 1).to_bytes(3, "little")
        )
        icc = _riff_chunk(b"ICCP", self._icc) if self._icc else b""
        loop = _riff_chunk(b"ANIM", struct.pack("<IH", 0, self._loop))
        return b"RIFF\0\0\0\0WEBP" + _riff_chunk(b"VP8X", canvas) + icc + loop

    def close(self) -> None:
        """Write the metadata, and what is known only now into the head."""
        if self._exif:
            self._file.write(_riff_chunk(b"EXIF", self._exif))
        if self._xmp:
            self._file.write(_riff_chunk(b"XMP ", self._xmp))
        end = self._file.tell()
        head = self._head()
        self._file.seek(0)
        self._file.write(head[:4] + struct.pack("<I", end - 8) + head[8:])
        self._file.seek(end)

"""PNG: chunks here, samples in libpng through imagecodecs, which does 16 bits and checks sums."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ganfilters.errors import ImageError
from ganfilters.imageio._samples import Decoded, Encodable

__all__ = ["ApngWriter", "chunk", "decode", "encode", "metadata", "still_part"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_XMP_KEY = b"XML:com.adobe.xmp"
_CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"tRNS")
_TEXT_MAX = 16 << 20  # bytes that a compressed profile or text may grow to
# Of zlib: against the usual 6, a third of the time for 2 % more bytes of a noisy photo.
_LEVEL = 4
Guard = Callable[[int, int, int], None]


def chunk(name: bytes, data: bytes) -> bytes:
    """Return one chunk with its length and checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Yield the chunks behind the signature, up to IEND."""
    file.seek(len(SIGNATURE))
    while True:
        head = file.read(8)
        if len(head) < 8:
            raise ImageError("the PNG ends too early; copy or download it again")
        length, name = struct.unpack(">I4s", head)
        if name == b"IEND":
            return
        data = file.read(length)
        check = file.read(4)
        if len(data) < length or len(check) < 4:
            raise ImageError("the PNG ends too early; copy or download it again")
        if not name[0] & 0x20 and zlib.crc32(name + data) != struct.unpack(">I", check)[0]:
            raise ImageError("the PNG is damaged (wrong checksum); copy or download it again")
        yield name, data


def _inflate(data: bytes) -> bytes | None:
    stream = zlib.decompressobj()
    try:
        out = stream.decompress(data, _TEXT_MAX)
    except zlib.error:
        return None
    return out if stream.eof else None


def _text(data: bytes) -> tuple[bytes, bytes | None]:
    """Return key and text of an iTXt chunk."""
    key, _, rest = data.partition(b"\0")
    if len(rest) < 2:
        return key, None
    parts = rest[2:].split(b"\0", 2)
    if len(parts) < 3:
        return key, None
    return key, _inflate(parts[2]) if rest[0] else parts[2]


def read_size(file: BinaryIO) -> tuple[int, int]:
    """Return width and height from the header."""
    file.seek(0)
    head = file.read(33)
    if len(head) < 33 or head[12:16] != b"IHDR":
        raise ImageError("the PNG has no header; copy or download it again")
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def frame_count(file: BinaryIO) -> int:
    """Return how many frames an animated PNG declares; 1 for a still picture."""
    count, seen = 1, 0
    for name, data in _chunks(file):
        if name == b"acTL" and len(data) >= 8:
            count, seen = struct.unpack(">I", data[:4])[0], seen + 1
        if name == b"IDAT":
            break
    return count if seen == 1 and 1 < count < 1 << 31 else 1


def decode(file: BinaryIO, guard: Guard) -> Decoded:
    """Read a still PNG, or the default picture of an animated one."""
    import imagecodecs

    guard(*read_size(file), 1)
    keep: list[bytes] = []
    found = metadata(file, keep)
    # Only what carries the picture goes to libpng: it prints about odd metadata on stderr.
    stripped = SIGNATURE + b"".join(keep) + chunk(b"IEND", b"")
    del keep
    samples = imagecodecs.png_decode(stripped)
    if samples.ndim == 2:
        samples = samples[..., None]
    channels = samples.shape[2]
    if channels in (2, 4):
        found.alpha = np.ascontiguousarray(samples[..., -1])
        samples = np.ascontiguousarray(samples[..., :-1])
    found.samples = samples
    found.mode = "L" if channels < 3 else "RGB"
    return found


def metadata(file: BinaryIO, critical: list[bytes] | None = None) -> Decoded:
    """Return what the file holds besides samples; collect the chunks that carry the picture."""
    found = Decoded(np.empty((0, 0, 1), np.uint8), "RGB", "PNG")
    palette = 0
    for name, data in _chunks(file):
        if name == b"PLTE":
            palette = len(data) // 3
        if critical is not None and name in _CRITICAL:
            if name == b"tRNS" and palette:
                data = data[:palette]
            critical.append(chunk(name, data))
        if name == b"iCCP":
            found.icc = _inflate(data.partition(b"\0")[2][1:])
        elif name == b"eXIf":
            found.exif = data
        elif name == b"pHYs" and len(data) == 9 and data[8] == 1:
            x, y = struct.unpack(">II", data[:8])
            found.dpi = (x * 0.0254, y * 0.0254) if x and y else None
        elif name == b"iTXt":
            key, value = _text(data)
            if key == _XMP_KEY and value:
                found.xmp = value
    return found


def encode(
    what: Encodable,
    *,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> bytes:
    """Return a PNG of 8 or 16 bits."""
    import imagecodecs

    plain = bytes(imagecodecs.png_encode(what.stacked(), level=_LEVEL))
    ahead = len(SIGNATURE) + 25  # behind IHDR
    extra = side_chunks(what.icc, exif, xmp, dpi)
    return b"".join([plain[:ahead], extra, plain[ahead:]])


def side_chunks(
    icc: bytes | None, exif: bytes | None, xmp: bytes | None, dpi: tuple[float, float] | None
) -> bytes:
    """Return the chunks that carry metadata."""
    out = b""
    if icc:
        out += chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc))
    if dpi:
        per_metre = (min(round(value / 0.0254), 2**31 - 1) for value in dpi)
        out += chunk(b"pHYs", struct.pack(">IIB", *per_metre, 1))
    if exif:
        out += chunk(b"eXIf", exif)
    if xmp:
        out += chunk(b"iTXt", _XMP_KEY + b"\0\0\0\0\0" + xmp)
    return out


def still_part(file: BinaryIO) -> BytesIO:
    """Return an animated PNG without its metadata, as Pillow warns about some of that."""
    kept = [
        chunk(name, data)
        for name, data in _chunks(file)
        if name in (*_CRITICAL, b"acTL", b"fcTL", b"fdAT")
    ]
    return BytesIO(SIGNATURE + b"".join(kept) + chunk(b"IEND", b""))


def _changed(before: npt.NDArray[Any], now: npt.NDArray[Any]) -> tuple[slice, slice]:
    """Return the rows and columns that hold every difference; one pixel if there is none."""
    differs = (before != now).any(axis=2)
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    if not rows.size:
        return slice(0, 1), slice(0, 1)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


class ApngWriter:
    """Writes an animated PNG frame by frame; only the previous frame is kept.

    A frame holds what changed since the one before it. The number of frames stands ahead of them,
    so it is put in at the end.
    """

    def __init__(self, file: BinaryIO, loop: int) -> None:
        self._file = file
        self._loop = loop
        self._count = 0
        self._sequence = 0
        self._control = 0
        self._before: npt.NDArray[Any] | None = None

    def add(self, what: Encodable, duration_ms: float, side: bytes) -> None:
        """Write one frame; all have the same shape. `side` is used for the first."""
        import imagecodecs

        now = what.stacked()
        if self._before is None:
            rows, columns = slice(0, now.shape[0]), slice(0, now.shape[1])
        else:
            rows, columns = _changed(self._before, now)
        part = now[rows, columns]
        plain = bytes(imagecodecs.png_encode(np.ascontiguousarray(part), level=_LEVEL))
        if self._before is None:
            head = len(SIGNATURE) + 25
            self._file.write(plain[:head])
            self._control = head
            self._file.write(self._control_chunk())
            self._file.write(side)
        delay = Fraction(duration_ms).limit_denominator(65) / 1000
        if delay.numerator > 65535:
            delay = Fraction(min(65535, round(duration_ms / 1000)))
        place = (part.shape[1], part.shape[0], columns.start, rows.start)
        control = (self._sequence, *place, delay.numerator, delay.denominator, 0, 0)
        self._file.write(chunk(b"fcTL", struct.pack(">IIIIIHHBB", *control)))
        self._sequence += 1
        for name, data in _chunks(BytesIO(plain)):
            if name != b"IDAT":
                continue
            if self._before is None:
                self._file.write(chunk(b"IDAT", data))
            else:
                self._file.write(chunk(b"fdAT", struct.pack(">I", self._sequence) + data))
                self._sequence += 1
        self._before = now
        self._count += 1

    def _control_chunk(self) -> bytes:
        return chunk(b"acTL", struct.pack(">II", self._count, self._loop))

    def close(self) -> None:
        """Write the end, and the number of frames."""
        self._file.write(chunk(b"IEND", b""))
        end = self._file.tell()
        self._file.seek(self._control)
        self._file.write(self._control_chunk())
        self._file.seek(end)

"""EXIF without decoding it: orientation, thumbnail, and the way into and out of a TIFF file.

An EXIF block is a small TIFF file. Rewriting it through a decoder would lose what the decoder does
not know and move the maker notes, whose offsets nobody can correct; so blocks are patched in place.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = [
    "append_to_tiff",
    "from_tiff",
    "normalise",
    "orientation",
    "scrubbed",
    "tiff_tags",
    "upright",
    "with_orientation",
]

_ORIENTATION, _THUMB_OFFSET, _THUMB_LENGTH = 0x0112, 0x0201, 0x0202
_EXIF_IFD, _GPS_IFD, _INTEROP_IFD = 0x8769, 0x8825, 0xA005
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}

# Tags of a TIFF file's first directory that describe the picture and not how it is stored.
DESCRIPTIVE = frozenset(
    (0x010D, 0x010E, 0x010F, 0x0110, 0x011D, 0x0131, 0x0132, 0x013B, 0x013C, 0x8298)
) | frozenset(
    (0x4746, 0x4749, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F)  # ratings, and what Windows adds
)


@dataclass(frozen=True)
class Entry:
    """One tag of a directory, its value as it lies in the file."""

    type: int
    count: int
    value: bytes


def normalise(block: bytes | None) -> bytes | None:
    """Return the block from its byte order mark on, or None if it is no EXIF block."""
    if not block:
        return None
    if block.startswith(b"Exif\0\0"):
        block = block[6:]
    if block[:4] not in (b"II*\0", b"MM\0*") or len(block) < 14:
        return None
    order = _order(block)
    (first,) = struct.unpack_from(order + "I", block, 4)
    top, _ = _entries(block, first, order)
    if not top:
        return None
    trees = _trees(block, order)
    if sum(map(len, (trees[0], *trees[1].values()))) == _declared(block, order):
        return block
    # Values that lie outside the block are left out, the others kept.
    return block[:4] + struct.pack(order + "I", 8) + _pack_tree(*trees, 8, order)


def _declared(block: bytes, order: str) -> int:
    """Return how many tags the directories of a block claim to hold."""
    (first,) = struct.unpack_from(order + "I", block, 4)
    top, _ = _entries(block, first, order)
    count = len(top)
    for parent, tag in ((top, _EXIF_IFD), (top, _GPS_IFD)):
        if tag in parent:
            (start,) = struct.unpack_from(order + "I", block, parent[tag] + 8)
            nested, _ = _entries(block, start, order)
            count += max(1, len(nested))
            if _INTEROP_IFD in nested:
                (start,) = struct.unpack_from(order + "I", block, nested[_INTEROP_IFD] + 8)
                count += max(1, len(_entries(block, start, order)[0]))
    return count


def scrubbed(data: bytes) -> bytes:
    """Return a file in which EXIF blocks that cannot be used are made empty.

    For a format whose decoder insists on parsing them, and warns.
    """
    for head in (b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"):
        at = data.find(head)
        while at >= 0:
            rest = data[at:]
            if normalise(rest) is not rest and len(rest) >= 14:
                data = data[: at + 8] + bytes(6) + data[at + 14 :]
            at = data.find(head, at + 8)
    return data


def _order(block: bytes) -> str:
    return "<" if block[:2] == b"II" else ">"


def _entries(block: bytes | bytearray, offset: int, order: str) -> tuple[dict[int, int], int]:
    """Return where each tag's 12 bytes lie, and where the offset of the next directory lies."""
    if offset < 8 or offset + 2 > len(block):
        return {}, 0
    count = struct.unpack_from(order + "H", block, offset)[0]
    end = offset + 2 + 12 * count
    if end + 4 > len(block):
        return {}, 0
    places = range(offset + 2, end, 12)
    return {struct.unpack_from(order + "H", block, place)[0]: place for place in places}, end


def orientation(block: bytes | None) -> int:
    """Return the orientation, 1 to 8; 1 where the block does not say or says nonsense."""
    if block is None:
        return 1
    order = _order(block)
    first, _ = _entries(block, struct.unpack_from(order + "I", block, 4)[0], order)
    place = first.get(_ORIENTATION)
    if place is None:
        return 1
    kind = struct.unpack_from(order + "H", block, place + 2)[0]
    value = int(struct.unpack_from(order + ("I" if kind == 4 else "H"), block, place + 8)[0])
    return value if 1 <= value <= 8 else 1


def upright(block: bytes) -> bytes:
    """Return the block with the orientation set to 1 and without its thumbnail.

    The thumbnail shows the picture before any work on it, and often before it was turned.
    """
    order = _order(block)
    patched = bytearray(block)
    first, next_at = _entries(patched, struct.unpack_from(order + "I", block, 4)[0], order)
    if place := first.get(_ORIENTATION):
        kind = struct.unpack_from(order + "H", block, place + 2)[0]
        struct.pack_into(order + ("I" if kind == 4 else "H"), patched, place + 8, 1)
    if next_at:
        thumbnail, _ = _entries(patched, struct.unpack_from(order + "I", block, next_at)[0], order)
        struct.pack_into(order + "I", patched, next_at, 0)
        if _THUMB_OFFSET in thumbnail and _THUMB_LENGTH in thumbnail:
            start, length = (
                struct.unpack_from(order + "I", block, thumbnail[tag] + 8)[0]
                for tag in (_THUMB_OFFSET, _THUMB_LENGTH)
            )
            if start > next_at and start + length == len(block):
                del patched[start:]
            elif start > next_at and start + length < len(block):
                patched[start : start + length] = bytes(length)
    return bytes(patched)


def _directory(data: bytes, offset: int, order: str) -> dict[int, Entry]:
    found = {}
    for tag, place in _entries(data, offset, order)[0].items():
        kind, count = struct.unpack_from(order + "HI", data, place + 2)
        if kind not in _SIZES:
            continue
        length = _SIZES[kind] * count
        start = place + 8 if length <= 4 else struct.unpack_from(order + "I", data, place + 8)[0]
        if start + length <= len(data):
            found[tag] = Entry(kind, count, bytes(data[start : start + length]))
    return found


def _sub(data: bytes, parent: dict[int, Entry], tag: int, order: str) -> dict[int, Entry]:
    entry = parent.get(tag)
    if entry is None or len(entry.value) != 4:
        return {}
    return _directory(data, struct.unpack(order + "I", entry.value)[0], order)


def _pack(tags: dict[int, Entry], base: int, order: str) -> bytes:
    """Return a directory and, behind it, its values, for a place `base` bytes into the file."""
    head = struct.pack(order + "H", len(tags))
    values = b""
    behind = base + 2 + 12 * len(tags) + 4
    for tag, entry in sorted(tags.items()):
        head += struct.pack(order + "HHI", tag, entry.type, entry.count)
        if len(entry.value) <= 4:
            head += entry.value.ljust(4, b"\0")
        else:
            head += struct.pack(order + "I", behind + len(values))
            values += entry.value + b"\0" * (len(entry.value) % 2)
    return head + b"\0\0\0\0" + values


def _pack_tree(
    first: dict[int, Entry], subs: dict[int, dict[int, Entry]], base: int, order: str
) -> bytes:
    """Return a directory with its sub-directories; those of `subs` with tag 0xA005 nest in EXIF."""
    exif = {t: e for t, e in subs[_EXIF_IFD].items() if t != _INTEROP_IFD}
    interop, gps = subs[_INTEROP_IFD], subs[_GPS_IFD]
    first = {t: e for t, e in first.items() if t not in (_EXIF_IFD, _GPS_IFD)}
    # Twice: the first pass only measures, as the pointers take the same room whatever they hold.
    places = {_EXIF_IFD: 0, _GPS_IFD: 0, _INTEROP_IFD: 0}
    out = b""
    for _ in range(2):
        pointer = {t: Entry(4, 1, struct.pack(order + "I", place)) for t, place in places.items()}
        top = dict(first)
        if exif or interop:
            top[_EXIF_IFD] = pointer[_EXIF_IFD]
        if gps:
            top[_GPS_IFD] = pointer[_GPS_IFD]
        nested = dict(exif)
        if interop:
            nested[_INTEROP_IFD] = pointer[_INTEROP_IFD]
        out = _pack(top, base, order)
        for tag, tags in ((_EXIF_IFD, nested), (_GPS_IFD, gps), (_INTEROP_IFD, interop)):
            if tags:
                places[tag] = base + len(out)
                out += _pack(tags, base + len(out), order)
    return out


def _trees(data: bytes, order: str) -> tuple[dict[int, Entry], dict[int, dict[int, Entry]]]:
    first = _directory(data, struct.unpack_from(order + "I", data, 4)[0], order)
    exif = _sub(data, first, _EXIF_IFD, order)
    subs = {
        _EXIF_IFD: exif,
        _GPS_IFD: _sub(data, first, _GPS_IFD, order),
        _INTEROP_IFD: _sub(data, exif, _INTEROP_IFD, order),
    }
    return first, subs


def from_tiff(data: bytes) -> bytes | None:
    """Return the EXIF block of a TIFF file, its descriptive tags included, or None if it has none.

    The tags that say how the samples are stored, the resolution, XMP and ICC are left out.
    """
    if data[:4] not in (b"II*\0", b"MM\0*") or len(data) < 14:
        return None  # a file over 4 GB has another layout
    order = _order(data)
    first, subs = _trees(data, order)
    kept = {tag: entry for tag, entry in first.items() if tag in DESCRIPTIVE}
    if kept.get(0x010E, Entry(2, 0, b"")).value.startswith(b'{"shape":'):
        del kept[0x010E]  # tifffile's own note on the layout of this very file
    if not kept and not any(subs.values()):
        return None
    return data[:4] + struct.pack(order + "I", 8) + _pack_tree(kept, subs, 8, order)


def with_orientation(block: bytes | None, value: int) -> bytes:
    """Return the block, made new if there is none, with the orientation set to `value`."""
    block = block or b"II*\0\x08\0\0\0\0\0\0\0\0\0"
    order = _order(block)
    first, subs = _trees(block, order)
    first[_ORIENTATION] = Entry(3, 1, struct.pack(order + "H", value))
    return block[:4] + struct.pack(order + "I", 8) + _pack_tree(first, subs, 8, order)


def tiff_tags(block: bytes) -> list[tuple[int, int, int, bytes]]:
    """Return the orientation and the descriptive tags of a block as (tag, type, count, value)."""
    first, _ = _trees(block, _order(block))
    return [
        (tag, entry.type, entry.count, entry.value)
        for tag, entry in first.items()
        if tag in DESCRIPTIVE or tag == _ORIENTATION
    ]


def append_to_tiff(file: bytes, block: bytes) -> bytes:
    """Return a TIFF file with the EXIF and GPS directories of `block`, of the same byte order.

    A new first directory is put behind the file, so that nothing in it moves.
    """
    if file[:4] not in (b"II*\0", b"MM\0*") or file[:4] != block[:4]:
        return file
    order = _order(file)
    _, subs = _trees(block, order)
    if not any(subs.values()):
        return file
    first = _directory(file, struct.unpack_from(order + "I", file, 4)[0], order)
    base = len(file) + len(file) % 2
    grown = bytearray(file.ljust(base, b"\0"))
    grown += _pack_tree(first, subs, base, order)
    struct.pack_into(order + "I", grown, 4, base)
    return bytes(grown)

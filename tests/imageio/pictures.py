"""Pictures, profiles and metadata that the tests make files of."""

from __future__ import annotations

import dataclasses
import struct
import warnings
from functools import cache
from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image as PILImage
from skimage import color, data

from ganfilters.image import Image
from ganfilters.recipe import Recipe, Step

RECIPE = Recipe(
    device="cpu",
    steps=(Step(filter="dream", version="1.0", params={"text": "<ü & \"'>\n--> ]]>"}),),
)


def as_made(recipe: Recipe | None) -> Recipe:
    """A recipe read from a file, as it was before it was written."""
    assert recipe is not None
    assert recipe.saved is not None, "a file's recipe says how the file was written"
    return recipe.model_copy(update={"saved": None})


@cache
def _photo() -> np.ndarray:
    return np.ascontiguousarray(data.astronaut()[40:136:2, 170:298:2])


def photo(dtype: str = "uint8", channels: int = 3) -> np.ndarray:
    """A photo of 64 x 48; 16 bits are really used; alpha is a ramp with both ends."""
    picture = _photo()
    if dtype == "uint16":
        noise = np.random.default_rng(1).integers(0, 257, picture.shape)
        picture = np.minimum(picture.astype(np.int64) * 257 + noise, 65535).astype(np.uint16)
    if channels in (1, 2):
        picture = picture[..., :1]
    if channels in (2, 4):
        limit = np.iinfo(picture.dtype).max
        ramp = np.linspace(0, limit, picture.shape[1]).round().astype(picture.dtype)
        alpha = np.broadcast_to(ramp, picture.shape[:2])[..., None]
        picture = np.concatenate([picture, alpha], axis=2)
    return np.ascontiguousarray(picture)


def encoded(picture: PILImage.Image, format: str, **options: Any) -> bytes:
    out = BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()


def patch(image: Image, **changes: Any) -> Image:
    return image.replace(metadata=dataclasses.replace(image.metadata, **changes))


@cache  # lcms2 puts the time into them
def adobe_rgb() -> bytes:
    return imagecodecs.cms_profile("adobergb")


@cache
def display_p3() -> bytes:
    return imagecodecs.cms_profile(
        "rgb",
        whitepoint=[0.3127, 0.3290, 1.0],
        primaries=[0.680, 0.320, 1.0, 0.265, 0.690, 1.0, 0.150, 0.060, 1.0],
        gamma=2.2,
    )


@cache
def grey_gamma() -> bytes:
    return imagecodecs.cms_profile("gray", whitepoint=[0.3457, 0.3585, 1.0], gamma=1.8)


@cache
def srgb() -> bytes:
    return imagecodecs.cms_profile("srgb")


def _lut(inputs: int, outputs: int, grid: int, table: np.ndarray) -> bytes:
    identity = bytes(range(256))
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    values = np.clip(np.rint(table), 0, 255).astype(np.uint8).tobytes()
    return (
        b"mft1\0\0\0\0"
        + bytes([inputs, outputs, grid, 0])
        + matrix
        + identity * inputs
        + values
        + identity * outputs
    )


@cache
def cmyk() -> bytes:
    """A press whose inks are a little dirty: tables both ways, as real CMYK profiles have."""
    axis = np.linspace(0, 1, 6)
    inks = np.stack(np.meshgrid(*[axis] * 4, indexing="ij"), -1).reshape(-1, 4)
    rgb = (1 - 0.9 * inks[:, :3]) * (1 - 0.9 * inks[:, 3:])
    lab = color.rgb2lab(rgb[None])[0]
    forward = _lut(4, 3, 6, np.stack([lab[:, 0] * 2.55, lab[:, 1] + 128, lab[:, 2] + 128], 1))
    axis = np.linspace(0, 255, 17)
    pcs = np.stack(np.meshgrid(*[axis] * 3, indexing="ij"), -1).reshape(-1, 3)
    lab = np.stack([pcs[:, 0] / 2.55, pcs[:, 1] - 128, pcs[:, 2] - 128], 1)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the table's corners are no colours
        xyz = color.lab2xyz(lab[None])
        seen = np.clip(color.xyz2rgb(xyz)[0], 0, 1)
    ink = np.clip((1 - seen) / 0.9, 0, 1)
    backward = _lut(3, 4, 17, np.concatenate([ink, np.zeros((len(ink), 1))], 1) * 255)
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
    tags = {
        b"desc": text,
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061),
        b"A2B0": forward,
        b"B2A0": backward,
    }
    head = bytes(8) + b"\x02\x10\0\0prtrCMYKLab " + struct.pack(">6H", 2026, 1, 1, 0, 0, 0)
    head += b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    body, table = b"", struct.pack(">I", len(tags))
    for name, value in tags.items():
        value += bytes(-len(value) % 4)
        table += name + struct.pack(">II", 128 + 4 + 12 * len(tags) + len(body), len(value))
        body += value
    whole = head.ljust(128, b"\0") + table + body
    return struct.pack(">I", len(whole)) + whole[4:]


def exif(orientation: int = 1, *, thumbnail: bool = False) -> bytes:
    """An EXIF block with maker notes that point at themselves, and perhaps a thumbnail."""
    block = PILImage.Exif()
    block[0x0112] = orientation
    block[0x010F] = "Maker"
    block[0x8298] = "Someone"
    block.get_ifd(0x8769)[0x9003] = "2026:01:02 03:04:05"
    block.get_ifd(0x8769)[0x927C] = b"maker notes, byte for byte"
    block.get_ifd(0x8825)[1] = "N"
    block.get_ifd(0x8825)[2] = (48.0, 8.0, 30.0)
    raw = block.tobytes(8)[6:] if block.tobytes(8).startswith(b"Exif") else block.tobytes(8)
    if not thumbnail:
        return raw
    order = "<" if raw[:2] == b"II" else ">"
    first = struct.unpack_from(order + "I", raw, 4)[0]
    count = struct.unpack_from(order + "H", raw, first)[0]
    small = encoded(PILImage.new("RGB", (16, 16), "red"), "JPEG")
    grown = bytearray(raw + bytes(len(raw) % 2))
    base = len(grown)
    struct.pack_into(order + "I", grown, first + 2 + 12 * count, base)
    grown += struct.pack(order + "H", 2)
    grown += struct.pack(order + "HHII", 0x0201, 4, 1, base + 30)
    grown += struct.pack(order + "HHII", 0x0202, 4, 1, len(small))
    return bytes(grown + bytes(4) + small)


def png16(array: np.ndarray, icc: bytes | None = None) -> bytes:
    """A 16-bit PNG made without the code under test."""
    from zlib import compress, crc32

    plain = bytes(imagecodecs.png_encode(array))
    if icc is None:
        return plain
    body = b"iCCP" + b"x\0\0" + compress(icc)
    extra = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", crc32(body))
    return plain[:33] + extra + plain[33:]


def huge_png(width: int, height: int) -> bytes:
    from zlib import crc32

    plain = encoded(PILImage.new("RGB", (4, 4)), "PNG")
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return plain[:12] + head + struct.pack(">I", crc32(head)) + plain[33:]

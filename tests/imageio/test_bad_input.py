"""What cannot be read is refused in one line that says what was wrong."""

from __future__ import annotations

import struct
import threading
from contextlib import suppress
from io import BytesIO

import numpy as np
import pytest
import tifffile
from PIL import Image as PILImage

from ganfilters import imageio
from ganfilters.errors import ImageError
from ganfilters.image import Animation

from . import pictures
from .pictures import encoded, photo

RGB = PILImage.fromarray(photo())
STILL = ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"]


def refused(source, text, **options):
    with pytest.raises(ImageError, match=text) as error:
        imageio.read(source, **options)
    message = str(error.value)
    assert "\n" not in message
    assert len(message) < 400
    return message


def test_files(tmp_path):
    refused(tmp_path / "no.png", r"no\.png: there is no such file")
    refused(tmp_path, "is a folder; name a picture in it")
    refused(tmp_path / ("a" * 300), r"cannot be read \(File name too long\)")
    empty = tmp_path / "empty.png"
    empty.write_bytes(b"")
    refused(empty, r"empty\.png is empty; AVIF, BMP, GIF, JPEG, PNG, TIFF and WebP can be read")
    text = tmp_path / "text.png"
    text.write_text("hello\nworld, this is no picture\n")
    refused(text, "is not a picture in a known format: it is text, beginning 'hello world")
    refused(str(tmp_path / "nul\0.png"), "is no file name")


def test_unreadable_file(tmp_path, monkeypatch):
    from pathlib import Path

    def deny(self, *args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)
    refused(tmp_path / "a.png", "may not be read")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "is empty"),
        (bytes(100), "zeros only"),
        (b"%PDF-1.7 ...", "PDF: save its page"),
        (b"<svg xmlns=''></svg>", "SVG drawing: save it as PNG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40), "HEIC.*save it as JPEG or PNG"),
        (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(40), "is a video"),
        (b"\x1aE\xdf\xa3" + bytes(40), "is a video"),
        (b"\x93NUMPY\1\0" + bytes(40), "not a picture in a known format"),
        (b"BM is how this text begins, to no avail", "text, beginning 'BM is how"),
    ],
)
def test_other_things(data, text):
    refused(data, text)


@pytest.mark.parametrize("format", STILL)
@pytest.mark.parametrize("part", [0.02, 0.1, 0.3, 0.6, 0.9, 0.98])
def test_truncated(format, part, capfd):
    data = encoded(RGB, format)
    refused(data[: max(8, int(len(data) * part))], ".")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.95])
def test_truncated_16_bits(format, part):
    from ganfilters.convert import from_array

    data = imageio.encode(from_array(photo("uint16")), format)
    refused(data[: int(len(data) * part)], ".")


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
def test_truncated_tiff_behind_its_directory(compression):
    out = BytesIO()
    tifffile.imwrite(out, photo("uint16"), photometric="rgb", compression=compression)
    refused(out.getvalue()[:-4000], "damaged or cut short")


@pytest.mark.parametrize("format", STILL)
def test_noise_never_escapes_as_another_error(format):
    """Bytes changed at random: a picture, or an ImageError."""
    rng = np.random.default_rng(7)
    data = encoded(RGB.resize((24, 16)), format)
    for _ in range(150):
        broken = bytearray(data)
        for at in rng.integers(2, len(data), 4):
            broken[at] = rng.integers(256)
        with suppress(ImageError):
            imageio.read(bytes(broken), max_pixels=100_000)


def test_flipped_bit_in_png():
    data = bytearray(encoded(RGB, "PNG"))
    data[len(data) // 2] ^= 1
    refused(bytes(data), "damaged")


# --- sizes ---


def bmp(width, height):
    plain = bytearray(encoded(PILImage.new("RGB", (4, 4)), "BMP"))
    struct.pack_into("<ii", plain, 18, width, height)
    return bytes(plain)


def jpeg(width, height):
    plain = encoded(PILImage.new("RGB", (16, 16)), "JPEG")
    return plain.replace(b"\x08\x00\x10\x00\x10", b"\x08" + struct.pack(">HH", height, width))


def gif(width, height):
    plain = bytearray(encoded(PILImage.new("P", (16, 16)), "GIF"))
    struct.pack_into("<HH", plain, 6, width, height)
    return bytes(plain)


def tiff(width, height):
    out = BytesIO()
    tifffile.imwrite(out, np.zeros((4, 4), np.uint8))
    out.seek(0)
    with tifffile.TiffFile(out, mode="r+b") as file:
        file.pages.first.tags["ImageWidth"].overwrite(width)
        file.pages.first.tags["ImageLength"].overwrite(height)
    return out.getvalue()


def webp(width, height):
    plain = bytearray(encoded(PILImage.new("RGB", (16, 16)), "WEBP"))
    struct.pack_into("<HH", plain, 26, width, height)
    return bytes(plain)


@pytest.mark.parametrize(
    ("data", "width", "height"),
    [
        (pictures.huge_png(60_000, 60_000), 60_000, 60_000),
        (jpeg(60_000, 60_000), 60_000, 60_000),
        (bmp(60_000, 60_000), 60_000, 60_000),
        (gif(60_000, 60_000), 60_000, 60_000),
        (tiff(60_000, 60_000), 60_000, 60_000),
        (webp(16_383, 16_383), 16_383, 16_383),
    ],
    ids=["png", "jpeg", "bmp", "gif", "tiff", "webp"],
)
def test_decompression_bombs(data, width, height):
    import tracemalloc

    tracemalloc.start()
    try:
        refused(
            data,
            rf"{width} x {height} is {width * height:,} pixels, over the limit of 200,000,000; .*"
            rf"`max_pixels={width * height}`",
        )
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("format", STILL)
def test_the_limit_is_the_callers(format):
    data = encoded(RGB, format)
    refused(data, "64 x 48 is 3,072 pixels, over the limit of 3,071", max_pixels=64 * 48 - 1)
    assert imageio.read(data, max_pixels=64 * 48).width == 64


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_limit_for_animations(format):
    frames = [RGB.rotate(angle) for angle in range(0, 100, 10)]
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=40)
    assert isinstance(imageio.read(data, max_pixels=64 * 48 * 3), Animation)
    refused(data, "10 frames of 64 x 48 are .* `max_pixels=7680`", max_pixels=64 * 48 * 2)
    assert isinstance(imageio.read(data, max_pixels=7680), Animation)
    refused(data, "`max_pixels=3072`", max_pixels=3000)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_truncated_animation(format):
    frames = [RGB.rotate(angle) for angle in range(0, 100, 10)]
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=40)
    refused(data[: len(data) // 2], ".")


def test_png_with_a_broken_animation_header():
    plain = encoded(RGB, "PNG")
    from ganfilters.imageio._png import chunk

    for count in (0, 1, 2**31):
        control = chunk(b"acTL", struct.pack(">II", count, 0))
        image = imageio.read(plain[:33] + control + plain[33:])
        assert np.array_equal(np.rint(image.pixels * 255), photo())


@pytest.mark.parametrize("kind", ["float", "cielab", "int16"])
def test_tiff_of_another_kind(kind):
    out = BytesIO()
    if kind == "float":
        tifffile.imwrite(out, photo().astype(np.float32), photometric="rgb")
    elif kind == "cielab":
        tifffile.imwrite(out, photo(), photometric="cielab")
    else:
        tifffile.imwrite(out, photo().astype(np.int16), photometric="rgb")
    refused(out.getvalue(), "the TIFF holds .*(tone-map|save it)")


def test_reading_changes_nothing_global():
    import warnings

    filters = list(warnings.filters)
    limit = PILImage.MAX_IMAGE_PIXELS
    threads = [
        threading.Thread(target=imageio.read, args=(encoded(RGB, format),)) for format in STILL
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == filters
    assert limit == PILImage.MAX_IMAGE_PIXELS

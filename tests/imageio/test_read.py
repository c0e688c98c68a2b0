"""What `imageio.read` makes of every kind of file it reads."""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
import pytest
import tifffile
from PIL import Image as PILImage
from PIL import ImageOps

from ganfilters import imageio
from ganfilters.errors import ImageError
from ganfilters.image import Image

from . import pictures
from .pictures import encoded, photo


def read(data) -> Image:
    image = imageio.read(data)
    assert isinstance(image, Image)
    return image


def levels(plane, limit=255) -> np.ndarray:
    return np.rint(plane * np.float32(limit)).astype(np.int64)


RGB = PILImage.fromarray(photo())
GREY = PILImage.fromarray(photo(channels=1)[..., 0])
RGBA = PILImage.fromarray(photo(channels=4))
PALETTE = RGB.quantize(17)


@pytest.mark.parametrize(
    ("format", "mode"),
    [
        (format, mode)
        for format in ("PNG", "BMP", "TIFF", "GIF", "WEBP")
        for mode in ("1", "L", "P", "RGB", "LA", "RGBA")
        if mode not in ("LA", "RGBA") or format not in ("BMP", "GIF")
    ],
)
def test_modes_read_exactly(format, mode):
    picture = {"1": GREY.convert("1"), "L": GREY, "P": PALETTE, "RGB": RGB, "RGBA": RGBA}.get(
        mode, RGBA.convert("LA")
    )
    if format == "GIF" and mode == "RGB":
        picture = PALETTE.convert("RGB")
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    image = read(encoded(picture, format, **options))
    assert np.array_equal(levels(image.pixels), np.asarray(picture.convert("RGB")))
    if mode in ("LA", "RGBA"):
        assert np.array_equal(levels(image.alpha), np.asarray(picture.convert("RGBA"))[..., 3])
    else:
        assert image.alpha is None
    grey = mode in ("1", "L", "LA") and format not in ("WEBP", "GIF")
    assert image.metadata.mode == ("L" if grey else "RGB") or format in ("GIF", "BMP")
    assert (image.metadata.format, image.metadata.bit_depth) == (format, 8)
    assert image.metadata.original is None


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_of_16_bits(channels):
    array = photo("uint16", channels)
    image = read(pictures.png16(array))
    colour = array[..., : 1 if channels < 3 else 3]
    assert np.array_equal(levels(image.pixels, 65535), np.broadcast_to(colour, (48, 64, 3)))
    assert (image.alpha is not None) == (channels in (2, 4))
    if image.alpha is not None:
        assert np.array_equal(levels(image.alpha, 65535), array[..., -1])
    assert image.metadata.bit_depth == 16
    assert image.metadata.mode == ("L" if channels < 3 else "RGB")


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_tiff(compression, dtype, channels):
    array = photo(dtype, channels)
    out = BytesIO()
    tifffile.imwrite(
        out,
        array[..., 0] if channels == 1 else array,
        photometric="minisblack" if channels < 3 else "rgb",
        planarconfig=None if channels == 1 else "contig",
        extrasamples=["unassalpha"] if channels in (2, 4) else None,
        compression=compression,
    )
    image = read(out.getvalue())
    limit = np.iinfo(dtype).max
    colour = array[..., : 1 if channels < 3 else 3]
    assert np.array_equal(levels(image.pixels, limit), np.broadcast_to(colour, (48, 64, 3)))
    assert (image.alpha is not None) == (channels in (2, 4))
    assert image.metadata.bit_depth == (8 if dtype == "uint8" else 16)


def test_tiff_layouts():
    array = photo()
    out = BytesIO()
    tifffile.imwrite(out, np.moveaxis(array, -1, 0), photometric="rgb", planarconfig="separate")
    assert np.array_equal(levels(read(out.getvalue()).pixels), array)
    out = BytesIO()
    tifffile.imwrite(out, array, photometric="rgb", tile=(16, 16), byteorder=">", bigtiff=True)
    assert np.array_equal(levels(read(out.getvalue()).pixels), array)
    out = BytesIO()
    tifffile.imwrite(out, 255 - array[..., 0], photometric="miniswhite")
    assert np.array_equal(levels(read(out.getvalue()).pixels)[..., 0], array[..., 0])
    out = BytesIO()
    tifffile.imwrite(out, (array / 255).astype(np.float32), photometric="rgb")
    image = read(out.getvalue())
    assert image.metadata.bit_depth == 16
    assert np.array_equal(levels(image.pixels), array)


def test_tiff_of_several_pages_gives_the_first():
    out = BytesIO()
    tifffile.imwrite(out, np.stack([photo(), 255 - photo()]), photometric="rgb")
    assert np.array_equal(levels(read(out.getvalue()).pixels), photo())


def test_tiff_with_alpha_multiplied_in():
    array = photo(channels=4)
    array[:, 0, 3] = 0
    alpha = array[..., 3:].astype(np.float64) / 255
    multiplied = array.copy()
    multiplied[..., :3] = np.rint(array[..., :3] * alpha)
    out = BytesIO()
    tifffile.imwrite(out, multiplied, photometric="rgb", extrasamples=["assocalpha"])
    image = read(out.getvalue())
    solid = array[..., 3] > 128
    assert np.abs(levels(image.pixels) - array[..., :3])[solid].max() <= 1
    assert np.array_equal(levels(image.alpha), array[..., 3])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_orientation_is_applied_once(orientation, format):
    block = PILImage.Exif()
    block[0x0112] = orientation
    options = {"quality": 100, "subsampling": 0} if format == "JPEG" else {}
    options |= {"lossless": True} if format == "WEBP" else {}
    data = encoded(RGB, format, exif=block, **options)
    expected = np.asarray(ImageOps.exif_transpose(PILImage.open(BytesIO(data))).convert("RGB"))
    image = read(data)
    assert np.array_equal(levels(image.pixels), expected)
    # and not once more when the copy is read
    again = read(imageio.encode(image, "PNG"))
    assert np.array_equal(again.pixels, image.pixels)
    if image.metadata.exif is not None:
        assert PILImage.open(BytesIO(imageio.encode(image, "PNG"))).getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("order", ["II", "MM"])
def test_orientation_in_both_byte_orders(order):
    mark = "<" if order == "II" else ">"
    block = order.encode() + struct.pack(mark + "HI", 42, 8)
    block += struct.pack(mark + "HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 0)
    assert read(encoded(RGB, "PNG", exif=block)).pixels.shape == (64, 48, 3)


@pytest.mark.parametrize("mode", ["CMYK", "YCCK"])
def test_cmyk_jpeg(mode):
    # Pillow writes CMYK with Adobe's inverted values; YCCK it can only read.
    smooth = RGB.resize((8, 8)).resize((64, 48), PILImage.Resampling.BICUBIC)
    data = encoded(smooth.convert("CMYK"), "JPEG", quality=100)
    if mode == "YCCK":
        import imagecodecs

        inverted = 255 - np.asarray(smooth.convert("CMYK"))
        data = bytes(
            imagecodecs.jpeg8_encode(inverted, level=100, colorspace="CMYK", outcolorspace="YCCK")
        )
    image = read(data)
    assert image.metadata.mode == "CMYK"
    assert image.metadata.original.shape == (48, 64, 4)
    assert np.abs(levels(image.pixels) - np.asarray(smooth)).mean() < 4


def test_colour_keys_become_alpha():
    data = encoded(RGB, "PNG", transparency=tuple(int(v) for v in photo()[5, 6]))
    image = read(data)
    assert image.alpha[5, 6] == 0
    assert image.alpha.mean() > 0.9
    assert read(encoded(GREY, "PNG", transparency=int(photo()[3, 3, 0]))).alpha[3, 3] == 0
    deep = np.full((4, 4), 777, np.uint16)
    deep[0, 0] = 778
    image = read(encoded(PILImage.fromarray(deep), "PNG", transparency=777))
    assert image.alpha[1, 1] == 0
    assert image.alpha[0, 0] == 1
    image = read(encoded(PALETTE, "PNG", transparency=bytes(range(0, 170, 10))))
    assert set(np.unique(levels(image.alpha))) <= set(range(0, 170, 10))
    for format in ("PNG", "GIF"):
        image = read(encoded(PALETTE, format, transparency=3))
        assert np.array_equal(image.alpha == 0, np.asarray(PALETTE) == 3)


def test_srgb_profile_changes_nothing_and_stays():
    image = read(encoded(RGB, "PNG", icc_profile=pictures.srgb()))
    assert np.array_equal(levels(image.pixels), photo())
    assert image.metadata.icc_profile == pictures.srgb()
    assert image.metadata.original is None


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("profile", [pictures.adobe_rgb, pictures.display_p3])
def test_wide_profile_is_converted(dtype, profile):
    from PIL import ImageCms

    image = read(pictures.png16(photo(dtype), profile()))
    expected = ImageCms.profileToProfile(
        RGB,
        ImageCms.ImageCmsProfile(BytesIO(profile())),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    difference = np.abs(levels(image.pixels) - np.asarray(expected))
    assert difference.max() <= (1 if dtype == "uint8" else 4)
    assert np.abs(levels(image.pixels) - photo()).max() > 8, "the profile does matter here"
    assert np.array_equal(image.metadata.original, photo(dtype))


def test_size_limit_of_pillow_does_not_interfere(monkeypatch):
    monkeypatch.setattr(PILImage, "MAX_IMAGE_PIXELS", 100)
    for format in ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"):
        assert read(encoded(RGB, format)).width == 64
    assert PILImage.MAX_IMAGE_PIXELS == 100


def test_sources(tmp_path):
    path = tmp_path / "a.png"
    data = encoded(RGB, "PNG")
    path.write_bytes(data)
    assert read(path).metadata.source == str(path)
    assert read(str(path)).metadata.source == str(path)
    assert read(data).metadata.source is None
    file = BytesIO(data)
    assert read(file).width == 64
    assert not file.closed

    class Pipe:
        def __init__(self):
            self.file = BytesIO(data)

        def seekable(self):
            return False

        def read(self, size=-1):
            return self.file.read(size)

    assert read(Pipe()).width == 64
    wrong = tmp_path / "really-a-png.jpg"
    wrong.write_bytes(data)
    assert read(wrong).metadata.format == "PNG"


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"])
def test_odd_sizes(size, format):
    image = read(encoded(PILImage.new("RGB", size, (200, 100, 50)), format))
    assert (image.width, image.height) == size
    again = read(imageio.encode(image, format))
    assert (again.width, again.height) == size


def test_memory_of_a_photo_stays_near_its_pixels(tmp_path):
    import tracemalloc

    big = PILImage.fromarray(np.tile(photo(), (32, 32, 1)))  # 3 megapixels
    path = tmp_path / "big.jpg"
    big.save(path, icc_profile=pictures.adobe_rgb())
    read(path)
    tracemalloc.start()
    image = read(path)
    imageio.write(image, tmp_path / "out.tif", bit_depth=16)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # 12 bytes of float, 3 of original, 6 of 16-bit samples and as many again being packed, and
    # blocks: 50 bytes a pixel are 1.2 GB for 24 megapixels.
    assert peak / (big.width * big.height) < 45


def test_pages_of_a_tiff_are_counted_without_thumbnails(tmp_path):
    path = tmp_path / "in.tif"
    with tifffile.TiffWriter(path) as writer:
        for kind in (0, 1, 0):
            writer.write(photo(), photometric="rgb", subfiletype=kind)
    image = read(path)
    assert image.metadata.pages == 2
    with pytest.raises(ImageError, match="holds 2 pages, and all but the first would be lost"):
        image.save(path, overwrite=True)
    image.save(tmp_path / "out.tif")
    assert read(tmp_path / "out.tif").metadata.pages == 1

"""Pixels that no filter touched come back as the very samples of the source."""

from __future__ import annotations

from io import BytesIO

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image as PILImage

from ganfilters import imageio
from ganfilters.image import Image

from . import pictures
from .pictures import encoded, photo

PROFILES = {
    "none": lambda: None,
    "srgb": pictures.srgb,
    "adobe": pictures.adobe_rgb,
    "p3": pictures.display_p3,
}


def worked(image: Image) -> Image:
    """Invert the left half, as a filter under a mask would."""
    pixels = image.pixels.copy()
    half = image.width // 2
    pixels[:, :half] = 1 - pixels[:, :half]
    untouched = np.zeros(pixels.shape[:2], bool)
    untouched[:, half:] = True
    return image.replace(pixels=pixels, untouched=untouched)


def samples(data: bytes, format: str) -> np.ndarray:
    """Decode without the code under test."""
    if format == "PNG":
        return imagecodecs.png_decode(data)
    if format == "TIFF":
        return tifffile.imread(BytesIO(data))
    return np.asarray(PILImage.open(BytesIO(data)))


def check(image: Image, source: np.ndarray, format: str, **options) -> np.ndarray:
    out = samples(imageio.encode(worked(image), format, **options), format)
    half = image.width // 2
    assert out.dtype == source.dtype
    assert np.array_equal(out[:, half:], source[:, half:])
    colour = out[:, :half, :3] if out.ndim == 3 else out[:, :half]
    before = source[:, :half, :3] if source.ndim == 3 else source[:, :half]
    assert not np.array_equal(colour, before)
    return out


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("profile", PROFILES)
def test_rgb(format, dtype, channels, profile):
    array = photo(dtype, channels)
    image = imageio.read(pictures.png16(array, PROFILES[profile]()))
    out = check(image, array, format)
    if channels == 4:
        assert np.array_equal(out[..., 3], array[..., 3])
    again = imageio.read(imageio.encode(worked(image), format))
    assert again.metadata.icc_profile == PROFILES[profile]()


@pytest.mark.parametrize("profile", PROFILES)
def test_lossless_webp(profile):
    image = imageio.read(pictures.png16(photo(channels=4), PROFILES[profile]()))
    check(image, photo(channels=4), "WEBP", quality=100)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("profile", [None, pictures.grey_gamma])
def test_grey(dtype, channels, profile):
    array = photo(dtype, channels)
    icc = profile() if profile else None
    image = imageio.read(pictures.png16(array, icc))
    assert image.metadata.mode == "L"
    source = array[..., 0] if channels == 1 else array
    check(image, source, "PNG")
    check(image, source, "TIFF")


@pytest.mark.parametrize("icc", [None, pictures.cmyk])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_cmyk_tiff(icc, dtype):
    rng = np.random.default_rng(3)
    array = rng.integers(0, np.iinfo(dtype).max, (20, 30, 4)).astype(dtype)
    out = BytesIO()
    profile = icc() if icc else None
    tifffile.imwrite(out, array, photometric="separated", iccprofile=profile)
    image = imageio.read(out.getvalue())
    assert image.metadata.mode == "CMYK"
    check(image, array, "TIFF")
    back = imageio.encode(worked(image), "TIFF")
    assert imageio.read(back).metadata.icc_profile == profile
    with tifffile.TiffFile(BytesIO(back)) as file:
        assert file.pages.first.photometric == tifffile.PHOTOMETRIC.SEPARATED
        assert file.pages.first.iccprofile == profile


@pytest.mark.parametrize("icc", [None, pictures.cmyk])
def test_cmyk_round_trip_of_worked_pixels(icc):
    """What is not restored still comes back as nearly the same colour."""
    array = np.asarray(PILImage.fromarray(photo()).convert("CMYK"))
    out = BytesIO()
    tifffile.imwrite(out, array, photometric="separated", iccprofile=icc() if icc else None)
    image = imageio.read(out.getvalue())
    again = imageio.read(imageio.encode(image, "TIFF"))
    assert np.abs(again.pixels - image.pixels).mean() < 0.02


def test_cmyk_jpeg_stays_cmyk_and_becomes_srgb_elsewhere():
    source = PILImage.fromarray(photo()).convert("CMYK")
    image = imageio.read(encoded(source, "JPEG", quality=95, icc_profile=pictures.cmyk()))
    assert image.metadata.icc_profile == pictures.cmyk()
    back = PILImage.open(BytesIO(imageio.encode(image, "JPEG")))
    assert back.mode == "CMYK"
    assert back.info["icc_profile"] == pictures.cmyk()
    for format in ("PNG", "WEBP", "BMP", "GIF", "AVIF"):
        other = imageio.read(imageio.encode(image, format))
        assert other.metadata.mode == "RGB"
        assert other.metadata.icc_profile is None
        assert np.abs(other.pixels - image.pixels).mean() < 0.06


@pytest.mark.parametrize("profile", [pictures.adobe_rgb, pictures.display_p3])
def test_worked_pixels_keep_their_colour(profile):
    # in gamut, so that nothing is clipped
    calm = (photo().astype(np.int64) // 3 + 80).astype(np.uint8)
    image = imageio.read(pictures.png16(calm, profile()))
    again = imageio.read(imageio.encode(image, "PNG", bit_depth=16))
    assert again.metadata.icc_profile == profile()
    assert np.abs(again.pixels - image.pixels).max() < 0.002


def test_resized_result_ignores_the_source_samples():
    image = imageio.read(pictures.png16(photo(), pictures.adobe_rgb()))
    small = image.replace(
        pixels=np.ascontiguousarray(image.pixels[::2, ::2]),
        untouched=np.ones((24, 32), bool),
    )
    assert samples(imageio.encode(small, "PNG"), "PNG").shape == (24, 32, 3)


def test_grey_result_of_colour_and_colour_result_of_grey():
    image = imageio.read(pictures.png16(photo(channels=1), pictures.grey_gamma()))
    colour = image.replace(pixels=image.pixels * np.float32([1, 0.5, 0.2]))
    data = imageio.encode(colour, "PNG")
    assert samples(data, "PNG").shape == (48, 64, 3)
    assert imageio.read(data).metadata.icc_profile is None
    grey = imageio.read(encoded(PILImage.fromarray(photo()), "PNG"))
    level = np.repeat(grey.pixels[..., :1], 3, axis=2)
    data = imageio.encode(grey.replace(pixels=level), "PNG")
    assert samples(data, "PNG").shape == (48, 64, 3), "a colour picture stays one"


@pytest.mark.parametrize("to", [8, 16])
def test_change_of_depth_rounds_to_the_nearest(to):
    array = photo("uint16" if to == 8 else "uint8")
    image = imageio.read(pictures.png16(array))
    out = samples(imageio.encode(image, "PNG", bit_depth=to), "PNG")
    expected = np.rint(array / 257) if to == 8 else array.astype(np.int64) * 257
    assert np.array_equal(out, expected)


def test_palette_comes_back_as_the_same_colours():
    picture = PILImage.fromarray(photo()).quantize(30)
    image = imageio.read(encoded(picture, "PNG"))
    for format in ("PNG", "TIFF", "GIF", "BMP"):
        back = PILImage.open(BytesIO(imageio.encode(image, format))).convert("RGB")
        assert np.array_equal(np.asarray(back), np.asarray(picture.convert("RGB")))

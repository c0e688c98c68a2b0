"""Arrays, PIL images and bytes in, the same kind out."""

from __future__ import annotations

import hashlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image as PILImage

from ganfilters import convert, imageio
from ganfilters.errors import ImageError
from ganfilters.image import Animation, Image
from ganfilters.recipe import Reference

from . import pictures
from .pictures import encoded, photo

DTYPES = ["uint8", "uint16", "float16", "float32", "float64"]


def array(dtype: str, channels: int) -> np.ndarray:
    """Channels 0 is H x W."""
    picture = photo("uint8" if dtype == "uint8" else "uint16", channels or 1)
    if dtype.startswith("float"):
        picture = (picture / 65535).astype(dtype)
    return picture[..., 0] if channels == 0 else picture


def inverted(image: Image) -> Image:
    return image.replace(pixels=1 - image.pixels)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [0, 1, 3, 4])
def test_arrays_come_back_as_they_were(dtype, channels):
    given = array(dtype, channels)
    image, kind = convert.accept(given)
    assert image.pixels.dtype == np.float32
    assert (image.alpha is not None) == (channels == 4)
    assert image.metadata.mode == ("L" if channels < 3 else "RGB")
    back = kind.give_back(image)
    assert back.dtype == given.dtype
    assert back.shape == given.shape
    tolerance = 1e-7 if dtype == "float64" else 0
    assert np.abs(back.astype(np.float64) - given.astype(np.float64)).max() <= tolerance
    other = kind.give_back(inverted(image))
    assert other.shape == given.shape
    assert not np.array_equal(other, given)


@pytest.mark.parametrize("channels", [0, 1, 3, 4])
@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_the_order_of_bytes_does_not_matter(dtype, channels):
    little = array(np.dtype(dtype).name, channels)
    given = little.astype(f">{dtype}")
    image, kind = convert.accept(given)
    assert np.array_equal(image.pixels, convert.from_array(little).pixels)
    assert image.metadata.bit_depth == (16 if dtype == "u2" else 8)
    back = kind.give_back(image)
    assert back.dtype == given.dtype
    assert np.array_equal(back, given)


def test_untouched_float64_is_exact():
    given = array("float64", 3)
    image, kind = convert.accept(given)
    untouched = np.zeros(given.shape[:2], bool)
    untouched[:, 30:] = True
    back = kind.give_back(inverted(image).replace(untouched=untouched))
    assert np.array_equal(back[:, 30:], given[:, 30:])
    assert not np.array_equal(back[:, :30], given[:, :30])


def test_the_source_array_is_not_shared():
    given = array("float32", 3)
    before = given.copy()
    image = convert.from_array(given)
    image.pixels[:] = 0
    assert np.array_equal(given, before)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (np.zeros((3, 20, 30), np.uint8), r"channels come first here, so pass array\.transpose"),
        (np.zeros((1, 20, 30, 3), np.uint8), r"a batch, so pass array\[0\]"),
        (np.zeros((20, 30, 2), np.uint8), "1, 3 or 4 channels, not 20 x 30 x 2"),
        (np.zeros(5, np.uint8), "not 5"),
        (np.uint8(3).reshape(()), "single number"),
        (np.zeros((0, 5, 3), np.uint8), "at least one pixel"),
        (np.zeros((2, 2, 3), np.int64), r"not int64; for values 0 to 255 pass array\.astype"),
        (np.zeros((2, 2, 3), bool), "a bool array is a mask"),
        (np.full((2, 2, 3), np.nan), "not finite"),
        (np.array([[0.0, np.nan], [0.5, 1.0]]), "not finite"),
        (np.array([[0.0, np.inf], [0.5, 1.0]]), "not finite"),
        (np.full((2, 2, 3), 200.0), r"from 200 to 200; divide it by 255"),
        (np.full((2, 2, 3), -0.5, np.float32), r"from -0\.5 to -0\.5$"),
        (np.full((2, 2, 3), 1.001, np.float32), "must be from 0 to 1"),
        (np.zeros((2, 2), complex), "not complex128"),
        (np.zeros((2, 2), object), "not object"),
    ],
)
def test_arrays_that_are_no_pictures(given, text):
    with pytest.raises(ImageError, match=text) as error:
        convert.from_array(given)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "RGBX", "CMYK", "I;16", "I", "F", "YCbCr"]
)
def test_pil_images_come_back(mode):
    if mode in ("I;16", "I", "F"):
        deep = photo("uint16", 1)[..., 0]
        values = {"I;16": deep, "I": deep.astype(np.int32), "F": deep / np.float32(65535)}
        given = PILImage.fromarray(values[mode])
        assert given.mode == mode
    elif mode == "LA":
        given = PILImage.fromarray(photo(channels=2))
    elif mode == "RGBA":
        given = PILImage.fromarray(photo(channels=4))
    elif mode == "P":
        given = PILImage.fromarray(photo()).quantize(40)
    else:
        given = PILImage.fromarray(photo()).convert(mode)
    given.info["note"] = "kept"
    image, kind = convert.accept(given)
    untouched = np.ones((48, 64), bool)
    back = kind.give_back(image.replace(untouched=untouched))
    fitting = {"1": "L", "P": "RGB", "RGBX": "RGB", "YCbCr": "RGB"}
    assert back.mode == fitting.get(mode, mode)
    assert back.info["note"] == "kept"
    same = given.convert(fitting[mode]) if mode in fitting else given
    assert np.array_equal(np.asarray(back), np.asarray(same))


def test_pil_image_keeps_profile_and_exif():
    data = encoded(
        PILImage.fromarray(photo()),
        "PNG",
        icc_profile=pictures.display_p3(),
        exif=pictures.exif(6),
        dpi=(200, 200),
    )
    with PILImage.open(BytesIO(data)) as given:
        image, kind = convert.accept(given)
        assert (image.width, image.height) == given.size, "the caller's grid of pixels"
        assert image.metadata.format == "PNG"
        back = kind.give_back(image.replace(untouched=np.ones((48, 64), bool)))
        assert np.array_equal(np.asarray(back), photo())
        assert back.info["icc_profile"] == pictures.display_p3()
        assert back.info["exif"] == given.info["exif"]
        grey = convert.to_pil(image)
        assert grey.info["icc_profile"] == pictures.display_p3()


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_pil_image_not_yet_turned_is_written_so(format):
    data = encoded(PILImage.fromarray(photo()), "PNG", exif=pictures.exif(6))
    with PILImage.open(BytesIO(data)) as given:
        image = convert.to_image(given)
    assert image.width == 64
    again = imageio.read(imageio.encode(image, format))
    assert again.width == 48
    assert np.abs(again.pixels - np.rot90(image.pixels, 3)).mean() < 0.03


def test_pil_grey_that_became_colour():
    given = PILImage.fromarray(photo(channels=1)[..., 0])
    given.info["icc_profile"] = pictures.grey_gamma()
    image, kind = convert.accept(given)
    back = kind.give_back(image.replace(pixels=image.pixels * np.float32([1, 0.5, 0])))
    assert back.mode == "RGB"
    assert "icc_profile" not in back.info


def test_pil_palette_with_transparency():
    given = PILImage.fromarray(photo()).quantize(40)
    given.info["transparency"] = 3
    image, kind = convert.accept(given)
    back = kind.give_back(image)
    assert back.mode == "RGBA"
    assert "transparency" not in back.info
    assert np.array_equal(np.asarray(back)[..., 3] == 0, np.asarray(given) == 3)


def test_pil_images_that_cannot_be_used():
    with pytest.raises(ImageError, match="mode I holds values outside 0 to 65535"):
        convert.to_image(PILImage.new("I", (4, 4), 70_000))
    with pytest.raises(ImageError, match="mode F holds values outside 0 to 1"):
        convert.to_image(PILImage.new("F", (4, 4), 2.0))
    with pytest.raises(ImageError, match="mode LAB"):
        convert.to_image(PILImage.new("LAB", (4, 4)))
    with pytest.raises(ImageError, match=r"over the limit .* `max_pixels=16`"):
        convert.to_image(PILImage.new("RGB", (4, 4)), max_pixels=15)
    data = encoded(PILImage.fromarray(photo()), "PNG")
    with (
        PILImage.open(BytesIO(data[: len(data) // 2])) as cut,
        pytest.raises(ImageError, match="cannot be decoded"),
    ):
        convert.to_image(cut)
    assert convert.to_image(PILImage.new("I", (4, 4), 65535)).pixels.max() == 1
    assert convert.to_image(PILImage.new("F", (4, 4), 1.0)).pixels.max() == 1


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"])
def test_bytes_come_back_in_the_same_format(format):
    given = encoded(PILImage.fromarray(photo()), format)
    for value in (given, bytearray(given), memoryview(given)):
        image, kind = convert.accept(value)
        back = kind.give_back(image)
        assert isinstance(back, bytes)
        assert imageio.read(back).metadata.format == format


def test_animated_bytes_come_back_animated():
    frames = [PILImage.fromarray(np.roll(photo(), 9 * i, axis=1)) for i in range(3)]
    given = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=40)
    animation, kind = convert.accept(given)
    assert isinstance(animation, Animation)
    assert len(imageio.read(kind.give_back(animation)).frames) == 3


def test_paths_and_images_come_back_as_images(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(PILImage.fromarray(photo()), "PNG"))
    for value in (path, str(path), BytesIO(path.read_bytes()), convert.from_array(photo())):
        image, kind = convert.accept(value)
        assert isinstance(image, Image)
        assert kind.give_back(image) is image


def test_other_things_are_no_pictures():
    class Tensor:
        def __array__(self, dtype=None, copy=None):
            return photo()

    for value, text in [
        (5, "not int"),
        (None, "not NoneType"),
        ([[1, 2]], "not list"),
        (Tensor(), r"not Tensor; pass numpy\.asarray"),
    ]:
        with pytest.raises(ImageError, match=text):
            convert.to_image(value)


def test_to_array():
    image = convert.from_array(photo("uint16", 4))
    assert np.array_equal(convert.to_array(image, np.uint16, 4), photo("uint16", 4))
    assert np.array_equal(convert.to_array(image), np.rint(photo("uint16", 4)[..., :3] / 257))
    assert convert.to_array(image, "float64", 1).shape == (48, 64, 1)
    assert convert.to_array(image, np.uint8, 0).shape == (48, 64)
    plain = convert.from_array(photo())
    assert (convert.to_array(plain, np.uint8, 4)[..., 3] == 255).all()
    with pytest.raises(ImageError, match="not int64"):
        convert.to_array(image, np.int64)
    with pytest.raises(ImageError, match="not 2"):
        convert.to_array(image, np.uint8, 2)


# --- masks ---


def test_masks_of_every_kind(tmp_path):
    expected = np.zeros((48, 64), np.float32)
    expected[10:20, 30:50] = 1
    grey = (expected * 255).astype(np.uint8)
    path = tmp_path / "mask.png"
    PILImage.fromarray(grey).save(path)
    clear = np.zeros((48, 64, 4), np.uint8)
    clear[expected > 0] = 255
    for value in [
        expected,
        expected.astype(np.float64),
        expected > 0,
        (expected > 0)[..., None],
        expected.astype(np.int64),
        expected.astype(np.uint8),
        grey,
        grey.astype(np.uint16) * 257,
        np.repeat(grey[..., None], 3, axis=2),
        PILImage.fromarray(grey),
        PILImage.fromarray(grey).convert("1"),
        PILImage.fromarray(clear),
        path,
        str(path),
        path.read_bytes(),
        convert.from_array(grey),
    ]:
        mask = convert.read_mask(value, 64, 48)
        assert mask.dtype == np.float32
        assert np.array_equal(mask, expected)


def test_mask_values_between():
    ramp = np.linspace(0, 1, 64, dtype=np.float32)[None].repeat(48, axis=0)
    assert np.array_equal(convert.read_mask(ramp, 64, 48), ramp)
    red = np.zeros((48, 64, 3), np.float32)
    red[..., 0] = 1
    assert convert.read_mask(red, 64, 48).mean() == pytest.approx(0.2126)
    half = np.full((48, 64, 4), 255, np.uint8)
    half[..., 3] = 51
    assert convert.read_mask(half, 64, 48).mean() == pytest.approx(0.2)


def test_mask_problems(tmp_path):
    with pytest.raises(
        ImageError, match="the mask is 10 x 20 pixels but the picture is 64 x 48; they must be"
    ):
        convert.read_mask(np.zeros((20, 10), bool), 64, 48)
    with pytest.raises(ImageError, match="there is no such file"):
        convert.read_mask(tmp_path / "mask.png", 64, 48)
    with pytest.raises(ImageError, match="from 0 to 1"):
        convert.read_mask(np.full((48, 64), 9.0), 64, 48)
    with pytest.raises(ImageError, match="not int64"):
        convert.read_mask(np.full((48, 64), 255), 64, 48)
    frames = [PILImage.new("L", (64, 48), level) for level in (0, 255)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=40)
    with pytest.raises(ImageError, match="the mask is an animation"):
        convert.read_mask(data, 64, 48)


# --- references ---


def test_reference_names_the_pixels(tmp_path):
    image = convert.from_array(photo())
    reference = convert.reference(image)
    Reference(**reference)
    assert reference["path"] is None
    assert (reference["width"], reference["height"]) == (64, 48)
    digest = hashlib.sha256(b"64 48\n" + (photo().astype("<u2") * 257).tobytes())
    assert reference["sha256"] == digest.hexdigest()
    # the same picture by other ways
    for name in ("a.png", "a.tif", "a.bmp"):
        imageio.write(image, tmp_path / name)
        again = convert.reference(imageio.read(tmp_path / name))
        assert again["sha256"] == reference["sha256"]
        assert again["path"] == str(tmp_path / name)
    assert convert.reference(inverted(image))["sha256"] != reference["sha256"]
    clear = convert.from_array(photo(channels=4))
    assert convert.reference(clear)["sha256"] != reference["sha256"]
    tall = convert.from_array(photo().reshape(64, 48, 3))
    assert convert.reference(tall)["sha256"] != reference["sha256"]


def test_reference_of_a_mask_can_be_found_again(tmp_path):
    path = tmp_path / "mask.png"
    PILImage.fromarray(photo(channels=4)).save(path)
    reference = convert.reference(convert.mask_image(path))
    assert reference["path"] == str(path)
    assert reference["sha256"] == convert.reference(Image.open(path))["sha256"]
    loose = convert.reference(convert.mask_image(convert.read_mask(path, 64, 48)))
    assert loose["path"] is None
    assert loose["sha256"] != reference["sha256"]

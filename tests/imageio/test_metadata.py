"""What a file held besides its pixels is in its copy; damaged pieces of it are ignored."""

from __future__ import annotations

import struct
import warnings
from io import BytesIO

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image as PILImage
from PIL import ImageFile

from ganfilters import imageio
from ganfilters.errors import ImageError
from ganfilters.image import Animation
from ganfilters.imageio import _exif, _png, _xmp
from ganfilters.recipe import Recipe

from . import pictures
from .pictures import RECIPE, encoded, patch, photo

RGB = PILImage.fromarray(photo())
XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" dc:creator="Zo\xc3\xab" tiff:Orientation="6"/>'
    b"</rdf:RDF></x:xmpmeta>" + b" " * 2000 + b'<?xpacket end="w"?>'
)
HOLDERS = ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"]


def source(**options):
    return encoded(RGB, "PNG", **options)


@pytest.mark.parametrize("format", HOLDERS)
def test_profile_exif_and_xmp_are_kept(format):
    image = imageio.read(source(exif=pictures.exif(), icc_profile=pictures.srgb()))
    image = patch(image, xmp=XMP)
    again = imageio.read(imageio.encode(image, format))
    assert again.metadata.icc_profile == pictures.srgb()
    assert again.metadata.xmp == XMP
    block = PILImage.Exif()
    block.load(again.metadata.exif)
    assert block[0x010F] == "Maker"
    assert block[0x8298] == "Someone"
    assert block.get_ifd(0x8769)[0x9003] == "2026:01:02 03:04:05"
    assert block.get_ifd(0x8769)[0x927C] == b"maker notes, byte for byte"
    assert block.get_ifd(0x8825)[2] == (48.0, 8.0, 30.0)
    if format not in ("TIFF", "AVIF"):
        assert again.metadata.exif == image.metadata.exif, "to the byte"


@pytest.mark.parametrize("format", HOLDERS)
def test_others_read_what_was_written(format):
    image = patch(imageio.read(source(exif=pictures.exif())), xmp=XMP, recipe=RECIPE)
    with PILImage.open(BytesIO(imageio.encode(image, format))) as other:
        other.load()
        exif = other.getexif()
        assert exif[0x010F] == "Maker"
        assert exif.get_ifd(0x8769)[0x9003] == "2026:01:02 03:04:05"
        assert b"dream" in (other.info["xmp"])


@pytest.mark.parametrize("mark", ["<", ">"])
def test_exif_through_tiff_in_both_byte_orders(mark):
    block = (b"II" if mark == "<" else b"MM") + struct.pack(mark + "HI", 42, 8)
    block += struct.pack(mark + "H", 2)
    block += struct.pack(mark + "HHI4s", 0x010F, 2, 4, b"abc\0")
    block += struct.pack(mark + "HHII", 0x8769, 4, 1, 38) + bytes(4)
    block += struct.pack(mark + "H", 1) + struct.pack(mark + "HHII", 0x927C, 7, 6, 56) + bytes(4)
    block += b"Notes!"
    image = patch(imageio.read(source()), exif=block)
    for depth in (8, 16):
        data = imageio.encode(image, "TIFF", bit_depth=depth)
        exif = PILImage.Exif()
        exif.load(imageio.read(data).metadata.exif)
        assert exif[0x010F] == "abc"
        assert exif.get_ifd(0x8769)[0x927C] == b"Notes!"
        assert np.array_equal(
            tifffile.imread(BytesIO(data)),
            photo().astype(np.uint16) * 257 if depth == 16 else photo(),
        )


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "BMP"])
def test_resolution_is_kept(format):
    image = imageio.read(encoded(RGB, "JPEG", dpi=(300, 150)))
    assert image.metadata.dpi == (300, 150)
    assert imageio.read(imageio.encode(image, format)).metadata.dpi == pytest.approx(
        (300, 150), abs=0.02
    )
    data = imageio.encode(image, "PNG")
    assert imageio.encode(imageio.read(data), "PNG") == data, "no drift"


def test_tiff_resolution_in_centimetres():
    out = BytesIO()
    tifffile.imwrite(out, photo(), photometric="rgb", resolution=(100, 100), resolutionunit=3)
    assert imageio.read(out.getvalue()).metadata.dpi == pytest.approx((254, 254))


def test_turning_resets_orientation_and_drops_the_thumbnail():
    block = pictures.exif(6, thumbnail=True)
    small = block[-600:]
    image = imageio.read(patchless(block))
    assert image.pixels.shape == (64, 48, 3)
    assert _exif.orientation(image.metadata.exif) == 1
    assert small not in image.metadata.exif
    exif = PILImage.Exif()
    exif.load(image.metadata.exif)
    assert exif[0x010F] == "Maker"
    assert not exif.get_ifd(1)
    image = imageio.read(source(exif=pictures.exif(6), pnginfo=_xmp_info()))
    assert b'tiff:Orientation="1"' in image.metadata.xmp


def patchless(block: bytes) -> bytes:
    # Pillow would rewrite a block given as an object; as bytes it stays as it is
    return source(exif=block)


def _xmp_info():
    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP)
    return info


# --- recipe ---


@pytest.mark.parametrize("format", [*HOLDERS, "GIF"])
@pytest.mark.parametrize("xmp", [None, XMP])
def test_recipe_round_trip(format, xmp):
    image = patch(imageio.read(source()), recipe=RECIPE, xmp=xmp)
    again = imageio.read(imageio.encode(image, format))
    assert pictures.as_made(again.metadata.recipe) == RECIPE
    if format != "GIF":
        assert again.metadata.xmp == xmp
    third = imageio.read(imageio.encode(again, format))
    assert pictures.as_made(third.metadata.recipe) == RECIPE


@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize("format", [*HOLDERS, "GIF"])
def test_recipe_is_read_without_decoding(format, moving, tmp_path, monkeypatch):
    image = patch(imageio.read(source()), recipe=RECIPE, xmp=XMP)
    if moving and format in ("AVIF", "JPEG", "TIFF"):
        pytest.skip("holds one picture")
    other = image.replace(pixels=1 - image.pixels)
    path = tmp_path / "made"
    path.write_bytes(
        imageio.encode(Animation((image, other), (100.0, 100.0)) if moving else image, format)
    )
    plain = tmp_path / "plain"
    plain.write_bytes(imageio.encode(patch(image, recipe=None), format))

    def decode(*args, **options):
        pytest.fail("pixels were decoded")

    for place, name in (
        (imagecodecs, "png_decode"),
        (imagecodecs, "webp_decode"),
        (tifffile.TiffPage, "asarray"),
        (ImageFile.ImageFile, "load"),
    ):
        monkeypatch.setattr(place, name, decode)
    assert pictures.as_made(imageio.read_recipe(path)) == RECIPE
    assert imageio.read_recipe(plain) is None


def test_recipe_of_what_is_no_picture(tmp_path):
    with pytest.raises(ImageError, match="there is no such file"):
        imageio.read_recipe(tmp_path / "none.png")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(ImageError, match=r"a\.png: the PNG ends too early"):
        imageio.read_recipe(tmp_path / "a.png")
    # Cut before its first page.
    (tmp_path / "a.tif").write_bytes(b"II*\x00\xff\xff\x00\x00")
    with pytest.raises(ImageError, match=r"a\.tif is damaged or cut short"):
        imageio.read_recipe(tmp_path / "a.tif")


def test_recipe_replaces_an_older_one():
    older = RECIPE.model_copy(update={"device": "older"})
    packet = _xmp.merge(XMP, older)
    merged = _xmp.merge(packet, RECIPE)
    assert merged.count(b"ganfilters:recipe>") == 2, "one opening, one closing tag"
    assert b"older" not in merged
    assert b"Zo\xc3\xab" in merged
    assert _xmp.split(merged) == (XMP, RECIPE)


def test_recipe_that_another_program_rewrote_as_an_attribute():
    from xml.sax.saxutils import quoteattr

    value = quoteattr(RECIPE.to_json())
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF '
        'xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description r:about="" '
        f'xmlns:ns1="{_xmp.NAMESPACE}" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f'ns1:recipe={value} dc:title="kept"/></r:RDF></x:xmpmeta>'
    ).encode()
    rest, recipe = _xmp.split(packet)
    assert recipe == RECIPE
    assert b'dc:title="kept"' in rest
    assert b"dream" not in rest
    assert _xmp.split(_xmp.merge(packet, RECIPE))[1] == RECIPE


def test_packet_is_well_formed_xml():
    from xml.dom.minidom import parseString

    for packet in (None, XMP):
        parseString(_xmp.merge(packet, RECIPE))  # noqa: S318 - our own text


def test_unreadable_recipe_does_not_prevent_reading():
    packet = _xmp.merge(None, RECIPE).replace(b'"device"', b'"later"')
    image = patch(imageio.read(source()), xmp=packet)
    again = imageio.read(imageio.encode(image, "PNG"))
    assert again.metadata.recipe is None
    assert again.metadata.xmp == packet
    replaced = imageio.read(imageio.encode(patch(again, recipe=RECIPE), "PNG"))
    assert pictures.as_made(replaced.metadata.recipe) == RECIPE
    assert isinstance(replaced.metadata.recipe, Recipe)


@pytest.mark.parametrize("xmp", [b"\xff\xfe<\0x\0", b"<x:xmpmeta", b"not xml", XMP[:200]])
def test_broken_xmp(xmp):
    image = patch(imageio.read(source()), xmp=xmp, recipe=RECIPE)
    assert pictures.as_made(imageio.read(imageio.encode(image, "PNG")).metadata.recipe) == RECIPE


def test_jpeg_has_room_for_the_recipe_whatever_else_there_is():
    long = XMP.replace(b"Zo", b"Zo" * 40_000)
    image = patch(
        imageio.read(source()), xmp=long, recipe=RECIPE, exif=pictures.exif() + bytes(70_000)
    )
    again = imageio.read(imageio.encode(image, "JPEG"))
    assert pictures.as_made(again.metadata.recipe) == RECIPE
    padded = XMP.replace(b" " * 2000, b" " * 70_000)
    again = imageio.read(imageio.encode(patch(image, xmp=padded), "JPEG"))
    assert b"Zo\xc3\xab" in again.metadata.xmp


def test_large_profile_in_jpeg():
    profile = pictures.adobe_rgb()
    padded = struct.pack(">I", 200_000) + profile[4:] + bytes(200_000 - len(profile))
    image = imageio.read(source(icc_profile=padded))
    assert imageio.read(imageio.encode(image, "JPEG")).metadata.icc_profile == padded


# --- damaged metadata ---

BAD_EXIF = [
    b"Exif\0\0",
    b"Exif\0\0garbage garbage",
    b"Exif\0\0II*\0\xff\xff\xff\x7f" + bytes(20),
    b"Exif\0\0" + pictures.exif(6)[:30],
    b"Exif\0\0" + pictures.exif()[:60] + b"\xff" * 60,
    b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(10),
]


@pytest.mark.parametrize("block", BAD_EXIF)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_bad_exif_is_no_obstacle(block, format, capfd):
    if format == "AVIF":  # Pillow checks what it writes here, so it is put in afterwards
        bad = b"MM\0*\0\0\0\x08" + block[14:].ljust(120, b"\xff")
        good = b"MM\0*\0\0\0\x08" + bytes(len(bad) - 8)
        data = encoded(RGB, "AVIF", exif=good).replace(good, bad)
        assert bad in data
    else:
        data = encoded(RGB, format, exif=block)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = imageio.read(data)
    assert (image.width, image.height) in ((64, 48), (48, 64))
    for target in HOLDERS:
        imageio.read(imageio.encode(image, target))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "icc",
    [
        b"x",
        b"x" * 500,
        pictures.adobe_rgb()[:300],
        pictures.adobe_rgb()[:200] + b"\xff" * 664,
        pictures.grey_gamma(),
        pictures.cmyk(),
    ],
)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_odd_profile_counts_as_none(icc, format, capfd):
    image = imageio.read(encoded(RGB, format, icc_profile=icc))
    assert image.metadata.icc_profile is None
    assert image.metadata.original is None
    assert capfd.readouterr() == ("", "")


def test_odd_chunks_of_a_png_print_nothing(capfd):
    plain = source()
    chunk = _png.chunk
    bad = b"".join(
        [
            chunk(b"iCCP", b"x\0\0garbage"),
            chunk(b"pHYs", b"\1"),
            chunk(b"sRGB", b""),
            chunk(b"gAMA", b"\0"),
            chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0garbage"),
            chunk(b"tEXt", b"x"),
            chunk(b"eXIf", b"x"),
            chunk(b"acTL", bytes(8)),
        ]
    )
    image = imageio.read(plain[:33] + bad + plain[33:])
    assert np.array_equal(np.rint(image.pixels * 255), photo())
    assert capfd.readouterr() == ("", "")


def test_scanner_profile_without_a_way_back(monkeypatch):
    """Then the copy is sRGB, and says so by having no profile."""
    from ganfilters.imageio import _icc

    def one_way(*args):
        raise RuntimeError("no B2A")

    monkeypatch.setattr(_icc, "_block_from_srgb", one_way)
    _icc.usable.cache_clear()
    image = imageio.read(source(icc_profile=pictures.adobe_rgb()))
    monkeypatch.undo()
    assert image.metadata.original is not None
    monkeypatch.setattr(_icc, "_block_from_srgb", one_way)
    again = imageio.read(imageio.encode(image, "PNG"))
    _icc.usable.cache_clear()
    assert again.metadata.icc_profile is None
    assert np.abs(again.pixels - image.pixels).max() < 0.003

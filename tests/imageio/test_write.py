"""Files appear whole or not at all, in the right format, with the right permissions."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PILImage

from ganfilters import files, imageio
from ganfilters.convert import from_array
from ganfilters.errors import GanfiltersError, ImageError

from .pictures import photo

IMAGE = from_array(photo())
ALPHA = from_array(photo(channels=4))


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def one_line(error: pytest.ExceptionInfo[GanfiltersError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 320
    return text


# --- formats ---


def test_formats_are_data():
    formats = imageio.FORMATS
    assert formats[".png"].deep
    assert formats[".tif"].deep
    assert formats[".jpg"] is formats[".jpeg"]
    assert not formats[".jpg"].alpha
    assert {entry.name for entry in formats.values() if entry.animation} == {
        "GIF",
        "WEBP",
        "PNG",
        "MP4",
        "WEBM",
    }
    with pytest.raises(TypeError):
        formats[".x"] = formats[".png"]  # type: ignore[index]


@pytest.mark.parametrize("name", ["png", "PNG", ".png", "jpg", "JPEG", "tif", "webp"])
def test_format_by_any_name(name):
    assert imageio.encode(IMAGE, name)
    assert imageio.can_animate(name) == (name.lower().strip(".") in ("png", "webp"))


def test_unknown_formats():
    with pytest.raises(ImageError, match=r"\.xyz is no format.*\.png.*\.webp") as error:
        imageio.format_of("a.xyz")
    one_line(error)
    with pytest.raises(ImageError, match=r"no extension.*\.png"):
        imageio.format_of(Path("folder.d/name"))
    with pytest.raises(ImageError, match="did you mean webp"):
        imageio.encode(IMAGE, "wepb")
    assert imageio.format_of("A.B.JPG") == "JPEG"


def test_format_option_wins_over_the_name(tmp_path):
    imageio.write(IMAGE, tmp_path / "picture.dat", format="png")
    assert (tmp_path / "picture.dat").read_bytes().startswith(b"\x89PNG")
    imageio.write(IMAGE, tmp_path / "picture.png", format="jpeg")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\xff\xd8")


# --- what is in the file ---


def test_jpeg_defaults_to_95_without_reduced_colour():
    default = imageio.encode(IMAGE, "JPEG")
    assert default == imageio.encode(IMAGE, "JPEG", quality=95)
    with PILImage.open(BytesIO(default)) as picture:
        assert [layer[1:3] for layer in picture.layer] == [(1, 1)] * 3
        assert np.abs(np.asarray(picture).astype(int) - photo()).mean() < 4


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF"])
def test_quality_matters(format):
    sizes = [len(imageio.encode(IMAGE, format, quality=quality)) for quality in (10, 60, 95)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2]


@pytest.mark.parametrize("quality", [0, -1, 101])
def test_quality_out_of_bounds(quality):
    with pytest.raises(ImageError, match=f"quality is {quality}; it must be from 1 to 100"):
        imageio.encode(IMAGE, "JPEG", quality=quality)


def test_lossless_webp_keeps_even_the_colour_of_nothing():
    again = imageio.read(imageio.encode(ALPHA, "WEBP", quality=100))
    assert np.array_equal(again.pixels, ALPHA.pixels)
    assert np.array_equal(again.alpha, ALPHA.alpha)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_alpha_and_16_bits(format):
    image = from_array(photo("uint16", 4))
    again = imageio.read(imageio.encode(image, format))
    assert again.metadata.bit_depth == 16
    assert np.array_equal(again.pixels, image.pixels)
    assert np.array_equal(again.alpha, image.alpha)


@pytest.mark.parametrize("format", ["JPEG", "BMP"])
def test_alpha_on_white(format):
    again = imageio.read(
        imageio.encode(ALPHA, format, **({"quality": 100} if format == "JPEG" else {}))
    )
    assert again.alpha is None
    white = ALPHA.pixels * ALPHA.alpha[..., None] + (1 - ALPHA.alpha[..., None])
    assert np.abs(again.pixels - white).max() < (0.08 if format == "JPEG" else 0.003)


def test_16_bits_where_there_is_no_place():
    deep = from_array(photo("uint16"))
    assert imageio.read(imageio.encode(deep, "BMP")).metadata.bit_depth == 8
    with pytest.raises(ImageError, match="JPEG holds 8 bits a sample; PNG and TIFF hold 16"):
        imageio.encode(deep, "JPEG", bit_depth=16)
    with pytest.raises(ImageError, match="bit depth is 12; it must be 8 or 16"):
        imageio.encode(deep, "PNG", bit_depth=12)


def test_values_beyond_the_range():
    pixels = IMAGE.pixels.copy()
    pixels[0, 0] = (-0.5, 1.5, 0.5)
    out = imageio.read(imageio.encode(IMAGE.replace(pixels=pixels), "PNG"))
    assert np.array_equal(np.rint(out.pixels[0, 0] * 255), [0, 255, 128])
    pixels[0, 0] = np.nan
    for format in ("PNG", "TIFF"):
        with pytest.raises(ImageError, match="not finite"):
            imageio.encode(IMAGE.replace(pixels=pixels), format)


def test_too_large_for_the_format():
    wide = from_array(np.zeros((1, 17_000), np.uint8))
    with pytest.raises(ImageError, match="WEBP holds at most 16383 pixels a side"):
        imageio.encode(wide, "WEBP")


def test_one_picture_as_a_video():
    with pytest.raises(ImageError, match="MP4 holds an animation"):
        imageio.encode(IMAGE, "MP4")


# --- targets ---


def test_existing_target(tmp_path):
    target = tmp_path / "a.png"
    target.write_bytes(b"precious")
    with pytest.raises(ImageError, match=r"a\.png exists already.*`overwrite=True`") as error:
        imageio.write(IMAGE, target)
    one_line(error)
    assert target.read_bytes() == b"precious"
    imageio.write(IMAGE, target, overwrite=True)
    assert imageio.read(target).width == 64
    assert leftovers(tmp_path) == ["a.png"]


def test_target_that_appears_meanwhile(tmp_path, monkeypatch):
    target = tmp_path / "a.png"
    for hard_links in (True, False):
        if not hard_links:
            monkeypatch.setattr(
                os, "link", lambda *a: (_ for _ in ()).throw(OSError(errno.EPERM, ""))
            )
        with (  # noqa: PT012
            pytest.raises(ImageError, match="exists already"),
            files.replacing(target, overwrite=False) as file,
        ):
            file.write(b"mine")
            target.write_bytes(b"theirs")
        assert target.read_bytes() == b"theirs"
        assert leftovers(tmp_path) == ["a.png"]
        target.unlink()
    imageio.write(IMAGE, target)
    assert leftovers(tmp_path) == ["a.png"], "also without hard links"


def test_target_problems(tmp_path):
    folder = tmp_path / "folder.png"
    folder.mkdir()
    (tmp_path / "file").write_bytes(b"x")
    for target, text in [
        (folder, "is a folder"),
        (tmp_path / "missing" / "a.png", "there is no folder .*missing"),
        (tmp_path / "file" / "a.png", "file"),
        (tmp_path / "a.xyz", "no format"),
        (tmp_path / "nul\0.png", "cannot be written"),
        (tmp_path / ("n" * 300 + ".png"), "too long"),
    ]:
        for overwrite in (False, True):
            with pytest.raises(ImageError, match=text) as error:
                imageio.write(IMAGE, target, overwrite=overwrite)
            one_line(error) if len(str(target)) < 200 else None
    assert leftovers(tmp_path) == ["file", "folder.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes in folders")
def test_special_files_are_not_replaced(tmp_path):
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    with pytest.raises(ImageError, match="no plain file"):
        imageio.write(IMAGE, pipe, overwrite=True)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_write_protection(tmp_path, monkeypatch):
    target = tmp_path / "a.png"
    target.write_bytes(b"x")
    real = os.access
    denied: list[Path] = []
    # permissions do not bind the superuser, who may be running this
    monkeypatch.setattr(os, "access", lambda p, *a: Path(p) not in denied and real(p, *a))
    denied[:] = [target]
    with pytest.raises(ImageError, match="write-protected"):
        imageio.write(IMAGE, target, overwrite=True)
    denied[:] = [tmp_path]
    with pytest.raises(ImageError, match="folder is write-protected"):
        imageio.write(IMAGE, tmp_path / "b.png")
    with pytest.raises(ImageError, match="folder is write-protected"):
        imageio.check_target(tmp_path / "b.png")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_follow_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        imageio.write(IMAGE, tmp_path / "a.png")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == 0o666 & ~umask


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_an_overwritten_file_keeps_its_permissions(tmp_path):
    target = tmp_path / "a.png"
    target.write_bytes(b"x")
    target.chmod(0o640)
    imageio.write(IMAGE, target, overwrite=True)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links(tmp_path):
    (tmp_path / "there").mkdir()
    real = tmp_path / "there" / "real.png"
    link = tmp_path / "link.png"
    link.symlink_to(real)
    imageio.write(IMAGE, link)  # dangling so far
    assert link.is_symlink()
    assert imageio.read(real).width == 64
    with pytest.raises(ImageError, match="exists already"):
        imageio.write(IMAGE, link)
    imageio.write(ALPHA, link, overwrite=True)
    assert link.is_symlink()
    assert imageio.read(real).alpha is not None
    link.unlink()
    link.symlink_to(link)
    with pytest.raises(ImageError):
        imageio.write(IMAGE, link)


class Interrupting:
    """Stands in for an open file and fails while it is written to."""

    def __init__(self, file, failure):
        self.file, self.failure = file, failure

    def __enter__(self):
        self.file.__enter__()
        return self

    def __exit__(self, *exc):
        return self.file.__exit__(*exc)

    def write(self, data):
        self.file.write(data[: len(data) // 2])
        raise self.failure

    def __getattr__(self, name):
        return getattr(self.file, name)


@pytest.mark.parametrize(
    ("failure", "expected", "text"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), ImageError, "the disk is full"),
        (OSError(errno.EDQUOT, "Quota exceeded"), ImageError, "the disk is full"),
        (OSError(errno.EIO, "Input/output error"), ImageError, "Input/output error"),
        (KeyboardInterrupt(), KeyboardInterrupt, None),
        (MemoryError(), MemoryError, None),
    ],
)
@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize("format", ["png", "gif"])
def test_nothing_is_left_of_a_failed_write(
    tmp_path, monkeypatch, failure, expected, text, exists, format
):
    target = tmp_path / f"a.{format}"
    if exists:
        target.write_bytes(b"before")
    real = os.fdopen
    monkeypatch.setattr(os, "fdopen", lambda *a, **k: Interrupting(real(*a, **k), failure))
    what = imageio.read(imageio.encode(IMAGE, "PNG"))
    with pytest.raises(expected, match=text):
        imageio.write(what, target, overwrite=True)
    assert leftovers(tmp_path) == ([target.name] if exists else [])
    if exists:
        assert target.read_bytes() == b"before"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits")
@pytest.mark.parametrize("format", ["png", "tif", "jpg", "webp", "gif", "mp4"])
def test_a_real_limit_on_the_size_of_files(tmp_path, format):
    """As a full disk does it: the operating system refuses to write on."""
    if format == "mp4":
        pytest.importorskip("av")
    script = f"""
import resource, signal
import numpy as np
from ganfilters import imageio
from ganfilters.convert import from_array
from ganfilters.errors import ImageError
from ganfilters.image import Animation
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
image = from_array(np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8))
what = Animation((image,) * 4, (40,) * 4) if {format!r} in ("gif", "mp4") else image
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    imageio.write(what, "out.{format}")
except ImageError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(imageio.__file__).parents[2])},
    )
    assert done.stdout == f"out.{format} was not written: the file would be larger than allowed\n"
    assert leftovers(tmp_path) == []


def test_save_and_open_of_image(tmp_path):
    ALPHA.save(tmp_path / "a.png", bit_depth=16)
    image = type(ALPHA).open(tmp_path / "a.png")
    assert image.metadata.bit_depth == 16
    assert np.array_equal(image.alpha, ALPHA.alpha)


def test_importing_costs_little():
    script = (
        "import sys, ganfilters.imageio, ganfilters.convert; "
        "print([m for m in ('imagecodecs', 'tifffile', 'av', 'onnxruntime', 'torch') "
        "if m in sys.modules])"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(imageio.__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=env
    )
    assert done.stdout.strip() == "[]"


def test_threads_do_not_disturb_one_another(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    data = {f: imageio.encode(IMAGE, f) for f in ("PNG", "TIFF", "JPEG", "WEBP", "GIF")}
    once = {f: imageio.read(d).pixels for f, d in data.items()}

    def work(index: int) -> bool:
        format = list(data)[index % len(data)]
        same = np.array_equal(imageio.read(data[format]).pixels, once[format])
        imageio.write(IMAGE, tmp_path / f"{index}.png")
        return same

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(40)))
    assert len(leftovers(tmp_path)) == 40

"""Animations: every frame, its timing and the loop, read and written."""

from __future__ import annotations

import sys
from io import BytesIO

import numpy as np
import pytest
from PIL import Image as PILImage

from ganfilters import imageio
from ganfilters.convert import from_array
from ganfilters.errors import ImageError, UsageError
from ganfilters.image import Animation, Image
from ganfilters.imageio import _xmp

from . import pictures
from .pictures import RECIPE, encoded, patch, photo

MOVING = ["GIF", "WEBP", "PNG"]
VIDEO = ["MP4", "WEBM"]


def frames(count: int = 6, alpha: bool = False) -> list[PILImage.Image]:
    """A few flat colours with a square that moves, so that 256 colours are enough."""
    out = []
    for index in range(count):
        array = np.zeros((40, 50, 4), np.uint8)
        array[..., 3] = 0 if alpha else 255
        array[:, :, 0] = 30
        array[5:15, 3 + 4 * index : 13 + 4 * index] = (250, 200, index * 20, 255)
        array[20:30, 10:40] = (10, 20 + index, 240, 255)
        out.append(PILImage.fromarray(array) if alpha else PILImage.fromarray(array).convert("RGB"))
    return out


def animation(count: int = 6, alpha: bool = False, ms: float = 40) -> Animation:
    made = tuple(from_array(np.asarray(frame)) for frame in frames(count, alpha))
    return Animation(made, (ms,) * count)


def visible(image: Image) -> np.ndarray:
    """Levels as seen: the colour of what is transparent does not matter."""
    levels = np.rint(image.pixels * 255).astype(int)
    return levels if image.alpha is None else levels * (image.alpha[..., None] > 0)


# --- reading what others wrote ---


@pytest.mark.parametrize("format", MOVING)
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("disposal", [0, 1, 2])
def test_frames_are_composed(format, alpha, disposal):
    pictures_ = frames(alpha=alpha)
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    if format == "PNG":
        disposal = min(disposal, 1)
    if format == "GIF" or format == "PNG":
        options["disposal"] = disposal if not alpha or format == "PNG" else 2
    data = encoded(
        pictures_[0],
        format,
        save_all=True,
        append_images=pictures_[1:],
        duration=[30, 40, 50, 60, 70, 80],
        loop=3,
        **options,
    )
    read = imageio.read(data)
    assert isinstance(read, Animation)
    assert read.durations == (30, 40, 50, 60, 70, 80)
    assert read.loop == (4 if format == "GIF" else 3)
    assert len(read.frames) == 6
    for frame, expected in zip(read.frames, pictures_, strict=True):
        assert (frame.alpha is not None) == alpha
        assert np.array_equal(visible(frame), visible(from_array(np.asarray(expected))))


def test_gif_that_does_not_repeat():
    made = frames()
    data = encoded(made[0], "GIF", save_all=True, append_images=made[1:], duration=50)
    assert imageio.read(data).loop == 1
    assert imageio.read(imageio.encode(imageio.read(data), "GIF")).loop == 1


def test_apng_with_a_default_picture_besides():
    made = frames()
    data = encoded(
        PILImage.new("RGB", (50, 40), "red"),
        "PNG",
        save_all=True,
        default_image=True,
        append_images=made,
        duration=40,
    )
    read = imageio.read(data)
    assert len(read.frames) == 6
    assert np.array_equal(visible(read.frames[0]), np.asarray(made[0]))


@pytest.mark.parametrize("format", MOVING)
def test_one_frame_is_a_picture(format):
    assert isinstance(imageio.read(encoded(frames()[0], format, save_all=True)), Image)


def test_open_takes_the_first_frame():
    image = Image.open(imageio.encode(animation(), "GIF"))
    assert np.array_equal(visible(image), visible(animation().frames[0]))


# --- writing ---


@pytest.mark.parametrize("format", MOVING)
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("loop", [0, 1, 5])
def test_round_trip(format, alpha, loop, tmp_path):
    made = animation(alpha=alpha)
    made = Animation(made.frames, (30, 40, 50, 60, 70, 80), loop)
    target = tmp_path / f"a.{format.lower()}"
    imageio.write(made, target, quality=100 if format == "WEBP" else None)
    again = imageio.read(target)
    assert again.durations == made.durations
    assert again.loop == loop
    for before, after in zip(made.frames, again.frames, strict=True):
        assert np.array_equal(visible(before), visible(after))
        assert (after.alpha is None) == (before.alpha is None)
    with PILImage.open(target) as other:
        assert other.n_frames == 6
        other.seek(5)
        other.load()


@pytest.mark.parametrize("format", MOVING)
def test_identical_frames_stay(format):
    made = animation(1)
    made = Animation(made.frames * 4, (40,) * 4)
    quality = 100 if format == "WEBP" else None
    again = imageio.read(imageio.encode(made, format, quality=quality))
    assert len(again.frames) == 4
    assert sum(again.durations) == 160


@pytest.mark.parametrize("format", MOVING)
def test_timing_does_not_drift(format):
    made = Animation(animation(1).frames * 30, (1000 / 30,) * 30)
    again = imageio.read(imageio.encode(made, format))
    assert sum(again.durations) == pytest.approx(1000, abs=6)


@pytest.mark.parametrize("format", MOVING)
def test_recipe_and_metadata_of_the_first_frame(format):
    made = animation()
    first = patch(made.frames[0], recipe=RECIPE, exif=pictures.exif())
    data = imageio.encode(Animation((first, *made.frames[1:]), made.durations), format)
    again = imageio.read(data)
    assert pictures.as_made(again.first().metadata.recipe) == RECIPE
    if format != "GIF":
        assert again.first().metadata.exif == pictures.exif()


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_profile_of_an_animation_is_kept(format):
    made = frames()
    options = {"lossless": True} if format == "WEBP" else {}
    data = encoded(
        made[0],
        format,
        save_all=True,
        append_images=made[1:],
        duration=40,
        icc_profile=pictures.display_p3(),
        **options,
    )
    read = imageio.read(data)
    again = imageio.read(imageio.encode(read, format, quality=100 if format == "WEBP" else None))
    for before, after in zip(read.frames, again.frames, strict=True):
        assert after.metadata.icc_profile == pictures.display_p3()
        assert np.abs(before.pixels - after.pixels).max() < 0.03


def test_gif_shows_nothing_of_what_is_hidden():
    pixels = np.asarray(PILImage.fromarray(photo()).resize((256, 192)), np.float32) / 255
    hidden = np.zeros((192, 256), bool)
    hidden[:, :70] = True
    made = []
    for colour in (0.0, 1.0):
        pixels[hidden] = colour
        image = Image(pixels.copy(), alpha=1 - hidden.astype(np.float32))
        made.append(imageio.encode(image, "GIF"))
    assert made[0] == made[1]


def test_gif_of_a_photo_is_dithered_or_not():
    image = from_array(np.asarray(PILImage.fromarray(photo()).resize((256, 192))))
    data = []
    for dither in (True, False):
        out = BytesIO()
        with imageio.AnimationWriter(out, format="gif", dither=dither) as writer:
            writer.add(image)
            writer.add(image)
        frame = imageio.read(out.getvalue()).frames[0]
        assert np.abs(frame.pixels - image.pixels).mean() < 0.02
        data.append(out.getvalue())
    assert data[0] != data[1]


def test_colour_after_a_grey_frame():
    grey = from_array(photo(channels=1))
    colour = from_array(photo())
    for format in MOVING:
        quality = 100 if format == "WEBP" else None
        made = imageio.encode(Animation((grey, colour), (40, 40)), format, quality=quality)
        again = imageio.read(made)
        assert np.abs(again.frames[1].pixels - colour.pixels).max() < (
            0.3 if format == "GIF" else 0.01
        )


@pytest.mark.parametrize("format", ["JPEG", "TIFF", "BMP", "AVIF"])
def test_formats_that_hold_one_picture(format, tmp_path):
    extension = next(e for e, f in imageio.FORMATS.items() if f.name == format)
    with pytest.raises(ImageError, match=r"holds one picture.*\.gif, \.mp4, \.png, \.webm, \.webp"):
        imageio.write(animation(), tmp_path / f"a{extension}")
    assert not list(tmp_path.iterdir())
    assert not imageio.can_animate(format)


# --- the writer ---


def test_writer_is_whole_or_nothing(tmp_path):
    target = tmp_path / "a.gif"
    for failure in (KeyboardInterrupt, ValueError):
        with pytest.raises(failure), imageio.AnimationWriter(target) as writer:  # noqa: PT012
            writer.add(animation().frames[0])
            raise failure
        assert not list(tmp_path.iterdir())
    with pytest.raises(ImageError, match="at least one frame"), imageio.AnimationWriter(target):
        pass
    assert not list(tmp_path.iterdir())
    target.write_bytes(b"before")
    with pytest.raises(ImageError, match="exists already"), imageio.AnimationWriter(target):
        pass
    assert target.read_bytes() == b"before"


def test_writer_speaks_up(tmp_path):
    frame = animation().frames[0]
    with (  # noqa: PT012
        pytest.raises(ImageError, match="a frame is 50 x 20 pixels but the first is 50 x 40"),
        imageio.AnimationWriter(tmp_path / "a.webp") as writer,
    ):
        writer.add(frame)
        writer.add(from_array(np.zeros((20, 50, 3), np.uint8)))
    with pytest.raises(UsageError, match="at most 50 frames per second"):
        imageio.AnimationWriter(tmp_path / "a.gif", fps=60)
    with pytest.raises(UsageError, match=r"0\.01 to 1000"):
        imageio.AnimationWriter(tmp_path / "a.webp", fps=0)
    with pytest.raises(UsageError, match="loop is -1"):
        imageio.AnimationWriter(tmp_path / "a.webp", loop=-1)
    with pytest.raises(ImageError, match="quality is 0"):
        imageio.AnimationWriter(tmp_path / "a.webp", quality=0)
    with pytest.raises(UsageError, match="inside `with"):
        imageio.AnimationWriter(tmp_path / "a.webp").add(frame)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("fps", "ms"), [(None, 40), (20, 50), (12.5, 80)])
def test_frames_per_second(fps, ms, tmp_path):
    with imageio.AnimationWriter(tmp_path / "a.gif", fps=fps) as writer:
        for frame in animation().frames[:3]:
            writer.add(frame)
        writer.add(animation().frames[4], duration_ms=120)
    assert imageio.read(tmp_path / "a.gif").durations == (ms, ms, ms, 120)


@pytest.mark.parametrize("format", MOVING)
def test_long_animations_are_streamed(format, tmp_path):
    """Memory does not grow with the number of frames."""
    import tracemalloc

    rng = np.random.default_rng(0)
    frame = from_array(rng.integers(0, 256, (256, 256, 3), np.uint8))

    def peak(count: int) -> int:
        tracemalloc.start()
        target = tmp_path / f"{count}.{format.lower()}"
        with imageio.AnimationWriter(target, quality=20 if format == "WEBP" else None) as writer:
            for index in range(count):
                writer.add(frame.replace(pixels=np.roll(frame.pixels, index * 7, axis=1)))
        result = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return result

    peak(2)
    assert peak(12) < peak(3) + 100_000


# --- video ---


@pytest.mark.parametrize("format", VIDEO)
@pytest.mark.parametrize("size", [(40, 50), (41, 51), (1, 1)])
def test_video(format, size, tmp_path):
    av = pytest.importorskip("av")
    target = tmp_path / f"a.{format.lower()}"
    tall = np.linspace(0, 255, 10)
    with imageio.AnimationWriter(target, fps=20, quality=90) as writer:
        for level in tall:
            array = np.empty((*size, 3), np.uint8)
            array[:] = (level, 255 - level, 60)
            image = from_array(array)
            writer.add(patch(image, recipe=RECIPE))
    with av.open(str(target)) as file:
        stream = file.streams.video[0]
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.codec_context.name in ("h264", "libdav1d", "vp9", "libvpx-vp9")
        decoded = list(file.decode(stream))
        assert len(decoded) == 10
        assert (decoded[0].height, decoded[0].width) == tuple(side + side % 2 for side in size)
        assert [frame.time for frame in decoded] == pytest.approx(np.arange(10) / 20, abs=0.002)
        comment = {key.lower(): value for key, value in file.metadata.items()}["comment"]
        assert pictures.as_made(_xmp.from_comment(comment)) == RECIPE
        assert file.duration == pytest.approx(500_000, abs=2_000)
        for frame, level in zip(decoded, tall, strict=True):
            shown = frame.reformat(
                format="rgb24", src_colorspace="ITU709", src_color_range="MPEG"
            ).to_ndarray()[0, 0]
            assert np.abs(shown.astype(int) - (level, 255 - level, 60)).max() <= 6


def test_video_timing_and_transparency(tmp_path):
    av = pytest.importorskip("av")
    clear = from_array(np.zeros((20, 20, 4), np.uint8))
    imageio.write(Animation((clear,) * 3, (100, 300, 50)), tmp_path / "a.mp4")
    with av.open(str(tmp_path / "a.mp4")) as file:
        decoded = list(file.decode(video=0))
        assert [frame.time for frame in decoded] == pytest.approx([0, 0.1, 0.4])
        assert decoded[0].to_ndarray(format="rgb24").min() > 250, "on white"
        assert file.duration == pytest.approx(450_000, abs=2_000)


def test_video_that_fails_leaves_nothing(tmp_path):
    pytest.importorskip("av")
    with (  # noqa: PT012
        pytest.raises(KeyboardInterrupt),
        imageio.AnimationWriter(tmp_path / "a.mp4") as writer,
    ):
        writer.add(animation().frames[0])
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_video_in_memory():
    pytest.importorskip("av")
    data = imageio.encode(animation(), "mp4")
    assert data[4:8] == b"ftyp"
    with pytest.raises(ImageError, match="is a video"):
        imageio.read(data)


def test_missing_pyav_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UsageError, match=r'pip install "ganfilters\[video\]"'):
        imageio.write(animation(), tmp_path / "a.mp4")
    assert not list(tmp_path.iterdir())

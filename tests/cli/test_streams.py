"""Standard input and output, and animations."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image as Pillow

from tests.cli.conftest import Run, error, picture, pixels


def test_through_a_pipe(apply: Run) -> None:
    picture("in.png")
    result = apply("invert", "-", "-", stdin=Path("in.png").read_bytes())
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    Path("out.png").write_bytes(result.stdout_bytes)
    assert (pixels("out.png") == 255 - pixels("in.png")).all()


def test_the_format_of_a_stream_is_that_of_the_input(apply: Run) -> None:
    picture("in.jpg")
    with Pillow.open(BytesIO(apply("invert", "in.jpg", "-").stdout_bytes)) as made:
        assert made.format == "JPEG"
    with Pillow.open(BytesIO(apply("plain", "-").stdout_bytes)) as made:
        assert made.format == "PNG"
    with Pillow.open(BytesIO(apply("plain", "-", "--format", "webp").stdout_bytes)) as made:
        assert made.format == "WEBP"


def test_json_goes_to_standard_error_beside_a_picture(apply: Run) -> None:
    result = apply("plain", "-", "--json")
    assert result.stdout_bytes.startswith(b"\x89PNG")
    assert json.loads(result.stderr)["output"] == "-"


def test_errors_leave_a_stream_empty(apply: Run) -> None:
    picture("in.png")
    result = apply("raises", "in.png", "-", "--json")
    assert result.stdout_bytes == b""
    assert "boom" in json.loads(result.stderr)["error"]["message"]


def test_empty_standard_input(apply: Run) -> None:
    assert "standard input is empty" in error(apply("invert", "-", "out.png", stdin=b""))


def animation(path: str) -> None:
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    frames = [Pillow.new("RGB", (8, 6), colour) for colour in colours]
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=[100, 200, 300], loop=0,
        lossless=True,
    )  # fmt: skip


def durations(path: str) -> list[float]:
    with Pillow.open(path) as opened:
        found = []
        for index in range(opened.n_frames):  # type: ignore[attr-defined]
            opened.seek(index)
            opened.load()
            found.append(float(opened.info["duration"]))
        return found


def test_every_frame_is_filtered_and_its_timing_kept(apply: Run) -> None:
    animation("in.webp")
    result = apply("invert", "in.webp", "out.png", "--json")
    assert result.exit_code == 0, result.output
    assert durations("out.png") == [100, 200, 300]
    with Pillow.open("out.png") as made:
        made.seek(1)
        assert made.convert("RGB").getpixel((0, 0)) == (255, 0, 255)
    assert json.loads(result.stdout)["recipe"]["steps"][0]["filter"] == "invert"


def test_fps_changes_the_timing(apply: Run) -> None:
    animation("in.webp")
    apply("invert", "in.webp", "out.webp", "--fps", "20")
    assert durations("out.webp") == [50, 50, 50]


def test_an_animation_through_a_pipe(apply: Run) -> None:
    animation("in.webp")
    Path("out.webp").write_bytes(apply("invert", "in.webp", "-").stdout_bytes)
    assert durations("out.webp") == [100, 200, 300]


def test_an_animation_needs_a_format_that_holds_it(apply: Run) -> None:
    animation("in.webp")
    text = error(apply("raises", "in.webp", "out.jpg"))
    assert text.startswith("the result is an animation and JPEG holds one picture")
    assert ".gif" in text
    assert ".webp" in text


def test_a_filter_that_makes_frames(apply: Run) -> None:
    result = apply("noise", "out.gif", "--frames", "3", "--fps", "10", "--json")
    assert result.exit_code == 0, result.output
    assert durations("out.gif") == [100, 100, 100]
    assert json.loads(result.stdout)["recipe"]["steps"][0]["params"]["frames"] == 3


def test_frames_default_to_25_a_second(apply: Run) -> None:
    apply("noise", "out.webp", "--frames", "2")
    assert durations("out.webp") == [40, 40]


def test_frames_through_a_pipe(apply: Run) -> None:
    result = apply("noise", "-", "--frames", "2", "--format", "gif")
    assert result.stdout_bytes.startswith(b"GIF8")


@pytest.mark.parametrize("words", [["out.jpg"], ["-", "--format", "tiff"]])
def test_frames_need_a_format_that_holds_them(apply: Run, words: list[str]) -> None:
    text = error(apply("noise", *words, "--frames", "2"))
    assert "formats that can: .gif, .mp4, .png, .webm, .webp" in text
    assert not Path("out.jpg").exists()


@pytest.mark.parametrize("fps", ["0", "-1", "nan"])
def test_fps_has_bounds(apply: Run, fps: str) -> None:
    assert "--fps is" in error(apply("noise", "out.gif", "--frames", "2", "--fps", fps))

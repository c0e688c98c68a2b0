"""Folders and several inputs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.cli.conftest import Run, error, picture, pixels, records


def made(folder: str) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*.*"))


def tree() -> None:
    picture("photos/a.png")
    picture("photos/b.JPG", seed=1)
    picture("photos/deep/er/c.png", seed=2)
    Path("photos/notes.txt").write_text("no picture")


def test_a_folder_keeps_its_tree(apply: Run) -> None:
    tree()
    result = apply("invert", "photos", "out", "--recursive")
    assert result.exit_code == 0, result.output
    assert made("out") == ["a.png", "b.JPG", "deep/er/c.png"]
    assert (pixels("out/deep/er/c.png") == 255 - pixels("photos/deep/er/c.png")).all()
    assert result.stderr.strip() == "3 done, 0 failed"


def test_animations_go_to_a_new_folder(apply: Run) -> None:
    tree()
    result = apply("noise", "photos", "out/new", "--recursive", "--format", "gif", "--frames", "2")
    assert result.exit_code == 0, result.output
    assert made("out") == ["new/a.gif", "new/b.gif", "new/deep/er/c.gif"]


def test_without_recursive_only_the_top_is_taken(apply: Run) -> None:
    tree()
    apply("invert", "photos", "out")
    assert made("out") == ["a.png", "b.JPG"]


def test_hidden_files_and_videos_are_no_pictures_of_a_folder(apply: Run) -> None:
    tree()
    for name in ("._a.png", "film.mp4", "film.webm"):
        Path("photos", name).write_bytes(b"no picture")
    for name in (".hidden.png", ".git/b.png", "deep/.trash/c.png"):
        picture(Path("photos", name))
    result = apply("invert", "photos", "out", "--recursive")
    assert result.exit_code == 0, result.output
    assert made("out") == ["a.png", "b.JPG", "deep/er/c.png"]
    assert apply("invert", "photos/.hidden.png", "--out-dir", "named").exit_code == 0


def test_a_folder_without_pictures_suggests_recursive(apply: Run) -> None:
    picture("photos/deep/a.png")
    text = error(apply("invert", "photos", "out"))
    assert (
        text
        == "there are no pictures in the folder photos; --recursive looks into its subfolders too"
    )
    assert not Path("out").exists()


def test_outputs_inside_the_input_folder_are_not_inputs(apply: Run) -> None:
    tree()
    apply("invert", "photos", "photos/out", "--recursive")
    result = apply("invert", "photos", "photos/out", "--recursive", "--overwrite")
    assert result.stderr.strip() == "3 done, 0 failed"


def test_a_folder_onto_itself(apply: Run) -> None:
    before = pixels(picture("photos/a.png"))
    assert "--overwrite replaces" in error(apply("invert", "photos", "photos"))
    assert apply("invert", "photos", "photos", "--overwrite").exit_code == 0
    assert (pixels("photos/a.png") == 255 - before).all()


def test_paths_that_are_empty_are_not_the_current_folder(apply: Run) -> None:
    before = picture("a.png").read_bytes()
    assert "INPUT is empty" in error(apply("invert", "", "", "--overwrite"))
    assert "INPUT is empty" in error(apply("invert", "a.png", "", "--out-dir", "out"))
    assert Path("a.png").read_bytes() == before


@pytest.mark.parametrize("target", ["out.png", "file", "-"])
def test_a_folder_needs_a_folder_as_output(apply: Run, target: str) -> None:
    tree()
    Path("file").write_text("a file")
    assert "photos is a folder" in error(apply("invert", "photos", target))


def test_several_inputs_go_to_a_folder(apply: Run) -> None:
    tree()
    result = apply("invert", "photos/a.png", "photos/b.JPG", "--out-dir", "new/out")
    assert result.exit_code == 0, result.output
    assert made("new/out") == ["a.png", "b.JPG"]


def test_format_changes_the_extension(apply: Run) -> None:
    tree()
    apply("invert", "photos", "out", "--format", "webp")
    assert made("out") == ["a.webp", "b.webp"]


def test_outputs_that_collide_are_refused_before_work(apply: Run) -> None:
    picture("photos/a.png")
    picture("photos/a.jpg")
    text = error(apply("invert", "photos", "out", "--format", "png"))
    assert "photos/a.jpg and photos/a.png would both be written to out/a.png" in text
    picture("other/a.png")
    assert "both" in error(apply("invert", "photos/a.png", "other/a.png", "--out-dir", "out"))
    assert not Path("out").exists()


def test_existing_outputs_are_refused_before_work(apply: Run) -> None:
    tree()
    picture("out/a.png", seed=5)
    old = Path("out/a.png").read_bytes()
    told = "out/a.png exists; --overwrite replaces it, --skip-existing leaves it"
    assert error(apply("invert", "photos", "out")) == told
    assert made("out") == ["a.png"]
    picture("out/b.JPG", seed=5)
    assert "2 outputs exist (out/a.png, ...)" in error(apply("invert", "photos", "out"))
    assert Path("out/a.png").read_bytes() == old
    assert apply("invert", "photos", "out", "--overwrite").exit_code == 0
    assert Path("out/a.png").read_bytes() != old


def test_what_a_format_does_not_hold_is_told_once(apply: Run) -> None:
    clear = np.full((8, 12, 4), 255, np.uint8)
    clear[:4, :, 3] = 0
    for name in ("photos/a.png", "photos/b.png"):
        picture(name)
        Pillow.fromarray(clear).save(name)
    Pillow.fromarray(np.full((8, 12), 40000, np.uint16)).save("photos/deep.png")
    opaque = np.full((8, 12, 4), 255, np.uint8)
    Pillow.fromarray(opaque).save("photos/opaque.png")
    result = apply("invert", "photos", "out", "--format", "jpg")
    alpha = "JPEG holds no transparency, so the picture is put on white"
    depth = "JPEG holds 8 of the 16 bits of a sample; PNG and TIFF hold 16"
    first, second, last = result.stderr.splitlines()
    assert first.startswith(f"ganfilters: warning: out/a.jpg: {alpha}; AVIF, GIF, PNG, TIFF")
    assert second == f"ganfilters: warning: out/deep.jpg: {depth}"
    assert last == "4 done, 0 failed"
    assert apply("invert", "photos", "new", "--format", "jpg", "-q").output == ""
    assert "warning" not in apply("invert", "photos", "kept", "--format", "tif").stderr
    assert apply("invert", "photos/opaque.png", "opaque.jpg").stderr == ""


def test_further_pages_are_told_of_and_not_lost(apply: Run) -> None:
    Path("in").mkdir()
    pages = [Pillow.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    pages[0].save("in/a.tif", save_all=True, append_images=pages[1:])
    picture("in/b.tif")
    before = Path("in/a.tif").read_bytes()
    result = apply("invert", "in", "out")
    warning, last = result.stderr.splitlines()
    assert warning == "ganfilters: warning: in/a.tif: 3 pages; only the first is used"
    assert last == "2 done, 0 failed"
    told = error(apply("invert", "in/a.tif", "in/a.tif", "--overwrite"))
    assert "in/a.tif holds 3 pages, and all but the first would be lost" in told
    assert Path("in/a.tif").read_bytes() == before


def test_frames_on_white_are_told_of(apply: Run) -> None:
    frames = [Pillow.new("RGBA", (8, 8), (255, 0, 0, alpha)) for alpha in (0, 255)]
    frames[0].save("in.webp", save_all=True, append_images=frames[1:], lossless=True)
    result = apply("invert", "in.webp", "out.webm")
    assert result.exit_code == 0, result.output
    assert "WEBM holds no transparency" in result.stderr
    assert "GIF, PNG and WEBP hold it" in result.stderr


def test_a_batch_goes_on_where_it_was_left(apply: Run) -> None:
    tree()
    Path("photos/broken.png").write_bytes(b"no picture at all")
    old = picture("out/a.png", seed=5).read_bytes()
    result = apply("invert", "photos", "out", "--skip-existing")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "1 done, 1 skipped, 1 failed"
    assert made("out") == ["a.png", "b.JPG"]
    assert Path("out/a.png").read_bytes() == old
    Path("photos/broken.png").unlink()
    result = apply("invert", "photos", "out", "--skip-existing", "--json")
    assert result.exit_code == 0
    assert records(result)[0] == {"input": "photos/a.png", "output": "out/a.png", "skipped": True}
    assert result.stderr.strip() == "0 done, 2 skipped, 0 failed"


def test_one_output_that_exists_is_skipped(apply: Run) -> None:
    picture("a.png")
    old = picture("out.png", seed=5).read_bytes()
    result = apply("invert", "a.png", "out.png", "--skip-existing")
    assert result.output == "out.png  (exists, skipped)\n"
    assert Path("out.png").read_bytes() == old
    assert apply("invert", "a.png", "new.png", "--skip-existing").exit_code == 0
    assert Path("new.png").exists()
    both = apply("invert", "a.png", "out.png", "--skip-existing", "--overwrite")
    assert "exclude each other" in error(both)


def test_an_output_that_is_another_input_is_refused(apply: Run) -> None:
    picture("one/a.png")
    picture("two/b.png")
    Path("out").mkdir()
    Path("out/a.png").hardlink_to("two/b.png")
    text = error(apply("invert", "one/a.png", "two/b.png", "--out-dir", "out", "--overwrite"))
    assert text == "the output out/a.png of one/a.png is another input"


def test_a_file_in_the_way_of_the_folder(apply: Run) -> None:
    picture("a.png")
    assert "a.png is no folder" in error(apply("invert", "a.png", "--out-dir", "a.png/x"))
    Path("link").symlink_to("nowhere")
    assert "link is no folder" in error(apply("invert", "a.png", "--out-dir", "link"))


def test_an_output_that_cannot_be_replaced_is_told_before_work(apply: Run) -> None:
    tree()
    Path("out/a.png").mkdir(parents=True)
    told = error(apply("invert", "photos", "out", "--overwrite"))
    assert told == "out/a.png is a folder; give the name of a file in it"
    Path("out/a.png").rmdir()
    os.mkfifo("out/a.png")
    assert "is no plain file" in error(apply("invert", "photos", "out", "--overwrite"))


def test_one_bad_file_does_not_stop_the_rest(apply: Run) -> None:
    tree()
    Path("photos/broken.png").write_bytes(b"no picture at all")
    result = apply("invert", "photos", "out")
    assert result.exit_code == 1
    assert made("out") == ["a.png", "b.JPG"]
    lines = result.stderr.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("ganfilters: error: ")
    assert "photos/broken.png" in lines[0]
    assert lines[1] == "2 done, 1 failed"


def test_a_missing_file_does_not_stop_the_rest(apply: Run) -> None:
    picture("b.png")
    result = apply("invert", "nowhere.png", "b.png", "--out-dir", "out")
    assert result.exit_code == 1
    assert made("out") == ["b.png"]


def test_a_filter_that_crashes_is_reported_for_each_file(apply: Run) -> None:
    tree()
    result = apply("raises", "photos", "out", "--quiet")
    assert result.exit_code == 2  # nothing was made
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert [line.split(": ")[2] for line in lines[:2]] == ["photos/a.png", "photos/b.JPG"]
    assert lines[2] == "0 done, 2 failed"
    assert not Path("out/a.png").exists()


def test_a_device_that_does_not_start_ends_the_run(run: Run) -> None:
    tree()
    text = error(run("apply", "invert", "photos", "out", "--device", "nope"))
    assert "nope" in text


def test_a_mask_that_does_not_fit_every_picture(apply: Run) -> None:
    picture("photos/a.png", size=(8, 8))
    picture("photos/b.png", size=(9, 9))
    picture("mask.png", size=(8, 8))
    result = apply("invert", "photos", "out", "--mask", "mask.png")
    assert result.exit_code == 1
    assert made("out") == ["a.png"]
    assert "photos/b.png" in result.stderr


def test_json_has_a_line_for_each_input(apply: Run) -> None:
    tree()
    Path("photos/broken.png").write_bytes(b"no picture at all")
    good, also, bad = sorted(
        records(apply("invert", "photos", "out", "--json")), key=lambda record: "error" in record
    )
    assert {good["input"], also["input"]} == {"photos/a.png", "photos/b.JPG"}
    assert bad["input"] == "photos/broken.png"
    assert bad["output"] == "out/broken.png"
    assert bad["error"]["type"] == "ImageError"


def test_quiet_prints_nothing_when_all_went_well(apply: Run) -> None:
    tree()
    assert apply("invert", "photos", "out", "--quiet").output == ""


def test_standard_input_has_no_name_in_a_folder(apply: Run) -> None:
    assert "no name" in error(apply("invert", "-", "--out-dir", "out"))


def test_a_tampered_model_ends_the_run_at_once(
    apply: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganfilters import ModelFile
    from ganfilters.registry import Registry

    tree()
    path = tmp_path / "net.onnx"
    path.write_bytes(b"tampered")
    cls = Registry.discover().get("dream").filter
    monkeypatch.setattr(cls, "models", (ModelFile(path, "0" * 64),))
    text = error(apply("dream", "photos", "out"))
    assert "is not the published one" in text
    assert made("out") == []

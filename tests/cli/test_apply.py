"""``ganfilters apply`` on single pictures: parameters, masks, formats, errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from ganfilters import DeviceError, OutOfMemory
from ganfilters.devices import provider_of
from ganfilters_inpaint import Inpaint
from tests.cli.conftest import Run, error, picture, pixels, records


def test_a_picture_is_filtered(apply: Run) -> None:
    picture("in.png")
    result = apply("invert", "in.png", "out.png")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("out.png  (")
    assert result.stderr == ""
    assert (pixels("out.png") == 255 - pixels("in.png")).all()


def test_options_stand_anywhere_after_the_filter(apply: Run) -> None:
    picture("in.png")
    assert apply("invert", "--amount", "0", "in.png", "--quiet", "out.png").output == ""
    assert (pixels("out.png") == pixels("in.png")).all()


def test_help_of_a_filter_lists_bounds_defaults_and_units(run: Run) -> None:
    text = run("apply", "kinds", "--help").stdout
    assert "Usage: ganfilters apply kinds [OPTIONS] INPUT OUTPUT" in text
    parameters, options = text.split("Parameters:")[1].split("Options:")
    flat = " ".join(parameters.split())
    assert "--rate FLOAT A rate, in px [more than 0 and less than 10; default 1.5]" in flat
    assert "--switch / --no-switch A switch [default off]" in flat
    assert "--mode [soft|hard] A mode [default soft]" in flat
    assert "--scale [1|2|4]" in flat
    assert "--guide FILE" in flat
    assert "--mask" in options
    assert "--mask" not in parameters
    assert "INPUT" not in options.replace("input", "")


def test_help_shows_how_many_paths_a_filter_takes(run: Run) -> None:
    assert "[INPUT] OUTPUT" in run("apply", "noise", "--help").stdout
    assert "[OPTIONS] OUTPUT" in run("apply", "plain", "--help").stdout
    assert "--preset [half|none]" in run("apply", "invert", "--help").stdout


def test_help_of_apply_lists_the_filters(run: Run) -> None:
    text = run("apply", "--help").stdout
    assert "invert" in text
    assert "Inverts [some] colours" in text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--whole", "3"], {"whole": 3}),
        (["--switch"], {"switch": True}),
        (["--no-switch"], {"switch": False}),
        (["--mode", "hard"], {"mode": "hard"}),
        (["--scale", "4"], {"scale": 4}),
        (["--layers", "x,y=0.5"], {"layers": {"x": 1.0, "y": 0.5}}),
        (["--tint", "1", "-2", "3"], {"tint": [1.0, -2.0, 3.0]}),
        (["--names", "a", "--names", "b"], {"names": ["a", "b"]}),
        (["--extra", '{"a": 1}'], {"extra": {"a": 1}}),
    ],
)
def test_every_kind_of_parameter_is_a_flag(
    apply: Run, words: list[str], expected: dict[str, object]
) -> None:
    picture("in.png")
    result = apply("kinds", "in.png", "out.png", *words, "--json")
    assert result.exit_code == 0, result.output
    params = records(result)[0]["recipe"]["steps"][0]["params"]
    assert {name: params[name] for name in expected} == expected


def test_a_picture_as_parameter(apply: Run) -> None:
    picture("in.png")
    picture("guide.png", seed=1)
    result = apply("kinds", "in.png", "out.png", "--guide", "guide.png", "--json")
    guide = records(result)[0]["recipe"]["steps"][0]["params"]["guide"]
    assert guide["path"] == "guide.png"
    assert "nowhere.png" in error(apply("kinds", "in.png", "o.png", "--guide", "nowhere.png"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--amount", "2"], "--amount is 2; it must be from 0 to 1"),
        (["--amout", "1"], "there is no option --amout; did you mean --amount?"),
        (
            ["--octaves", "2"],
            "there is no option --octaves; dream has one, see `ganfilters apply dream --help`",
        ),
        (["--xyz", "2"], "there is no option --xyz; see `ganfilters apply invert --help`"),
        (["--preset", "hlaf"], "--preset is hlaf; did you mean half?"),
        (["--strength", "2"], "--strength is 2; it must be from 0 to 1"),
        (["--strength", "nan"], "--strength is nan; it must be from 0 to 1"),
        (["--feather", "-1"], "--feather is -1; it must be from 0 to 500"),
        (["--quality", "0"], "--quality is 0; it must be from 1 to 100"),
        (["--threads", "0"], "--threads is 0; it must be from 1 to 1024"),
        (["--max-pixels", "0"], "--max-pixels is 0; it must be at least 1"),
        (
            ["--max-pixels", "10"],
            "12 x 8 is 96 pixels, over the limit of 10; if you trust the file, "
            "raise the limit with --max-pixels 96",
        ),
        (["--feather", "3"], "--invert-mask and --feather need a mask"),
        (["--mask", "nowhere.png"], "the mask nowhere.png does not exist"),
        (["--mask", "."], "the mask . is a folder"),
        (["--format", "pgn"], "--format is pgn; did you mean png?"),
        (["--params", "nowhere.json"], "--params nowhere.json cannot be read"),
        (
            ["--plugin", "x.py"],
            "--plugin goes before the command: ganfilters --plugin x.py apply ...",
        ),
        (["--recursive"], "--recursive is for a folder as input; in.png is none"),
    ],
)
def test_bad_options_are_one_line_and_write_nothing(
    apply: Run, words: list[str], expected: str
) -> None:
    picture("in.png")
    assert expected in error(apply("invert", "in.png", "out.png", *words))
    assert not Path("out.png").exists()


def test_an_option_without_its_value(run: Run) -> None:
    text = error(run("apply", "invert", "in.png", "out.png", "--amount"))
    assert text.endswith("requires an argument; see `ganfilters apply invert --help`")


def test_a_device_that_is_not_there(run: Run) -> None:
    picture("in.png")
    text = error(run("apply", "invert", "in.png", "out.png", "--device", "cdua"))
    assert "did you mean cuda" in text


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("gpu", "auto or cuda or directml or coreml"),
        ("NVIDIA", "cuda or tensorrt"),
        ("cuda:0", "cuda"),
        ("gpu:0", "auto or cuda or directml or coreml"),
        ("mps", "coreml"),
        ("DML", "directml"),
        ("trt", "tensorrt"),
    ],
)
def test_a_device_under_another_name(given: str, meant: str) -> None:
    with pytest.raises(DeviceError, match=f"no device '{given}'; did you mean {meant}\\?"):
        provider_of(given)


def test_bad_json_for_an_object_parameter(apply: Run) -> None:
    picture("in.png")
    assert "--extra is not valid JSON" in error(apply("kinds", "in.png", "o.png", "--extra", "{"))


def test_an_unknown_filter_suggests_the_nearest(run: Run) -> None:
    assert "did you mean invert?" in error(run("apply", "invrt", "a.png", "b.png"))


def test_options_before_the_filter_are_explained(run: Run) -> None:
    text = error(run("apply", "--device", "cpu", "invert", "a.png", "b.png"))
    assert "options of a filter go after its name" in text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("raises", "failed: RuntimeError: boom in two lines"),
        ("not-finite", "values that are not finite"),
        ("wrong-shape", "returned 3 x 3 pixels for 12 x 8"),
    ],
)
def test_a_filter_that_breaks_its_word_is_named(apply: Run, name: str, expected: str) -> None:
    picture("in.png")
    text = error(apply(name, "in.png", "out.png"))
    assert name in text
    assert expected in text
    assert not Path("out.png").exists()


def test_debug_shows_the_traceback_and_the_line(apply: Run) -> None:
    picture("in.png")
    result = apply("raises", "in.png", "out.png", root=("--debug",))
    assert result.exit_code == 2
    assert "Traceback" in result.stderr
    assert 'raise RuntimeError("boom' in result.stderr
    assert result.stderr.splitlines()[-1].startswith("ganfilters: error: ")


def test_ctrl_c_is_one_word_and_130(apply: Run) -> None:
    picture("in.png")
    result = apply("interrupted", "in.png", "out.png")
    assert result.exit_code == 130
    assert result.stderr.strip() == "ganfilters: interrupted"
    assert [path.name for path in Path().iterdir()] == ["in.png"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"", "empty"), (b"hello", "not a picture"), (None, "nowhere")],
    ids=["empty", "text", "missing"],
)
def test_bad_inputs_are_one_line(apply: Run, content: bytes | None, expected: str) -> None:
    name = "nowhere.png"
    if content is not None:
        name = "bad.png"
        Path(name).write_bytes(content)
    text = error(apply("invert", name, "out.png"))
    assert name in text
    assert expected in text
    assert not Path("out.png").exists()


# Parameters from a file


def test_options_win_over_the_file(apply: Run) -> None:
    picture("in.png")
    Path("p.json").write_text('{"amount": 0, "preset": "half"}')
    apply("invert", "in.png", "a.png", "--params", "p.json")
    assert (pixels("a.png") == pixels("in.png")).all()
    apply("invert", "in.png", "b.png", "--params", "p.json", "--amount", "1")
    assert (pixels("b.png") == 255 - pixels("in.png")).all()


def test_hyphens_are_fine_in_a_file(apply: Run) -> None:
    picture("in.png")
    Path("p.json").write_text('{"amo-unt": 0}')
    text = error(apply("invert", "in.png", "out.png", "--params", "p.json"))
    assert text == "there is no parameter amo_unt (in p.json); did you mean amount?"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[1]", "must hold a JSON object"),
        (b"{", "is not valid JSON"),
        (b"\xff", "is not UTF-8"),
        (b'{"amount": 9}', "amount (in p.json) is 9; it must be from 0 to 1"),
    ],
)
def test_bad_files_of_parameters(apply: Run, content: bytes, expected: str) -> None:
    picture("in.png")
    Path("p.json").write_bytes(content)
    assert expected in error(apply("invert", "in.png", "out.png", "--params", "p.json"))


# Masks and strength


def half_mask(size: tuple[int, int] = (12, 8)) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    plane = np.zeros((size[1], size[0]), np.uint8)
    plane[:, : size[0] // 2] = 255
    Pillow.fromarray(plane).save("mask.png")
    return plane


def test_mask_and_inverted_mask(apply: Run) -> None:
    before = pixels(picture("in.png"))
    inside = half_mask() > 0
    assert apply("invert", "in.png", "a.png", "--mask", "mask.png").exit_code == 0
    after = pixels("a.png")
    assert (after[~inside] == before[~inside]).all()
    assert (after[inside] == 255 - before[inside]).all()
    apply("invert", "in.png", "b.png", "--mask", "mask.png", "--invert-mask")
    assert (pixels("b.png")[inside] == before[inside]).all()


def test_strength_zero_is_the_input(apply: Run) -> None:
    picture("in.png")
    apply("invert", "in.png", "out.png", "--strength", "0")
    assert (pixels("out.png") == pixels("in.png")).all()


def test_feather_fades_the_effect_in(apply: Run) -> None:
    before = pixels(picture("in.png"))
    half_mask()
    apply("invert", "in.png", "hard.png", "--mask", "mask.png")
    apply("invert", "in.png", "soft.png", "--mask", "mask.png", "--feather", "3")
    hard, soft = pixels("hard.png"), pixels("soft.png")
    assert (soft[:, 6:] == before[:, 6:]).all()
    assert (soft[:, 5] != hard[:, 5]).any()


def test_a_filter_that_needs_a_mask_says_so(apply: Run) -> None:
    picture("in.png")
    assert "give --mask FILE" in error(apply("masked", "in.png", "out.png"))


def test_a_mask_of_another_size(apply: Run) -> None:
    picture("in.png")
    half_mask((4, 4))
    text = error(apply("invert", "in.png", "out.png", "--mask", "mask.png"))
    assert "4 x 4" in text
    assert "12 x 8" in text


# What goes in and comes out


def test_one_path_is_the_output_of_a_filter_that_can_do_without_input(apply: Run) -> None:
    assert apply("noise", "out.png", "--size", "20x10").exit_code == 0
    assert pixels("out.png").shape == (10, 20, 3)
    assert apply("plain", "grey.png").exit_code == 0


@pytest.mark.parametrize(
    ("name", "paths", "expected"),
    [
        ("invert", [], "give INPUT and OUTPUT; none was given"),
        ("invert", ["in.png"], "give INPUT and OUTPUT; only in.png was given"),
        ("noise", [], "or OUTPUT alone"),
        ("plain", ["in.png", "out.png"], "takes no input; give one OUTPUT, not 2 paths"),
        ("plain", ["--out-dir", "d"], "--out-dir has no use"),
        ("invert", ["a", "b", "c"], "several inputs need --out-dir DIR"),
        ("invert", ["", "", "--overwrite"], "INPUT is empty; give a path"),
        ("invert", ["in.png", ""], "OUTPUT is empty"),
        ("invert", ["in.png", "--out-dir", ""], "--out-dir is empty"),
        ("invert", ["in.png", "out.png", "--mask", ""], "--mask is empty"),
        ("noise", [""], "OUTPUT is empty"),
        ("noise", ["--strength", "0.5", "out.png"], "need an INPUT"),
        ("invert", ["in.png", "out.xyz"], ".xyz is no format"),
        ("invert", ["in.png", "out"], "no extension"),
        (
            "invert",
            ["in.png", "nowhere/out.png"],
            "there is no folder nowhere",
        ),
        (
            "invert",
            ["in.png", "in.png/out.png"],
            "cannot be written: in.png is no folder",
        ),
        ("invert", ["in.png", "folder"], "is a folder; name a file in it, or use --out-dir folder"),
        (
            "invert",
            ["in.png", "new/"],
            "new/ is a folder; name a file in it, or use --out-dir new/",
        ),
        ("noise", ["folder"], "folder is a folder; name a file in it"),
        ("invert", ["nofolder", "outfolder"], "nofolder: there is no such file"),
        ("invert", ["in.png/a.png", "o.png"], "in.png/a.png cannot be read (Not a directory)"),
        ("invert", ["in.png", "in.png/"], "in.png/ names a folder, and in.png is a file"),
        (
            "invert",
            ["in.png", "old.png"],
            "old.png exists already; replace it",
        ),
        ("noise", ["old.png"], "a single path is the output"),
        ("invert", ["in.png", "out.mp4"], "the result is one picture"),
    ],
)
def test_paths_that_make_no_sense(apply: Run, name: str, paths: list[str], expected: str) -> None:
    picture("in.png")
    old = picture("old.png", seed=1).read_bytes()
    Path("folder").mkdir()
    assert expected in error(apply(name, *paths))
    assert Path("old.png").read_bytes() == old
    assert sorted(path.name for path in Path().iterdir()) == ["folder", "in.png", "old.png"]


LONG = "a" * 300 + ".png"  # more than any file system takes


@pytest.mark.parametrize(
    "paths",
    [
        [LONG, "out.png"],
        ["in.png", LONG],
        ["in.png", "out.png", "--mask", LONG],
        [LONG, "--out-dir", "out"],
        ["in.png", "--out-dir", LONG],
    ],
)
def test_a_name_that_is_too_long_is_named(apply: Run, paths: list[str]) -> None:
    picture("in.png")
    text = error(apply("invert", *paths))
    assert "File name too long" in text
    assert LONG in text
    assert "standard output" not in text


def test_a_link_that_leads_nowhere_yet_is_followed(apply: Run) -> None:
    picture("in.png")
    Path("link.png").symlink_to("out.png")
    assert apply("invert", "in.png", "link.png").exit_code == 0
    assert (pixels("out.png") == 255 - pixels("in.png")).all()


def test_an_existing_output_is_refused_before_the_input_is_read(apply: Run) -> None:
    picture("old.png")
    Path("broken.png").write_bytes(b"no picture")
    assert "old.png exists already" in error(apply("invert", "broken.png", "old.png"))


@pytest.mark.parametrize("link", ["same", "symlink", "hardlink"])
def test_input_and_output_may_not_be_one_file(apply: Run, link: str) -> None:
    source = picture("in.png")
    before = pixels(source)
    target = Path("in.png" if link == "same" else "link.png")
    if link == "symlink":
        target.symlink_to("in.png")
    elif link == "hardlink":
        target.hardlink_to(source)
    assert "same file; --overwrite" in error(apply("invert", "in.png", target))
    assert (pixels(source) == before).all()
    assert apply("invert", "in.png", target, "--overwrite").exit_code == 0
    assert (pixels(target) == 255 - before).all()


def test_format_wins_over_the_extension(apply: Run) -> None:
    picture("in.png")
    assert apply("invert", "in.png", "out.dat", "--format", "jpg").exit_code == 0
    with Pillow.open("out.dat") as made:
        assert made.format == "JPEG"


def test_quality_reaches_the_encoder(apply: Run) -> None:
    picture("in.png", size=(64, 64))
    apply("invert", "in.png", "low.jpg", "--quality", "5")
    apply("invert", "in.png", "high.jpg", "--quality", "95")
    assert Path("low.jpg").stat().st_size < Path("high.jpg").stat().st_size / 2


def test_json_line(apply: Run) -> None:
    picture("in.png")
    result = apply("invert", "in.png", "out.png", "--json", "--preset", "half")
    (record,) = records(result)
    assert set(record) == {"input", "output", "seconds", "device", "recipe"}
    assert (record["input"], record["output"]) == ("in.png", "out.png")
    assert record["device"] == "cpu"
    assert record["recipe"]["steps"][0]["params"] == {"amount": 0.5}
    assert record["recipe"]["input"]["width"] == 12


@pytest.mark.parametrize(
    ("words", "kind"),
    [(["--amount", "9"], "UsageError"), (["--amout", "9"], "NoSuchOption"), ([], "ImageError")],
)
def test_json_errors(apply: Run, words: list[str], kind: str) -> None:
    if words:
        picture("in.png")
    result = apply("invert", "in.png", "out.png", "--json", *words)
    (record,) = records(result)
    assert record["error"]["type"] == kind
    assert record["exit_code"] == 2
    assert error(result) == record["error"]["message"]


def test_nothing_of_a_terminal_in_a_pipe(apply: Run) -> None:
    picture("in.png")
    result = apply("invert", "in.png", "out.png")
    assert "\x1b" not in result.output
    assert "half way" not in result.output
    assert json.dumps(result.stderr) == '""'


def test_what_a_filter_says_names_options_as_they_are_typed(
    run: Run, apply: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture("in.png")
    marked = ("--mask-color", "#ff00ff")
    typed = "raise --tolerance, or give another --mask-color"
    assert typed in error(apply("inpaint", "in.png", "out.png", *marked))
    sheet = ("--vary", "dilate", "--value", 0, "--value", 1)
    assert typed in error(run("sheet", "inpaint", "in.png", "out.png", *sheet, *marked))
    Path("look.toml").write_text('[[step]]\nfilter = "inpaint"\nmask-color = "#ff00ff"\n')
    assert "raise tolerance, or give another mask-color" in error(
        run("run", "look.toml", "in.png", "out.png")
    )

    def full(*_: object) -> None:
        raise OutOfMemory("make `dilate` smaller, or `the picture`")

    monkeypatch.setattr(Inpaint, "apply", full)
    assert "make --dilate smaller, or `the picture`" in error(
        apply("inpaint", "in.png", "out.png", *marked)
    )
    assert not Path("out.png").exists()

"""``ganfilters run`` and ``ganfilters chain``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image as Pillow

from tests.cli.conftest import Run, error, picture, pixels, records

LOOK = """
title = "Half"
[[step]]
filter = "invert"
amount = 0.5
[[step]]
filter = "noise"
strength = 0.5
[params.grain]
step = 2
param = "seed"
"""


@pytest.fixture
def chain(run: Run, config: Path) -> Run:
    """Run ``run`` on the CPU, with ``look.toml`` in the current folder."""
    Path("look.toml").write_text(LOOK)
    return lambda *words, **options: run("run", *words, "--device", "cpu", **options)


def test_the_steps_in_order(chain: Run, apply: Run) -> None:
    picture("in.png")
    result = chain("look.toml", "in.png", "out.png", "--grain", "7", "--json")
    assert result.exit_code == 0, result.output
    (record,) = records(result)
    assert [step["filter"] for step in record["recipe"]["steps"]] == ["invert", "noise"]
    assert record["recipe"]["steps"][1]["params"]["seed"] == 7
    apply("invert", "in.png", "a.tif", "--amount", "0.5")
    apply("noise", "a.tif", "b.png", "--seed", "7", "--strength", "0.5")
    assert abs(pixels("out.png").astype(int) - pixels("b.png")).max() <= 1


def test_folders_masks_and_streams_as_for_apply(chain: Run) -> None:
    before = pixels(picture("photos/a.png"))
    picture("photos/b.png", seed=1)
    mask = Pillow.new("L", (12, 8), 0)
    mask.paste(255, (0, 0, 6, 8))
    mask.save("mask.png")
    result = chain("look.toml", "photos", "out", "--mask", "mask.png")
    assert result.exit_code == 0, result.output
    assert result.stderr.strip() == "2 done, 0 failed"
    assert (pixels("out/a.png")[:, 6:] == before[:, 6:]).all()
    assert (pixels("out/a.png")[:, :6] != before[:, :6]).any()
    streamed = chain("look.toml", "-", "-", stdin=Path("photos/a.png").read_bytes())
    assert streamed.exit_code == 0
    assert streamed.stdout_bytes[1:4] == b"PNG"
    assert "replace it with --overwrite" in error(chain("look.toml", "photos/a.png", "out/a.png"))


def test_a_mask_is_decoded_once_for_a_folder(chain: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from ganfilters import imageio

    for name in "abc":
        picture(f"photos/{name}.png")
    Pillow.new("L", (12, 8), 255).save("mask.png")
    read: list[str] = []
    real = imageio.read

    def spy(source: object, **options: int) -> object:
        read.append(str(source))
        return real(source, **options)

    monkeypatch.setattr(imageio, "read", spy)
    result = chain("look.toml", "photos", "out", "--mask", "mask.png")
    assert result.exit_code == 0, result.output
    assert read.count("mask.png") == 1
    assert len(read) == 4


def test_help_shows_the_chains_own_parameters(chain: Run, run: Run) -> None:
    text = run("run", "look.toml", "--help").stdout
    own = text.partition("Options:")[0]
    assert "Half" in own
    assert "--grain INTEGER" in own
    assert "--amount" not in text
    assert "none; see `ganfilters chain save --help`" in run("run", "--help").stdout


def test_dry_run(chain: Run) -> None:
    result = chain("look.toml", "--dry-run", "--grain", "3")
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows[1:] == [
        ["1", "invert", "--amount", "0.5"],
        ["2", "noise", "--seed", "3", "strength", "0.5"],
    ]
    record = json.loads(chain("look.toml", "--dry-run", "--json").stdout)
    assert record["steps"][0]["params"] == {"amount": 0.5}
    assert sorted(path.name for path in Path().iterdir()) == ["look.toml"]


def test_from_nothing_and_animations(chain: Run) -> None:
    Path("moving.toml").write_text(
        '[[step]]\nfilter = "noise"\nframes = 3\n[[step]]\nfilter = "invert"\n'
    )
    assert chain("moving.toml", "out.gif").exit_code == 0
    with Pillow.open("out.gif") as made:
        assert made.n_frames == 3
    assert "JPEG holds one picture" in error(chain("moving.toml", "out.jpg"))
    picture("in.png")
    text = error(chain("moving.toml", "in.png", "b.gif", "--strength", "0.5"))
    assert "an animation cannot be combined with a mask or strength" in text


def test_a_picture_is_a_chain(chain: Run, apply: Run, run: Run) -> None:
    picture("in.png")
    picture("in2.png", seed=1)
    apply("invert", "in.png", "a.png", "--amount", "0.25")
    apply("noise", "a.png", "out.png", "--seed", "5")
    assert chain("out.png", "in2.png", "out2.png").exit_code == 0
    apply("invert", "in2.png", "b.png", "--amount", "0.25")
    apply("noise", "b.png", "expected.png", "--seed", "5")
    # In memory the picture is not rounded between the steps.
    assert abs(pixels("out2.png").astype(int) - pixels("expected.png")).max() <= 1
    Path("again.toml").write_text(run("chain", "show", "out.png").stdout)
    assert chain("again.toml", "in2.png", "out3.png").exit_code == 0
    assert (pixels("out3.png") == pixels("out2.png")).all()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["none.toml", "in.png", "out.png"], "none.toml: there is no such file"),
        (["nothing", "in.png", "out.png"], "there is no chain 'nothing', neither saved nor a"),
        (["invert", "in.png", "out.png"], "invert is a filter; write: ganfilters apply invert"),
        (["in.png", "in.png", "out.png"], "in.png holds no recipe"),
        (["bad.toml", "in.png", "out.png"], "bad.toml: step 2 (invert): amount is 4; it must be"),
        (["look.toml", "in.png"], "give INPUT and OUTPUT; only in.png was given"),
        (["look.toml", "in.png", "out.png", "--grian", "3"], "did you mean --grain?"),
        (["look.toml", "in.png", "out.png", "--grain", "-1"], "--grain is -1; it must be from 0"),
        (["look.toml", "in.png", "out.png", "--strength", "2"], "--strength is 2"),
    ],
)
def test_bad_use(chain: Run, words: list[str], expected: str) -> None:
    picture("in.png")
    Path("bad.toml").write_text(
        '[[step]]\nfilter = "invert"\n[[step]]\nfilter = "invert"\namount = 4\n'
    )
    assert expected in error(chain(*words))
    assert not Path("out.png").exists()


def test_saving_listing_applying_and_removing(chain: Run, apply: Run, run: Run) -> None:
    picture("in.png")
    assert "no chain is saved" in run("chain", "list").stdout
    result = run("chain", "save", "half-look", "look.toml", "--summary", "Half of it")
    assert result.exit_code == 0, result.output
    assert "half-look" in run("list").stdout
    (row,) = json.loads(run("chain", "list", "--json").stdout)
    assert row == {
        "name": "half-look", "summary": "Half of it", "steps": "invert, noise", "problem": "",
    }  # fmt: skip
    shown = run("show", "half-look").stdout
    assert "from chain" in shown
    assert "step 2: noise" in shown
    assert apply("half-look", "in.png", "a.png", "--grain", "4").exit_code == 0
    assert chain("half-look", "in.png", "b.png", "--grain", "4").exit_code == 0
    assert (pixels("a.png") == pixels("b.png")).all()
    assert run("replay", "a.png", "in.png", "c.png", "--verify").exit_code == 0
    assert "half-look" in run("run", "--help").stdout
    assert run("chain", "show", "half-look").stdout.startswith('title = "Half"')
    assert "saved already; --overwrite" in error(run("chain", "save", "half-look", "look.toml"))
    result = run("chain", "save", "half-look", "a.png", "--overwrite", "--json")
    assert Path(json.loads(result.stdout)["path"]).is_file()
    assert run("chain", "remove", "half-look").stdout == "removed half-look\n"
    assert "there is no filter 'half-look'" in error(apply("half-look", "in.png", "d.png"))
    assert "no saved chain" in error(run("chain", "remove", "half-look"))


def test_a_chain_that_cannot_be_used_is_told(chain: Run, run: Run, config: Path) -> None:
    run("chain", "save", "half-look", "look.toml")
    path = config / "chains" / "half-look" / "chain.toml"
    path.write_text('[[step]]\nfilter = "gone"\n')
    result = run("chain", "list")
    assert result.exit_code == 1
    assert "step 1 (gone): there is no filter 'gone'" in result.stdout
    assert "half-look" not in run("list").stdout
    assert "cannot be used: step 1 (gone)" in error(run("apply", "half-look", "a", "b"))


def test_a_saved_chain_whose_mask_is_gone_is_told(chain: Run, run: Run, config: Path) -> None:
    Pillow.new("L", (12, 8), 255).save("m.png")
    Path("masked.toml").write_text('[[step]]\nfilter = "invert"\nmask = "m.png"\n')
    run("chain", "save", "fine", "look.toml")
    run("chain", "save", "masked-look", "masked.toml")
    assert run("chain", "list").exit_code == 0
    (config / "chains" / "masked-look" / "m.png").unlink()
    result = run("chain", "list", "--json")
    assert result.exit_code == 1
    problems = {row["name"]: row["problem"] for row in json.loads(result.stdout)}
    assert problems["fine"] == ""
    assert "step 1 (invert): " in problems["masked-look"]
    assert "m.png: there is no such file" in problems["masked-look"]


def half_masked() -> Path:
    """Write ``masks/m.png``, and ``masks/look.toml`` that names it twice; return the latter."""
    mask = Pillow.new("L", (12, 8), 0)
    mask.paste(255, (0, 0, 6, 8))
    Path("masks").mkdir()
    mask.save("masks/m.png")
    path = Path("masks/look.toml")
    path.write_text(
        '[[step]]\nfilter = "invert"\nmask = "m.png"\n'
        '[[step]]\n[[step.step]]\nfilter = "kinds"\nguide = "m.png"\n'
    )
    return path


@pytest.mark.parametrize("kind", ["file", "saved", "picture of saved", "picture of file"])
def test_what_is_shown_runs_from_any_folder(
    chain: Run, run: Run, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, shown = half_masked(), "masks/look.toml"
    picture("in.png")
    chain(look, "in.png", "expected.png")
    run("chain", "save", "sea", look)
    if kind == "saved":
        shown = "sea"
    elif kind == "picture of saved":
        chain("sea", "in.png", shown := "out.png")
    elif kind == "picture of file":
        chain(look, "in.png", shown := "masks/out.png")
        Path("masks").rename("moved")
        shown = "moved/out.png"
    if "saved" in kind:
        shutil.rmtree("masks")
    result = run("chain", "show", shown)
    assert (result.exit_code, result.stderr) == (0, "")
    Path("else/where").mkdir(parents=True)
    Path("else/where/look.toml").write_text(result.stdout)
    monkeypatch.chdir("else/where")
    done = chain("look.toml", "../../in.png", "out.png")
    assert done.exit_code == 0, done.output
    assert (pixels("out.png") == pixels("../../expected.png")).all()


def test_showing_tells_of_files_that_are_not_there(chain: Run, run: Run) -> None:
    look = half_masked()
    picture("in.png")
    chain(look, "in.png", "out.png")
    shutil.rmtree("masks")
    result = run("chain", "show", "out.png")
    assert result.exit_code == 0
    assert 'mask = "masks/m.png"' in result.stdout
    first, second = result.stderr.splitlines()
    assert "warning: out.png: step 1 (invert): the picture mask (masks/m.png)" in first
    assert "step 2 (steps): step 1 (kinds): the picture guide (masks/m.png)" in second


def test_steps_of_a_plugin_that_is_not_there_are_shown(chain: Run, run: Run) -> None:
    Path("sub").mkdir()
    Path("sub/look.toml").write_text('[[step]]\nfilter = "gone"\nmask = "m.png"\nn = "m.png"\n')
    lines = run("chain", "show", "sub/look.toml").stdout.splitlines()
    assert f'mask = "{Path("sub/m.png").resolve()}"' in lines
    assert 'n = "m.png"' in lines


def test_conformance_of_a_saved_chain(chain: Run, run: Run) -> None:
    run("chain", "save", "half-look", "look.toml")
    result = run("check-plugin", "half-look")
    assert result.exit_code == 0, result.stdout

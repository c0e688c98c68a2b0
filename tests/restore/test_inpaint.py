"""The filters inpaint and outpaint, on a small network and on the classical methods."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image as Pillow

from ganfilters import (
    Animation,
    Chain,
    Host,
    Image,
    ImageError,
    ModelFile,
    NothingToDo,
    Runtime,
    UsageError,
    convert,
    imageio,
)
from ganfilters.testing.subject import Subject
from ganfilters.testing.suite import run_checks
from ganfilters_inpaint import Inpaint, InpaintParams, Outpaint, classic
from ganfilters_inpaint.network import Network
from ganfilters_inpaint.network import _tiles as tiles

from ..imageio import pictures
from .conftest import floats

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def direct() -> Inpaint:
    """The filter without a host around it."""
    return Inpaint(Runtime("cpu", threads=1))


def test_only_the_hole_changes(host: Host, filler: Path, photo: Array, hole: Array) -> None:
    damaged = photo.copy()
    damaged[hole > 0] = (255, 0, 255)
    filled = host.apply("inpaint", damaged, mask=hole, model=filler)
    assert filled.dtype == np.uint8
    assert np.array_equal(filled[hole == 0], damaged[hole == 0])
    before, after = (np.abs(x[hole > 0].astype(float) - photo[hole > 0]) for x in (damaged, filled))
    assert after.mean() < 0.3 * before.mean()
    deep = damaged.astype(np.uint16) * np.uint16(257) + np.uint16(3) * (damaged < 255)
    again = host.apply("inpaint", deep, mask=hole, model=filler)
    assert again.dtype == np.uint16
    assert np.array_equal(again[hole == 0], deep[hole == 0])
    clear = np.dstack([damaged, np.full(hole.shape, 90, np.uint8)])
    assert (host.apply("inpaint", clear, mask=hole, model=filler)[..., 3] == 90).all()


def test_what_is_in_the_hole_does_not_matter(
    host: Host, filler: Path, photo: Array, hole: Array
) -> None:
    results = []
    for colour in (0, 255):
        damaged = photo.copy()
        damaged[hole > 0] = colour
        results.append(host.apply("inpaint", damaged, mask=hole, model=filler))
    assert np.array_equal(*results)


def test_the_seed_decides(host: Host, filler: Path, photo: Array, hole: Array) -> None:
    first, same, other = (
        host.apply("inpaint", photo, mask=hole, model=filler, seed=seed) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_a_colour_marks_the_hole(host: Host, filler: Path, photo: Array, hole: Array) -> None:
    damaged = photo.copy()
    damaged[hole > 0] = (250, 5, 255)
    filled = host.apply(
        "inpaint", damaged, mask_color="#FF00ff", tolerance=8, dilate=0, seam=0, model=filler
    )
    assert np.array_equal(filled[hole == 0], damaged[hole == 0])
    assert np.abs(filled[hole > 0].astype(float) - photo[hole > 0]).mean() < 20
    wider = host.apply("inpaint", damaged, mask_color=(255, 0, 255), dilate=4, seam=3, model=filler)
    changed = (wider != damaged).any(axis=2)
    assert changed[46, 80]
    assert changed.sum() > 1.2 * (hole > 0).sum()
    assert not changed[:40].any()
    with pytest.raises(UsageError, match="no pixel has the colour #00ff00 within 5; raise"):
        host.apply("inpaint", photo, mask_color="00ff00", tolerance=5, model=filler)
    with pytest.raises(UsageError, match=r"mask_color: a colour is #rrggbb"):
        host.apply("inpaint", photo, mask_color="pink", model=filler)


def test_what_is_transparent_is_filled_and_opaque(
    direct: Inpaint, filler: Path, photo: Array, hole: Array
) -> None:
    params = InpaintParams(from_alpha=True, model=filler, dilate=0, seam=0)
    alpha = 1 - floats(hole)
    made = direct.apply(Image(floats(photo), alpha=alpha), params)
    assert made.alpha is not None
    assert (made.alpha == 1).all()
    assert made.untouched is not None
    assert np.array_equal(made.untouched, hole == 0)
    assert (made.pixels != floats(photo)).any(axis=2)[hole > 0].mean() > 0.9
    for alpha in (None, np.ones(hole.shape, np.float32)):
        with pytest.raises(UsageError, match="no transparent area"):
            direct.apply(Image(floats(photo), alpha=alpha), params)


@pytest.mark.parametrize("what", ["one pixel", "corner", "every edge", "thin", "two"])
def test_holes_of_all_shapes(host: Host, filler: Path, photo: Array, what: str) -> None:
    mask = np.zeros(photo.shape[:2], np.uint8)
    if what == "one pixel":
        mask[70, 80] = 255
    elif what == "corner":
        mask[:50, :60] = 255
    elif what == "every edge":
        mask[:] = 255
        mask[20:-20, 20:-20] = 0
    elif what == "thin":
        mask[np.arange(140), np.arange(140)] = 255
    else:
        mask[5:15, 5:15] = mask[120:140, 150:170] = 255
    damaged = np.where(mask[..., None] > 0, np.uint8(255), photo)
    filled = host.apply("inpaint", damaged, mask=mask, model=filler)
    assert np.array_equal(filled[mask == 0], damaged[mask == 0])
    after, before = (np.abs(x.astype(float) - photo)[mask > 0].mean() for x in (filled, damaged))
    assert after < 0.6 * before


def test_bad_masks_are_told(host: Host, filler: Path, photo: Array) -> None:
    def run(**options: Any) -> None:
        host.apply("inpaint", photo, model=filler, **options)

    shape = photo.shape[:2]
    with pytest.raises(UsageError, match=r"nothing says what to fill; give a mask .*from_alpha"):
        run()
    with pytest.raises(UsageError, match="the mask selects nothing; give a mask that is white"):
        run(mask=np.zeros(shape, np.uint8))
    with pytest.raises(UsageError, match="the whole picture is to be filled"):
        run(mask=np.full(shape, 255, np.uint8))
    mostly = np.full(shape, 255, np.uint8)
    mostly[60:90, 60:100] = 0
    with pytest.raises(UsageError, match=r"95% .* mask is probably inverted; .*--invert-mask"):
        run(mask=mostly)
    run(mask=mostly, invert_mask=True)
    with pytest.raises(UsageError, match="grown by `dilate` 200 and `seam` 0 is the whole picture"):
        run(mask=mostly, invert_mask=True, dilate=200)
    run(mask=mostly, largest=1)
    with pytest.raises(UsageError, match="tolerance needs mask_color as well"):
        run(mask=mostly, invert_mask=True, tolerance=9)
    with pytest.raises(ImageError):
        run(mask=np.zeros((10, 10), np.uint8))


def test_too_much_is_told_by_what_selected_it(direct: Inpaint, filler: Path, photo: Array) -> None:
    """A picture that is half transparent everywhere has no mask to turn round."""
    pixels, alpha = floats(photo), np.full(photo.shape[:2], 0.5, np.float32)
    with pytest.raises(
        UsageError, match=r"whole picture .*; `from_alpha` takes what is only partly"
    ):
        direct.apply(Image(pixels, alpha=alpha), InpaintParams(model=filler, from_alpha=True))
    white = np.ones_like(alpha)
    with pytest.raises(UsageError, match=r"whole picture .*; white means fill"):
        direct.apply(Image(pixels, mask=white), InpaintParams(model=filler, largest=1.0))
    alpha[:4] = 1
    small = np.zeros_like(alpha)
    small[50:60, 50:60] = 1
    with pytest.raises(UsageError, match=r"^97% of the picture is to be filled; `from_alpha`"):
        direct.apply(
            Image(pixels, alpha=alpha, mask=small), InpaintParams(model=filler, from_alpha=True)
        )
    with pytest.raises(
        UsageError, match=r"^97% of the picture is to be filled; `from_alpha` takes"
    ):
        direct.apply(Image(pixels, alpha=alpha), InpaintParams(model=filler, from_alpha=True))
    with pytest.raises(UsageError, match=r"whole picture .*; lower `tolerance`, which is 255, or"):
        direct.apply(Image(pixels), InpaintParams(model=filler, mask_color="000000", tolerance=255))
    magenta = pixels.copy()
    magenta[:3] = (1, 0, 1)
    both = InpaintParams(model=filler, from_alpha=True, mask_color="ff00ff")
    with pytest.raises(UsageError, match=r"^99% .*; `from_alpha` takes"):
        direct.apply(Image(magenta, alpha=alpha), both)


def test_a_mask_that_is_black_adds_nothing(host: Host, filler: Path, photo: Array) -> None:
    black = np.zeros(photo.shape[:2], np.uint8)
    clear = np.dstack([photo, np.full_like(black, 255)])
    clear[50:60, 40:50, 3] = 0
    filled, alone = (
        host.apply("inpaint", clear, model=filler, from_alpha=True, **mask)
        for mask in ({"mask": black}, {})
    )
    assert np.array_equal(filled, alone)
    larger, bare = (
        host.apply("outpaint", photo, expand="8,0,0,0", model=filler, **mask)
        for mask in ({"mask": black}, {})
    )
    assert np.array_equal(larger, bare)
    mostly = 255 - black
    mostly[:5] = 0
    with pytest.raises(UsageError, match=r"mask is probably inverted; .*--invert-mask"):
        host.apply("outpaint", photo, expand="8,0,0,0", model=filler, mask=mostly)
    host.apply("outpaint", photo, expand="8,0,0,0", model=filler, mask=mostly, largest=1)


def test_thin_holes_are_drawn_in_the_tiles_that_are_least_work() -> None:
    diagonal = np.eye(1000, dtype=np.bool_)
    specks = np.random.default_rng(0).random((1000, 1000)) < 0.001
    for hole, small in ((diagonal, True), (specks, False)):
        found = tiles(hole, (384, 128), 32)
        sides = {span.stop - span.start for tile in found for span in tile}
        assert (max(sides) <= 128) == small
        covered = np.zeros_like(hole, np.uint8)
        for tile in found:
            assert hole[tile].any()
            covered[tile] += 1
        assert covered.max() == 1
        assert covered[hole].all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_grey_picture_stays_grey(
    host: Host, filler: Path, photo: Array, hole: Array, dtype: Any, tmp_path: Path
) -> None:
    grey = photo[..., 0].astype(dtype) * (np.iinfo(dtype).max // 255)
    file, out = tmp_path / "in.png", tmp_path / "out.png"
    file.write_bytes(imagecodecs.png_encode(grey))
    host.apply("inpaint", file, mask=hole, model=filler).save(out)
    made = imagecodecs.png_decode(out.read_bytes())
    assert made.dtype == dtype
    assert made.shape == grey.shape
    assert np.array_equal(made[hole == 0], grey[hole == 0])
    assert (made != grey)[hole > 0].mean() > 0.5
    painted = np.dstack([photo[..., 0]] * 3)
    painted[hole > 0] = (255, 0, 255)
    cleaned = host.apply("inpaint", painted, mask_color="ff00ff", model=filler)
    assert (cleaned == cleaned[..., :1]).all()


@pytest.mark.parametrize("method", ["gan", "telea"])
def test_colours_under_what_is_transparent_are_not_seen(
    host: Host, filler: Path, photo: Array, hole: Array, method: str
) -> None:
    """Editors leave black there, which must not get into a hole beside it."""
    if method != "gan":
        pytest.importorskip("cv2")
    alpha = np.full(hole.shape, 255, np.uint8)
    alpha[:, :60] = 0  # up to the hole
    how = {"method": method} | ({"model": filler} if method == "gan" else {})
    results = []
    for colour in (0, 200):
        given = np.dstack([np.where(alpha[..., None] > 0, photo, np.uint8(colour)), alpha])
        made = host.apply("inpaint", given, mask=hole, **how)
        assert np.array_equal(made[hole == 0], given[hole == 0])
        results.append(made[hole > 0])
        larger = host.apply("outpaint", given, expand=(0, 8, 0, 0), **how)
        results.append(larger[:8])
    assert np.array_equal(results[0], results[2])
    assert np.array_equal(results[1], results[3])
    nothing = np.dstack([photo, np.where(hole > 0, np.uint8(255), np.uint8(0))])
    made = host.apply("inpaint", nothing, mask=hole, **how)
    assert np.abs(made[hole > 0][:, :3].astype(float) - photo[hole > 0]).mean() < 25


def test_a_filled_hole_is_known_to_the_next(
    host: Host, filler: Path, photo: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = np.tile(photo, (1, 3, 1))
    mask = np.zeros(wide.shape[:2], np.uint8)
    mask[:, 60:160] = mask[:, 300:400] = 255  # further apart than what is filled together
    seen = []
    original = Network.fill

    def fill(self: Network, pixels: Array, missing: Array, *rest: Any, **named: Any) -> Array:
        seen.append((missing.shape, int(missing.sum())))
        return original(self, pixels, missing, *rest, **named)

    monkeypatch.setattr(Network, "fill", fill)
    monkeypatch.setattr("ganfilters_inpaint.filter._CONTEXT", 3.0)
    host.apply("inpaint", wide, mask=mask, model=filler)
    one = 100 * len(mask)
    assert [missing for _, missing in seen] == [2 * one, one]


def test_tiny_pictures_are_filled(host: Host, filler: Path) -> None:
    photo = np.full((16, 16, 3), 120, np.uint8)
    mask = np.zeros((16, 16), np.uint8)
    mask[6:10, 6:10] = 255
    filled = host.apply("inpaint", photo, mask=mask, model=filler)
    assert np.abs(filled.astype(int) - 120).max() < 60


def test_a_large_hole_is_filled_coarse_to_fine(filler: Path) -> None:
    model = ModelFile(filler)
    network = Network(Runtime("cpu", threads=1).session(model), model.card)
    assert network.thickest == pytest.approx(0.35 * 64)
    assert [network._halvings(thick) for thick in (1, 10, 40, 64, 128, 300)] == [0, 0, 1, 2, 3, 4]


def test_tiles_see_what_was_filled_before(
    filler: Path, monkeypatch: pytest.MonkeyPatch, photo: Array, hole: Array
) -> None:
    from ganfilters_inpaint import network as module

    model = ModelFile(filler)
    network = Network(Runtime("cpu", threads=1).session(model), model.card)
    seen = []
    original = Network._run_placed

    def run(self: Network, pixels: Array, missing: Array, rng: np.random.Generator) -> Array:
        seen.append(int(missing.sum()))
        return original(self, pixels, missing, rng)

    monkeypatch.setattr(Network, "_run_placed", run)
    monkeypatch.setattr(module, "_CORE", 25)
    monkeypatch.setattr(module, "_MARGIN", 30)
    area = hole > 0
    filled = network._fill_level(floats(photo), area, None, np.random.default_rng(0), thin=False)
    assert len(seen) == 4
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] == area.sum() // 4
    assert np.array_equal(filled[~area], floats(photo)[~area])


def test_without_a_guess_placements_are_averaged(
    filler: Path, monkeypatch: pytest.MonkeyPatch, photo: Array, hole: Array
) -> None:
    """A network that draws the row and the column that a pixel has for it."""
    model = ModelFile(filler)
    network = Network(Runtime("cpu", threads=1).session(model), model.card)

    def run(self: Network, pixels: Array, missing: Array, *rest: Any) -> Array:
        inside = pixels[-hole.shape[0] :, -hole.shape[1] :]
        assert np.array_equal(inside, floats(photo))
        assert missing[-hole.shape[0] :, -hole.shape[1] :].sum() == (hole > 0).sum()
        rows, columns = np.indices(missing.shape, np.float32)
        return np.stack([rows, columns, rows], axis=2)

    monkeypatch.setattr(Network, "_run", run)
    made = network._run_placed(floats(photo), hole > 0, np.random.default_rng(0))
    rows, columns = np.indices(hole.shape, np.float32)
    assert np.array_equal(made, np.stack([rows + 1.5, columns + 2.5, rows + 1.5], axis=2))


def test_the_wrong_network_is_refused(
    host: Host, denoiser: Path, photo: Array, hole: Array
) -> None:
    with pytest.raises(Exception, match="made for the filter denoise"):
        host.apply("inpaint", photo, mask=hole, model=denoiser)


@pytest.mark.parametrize("size", [(1, 1), (3, 3), (2, 60), (8, 60), (24, 60)])
def test_what_little_is_known_gives_the_tone(
    host: Host, filler: Path, size: tuple[int, int]
) -> None:
    """However small the picture, some of it is known at the smallest size that is worked at."""
    little = np.empty((*size, 3), np.uint8)
    little[:] = 230, 180, 140
    made = host.apply("outpaint", little, model=filler, expand=(96,) * 4)
    assert np.abs(made.mean((0, 1)) - (230, 180, 140)).max() < 30


def test_a_cut_out_keeps_its_colour(host: Host, filler: Path, photo: Array, hole: Array) -> None:
    """All that is not to be filled is transparent: its colours are better than none."""
    warm = np.clip(photo * [1.2, 0.8, 0.4], 0, 255).astype(np.uint8)
    made = host.apply("inpaint", np.dstack([warm, hole]), mask=hole, model=filler)
    inside = made[hole > 0][:, :3].astype(float)
    assert (inside[:, 0] - inside[:, 2]).mean() > 20


def test_hidden_colours_are_no_mark(host: Host, filler: Path, photo: Array) -> None:
    hidden = np.dstack([photo, np.full(photo.shape[:2], 255, np.uint8)])
    hidden[:70] = 255, 0, 255, 0
    with pytest.raises(UsageError, match="no pixel has the colour #ff00ff within 24"):
        host.apply("inpaint", hidden, mask_color="#ff00ff", model=filler)


@pytest.mark.parametrize(("what", "most"), [("letters", 1.0), ("a scratch that runs into it", 2.0)])
def test_what_is_thin_is_filled_as_finely_beside_what_is_thick(
    host: Host, what: str, most: float
) -> None:
    with Pillow.open(Path(__file__).parents[2] / "examples" / "coffee.jpg") as opened:
        coffee = np.asarray(opened.convert("RGB"))
    thin = np.zeros(coffee.shape[:2], np.uint8)
    if what == "letters":
        for left in range(20, 240, 40):
            thin[60:110, left : left + 4] = thin[83:87, left : left + 20] = 255
    else:
        thin[200:204, 260:] = 255
    both = thin.copy()
    both[150:330, 60:260] = 255
    compared = thin > 0
    compared[:, 260:300] = False  # where it runs into the hole
    alone, together = (
        host.apply("inpaint", coffee, mask=mask)[compared].astype(float) for mask in (thin, both)
    )
    assert np.abs(alone - together).mean() < most


@pytest.mark.parametrize("way", ["colour", "alpha"])
def test_a_frame_without_the_mark_stays_as_it_is(
    host: Host, filler: Path, photo: Array, way: str
) -> None:
    marked = np.dstack([photo, np.full(photo.shape[:2], 255, np.uint8)])
    plain = marked.copy()
    marked[50:60, 50:60] = (255, 0, 255, 255) if way == "colour" else (0, 0, 0, 0)
    frames = tuple(convert.to_image(each) for each in (plain, marked, plain))
    given = {"mask_color": "#ff00ff"} if way == "colour" else {"from_alpha": True}
    moving = Animation(frames, (10, 20, 30), loop=0)
    made = host.apply("inpaint", moving, model=filler, **given)
    for index, frame in enumerate(made.frames):
        changed = (frame.pixels != frames[index].pixels).any(axis=2)
        assert changed.any() == (index == 1)
        assert frame.metadata.recipe.steps[0].filter == "inpaint"
    still = Animation((frames[0], frames[2]), (10, 20), loop=0)
    with pytest.raises(NothingToDo, match=r"no pixel has the colour|no transparent area"):
        host.apply("inpaint", still, model=filler, **given)
    chain = Chain.from_steps([{"filter": "inpaint", "model": filler, **given}])
    with pytest.raises(UsageError, match=r"step 1 \(inpaint\): "):  # other steps had work to do
        host.apply(chain, moving)


def test_a_frame_that_stays_keeps_what_was_done_to_it_before(
    host: Host, filler: Path, photo: Array, hole: Array
) -> None:
    """Its file's own samples, which are written where nothing was done, are older than that."""
    frames = [photo.copy() for _ in range(3)]
    for each in frames[::2]:
        each[100:110, 10:20] = 255, 0, 255
    file = io.BytesIO()
    first, *others = map(Pillow.fromarray, frames)
    first.save(file, "PNG", save_all=True, append_images=others, icc_profile=pictures.display_p3())
    read = imageio.read(file.getvalue())
    once = host.apply("inpaint", read, mask=hole, model=filler)
    twice = host.apply("inpaint", once, mask_color="#ff00ff", tolerance=60, model=filler)
    assert np.array_equal(twice.frames[1].pixels, once.frames[1].pixels)
    written = imageio.read(imageio.encode(twice, "PNG"))
    for made, back, before in zip(twice.frames, written.frames, read.frames, strict=True):
        assert np.abs(made.pixels - back.pixels).max() < 0.02
        assert np.abs(back.pixels - before.pixels)[hole > 0].max() > 0.05


def test_what_is_still_to_be_filled_is_no_source(host: Host, filler: Path, photo: Array) -> None:
    """Of a cut-out nothing else is opaque, and what is transparent is better than nothing."""
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[40:90, 40:90] = mask[40:90, 92:98] = 255
    made = []
    for colour in ((128, 128, 128), (255, 0, 0)):
        given = np.dstack([photo, mask])
        given[40:90, 92:98, :3] = colour
        made.append(host.apply("inpaint", given, mask=mask, model=filler)[40:90, 40:90])
    assert np.array_equal(*made)


def test_outpainting_keeps_the_picture(host: Host, filler: Path, photo: Array) -> None:
    made = host.apply("outpaint", photo, expand="24,0,16,8", seam=0, model=filler)
    assert made.shape == (144 + 8, 176 + 40, 3)
    assert np.array_equal(made[:144, 24:200], photo)
    assert np.abs(made[:144, :24].astype(float) - photo[:, :1]).mean() < 40
    with pytest.raises(UsageError, match="LEFT,TOP,RIGHT,BOTTOM"):
        host.apply("outpaint", photo, expand="24", model=filler)
    with pytest.raises(UsageError, match="at least one must grow"):
        host.apply("outpaint", photo, expand="0,0,0,0", model=filler)
    with pytest.raises(UsageError, match="LEFT,TOP,RIGHT,BOTTOM"):
        host.apply("outpaint", photo, expand=(1.5, 0, 0, 0), model=filler)
    with pytest.raises(UsageError, match="the result is 16560x16528, over the limit of 200000000"):
        host.apply("outpaint", photo, expand=(8192,) * 4, model=filler)
    white = np.full(photo.shape[:2], 255, np.uint8)
    with pytest.raises(UsageError, match=r"whole picture is to be filled.*--invert-mask"):
        host.apply("outpaint", photo, mask=white, expand="8,0,0,0", model=filler)


def test_a_wide_seam_leaves_half_of_a_small_picture(host: Host, filler: Path, photo: Array) -> None:
    little = photo[:32, :40]
    made = host.apply("outpaint", little, expand=(10,) * 4, seam=64, model=filler)
    assert np.array_equal(made[18:34, 18:42], little[8:-8, 8:-8])
    assert not np.array_equal(made[10:-10, 10:-10], little)
    mask = np.full((32, 40), 255, np.uint8)
    mask[:4, :4] = 0
    with pytest.raises(UsageError, match="a `seam` of 64 cover the whole picture"):
        host.apply(
            "outpaint", little, mask=mask, expand=(10,) * 4, seam=64, model=filler, largest=1
        )


@pytest.mark.parametrize("mark", [{"mask_color": "#ff00ff"}, {"from_alpha": True}])
def test_a_mark_that_is_not_there_adds_nothing_to_a_mask(
    host: Host, filler: Path, photo: Array, hole: Array, mark: dict[str, Any]
) -> None:
    alone, both = (host.apply("inpaint", photo, mask=hole, model=filler, **m) for m in ({}, mark))
    assert np.array_equal(alone, both)


@pytest.mark.parametrize("method", ["telea", "navier-stokes", "patchmatch"])
def test_classical_methods(host: Host, photo: Array, hole: Array, method: str) -> None:
    pytest.importorskip(classic._LIBRARIES[method][0])
    damaged = np.where(hole[..., None] > 0, np.uint8(255), photo)
    filled, again = (host.apply("inpaint", damaged, mask=hole, method=method) for _ in range(2))
    assert np.array_equal(filled, again)
    assert np.array_equal(filled[hole == 0], damaged[hole == 0])
    assert np.abs(filled[hole > 0].astype(float) - photo[hole > 0]).mean() < 25
    larger = host.apply("outpaint", photo, expand=(8, 8, 8, 8), method=method)
    assert larger.shape == (160, 192, 3)


@pytest.mark.parametrize("filter", ["inpaint", "outpaint"])
def test_the_recipe_names_the_models_that_were_used(
    host: Host, filler: Path, photo: Array, hole: Array, filter: str
) -> None:
    pytest.importorskip("cv2")
    given = Image(floats(photo), mask=floats(hole))
    used = host.apply(filter, given, model=filler).metadata.recipe.steps[0].models
    assert list(used) == [filler.name]
    made = host.apply(filter, given, method="telea")
    assert made.metadata.recipe.steps[0].models == {}
    again = host.replay(made.metadata.recipe, given, mask=floats(hole))
    assert np.array_equal(again.pixels, made.pixels)
    with pytest.raises(UsageError, match="method telea uses no model; leave it out, or use gan"):
        host.apply(filter, given, method="telea", model=filler)


@pytest.mark.parametrize("method", ["telea", "patchmatch"])
def test_a_missing_library_is_named(
    host: Host, photo: Array, hole: Array, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, package = classic._LIBRARIES[method]
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=rf"needs {package}; .*ganfilters\[classic\]"):
        host.apply("inpaint", photo, mask=hole, method=method)


@pytest.mark.parametrize("filter", [Inpaint, Outpaint])
def test_conformance(filter: Any, filler: Path) -> None:
    params = {"model": filler, "method": "gan", "seam": 1.0, "largest": 1.0}
    skipped = ("models",)  # which the plugin pins are checked with the plugin
    if filter is Inpaint:
        params |= {"from_alpha": False, "dilate": 0.0, "seam": 0.0}
    subject = Subject(filter, params)
    failed = [o for o in run_checks(subject, skip=skipped) if not o.passed]
    assert not failed, [(o.check, o.message) for o in failed]


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        (slice(100, 130), slice(150, 190)),
        (slice(0, 20), slice(100, 140)),  # at the border, more is seen
        (slice(200, 203), slice(20, 280)),
        (slice(180, 240), slice(280, 300)),
    ],
)
@pytest.mark.parametrize("options", [{}, {"dilate": 5.5, "seam": 3.0}, {"method": "telea"}])
def test_of_a_large_array_only_what_is_near_the_hole_is_seen(
    host: Host, filler: Path, rows: slice, columns: slice, options: dict[str, Any]
) -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(0, 255, (240, 300, 3), np.uint8)
    mask = np.zeros((240, 300), np.uint8)
    mask[rows, columns] = 255
    options = options if "method" in options else {**options, "model": filler}
    job = host.prepare("inpaint", mask=mask, **options).job
    region = job.region(300, 240)
    assert region is not None
    assert mask[region].size < mask.size
    whole = host.apply("inpaint", Image.from_array(array), mask=mask, **options)
    part = host.apply("inpaint", array, mask=mask, **options)
    assert np.array_equal(part, convert.to_array(whole))


def test_the_share_to_fill_is_that_of_the_whole_picture(host: Host, filler: Path) -> None:
    array = np.zeros((400, 400, 3), np.uint8)
    mask = np.zeros((400, 400), np.uint8)
    mask[:60, :60] = 255  # 2 % of the picture, 11 % of what is seen
    host.apply("inpaint", array, mask=mask, model=filler, largest=0.05)
    with pytest.raises(UsageError, match=r"2% of the picture is to be filled"):
        host.apply("inpaint", array, mask=mask, model=filler, largest=0.01)

"""What the host lets inpaint do: reach beyond the mask, and fill what is transparent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image as Pillow

from ganfilters import Host, UsageError

Array = np.ndarray[Any, Any]


def test_the_filling_reaches_beyond_the_mask(
    host: Host, filler: Path, photo: Array, hole: Array
) -> None:
    damaged = photo.copy()
    damaged[45:95, 55:115] = 255  # five pixels more than the mask says
    filled = host.apply("inpaint", damaged, mask=hole, model=filler, dilate=6, seam=2)
    changed = (filled != damaged).any(axis=2)
    assert changed[hole == 0].sum() > 500
    assert not changed[:40].any()
    assert np.abs(filled.astype(float) - photo)[45:95, 55:115].mean() < 40
    half = host.apply("inpaint", damaged, mask=hole, model=filler, dilate=6, seam=2, strength=0.5)
    assert np.abs(half.astype(float) - (filled.astype(float) + damaged) / 2).max() <= 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_files_are_kept_to_the_bit_beyond_the_rim(
    host: Host, filler: Path, dtype: Any, tmp_path: Path
) -> None:
    """Through PNG files with alpha: every sample further than `dilate` from the mask."""
    top = np.iinfo(dtype).max
    given = np.random.default_rng(3).integers(0, top, (96, 120, 4), dtype, endpoint=True)
    mask = np.zeros((96, 120), np.uint8)
    mask[40:60, 50:80] = 255
    source, selection, out = (tmp_path / name for name in ("in.png", "mask.png", "out.png"))
    source.write_bytes(imagecodecs.png_encode(given))
    Pillow.fromarray(mask).save(selection)
    host.apply("inpaint", source, mask=selection, dilate=5, model=filler).save(out)
    made = imagecodecs.png_decode(out.read_bytes())
    assert made.dtype == dtype
    rows, columns = np.ogrid[:96, :120]
    away = np.hypot(
        np.maximum(0, np.maximum(40 - rows, rows - 59)),
        np.maximum(0, np.maximum(50 - columns, columns - 79)),
    )
    assert np.array_equal(made[away > 5], given[away > 5])
    assert (made != given)[away <= 5][:, :3].any(axis=1).mean() > 0.9
    assert np.array_equal(made[..., 3], given[..., 3])


def test_what_is_transparent_is_filled(
    host: Host, filler: Path, photo: Array, hole: Array, tmp_path: Path
) -> None:
    file, out = tmp_path / "in.png", tmp_path / "out.png"
    Pillow.fromarray(np.dstack([photo, 255 - hole])).save(file)
    host.apply("inpaint", file, from_alpha=True, model=filler).save(out)
    with Pillow.open(out) as opened:
        made = np.asarray(opened.convert("RGBA"))
    assert (made[..., 3] == 255).all()
    far = np.ones(hole.shape, np.bool_)
    far[40:100, 50:120] = False
    assert np.array_equal(made[far][:, :3], photo[far])
    with pytest.raises(UsageError, match="no transparent area"):
        host.apply("inpaint", photo, from_alpha=True, model=filler)


def test_an_extended_picture_keeps_its_transparency(
    host: Host, filler: Path, photo: Array, hole: Array
) -> None:
    clear = np.dstack([photo, 255 - hole])
    made = host.apply("outpaint", clear, expand=(8, 0, 0, 0), model=filler)
    assert np.array_equal(made[:, 8:, 3], 255 - hole)
    assert (made[:, :8, 3] == 255).all()


def test_feather_is_not_for_this_filter(
    host: Host, filler: Path, photo: Array, hole: Array
) -> None:
    with pytest.raises(UsageError, match=r"fades its edges itself.*ganfilters show inpaint"):
        host.apply("inpaint", photo, mask=hole, feather=5, model=filler)

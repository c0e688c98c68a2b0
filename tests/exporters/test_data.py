"""Folders and arrays of pictures: odd files, errors, and batches that depend on the step alone."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganfilters.errors import UsageError
from ganfilters_exporters.data import (
    apply_crops,
    draw_crops,
    load_arrays,
    load_pictures,
    spread,
)
from ganfilters_exporters.files import DiskFullError


def picture(path: Path, size: tuple[int, int] = (40, 30), mode: str = "RGB", seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0], len(mode)) if mode != "L" else (size[1], size[0])
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    picture(root / "a" / "one.png")
    picture(root / "a" / "two.jpg", (64, 50), seed=1)
    picture(root / "b" / "grey.png", mode="L", seed=2)
    picture(root / "b" / "alpha.png", mode="RGBA", seed=3)
    picture(root / "b" / "small.png", (5, 5))
    (root / "b" / "broken.jpg").write_bytes(b"no picture")
    whole = picture(root / "b" / "cut.jpg", (60, 60), seed=4).read_bytes()
    (root / "b" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (root / "notes.txt").write_text("not a picture")
    return root


def test_broken_and_small_pictures_are_skipped_and_counted(folder: Path) -> None:
    found = load_pictures([folder], 24, classes=True)
    assert found.pixels.shape == (4, 24, 24, 3)
    assert found.pixels.dtype == torch.uint8
    reasons = "\n".join(found.skipped)
    assert len(found.skipped) == 3
    assert "broken.jpg" in reasons
    assert "cut.jpg" in reasons
    assert "small.png: 5 pixels are too small, 12 are needed" in reasons
    assert found.classes == ("a", "b")
    assert found.labels is not None
    assert [Path(n).parent.name for n in found.names] == ["a", "a", "b", "b"]
    assert found.labels.tolist() == [0, 0, 1, 1]
    grey = found.pixels[[Path(n).name for n in found.names].index("grey.png")]
    assert torch.equal(grey[..., 0], grey[..., 2])


def test_pictures_stay_whole_where_a_broken_one_left_a_gap(folder: Path) -> None:
    all_of_it = load_pictures([folder], 24)
    for name, pixels in zip(all_of_it.names, all_of_it.pixels, strict=True):
        alone = load_pictures([Path(name)], 24)
        assert torch.equal(alone.pixels[0], pixels)


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        load_pictures([tmp_path / "nowhere"], 24)
    with pytest.raises(UsageError, match=r"no usable picture; give .* 12 pixels.*\.bmp, .*webp"):
        load_pictures([tmp_path], 24)
    (tmp_path / "x.png").write_bytes(b"")
    with pytest.raises(UsageError, match=r"no usable picture; 1 skipped, the first: .*x\.png"):
        load_pictures([tmp_path], 24)


def test_small_pictures_are_stored_as_they_are(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", (32, 32))
    assert load_pictures([tmp_path], 64, smallest=16).size == 32


def test_a_memory_mapped_file_holds_the_same(folder: Path, tmp_path: Path) -> None:
    two = [load_pictures([folder], 24, cache=tmp_path / "new" / "run", ram_limit=0) for _ in "ab"]
    wanted = load_pictures([folder], 24).pixels
    assert all(torch.equal(mapped.pixels, wanted) for mapped in two)
    # It has no name: nothing is left, whatever ends the process, and no folder is made for it.
    assert list(tmp_path.iterdir()) == [folder]


def test_a_disk_without_room_for_the_pictures_is_told(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DiskFullError, match=r"no space left on device; 0\.0 GB are needed"):
        load_pictures([folder], 24, cache=tmp_path, ram_limit=0)


def test_sixteen_bits_and_transparency(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 40 * 40).astype(np.uint16).reshape(40, 40)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    clear = np.zeros((40, 40, 4), np.uint8)
    Image.fromarray(clear).save(tmp_path / "clear.png")
    found = load_pictures([tmp_path], 40)
    by_name = {Path(n).name: p.float() for n, p in zip(found.names, found.pixels, strict=True)}
    assert by_name["clear.png"].min() == 255
    assert abs(float(by_name["deep.png"].mean()) - 127.5) < 2


def test_batches_depend_on_seed_and_step_alone(folder: Path) -> None:
    found = load_pictures([folder], 24)
    first, _ = found.batch(7, 3, 16, seed=1)
    found.batch(8, 3, 16, seed=1)
    torch.manual_seed(99)
    again, _ = load_pictures([folder], 24).batch(7, 3, 16, seed=1)
    assert torch.equal(first, again)
    assert first.shape == (3, 3, 16, 16)
    assert first.min() >= 0
    assert first.max() <= 1
    assert not torch.equal(first, found.batch(8, 3, 16, seed=1)[0])
    assert not torch.equal(first, found.batch(7, 3, 16, seed=2)[0])


def test_an_epoch_shows_every_picture_once_over_all_processes(folder: Path) -> None:
    found = load_pictures([folder], 24)  # 4 pictures
    seen = [i for step in range(4) for i in found.indices(step, 3, seed=5).tolist()]
    assert [sorted(seen[n : n + 4]) for n in (0, 4, 8)] == [[0, 1, 2, 3]] * 3
    shared = [
        found.indices(step, 1, seed=5, process=p, processes=2).tolist()[0]
        for step in range(6)
        for p in range(2)
    ]
    assert shared == seen


def test_crops_lie_inside_and_mirror() -> None:
    crops = draw_crops(64, (0.5, 1.0), True, torch.Generator().manual_seed(0))
    assert float((crops.centre.abs() + crops.scale[:, None]).max()) <= 1 + 1e-6
    assert set(crops.mirror.tolist()) == {-1.0, 1.0}
    whole = draw_crops(2, (1.0, 1.0), False, torch.Generator().manual_seed(0))
    images = torch.rand(2, 3, 12, 12)
    assert torch.allclose(apply_crops(images, whole, 12), images, atol=1e-5)
    flipped = draw_crops(2, (1.0, 1.0), False, torch.Generator())
    flipped.mirror.fill_(-1)
    assert torch.allclose(apply_crops(images, flipped, 12), images.flip(3), atol=1e-5)


def test_arrays_with_labels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (6, 8, 8), np.uint8)
    np.savez(tmp_path / "set-imgs.npz", pixels)
    np.savez(tmp_path / "set-labels.npz", np.array([0, 1, 2, 0, 1, 2], np.uint8))
    found = load_arrays(tmp_path / "set-imgs.npz")
    assert found.pixels.shape == (6, 8, 8, 1)
    assert found.classes == ("0", "1", "2")
    images, labels = found.batch(0, 6, 8, seed=0, zoom=(1, 1), flip=False)
    assert images.shape == (6, 1, 8, 8)
    assert labels is not None
    assert sorted(labels.tolist()) == [0, 0, 1, 1, 2, 2]
    order = found.indices(0, 6, seed=0)
    assert torch.allclose(images[:, 0] * 255, torch.from_numpy(pixels).float()[order], atol=1e-3)
    assert load_arrays(tmp_path / "set-imgs.npz", channels=3).pixels.shape == (6, 8, 8, 3)
    np.savez(tmp_path / "one.npz", images=pixels, labels=np.arange(6))
    assert load_arrays(tmp_path / "one.npz").labels is not None


def test_arrays_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"no")
    with pytest.raises(UsageError, match="cannot be read"):
        load_arrays(tmp_path / "x.npz")
    np.savez(tmp_path / "y.npz", np.zeros((3, 4, 5), np.uint8))
    with pytest.raises(UsageError, match="N squares are needed"):
        load_arrays(tmp_path / "y.npz")
    np.savez(tmp_path / "z.npz", np.zeros((3, 4, 4), np.float32))
    with pytest.raises(UsageError, match="no uint8 pictures"):
        load_arrays(tmp_path / "z.npz")
    np.savez(tmp_path / "w.npz", np.zeros((3, 4, 4), np.uint8), np.arange(2))
    with pytest.raises(UsageError, match=r"labels of shape \(2,\) for 3 pictures"):
        load_arrays(tmp_path / "w.npz")
    squares = np.zeros((3, 4, 4), np.uint8)
    for labels, message in (
        ([0, 1, 3_000_000_000], "labels from 0 to 3000000000; number the classes from 0 on"),
        ([0, -1, 2], "labels from -1 to 2"),
        ([0, 0.5, 1], "labels of type float64; whole numbers or names"),
    ):
        np.savez(tmp_path / "v.npz", squares, np.array(labels))
        with pytest.raises(UsageError, match=message):
            load_arrays(tmp_path / "v.npz")


@pytest.mark.parametrize("how", ["empty", "cut", "flip"])
def test_a_damaged_npz_is_named(tmp_path: Path, how: str) -> None:
    file = tmp_path / "broken.npz"
    np.savez(file, np.arange(3000, dtype=np.uint8).reshape(-1, 10, 10))
    content = bytearray(file.read_bytes())
    if how == "flip":
        content[500] ^= 255
    file.write_bytes({"empty": b"", "cut": content[:1000]}.get(how, bytes(content)))
    with pytest.raises(UsageError, match=r"broken\.npz cannot be read as \.npz"):
        load_arrays(file)


def test_labels_may_be_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "n.npz", np.zeros((3, 4, 4), np.uint8), np.array(["oak", "elm", "oak"]))
    found = load_arrays(tmp_path / "n.npz")
    assert found.classes == ("elm", "oak")
    assert found.labels is not None
    assert found.labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize(("total", "count"), [(39, 20), (11, 6), (3, 5), (100, 20), (1, 1)])
def test_some_are_taken_from_all_over(total: int, count: int) -> None:
    found = spread(range(total), count)
    assert len(found) == len(set(found)) == min(total, count)
    assert found[0] == 0
    assert found[-1] >= total - 1 - total / count

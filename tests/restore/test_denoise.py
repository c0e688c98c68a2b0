"""The denoise filter, on a small network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from ganfilters import Host, Image, UsageError
from ganfilters.testing.subject import Subject
from ganfilters.testing.suite import run_checks
from ganfilters_denoise import Denoise, DenoiseParams

Array = np.ndarray[Any, Any]


def test_what_is_given_counts(host: Host, denoiser: Path, photo: Array) -> None:
    results = [
        host.apply("denoise", photo, model=denoiser, **given)
        for given in ({}, {"sigma": 0}, {"sigma": 50}, {"sigma": 50, "jpeg": 100})
    ]
    assert all(r.shape == photo.shape for r in results)
    for number, first in enumerate(results):
        for second in results[number + 1 :]:
            assert not np.array_equal(first, second)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_told_that_there_is_nothing_it_leaves_the_picture(
    host: Host, denoiser: Path, photo: Array, dtype: Any
) -> None:
    given = photo.astype(dtype) * (np.iinfo(dtype).max // 255)
    assert np.array_equal(host.apply("denoise", given, model=denoiser, sigma=0, jpeg=0), given)
    assert not np.array_equal(host.apply("denoise", given, model=denoiser, sigma=0), given)


def test_grey_stays_grey(host: Host, denoiser: Path, photo: Array, tmp_path: Path) -> None:
    file, out = tmp_path / "in.png", tmp_path / "out.png"
    Pillow.fromarray(photo[..., 0]).save(file)
    host.apply("denoise", file, model=denoiser).save(out)
    with Pillow.open(out) as made:
        assert made.mode == "L"
        assert not np.array_equal(np.asarray(made), photo[..., 0])


def test_strength_and_mask_are_the_hosts(
    host: Host, denoiser: Path, photo: Array, hole: Array
) -> None:
    done = host.apply("denoise", photo, model=denoiser, mask=hole)
    assert np.array_equal(done[hole == 0], photo[hole == 0])
    full, half = (
        host.apply("denoise", photo / 255, model=denoiser, strength=s) for s in (1.0, 0.5)
    )
    np.testing.assert_allclose(half, (full + photo / 255) / 2, atol=1e-5)


def test_tiles_are_not_seen(host: Host, denoiser: Path) -> None:
    rng = np.random.default_rng(0)
    photo = rng.random((400, 1504, 3), np.float32)  # tiles begin at multiples of 8
    tiled = host.apply("denoise", photo, model=denoiser)
    whole = Denoise(host.runtime).apply(Image(photo), DenoiseParams(model=denoiser))
    assert np.abs(tiled - whole.pixels).max() < 0.5 / 255


def test_bounds_are_told(host: Host, denoiser: Path, photo: Array) -> None:
    with pytest.raises(UsageError, match="sigma is 60; it must be from 0 to 50"):
        host.apply("denoise", photo, model=denoiser, sigma=60)


def test_conformance(denoiser: Path) -> None:
    subject = Subject(Denoise, {"model": denoiser})
    failed = [o for o in run_checks(subject, skip=("models",)) if not o.passed]
    assert not failed, [(o.check, o.message) for o in failed]

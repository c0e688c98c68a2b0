"""The denoise filter, on a small network."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from ganfilters import Chain, Host, Image, UsageError, imageio
from ganfilters.chains.paths import with_whole_paths
from ganfilters.testing.subject import Subject
from ganfilters.testing.suite import run_checks
from ganfilters_denoise import Denoise, DenoiseParams

from .conftest import floats

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


def test_texture_is_a_mean_of_two_networks(host: Host, photo: Array) -> None:
    rng = np.random.default_rng(0)
    noisy = np.clip(photo / 255 + 0.1 * rng.standard_normal(photo.shape), 0, 1).astype(np.float32)
    exact, half, full = (host.apply("denoise", noisy, texture=t) for t in (0.0, 0.5, 1.0))
    assert np.array_equal(exact, host.apply("denoise", noisy))
    assert np.abs(full - exact).max() > 0.02
    inside = np.minimum(exact, full) > 0.02  # clipping comes after the mean
    inside &= np.maximum(exact, full) < 0.98
    assert inside.mean() > 0.5
    np.testing.assert_allclose(half[inside], ((exact + full) / 2)[inside], atol=1e-5)


def test_texture_is_nearer_to_the_roughness_of_fur(host: Host) -> None:
    with Pillow.open(Path(__file__).parents[2] / "examples" / "chelsea.jpg") as opened:
        fur = floats(np.asarray(opened.convert("RGB"))[40:260, 60:340])
    noise = np.random.default_rng(0).standard_normal(fur.shape, np.float32)
    noisy = np.clip(fur + 25 / 255 * noise, 0, 1)
    exact, textured = (host.apply("denoise", noisy, texture=t) for t in (0.0, 1.0))
    rough = [np.abs(np.diff(each.mean(2), axis=1)).mean() for each in (exact, textured, fur)]
    assert rough[0] < 0.9 * rough[1] < 0.9 * rough[2]


def test_only_what_is_needed_is_loaded(denoiser: Path) -> None:
    names = [
        [model.path.name for model in Denoise.models_for(DenoiseParams(**given))]
        for given in ({}, {"texture": 0.5}, {"texture": 1}, {"model": denoiser})
    ]
    both = ["denoise.onnx", "texture.onnx"]
    assert names == [both[:1], both, both[1:], [denoiser.name]]


def test_texture_has_a_network_of_its_own(host: Host, denoiser: Path, photo: Array) -> None:
    with pytest.raises(UsageError, match="leave out texture or model"):
        host.apply("denoise", photo, model=denoiser, texture=0.5)


def test_conformance(denoiser: Path) -> None:
    subject = Subject(Denoise, {"model": denoiser})
    failed = [o for o in run_checks(subject, skip=("models",)) if not o.passed]
    assert not failed, [(o.check, o.message) for o in failed]


def test_a_model_of_a_picture_is_found_from_where_the_work_was_done(
    host: Host,
    denoiser: Path,
    photo: Array,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its recipe names the model from there, and the picture lies elsewhere."""
    work, made, elsewhere = (tmp_path / name for name in ("work", "made", "elsewhere"))
    for folder in (work / "models", made, elsewhere):
        folder.mkdir(parents=True)
    monkeypatch.chdir(work)
    own = Path("models", "own.onnx")
    shutil.copyfile(denoiser, own)
    host.apply("denoise", Image(floats(photo)), model=own).save(made / "out.png")
    expected = host.apply("denoise", photo, model=own)
    chain = Chain.load(made / "out.png")
    assert np.array_equal(host.apply(chain, photo), expected)
    whole = with_whole_paths(chain, host.registry.get, pytest.fail)
    assert whole.steps[0].values["model"] == str(work / own)
    # Another file of its name is not taken for it.
    shutil.copytree(work / "models", made / "models")
    shutil.copyfile(Denoise.models[0].path, made / own)
    assert np.array_equal(host.apply(chain, photo), expected)
    # From another folder, with the right one beside the picture.
    monkeypatch.chdir(elsewhere)
    shutil.copyfile(denoiser, made / own)
    assert np.array_equal(host.apply(Chain.load(made / "out.png"), photo), expected)
    recipe = imageio.read_recipe(made / "out.png")
    again = host.replay(recipe, Image(floats(photo)), folders=[made])
    assert np.array_equal(np.rint(255 * again.pixels), expected)

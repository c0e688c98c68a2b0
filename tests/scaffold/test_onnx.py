"""``ganfilters new-plugin --onnx``: what is found out about a model, and that the plugin works."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from ganfilters import Filter, ModelCard, ModelFile, Tiling, Traits
from ganfilters.models import CARD_KEY
from ganfilters.testing import Subject, picture, run_checks
from tests.cli.conftest import error
from tests.scaffold import models
from tests.scaffold.test_new_plugin import new

Make = Callable[[Path], Path]
LOCAL = Tiling(size=1024, overlap=16)


def written(tmp_path: Path, make: Make, *words: str) -> tuple[type[Filter[Any]], dict[str, str]]:
    """Write a plugin for a model; return its filter and what the command said it found."""
    path = make(tmp_path / "model.onnx")
    folder = tmp_path / "made"
    result = new("tiny", folder, "--onnx", path, "--overwrite", *words)
    assert result.exit_code == 0, result.output
    pairs = re.findall(r"^  (\S+(?: \S+)?) {2,}(\S.*)$", result.output, re.MULTILINE)
    sys.path.insert(0, str(folder / "src"))
    importlib.invalidate_caches()
    module = importlib.import_module("ganfilters_tiny")
    return module.Tiny, dict(pairs)


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let every test import a package of its own under the same name."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("ganfilters_tiny", None)


CASES: list[tuple[str, Make, Traits, str, Callable[[Any], Any]]] = [
    ("negative", models.negative, Traits(tiling=LOCAL), "0..1 in, 0..1 out", lambda p: 1 - p),
    (
        "negative_255",
        models.negative_255,
        Traits(tiling=LOCAL),
        "0..255 in, 0..255 out",
        lambda p: 1 - p,
    ),
    (
        "negative_signed",
        models.negative_signed,
        Traits(tiling=LOCAL),
        "-1..1 in, -1..1 out",
        lambda p: 1 - p,
    ),
    ("imagenet", models.imagenet, Traits(tiling=LOCAL), "imagenet in, 0..1 out", lambda p: p),
    (
        "grey",
        models.grey,
        Traits(tiling=LOCAL),
        "0..1 in, 0..1 out",
        lambda p: np.repeat(1 - (p @ [0.299, 0.587, 0.114])[..., None], 3, axis=2),
    ),
    ("half", models.half, Traits(tiling=LOCAL), "0..1 in, 0..1 out", lambda p: 1 - p),
    ("no_batch", models.no_batch, Traits(tiling=LOCAL), "0..1 in, 0..1 out", lambda p: 1 - p),
    ("open", models.open_channels, Traits(tiling=LOCAL), "0..1 in, 0..1 out", lambda p: 1 - p),
    ("bytes", models.bytes_, Traits(tiling=LOCAL), "0..255 in, 0..255 out", lambda p: 1 - p),
    ("fixed", models.fixed, Traits(), "0..1 in, 0..1 out", lambda p: None),
    ("blur", models.blur, Traits(tiling=LOCAL), "0..1 in, 0..1 out", lambda p: None),
    ("exposed", models.exposed, Traits(), "0..1 in, 0..1 out", lambda p: None),
    (
        "reflecting",
        models.reflecting,
        Traits(size_min=24, tiling=LOCAL),
        "0..1 in, 0..1 out",
        lambda p: p,
    ),
    (
        "eights",
        models.eights,
        Traits(size_multiple=8, tiling=LOCAL),
        "0..1 in, 0..1 out",
        lambda p: None,
    ),
    (
        "twice",
        models.resized(2.0),
        Traits(keeps_size=False),
        "0..1 in, 0..1 out",
        lambda p: p.repeat(2, 0).repeat(2, 1),
    ),
    (
        "half_size",
        models.resized(0.5),
        Traits(),
        "0..1 in, 0..1 out",
        lambda p: None,
    ),
    (
        "several_outputs",
        models.several_outputs,
        Traits(tiling=LOCAL),
        "0..1 in, 0..1 out",
        lambda p: 1 - p,
    ),
]


@pytest.mark.parametrize(
    ("make", "traits", "values", "expected"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_a_model_becomes_a_filter_that_conforms(
    tmp_path: Path, make: Make, traits: Traits, values: str, expected: Callable[[Any], Any]
) -> None:
    made, told = written(tmp_path, make)
    assert made.traits == traits
    assert told["values"].startswith(values)
    subject = Subject(made)
    found = list(run_checks(subject, skip=["light_import"]))
    assert [(o.check, o.message) for o in found if not o.passed] == []
    pixels = picture(40, 56)
    wanted = expected(pixels)
    if wanted is not None:
        assert np.allclose(subject.run(pixels), wanted, atol=1.5 / 255)


def test_further_inputs_become_parameters(tmp_path: Path) -> None:
    made, told = written(tmp_path, models.with_inputs)
    fields = made.Params.model_fields
    assert list(fields) == ["strength_value", "rounds", "flip", "styles"]
    # There is a table of nine behind `rounds`: beyond it the model fails.
    assert told["parameter rounds"] == "0 to 8, 1 by default (bounds are a guess)"
    assert told["parameter styles"] == "3 weights by number, 0 to 2"
    subject = Subject(made)
    assert all(outcome.passed for outcome in run_checks(subject, skip=["light_import"]))
    pixels = picture(16, 16)
    values = {"rounds": 8, "strength_value": 1.0, "flip": True, "styles": "0=0.25,2=0.5"}
    assert np.allclose(subject.run(pixels, **values), (1 - pixels) * 0.75, atol=1e-5)
    with pytest.raises(AssertionError, match="3 is not a number from 0 to 2"):
        subject.run(pixels, styles="3=1")


def test_only_what_the_wanted_output_needs_is_wired(tmp_path: Path) -> None:
    made, told = written(tmp_path, models.several_outputs)
    assert not made.Params.model_fields
    assert told["not used"] == "output loud"


def test_the_copy_is_pinned(tmp_path: Path) -> None:
    made, _ = written(tmp_path, models.negative)
    (model,) = made.models
    assert model.path == tmp_path / "made" / "src" / "ganfilters_tiny" / "model.onnx"
    assert model.sha256 == ModelFile(tmp_path / "model.onnx").verify()
    assert str(model.sha256) in (tmp_path / "made" / "README.md").read_text()


def test_the_user_knows_the_ranges_better(tmp_path: Path) -> None:
    made, told = written(tmp_path, models.negative, "--range", "-1..1", "--output-range", "0..1")
    assert told["values"] == "-1..1 in, 0..1 out"  # and no word of a guess
    dark = np.full((8, 8, 3), 0.25, np.float32)
    assert np.allclose(Subject(made).run(dark), 1.0)  # 1 - (-0.5), clipped
    code = (tmp_path / "made" / "src" / "ganfilters_tiny" / "__init__.py").read_text()
    assert "guess" not in code.split('"""', 2)[2]


def test_a_guess_is_called_one_in_the_code(tmp_path: Path) -> None:
    written(tmp_path, models.negative_255)
    code = (tmp_path / "made" / "src" / "ganfilters_tiny" / "__init__.py").read_text()
    assert code.count("Its values are from 0 to 255, a guess.") == 2


def carded(path: Path, **changes: Any) -> Path:
    made = onnx.load(models.blur(path))
    told = {"filter": "tiny", "name": "n", "version": "1", "title": "Softens", "licence": "MIT"}
    card = ModelCard.model_validate({**told, "command": "make", **changes})
    onnx.helper.set_model_props(made, {CARD_KEY: json.dumps(card.model_dump(mode="json"))})
    onnx.save(made, path)
    return path


def test_a_card_says_which_sizes_are_right(tmp_path: Path) -> None:
    made, _ = written(tmp_path, lambda path: carded(path, size_multiple=4, size_min=16))
    assert (made.traits.size_multiple, made.traits.size_min) == (4, 16)
    assert all(outcome.passed for outcome in run_checks(Subject(made), only=["models", "sizes"]))


def test_a_model_of_another_filter_is_refused(tmp_path: Path) -> None:
    path = carded(tmp_path / "a.onnx", filter="other")
    message = error(new("tiny", tmp_path / "made", "--onnx", path))
    assert "is made for the filter other (Softens)" in message
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("make", "words", "message"),
    [
        (models.words, [], "takes no picture: its inputs are ids 1 x ? int64"),
        (models.classifier, [], "are no picture of 1 or 3 channels and the same shape (y 1 x 3)"),
        (models.two_pictures, [], "takes 2 pictures (x 1 x 3 x ? x ? float; style"),
        (models.with_latent, [], "its input z (1 x 4 x 5 x 6, tensor(float)) is neither"),
        (models.unpadded, [], "are no picture of 1 or 3 channels and the same shape"),
        (models.not_finite, [], "makes values that are not finite"),
        (models.beside, [], "keeps its weights in files beside it"),
        (models.bytes_, ["--range", "0..1"], "the model takes uint8, so its range is 0..255"),
        (lambda path: Path(__file__), [], "cannot be loaded"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_no_filter_is_told_in_one_line(
    tmp_path: Path, make: Make, words: list[str], message: str
) -> None:
    path = make(tmp_path / "model.onnx")
    assert message in error(new("tiny", tmp_path / "made", "--onnx", path, *words))
    assert not (tmp_path / "made").exists()

"""Each check passes on filters that keep the promise, and fails on one that breaks it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import ganfilters
import ganfilters.testing
from ganfilters import Image, ModelCard, ModelFile, Tiling, Traits, UsageError
from ganfilters.models import CARD_KEY
from ganfilters.testing import CHECKS, Subject, conformance, run_checks
from ganfilters.testing.sources import private_names
from tests.testing import toys

BURN = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
HERE = "tests.testing.toys"
test_good = conformance(toys.Good, package=HERE)
BY_NAME = {check.__name__.removeprefix("check_"): check for check in CHECKS}


@pytest.mark.parametrize("filter", toys.GOOD[1:], ids=lambda cls: cls.name)
def test_good_filters_pass_every_check(filter: type) -> None:
    found = list(run_checks(Subject(filter, package=HERE)))
    assert [(o.check, o.message) for o in found if not o.passed] == []
    assert len(found) == len(CHECKS)


BROKEN: list[tuple[str, type, str]] = [
    ("declarations", toys.plain(name="Not A Name"), "needs `name`: lower-case"),
    ("declarations", toys.plain(summary="s" * 101), "101 characters; at most 100"),
    ("parameters", toys.plain(Params=toys.NoBounds), "without le; give it both bounds"),
    ("parameters", toys.plain(Params=toys.BadDefault), "the default of parameter 'radius'"),
    ("parameters", toys.plain(Params=toys.NoDefault), "'radius' has no default"),
    ("parameters", toys.plain(Params=toys.BadPreset), "the preset 'loud' is not allowed"),
    ("defaults_run", toys.pixelwise(lambda p: p.foo), "a run with the defaults failed"),
    (
        "bounds_run",
        toys.plain(Params=toys.GainParams, apply=toys.fails_at_bound),
        "a run with gain=0",
    ),
    ("sizes", toys.pixelwise(toys.even_only), r"declare Traits\(size_multiple=8\)"),
    ("sizes", toys.pixelwise(toys.large_only), r"declare Traits\(size_min=32\)"),
    (
        "sizes",
        toys.pixelwise(toys.small_only, traits=Traits(size_max=200)),
        r"declare Traits\(size_max=50\)",
    ),
    ("sizes", toys.pixelwise(lambda p: p.foo), "apply.. itself is at fault"),
    ("result", toys.pixelwise(lambda p: p * 2), r"they must be in \[0, 1\]"),
    ("result", toys.pixelwise(lambda p: p / p.max()), "black gave values that are not finite"),
    ("result", toys.pixelwise(lambda p: p[1:]), "keep the size"),
    ("result", toys.plain(apply=lambda self, image, params: image.pixels), "returned ndarray"),
    ("input_kept", toys.pixelwise(toys.writes), "changed 3 pixels of its input"),
    ("repeatable", toys.plain(apply=toys.counts), "two runs with the same parameters differ"),
    ("seed", toys.plain(Params=toys.SeedParams), "seeds 0 and 1 give the same picture"),
    (
        "generate",
        toys.plain(generate=toys.draws, traits=Traits(input="optional")),
        "two different pictures from the same parameters",
    ),
    (
        "tiling",
        toys.pixelwise(
            lambda p: p * 0 + p.mean(), traits=Traits(tiling=Tiling(size=64, overlap=8))
        ),
        "declare tiling=None",
    ),
    ("mask", toys.plain(apply=toys.no_mask), "a run with a mask failed"),
    ("threads", toys.Stores, "two threads at once get other results"),
    ("cancellation", toys.plain(apply=toys.deaf), "goes on after it was cancelled"),
    (
        "cancellation",
        toys.plain(generate=toys.deaf_generate, traits=Traits(input="optional")),
        r"generate\(\) goes on after it was cancelled",
    ),
    (
        "bounds_run",
        toys.plain(Params=toys.GuideParams, apply=toys.misguided),
        "a run with guide=a picture failed.*no guide is expected",
    ),
    (
        "result",
        toys.plain(apply=lambda self, image, params: Image(image.pixels.astype(np.float64))),
        "must be float32",
    ),
    ("frames", toys.moving(toys.growing), "frames of different sizes"),
    ("frames", toys.moving(toys.flicker), "two different animations"),
    ("frames", toys.moving(toys.too_bright), r"frames=2 failed.*must be in \[0, 1\]"),
    ("frames", toys.moving(toys.no_frames), "gave no frame"),
    ("frames", toys.moving(toys.writing_frames), r"frames\(\) changed its input"),
    ("frames", toys.moving(toys.deaf_frames), r"frames\(\) goes on after it was cancelled"),
    ("frames", toys.plain(frames=toys.never), "say which values ask for one"),
    ("bounds_run", toys.moving(toys.no_frames), "frames=10000 failed: frames.. gave no frame"),
]


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@pytest.mark.parametrize(("check", "filter", "message"), BROKEN)
def test_a_broken_promise_is_told(check: str, filter: type, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        BY_NAME[check](Subject(filter))


def test_a_bound_that_the_filter_refuses_on_its_own_is_told_and_not_run() -> None:
    told = BY_NAME["bounds_run"](Subject(toys.plain(Params=toys.GlowParams)))
    assert told == "8 runs, without radius=1, radius=9, refused on their own"


def test_a_narrow_overlap_is_told_with_one_that_holds() -> None:
    class Narrow(toys.Blur):
        traits = Traits(tiling=Tiling(size=96, overlap=1))

        def apply(self, image: Any, params: Any) -> Any:
            padded = np.pad(image.pixels, [(8, 8), (8, 8), (0, 0)])
            windows = np.lib.stride_tricks.sliding_window_view(padded, (17, 17), axis=(0, 1))
            return image.replace(pixels=windows.mean(axis=(-1, -2), dtype=np.float32))

    with pytest.raises(AssertionError, match=r"declare Tiling\(size=128, overlap=32\)"):
        BY_NAME["tiling"](Subject(Narrow))


def test_long_silence_is_told() -> None:
    subject = Subject(toys.plain(apply=toys.slow), quiet_seconds=0.01)
    with pytest.raises(AssertionError, match="without report_progress"):
        BY_NAME["cancellation"](subject)


def test_help_that_cannot_be_made_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> str:
        raise ValueError("no face")

    monkeypatch.setattr("ganfilters.schema.markdown", broken)
    with pytest.raises(AssertionError, match="the Markdown table cannot be made: no face"):
        BY_NAME["help"](Subject(toys.Good))


@pytest.mark.parametrize(
    ("check", "message"), [("mask", "outside the mask changed"), ("strength", "strength 0 changed")]
)
def test_a_host_that_forgets_mask_and_strength_is_told(
    check: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganfilters.jobs.blend", lambda source, pixels, *_: (pixels, None))
    with pytest.raises(AssertionError, match=message):
        BY_NAME[check](Subject(toys.Good))


def model(path: Path, **changes: Any) -> ModelFile:
    card = {"filter": "plain", "name": "n", "version": "1", "title": "T", "licence": "MIT"}
    told = ModelCard.model_validate({**card, "command": "make", **changes})
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [out])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(made, {CARD_KEY: told.model_dump_json()})
    onnx.save(made, path)
    return ModelFile(path, ModelFile(path).verify())


@pytest.mark.parametrize(
    ("changes", "traits", "message"),
    [
        ({}, Traits(), ""),
        ({"size_multiple": 8}, Traits(size_multiple=16), ""),
        ({"filter": "other"}, Traits(), "made for the filter other"),
        ({"licence": " "}, Traits(), "states no licence"),
        ({"size_multiple": 8}, Traits(size_multiple=4), r"Traits\(size_multiple=8\)"),
        ({"size_min": 64}, Traits(size_min=32), r"Traits\(size_min=64\)"),
        ({"size_max": 64}, Traits(size_max=128), r"Traits\(size_max=64\)"),
    ],
)
def test_models(tmp_path: Path, changes: dict[str, Any], traits: Traits, message: str) -> None:
    file = model(tmp_path / "a.onnx", **changes)
    subject = Subject(toys.plain(models=(file,), traits=traits))
    if not message:
        assert BY_NAME["models"](subject) == "1 verified"
        return
    with pytest.raises(AssertionError, match=message):
        BY_NAME["models"](subject)


def test_two_filters_may_run_one_network(tmp_path: Path) -> None:
    file = model(tmp_path / "a.onnx", filter="other")
    subject = Subject(toys.plain(models=(file,), models_of="other"))
    assert BY_NAME["models"](subject) == "1 verified"


def test_damaged_and_unpinned_models_are_told(tmp_path: Path) -> None:
    file = model(tmp_path / "a.onnx")
    for given, message in (
        (ModelFile(file.path), f"give its sha256: {file.sha256}"),
        (ModelFile(file.path, "0" * 64), "is not the published one"),
        (ModelFile(tmp_path / "none.onnx", "0" * 64), "cannot be read"),
    ):
        with pytest.raises(AssertionError, match=message):
            BY_NAME["models"](Subject(toys.plain(models=(given,))))


@pytest.mark.parametrize(
    ("first", "message"),
    [
        ("import onnxruntime", "imports onnxruntime"),
        ("import socket; socket.create_connection(('localhost', 1))", "opens a connection"),
        ("import sys; sys.exit(3)", "failed: SystemExit"),
        (BURN, "s of its own, over 0.1 s; build"),
        ("import PIL.Image, sqlite3", ""),
        ("print('hello')", ""),
    ],
)
def test_what_an_import_costs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str, message: str
) -> None:
    (tmp_path / "heavy_plugin.py").write_text(first + "\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    subject = Subject(toys.plain(__module__="heavy_plugin"))
    if not message:
        assert BY_NAME["light_import"](subject).endswith(" ms")
        return
    with pytest.raises(AssertionError, match=message):
        BY_NAME["light_import"](subject)


def test_what_a_slow_import_loads_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "heavy_library.py").write_text(BURN)
    (tmp_path / "heavy_plugin.py").write_text("import heavy_library")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(AssertionError, match="it loads heavy_library: import those in the func"):
        BY_NAME["light_import"](Subject(toys.plain(__module__="heavy_plugin")))


def test_an_import_that_hangs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stuck_plugin.py").write_text("import threading; threading.Event().wait()")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr("ganfilters.testing.sources._IMPORT_TIMEOUT", 2.0)
    with pytest.raises(AssertionError, match="is not done after 2 s; an import must not wait"):
        BY_NAME["light_import"](Subject(toys.plain(__module__="stuck_plugin")))


@pytest.fixture
def release() -> Iterator[None]:
    """Let the thread of a filter that hangs end with its test."""
    toys.RELEASE.clear()
    yield
    toys.RELEASE.set()


@pytest.mark.usefixtures("release")
def test_a_hang_is_reported_with_its_check_time_and_line_and_ends_the_run() -> None:
    class Stuck(toys.Good):
        apply = toys.hangs

    subject = Subject(Stuck, package=HERE, time_limit=0.5)
    *passed, last = run_checks(subject, skip=["light_import"])
    assert all(outcome.passed for outcome in passed)
    assert (last.check, last.passed) == ("defaults_run", False)
    assert re.match(r"not done after 0\.5 s: it is at toys\.py:\d+, in hangs\(\);", last.message)


@pytest.mark.usefixtures("release")
def test_after_a_hang_the_other_tests_of_a_filter_are_skipped() -> None:
    test = conformance(toys.plain(apply=toys.hangs), time_limit=0.2)
    with pytest.raises(AssertionError, match="not done after"):
        test(BY_NAME["defaults_run"])
    with pytest.raises(pytest.skip.Exception, match="defaults_run hangs"):
        test(BY_NAME["mask"])


def test_checks_can_be_chosen_and_left_out() -> None:
    subject = Subject(toys.Good)
    assert [o.check for o in run_checks(subject, only=["mask", "seed"])] == ["seed", "mask"]
    assert [o.check for o in run_checks(subject, only=["mask", "seed"], skip=["mask"])] == ["seed"]
    with pytest.raises(UsageError, match="no check 'masks'; did you mean mask"):
        conformance(toys.Good, skip=["masks"])


def test_frames_are_made_with_the_values_that_the_author_gives() -> None:
    assert "frames=5" in BY_NAME["frames"](Subject(toys.Fade, frames={"frames": 5}))
    assert "frames=2" in BY_NAME["frames"](Subject(toys.Fade))


def test_a_model_of_others_needs_no_card(tmp_path: Path) -> None:
    made = onnx.load(model(tmp_path / "a.onnx").path)
    del made.metadata_props[:]
    onnx.save(made, tmp_path / "b.onnx")
    file = ModelFile(tmp_path / "b.onnx", ModelFile(tmp_path / "b.onnx").verify())
    subject = Subject(toys.plain(models=(file,)))
    assert BY_NAME["models"](subject) == "1 verified, without a card: b.onnx"


@pytest.mark.parametrize(
    "line",
    [
        "from ganfilters.host import Host",
        "from ganfilters import schema",
        "import ganfilters.runtime",
        "import ganfilters; ganfilters.registry",
        "from importlib import import_module; import_module('ganfilters.host')",
        "from ganfilters.testing.sizes import check_sizes",
    ],
)
def test_private_names_are_told(line: str) -> None:
    assert list(private_names(line))


@pytest.mark.parametrize(
    "line",
    [
        "from ganfilters import Filter, Image, hookimpl",
        "import ganfilters; ganfilters.apply",
        "from ganfilters.testing import conformance",
        "from . import host",
    ],
)
def test_public_names_are_fine(line: str) -> None:
    assert not list(private_names(line))


@pytest.mark.parametrize("home", [ganfilters, ganfilters.testing], ids=lambda x: x.__name__)
def test_every_public_name_may_be_imported(home: ModuleType) -> None:
    for name in home.__all__:
        assert not list(private_names(f"from {home.__name__} import {name}"))
    assert list(private_names(f"from {home.__name__} import {name}_"))


def test_private_names_are_found_in_the_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "prying_plugin"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "deep.py").write_text("\nfrom ganfilters.host import Host\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(AssertionError, match=r"deep.py:2 from ganfilters.host import Host"):
        BY_NAME["public_names"](Subject(toys.Good, package="prying_plugin"))


def test_a_failed_declaration_ends_the_run() -> None:
    (only,) = run_checks(Subject(toys.plain(name="Not A Name")))
    assert not only.passed

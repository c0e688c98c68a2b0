"""The public interface changes on purpose only, and every part of it has a docstring."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest

import ganfilters
from tests import public_api


def test_the_public_interface_is_the_reviewed_one() -> None:
    changed = public_api.difference()
    if changed:
        pytest.fail(
            f"the public interface has changed:\n\n{changed}\n\nIf that is meant, accept it with\n"
            "    python -m tests.public_api --update\n"
            "and say it in CHANGELOG.md. A name, parameter or option that goes away is first "
            "deprecated: see CONTRIBUTING.md.",
            pytrace=False,
        )


def _changed(value: object) -> str:
    return "\n".join(public_api.described("thing", value))


def test_what_is_noticed() -> None:
    def before(a: int, *, b: str = "x") -> None: ...
    def after(a: int, b: str = "x") -> None: ...

    assert _changed(before) == "thing(a: int, *, b: str = 'x') -> None"
    assert _changed(after) == "thing(a: int, b: str = 'x') -> None"


@pytest.mark.parametrize(
    "line",
    [
        "class UsageError(GanfiltersError)",
        "    Host.device -> str  [property]",
        "    ModelFile.packaged(cls, package: str, name: str, sha256: str) -> ModelFile  "
        "[classmethod]",
        "    Filter.apply(self, image: Image, params: P) -> Image  [abstract]",
        "    Tiling.size: int = 1024",
        "ganfilters replay --verify",
        "ganfilters apply FILTER --feather PX = 0.0",
        "dream --octaves: integer 1..16 = 5",
        "exit codes: 0, 1, 2, 130, 141",
    ],
)
def test_every_kind_of_thing_is_in_it(line: str) -> None:
    assert line in public_api.describe().splitlines()


@pytest.mark.parametrize("module", public_api.MODULES)
def test_public_names_can_be_imported(module: str) -> None:
    home = import_module(module)
    assert list(home.__all__) == sorted(home.__all__)
    for name in home.__all__:
        assert getattr(home, name) is not None
        assert name in dir(home)


def test_classes_that_the_interface_names_belong_to_it() -> None:
    missing = [f"{name}, named by {where}" for name, where in public_api.unlisted().items()]
    if missing:
        pytest.fail(
            "not in ganfilters.__all__:\n    " + "\n    ".join(missing) + "\n"
            "Add it there and to docs/reference/, or to HELD or INTERNAL of tests/public_api.py.",
            pytrace=False,
        )


@pytest.mark.parametrize("name", ["Prepared", "Registry", "Entry", "LoadError", "PluginInfo"])
def test_a_class_that_is_named_but_not_public_is_told(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest = [other for other in ganfilters.__all__ if other != name]
    monkeypatch.setattr(ganfilters, "__all__", rest)
    (found,) = public_api.unlisted()
    assert found.endswith(f".{name}")


@pytest.mark.parametrize("listed", ["HELD", "INTERNAL"])
def test_lists_of_classes_that_are_not_public_hold_no_others(
    listed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = getattr(public_api, listed)
    assert list(names) == sorted(names)
    for name in names:
        monkeypatch.setattr(public_api, listed, tuple(x for x in names if x != name))
        found = {other.rpartition(".")[2] for other in public_api.unlisted()}
        assert name.rpartition(".")[2] in found, f"{listed} of tests/public_api.py: {name}"
        assert name.rpartition(".")[2] not in ganfilters.__all__


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ganfilters.nothing


@pytest.mark.parametrize("module", public_api.MODULES)
def test_every_public_thing_has_a_docstring(module: str) -> None:
    home = import_module(module)
    for name in home.__all__:
        value = getattr(home, name)
        if not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        assert value.__doc__, name
        for member, what in vars(value).items() if inspect.isclass(value) else ():
            if callable(what) and not member.startswith("_"):
                assert what.__doc__, f"{name}.{member}"

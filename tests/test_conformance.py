"""Our own filters pass the suite that every plugin is given, whichever there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ganfilters.registry import Entry, Registry
from ganfilters.testing import conformance

ROOT = Path(__file__).resolve().parent.parent
REGISTRY = Registry.discover()
OURS = {
    entry.filter.name: entry for entry in REGISTRY.entries() if entry.distribution == "ganfilters"
}

# What keeps the checks of heavy filters quick. A filter that is not here runs with its defaults.
QUICK: dict[str, dict[str, Any]] = {
    "dream": {"params": {"octaves": 1, "iterations": 1}, "generate": {"size": "64x48"}},
    # With their bounds nothing would be left to fill, or to go by, in small pictures.
    "inpaint": {"params": {"largest": 1.0, "from_alpha": False, "dilate": 0.0, "seam": 0.0}},
    "outpaint": {"params": {"expand": "8,8,8,8", "seam": 1.0, "largest": 1.0}},
    "style": {"params": {"refine": 2}},
    "latent": {"frames": {"walk": "1,2", "frames": 3}},
}

for _name, _entry in OURS.items():
    globals()[f"test_{_name.replace('-', '_')}"] = conformance(
        _entry.filter, **QUICK.get(_name, {})
    )


def test_every_plugin_in_the_tree_is_checked() -> None:
    folders = {
        path.name for path in (ROOT / "plugins").iterdir() if (path / "__init__.py").is_file()
    }
    found = {entry.filter.__module__.partition(".")[0] for entry in OURS.values()}
    assert folders == found, "install this package again: its entry points have changed"
    assert not [error for error in REGISTRY.errors() if error.distribution == "ganfilters"]
    assert set(QUICK) <= set(OURS)


@pytest.mark.parametrize("entry", OURS.values(), ids=OURS)
def test_our_models_carry_a_card(entry: Entry) -> None:
    for model in entry.filter.models:
        assert model.card_for(entry.filter.models_of or entry.filter.name).licence

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from tests.sites import Site

# Tracing a network makes millions of small objects, and looking for cycles among them as often as
# is usual takes a seventh of the time of an export.
gc.set_threshold(100_000)


@pytest.fixture(autouse=True, scope="session")
def no_settings_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> object:
    """Keep the settings of whoever runs the tests out of them, subprocesses included."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANFILTERS_CONFIG_DIR", str(tmp_path_factory.mktemp("config")))
        for variable in ("GANFILTERS_PLUGINS", "GANFILTERS_IMPORT_TIMEOUT"):
            patch.delenv(variable, raising=False)
        yield


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test a configuration folder of its own; return it. It does not exist yet."""
    folder = tmp_path / "config"
    monkeypatch.setenv("GANFILTERS_CONFIG_DIR", str(folder))
    return folder


@pytest.fixture
def site(tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Return a folder of sys.path where distributions can be put, and an empty configuration."""
    made = Site(tmp_path / "site")
    monkeypatch.syspath_prepend(str(made.folder))
    monkeypatch.setenv("PYTHONPATH", str(made.folder))
    return made

"""The user's settings file: read, written whole, and damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ganfilters import UsageError, settings
from ganfilters.settings import Settings, read_settings, settings_file, write_settings


def test_no_file_is_empty_settings(config: Path) -> None:
    assert read_settings() == Settings()
    assert not config.exists()


def test_what_is_written_is_read_and_is_for_people(config: Path) -> None:
    path = write_settings(Settings(frozenset(["glow", "bloom"])))
    assert path == settings_file() == config / "settings.json"
    assert read_settings().disabled_plugins == {"glow", "bloom"}
    assert path.read_text() == '{\n  "disabled_plugins": [\n    "bloom",\n    "glow"\n  ]\n}\n'
    assert [found.name for found in config.iterdir()] == ["settings.json"]


def test_what_another_version_has_set_is_kept(config: Path) -> None:
    config.mkdir()
    (config / "settings.json").write_text('{"later": {"a": 1}, "disabled_plugins": ["x"]}')
    found = read_settings()
    write_settings(Settings(frozenset(), found.others))
    assert json.loads((config / "settings.json").read_text()) == {
        "later": {"a": 1},
        "disabled_plugins": [],
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Expecting value"),
        ('{"disabled_plugins": ["a" "b"]}', "line 1"),
        ("[1]", "must be a JSON object"),
        ('{"disabled_plugins": "glow"}', "must be a list of names"),
        ('{"disabled_plugins": [1]}', "must be a list of names"),
        ("[" * 200_000, "recursion"),
        (b"\xff\xfe\x00", "damaged"),
    ],
)
def test_a_damaged_file_is_one_line_that_names_it(
    config: Path, text: str | bytes, words: str
) -> None:
    config.mkdir()
    path = config / "settings.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError, match=words) as raised:
        read_settings()
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_link_stays_a_link(config: Path, tmp_path: Path) -> None:
    config.mkdir()
    real = tmp_path / "dotfiles.json"
    real.write_text("{}")
    (config / "settings.json").symlink_to(real)
    write_settings(Settings(frozenset(["glow"])))
    assert (config / "settings.json").is_symlink()
    assert "glow" in real.read_text()


def test_a_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GANFILTERS_CONFIG_DIR", str(tmp_path / "file" / "config"))
    assert read_settings() == Settings()
    with pytest.raises(UsageError, match="GANFILTERS_CONFIG_DIR names another"):
        write_settings(Settings())


def test_the_folder_is_where_the_system_has_such_things(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANFILTERS_CONFIG_DIR", "")  # empty is not set
    monkeypatch.setattr(
        "platformdirs.user_config_path", lambda name, **_: tmp_path / "system" / name
    )
    assert settings.config_folder() == tmp_path / "system" / "ganfilters"


@pytest.mark.parametrize(
    ("text", "seconds"), [("", 10.0), ("2.5", 2.5), ("0", None), ("inf", None)]
)
def test_the_time_limit(monkeypatch: pytest.MonkeyPatch, text: str, seconds: float | None) -> None:
    monkeypatch.setenv("GANFILTERS_IMPORT_TIMEOUT", text)
    assert settings.import_timeout() == seconds


@pytest.mark.parametrize("text", ["soon", "-1", "nan"])
def test_a_time_limit_that_is_none(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("GANFILTERS_IMPORT_TIMEOUT", text)
    with pytest.raises(UsageError, match=f"is '{text}'; write seconds"):
        settings.import_timeout()

"""The site builds strictly, without a network, and fetches nothing from elsewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import DOCS, PAGES, ROOT


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=folder,
        env={"PATH": "", "NO_COLOR": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the site is made of, away from the working tree."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(DOCS, folder / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("zensical.toml", "CHANGELOG.md", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def site(tree: Path) -> Path:
    done = build(tree)
    assert done.returncode == 0, done.stdout + done.stderr
    return tree / "site"


def test_every_page_is_built_and_in_the_navigation(site: Path) -> None:
    home = (site / "index.html").read_text("utf-8")
    for page in PAGES:
        if DOCS not in page.parents:
            continue
        where = page.relative_to(DOCS).with_suffix("")
        where = where.parent if where.name == "index" else where
        assert (site / where / "index.html").is_file()
        if where.parts:
            assert f'href="./{where.as_posix()}/"' in home, f"{page.name} is not in the navigation"


def test_reading_it_fetches_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        fetched = re.findall(
            r"<(?:link|script|img|iframe)[^>]*(?:href|src)=\"?(https?:[^\" >]*)", text
        )
        assert not fetched, page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(\"?https?:|@import", sheet.read_text("utf-8")), sheet


def test_pictures_and_reference_are_there(site: Path) -> None:
    dream = (site / "filters" / "dream" / "index.html").read_text("utf-8")
    assert 'src="../../images/dream-six.jpg"' in dream
    assert (site / "images" / "dream-six.jpg").is_file()
    reference = (site / "reference" / "python" / "index.html").read_text("utf-8")
    assert 'id="ganfilters.Host.apply"' in reference
    assert not list(site.rglob("*.py"))


@pytest.mark.parametrize(
    "text",
    ["[lost](nowhere.md)", "[lost](index.md#nowhere)", "::: ganfilters.Nothing", '--8<-- "no.md"'],
)
def test_what_leads_nowhere_fails_the_build(tree: Path, text: str) -> None:
    page = tree / "docs" / "install.md"
    before = page.read_text("utf-8")
    try:
        page.write_text(f"{before}\n{text}\n", "utf-8")
        assert build(tree).returncode != 0
    finally:
        page.write_text(before, "utf-8")

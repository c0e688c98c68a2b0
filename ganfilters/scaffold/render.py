"""Filling the templates and writing the files: all of them or none."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from string import Template

from ganfilters._version import __version__
from ganfilters.errors import UsageError
from ganfilters.scaffold.names import Names

__all__ = ["check_folder", "render", "write"]

# Template to the file it becomes. Where there are two, the first is for a plugin with a model.
_TESTS = "tests/test_$snake.py"
_SOURCE = "src/$module/__init__.py"
_SHARED = {
    "pyproject.toml.tmpl": "pyproject.toml",
    "LICENSE.tmpl": "LICENSE",
    "gitignore.tmpl": ".gitignore",
}
_PLAIN = {"README.md.tmpl": "README.md", "plugin.py.tmpl": _SOURCE, "test.py.tmpl": _TESTS}
_WITH_MODEL = {
    "README-onnx.md.tmpl": "README.md",
    "plugin-onnx.py.tmpl": _SOURCE,
    "test-onnx.py.tmpl": _TESTS,
}


def render(
    names: Names, *, summary: str, author: str, model: Mapping[str, str] | None = None
) -> dict[str, bytes]:
    """Return the files of a plugin, by their path in its folder.

    Parameters
    ----------
    names
        What it is called.
    summary, author
        One line each, without quotes.
    model
        Values of the templates for a plugin with a model (see `wiring`); None for one without.
    """
    values = {
        "name": names.name,
        "snake": names.name.replace("-", "_"),
        "distribution": names.distribution,
        "module": names.module,
        "Class": names.class_name,
        "summary": summary,
        "author": author,
        "ganfilters": ".".join(__version__.split(".")[:2]),
        "artifacts": "",
        **(model or {}),
    }
    chosen = {**_SHARED, **(_PLAIN if model is None else _WITH_MODEL)}
    folder = resources.files("ganfilters.scaffold") / "templates"
    made = {
        Template(target).substitute(values): Template((folder / source).read_text("utf-8"))
        .substitute(values)
        .encode()
        for source, target in chosen.items()
    }
    return {**made, f"src/{names.module}/py.typed": b""}


def write(folder: Path, files: Mapping[str, bytes | Path], *, overwrite: bool) -> None:
    """Write files under `folder`, which is made if need be; nothing else in it is touched.

    Parameters
    ----------
    folder
        Its parent must exist.
    files
        Path in the folder to content, or to a file whose content is copied.
    overwrite
        Replace files that exist.

    Raises
    ------
    UsageError
        A file exists and may not be replaced, or the folder cannot be made or written to. Then
        nothing was written.
    """
    check_folder(folder)
    _check_files(folder, files, overwrite=overwrite)
    try:
        # Beside the target, so that moving there is a rename.
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as name:
            staged = Path(name) / "plugin"
            for relative, content in files.items():
                path = staged / relative
                path.parent.mkdir(parents=True, exist_ok=True)
                if isinstance(content, Path):
                    shutil.copyfile(content, path)
                else:
                    path.write_bytes(content)
            if not folder.exists():
                staged.rename(folder)
                return
            for relative in files:
                (folder / relative).parent.mkdir(parents=True, exist_ok=True)
                (staged / relative).replace(folder / relative)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror or error}") from error


def check_folder(folder: Path) -> None:
    """Check that a plugin can be written to a folder, which may be there or not.

    Raises
    ------
    UsageError
        It is a file, or its parent does not exist.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; name a folder that is new or empty")
    if not folder.parent.is_dir():
        raise UsageError(f"the folder {folder.parent} does not exist")


def _check_files(folder: Path, files: Mapping[str, object], *, overwrite: bool) -> None:
    for relative in files:
        path = folder / relative
        if path.is_dir():
            raise UsageError(f"{path} is a folder where a file is to go; name another folder")
        for parent in path.relative_to(folder).parents:
            if (folder / parent).exists() and not (folder / parent).is_dir():
                raise UsageError(f"{folder / parent} is a file where a folder is to go")
    existing = [relative for relative in files if (folder / relative).exists()]
    if existing and not overwrite:
        count = len(existing)
        what = f"{folder / existing[0]} exists"
        more = f" (and {count - 1} more)" if count > 1 else ""
        raise UsageError(f"{what}{more}; --overwrite replaces what this command writes")

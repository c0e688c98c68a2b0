"""Which picture is made from which, decided and checked before any work begins."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ganfilters.errors import ImageError, UsageError, nearest
from ganfilters.files import check, why_unreadable
from ganfilters.imageio import FORMATS, format_of

__all__ = [
    "STREAM",
    "Output",
    "Plan",
    "check_given",
    "check_target",
    "extension_of",
    "is_made",
    "plan",
]

STREAM = "-"
"""The name that stands for standard input or output."""

_SEPARATORS = tuple(filter(None, (os.sep, os.altsep)))
_SLASHES = "".join(_SEPARATORS)


@dataclass(frozen=True)
class Output:
    """One file to be made. `source` is None for a picture made from nothing."""

    source: str | None
    target: str


@dataclass(frozen=True)
class Plan:
    """All outputs of a run; in a `batch` one failure does not stop the others."""

    outputs: tuple[Output, ...]
    batch: bool


def extension_of(name: str) -> str:
    """Return the usual extension of a format named by ``--format``: ``"jpeg"`` to ``".jpg"``.

    Raises
    ------
    UsageError
        There is no such format.
    """
    dotted = "." + name.lower().lstrip(".")
    if dotted in FORMATS:
        return dotted
    by_name = {entry.name.lower(): entry for entry in FORMATS.values()}
    if name.lower() in by_name:
        return by_name[name.lower()].extensions[0]
    raise UsageError(f"--format is {name}; {nearest(name.lower(), by_name, what='formats')}")


def plan(
    paths: Sequence[str],
    *,
    takes: str,
    out_dir: str | None = None,
    recursive: bool = False,
    format: str | None = None,
    overwrite: bool = False,
    skip_existing: bool = False,
) -> Plan:
    """Turn the paths of a command line into outputs.

    A folder's pictures (by extension) keep their place below the output folder; `recursive`
    descends into folders within it. What is hidden, with a dot before its name, is left out.

    Parameters
    ----------
    paths
        Inputs and, without `out_dir`, the output as the last.
    takes
        The filter's ``traits.input``.
    out_dir
        Folder for all outputs.
    recursive
        Also take the pictures in subfolders.
    format
        Format of all outputs, in place of their extension.
    overwrite
        Existing outputs may be replaced.
    skip_existing
        Existing outputs are no error; the plan has them, and who carries it out leaves them.

    Raises
    ------
    UsageError
        The paths do not make sense, outputs collide, exist, or have nowhere to go.
    ImageError
        A lone input does not exist; of several such a one is told in its turn.
    """
    if overwrite and skip_existing:
        raise UsageError("--overwrite and --skip-existing exclude each other; choose one")
    extension = extension_of(format) if format is not None else None
    rules = {"overwrite": overwrite, "skip_existing": skip_existing}
    check_given("--out-dir", out_dir)
    for number, path in enumerate(paths, 1):
        check_given("OUTPUT" if number == len(paths) and out_dir is None else "INPUT", path)
    if out_dir is not None:
        if takes == "none":
            raise UsageError("the filter takes no input, so --out-dir has no use; give one OUTPUT")
        if not paths:
            raise UsageError("--out-dir needs at least one input")
        outputs = list(_into_folder(paths, Path(out_dir), extension, recursive=recursive))
        return _checked(Plan(tuple(outputs), batch=True), Path(out_dir), **rules)
    source, target = _pair(paths, takes)
    _check_there(source)
    if source is not None and source != STREAM and Path(source).is_dir():
        root = _output_folder(source, target)
        outputs = list(_into_folder([source], root, extension, recursive=recursive))
        return _checked(Plan(tuple(outputs), batch=True), root, **rules)
    if recursive:
        raise UsageError(
            "--recursive is for a folder as input" + (f"; {source} is none" if source else "")
        )
    advice = f", or use --out-dir {target}" if source is not None else ""
    hint = _generate_hint(source, takes)
    if not (skip_existing and is_made(target)):
        check_target(target, source, overwrite=overwrite, hint=hint, advice=advice)
    if target != STREAM and extension is None:
        format_of(target)
    return Plan((Output(source, target),), batch=False)


def check_given(name: str, path: str | None) -> None:
    """Refuse an empty path, which Python takes for the current folder.

    Raises
    ------
    UsageError
        It is empty.
    """
    if path == "":
        raise UsageError(f"{name} is empty; give a path (is a variable of the shell not set?)")


def _check_there(source: str | None) -> None:
    """Tell of an input that is missing before the output is looked at, which depends on it."""
    if source is None or source == STREAM:
        return
    with suppress(ValueError):  # a null character, which is told when it is read
        try:
            Path(source).stat()
        except OSError as error:
            raise ImageError(why_unreadable(source, error)) from error


def _pair(paths: Sequence[str], takes: str) -> tuple[str | None, str]:
    """Return input and output of a run that makes one picture or one folder of them."""
    if takes == "none":
        if len(paths) != 1:
            raise UsageError(f"the filter takes no input; give one OUTPUT, not {len(paths)} paths")
        return None, paths[0]
    if len(paths) > 2:
        raise UsageError(
            f"{len(paths)} paths are too many; several inputs need --out-dir DIR, "
            "and INPUT OUTPUT are two"
        )
    if len(paths) == 2:
        return paths[0], paths[1]
    if len(paths) == 1 and takes == "optional":
        return None, paths[0]
    needed = "INPUT and OUTPUT" if takes == "required" else "INPUT and OUTPUT, or OUTPUT alone"
    missing = f"only {paths[0]} was given" if paths else "none was given"
    raise UsageError(f"give {needed}; {missing}")


def _generate_hint(source: str | None, takes: str) -> str:
    """Explain a lone path, which may be an input whose output was forgotten."""
    if source is None and takes == "optional":
        return " (a single path is the output; to filter a picture give INPUT and OUTPUT)"
    return ""


def _output_folder(source: str, target: str) -> Path:
    if target == STREAM:
        raise UsageError(f"{source} is a folder, which standard output cannot take; name a folder")
    folder = Path(target)
    if folder.is_file() or (not folder.exists() and folder.suffix.lower() in FORMATS):
        raise UsageError(
            f"{source} is a folder, so the output must be a folder; {target} is a file"
        )
    return folder


def _into_folder(
    sources: Iterable[str], root: Path, extension: str | None, *, recursive: bool
) -> Iterator[Output]:
    for source in sources:
        if source == STREAM:
            raise UsageError("standard input has no name to use in a folder; give an OUTPUT file")
        if Path(source).is_dir():
            found = list(_pictures(Path(source), root, recursive=recursive))
            if not found:
                more = "" if recursive else "; --recursive looks into its subfolders too"
                raise UsageError(f"there are no pictures in the folder {source}{more}")
        else:
            found = [(Path(source), Path(Path(source).name))]
        for path, relative in found:
            if extension is None:
                _check_writable_format(path)
            target = root / (relative.with_suffix(extension) if extension else relative)
            yield Output(str(path), str(target))


def _check_writable_format(path: Path) -> None:
    try:
        format_of(path)
    except ImageError as error:
        raise UsageError(f"{error} with --format") from error


def _pictures(folder: Path, output: Path, *, recursive: bool) -> Iterator[tuple[Path, Path]]:
    """Yield the pictures of a folder with their path inside it, sorted.

    Left out are outputs, videos, which are written and not read, and what begins with a dot: trash,
    thumbnails, ``.git``, and the ``._a.png`` with what macOS knows of ``a.png``.
    """
    skipped = output.resolve() if output.resolve() != folder.resolve() else None
    for where, folders, files in os.walk(folder):
        here = Path(where)
        if recursive:
            folders[:] = sorted(
                name
                for name in folders
                if not name.startswith(".") and (here / name).resolve() != skipped
            )
        else:
            folders.clear()
        for name in sorted(files):
            entry = FORMATS.get(Path(name).suffix.lower())
            if entry is not None and entry.still and not name.startswith("."):
                yield here / name, (here / name).relative_to(folder)


def is_made(target: str) -> bool:
    """Return whether an output is there already."""
    return target != STREAM and Path(target).is_file()


def _checked(plan: Plan, root: Path, *, overwrite: bool, skip_existing: bool) -> Plan:
    """Check all outputs together, before a long run rather than during it."""
    made: dict[Path, Output] = {}
    sources = {key: each for each in plan.outputs if (key := _identity(each.source)) is not None}
    existing = []
    for output in plan.outputs:
        target = Path(output.target)
        other = made.setdefault(target.resolve(), output)
        if other is not output:
            raise UsageError(
                f"{other.source} and {output.source} would both be written to {output.target}; "
                "use different names or folders"
            )
        key = _identity(output.target)
        if key is None or (skip_existing and is_made(output.target)):
            continue
        overwritten = sources.get(key)
        if overwritten is not None and overwritten is not output:
            raise UsageError(f"the output {output.target} of {output.source} is another input")
        _check_writable(output.target, overwrite=True)  # those that exist are told together
        existing.append(output.target)
    if existing and not overwrite:
        count = len(existing)
        raise UsageError(
            f"{existing[0]} exists; --overwrite replaces it, --skip-existing leaves it"
            if count == 1
            else f"{count} outputs exist ({existing[0]}, ...); --overwrite replaces them, "
            "--skip-existing leaves them"
        )
    _check_root(root)
    return plan


def _identity(path: str | None) -> tuple[int, int] | None:
    """Return what is equal for two names of one file, through links too; None if there is none."""
    if path is None or path == STREAM:
        return None
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def check_target(
    target: str,
    source: str | None = None,
    *,
    overwrite: bool = False,
    hint: str = "",
    advice: str = "",
) -> None:
    """Check that an output can be written where it is to go.

    Parameters
    ----------
    target
        The output.
    source
        The input, which is not replaced unless asked for.
    overwrite
        An existing output may be replaced.
    hint
        What to add where the output exists.
    advice
        What to add where it is a folder.

    Raises
    ------
    UsageError
        It exists and may not be replaced, is a folder or the input itself, or its folder is
        missing or cannot be written to.
    """
    if target == STREAM:
        return
    check_given("the path of the output", target)
    if target.endswith(_SEPARATORS) and Path(target.rstrip(_SLASHES)).is_file():
        raise UsageError(f"{target} names a folder, and {target.rstrip(_SLASHES)} is a file")
    if Path(target).is_dir() or target.endswith(_SEPARATORS):
        raise UsageError(f"{target} is a folder; name a file in it{advice}")
    key = _identity(target)
    if key is not None and key == _identity(source) and not overwrite:
        raise UsageError(f"{source} and {target} are the same file; --overwrite replaces it")
    exists = key is not None and not overwrite
    _check_writable(target, overwrite=overwrite, hint=hint if exists else "")


def _check_writable(target: str, *, overwrite: bool, hint: str = "") -> None:
    try:
        check(target, overwrite=overwrite)
    except ImageError as error:
        raise UsageError(f"{error}{hint}") from error


def _check_root(folder: Path) -> None:
    """Check that the folder of all outputs can be written to, or could be made."""
    place = folder
    while not place.exists() and not place.is_symlink() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise UsageError(f"{place} is no folder, so no output can go to {folder}")
    if not os.access(place, os.W_OK | os.X_OK):
        raise UsageError(f"the folder {place} cannot be written to")

"""Put a network into the plugin that ships it, and pin its checksum there.

The file says in its card which filter it is for. It is copied to where that filter's plugin
declares a packaged model (one of the file's name, if it declares several), and the checksum in the
declaration is replaced. Run from the repository:

    python tools/pin_model.py inpaint.onnx
    python docs/generate.py
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from pathlib import Path

from ganfilters import GanfiltersError, ModelFile, UsageError

ROOT = Path(__file__).resolve().parent.parent
# No file in git is larger.
LARGEST = 16 * 10**6

_DECLARATION = re.compile(
    r'ModelFile\.packaged\(\s*"(?P<package>\w+)",\s*"(?P<name>[\w./-]+)",\s*'
    r'sha256=(?:"[0-9a-f]{64}"|"0" \* 64),?\s*\)'
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path, help="network with a card, made by train or export")
    try:
        target, source = pin(ROOT, parser.parse_args().file)
    except GanfiltersError as error:
        sys.exit(f"pin_model: error: {error}")
    print(f"{target.relative_to(ROOT)} is in place, its checksum in {source.relative_to(ROOT)}")
    print("next: python docs/generate.py, and commit both when the network is good")


def pin(root: Path, file: Path) -> tuple[Path, Path]:
    """Copy a network into its plugin and pin it.

    Parameters
    ----------
    root
        The repository.
    file
        The network.

    Returns
    -------
    target
        Where it is now.
    source
        The module whose declaration was changed.

    Raises
    ------
    GanfiltersError
        The file is no network with a card, is too large for git, or is for a filter whose plugin
        declares no packaged model, or several.
    """
    card = ModelFile(file).card
    if file.stat().st_size > LARGEST:
        raise UsageError(
            f"{file} has {file.stat().st_size / 1e6:.1f} MB; no file in git may have over "
            f"{LARGEST / 1e6:.0f} MB, so train a smaller network"
        )
    plugin = root / "plugins" / f"ganfilters_{card.filter.replace('-', '_')}"
    found = [
        (source, match)
        for source in sorted(plugin.glob("*.py"))
        for match in _DECLARATION.finditer(source.read_text(encoding="utf-8"))
    ]
    if len(found) > 1:
        found = [(s, match) for s, match in found if Path(match["name"]).name == file.name] or found
    if len(found) != 1:
        raise UsageError(
            f"{file} is for the filter {card.filter}, and {plugin.relative_to(root)} declares "
            f"{len(found)} packaged models; one is needed, or one named {file.name}"
        )
    source, match = found[0]
    target = plugin / match["name"]
    target.parent.mkdir(exist_ok=True)
    _replace(target, file)
    text = source.read_text(encoding="utf-8")
    line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
    indent = " " * (len(line) - len(line.lstrip()))
    parts = [f'"{match["package"]}"', f'"{match["name"]}"']
    parts.append(f'sha256="{ModelFile(target).verify()}"')
    pinned = "".join(f"{indent}    {part},\n" for part in parts)
    pinned = f"ModelFile.packaged(\n{pinned}{indent})"
    source.write_text(text[: match.start()] + pinned + text[match.end() :], encoding="utf-8")
    return target, source


def _replace(target: Path, file: Path) -> None:
    beside = target.with_suffix(".part")
    try:
        shutil.copyfile(file, beside)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


if __name__ == "__main__":
    main()

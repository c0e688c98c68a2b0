"""What installed plugins cost those who do not use them: none against thirty, in turns.

Run ``python benchmarks/plugins.py``; prints a Markdown table. The plugins are distributions of one
module each in a folder of ``PYTHONPATH``, as pip would leave them in site-packages.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COUNT = 30
ROUNDS = 15

MODULE = """
from pydantic import Field
from ganfilters import Filter, Image, Params, hookimpl

class InvertParams(Params):
    amount: float = Field(1.0, ge=0, le=1, description="How much")

class Invert(Filter[InvertParams]):
    name = "filter-{number}"
    summary = "Inverts"
    Params = InvertParams

    def apply(self, image, params):
        return image.replace(pixels=1 - image.pixels)

@hookimpl
def ganfilters_filters():
    return [Invert]
"""


def install(folder: Path, count: int) -> None:
    """Write `count` distributions with a filter each."""
    for number in range(count):
        (folder / f"plugin_{number}.py").write_text(MODULE.format(number=number))
        info = folder / f"plugin_{number}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: plugin-{number}\nVersion: 1.0\n"
        )
        (info / "entry_points.txt").write_text(f"[ganfilters]\nfilter-{number} = plugin_{number}\n")


def seconds(folder: Path, *words: str) -> float:
    """Wall seconds of one run of the command line."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "GANFILTERS_CONFIG_DIR": str(folder / "config"),
    }
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "ganfilters", *words],
        env=environment,
        capture_output=True,
        check=True,
    )
    return time.perf_counter() - begin


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        bare, full = Path(name, "none"), Path(name, "thirty")
        bare.mkdir()
        full.mkdir()
        install(full, COUNT)
        print(f"| command | no plugin | {COUNT} plugins | ratio | reach |\n|---|---|---|---|---|")
        for words, reach in (
            (("--help",), "< 0.25 s"),
            (("apply", "filter-7", "--help"), ""),
            (("list",), ""),
        ):
            without = words if "filter-7" not in words else ("apply", "dream", "--help")
            times: tuple[list[float], list[float]] = ([], [])
            for _ in range(ROUNDS):
                times[0].append(seconds(bare, *without))
                times[1].append(seconds(full, *words))
            few, many = map(statistics.median, times)
            shown = " ".join(words)
            print(f"| `{shown}` | {few:.3f} s | {many:.3f} s | {many / few:.2f} | {reach} |")


if __name__ == "__main__":
    main()

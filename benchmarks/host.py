"""What the host costs: overhead per apply, start of the command line, peak memory.

Run ``python benchmarks/host.py``; prints a Markdown table. Every figure is a ratio to something
measured in the same run, or a bound in absolute terms that ``docs/design.md`` sets.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from peak import peak_memory

from ganfilters import Host, Image

ROOT = Path(__file__).resolve().parent.parent


def timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def overhead() -> tuple[float, float]:
    """Median seconds of the filter's own loop and of the whole apply, 1 megapixel uint8."""
    host = Host("cpu")
    entry = host.registry.get("dream")
    array = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8)
    image = Image.from_array(array)
    params = host.parse("dream", {"octaves": 2, "iterations": 3})
    own = entry.filter(host.runtime)
    host.apply("dream", array, octaves=1, iterations=1)  # loads the network
    alone, whole = [], []
    for _ in range(5):
        alone.append(timed(lambda: own.apply(image, params)))
        whole.append(timed(lambda: host.apply("dream", array, octaves=2, iterations=3)))
    return statistics.median(alone), statistics.median(whole)


def start(*arguments: str) -> float:
    """Median wall seconds of a fresh process."""
    command = [sys.executable, *arguments]
    return statistics.median(
        timed(lambda: subprocess.run(command, capture_output=True, check=True)) for _ in range(7)
    )


def peak(photo: Path, *options: str) -> float:
    """Peak memory in MB of dreaming `photo` through the command line."""
    with tempfile.TemporaryDirectory() as folder:
        words = ("-m", "ganfilters", "apply", "dream", str(photo), str(Path(folder) / "out.jpg"))
        return peak_memory(*words, *options, "--quiet")[0]


def main() -> None:
    rows = []
    alone, whole = overhead()
    rows.append(("apply / filter's own loop, 1 megapixel", f"{whole / alone:.3f}", "<= 1.05"))
    python, shown = start("-c", "pass"), start("-m", "ganfilters", "--help")
    rows.append((f"`ganfilters --help` (bare Python {python:.3f} s)", f"{shown:.3f} s", "< 0.25 s"))
    import PIL.Image

    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "large.jpg"
        source = PIL.Image.open(ROOT / "examples" / "rocket.jpg")
        source.resize((6000, 4000), PIL.Image.Resampling.BICUBIC).save(photo, quality=95)
        for name, options in (
            ("default", ["--iterations", "2"]),
            ("full resolution", ["--iterations", "1", "--octaves", "2", "--finest", "0"]),
        ):
            used = peak(photo, *options)
            rows.append((f"24 megapixels, {name}, peak memory", f"{used / 1000:.2f} GB", "< 3 GB"))
    print("| what | measured | reach |\n|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()

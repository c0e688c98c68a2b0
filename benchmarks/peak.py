"""Peak memory of a command, for the benchmarks beside it."""

from __future__ import annotations

import subprocess
import sys

__all__ = ["peak_memory"]

# In a process of its own: what this one's children took before would count as well.
_MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_memory(*words: str) -> tuple[float, str]:
    """Run Python with arguments; return its peak memory in MB of 2^20 bytes, and what it printed.

    Raises
    ------
    subprocess.CalledProcessError
        The command fails.
    """
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, sys.executable, *words],
        capture_output=True,
        text=True,
        check=True,
    )
    *printed, kilobytes = done.stdout.splitlines()
    return int(kilobytes) / 1024, "\n".join(printed)

"""Virtual environments in which plugins are installed, as users do, without a network."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

# What needs no network: dependencies and the build backend come from the environment of the tests.
OFFLINE = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet")


class Environment:
    """A virtual environment that sees the packages of the one that runs the tests."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False)
        self.binaries = folder / ("Scripts" if sys.platform == "win32" else "bin")
        (site,) = (
            (folder / "lib").glob("python*/site-packages")
            if os.name == "posix"
            else [folder / "Lib" / "site-packages"]
        )
        # addsitedir, and not bare paths, so that editable installs there work here as well.
        shared = [path for path in sys.path if path.endswith("-packages")]
        lines = [f"import site; site.addsitedir({path!r})" for path in shared]
        (site / "shared.pth").write_text("\n".join(lines) + "\n")

    def run(self, *command: str | Path, cwd: Path | None = None) -> str:
        """Run a command of the environment, which must succeed; return its standard output."""
        done = self.start(command, cwd=cwd)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(
        self, command: Sequence[str | Path], cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command: ``pip``, ``pytest`` and ``ganfilters`` mean the environment's own."""
        name, *words = map(str, command)
        module = [str(self.binaries / "python"), "-m", name]
        return subprocess.run(
            [*module, *words], cwd=cwd, capture_output=True, text=True, check=False
        )

    def install(
        self, *folders: Path | str, editable: bool = False, cwd: Path | None = None
    ) -> None:
        """Install packages from folders."""
        flags = ["--editable"] * editable
        self.run("pip", "install", *OFFLINE, *flags, *folders, cwd=cwd)

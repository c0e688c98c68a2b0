"""The log of a training run, which cards and ``ganfilters plot`` are made from."""

from __future__ import annotations

import contextlib
import json
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from .files import written_whole

__all__ = ["Log"]


class Log:
    """Means of scalars since the last line, one JSON object a line: pandas.read_json(lines=True).

    Lines of steps after the resumed one are dropped: that part is trained again.

    Parameters
    ----------
    path : Path
        The file; it is made if it is missing.
    step : int
        The last step that is done.
    enabled : bool
        Whether to write; one process of several does.
    """

    def __init__(self, path: Path, step: int, enabled: bool) -> None:
        self.last: dict[str, float] = {}
        self.shown: dict[str, float] = {}
        self._sums: dict[str, Tensor] = {}
        self._counts: Counter[str] = Counter()
        self._steps = 0
        self._file = None
        if enabled:
            path.parent.mkdir(parents=True, exist_ok=True)
            kept = []
            with contextlib.suppress(FileNotFoundError):
                for line in path.read_text("utf-8").splitlines():
                    with contextlib.suppress(ValueError):  # a line cut short by a kill
                        found = json.loads(line)
                        if found["step"] <= step:
                            kept.append(line + "\n")
                            self.last = found  # what a run says of which nothing is left to do
            with written_whole(path) as file:
                file.write("".join(kept).encode())
            self._file = path.open("a", encoding="utf-8", buffering=1)

    def add(self, scalars: Mapping[str, Tensor]) -> None:
        """Add a step's scalars, on the device: reading them would wait for it.

        Not every step has all; a line has the means of those that did.
        """
        for key, value in scalars.items():
            self._sums[key] = self._sums[key] + value if key in self._sums else value
        self._counts.update(scalars.keys())
        self._steps += 1

    def write(self, step: int, more: Mapping[str, float]) -> dict[str, float]:
        """Write a line and return it."""
        self.shown = {key: float(value) / self._counts[key] for key, value in self._sums.items()}
        self.last = {"step": step, **self.shown, **more}
        self._sums, self._counts, self._steps = {}, Counter(), 0
        if self._file is not None:
            self._file.write(json.dumps(self.last) + "\n")
        return self.last

    def not_finite(self) -> str | None:
        """Return the name of a scalar that was not finite since the last line, if there is one."""
        sums = self._sums.items()
        return next((key for key, value in sums if not math.isfinite(float(value))), None)

    @property
    def pending(self) -> bool:
        """Whether there are steps that no line has."""
        return self._steps > 0

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

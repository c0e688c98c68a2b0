"""A run's log as a picture: one small chart for each scalar, SVG."""

from __future__ import annotations

import json
import math
from pathlib import Path
from xml.sax.saxutils import escape

from ganfilters.errors import UsageError

from ..files import written_whole

__all__ = ["plot_run", "read_log"]

WIDTH, HEIGHT, MARGIN = 380, 170, 34
COLUMNS = 2
MOST_POINTS = 800
HIDDEN = ("step", "rate")


def read_log(run: Path) -> dict[str, list[tuple[float, float]]]:
    """Return (step, value) of each scalar of ``log.jsonl``.

    Raises
    ------
    UsageError
        There is no log, or nothing in it yet.
    """
    path = run / "log.jsonl"
    if not path.exists():
        raise UsageError(f"{run} has no log.jsonl; give the folder of a training run")
    found: dict[str, list[tuple[float, float]]] = {}
    for line in path.read_text("utf-8").splitlines():
        try:
            values = json.loads(line)
        except ValueError:  # the last line of a run that was killed
            continue
        for key, value in values.items():
            if key not in HIDDEN and math.isfinite(value):
                found.setdefault(key, []).append((values["step"], value))
    if not found:
        raise UsageError(f"{path} is empty; nothing is logged before the first --log-every steps")
    return found


def plot_run(run: Path, out: Path) -> None:
    """Draw the log of a run; the file appears whole or not at all."""
    series = read_log(run)
    rows = -(-len(series) // COLUMNS)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{COLUMNS * WIDTH}" '
        f'height="{rows * HEIGHT}" font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for number, (name, points) in enumerate(series.items()):
        left, top = (number % COLUMNS) * WIDTH, (number // COLUMNS) * HEIGHT
        parts.append(f'<g transform="translate({left} {top})">{_chart(name, points)}</g>')
    out.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(out) as file:
        file.write("\n".join([*parts, "</svg>\n"]).encode())


def _chart(name: str, points: list[tuple[float, float]]) -> str:
    """Return one chart: a frame, the range of both axes, a line."""
    points = _thinned(points)
    steps, values = [x for x, _ in points], [y for _, y in points]
    low, high = min(values), max(values)
    span, length = high - low or 1.0, steps[-1] - steps[0] or 1.0
    width, height = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    line = " ".join(
        f"{MARGIN + width * (x - steps[0]) / length:.1f},{MARGIN + height * (high - y) / span:.1f}"
        for x, y in points
    )
    bottom, right = MARGIN + height, MARGIN + width
    return (
        f'<text x="{MARGIN}" y="{MARGIN - 10}" font-weight="bold">{escape(name)}</text>'
        f'<text x="{right}" y="{MARGIN - 10}" text-anchor="end">last {values[-1]:.4g}</text>'
        f'<rect x="{MARGIN}" y="{MARGIN}" width="{width}" height="{height}" fill="none" '
        'stroke="#bbb"/>'
        f'<text x="{MARGIN - 3}" y="{MARGIN + 8}" text-anchor="end" font-size="9">{high:.3g}</text>'
        f'<text x="{MARGIN - 3}" y="{bottom}" text-anchor="end" font-size="9">{low:.3g}</text>'
        f'<text x="{MARGIN}" y="{bottom + 14}" font-size="9">{steps[0]:g}</text>'
        f'<text x="{right}" y="{bottom + 14}" text-anchor="end" font-size="9">{steps[-1]:g}</text>'
        f'<polyline points="{line}" fill="none" stroke="#1f5fa8" stroke-width="1.3"/>'
    )


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return at most `MOST_POINTS`, each the mean of its neighbours."""
    size = -(-len(points) // MOST_POINTS)
    parts = [points[start : start + size] for start in range(0, len(points), size)]
    return [(part[-1][0], sum(y for _, y in part) / len(part)) for part in parts]

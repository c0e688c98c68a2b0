"""What differs between two records of a run, in words that a message can say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["differences", "holds", "short"]


def differences(
    before: Mapping[str, Any], now: Mapping[str, Any], within: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Return what differs, each as its path (``network.z``), the old value and the new one."""
    for key in sorted({*before, *now}):
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from differences(old, new, f"{within}{key}.")
        elif old != new:
            yield f"{within}{key}", old, new


def holds(record: Any, path: str) -> bool:
    """Return whether a record has what `differences` names by a path, if only a null."""
    for key in path.split("."):
        if not isinstance(record, Mapping) or key not in record:
            return False
        record = record[key]
    return True


def short(value: object) -> str:
    """Return a value as JSON, cut if it is long."""
    text = json.dumps(value)
    return text if len(text) < 60 else text[:57] + "..."

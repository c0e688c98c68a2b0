"""Named looks of the dream filter, chosen by eye on portraits, animals, objects and landscapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["PRESETS"]

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "eyes": {"layers": {"stage5": 1.0}},
}

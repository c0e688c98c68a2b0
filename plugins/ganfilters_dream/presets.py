"""Named looks of the dream filter, chosen by eye on portraits, animals, objects and landscapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["PRESETS"]


def _pattern(layers: str, **values: Any) -> Mapping[str, Any]:
    """Return a preset that covers the picture with the pattern of a few channels."""
    return {"layers": layers, "octaves": 4, "iterations": 12, "step": 1.5, **values}


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "animals": {
        "layers": "stage5=1",
        "octaves": 6,
        "octave_scale": 1.3,
        "iterations": 24,
        "step": 0.9,
        "normalize": "smooth",
    },
    "eyes": {
        "layers": "stage5=1,stage4=0.4",
        "iterations": 18,
        "step": 1.0,
        "normalize": "smooth",
    },
    "strokes": {"layers": "stage3=1", "octaves": 3, "iterations": 10, "normalize": "smooth"},
    "curves": {"layers": "stage4=1", "octaves": 4, "iterations": 12, "normalize": "smooth"},
    "spirals": _pattern("stage4:24=1,stage4:15=1"),
    "bubbles": _pattern("stage4:11=1,stage4:4=1"),
    "cracks": _pattern("stage4:21=1"),
    "feathers": _pattern("stage4:19=1"),
    "fur": _pattern("stage5:48=1"),
    # For --dream-of, above all from noise: large shapes first, and no speckle.
    "vision": {
        "octaves": 3,
        "octave_scale": 1.5,
        "iterations": 50,
        "step": 3.5,
        "color": 0.35,
        "blur": 1.1,
    },
    "crystals": _pattern("stage5:102=1", octaves=5),
}

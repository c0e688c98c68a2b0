"""The dream filter passes the suite that every plugin is given."""

from __future__ import annotations

from ganfilters.testing import conformance
from ganfilters_dream import Dream

test_conformance = conformance(
    Dream,
    params={"octaves": 1, "iterations": 1, "zoom_frames": 0},
    generate={"size": "64x48"},
)

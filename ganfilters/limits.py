"""Limits and defaults that parts share. Imports nothing, so that the command line can show them."""

from __future__ import annotations

__all__ = ["DEFAULT_FPS", "DEFAULT_QUALITY", "FEATHER_MAX", "MAX_PIXELS", "MAX_PIXELS_KEY"]

MAX_PIXELS = 200_000_000
"""Largest picture that is decoded by default, in pixels: a guard against decompression bombs."""

FEATHER_MAX = 500.0
"""Largest feather of a mask, in pixels."""

DEFAULT_FPS = 25.0
"""Frames a second of an animation for which nobody says another number."""

DEFAULT_QUALITY = {"JPEG": 95, "WEBP": 90, "AVIF": 90, "MP4": 80, "WEBM": 80}
"""Quality of formats that have one, for which nobody says another number."""

MAX_PIXELS_KEY = "max_pixels"
"""The limit's place in the validation context of parameters that are pictures."""

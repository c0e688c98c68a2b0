"""The options that ``ganfilters apply`` has for every filter."""

from __future__ import annotations

from typing import Any

import click

from ganfilters.devices import DEVICES
from ganfilters.limits import DEFAULT_FPS, DEFAULT_QUALITY, MAX_PIXELS

__all__ = ["common_options"]

# Words on the command line, and what click makes of them. Bounds are checked in _filtering.py, so
# that their messages read like those of the filters' own parameters.
_OPTIONS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (
        ("--params",),
        {
            "type": click.Path(),
            "metavar": "FILE.json",
            "help": "Parameters as a JSON object; options win over it.",
        },
    ),
    (
        ("--mask",),
        {
            "type": click.Path(),
            "metavar": "FILE",
            "help": "Where to work (white; colours count by their luminance); elsewhere the "
            "picture stays as it is.",
        },
    ),
    (("--invert-mask",), {"is_flag": True, "help": "Work where the mask is black."}),
    (
        ("--feather",),
        {
            "type": float,
            "default": 0.0,
            "metavar": "PX",
            "help": "Fade the effect in over so many pixels from the mask's edge.  "
            "[0..500; default 0]",
        },
    ),
    (
        ("--strength",),
        {
            "type": float,
            "default": 1.0,
            "metavar": "FLOAT",
            "help": "Blend with the input: 0 is the input, 1 the full effect.  [0..1; default 1]",
        },
    ),
    (
        ("--device",),
        {
            "default": "auto",
            "metavar": "NAME",
            "shell_complete": lambda _ctx, _param, begun: [
                d for d in DEVICES if d.startswith(begun)
            ],
            "help": f"{', '.join(DEVICES)}.  [default auto]",
        },
    ),
    (
        ("--threads",),
        {"type": int, "metavar": "N", "help": "CPU threads of a network.  [default: one a core]"},
    ),
    (
        ("--recursive", "-r"),
        {"is_flag": True, "help": "With a folder as input: the pictures in its subfolders too."},
    ),
    (
        ("--out-dir",),
        {
            "type": click.Path(),
            "metavar": "DIR",
            "help": "Write all outputs into this folder; every path is an input then.",
        },
    ),
    (
        ("--format",),
        {"metavar": "NAME", "help": "Output format, in place of the one the extension names."},
    ),
    (
        ("--quality",),
        {
            "type": int,
            "metavar": "N",
            "help": "Quality; 100 makes WebP lossless.  [1..100; default "
            f"{DEFAULT_QUALITY['JPEG']} for JPEG, {DEFAULT_QUALITY['WEBP']} for WebP, "
            f"{DEFAULT_QUALITY['AVIF']} for AVIF, {DEFAULT_QUALITY['MP4']} for video]",
        },
    ),
    (
        ("--fps",),
        {
            "type": float,
            "metavar": "FLOAT",
            "help": f"Frames a second of an animation.  [default: as read, or {DEFAULT_FPS:g}]",
        },
    ),
    (("--overwrite",), {"is_flag": True, "help": "Replace outputs that exist."}),
    (
        ("--skip-existing",),
        {"is_flag": True, "help": "Leave outputs that exist, and go on with the others."},
    ),
    (
        ("--max-pixels",),
        {
            "type": int,
            "metavar": "N",
            "help": f"Refuse larger pictures.  [default {MAX_PIXELS}]",
        },
    ),
    (("--json",), {"is_flag": True, "help": "Print one line of JSON for each output."}),
    (("--quiet", "-q"), {"is_flag": True, "help": "Print errors only."}),
)


def common_options() -> list[click.Parameter]:
    """Return fresh options, to follow those of a filter."""
    return [click.Option(list(names), **settings) for names, settings in _OPTIONS]

"""Files and bytes to and from `~ganfilters.image.Image`.

Reads AVIF, BMP, GIF, JPEG, PNG, TIFF and WebP; writes these, and MP4 and WebM through PyAV. Videos
are read for replays only, with `read_video`. What a picture's file held (profile, EXIF, XMP,
resolution, alpha, 16 bits) its copy holds again.
"""

from __future__ import annotations

from ganfilters.imageio._animate import AnimationWriter
from ganfilters.imageio._formats import FORMATS, Format, can_animate, format_of
from ganfilters.imageio._read import MAX_PIXELS, read, read_recipe
from ganfilters.imageio._readvideo import is_video, read_video
from ganfilters.imageio._write import check_pages, check_target, encode, losses, write

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "AnimationWriter",
    "Format",
    "can_animate",
    "check_pages",
    "check_target",
    "encode",
    "format_of",
    "is_video",
    "losses",
    "read",
    "read_recipe",
    "read_video",
    "write",
]

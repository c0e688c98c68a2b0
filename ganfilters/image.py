"""`Image`: pixels, alpha and mask as a filter sees them, and the metadata that must survive."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ganfilters.errors import ImageError

if TYPE_CHECKING:
    from pathlib import Path

    from ganfilters.recipe import Recipe

__all__ = ["Animation", "BoolArray", "FloatArray", "Image", "Metadata"]

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Metadata:
    """What a picture's file held besides its pixels, and what its copy should hold again.

    Attributes
    ----------
    source
        Path the picture was read from, as it was given, or None.
    format
        Pillow's format name of the source (``"PNG"``, ``"JPEG"``, ...), or None for an array.
    mode
        ``"L"``, ``"RGB"`` or ``"CMYK"``: the colour model of the source samples.
    bit_depth
        Bits per sample of the source: 8 or 16.
    icc_profile
        The embedded profile, or None for sRGB.
    exif
        EXIF block with the orientation already reset to 1, or None.
    xmp
        XMP packet, or None.
    dpi
        Horizontal and vertical resolution in dots per inch, or None.
    original
        The source samples after orientation, H x W x C, uint8 or uint16, in the source's own colour
        space. Kept only where the way to sRGB and back would not return the same numbers, so that
        pixels no filter touched can be written back exactly.
    recipe
        The recipe found in the file, or the one of the work that made this picture.
    pages
        Pictures in the source file; of a TIFF with several only the first is read.
    """

    source: str | None = None
    format: str | None = None
    mode: str = "RGB"
    bit_depth: int = 8
    icc_profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    original: npt.NDArray[Any] | None = None
    recipe: Recipe | None = None
    pages: int = 1


@dataclass(frozen=True, eq=False)
class Image:
    """One picture.

    Attributes
    ----------
    pixels
        float32, H x W x 3, sRGB-encoded, in [0, 1].
    alpha
        float32, H x W, in [0, 1] (1 is opaque), or None. The host keeps it; a filter sees it only
        if its traits say that it edits it.
    mask
        float32, H x W, in [0, 1], or None. The user's selection: white (1) means "work here".
    metadata
        What the file held besides its pixels.
    untouched
        bool, H x W: True where the picture is the source, unchanged, alpha included; None when
        unknown. Set by the host after a filter ran under a mask, and by filters that know.

    Raises
    ------
    ImageError
        A shape or dtype is not as above.
    """

    pixels: FloatArray
    alpha: FloatArray | None = None
    mask: FloatArray | None = None
    metadata: Metadata = field(default_factory=Metadata)
    untouched: BoolArray | None = None

    def __post_init__(self) -> None:
        """Check shapes and dtypes, so that no later step has to."""
        pixels = self.pixels
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.float32:
            raise ImageError(
                f"Image.pixels must be float32 of shape (height, width, 3), not {pixels.dtype} "
                f"of shape {pixels.shape}"
            )
        if pixels.shape[0] < 1 or pixels.shape[1] < 1:
            raise ImageError(f"a picture needs at least one pixel; this one is {pixels.shape}")
        for name, plane in (("alpha", self.alpha), ("mask", self.mask)):
            if plane is None:
                continue
            if plane.shape != pixels.shape[:2]:
                raise ImageError(
                    f"the {name} is {plane.shape[-1]} x {plane.shape[0]} pixels but the picture is "
                    f"{self.width} x {self.height}; they must be of one size"
                )
            if plane.dtype != np.float32:
                raise ImageError(f"Image.{name} must be float32, not {plane.dtype}")
        kept = self.untouched
        if kept is not None and (kept.dtype != np.bool_ or kept.shape != pixels.shape[:2]):
            raise ImageError(
                f"Image.untouched must be bool of shape {pixels.shape[:2]}, not {kept.dtype} of "
                f"shape {kept.shape}"
            )

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[1])

    def replace(self, **changes: Any) -> Image:
        """Return a copy with the named attributes changed (arrays are shared, not copied)."""
        return replace(self, **changes)

    @classmethod
    def open(cls, source: str | Path | bytes, *, max_pixels: int | None = None) -> Image:
        """Read a picture from a file or from encoded bytes (the first frame of an animation).

        Raises
        ------
        ImageError
            The source is missing, damaged, too large, or no picture.
        """
        from ganfilters import imageio

        loaded = imageio.read(source, **({} if max_pixels is None else {"max_pixels": max_pixels}))
        return loaded.first() if isinstance(loaded, Animation) else loaded

    @classmethod
    def from_array(cls, array: npt.NDArray[Any]) -> Image:
        """Make an `Image` from an array: uint8, uint16 or float; H x W, H x W x 1, 3 or 4 channels.

        Raises
        ------
        ImageError
            Another dtype or shape, or float values that are not finite and in [0, 1].
        """
        from ganfilters import convert

        return convert.from_array(array)

    def save(self, target: str | Path, *, overwrite: bool = False, **options: Any) -> None:
        """Write the picture to a file, whole or not at all; see `ganfilters.imageio.write`."""
        from ganfilters import imageio

        imageio.write(self, target, overwrite=overwrite, **options)


@dataclass(frozen=True, eq=False)
class Animation:
    """Several frames of one size, with their timing.

    Attributes
    ----------
    frames
        The pictures, in order.
    durations
        Milliseconds that each frame is shown.
    loop
        How often it plays; 0 is for ever.
    """

    frames: tuple[Image, ...]
    durations: tuple[float, ...]
    loop: int = 0

    def __post_init__(self) -> None:
        """Check that there is one duration a frame."""
        if not self.frames or len(self.frames) != len(self.durations):
            raise ImageError(
                f"an animation needs one duration a frame: {len(self.frames)} frames, "
                f"{len(self.durations)} durations"
            )

    def first(self) -> Image:
        """Return the first frame."""
        return self.frames[0]

"""`Options`: what the host itself does around any filter, the selection and the strength."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ganfilters import convert
from ganfilters.errors import ImageError, UsageError
from ganfilters.image import Image
from ganfilters.limits import FEATHER_MAX, MAX_PIXELS
from ganfilters.recipe import Reference

__all__ = ["Options"]


@dataclass(frozen=True, eq=False)
class Options:
    """The host's own options of one run; see `Host.apply`. Made with `read`.

    Attributes
    ----------
    mask
        Decoded; None for everywhere.
    fit_mask
        Resize a mask of another size to the picture's: one in a chain is for any picture.
    max_pixels
        Largest picture that is read or made.
    """

    mask: Image | None = None
    invert_mask: bool = False
    feather: float = 0.0
    strength: float = 1.0
    fit_mask: bool = False
    max_pixels: int = MAX_PIXELS

    @classmethod
    def read(
        cls,
        mask: Any = None,
        invert_mask: bool = False,
        feather: float = 0.0,
        strength: float = 1.0,
        *,
        fit_mask: bool = False,
        max_pixels: int = MAX_PIXELS,
    ) -> Options:
        """Check the values, and decode the mask.

        Raises
        ------
        UsageError
            A value is out of bounds, or a mask is missing.
        ImageError
            The mask cannot be read.
        """
        strength, feather = _number("strength", strength), _number("feather", feather)
        if not 0.0 <= strength <= 1.0:
            raise UsageError(f"strength is {strength:g}; it must be from 0 to 1")
        if not 0.0 <= feather <= FEATHER_MAX:
            raise UsageError(f"feather is {feather:g}; it must be from 0 to {FEATHER_MAX:g} pixels")
        if mask is None and (invert_mask or feather):
            raise UsageError("inverting or feathering a mask needs a mask; give one as well")
        try:
            loaded = None if mask is None else convert.mask_image(mask, max_pixels=max_pixels)
        except ImageError as error:
            raise ImageError(f"mask: {error}") from error
        return cls(loaded, invert_mask, feather, strength, fit_mask, max_pixels)

    @cached_property
    def reference(self) -> Reference | None:
        """The mask as recipes name it; its checksum is computed once for all pictures."""
        return None if self.mask is None else Reference(**convert.reference(self.mask))


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UsageError(f"{name} is {value!r}; it must be a number") from None

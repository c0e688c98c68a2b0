"""Filling without a network, by libraries that are optional.

- PatchMatch copies patches of the picture (Barnes et al. 2009; completion after Wexler et al.
  2007): sharp, and at its best in large regular textures. From PyPI's `pypatchmatch`, the native
  library of InvokeAI, which has wheels for all systems and is kept up.
- Telea 2004 and Navier-Stokes (Bertalmio et al. 2001) carry colours on from the edge: for scratches
  and letters; anything wider becomes a blur. From OpenCV.

They compute in 8 bits.
"""

from __future__ import annotations

import threading
from importlib import import_module
from types import ModuleType
from typing import Literal

import numpy as np

from ganfilters import BoolArray, FloatArray, UsageError

__all__ = ["Classic", "context", "fill", "require"]

Classic = Literal["patchmatch", "telea", "navier-stokes"]

_LIBRARIES = {
    "patchmatch": ("patchmatch.patch_match", "pypatchmatch"),
    "telea": ("cv2", "opencv-python-headless"),
    "navier-stokes": ("cv2", "opencv-python-headless"),
}
# Radius of the patches that are compared; larger ones are much slower and keep less texture.
_PATCH = 3
# How far OpenCV's methods look.
_RADIUS = 4.0
# The seed is the library's, not the call's.
_lock = threading.Lock()


def require(method: Classic) -> ModuleType:
    """Return the library of a method.

    Raises
    ------
    UsageError
        It is not installed; names the extra.
    """
    module, package = _LIBRARIES[method]
    try:
        return import_module(module)
    except ImportError:
        raise UsageError(
            f"`method` {method} needs {package}; install it with: pip install 'ganfilters[classic]'"
        ) from None


def context(method: Classic, long_side: int) -> int:
    """Return how many pixels around a hole the method should see."""
    # PatchMatch copies from there, so there must be enough of it.
    return max(96, long_side) if method == "patchmatch" else 16


def fill(method: Classic, pixels: FloatArray, hole: BoolArray, seed: int) -> FloatArray:
    """Return the picture filled, (H, W, 3) in [0, 1].

    Parameters
    ----------
    method
        Which.
    pixels
        (H, W, 3) in [0, 1].
    hole
        (H, W).
    seed
        Of PatchMatch's search.
    """
    library = require(method)
    image = np.rint(pixels * 255).astype(np.uint8)
    mask = np.where(hole, np.uint8(255), np.uint8(0))
    if method == "patchmatch":
        filled = _patchmatch(library, image, mask, seed)
    else:
        flag = library.INPAINT_TELEA if method == "telea" else library.INPAINT_NS
        filled = library.inpaint(image, mask, _RADIUS, flag)
    made: FloatArray = filled.astype(np.float32) / np.float32(255)
    return np.where(hole[..., None], made, pixels)


def _patchmatch(
    library: ModuleType, image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    mask: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], seed: int,
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:  # fmt: skip
    # Of less it makes sizes so small that no whole patch is left, and what is missing black.
    smallest = 4 * _PATCH + 2
    if min(mask.shape) < smallest or not library.patchmatch_available:
        reason = (
            "its native library does not load on this machine"
            if not library.patchmatch_available
            else f"{mask.shape[1]} x {mask.shape[0]} pixels around the hole are too few for it"
        )
        raise UsageError(f"`method` patchmatch: {reason}; use another")
    with _lock:
        library.set_random_seed(seed)
        filled: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] = library.inpaint(
            image, mask, patch_size=_PATCH
        )
    return filled

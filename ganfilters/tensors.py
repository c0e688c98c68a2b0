"""Between pixels and the tensors of networks, which take batches with the channels first."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["from_batch", "to_batch"]

_T = TypeVar("_T", bound=np.generic)


def to_batch(pixels: npt.NDArray[_T]) -> npt.NDArray[_T]:
    """Return pixels as the batch of one picture that most networks take.

    Parameters
    ----------
    pixels
        Of shape (H, W, C), and any type, which is kept.

    Returns
    -------
    NDArray
        Of shape (1, C, H, W), contiguous.

    Examples
    --------
    >>> to_batch(np.zeros((480, 640, 3), np.float32)).shape
    (1, 3, 480, 640)
    """
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])


def from_batch(tensor: npt.NDArray[_T]) -> npt.NDArray[_T]:
    """Return the first picture of a batch as pixels.

    Parameters
    ----------
    tensor
        Of shape (1, C, H, W).

    Returns
    -------
    NDArray
        Of shape (H, W, C): a view of the tensor, no copy.

    Examples
    --------
    >>> from_batch(np.zeros((1, 3, 480, 640), np.float32)).shape
    (480, 640, 3)
    """
    pixels: npt.NDArray[_T] = tensor[0].transpose(1, 2, 0)
    return pixels

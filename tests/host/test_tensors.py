"""Pixels as batches, and back."""

from __future__ import annotations

import numpy as np
import pytest

from ganfilters import from_batch, to_batch


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_there_and_back(channels: int, dtype: str) -> None:
    pixels = np.arange(5 * 7 * channels).reshape(5, 7, channels).astype(dtype)
    batch = to_batch(pixels)
    assert (batch.shape, batch.dtype) == ((1, channels, 5, 7), pixels.dtype)
    assert batch.flags.c_contiguous
    assert batch[0, channels - 1, 2, 3] == pixels[2, 3, channels - 1]
    np.testing.assert_array_equal(from_batch(batch), pixels)


def test_nothing_is_copied_that_need_not_be() -> None:
    batch = np.zeros((1, 3, 5, 7), np.float32)
    assert np.shares_memory(from_batch(batch), batch)
    assert np.shares_memory(to_batch(from_batch(batch)), batch)

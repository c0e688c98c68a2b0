"""The halftone keeps the promises of every filter, and prints the light of the picture."""

from __future__ import annotations

import numpy as np
import pytest
from ganfilters import FloatArray, Host
from ganfilters.testing import Subject, conformance, picture

from ganfilters_halftone import ANGLES, Halftone
from ganfilters_halftone import screened as screen

pytest_plugins = ["ganfilters.testing.fixtures"]
test_conformance = conformance(Halftone)


def test_it_is_installed_and_keeps_to_the_mask(
    host: Host, picture: FloatArray, half_mask: FloatArray
) -> None:
    result = host.apply("halftone", picture, mask=half_mask)
    assert np.array_equal(result[half_mask == 0], picture[half_mask == 0])
    assert not np.array_equal(result, picture)


@pytest.mark.parametrize("cover", [0.0, 0.1, 0.37, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("ink", ANGLES)
def test_ink_covers_the_share_that_is_wanted(ink: str, cover: float) -> None:
    share = screen(np.full((200, 200), cover, np.float32), 0, ANGLES[ink], 8.0)
    assert share.mean() == pytest.approx(cover, abs=0.015)


def test_rows_fit_together_wherever_they_are_cut() -> None:
    cover = picture(90, 70)[..., 0]
    whole = screen(cover, 0, 15.0, 7.0)
    parts = [screen(cover[:31], 0, 15.0, 7.0), screen(cover[31:], 31, 15.0, 7.0)]
    assert np.allclose(np.concatenate(parts), whole, atol=1e-4)


def test_white_and_black_have_no_dots() -> None:
    subject = Subject(Halftone)
    assert np.allclose(subject.run(np.ones((64, 64, 3), np.float32)), 1.0, atol=1e-5)
    black = subject.run(np.zeros((64, 64, 3), np.float32))
    assert black.max() - black.min() < 0.15


def test_from_afar_grey_is_as_light_as_it_was() -> None:
    grey = np.full((240, 240, 3), 0.6, np.float32)
    values = {"inks": "black", "contrast": 1.0, "lightness": 1.0}
    printed = Subject(Halftone).run(grey, **values)
    light = np.where(printed <= 0.04045, printed / 12.92, ((printed + 0.055) / 1.055) ** 2.4).mean()
    assert light == pytest.approx(((0.6 + 0.055) / 1.055) ** 2.4, abs=0.02)


def test_black_ink_prints_no_colour() -> None:
    printed = Subject(Halftone).run(picture(64, 64), inks="black", paper="white")
    assert np.ptp(printed, axis=-1).max() < 0.05

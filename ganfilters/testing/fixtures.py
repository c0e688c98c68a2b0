"""pytest fixtures for the tests of a plugin.

Name this module in a test module or in the top ``conftest.py``::

    pytest_plugins = ["ganfilters.testing.fixtures"]
"""

from __future__ import annotations

import pytest

from ganfilters.host import Host
from ganfilters.image import FloatArray
from ganfilters.testing import subject

__all__ = ["half_mask", "host", "picture"]


@pytest.fixture(scope="session")
def host() -> Host:
    """Return a host on the CPU with the plugins that are installed, as an application has it.

    It finds the plugin through its entry point, unlike `ganfilters.testing.Subject`. What the user
    has disabled is loaded as well.
    """
    return Host("cpu", disabled=[])


@pytest.fixture
def picture() -> FloatArray:
    """Return a test picture, float32 in [0, 1], 45 pixels high and 61 wide."""
    return subject.picture(45, 61)


@pytest.fixture
def half_mask(picture: FloatArray) -> FloatArray:
    """Return a mask for the fixture `picture`, white on the right half."""
    return subject.half_mask(picture)

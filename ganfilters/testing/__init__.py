"""The conformance kit: one suite that every filter passes, for the tests of plugin authors.

>>> from ganfilters.testing import conformance
>>> from my_package import MyFilter  # doctest: +SKIP
>>> test_conformance = conformance(MyFilter)  # doctest: +SKIP

pytest then runs every check of `CHECKS` as a test of its own. Without pytest, `run_checks` does
the same and returns what it found; ``ganfilters check-plugin`` prints that.
"""

from __future__ import annotations

from ganfilters.testing.subject import Subject, half_mask, picture
from ganfilters.testing.suite import CHECKS, Check, Outcome, conformance, run_checks

__all__ = [
    "CHECKS",
    "Check",
    "Outcome",
    "Subject",
    "conformance",
    "half_mask",
    "picture",
    "run_checks",
]

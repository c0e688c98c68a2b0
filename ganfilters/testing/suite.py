"""The suite: all checks in order, for pytest (`conformance`) and without it (`run_checks`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ganfilters.filter import Filter
from ganfilters.testing import behaviour, declarations, sizes, sources
from ganfilters.testing.subject import Subject

__all__ = ["CHECKS", "Check", "Outcome", "conformance", "run_checks"]

Check = Callable[[Subject], str]
"""Raises AssertionError with what is wrong and what would be right; returns a remark or ``""``."""

CHECKS: tuple[Check, ...] = (
    declarations.check_declarations,
    declarations.check_parameters,
    declarations.check_help,
    declarations.check_models,
    sources.check_public_names,
    sources.check_light_import,
    behaviour.check_defaults_run,
    behaviour.check_bounds_run,
    sizes.check_sizes,
    behaviour.check_result,
    behaviour.check_input_kept,
    behaviour.check_repeatable,
    behaviour.check_seed,
    behaviour.check_generate,
    sizes.check_tiling,
    behaviour.check_mask,
    behaviour.check_strength,
    behaviour.check_threads,
    behaviour.check_cancellation,
)


@dataclass(frozen=True)
class Outcome:
    """What one check found.

    Attributes
    ----------
    check
        Its name, for example ``"sizes"``.
    passed
        Whether the filter keeps this promise.
    message
        What is wrong and what would be right; or a remark.
    seconds
        What the check took.
    """

    check: str
    passed: bool
    message: str
    seconds: float


def conformance(
    filter: type[Filter[Any]],
    *,
    params: Mapping[str, Any] | None = None,
    generate: Mapping[str, Any] | None = None,
    skip_bounds: Collection[str] = (),
    package: str = "",
) -> Callable[..., None]:
    """Return a pytest test of a filter; assign it to a name that starts with ``test_``.

    Parameters
    ----------
    filter
        The class.
    params, generate, skip_bounds, package
        As in `Subject`.

    Examples
    --------
    >>> test_conformance = conformance(Slow, params={"iterations": 1})  # doctest: +SKIP
    """
    import pytest

    subject = Subject(filter, params or {}, generate or {}, skip_bounds, package)

    @pytest.mark.parametrize("check", CHECKS, ids=_name)
    def test_conformance(check: Check) -> None:
        check(subject)

    return test_conformance


def run_checks(subject: Subject) -> Iterator[Outcome]:
    """Run every check and yield what it found; a failed declaration ends the run."""
    for check in CHECKS:
        started = time.perf_counter()
        passed = True
        try:
            message = check(subject)
        except Exception as error:  # noqa: BLE001 - plugins may raise anything, at any access
            passed = False
            text = " ".join(str(error).split())
            plain = isinstance(error, AssertionError) and text
            message = text if plain else f"{type(error).__name__}: {text}".rstrip(": ")
        yield Outcome(_name(check), passed, message, time.perf_counter() - started)
        if not passed and check is declarations.check_declarations:
            return


def _name(check: Check) -> str:
    return check.__name__.removeprefix("check_")

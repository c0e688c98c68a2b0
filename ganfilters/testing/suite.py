"""The suite: all checks in order, for pytest (`conformance`) and without it (`run_checks`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ganfilters.errors import UsageError, nearest
from ganfilters.filter import Filter
from ganfilters.testing import behaviour, declarations, progress, sizes, sources
from ganfilters.testing.subject import Subject
from ganfilters.testing.timing import Hang, within_limit

__all__ = ["CHECKS", "Check", "Outcome", "check_name", "chosen", "conformance", "run_checks"]

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
    progress.check_frames,
    sizes.check_tiling,
    behaviour.check_mask,
    behaviour.check_region,
    behaviour.check_strength,
    behaviour.check_threads,
    progress.check_cancellation,
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
    frames: Mapping[str, Any] | None = None,
    skip_bounds: Collection[str] = (),
    package: str = "",
    device: str = "cpu",
    time_limit: float = 120.0,
    skip: Collection[str] = (),
) -> Callable[..., None]:
    """Return a pytest test of a filter; assign it to a name that starts with ``test_``.

    Parameters
    ----------
    filter
        The class.
    params, generate, frames, skip_bounds, package, device, time_limit
        As in `Subject`.
    skip
        Names of checks to leave out, for a promise that the filter cannot keep.

    Raises
    ------
    UsageError
        `skip` names no check.

    Examples
    --------
    >>> test_conformance = conformance(Slow, params={"iterations": 1})  # doctest: +SKIP
    """
    import pytest

    subject = Subject(
        filter,
        params or {},
        generate or {},
        frames or {},
        skip_bounds,
        package,
        device,
        time_limit=time_limit,
    )
    hanging: list[str] = []

    @pytest.mark.parametrize("check", chosen(skip=skip), ids=check_name)
    def test_conformance(check: Check) -> None:
        if hanging:
            pytest.skip(f"{hanging[0]} hangs")
        try:
            within_limit(check, subject)
        except Hang:
            hanging.append(check_name(check))
            raise

    return test_conformance


def chosen(only: Collection[str] = (), skip: Collection[str] = ()) -> list[Check]:
    """Return the checks named in `only` (all by default) but those named in `skip`, in order.

    Raises
    ------
    UsageError
        A name is not that of a check.
    """
    names = [check_name(check) for check in CHECKS]
    for name in (*only, *skip):
        if name not in names:
            raise UsageError(f"there is no check {name!r}; {nearest(name, names, what='checks')}")
    wanted = set(only or names) - set(skip)
    return [check for check, name in zip(CHECKS, names, strict=True) if name in wanted]


def run_checks(
    subject: Subject, *, only: Collection[str] = (), skip: Collection[str] = ()
) -> Iterator[Outcome]:
    """Run the checks and yield what each found; a failed declaration or a hang ends the run.

    Parameters
    ----------
    subject
        The filter.
    only, skip
        Names of checks to run (all by default), and to leave out.

    Raises
    ------
    UsageError
        A name is not that of a check.
    """
    for check in chosen(only, skip):
        started = time.perf_counter()
        passed, over = True, False
        try:
            message = within_limit(check, subject)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - plugins may raise anything, at any access
            passed, over = False, isinstance(error, Hang)
            text = " ".join(str(error).split())
            plain = isinstance(error, AssertionError) and text
            message = text if plain else f"{type(error).__name__}: {text}".rstrip(": ")
        yield Outcome(check_name(check), passed, message, time.perf_counter() - started)
        if over or (not passed and check is declarations.check_declarations):
            return


def check_name(check: Check) -> str:
    """Return a check's name, for example ``"sizes"``."""
    return check.__name__.removeprefix("check_")

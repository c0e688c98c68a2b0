"""Checks of what a filter does when it runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
from pydantic import ValidationError

from ganfilters import schema
from ganfilters.convert import from_array
from ganfilters.errors import GanfiltersError
from ganfilters.filter import Filter
from ganfilters.image import FloatArray, Image
from ganfilters.running import RANGE_SLACK
from ganfilters.testing.declarations import limits, properties
from ganfilters.testing.subject import Subject, expect, half_mask, picture

__all__ = [
    "check_bounds_run",
    "check_defaults_run",
    "check_generate",
    "check_input_kept",
    "check_mask",
    "check_region",
    "check_repeatable",
    "check_result",
    "check_seed",
    "check_strength",
    "check_threads",
]

_NO_PICTURES = "takes no pictures"


def check_defaults_run(subject: Subject) -> str:
    """Check that the filter runs with its defaults (and the author's values that make it quick)."""
    subject.run(_source(subject), what="a run with the defaults")
    return ""


def check_bounds_run(subject: Subject) -> str:
    """Check that the filter runs at every bound, with every choice, picture and preset.

    Values that mean something only beside others, which its Params therefore refuse, are left out.
    """
    pixels = _source(subject)
    tried = 0
    refused = []
    for name, value in _extremes(subject):
        shown = "a picture" if isinstance(value, Image) else value
        if name != schema.PRESET and _needs_company(subject, **{name: value}):
            refused.append(f"{name}={shown}")
            continue
        subject.run(pixels, what=f"a run with {name}={shown}", **{name: value})
        tried += 1
    without = f", without {', '.join(refused)}, refused on their own" if refused else ""
    return f"{tried} runs{without}"


def _needs_company(subject: Subject, **value: Any) -> bool:
    """Return whether a check of several parameters, and nothing else, refuses a value."""
    try:
        schema.validate(subject.filter.Params, subject.values(**value))
    except GanfiltersError as error:
        cause = error.__cause__
        return isinstance(cause, ValidationError) and not any(e["loc"] for e in cause.errors())
    return False


def _extremes(subject: Subject) -> Iterator[tuple[str, Any]]:
    """Yield each bound and choice of the parameters that the author did not set.

    A parameter that may be given a picture, and need not be, is tried with one.
    """
    for name, spec in properties(subject.filter.Params):
        if name in subject.skip_bounds or name in subject.params:
            continue
        if "enum" in spec:
            values = list(spec["enum"])
        elif spec.get("type") == "boolean":
            values = [False, True]
        elif spec.get("type") in ("integer", "number"):
            values = [limit for limit in limits(spec) if limit is not None]
        elif spec.get("format") == "image":
            # Of another size, but of the proportions of the runs: a filter may ask for them.
            values = [Image(picture(90, 122, seed=9))]
        else:
            values = []
        for value in values:
            yield name, value
    for preset in subject.filter.Params.presets:
        yield schema.PRESET, preset


def check_result(subject: Subject) -> str:
    """Check that the result is an Image of the right size, finite, in [0, 1], for any input."""
    if not subject.takes_pictures:
        return _NO_PICTURES
    params = subject.parse()
    height, width = subject.sides()
    inputs = {
        "a photo-like picture": picture(height, width),
        "black": np.zeros((height, width, 3), np.float32),
        "white": np.ones((height, width, 3), np.float32),
    }
    for what, pixels in inputs.items():
        made = subject.call(pixels.copy(), params)
        expect(
            isinstance(made, Image),
            f"apply() returned {type(made).__name__}; return image.replace(pixels=...)",
        )
        if subject.traits.keeps_size:
            expect(
                made.pixels.shape == pixels.shape,
                f"apply() made {made.width} x {made.height} of {width} x {height}; keep the size, "
                "or declare Traits(keeps_size=False)",
            )
        told = subject.instance.result_size((width, height), params)
        size = made.width, made.height
        expect(
            told in (None, size) or (told == (width, height) and not _tells_size(subject)),
            f"result_size() says {told} and apply() made {size}; they must be the same",
        )
        expect(
            bool(np.isfinite(made.pixels).all()),
            f"apply() on {what} gave values that are not finite; guard divisions and logarithms",
        )
        low, high = float(made.pixels.min()), float(made.pixels.max())
        expect(
            low >= -RANGE_SLACK and high <= 1 + RANGE_SLACK,
            f"apply() on {what} gave values from {low:.3g} to {high:.3g}; they must be in [0, 1], "
            "so end with np.clip(pixels, 0, 1)",
        )
    return ""


def _tells_size(subject: Subject) -> bool:
    return type(subject.instance).result_size is not Filter.result_size


def check_input_kept(subject: Subject) -> str:
    """Check that ``apply`` does not change the picture it was given."""
    if not subject.takes_pictures:
        return _NO_PICTURES
    pixels = picture(*subject.sides())
    given = pixels.copy()
    subject.call(given, subject.parse())
    changed = int((given != pixels).any(axis=-1).sum())
    expect(
        not changed,
        f"apply() changed {changed} pixels of its input; work on a copy: image.pixels.copy()",
    )
    return ""


def check_repeatable(subject: Subject) -> str:
    """Check that the same input and parameters give the same bytes."""
    pixels = _source(subject)
    first, second = (subject.run(pixels) for _ in range(2))
    expect(
        first.tobytes() == second.tobytes(),
        f"two runs with the same parameters differ by up to {_difference(first, second)}; draw "
        "random numbers from np.random.default_rng(params.seed) alone, and keep no state",
    )
    return ""


def check_seed(subject: Subject) -> str:
    """Check that, where there is a seed, another seed gives another result."""
    specs = dict(properties(subject.filter.Params))
    if "seed" not in specs:
        return "no seed"
    low, _ = limits(specs["seed"])
    start = int(low or 0)
    sources: list[FloatArray | None] = [None] if not subject.takes_pictures else [subject.picture()]
    if subject.traits.input == "optional":
        sources.append(None)
    for pixels in sources:
        first, second = (subject.run(pixels, seed=seed) for seed in (start, start + 1))
        if first.tobytes() != second.tobytes():
            return ""
    raise AssertionError(
        f"seeds {start} and {start + 1} give the same picture; use params.seed, or leave it out"
    )


def check_generate(subject: Subject) -> str:
    """Check that a filter that makes pictures makes the same one again."""
    if subject.traits.input == "required":
        return "makes none from nothing"
    first, second = (subject.run(None, what="making a picture from nothing") for _ in range(2))
    expect(
        first.tobytes() == second.tobytes(),
        "generate() made two different pictures from the same parameters; draw random numbers "
        "from np.random.default_rng(params.seed) alone",
    )
    return ""


def check_mask(subject: Subject) -> str:
    """Check that under a mask the filter runs, and the picture outside it stays as it was."""
    if not subject.takes_pictures:
        return _NO_PICTURES
    pixels = subject.picture()
    mask = half_mask(pixels)
    traits = subject.traits
    if not traits.keeps_size and traits.selection == "host" and traits.mask != "required":
        return "the size changes, so a mask is refused"
    result = subject.run(pixels, mask=mask, what="a run with a mask")
    if not traits.keeps_size:
        return "the size changes, so the filter honours the mask itself"
    if subject.traits.selection == "filter":
        return "the host compared what the filter says it left alone"
    changed = int((result != pixels).any(axis=-1)[mask == 0].sum())
    expect(not changed, f"{changed} pixels outside the mask changed; none must")
    return ""


def check_region(subject: Subject) -> str:
    """Check that the part of a picture that the filter says is enough gives what the whole does."""
    if type(subject.instance).region is Filter.region:
        return "the filter sees whole pictures"
    height, width = subject.sides(240, 320)
    pixels = np.rint(picture(height, width) * 255).astype(np.uint8)
    mask = np.zeros((height, width), np.float32)
    mask[height // 2 : height // 2 + 9, width // 3 : width // 3 + 9] = 1.0
    job = subject.host.prepare(subject.filter.name, mask=mask, **subject.values()).job
    region = job.region(width, height)
    if region is None or mask[region].shape == mask.shape:
        return "it needs all of a small picture"
    whole = subject.run(from_array(pixels).pixels, mask=mask, what="a run with a small mask")
    part = subject.host.apply(subject.filter.name, pixels, mask=mask, **subject.values())
    apart = int((part != np.rint(whole * 255)).any(axis=-1).sum())
    expect(
        not apart,
        f"{apart} pixels differ when the filter sees only its region() of a picture; return a "
        "larger part, or None",
    )
    return f"a part of {mask[region].size / mask.size:.0%} gives what the whole does"


def check_strength(subject: Subject) -> str:
    """Check that with strength 0 the result is the input."""
    if not subject.takes_pictures:
        return _NO_PICTURES
    if not subject.traits.keeps_size:
        return "the size changes, so strength does not apply"
    pixels = subject.picture()
    result = subject.run(pixels, strength=0.0)
    expect(
        result.tobytes() == pixels.tobytes(),
        f"strength 0 changed values by up to {_difference(result, pixels)}; it must be the input",
    )
    return ""


def check_threads(subject: Subject) -> str:
    """Check that two threads that share the filter get what each would get alone."""
    sources: list[FloatArray | None] = (
        [subject.picture(seed) for seed in (1, 2)] if subject.takes_pictures else [None, None]
    )
    alone = [subject.run(pixels) for pixels in sources]
    together: list[Any] = [None, None]
    ready = threading.Barrier(2)

    def work(index: int) -> None:
        try:
            ready.wait(timeout=60)
            together[index] = subject.run(sources[index])
        except (Exception, SystemExit) as error:  # noqa: BLE001 - told by the thread that checks
            together[index] = error

    threads = [threading.Thread(target=work, args=(index,), daemon=True) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for expected, found in zip(alone, together, strict=True):
        advice = "apply() must not store anything on self"
        expect(not isinstance(found, Exception), f"in two threads at once: {found}; {advice}")
        expect(
            expected.tobytes() == found.tobytes(),
            f"two threads at once get other results than one after the other; {advice}",
        )
    return ""


def _source(subject: Subject) -> FloatArray | None:
    return subject.picture() if subject.takes_pictures else None


def _difference(first: FloatArray, second: FloatArray) -> str:
    if first.shape != second.shape:
        return "their size"
    return f"{float(np.abs(first - second).max()) * 255:.2f}/255"

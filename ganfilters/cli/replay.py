"""``ganfilters replay OUT [IN] NEW``: do again what the recipe in a picture says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganfilters.cli._output import ProgressBar
from ganfilters.cli._state import State
from ganfilters.errors import GanfiltersError, UsageError
from ganfilters.limits import MAX_PIXELS
from ganfilters.schema import underscored

if TYPE_CHECKING:
    from ganfilters.image import Animation, Image
    from ganfilters.recipe import Recipe, Step

__all__ = ["LOSSY_MEAN", "OTHER_DEVICE_MEAN", "command"]

OTHER_DEVICE_MEAN = 1.0
"""Mean difference in 1/255 that counts as the same picture when made on another device."""

LOSSY_MEAN = 4.0
"""Mean difference in 1/255 that counts as the same picture when a file is lossy (JPEG, ...)."""

_LOSSY = {"JPEG", "WEBP", "AVIF", "GIF", "MP4", "WEBM"}


@click.command("replay")
@click.argument("out", type=click.Path())
@click.argument("paths", nargs=-1, type=click.Path(), metavar="[IN] NEW")
@click.option("--verify", is_flag=True, help="Compare NEW with OUT; exit 1 if they differ.")
@click.option(
    "--mask",
    type=click.Path(),
    metavar="FILE",
    help="The mask, if it has moved. (Several are looked for beside OUT.)",
)
@click.option(
    "--image",
    "images",
    multiple=True,
    metavar="NAME=FILE",
    help="The picture for a parameter, if it has moved; may be given several times.",
)
@click.option("--device", default="auto", metavar="NAME", help="Device.  [default auto]")
@click.option("--threads", type=click.IntRange(1), metavar="N", help="CPU threads of a network.")
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    metavar="N",
    default=MAX_PIXELS,
    help=f"Refuse larger pictures.  [default {MAX_PIXELS}]",
)
@click.option("--overwrite", is_flag=True, help="Replace NEW if it exists.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
@click.option("--quiet", "-q", is_flag=True, help="Print errors only.")
@click.pass_context
def command(ctx: click.Context, /, out: str, paths: tuple[str, ...], **given: Any) -> int:
    """Make a picture again from the recipe inside it.

    OUT is a picture that ganfilters made, IN what it was made from (left out, or -, if it was made
    from nothing), NEW the picture to write. NEW keeps the format that its extension names.

    If OUT was made in several steps, IN may also be a picture on the way: what was written to a
    file and filtered again. Only the later steps are done then. To do the same to another picture,
    use `ganfilters run OUT IN NEW`.

    --verify prints the largest and the mean difference in 1/255. The pictures pass if they are
    identical; if OUT was made on another device, up to a mean of 1; if OUT or NEW is in a format
    that loses detail, up to a mean of 4.
    """
    from ganfilters.cli._plan import STREAM, check_target
    from ganfilters.cli._work import read_source, write_result
    from ganfilters.imageio import format_of
    from ganfilters.replaying import Replay

    state = ctx.ensure_object(State)
    limit = given["max_pixels"]
    old = _read(out, limit)
    recipe = _recipe(out, old)
    source, new = _paths(paths, recipe)
    if new == STREAM:
        raise UsageError("NEW must be a file; standard output cannot be compared or resumed")
    check_target(new, source, overwrite=given["overwrite"])
    check_target(new, out, overwrite=given["overwrite"])
    format_of(new)
    image = read_source(source, max_pixels=limit) if source is not None else None
    again = Replay(recipe)
    for warning in _differences(state, recipe, again.start(image), source, out):
        state.warn(warning)
    host = state.host(given["device"], threads=given["threads"], max_pixels=limit)
    with ProgressBar(1, quiet=given["quiet"]) as bar:
        bar.begin(0, new)
        made = host.replay(
            recipe,
            image,
            mask=given["mask"],
            images=_images(given["images"]),
            folders=[Path(out).parent],
            on_progress=bar.update,
            on_warning=state.warn,
        )
        made = _timed(out, made, old)
        write_result(made, new, overwrite=given["overwrite"])
    record: dict[str, Any] = {"input": source, "output": new, "device": host.device}
    code = 0
    if given["verify"]:
        # Compared as read back from the file, the way anyone else would compare them.
        same_device = recipe.device == host.device
        verdict = _compare(old, _read(new, limit), same_device=same_device)
        record["verify"] = verdict
        code = 0 if verdict["same"] else 1
    if given["as_json"]:
        state.emit(record)
    elif not given["quiet"] or code:
        click.echo(_sentence(record))
    return code


def _read(path: str, max_pixels: int) -> Image | Animation:
    """Read a picture or, what no filter takes, a video."""
    from ganfilters.cli._work import read_source
    from ganfilters.imageio import is_video, read_video

    if is_video(path):
        return read_video(path, max_pixels=max_pixels)
    return read_source(path, max_pixels=max_pixels)


def _recipe(out: str, old: Image | Animation) -> Recipe:
    from ganfilters.recipe import no_recipe

    recipe = _first(old).metadata.recipe
    if recipe is None:
        raise no_recipe(out)
    return recipe


def _timed(out: str, made: Image | Animation, old: Image | Animation) -> Image | Animation:
    """Show frames as long as before: how long is no part of a recipe."""
    from ganfilters.image import Animation

    if not isinstance(old, Animation):
        return made
    if not isinstance(made, Animation):
        raise UsageError(f"{out} is an animation, and its recipe made a single picture here")
    durations = old.durations if len(old.frames) == len(made.frames) else made.durations
    return Animation(made.frames, durations, old.loop)


def _first(picture: Image | Animation) -> Image:
    from ganfilters.image import Animation

    return picture.first() if isinstance(picture, Animation) else picture


def _paths(paths: tuple[str, ...], recipe: Recipe) -> tuple[str | None, str]:
    """Return IN (None for a recipe that starts from nothing) and NEW."""
    made = recipe.input is None
    if len(paths) == 2:
        return (None if made and paths[0] == "-" else paths[0]), paths[1]
    if len(paths) == 1 and made:
        return None, paths[0]
    if recipe.input is not None and len(paths) < 2:
        name = f" ({recipe.input.path})" if recipe.input.path else ""
        raise UsageError(f"the recipe starts from a picture{name}; write: replay OUT IN NEW")
    raise UsageError(f"{len(paths) + 1} paths were given; write: replay OUT [IN] NEW")


def _images(words: tuple[str, ...]) -> dict[str, str]:
    images = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not (name and equals and path):
            raise UsageError(f"--image is {word}; write it as NAME=FILE")
        images[underscored(name)] = path
    return images


def _differences(
    state: State, recipe: Recipe, start: int | None, source: str | None, old: str
) -> Iterator[str]:
    """Yield what may make the new picture differ from the old.

    Parameters
    ----------
    state
        Knows the filters.
    recipe
        The old picture's.
    start
        The step that got the picture `source`; None if none did.
    source
        IN, if there is one.
    old
        OUT.
    """
    from ganfilters.cli._plan import STREAM

    if start is None and source is not None and recipe.input is not None:
        name = f" ({recipe.input.path})" if recipe.input.path else ""
        given = "the input" if source == STREAM else source
        yield f"{given} is not the picture that {old} was made from{name}"
    for step in recipe.steps[start or 0 :]:
        yield from _changes(state, step, old)


def _changes(state: State, step: Step, old: str) -> Iterator[str]:
    if step.steps:
        for inner in step.steps:
            yield from _changes(state, inner, old)
        return
    entry = state.registry.get(step.filter)
    if entry.version != step.version:
        yield f"{step.filter} is version {entry.version} now; {old} was made with {step.version}"
    for model in entry.filter.models:
        recorded = step.models.get(model.path.name)
        try:
            present = model.verify()
        except GanfiltersError:
            continue  # the host says so when it needs the model
        if recorded is not None and recorded != present:
            yield f"the model {model.path.name} has changed since {old} was made"
    from ganfilters.models import ModelFile

    for value in step.params.values():  # models that the user named
        path = Path(value) if isinstance(value, str) else None
        if path is None or path.name not in step.models or not path.is_file():
            continue
        if ModelFile(path).verify() != step.models[path.name]:
            yield f"the model {path} has changed since {old} was made"


def _compare(
    old: Image | Animation, new: Image | Animation, *, same_device: bool
) -> dict[str, Any]:
    """Return largest and mean difference in 1/255, and whether that passes."""
    import numpy as np

    from ganfilters.image import Animation

    pairs = [
        picture.frames if isinstance(picture, Animation) else (picture,) for picture in (old, new)
    ]
    if len(pairs[0]) != len(pairs[1]) or any(
        a.pixels.shape != b.pixels.shape for a, b in zip(*pairs, strict=True)
    ):
        return {"same": False, "largest": None, "mean": None, "allowed_mean": 0.0}
    largest, total = 0.0, 0.0
    for before, after in zip(*pairs, strict=True):
        planes = [(before.pixels, after.pixels)]
        if before.alpha is not None or after.alpha is not None:
            planes.append((_alpha(before), _alpha(after)))
        differences = [np.abs(a - b) * 255.0 for a, b in planes]
        largest = max(largest, *(float(d.max()) for d in differences))
        total += max(float(d.mean(dtype=np.float64)) for d in differences)
    mean = total / len(pairs[0])
    lossy = {_first(old).metadata.format, _first(new).metadata.format} & _LOSSY
    allowed = LOSSY_MEAN if lossy else 0.0 if same_device else OTHER_DEVICE_MEAN
    return {
        "same": largest == 0.0 or mean <= allowed,
        "largest": round(largest, 4),
        "mean": round(mean, 6),
        "allowed_mean": allowed,
    }


def _alpha(image: Image) -> Any:
    import numpy as np

    return image.alpha if image.alpha is not None else np.ones(image.pixels.shape[:2], np.float32)


def _sentence(record: dict[str, Any]) -> str:
    verdict = record.get("verify")
    if verdict is None:
        return f"{record['output']}  (on {record['device']})"
    if verdict["largest"] is None:
        return "different: the pictures are not of one size and number of frames"
    figures = f"largest difference {verdict['largest']:g}/255, mean {verdict['mean']:g}/255"
    if verdict["largest"] == 0.0:
        return f"identical: {figures}"
    allowed = f"a mean of {verdict['allowed_mean']:g} is allowed here"
    return f"{'same' if verdict['same'] else 'different'}: {figures}; {allowed}"

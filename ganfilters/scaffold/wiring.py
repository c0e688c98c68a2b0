"""From what was found out about a model to the Python that runs it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator

from ganfilters.scaffold.extras import Extra
from ganfilters.scaffold.probe import LUMA, Picture
from ganfilters.scaffold.ranges import imagenet
from ganfilters.scaffold.trials import Findings

__all__ = ["report", "template_values"]

_TILE = 1024
_ARTIFACTS = """\
# hatchling leaves out what a .gitignore names, and one above this folder may name models.
artifacts = ["*.onnx"]
"""


def template_values(findings: Findings, *, model_name: str, sha256: str) -> dict[str, str]:
    """Return the values of the templates for a plugin with a model."""
    enlarged = max(float(findings.network.scale), 1.0)
    return {
        "model_name": model_name,
        "sha256": sha256,
        "artifacts": _ARTIFACTS,
        "imports": _imports(findings),
        "constants": _constants(findings),
        "fields": _fields(findings),
        "traits": textwrap.indent(_traits(findings), "    "),
        "result_size": textwrap.indent(_result_size(findings), "    "),
        "apply": textwrap.indent(_apply(findings), "        "),
        "functions": "\n\n\n".join(_functions(findings)),
        "table": "\n".join(f"| {what} | {found} |" for what, found in report(findings)),
        "height": str(int(48 * enlarged)),
        "width": str(int(64 * enlarged)),
    }


def report(findings: Findings) -> Iterator[tuple[str, str]]:
    """Yield what was found, for people."""
    network = findings.network
    size = network.input.size
    yield "input", f"{network.input.name}, {_tensor(network.input)}"
    yield "output", f"{network.output.name}, {_tensor(network.output)}, {_scale(findings)}"
    if size:
        yield "size", f"{size[1]} x {size[0]} only; pictures are resized to it and back"
    else:
        rule = f"multiples of {findings.multiple}" if findings.multiple > 1 else "any"
        yield "size", rule + (f", from {findings.least} pixels" if findings.least > 1 else "")
    yield "values", f"{findings.given} in, {findings.made} out{_guess(findings)}"
    if findings.overlap is not None:
        yield "large pictures", f"in tiles that overlap by {findings.overlap} pixels"
    elif size is None and network.scale == 1:
        yield "large pictures", "whole, as tiles would not fit together"
    for extra in network.extras:
        yield f"parameter {extra.parameter}", _told(extra)
    if network.unused:
        yield "not used", f"output {', '.join(network.unused)}"


def _told(extra: Extra) -> str:
    if extra.count > 1:
        return f"{extra.count} weights by number, 0 to {extra.count - 1}"
    if extra.dtype == "bool":
        return "true or false"
    return f"{extra.low:g} to {extra.high:g}, {extra.default:g} by default (bounds are a guess)"


def _guess(findings: Findings) -> str:
    return " (a guess; --range and --output-range override it)" * findings.guessed


def _tensor(picture: Picture) -> str:
    sizes = dict(zip("HW", map(str, picture.size), strict=True)) if picture.size else {}
    letters = {"N": "1", "C": str(picture.channels), **sizes}
    shape = " x ".join(letters.get(letter, letter) for letter in picture.layout)
    return f"{'grey' if picture.channels == 1 else 'RGB'}, {shape}, {picture.dtype}"


def _scale(findings: Findings) -> str:
    scale = findings.network.scale
    return "same size" if scale == 1 else f"{scale} of the size" if scale < 1 else f"{scale} x size"


def _imports(findings: Findings) -> str:
    network = findings.network
    names = {"Filter", "FloatArray", "Image", "ModelFile", "Params", "Traits", "hookimpl"}
    names |= {"report_progress"}
    lists = any(extra.count > 1 for extra in network.extras)
    if lists:
        names |= {"UsageError", "WeightedNames"}
    if network.input.size or network.scale < 1:
        names.add("resize")
    elif network.scale > 1:
        names |= {"pad_to", "padded_size"}
    if network.input.layout == "NCHW":
        names.add("to_batch")
    if network.output.layout == "NCHW":
        names.add("from_batch")
    if findings.overlap is not None:
        names.add("Tiling")
    if _traits(findings) == "":
        names.discard("Traits")
    ordered = sorted(names, key=lambda name: (not name[0].isupper(), name))
    block = "from ganfilters import (\n" + "".join(f"    {name},\n" for name in ordered) + ")"
    typing = ["from typing import Any", ""]
    fields = ["from pydantic import Field"] if network.extras else []
    return "\n".join(
        [*typing, "import numpy as np", "import numpy.typing as npt", block, *fields, ""]
    )


def _constants(findings: Findings) -> str:
    network = findings.network
    lines = [
        "# Names of the model's input and output.",
        f"INPUT = {json.dumps(network.input.name)}",
        f"OUTPUT = {json.dumps(network.output.name)}",
    ]
    size, scale = network.input.size, network.scale
    if size:
        lines += ["# The model takes this size only.", f"HEIGHT, WIDTH = {size[0]}, {size[1]}"]
    if scale > 1:
        lines += ["# The result is so many times as large.", f"SCALE = {scale}"]
        if not size:
            lines += [
                "# Found by running the model at several sizes.",
                f"MULTIPLE, SMALLEST = {findings.multiple}, {findings.least}",
            ]
    if "imagenet" in (findings.given, findings.made):
        mean, std = (
            [round(float(value), 4) for value in row] for row in imagenet(network.input.channels)
        )
        lines += [
            "# Mean and deviation of ImageNet's pictures.",
            f"MEAN = np.array({mean}, np.float32)",
            f"STD = np.array({std}, np.float32)",
        ]
    return "\n".join(lines) + "\n"


def _fields(findings: Findings) -> str:
    lines = []
    for extra in findings.network.extras:
        name = extra.name.replace('"', "'").replace("\\", "/")
        note = f"The model's input {name}"[:60]
        if extra.count > 1:
            lines += [
                f"{extra.parameter}: WeightedNames = Field(",
                '    {"0": 1.0},',
                f'    description="Weights of {name[:32]} by number, 0 to {extra.count - 1}, '
                'as 0=1,1=0.5",',
                ")",
            ]
        elif extra.dtype == "bool":
            lines += [
                f"{extra.parameter}: bool = Field(",
                f"    {bool(extra.default)},",
                f'    description="{note}",',
                ")",
            ]
        else:
            kind = "int" if extra.whole else "float"
            low, high, default = (
                str(int(value)) if extra.whole else repr(float(value))
                for value in (extra.low, extra.high, extra.default)
            )
            lines += [
                "# The bounds are a guess: the model runs at both.",
                f"{extra.parameter}: {kind} = Field(",
                f"    {default},",
                f"    ge={low},",
                f"    le={high},",
                f'    description="{note}",',
                ")",
            ]
    return textwrap.indent("\n".join(["", *lines, ""]), "    ") if lines else ""


def _traits(findings: Findings) -> str:
    words = []
    network = findings.network
    if network.scale > 1:
        words.append("keeps_size=False")
    elif network.input.size is None:
        if findings.multiple > 1:
            words.append(f"size_multiple={findings.multiple}")
        if findings.least > 1:
            words.append(f"size_min={findings.least}")
        if findings.most is not None:
            words.append(f"size_max={findings.most}")
        if findings.overlap is not None:
            words.append(f"tiling=Tiling(size={_TILE}, overlap={findings.overlap})")
    if not words:
        return ""
    note = "# Found by running the model." if network.scale == 1 else "# No mask and strength then."
    return f"{note}\ntraits = Traits({', '.join(words)})"


def _result_size(findings: Findings) -> str:
    if findings.network.scale <= 1:
        return ""
    return """
def result_size(
    self, size: tuple[int, int] | None, params: Params
) -> tuple[int, int] | None:
    \"\"\"Return the size of the result, so that the host can refuse what is too large.\"\"\"
    return None if size is None else (size[0] * SCALE, size[1] * SCALE)
"""


def _apply(findings: Findings) -> str:
    network = findings.network
    fixed, scale = network.input.size, network.scale
    feeds = ["    INPUT: to_network(pixels),"]
    for extra in network.extras:
        key, value = json.dumps(extra.name), f"params.{extra.parameter}"
        if extra.count > 1:
            made = f"weights({value}, {extra.count})"
            made += "" if len(extra.shape) == 1 else f".reshape({extra.shape})"
            made += "" if extra.dtype == "float32" else f".astype(np.{extra.dtype})"
        else:
            dtype = "np.bool_" if extra.dtype == "bool" else f"np.{extra.dtype}"
            made = f"np.full({extra.shape}, {value}, {dtype})"
        feeds.append(f"    {key}: {made},")
    lines = ["height, width = image.pixels.shape[:2]"] if fixed or scale != 1 else []
    if fixed:
        lines.append("pixels = np.clip(resize(image.pixels, WIDTH, HEIGHT), 0.0, 1.0)")
    elif scale > 1:
        lines += [
            "size = padded_size(height, width, MULTIPLE, SMALLEST)",
            "pixels = pad_to(image.pixels, *size)",
        ]
    else:
        lines.append("pixels = image.pixels")
    lines += ["feeds: dict[str, npt.NDArray[Any]] = {", *feeds, "}"]
    # Only a model of several outputs has to be cut to the one that is wanted.
    session = "session(MODEL, [OUTPUT])" if network.unused else "session(MODEL)"
    lines.append(f"(made,) = self.runtime.{session}.run(feeds, [OUTPUT])")
    if fixed or scale < 1:
        times = " * SCALE" if scale > 1 else ""
        lines.append(f"result = resize(from_network(made), width{times}, height{times})")
        result = "np.clip(result, 0.0, 1.0)"
    elif scale > 1:
        result = "from_network(made)[: height * SCALE, : width * SCALE]"
    else:
        result = "from_network(made)"
    if scale > 1:
        lines.append(f"return Image({result})")
    else:
        lines.append(f"return image.replace(pixels={result})")
    return "\n".join(lines)


def _functions(findings: Findings) -> Iterator[str]:
    network = findings.network
    yield _to_network(findings)
    yield _from_network(findings)
    if any(extra.count > 1 for extra in network.extras):
        yield _WEIGHTS


def _to_network(findings: Findings) -> str:
    picture = findings.network.input
    grey = f"(pixels @ np.array({list(LUMA)}, np.float32))[..., None]"
    lines = [f"values = {grey if picture.channels == 1 else 'pixels'}"]
    lines += {
        "0..255": ["values = values * np.float32(255)"],
        "-1..1": ["values = values * np.float32(2) - np.float32(1)"],
        "imagenet": ["values = (values - MEAN) / STD"],
    }.get(findings.given, [])
    if picture.dtype == "uint8":
        lines.append("values = np.rint(values)")
    if picture.layout == "NCHW":
        typed = "" if picture.dtype == "float32" else f".astype(np.{picture.dtype})"
        lines.append(f"return to_batch(values{typed})")
    else:
        turned = {"CHW": "values.transpose(2, 0, 1)", "NHWC": "values[None]", "HWC": "values"}
        lines.append(f"return np.ascontiguousarray({turned[picture.layout]}, np.{picture.dtype})")
    return _function(
        "def to_network(pixels: FloatArray) -> npt.NDArray[Any]:",
        f"Return pixels as the model takes them: {_short(picture)}.",
        _values(findings, findings.given),
        lines,
    )


def _from_network(findings: Findings) -> str:
    picture = findings.network.output
    turned = {
        "NCHW": "from_batch(made)",
        "CHW": "made.transpose(1, 2, 0)",
        "NHWC": "made[0]",
        "HWC": "made",
    }[picture.layout]
    lines = [f"values = {turned}.astype(np.float32)"]
    lines += {
        "0..255": ["values = values / np.float32(255)"],
        "-1..1": ["values = (values + np.float32(1)) / np.float32(2)"],
    }.get(findings.made, [])
    if picture.channels == 1:
        lines.append("values = np.repeat(values, 3, axis=2)  # grey")
    lines += ["result: FloatArray = np.clip(values, 0.0, 1.0)", "return result"]
    return _function(
        "def from_network(made: npt.NDArray[Any]) -> FloatArray:",
        f"Return as pixels what the model makes: {_short(picture)}.",
        _values(findings, findings.made),
        lines,
    )


def _values(findings: Findings, span: str) -> str:
    numbers = f"from {span.replace('..', ' to ')}"
    shown = "normalised as for ImageNet" if span == "imagenet" else numbers
    return f"Its values are {shown}{', a guess' * findings.guessed}."


def _function(head: str, summary: str, more: str, lines: list[str]) -> str:
    body = [f'"""{summary}', "", more, '"""', *lines]
    return "\n".join([head, *(f"    {line}".rstrip() for line in body)])


def _short(picture: Picture) -> str:
    letters = {"N": "1", "C": str(picture.channels)}
    shape = " x ".join(letters.get(letter, letter) for letter in picture.layout)
    return f"{shape}, {picture.dtype}"


_WEIGHTS = '''def weights(named: dict[str, float], count: int) -> FloatArray:
    """Return `count` numbers: those that `named` gives by their number, 0 for the others."""
    values = np.zeros(count, np.float32)
    for number, weight in named.items():
        if not number.isdecimal() or int(number) >= count:
            raise UsageError(f"{number} is not a number from 0 to {count - 1}; write 0=1,1=0.5")
        values[int(number)] = weight
    return values'''

"""The public interface as text, to be compared with the reviewed ``tests/public_api.txt``.

``python -m tests.public_api`` prints what has changed; with ``--update`` it accepts the change.
"""

from __future__ import annotations

import difflib
import inspect
import pkgutil
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, get_origin

import click
from pydantic import BaseModel, TypeAdapter
from pydantic_core import PydanticUndefined

import ganfilters
from ganfilters import cli, hookspecs, registry, schema
from tests.docs import generate

FILE = Path(__file__).with_name("public_api.txt")
MODULES = ("ganfilters", "ganfilters.testing")

HELD = (
    "ganfilters.chains.ChainParam",
    "ganfilters.chains.ChainStep",
    "ganfilters.models.Parity",
    "ganfilters.progress.CancelToken",
    "ganfilters.recipe.Passage",
    "ganfilters.recipe.Reference",
    "ganfilters.recipe.Saved",
    "ganfilters.recipe.Selection",
    "ganfilters.recipe.Step",
    "ganfilters.registry.LeftOut",
    "ganfilters.runtime.BoundRun",
)
"""Classes whose objects people get from a public one, and read, but never make or name.

Their members are promised, and are in the reference; the place to import them from is not.
"""

INTERNAL = (
    "ganfilters.jobs.Job",
    "ganfilters.registry.Choice",
    "ganfilters.registry.Source",
)
"""Classes of the host's own that a public one names, and nobody else is to use: no promise."""

HEAD = """\
# The public interface: what users, plugins and applications may rely on. Written by
# python -m tests.public_api --update
# A change here is a change to other people's code: see "Deprecation" in CONTRIBUTING.md.
"""


def describe() -> str:
    """Return the whole public interface, one line for each thing."""
    parts: list[Iterator[str]] = [names(module) for module in MODULES]
    parts += [held(), hooks(), commands(), filters()]
    return HEAD + "".join("\n" + "".join(f"{line}\n" for line in part) for part in parts)


def names(module: str) -> Iterator[str]:
    """Yield the public names of a module with their signatures and members."""
    yield f"[{module}]"
    home = import_module(module)
    for name in sorted(home.__all__):
        yield from described(name, getattr(home, name))


def held() -> Iterator[str]:
    """Yield the classes whose objects one gets from public ones, with their members."""
    yield "[got from these, never named]"
    for name in HELD:
        yield from described(name.rpartition(".")[2], _found(name))


def unlisted() -> dict[str, str]:
    """Return classes of ours that the public interface names but does not have.

    Where one is named is the value. Those found in `HELD` are followed like public ones.
    """
    public = [getattr(import_module(x), name) for x in MODULES for name in import_module(x).__all__]
    public += [_found(name) for name in HELD]
    known = {*map(id, public), *(id(_found(name)) for name in INTERNAL)}
    return {
        f"{cls.__module__}.{cls.__name__}": where
        for value in public
        if inspect.isclass(value) or inspect.isfunction(value)
        for cls, where in named(value)
        if id(cls) not in known
    }


def named(value: Any) -> Iterator[tuple[type, str]]:
    """Yield the classes of ours in signatures, fields and properties, and where each stands."""
    seen = vars(import_module(value.__module__))
    for line in described(value.__name__, value):
        where, *words = re.findall(r"\w+(?:\.\w+)*", re.sub(r"'[^']*'", "", line))
        for word in words:
            name = word.rpartition(".")[2]
            found = classes().get(name, [])
            # Of namesakes it is the one that the module has imported.
            for cls in [seen[name]] if seen.get(name) in found else found:
                yield cls, where


@cache
def classes() -> dict[str, list[type]]:
    """Return every class that the package defines, by its bare name."""
    found = defaultdict(list)
    for module in pkgutil.walk_packages(ganfilters.__path__, "ganfilters."):
        if not module.name.endswith("__main__"):
            for name, value in vars(import_module(module.name)).items():
                if inspect.isclass(value) and value.__module__ == module.name:
                    found[name].append(value)
    return found


def _found(name: str) -> Any:
    home, _, last = name.rpartition(".")
    return getattr(import_module(home), last)


def described(name: str, value: Any) -> Iterator[str]:
    """Yield the lines about one public name."""
    if inspect.isclass(value):
        bases = ", ".join(x.__name__ for x in value.__bases__ if x is not object)
        yield f"class {name}({bases})" if bases else f"class {name}"
        if not issubclass(value, BaseException):
            for line in members(value):
                yield f"    {name}.{line}"
    elif inspect.isfunction(value):
        yield f"{name}{signature(value)}"
    elif get_origin(value) is Annotated:
        yield f"{name}: parameter type {TypeAdapter(value).json_schema()}"
    elif isinstance(value, tuple) and all(inspect.isfunction(x) for x in value):
        yield from (f"{name}: {x.__name__}" for x in value)
    else:
        kind = "type alias" if get_origin(value) is not None else type(value).__name__
        yield f"{name}: {kind}"


def members(cls: type) -> Iterator[str]:
    """Yield the constructor, fields and public methods that a class and our bases of it define."""
    ours = [x for x in cls.__mro__ if x.__module__.startswith("ganfilters")]
    if issubclass(cls, BaseModel):
        for name, info in cls.model_fields.items():
            made = info.default_factory is not None
            yield f"{name}: {_annotation(cls, name)}{_default(info.default, made)}"
    elif is_dataclass(cls):
        for field in fields(cls):
            made = field.default_factory is not MISSING
            yield f"{field.name}: {_written(field.type)}{_default(field.default, made)}"
    elif any("__init__" in vars(x) for x in ours) and not getattr(cls, "_is_protocol", False):
        yield f"__init__{signature(cls.__init__)}"  # type: ignore[misc]
    seen = set()
    for base in ours:
        for name, member in vars(base).items():
            public = not name.startswith("_") or name == "__call__"
            if public and name not in seen:
                seen.add(name)
                yield from _member(name, member)
        if not is_dataclass(cls) and not issubclass(cls, BaseModel):
            for name, annotation in vars(base).get("__annotations__", {}).items():
                if not name.startswith("_"):
                    yield f"{name}: {_written(annotation)}"


def _member(name: str, member: Any) -> Iterator[str]:
    if isinstance(member, (classmethod, staticmethod)):
        yield f"{name}{signature(member.__func__)}  [{type(member).__name__}]"
    elif isinstance(member, property):
        returns = member.fget.__annotations__.get("return") if member.fget else None
        yield f"{name} -> {_written(returns)}  [property]"
    elif hasattr(member, "func") and hasattr(member, "attrname"):
        returns = member.func.__annotations__.get("return")
        yield f"{name} -> {_written(returns)}  [property]"
    elif inspect.isfunction(member):
        mark = "  [abstract]" if getattr(member, "__isabstractmethod__", False) else ""
        yield f"{name}{signature(member)}{mark}"


def signature(function: Callable[..., Any]) -> str:
    """Return parameters, annotations and defaults as they stand in the source."""
    found = inspect.signature(function)
    shown = []
    for parameter in found.parameters.values():
        annotation = parameter.annotation
        # Annotations are text in our modules; what was written is what is compared.
        text = str(parameter.replace(annotation=parameter.empty))
        name, _, default = text.partition("=")
        if annotation is not parameter.empty:
            name += f": {_written(annotation)}"
        shown.append((parameter.kind, name + (f" = {default}" if default else "")))
    words = []
    for index, (kind, text) in enumerate(shown):
        before = shown[index - 1][0] if index else None
        if before is inspect.Parameter.POSITIONAL_ONLY and kind is not before:
            words.append("/")
        star = before not in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_POSITIONAL)
        if kind is inspect.Parameter.KEYWORD_ONLY and star:
            words.append("*")
        words.append(text)
    returns = found.return_annotation
    arrow = "" if returns is found.empty else f" -> {_written(returns)}"
    return f"({', '.join(words)}){arrow}"


def _written(annotation: Any) -> str:
    if isinstance(annotation, str):
        return annotation
    return inspect.formatannotation(annotation)


def _annotation(cls: type, name: str) -> str:
    home = next(x for x in cls.__mro__ if name in vars(x).get("__annotations__", {}))
    return _written(vars(home)["__annotations__"][name])


def _default(value: Any, made: bool) -> str:
    if made:
        return " = <made>"
    if value is MISSING or value is PydanticUndefined:
        return ""
    return " = <version>" if value == ganfilters.__version__ else f" = {value!r}"


def hooks() -> Iterator[str]:
    """Yield the hooks and the entry-point groups that find their plugins."""
    yield "[hooks]"
    for name, value in sorted(vars(hookspecs).items()):
        if hasattr(value, "ganfilters_spec"):
            yield f"{name}{signature(value)}"
    yield f"entry-point groups: {registry.FILTERS_GROUP}, {registry.COMMANDS_GROUP}"


def commands() -> Iterator[str]:
    """Yield every command with its options, and the exit codes."""
    yield "[command line]"
    found = {"": cli.command_line(), **generate.commands()}
    for words, command in found.items():
        if isinstance(command, click.Group) and words:
            yield f"ganfilters {words}"
        for param in command.params:
            yield " ".join(f"ganfilters {words} {option(param)}".split())
    for word, options in generate.shared_options().items():
        what = "CHAIN" if word == "run" else "FILTER"
        yield from (f"ganfilters {word} {what} {option(param)}" for param in options)
    yield f"exit codes: {', '.join(map(str, exit_codes()))}"


def exit_codes() -> list[int]:
    """Return the exit codes of the command line."""
    return sorted({0, *(code for name, code in vars(cli).items() if name.startswith("EXIT_"))})


def option(param: click.Parameter) -> str:
    """Return an option or argument in one line."""
    context = click.Context(click.Command("x"))
    if isinstance(param, click.Argument):
        return param.make_metavar(context)
    assert isinstance(param, click.Option)
    words = ["/".join([*param.opts, *param.secondary_opts])]
    if not param.is_flag:
        words.append(param.make_metavar(context))
        default = param.get_default(context, call=False)
        if isinstance(default, (str, int, float)):
            words.append(f"= {default}")
    words += ["required"] * param.required + ["multiple"] * param.multiple
    return " ".join(words)


def filters() -> Iterator[str]:
    """Yield the filters that ship here, with their parameters."""
    yield "[filters]"
    for entry in generate.first_party():
        for parameter in schema.parameters(entry.filter.Params):
            facts = [parameter.kind, parameter.bounds, ", ".join(map(str, parameter.choices))]
            default = f"= {parameter.default}" if parameter.default else ""
            words = " ".join(x for x in (*facts, default) if x)
            yield f"{entry.filter.name} {parameter.flag}: {words}"


def difference() -> str:
    """Return what has changed since the reviewed file, as a diff; empty if nothing has."""
    old = FILE.read_text("utf-8") if FILE.exists() else ""
    lines = difflib.unified_diff(
        old.splitlines(),
        describe().splitlines(),
        "tests/public_api.txt",
        "the code",
        lineterm="",
        n=0,
    )
    return "\n".join(lines)


def main() -> int:
    """Print what has changed, or accept it."""
    changed = difference()
    if "--update" in sys.argv[1:]:
        FILE.write_text(describe(), "utf-8")
    print(changed or "nothing has changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())

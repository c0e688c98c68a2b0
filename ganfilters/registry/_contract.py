"""The static half of the filter contract, checked when a plugin is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganfilters.errors import PluginError
from ganfilters.registry._sources import FILTER_NAME

if TYPE_CHECKING:
    from ganfilters.filter import Filter

__all__ = ["RESERVED", "check_class"]

RESERVED = frozenset(
    [
        "preset",
        "filter",
        "vary",
        "values",
        "across",
        "thumbnail",
        "mask",
        "invert_mask",
        "feather",
        "strength",
        "on_progress",
        "cancel",
        "name",
        "image",
        "device",
        "threads",
        "plugin",
        "format",
        "quality",
        "fps",
        "overwrite",
        "skip_existing",
        "max_pixels",
        "json",
        "quiet",
        "debug",
        "help",
        "params",
        "recursive",
        "out_dir",
        "dry_run",
    ]
)
"""Names that a parameter cannot have, because the host or the command line uses them."""


def check_class(cls: object) -> type[Filter[Any]]:
    """Return `cls` after checking that it keeps the static half of the filter contract.

    Raises
    ------
    PluginError
        It is no `Filter` subclass, is abstract, or a declaration is missing or of a wrong type.
    """
    from ganfilters.filter import Filter, Params, Traits

    if not (isinstance(cls, type) and issubclass(cls, Filter)):
        raise PluginError(f"ganfilters_filters() must return Filter classes, not {_describe(cls)}")
    where = f"filter class {cls.__name__}"
    missing = sorted(cls.__abstractmethods__)
    if missing:
        raise PluginError(f"{where} does not implement {', '.join(missing)}")
    if not FILTER_NAME.fullmatch(str(getattr(cls, "name", ""))):
        raise PluginError(
            f"{where} needs `name`: lower-case letters, digits and single hyphens, "
            f"not {getattr(cls, 'name', None)!r}"
        )
    summary = getattr(cls, "summary", None)
    if not isinstance(summary, str) or not summary.strip() or "\n" in summary:
        raise PluginError(f"{where} needs `summary`: one line of text")
    params = getattr(cls, "Params", None)
    if not (isinstance(params, type) and issubclass(params, Params)):
        raise PluginError(f"{where} needs `Params`: a subclass of ganfilters.Params")
    for field_name, field in params.model_fields.items():
        if not field.description:
            raise PluginError(f"{where}: parameter {field_name!r} has no description")
        if field_name in RESERVED:
            raise PluginError(f"{where}: the parameter name {field_name!r} is the host's own")
    if not isinstance(cls.traits, Traits):
        raise PluginError(f"{where} needs `traits`: a ganfilters.Traits")
    if cls.traits.input != "required" and cls.generate is Filter.generate:
        raise PluginError(f"{where} says input={cls.traits.input!r} but has no generate()")
    own = cls.traits.selection == "filter" or cls.traits.alpha == "edited"
    if own and cls.traits.tiling is not None:
        raise PluginError(
            f"{where} says tiling, which goes neither with selection='filter' nor alpha='edited'"
        )
    return cls


def _describe(value: object) -> str:
    return f"the instance {value!r}" if not isinstance(value, type) else value.__name__

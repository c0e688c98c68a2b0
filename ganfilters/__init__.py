"""ganfilters: a host for neural image filters.

>>> import ganfilters
>>> result = ganfilters.apply("dream", "photo.jpg", octaves=4)  # doctest: +SKIP

The names below are the public interface. They are imported on first use, so that importing the
package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ganfilters._version import __version__

if TYPE_CHECKING:
    from ganfilters.areas import bounding_box, distance_to
    from ganfilters.chains import Chain
    from ganfilters.errors import (
        Cancelled,
        DeviceError,
        GanfiltersError,
        ImageError,
        ModelError,
        NothingToDo,
        OutOfMemory,
        PluginError,
        UsageError,
        nearest,
    )
    from ganfilters.fields import (
        DataFile,
        ImageParam,
        InputFile,
        ModelParam,
        OutputFile,
        Size,
        WeightedNames,
    )
    from ganfilters.filter import Filter, Params, Tiling, Traits
    from ganfilters.hookspecs import hookimpl
    from ganfilters.host import Host, Prepared, apply
    from ganfilters.image import Animation, BoolArray, FloatArray, Image, Metadata
    from ganfilters.models import ModelCard, ModelFile
    from ganfilters.progress import progress_part, report_progress
    from ganfilters.recipe import Recipe
    from ganfilters.registry import Entry, LoadError, PluginInfo, Registry
    from ganfilters.resample import resize, resize_mask
    from ganfilters.runtime import Runtime, Session
    from ganfilters.sheet import contact_sheet
    from ganfilters.tensors import from_batch, to_batch
    from ganfilters.tiling import pad_to, padded_size

__all__ = [
    "Animation",
    "BoolArray",
    "Cancelled",
    "Chain",
    "DataFile",
    "DeviceError",
    "Entry",
    "Filter",
    "FloatArray",
    "GanfiltersError",
    "Host",
    "Image",
    "ImageError",
    "ImageParam",
    "InputFile",
    "LoadError",
    "Metadata",
    "ModelCard",
    "ModelError",
    "ModelFile",
    "ModelParam",
    "NothingToDo",
    "OutOfMemory",
    "OutputFile",
    "Params",
    "PluginError",
    "PluginInfo",
    "Prepared",
    "Recipe",
    "Registry",
    "Runtime",
    "Session",
    "Size",
    "Tiling",
    "Traits",
    "UsageError",
    "WeightedNames",
    "__version__",
    "apply",
    "bounding_box",
    "contact_sheet",
    "distance_to",
    "from_batch",
    "hookimpl",
    "nearest",
    "pad_to",
    "padded_size",
    "progress_part",
    "report_progress",
    "resize",
    "resize_mask",
    "to_batch",
]

_HOME = {
    "areas": "bounding_box distance_to",
    "chains": "Chain",
    "errors": "Cancelled DeviceError GanfiltersError ImageError ModelError NothingToDo OutOfMemory "
    "PluginError UsageError nearest",
    "fields": "DataFile ImageParam InputFile ModelParam OutputFile Size WeightedNames",
    "filter": "Filter Params Tiling Traits",
    "hookspecs": "hookimpl",
    "host": "Host Prepared apply",
    "image": "Animation BoolArray FloatArray Image Metadata",
    "models": "ModelCard ModelFile",
    "progress": "progress_part report_progress",
    "recipe": "Recipe",
    "registry": "Entry LoadError PluginInfo Registry",
    "resample": "resize resize_mask",
    "runtime": "Runtime Session",
    "sheet": "contact_sheet",
    "tensors": "from_batch to_batch",
    "tiling": "pad_to padded_size",
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        return _former(name)
    value = getattr(import_module(f"ganfilters.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def _former(name: str) -> Any:
    from ganfilters.deprecation import RENAMED, warn_deprecated

    if name not in RENAMED:
        raise AttributeError(f"module 'ganfilters' has no attribute {name!r}")
    new, since = RENAMED[name]
    warn_deprecated(f"ganfilters.{name}", f"ganfilters.{new}", since=since, stacklevel=2)
    return globals().get(new) or __getattr__(new)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))

"""One declaration, many faces: from `Params` to checks, flags, JSON Schema and tables.

Everything is read from the model's JSON Schema, so a plugin's own parameter types work as soon as
pydantic can describe them. pydantic is the only validator: flags hand over words as typed.
"""

from __future__ import annotations

from ganfilters.schema._checking import explain, renamed, validate
from ganfilters.schema._faces import markdown, options
from ganfilters.schema._names import flag, nearest_flag, spelled, underscored
from ganfilters.schema._parameters import (
    PRESET,
    Parameter,
    file_parameters,
    json_schema,
    new_files,
    parameters,
    written,
)

__all__ = [
    "PRESET",
    "Parameter",
    "explain",
    "file_parameters",
    "flag",
    "json_schema",
    "markdown",
    "nearest_flag",
    "new_files",
    "options",
    "parameters",
    "renamed",
    "spelled",
    "underscored",
    "validate",
    "written",
]

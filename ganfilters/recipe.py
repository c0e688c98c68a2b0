"""The recipe: what was done to a picture, written into the output, and done again from there."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ganfilters._version import __version__
from ganfilters.errors import ImageError

__all__ = ["Recipe", "Reference", "Selection", "Step"]

_STRICT = ConfigDict(extra="forbid", frozen=True)


class Reference(BaseModel):
    """Names a picture without holding it: where it was, and a checksum of its pixels."""

    model_config = _STRICT

    path: str | None = Field(default=None, description="Path as it was given, if it was a file")
    sha256: str = Field(description="Checksum of the decoded pixels, see `convert.reference`")
    width: int = Field(description="Width in pixels")
    height: int = Field(description="Height in pixels")


class Selection(BaseModel):
    """The mask a step worked under."""

    model_config = _STRICT

    mask: Reference
    invert: bool = False
    feather: float = 0.0


class Step(BaseModel):
    """One filter with all its values, defaults and preset resolved."""

    model_config = _STRICT

    filter: str
    version: str = Field(description="Version of the distribution that provides the filter")
    params: dict[str, Any]
    models: dict[str, str] = Field(default_factory=dict, description="Model name to sha256")
    selection: Selection | None = None
    strength: float = 1.0


class Recipe(BaseModel):
    """Everything needed to make a picture again from its input."""

    model_config = _STRICT

    ganfilters: str = Field(default=__version__, description="Version of the host")
    device: str = Field(description="Device the networks ran on")
    input: Reference | None = Field(default=None, description="The input; None if there was none")
    steps: tuple[Step, ...]

    def to_json(self) -> str:
        """Return the recipe as one line of JSON."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """Read a recipe back.

        Raises
        ------
        ImageError
            The text is no recipe, or one of a later version with fields unknown here.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "recipe"
            raise ImageError(
                f"the recipe in the picture cannot be read ({where}: {first['msg']}); it may be "
                f"from a version later than {__version__}"
            ) from error

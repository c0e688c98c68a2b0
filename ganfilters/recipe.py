"""The recipe: what was done to a picture, written into the output, and done again from there.

The steps of a recipe are all that was done since the picture that it starts from. Where a picture
was filtered, written to a file, and filtered again, the later step says through what file it came
(`Passage`), so that a replay rounds it the same way.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ganfilters._version import __version__
from ganfilters.errors import ImageError, UsageError

__all__ = ["Passage", "Recipe", "Reference", "Saved", "Selection", "Step", "no_recipe"]

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


class Saved(BaseModel):
    """How a picture was written."""

    model_config = _STRICT

    format: str
    quality: int | None = None
    bit_depth: int | None = None


class Passage(BaseModel):
    """A file through which a picture came from one step to the next."""

    model_config = _STRICT

    picture: Reference
    saved: Saved


class Step(BaseModel):
    """One filter with all its values, defaults and preset resolved; or a chain of such steps."""

    model_config = _STRICT

    filter: str = Field(description="Name of the filter or chain; empty for a chain without name")
    version: str = Field(
        description="Version of the distribution that provides the filter; of a chain, a checksum"
    )
    params: dict[str, Any] = Field(default_factory=dict)
    models: dict[str, str] = Field(default_factory=dict, description="Model name to sha256")
    selection: Selection | None = None
    strength: float = 1.0
    source: Passage | None = Field(
        default=None, description="The file that the picture came through before this step, if any"
    )
    steps: tuple[Step, ...] = Field(
        default=(), description="The steps of a chain, on which selection and strength act together"
    )


def no_recipe(path: object) -> UsageError:
    """Return the error for a picture without one."""
    return UsageError(
        f"{path} holds no recipe: ganfilters did not make it, its format has no place for one "
        "(BMP), or a later tool removed it"
    )


class Recipe(BaseModel):
    """Everything needed to make a picture again from its input."""

    model_config = _STRICT

    ganfilters: str = Field(default=__version__, description="Version of the host")
    device: str = Field(description="Device the networks ran on")
    input: Reference | None = Field(default=None, description="The input; None if there was none")
    steps: tuple[Step, ...]
    saved: Saved | None = Field(
        default=None, description="How the picture was written; None while it is in memory"
    )

    def to_json(self) -> str:
        """Return the recipe as one line of JSON."""
        return self.model_dump_json()

    def saved_as(
        self, format: str, *, quality: int | None = None, bit_depth: int | None = None
    ) -> Recipe:
        """Return the recipe as it stands in a file that is written this way."""
        saved = Saved(format=format, quality=quality, bit_depth=bit_depth)
        return self.model_copy(update={"saved": saved})

    def then(self, step: Step, *, picture: Reference, device: str) -> Recipe:
        """Return the recipe with one more step.

        Parameters
        ----------
        step
            What was done to the picture that this recipe made.
        picture
            That picture as the step got it.
        device
            Where the step ran.
        """
        if self.saved is not None:
            passage = Passage(picture=picture, saved=self.saved)
            step = step.model_copy(update={"source": passage})
        devices = dict.fromkeys([*self.device.split(", "), device])
        return Recipe(device=", ".join(devices), input=self.input, steps=(*self.steps, step))

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

"""The whole plugin contract: `Filter`, `Params` and `Traits`.

A plugin subclasses `Filter`, declares its parameters once as a `Params` model, says in `Traits`
what it needs, and implements `Filter.apply`. Files, colour, alpha, masks, strength, padding,
tiling and the checking of results are the host's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from ganfilters.image import FloatArray, Image
from ganfilters.models import ModelFile

if TYPE_CHECKING:
    from ganfilters.runtime import Runtime

__all__ = ["Filter", "Params", "Tiling", "Traits"]


class Params(BaseModel):
    """Base of a filter's parameters: frozen, and unknown names are refused.

    Every field needs a default, a one-line ``Field(description=...)`` with the unit where there is
    one, and bounds (``ge``, ``le``) if it is a number. From this one declaration come the command
    line options, the JSON Schema, the tables in the documentation and the checks.
    A stochastic filter has a field ``seed``.

    Attributes
    ----------
    presets
        Named sets of values. If there are any, every interface also takes ``preset``; values given
        beside it win over the preset's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}


@dataclass(frozen=True)
class Tiling:
    """How the host may cut a large picture.

    Attributes
    ----------
    size
        Largest side of a tile in pixels, its overlap included.
    overlap
        Pixels shared by neighbouring tiles. Neighbours cross-fade over its middle half, so it must
        be at least four times the reach (receptive radius) that matters.
    """

    size: int = 1024
    overlap: int = 64

    def __post_init__(self) -> None:
        """Refuse tiles that are all overlap."""
        if self.overlap < 0 or self.size <= 2 * self.overlap:
            raise ValueError(f"a tile of {self.size} px cannot overlap by {self.overlap} px")


@dataclass(frozen=True)
class Traits:
    """What a filter needs and can do. Data, never inferred from names.

    Attributes
    ----------
    input
        ``"required"``: works on a picture. ``"optional"``: also makes one from nothing
        (`Filter.generate`). ``"none"``: only makes one.
    mask
        ``"required"``: `Image.mask` is never None in `Filter.apply`.
    tiling
        May the host cut the picture into tiles, and how; None if the filter must see all of it.
    size_multiple
        Height and width that `Filter.apply` gets are multiples of this; the host pads and crops.
    size_min, size_max
        Smallest and largest side in pixels that `Filter.apply` gets. Smaller pictures are padded;
        larger ones are tiled or, without `tiling`, refused.
    keeps_size
        The result has the size of the input. If not, strength and feather are refused and a mask
        must be honoured by the filter itself.
    selection
        Who keeps what is not selected. ``"host"``: it blends the result in under the mask.
        ``"filter"``: the filter works where it must, a little beyond the mask or where it finds
        something to do without one, and always says in `Image.untouched` what it left alone, which
        the host checks, unless the size changes. It fades its own edges, so feather is refused,
        and a mask that is not required may be black. Not with `tiling`.
    alpha
        ``"kept"``: the host keeps it, and the filter never sees it, nor the colours where it is 0:
        those near are there instead, and afterwards, if the size is the same, what was there.
        ``"edited"``: `Filter.apply` gets `Image.alpha`, which may be None, and that of its result
        is the picture's; None leaves it as it was. Not with `tiling`.
    """

    input: Literal["required", "optional", "none"] = "required"
    mask: Literal["optional", "required"] = "optional"
    tiling: Tiling | None = None
    size_multiple: int = 1
    size_min: int = 1
    size_max: int | None = None
    keeps_size: bool = True
    selection: Literal["host", "filter"] = "host"
    alpha: Literal["kept", "edited"] = "kept"


P = TypeVar("P", bound=Params)


class Filter(ABC, Generic[P]):
    """One image filter.

    An instance is made once per device and used by several threads at once: `apply` must not
    change it. Everything that costs time (sessions, tables) belongs in ``__init__``, which runs
    before the first use and not when filters are listed.

    Attributes
    ----------
    name
        Lower-case letters, digits and hyphens; unique.
    summary
        One line for lists and help.
    Params
        The filter's parameters.
    traits
        What the filter needs and can do.
    models
        Model files that the defaults use.
    models_of
        Name of the filter that the cards of the models speak of, if it is another one: two filters
        of a plugin may run the same network.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    Params: ClassVar[type[Params]]
    traits: ClassVar[Traits] = Traits()
    models: ClassVar[tuple[ModelFile, ...]] = ()
    models_of: ClassVar[str] = ""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    @classmethod
    def models_for(cls, params: P) -> tuple[ModelFile, ...]:
        """Return the model files that a run with these parameters uses, for its recipe.

        By default these are the models among the parameters; where there are none, `models`.
        Override it in a filter that has ways to work without.
        """
        return tuple(value for _, value in params if isinstance(value, ModelFile)) or cls.models

    @classmethod
    def known_values(cls, params: P) -> Mapping[str, Sequence[Any]]:  # noqa: ARG003
        """Return values that parameters are known to take beside these others, by parameter.

        What is not here is as declared (choices, ``Field(examples=...)``). Override it where names
        come from a model that the user may replace; ``ganfilters sheet`` shows each of them.
        """
        return {}

    def check_params(self, params: P) -> None:
        """Refuse values that their declarations cannot: a name that the user's model lacks.

        Called once for all pictures of a run, before the first is read: what is wrong for every
        picture is told once. Models among the parameters that are made for another filter are
        refused here, so an override begins with ``super().check_params(params)``, unless the
        filter takes models without a card or those of several filters.

        Raises
        ------
        UsageError
            What is wrong, and what would be right.
        ModelError
            A model is for another filter, or has no card.
        """
        for _, value in params:
            if isinstance(value, ModelFile):
                value.card_for(self.models_of or self.name)

    def region(self, params: P, mask: FloatArray) -> tuple[slice, slice] | None:  # noqa: ARG002
        """Return the part of a picture, rows and columns, that is all the filter needs to see.

        None, the default, is all of it. Override it in a filter that works on what is selected and
        what is near: of a large array the host then converts and shows that part only. The result
        there must be the same, and what lies outside stays as it is.

        Parameters
        ----------
        params
            Checked values.
        mask
            What is selected, (H, W) in [0, 1] as `Image.mask`; not 0 everywhere.
        """
        return None

    def result_size(
        self,
        size: tuple[int, int] | None,
        params: P,  # noqa: ARG002
    ) -> tuple[int, int] | None:
        """Return how large the result will be, width and height; None if that is not known.

        The host refuses what is over its limit before it is made. Override it in a filter that
        enlarges pictures or puts several into one; a parameter of the type `Size` is checked
        without.

        Parameters
        ----------
        size
            Width and height of the picture; None where there is none.
        params
            Checked values.
        """
        return size

    @abstractmethod
    def apply(self, image: Image, params: P) -> Image:
        """Return the filtered picture.

        Parameters
        ----------
        image
            Pixels as `Image` says; sizes as `traits` asks. Must not be changed in place.
        params
            Checked values.

        Returns
        -------
        Image
            Of the same size (unless ``traits.keeps_size`` is False), finite, in [0, 1]; for
            example ``image.replace(pixels=...)``.

        Raises
        ------
        UsageError
            Values that do not go with this picture; for those that go with none, see
            `check_params`.
        """

    def generate(self, params: P) -> Image:
        """Return a picture made from nothing; for ``traits.input`` "optional" or "none"."""
        raise NotImplementedError(f"{type(self).__name__} works on a picture only")

    def frames(self, image: Image | None, params: P) -> Iterator[Image] | None:  # noqa: ARG002
        """Return the frames of an animation if `params` ask for one, else None.

        Called instead of `apply` and `generate` (`image` is None for the latter). Frames are
        written as they come, so yield them one by one. Whether there are any must be a matter of
        `params` alone: it is asked with any picture first.
        """
        return None

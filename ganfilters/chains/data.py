"""`Chain` and what it is made of: plain data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganfilters.errors import UsageError

if TYPE_CHECKING:
    from ganfilters.recipe import Recipe, Step

__all__ = ["Chain", "ChainParam", "ChainStep", "recorded"]


@dataclass(frozen=True, eq=False)
class ChainStep:
    """One step: a filter with values, or a chain, and the host's options.

    Attributes
    ----------
    filter
        Name of the filter; of a saved chain as well.
    values
        Its parameters, and ``preset``, by their Python names.
    chain
        Steps in place of a filter.
    mask
        A path, a `ganfilters.recipe.Reference`, or any kind of picture; None for everywhere.
    invert_mask, feather, strength
        As for `ganfilters.Host.apply`.
    models
        Of a step of a recipe, the checksums of the models that it names, by file name.
    """

    filter: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    chain: Chain | None = None
    mask: Any = None
    invert_mask: bool = False
    feather: float = 0.0
    strength: float = 1.0
    models: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What to call the step in messages."""
        return self.filter or (self.chain.name if self.chain else "") or "steps"


@dataclass(frozen=True)
class ChainParam:
    """A parameter of one or several steps that is one of the chain.

    Attributes
    ----------
    steps
        Indices of the steps, from 0.
    param
        Python name of their parameter, or ``strength``.
    description
        One line; empty for that of the step's parameter.
    default
        In place of the step's value; None to keep it.
    """

    steps: tuple[int, ...]
    param: str
    description: str = ""
    default: Any = None


@dataclass(frozen=True, eq=False)
class Chain:
    """Filters one after the other.

    Attributes
    ----------
    steps
        In the order in which they work.
    params
        Parameters of the chain by their Python names.
    title, summary
        One line each, for people.
    name
        The name it is saved under; empty if it is not.
    version
        Tells one chain from another of the same name; by default made from what it does.
    folder
        Where relative paths start; the current folder if None.
    store
        The folder of saved chains, if it is one: recipes name its files from there.
    file
        What it was read from, for messages; None if that is no file of the user's.

    Examples
    --------
    >>> chain = Chain.from_steps([{"filter": "dream", "octaves": 3}, {"filter": "dream"}])
    >>> print(chain.to_toml())
    [[step]]
    filter = "dream"
    octaves = 3
    <BLANKLINE>
    [[step]]
    filter = "dream"
    <BLANKLINE>
    """

    steps: tuple[ChainStep, ...]
    params: Mapping[str, ChainParam] = field(default_factory=dict)
    title: str = ""
    summary: str = ""
    name: str = ""
    version: str = ""
    folder: Path | None = None
    store: Path | None = None
    file: Path | None = None

    @classmethod
    def load(cls, path: str | Path) -> Chain:
        """Read a chain from a TOML file, or from the recipe inside a picture.

        Raises
        ------
        UsageError
            The file does not exist, is no chain, or a picture without a recipe; one line that
            names the step and the key.
        """
        path = Path(path)
        if path.suffix.lower() != ".toml":
            return cls._of_picture(path)
        import tomllib

        from ganfilters.chains.parse import chain_of

        try:
            record = tomllib.loads(path.read_text("utf-8"))
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"{path} is not UTF-8 text") from error
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            text = " ".join(str(error).split())
            raise UsageError(f"{path} is not valid TOML: {text}") from error
        try:
            return replace(chain_of(record), folder=path.parent, file=path)
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from error

    @classmethod
    def _of_picture(cls, path: Path) -> Chain:
        from ganfilters.imageio import read_recipe
        from ganfilters.recipe import no_recipe

        recipe = read_recipe(path)
        if recipe is None:
            wrong = no_recipe(path)
            raise UsageError(f"{wrong}; a chain is a .toml file or a picture that ganfilters made")
        return replace(cls.from_recipe(recipe, folder=path.parent), file=path)

    @classmethod
    def from_steps(
        cls,
        steps: Iterable[Mapping[str, Any]],
        *,
        params: Mapping[str, Mapping[str, Any]] | None = None,
        title: str = "",
        summary: str = "",
    ) -> Chain:
        """Make a chain from tables such as a file holds; pictures may be in memory as well.

        Parameters
        ----------
        steps
            ``{"filter": "dream", "octaves": 3, "mask": array}``, one for each step.
        params
            ``{"depth": {"step": 1, "param": "octaves"}}``; steps count from 1.
        title, summary
            One line each.

        Raises
        ------
        UsageError
            As for `load`.
        """
        from ganfilters.chains.parse import chain_of

        record = {"step": list(steps), "params": params or {}, "title": title, "summary": summary}
        return chain_of(record)

    @classmethod
    def from_recipe(cls, recipe: Recipe, *, folder: Path | None = None) -> Chain:
        """Make the chain that does to another picture what the recipe did.

        Parameters
        ----------
        recipe
            From ``image.metadata.recipe``.
        folder
            Where to look for its masks and pictures besides the paths that it names.
        """
        steps = tuple(recorded(step, folder) for step in recipe.steps)
        only = steps[0]
        if len(steps) == 1 and only.chain and only.mask is None and only.strength == 1.0:
            return only.chain
        return cls(steps, folder=folder)

    def to_toml(self) -> str:
        """Return the text of a file that holds this chain.

        Raises
        ------
        UsageError
            A mask or picture is not from a file.
        """
        from ganfilters.chains import toml

        return toml.text(self)

    def digest(self) -> str:
        """Return `version`, or 12 hexadecimal digits made from what the chain does."""
        if self.version:
            return self.version
        from ganfilters.chains import toml

        return hashlib.sha256(toml.text(self, strict=False).encode()).hexdigest()[:12]

    def described(self) -> str:
        """Return the summary, the title, or the steps in words."""
        words = ", then ".join(step.title for step in self.steps)
        text = self.summary or self.title or words
        return text if len(text) <= 100 else text[:97] + "..."


def recorded(step: Step, folder: Path | None) -> ChainStep:
    """Return a step of a recipe as one of a chain, whose files are looked for in `folder` too."""
    selection = step.selection
    chain = None
    if step.steps:
        inner = tuple(recorded(each, folder) for each in step.steps)
        chain = Chain(inner, name=step.filter, version=step.version, folder=folder)
    return ChainStep(
        filter="" if chain else step.filter,
        values={} if chain else {name: _referred(value) for name, value in step.params.items()},
        chain=chain,
        mask=selection.mask if selection else None,
        invert_mask=selection.invert if selection else False,
        feather=selection.feather if selection else 0.0,
        strength=step.strength,
        models=step.models,
    )


def _referred(value: Any) -> Any:
    """Return a recorded value with the pictures in it as `Reference`."""
    from ganfilters.recipe import Reference

    if isinstance(value, Mapping) and value.keys() == Reference.model_fields.keys():
        return Reference.model_validate(value)
    if isinstance(value, list):
        return [_referred(each) for each in value]
    return value

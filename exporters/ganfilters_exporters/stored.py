"""The weights of an exported file, to train on from there or to add to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ganfilters.errors import UsageError

from .checkpoints import run_folder
from .files import last_name, read_config
from .storage import unpacked

if TYPE_CHECKING:  # training from a run's folder needs neither onnx nor pydantic
    from ganfilters.models import ModelCard

__all__ = ["LICENCE", "OWNERS", "Origin", "Stored", "other_layout", "read_stored"]

LICENCE = "Apache-2.0"
"""Of a network that nobody said anything else of."""

OWNERS = "owners"
"""Where a run's folder says what its network's card will say of owners and data."""

# What a normalisation counts while it trains; a graph to run has no use for it.
_COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class Stored:
    """What a file holds.

    Attributes
    ----------
    card : ModelCard
        Its card.
    arrays : mapping of str to array
        The graph's constants by name.
    """

    card: ModelCard
    arrays: Mapping[str, npt.NDArray[np.generic]]

    def weight(self, name: str) -> Tensor:
        """Return a weight, put together if `storage.store_compact` took it apart.

        Raises
        ------
        KeyError
            There is none of this name.
        """
        if name in self.arrays:
            return torch.from_numpy(self.arrays[name].copy())
        half, steps, scale, nibbles, shape = (
            self.arrays.get(f"{name}.{end}")
            for end in ("half", "steps", "scale", "nibbles", "shape")
        )
        if nibbles is not None and scale is not None and shape is not None:
            return torch.from_numpy(unpacked(nibbles, scale, shape))
        if half is None and steps is None:
            raise KeyError(name)
        fine = 0 if steps is None else steps.astype(np.float32) * scale
        coarse = 0 if half is None else half.astype(np.float32)
        return torch.from_numpy(np.asarray(coarse + fine, np.float32))

    def weights(self, part: str, module: nn.Module) -> dict[str, Tensor]:
        """Return the state of a part of the graph, for `module` to load.

        Raises
        ------
        KeyError
            The part lacks one of the module's weights.
        """
        return {
            name: own if name.endswith(_COUNTER) else self.weight(f"{part}.{name}")
            for name, own in module.state_dict().items()
        }


def read_stored(path: Path) -> Stored:
    """Read an exported file.

    Raises
    ------
    UsageError
        It is none of this project's.
    """
    import onnx
    from onnx import numpy_helper

    from ganfilters.models import CARD_KEY, ModelCard

    try:
        model = onnx.load(path)
        found = {p.key: p.value for p in model.metadata_props}
        card = ModelCard.model_validate_json(found[CARD_KEY])
    except Exception as error:  # protobuf, onnx and pydantic share no base class
        raise UsageError(f"{path} is not a model of this project") from error
    arrays = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    return Stored(card, arrays)


@dataclass(frozen=True)
class Origin:
    """What the card of a network says that is also true of what is trained on from it.

    Attributes
    ----------
    licence : str
        SPDX expression; empty if nothing is known.
    attribution : str
        Whom to name.
    data : tuple of str
        Names of what it was trained on.
    """

    licence: str = ""
    attribution: str = ""
    data: tuple[str, ...] = ()

    @classmethod
    def of(cls, path: Path | None) -> Origin:
        """Return that of an ``.onnx`` file or of a run's folder; of nothing, an empty one.

        Raises
        ------
        UsageError
            It is no file of this project's.
        """
        if path is None:
            return cls()
        folder = run_folder(path)
        if folder is not None:
            return cls(**read_config(folder).get(OWNERS, {}))
        return cls.said_by(read_stored(path).card)

    @classmethod
    def said_by(cls, card: ModelCard) -> Origin:
        """Return what a card says."""
        return cls(card.licence, card.attribution, tuple(card.data))

    def card(
        self, licence: str | None, attribution: Iterable[str], data: Iterable[Path]
    ) -> dict[str, Any]:
        """Return the fields of a new card.

        Parameters
        ----------
        licence : str or None
            As the user chose it, or None to keep what there was.
        attribution : iterable of str
            Whom to name beside; who is named already is left out.
        data : iterable of Path
            What it was trained on beside; their last names, as a card goes to other people.
        """
        named = [each for text in (self.attribution, *attribution) for each in text.split("; ")]
        names = [name for name in map(last_name, data) if name not in self.data]
        return {
            "licence": licence or self.licence or LICENCE,
            "attribution": "; ".join(dict.fromkeys(filter(None, named))),
            "data": (*self.data, *names),
        }


def other_layout(path: Path) -> UsageError:
    """Return the error of a file or run whose weights fit no network of this version."""
    return UsageError(
        f"{path} holds a network of another layout, made by an earlier version; train anew, or "
        "use that version"
    )

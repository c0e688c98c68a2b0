"""Reading a trained generator back: to train it on, on other pictures or classes, or to sample."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from ganfilters.errors import UsageError

from ..checkpoints import read_checkpoint, run_folder
from ..files import read_config
from ..stored import Origin, Stored, other_layout, read_stored
from ..task import checksum
from .networks import GENERATORS, Generator, NetworkConfig, Translator

if TYPE_CHECKING:
    from .adversarial import Adversarial

__all__ = ["Trained", "read_trained"]

_FILTERS = ("latent", "translate")
_EMBEDDING, _FIRST = "mapping.embedding.weight", "mapping.layers.0."

_STRANGE = 0.5
"""How far from the mean class a new one begins, in deviations of those that are known."""

_NAMED = 5
"""Classes that are named before it becomes a list."""


@dataclass(frozen=True)
class Trained:
    """A network as it was trained, by whatever file.

    Attributes
    ----------
    path : Path
        An ``.onnx`` file, or the folder of a run.
    network : NetworkConfig
        Its sizes.
    classes : tuple of str
        Names of its classes; empty without.
    pairs : bool
        It was trained on pairs.
    """

    path: Path
    network: NetworkConfig
    classes: tuple[str, ...]
    pairs: bool
    _weights: Stored | Mapping[str, Tensor]
    _judge: Mapping[str, Tensor] | None = None
    _identity: Mapping[str, Any] = field(default_factory=dict)

    @property
    def origin(self) -> Origin:
        """What a card that comes of it says of owners and data."""
        found = self._weights
        return Origin.said_by(found.card) if isinstance(found, Stored) else Origin.of(self.path)

    def judge(self, task: Adversarial, backbone: Path | None = None) -> Mapping[str, Tensor] | None:
        """Return the discriminator's weights, if a run had one and it is what `task` has.

        What it judges by must be the same: networks, classes, loss, frozen features. `backbone` is
        the file that these were read from; None for those of the package.
        """
        now = json.loads(json.dumps(task.identity()))
        keys = {*self._identity, *now} - {"batch", "critic_steps"}
        if self._judge is None or any(self._identity.get(key) != now.get(key) for key in keys):
            return None
        if now["discriminator"] == "projected":
            then = read_config(self.path).get("frozen_weights", {}).get("features")
            # A run of before it was recorded had most likely those of the package.
            same = backbone is None
            if then is not None:
                same = then == checksum(task.frozen["features"].parameters())
            if not same:
                return None
        fitting = _shapes(task.modules["discriminator"].state_dict())  # an identity may lack some
        return self._judge if _shapes(self._judge) == fitting else None

    def refuse_unless(self, *, pairs: bool) -> None:
        """Raise UsageError unless it is a network of pairs, or unless it is none."""
        if self.pairs and not pairs:
            raise UsageError(
                f"{self.path} was trained on pairs; give --pairs DIR or --degrade KIND"
            )
        if pairs and not self.pairs:
            raise UsageError(
                f"{self.path} generates pictures from noise; leave out --pairs and --degrade"
            )

    def load(self) -> Generator | Translator:
        """Return the network with its weights, of a run the averaged ones, on the CPU.

        Raises
        ------
        UsageError
            It is of another layout.
        """
        try:
            config, weights = self.network, self._weights
            network = Translator(config) if self.pairs else GENERATORS[config.arch](config)
            network.eval().requires_grad_(False)
            if not isinstance(weights, Stored):
                network.load_state_dict(weights)
            elif isinstance(network, Translator):
                network.load_state_dict(weights.weights("network", network))
            else:
                _load_constants(network, weights)
                _check(network, self)
        except (KeyError, RuntimeError, TypeError) as error:
            raise other_layout(self.path) from error
        return network.train().requires_grad_(True)

    def generator(self, classes: tuple[str, ...]) -> Generator:
        """Return the generator for other classes.

        Parameters
        ----------
        classes : tuple of str
            Those it has by name are drawn as before, and a strange one begins near the mean of
            all. With none, the network draws at first what it drew for that mean.

        Raises
        ------
        UsageError
            It cannot be; says why.
        """
        self.refuse_unless(pairs=False)
        if classes and not self.classes:
            raise UsageError(f"{self.path} was trained without classes; leave out --conditional")
        if self.classes and not classes and not self.network.mapping:
            raise UsageError(
                f"{self.path} has classes and no mapping network to do without them; give "
                "--conditional, and data with classes"
            )
        network = cast("Generator", self.load())
        return network if classes == self.classes else _with_classes(self, network, classes)

    def translator(self) -> Translator:
        """Return the network of pairs.

        Raises
        ------
        UsageError
            It is none, or of another layout.
        """
        self.refuse_unless(pairs=True)
        return cast("Translator", self.load())

    def describe(
        self, classes: tuple[str, ...], task: Adversarial, backbone: Path | None = None
    ) -> str:
        """Return a line on what is taken over for these classes and this task; see `judge`."""
        text = f"begins with {self.path}"
        if self.judge(task, backbone) is not None:
            text += " and its discriminator"
        new = [name for name in classes if name not in self.classes]
        left = [name for name in self.classes if name not in classes]
        parts = [
            f"{len(names)} {what} ({_some(names)})"
            for what, names in (("new", new), ("left out", left))
            if names
        ]
        if classes:
            parts.insert(0, f"{len(classes) - len(new)} known")
        return f"{text}; classes: {', '.join(parts)}" if parts else text


def read_trained(path: Path) -> Trained:
    """Find out what a file or run of ``ganfilters train gan`` holds.

    Parameters
    ----------
    path : Path
        An ``.onnx`` file, the folder of a run, or the checkpoint in it.

    Raises
    ------
    UsageError
        It holds no such network.
    """
    folder = run_folder(path)
    facts: dict[str, Any]
    weights: Stored | Mapping[str, Tensor]
    judge = None
    try:
        if folder is not None:
            state = read_checkpoint(folder)
            facts = json.loads(state["identity"]) if state is not None else {}
            if state is None or "network" not in facts or not {"classes", "task"} & facts.keys():
                raise UsageError(f"{folder} is no run of `ganfilters train gan`")
            weights, pairs = state["averages"]["generator"], "task" in facts
            judge = state["modules"]["discriminator"]
        else:
            weights = read_stored(path)
            card, facts = weights.card, weights.card.extra
            if card.filter not in _FILTERS:
                raise UsageError(
                    f"{path} is {card.title!r}, of the filter {card.filter}; --init needs a "
                    "network of `ganfilters train gan`"
                )
            pairs = card.filter == "translate"
        network = NetworkConfig(**facts["network"])
    except (KeyError, TypeError) as error:
        raise other_layout(path) from error
    classes = tuple(facts.get("classes", ()))
    identity = facts if folder is not None else {}
    return Trained(folder or path, network, classes, pairs, weights, judge, identity)


def _with_classes(trained: Trained, network: Generator, classes: tuple[str, ...]) -> Generator:
    """Return a network for other classes: what it knows is kept, the others begin anew."""
    had, state = trained.classes, dict(network.state_dict())
    known = state.pop(_EMBEDDING)
    mean, deviation = known.mean(1, keepdim=True), known.std(1, keepdim=True)
    if classes:
        columns = mean + _STRANGE * deviation * torch.randn(len(known), len(classes))
        for number, name in enumerate(classes):
            if name in had:
                columns[:, number] = known[:, had.index(name)]
        state[_EMBEDDING] = columns
    else:
        # The first layer takes latent and embedding; what it makes of the latter joins its bias.
        weight, z = state[_FIRST + "weight"], network.config.z
        state[_FIRST + "weight"] = weight[:, :z]
        state[_FIRST + "bias"] = state[_FIRST + "bias"] + (weight[:, z:] @ mean)[:, 0]
    made = GENERATORS[trained.network.arch](
        dataclasses.replace(trained.network, classes=len(classes))
    )
    made.load_state_dict(state)
    return made


def _shapes(state: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in state.items()}


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def _load_constants(network: Generator, stored: Stored) -> None:
    """Give a network the weights of a file, in which they are numbered."""
    from .export import constants_of

    state = dict(network.state_dict())
    for constant, name in constants_of(network).items():
        # Equal constants are stored once. Those that are equal begin so, and were never trained.
        with contextlib.suppress(KeyError):
            state[name] = stored.weight(constant)
    network.load_state_dict(state)


def _check(network: Generator, trained: Trained) -> None:
    """Compare pictures with the file's own: its constants are numbered, which is easily wrong.

    Raises
    ------
    KeyError
        They are others.
    """
    from .samplers import of_network, open_sampler

    made, _ = of_network(network, trained.classes).sample(4, 0)
    wanted, _ = open_sampler(trained.path, torch.get_num_threads()).sample(4, 0)
    if int((made.int() - wanted.int()).abs().max()) > 1:
        raise KeyError(trained.path)

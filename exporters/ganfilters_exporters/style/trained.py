"""Reading a trained style network back, to add paintings to it or to train it on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from ganfilters.errors import UsageError

from ..backbones import BACKBONES
from ..checkpoints import CHECKPOINT, read_checkpoint, run_folder
from ..files import read_config
from ..stored import Stored, other_layout, read_stored
from .network import NetworkConfig, Stylizer
from .predictor import PaintingStatistics, Predictor, blank_statistics

if TYPE_CHECKING:  # training from a run's folder needs neither onnx nor pydantic
    from ganfilters.models import ModelCard

__all__ = ["Trained", "read_trained"]


@dataclass(frozen=True)
class Trained:
    """A trained network with named styles.

    Attributes
    ----------
    net : Stylizer
        The network.
    rows : Tensor
        (styles, 2, C).
    styles : list of dict
        Name, title and source of each.
    predictor, seen : Predictor and PaintingStatistics, or None
        For any painting.
    painting_size : int or None
        Side at which the predictor looks at a painting.
    grain : float
        Largest deviation of the grain that its photographs had.
    palette : float
        How far what it painted was moved to the painting's colours.
    attribution : str
        Whom to name for what is in it.
    card : ModelCard or None
        Of the file it came from.
    looks : Tensor or None
        (styles, P), what the styles' paintings look like (:mod:`.looks`).
    """

    net: Stylizer
    rows: Tensor
    styles: list[dict[str, str]]
    predictor: Predictor | None = None
    seen: PaintingStatistics | None = None
    painting_size: int | None = None
    grain: float = 0.0
    palette: float = 0.0
    attribution: str = ""
    card: ModelCard | None = None
    looks: Tensor | None = None

    @property
    def names(self) -> list[str]:
        """Names of the styles."""
        return [style["name"] for style in self.styles]


def read_trained(path: Path, backbone: Path | None = None) -> Trained:
    """Read a network back from its ``.onnx`` file, a run's folder, or the checkpoint in it.

    Parameters
    ----------
    path : Path
        What to read.
    backbone : Path, optional
        Weights of EfficientNet-Lite0 for a run that learned any painting: an ``.onnx`` file has
        them, a run does not. By default those of its package.

    Raises
    ------
    UsageError
        It is none of them, not a network with named styles, or one of another layout.
    """
    try:
        if path.suffix.lower() == ".onnx" and not path.is_dir():
            return _read_onnx(path)
        folder = run_folder(path)
        if folder is not None:
            return _read_run(folder, backbone)
    except (TypeError, KeyError, RuntimeError) as error:
        raise other_layout(path) from error
    raise UsageError(
        f"{path} is no trained network; give an .onnx file, the folder of a run, or the "
        f"{CHECKPOINT} in it"
    )


def _read_run(folder: Path, backbone: Path | None) -> Trained:
    state = read_checkpoint(folder)
    if state is not None and json.loads(state["identity"]).get("kind") == "OneStyle":
        raise UsageError(f"{folder} holds only the added styles; give the .onnx that it wrote")
    if state is None or "net" not in state["modules"] or "table" not in state["modules"]:
        raise UsageError(f"{folder} is no run of `ganfilters train style` with named styles")
    identity = json.loads(state["identity"])
    best = {**state["modules"], **state["averages"]}
    net = Stylizer(NetworkConfig(**identity["network"]))
    net.load_state_dict(best["net"])
    styles = [{"name": name, "title": name, "source": ""} for name in identity["styles"]]
    rows = best["table"]["styles"]
    how = read_config(folder).get("style", {})
    grain, palette = (float(how.get(name, 0.0)) for name in ("grain", "palette"))
    if "predictor" not in best:
        return Trained(net, rows, styles, grain=grain, palette=palette)
    found = BACKBONES["efficientnet-lite0"](backbone)
    seen = PaintingStatistics(found)
    predictor = _predictor(best["predictor"], net, seen)
    corpus_size = how.get("corpus_size")
    size = 2 * corpus_size if isinstance(corpus_size, int) else None
    return Trained(net, rows, styles, predictor, seen, size, grain, palette, found.attribution)


def _read_onnx(path: Path) -> Trained:
    from ganfilters_style.network import palette_of

    stored = read_stored(path)
    card = stored.card
    if card.filter != "style" or not card.extra.get("styles"):
        raise UsageError(
            f"{path} is {card.title!r}, of the filter {card.filter}; give a style network "
            "with named styles"
        )
    net = Stylizer(NetworkConfig(**card.extra["network"]))
    net.load_state_dict(stored.weights("network", net))
    rows = stored.weight("table.styles")
    predictor = seen = None
    if card.extra.get("any_painting"):
        seen = blank_statistics()
        seen.load_state_dict(stored.weights("seen", seen))
        blank = Predictor(seen.size, net.neutral())
        predictor = _predictor(stored.weights("predictor", blank), net, seen)
    return Trained(
        net, rows, card.extra["styles"], predictor, seen, card.extra.get("painting_size"),
        card.extra.get("grain", 0.0), palette_of(card), card.attribution, card,
        _looks(stored),
    )  # fmt: skip


def _looks(stored: Stored) -> Tensor | None:
    """Return the rows of looks, unless they are of other features than are compared now.

    Those of before the last layers were added have zeros there.
    """
    from .looks import layout, lengthened

    own, now = stored.card.extra.get("look") or {}, layout()
    layers = list(own.get("layers", {}).items())
    known = layers and layers == list(now["layers"].items())[: len(layers)]
    if not known or own["features"] != now["features"]:
        return None
    return lengthened(stored.weight("looks"))


def _predictor(state: Mapping[str, Tensor], net: Stylizer, seen: PaintingStatistics) -> Predictor:
    """Return a predictor with these weights, as wide as they are."""
    hidden, bottleneck = len(state["inner.weight"]), len(state["bottleneck.weight"])
    predictor = Predictor(seen.size, net.neutral(), hidden, bottleneck)
    predictor.load_state_dict(state)
    return predictor

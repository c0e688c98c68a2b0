"""Model files: where they are, whether they are what they claim, and the card inside them."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ganfilters.errors import ModelError
from ganfilters.onnxfile import read_metadata

__all__ = ["CARD_KEY", "ModelCard", "ModelFile", "Parity"]

CARD_KEY = "ganfilters.card"


class Parity(BaseModel):
    """How closely ONNX Runtime reproduced PyTorch when the model was exported."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tolerance: float = Field(description="Largest allowed relative error")
    measured: dict[str, float] = Field(
        default_factory=dict, description="Relative error by size or case"
    )


class ModelCard(BaseModel):
    """What a model file says of itself; JSON under the metadata key ``ganfilters.card``.

    After Mitchell et al. 2019, "Model Cards for Model Reporting", cut to what a filter host and
    its users act on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    filter: str = Field(description="Name of the filter the model is made for")
    name: str = Field(description="Name of the model, unique within its filter")
    version: str = Field(description="Version of the model")
    title: str = Field(description="One line for people")
    description: str = Field(default="", description="What it does and how, with its sources")
    licence: str = Field(description="SPDX expression that the weights are under")
    attribution: str = Field(default="", description="Whom the licence asks to name")
    data: tuple[str, ...] = Field(default=(), description="Data it was trained on, with licences")
    command: str = Field(description="The command that made the file")
    commit: str = Field(default="unknown", description="Commit of this project that made it")
    seed: int | None = Field(default=None, description="Seed of the training run")
    seconds: float | None = Field(default=None, description="Time that the command took")
    size_multiple: int = Field(default=1, ge=1, description="Height and width are multiples of it")
    size_min: int = Field(default=1, ge=1, description="Smallest height and width in pixels")
    size_max: int | None = Field(default=None, description="Largest height and width, if any")
    storage: Literal["float32", "float16"] = Field(
        default="float32", description="Type the weights are stored as"
    )
    quality: dict[str, float] = Field(default_factory=dict, description="Measured quality")
    parity: Parity | None = Field(default=None, description="Agreement of PyTorch and ONNX Runtime")
    extra: dict[str, Any] = Field(default_factory=dict, description="What only the filter reads")


@dataclass(frozen=True)
class ModelFile:
    """A model on disk, pinned by its checksum.

    Attributes
    ----------
    path
        The ``.onnx`` file.
    sha256
        Expected checksum in hexadecimal; None for a file the user named, which is taken as it is.
    """

    path: Path
    sha256: str | None = None

    @classmethod
    def packaged(cls, package: str, name: str, sha256: str) -> ModelFile:
        """Return a model that ships inside an import package, without importing the package.

        Parameters
        ----------
        package
            Import name, for example ``"my_plugin"``.
        name
            Path inside it, for example ``"models/net.onnx"``.
        sha256
            Checksum that the file must have.
        """
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise ModelError(f"the package {package} that should hold {name} is not installed")
        return cls(Path(spec.submodule_search_locations[0]) / name, sha256)

    def verify(self) -> str:
        """Return the file's sha256 after comparing it with the expected one.

        Raises
        ------
        ModelError
            The file is missing or is not the file that was published.
        """
        digest = _checksum(self.path)
        if self.sha256 is not None and digest != self.sha256:
            raise ModelError(
                f"model file {self.path} is not the published one (sha256 {digest[:12]}..., "
                f"expected {self.sha256[:12]}...); reinstall the package that ships it"
            )
        return digest

    @cached_property
    def card(self) -> ModelCard:
        """The model card inside the file.

        Raises
        ------
        ModelError
            The file is missing, is no ONNX model, or carries no valid card.
        """
        text = read_metadata(self.path).get(CARD_KEY)
        if text is None:
            raise ModelError(
                f"model file {self.path} has no {CARD_KEY} metadata; "
                "use a file made by `ganfilters export` or `ganfilters train`"
            )
        try:
            return ModelCard.model_validate(json.loads(text))
        except (ValueError, ValidationError) as error:
            first = str(error).splitlines()[0]
            raise ModelError(f"the card in model file {self.path} is not valid: {first}") from error

    def card_for(self, filter_name: str) -> ModelCard:
        """Return the card after checking that the model is made for `filter_name`."""
        card = self.card
        if card.filter != filter_name:
            raise ModelError(
                f"model file {self.path} is made for the filter {card.filter} ({card.title}), "
                f"not for {filter_name}"
            )
        return card


# A checksum is read once for each state of a file. The key holds size and time of change, so an
# edited file is read again.
_checksums: dict[tuple[str, int, int], str] = {}
_checksums_lock = threading.Lock()


def _checksum(path: Path) -> str:
    try:
        stat = path.stat()
        key = (str(path.resolve()), stat.st_size, stat.st_mtime_ns)
        with _checksums_lock:
            if key in _checksums:
                return _checksums[key]
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        reason = error.strerror or error
        raise ModelError(f"model file {path} cannot be read: {reason}") from error
    with _checksums_lock:
        _checksums[key] = digest
    return digest

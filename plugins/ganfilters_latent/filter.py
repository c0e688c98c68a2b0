"""The ``latent`` filter: pictures out of a GAN's latent space, mixed, edited and walked through."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from ganfilters import (
    Filter,
    FloatArray,
    Image,
    InputFile,
    ModelFile,
    ModelParam,
    OutputFile,
    Params,
    Size,
    Traits,
    UsageError,
    WeightedNames,
    nearest,
    report_progress,
    resize,
)
from ganfilters_latent.network import Network
from ganfilters_latent.projection import project
from ganfilters_latent.space import closed_curve, layers_of, load, moved, save

__all__ = ["MODELS", "Latent", "LatentParams"]

MODELS: dict[str, ModelFile] = {
    "landscape": ModelFile.packaged(
        "ganfilters_latent",
        "models/landscape.onnx",
        sha256="0e3a93de792f6a632ac969904ad641e4c6b072b25a5f5cdfe3b10fbeee74672a",
    ),
    "kmnist": ModelFile.packaged(
        "ganfilters_latent",
        "models/kmnist.onnx",
        sha256="52683adf0cafb60452c08f3822768c148b7eb18e257bb32444932a4a3011401e",
    ),
    "kmnist-dense": ModelFile.packaged(
        "ganfilters_latent",
        "models/kmnist-dense.onnx",
        sha256="ed8ae6c61a358dab1785790b07494cc7ec64f91e6074ae0f235a0a6c07e96082",
    ),
}
"""Networks that ship here, by name."""

CLASSES = (
    "badlands",
    "bamboo_forest",
    "canyon",
    "coast",
    "corn_field",
    "desert_sand",
    "iceberg",
    "lighthouse",
    "mountain",
    "rainforest",
    "river",
    "rock_arch",
    "ski_slope",
    "swamp",
    "valley",
    "volcano",
)
"""Classes of the landscapes."""

DIRECTIONS = tuple(f"pc{number}" for number in range(1, 11))

_NEEDED = {"mix_layers": "mix_seed", "edit_layers": "edit", "frames": "walk", "steps": "project"}
"""What a parameter says nothing without."""

_MOST_PICTURES = 1024
_LARGEST_SEED = 2**32 - 1
_WALK_BATCH = 8


def _named_model(value: Any) -> Any:
    if not isinstance(value, str) or value in MODELS:
        return MODELS.get(value, value) if isinstance(value, str) else value
    if not Path(value).suffix and not Path(value).exists():
        raise ValueError(
            f"there is no network {value!r}; {nearest(value, MODELS, what='networks')}"
        )
    return value


def _model_name(value: Any) -> Any:
    names = {model: name for name, model in MODELS.items()}
    return names.get(value, str(value.path)) if isinstance(value, ModelFile) else value


NamedModel = Annotated[
    ModelParam,
    BeforeValidator(_named_model),
    PlainSerializer(_model_name),
    WithJsonSchema({"type": "string", "format": "model"}),
]
"""A network that ships here by its name, or a file of the user's own."""


def _seeds(value: Any) -> Any:
    """Read ``"1,7,23"``."""
    words = value.split(",") if isinstance(value, str) else value
    try:
        seeds = tuple(int(word) for word in words)
    except (TypeError, ValueError):
        raise ValueError("seeds are whole numbers from 0 on, written as 1,7,23") from None
    if len(seeds) < 2:
        raise ValueError("a walk needs two seeds at least, such as 1,7,23")
    if len(set(seeds)) < 2:
        raise ValueError(f"a walk from {seeds[0]} to itself goes nowhere; give two different seeds")
    for seed in seeds:
        if not 0 <= seed <= _LARGEST_SEED:
            raise ValueError(
                f"{seed} is no seed; seeds are whole numbers from 0 to {_LARGEST_SEED}"
            )
    return seeds


Seeds = Annotated[
    tuple[int, ...],
    BeforeValidator(_seeds),
    PlainSerializer(lambda seeds: ",".join(map(str, seeds)), return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(,\d+)+$"}),
]
"""Two seeds or more."""


def _grid(value: Any) -> Any:
    """Read ``"4x3"``."""
    sides = value.lower().split("x") if isinstance(value, str) else value
    try:
        columns, rows = (int(side) for side in sides)
    except (TypeError, ValueError):
        raise ValueError("a grid is COLUMNSxROWS, for example 4x3") from None
    if columns < 1 or rows < 1 or columns * rows > _MOST_PICTURES:
        raise ValueError(f"a grid of {columns}x{rows} is out of range; it has 1 to "
                         f"{_MOST_PICTURES} pictures")  # fmt: skip
    return columns, rows


Grid = Annotated[
    tuple[int, int],
    BeforeValidator(_grid),
    PlainSerializer(lambda grid: f"{grid[0]}x{grid[1]}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+x\d+$"}),
]
"""Columns and rows."""


class LatentParams(Params):
    """Parameters of `Latent`."""

    model: NamedModel = Field(
        "landscape",
        validate_default=True,
        description="Network to draw from: one that ships, or a file of `ganfilters train gan`",
        examples=list(MODELS),
    )
    seed: int = Field(
        0,
        ge=0,
        le=_LARGEST_SEED,
        description="Seed of the picture: the same one gives the same picture",
    )
    class_: WeightedNames | None = Field(
        None,
        description="What to draw: a class of the network, or a blend such as "
        "mountain=0.6,coast=0.4; chosen by the seed by default",
        examples=list(CLASSES),
    )
    truncation: float = Field(
        0.7,
        ge=0.0,
        le=2.0,
        description="How far a picture may be from the mean of its class: small is typical, 1 is "
        "what was learned, more is odd",
    )
    noise: float = Field(
        1.0, ge=0.0, le=2.0, description="Strength of the fine random detail of each layer"
    )
    grid: Grid | None = Field(
        None,
        description="Columns and rows of a sheet of pictures, such as 4x3: of this seed and those "
        "after it",
    )
    mix_seed: int | None = Field(
        None, ge=0, le=_LARGEST_SEED, description="Second seed, whose w goes into some layers"
    )
    mix_layers: str | None = Field(
        None,
        description="Layers that get the second seed, from the coarsest, 0, such as 2-4; the finer "
        "half by default",
    )
    edit: WeightedNames | None = Field(
        None,
        description="Directions to move along, in deviations, such as pc1=-1,pc2=0.5",
        examples=list(DIRECTIONS),
    )
    edit_layers: str | None = Field(
        None, description="Layers that are moved, such as 0-2; all by default"
    )
    size: Size | None = Field(
        None, description="Size in pixels of a picture made from nothing; the network's by default"
    )
    walk: Seeds | None = Field(
        None, description="Seeds of a walk that ends where it began, such as 1,7,23: an animation"
    )
    frames: int = Field(120, ge=2, le=100_000, description="With walk: its frames")
    project: bool = Field(
        False, description="Find the latent whose picture is nearest to the input, and draw that"
    )
    steps: int = Field(
        200, ge=1, le=10_000, description="With project: steps of looking for the latent"
    )
    latent: InputFile | None = Field(
        None, description="Latent saved earlier, in place of the seed's"
    )
    save_latent: OutputFile | None = Field(
        None, description="New file for the latent, before mixing and editing"
    )

    @model_validator(mode="after")
    def _fitting(self) -> LatentParams:
        """Refuse what cannot go together."""
        alone = {"walk": self.walk, "grid": self.grid, "latent": self.latent}
        given = [name for name, value in alone.items() if value is not None]
        given += ["project"] if self.project else []
        if len(given) > 1:
            raise ValueError(f"`{given[0]}` and `{given[1]}` cannot be combined; leave one out")
        if self.latent is not None and self.class_ is not None:
            raise ValueError("a saved latent has its class already; leave `class_` out")
        if self.walk is not None and self.frames < len(self.walk):
            raise ValueError(
                f"{self.frames} frames cannot pass {len(self.walk)} seeds; ask for as many frames "
                "or more"
            )
        if self.save_latent is not None and (self.walk or self.grid):
            raise ValueError("`save_latent` is for one picture; leave `walk` and `grid` out")
        for name, needed in _NEEDED.items():
            if self._changes(name) and not self._changes(needed):
                raise ValueError(f"`{name}` needs `{needed}` as well")
        if any(weight < 0 for weight in (self.class_ or {}).values()):
            raise ValueError("`class_` has a negative weight; weights must be 0 or more")
        return self

    def _changes(self, name: str) -> bool:
        """Return whether a parameter has another value than by default."""
        return bool(getattr(self, name) != type(self).model_fields[name].default)


class Latent(Filter[LatentParams]):
    """Draws from the latent space of a GAN (Goodfellow 2014; Karras 2019, 2020)."""

    name = "latent"
    summary = (
        "Draws pictures from a GAN: landscapes by class, mixed, edited, walked, or from a photo"
    )
    Params = LatentParams
    traits = Traits(input="optional")
    models: ClassVar[tuple[ModelFile, ...]] = tuple(MODELS.values())

    def check_params(self, params: LatentParams) -> None:
        """Refuse what the network does not have, and a latent that is not its own."""
        super().check_params(params)
        network = self._network(params)
        if params.latent is not None:
            load(params.latent, network)
        if params.class_ is not None:
            network.class_weights(params.class_, params.seed)
        self._changed(network, params, np.broadcast_to(network.mean_w[:1], network.shape))

    def result_size(
        self, size: tuple[int, int] | None, params: LatentParams
    ) -> tuple[int, int] | None:
        """Return the size of a sheet, which is laid out before it gets another."""
        if size is not None or params.grid is None:
            return size
        side = self._network(params).size
        return side * params.grid[0], side * params.grid[1]

    def generate(self, params: LatentParams) -> Image:
        """Return a picture made from nothing."""
        if params.project:
            raise UsageError("project looks for a picture's latent; give the picture as INPUT")
        network = self._network(params)
        if params.grid is not None:
            return Image(_sized(self._sheet(network, params), params.size))
        if params.latent is not None:
            w = load(params.latent, network)
        else:
            w = self._w(network, params, params.seed)
        return Image(_sized(self._drawn(network, params, w), params.size))

    def apply(self, image: Image, params: LatentParams) -> Image:
        """Return a picture as large as the input: drawn to cover it, or found to be like it."""
        self._refuse(params, "grid", "size")
        network = self._network(params)
        height, width = image.pixels.shape[:2]
        if params.project:
            target = np.clip(resize(image.pixels, network.size, network.size), 0.0, 1.0)
            chosen = None
            if params.class_ is not None:
                chosen = network.class_weights(params.class_, params.seed)
            w = project(network, target, params.steps, params.seed, chosen)
        elif params.latent is not None:
            w = load(params.latent, network)
        else:
            w = self._w(network, params, params.seed)
            drawn = self._drawn(network, params, w)
            return image.replace(pixels=_covering(drawn, width, height))
        # The whole picture was looked at, so the whole of what was found is shown.
        drawn = resize(self._drawn(network, params, w), width, height)
        return image.replace(pixels=np.clip(drawn, 0.0, 1.0))

    def frames(self, image: Image | None, params: LatentParams) -> Iterator[Image] | None:
        """Return the frames of a walk, if one is asked for."""
        if params.walk is None:
            return None
        if image is not None:
            self._refuse(params, "size")
        return self._walk(image, params)

    def _walk(self, image: Image | None, params: LatentParams) -> Iterator[Image]:
        network = self._network(params)
        stops = [
            self._changed(network, params, self._w(network, params, seed))
            for seed in params.walk or ()
        ]
        curve = closed_curve(stops, params.frames)
        noise = network.noise(params.seed)[None]  # one for all, or it would flicker
        for start in range(0, len(curve), _WALK_BATCH):
            w = curve[start : start + _WALK_BATCH]
            report_progress(start / len(curve), f"frame {start + 1} of {len(curve)}")
            for pixels in network.pictures(w, noise.repeat(len(w), 0), params.noise):
                if image is None:
                    yield Image(_sized(pixels, params.size))
                else:
                    yield Image(_covering(pixels, image.width, image.height))

    def _network(self, params: LatentParams) -> Network:
        return Network(self.runtime, params.model)

    @staticmethod
    def _refuse(params: LatentParams, *names: str) -> None:
        for name in names:
            if getattr(params, name) is not None:
                raise UsageError(f"{name} is for pictures made from nothing; leave the input out")

    @staticmethod
    def _w(network: Network, params: LatentParams, seed: int) -> FloatArray:
        return network.w(seed, network.class_weights(params.class_, seed), params.truncation)

    def _sheet(self, network: Network, params: LatentParams) -> FloatArray:
        columns, rows = params.grid or (1, 1)
        seeds = range(params.seed, params.seed + columns * rows)
        w = np.stack([
            self._changed(network, params, self._w(network, params, seed)) for seed in seeds
        ])  # fmt: skip
        noise = np.stack([network.noise(seed) for seed in seeds])
        pictures = network.pictures(w, noise, params.noise)
        side = network.size
        sheet = pictures.reshape(rows, columns, side, side, 3).transpose(0, 2, 1, 3, 4)
        return sheet.reshape(rows * side, columns * side, 3)

    def _drawn(self, network: Network, params: LatentParams, w: FloatArray) -> FloatArray:
        """Return the picture of w, mixed and edited as is asked for; save w if that is."""
        made = self._changed(network, params, w)
        noise = network.noise(params.seed)[None]
        pixels: FloatArray = network.pictures(made[None], noise, params.noise)[0]
        if params.save_latent is not None:
            save(params.save_latent, w, network)
        return pixels

    def _changed(self, network: Network, params: LatentParams, w: FloatArray) -> FloatArray:
        """Return w with the second seed in some layers, then moved along directions."""
        if params.mix_seed is not None:
            if network.layers == 1:
                raise UsageError(
                    f"the network {network.card.name} has one layer, so there is nothing to mix"
                )
            half = f"{network.layers // 2}-{network.layers - 1}"
            layers = layers_of(
                half if params.mix_layers is None else params.mix_layers,
                network.layers,
                "mix-layers",
            )
            w = w.copy()
            w[layers] = self._w(network, params, params.mix_seed)[layers]
        if params.edit is not None:
            whole = f"0-{network.layers - 1}"
            layers = layers_of(
                whole if params.edit_layers is None else params.edit_layers,
                network.layers,
                "edit-layers",
            )
            w = moved(w, network, params.edit, layers)
        return w


def _sized(pixels: FloatArray, size: tuple[int, int] | None) -> FloatArray:
    return pixels if size is None else _covering(pixels, *size)


def _covering(pixels: FloatArray, width: int, height: int) -> FloatArray:
    """Return the middle of a picture, enlarged to a size of any shape."""
    rows, columns = pixels.shape[:2]
    scale = min(columns / width, rows / height)
    across, down = width * scale, height * scale
    left, top = (columns - across) / 2, (rows - down) / 2
    made = resize(pixels, width, height, box=(left, top, left + across, top + down))
    return np.clip(made, 0.0, 1.0, out=made if made is not pixels else None)

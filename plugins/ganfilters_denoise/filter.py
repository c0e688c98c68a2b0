"""The ``denoise`` filter: removes noise and JPEG artefacts, as much as there is or as is told."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from ganfilters import (
    Filter,
    Image,
    ModelFile,
    ModelParam,
    Params,
    Tiling,
    Traits,
    from_batch,
    to_batch,
)

__all__ = ["Denoise", "DenoiseParams"]

_MODEL = ModelFile.packaged(
    "ganfilters_denoise",
    "models/denoise.onnx",
    sha256="f6dfc741aac2b3f10731ab472ec320f93259e144fcd78e1f15668ad245fd61c2",
)

_TEXTURED = ModelFile.packaged(
    "ganfilters_denoise",
    "models/texture.onnx",
    sha256="81f722b0ee643492f7cad0016fe26be5efe02719fdc4e4fb5879000393cbae79",
)

_ESTIMATE = -1.0


class DenoiseParams(Params):
    """Parameters of `Denoise`."""

    sigma: float | None = Field(
        None,
        ge=0.0,
        le=50.0,
        description="Deviation of the noise in 255ths, 0 for none; estimated place by place by "
        "default",
    )
    jpeg: float | None = Field(
        None,
        ge=0.0,
        le=100.0,
        description="JPEG artefacts to remove, 0 for none to 100 for those of quality 5; estimated "
        "by default",
    )
    texture: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="How much of the texture that noise has drowned is made up: 0 keeps to what is "
        "sure, 1 looks most like a photo",
    )
    model: ModelParam | None = Field(
        None, description="Network of your own, made by `ganfilters train denoise`"
    )

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.texture and self.model is not None:
            raise ValueError(
                "`texture` is painted by a network of its own; leave out `texture` or `model`"
            )
        return self

    @property
    def networks(self) -> tuple[ModelFile, ...]:
        """The networks that are needed: the exact one, the textured one, or both."""
        if self.model is not None:
            return (self.model,)
        exact, textured = self.texture < 1, self.texture > 0
        return (_MODEL,) * exact + (_TEXTURED,) * textured


class Denoise(Filter[DenoiseParams]):
    """Removes noise (a small DRUNet, Zhang et al. 2021) and JPEG artefacts."""

    name = "denoise"
    summary = "Cleans a noisy photo: removes grain, sensor noise and JPEG artefacts"
    Params = DenoiseParams
    # Pixels see 140 others to each side, the far ones with hardly any weight.
    traits = Traits(tiling=Tiling(1024, 192), size_multiple=8, size_min=16)
    models: ClassVar[tuple[ModelFile, ...]] = (_MODEL, _TEXTURED)

    @classmethod
    def models_for(cls, params: DenoiseParams) -> tuple[ModelFile, ...]:
        """Return the networks that these parameters need."""
        return params.networks

    def apply(self, image: Image, params: DenoiseParams) -> Image:
        """Return the cleaned picture."""
        if params.sigma == 0 and params.jpeg == 0:
            return image  # the network would remove what it sees all the same
        strengths = [
            _ESTIMATE if params.sigma is None else params.sigma,
            _ESTIMATE if params.jpeg is None else params.jpeg / 100,
        ]
        feeds = {
            "image": to_batch(image.pixels),
            "strengths": np.array(strengths, np.float32),
        }
        found = [
            self.runtime.session(model).run(feeds, ["denoised"])[0] for model in params.networks
        ]
        if len(found) == 2:  # a mean of both pictures (Wang et al., "ESRGAN", 2018, section 3.4)
            found[0] += np.float32(params.texture) * (found[1] - found[0])
        pixels = np.clip(from_batch(found[0]), 0.0, 1.0)
        if (image.pixels == image.pixels[..., :1]).all():  # what is grey stays so
            pixels = np.broadcast_to(pixels.mean(axis=2, keepdims=True), pixels.shape)
        return image.replace(pixels=np.ascontiguousarray(pixels))

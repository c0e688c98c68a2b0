"""The ``denoise`` filter: removes noise and JPEG artefacts, as much as there is or as is told."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from ganfilters import Filter, Image, ModelFile, ModelParam, Params, Tiling, Traits

__all__ = ["Denoise", "DenoiseParams"]

_MODEL = ModelFile.packaged(
    "ganfilters_denoise",
    "models/denoise.onnx",
    sha256="f6dfc741aac2b3f10731ab472ec320f93259e144fcd78e1f15668ad245fd61c2",
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
    model: ModelParam | None = Field(
        None, description="Network of your own, made by `ganfilters train denoise`"
    )


class Denoise(Filter[DenoiseParams]):
    """Removes noise (a small DRUNet, Zhang et al. 2021) and JPEG artefacts."""

    name = "denoise"
    summary = "Cleans a noisy photo: removes grain, sensor noise and JPEG artefacts"
    Params = DenoiseParams
    # Pixels see 140 others to each side, the far ones with hardly any weight.
    traits = Traits(tiling=Tiling(1024, 192), size_multiple=8, size_min=16)
    models: ClassVar[tuple[ModelFile, ...]] = (_MODEL,)

    def apply(self, image: Image, params: DenoiseParams) -> Image:
        """Return the cleaned picture."""
        model = params.model or _MODEL
        model.card_for(self.name)  # first, as its errors say more than the session's
        if params.sigma == 0 and params.jpeg == 0:
            return image  # the network would remove what it sees all the same
        strengths = [
            _ESTIMATE if params.sigma is None else params.sigma,
            _ESTIMATE if params.jpeg is None else params.jpeg / 100,
        ]
        feeds = {
            "image": np.ascontiguousarray(image.pixels.transpose(2, 0, 1)[None]),
            "strengths": np.array(strengths, np.float32),
        }
        (denoised,) = self.runtime.session(model).run(feeds, ["denoised"])
        pixels = np.clip(denoised[0].transpose(1, 2, 0), 0.0, 1.0)
        if (image.pixels == image.pixels[..., :1]).all():  # what is grey stays so
            pixels = np.broadcast_to(pixels.mean(axis=2, keepdims=True), pixels.shape)
        return image.replace(pixels=np.ascontiguousarray(pixels))

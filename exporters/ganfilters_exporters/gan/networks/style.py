"""The style generator: FastGAN's synthesis, with a mapping network whose w may modulate it.

With ``modulation="none"`` it is FastGAN fed latent and class, the generator of Projected GAN, which
learns natural pictures within minutes. From there style comes in by steps: ``batch`` keeps the
batch normalisation and lets w scale and shift, ``adain`` (Karras 2019) normalises each picture,
``demod`` (Karras 2020) scales weights. The first layer takes w in all of them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganfilters.errors import UsageError

from .base import Generator, NetworkConfig, base_of
from .fast import Excitation, UpBlock, gated
from .modulation import MODULATIONS

__all__ = ["MODULATIONS", "StyleGenerator"]

SKIP = 4
"""Doublings between the two ends of a skip-layer excitation, as in FastGAN."""

GROWTH = (1, 2, 2, 4, 8, 16)
"""Channels as multiples of the width, from full resolution down, as in FastGAN."""


class StyleGenerator(Generator):
    """See the module."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        if config.modulation not in MODULATIONS:
            names = ", ".join(MODULATIONS)
            raise UsageError(f"there is no modulation {config.modulation!r}; use {names}")
        self.base, doublings = base_of(config.size)
        growth = [GROWTH[min(n, len(GROWTH) - 1)] for n in reversed(range(doublings + 1))]
        channels = [factor * config.width for factor in growth]
        w = self.mapping.width
        self.seed = nn.Linear(w, 2 * channels[0] * self.base**2, bias=False)
        self.seed_norm = nn.BatchNorm2d(2 * channels[0])
        self.blocks, self.excitations = nn.ModuleList(), nn.ModuleDict()
        sides: list[int] = []
        for number in range(1, doublings + 1):
            count = 2 if number % 2 else 1
            self.blocks.append(
                UpBlock(
                    channels[number - 1],
                    channels[number],
                    w,
                    config.modulation,
                    convolutions=count,
                    noise=config.noise,
                )
            )
            sides += [self.base << number] * (count if config.noise else 0)
            source = number - SKIP if doublings >= SKIP else 0 if number == doublings else -1
            if source >= 0:
                gate = Excitation(channels[source], channels[number], self.base)
                self.excitations[str(number)] = gate
        self.sources = {n: max(0, int(n) - SKIP) for n in self.excitations}
        self.to_image = nn.Conv2d(channels[-1], config.channels, 3, padding=1)
        self.noise_sides = tuple(sides)
        self.layers = 1 + (doublings if config.modulation != "none" else 0)

    def synthesis(self, w: Tensor, noise: Tensor | None = None) -> Tensor:
        """Generate pictures."""
        noises = self._split(noise)
        x = torch.unflatten(self.seed(w[:, 0]), 1, (-1, self.base, self.base))
        features = [gated(self.seed_norm(x))]
        for number, block in enumerate(self.blocks, 1):
            count = len(block.convolutions)  # type: ignore[arg-type]
            mine = [noises.pop(0) if noises else None for _ in range(count)]
            x = block(features[-1], w[:, min(number, self.layers - 1)], mine)
            if str(number) in self.sources:
                small = features[self.sources[str(number)]]
                x = self.excitations[str(number)](small, x)
            features.append(x)
        return torch.tanh(self.to_image(features[-1]))

    def _split(self, noise: Tensor | None) -> list[Tensor | None]:
        if noise is None or not self.noise_sides:
            return []
        parts = torch.split(noise, [side * side for side in self.noise_sides], 1)
        return [
            part.reshape(-1, 1, side, side)
            for part, side in zip(parts, self.noise_sides, strict=True)
        ]

    def first_weight(self) -> Tensor:
        """Return the first layer's matrix."""
        return self.seed.weight.detach()

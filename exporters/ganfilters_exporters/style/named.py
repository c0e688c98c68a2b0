"""The paintings that get a name, in training: which one when, and what the loss wants of each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..losses import PerceptualLoss
from ..task import seed_of
from .paintings import Painting, load_painting
from .palette import mean_and_covariance

__all__ = ["NamedPaintings", "wanted_of"]


def wanted_of(paintings: Tensor, loss: PerceptualLoss) -> dict[str, Tensor]:
    """Return what is wanted of paintings (N, 3, H, W): by the loss, and their ``colours``."""
    return {**loss.style_target(paintings), "colours": mean_and_covariance(paintings)}


class NamedPaintings:
    """The paintings that get a name: which one when, and what the loss wants of each.

    Parameters
    ----------
    paintings : sequence of Painting
        The styles, in the table's order.
    """

    def __init__(self, paintings: Sequence[Painting]) -> None:
        self.paintings = list(paintings)
        self.names = [p.name for p in paintings]
        self.targets: dict[str, Tensor] = {}
        self.contents = torch.tensor([p.content for p in paintings])
        self.styles = torch.tensor([p.style for p in paintings])

    def __len__(self) -> int:
        return len(self.paintings)

    def measure(self, loss: PerceptualLoss, size: int, device: torch.device) -> None:
        """Measure what the loss wants, one painting after the other: their sizes differ."""
        each = [wanted_of(load_painting(p, size).to(device), loss) for p in self.paintings]
        self.targets = {part: torch.cat([t[part] for t in each]) for part in each[0]}
        self.contents, self.styles = self.contents.to(device), self.styles.to(device)

    def choose(self, start: int, count: int, seed: int) -> Tensor:
        """Return the numbers of `count` styles, from place `start` of an endless even shuffle."""
        styles = len(self.paintings)
        chosen = []
        for position in range(start, start + count):
            generator = torch.Generator().manual_seed(seed_of("styles", seed, position // styles))
            chosen.append(int(torch.randperm(styles, generator=generator)[position % styles]))
        return torch.tensor(chosen)

    def wanted(self, chosen: Tensor) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Return what is wanted and the factors of content and style, for styles by number."""
        target = {part: wanted[chosen] for part, wanted in self.targets.items()}
        return target, self.contents[chosen], self.styles[chosen]

    def rows(self, table: nn.Module, chosen: Tensor) -> Tensor:
        """Return the table's rows of styles by number, (N, 2, C)."""
        rows: Tensor = table(nn.functional.one_hot(chosen, len(self)).float())
        return rows

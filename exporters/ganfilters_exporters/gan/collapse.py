"""The mode-collapse alarm: how diverse samples are, against the data.

Diversity is the mean distance between two pictures of one class, both shrunk to at most 16 x 16 so
that noise counts little and a shift counts. A generator that gives one picture for each class has
a ratio of nearly 0, a healthy one of nearly 1. In the first checks every generator is poor, so the
alarm waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["CollapseAlarm", "diversity", "shares", "shrunk"]

SIDE = 16
EXACT = 1000
"""From so many pictures on distances are found by products, some 30 times as quickly."""


def diversity(images: Tensor, labels: Tensor | None, classes: int) -> Tensor:
    """Return the mean distance of two pictures of each class, (max(classes, 1),); NaN where fewer.

    Parameters
    ----------
    images : Tensor
        (N, C, H, W).
    labels : Tensor or None
        (N,); one class without.
    classes : int
        How many there are.
    """
    flat = shrunk(images).flatten(1)
    if labels is None:
        labels, classes = torch.zeros(len(flat), dtype=torch.long, device=flat.device), 1
    found = []
    for number in range(classes):
        mine = flat[labels == number]
        count = len(mine)
        total = _distances(mine).sum()
        found.append(total / (count * (count - 1)) if count > 1 else total.new_tensor(torch.nan))
    return torch.stack(found)


def _distances(flat: Tensor) -> Tensor:
    """Return the distances of all pairs; if all are copies, exactly 0."""
    if len(flat) < EXACT:
        # By products two copies would be a little apart.
        return torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist")
    if bool((flat == flat[0]).all()):
        return flat.new_zeros(1)
    return torch.cdist(flat, flat)


def shrunk(images: Tensor) -> Tensor:
    """Return pictures (N, C, H, W) as they are compared: 16 x 16, or as small as they are."""
    images = images.float()
    if images.shape[-1] <= SIDE:
        return images
    return functional.interpolate(images, (SIDE, SIDE), mode="area")


def shares(samples: Tensor, data: Tensor) -> Tensor:
    """Return diversity as a share of the data's; NaN for a class of copies, or too few pictures."""
    data = data.cpu()
    return torch.where(data > 0, samples.cpu() / data, torch.nan)


@dataclass
class CollapseAlarm:
    """Compares the diversity of samples with that of the data, check by check.

    Attributes
    ----------
    data : Tensor
        Diversity of the data by class; a class of which it is 0 or unknown is left out.
    names : sequence of str
        Names of the classes; empty for one.
    threshold : float
        A ratio below it is a collapse; for a single class, one below half of it.
    patience : int
        So many checks in a row must be below.
    grace : int
        The first checks, which do not count.
    ratio : float
        Of the last check, over the classes.
    checks, streak : int
        So far, and below the threshold in a row.
    """

    data: Tensor
    names: Sequence[str] = ()
    threshold: float = 0.4
    patience: int = 3
    grace: int = 4
    ratio: float = 1.0
    checks: int = 0
    streak: int = 0
    low: list[str] = field(default_factory=list)

    def check(self, samples: Tensor) -> bool:
        """Take in the diversity of samples by class; return whether they are collapsed."""
        ratios = shares(samples, self.data)
        self.ratio = float(ratios.nanmean())
        # One class has few samples, so its ratio is rougher.
        least = self.threshold / 2
        self.low = [n for n, r in zip(self.names, ratios, strict=False) if r < least]
        self.checks += 1
        poor = self.ratio < self.threshold or bool(self.low)
        self.streak = self.streak + 1 if poor and self.checks > self.grace else 0
        return self.collapsed

    @property
    def collapsed(self) -> bool:
        """Whether the alarm is on."""
        return self.streak >= self.patience

    def message(self, step: int) -> str:
        """Say what is wrong and what may help."""
        where = f" (classes {', '.join(self.low[:5])})" if self.low else ""
        return (
            f"mode collapse at step {step}: samples{where} are {100 * self.ratio:.0f} % as diverse "
            "as the data; try --augment, --discriminator projected, --r1 or a lower --rate"
        )

    def state(self) -> dict[str, float]:
        """Return what a resumed run needs."""
        return {"ratio": self.ratio, "checks": self.checks, "streak": self.streak}

    def load_state(self, state: dict[str, float]) -> None:
        """Restore what `state` returned."""
        self.ratio = float(state["ratio"])
        self.checks, self.streak = int(state["checks"]), int(state["streak"])

"""Terms on pretrained features, beside the game.

For pairs, the features of the output are drawn to those of the target (Johnson et al. 2016).
Without pairs there is no target: the mean features of generated pictures are drawn to those of real
ones (feature matching, Salimans et al. 2016, section 3.1).
"""

from __future__ import annotations

from torch import Tensor

__all__ = ["feature_matching", "perceptual_distance"]


def perceptual_distance(made: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """Return the mean over layers of the mean absolute difference, relative to what is wanted."""
    terms = [
        (a - b).abs().mean() / (b.abs().mean() + 1e-6) for a, b in zip(made, wanted, strict=True)
    ]
    return sum(terms) / len(terms)  # type: ignore[return-value]


def feature_matching(made: list[Tensor], real: list[Tensor]) -> Tensor:
    """Return the same distance between the means over batch and positions."""
    return perceptual_distance(
        [x.float().mean((0, 2, 3)) for x in made], [x.float().mean((0, 2, 3)) for x in real]
    )

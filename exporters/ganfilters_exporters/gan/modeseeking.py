"""A term against mode collapse: two pictures of a class must differ as two of the data do.

Source: Mao et al. 2019, "Mode Seeking Generative Adversarial Networks for Diverse Image Synthesis",
which raises the distance of two pictures over that of their latents without end. Here it is raised
to the distance that pictures of the data have, and no further, so that the term is zero for a
healthy generator. Distances are taken where they mean something: on frozen features if the
discriminator has them (other colours are not another layout), else on pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

__all__ = ["ModeSeeking", "pair_distances", "paired"]

Look = Callable[[Tensor], Sequence[Tensor]]

_PART = 64


def paired(class_weights: Tensor | None) -> Tensor | None:
    """Give picture n + N/2 of a batch the class of picture n."""
    if class_weights is None:
        return None
    half = class_weights[: len(class_weights) // 2]
    return torch.cat([half, half, class_weights[2 * len(half) :]])


def pair_distances(maps: Sequence[Tensor]) -> Tensor:
    """Return the distance of picture n and n + N/2, (N/2,): the mean over maps of their share.

    Parameters
    ----------
    maps : sequence of Tensor
        (N, C, h, w) each; the difference of two is taken relative to their mean size.
    """
    found = []
    for one in maps:
        half = len(one) // 2
        difference = (one[:half] - one[half : 2 * half]).abs().mean((1, 2, 3))
        found.append(difference / (one.detach().abs().mean() + 1e-6))
    return torch.stack(found).mean(0)


class ModeSeeking:
    """Knows how far pictures of each class of the data are apart.

    Parameters
    ----------
    look : callable
        From pictures in [-1, 1] to maps.
    images : Tensor
        Pictures of the data, (N, C, H, W) in [-1, 1].
    labels : Tensor or None
        (N,).
    classes : int
        How many; 0 for none.
    """

    def __init__(self, look: Look, images: Tensor, labels: Tensor | None, classes: int) -> None:
        self.look = look
        groups = [images]
        if labels is not None and classes:
            groups = [images[labels == number] for number in range(classes)]
        with torch.no_grad():
            self.typical = torch.stack([self._typical(group) for group in groups])

    def _typical(self, images: Tensor) -> Tensor:
        if len(images) < 2:
            return images.new_zeros(())
        parts = [pair_distances(self.look(part)) for part in images.split(_PART) if len(part) > 1]
        return torch.cat(parts).mean()

    def __call__(self, images: Tensor, class_weights: Tensor | None) -> Tensor:
        """Return how much nearer pairs of a batch are than pairs of the data: 0 to 1.

        Parameters
        ----------
        images : Tensor
            Generated, (N, C, H, W) in [-1, 1], of classes that are `paired`.
        class_weights : Tensor or None
            (N, classes).
        """
        found = pair_distances(self.look(images)).float()
        typical = self.typical.to(found.device)
        if class_weights is not None:
            typical = class_weights[: len(found)] @ typical
        return (torch.relu(typical - found) / (typical + 1e-6)).mean()

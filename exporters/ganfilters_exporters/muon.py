"""Muon: momentum with its singular values made equal, for convolutions.

Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024), with the
step size of Liu et al., "Muon is scalable for LLM training" (2025), section 2.2, which lets one
learning rate serve Muon and Adam. PyTorch has it for matrices only; a convolution's kernel is one
here, with a row for each output channel.

Where a loss network takes nearly all the time of a step, a better step is for nothing: a style
network comes as far in fewer pictures than with Adam.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor, nn

__all__ = ["Muon", "mixing_weights"]

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients that bring singular values near 1 in five rounds (Jordan 2024)."""


def mixing_weights(module: nn.Module) -> list[Tensor]:
    """Return the kernels of convolutions that mix channels: what Muon is for."""
    return [
        m.weight for m in module.modules() if isinstance(m, nn.Conv2d) and m.weight.shape[1] > 1
    ]


class Muon(torch.optim.Optimizer):
    """Gradient descent along orthogonalised momentum.

    Parameters
    ----------
    params : iterable
        Weights of two or more dimensions, or groups of them.
    lr : float
        Learning rate; a step's root mean square is 0.2 of it, about that of Adam.
    momentum : float
        Share of the past in the direction.
    """

    def __init__(self, params: Iterable[Any], lr: float, momentum: float = 0.9) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Move the weights that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, group["lr"], group["momentum"])
        return loss

    def _move(self, weight: nn.Parameter, rate: float, momentum: float) -> None:
        state = self.state[weight]
        if not state:
            state["mean"] = torch.zeros_like(weight)
        gradient: Tensor = weight.grad  # type: ignore[assignment]
        mean: Tensor = state["mean"]
        mean.lerp_(gradient, 1 - momentum)
        # One step ahead of the mean (Nesterov).
        direction = orthogonal(torch.lerp(gradient, mean, momentum).flatten(1))
        size = 0.2 * max(direction.shape) ** 0.5
        weight.add_(direction.view(weight.shape), alpha=-rate * size)


def orthogonal(matrix: Tensor) -> Tensor:
    """Return a matrix with the same singular vectors and singular values near 1 (0.7 to 1.2)."""
    a, b, c = NEWTON_SCHULZ
    tall = matrix.shape[0] > matrix.shape[1]
    wide: Tensor = matrix.T if tall else matrix
    wide = wide / (wide.norm() + 1e-12)
    for _ in range(5):
        square = wide @ wide.T
        wide = a * wide + (b * square + c * (square @ square)) @ wide
    return wide.T if tall else wide

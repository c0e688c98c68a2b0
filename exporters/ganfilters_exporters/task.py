"""What a trainer trains, and the helpers that a task uses; the loop is in :mod:`.trainer`.

Sources: the average of weights is Polyak and Juditsky 1992, with the warm-up that TensorFlow's
``ExponentialMovingAverage`` gives it.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["Average", "Task", "checksum", "seed_of", "warm_cosine"]


def seed_of(*words: int | str) -> int:
    """Return a seed in [0, 2**63) that depends on every word and on nothing else."""
    digest = hashlib.blake2b("/".join(map(str, words)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def checksum(tensors: Iterable[Tensor]) -> str:
    """Return what tells these tensors from others: sixteen hexadecimal digits."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def warm_cosine(step: int, steps: int, *, warm: int = 0, final: float = 0.0) -> float:
    """Return a factor of the learning rate: a linear rise, then half a cosine down to `final`.

    A function of the step alone, so that no scheduler has a state to save.
    """
    if step < warm:
        return (step + 1) / (warm + 1)
    progress = min(1.0, (step - warm) / max(1, steps - warm))
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))


class Average:
    """An exponential moving average of a network's weights and buffers.

    Parameters
    ----------
    module : nn.Module
        The network; `self.module` is the averaged copy, in evaluation mode.
    decay : float
        Weight of the past at each step. It starts lower, (1 + n) / (10 + n) after n steps, so
        that the first weights are soon forgotten.
    """

    def __init__(self, module: nn.Module, decay: float = 0.999) -> None:
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Take in the weights of `module` after step `step`."""
        decay = min(self.decay, (1 + step) / (10 + step))
        averaged: list[Tensor] = list(self.module.parameters())
        torch._foreach_lerp_(averaged, [p.detach() for p in module.parameters()], 1 - decay)
        # Buffers, such as the statistics of a batch norm, are no weights: they are copied.
        for mine, theirs in zip(self.module.buffers(), module.buffers(), strict=True):
            mine.copy_(theirs)


class Task:
    """What is trained. Subclass it, fill the dictionaries, and write `batch` and `step`.

    Attributes
    ----------
    modules : dict of str to nn.Module
        The trained networks. They are moved to the device, and saved.
    frozen : dict of str to nn.Module
        Networks that only help, such as a loss network. Moved, not saved.
    optimizers : dict of str to torch.optim.Optimizer
        Made by the task, in any number; saved. Their learning rate is multiplied by `rate`.
    averages : dict of str to Average
        Averages of `modules` of the same name; updated after each step, saved.
    clip : float or None
        Largest norm of the gradient of one update. An update whose gradient is not finite is left
        out: one degenerate picture must not end a run.
    skipped : int
        Updates left out so far.
    accelerator : Accelerator
        Set before the first batch; `device` is its device.
    batch_images : int
        Pictures in a step, for the progress line.
    """

    def __init__(self) -> None:
        self.modules: dict[str, nn.Module] = {}
        self.frozen: dict[str, nn.Module] = {}
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        self.averages: dict[str, Average] = {}
        self.clip: float | None = None
        self.skipped = 0
        self.batch_images = 1
        self.accelerator: Accelerator

    @property
    def device(self) -> torch.device:
        """The device that the task runs on."""
        device: torch.device = self.accelerator.device
        return device

    def setup(self) -> None:
        """Prepare what needs the device; called once, after the networks were moved to it."""

    def batch(self, step: int) -> Any:
        """Return the data of a step, on the device.

        It follows from the step alone, and from torch's generators, which are seeded from it.
        """
        raise NotImplementedError

    def step(self, batch: Any, step: int) -> dict[str, Tensor]:
        """Train on a batch and return scalars to log (0-d tensors; they stay on the device)."""
        raise NotImplementedError

    def rate(self, step: int, steps: int) -> float:  # noqa: ARG002 - for subclasses
        """Return the factor of the learning rates at a step of `steps`."""
        return 1.0

    def identity(self) -> dict[str, Any]:
        """Return what must be the same when a run is resumed, as JSON."""
        return {}

    def remembered(self, identity: dict[str, Any]) -> dict[str, Any]:
        """Return a run's identity, with what it does not say if an earlier version wrote it."""
        return identity

    def state(self) -> dict[str, Any]:
        """Return more to save: tensors, numbers, strings, and lists and dicts of them."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned."""

    # What a step calls.

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context of the chosen precision, for forward passes and losses."""
        return self.accelerator.autocast()  # type: ignore[no-any-return]

    def update(self, names: str | tuple[str, ...], loss: Tensor) -> None:
        """Let one optimiser, or some, take a step down the gradient of `loss`, and no other.

        A generator's loss also reaches the discriminator's weights; their gradients are dropped
        when that optimiser's own update begins.
        """
        optimizers = [self.optimizers[n] for n in ([names] if isinstance(names, str) else names)]
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        self.accelerator.backward(loss)
        if self.clip is not None:
            weights = [p for o in optimizers for group in o.param_groups for p in group["params"]]
            norm = torch.nn.utils.clip_grad_norm_(weights, self.clip)
            if not torch.isfinite(norm):
                self.skipped += 1
                for optimizer in optimizers:
                    optimizer.zero_grad(set_to_none=True)
                return
        for optimizer in optimizers:
            optimizer.step()

    def plain(self, name: str) -> nn.Module:
        """Return a network without what several GPUs wrap around it."""
        module: nn.Module = self.accelerator.unwrap_model(self.modules[name])
        return module

    def best(self, name: str) -> nn.Module:
        """Return the network to look at and to export: its average, if there is one."""
        return self.averages[name].module if name in self.averages else self.plain(name)

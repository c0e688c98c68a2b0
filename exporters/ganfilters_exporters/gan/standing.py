"""Statistics of batch norms that belong to averaged weights.

The average of a generator's weights comes with the statistics of the weights of the last step,
which fit it badly: pictures pale or strokes thin from one check to the next. They are measured
anew on the averaged network itself: the standing statistics of BigGAN (Brock et al. 2019, section
3 and appendix).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from .networks import Generator

__all__ = ["settle"]


@torch.no_grad()
def settle(generator: Generator, batches: int = 8, size: int = 64) -> None:
    """Measure the statistics of the generator's batch norms on its own pictures.

    Parameters
    ----------
    generator : Generator
        In evaluation mode; its running means and variances are replaced. The result depends on
        its weights alone.
    batches, size : int
        How much to measure on.
    """
    norms: list[nn.Module] = [m for m in generator.modules() if isinstance(m, _BatchNorm)]
    if not norms:
        return
    config = generator.config
    device = next(generator.parameters()).device
    random = torch.Generator().manual_seed(0)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()  # type: ignore[operator]
        norm.momentum = None  # type: ignore[assignment] # the plain mean over the batches
        norm.train()
    for _ in range(batches):
        z = torch.randn(size, config.z, generator=random).to(device)
        noise = torch.randn(size, generator.noise_size, generator=random).to(device)
        weights = None
        if config.classes:
            labels = torch.randint(config.classes, (size,), generator=random)
            weights = torch.eye(config.classes)[labels].to(device)
        generator(z, weights, noise if generator.noise_size else None)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()

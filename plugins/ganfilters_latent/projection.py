"""Finding the w whose picture is nearest to a given one, without PyTorch.

The distance and its gradient are outputs of the network's own file; the steps are Adam's (Kingma
and Ba 2015). The schedule is that of Karras et al. 2020, "Analyzing and Improving the Image Quality
of StyleGAN", appendix D: noise on w that fades, and a rate that rises and falls. Two things differ:
the beginning is the nearest of many random latents and the mean of each class, as a few landscapes
are nearer than any mean; and each layer gets a w of its own (W+, Abdal et al. 2019), which comes
nearer.
"""

from __future__ import annotations

import math

import numpy as np

from ganfilters import FloatArray, report_progress, to_batch
from ganfilters_latent.network import Network

__all__ = ["project"]

_RATE = 0.1
_WANDERING = 0.05
"""Deviation of the noise on w at the beginning, as a part of w's own."""
_FADED = 0.6
_PULL = 2e-3
"""How far a step draws w to the mean: far from it pictures fall apart when edited."""

_CANDIDATES = 96
_BATCH = 16
_MOMENTA = (0.9, 0.999)


def project(
    network: Network, target: FloatArray, steps: int, seed: int, class_weights: FloatArray | None
) -> FloatArray:
    """Return the w of the picture that is nearest to the target, (layers, W).

    Parameters
    ----------
    network
        With ``gradient`` and ``distance`` among its outputs.
    target
        (size, size, 3) in [0, 1].
    steps
        Of Adam.
    seed
        Of the candidates to begin with, and of the noise.
    class_weights
        Look only among pictures of this class; None for all.

    Raises
    ------
    ModelError
        The file has no such outputs.
    """
    channels = target.mean(axis=2, keepdims=True) if network.channels == 1 else target
    wanted = to_batch(channels)
    start, middle, spread = _nearest_of_many(network, wanted, seed, class_weights)
    outputs = ["gradient", "distance"]
    constants = {**network.given(start[None]), "target": wanted}
    del constants["w"]
    run = network.runtime.session(network.model, outputs).bind(constants, outputs)
    rng = np.random.default_rng(seed)
    w, best, least = start, start, math.inf
    first, second = np.zeros_like(w), np.zeros_like(w)
    for step in range(steps):
        part = step / steps
        report_progress(0.1 + 0.9 * part, f"step {step + 1} of {steps}")
        noise = _WANDERING * max(0.0, 1 - part / _FADED) ** 2
        wandering = w + noise * spread * rng.standard_normal(w.shape).astype(np.float32)
        gradient, distance = run(w=wandering[None])
        if distance[0] < least and noise < 1e-3:
            least, best = float(distance[0]), wandering
        first += (1 - _MOMENTA[0]) * (gradient[0] - first)
        second += (1 - _MOMENTA[1]) * (gradient[0] ** 2 - second)
        unbiased = first / (1 - _MOMENTA[0] ** (step + 1))
        size = np.sqrt(second / (1 - _MOMENTA[1] ** (step + 1))) + 1e-10
        rate = _RATE * spread * min(1.0, 20 * part + 0.05) * min(1.0, 4 * (1 - part))
        w = w - rate * unbiased / size - _PULL * (w - middle)
    return best if math.isfinite(least) else w


def _nearest_of_many(
    network: Network, target: FloatArray, seed: int, class_weights: FloatArray | None
) -> tuple[FloatArray, FloatArray, float]:
    """Return the nearest of many random w, their mean, and the deviation of w."""
    report_progress(0.0, "looking for a beginning")
    found = []
    for number in range(_CANDIDATES):
        chosen = class_weights
        if chosen is None:
            classes = max(1, len(network.classes))
            chosen = np.eye(classes, dtype=np.float32)[number % classes]
        found.append(network.w(seed + number, chosen, 0.8))
    middle = np.stack(found).mean(axis=0)
    spread = float(np.std(found, axis=0).mean())
    means = network.mean_w if class_weights is None else class_weights[None] @ network.mean_w
    found += [middle, *(np.broadcast_to(mean, network.shape) for mean in means)]
    candidates = np.stack(found)
    session = network.runtime.session(network.model, ["distance"])
    distances: list[float] = []
    for at in range(0, len(candidates), _BATCH):
        feeds = {**network.given(candidates[at : at + _BATCH]), "target": target}
        distances.extend(session.run(feeds, ["distance"])[0])
    nearest = candidates[int(np.argmin(distances))]
    return nearest, middle, spread

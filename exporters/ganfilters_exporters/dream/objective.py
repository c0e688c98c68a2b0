"""What DeepDream ascends, cut into steps that an exported graph can skip.

One exported file serves all uses: any set of layers, single channels, guide pictures and classes.
So the choices are inputs of the network. Each step here goes forward from one layer to the next
and, given the gradient that arrives from deeper layers, back again.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ..backbones import LOGITS, Backbone, Layer

KINDS = ("square", "linear", "guide")
"""The inputs that every layer has, named ``LAYER.KIND``."""


def layer_objective(a: Tensor, square: Tensor, linear: Tensor, guide: Tensor) -> Tensor:
    """Return a layer's objective without its gain: what makes the features there stronger.

    The sum over positions of

        sum_c square_c a_c^2 / 2  +  sum_c linear_c a_c  +  <a, guide_k*>

    where k* is the guide that matches the position best, ``argmax_k <a, guide_k>``, taken as
    constant (Mordvintsev, Olah and Tyka, "Inceptionism", 2015, and their guided variant). A sum,
    not a mean, so that gradients do not depend on the picture's size and a tile's gradient agrees
    with the whole picture's.

    Parameters
    ----------
    a : Tensor
        Activation, (1, C, h, w).
    square, linear : Tensor
        Weights of each channel's square and of the channel itself, (C,).
    guide : Tensor
        Feature vectors to match and amplify, (K, C); a single row of zeros adds nothing.

    Returns
    -------
    Tensor
        A scalar.
    """
    with torch.no_grad():
        flat = a.detach().flatten(2)[0]
        best = (guide @ flat).argmax(0)
        matched = guide.t()[:, best].reshape(a.shape)
        push = matched + linear[:, None, None]
    return (a * (a * (0.5 * square)[:, None, None] + push)).sum()


def logits_objective(logits: Tensor, linear: Tensor, positions: int) -> Tensor:
    """Return the objective of the class scores without its gain, a scalar.

    ``positions * <linear, logits>``, with the number of positions that the logits average over: so
    its gradient does not depend on the picture's size either.
    """
    return (logits[0] * linear).sum() * positions


class LayerStep(nn.Module):
    """One segment of a backbone there and back, with the objective at its end.

    Parameters
    ----------
    segment : nn.Module
        From the features before to the features at the layer.
    gain : float
        Factor of the layer's objective.
    """

    def __init__(self, segment: nn.Module, gain: float) -> None:
        super().__init__()
        self.segment, self.gain = segment, gain

    def forward(
        self,
        before: Tensor,
        square: Tensor,
        linear: Tensor,
        guide: Tensor,
        deeper: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return features, objective, and the gradient with respect to `before`.

        `deeper` is the gradient of deeper objectives with respect to the features, in their shape;
        None at the deepest layer.
        """
        with torch.enable_grad():
            before = before.detach().requires_grad_()
            features = self.segment(before)
            end = features.detach().requires_grad_()
            objective = self.gain * layer_objective(end, square, linear, guide)
            (own,) = torch.autograd.grad(objective, end)
            arriving = own if deeper is None else own + deeper
            (gradient,) = torch.autograd.grad(features, before, arriving)
        return features.detach(), objective.detach(), gradient


class LogitsStep(nn.Module):
    """The classifier there and back; the deepest step."""

    def __init__(self, segment: nn.Module, gain: float) -> None:
        super().__init__()
        self.segment, self.gain = segment, gain

    def forward(self, before: Tensor, linear: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits, objective, and the gradient with respect to `before`."""
        with torch.enable_grad():
            before = before.detach().requires_grad_()
            logits = self.segment(before)
            positions = before.shape[2] * before.shape[3]
            objective = self.gain * logits_objective(logits, linear, positions)
            (gradient,) = torch.autograd.grad(objective, before)
        return logits.detach(), objective.detach(), gradient


class Dream:
    """A backbone with the gain of every layer: what is exported, and its reference in PyTorch."""

    def __init__(self, backbone: Backbone, gains: Mapping[str, float] | None = None) -> None:
        self.backbone = backbone
        self.gains = dict.fromkeys(backbone.depths, 1.0) | dict(gains or {})

    def step(self, depth: int) -> nn.Module:
        """Return the step of one depth, 0 for the first layer."""
        name, segment = self.backbone.depths[depth], self.backbone.segments[depth]
        kind = LogitsStep if name == LOGITS else LayerStep
        return kind(segment, self.gains[name])

    def input_names(self) -> tuple[str, ...]:
        """Return the names of all choices, in the order of the depths."""
        layers = [f"{layer.name}.{kind}" for layer in self.backbone.layers for kind in KINDS]
        return (*layers, f"{LOGITS}.linear") if self.backbone.classes else tuple(layers)

    def silence(self) -> dict[str, Tensor]:
        """Return choices that all weigh nothing, by input name."""
        choices = {}
        for layer in self.backbone.layers:
            choices.update(_layer_choices(layer))
        if self.backbone.classes:
            choices[f"{LOGITS}.linear"] = torch.zeros(len(self.backbone.classes))
        return choices

    def double(self) -> Dream:
        """Return a copy in float64, for measuring what float32 rounding alone does."""
        segments = tuple(copy.deepcopy(s).double() for s in self.backbone.segments)
        return Dream(dataclasses.replace(self.backbone, segments=segments), self.gains)

    def objective(
        self, features: Mapping[str, Tensor], choices: Mapping[str, Tensor], depth: int
    ) -> Tensor:
        """Return the sum of the objectives up to a depth, gains included: plain PyTorch."""
        total = torch.zeros(())
        for name in self.backbone.depths[: depth + 1]:
            if name == LOGITS:
                deepest = features[self.backbone.layers[-1].name]
                positions = deepest.shape[2] * deepest.shape[3]
                value = logits_objective(features[name], choices[f"{name}.linear"], positions)
            else:
                value = layer_objective(features[name], *(choices[f"{name}.{k}"] for k in KINDS))
            total = total + self.gains[name] * value
        return total

    def reference(
        self, image: Tensor, choices: Mapping[str, Tensor], depth: int
    ) -> dict[str, Tensor]:
        """Compute with PyTorch's autograd what the exported file computes.

        Returns
        -------
        dict
            ``gradient``, ``objective``, ``features.LAYER`` and ``logits``, as far as `depth` goes.
        """
        image = image.detach().requires_grad_()
        features = self.backbone.features(image)
        objective = self.objective(features, choices, depth)
        (gradient,) = torch.autograd.grad(objective, image)
        found = {"gradient": gradient, "objective": objective.detach()}
        for name in self.backbone.depths[: depth + 1]:
            found[output_name(name)] = features[name].detach()
        return found


def output_name(depth: str) -> str:
    """Return the name of the output that holds the features of a depth."""
    return depth if depth == LOGITS else f"features.{depth}"


def _layer_choices(layer: Layer) -> dict[str, Tensor]:
    sizes: Sequence[tuple[int, ...]] = [(layer.channels,), (layer.channels,), (1, layer.channels)]
    return {f"{layer.name}.{k}": torch.zeros(s) for k, s in zip(KINDS, sizes, strict=True)}

"""How a style network is trained."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..losses import Weights

__all__ = ["StyleConfig"]


@dataclass(frozen=True)
class StyleConfig:
    """How a style network is trained.

    Attributes
    ----------
    size : int
        Side of the photographs in pixels; a multiple of 8.
    style_size : int
        Short side at which named paintings are looked at, in pixels: strokes grow with it.
    corpus_size : int
        Side of the parts of other paintings, in pixels; a multiple of 32. The whole painting is as
        large to 2.5 times as large.
    batch : int
        Photographs in a step.
    rate : float
        Learning rate of Muon for the convolutions and of Adam for what else the network has;
        twice as much for the styles' rows, 0.3 of it for the predictor.
    seed : int
        Seed of the data.
    zoom : tuple of float
        Cuts of the photographs, as shares of their side.
    weights : Weights
        Of the loss.
    grain : float
        Largest deviation of the grain that photographs are given, of values from 0 to 1; what the
        filter gives them.
    palette : float
        How far painted pictures are moved to the painting's mean and covariance of colours before
        the loss, from 0 to 1; what the filter does by default.
    overpaint : float
        Share of the steps that paint over what was painted smaller, as the filter does.
    named_share : float
        Share of the photographs painted in a named style, where any painting is learned too.
    average : float
        Decay of the average of the weights; 0 for none.
    warm : int
        Steps in which the learning rate rises.
    """

    size: int = 256
    style_size: int = 256
    corpus_size: int = 192
    batch: int = 1
    rate: float = 5e-3
    seed: int = 0
    zoom: tuple[float, float] = (0.4, 1.0)
    weights: Weights = field(default_factory=Weights)
    grain: float = 0.08
    palette: float = 0.5
    overpaint: float = 0.5
    named_share: float = 0.5
    average: float = 0.999
    warm: int = 50

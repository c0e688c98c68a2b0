"""Losses as modules that compose: features, content, Gram matrices, tones, smoothness, weave."""

from .features import LAYERS, Features, load_vgg16_features
from .style import (
    ContentLoss,
    GramLoss,
    PerceptualLoss,
    ToneLoss,
    TotalVariation,
    WeaveLoss,
    Weights,
    gram,
)
from .texture import SpectrumLoss, TextureLoss

__all__ = [
    "LAYERS",
    "ContentLoss",
    "Features",
    "GramLoss",
    "PerceptualLoss",
    "SpectrumLoss",
    "TextureLoss",
    "ToneLoss",
    "TotalVariation",
    "WeaveLoss",
    "Weights",
    "gram",
    "load_vgg16_features",
]

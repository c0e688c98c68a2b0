"""Features of a loss network by layer: what perceptual and style losses compare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn

from ganfilters.errors import UsageError

from ..backbones import vgg16
from .winograd import with_winograd

__all__ = ["LAYERS", "Features", "load_vgg16_features"]

LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
"""VGG16's last features of each scale: the style layers of Johnson 2016."""


class Features(nn.Module):
    """A network cut behind each layer, as one module.

    Parameters
    ----------
    segments : sequence of nn.Module
        The first maps the picture to the first layer's features, the second these to the second
        layer's, and so on.
    names : sequence of str
        The layers' names.
    """

    def __init__(self, segments: Sequence[nn.Module], names: Sequence[str]) -> None:
        super().__init__()
        self.segments = nn.ModuleList(segments)
        self.names = tuple(names)

    def forward(self, image: Tensor, until: str | None = None) -> dict[str, Tensor]:
        """Map (N, 3, H, W), RGB in [0, 1], to features (N, channels, H / stride, W / stride).

        Layers after `until` are not computed.
        """
        found = {}
        x = image
        for name, segment in zip(self.names, self.segments, strict=True):
            x = found[name] = segment(x)
            if name == until:
                break
        return found


def load_vgg16_features(weights: Path) -> Features:
    """Load VGG16 up to relu4_3, frozen; see :func:`..backbones.vgg16.load` for the files it takes.

    Raises
    ------
    UsageError
        The file cannot be read, or is not VGG16.
    """
    try:
        backbone = vgg16.load(weights)
    except OSError as error:
        raise UsageError(f"{weights} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(str(error)) from error
    network = Features(backbone.segments, [layer.name for layer in backbone.layers])
    with_winograd(network.eval().requires_grad_(False))
    return network

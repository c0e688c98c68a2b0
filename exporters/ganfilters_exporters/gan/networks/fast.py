"""The blocks of FastGAN: gated linear units and skip-layer excitation.

Source: Liu et al. 2021, "Towards Faster and Stabilized GAN Training for High-fidelity Few-shot
Image Synthesis", section 3.1.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from .modulation import ModulatedConv, Modulation

__all__ = ["Excitation", "UpBlock", "gated"]


def gated(x: Tensor) -> Tensor:
    """Let one half of the channels gate the other: a gated linear unit.

    As ``functional.glu``, whose gradient comes back in another layout than the features', which
    makes the batch normalisation before it several times slower.
    """
    values, gates = x.chunk(2, 1)
    return values * gates.sigmoid()


class UpBlock(nn.Module):
    """Double the size while convolving, then convolve again or not, each time through gates.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    w : int
        Width of w.
    modulation : str
        See :mod:`.modulation`.
    convolutions : int
        1 or 2.
    noise : bool
        Whether each convolution adds noise.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        w: int,
        modulation: Modulation,
        *,
        convolutions: int,
        noise: bool,
    ) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            ModulatedConv(
                outputs if n else inputs, 2 * outputs, w, modulation, noise=noise, double=n == 0
            )
            for n in range(convolutions)
        )

    def forward(self, x: Tensor, w: Tensor, noises: list[Tensor | None]) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, 2H, 2W); `noises` has one for each convolution."""
        for convolution, noise in zip(self.convolutions, noises, strict=True):
            x = gated(convolution(x, w, noise))
        return x


class Excitation(nn.Module):
    """Features of a small size gate the channels of a large one.

    Parameters
    ----------
    inputs, outputs : int
        Channels of the small and of the large features.
    base : int
        The small features are averaged to this side.
    """

    def __init__(self, inputs: int, outputs: int, base: int) -> None:
        super().__init__()
        self.base = base
        self.gate = nn.Sequential(
            nn.Conv2d(inputs, outputs, base, bias=False),
            nn.SiLU(),
            nn.Conv2d(outputs, outputs, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, small: Tensor, large: Tensor) -> Tensor:
        """Return `large`, each channel times its gate."""
        factor = small.shape[-1] // self.base
        pooled = functional.avg_pool2d(small, factor) if factor > 1 else small
        excited: Tensor = large * self.gate(pooled)
        return excited

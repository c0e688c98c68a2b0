"""Refining a painted picture: descending the content and style loss from where the network ends.

A network paints in one pass what fits most photographs. Gatys, Ecker and Bethge, "Image Style
Transfer Using Convolutional Neural Networks" (2016), optimise the picture itself, from noise;
started from the network's painting, some dozens of steps are enough. The loss and its gradient are
in the file that ``ganfilters export refiner`` writes (``ganfilters_exporters.style.refiner``).

The step is Adam's (Kingma and Ba 2015), taken at every level of a pyramid and added up, after
Kolkin et al., "Style Transfer by Relaxed Optimal Transport and Self-Similarity" (2019), section
2.5: steps of single pixels lower the loss with grain, those of larger levels with strokes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ganfilters import (
    FloatArray,
    Image,
    ModelCard,
    ModelFile,
    OutOfMemory,
    Runtime,
    from_batch,
    pad_to,
    padded_size,
    report_progress,
    resize,
    to_batch,
)
from ganfilters_style.colour import COLOURS, known_moments, match_moments, painting_moments
from ganfilters_style.sizes import scaled

__all__ = ["REFINER", "Descent", "Grams", "Refiner", "mixed"]

REFINER = ModelFile.packaged(
    "ganfilters_style",
    "models/refiner.onnx",
    sha256="ca38f4f61b6296ee6a2535a0e39849591a63258fe3eb35db027b64e1bd128c82",
)

Grams = Mapping[str, FloatArray]
"""A painting's Gram matrices by layer, each (C, C): what it looks like, wherever things are.

The moments of its colours are among them, as `COLOURS`, but not in models made earlier.
"""

# Longer side in pixels at which a painting is looked at; a small one is enlarged no further.
_LOOKED_AT = 512
_ENLARGE = 2.0

_RATE = 0.01
_MOMENTUM, _MEMORY = 0.9, 0.99
_LEVELS = 6
_SMALLEST_LEVEL = 8
# Of the steps of single pixels, which make grain.
_FINEST = 0.5
# Of the squared differences of neighbours, for each 1 that the style term counts: it is there
# against the grain that the style term makes.
_SMOOTHNESS = 1.0
# In how many steps colours go as far as `palette` says, if nothing else moves them.
_PALETTE_STEPS = 10


def mixed(parts: Iterable[tuple[float, Grams]]) -> dict[str, FloatArray]:
    """Return the mean of Gram matrices with weights of sum 1."""
    total: dict[str, FloatArray] = {}
    for share, grams in parts:
        for layer, gram in grams.items():
            total[layer] = total.get(layer, np.float32(0)) + np.float32(share) * gram
    return total


@dataclass(frozen=True)
class Refiner:
    """The gradient network; the parts that measure run without it.

    Attributes
    ----------
    runtime
        Where it runs.
    model
        The file.
    """

    runtime: Runtime
    model: ModelFile = REFINER

    @property
    def card(self) -> ModelCard:
        """What the file says of itself."""
        return self.model.card_for("style")

    @property
    def features(self) -> str:
        """Which loss network it is: Gram matrices of another one cannot be compared with its."""
        return str(self.card.extra["features"])

    @property
    def layers(self) -> dict[str, int]:
        """The layers whose Gram matrices are compared, and their channels."""
        return dict(self.card.extra["layers"])

    def grams(self, painting: Image) -> dict[str, FloatArray]:
        """Return what a painting looks like."""
        height, width = painting.pixels.shape[:2]
        scale = min(_LOOKED_AT / max(height, width), _ENLARGE)
        down, right = scaled(height, width, scale, self.card.size_multiple, self.card.size_min)
        pixels = np.clip(resize(painting.pixels, right, down), 0.0, 1.0)
        outputs = [f"gram_found.{name}" for name in self.layers]
        found = dict(zip(self.layers, self._measured(pixels, outputs), strict=True))
        return {**found, COLOURS: painting_moments(painting.pixels)}

    def _measured(self, pixels: FloatArray, outputs: list[str]) -> list[FloatArray]:
        """Return what the loss network finds in a picture; no gradient is computed for that."""
        height, width = pixels.shape[:2]
        content = self.card.extra["content"]
        stride = content["stride"]
        # Only its size matters: the graph takes that of the picture's features from it.
        blank = np.zeros((1, content["channels"], height // stride, width // stride), np.float32)
        found: list[FloatArray] = self.runtime.session(self.model, outputs).run(
            {"image": to_batch(pixels), "content": blank}, outputs
        )
        return found

    def refine(
        self,
        painted: FloatArray,
        photo: FloatArray,
        grams: Grams,
        steps: int,
        style: float,
        palette: float = 1.0,
    ) -> FloatArray:
        """Return the painting after some steps down the loss, in the colours of what it looks like.

        Features see differences of colours, and hardly the colours: without their moments a grey
        and blue painting makes skies yellow (after Gatys et al., "Controlling Perceptual Factors in
        Neural Style Transfer", 2017, section 5.2).

        Parameters
        ----------
        painted, photo
            (H, W, 3) in [0, 1]: where to start, and what is to be seen.
        grams
            What it is to look like.
        steps
            How many steps; each takes about ten times as long as painting does.
        style
            How much the style term counts beside a content term of 1.
        palette
            How far colours are held at those moments, from 0 to 1; 0 leaves them to the features.

        Raises
        ------
        OutOfMemory
            The picture is too large for it; says what to change.
        """
        try:
            return self._descended(painted, photo, grams, steps, style, palette)
        except (OutOfMemory, MemoryError) as error:
            height, width = painted.shape[:2]
            raise OutOfMemory(
                f"refining {width}x{height} pixels does not fit into memory; give a smaller "
                "`refine_size`"
            ) from error

    def release(self) -> None:
        """Give back the memory that refining has taken."""
        self.runtime.release(self.model)

    def _descended(
        self,
        painted: FloatArray,
        photo: FloatArray,
        grams: Grams,
        steps: int,
        style: float,
        palette: float,
    ) -> FloatArray:
        height, width = painted.shape[:2]
        down, right = padded_size(height, width, self.card.size_multiple, self.card.size_min)
        (content,) = self._measured(pad_to(photo, down, right), ["content_found"])
        weights = np.array([1.0, style, _SMOOTHNESS * style], np.float32)
        given = {f"gram.{layer}": grams[layer] for layer in self.layers}
        given |= {"content": content, "weights": weights}
        run = self.runtime.session(self.model, ["gradient"]).bind(given, ["gradient"])
        colours = known_moments(grams.get(COLOURS)) if palette else None
        share = 1.0 - (1.0 - palette) ** (1.0 / _PALETTE_STEPS)
        picture = pad_to(painted, down, right).copy()
        descent = Descent()
        for step in range(steps):
            report_progress(step / steps, f"refining at {width}x{height}")
            (gradient,) = run(image=to_batch(picture))
            # Full steps in the first half, then ever smaller ones: the picture settles.
            rate = _RATE * min(1.0, 2.0 * (1.0 - step / steps))
            picture -= descent.step(from_batch(gradient), rate)
            np.clip(picture, 0.0, 1.0, out=picture)
            if colours is not None:
                # After each step, not at the end: so the next ones make the best of it.
                picture = match_moments(picture, colours, share=share)
        return picture[:height, :width]


class Descent:
    """Adam at each level of a pyramid; what it remembers is by level."""

    def __init__(self) -> None:
        self.count = 0
        self.means: list[FloatArray] = []
        self.squares: list[FloatArray] = []

    def step(self, gradient: FloatArray, rate: float) -> FloatArray:
        """Return what to subtract, (H, W, 3) as the gradient."""
        self.count += 1
        levels = [gradient]
        while len(levels) < _LEVELS and min(levels[-1].shape[:2]) >= 2 * _SMALLEST_LEVEL:
            height, width = levels[-1].shape[:2]
            levels.append(resize(levels[-1], (width + 1) // 2, (height + 1) // 2))
        if not self.means:
            self.means = [np.zeros_like(level) for level in levels]
            self.squares = [np.zeros_like(level) for level in levels]
        total: FloatArray | None = None
        for number in reversed(range(len(levels))):
            own = self._adam(number, levels[number], rate)
            if number == 0:
                own *= np.float32(_FINEST)
            if total is not None:
                own += resize(total, own.shape[1], own.shape[0])
            total = own
        assert total is not None  # noqa: S101 - there is always one level
        return total

    def _adam(self, number: int, gradient: FloatArray, rate: float) -> FloatArray:
        mean, square = self.means[number], self.squares[number]
        mean += np.float32(1 - _MOMENTUM) * (gradient - mean)
        square += np.float32(1 - _MEMORY) * (gradient * gradient - square)
        deviation = np.sqrt(square / np.float32(1 - _MEMORY**self.count))
        # Where there is no slope at all there is no step.
        deviation += np.float32(1e-20)
        own: FloatArray = mean * np.float32(rate / (1 - _MOMENTUM**self.count)) / deviation
        return own

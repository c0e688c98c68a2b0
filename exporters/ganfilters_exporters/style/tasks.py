"""What trains: named styles, one more painting, any painting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from ganfilters.errors import UsageError

from ..data import Pictures, spread
from ..losses import PerceptualLoss
from ..muon import Muon, mixing_weights
from ..sheets import load_samples
from ..task import Average, Task, checksum, seed_of, warm_cosine
from .config import StyleConfig
from .ground import grained, half_lit, reduced
from .named import NamedPaintings, wanted_of
from .network import StyleTable, Stylizer
from .paintings import Painting
from .palette import mean_and_covariance, towards
from .predictor import PaintingStatistics, Predictor
from .trained import Trained

__all__ = ["CORPUS_ZOOM", "AnyStyle", "NamedStyles", "OneStyle", "StyleConfig"]


ROWS, PREDICTOR = 2.0, 0.3
"""Factors of the learning rate. A style's row gets a gradient only from its own pictures, so it may
move faster; the predictor's layers are wide, and each painting pulls at all of them."""

CORPUS_ZOOM = (0.4, 1.0)
"""Cuts of the corpus's paintings, as shares of their side: strokes of many widths."""
SHEET_STYLES = 6
"""Paintings of the corpus on a sample sheet."""
OVERPAINT_SCALE = (0.3, 0.6)
"""Size of what is painted over, as a share of the photograph's."""


class _StyleTask(Task):
    """What the three share: photographs, the loss, named paintings, one optimiser."""

    named: NamedPaintings

    def __init__(
        self, config: StyleConfig, photos: Pictures, loss_network: nn.Module, net: Stylizer
    ) -> None:
        super().__init__()
        self.config, self.photos, self.net = config, photos, net
        self.loss = PerceptualLoss(loss_network, config.weights)
        self.frozen["loss"] = self.loss
        self.batch_images = config.batch
        # Early Gram matrices are far off, and so are some gradients.
        self.clip = 1.0

    def setup(self) -> None:
        """Move the photographs to the device, if they fit."""
        self.photos = self.photos.to(self.device)

    def optimise(self, factors: dict[str, float]) -> None:
        """Make the optimisers of the modules named, with factors of the learning rate."""
        rate, groups, kernels = self.config.rate, [], []
        for name, factor in factors.items():
            module = self.modules[name]
            mixing = mixing_weights(module)
            if mixing:
                kernels.append({"params": mixing, "lr": factor * rate})
            left = [p for p in module.parameters() if all(p is not weight for weight in mixing)]
            groups.append({"params": left, "lr": factor * rate})
        if kernels:
            self.optimizers["mixing"] = Muon(kernels, rate)
        self.optimizers["rest"] = torch.optim.Adam(groups, rate, betas=(0.9, 0.99))

    def contents(self, step: int) -> Tensor:
        """Return the photographs of a step, (batch, 3, size, size)."""
        c, a = self.config, self.accelerator
        # Enlarged by a fifth at most: from blurred photographs a network learns to paint blurs.
        sharp = min(c.zoom[1], c.size / (1.2 * self.photos.pixels.shape[1]))
        zoom = (max(c.zoom[0], sharp), c.zoom[1])
        images, _ = self.photos.batch(
            step, c.batch, c.size, c.seed, device=self.device, zoom=zoom,
            process=a.process_index, processes=a.num_processes,
        )  # fmt: skip
        return images.to(memory_format=torch.channels_last)

    def ground(self, photo: Tensor, style: Tensor, step: int) -> Tensor:
        """Return what a step paints on: the photographs with grain, or what that becomes painted.

        Parameters
        ----------
        photo : Tensor
            (N, 3, size, size) in [0, 1].
        style : Tensor
            (N, 2, C), the style of each.
        step : int
            The step, which with the seed decides all that is random.
        """
        c = self.config
        # The same in all processes: their steps take as long, and none waits for another.
        generator = torch.Generator().manual_seed(seed_of("overpaint", c.seed, step))
        coin, place = torch.rand(2, generator=generator).tolist()
        process = self.accelerator.process_index
        generator.manual_seed(seed_of("grain", c.seed, step, process))
        amount = c.grain * torch.rand(len(photo), generator=generator)
        if coin >= c.overpaint:
            return grained(photo, amount, generator)
        first, last = OVERPAINT_SCALE
        small = grained(reduced(photo, first + (last - first) * place), amount, generator)
        with torch.no_grad():
            painted, _ = self.net(small, style.detach())
        enlarged = nn.functional.interpolate(
            painted.float(), size=photo.shape[2:], mode="bicubic"
        ).clamp(0, 1)
        return half_lit(enlarged, photo).to(memory_format=torch.channels_last)

    def shown(self, photo: Tensor) -> Tensor:
        """Return photographs as a sample sheet's are painted: with the same grain each time."""
        amount = torch.full((len(photo),), self.config.grain)
        return grained(photo, amount, torch.Generator().manual_seed(0))

    @property
    def painter(self) -> nn.Module:
        """The network that paints."""
        return self.modules["net"]

    @property
    def finished(self) -> Stylizer:
        """The network to look at and to export."""
        return cast("Stylizer", self.best("net"))

    def used(self) -> dict[str, Pictures]:
        """Return the pictures that are trained on, by what one of them is called."""
        return {"photograph": self.photos}

    def sheet_styles(self, side: int) -> Tensor:
        """Return the paintings of a sample sheet, (N, 3, side, side) in [0, 1]."""
        return load_samples([painting.path for painting in self.named.paintings], side)

    def paint_like(self, photo: Tensor, styles: Tensor, number: int) -> Tensor:
        """Paint (N, 3, H, W) like one of what `sheet_styles` returned."""
        raise NotImplementedError

    def to_export(self, start: Trained | None) -> Trained:  # noqa: ARG002 - for subclasses
        """Return the network and its styles, with what it keeps of what it began with."""
        paintings = self.named.paintings
        rows = self.net.neutral()[None][:0]
        if paintings:
            rows = self.best("table").state_dict()["styles"].cpu()
        styles = [{"name": p.name, "title": p.title, "source": p.source} for p in paintings]
        size = 2 * self.config.corpus_size
        return Trained(
            self.finished, rows, styles, painting_size=size,
            grain=self.config.grain, palette=self.config.palette,
        )  # fmt: skip

    def place(self, step: int) -> int:
        """Return this process's place in the row of all batches."""
        a = self.accelerator
        place: int = step * a.num_processes + a.process_index
        return place

    def rate(self, step: int, steps: int) -> float:
        """Warm up, then fall along a cosine to a twentieth."""
        return warm_cosine(step, steps, warm=self.config.warm, final=0.05)

    def identity(self) -> dict[str, Any]:
        """Network and named styles: what a resumed run must share."""
        return {
            "kind": type(self).__name__,
            "network": self.net.config.to_dict(),
            "styles": self.named.names,
        }

    def finish(
        self, painted: Tensor, photo: Tensor, target: dict[str, Tensor], *scales: Tensor
    ) -> dict[str, Tensor]:
        """Take the loss and let the optimiser step."""
        painted = towards(painted, target["colours"], self.config.palette)
        with self.autocast():
            terms: dict[str, Tensor] = self.loss(painted, photo, target, *scales)
        self.update(tuple(self.optimizers), terms["loss"])
        return terms


class NamedStyles(_StyleTask):
    """One network for the given paintings; each is one row of the table.

    Parameters
    ----------
    config : StyleConfig
        How it is trained.
    photos : Pictures
        Photographs to paint.
    paintings : sequence of Painting
        The styles.
    loss_network : nn.Module
        Features for the loss.
    net : Stylizer
        The network, with whatever weights it starts from.
    """

    def __init__(
        self,
        config: StyleConfig,
        photos: Pictures,
        paintings: Sequence[Painting],
        loss_network: nn.Module,
        net: Stylizer,
    ) -> None:
        super().__init__(config, photos, loss_network, net)
        self.named = NamedPaintings(paintings)
        self._trained(net, StyleTable(self.named.names, net.neutral()))

    def _trained(self, net: Stylizer, table: StyleTable) -> None:
        self.modules |= {"net": net, "table": table}
        self.optimise({"net": 1.0, "table": ROWS})
        if self.config.average:
            for name, module in (("net", net), ("table", table)):
                self.averages[name] = Average(module, self.config.average)

    def setup(self) -> None:
        """Measure the paintings."""
        super().setup()
        self.named.measure(self.loss, self.config.style_size, self.device)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Return photographs and the numbers of their styles, every style equally often."""
        count = self.config.batch
        chosen = self.named.choose(self.place(step) * count, count, self.config.seed)
        return self.contents(step), chosen.to(self.device)

    def step(self, batch: tuple[Tensor, Tensor], step: int) -> dict[str, Tensor]:
        """Paint each photograph in its style, and learn."""
        photo, chosen = batch
        with self.autocast():
            rows = self.named.rows(self.modules["table"], chosen)
            painted, _ = self.painter(self.ground(photo, rows, step), rows)
        return self.finish(painted, photo, *self.named.wanted(chosen))

    @torch.no_grad()
    def paint(self, photo: Tensor, number: int) -> Tensor:
        """Paint (N, 3, H, W) in one style with the weights to export."""
        table = self.best("table")
        rows = self.named.rows(table, torch.tensor([number], device=photo.device))
        painted: Tensor = self.finished(self.shown(photo), rows)[0]
        wanted = self.named.targets["colours"][number : number + 1]
        return towards(painted, wanted, self.config.palette)

    def paint_like(self, photo: Tensor, styles: Tensor, number: int) -> Tensor:  # noqa: ARG002
        """See the class above: the paintings are the named ones, in order."""
        return self.paint(photo, number)


class OneStyle(NamedStyles):
    """More paintings in a trained network: only their own rows are fitted.

    Everything else is frozen, so the other styles' rows stay as they are. An exported file stores
    weights in few bytes; storing them again may move a picture by a step of 8 bits.

    Parameters
    ----------
    rows : Tensor
        (styles, 2, C), the rows of the trained network; their mean is the starting point.
    known : sequence of str
        The names of those styles.
    """

    def __init__(
        self,
        config: StyleConfig,
        photos: Pictures,
        paintings: Sequence[Painting],
        loss_network: nn.Module,
        net: Stylizer,
        rows: Tensor,
        known: Sequence[str] = (),
    ) -> None:
        self._rows = rows
        self._init = {
            "styles": list(known),
            "weights": checksum([*net.state_dict().values(), rows]),
        }
        super().__init__(config, photos, paintings, loss_network, net)

    def _trained(self, net: Stylizer, table: StyleTable) -> None:
        with torch.no_grad():
            table.styles.copy_(self._rows.mean(0, keepdim=True).expand_as(table.styles))
        net.requires_grad_(False).eval()
        self.frozen["net"] = net
        self.modules["table"] = table
        self.optimise({"table": 1.0})

    @property
    def painter(self) -> nn.Module:
        """The frozen network."""
        return self.net

    @property
    def finished(self) -> Stylizer:
        """The frozen network."""
        return self.net

    def to_export(self, start: Trained | None) -> Trained:
        """Return the network with all its styles, those that it had first."""
        own = super().to_export(start)
        if start is None:
            return own
        return replace(
            start, net=own.net, rows=torch.cat([start.rows, own.rows]),
            styles=[*start.styles, *own.styles],
            painting_size=start.painting_size or own.painting_size,
        )  # fmt: skip

    def identity(self) -> dict[str, Any]:
        """Also what is frozen: rows fitted to one network mean nothing in another."""
        return {**super().identity(), "init": self._init}


class AnyStyle(_StyleTask):
    """A network, a predictor of styles learned from many paintings, and rows of named styles.

    A share of the photographs, every other by default, is painted in a named style, if there are
    any, and the others like paintings of the corpus. Both kinds share the network, so their style
    vectors can be blended.

    Parameters
    ----------
    corpus : Pictures
        The paintings that the predictor learns from.
    statistics : PaintingStatistics
        The frozen view of a painting.
    paintings : sequence of Painting
        The named styles.
    rows : Tensor, optional
        (named styles, 2, C), where they start; neutral by default.
    predictor : Predictor, optional
        A trained one to go on with; one that must learn everything by default.
    """

    def __init__(
        self,
        config: StyleConfig,
        photos: Pictures,
        corpus: Pictures,
        loss_network: nn.Module,
        net: Stylizer,
        statistics: PaintingStatistics,
        paintings: Sequence[Painting] = (),
        rows: Tensor | None = None,
        predictor: Predictor | None = None,
    ) -> None:
        super().__init__(config, photos, loss_network, net)
        self.corpus, self.named = corpus, NamedPaintings(paintings)
        start = net.neutral() if rows is None else rows.mean(0)
        self.frozen["statistics"] = statistics
        # A trained one expects its inputs at the scale that it learned with.
        self._calibrated = predictor is not None
        self.modules |= {"net": net, "predictor": predictor or Predictor(statistics.size, start)}
        if len(self.named):
            table = StyleTable(self.named.names, net.neutral())
            if rows is not None:
                with torch.no_grad():
                    table.styles.copy_(rows)
            self.modules["table"] = table
        factors = {"net": 1.0, "table": ROWS, "predictor": PREDICTOR}
        self.optimise({name: factors[name] for name in self.modules})
        if config.average:
            for name, module in self.modules.items():
                self.averages[name] = Average(module, config.average)

    def setup(self) -> None:
        """Bring the predictor's inputs to one scale, measured on paintings as trained on.

        Raises
        ------
        UsageError
            Several processes whose batches lack a kind: some would wait for others for ever.
        """
        if len(self.named) and self.accelerator.num_processes > 1:
            rarer = min(self.config.named_share, 1 - self.config.named_share)
            needed = math.ceil(round(1 / rarer, 6))  # 1 - 0.9 is a little less than 0.1
            if self.config.batch < needed:
                raise UsageError(
                    f"--batch {self.config.batch} is for one device; give --batch {needed} or more"
                )
        super().setup()
        if len(self.named):
            self.named.measure(self.loss, self.config.style_size, self.device)
        self.corpus = self.corpus.to(self.device)
        if self._calibrated:
            return
        with torch.no_grad():
            seen = [self.frozen["statistics"](self.styles(-1 - n, 4)) for n in range(16)]
        self.plain("predictor").calibrate(torch.cat(seen))  # type: ignore[operator]
        if "predictor" in self.averages:
            self.averages["predictor"].update(self.plain("predictor"), 0)

    def styles(self, step: int, count: int) -> Tensor:
        """Return parts of paintings, (N, 3, side, side): mirrored, and most of them recoloured."""
        c, a = self.config, self.accelerator
        if not count:
            return torch.empty(0, 3, c.corpus_size, c.corpus_size, device=self.device)
        seed = seed_of("paintings", c.seed)
        images, _ = self.corpus.batch(
            max(step, 0), count, c.corpus_size, seed if step >= 0 else seed - step,
            device=self.device, zoom=CORPUS_ZOOM, process=a.process_index,
            processes=a.num_processes,
        )  # fmt: skip
        generator = torch.Generator().manual_seed(seed_of("colour", seed, step, a.process_index))
        return recolour(images, generator).to(memory_format=torch.channels_last)

    def batch(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return photographs, the numbers of the first ones' styles, and the others' paintings."""
        count = self.config.batch
        first = self.place(step) * count
        before, named = self._named_before(first), 0
        if len(self.named):
            named = self._named_before(first + count) - before
        chosen = self.named.choose(before, named, self.config.seed)
        return self.contents(step), chosen.to(self.device), self.styles(step, count - named)

    def _named_before(self, place: int) -> int:
        """Return how many of the first `place` photographs of all are in a named style."""
        return math.ceil(place * self.config.named_share)

    def step(self, batch: tuple[Tensor, Tensor, Tensor], step: int) -> dict[str, Tensor]:
        """Paint each photograph in its style or like its painting, and learn."""
        photo, chosen, painting = batch
        with self.autocast():
            parts = []
            if len(chosen):
                rows = self.named.rows(self.modules["table"], chosen)
                parts.append((rows, *self.named.wanted(chosen)))
            if len(painting):
                parts.append(self._predicted(painting))
            vectors, targets, contents, styles = zip(*parts, strict=True)
            style = torch.cat(vectors)
            painted, _ = self.painter(self.ground(photo, style, step), style)
        target = {layer: torch.cat([grams[layer] for grams in targets]) for layer in targets[0]}
        return self.finish(painted, photo, target, torch.cat(contents), torch.cat(styles))

    def _predicted(self, painting: Tensor) -> tuple[Tensor, dict[str, Tensor], Tensor, Tensor]:
        """Return the style of paintings, what the loss wants, and factors of 1."""
        with torch.no_grad():
            statistics = self.frozen["statistics"](painting)
            target = wanted_of(painting, self.loss)
        ones = torch.ones(len(painting), device=painting.device)
        return self.modules["predictor"](statistics), target, ones, ones

    @torch.no_grad()
    def paint(self, photo: Tensor, painting: Tensor) -> Tensor:
        """Paint (N, 3, H, W) like (1, 3, h, w) with the weights to export."""
        style = self.best("predictor")(self.frozen["statistics"](painting))
        painted: Tensor = self.finished(self.shown(photo), style)[0]
        return towards(painted, mean_and_covariance(painting), self.config.palette)

    def used(self) -> dict[str, Pictures]:
        """Also the corpus."""
        return {**super().used(), "painting": self.corpus}

    def sheet_styles(self, side: int) -> Tensor:
        """Return paintings from all over the corpus."""
        chosen = spread(self.corpus.names, SHEET_STYLES)
        return load_samples([Path(name) for name in chosen], side)

    def paint_like(self, photo: Tensor, styles: Tensor, number: int) -> Tensor:
        """Paint like the picture itself, which need have no name."""
        return self.paint(photo, styles[number : number + 1].to(photo.device))

    def to_export(self, start: Trained | None) -> Trained:
        """Return the predictor too."""
        predictor = cast("Predictor", self.best("predictor"))
        seen = cast("PaintingStatistics", self.frozen["statistics"])
        return replace(super().to_export(start), predictor=predictor.cpu(), seen=seen.cpu())


def recolour(images: Tensor, generator: torch.Generator, share: float = 0.7) -> Tensor:
    """Permute, tilt and bend the colours of most pictures: more palettes than the corpus has.

    (N, 3, H, W) in [0, 1] to the same; `share` of the pictures change.
    """
    results = []
    for image in images:
        coin, bend, mix = torch.rand(3, generator=generator).tolist()
        order = torch.randperm(3, generator=generator).tolist()
        tilt = (0.8 + 0.4 * torch.rand(3, 1, 1, generator=generator)).to(image.device)
        if coin < share:
            # Between the picture and its permutation: greys stay grey, hues turn.
            image = torch.lerp(image, image[order], mix)
            image = ((image * tilt).clamp(0, 1) + 1e-4) ** (0.6 + bend)
        results.append(image.clamp(0, 1))
    return torch.stack(results)

"""From a trained style network to a checked ONNX file.

| input | what |
|---|---|
| ``image`` | (1, 3, H, W), RGB in [0, 1], H and W multiples of 8 and at least 24 |
| ``style`` | (2, C), or zeros: taken from what follows |
| ``style_weights`` (with named styles) | (styles,), of sum 1: one style, or a blend; or zeros |
| ``style_image`` (with any painting) | (1, 3, h, w), RGB, h and w multiples of 32 from 64 |
| ``statistics`` | (2, C): means and deviations to normalise by, or zeros: measured on ``image`` |

| output | what |
|---|---|
| ``styled`` | (1, 3, H, W), in (0, 1) |
| ``style_used`` | (2, C): given, of the named styles, or predicted from ``style_image`` |
| ``statistics_used`` | (2, C): what was measured, or given |
| ``look`` (if known) | (P,): Gram matrices of the one named style's painting (:mod:`.looks`) |

Style vectors of all kinds can be averaged and given back as ``style``: blends, and a painting that
is looked at once however many pictures are painted like it.

A large picture: shrink it, and give the statistics measured on that to the whole picture, or to
tiles of it; the two agree to less than a step of 8 bits if tiles overlap by ``reach`` pixels (in
the card, see `measured_reach`) and begin at multiples of 8.

Runtimes compute every output, asked for or not; so what is given instead of measured is in the
branch of an ``If``, and costs nothing when it is not needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import onnx_ir as ir
import torch
from torch import Tensor, nn

from ganfilters.models import ModelCard
from ganfilters_style.refining import REFINER

from .. import export
from ..gradient import Dynamic, sides
from .looks import layout
from .network import MULTIPLE, SMALLEST, StyleTable, Stylizer
from .predictor import PREDICTOR_MULTIPLE, PaintingStatistics, Predictor

__all__ = ["StyleGraph", "export_style", "measured_reach"]

SIZES = ((64, 96), (160, 128), (248, 304))
IMAGE_AXES = sides(MULTIPLE, SMALLEST)
STYLE_AXES = sides(PREDICTOR_MULTIPLE, 2 * PREDICTOR_MULTIPLE, "style_")
COMPACT_FROM = 2**15
_UNSEEN = 0.25
"""Difference of a pixel, in 255ths, that a tile's end may make."""


class StyleGraph(nn.Module):
    """A network as it is exported, with named styles, any painting, or both.

    Parameters
    ----------
    net : Stylizer
        The network.
    table : StyleTable or None
        Its named styles.
    predictor, seen : Predictor and PaintingStatistics, or None
        For any painting.
    looks : Tensor, optional
        (styles, P): what the named styles' paintings look like (:mod:`.looks`); zeros for one that
        is not known.
    """

    looks: Tensor | None

    def __init__(
        self,
        net: Stylizer,
        table: StyleTable | None,
        predictor: Predictor | None = None,
        seen: PaintingStatistics | None = None,
        looks: Tensor | None = None,
    ) -> None:
        super().__init__()
        if table is None and predictor is None:
            raise ValueError("a style network needs named styles or a predictor")
        self.network, self.table, self.predictor, self.seen = net, table, predictor, seen
        self.inputs: tuple[str, ...] = ("image", "style", "statistics")
        self.dynamic: Dynamic = (IMAGE_AXES, {}, {})
        if table is not None:
            self.inputs, self.dynamic = (*self.inputs, "style_weights"), (*self.dynamic, {})
        if predictor is not None:
            self.inputs, self.dynamic = (*self.inputs, "style_image"), (*self.dynamic, STYLE_AXES)
        self.outputs: tuple[str, ...] = ("styled", "style_used", "statistics_used")
        self.register_buffer("looks", looks)
        if looks is not None:
            self.outputs = (*self.outputs, "look")

    def forward(
        self,
        image: Tensor,
        style: Tensor,
        statistics: Tensor,
        source: Tensor,
        painting: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """See the module's tables; without named styles `source` is the painting."""
        # No style is all zeros: its scales are about 1.
        given = style.abs().max() > 0
        style = torch.where(given, style[None], self._found(source, painting))
        styled, used = self.network(image, style, statistics[None], _given(statistics))
        if self.looks is None:
            return styled, style[0], used[0]
        return styled, style[0], used[0], source @ self.looks

    def _found(self, source: Tensor, painting: Tensor | None) -> Tensor:
        """Return the style of the weights or of the painting, (1, 2, C)."""
        named = self.table(source[None]) if self.table is not None else None
        if self.predictor is None or self.seen is None:
            return cast("Tensor", named)
        predicted: Tensor = self.predictor(self.seen(source if painting is None else painting))
        return predicted if named is None else torch.where(source.sum() > 0, named, predicted)

    def example(self, height: int, width: int, seed: int) -> tuple[Tensor, ...]:
        """Return inputs; what may be given or not is, every other time."""
        # Style and statistics are never given together, so that each is seen to be used.
        style = self.network.neutral() * (seed % 3 == 2)
        inputs = [_picture(height, width, seed), style, _statistics(self.network, seed)]
        if self.table is not None:
            count = len(self.table.names)
            weights = torch.full((count,), 1 / count) if seed % 2 else torch.eye(count)[0]
            inputs.append(weights * (self.predictor is None or seed % 3 != 0))
        if self.predictor is not None:
            side = PREDICTOR_MULTIPLE * (2 + seed % 3)
            inputs.append(_picture(side, side + PREDICTOR_MULTIPLE, seed + 100))
        return tuple(inputs)


def _given(statistics: Tensor) -> Tensor:
    """Tell statistics from zeros: a measured deviation is never zero."""
    return statistics[1].max() > 0


def _picture(height: int, width: int, seed: int) -> Tensor:
    """Return soft shapes with some grain, (1, 3, height, width) in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 6, 6, generator=generator)
    soft = nn.functional.interpolate(coarse, (height, width), mode="bicubic")
    grain = 0.1 * torch.rand(1, 3, height, width, generator=generator)
    return (soft + grain).clamp(0, 1)


def _statistics(net: Stylizer, seed: int) -> Tensor:
    """Return statistics that a smaller picture has in a neutral style, (2, C), or zeros."""
    with torch.no_grad():
        measured: Tensor = net(_picture(64, 64, seed + 50), net.neutral()[None])[1]
    return measured[0] * (seed % 2)


def choose_lazily(model: ir.Model) -> None:
    """Turn each choice, ``Where(known, given, measured)``, into an ``If`` that measures on demand.

    What only the third argument needs moves into the branch.
    """
    graph = model.graph
    for where in [node for node in graph if node.op_type == "Where"]:
        known, given, measured = where.inputs
        chosen = where.outputs[0]
        if measured is None or measured.producer() is None:
            continue
        needed = _needed_only_by(where, measured)
        ordered = [node for node in graph if node in needed]
        same = ir.node("Identity", [given])
        same.outputs[0].name = f"{chosen.name}.given"
        node = ir.Node("", "If", [known], num_outputs=1)
        graph.insert_before(where, node)
        node.outputs[0].name, node.outputs[0].type = f"{chosen.name}.chosen", chosen.type
        node.outputs[0].shape = chosen.shape
        chosen.replace_all_uses_with(node.outputs[0], replace_graph_outputs=True)
        graph.remove(where, safe=True)
        graph.remove(ordered)
        for key, nodes, output in (
            ("then_branch", [same], same.outputs[0]),
            ("else_branch", ordered, measured),
        ):
            output.type, output.shape = chosen.type, chosen.shape
            branch = ir.Graph((), (output,), nodes=nodes, name=f"{chosen.name}.{key}")
            node.attributes.add(ir.AttrGraph(key, branch))


def _needed_only_by(user: ir.Node, value: ir.Value) -> set[ir.Node]:
    """Return the nodes that compute `value` and nothing that others than `user` read."""
    found: set[ir.Node] = set()
    waiting = [value]
    while waiting:
        node = waiting.pop().producer()
        if node is None or node in found:
            continue
        outputs = node.outputs
        readers = {use.node for output in outputs for use in output.uses()}
        if readers <= found | {user} and not any(o.is_graph_output() for o in outputs):
            found.add(node)
            waiting += [item for item in node.inputs if item is not None]
    return found


@torch.no_grad()
def measured_reach(graph: StyleGraph) -> int:
    """Return how many pixels more than it keeps a tile must see, a multiple of 16.

    Where the network could look is known (`Stylizer.reach`), but what lies at the end of that
    hardly counts: less overlap is enough, and large pictures take less time. Measured at a
    cut through a picture in every named style, or a neutral one; then 16 pixels more.
    """
    net = graph.network
    exact = -(-net.reach // 16) * 16
    styles = net.neutral()[None] if graph.table is None else graph.table.styles
    image = _picture(64, 2 * exact + 128, 7)
    half = image.shape[3] // 2
    found = 16
    for style in styles[:, None]:
        whole, statistics = net(image, style)
        while found < exact:
            tile = net(image[..., : half + found], style, statistics)[0]
            if 255 * float((tile - whole[..., : half + found])[..., :half].abs().max()) < _UNSEEN:
                break
            found += 16
    return min(found + 16, exact)


def export_style(
    graph: StyleGraph,
    out: Path,
    styles: Sequence[Mapping[str, str]],
    *,
    name: str,
    title: str,
    overwrite: bool,
    card: Mapping[str, Any],
) -> ModelCard:
    """Convert, compare, write.

    Parameters
    ----------
    graph : StyleGraph
        The trained network, on the CPU.
    out : Path
        The file.
    styles : sequence of mapping
        Name, title and source of each named style, in the table's order; empty for any painting.
    name, title : str
        Of the model.
    overwrite : bool
        Whether an existing file is replaced.
    card : mapping
        More fields of the card: command, data, seed, seconds, quality, licence, attribution, and
        `extra`.

    Raises
    ------
    export.ExportError
        PyTorch and ONNX Runtime disagree; nothing is written.
    """
    example = graph.example(64, 96, 0)
    model = export.build(graph, example, compact_from=COMPACT_FROM, between=(choose_lazily,))
    compared = export.compare(graph, model, export.at_sizes(SIZES, graph.example))
    given = dict(card)
    extra = {
        "any_painting": graph.predictor is not None,
        "network": graph.network.config.to_dict(),
        "channels": graph.network.channels,
        "reach": measured_reach(graph),
        "styles": [dict(style) for style in styles],
        "look": layout() if graph.looks is not None else None,
        **given.pop("extra", {}),
    }
    if graph.looks is not None:
        own, theirs = given.get("attribution", ""), REFINER.card.attribution
        if theirs not in own:
            given["attribution"] = "; ".join(filter(None, [own, theirs]))
    largest = 255 * compared.largest["styled"]
    quality = {**given.pop("quality", {}), "onnx_largest_difference_255": largest}
    made = ModelCard(
        filter="style",
        name=name,
        version="1",
        title=title,
        commit=export.commit(),
        size_multiple=MULTIPLE,
        size_min=SMALLEST,
        storage="float32",
        quality=quality,
        parity=compared.parity,
        extra=extra,
        **given,
    )
    export.write(model, out, made, overwrite=overwrite)
    return made

"""From a traced graph to a checked ONNX file.

Everything that every exporter needs: conversion, removal of duplicates, storage in few bytes, the
comparison of PyTorch with ONNX Runtime, the model card, and a file that is written whole or not at
all.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import torch
from onnx_ir.passes import common as passes
from torch import Tensor, nn

from ganfilters.errors import GanfiltersError
from ganfilters.models import CARD_KEY, ModelCard, ModelFile, Parity

from . import storage
from .files import disk_full, written_whole
from .gradient import Dynamic, trace

OPSET = 18
"""The oldest that torch's exporter writes; older runtimes read it."""

IR_VERSION = 10
"""The file format's version that goes with opsets up to 21."""

TOLERANCE = 1e-3
"""Largest relative error of an output, ONNX Runtime against PyTorch."""

Case = tuple[str, str, Sequence[Tensor]]
"""Inputs to compare at: a key for the card, the same in words for the error, and the inputs."""


class ExportError(GanfiltersError, RuntimeError):
    """A network that could not be exported, or whose export does not compute the same."""


def build(
    graph: Any,
    example: Sequence[Tensor],
    *,
    compact_from: int,
    traced: bool = False,
    between: Sequence[Callable[[ir.Model], None]] = (),
) -> ir.Model:
    """Convert a trained network and store its weights in few bytes; the result has no card.

    Parameters
    ----------
    graph : nn.Module
        With the names of its `inputs` and `outputs`, and its axes of run-time size, `dynamic`.
    example : sequence of Tensor
        Inputs of some size that these axes allow.
    compact_from : int
        Weights of so many elements are stored in few bytes.
    traced : bool
        It takes gradients inside, so it is traced (:func:`.gradient.trace`) first.
    between : sequence of callable
        Changes of the graph, before its weights are stored.

    Raises
    ------
    ExportError
        If an operator has no ONNX counterpart; the message names it.
    """
    graph.eval().requires_grad_(False).to(memory_format=torch.contiguous_format)
    model = convert(
        trace(graph.forward, example, dynamic=graph.dynamic) if traced else graph,
        example,
        input_names=graph.inputs,
        output_names=graph.outputs,
        dynamic=graph.dynamic,
    )
    drop_zero_biases(model)
    clean(model)
    for change in between:
        change(model)
    storage.store_compact(model, compact_from)
    return model


def convert(
    module: nn.Module,
    example_inputs: Sequence[Tensor],
    *,
    input_names: Sequence[str],
    output_names: Sequence[str],
    dynamic: Dynamic,
) -> ir.Model:
    """Convert a module to an ONNX model with each weight stored once.

    Parameters
    ----------
    module : nn.Module
        What to convert: a network, or a graph from :func:`.gradient.trace`.
    example_inputs : sequence of Tensor
        Inputs of some size that `dynamic` allows.
    input_names, output_names : sequence of str
        Names in the file.
    dynamic : sequence of mapping from int to Axis
        For each input, its axes of run-time size.

    Returns
    -------
    ir.Model
        Standard operators only, opset 18.

    Raises
    ------
    ExportError
        If an operator has no ONNX counterpart; the message names it.
    """
    with _quiet():
        try:
            module.eval()
            program = torch.onnx.export(
                module,
                tuple(example_inputs),
                dynamo=True,
                input_names=list(input_names),
                output_names=list(output_names),
                dynamic_shapes=_dynamic_shapes(dynamic),
                opset_version=OPSET,
                # Folding would store every turned kernel beside the kernel itself.
                optimize=False,
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            lines = [line.strip() for line in str(error.__cause__ or error).splitlines()]
            raise ExportError(f"cannot be exported to ONNX: {lines[0]}") from error
    if program is None:
        raise ExportError("torch.onnx.export returned nothing")
    model = program.model
    clean(model)
    return model


def _dynamic_shapes(dynamic: Dynamic) -> tuple[dict[int, Any], ...]:
    """Translate axes into torch.export's dimensions, one for each name."""
    dims = {
        axis.name: torch.export.Dim(axis.name.replace(".", "_"), min=axis.least, max=axis.most)
        for axes in dynamic
        for axis in axes.values()
    }
    return tuple(
        {
            number: axis.multiple * dims[axis.name] if axis.multiple > 1 else dims[axis.name]
            for number, axis in axes.items()
        }
        for axes in dynamic
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide warnings that torch's exporter raises about its own code."""
    with warnings.catch_warnings():
        # torch.onnx names axes by their size's formula and says so when two share one.
        warnings.filterwarnings("ignore", message=".*The axis name", category=UserWarning)
        # torch.export copies its own tree specs through an interface that torch deprecated.
        warnings.filterwarnings("ignore", category=FutureWarning, module="torch|copyreg|onnxscript")
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch|onnxscript")
        # One line for each of torchvision's operators, in every export, where it is not installed.
        logger = logging.getLogger("torch.onnx._internal.exporter._registration")
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)


def clean(model: ir.Model) -> None:
    """Remove what the converter leaves behind: copies, identities, dead nodes, notes."""
    steps = [
        passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        passes.InlinePass(),
        passes.IdentityEliminationPass(),
        passes.DeduplicateInitializersPass(),
        passes.CommonSubexpressionEliminationPass(),
        passes.RemoveUnusedNodesPass(),
        passes.RemoveUnusedFunctionsPass(),
        passes.RemoveUnusedOpsetsPass(),
        passes.ClearMetadataAndDocStringPass(),
        passes.TopologicalSortPass(),
    ]
    ir.passes.Sequential(*steps)(model)


def drop_zero_biases(model: ir.Model) -> None:
    """Remove biases that the converter computes for convolutions without one.

    They are zeros, spread at run time; a bias that is no constant keeps ONNX Runtime from its
    blocked convolutions, which doubles the time of the whole network.
    """
    for node in model.graph:
        if node.op_type == "Conv" and len(node.inputs) == 3:
            bias = node.inputs[2]
            if bias is not None and bias.const_value is None:
                node.replace_input_with(2, None)
                node.resize_inputs(2)


def commit() -> str:
    """Return the commit of this project's checkout, or ``"unknown"`` outside of one."""
    command = ["git", "describe", "--always", "--dirty"]
    folder = Path(__file__).parent
    try:
        done = subprocess.run(  # noqa: S603 (a fixed command)
            command, cwd=folder, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip() or "unknown"


def session(model: bytes | Path, threads: int = 2) -> onnxruntime.InferenceSession:
    """Open a model in ONNX Runtime on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    source = model if isinstance(model, bytes) else os.fspath(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def relative_error(measured: np.ndarray, expected: np.ndarray) -> float:
    """Return ||measured - expected|| / ||expected||, or the absolute norm if expected is zero."""
    if measured.shape != expected.shape:
        raise ExportError(f"the shape is {measured.shape} in ONNX and {expected.shape} in PyTorch")
    expected = expected.astype(np.float64)
    difference = float(np.linalg.norm(measured.astype(np.float64) - expected))
    return difference / (float(np.linalg.norm(expected)) or 1.0)


@dataclass
class Comparison:
    """How far an export is from PyTorch.

    Attributes
    ----------
    errors : dict of str to dict of str to float
        Relative errors, by case and output.
    largest : dict of str to float
        The largest difference of a value over the cases, by output.
    loose : mapping of str to float
        Tolerances of single outputs in place of `TOLERANCE`.
    """

    errors: dict[str, dict[str, float]] = field(default_factory=dict)
    largest: dict[str, float] = field(default_factory=dict)
    loose: Mapping[str, float] = field(default_factory=dict)

    @property
    def parity(self) -> Parity:
        """For the card: by case, the largest error of the outputs that `TOLERANCE` is for."""
        return Parity(
            tolerance=TOLERANCE,
            measured={
                case: max(error for name, error in found.items() if name not in self.loose)
                for case, found in self.errors.items()
            },
        )


def compare(
    graph: Any, model: ir.Model, cases: Iterable[Case], loose: Mapping[str, float] | None = None
) -> Comparison:
    """Compare every output of a module and of its export.

    Parameters
    ----------
    graph : nn.Module
        With the names of its `inputs` and `outputs`.
    model : ir.Model
        The export.
    cases : iterable of Case
        What to compare at.
    loose : mapping of str to float, optional
        Tolerances of single outputs in place of `TOLERANCE`.

    Raises
    ------
    ExportError
        An error exceeds the tolerance; the message names the output.
    """
    running = session(ir.to_proto(model).SerializeToString())
    compared = Comparison(largest=dict.fromkeys(graph.outputs, 0.0), loose=loose or {})
    for key, words, inputs in cases:
        with torch.no_grad():
            given = graph(*inputs)
        expected = given if isinstance(given, tuple) else (given,)
        feeds = {n: v.numpy() for n, v in zip(graph.inputs, inputs, strict=True)}
        found = running.run(list(graph.outputs), feeds)
        errors = compared.errors[key] = {}
        for name, measured, tensor in zip(graph.outputs, found, expected, strict=True):
            wanted = tensor.numpy()
            errors[name] = error = relative_error(measured, wanted)
            limit = compared.loose.get(name, TOLERANCE)
            if not error < limit:
                raise ExportError(
                    f"{name} {words} differs between PyTorch and ONNX Runtime by a "
                    f"relative {error:.2g}, more than {limit:g}; nothing was written"
                )
            difference = float(np.abs(measured - wanted).max())
            compared.largest[name] = max(compared.largest[name], difference)
    return compared


def at_sizes(
    sizes: Iterable[tuple[int, int]], example: Callable[[int, int, int], Sequence[Tensor]]
) -> Iterator[Case]:
    """Yield inputs of several heights and widths; `example` takes both and the case's number."""
    for number, (height, width) in enumerate(sizes):
        yield f"{height}x{width}", f"at {height} x {width}", example(height, width, number)


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Raise FileExistsError if the file exists and must stay."""
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; pass --overwrite to replace it")


def add_quality(path: Path, figures: Mapping[str, float]) -> None:
    """Put measured figures into the card of an ``.onnx`` file; nothing else in it changes."""
    rounded = {name: float(f"{value:.4g}") for name, value in figures.items()}
    card = ModelFile(path).card
    changed = card.model_copy(update={"quality": {**card.quality, **rounded}})
    write(ir.load(path), path, changed, overwrite=True)


def write(model: ir.Model, path: Path, card: ModelCard, *, overwrite: bool) -> None:
    """Write the model with its card; the file appears whole or not at all.

    Parameters
    ----------
    model : ir.Model
        The checked model.
    path : Path
        The target, ending in ``.onnx``.
    card : ModelCard
        Its JSON goes into the metadata under ``ganfilters.card``.
    overwrite : bool
        Whether an existing file is replaced.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is false.
    DiskFullError
        There is no room for it.
    """
    refuse_existing(path, overwrite=overwrite)
    model.metadata_props[CARD_KEY] = card.model_dump_json()
    proto = ir.to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    with disk_full(path, "make room and run the same command again"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as file:
            file.write(proto.SerializeToString())

"""What every command that trains is asked for, and what each does with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ganfilters.errors import UsageError

from .checkpoints import run_folder
from .files import begun, read_config, refuse_target
from .stored import OWNERS, Origin
from .task import Task, checksum
from .trainer import Callback, TrainConfig, Trainer, TrainResult

__all__ = ["TrainRequest", "train"]


@dataclass(frozen=True, kw_only=True)
class TrainRequest:
    """What the user asks for, whatever is trained.

    Attributes
    ----------
    out : Path
        The ``.onnx`` file.
    run : Path
        Folder of the run.
    init : Path or None
        Trained network to start from: an ``.onnx`` file, the folder of another run, or the
        checkpoint in it.
    backbone : Path or None
        Weights of EfficientNet-Lite0; by default those of its package.
    sheet_every : int
        Steps from one sample sheet to the next.
    export, overwrite : bool
        Whether to write `out`; whether an existing one is replaced.
    licence : str or None
        SPDX expression for the card; by default that of `init`, or Apache-2.0.
    attribution : str
        Whom to name on the card, beside those whom `init` names.
    command : str
        What the user typed, for the card.
    """

    out: Path
    run: Path
    init: Path | None = None
    backbone: Path | None = None
    sheet_every: int = 500
    export: bool = True
    overwrite: bool = False
    licence: str | None = None
    attribution: str = ""
    command: str = "ganfilters train"

    @property
    def data_paths(self) -> tuple[Path, ...]:
        """What is trained on."""
        raise NotImplementedError

    @property
    def goes_on(self) -> bool:
        """The run has begun already."""
        return begun(self.run)

    @cached_property
    def origin(self) -> Origin:
        """What is kept of the start: of a run that goes on, of the one that it began with."""
        began = read_config(self.run).get("origin") if self.goes_on else None
        return self.start if began is None else Origin(**began)

    @property
    def start(self) -> Origin:
        """What is known of `init`."""
        return Origin.of(self.init)

    def check_target(self) -> None:
        """Refuse an `out` that could not be written.

        Raises
        ------
        FileExistsError
            It exists, and may not be replaced.
        UsageError
            Its name or its folder will not do, or it is `init`.
        """
        if not self.export:
            return
        if self.init is not None and self.init.resolve() == self.out.resolve():
            raise UsageError(
                f"--out {self.out} is what --init begins with, and would be gone when the same "
                "command goes on; give another name"
            )
        refuse_target(self.out, self.run, overwrite=self.overwrite)

    def notes(self) -> dict[str, Any]:
        """Return what the run's folder says of it."""
        start = self.init and (run_folder(self.init) or self.init).resolve()
        return {
            "command": self.command,
            "out": str(self.out.resolve()),
            "init": str(start or ""),
            "origin": asdict(self.origin),
            OWNERS: self.owners(),
        }

    def owners(self, named: Iterable[str] = ()) -> dict[str, Any]:
        """Return the fields of a card on licence and data, with whom else to name in `named`."""
        return self.origin.card(self.licence, [self.attribution, *named], self.data_paths)

    def card(
        self,
        config: TrainConfig,
        result: TrainResult,
        *,
        named: Iterable[str] = (),
        measured: Sequence[str] = (),
        extra: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Return the fields of the model card that training knows.

        Parameters
        ----------
        config, result : TrainConfig, TrainResult
            How it was trained.
        named : iterable of str
            Owners of what else is in the file.
        measured : sequence of str
            The scalars of the log that say how good it is.
        extra : mapping
            More to say.
        """
        figures = result.scalars.items()
        return {
            "command": self.command,
            "seed": config.seed,
            "seconds": round(result.seconds, 1),
            **self.owners(named),
            "quality": {f"training_{key}": value for key, value in figures if key in measured},
            "extra": {"steps": result.step, **extra},
        }


def train(
    task: Task,
    request: TrainRequest,
    config: TrainConfig,
    callbacks: Sequence[Callback],
    notes: Mapping[str, Any],
    export: Callable[[TrainResult], object],
    *,
    dry_run: bool,
) -> TrainResult | dict[str, float]:
    """Train in the run's folder, or go on with it, and export.

    Parameters
    ----------
    task, request, config, callbacks
        What is trained, where and how.
    notes : mapping
        What the run's folder says beside `TrainRequest.notes`.
    export : callable
        Writes the file; not called for a run that was told to stop.
    dry_run : bool
        Do two steps and write nothing.

    Returns
    -------
    TrainResult or dict
        How it ended; of a dry run time and memory.

    Raises
    ------
    UsageError, TrainingError, DiskFullError
        Those of `Trainer.run`.
    """
    # Of other frozen networks the trained ones know nothing: a run that goes on says if they are.
    frozen = {name: list(network.parameters()) for name, network in task.frozen.items()}
    sums = {name: checksum(weights) for name, weights in frozen.items() if weights}
    noted = {**request.notes(), **notes, "frozen_weights": sums}
    trainer = Trainer(task, request.run, config, callbacks, noted)
    if dry_run:
        return trainer.dry_run()
    result = trainer.run()
    if request.export and result.stopped != "signal" and task.accelerator.is_main_process:
        export(result)
    return result

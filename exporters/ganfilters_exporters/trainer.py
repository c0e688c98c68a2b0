"""A short training loop that knows nothing of what it trains.

A :class:`Task` owns networks, optimisers and data, and does one step; a :class:`Trainer` repeats
the step, and cares for devices, precision, time, the log, checkpoints and callbacks. One network
with one optimiser and adversarial training with several look the same to it.

Randomness is stateless: before step ``n`` every generator of torch is seeded from (seed, ``n``,
process), and a task draws its batch from these or from the number of the step. So nothing random
has to be saved, and a run that was killed and resumed gives the result of one that was not: bit for
bit on a CPU with the same number of threads.

Devices, precision and several GPUs are Accelerate's. Lightning Fabric does the same; Accelerate
has fewer dependencies and no launcher of its own for the common case of one device, leaves
optimisers alone, and its `autocast` and `backward` are calls, so a task with two losses for two
networks needs nothing special. Its own checkpoints are not used: they pickle.

Source: the shape of the loop is minGPT's ``trainer.py`` (Karpathy).

Examples
--------
>>> class Line(Task):
...     def __init__(self):
...         super().__init__()
...         self.modules["net"] = torch.nn.Linear(1, 1)
...         self.optimizers["net"] = torch.optim.SGD(self.modules["net"].parameters(), 0.1)
...     def batch(self, step):
...         return torch.rand(8, 1)
...     def step(self, batch, step):
...         loss = (self.modules["net"](batch) - 2 * batch).square().mean()
...         self.update("net", loss)
...         return {"loss": loss}
>>> Trainer(Line(), Path("runs/line"), TrainConfig(steps=500)).run()  # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
import json
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from ganfilters.errors import GanfiltersError, UsageError

from .accelerators import make_accelerator, peak_memory
from .checkpoints import read_checkpoint, write_checkpoint
from .differences import differences, holds, short
from .files import CONFIG, disk_full, make_folder, read_config, remove_leftovers, written_whole
from .log import Log
from .signals import told_to_stop
from .task import Average, Task, seed_of, warm_cosine

__all__ = [
    "Average",
    "Callback",
    "Task",
    "TrainConfig",
    "TrainResult",
    "Trainer",
    "TrainingError",
    "read_checkpoint",
    "seed_of",
    "warm_cosine",
    "write_checkpoint",
]

LOG, LOCK = "log.jsonl", "lock"
_REASONS = ("", "minutes", "steps", "signal")
"""To stop; of several processes' the last one counts."""


class TrainingError(GanfiltersError):
    """A run that cannot go on, such as one whose loss is no longer finite."""


@dataclass(frozen=True)
class Callback:
    """Something done every so many steps, by the main process, with gradients off.

    Attributes
    ----------
    every : int
        Steps from one call to the next; it is also called at the end of a run. Then, if it was not
        due, what it changes of the task is not saved.
    call : callable
        Takes the task, the number of steps done and the run's folder.
    """

    every: int
    call: Callable[[Any, int, Path], None]


@dataclass(frozen=True)
class TrainConfig:
    """How long, where and how precisely.

    Attributes
    ----------
    steps : int
        Steps in all, those before a resume included.
    minutes : float or None
        Stop after this time, steps left or not. A later run goes on from there.
    device : str
        ``"auto"`` (a GPU if there is one), ``"cpu"`` or ``"cuda"``.
    precision : str
        ``"auto"`` (bf16 on a GPU that has it), ``"fp32"`` or ``"bf16"``.
    seed : int
        Seed of everything random.
    checkpoint_every, log_every : int
        In steps.
    checkpoint_minutes : float
        A checkpoint is also written after this time.
    quiet : bool
        Print nothing.
    """

    steps: int = 20_000
    minutes: float | None = None
    device: str = "auto"
    precision: str = "auto"
    seed: int = 0
    checkpoint_every: int = 1000
    checkpoint_minutes: float = 5.0
    log_every: int = 20
    quiet: bool = False


@dataclass(frozen=True)
class TrainResult:
    """How a run ended.

    Attributes
    ----------
    step : int
        Steps done, those before a resume included.
    seconds : float
        Time in the loop, those of earlier runs included.
    stopped : str
        ``"steps"``, ``"minutes"`` or ``"signal"``.
    scalars : dict
        The last logged scalars.
    """

    step: int
    seconds: float
    stopped: str
    scalars: dict[str, float] = field(default_factory=dict)


class Trainer:
    """Trains a task in a folder, and goes on where an earlier run in that folder ended.

    Parameters
    ----------
    task : Task
        What is trained.
    run : Path
        The run's folder: ``config.json``, ``log.jsonl``, ``checkpoint.pt``,
        ``checkpoint.previous.pt`` and what callbacks write.
    config : TrainConfig
        How long, where and how precisely.
    callbacks : sequence of Callback
        Sample sheets, metrics.
    notes : mapping, optional
        More to write into ``config.json``: the command line, the data.

    Raises
    ------
    DeviceError
        The device is not there.
    """

    def __init__(
        self,
        task: Task,
        run: Path,
        config: TrainConfig,
        callbacks: Sequence[Callback] = (),
        notes: Mapping[str, Any] | None = None,
    ) -> None:
        self.task, self.run_folder, self.config = task, run, config
        self.callbacks, self.notes = callbacks, dict(notes or {})
        self.accelerator = make_accelerator(config.device, config.precision)
        self.step, self.seconds = 0, 0.0
        self._saved: int | None = None
        task.accelerator = self.accelerator
        # Channels last is the layout of tensor cores, and of oneDNN on the CPU.
        for modules in (task.modules, task.frozen):
            for module in modules.values():
                module.to(self.accelerator.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        for average in task.averages.values():
            average.module.to(self.accelerator.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        for optimizer in task.optimizers.values():
            for group in optimizer.param_groups:
                group.setdefault("initial_lr", group["lr"])
        if self.accelerator.num_processes > 1:
            for name, module in task.modules.items():
                task.modules[name] = self.accelerator.prepare_model(module)
        task.setup()

    # The loop.

    def run(self) -> TrainResult:
        """Train until the steps or the minutes are over, or the process is told to stop.

        Raises
        ------
        TrainingError
            A loss or a weight is no longer finite; the last checkpoint is from before.
        UsageError
            The folder's checkpoints are damaged, or of another network; or another training is
            running in it.
        DiskFullError
            There is no room for the log, a sheet or a checkpoint.
        """
        then = "its checkpoints are good; make room and run the same command again"
        with self._alone(), disk_full(self.run_folder, then):
            return self._run()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the run's folder: two trainings in one would overwrite each other's work."""
        if not self.accelerator.is_main_process:
            yield
            return
        make_folder(self.run_folder)
        try:
            with FileLock(self.run_folder / LOCK, timeout=0):
                remove_leftovers(self.run_folder)
                yield
        except Timeout as error:
            raise UsageError(
                f"another training is running in {self.run_folder}; wait for it, or choose another "
                "folder with --run"
            ) from error

    def _run(self) -> TrainResult:
        self.resume()
        self._write_config()
        started = saved = now = time.monotonic()
        before, first = self.seconds, self.step
        path, writes = self.run_folder / LOG, self.accelerator.is_main_process
        stopped = "" if self.step < self.config.steps else "steps"
        with told_to_stop() as stop, contextlib.closing(Log(path, self.step, writes)) as log:
            while not stopped:
                log.add(self._one_step())
                now = time.monotonic()
                self.seconds = before + now - started
                if self.step % self.config.log_every == 0:
                    self._report(log, (self.step - first) / max(now - started, 1e-9), now - started)
                # Before the checkpoint: what they measured, such as a collapse, is in it.
                self._call_back(last=False)
                stopped = self._agreed(self._stopped(stop, now - started))
                late = now - saved > 60 * self.config.checkpoint_minutes
                if not stopped and (late or self.step % self.config.checkpoint_every == 0):
                    self._save(log)
                    saved = now
            if log.pending:
                self._report(log, (self.step - first) / max(now - started, 1e-9), now - started)
            if self.step > first:
                self._end(stopped)
                if stop.is_set():  # also while the last was written; what was agreed on stays
                    stopped = "signal"
        return TrainResult(self.step, self.seconds, stopped, log.last)

    def _agreed(self, reason: str) -> str:
        """Return the strongest reason of any process to stop: else the others wait for it."""
        if self.accelerator.num_processes == 1:
            return reason
        number = torch.tensor([_REASONS.index(reason)], device=self.accelerator.device)
        return _REASONS[int(self.accelerator.gather(number).max())]

    def _stopped(self, stop: threading.Event, elapsed: float) -> str:
        """Return why the run is over; nothing if it is not."""
        if stop.is_set():
            return "signal"
        if self.step >= self.config.steps:
            return "steps"
        minutes = self.config.minutes
        return "minutes" if minutes is not None and elapsed >= 60 * minutes else ""

    def _end(self, stopped: str) -> None:
        """Write the last checkpoint, and call what was not just done.

        What that measures is not in the checkpoint: a pause leaves no trace in a run that goes on.
        """
        self._refuse(self._spoiled())
        state = self.state() if self.accelerator.is_main_process else {}
        # Who sent a signal may not wait, and a pause is no end that a callback could refuse.
        if stopped != "steps":
            self._write(state)
        try:
            self._call_back(last=True)
        except TrainingError:  # the end is refused: the same command must not export it
            raise
        except BaseException:
            if stopped == "steps":
                self._write(state)
            raise
        if stopped == "steps":
            self._write(state)

    def _one_step(self) -> dict[str, Tensor]:
        task, step = self.task, self.step
        factor = task.rate(step, self.config.steps)
        for optimizer in task.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * factor
        torch.manual_seed(seed_of(self.config.seed, step, self.accelerator.process_index))
        scalars = task.step(task.batch(step), step)
        for name, average in task.averages.items():
            average.update(task.plain(name), step)
        self.step += 1
        return {key: value.detach() for key, value in scalars.items()}

    def dry_run(self) -> dict[str, float]:
        """Do two steps and write nothing; return the scalars of the second, time and memory."""
        # The last of all: the first ones may do less, before a discriminator plays for example.
        self.step = max(0, self.config.steps - 2)
        self._one_step()
        started = time.perf_counter()
        scalars = {key: float(value) for key, value in self._one_step().items()}
        seconds = time.perf_counter() - started
        scalars |= {"seconds_per_step": seconds, "images_per_second": self._images / seconds}
        if self.accelerator.device.type == "cuda":
            scalars["gpu_gigabytes"] = torch.cuda.max_memory_allocated() / 2**30
        return scalars | peak_memory()

    @property
    def _images(self) -> int:
        images: int = self.task.batch_images * self.accelerator.num_processes
        return images

    def _call_back(self, *, last: bool) -> None:
        if not self.accelerator.is_main_process:
            return
        for callback in self.callbacks:
            due = self.step % callback.every == 0
            if due != last:  # at the end only what was not just done
                with torch.no_grad():
                    callback.call(self.task, self.step, self.run_folder)

    def _report(self, log: Log, steps_per_second: float, elapsed: float) -> None:
        rate = self.task.rate(self.step - 1, self.config.steps)
        images = steps_per_second * self._images
        facts = {"rate": rate, "images_per_second": images}
        if self.task.skipped:
            facts["skipped_updates"] = self.task.skipped
        scalars = log.write(self.step, facts)
        self._refuse(
            next((key for key, value in scalars.items() if not math.isfinite(value)), None)
        )
        if self.config.quiet or not self.accelerator.is_main_process:
            return
        left = (self.config.steps - self.step) / steps_per_second
        if self.config.minutes is not None:
            left = min(left, max(0.0, 60 * self.config.minutes - elapsed))
        shown = "  ".join(f"{key} {value:.4g}" for key, value in log.shown.items())
        line = f"step {self.step}/{self.config.steps}  {shown}  {images:.3g} images/s"
        line += f"  ETA {int(left // 3600)}:{int(left % 3600 // 60):02}:{int(left % 60):02}"
        terminal = sys.stderr.isatty()
        print(f"\r{line}\033[K" if terminal else line, end="" if terminal else "\n",  # noqa: T201
              file=sys.stderr, flush=True)  # fmt: skip

    def _refuse(self, bad: str | None) -> None:
        """End a run of which something, named, is not finite; go on if nothing is."""
        if bad is None:
            return
        then = "nothing was saved: begin again"
        if self._saved is not None:
            then = f"the checkpoint of step {self._saved} is from before: resume"
        raise TrainingError(
            f"{bad} is not finite after step {self.step}; {then} with a lower learning rate or in "
            "fp32"
        )

    def _spoiled(self) -> str | None:
        """Return the name of a network with a weight that is not finite, if there is one."""
        for name in self.task.modules:
            good = [weight.isfinite().all() for weight in self.task.plain(name).parameters()]
            if good and not bool(torch.stack(good).all()):
                return name
        return None

    # The folder.

    def state(self) -> dict[str, Any]:
        """Return all that a resumed run needs."""
        task = self.task
        return {
            "step": self.step,
            "seconds": self.seconds,
            "seed": self.config.seed,
            "identity": json.dumps(task.identity(), sort_keys=True),
            "modules": {name: task.plain(name).state_dict() for name in task.modules},
            "optimizers": {name: opt.state_dict() for name, opt in task.optimizers.items()},
            "averages": {name: a.module.state_dict() for name, a in task.averages.items()},
            "task": task.state(),
            "skipped": task.skipped,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned."""
        task = self.task
        for name in task.modules:
            task.plain(name).load_state_dict(state["modules"][name])
        for name, optimizer in task.optimizers.items():
            # The rate given now wins over the rate that was given then.
            rates = [group["initial_lr"] for group in optimizer.param_groups]
            optimizer.load_state_dict(state["optimizers"][name])
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["initial_lr"] = rate
        for name, average in task.averages.items():
            average.module.load_state_dict(state["averages"][name])
        task.load_state(state["task"])
        task.skipped = state.get("skipped", 0)  # not in those of before
        self.step, self.seconds = state["step"], state["seconds"]
        self._saved = self.step

    def _save(self, log: Log) -> None:
        """Write a checkpoint of what is finite: a loss may be so when its update no longer is."""
        self._refuse(log.not_finite() or self._spoiled())
        self.save()

    def save(self) -> None:
        """Write a checkpoint; the one before it is kept."""
        self._write(self.state() if self.accelerator.is_main_process else {})

    def _write(self, state: Mapping[str, Any]) -> None:
        if self.accelerator.is_main_process:
            write_checkpoint(self.run_folder, state)
        self._saved = self.step

    def resume(self) -> None:
        """Load the folder's checkpoint, if there is one.

        Raises
        ------
        UsageError
            All checkpoints are damaged, or they are of something else; says of what.
        """
        found = read_checkpoint(self.run_folder, self._say)
        if found is None:
            return
        then = self.task.remembered(json.loads(found["identity"]))
        now = json.loads(json.dumps(self.task.identity()))
        others = [
            f"{key} = {short(before)}, not {short(after)}"
            for key, before, after in differences(then, now)
        ]
        if others:
            # What the network is says most; of the rest a few words are enough.
            others.sort(key=lambda text: not text.startswith("network"))
            raise UsageError(
                f"{self.run_folder} holds a run with {'; with '.join(others[:3])}; choose "
                "another folder with --run, or delete it"
            )
        if found["seed"] != self.config.seed:
            raise UsageError(
                f"{self.run_folder} holds a run with seed {found['seed']}, not "
                f"{self.config.seed}; pass --seed {found['seed']} or choose another --run"
            )
        try:
            self.load(found)
        except (torch.OutOfMemoryError, torch.AcceleratorError):
            raise  # RuntimeErrors too, but of the device: the run is good
        except (KeyError, RuntimeError, ValueError) as error:  # what an identity does not tell
            raise UsageError(
                f"{self.run_folder} holds a run of other networks than these; choose another "
                "folder with --run, or delete it"
            ) from error
        self._say(f"resumed {self.run_folder} at step {self.step}")
        self._tell_changes()

    def _tell_changes(self) -> None:
        """Say what this part of a run does unlike the one before: losses, weights, data."""
        now = json.loads(json.dumps(self.notes, default=str))
        earlier = read_config(self.run_folder)
        then = {key: earlier[key] for key in now if key in earlier}
        for key, before, after in differences(then, {key: now[key] for key in then}):
            if key == "init":  # with whose weights the run began, whatever is given now
                self.notes["init"] = before
                if "init" not in self.task.identity():
                    began = f"with {before}" if before else "with a new network"
                    self._say(f"the run began {began}; {after or 'a new one'} is not used")
            # Where to write, and what an earlier version did not know of, change no result.
            elif key in ("command", "out") or before is None:
                continue
            elif holds(now, key):
                self._say(f"{key} is {short(after)} from here on; it was {short(before)}")
            elif before:  # what this version has no more; at 0 or empty it did nothing
                self._say(f"{key} is gone from here on; it was {short(before)}")

    def _say(self, text: str) -> None:
        if not self.config.quiet and self.accelerator.is_main_process:
            print(text, file=sys.stderr, flush=True)  # noqa: T201

    def _write_config(self) -> None:
        if not self.accelerator.is_main_process:
            return
        content = {
            "trainer": asdict(self.config),
            "task": self.task.identity(),
            "device": str(self.accelerator.device),
            "precision": self.accelerator.mixed_precision,
            "torch": torch.__version__,
            **self.notes,
        }
        with written_whole(self.run_folder / CONFIG) as file:
            file.write((json.dumps(content, indent=2, default=str) + "\n").encode())

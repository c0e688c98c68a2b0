"""The loop: exact resume, damage, time, and tasks with one and two optimisers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganfilters.errors import DeviceError, UsageError
from ganfilters_exporters import accelerators, files
from ganfilters_exporters.checkpoints import CHECKPOINT, PREVIOUS, write_checkpoint
from ganfilters_exporters.files import DiskFullError, read_config, written_whole
from ganfilters_exporters.log import Log
from ganfilters_exporters.trainer import (
    Average,
    Callback,
    Task,
    TrainConfig,
    Trainer,
    TrainingError,
    read_checkpoint,
    seed_of,
    warm_cosine,
)
from ganfilters_exporters.training import TrainRequest


class Adversaries(Task):
    """Two networks, two optimisers, noise, dropout, batch norm, an average."""

    def __init__(self, width: int = 8, explode_at: int | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        generator = nn.Sequential(
            nn.Linear(4, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 2)
        )
        critic = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.3), nn.ReLU(), nn.Linear(8, 1))
        self.modules |= {"generator": generator, "critic": critic}
        for name, module in self.modules.items():
            self.optimizers[name] = torch.optim.Adam(module.parameters(), 1e-2)
        self.averages["generator"] = Average(generator, 0.9)
        self.width, self.explode_at, self.seen = width, explode_at, 0
        self.batch_images = 16

    def batch(self, step: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed_of("data", step))
        return 1 + torch.randn(16, 2, generator=generator)

    def step(self, batch: Tensor, step: int) -> dict[str, Tensor]:
        if step == self.explode_at:
            raise KeyboardInterrupt
        generator, critic = self.modules["generator"], self.modules["critic"]
        fake = generator(torch.randn(16, 4))
        real_loss = torch.relu(1 - critic(batch)).mean()
        fake_loss = torch.relu(1 + critic(fake.detach())).mean()
        self.update("critic", real_loss + fake_loss)
        loss = -critic(fake).mean()
        self.update("generator", loss)
        self.seen += 1
        return {"critic": real_loss + fake_loss, "generator": loss}

    def rate(self, step: int, steps: int) -> float:
        return warm_cosine(step, steps, warm=3)

    def identity(self) -> dict[str, int]:
        return {"width": self.width}

    def state(self) -> dict[str, int]:
        return {"seen": self.seen}

    def load_state(self, state: dict[str, int]) -> None:
        self.seen = state["seen"]


def config(**options: object) -> TrainConfig:
    base = {"steps": 12, "device": "cpu", "quiet": True, "log_every": 2, "checkpoint_every": 4}
    return TrainConfig(**{**base, **options})  # type: ignore[arg-type]


def weights(task: Task) -> list[Tensor]:
    tensors = [t for n in task.modules for t in task.plain(n).state_dict().values()]
    tensors += [t for a in task.averages.values() for t in a.module.state_dict().values()]
    for optimizer in task.optimizers.values():
        for state in optimizer.state_dict()["state"].values():
            tensors += [value for value in state.values() if isinstance(value, Tensor)]
    return tensors


def same(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_an_interrupted_run_ends_as_an_uninterrupted_one_bit_for_bit(tmp_path: Path) -> None:
    whole = Adversaries()
    Trainer(whole, tmp_path / "whole", config()).run()
    with pytest.raises(KeyboardInterrupt):
        Trainer(Adversaries(explode_at=7), tmp_path / "parts", config()).run()
    torch.rand(3)  # the state of the global generator is not what decides
    parts = Adversaries()
    trainer = Trainer(parts, tmp_path / "parts", config())
    assert trainer.run().step == 12
    assert parts.seen == 12
    assert same(weights(whole), weights(parts))
    logs = [
        [json.loads(line) for line in (tmp_path / run / "log.jsonl").read_text().splitlines()]
        for run in ("whole", "parts")
    ]
    assert [line["step"] for line in logs[1]] == [2, 4, 6, 8, 10, 12]
    for one, other in zip(*logs, strict=True):
        assert one["critic"] == other["critic"]


def test_a_killed_process_loses_nothing_before_its_checkpoint(tmp_path: Path) -> None:
    script = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_trainer import Adversaries, config
from pathlib import Path
from ganfilters_exporters.trainer import Trainer
import torch; torch.set_num_threads({torch.get_num_threads()})
Trainer(Adversaries(), Path({str(tmp_path)!r}), config(steps=10**6, checkpoint_every=5)).run()
"""
    process = subprocess.Popen([sys.executable, "-c", script], env={**os.environ})
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / PREVIOUS).exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    found = read_checkpoint(tmp_path)
    assert found is not None
    done = found["step"]
    resumed = Adversaries()
    result = Trainer(resumed, tmp_path, config(steps=done + 3)).run()
    assert result.step == done + 3
    straight = Adversaries()
    # The rate depends on the steps in all, so the same schedule up to the kill is replayed.
    straight.rate = lambda step, _: warm_cosine(step, 10**6 if step < done else done + 3, warm=3)  # type: ignore[method-assign]
    Trainer(straight, tmp_path / "straight", config(steps=done + 3)).run()
    assert same(weights(resumed), weights(straight))


def test_sigterm_finishes_the_step_and_saves(tmp_path: Path) -> None:
    def call(task: Task, step: int, folder: Path) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    result = Trainer(Adversaries(), tmp_path, config(steps=100), [Callback(3, call)]).run()
    assert (result.stopped, result.step) == ("signal", 3)
    assert read_checkpoint(tmp_path)["step"] == 3  # type: ignore[index]


def damage(path: Path) -> None:
    """Flip one bit of the largest tensor; the archive around it stays in order."""
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda info: info.file_size)
        data = archive.read(largest)
    content = bytearray(path.read_bytes())
    content[content.index(data) + len(data) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["flip", "cut", "empty"])
def test_a_damaged_checkpoint_is_named_and_the_previous_one_is_used(
    tmp_path: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Trainer(Adversaries(), tmp_path, config(steps=8)).run()
    path = tmp_path / CHECKPOINT
    if how == "flip":
        damage(path)
    else:
        path.write_bytes(path.read_bytes()[: 1000 if how == "cut" else 0])
    said: list[str] = []
    found = read_checkpoint(tmp_path, said.append)
    assert found is not None
    assert found["step"] == 4
    assert str(path) in said[0]
    assert "damaged" in said[0]
    # The next checkpoint takes the damaged one's place, and leaves the good one before it.
    good = (tmp_path / PREVIOUS).read_bytes()
    write_checkpoint(tmp_path, found)
    assert (tmp_path / PREVIOUS).read_bytes() == good
    task = Adversaries()
    Trainer(task, tmp_path, config(steps=8)).run()
    whole = Adversaries()
    Trainer(whole, tmp_path / "whole", config(steps=8)).run()
    assert same(weights(task), weights(whole))


def test_two_damaged_checkpoints_are_an_error(tmp_path: Path) -> None:
    Trainer(Adversaries(), tmp_path, config(steps=8)).run()
    damage(tmp_path / CHECKPOINT)
    damage(tmp_path / PREVIOUS)
    with pytest.raises(UsageError, match=r"checkpoint\.pt and .*previous\.pt: damaged"):
        Trainer(Adversaries(), tmp_path, config()).run()


def test_a_checkpoint_cannot_run_code(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "bang"),)

    torch.save({"step": 1, "bomb": Bomb()}, tmp_path / CHECKPOINT)
    with pytest.raises(UsageError, match="damaged"):
        read_checkpoint(tmp_path)
    assert not (tmp_path / "bang").exists()


def test_a_run_of_something_else_is_refused(tmp_path: Path) -> None:
    Trainer(Adversaries(), tmp_path, config(steps=4)).run()
    with pytest.raises(UsageError, match="width = 8, not 16"):
        Trainer(Adversaries(width=16), tmp_path, config()).run()
    with pytest.raises(UsageError, match="seed 0, not 5"):
        Trainer(Adversaries(), tmp_path, config(seed=5)).run()


@pytest.mark.parametrize("kind", ["OutOfMemoryError", "AcceleratorError"])
def test_a_device_that_fails_is_not_a_run_of_other_networks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Else the message would have a good run deleted."""
    error = getattr(torch, kind)
    Trainer(Adversaries(), tmp_path, config(steps=2)).run()

    def fail(self: Trainer, state: object) -> None:
        raise error("CUDA out of memory")

    monkeypatch.setattr(Trainer, "load", fail)
    with pytest.raises(error, match="CUDA out of memory"):
        Trainer(Adversaries(), tmp_path, config(steps=3)).run()


def test_a_finished_run_stays_as_it_is(tmp_path: Path) -> None:
    Trainer(Adversaries(), tmp_path, config(steps=4)).run()
    before = (tmp_path / CHECKPOINT).read_bytes()
    result = Trainer(Adversaries(), tmp_path, config(steps=4)).run()
    assert (result.step, result.stopped) == (4, "steps")
    assert (tmp_path / CHECKPOINT).read_bytes() == before


def test_minutes_stop_a_run(tmp_path: Path) -> None:
    result = Trainer(Adversaries(), tmp_path, config(steps=10**6, minutes=1e-4)).run()
    assert result.stopped == "minutes"
    assert read_checkpoint(tmp_path)["step"] == result.step  # type: ignore[index]


def test_a_loss_that_is_not_finite_ends_the_run(tmp_path: Path) -> None:
    class Wild(Adversaries):
        def step(self, batch: Tensor, step: int) -> dict[str, Tensor]:
            scalars = super().step(batch, step)
            return scalars if step < 5 else {"critic": torch.tensor(float("nan"))}

    with pytest.raises(TrainingError, match="critic is not finite after step 6; the checkpoint of"):
        Trainer(Wild(), tmp_path, config()).run()
    assert read_checkpoint(tmp_path)["step"] == 4  # type: ignore[index]


@pytest.mark.parametrize("what", ["critic", "generator"])
def test_what_is_not_finite_is_never_saved(tmp_path: Path, what: str) -> None:
    """Before a line of the log is due; of a weight, before a loss shows it."""

    class Wild(Adversaries):
        def step(self, batch: Tensor, step: int) -> dict[str, Tensor]:
            scalars = super().step(batch, step)
            if step == 4 and what == "critic":
                scalars["critic"] = torch.tensor(float("nan"))
            if step == 4 and what == "generator":
                next(self.modules["generator"].parameters()).data[0, 0] = float("inf")
            return scalars

    often, seldom = (config(log_every=100, checkpoint_every=every) for every in (1, 5))
    with pytest.raises(
        TrainingError, match=f"{what} is not finite after step 5; the checkpoint of step 4 is from"
    ):
        Trainer(Wild(), tmp_path / "often", often).run()
    assert read_checkpoint(tmp_path / "often")["step"] == 4  # type: ignore[index]
    with pytest.raises(TrainingError, match="after step 5; nothing was saved: begin again"):
        Trainer(Wild(), tmp_path / "seldom", seldom).run()
    assert read_checkpoint(tmp_path / "seldom") is None


def test_an_update_moves_its_own_network_only(tmp_path: Path) -> None:
    task = Adversaries()
    Trainer(task, tmp_path, config())
    before = [p.detach().clone() for p in task.modules["critic"].parameters()]
    task.clip = 0.5
    task.update(
        "generator", task.modules["critic"](task.modules["generator"](torch.randn(9, 4))).mean()
    )
    after = list(task.modules["critic"].parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    grads = [p.grad for p in task.modules["generator"].parameters() if p.grad is not None]
    assert torch.stack([g.norm() for g in grads]).norm() <= 0.5 + 1e-4


def test_bf16_is_autocast(tmp_path: Path) -> None:
    task = Adversaries()
    Trainer(task, tmp_path, config(precision="bf16"))
    with task.autocast():
        assert task.modules["critic"](torch.rand(3, 2)).dtype == torch.bfloat16


def test_callbacks_and_the_config_file(tmp_path: Path) -> None:
    steps: list[int] = []
    callback = Callback(5, lambda task, step, folder: steps.append(step))
    Trainer(Adversaries(), tmp_path, config(), [callback], {"data": "noise"}).run()
    assert steps == [5, 10, 12]
    written = json.loads((tmp_path / "config.json").read_text())
    assert written["data"] == "noise"
    assert written["trainer"]["steps"] == 12


def test_what_callbacks_measure_is_in_the_checkpoint_and_of_a_pause_it_is_not(
    tmp_path: Path,
) -> None:
    """A check may fall on the step of a checkpoint; one more at a pause is no part of the run."""

    class Measured(Adversaries):
        checks = 0

        def state(self) -> dict[str, int]:
            return {**super().state(), "checks": self.checks}

        def load_state(self, state: dict[str, int]) -> None:
            super().load_state(state)
            self.checks = state["checks"]

    def check(task: Measured, step: int, folder: Path) -> None:
        task.checks += 1
        task.skipped += 2

    def run(folder: str, **options: Any) -> Measured:
        task = Measured()
        Trainer(task, tmp_path / folder, config(**options), [Callback(4, check)]).run()
        return task

    found = []
    for folder, parts in (("whole", (14,)), ("parts", (4, 7, 8, 14))):
        for steps in parts:
            run(folder, steps=steps)
        found.append(read_checkpoint(tmp_path / folder))
    whole, parted = found
    assert whole["task"]["checks"] == parted["task"]["checks"] == 3  # type: ignore[index]
    assert whole["skipped"] == parted["skipped"] == 6  # type: ignore[index]


def test_what_a_callback_refuses_is_not_saved_as_the_end(tmp_path: Path) -> None:
    """Else the same command had nothing left to do, and would export it."""

    def refuse(task: Task, step: int, folder: Path) -> None:
        raise TrainingError("collapsed")

    for every in (8, 100):  # due at the last step, or called because it is the last
        for _ in range(2):
            with pytest.raises(TrainingError, match="collapsed"):
                Trainer(
                    Adversaries(), tmp_path / str(every), config(steps=8), [Callback(every, refuse)]
                ).run()
        assert read_checkpoint(tmp_path / str(every))["step"] == 4  # type: ignore[index]


@pytest.mark.parametrize(
    ("error", "minutes"), [(OSError, None), (OSError, 1e-6), (TrainingError, 1e-6)]
)
def test_an_error_of_a_last_callback_throws_nothing_away(
    tmp_path: Path, error: type[Exception], minutes: float | None
) -> None:
    """Only the end of all steps is refused; at a pause there is nothing to export."""

    def fail(task: Task, step: int, folder: Path) -> None:
        raise error("no")

    with pytest.raises(error, match="no"):
        Trainer(
            Adversaries(), tmp_path, config(steps=3, minutes=minutes), [Callback(100, fail)]
        ).run()
    assert read_checkpoint(tmp_path)["step"] == (1 if minutes else 3)  # type: ignore[index]


def test_what_processes_agreed_on_is_not_overruled_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another was told to stop, at the last step of this one."""
    monkeypatch.setattr(Trainer, "_agreed", lambda _, reason: reason and "signal")
    assert Trainer(Adversaries(), tmp_path, config(steps=3)).run().stopped == "signal"


def test_a_signal_while_the_end_is_written_counts(tmp_path: Path) -> None:
    def call(task: Task, step: int, folder: Path) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    result = Trainer(Adversaries(), tmp_path, config(steps=3), [Callback(100, call)]).run()
    assert (result.stopped, result.step) == ("signal", 3)


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    found = Trainer(Adversaries(), tmp_path / "run", config()).dry_run()
    assert found["images_per_second"] > 0
    if sys.platform != "win32":  # which does not tell
        assert 0.05 < found["peak_gigabytes"] < 100
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_measures_the_last_steps(tmp_path: Path) -> None:
    """The first may do less: a discriminator plays only after a while."""
    done = []

    class Counted(Adversaries):
        def step(self, batch: Any, step: int) -> dict[str, Tensor]:
            done.append(step)
            return super().step(batch, step)

    how = config()
    Trainer(Counted(), tmp_path / "run", how).dry_run()
    assert done == [how.steps - 2, how.steps - 1]


def test_devices_that_are_not_there() -> None:
    with pytest.raises(DeviceError, match="auto, cpu or cuda"):
        Trainer(Adversaries(), Path("x"), config(device="tpu"))
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="sees no CUDA GPU"):
            Trainer(Adversaries(), Path("x"), config(device="cuda"))


def test_bf16_is_for_gpus_that_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not for those on which PyTorch emulates it."""

    def supported(including_emulation: bool = True) -> bool:
        return including_emulation or new

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    monkeypatch.setattr(torch, "set_float32_matmul_precision", lambda _: None)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", torch.backends.cudnn.benchmark)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", torch.backends.cudnn.allow_tf32)
    monkeypatch.setattr(accelerators, "Accelerator", lambda **given: given["mixed_precision"])
    new = False
    assert accelerators.make_accelerator("auto", "auto") == "no"
    with pytest.raises(DeviceError, match="this GPU has no bf16; use --precision fp32"):
        accelerators.make_accelerator("cuda", "bf16")
    assert accelerators.make_accelerator("cpu", "bf16") == "bf16"
    new = True
    assert accelerators.make_accelerator("auto", "auto") == "bf16"


def test_the_average_and_the_schedule() -> None:
    module = nn.Linear(1, 1, bias=False)
    average = Average(module, 0.5)
    start = module.weight.item()
    with torch.no_grad():
        module.weight.add_(1)
    average.update(module, 1000)
    assert average.module.weight.item() == pytest.approx(start + 0.5)
    assert [warm_cosine(s, 10, warm=1) for s in (0, 1)] == [0.5, 1.0]
    assert warm_cosine(10, 10, final=0.1) == pytest.approx(0.1)


def test_a_resumed_run_says_what_is_unlike_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = {"how": {"rate": 0.1, "size": 8}, "data": {"used": 3}, "command": "a"}
    Trainer(Adversaries(), tmp_path, TrainConfig(steps=1), notes=first).run()
    capsys.readouterr()
    then = {"how": {"rate": 0.2, "size": 8, "new": 1}, "data": {"used": 2}, "command": "b"}
    Trainer(Adversaries(), tmp_path, TrainConfig(steps=2), notes=then).run()
    said = capsys.readouterr().err
    assert "how.rate is 0.2 from here on; it was 0.1" in said
    assert "data.used is 2 from here on; it was 3" in said
    assert "size" not in said
    assert "new" not in said
    assert "command" not in said


def test_of_what_a_version_has_no_more_only_what_did_something_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = {"how": {"r1": 0.0, "kinds": [], "decay": 0.1, "side": 0, "teacher": {"a": 1}}}
    Trainer(Adversaries(), tmp_path, TrainConfig(steps=1), notes=first).run()
    capsys.readouterr()
    then = {"how": {"side": None}}
    Trainer(Adversaries(), tmp_path, TrainConfig(steps=2), notes=then).run()
    said = capsys.readouterr().err
    assert "how.decay is gone from here on; it was 0.1" in said
    assert 'how.teacher is gone from here on; it was {"a": 1}' in said
    assert "how.side is null from here on; it was 0" in said
    assert "r1" not in said
    assert "kinds" not in said


def test_a_folder_has_one_training_at_a_time(tmp_path: Path) -> None:
    def call(task: Task, step: int, folder: Path) -> None:
        with pytest.raises(UsageError, match="another training is running in"):
            Trainer(Adversaries(), tmp_path, config(steps=9)).run()

    assert Trainer(Adversaries(), tmp_path, config(steps=2), [Callback(1, call)]).run().step == 2
    assert Trainer(Adversaries(), tmp_path, config(steps=3)).run().step == 3


def test_a_stopped_run_logs_its_last_steps(tmp_path: Path) -> None:
    result = Trainer(Adversaries(), tmp_path, config(steps=9, log_every=20, minutes=1e-6)).run()
    (line,) = (tmp_path / "log.jsonl").read_text().splitlines()
    assert json.loads(line)["step"] == result.step


def test_what_a_kill_while_saving_left_is_removed(tmp_path: Path) -> None:
    Trainer(Adversaries(), tmp_path, config(steps=4)).run()
    (tmp_path / "samples").mkdir()
    for name in ("checkpointabc123.tmp", "configx.tmp", "samples/0000004x.tmp", "mine.tmp"):
        (tmp_path / name).write_bytes(b"half")
    Trainer(Adversaries(), tmp_path, config(steps=6)).run()
    assert [path.name for path in tmp_path.rglob("*.tmp")] == ["mine.tmp"]
    assert (tmp_path / CHECKPOINT).exists()
    assert (tmp_path / PREVIOUS).exists()


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    for content in (b"one", b"two"):
        with written_whole(path) as file:
            file.write(content)
    with pytest.raises(TypeError), written_whole(path) as file:
        file.writelines([b"thr", None])  # type: ignore[list-item]
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_run_was_started_with_survives_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Trainer(Adversaries(), tmp_path, config(steps=1), notes={"origin": "kept"}).run()

    def kill(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", kill)
        with pytest.raises(KeyboardInterrupt):
            Trainer(Adversaries(), tmp_path, config(steps=2), notes={"origin": "new"}).run()
    assert read_config(tmp_path)["origin"] == "kept"


def test_a_run_has_begun_whichever_checkpoint_is_left(tmp_path: Path) -> None:
    """Between two names of one, a kill leaves the previous one alone."""
    out, run = tmp_path / "x.onnx", tmp_path / "run"
    out.touch()
    request = TrainRequest(out=out, run=run)
    assert not request.goes_on
    Trainer(Adversaries(), run, config(steps=8)).run()
    (run / CHECKPOINT).unlink()
    assert request.goes_on
    request.check_target()  # its own file


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_line_and_leaves_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.fdopen

    def full(handle: int, mode: str) -> object:
        if "checkpoint" not in str(Path(f"/proc/self/fd/{handle}").readlink()):
            return opened(handle, mode)
        os.close(handle)
        return open("/dev/full", mode)  # noqa: PTH123

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fdopen", full)
        with pytest.raises(
            DiskFullError, match="cannot be written: no space left on device; nothing"
        ):
            Trainer(Adversaries(), tmp_path, config(steps=4)).run()
    Trainer(Adversaries(), tmp_path, config(steps=4)).run()
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fdopen", full)
        with pytest.raises(DiskFullError, match=r"\.pt cannot .*; the last checkpoint is good"):
            Trainer(Adversaries(), tmp_path, config(steps=8)).run()
    assert not list(tmp_path.glob("*.tmp"))
    assert Trainer(Adversaries(), tmp_path, config(steps=8)).run().step == 8


def test_a_finished_run_still_says_its_last_figures(tmp_path: Path) -> None:
    first = Trainer(Adversaries(), tmp_path, config()).run()
    again = Trainer(Adversaries(), tmp_path, config()).run()
    assert again.step == first.step
    assert again.scalars == first.scalars
    assert again.scalars["step"] == 12


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_at_the_export_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnx
    import onnx_ir
    from onnx import TensorProto, helper

    from ganfilters.models import ModelCard
    from ganfilters_exporters import export

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", export.OPSET)])
    onnx.checker.check_model(model)
    card = ModelCard(filter="f", name="n", version="1", title="t", licence="MIT", command="c")

    def full(handle: int, mode: str) -> object:
        os.close(handle)
        return open("/dev/full", mode)  # noqa: PTH123

    monkeypatch.setattr(export.os, "fdopen", full)
    with pytest.raises(DiskFullError, match=r"m\.onnx cannot be written: no space left"):
        export.write(onnx_ir.from_proto(model), tmp_path / "m.onnx", card, overwrite=False)
    assert not list(tmp_path.iterdir())


def test_a_line_of_the_log_has_means_of_the_steps_that_had_a_scalar(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl", 0, enabled=True)
    one, four = torch.tensor(1.0), torch.tensor(4.0)
    log.add({"each": one})
    log.add({"each": one, "some": four})
    assert log.write(2, {}) == {"step": 2, "each": 1.0, "some": 4.0}
    assert not log.pending
    log.add({})  # a step with nothing to say is one
    assert log.pending
    assert log.write(3, {"rate": 0.1}) == {"step": 3, "rate": 0.1}
    log.close()

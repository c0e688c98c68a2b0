"""Two processes that train one network: alike to the end, which they reach together."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
from pathlib import Path

import torch

from ganfilters_exporters.data import Pictures
from ganfilters_exporters.restore.denoiser import Denoiser
from ganfilters_exporters.restore.denoising import Denoising, DenoisingConfig
from ganfilters_exporters.restore.train import DenoiseRequest
from ganfilters_exporters.trainer import TrainConfig
from ganfilters_exporters.training import train

from .restore_toys import DENOISER


def denoise(process: int, port: int, folder: Path) -> None:
    """Train until the second process's minutes are over, and write how it ended."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    os.environ |= {"RANK": str(process), "LOCAL_RANK": str(process)}
    torch.manual_seed(0)
    pictures = Pictures(torch.randint(0, 256, (8, 16, 16, 3), dtype=torch.uint8))
    task = Denoising(DenoisingConfig(size=16, batch=2), pictures, Denoiser(DENOISER))
    request = DenoiseRequest(photos=(), out=folder / "out.onnx", run=folder / "run")
    minutes = 1e-6 if process else None
    config = TrainConfig(steps=50, minutes=minutes, device="cpu", quiet=True)
    exported = []
    result = train(task, request, config, [], {}, exported.append, dry_run=False)
    assert not isinstance(result, dict)
    weights = [float(weight.double().sum()) for weight in task.plain("generator").parameters()]
    text = json.dumps([result.step, result.stopped, weights, len(exported)])
    (folder / f"{process}.json").write_text(text)


def test_two_processes_train_alike_and_stop_together(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=denoise, args=(n, port, tmp_path)) for n in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(300)
        process.kill()  # one that waits for the other for ever
    first, second = (json.loads((tmp_path / f"{n}.json").read_text()) for n in range(2))
    assert first[:3] == second[:3]
    assert first[:2] == [1, "minutes"]
    assert (first[3], second[3]) == (1, 0)  # one of them writes the file

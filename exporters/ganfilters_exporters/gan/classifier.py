"""A small classifier of the training data's classes, to judge conditional samples by.

For small pictures a convolutional network of its own, for larger ones a linear layer on the frozen
features that are measured anyway. A tenth of the data is held out: what the classifier does on it
is the most that can be asked of samples.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..task import warm_cosine

__all__ = ["Classifier", "class_accuracy", "train_classifier"]

SMALL = 40
"""Pictures up to this side are judged by a network of its own."""

BATCH = 128
"""Pictures in a step; fewer for data of less than 16 times as many."""

HELD_OUT = 0.1
SHIFT = 2


class Classifier(nn.Module):
    """Three pairs of convolutions, each pair halving the size."""

    def __init__(self, channels: int, classes: int, width: int = 16) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = channels
        for factor in (1, 2, 4):
            for _ in range(2):
                layers += [nn.Conv2d(before, factor * width, 3, padding=1, bias=False),
                           nn.BatchNorm2d(factor * width), nn.ReLU()]  # fmt: skip
                before = factor * width
            layers.append(nn.MaxPool2d(2))
        self.body = nn.Sequential(*layers)
        self.drop = nn.Dropout(0.3)
        self.score = nn.Linear(before, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Map (N, C, H, W) in [0, 1] to logits (N, classes)."""
        scores: Tensor = self.score(self.drop(self.body(images * 2 - 1).mean((2, 3))))
        return scores


def train_classifier(
    inputs: Tensor, labels: Tensor, classes: int, *, epochs: int, seed: int = 0
) -> dict[str, Any]:
    """Train on nine tenths and measure on the rest.

    Parameters
    ----------
    inputs : Tensor
        Pictures, uint8 (N, H, H, C), or features, float32 (N, D).
    labels : Tensor
        (N,).
    classes : int
        How many.
    epochs : int
        Passes over the data.
    seed : int
        Of everything random.

    Returns
    -------
    dict
        ``state`` of the network, ``inputs`` (channels or features), ``classes``, ``held_out``
        (its accuracy there).
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(inputs), generator=generator)
    count = max(1, round(HELD_OUT * len(inputs)))
    held, used = order[:count], order[count:]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _network(inputs.shape[-1], classes, pictures=inputs.ndim == 4)
        if inputs.ndim == 2:
            network[0].running_mean.copy_(inputs.mean(0))  # type: ignore[index]
        _fit(network, inputs, labels, used, epochs)
    state = network.state_dict()
    model = {"state": state, "inputs": int(inputs.shape[-1]), "classes": classes}
    found = class_accuracy(model, inputs[held], labels[held])
    return {**model, "held_out": found["accuracy"]}


def _network(inputs: int, classes: int, *, pictures: bool) -> nn.Module:
    if pictures:
        return Classifier(inputs, classes)
    score = nn.Linear(inputs, classes)
    nn.init.zeros_(score.weight)
    normalise = nn.BatchNorm1d(inputs, affine=False)
    return nn.Sequential(normalise, nn.Dropout(0.2), score)


def _fit(network: nn.Module, inputs: Tensor, labels: Tensor, used: Tensor, epochs: int) -> None:
    size = min(BATCH, max(8, len(used) // 16))
    steps_an_epoch = max(1, len(used) // size)
    total = epochs * steps_an_epoch
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=1e-2)
    network.train()
    for step in range(total):
        if step % steps_an_epoch == 0:
            order = used[torch.randperm(len(used))]
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * warm_cosine(step, total, warm=10)
        chosen = order[(step % steps_an_epoch) * size :][:size]
        batch = _read(inputs[chosen])
        if batch.ndim == 4:
            batch = _shifted(batch)
        loss = functional.cross_entropy(network(batch), labels[chosen], label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def _read(inputs: Tensor) -> Tensor:
    return inputs.permute(0, 3, 1, 2).float() / 255 if inputs.ndim == 4 else inputs


def _shifted(images: Tensor) -> Tensor:
    """Shift the whole batch by some pixels: the cheapest change that keeps a class."""
    across, down = (int(n) for n in torch.randint(0, 2 * SHIFT + 1, (2,)))
    height, width = images.shape[2:]
    padded = functional.pad(images, (SHIFT,) * 4, mode="replicate")
    return padded[:, :, down : down + height, across : across + width]


@torch.no_grad()
def class_accuracy(model: dict[str, Any], inputs: Tensor, labels: Tensor) -> dict[str, Any]:
    """Return how often the classifier agrees with the labels: in all, and by class."""
    network = _network(model["inputs"], model["classes"], pictures=inputs.ndim == 4)
    network.load_state_dict(model["state"])
    network.eval()
    said = torch.cat([network(_read(part)).argmax(1) for part in torch.split(inputs, 512)])
    right = (said == labels).float()
    by_class = [
        float(right[labels == n].mean()) if bool((labels == n).any()) else None
        for n in range(model["classes"])
    ]
    return {"accuracy": float(right.mean()), "by_class": by_class}

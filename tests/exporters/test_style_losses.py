"""Each loss against NumPy, known values and finite differences."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from ganfilters.errors import UsageError
from ganfilters_exporters import train_commands
from ganfilters_exporters.losses import (
    ContentLoss,
    GramLoss,
    PerceptualLoss,
    SpectrumLoss,
    TextureLoss,
    ToneLoss,
    TotalVariation,
    WeaveLoss,
    Weights,
    gram,
    load_vgg16_features,
)

from .style_toys import loss_network


def test_gram_matrices_are_those_of_numpy() -> None:
    features = torch.randn(2, 5, 7, 3, dtype=torch.float64)
    flat = features.numpy().reshape(2, 5, 21)
    expected = np.einsum("nip,njp->nij", flat, flat) / 21
    np.testing.assert_allclose(gram(features).numpy(), expected)


def test_gram_matrices_do_not_overflow_in_half_precision() -> None:
    features = torch.full((1, 2, 64, 64), 300.0, dtype=torch.float16)
    assert torch.allclose(gram(features), torch.full((1, 2, 2), 90000.0), rtol=1e-3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert gram(torch.rand(1, 2, 4, 4)).dtype == torch.float32


def test_losses_have_the_values_that_their_docstrings_name() -> None:
    features = {"relu3_3": torch.rand(2, 4, 5, 5), "relu1_2": torch.rand(2, 3, 5, 5)}
    zero = {name: torch.zeros_like(value) for name, value in features.items()}
    content, style = ContentLoss(), GramLoss({"relu1_2": 3.0, "relu3_3": 1.0})
    assert torch.allclose(content(zero, features), torch.ones(2))
    assert torch.allclose(content(features, features), torch.zeros(2))
    target = style.target(features)
    assert torch.allclose(style(zero, target), torch.ones(2))
    assert torch.allclose(style(features, target), torch.zeros(2))
    # Scaling a style and what is compared with it changes nothing: paintings train evenly.
    half = {name: value * 0.5 for name, value in features.items()}
    large = {name: value * 100 for name, value in half.items()}
    other = style.target({name: value * 100 for name, value in features.items()})
    assert torch.allclose(style(large, other), style(half, target), rtol=1e-4)


def test_total_variation_of_a_ramp() -> None:
    ramp = torch.linspace(0, 1, 11).expand(1, 3, 4, 11)
    assert TotalVariation()(ramp).item() == pytest.approx(0.01)
    assert TotalVariation()(ramp.transpose(2, 3)).item() == pytest.approx(0.01)


@pytest.mark.parametrize("part", ["content", "style", "smooth"])
def test_gradients_are_those_of_finite_differences(part: str) -> None:
    torch.manual_seed(0)
    network = loss_network((2, 2, 3, 3)).double()
    with torch.no_grad():
        goal = network(torch.rand(1, 3, 8, 8, dtype=torch.float64))
    content, style, smooth = ContentLoss(), GramLoss(), TotalVariation()
    target = style.target(goal)

    def value(image: Tensor) -> Tensor:
        if part == "smooth":
            return smooth(image)
        return content(network(image), goal) if part == "content" else style(network(image), target)

    image = torch.rand(1, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(value, (image,), eps=1e-6, atol=1e-5, rtol=1e-3)


def test_tones_are_the_photographs_in_the_paintings_range() -> None:
    loss = ToneLoss(8)
    photo, painting = (
        (low + width * torch.rand(2, 3, 8, 6)).repeat_interleave(8, 2).repeat_interleave(8, 3)
        for low, width in ((0.1, 0.8), (0.3, 0.6))
    )
    target = loss.target(painting)
    mean, deviation = target[:, 0, None, None, None], target[:, 1, None, None, None]
    grey = (photo * loss.luminance).sum(1, keepdim=True).expand_as(photo)
    spread = grey.std((1, 2, 3), keepdim=True)
    right = mean + (grey - grey.mean((1, 2, 3), keepdim=True)) * deviation / spread
    assert loss(right, photo, target).max() < 0.01
    assert loss(mean.expand_as(photo), photo, target) == pytest.approx(1.0, abs=0.1)
    assert (loss(2 * mean - right, photo, target) > 3.5).all()  # a negative
    assert (loss(right + 0.5 * deviation, photo, target) > 0.2).all()  # too bright
    assert (loss(right.roll(24, 3), photo, target) > 0.3).all()
    # What is plain stays plain: only its level is the painting's.
    plain = torch.full_like(photo, 0.5)
    assert loss(mean.expand_as(photo), plain, target).max() < 0.01


def test_lines_that_are_more_regular_than_the_paintings_cost() -> None:
    loss, generator = WeaveLoss(), torch.Generator().manual_seed(0)
    noise = 0.5 + 0.1 * torch.randn(2, 3, 96, 96, generator=generator)
    along = torch.arange(96.0)
    lines = (0.5 + 0.1 * torch.sin(along * 1.4 + along[:, None] * 0.6)).expand(2, 3, -1, -1)
    plain = (along / 200).expand(2, 3, 96, -1)
    edge = (along > 50).float().expand(2, 3, 96, -1)
    target = loss.target(noise)
    assert target.shape == (2, 1)
    assert loss(noise, target).max() == 0
    assert loss(plain, target).max() < 0.1  # nothing is regular where nothing is
    assert (loss(lines, target) > 10 * loss(edge, target).clamp(min=0.1)).all()
    assert loss(noise, loss.target(lines)).max() == 0  # less regular than the painting is fine
    assert (loss(lines + 3 * (noise - 0.5), target) < 0.1 * loss(lines, target)).all()
    # Lines of a hundredth of a step of 8 bits are none.
    assert loss(0.5 + (lines - 0.5) / 2550, target).max() < 0.1
    # The rim of a picture of any size is seen, and what is too small for spectra costs nothing.
    rim = torch.full((1, 3, 56, 56), 0.5)
    rim[..., 48:] = lines[:1, :, :56, 48:56]
    assert loss.target(rim) > loss.target(torch.full_like(rim, 0.5)) + 0.1
    small = torch.rand(2, 3, 16, 16)
    assert loss(small, target).max() == 0
    assert loss(lines, loss.target(small)).max() == 0


def test_regularity_has_the_values_that_are_said() -> None:
    loss, generator = WeaveLoss(), torch.Generator().manual_seed(0)
    white = 0.5 + 0.1 * torch.randn(1, 3, 256, 256, generator=generator)
    assert loss.target(white).item() == pytest.approx(0.9, abs=0.05)
    wave = torch.fft.rfft2(white)
    frequency = torch.hypot(torch.fft.fftfreq(256)[:, None], torch.fft.rfftfreq(256))
    edges = torch.fft.irfft2(wave / frequency.clamp(min=1 / 256))
    assert loss.target(edges).item() == pytest.approx(np.log(2), abs=0.05)
    lines = 0.5 + 0.1 * torch.sin(2 * torch.arange(256.0)).expand(1, 3, 256, -1)
    assert loss.target(lines).item() == pytest.approx(4.5, abs=0.5)


def test_the_command_has_the_defaults_of_the_loss() -> None:
    for name, (default, _) in train_commands._WEIGHTS.items():
        assert getattr(Weights(), name) == default


def test_the_weave_loss_has_the_gradient_of_its_value() -> None:
    loss = WeaveLoss().double()
    image = torch.rand(1, 1, 32, 32, dtype=torch.float64, requires_grad=True)
    target = torch.full((1, 1), -1.0, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: loss(x, target), (image,), fast_mode=True)


def test_the_sum_weighs_each_picture() -> None:
    loss = PerceptualLoss(loss_network(), Weights(1.0, 2.0, 3.0, 0.5, 0.25))
    image, photo, painting = torch.rand(3, 2, 3, 32, 32)
    target = loss.style_target(painting)
    terms = loss(image, photo, target)
    expected = terms["content"] + 2 * terms["style"] + 3 * terms["smooth"]
    expected = expected + terms["tone"] / 2 + terms["weave"] / 4
    assert terms["loss"].item() == pytest.approx(expected.item(), rel=1e-5)
    heavier = loss(image, photo, target, style_scale=torch.tensor([2.0, 2.0]))
    more = heavier["loss"] - terms["loss"]
    assert more.item() == pytest.approx(2 * terms["style"].item(), rel=1e-4)


def test_files_that_are_not_vgg16(tmp_path: Path) -> None:
    save_file({"features.0.weight": torch.zeros(4, 3, 3, 3)}, tmp_path / "shape.safetensors")
    save_file({"other": torch.zeros(300, 300)}, tmp_path / "other.safetensors")
    whole = (tmp_path / "other.safetensors").read_bytes()
    (tmp_path / "half.safetensors").write_bytes(whole[: len(whole) // 2])
    torch.save(torch.zeros(3), tmp_path / "tensor.pth")
    torch.save(nn.Linear(1, 1), tmp_path / "module.pth")
    torch.save({"features.0.weight": "text"}, tmp_path / "text.pth")
    for name in ("words.txt", "words.pth", "words.safetensors"):
        (tmp_path / name).write_bytes(b"hello\n")
    Image.new("RGB", (9, 9)).save(tmp_path / "picture.png")
    (tmp_path / "network.onnx").write_bytes(b"\x08\x08\x12\x07pytorch\x1a\x05")
    (tmp_path / "nothing.pth").touch()
    expected = {
        "shape": r"holds other weights: features\.0\.weight has the shape \(4, 3, 3, 3\), not \(64",
        "other": r"holds other weights: there is no tensor features\.0\.weight",
        "text": "holds other weights: there is no tensor",
        "half": "is no safetensors file, or is damaged",
        "words.safetensors": "is no safetensors file, or is damaged",
    }
    for file in tmp_path.iterdir():
        with pytest.raises(UsageError) as caught:
            load_vgg16_features(file)
        told = str(caught.value)
        start = expected.get(file.name) or expected.get(file.stem, "is no PyTorch checkpoint")
        assert re.match(f"{re.escape(str(file))} {start}", told), told
        assert told.endswith("give VGG16's weights: torchvision's .pth, or a .safetensors with "
                             "the same names")  # fmt: skip
        assert len(told.splitlines()) == 1
    with pytest.raises(UsageError, match=r"missing\.pth cannot be read: No such file"):
        load_vgg16_features(tmp_path / "missing.pth")


def test_textures_are_compared_part_by_part() -> None:
    torch.manual_seed(0)
    loss = TextureLoss(("relu1_2", "relu2_2"), window=16)
    network = loss_network()

    def distance(found: Tensor, wanted: Tensor) -> float:
        return float(loss(network(found), network(wanted), found.shape[2]).mean())

    def noise() -> Tensor:
        return torch.rand(1, 3, 64, 32)

    # The left half is rough, the right one plain; the same roughness drawn anew is no other one.
    rough, again = (torch.cat([noise(), torch.full((1, 3, 64, 32), 0.5)], 3) for _ in range(2))
    swapped, plain = rough.flip(3), torch.full((1, 3, 64, 64), 0.5)
    assert distance(rough, rough) == 0
    assert distance(again, rough) < 0.1 * distance(plain, rough)
    assert distance(again, rough) < 0.1 * distance(swapped, rough)
    # Which Gram matrices of the whole do not tell apart.
    grams = GramLoss({"relu1_2": 1.0, "relu2_2": 1.0})
    whole = grams(network(swapped), grams.target(network(rough)))
    assert float(whole) < 0.01
    # Small pictures are one part.
    small = torch.rand(2, 3, 8, 8)
    assert loss(network(small), network(1 - small), 8).shape == (2,)


def test_power_that_was_not_there_is_found_wherever_its_phase_is() -> None:
    torch.manual_seed(0)
    loss, plain = SpectrumLoss(), torch.full((1, 3, 64, 64), 0.5)
    place = torch.arange(64)
    board = 0.05 * (-1.0) ** (place[:, None] + place)
    drifting = board * torch.cos(place / 6)  # of any phase: means at its places are about zero
    grain = 0.05 * torch.randn(1, 3, 64, 64)
    found = {
        name: float(loss(picture, plain))
        for name, picture in (("same", plain), ("board", plain + board),
                              ("drifting", plain + drifting), ("grain", plain + grain))
    }  # fmt: skip
    assert found["same"] == 0
    assert min(found["board"], found["drifting"]) > 0.05
    # The same kind of grain drawn anew is hardly more than there was, none at all is not either.
    again = plain + 0.05 * torch.randn(1, 3, 64, 64)
    assert float(loss(again, plain + grain)) < 0.1 * found["grain"]
    assert float(loss(plain, plain + grain)) == 0

"""The format of chains: what is read, what is refused, and what is written again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ganfilters import Chain, Host, Image, UsageError
from tests.host import toys


@pytest.fixture
def host() -> Host:
    return Host("cpu", registry=toys.registry())


def chain(text: str, folder: Path) -> Chain:
    path = folder / "look.toml"
    path.write_text(text)
    return Chain.load(path)


LOOK = """\
title = "A look"
summary = "Half inverted, then blurred"

[[step]]
filter = "invert"
amount = 0.5
mask = "m.png"
invert-mask = true
feather = 2

[[step]]
strength = 0.25

[[step.step]]
filter = "blur"

[[step.step]]
filter = "steps"

[params.how-much]
step = 1
param = "amount"
description = "How much of it"
default = 0.75
"""


def test_what_is_written_is_what_was_read(tmp_path: Path) -> None:
    look = chain(LOOK, tmp_path)
    assert look.to_toml() == LOOK
    first, second = look.steps
    assert (first.filter, first.values, first.mask) == ("invert", {"amount": 0.5}, "m.png")
    assert (first.invert_mask, first.feather, first.strength) == (True, 2.0, 1.0)
    assert [step.filter for step in second.chain.steps] == ["blur", "steps"]
    assert look.params["how_much"].default == 0.75
    assert look.digest() == chain(LOOK, tmp_path).digest()
    assert look.digest() != chain(LOOK.replace("0.25", "0.5"), tmp_path).digest()


def test_both_spellings_of_a_name_are_read(tmp_path: Path) -> None:
    for key in ("invert-mask", "invert_mask"):
        look = chain(f'[[step]]\nfilter = "invert"\nmask = "m.png"\n{key} = true', tmp_path)
        assert look.steps[0].invert_mask


def test_odd_text_survives(tmp_path: Path) -> None:
    text = 'a "b" \\ \t \x7f ü'
    made = Chain.from_steps([{"filter": "wild", "how": text, "list": [1, 2.5, {"a b": True}]}])
    again = chain(made.to_toml(), tmp_path)
    assert again.steps[0].values == {"how": text, "list": [1, 2.5, {"a b": True}]}


def test_a_picture_in_memory_cannot_be_written() -> None:
    made = Chain.from_steps([{"filter": "invert", "mask": np.ones((4, 4))}])
    with pytest.raises(UsageError, match="step 1: mask is not from a file"):
        made.to_toml()


INVERT = '[[step]]\nfilter = "invert"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "there are no steps"),
        ("[[step", "not valid TOML"),
        ("title = 1\n" + INVERT, "title must be text"),
        ('title = "a\\nb"\n' + INVERT, "title must be one line"),
        ('[[stpe]]\nfilter = "invert"', "there is no key 'stpe'; did you mean step?"),
        ('[step]\nfilter = "invert"', "two brackets"),
        ("step = 3", "list of tables"),
        ("[[step]]", "step 1: filter is missing"),
        (INVERT + '[[step]]\nfliter = "blur"', "step 2: there is no key fliter; did you mean f"),
        (INVERT + 'strength = "much"', "step 1: strength is 'much'; it must be a number"),
        (INVERT + "feather = true", "step 1: feather is True; it must be a number"),
        (INVERT + "invert-mask = 1", "step 1: invert-mask is 1; it must be true or false"),
        (INVERT + "a-b = 1\na_b = 2", "step 1: a-b is given twice"),
        (INVERT + '[[step.step]]\nfilter = "blur"', "holds steps of its own, so filter has no"),
        (INVERT + "[params.a]\nstpe = 1", "params.a: there is no key 'stpe'"),
        (INVERT + "[params.a]\nstep = 2", "params.a: step is 2; it must be from 1 to 1"),
        (INVERT + '[params.a]\nstep = "x"', "must be the number of a step"),
        (INVERT + INVERT + '[params.a]\nparam = "amount"', "params.a: step is missing"),
        (INVERT + "[params]\na = 1", "params.a must be a table"),
        (INVERT * 101, "at most 100"),
    ],
)
def test_bad_files(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        chain(text, tmp_path)
    assert expected in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "look.toml"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[[step]]\nfilter = "invret"', "step 1 (invret): there is no filter 'invret'; did you"),
        (INVERT + "amuont = 1", "step 1 (invert): there is no key amuont; did you mean amount?"),
        (INVERT + "strenght = 1", "there is no key strenght; did you mean strength?"),
        (INVERT + "amount = 3", "step 1 (invert): amount is 3; it must be from 0 to 1"),
        (INVERT + 'preset = "hlaf"', "step 1 (invert): preset is hlaf; did you mean half?"),
        (INVERT + "strength = 2", "step 1 (invert): strength is 2; it must be from 0 to 1"),
        (INVERT + "feather = 2", "step 1 (invert): inverting or feathering a mask needs a mask"),
        (INVERT + 'mask = "no.png"', "no.png: there is no such file"),
        (INVERT + '[[step]]\nfilter = "noise"', "step 2 (noise): it makes pictures and takes none"),
        ('[[step]]\nfilter = "mix"', "step 1 (mix): other is missing"),
        ('[[step]]\nfilter = "mix"\nother = "no.png"', "step 1 (mix): "),
        (INVERT + '[params.a]\nparam = "amuont"', "has no parameter amuont; did you mean amount?"),
        (INVERT + '[params.mask]\nparam = "amount"', "params.mask: the name is the host's own"),
        (INVERT + '[params."a b"]\nparam = "amount"', "params.a b: a name is made of letters"),
        (INVERT + '[params.a]\nparam = "amount"\ndefault = 7', "params.a: default is 7: "),
        ('[[step]]\n[[step.step]]\nfilter = "blurr"', "step 1 (steps): step 1 (blurr): "),
    ],
)
def test_steps_that_are_not_possible(host: Host, text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the text is what matters
        host.run(chain(text, tmp_path), np.zeros((4, 4, 3), np.float32))
    assert expected in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'look.toml'}: ")
    assert str(caught.value).count("look.toml") == 1
    assert "\n" not in str(caught.value)


def test_errors_of_a_chain_from_no_file_start_with_the_step(host: Host) -> None:
    with pytest.raises(UsageError, match=r"^step 1 \(invret\): "):
        host.entry(Chain.from_steps([{"filter": "invret"}]))


def test_a_file_that_is_no_chain(tmp_path: Path) -> None:
    Image(np.zeros((4, 4, 3), np.float32)).save(tmp_path / "plain.png")
    with pytest.raises(UsageError, match="holds no recipe"):
        Chain.load(tmp_path / "plain.png")
    with pytest.raises(UsageError, match="cannot be read"):
        Chain.load(tmp_path / "none.toml")
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8"):
        Chain.load(tmp_path / "b.toml")

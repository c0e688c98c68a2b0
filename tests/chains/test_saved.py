"""Saved chains: a name, copies of what they need, and a filter like any other."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ganfilters import Chain, GanfiltersError, Host, Image, UsageError
from ganfilters.chains.store import ChainStore
from ganfilters.registry import Registry
from ganfilters.testing import Subject, run_checks
from ganfilters_latent.filter import MODELS

PLUGIN = Path(__file__).parents[1] / "cli" / "toys.py"

FILES = """
import numpy as np
from pydantic import Field
from ganfilters import Filter, ImageParam, InputFile, ModelParam, Params, hookimpl

class FilesParams(Params):
    pictures: tuple[ImageParam, ...] = Field((), description="Pictures")
    net: ModelParam | None = Field(None, description="A network")
    note: InputFile | None = Field(None, description="A file")

class Files(Filter[FilesParams]):
    name = "files"
    summary = "Reads files of every kind"
    Params = FilesParams
    models_of = "latent"

    def apply(self, image, params):
        mean = np.mean([each.pixels.mean() for each in params.pictures])
        return image.replace(pixels=image.pixels * mean * float(params.note.read_text()))

@hookimpl
def ganfilters_filters():
    return [Files]
"""


@pytest.fixture
def store(config: Path) -> ChainStore:
    return ChainStore.of_user()


def registry() -> Registry:
    return Registry.discover([PLUGIN])


def pixels(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((20, 30, 3), np.float32)


def look(**options: object) -> Chain:
    return Chain.from_steps([{"filter": "invert", "amount": 0.5, **options}, {"filter": "noise"}])


def save(store: ChainStore, name: str, chain: Chain, **options: bool) -> Path:
    return store.save(name, chain, registry(), **options)


def test_a_saved_chain_is_a_filter(store: ChainStore) -> None:
    chain = Chain.from_steps(
        [{"filter": "invert"}, {"filter": "noise"}],
        params={"seed": {"step": 2}, "amount": {"step": 1}},
        summary="A look",
    )
    save(store, "my-look", chain)
    host = Host("cpu", plugins=[PLUGIN])
    entry = host.registry.get("my-look")
    assert (entry.distribution, entry.filter.summary) == ("chain", "A look")
    assert "my-look" in host.registry.names()
    assert "my-look" not in {plugin.name for plugin in host.registry.plugins()}
    made = host.apply("my-look", pixels(), seed=3, amount=0.5)
    np.testing.assert_array_equal(made, host.run(chain, pixels(), seed=3, amount=0.5))
    (group,) = host.apply("my-look", Image(pixels())).metadata.recipe.steps
    assert (group.filter, group.version) == ("my-look", entry.version)
    assert [step.filter for step in group.steps] == ["invert", "noise"]


@pytest.mark.parametrize(
    "steps",
    [
        [{"filter": "invert"}, {"filter": "noise"}],
        [{"filter": "plain"}, {"filter": "invert", "strength": 0.5}],
        [{"filter": "noise", "size": "16x16"}, {"filter": "invert"}],
        [{"filter": "masked"}, {"filter": "invert"}],
    ],
)
def test_it_passes_the_conformance_kit(store: ChainStore, steps: list[dict[str, object]]) -> None:
    seed = [k for k, step in enumerate(steps, 1) if step["filter"] == "noise"]
    params = {"seed": {"step": seed}, "frames": {"step": seed}} if seed else {}
    save(store, "my-look", Chain.from_steps(steps, params=params))
    entry = registry().get("my-look")
    outcomes = list(run_checks(Subject(entry.filter)))
    assert not [(o.check, o.message) for o in outcomes if not o.passed]
    assert len(outcomes) >= 20


def test_its_recipe_replays_without_it(store: ChainStore) -> None:
    save(store, "my-look", look())
    save(store, "outer", Chain.from_steps([{"filter": "my-look", "strength": 0.5}]))
    host = Host("cpu", plugins=[PLUGIN])
    made = host.apply("outer", Image(pixels()))
    shutil.rmtree(store.folder)
    other = Host("cpu", plugins=[PLUGIN])
    again = other.replay(made.metadata.recipe, Image(pixels()))
    np.testing.assert_array_equal(again.pixels, made.pixels)
    assert [step.filter for step in again.metadata.recipe.steps] == ["outer"]


def test_what_a_filter_refuses_is_not_saved(store: ChainStore) -> None:
    shipped = Registry.discover()

    def painted(name: str) -> Chain:
        return Chain.from_steps([{"filter": "style", "style": name}])

    with pytest.raises(UsageError, match=r"^step 1 \(style\).*no style 'scram'.*scream"):
        store.save("wrong", painted("scram"), shipped)
    assert store.names() == []
    store.save("right", painted("scream"), shipped)
    # As recipes of pictures are, which name what was not given too.
    step = {"filter": "style", "style": {"scream": 1.0}, "model": None, "split": None}
    saved = Chain.load(store.save("made", Chain.from_steps([step]), shipped))
    assert saved.steps[0].values == {"style": {"scream": 1.0}}


def test_files_are_copied(store: ChainStore, tmp_path: Path) -> None:
    mask = np.zeros((20, 30), np.uint8)
    mask[:10] = 255
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        Image.from_array(mask if folder == "a" else 255 - mask).save(tmp_path / folder / "m.png")
    (tmp_path / "look.toml").write_text(
        '[[step]]\nfilter = "invert"\nmask = "a/m.png"\n'
        '[[step]]\n[[step.step]]\nfilter = "invert"\nmask = "b/m.png"\n'
        '[[step]]\nfilter = "kinds"\nguide = "a/m.png"\n'
    )
    before = Chain.load(tmp_path / "look.toml")
    path = save(store, "my-look", before)
    shutil.rmtree(tmp_path / "a")
    shutil.rmtree(tmp_path / "b")
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "chain.toml", "m-2.png", "m.png"
    ]  # fmt: skip
    host = Host("cpu", plugins=[PLUGIN])
    made = host.apply("my-look", Image(pixels()))
    np.testing.assert_allclose(made.pixels, 1 - pixels(), atol=1e-6)
    recipe = made.metadata.recipe
    assert str(tmp_path) not in recipe.to_json(), "the recipe tells nobody the user's folders"
    assert recipe.steps[0].steps[0].selection.mask.path == "my-look/m.png"
    np.testing.assert_array_equal(host.replay(recipe, Image(pixels())).pixels, made.pixels)


def test_a_recipe_names_files_of_all_kinds_from_the_store(
    store: ChainStore, tmp_path: Path
) -> None:
    """Pictures in a list, models and text files; and they are found there again."""
    (tmp_path / "files.py").write_text(FILES)
    shutil.copyfile(MODELS["kmnist-dense"].path, tmp_path / "net.onnx")
    (tmp_path / "note.txt").write_text("0.25")
    for name, value in (("a", 40), ("b", 200)):
        Image.from_array(np.full((4, 4), value, np.uint8)).save(tmp_path / f"{name}.png")
    (tmp_path / "look.toml").write_text(
        '[[step]]\n[[step.step]]\nfilter = "files"\npictures = ["a.png", "b.png"]\n'
        'net = "net.onnx"\nnote = "note.txt"\n'
    )
    plugins = [tmp_path / "files.py"]
    store.save("my-look", Chain.load(tmp_path / "look.toml"), Registry.discover(plugins))
    made = Host("cpu", plugins=plugins).apply("my-look", Image(pixels()))
    recipe = made.metadata.recipe
    assert str(store.folder) not in recipe.to_json()
    (step,) = recipe.steps[0].steps[0].steps
    assert [each["path"] for each in step.params["pictures"]] == ["my-look/a.png", "my-look/b.png"]
    assert (step.params["net"], step.params["note"]) == ("my-look/net.onnx", "my-look/note.txt")
    again = Host("cpu", plugins=plugins).replay(recipe, Image(pixels()))
    np.testing.assert_array_equal(again.pixels, made.pixels)


def test_from_a_picture(store: ChainStore, tmp_path: Path) -> None:
    mask = np.zeros((20, 30), np.uint8)
    mask[:10] = 255
    Image.from_array(mask).save(tmp_path / "m.png")
    host = Host("cpu", plugins=[PLUGIN])
    made = host.apply("invert", Image(pixels()), mask=tmp_path / "m.png", amount=0.25)
    made.save(tmp_path / "out.png")
    save(store, "my-look", Chain.load(tmp_path / "out.png"))
    (tmp_path / "m.png").unlink()
    again = Host("cpu", plugins=[PLUGIN]).apply("my-look", Image(pixels()))
    np.testing.assert_array_equal(again.pixels, made.pixels)
    with pytest.raises(GanfiltersError, match=r"step 1 \(invert\): the picture mask .* not there"):
        save(store, "other", Chain.load(tmp_path / "out.png"))
    assert store.names() == ["my-look"]


@pytest.mark.parametrize(
    ("name", "chain", "expected"),
    [
        ("invert", look(), "invert is the name of a filter"),
        ("My look", look(), "a chain cannot be called 'My look'"),
        ("../x", look(), "a chain cannot be called"),
        ("there", look(), "--overwrite replaces it"),
        ("new", Chain.from_steps([{"filter": "new"}]), "the chain new names itself"),
        ("new", look(mask="none.png"), "step 1 (invert): none.png: there is no such file"),
        ("new", look(mask=np.ones((4, 4))), "mask is not from a file"),
        ("new", Chain.from_steps([{"filter": "invert", "amount": 3}]), "amount is 3"),
    ],
)
def test_what_cannot_be_saved(store: ChainStore, name: str, chain: Chain, expected: str) -> None:
    save(store, "there", look())
    before = store.path("there").read_bytes()
    with pytest.raises(GanfiltersError) as caught:
        save(store, name, chain)
    assert expected in str(caught.value)
    assert [path.name for path in store.folder.iterdir()] == ["there"], "nothing half-written"
    assert store.path("there").read_bytes() == before


def test_overwriting_and_removing(store: ChainStore) -> None:
    save(store, "a", look())
    save(store, "a", Chain.from_steps([{"filter": "invert"}]), overwrite=True)
    assert len(store.load("a").steps) == 1
    save(store, "b", Chain.from_steps([{"filter": "a"}]))
    with pytest.raises(UsageError, match="a is a step of b; remove b first"):
        store.remove("a")
    with pytest.raises(UsageError, match="no saved chain 'c'"):
        store.remove("b", "c")
    assert store.names() == ["a", "b"]
    assert store.remove("a", "b") == ["a", "b"]
    assert store.names() == []


@pytest.mark.parametrize("name", ["größe", "Maß", "how_much"])
def test_a_parameter_may_have_a_name_in_any_script(store: ChainStore, name: str) -> None:
    params = {name: {"step": 1, "param": "amount"}}
    save(store, "a", look())
    save(store, "a", Chain.from_steps([{"filter": "invert"}], params=params), overwrite=True)
    assert list(store.load("a").params) == [name]


def test_what_could_not_be_read_again_replaces_nothing(store: ChainStore) -> None:
    save(store, "a", look())
    before = store.path("a").read_bytes()
    with pytest.raises(UsageError, match=r"cannot be saved: chain\.toml: title must be one line"):
        save(store, "a", Chain(look().steps, title="two\nlines"), overwrite=True)
    assert store.path("a").read_bytes() == before


def test_chains_that_name_each_other_are_refused(store: ChainStore) -> None:
    save(store, "a", look())
    save(store, "b", Chain.from_steps([{"filter": "a"}]))
    with pytest.raises(UsageError, match="chains name each other: a -> b -> a"):
        save(store, "a", Chain.from_steps([{"filter": "b"}]), overwrite=True)
    store.path("a").write_text('[[step]]\nfilter = "b"\n')  # by hand
    found = registry()
    assert "a" not in found.names()
    assert "invert" in found.names()
    with pytest.raises(UsageError, match=r"saved chain 'a' cannot be used: .*name each other"):
        found.get("a")


def test_a_damaged_chain_harms_nothing_else(store: ChainStore) -> None:
    save(store, "a", look())
    store.path("a").write_text("[[step")
    (store.folder / "No Name").mkdir()
    (store.folder / "No Name" / "chain.toml").write_text("")
    found = registry()
    assert "invert" in found.names()
    (error,) = found.errors()
    assert (error.plugin, error.distribution) == ("a", "chain")
    assert "not valid TOML" in error.message


def test_a_plugin_that_comes_later_keeps_its_filters_name(store: ChainStore) -> None:
    without = Registry.discover()
    store.save("invert", Chain.from_steps([{"filter": "dream"}]), without)
    assert Registry.discover().get("invert").distribution == "chain"
    for found in (registry(), registry()):
        assert found.get("invert").distribution == str(PLUGIN)
    assert [error.plugin for error in registry().errors()] == ["invert"]


def test_safe_mode_and_choices_leave_chains_in(store: ChainStore) -> None:
    save(store, "toy", look())
    store.save("own", Chain.from_steps([{"filter": "dream"}]), registry())
    found = Registry.discover(safe_mode=True)
    assert found.get("own").distribution == "chain"
    with pytest.raises(UsageError, match=r"saved chain 'toy' cannot be used: step 1 .invert."):
        found.get("toy")

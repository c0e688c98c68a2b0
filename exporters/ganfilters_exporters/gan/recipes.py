"""What each architecture trains with by default, and what cannot be combined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ganfilters.errors import UsageError

from .losses import LOSSES

__all__ = ["RECIPES", "Recipe", "refuse_unfitting", "settings_of"]


@dataclass(frozen=True)
class Recipe:
    """Defaults of an architecture; the names are those of the options.

    ``style`` is the recipe of Projected GAN, which is quick with natural pictures, with w that
    modulates batch normalisations and a term against collapse; the others are their papers', with
    augmentation and an average of weights.
    """

    loss: str = "nonsaturating"
    discriminator: str = "plain"
    norm: str = "batch"
    batch: int = 64
    rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    z: int = 100
    width: int = 64
    size: int = 28
    modulation: str = "none"
    diversity: float = 0.0


RECIPES: dict[str, Recipe] = {
    "mlp": Recipe(width=256),
    "dcgan": Recipe(size=64),
    "style": Recipe(
        "hinge",
        "projected",
        "spectral",
        batch=16,
        betas=(0.0, 0.99),
        z=256,
        width=24,
        size=64,
        modulation="batch",
        diversity=1.0,
    ),
}


def settings_of(arch: str, given: dict[str, Any]) -> dict[str, Any]:
    """Fill in what was not given (None) from the architecture's recipe."""
    recipe = RECIPES[arch]
    values = {k: getattr(recipe, k) if v is None and hasattr(recipe, k) else v
              for k, v in given.items()}  # fmt: skip
    penalised = LOSSES[values["loss"]].penalty > 0 or values.get("r1", 0) > 0
    if given.get("norm") is None and penalised and values["norm"] == "batch":
        # A penalty is on the gradient of one picture; a batch norm mixes the pictures.
        values["norm"] = "none"
    if values.get("critic_steps") is None:
        values["critic_steps"] = LOSSES[values["loss"]].critic_steps
    values["betas"] = (0.0, 0.9) if LOSSES[values["loss"]].penalty else recipe.betas
    return values


def refuse_unfitting(values: dict[str, Any]) -> None:
    """Find options that do not go together.

    Raises
    ------
    UsageError
        Says which, and what would fit.
    """
    loss, penalised = values["loss"], LOSSES[values["loss"]].penalty > 0
    projected = values["discriminator"] == "projected"
    if values["r1"] and projected:
        raise UsageError(
            "--r1 goes with --discriminator plain: the projected one is bounded by its spectral "
            "normalisation, and its batch norms mix the pictures of a batch"
        )
    if values["r1"] and penalised:
        raise UsageError(f"--r1 does not go with --loss {loss}, which has a penalty of its own")
    if penalised and projected:
        raise UsageError(
            f"--loss {loss} penalises the gradient of a plain discriminator; with "
            "--discriminator projected use --loss hinge"
        )
    if (values["r1"] or penalised) and values["norm"] == "batch":
        raise UsageError(
            "a gradient penalty does not go with --norm batch, which mixes the pictures of a "
            "batch; use --norm none or spectral"
        )
    fitting = {"mlp": ("none",), "dcgan": ("none", "batch")}.get(values["arch"])
    if fitting and values["modulation"] not in fitting:
        raise UsageError(
            f"--modulation {values['modulation']} goes with --arch style; {values['arch']} has "
            f"{' and '.join(fitting)}"
        )
    if values["auxiliary"] and not values["conditional"]:
        raise UsageError("--auxiliary teaches classes; give it with --conditional")
    if values["minibatch_std"] and projected:
        raise UsageError("--minibatch-std goes with --discriminator plain")
    if values["batch"] < 2 and not (values["pairs"] or values["degrade"]):
        raise UsageError("--batch 1 has nothing to normalise over or to compare; give 2 or more")
    if penalised and values["conditional"] and values["diversity"]:
        raise UsageError(
            f"--diversity draws classes of its own, whose pictures --loss {loss} cannot mix with "
            "real ones of other classes; use another loss, or leave one out"
        )
    if values["minibatch_std"] and (values["pairs"] or values["degrade"]):
        raise UsageError("--minibatch-std does not go with pairs, which are not drawn from noise")
    if values["pairs"] or values["degrade"]:
        for name in ("conditional", "modulation", "mapping", "diversity"):
            if values[name] not in ("none", None, 0, False):
                raise UsageError(f"--{name} does not go with pairs, which have no latent")
        if values["arch"] != "dcgan":
            raise UsageError("pairs go with --arch dcgan")
        if projected:
            raise UsageError("pairs go with --discriminator plain, which sees both pictures")
    if values["pairs"] and (values["degrade"] or values["data"]):
        raise UsageError("--pairs has inputs of its own; give it without --data and --degrade")
    if not values["pairs"] and not values["data"]:
        raise UsageError("there is nothing to learn from; give --data, or --pairs")

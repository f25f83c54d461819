"""Recipes: their names, their settings, and the departures from the original study."""

import pytest

from twofold.engine.errors import InputError
from twofold.vae.recipes import RECIPES, departures, recipe
from twofold.vae.report import wording


def test_each_recipe_names_itself() -> None:
    assert {name: recipe(name).recipe for name in RECIPES} == {name: name for name in RECIPES}


def test_the_original_is_as_it_was() -> None:
    config = recipe("original")
    assert config.image.size == 64
    assert (config.model.network, config.model.latent_dim) == ("original", 256)
    assert config.likelihood.name == "bernoulli"
    assert config.objective.beta == 1


def test_only_the_original_departs() -> None:
    assert departures(recipe("default")) is None
    found = departures(recipe("original"))
    assert found is not None
    assert {line["setting"]: line["here"] for line in found} == {
        "train.optimiser": "AdamW",
        "train.learning_rate": 1e-3,
        "train.batch_size": 64,
        "train.epochs": 10,
    }


def test_departures_are_one_paragraph_for_page_and_terminal() -> None:
    config = recipe("original")
    limited = config.model_copy(update={"train": config.train.model_copy(update={"images": 12345})})
    found, short = departures(config), departures(limited)
    assert found is not None and short is not None
    assert "stride 2" in wording.departures(found)
    assert "AdamW at 0.001, batches of 64, 10 epochs." in wording.departures(found)
    assert "batches of 64, 12,345 images." in wording.departures(short)


def test_an_unknown_recipe_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="there are default, plain, original"):
        recipe("orignal")

"""Recipes: their names, their settings, and the departures from the original study."""

import pytest

from twofold.engine.errors import InputError
from twofold.vae.recipes import RECIPES, departures, recipe


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
    message = departures(
        recipe("original").model_copy(update={"train": recipe("original").train.model_copy(update={"images": 12345})})
    )
    assert message is not None
    assert "12,345 images" in message
    assert "stride 2" in message


def test_an_unknown_recipe_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="there are default, original"):
        recipe("orignal")

"""Configs: frozen, exact, and the same text for the same settings."""

import pytest
from pydantic import Field, ValidationError

from twofold.engine.config import Config, canonical
from twofold.engine.errors import InputError


class Inner(Config):
    """A group."""

    length: int = Field(default=3, ge=1)
    """Its length."""


class Outer(Config):
    """A config."""

    name: str = "default"
    inner: Inner = Inner()


def test_a_config_survives_its_text() -> None:
    config = Outer(name="Côte d'Ivoire", inner=Inner(length=5))

    assert Outer.from_json(config.to_json(), "config.json") == config
    assert config.to_json() == Outer.from_json(config.to_json(), "config.json").to_json()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"inner": {"length": 0}}', "inner.length: Input should be greater than or equal to 1, got 0"),
        ('{"inner": {"lenght": 4}}', "inner.lenght: Extra inputs are not permitted, got 4"),
        ('{"name": ', "config: Invalid JSON"),
    ],
)
def test_text_that_breaks_a_rule_is_refused_with_key_rule_and_value(text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        Outer.from_json(text, "runs/x/config.json")
    assert str(refused.value).startswith(f"runs/x/config.json: {said}")


def test_a_config_is_frozen_and_knows_no_other_key() -> None:
    with pytest.raises(ValidationError):
        Outer().name = "other"  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ValidationError):
        Outer(nmae="other")  # pyright: ignore[reportCallIssue]


def test_the_digest_follows_the_settings_alone() -> None:
    assert Outer().digest() == Outer(inner=Inner(length=3)).digest()
    assert Outer().digest() != Outer(inner=Inner(length=4)).digest()
    assert canonical({"b": 1, "a": [2]}) == canonical({"a": [2], "b": 1}) == '{"a":[2],"b":1}'


def test_attribute_docstrings_are_the_help() -> None:
    assert Inner.model_fields["length"].description == "Its length."

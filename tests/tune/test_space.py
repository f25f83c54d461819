"""The space: widened to hold the settings given, drawn by conditions."""

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tune.toy import SPACE, Group, Toy
from twofold.tune.space import Choice, Range, around, draw, lines, own_values, with_values


@given(rate=st.floats(1e-9, 1e9), depth=st.integers(-9, 9))
def test_a_space_holds_the_settings_given(rate: float, depth: int) -> None:
    base = Toy(group=Group(rate=rate, depth=depth))
    space, fixed = around(SPACE, base)
    assert fixed == []
    trial = optuna.trial.FixedTrial(own_values(space, base))
    assert with_values(base, draw(space, base, trial)) == base  # pyright: ignore[reportArgumentType]


def test_what_a_logarithm_can_not_hold_stays_as_it_is() -> None:
    space, fixed = around([Range("group.depth", 1, 9, log=True), *SPACE[:1]], Toy(group=Group(depth=0)))
    assert fixed == ["group.depth"] and [knob.name for knob in space] == ["group.rate"]


def test_a_value_is_drawn_where_its_condition_holds() -> None:
    square = optuna.trial.FixedTrial({"group.rate": 0.1, "group.kind": "square"})
    assert "group.depth" not in draw(SPACE, Toy(), square)  # pyright: ignore[reportArgumentType]
    alone = [Range("group.depth", 0, 4, when=("group.kind", "square"))]
    assert own_values(alone, Toy()) == {} and own_values(alone, Toy(group=Group(kind="square")))


def test_values_obey_the_rules_of_the_config() -> None:
    assert with_values(Toy(), {"group.depth": 3}) == Toy(group=Group(depth=3))
    with pytest.raises(ValidationError, match="depth 4 is not square"):
        with_values(Toy(), {"group.depth": 4, "group.kind": "square"})


def test_a_choice_gets_the_value_that_it_lacks() -> None:
    choice = Choice("group.depth", (1, 4))
    assert choice.holding(4) == choice and choice.holding(2).values == (1, 2, 4)
    assert Choice("group.kind", ("b", "a")).holding("c").values == ("b", "a", "c")


def test_the_space_is_told() -> None:
    text = lines(SPACE)
    assert "group.rate   0.001 to 1" in text and "with group.kind round" in text and "round, square" in text

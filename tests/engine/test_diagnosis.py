"""When a training has diverged, what is said, and that the error survives its way from a worker."""

import pickle

import pytest

from twofold.engine.diagnosis import lower, ran_away
from twofold.engine.errors import DivergedError


@pytest.mark.parametrize(
    ("loss", "ignorant", "diverged"),
    [
        (2.0, 1.0, False),
        (2.001, 1.0, True),
        (0.5, 1.0, False),
        (-1.0, -5.0, False),
        (0.0, -5.0, False),
        (0.1, -5.0, True),
        (0.0, 0.0, False),
    ],
)
def test_a_loss_ran_away_when_it_is_above_twice_that_of_knowing_nothing(
    loss: float, ignorant: float, diverged: bool
) -> None:
    assert ran_away(loss, ignorant) == diverged


def test_the_advice_is_the_usual_rate_or_a_tenth_of_a_smaller_one() -> None:
    assert lower("--rate", 10.0, 0.002) == "--rate is 10, give 0.002"
    assert lower("--rate", 0.004, 0.002) == "--rate is 0.004, give 0.0004"


def test_the_error_is_the_same_after_pickling() -> None:
    error = DivergedError("the loss became nan", "gru-0", lower("--rate", 1.0, 0.002))
    back = pickle.loads(pickle.dumps(error))
    assert str(back) == str(error) == "the training (gru-0) diverged: the loss became nan; --rate is 1, give 0.002"
    assert (back.how, back.who, back.advice, back.what) == (error.how, error.who, error.advice, error.what)
    assert str(DivergedError("it broke")) == "the training diverged: it broke; lower the learning rate"

from datetime import date

import pytest
from pydantic import ValidationError

from trend.walk.small import quick_walk
from twofold.engine.errors import InputError
from twofold.trend.recipes import WALKS, walk_recipe


@pytest.mark.parametrize("window", [{"per_region": "last"}, {"stride": 2}])
def test_a_walk_needs_every_origin(window: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="a walk needs every origin"):
        quick_walk(window=window)


def test_the_first_target_date_lies_before_the_last() -> None:
    with pytest.raises(ValidationError, match=r"must not lie after walk\.until 2020-03-01"):
        quick_walk(walk={"first": date(2020, 3, 2), "until": date(2020, 3, 1)})


def test_what_one_origin_reads_is_what_the_walk_says() -> None:
    config = quick_walk(seed=5, source={"negatives": "clip"})
    trend = config.trend
    for name in ("seed", "source", "window", "features", "model", "calibration", "score"):
        assert getattr(trend, name) == getattr(config, name)
    assert trend.screen.threshold == config.screen.threshold
    assert trend.train.jobs == 1
    assert trend.ensemble.partners == ("rnn", "lstm", "gru"), "whatever is pooled"


def test_recipes_have_their_names_and_unknown_ones_are_refused() -> None:
    assert all(walk_recipe(name).recipe == name for name in WALKS)
    assert walk_recipe("walk-mean7").window.target == "mean7"
    with pytest.raises(InputError, match="no such recipe; there are walk-next-day, walk-mean7"):
        walk_recipe("walk-home")

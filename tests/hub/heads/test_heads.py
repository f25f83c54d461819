"""The heads by name, and their forecasts: every place that is known, every horizon, in order."""

import numpy as np
import polars as pl
import pytest

from hub.season_small import (
    ALL_HEADS,
    CHANGE,
    CONFIG,
    FIRST,
    LOCATIONS,
    RULES,
    examples,
    head,
    learned,
    queries,
    replay,
)
from twofold.engine.errors import DivergedError
from twofold.hub.config import QUANTILE_HEADS, HubConfig
from twofold.hub.heads import fit_head, forecast
from twofold.hub.heads.autoregression import Autoregression
from twofold.hub.heads.climatology import Climatology
from twofold.hub.heads.logistic import Logistic
from twofold.hub.heads.network import Networks
from twofold.hub.heads.pmf import pmf_of
from twofold.hub.heads.quantile_network import QuantileNetworks
from twofold.hub.heads.quantile_trees import QuantileTrees
from twofold.hub.heads.renewal import Renewal
from twofold.hub.heads.trees import Trees
from twofold.hub.season import Known

KNOWN = replay().known(FIRST)


def test_each_name_is_its_head() -> None:
    kinds = [type(head(name)) for name in ALL_HEADS]
    plain = [Climatology, Logistic, Trees, Networks, Networks, Networks]
    assert kinds == [*plain, Autoregression, Renewal, QuantileTrees, QuantileNetworks]
    assert [head(cell).cell for cell in ("rnn", "lstm", "gru")] == ["rnn", "lstm", "gru"]  # pyright: ignore


@pytest.mark.parametrize(
    ("rate", "how"),
    [(1e38, r"the loss became|no longer finite"), (1e3, r"its last training loss is \S+, \S+ without any knowledge")],
)
@pytest.mark.parametrize(("name", "group"), [("gru", "network"), ("quantile_rnn", "quantile_network")])
def test_networks_that_diverge_are_no_head(name, group: str, rate: float, how: str) -> None:
    settings = {group: {"learning_rate": rate, "epochs": 2, "hidden": 4, "seeds": 1, "batch_size": 64}}
    with pytest.raises(DivergedError, match=how) as found:
        fit_head(name, examples(), RULES, HubConfig.model_validate(CONFIG.model_dump() | settings))
    assert found.value.who == f"{name}, seed 0"
    assert found.value.advice == f"--{group.replace('_', '-')}.learning-rate is {rate:g}, give 0.003"


@pytest.mark.parametrize("name", ALL_HEADS)
def test_forecasts_stand_in_order_with_their_own_probabilities(name) -> None:
    table = forecast(head(name), KNOWN, RULES, CONFIG).categories
    assert table.columns == ["reference_date", "horizon", "location", "category", "probability"]
    assert table.schema["reference_date"] == pl.Date
    rows = [
        (FIRST, horizon, place, category)
        for place in LOCATIONS["location"]
        for horizon in RULES.horizons
        for category in CHANGE.categories
    ]
    assert table.drop("probability").rows() == rows
    pmf = pmf_of(head(name), queries(), CHANGE, 0.0 if name in QUANTILE_HEADS else CONFIG.floor)
    assert table["probability"].to_list() == pmf.ravel().tolist()


def test_a_place_whose_newest_week_is_not_known_is_left_out() -> None:
    values = KNOWN.expected.values.copy()
    values[1, -1] = np.nan
    gap = Known(FIRST, KNOWN.counts, KNOWN.expected._replace(values=values), KNOWN.population, KNOWN.revisions)
    table = forecast(head("climatology"), gap, RULES, CONFIG).categories
    assert table["location"].unique().sort().to_list() == ["01", "04", "05", "06", "56", "US"]
    assert table["probability"].is_finite().all()


def test_forecasts_start_from_the_expected_counts_and_learn_from_the_published() -> None:
    doubled = KNOWN.expected._replace(values=KNOWN.expected.values * 2)
    other = Known(FIRST, KNOWN.counts, doubled, KNOWN.population, KNOWN.revisions)
    found, before = (forecast(head("trees"), known, RULES, CONFIG).categories for known in (other, KNOWN))
    assert found["probability"].to_list() != before["probability"].to_list()
    assert learned(other).queries.inputs.tobytes() == examples().queries.inputs.tobytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"heads": ("trees",), "pooled": ("trees", "gru", "rnn")}, "pooled must be among heads, which lack gru, rnn"),
        ({"pooled": ()}, "at least 1 item"),
        ({"pooled": ("gru", "gru")}, "must name each head once"),
        ({"heads": (*ALL_HEADS, "gru")}, "must name each head once"),
        ({"heads": ("elman",)}, "heads"),
    ],
)
def test_a_pool_of_heads_that_are_not_fitted_is_refused(change, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        HubConfig.model_validate(change)

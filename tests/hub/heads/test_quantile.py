"""Heads of quantiles: what they learn, what has no weight, seeds, and the levels between those that were fitted."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import norm

from hub.season_small import CHANGE, CONFIG, RULES, examples, head, queries
from twofold.hub.config import QUANTILE_HEADS, HeadName
from twofold.hub.distribution import LEVELS
from twofold.hub.examples import Examples, Queries
from twofold.hub.heads import fit_head
from twofold.hub.heads.quantile import QuantileHead, between, changes
from twofold.hub.heads.quantile_trees import FITTED
from twofold.hub.roots import root

MEDIAN = LEVELS.index(0.5)


def medians(found: QuantileHead) -> np.ndarray:
    return found.change(queries()).quantile(np.full((7, 4, 1), 0.5))[:, :, 0]


def learned(name: HeadName, known: Examples, seed: int = 0) -> QuantileHead:
    found = fit_head(name, known, RULES, CONFIG.model_copy(update={"seed": seed}))
    assert isinstance(found, QuantileHead)
    return found


def few() -> Examples:
    """Every third example."""
    known = examples()
    own = Queries(*(part[::3] for part in (known.queries.inputs, known.queries.base, known.queries.population)))
    return Examples(own, *(part[::3] for part in (known.change, known.weight, known.week, known.season)))


def test_between_two_levels_the_normal_distribution_leads() -> None:
    found = between(FITTED, norm.ppf(FITTED, 3, 2)[None, None])
    assert found[0, 0] == pytest.approx(norm.ppf(LEVELS, 3, 2))


def test_changes_are_of_fourth_roots() -> None:
    known = examples()
    found, horizon, row = changes(known), 2, 5
    base, persons = known.queries.base[[row]], known.queries.population[[row]]
    expected = root(base + known.change[row, horizon], persons) - root(base, persons)
    assert found[row, horizon] == pytest.approx(expected[0])
    assert (np.isnan(found) == np.isnan(known.change)).all()


@pytest.mark.parametrize("name", QUANTILE_HEADS)
def test_quantiles_and_thresholds_are_of_one_distribution(name: HeadName) -> None:
    own = head(name)
    assert isinstance(own, QuantileHead)
    cuts = queries().cuts(CHANGE)
    base, persons = (part[:, None, None] for part in (queries().base, queries().population))
    shape = np.zeros_like(cuts)
    change = root(base + cuts, persons + shape) - root(base + shape, persons + shape)
    expected = np.where(base + cuts < 0, 1.0, 1.0 - own.change(queries()).cdf(change))
    assert own.exceed(queries(), cuts).tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", QUANTILE_HEADS)
def test_what_has_no_weight_or_is_not_known_teaches_nothing(name: HeadName) -> None:
    known = few()
    odd = np.arange(len(known.change)) % 2 == 1
    weight = np.where(odd, 0.0, 1.0)
    parts = []
    for value in (900.0, np.nan):
        change = known.change.copy()
        change[odd] = value
        parts.append(learned(name, dataclasses.replace(known, change=change, weight=weight)))
    one, other = (medians(part) for part in parts)
    if name == "quantile_rnn":  # its unit, the changes' spread, is of all examples
        assert np.isfinite(other).all()
    else:
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("name", ("quantile_trees", "quantile_rnn"))
def test_the_seed_decides_and_nothing_else(name: HeadName) -> None:
    one, again, other = (medians(learned(name, few(), seed)) for seed in (0, 0, 5))
    assert one.tobytes() == again.tobytes()
    assert (one != other).any()


def test_the_autoregression_finds_its_line() -> None:
    known = few()
    roots = known.queries.inputs[:, :, -49]
    roots = np.where(np.isnan(roots), 0.9, roots)
    inputs = known.queries.inputs.copy()
    inputs[:, :, -49] = roots
    base, persons = known.queries.base[:, None], known.queries.population[:, None]
    start = root(base, persons)
    ahead = start + 0.02 * (roots[:, [-1]] - roots[:, [-2]]) + 0.1  # no count falls below 0
    change = np.broadcast_to((ahead**4 - start**4) * persons / 1e5, known.change.shape)
    own = Queries(inputs, known.queries.base, known.queries.population)
    found = learned("ar6", dataclasses.replace(known, queries=own, change=change))
    line = found.coefficients[:, 0]  # pyright: ignore[reportAttributeAccessIssue]
    assert line == pytest.approx([0, 0, 0, 0, -0.02, 0.02, 0.1], abs=1e-6)

"""The renewal head: growth that stays by hand, places without a case, weeks not known, calibration."""

import numpy as np
import pytest
from scipy import stats

from hub.season_small import RULES, examples, head
from twofold.hub.distribution import LEVELS, CountForecast
from twofold.hub.examples import Examples, Queries
from twofold.hub.growth import NAMES as GROWTH
from twofold.hub.heads.renewal import Renewal, counts, fit_renewal, outlook
from twofold.hub.roots import NAMES, root

WEEKS, PERSONS = 6, 1e6
ALL = np.array(LEVELS)


def queries_of(known: np.ndarray) -> Queries:
    """Queries of places of a million with these counts in the last weeks."""
    inputs = np.full((*known.shape, len(GROWTH) + len(NAMES)), np.nan)
    inputs[:, :, len(GROWTH) + NAMES.index("root")] = root(known, np.full(known.shape, PERSONS))
    return Queries(inputs, known[:, -1].astype(np.float64), np.full(len(known), PERSONS))


def model(weeks: int = 4, dispersion: float = 1e5) -> Renewal:
    ahead = np.arange(4) + 1
    return Renewal(ahead, np.full(4, weeks), np.full(4, dispersion), np.full(4, 3.0))


def medians(known: list[float], own: Renewal) -> np.ndarray:
    queries = queries_of(np.array([known], dtype=np.float64))
    found = CountForecast(queries.base, queries.population, own.change(queries))
    return found.quantiles([0.5])[0, :, 0]


def test_counts_are_those_of_the_queries() -> None:
    known = np.array([[3.0, np.nan, 0.0, 7.0, 50.0, 8.0]])
    assert counts(queries_of(known)) == pytest.approx(known, abs=1e-6, nan_ok=True)


def test_growth_that_stays_by_hand() -> None:
    """Prior Gamma(1, 1 / 5), 2,000 + 4,000 + 8,000 + 16,000 cases from half as many: the growth is 2."""
    found = medians([500, 1000, 2000, 4000, 8000, 16000], model())
    assert found == pytest.approx(16000 * 2.0 ** np.arange(1, 5), rel=0.01)
    last = outlook(np.array([[4.0, 8.0, 10.0]]), 1, 1, 0.5)
    assert last.mean[0] == pytest.approx((1 + 10) / (1 / 5 + 8) * 10, rel=1e-3)


def test_without_a_case_those_of_elsewhere_are_expected() -> None:
    queries = queries_of(np.array([[9.0, 9, 9, 9, 9, 0]]))
    found = CountForecast(queries.base, queries.population, model().change(queries)).quantiles(LEVELS)[0, 0]
    law = stats.poisson(3.0)
    assert (np.abs(found - law.ppf(ALL)) <= 0.51).all()
    assert found[-1] > 5


def test_a_week_that_is_not_known_leaves_the_others() -> None:
    found = medians([500, np.nan, np.nan, 1000, 1500, 2250], model())
    assert found[0] == pytest.approx(2250 * 1.5, rel=0.01)
    alone = outlook(np.array([[np.nan, np.nan, 100.0]]), 4, 1, 0.5)
    assert alone.mean[0] == pytest.approx(500, rel=0.01)  # the prior's mean of 5 a week


def test_what_is_fitted_is_that_of_the_examples() -> None:
    own = head("renewal")
    assert isinstance(own, Renewal)
    assert own.ahead.tolist() == [1, 2, 3, 4]
    assert set(own.weeks.tolist()) <= {1, 2, 3, 4}
    known = examples()
    none = known.queries.base == 0
    reached = known.change[none][:, 0]
    reached, weight = reached[np.isfinite(reached)], known.weight[none][np.isfinite(reached)]
    assert own.imported[0] == pytest.approx(((weight * reached).sum() + 1) / (weight.sum() + 2))


def test_it_is_calibrated_on_weeks_that_grow_as_it_says() -> None:
    """Coverage of central intervals within .05, P(rise) within .05 of the share that rose, at every horizon."""
    generator = np.random.default_rng(0)
    growth = generator.gamma(30, 1 / 30, (4000, 1))
    level = generator.uniform(100, 400, (4000, 1)) * growth ** np.arange(-5, 5)
    series = generator.negative_binomial(300, 300 / (300 + level)).astype(np.float64)
    learned, tested = series[:2000], series[2000:]
    change = learned[:, WEEKS:] - learned[:, [WEEKS - 1]]
    ones = np.ones(2000)
    known = Examples(queries_of(learned[:, :WEEKS]), change, ones, ones, np.ones(2000, dtype=np.int64))
    own, queries = fit_renewal(known, RULES), queries_of(tested[:, :WEEKS])
    found = CountForecast(queries.base, queries.population, own.change(queries))
    after = tested[:, WEEKS:, None]
    for low, high in ((0.25, 0.75), (0.05, 0.95)):
        ends = found.quantiles([low, high])
        covered = ((after >= ends[:, :, :1]) & (after <= ends[:, :, 1:])).mean(axis=(0, 2))
        assert covered == pytest.approx(high - low, abs=0.05)
    rise = found.exceed(np.full((2000, 4, 1), 0.5))[:, :, 0]
    rose = after[:, :, 0] > queries.base[:, None]
    for horizon in range(4):
        bins = np.clip((rise[:, horizon] * 5).astype(int), 0, 4)
        error = sum(abs((rise - rose)[bins == k, horizon].sum()) for k in range(5)) / 2000
        assert error < 0.05

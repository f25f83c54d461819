"""The renewal model: EpiEstim's published figures, cases worked by hand, numerical integration, simulated epidemics."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from twofold.counts.renewal import (
    INTERVALS,
    MOST_FITTED,
    ONE_STEP,
    PRIOR_SCALE,
    PRIOR_SHAPE,
    Outlook,
    Posterior,
    fit_dispersion,
    infectiousness,
    look_ahead,
    serial_interval,
    spread_out,
    weekly_rhythm,
)

SCHOOL = [1, 1, 0, 2, 5, 3, 3, 3, 6, 2, 5]
"""Cases by day of influenza A(H1N1) in a school in Pennsylvania in 2009 (Cauchemez et al. 2011), its first days."""


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def test_the_interval_is_that_of_epiestim() -> None:
    found = serial_interval(2.6, 1.5)
    printed = [0.233, 0.359, 0.198, 0.103, 0.053, 0.027, 0.014, 0.007, 0.003, 0.002]
    assert found[:10] == pytest.approx(printed, abs=6e-4)  # `Flu2009$si_distr`, three decimals
    assert found.sum() == pytest.approx(1)


@pytest.mark.parametrize("disease", INTERVALS)
def test_the_interval_is_a_triangular_mean_of_a_moved_gamma(disease: str) -> None:
    mean, deviation = INTERVALS[disease]
    law = stats.gamma(((mean - 1) / deviation) ** 2, scale=deviation**2 / (mean - 1))
    found = serial_interval(mean, deviation)
    by_day = np.array([
        integrate.quad(lambda u, k=k: (1 - abs(k - 1 - u)) * law.pdf(u), max(0, k - 2), k, points=[k - 1])[0]
        for k in range(1, len(found) + 1)
    ])  # fmt: skip
    assert found == pytest.approx(by_day / by_day.sum(), abs=1e-7)
    assert 1 - by_day.sum() < 1e-6 <= 1 - by_day[:-1].sum()
    assert found @ np.arange(1, len(found) + 1) == pytest.approx(mean, abs=1e-4)


def test_infectiousness_by_hand() -> None:
    found = infectiousness(np.array([[2.0, 0.0, 4.0, 1.0], [0.0, 0.0, 0.0, 8.0]]), column(0.5, 0.25, 0.25))
    assert found.tolist() == [[0, 1, 0.5, 2.5], [0, 0, 0, 0]]


def test_the_posterior_is_that_of_epiestim_on_its_example() -> None:
    """`estimate_R(Flu2009$incidence, "parametric_si", mean_si = 2.6, std_si = 1.5)`: the vignette's first windows."""
    counts = np.array([SCHOOL], dtype=np.float64)
    total = infectiousness(counts, serial_interval(2.6, 1.5))
    windows = [slice(start, start + 7) for start in range(1, 5)]
    found = Posterior.of(*(np.array([part[0, days].sum() for days in windows]) for part in (counts, total)))
    assert found.shape / found.rate == pytest.approx([1.735798, 1.749168, 1.537058, 1.431839], abs=2e-6)
    assert np.sqrt(found.shape) / found.rate == pytest.approx([0.4091314, 0.3647267, 0.3074116, 0.270592], abs=2e-6)


def test_a_posterior_by_hand_and_by_integration() -> None:
    """Cases 1 and 2 where .8 and 1 were expected of R = 1: Gamma(1 + 3, 1 / 5 + 1.8), so P(R > 1) = 19 / (3 e²)."""
    found = Posterior.of(column(3), column(1.8))
    assert (found.shape.tolist(), found.rate.tolist()) == ([4], [2])
    above = stats.gamma(found.shape, scale=1 / found.rate).sf(1)
    assert above == pytest.approx(19 / 3 * math.exp(-2))

    def joint(r: float) -> float:
        prior = stats.gamma(PRIOR_SHAPE, scale=PRIOR_SCALE).pdf(r)
        return float(prior * stats.poisson(0.8 * r).pmf(1) * stats.poisson(1.0 * r).pmf(2))

    assert above == pytest.approx(integrate.quad(joint, 1, np.inf)[0] / integrate.quad(joint, 0, np.inf)[0])


def test_the_nodes_have_the_moments_of_the_gamma_distribution() -> None:
    found = Posterior(column(1, 2, 5, 50, 1e5), column(0.2, 3, 4, 40, 1e5))
    r, shares = found.nodes()
    mean = found.shape / found.rate
    assert r @ shares == pytest.approx(mean, rel=2e-3)
    assert (r - mean[:, None]) ** 2 @ shares == pytest.approx(found.shape / found.rate**2, rel=0.03)
    assert (r >= 0).all()


def test_dates_ahead_by_hand() -> None:
    """R is 2 as good as surely: 2 (.5 · 4 + .5 · 6) = 10, then 2 (.5 · 10 + .5 · 4) = 14, then 2 (7 + 5) = 24."""
    sure = Posterior(column(2e12), column(1e12))
    recent, interval = np.array([[9.0, 6.0, 4.0]]), column(0.5, 0.5)
    found = [look_ahead(recent, interval, sure, dates) for dates in ((1, 1), (2, 2), (1, 3), (2, 3))]
    assert [float(each.mean[0]) for each in found] == pytest.approx([10, 14, 48, 38])
    assert [float(each.square[0]) for each in found] == pytest.approx([100, 196, 100 + 196 + 576, 196 + 576])
    assert [float(each.spread[0]) for each in found] == pytest.approx([0] * 4, abs=1e-6)


@pytest.mark.parametrize("cases", [0.0, 3.0, 40.0, 900.0])
@pytest.mark.parametrize("dispersion", [0.8, 5.0, 1e4])
def test_chances_are_those_of_an_integral_over_r(cases: float, dispersion: float) -> None:
    """Gamma's mixture of negative binomial counts, integrated numerically; ours has its first two moments."""
    force = cases / 7 + 0.5
    posterior = Posterior.of(column(cases), column(7 * force))
    law = stats.gamma(posterior.shape[0], scale=1 / posterior.rate[0])
    found = look_ahead(np.array([[force]]), ONE_STEP, posterior, (1, 1))
    for threshold in np.unique(np.rint(force * np.array([0, 0.5, 1, 1.5, 2.5]))):

        def joint(r: float, threshold: float = threshold) -> float:
            above = stats.nbinom(dispersion, dispersion / (dispersion + r * force)).sf(threshold)
            return float(above * law.pdf(r))

        low, high = law.ppf([1e-9, 1 - 1e-9])
        expected = integrate.quad(joint, low, high, limit=200)[0]
        assert found.exceed(column(threshold), dispersion)[0] == pytest.approx(expected, abs=0.012)


def test_what_no_case_leads_to_is_no_case() -> None:
    none = look_ahead(np.zeros((3, 2)), column(0.5, 0.5), Posterior.of(column(0, 5, 0), column(0, 5, 2)), (1, 7))
    assert none.exceed(column(0, 3, -1), 2.0).tolist() == [0, 0, 1]
    assert none.quantiles(column(0.1, 0.9), 2.0).tolist() == [[0, 0]] * 3


def test_quantiles_lie_within_half_a_case_of_those_of_the_counts() -> None:
    found = Outlook(column(0.7, 12, 4000), column(0.1, 9, 1e5), column(0.49, 144, 1.6e7))
    levels = column(0.025, 0.3, 0.5, 0.9)
    values = found.quantiles(levels, 6.0)
    size = found.size(6.0)[:, None]
    law = stats.nbinom(size, size / (size + found.mean[:, None]))
    whole = law.ppf(levels)
    assert (np.abs(values - whole) <= 0.5).all()
    assert (np.diff(values, axis=1) > 0).all()
    share = values + 0.5 - whole
    assert (1 - share) * law.cdf(whole - 1) + share * law.cdf(whole) == pytest.approx(np.tile(levels, (3, 1)))
    for place, level in enumerate(levels):
        assert (found.exceed(whole[:, place], 6.0) <= 1 - level).all()


def test_weekly_growth_is_the_r_of_the_interval_on_another_scale() -> None:
    """Wallinga & Lipsitch: a continuous renewal at steady growth, summed to weeks, multiplies by g each week."""
    mean, deviation, growth = 4.7, 2.9, 1.6
    rate = math.log(growth) / 7
    r = (1 + rate * deviation**2 / mean) ** ((mean / deviation) ** 2)
    law = stats.gamma((mean / deviation) ** 2, scale=deviation**2 / mean)
    assert 1 / integrate.quad(lambda a: math.exp(-rate * a) * law.pdf(a), 0, np.inf)[0] == pytest.approx(r)
    days = np.exp(rate * np.arange(70))
    weeks = days.reshape(10, 7).sum(axis=1)
    assert weeks[1:] / weeks[:-1] == pytest.approx([growth] * 9)


@pytest.mark.parametrize("true", [2.0, 8.0])
def test_the_dispersion_is_found_where_the_mean_is_known(true: float) -> None:
    generator = np.random.default_rng(0)
    mean = generator.uniform(5, 300, 4000)
    observed = generator.negative_binomial(true, true / (true + mean)).astype(np.float64)
    known, wrong = (Outlook(level, np.zeros(4000), level**2) for level in (mean, 2 * mean))
    (found, loss), (_, larger) = (fit_dispersion(each, observed, np.ones(4000)) for each in (known, wrong))
    assert found == pytest.approx(true, rel=0.06)
    assert loss < larger
    poisson, _ = fit_dispersion(known, generator.poisson(mean).astype(np.float64), np.ones(4000))
    assert poisson > 1000


def test_losses_differ_by_the_likelihood() -> None:
    mean, observed = column(3, 8, 20), column(5, 8, 11)
    size = 4.0
    losses, exact = [], []
    for level in (mean, 2 * mean):
        outlook = Outlook(level, level**2 / size, np.zeros(3))  # its own spread is noise of that size; none is left
        losses.append(fit_dispersion(outlook, observed, np.ones(3))[1])
        exact.append(-stats.nbinom(size, size / (size + level)).logpmf(observed).sum())
    assert losses[1] - losses[0] == pytest.approx(exact[1] - exact[0])


def test_what_has_no_weight_and_what_is_held_impossible_teach_nothing() -> None:
    generator = np.random.default_rng(2)
    mean, odd = generator.uniform(5, 300, 400), np.arange(400) % 2 == 1
    observed = generator.negative_binomial(5, 5 / (5 + mean)).astype(np.float64)
    whole = Outlook(mean, np.zeros(400), mean**2)
    expected = fit_dispersion(whole[~odd], observed[~odd], np.ones(200))
    assert fit_dispersion(whole, np.where(odd, 1e6, observed), np.where(odd, 0.0, 1.0)) == expected
    none = Outlook(np.where(odd, 0.0, mean), np.zeros(400), mean**2)
    assert fit_dispersion(none, np.where(odd, 7.0, observed), np.ones(400)) == expected


def test_the_rhythm_of_a_week_by_hand() -> None:
    """Four weeks of 10 expected a day; 30 cases on each Sunday, 40 / 6 on other days: R is 1."""
    other = 40 / 6
    cases = np.tile([other] * 6 + [30.0], (1, 4))
    found = weekly_rhythm(cases, np.full((1, 28), 10.0))
    assert found[0] == pytest.approx([(4 * other + 1) / 41] * 6 + [121 / 41])
    assert weekly_rhythm(np.zeros((2, 28)), np.zeros((2, 28))).tolist() == [[1.0] * 7] * 2
    grown = 1.3 ** np.arange(28.0)[None]
    assert weekly_rhythm(1.5 * grown, grown) == pytest.approx(np.ones((1, 7)))  # growth is no rhythm


def test_a_rhythm_multiplies_the_days_and_no_case_of_theirs() -> None:
    sure = Posterior(column(1e12), column(1e12))
    reported = np.array([[2.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0]])
    found = [look_ahead(np.array([[8.0]]), ONE_STEP, sure, (day, day), reported).mean[0] for day in (1, 2, 3, 8, 9)]
    assert found == pytest.approx([16, 0, 8, 16, 0], abs=1e-3)


def test_of_many_rows_some_evenly() -> None:
    assert spread_out(np.arange(MOST_FITTED)).tolist() == list(range(MOST_FITTED))
    found = spread_out(np.arange(3 * MOST_FITTED))
    assert len(found) == MOST_FITTED
    assert set(np.diff(found).tolist()) <= {2, 3, 4}

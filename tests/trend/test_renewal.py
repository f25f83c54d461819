"""The renewal baseline: its question is the label's, cases by hand, and calibration on epidemics whose R is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from trend.small import dates_from, increments_of
from twofold.counts.panel import Increments
from twofold.counts.renewal import INTERVALS, infectiousness, serial_interval
from twofold.scoring.binary import ece, log_score
from twofold.trend.config import FeatureConfig, Target, WindowConfig
from twofold.trend.features import Inputs, apply_features, fit_features
from twofold.trend.renewal import Renewal, ahead, compared, fit_renewal, sums
from twofold.trend.windows import Windows, slide

FEATURES = FeatureConfig(inputs=("log1p",))


def prepared(increments: Increments, config: WindowConfig) -> tuple[Inputs, Windows]:
    windows = slide(increments, np.ones(len(increments.regions), dtype=bool), config)
    fit = fit_features(increments, windows, np.arange(len(windows)), FEATURES, config)
    return apply_features(fit, increments, windows.region, windows.origin, config), windows


@pytest.mark.parametrize("target", ["next_day", "mean7", "sum7"])
@pytest.mark.parametrize("horizon", [1, 3, 7, 9])
def test_the_counts_compared_are_the_labels(target: Target, horizon: int) -> None:
    counts = np.random.default_rng(3).integers(-2, 9, (3, 40))
    config = WindowConfig(length=5, target=target, horizon=horizon)
    inputs, windows = prepared(increments_of(counts), config)
    first, last = ahead(target, horizon)
    to_come = sums(counts, inputs.region, inputs.origin + first, last - first + 1)
    known = compared(inputs, np.arange(len(inputs)))
    assert (to_come > known).tolist() == windows.up.tolist()
    assert (to_come == known).tolist() == windows.tie.tolist()
    for origin in np.unique(inputs.origin):  # and all of it is known at the origin: later counts may be anything
        cut = replace(inputs, increments=increments_of(np.where(np.arange(40) > origin, 777, counts)))
        here = np.flatnonzero(inputs.origin == origin)
        assert (compared(cut, here) == known[here]).all()


def test_a_day_by_hand() -> None:
    counts = [[1, 1, 0, 2, 5, 3, 3, 3, 6, 2, 5, 0]]
    inputs, _ = prepared(increments_of(counts), WindowConfig(length=5))
    found = Renewal("influenza", 1, False, 4.0, 0.1, 0.2, 1e-9).predict(inputs, np.array([len(inputs) - 1]))
    interval = serial_interval(*INTERVALS["influenza"])
    force = infectiousness(np.array(counts, dtype=float), interval)[0]
    shape, rate = 1 + 27, 1 / 5 + force[4:11].sum()  # of the seven days to the origin, the eleventh
    mean = shape / rate * force[11]
    variance = mean + mean**2 * (1 / shape + (1 + 1 / shape) / 4.0)
    law = stats.nbinom(mean**2 / (variance - mean), mean / variance)
    assert found[0] == pytest.approx(law.sf(5), abs=1e-4)


def test_weeks_use_the_growth_of_weeks() -> None:
    counts = [[5, 10, 20, 40, 80, 0]]  # the last count is none that an origin sees
    inputs, _ = prepared(increments_of(counts, step=7), WindowConfig(length=2))
    found = Renewal(None, 2, False, 50.0, 0.1, 0.2, 1e-9).predict(inputs, np.array([len(inputs) - 1]))
    shape, rate = 1 + 40 + 80, 1 / 5 + 20 + 40
    mean = shape / rate * 80
    size = 1 / (1 / shape + (1 + 1 / shape) / 50.0)
    assert found[0] == pytest.approx(stats.nbinom(size, size / (size + mean)).sf(80), abs=1e-6)


def test_windows_without_a_case_have_their_share_and_none_is_certain() -> None:
    counts = np.array([[0] * 9 + [7000] + [9] * 20, [1, 7000] * 15, [0] * 30, [0] * 29 + [1]])
    inputs, windows = prepared(increments_of(counts), WindowConfig(length=3))
    every = np.arange(len(windows))
    found = fit_renewal(inputs, windows.up, every).predict(inputs, every)
    assert found[~windows.active] == pytest.approx(3 / ((~windows.active).sum() + 2))  # two of them rose
    least = 1 / (windows.active.sum() + 2)
    assert found[windows.active].min() >= least
    assert found[windows.active].max() <= 1 - least


def test_after_a_week_without_a_case_the_share_of_such_weeks_rises() -> None:
    counts = np.array([[9, 0, 4, 0, 0, 5, 8, 7, 0, 3, 6, 0, 0, 2]])
    inputs, windows = prepared(increments_of(counts, step=7), WindowConfig(length=3))
    every = np.arange(len(windows))
    found = fit_renewal(inputs, windows.up, every).predict(inputs, every)
    none = (counts[0, windows.origin] == 0) & windows.active
    assert none.sum() == 5
    assert found[none] == pytest.approx((3 + 1) / (5 + 2))


def test_many_windows_are_forecast_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = np.random.default_rng(0).poisson(4, (3, 40))
    inputs, windows = prepared(increments_of(counts), WindowConfig(length=3))
    every = np.arange(len(windows))
    model = fit_renewal(inputs, windows.up, every)
    whole = model.predict(inputs, every)
    monkeypatch.setattr("twofold.trend.renewal._AT_ONCE", 25)
    assert model.predict(inputs, every) == pytest.approx(whole, rel=1e-12)


def test_without_a_training_window_there_is_a_forecast() -> None:
    inputs, windows = prepared(increments_of(np.full((2, 20), 6)), WindowConfig(length=3))
    found = fit_renewal(inputs, windows.up, np.arange(0)).predict(inputs, np.arange(len(windows)))
    assert (found == 0.5).all()  # as Laplace's rule has it


def test_reports_of_a_day_of_the_week_are_known_by_their_rhythm() -> None:
    generator = np.random.default_rng(1)
    week = generator.poisson(generator.uniform(50, 400, (30, 10)))
    counts = np.zeros((30, 70), dtype=np.int64)
    counts[np.arange(30)[:, None], 7 * np.arange(10) + np.arange(30)[:, None] % 7] = week
    names = tuple(f"region {row}" for row in range(30))
    inputs, windows = prepared(
        Increments(names, dates_from("2024-01-01", 70), counts), WindowConfig(length=7, start=28)
    )
    early = np.flatnonzero(windows.origin < 50)
    model = fit_renewal(inputs, windows.up, early)
    late = np.flatnonzero(windows.origin >= 50)
    assert model.rhythm
    plain = replace(model, rhythm=False)
    found, without = (log_score(each.predict(inputs, late), windows.up[late]) for each in (model, plain))
    assert found < 0.2 < without


def epidemics(seed: int, interval: np.ndarray, noise: float, dates: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """Counts of 400 regions by the renewal model, noise of a size included; and each count's expectation.

    R is each region's own: gamma, of mean 1 and deviation .2.
    """
    generator = np.random.default_rng(seed)
    r = generator.gamma(25, 1 / 25, 400)
    counts, expected = np.zeros((400, dates)), np.zeros((400, dates))
    counts[:, :10] = generator.poisson(generator.gamma(2, 50, (400, 1)), (400, 10))
    for date in range(10, dates):
        back = min(date, len(interval))
        expected[:, date] = r * (counts[:, date - back : date][:, ::-1] @ interval[:back])
        mean = np.maximum(expected[:, date], 1e-9)
        counts[:, date] = generator.negative_binomial(noise, noise / (noise + mean))
    return counts.astype(np.int64), expected


def split(counts: np.ndarray, config: WindowConfig, step: int = 1) -> tuple[Inputs, Windows, np.ndarray, np.ndarray]:
    """Windows, those whose label is known on date 35, and those with a case from then on."""
    names = tuple(f"region {row}" for row in range(len(counts)))
    increments = Increments(names, dates_from("2024-01-01", counts.shape[1], step), counts)
    inputs, windows = prepared(increments, config)
    early = windows.origin + windows.lookahead <= 35
    return inputs, windows, np.flatnonzero(early), np.flatnonzero((windows.origin >= 35) & windows.active)


SETTINGS = {
    "influenza": (serial_interval(*INTERVALS["influenza"]), 10.0, 1, 0.025),
    "COVID-19": (serial_interval(*INTERVALS["COVID-19"]), 10.0, 1, 0.025),
    "weeks": (np.ones(1), 70.0, 7, 0.06),  # seven days of noise of size 10 that are independent of each other
}
"""Interval, noise, days of a step, and the calibration error that is allowed.

In weeks it is the larger: R's posterior takes counts for Poisson, as that of Cori et al. does, so it is too sure of R
where a window holds four noisy counts.
"""


@pytest.mark.parametrize("name", SETTINGS)
def test_it_is_calibrated_where_r_is_known(name: str) -> None:
    """Expected calibration error as in `SETTINGS`; within .05 nats of who knows R; .1 better than the base rate."""
    interval, noise, step, tolerance = SETTINGS[name]
    counts, expected = epidemics(0, interval, noise)
    inputs, windows, train, test = split(counts, WindowConfig(length=5, start=10), step)
    model = fit_renewal(inputs, windows.up, train)
    found, up = model.predict(inputs, test), windows.up[test]
    region, origin = windows.region[test], windows.origin[test]
    mean = np.maximum(expected[region, origin + 1], 1e-9)
    true = stats.nbinom(noise, noise / (noise + mean)).sf(counts[region, origin])
    assert len(test) > 3000
    assert ece(found, up) < tolerance
    assert log_score(found, up) < log_score(true, up) + 0.05
    assert log_score(found, up) < log_score(np.full(len(up), up.mean()), up) - 0.1


@pytest.mark.parametrize(("target", "tolerance"), [("mean7", 0.035), ("sum7", 0.06)])
def test_sums_of_a_week_are_calibrated(target: Target, tolerance: float) -> None:
    """Further ahead the same excess of certainty about R weighs more."""
    interval, noise, *_ = SETTINGS["COVID-19"]
    inputs, windows, train, test = split(epidemics(5, interval, noise)[0], WindowConfig(length=5, target=target))
    assert ece(fit_renewal(inputs, windows.up, train).predict(inputs, test), windows.up[test]) < tolerance


@pytest.mark.parametrize("disease", INTERVALS)
def test_interval_and_noise_are_those_of_the_epidemic(disease: str) -> None:
    interval, noise, *_ = SETTINGS[disease]
    inputs, windows, train, _ = split(epidemics(1, interval, noise)[0], WindowConfig(length=5, start=20))
    found = fit_renewal(inputs, windows.up, train)
    assert found.disease == disease
    assert found.dispersion == pytest.approx(noise, rel=0.15)


def test_the_future_teaches_nothing() -> None:
    counts, _ = epidemics(2, SETTINGS["influenza"][0], 10.0)
    inputs, windows, train, test = split(counts, WindowConfig(length=5))
    counts[:, 36:] = 5
    changed, known, *_ = split(counts, WindowConfig(length=5))
    assert fit_renewal(changed, known.up, train) == fit_renewal(inputs, windows.up, train)
    now = test[windows.origin[test] == 35]
    model = fit_renewal(inputs, windows.up, train)
    assert model.predict(changed, now).tobytes() == model.predict(inputs, now).tobytes()

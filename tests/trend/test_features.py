"""Features: every channel against plain loops, no channel sees a later date, all is learned from training windows."""

import datetime
import math

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError

from trend.small import EVERY_INPUT, NAMES, increments_of
from trend.test_windows import TARGETS, compared
from twofold.counts.panel import Increments
from twofold.engine.errors import InputError
from twofold.trend.config import FeatureConfig, Target, WindowConfig
from twofold.trend.features import (
    FeatureFit,
    Inputs,
    apply_features,
    compute_channels,
    first_alike,
    fit_features,
    median_growth,
    reference,
    reference_gaps,
    trailing_mean,
)
from twofold.trend.windows import Windows, reach, slide

COUNTS = arrays(np.int64, st.tuples(st.integers(2, 4), st.integers(2, 24)), elements=st.integers(-2, 9))
WINDOW_CONFIGS = st.builds(
    WindowConfig, length=st.integers(1, 6), horizon=st.integers(1, 4), target=st.sampled_from(TARGETS)
)
NEXT_DAY = WindowConfig(length=3)


def channels_of(counts, name: str, window: WindowConfig = NEXT_DAY, context: tuple[str, ...] = NAMES, step: int = 1):
    """One input's channels as a list of (regions, dates) arrays."""
    channels = compute_channels(increments_of(counts, step=step), (name,), context, window)
    both = np.concatenate([channels.sequence, channels.static], axis=2)
    assert channels.groups == (name,) * both.shape[2]
    return list(np.moveaxis(both, 2, 0))


def same(found, expected) -> bool:
    return np.allclose(found, np.array(expected, dtype=float), rtol=1e-5, atol=1e-6)


def log1p(count: float) -> float:
    return math.log1p(max(count, 0))


def change(row, d: int) -> float:
    if d == 0:
        return 0.0
    return (row[d] - row[d - 1]) / math.sqrt(abs(row[d]) + abs(row[d - 1]) + 1)


def mean_of_last(row, d: int, width: int) -> float:
    held = row[max(0, d - width + 1) : d + 1]
    return sum(held) / len(held)


def weekly_growth(row, d: int) -> float:
    return log1p(mean_of_last(row, d, 7)) - log1p(mean_of_last(row, d - 7, 7)) if d >= 7 else 0.0


@given(COUNTS, st.integers(1, 6))
def test_inputs_of_one_region_equal_plain_loops(counts, length):
    rows = counts.tolist()
    formulas = {
        "raw": lambda row, d: row[d],
        "log1p": lambda row, d: log1p(row[d]),
        "change": change,
        "log_diff": lambda row, d: log1p(row[d]) - log1p(row[d - 1]) if d else 0.0,
        "against_mean": lambda row, d: log1p(row[d]) - log1p(mean_of_last(row, d, length)),
    }
    for name, formula in formulas.items():
        (found,) = channels_of(counts, name, WindowConfig(length=length))
        assert same(found, [[formula(row, d) for d in range(len(row))] for row in rows]), name


@given(COUNTS, st.integers(1, 3))
def test_cross_region_equals_plain_loops_over_the_context(counts, known):
    context = counts[:known].tolist()
    total = [sum(day) for day in zip(*context, strict=True)]
    dates = range(counts.shape[1])
    mean_change, growth = channels_of(counts, "cross_region", context=NAMES[:known])
    expected = [sum(change(row, d) for row in context) / len(context) for d in dates]
    assert same(mean_change, [expected] * len(counts))
    assert same(growth, [[weekly_growth(total, d) for d in dates]] * len(counts))


@pytest.mark.parametrize("horizon", [1, 2, 9])
def test_weekday_is_that_of_the_target_date(horizon):
    found = channels_of(np.zeros((1, 20)), "weekday", WindowConfig(length=3, horizon=horizon))
    first = datetime.date(2020, 1, 1)
    for d in range(20):
        target = first + datetime.timedelta(days=d + horizon)
        assert [int(channel[0, d]) for channel in found] == [int(day == target.weekday()) for day in range(7)]


@pytest.mark.parametrize(("step", "horizon"), [(1, 1), (7, 1), (7, 3)])
def test_season_is_the_target_dates_place_in_the_year(step, horizon):
    found = channels_of(np.zeros((2, 60)), "season", WindowConfig(length=3, horizon=horizon), step=step)
    assert len(found) == 4
    for d in range(60):
        target = datetime.date(2020, 1, 1) + datetime.timedelta(days=step * (d + horizon))
        turn = 2 * math.pi * (target - datetime.date(target.year, 1, 1)).days / 365.25
        waves = [wave(turns * turn) for turns in (1, 2) for wave in (math.sin, math.cos)]
        assert same([channel[1, d] for channel in found], waves)


@settings(max_examples=50, deadline=None)
@given(COUNTS, WINDOW_CONFIGS, st.integers(1, 3))
def test_history_equals_plain_loops(counts, window, known):
    rows = counts.tolist()
    ahead = reach(window.target, window.horizon)[1]

    def labels(r: int, d: int, same_weekday_as: int | None) -> list[tuple[float, bool]]:
        """(weight on date d, up) of every label of a region that is known by then."""
        found = []
        for t in range(d + 1):
            pair, arrival = compared(rows[r], t, window.target, window.horizon), t + ahead
            fits = same_weekday_as is None or (arrival - same_weekday_as) % 7 == 0
            if pair and arrival <= d and fits:
                found.append((0.5 ** ((d - arrival) / 56), pair[1] > pair[0]))
        return found

    def share(r: int, d: int, weekday: int | None = None) -> float:
        def sums(region: int) -> np.ndarray:
            return np.array([0.0, 0.0]) + sum(np.array([w * up, w]) for w, up in labels(region, d, weekday))

        ups, total = sum(sums(region) for region in range(min(known, len(rows))))
        own_ups, own_total = sums(r)
        return (own_ups + 8 * (ups + 1) / (total + 2)) / (own_total + 8)

    def weekday_lift(r: int, d: int) -> float:
        last = max((e for e in range(d + 1) if (d + ahead - e) % 7 == 0), default=None)
        return 0.0 if last is None else share(r, last, weekday=last) - share(r, d)

    own, level, growth, lift = channels_of(counts, "history", window, NAMES[:known])
    each = [(r, d) for r in range(len(rows)) for d in range(len(rows[r]))]
    assert same(own.ravel(), [share(r, d) for r, d in each])
    assert same(level.ravel(), [log1p(mean_of_last(rows[r], d, 28)) for r, d in each])
    assert same(growth.ravel(), [weekly_growth(rows[r], d) for r, d in each])
    assert same(lift.ravel(), [weekday_lift(r, d) for r, d in each])


def test_history_by_hand():
    """One region that rises on the third date: labels known on date 1 are [up], on date 2 [up, not up] …"""
    own, *_ = channels_of([[1, 2, 2]], "history", context=NAMES[:1])
    fade = 0.5 ** (1 / 56)
    pooled = [1 / 2, 2 / 3, (fade + 1) / (fade + 1 + 2)]
    assert same(own, [[pooled[0], (1 + 8 * pooled[1]) / 9, (fade + 8 * pooled[2]) / (fade + 1 + 8)]])


def test_weekly_data_has_no_weekday():
    counts = np.arange(20).reshape(2, 10)
    assert channels_of(counts, "weekday", step=7) == []
    assert len(channels_of(counts, "history", step=7)) == 3


@given(COUNTS, WINDOW_CONFIGS, st.booleans(), st.data())
def test_no_channel_sees_a_later_date(counts, window, weekly, data):
    day = data.draw(st.integers(0, counts.shape[1] - 1))
    changed = counts.copy()
    changed[:, day + 1 :] = data.draw(arrays(np.int64, changed[:, day + 1 :].shape, elements=st.integers(-99, 9999)))
    for values in (counts, changed):
        values.setflags(write=False)
    before, after = (
        compute_channels(increments_of(values, step=7 if weekly else 1), EVERY_INPUT, NAMES[:2], window)
        for values in (counts, changed)
    )
    for kind in ("sequence", "static"):
        assert np.array_equal(getattr(before, kind)[:, : day + 1], getattr(after, kind)[:, : day + 1])


def prepared(regions: int = 4, dates: int = 40, seed: int = 0) -> tuple[Increments, Windows]:
    counts = np.random.default_rng(seed).poisson(6, (regions, dates))
    counts[0] = 0  # a region without a case: some channels never change there
    increments = increments_of(counts)
    return increments, slide(increments, np.ones(regions, dtype=bool), WindowConfig(length=5))


FIVE = WindowConfig(length=5)


def fit(increments: Increments, windows: Windows, train: np.ndarray, **config) -> FeatureFit:
    return fit_features(increments, windows, train, FeatureConfig(inputs=EVERY_INPUT, **config), FIVE)


def test_scaling_is_mean_and_deviation_of_the_training_windows():
    increments, windows = prepared()
    train = np.flatnonzero((windows.region > 1) & (windows.origin < 20))
    found = fit(increments, windows, train)
    channels = compute_channels(increments, EVERY_INPUT, NAMES[2:4], FIVE)
    cells = sorted({(windows.region[i], windows.origin[i] - lag) for i in train for lag in range(5)})
    held = np.array([channels.sequence[cell] for cell in cells], dtype=float)
    origins = np.array([channels.static[windows.region[i], windows.origin[i]] for i in train], dtype=float)
    assert found.context == NAMES[2:4]
    assert same(found.mean, [*held.mean(axis=0), *origins.mean(axis=0)])
    assert same(found.deviation, [*held.std(axis=0), *origins.std(axis=0)])


@settings(max_examples=30, deadline=None)
@given(st.integers(4, 30), st.data())
def test_nothing_is_learned_from_later_dates_or_other_regions(last, data):
    increments, windows = prepared()
    train = np.flatnonzero((windows.region != 3) & (windows.origin <= last))
    counts = increments.counts.copy()
    counts[:, last + 1 :] = data.draw(arrays(np.int64, (4, 39 - last), elements=st.integers(-5, 999)))
    counts[3] = data.draw(arrays(np.int64, 40, elements=st.integers(-5, 999)))
    assert fit(increments_of(counts), windows, train) == fit(increments, windows, train)


def test_features_do_depend_on_training_windows():
    increments, windows = prepared()
    train = np.flatnonzero(windows.origin <= 20)
    counts = increments.counts.copy()
    counts[1, 20] += 50
    assert fit(increments_of(counts), windows, train) != fit(increments, windows, train)


def test_an_input_that_never_changes_is_not_divided_by_zero():
    increments, windows = prepared()
    found = fit(increments, windows, np.flatnonzero(windows.region == 0))
    assert found.deviation[0] == 1.0
    assert all(deviation > 0 for deviation in found.deviation)


def test_without_scaling_inputs_are_the_channels():
    increments, windows = prepared()
    found = fit(increments, windows, np.arange(len(windows)), scale=False)
    assert set(found.mean) == {0.0}
    assert set(found.deviation) == {1.0}
    inputs = apply_features(found, increments, windows.region, windows.origin, FIVE)
    assert np.array_equal(inputs.sequence, compute_channels(increments, EVERY_INPUT, found.context, FIVE).sequence)


def applied() -> tuple[Increments, Windows, FeatureFit, Inputs]:
    increments, windows = prepared()
    found = fit(increments, windows, np.arange(60))
    return increments, windows, found, apply_features(found, increments, windows.region, windows.origin, FIVE)


def test_inputs_are_scaled_channels_named_by_their_input():
    increments, windows, found, inputs = applied()
    channels = compute_channels(increments, EVERY_INPUT, found.context, FIVE)
    width = channels.sequence.shape[2]
    assert same(inputs.sequence, (channels.sequence - found.mean[:width]) / found.deviation[:width])
    assert same(inputs.static, (channels.static - found.mean[width:]) / found.deviation[width:])
    one_each = ("raw", "log1p", "change", "log_diff", "against_mean")
    assert inputs.groups == (*one_each, *("cross_region",) * 2, *("weekday",) * 7, *("season",) * 4, *("history",) * 4)
    assert len(inputs) == len(windows)
    assert (inputs.active == windows.active).all()
    rows = increments.counts.tolist()
    assert same(inputs.change, [change(rows[r], t) for r, t in zip(windows.region, windows.origin, strict=True)])


def test_a_batch_holds_the_dates_up_to_each_origin():
    _, windows, _, inputs = applied()
    rows = torch.tensor([0, 77, 3, 139, 77])
    sequence, static = inputs.batch(rows)
    assert sequence.shape == (5, 5, 7)
    for k, i in enumerate(rows.tolist()):
        r, t = windows.region[i], windows.origin[i]
        assert np.array_equal(sequence[k], inputs.sequence[r, t - 4 : t + 1])
        assert np.array_equal(static[k], inputs.static[r, t])


def test_a_table_row_is_the_batch_flat():
    *_, inputs = applied()
    rows = np.array([5, 1])
    table = inputs.table(rows)
    sequence, static = inputs.batch(torch.from_numpy(rows))
    assert np.array_equal(table, np.concatenate([sequence.reshape(2, 35), static], axis=1))
    assert np.array_equal(inputs.table()[rows], table)


def test_windows_are_views_of_the_channels_and_no_copies():
    *_, inputs = applied()
    inputs.batch(torch.tensor([0]))
    inputs.sequence[:] = 7.0
    assert (inputs.batch(torch.tensor([3]))[0] == 7.0).all()


@given(
    arrays(np.int64, st.tuples(st.integers(1, 4), st.integers(11, 20)), elements=st.integers(0, 1)),
    st.integers(1, 9),
    st.sampled_from([("raw",), ("raw", "change"), ("log_diff", "weekday"), ("season",)]),
)
def test_equal_windows_are_those_with_equal_rows_of_the_table(counts, length, names):
    increments, window = increments_of(counts), WindowConfig(length=length)
    windows = slide(increments, np.ones(len(counts), dtype=bool), window)
    found = fit_features(increments, windows, np.arange(len(windows)), FeatureConfig(inputs=names), window)
    inputs = apply_features(found, increments, windows.region, windows.origin, window)
    seen: dict[tuple[float, ...], int] = {}
    expected = [seen.setdefault(tuple(row), i) for i, row in enumerate(inputs.table().tolist())]
    assert first_alike(inputs).tolist() == expected


def test_the_context_is_known_by_name_in_other_data():
    increments, windows, found, inputs = applied()
    order = [3, 1, 0, 2]
    shuffled = Increments(tuple(NAMES[i] for i in order), increments.dates, increments.counts[order])
    row_of = np.argsort(order)
    other = apply_features(found, shuffled, row_of[windows.region], windows.origin, FIVE)
    assert np.allclose(other.table(), inputs.table(), atol=1e-5)


def test_data_without_any_region_of_the_context_is_refused():
    increments, windows, found, _ = applied()
    strangers = Increments(("x", "y", "z", "w"), increments.dates, increments.counts)
    with pytest.raises(InputError, match="none of the regions that the model was trained on"):
        apply_features(found, strangers, windows.region, windows.origin, FIVE)


def test_no_input_at_all_is_refused():
    with pytest.raises(ValidationError, match="at least 1 item"):
        FeatureConfig(inputs=())


BY_HAND = np.array([[3, 0, 5, 7, 1, 2, 9, 4, 6, 8], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]])


@pytest.mark.parametrize(
    ("target", "horizon", "expected"), [("next_day", 1, 8.0), ("mean7", 1, 7.0), ("sum7", 1, 37 / 7)]
)
def test_the_reference_is_what_new_counts_have_to_exceed(target: Target, horizon: int, expected: float) -> None:
    assert reference(BY_HAND, target, horizon)[0, -1] == pytest.approx(expected)


def test_two_dates_ahead_the_two_oldest_dates_leave_the_mean() -> None:
    assert reference(BY_HAND, "mean7", 2)[0, -1] == pytest.approx((7 + 1) / 2)


def test_gaps_are_poisson_scaled_and_0_where_nothing_happened() -> None:
    short, week, _ = reference_gaps(BY_HAND, "next_day", 1)
    assert short[0, -1] == pytest.approx((6 - 8) / np.sqrt(6 + 8 + 1))
    mean = sum([7, 1, 2, 9, 4, 6, 8]) / 7
    assert week[0, -1] == pytest.approx((mean - 8) / np.sqrt(mean + 9))
    assert all((gap[1] == 0).all() for gap in (short, week))


def test_negative_counts_count_as_none() -> None:
    gaps = reference_gaps(BY_HAND - 4, "mean7", 1)
    assert all(np.isfinite(gap).all() for gap in gaps)
    assert np.array_equal(gaps[0], reference_gaps(np.maximum(BY_HAND - 4, 0), "mean7", 1)[0])


def test_growth_is_the_median_over_active_regions_of_the_context() -> None:
    day = np.arange(30)
    counts = np.stack([10 * 2 ** (day // 7), 10 * 4 ** (day // 7), 0 * day, 10**6 * day]).astype(np.int64)
    known = np.array([True, True, True, False])
    week = trailing_mean(counts, 7)
    expected = np.median(np.log((week[:2, 29] + 0.5) / (week[:2, 22] + 0.5)))
    assert median_growth(counts, known)[29] == pytest.approx(expected)
    assert (median_growth(counts, np.array([False, False, True, False])) == 0).all()


@pytest.mark.parametrize("target", ["next_day", "mean7", "sum7"])
def test_nothing_sees_beyond_its_date(target: Target) -> None:
    generator = np.random.default_rng(0)
    counts = generator.poisson(5, (4, 30))
    later = counts.copy()
    later[:, 20:] += generator.poisson(50, (4, 10))
    known = np.array([True, True, False, True])
    now, then = (np.stack(reference_gaps(each, target, 1)) for each in (counts, later))
    assert np.array_equal(now[:, :, :20], then[:, :, :20]) and not np.array_equal(now, then)
    assert np.array_equal(median_growth(counts, known)[:20], median_growth(later, known)[:20])

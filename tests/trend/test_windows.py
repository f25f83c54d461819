"""Windows: labels, the screen, splits and leaks, against plain loops."""

import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis.extra.numpy import arrays
from scipy.stats import pearsonr

from trend.small import NAMES, epidemic, increments_of, quick
from twofold.counts.config import SourceConfig
from twofold.counts.load import load_panel
from twofold.counts.panel import Panel
from twofold.engine.errors import InputError
from twofold.trend.config import SplitConfig, WindowConfig
from twofold.trend.windows import (
    PARTS,
    Split,
    Windows,
    activity,
    closest_other,
    correlate,
    count_known_dates,
    count_leaks,
    covered,
    fit_screen,
    label,
    possible_origins,
    prepare,
    reach,
    slide,
    split_windows,
)

TARGETS = ("next_day", "mean7", "sum7")


def compared(row, t: int, target: str, h: int) -> tuple[int, int] | None:
    """(before, after) of the comparison at origin t; None when a count of it is missing."""
    before, after = {
        "next_day": (range(t, t + 1), range(t + h, t + h + 1)),
        "mean7": (range(t - 6, t + 1), range(t + h - 6, t + h + 1)),
        "sum7": (range(t - 6, t + 1), range(t + h, t + h + 7)),
    }[target]
    if before[0] < 0 or after[-1] >= len(row):
        return None
    return sum(int(row[i]) for i in before), sum(int(row[i]) for i in after)


@given(
    arrays(np.int64, st.tuples(st.integers(1, 3), st.integers(1, 30)), elements=st.integers(-3, 4)),
    st.sampled_from(TARGETS),
    st.integers(1, 10),
)
def test_labels_equal_sums_in_plain_loops(counts, target, horizon):
    labels = label(counts, target, horizon)
    for row, up, tie in zip(counts, labels.up, labels.tie, strict=True):
        expected = {t: pair for t in range(len(row)) if (pair := compared(row, t, target, horizon))}
        assert dict(enumerate(up, labels.first)) == {t: after > before for t, (before, after) in expected.items()}
        assert dict(enumerate(tie, labels.first)) == {t: after == before for t, (before, after) in expected.items()}


def test_next_day_by_hand():
    labels = label(np.array([[0, 2, 2, 1, -1, 0]]), "next_day", 1)
    assert labels.up.tolist() == [[True, False, False, False, True]]
    assert labels.tie.tolist() == [[False, True, False, False, False]]
    assert (labels.first, labels.lookahead) == (0, 1)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("horizon", [1, 3])
def test_a_label_reaches_exactly_as_far_as_it_says(target, horizon):
    lookback, lookahead = reach(target, horizon)
    counts = np.zeros((1, lookback + lookahead + 1), dtype=np.int64)
    assert label(counts, target, horizon).up.tolist() == [[False]]
    assert label(counts[:, 1:], target, horizon).up.shape == (1, 0)
    counts[0, -1] = 1  # the last date of its reach turns the label
    assert label(counts, target, horizon).up.tolist() == [[True]]


COUNTS = arrays(np.int64, st.tuples(st.integers(1, 4), st.integers(3, 30)), elements=st.integers(-1, 2))
WINDOW_CONFIGS = st.builds(
    WindowConfig,
    length=st.integers(1, 9),
    start=st.integers(0, 9),
    stride=st.integers(1, 4),
    horizon=st.integers(1, 4),
    target=st.sampled_from(TARGETS),
    per_region=st.sampled_from(["all", "last"]),
)


def expected_origins(row, window: WindowConfig) -> list[int]:
    every = [
        t
        for t in range(len(row))
        if t - window.length + 1 >= window.start and compared(row, t, window.target, window.horizon)
    ]
    return every[-1:] if window.per_region == "last" else every[:: window.stride]


@given(COUNTS, WINDOW_CONFIGS, st.data())
def test_windows_equal_plain_loops(counts, window, data):
    selected = np.array(data.draw(st.lists(st.booleans(), min_size=len(counts), max_size=len(counts))))
    expected = [(r, t) for r in np.flatnonzero(selected) for t in expected_origins(counts[r], window)]
    if not expected:
        with pytest.raises(InputError):
            slide(increments_of(counts), selected, window)
        return
    windows = slide(increments_of(counts), selected, window)
    assert list(zip(windows.region, windows.origin, strict=True)) == expected
    assert len(windows) == len(expected)
    for i, (r, t) in enumerate(expected):
        before, after = compared(counts[r], t, window.target, window.horizon)
        assert (windows.up[i], windows.tie[i]) == (after > before, after == before)
        assert windows.active[i] == any(counts[r, t - window.length + 1 : t + 1])


def test_a_window_takes_the_same_memory_whatever_its_length():
    counts = np.ones((2, 100), dtype=np.int64)

    def bytes_a_window(length: int) -> float:
        windows = slide(increments_of(counts), np.array([True, True]), WindowConfig(length=length))
        held = (windows.region, windows.origin, windows.up, windows.tie, windows.active)
        return sum(array.nbytes for array in held) / len(windows)

    assert bytes_a_window(1) == bytes_a_window(90)


def test_too_short_a_series_says_what_it_needs():
    window = WindowConfig(length=7, start=2, horizon=2)
    assert possible_origins(increments_of(np.zeros((1, 11))), window).tolist() == [8]
    with pytest.raises(InputError, match=r"window.length 7 from window.start 2 with 2 dates ahead needs 11 .* has 10"):
        possible_origins(increments_of(np.zeros((1, 10))), window)


def test_no_region_selected_says_what_to_do():
    with pytest.raises(InputError, match="no region passes"):
        slide(increments_of([[1, 2, 3]]), np.array([False]), WindowConfig(length=1))


@given(COUNTS, st.integers(1, 40))
def test_activity_equals_plain_loops(counts, length):
    found = activity(counts, length)
    for r, row in enumerate(counts):
        for t in range(len(row)):
            assert found[r, t] == any(row[max(0, t - length + 1) : t + 1] != 0)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(4, 15)), max_size=20), st.integers(1, 5), st.integers(0, 4))
def test_covered_cells_equal_plain_loops(places, length, ahead):
    region, origin = (np.array([place[k] for place in places], dtype=np.int64) for k in (0, 1))
    nothing = np.zeros(len(places), dtype=bool)
    windows = Windows(region, origin, nothing, nothing, nothing, length, ahead)
    rows = np.arange(0, len(places), 2)
    expected = np.zeros((4, 20), dtype=bool)
    for r, t in places[::2]:
        expected[r, t - length + 1 : t + ahead + 1] = True
    assert (covered(windows, rows, (4, 20), ahead) == expected).all()


CORRELATED = arrays(np.int64, st.tuples(st.integers(1, 5), st.integers(2, 12)), elements=st.integers(-3, 9))


@given(CORRELATED)
def test_correlation_equals_scipy_pair_by_pair(counts):
    found = correlate(counts)
    for i, a in enumerate(counts):
        for j, b in enumerate(counts):
            if np.ptp(a) == 0 or np.ptp(b) == 0:
                assert np.isnan(found[i, j])
            else:
                assert found[i, j] == pytest.approx(pearsonr(a, b).statistic, abs=1e-9)


@given(CORRELATED, st.floats(-1, 0.99))
def test_a_region_is_in_c_when_it_moves_with_another_one(counts, threshold):
    screen = fit_screen(increments_of(counts), counts.shape[1], threshold)
    assert screen.correlation is not None
    for i in range(len(counts)):
        others = [screen.correlation[i, j] for j in range(len(counts)) if j != i]
        assert screen.selected[i] == any(value > threshold for value in others)  # NaN exceeds nothing
    assert screen.constant == tuple(NAMES[i] for i, row in enumerate(counts) if np.ptp(row) == 0)


@given(arrays(np.int64, st.tuples(st.integers(1, 9), st.integers(2, 12)), elements=st.integers(-3, 9)), st.data())
def test_set_c_by_blocks_is_that_of_the_whole_matrix(counts, data):
    at_once = data.draw(st.integers(1, len(counts) + 1))
    closest = closest_other(counts, at_once)
    correlation = correlate(counts)
    np.fill_diagonal(correlation, -np.inf)
    whole = np.where(np.isnan(correlation), -np.inf, correlation).max(axis=1)
    assert closest == pytest.approx(whole, abs=1e-12)
    threshold = data.draw(st.floats(-1, 0.99))
    assume((np.abs(whole - threshold) > 1e-12).all())
    assert ((closest > threshold) == (whole > threshold)).all()


@pytest.mark.parametrize("threshold", [0.6, None])
def test_of_many_regions_the_screen_keeps_no_matrix(monkeypatch, threshold):
    counts = np.random.default_rng(0).poisson(3, (24, 20))
    counts[5] = 1
    whole = fit_screen(increments_of(counts), 15, threshold)
    monkeypatch.setattr("twofold.trend.windows.MATRIX_UP_TO", 23)
    monkeypatch.setattr("twofold.trend.windows._REGIONS_AT_ONCE", 10)
    found = fit_screen(increments_of(counts), 15, threshold)
    assert found.correlation is None and found.arrays == {}
    assert found.selected.tolist() == whole.selected.tolist()
    assert threshold is None or 0 < found.selected.sum() < 24
    assert found.constant == whole.constant == (NAMES[5],)


def test_set_c_by_hand():
    rising, doubled, falling, constant = [1, 2, 3, 4], [2, 4, 6, 9], [4, 3, 2, 1], [5, 5, 5, 5]
    screen = fit_screen(increments_of([rising, doubled, falling, constant]), 4, 0.7)
    assert screen.selected.tolist() == [True, True, False, False]
    assert screen.constant == (NAMES[3],)
    assert screen.days == 4


def test_the_threshold_itself_is_not_enough():
    counts = np.array([[1, -1, 1, -1], [1, 0, 1, -2]])
    exact = float(correlate(counts)[0, 1])
    assert fit_screen(increments_of(counts), 4, exact).selected.tolist() == [False, False]
    assert fit_screen(increments_of(counts), 4, np.nextafter(exact, 0).item()).selected.tolist() == [True, True]


def test_without_a_threshold_every_region_is_in_c_also_a_constant_one():
    screen = fit_screen(increments_of([[0, 0, 0], [1, 2, 0]]), 3, None)
    assert screen.selected.all()
    assert screen.constant == (NAMES[0],)


@given(CORRELATED, st.data())
def test_days_after_the_last_one_seen_are_not_touched(counts, data):
    days = data.draw(st.integers(1, counts.shape[1] - 1))
    changed = counts.copy()
    changed[:, days:] = data.draw(arrays(np.int64, changed[:, days:].shape, elements=st.integers(-99, 99)))
    before, after = (fit_screen(increments_of(values), days, 0.5) for values in (counts, changed))
    assert before.correlation is not None and after.correlation is not None
    assert np.array_equal(before.correlation, after.correlation, equal_nan=True)
    assert (before.selected == after.selected).all()
    assert before.constant == after.constant


MANY = np.random.default_rng(0).integers(0, 4, (8, 100))
SPLIT_CONFIGS = st.builds(
    WindowConfig,
    length=st.integers(1, 6),
    stride=st.integers(1, 2),
    horizon=st.integers(1, 3),
    target=st.sampled_from(["next_day", "mean7", "sum7"]),
)
KINDS = ("random", "temporal", "regions", "both")
SLICES = st.sampled_from([(0.0, 0.0), (0.2, 0.0), (0.0, 0.2), (0.2, 0.2)])


def windows_of(window: WindowConfig, regions: int = 8) -> Windows:
    return slide(increments_of(MANY), np.arange(8) < regions, window)


def config_of(kind: str, slices: tuple[float, float] = (0.2, 0.2), test: float = 0.3) -> SplitConfig:
    return SplitConfig.model_validate(
        {"kind": kind, "test_fraction": test, "validation_fraction": slices[0], "calibration_fraction": slices[1]}
    )


def parts_of(split: Split) -> dict[str, list[int]]:
    return {part: getattr(split, part).tolist() for part in PARTS}


@settings(max_examples=60)
@given(SPLIT_CONFIGS, st.sampled_from(KINDS), SLICES, st.integers(0, 9))
def test_parts_are_disjoint_and_together_all_windows(window, kind, slices, seed):
    windows = windows_of(window)
    split = split_windows(windows, config_of(kind, slices), seed)
    parts = parts_of(split)
    assert sorted(row for rows in parts.values() for row in rows) == list(range(len(windows)))
    assert all(rows == sorted(rows) for rows in parts.values())
    assert (len(parts["validation"]) > 0, len(parts["calibration"]) > 0) == (slices[0] > 0, slices[1] > 0)
    assert split.known.tolist() == sorted(parts["train"] + parts["validation"] + parts["calibration"])
    names = split.names(len(windows))
    assert all(names[row] == part for part, rows in parts.items() for row in rows)


@settings(max_examples=60)
@given(SPLIT_CONFIGS, st.sampled_from(["temporal", "both"]), SLICES, st.integers(0, 9))
def test_in_time_no_label_reaches_beyond_the_first_origin_of_the_next_part(window, kind, slices, seed):
    windows = windows_of(window)
    split = split_windows(windows, config_of(kind, slices), seed)
    order = [rows for rows in (split.train, split.validation, split.calibration, split.test) if len(rows)]
    for before, after in itertools.pairwise(order):
        assert (windows.origin[before] + windows.lookahead).max() <= windows.origin[after].min()
    # And no more is given up than that asks for.
    cut = windows.origin[split.test].min()
    learned = np.ones(len(windows), dtype=bool)
    if kind == "both":
        learned = ~np.isin(windows.region, windows.region[split.test])
    could = np.flatnonzero(learned & (windows.origin + windows.lookahead <= cut))
    lost = set(could) - set(split.known)
    edges = [windows.origin[rows].min() for rows in order[1:-1]]
    assert all(
        any(windows.origin[row] < edge < windows.origin[row] + windows.lookahead for edge in edges) for row in lost
    )


@settings(max_examples=30)
@given(SPLIT_CONFIGS, st.sampled_from([0.1, 0.2, 0.35]))
def test_a_temporal_split_tests_all_windows_of_the_last_origins(window, fraction):
    windows = windows_of(window)
    split = split_windows(windows, config_of("temporal", test=fraction), 0)
    origins = np.unique(windows.origin)
    last = origins[-round(fraction * len(origins)) :]
    assert split.test.tolist() == np.flatnonzero(np.isin(windows.origin, last)).tolist()


def test_temporal_slices_by_hand():
    """Origins 0 … 19, two dates ahead: tested from 16 on, calibrated from 13 on, validated from 10 on."""
    counts = np.arange(22).reshape(1, 22)
    windows = slide(increments_of(counts), np.array([True]), WindowConfig(length=1, horizon=2))
    split = split_windows(windows, config_of("temporal", (0.13, 0.13), 0.2), 0)
    assert parts_of(split) == {
        "train": [0, 1, 2, 3, 4, 5, 6, 7, 8],
        "validation": [10, 11],  # 0.13 of the 15 origins whose label ends by the first tested one
        "calibration": [13, 14],
        "test": [16, 17, 18, 19],
        "purged": [9, 12, 15],  # their labels reach beyond the next part's first origin
    }


@settings(max_examples=30)
@given(SPLIT_CONFIGS, SLICES, st.integers(0, 9))
def test_held_out_regions_share_no_region_with_any_other_part(window, slices, seed):
    windows = windows_of(window)
    split = split_windows(windows, config_of("regions", slices), seed)
    owners = [set(windows.region[getattr(split, part)]) for part in PARTS[:-1]]
    assert sum(map(len, owners)) == len(set.union(*owners)) == 8
    assert len(split.purged) == 0
    assert count_leaks(windows, split, MANY.shape).share_region == 0


@settings(max_examples=30)
@given(SPLIT_CONFIGS, SLICES, st.integers(0, 9))
def test_both_tests_other_regions_on_later_origins(window, slices, seed):
    windows = windows_of(window)
    split = split_windows(windows, config_of("both", slices), seed)
    tested, learned = set(windows.region[split.test]), set(windows.region[split.known])
    assert not tested & learned
    assert len(tested) == 3  # 0.3 of 8 regions, and the remainder goes to the test
    leaks = count_leaks(windows, split, MANY.shape)
    assert (leaks.overlap, leaks.share_region, leaks.ahead) == (0, 0, 0)


@pytest.mark.parametrize("regions", [1, 4, 8])
def test_a_random_split_takes_single_windows(regions):
    windows = windows_of(WindowConfig(length=4), regions)
    split = split_windows(windows, config_of("random", (0.0, 0.0), 0.2), 0)
    assert len(split.train) == int(0.8 * len(windows))
    assert len(split.test) == len(windows) - len(split.train)
    sliced = split_windows(windows, config_of("random", (0.1, 0.1), 0.2), 0)
    assert sliced.test.tolist() == split.test.tolist()  # slices come out of the training part
    assert len(sliced.train) == pytest.approx(0.8 * len(split.train), abs=2)


@pytest.mark.parametrize("kind", ["random", "regions", "both"])
def test_the_seed_draws_and_nothing_else(kind):
    windows = windows_of(WindowConfig(length=4))
    drawn = [parts_of(split_windows(windows, config_of(kind), seed)) for seed in (0, 0, 1, 2, 3)]
    assert drawn[0] == drawn[1]
    assert any(other != drawn[0] for other in drawn[2:])


@settings(max_examples=30, deadline=None)
@given(SPLIT_CONFIGS, st.sampled_from(KINDS), st.integers(0, 9))
def test_leaks_equal_plain_loops_over_pairs_of_windows(window, kind, seed):
    windows = windows_of(window, regions=5)
    split = split_windows(windows, config_of(kind), seed)

    def dates(i: int) -> set[int]:
        origin = int(windows.origin[i])
        return set(range(origin - windows.length + 1, origin + windows.lookahead + 1))

    test = [(windows.region[i], dates(i)) for i in split.test]
    tested_days = set.union(*(held for _, held in test))
    first = windows.origin[split.test].min()
    counted = {"overlap": 0, "share_day": 0, "share_region": 0, "ahead": 0}
    for i in split.known:
        region, held = windows.region[i], dates(i)
        counted["overlap"] += any(region == r and held & other for r, other in test)
        counted["share_day"] += bool(held & tested_days)
        counted["share_region"] += any(region == r for r, _ in test)
        counted["ahead"] += max(held) > first
    leaks = count_leaks(windows, split, MANY.shape)
    assert {name: getattr(leaks, name) for name in counted} == counted
    assert leaks.train == len(split.known)


@pytest.mark.parametrize("kind", ["temporal", "both"])
def test_fitting_may_see_up_to_the_first_tested_origin(kind):
    window = WindowConfig(length=5, horizon=2)
    increments = increments_of(MANY)
    windows = windows_of(window)
    days = count_known_dates(possible_origins(increments, window), config_of(kind), 100)
    split = split_windows(windows, config_of(kind), 0)
    assert days == windows.origin[split.test].min() + 1
    assert (windows.origin[split.known] + windows.lookahead).max() == days - 1


@pytest.mark.parametrize("kind", ["random", "regions"])
def test_without_a_day_that_splits_all_days_are_seen(kind):
    assert count_known_dates(np.arange(5, 90), config_of(kind), 100) == 100


@pytest.mark.parametrize(
    ("kind", "regions", "part"),
    [("temporal", 8, "validation"), ("both", 1, "train"), ("regions", 2, "train"), ("random", 1, "train")],
)
def test_an_empty_part_is_refused_by_name(kind, regions, part):
    length = {"temporal": 97, "random": 99}.get(kind, 5)
    windows = windows_of(WindowConfig(length=length), regions)
    with pytest.raises(InputError, match=f"split.kind {kind} leaves no window in the {part} part"):
        split_windows(windows, config_of(kind), 0)


@pytest.mark.parametrize("kind", ["temporal", "both"])
def test_set_c_is_chosen_on_the_days_up_to_the_first_tested_origin(kind):
    prepared = prepare(epidemic(), quick(split={"kind": kind}))
    assert prepared.screen.days == prepared.windows.origin[prepared.split.test].min() + 1
    assert prepared.screen.days < len(prepared.increments.dates)


@pytest.mark.parametrize(("kind", "days"), [("temporal", "all"), ("random", "train"), ("regions", "train")])
def test_set_c_sees_all_days_under_that_setting_and_without_a_split_in_time(kind, days):
    prepared = prepare(epidemic(12), quick(split={"kind": kind}, screen={"days": days}))
    assert prepared.screen.days == len(prepared.increments.dates)


def test_windows_are_those_of_set_c():
    prepared = prepare(epidemic(), quick())
    assert set(prepared.windows.region) == set(np.flatnonzero(prepared.screen.selected))
    assert not prepared.screen.selected[-1]  # the region without a case
    assert len(prepared.windows) == prepared.screen.selected.sum() * (49 - 5)


def test_a_temporal_split_shares_days_but_no_target():
    leaks = prepare(epidemic(), quick()).leaks
    assert leaks.ahead == 0
    assert leaks.share_region == leaks.train  # the same regions are tested
    assert 0 < leaks.overlap < leaks.train


def test_negatives_are_treated_before_anything_is_made_of_them():
    kept, clipped = (prepare(epidemic(), quick(source={"negatives": name})) for name in ("keep", "clip"))
    assert kept.increments.counts.min() == -9
    assert clipped.increments.counts.min() == 0


@pytest.mark.parametrize("target", ["mean7", "sum7"])
def test_sums_of_seven_days_are_refused_for_weekly_data(target):
    with pytest.raises(InputError, match=f"window.target {target} sums 7 days, but the data is weekly"):
        prepare(epidemic(step=7), quick(window={"target": target}))


def test_weekly_data_have_the_next_week_as_target():
    assert len(prepare(epidemic(step=7), quick()).windows) > 0


def test_an_empty_set_c_is_refused():
    panel = epidemic()
    still = Panel(panel.regions, panel.dates, np.ones_like(panel.values), panel.kind)
    with pytest.raises(InputError, match="no region passes the screen"):
        prepare(still, quick())


@pytest.mark.realdata
def test_the_first_66_days_choose_160_countries_133_of_them_in_common(data_folder):
    panel = load_panel(data_folder / "covid_19.csv", SourceConfig())
    config = quick(window={"length": 7}, split={"test_fraction": 15 / 74})
    early = prepare(panel, config)
    everything = prepare(panel, quick(window={"length": 7}, screen={"days": "all"}))
    assert early.screen.days == 66
    assert early.screen.selected.sum() == 160
    assert everything.screen.selected.sum() == 143
    assert (early.screen.selected & everything.screen.selected).sum() == 133

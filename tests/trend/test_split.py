"""Splits: parts disjoint and complete, nothing known reaches into what is tested, leaks beside plain loops."""

import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from trend.small import increments_of
from twofold.engine.errors import InputError
from twofold.trend.config import SplitConfig, WindowConfig
from twofold.trend.split import PARTS, Split, count_leaks, divide, last_known
from twofold.trend.window import Windows, possible_origins, slide

COUNTS = np.random.default_rng(0).integers(0, 4, (8, 100))
ASKED = st.builds(
    WindowConfig,
    length=st.integers(1, 6),
    stride=st.integers(1, 2),
    horizon=st.integers(1, 3),
    target=st.sampled_from(["next_day", "mean7", "sum7"]),
)
KINDS = ("random", "temporal", "regions", "both")
SLICES = st.sampled_from([(0.0, 0.0), (0.2, 0.0), (0.0, 0.2), (0.2, 0.2)])


def windows_of(asked: WindowConfig, regions: int = 8) -> Windows:
    return slide(increments_of(COUNTS), np.arange(8) < regions, asked)


def config_of(kind: str, slices: tuple[float, float] = (0.2, 0.2), test: float = 0.3) -> SplitConfig:
    return SplitConfig.model_validate(
        {"kind": kind, "test_fraction": test, "validation_fraction": slices[0], "calibration_fraction": slices[1]}
    )


def parts_of(split: Split) -> dict[str, list[int]]:
    return {part: getattr(split, part).tolist() for part in PARTS}


@settings(max_examples=60)
@given(ASKED, st.sampled_from(KINDS), SLICES, st.integers(0, 9))
def test_parts_are_disjoint_and_together_all_windows(asked, kind, slices, seed):
    windows = windows_of(asked)

    split = divide(windows, config_of(kind, slices), seed)

    parts = parts_of(split)
    assert sorted(row for rows in parts.values() for row in rows) == list(range(len(windows)))
    assert all(rows == sorted(rows) for rows in parts.values())
    assert (len(parts["validation"]) > 0, len(parts["calibration"]) > 0) == (slices[0] > 0, slices[1] > 0)
    assert split.known.tolist() == sorted(parts["train"] + parts["validation"] + parts["calibration"])
    names = split.names(len(windows))
    assert all(names[row] == part for part, rows in parts.items() for row in rows)


@settings(max_examples=60)
@given(ASKED, st.sampled_from(["temporal", "both"]), SLICES, st.integers(0, 9))
def test_in_time_no_label_reaches_beyond_the_first_origin_of_the_next_part(asked, kind, slices, seed):
    windows = windows_of(asked)

    split = divide(windows, config_of(kind, slices), seed)

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
@given(ASKED, st.sampled_from([0.1, 0.2, 0.35]))
def test_a_temporal_split_tests_all_windows_of_the_last_origins(asked, fraction):
    windows = windows_of(asked)

    split = divide(windows, config_of("temporal", test=fraction), 0)

    origins = np.unique(windows.origin)
    last = origins[-round(fraction * len(origins)) :]
    assert split.test.tolist() == np.flatnonzero(np.isin(windows.origin, last)).tolist()


def test_temporal_slices_by_hand():
    """Origins 0 … 19, two dates ahead: tested from 16 on, calibrated from 13 on, validated from 10 on."""
    counts = np.arange(22).reshape(1, 22)
    windows = slide(increments_of(counts), np.array([True]), WindowConfig(length=1, horizon=2))

    split = divide(windows, config_of("temporal", (0.13, 0.13), 0.2), 0)

    assert parts_of(split) == {
        "train": [0, 1, 2, 3, 4, 5, 6, 7, 8],
        "validation": [10, 11],  # 0.13 of the 15 origins whose label ends by the first tested one
        "calibration": [13, 14],
        "test": [16, 17, 18, 19],
        "purged": [9, 12, 15],  # their labels reach beyond the next part's first origin
    }


@settings(max_examples=30)
@given(ASKED, SLICES, st.integers(0, 9))
def test_held_out_regions_share_no_region_with_any_other_part(asked, slices, seed):
    windows = windows_of(asked)

    split = divide(windows, config_of("regions", slices), seed)

    owners = [set(windows.region[getattr(split, part)]) for part in PARTS[:-1]]
    assert sum(map(len, owners)) == len(set.union(*owners)) == 8
    assert len(split.purged) == 0
    assert count_leaks(windows, split, COUNTS.shape).share_region == 0


@settings(max_examples=30)
@given(ASKED, SLICES, st.integers(0, 9))
def test_both_tests_other_regions_on_later_origins(asked, slices, seed):
    windows = windows_of(asked)

    split = divide(windows, config_of("both", slices), seed)

    tested, learned = set(windows.region[split.test]), set(windows.region[split.known])
    assert not tested & learned
    assert len(tested) == 3  # 0.3 of 8 regions, and the remainder goes to the test
    leaks = count_leaks(windows, split, COUNTS.shape)
    assert (leaks.overlap, leaks.share_region, leaks.ahead) == (0, 0, 0)


@pytest.mark.parametrize("regions", [1, 4, 8])
def test_a_random_split_takes_single_windows(regions):
    windows = windows_of(WindowConfig(length=4), regions)

    split = divide(windows, config_of("random", (0.0, 0.0), 0.2), 0)

    assert len(split.train) == int(0.8 * len(windows))
    assert len(split.test) == len(windows) - len(split.train)
    sliced = divide(windows, config_of("random", (0.1, 0.1), 0.2), 0)
    assert sliced.test.tolist() == split.test.tolist()  # slices come out of the training part
    assert len(sliced.train) == pytest.approx(0.8 * len(split.train), abs=2)


@pytest.mark.parametrize("kind", ["random", "regions", "both"])
def test_the_seed_draws_and_nothing_else(kind):
    windows = windows_of(WindowConfig(length=4))

    drawn = [parts_of(divide(windows, config_of(kind), seed)) for seed in (0, 0, 1, 2, 3)]

    assert drawn[0] == drawn[1]
    assert any(other != drawn[0] for other in drawn[2:])


@settings(max_examples=30, deadline=None)
@given(ASKED, st.sampled_from(KINDS), st.integers(0, 9))
def test_leaks_equal_plain_loops_over_pairs_of_windows(asked, kind, seed):
    windows = windows_of(asked, regions=5)
    split = divide(windows, config_of(kind), seed)

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

    leaks = count_leaks(windows, split, COUNTS.shape)

    assert {name: getattr(leaks, name) for name in counted} == counted
    assert leaks.train == len(split.known)


@pytest.mark.parametrize("kind", ["temporal", "both"])
def test_fitting_may_see_up_to_the_first_tested_origin(kind):
    asked = WindowConfig(length=5, horizon=2)
    increments = increments_of(COUNTS)
    windows = windows_of(asked)

    days = last_known(possible_origins(increments, asked), config_of(kind), 100)

    split = divide(windows, config_of(kind), 0)
    assert days == windows.origin[split.test].min() + 1
    assert (windows.origin[split.known] + windows.lookahead).max() == days - 1


@pytest.mark.parametrize("kind", ["random", "regions"])
def test_without_a_day_that_splits_all_days_are_seen(kind):
    assert last_known(np.arange(5, 90), config_of(kind), 100) == 100


@pytest.mark.parametrize(
    ("kind", "regions", "part"),
    [("temporal", 8, "validation"), ("both", 1, "train"), ("regions", 2, "train"), ("random", 1, "train")],
)
def test_an_empty_part_is_refused_by_name(kind, regions, part):
    length = {"temporal": 97, "random": 99}.get(kind, 5)
    windows = windows_of(WindowConfig(length=length), regions)

    with pytest.raises(InputError, match=f"split.kind {kind} leaves no window in the {part} part"):
        divide(windows, config_of(kind), 0)

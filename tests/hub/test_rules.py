"""A hub's rules: what the package knows of FluSight, seasons that nobody listed yet, files that break a rule."""

import itertools
from datetime import date, timedelta
from pathlib import Path

import pytest

from hub.small import at
from twofold.engine.errors import DataError, InputError
from twofold.hub import rules as hub_rules
from twofold.hub.rules import read_rules, season_of

FLUSIGHT = (Path(hub_rules.__file__).parent / "flusight.toml").read_text(encoding="utf-8")


def test_flusights_thresholds_by_season() -> None:
    old, new, newest = (read_rules("flusight").season(season) for season in ("2023-24", "2024-25", "2025-26"))
    assert (old.stable_below, old.large_above) == ((1, 1, 2, 2.5), (2, 3, 4, 5))
    assert (new.stable_below, new.large_above) == ((0.3, 0.5, 0.7, 1), (1.7, 3, 4, 5))
    assert (newest.stable_below, newest.large_above) == (new.stable_below, new.large_above)
    assert new.categories == ("large_decrease", "decrease", "stable", "increase", "large_increase")
    assert (new.target, new.horizons, new.stable_count, new.min_locations) == (
        "wk flu hosp rate change",
        (0, 1, 2, 3),
        10,
        50,
    )


def test_reference_dates_are_all_saturdays_of_the_season() -> None:
    days = read_rules("flusight").season("2024-25").reference_dates()
    assert (len(days), days[0], days[-1]) == (28, date(2024, 11, 23), date(2025, 5, 31))
    assert {day.isoweekday() for day in days} == {6}
    assert {late - early for early, late in itertools.pairwise(days)} == {timedelta(days=7)}


def test_the_deadline_is_thursday_at_four_but_for_two_holidays() -> None:
    season = read_rules("flusight").season("2024-25")
    moved = {day: season.deadline(day) for day in season.reference_dates() if season.deadline(day).isoweekday() != 4}
    assert moved == {date(2024, 12, 28): at("2024-12-27 04:00"), date(2025, 1, 4): at("2025-01-03 04:00")}
    assert season.deadline(date(2025, 1, 11)) == at("2025-01-09 04:00")
    assert str(season.deadline(date(2024, 12, 28)).tzinfo) == "UTC"


def test_a_later_season_has_the_newest_rules_and_says_so() -> None:
    later = read_rules("flusight").season("2027-28")
    assert later.note is not None and "has the rules of 2025-26, reference dates 2027-11-20 to 2028-05-27" in later.note
    assert later.large_above == read_rules("flusight").season("2025-26").large_above
    assert later.reference_dates()[0].isoweekday() == 6
    assert later.moved_deadlines == {}
    assert read_rules("flusight").season("2025-26").note is None


@pytest.mark.parametrize("season", ["2022-23", "2026-28", "2027", "x"])
def test_an_earlier_or_misnamed_season_is_refused(season: str) -> None:
    with pytest.raises(
        InputError, match=r"season must be one of 2023-24, 2024-25, 2025-26 or a later one such as 2026"
    ):
        read_rules("flusight").season(season)


def test_an_unknown_hub_is_refused() -> None:
    with pytest.raises(InputError, match="hub must be one of flusight or a rules file"):
        read_rules("measles").season("2024-25")


def test_seasons_turn_in_july() -> None:
    assert [season_of(date(2025, 6, 30)), season_of(date(2025, 7, 1)), season_of(date(1999, 12, 1))] == [
        "2024-25",
        "2025-26",
        "1999-00",
    ]


def test_a_file_describes_another_hub(write) -> None:
    text = FLUSIGHT.replace("wk flu hosp rate change", "wk rsv hosp rate change").replace("04:00:00", "18:30:00")
    other = read_rules(write(text)).season("2025-26")
    assert other.target == "wk rsv hosp rate change"
    assert other.deadline(date(2025, 11, 22)) == at("2025-11-20 18:30")


def test_a_hub_may_have_three_categories(write) -> None:
    kept = [line for line in FLUSIGHT.splitlines() if not line.startswith("large_above")]
    text = "\n".join(kept).replace('"large_decrease", ', "").replace(', "large_increase"', "")
    assert read_rules(write(text)).season("2024-25").categories == ("decrease", "stable", "increase")


BROKEN = {
    "no TOML": ("hub =", "hub", "is no TOML file"),
    "unknown key": ("rate_per", "rate_of", r"rate_of: Extra inputs are not permitted"),
    "missing key": ('baseline = "FluSight-baseline_cat"', "", r"baseline: Field required"),
    "no number": ("stable_count = 10", 'stable_count = "ten"', r"stable_count: .*got 'ten'"),
    "threshold 0": (
        "[0.3, 0.5, 0.7, 1.0]",
        "[0.0, 0.5, 0.7, 1.0]",
        r"seasons.2024-25.stable_below.0: .*greater than 0",
    ),
    "not a number": ("[0.3, 0.5, 0.7, 1.0]", "[nan, 0.5, 0.7, 1.0]", r"seasons.2024-25.stable_below.0: "),
    "too few": ("[0.3, 0.5, 0.7, 1.0]", "[0.3, 0.5, 0.7]", r"seasons.2024-25, stable_below: needs one threshold for"),
    "crossed": ("[1.7, 3.0", "[0.2, 3.0", r"seasons.2024-25, large_above: must exceed stable_below at every horizon"),
    "backwards": (
        "last_reference = 2025-05-31",
        "last_reference = 2024-05-25",
        r"must lie whole weeks after 2024-11-23",
    ),
    "not weeks": (
        "last_reference = 2025-05-31",
        "last_reference = 2025-05-30",
        r"must lie whole weeks after 2024-11-23",
    ),
    "season's name": ("[seasons.2023-24]", "[seasons.2023]", r"seasons.2023: a season is named after its two years"),
    "four categories": ('"decrease", ', "", r"categories: 5 different names are needed"),
    "horizon twice": ("unscored_horizons = [-1]", "unscored_horizons = [0]", r"horizons: a horizon appears twice"),
    "no zone": ("2024-12-27T04:00:00Z", "2024-12-27T04:00:00", r"moved_deadlines.2024-12-28: .*timezone"),
}


@pytest.mark.parametrize(("old", "new", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_refused_with_file_and_key(write, old: str, new: str, message: str) -> None:
    assert old in FLUSIGHT
    with pytest.raises(DataError, match=message) as caught:
        read_rules(write(FLUSIGHT.replace(old, new), "hub.toml"))
    assert "hub.toml" in str(caught.value)

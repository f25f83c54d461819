"""A hub's rules: what the package knows of FluSight, seasons that nobody listed yet, files that break a rule."""

import itertools
from datetime import date, timedelta
from pathlib import Path

import pytest

from hub.small import at, change_of
from twofold.engine.errors import DataError, InputError
from twofold.hub import rules as hub_rules
from twofold.hub.rules import read_rules

FLUSIGHT = (Path(hub_rules.__file__).parent / "flusight.toml").read_text(encoding="utf-8")


def test_flusights_thresholds_by_season() -> None:
    seasons = [read_rules("flusight").season(season) for season in ("2023-24", "2024-25", "2025-26")]
    assert {(season.horizons, season.min_locations, season.counts) for season in seasons} == {
        ((0, 1, 2, 3), 50, "wk inc flu hosp")
    }
    old, new, newest = map(change_of, seasons)
    assert (old.stable_below, old.large_above) == ((1, 1, 2, 2.5), (2, 3, 4, 5))
    assert (new.stable_below, new.large_above) == ((0.3, 0.5, 0.7, 1), (1.7, 3, 4, 5))
    assert (newest.stable_below, newest.large_above) == (new.stable_below, new.large_above)
    assert new.categories == ("large_decrease", "decrease", "stable", "increase", "large_increase")
    assert (new.target, new.stable_count) == ("wk flu hosp rate change", 10)


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
    assert later.rate_change == read_rules("flusight").season("2025-26").rate_change
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
    with pytest.raises(InputError, match="hub must be one of covid, flusight, rsv or a rules file"):
        read_rules("measles").season("2024-25")


def test_seasons_turn_in_july() -> None:
    of = read_rules("flusight").season_of
    assert [of(date(2025, 6, 30)), of(date(2025, 7, 1)), of(date(1999, 12, 1))] == [
        "2024-25",
        "2025-26",
        "1999-00",
    ]


def test_a_file_describes_another_hub(write) -> None:
    text = FLUSIGHT.replace("wk flu hosp rate change", "wk rsv hosp rate change").replace("04:00:00", "18:30:00")
    other = read_rules(write(text)).season("2025-26")
    assert change_of(other).target == "wk rsv hosp rate change"
    assert other.deadline(date(2025, 11, 22)) == at("2025-11-20 18:30")


def test_a_hub_may_have_three_categories(write) -> None:
    kept = [line for line in FLUSIGHT.splitlines() if not line.startswith("large_above")]
    text = "\n".join(kept).replace('"large_decrease", ', "").replace(', "large_increase"', "")
    three = read_rules(write(text)).season("2024-25")
    assert change_of(three).categories == ("decrease", "stable", "increase")


BROKEN = {
    "no TOML": ("hub =", "hub", "is no TOML file"),
    "unknown key": ("rate_per", "rate_of", r"rate_of: Extra inputs are not permitted"),
    "missing key": ('baseline = "FluSight-baseline_cat"', "", r"rate_change.baseline: Field required"),
    "no number": ("stable_count = 10", 'stable_count = "ten"', r"rate_change.stable_count: .*got 'ten'"),
    "threshold 0": (
        "[0.3, 0.5, 0.7, 1.0]",
        "[0.0, 0.5, 0.7, 1.0]",
        r"seasons.2024-25.rate_change.stable_below.0: .*greater than 0",
    ),
    "not a number": ("[0.3, 0.5, 0.7, 1.0]", "[nan, 0.5, 0.7, 1.0]", r"seasons.2024-25.rate_change.stable_below.0: "),
    "too few": (
        "[0.3, 0.5, 0.7, 1.0]",
        "[0.3, 0.5, 0.7]",
        r"seasons.2024-25.rate_change, stable_below: needs one threshold for",
    ),
    "crossed": (
        "[1.7, 3.0",
        "[0.2, 3.0",
        r"seasons.2024-25.rate_change, large_above: must exceed stable_below at every horizon",
    ),
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
    "season's name": ("[seasons.2023-24", "[seasons.2023", r"seasons.2023: a season is named after its two years"),
    "four categories": ('"decrease", ', "", r"categories: 5 different names are needed"),
    "horizon twice": ("unscored_horizons = [-1]", "unscored_horizons = [0]", r"horizons: a horizon appears twice"),
    "a season without thresholds": (
        "[seasons.2023-24.rate_change]\nstable_below = [1.0, 1.0, 2.0, 2.5]  # by horizon\n"
        "large_above = [2.0, 3.0, 4.0, 5.0]\n",
        "",
        r"seasons.2023-24, rate_change: the hub and each of its seasons have it, or none of them",
    ),
    "no zone": ("2024-12-27T04:00:00Z", "2024-12-27T04:00:00", r"moved_deadlines.2024-12-28: .*timezone"),
}


@pytest.mark.parametrize(("old", "new", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_refused_with_file_and_key(write, old: str, new: str, message: str) -> None:
    assert old in FLUSIGHT
    with pytest.raises(DataError, match=message) as caught:
        read_rules(write(FLUSIGHT.replace(old, new), "hub.toml"))
    assert "hub.toml" in str(caught.value)


def test_the_hubs_of_quantiles_have_no_categories_and_their_own_dates() -> None:
    covid, rsv = (read_rules(name).season("2024-25") for name in ("covid", "rsv"))
    assert (covid.rate_change, rsv.rate_change) == (None, None)
    assert covid.targets == ("wk inc covid hosp", "wk inc covid prop ed visits")
    shares = read_rules("flusight").for_shares().season("2024-25")
    assert shares.targets == ("wk inc flu prop ed visits",) and shares.among == 10_000 and not shares.history
    assert shares.deadline(date(2024, 12, 28)) == at("2024-12-27 04:00")
    assert (covid.baseline, covid.ensemble) == ("CovidHub-baseline", "CovidHub-ensemble")
    assert (rsv.baseline, rsv.ensemble) == ("RSVHub-baseline", "RSVHub-ensemble")
    assert (len(covid.reference_dates()), covid.reference_dates()[0]) == (36, date(2024, 11, 23))
    assert covid.deadline(date(2024, 12, 28)) == at("2024-12-27 04:00")
    assert not covid.calendar and rsv.calendar
    assert [read_rules("covid").season_of(date(2025, month, 31)) for month in (7, 8)] == ["2024-25", "2025-26"]


def test_a_season_that_is_not_listed_has_the_rounds_of_the_hub() -> None:
    rounds = [date(2025, 9, 20) + timedelta(days=7 * week) for week in range(37)]
    later = read_rules("rsv").season("2025-26", rounds)
    assert later.reference_dates() == rounds
    assert later.note is not None and "2025-09-20 to 2026-05-30, which are the rounds of the hub," in later.note
    beyond = read_rules("rsv").season("2026-27", rounds)
    assert beyond.note is not None and "reference dates 2026-11-28 to 2027-05-29" in beyond.note


def test_a_hub_needs_a_target(write) -> None:
    text = (Path(hub_rules.__file__).parent / "rsv.toml").read_text(encoding="utf-8")
    with pytest.raises(DataError, match=r"hub\.toml: needs a target: counts for quantiles, rate_change for categories"):
        read_rules(write(text.replace('counts = "wk inc rsv hosp"', ""), "hub.toml"))

"""The newest week's final count: published plus the revisions that past versions showed, and none that came later."""

from datetime import date, datetime, time, timedelta

import numpy as np
import polars as pl
import pytest

from hub.season_small import DAYS, FIRST, LOCATIONS, REPORTED, RULES, final_counts, published, replay, versions
from hub.small import changes
from twofold.hub.newest import newest_week, past_changes
from twofold.hub.quantiles import quantile_table
from twofold.hub.roots import root
from twofold.hub.rules import WEEK
from twofold.hub.vintages import Versions

DAY = DAYS[5]
KNOWN = replay().known(DAY)


def test_changes_are_those_since_the_first_report_of_each_newest_week() -> None:
    found = past_changes(versions(), KNOWN, RULES)
    whole, expected = final_counts(), []
    persons = LOCATIONS["population"].to_numpy()[:-1].astype(float)
    newest = [DAY - (age + 2) * WEEK for age in range(10)]
    for week in newest:
        column = int(np.searchsorted(whole.dates, np.datetime64(week)))
        first = np.floor(whole.values[:-1, column] * REPORTED[0])
        weeks_since = (DAY - WEEK - week) // WEEK
        share = REPORTED[weeks_since] if weeks_since < len(REPORTED) else 1.0
        now = np.floor(whole.values[:-1, column] * share)
        late = published(week) >= RULES.deadline(week + WEEK)  # first seen a week later, when it was not the newest
        if week >= date(2023, 10, 7) and not late:
            expected.append(root(now, persons) - root(first, persons))
    assert len(expected) >= 6
    assert np.sort(found) == pytest.approx(np.sort(np.concatenate(expected)))


def test_every_place_s_count_is_raised_by_them() -> None:
    table = newest_week(versions(), KNOWN, RULES)
    assert table is not None
    assert table["horizon"].unique().to_list() == [-1]
    assert table["location"].to_list() == list(KNOWN.counts.locations)
    assert table["base"].to_list() == KNOWN.counts.values[:, -1].tolist()
    middle = quantile_table(table, (0.5,))["value"].to_numpy()
    persons = LOCATIONS["population"].to_numpy().astype(float)
    shift = np.median(past_changes(versions(), KNOWN, RULES))
    base = KNOWN.counts.values[:, -1]
    assert shift > 0
    assert root(middle, persons) - root(base, persons) == pytest.approx(np.full(len(base), shift), abs=1e-6)


def test_later_versions_change_nothing() -> None:
    deadline = RULES.deadline(DAY)
    late = pl.col("as_of") >= deadline
    table = versions().changes.with_columns(value=pl.when(late).then(pl.col("value") * 5 + 9).otherwise("value"))
    more = changes([(deadline, DAY - 3 * WEEK, place, 1.0) for place in LOCATIONS["location"]])
    other = Versions(pl.concat([table, more]).sort("as_of", maintain_order=True))
    one, two = newest_week(versions(), KNOWN, RULES), newest_week(other, replay(other).known(DAY), RULES)
    assert one is not None and two is not None and one.equals(two)


def test_without_a_past_version_or_a_hub_that_takes_it_there_is_none() -> None:
    moment = datetime.combine(FIRST - timedelta(days=3), time(17), RULES.deadline(FIRST).tzinfo)
    only = Versions(versions().before(RULES.deadline(FIRST)).with_columns(as_of=pl.lit(moment)))
    assert newest_week(only, replay(only).known(FIRST), RULES) is None
    assert newest_week(versions(), KNOWN, RULES.model_copy(update={"unscored_horizons": ()})) is None

"""What a hub asks this week, what is known, and what to do next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from twofold.counts.panel import counted
from twofold.hub.rules import WEEK, HubRules, Rules
from twofold.hub.tasks import Hub
from twofold.hub.vintages import Versions


@dataclass(frozen=True)
class Next:
    """The next round of a hub.

    Attributes:
        day: its date.
        deadline: end of its submission window.
        rules: of its season.
        published: newest version of the counts.
        newest: last week that it holds.
        missing: locations without a count for the week before the round.
    """

    day: date
    deadline: datetime | None
    rules: Rules
    published: datetime
    newest: date
    missing: tuple[str, ...]


def next_round(hub: Hub, versions: Versions, locations: pl.DataFrame, known: HubRules, now: datetime) -> Next | None:
    """The first round whose window is still open, or has not begun; None after the last."""
    ahead = [day for day in hub.rounds if (closing := hub.deadline(day)) is None or closing >= now]
    if not ahead:
        return None
    day, latest = ahead[0], versions.latest()
    there = set(latest.filter(pl.col("target_end_date") == day - WEEK)["location"])
    missing = tuple(name for name in locations["location"] if name not in there)
    newest = latest["target_end_date"].max()
    assert isinstance(newest, date)
    return Next(
        day, hub.deadline(day), known.season(known.season_of(day), hub.rounds), versions.times()[-1], newest, missing
    )


def described(hub: Hub, found: Next | None, versions: Versions, served: tuple[str, ...]) -> list[str]:
    """The hub, its targets and the next round, in lines."""
    days, lines = hub.rounds, [f"{hub.name}: {counted(len(hub.rounds), 'round')}, {hub.rounds[0]} to {hub.rounds[-1]}"]
    for target, unit in hub.targets.items():
        kinds = ", ".join(sorted({kind for task in hub.tasks if target in task.targets for kind in task.outputs}))
        ours = "" if target in served else "; not served"
        lines.append(f"  {target}: {unit}; {kinds}{ours}")
    lines.append(f"versions: {len(versions.times()):,}, the newest of {versions.times()[-1]:%Y-%m-%d %H:%M} UTC")
    if found is None:
        lines.append(f"no round is open: the last was {days[-1]}")
        return lines
    closing = "" if found.deadline is None else f", taken until {found.deadline:%A %Y-%m-%d %H:%M %Z}"
    lines.append(f"next round: {found.day}{closing}")
    week = found.day - WEEK
    if found.newest < week:
        lines.append(f"the counts end with the week of {found.newest}: that of {week} is not published yet")
    elif found.missing:
        lines.append(f"no count for the week of {week} in {', '.join(found.missing)}: no forecast there")
    return lines


def about(hub: Hub, found: Next | None, versions: Versions, served: tuple[str, ...]) -> dict[str, Any]:
    """The same for programs; `next` is None after the last round."""
    return {
        "hub": hub.name,
        "rounds": [str(day) for day in hub.rounds],
        "targets": {target: {"unit": unit, "served": target in served} for target, unit in hub.targets.items()},
        "versions": len(versions.times()),
        "published": f"{versions.times()[-1]:%Y-%m-%dT%H:%M:%SZ}",
        "notes": list(versions.notes),
        "next": found
        and {
            "reference_date": str(found.day),
            "deadline": found.deadline and found.deadline.isoformat(),
            "newest_week": str(found.newest),
            "missing": list(found.missing),
        },
    }


def commands(day: date, data: Sequence[str], learn: Sequence[str]) -> list[list[str]]:
    """The words of a round's commands: fit once, then forecast; with options of data and learning."""
    fit = ["twofold", "hub", "fit", *data, *learn, "--reference-date", str(day), "--out", "MODEL"]
    forecast = ["twofold", "hub", "forecast", *data, "--model", "MODEL", "--reference-date", str(day)]
    return [fit, [*forecast, "--team", "TEAM", "--out", "SUBMISSION"]]

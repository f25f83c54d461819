"""Sections of a hub's page on how the run went: the pool's weights, the fits, what was skipped, how to repeat it."""

import datetime as dt
import shlex
from typing import Any

import numpy as np

from twofold.hub.report import figures as hub_figures
from twofold.hub.report.evidence import HubEvidence
from twofold.page import numbers
from twofold.page.album import Album
from twofold.page.blocks import Column, Section, definitions, details, paragraph, settings, table
from twofold.page.html import Html, join, tag


def weights_section(evidence: HubEvidence, album: Album) -> Section:
    """The pool's weights through the season."""
    title, rows = "What the pool leaned on", evidence.scores.get("weights") or []
    if not rows:
        return Section("weights", title, paragraph("This run pooled no models, so there are no weights."))
    names = list(dict.fromkeys(name for row in rows for name in row["weights"]))
    mean = {name: sum(row["weights"].get(name, 0.0) for row in rows) / len(rows) for name in names}
    ordered = sorted(names, key=lambda name: (-mean[name], name))
    dates = [dt.date.fromisoformat(row["reference_date"]) for row in rows]
    models = {name: np.array([row["weights"].get(name, 0.0) for row in rows], dtype=float) for name in ordered}
    told = ", ".join(f"{name} {numbers.percent(mean[name], 0)}" for name in ordered)
    caption = f"The pool's weights at each reference date; on average {told}."
    picture = album.add("weights", hub_figures.weights(dates, models), f"Stacked bars. {caption}", caption, wide=True)
    columns = [Column("Reference date", "left"), *(Column(name) for name in ordered)]
    lines = [[str(day), *(numbers.score(models[name][i], 2) for name in ordered)] for i, day in enumerate(dates)]
    return Section(
        "weights", title, join([picture, details("The figures", table(columns, lines, "Weights of the pool"))])
    )


def skipped_section(evidence: HubEvidence) -> Section:
    """What was fitted when, which dates were used, and which were skipped and why."""
    scores, parts = evidence.scores, []
    dates, skipped = scores["dates"], scores["skipped"]
    span = f", from {dates[0]} to {dates[-1]}" if dates else ""
    parts.append(paragraph(f"Forecasts were made for {numbers.count(len(dates))} reference dates{span}."))
    if skipped:
        columns = [Column("Reference date", "left"), Column("Why there is no forecast", "left")]
        rows = [[row["reference_date"], row["reason"]] for row in skipped]
        parts.append(table(columns, rows, f"Skipped reference dates: {numbers.count(len(skipped))}"))
    else:
        parts.append(paragraph("No reference date of the season was skipped."))
    if scores.get("fits"):
        parts.append(details("When the models were fitted, and on what", _fits(scores["fits"])))
    return Section("skipped", "What was skipped, and when models were fitted", join(parts))


def _fits(fits: list[dict[str, Any]]) -> Html:
    keys = list(dict.fromkeys(key for row in fits for key in row))
    columns = [
        Column(key.replace("_", " ").capitalize(), "right" if index else "left") for index, key in enumerate(keys)
    ]
    return table(columns, [[_plain(row.get(key)) for key in keys] for row in fits], "Fits, in their order")


def _plain(value: Any) -> str:
    """A value of JSON in a table's cell."""
    if value is None:
        return numbers.DASH
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(each)}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    if isinstance(value, bool | str):
        return str(value)
    return numbers.count(value) if isinstance(value, int) else numbers.score(value)


def repeat_section(evidence: HubEvidence) -> Section:
    """The command, the data's digest, the versions, and every setting."""
    manifest = evidence.manifest
    command = manifest.get("command") or []
    parts: list[Html] = []
    if command:
        parts.append(paragraph("The same command on the same data gives the same figures:"))
        parts.append(paragraph(tag("code", shlex.join(map(str, command)))))
    rest = [(_label(key), _plain(value)) for key, value in manifest.items() if key != "command"]
    parts += [definitions(rest), details("Settings of this run", settings(evidence.config))]
    return Section("repeat", "How to repeat it", join(parts))


def _label(key: str) -> str:
    return key.removesuffix("_s").replace("_", " ").capitalize() + (", seconds" if key.endswith("_s") else "")

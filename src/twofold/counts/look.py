"""How a table is read, as a person would check it, without training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twofold.counts.config import SourceConfig
from twofold.counts.csv import SEPARATORS, Table, shorten
from twofold.counts.layouts import Roles, find_roles
from twofold.counts.load import examined, panel_of, read_table
from twofold.counts.panel import Panel, counted
from twofold.engine.errors import DataError

EXAMPLES = 3
"""Different cells of a column that are shown."""
_BARS = "▁▂▃▄▅▆▇█"
WIDTH = 64
"""Characters of the picture of the total."""


@dataclass(frozen=True)
class Look:
    """A table, what its columns hold, and the panel that comes of it.

    Attributes:
        table: its rows.
        roles: of its columns.
        panel: with notes and suspicions.
        config: settings of the reader that were used.
        proposed: the same, with the changes that answer the suspicions.
    """

    table: Table
    roles: Roles
    panel: Panel
    config: SourceConfig
    proposed: SourceConfig


def look(path: Path, config: SourceConfig) -> Look:
    """Reads a table as a run would.

    Raises:
        DataError: where a run would refuse the table.
    """
    table = read_table(path, config)
    roles = find_roles(table, config)
    raw = panel_of(table, roles, config)
    panel = examined(raw, config, str(path))
    return Look(table, roles, panel, config, _proposed(path, table, roles, panel, config))


def _proposed(path: Path, table: Table, roles: Roles, panel: Panel, config: SourceConfig) -> SourceConfig:
    """The settings under which no suspicion has an answer left; as they are where an answer is refused."""
    changed = config
    for _ in range(3):  # an answer may raise the next suspicion: weeks may have an incomplete end
        change = {name: value for suspicion in panel.suspicions for name, value in suspicion.change}
        if not change:
            break
        candidate = changed.model_copy(update=change)
        try:
            panel = examined(panel_of(table, roles, candidate), candidate, str(path))
        except DataError:
            break
        changed = candidate
    return changed


def columns_of(table: Table) -> list[tuple[str, str]]:
    """Each column's header and some of its cells, for a person who has to choose."""
    found = []
    for j, name in enumerate(table.rows[0]):
        cells = dict.fromkeys(row[j] for row in table.rows[1:200] if j < len(row) and row[j])
        examples = ", ".join(shorten(cell, 24)[1:-1] for cell in list(cells)[:EXAMPLES])
        found.append((name, examples + (", …" if len(cells) > EXAMPLES else "")))
    return found


def roles_of(found: Look) -> dict[str, list[str]]:
    """Names of the columns by what they hold."""
    header, roles = found.table.rows[0], found.roles
    if roles.layout == "original":
        return {"region": ["the first column"], "dates": [f"{len(roles.dates)} columns"]}
    value = [] if roles.value is None else [header[roles.value]]
    named = {"region": [header[j] for j in roles.region], "date": [header[j] for j in roles.date], "count": value}
    if roles.dates:
        kind = "regions" if roles.layout == "transposed" else "dates"
        named[kind] = [f"{len(roles.dates)} columns, {header[roles.dates[0]]} to {header[roles.dates[-1]]}"]
    return {role: names for role, names in named.items() if names}


def picture(panel: Panel, unicode: bool = True) -> str:
    """New cases of all regions together through time, as a row of bars."""
    total = np.maximum(panel.increments("keep").counts.sum(axis=0), 0)
    parts = np.array_split(total, min(WIDTH, len(total)))
    heights = np.array([part.mean() for part in parts])
    level = np.round(heights / max(heights.max(), 1) * (len(_BARS) - 1)).astype(int)
    bars = _BARS if unicode else "_.-=+*#@"
    return "".join(bars[each] for each in level.tolist())


def described(found: Look) -> list[tuple[str, str]]:
    """What was found, as label and sentence."""
    panel, table = found.panel, found.table
    separator = {"": "typed columns", "sheet": "a workbook's sheet"}.get(
        table.separator, SEPARATORS.get(table.separator, "")
    )
    counts = panel.increments("keep").counts
    totals = counts.sum(axis=1)
    low, high = int(np.argmin(totals)), int(np.argmax(totals))
    named = "; ".join(f"{role} {', '.join(map(repr, names))}" for role, names in roles_of(found).items())
    kind = "running totals" if panel.kind == "cumulative" else "new cases"
    step = "day" if panel.step_days == 1 else "week"
    shown = ", ".join(panel.regions[:8]) + (", …" if len(panel.regions) > 8 else "")
    filled = "" if panel.filled is None else f", {counted(int(panel.filled.sum()), 'cell')} filled in"
    return [
        ("file", f"{len(table.rows) - found.roles.first_row:,} rows, {separator}"),
        ("layout", found.roles.layout),
        ("columns", named.replace("'", "") if found.roles.layout == "original" else named),
        ("dates", f"{len(panel.dates):,}, {panel.dates[0]} to {panel.dates[-1]}, one per {step}"),
        ("regions", f"{len(panel.regions):,}: {shown}"),
        ("counts", f"{kind}{filled}; {counts.sum():,} cases in all"),
        ("by region", f"{totals[low]:,} ({panel.regions[low]}) to {totals[high]:,} ({panel.regions[high]})"),
    ]


def about(found: Look, commands: dict[str, list[str]], problems: dict[str, str]) -> dict[str, Any]:
    """The same for programs.

    Args:
        found: by `look`.
        commands: words of the command lines to run next.
        problems: why a command would refuse the panel, by its name.
    """
    panel = found.panel
    return {
        "file": found.table.name,
        "layout": found.roles.layout,
        "separator": found.table.separator,
        "columns": roles_of(found),
        "regions": list(panel.regions),
        "dates": len(panel.dates),
        "first": str(panel.dates[0]),
        "last": str(panel.dates[-1]),
        "step_days": panel.step_days,
        "kind": panel.kind,
        "cases": int(panel.increments("keep").counts.sum()),
        "filled": 0 if panel.filled is None else int(panel.filled.sum()),
        "notes": list(panel.notes),
        "suspicions": [suspicion.text for suspicion in panel.suspicions],
        "commands": commands,
        "problems": problems,
        "digest": panel.digest(),
    }

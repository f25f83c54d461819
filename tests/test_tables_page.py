"""docs/tables.md: its table of layouts and its options are those of the package; its examples run in test_docs.py."""

import re
from datetime import date, timedelta
from pathlib import Path

from twofold.counts.config import SourceConfig
from twofold.counts.layouts import KNOWN, Known

PAGE = (Path(__file__).parents[1] / "docs" / "tables.md").read_text(encoding="utf-8")


def row(known: Known) -> str:
    """A layout's row in the page's table."""
    more = ["running totals"] if known.kind == "cumulative" else []
    more += [{"iso": "ISO weeks", "mmwr": "MMWR weeks"}[known.weeks]] if known.weeks != "auto" else []
    kept: dict[str, list[str]] = {}
    for column, value in known.where:
        kept.setdefault(column, []).append(value)
    more += [f"rows with `{column}` {' or '.join(values)}" for column, values in kept.items()]
    more += ["rows added up; a date without a row had no case"] if known.events else []
    cells = [f"`{' '.join(each.split())}`" for each in (known.needs, known.region, known.date, known.value)]
    return f"| {' | '.join([known.name, *cells, '; '.join(more)]).rstrip()} |"


def test_the_table_of_layouts_is_the_packages() -> None:
    shown = [line for line in PAGE.splitlines() if line.count("|") == 7][2:]
    assert shown == [row(known) for known in KNOWN]


def test_every_option_of_the_readers_is_explained_and_no_other() -> None:
    named = set(re.findall(r"--[a-z][a-z.-]*[a-z]", PAGE))
    short = {"negatives", "drop_last", "weekly"}
    options = {
        f"--{name}" if name in short else f"--source.{name}"
        for name in SourceConfig.model_fields
        if name != "simulation_seed"
    }
    assert {option.replace("_", "-") for option in options} <= named
    assert named - {option.replace("_", "-") for option in options} == {"--data", "--json", "--out"}


def districts() -> str:
    """A table as a district office exports it: semicolons, dates with points, a title, age groups."""
    lines = ["Cases by district, exported 2023-05-01", "", "Kreis;Datum;Altersgruppe;Faelle"]
    for r, name in enumerate(("Altmark", "Bergland", "Cusanus")):
        for i in range(60):
            for k, age in enumerate(("00-14", "15+")):
                n = round((r + 1) * (40 + 30 * (1 - 2 * abs((i % 29) / 29 - 0.5))) * (1 + k)) + (7 * i + r) % 5
                lines.append(
                    f"{name};{date(2023, 1, 1) + timedelta(days=i):%d.%m.%Y};{age};{n // (4 if i == 59 else 1)}"
                )
    return "\n".join(lines) + "\n"

"""Other teams' forecasts, read from the `model-output` folder of a hub: `TEAM-MODEL/DATE-TEAM-MODEL.csv` or `.parquet`.

A hub holds thousands of such files from dozens of teams. One that can't be read must not keep a season from being
scored: it is left out, and named with the reason.
"""

import hashlib
import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple

import polars as pl

from twofold.counts.files import PARQUET
from twofold.counts.panel import counted
from twofold.engine.parquet import read_parquet
from twofold.hub.quantiles import LEVEL_DECIMALS, QUANTILE
from twofold.hub.rules import Rules
from twofold.hub.tables import FORECAST, WANTED, Kind, parse

NEEDED: dict[str, Kind] = {
    "reference_date": "date",
    "target": "text",
    "horizon": "integer",
    "location": "text",
    "output_type": "text",
    "output_type_id": "text",
    "value": "number",
}
"""Columns of a submission that are read."""
_FORMS = ".csv", ".parquet"
_NAMED = 5  # files that the sentence names; all are listed


class Unread(NamedTuple):
    """A file that was left out, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class Outputs:
    """What the teams submitted.

    Attributes:
        categories: columns of `tables.FORECAST`; None: there are none.
        quantiles: columns of `quantiles.QUANTILE`; None: there are none.
        unread: files that were left out.
        digest: of the content of all files, SHA-256 in hex.
    """

    categories: pl.DataFrame | None
    quantiles: pl.DataFrame | None
    unread: tuple[Unread, ...] = ()
    digest: str = ""

    @property
    def notes(self) -> list[str]:
        """A sentence on the files left out, if there are any."""
        if not self.unread:
            return []
        shown = "; ".join(f"{file} ({reason})" for file, reason in self.unread[:_NAMED])
        more = f"; {counted(len(self.unread) - _NAMED, 'other')}" if len(self.unread) > _NAMED else ""
        return [f"{counted(len(self.unread), 'file')} of model-output left out: {shown}{more}."]


def read_outputs(folder: Path, days: Collection[date], rules: Rules) -> Outputs:
    """Reads what all teams submitted for some reference dates: the targets and horizons of the rules.

    Args:
        folder: the hub's `model-output`.
        days: reference dates; files of others are not looked at.
        rules: of the season.
    """
    tables: list[pl.DataFrame] = []
    unread: list[Unread] = []
    digest = hashlib.sha256()
    wanted = {str(day): day for day in days}
    for path in _files(folder):
        model, told = path.parent.name, str(path.relative_to(folder))
        day = wanted.get(path.name[: len("2024-11-23")])
        if day is None:
            continue
        if path.stem != f"{day}-{model}":
            unread.append(Unread(told, f"is not named {day}-{model}{path.suffix}, after its folder"))
            continue
        if path.suffix == ".parquet" and path.with_suffix(".csv").exists():
            unread.append(Unread(told, "the same forecasts lie beside it as CSV, which is read"))
            continue
        try:
            data = path.read_bytes()
            digest.update(f"{told} {hashlib.sha256(data).hexdigest()}\n".encode())
            tables.append(_submission(told, data, day, rules).with_columns(model=pl.lit(model)))
        except (ValueError, OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            # That of the system would name the whole path.
            reason = str(error.strerror if isinstance(error, OSError) else error).removeprefix(f"{told}: ")
            unread.append(Unread(told, " ".join(reason.split())[:200] or type(error).__name__))
    whole = pl.concat([_NOTHING, *tables])
    by_type = pl.col("output_type") == "quantile"
    level = pl.col("output_type_id").cast(pl.Float64, strict=False).round(LEVEL_DECIMALS)
    quantiles = whole.filter(by_type).with_columns(quantile=level).select(list(QUANTILE))
    renamed = whole.filter(~by_type).rename({"output_type_id": "category", "value": "probability"})
    categories = renamed.select(list(FORECAST))
    return Outputs(
        None if categories.is_empty() else categories,
        None if quantiles.is_empty() else quantiles,
        tuple(unread),
        digest.hexdigest(),
    )


_NOTHING = pl.DataFrame(
    schema={
        "reference_date": pl.Date,
        "horizon": pl.Int64,
        "location": pl.String,
        "output_type": pl.String,
        "output_type_id": pl.String,
        "value": pl.Float64,
        "model": pl.String,
    }
)


def _files(folder: Path) -> Iterator[Path]:
    for team in sorted(path for path in folder.iterdir() if path.is_dir()):
        yield from sorted(path for path in team.iterdir() if path.suffix in _FORMS)


def _submission(name: str, data: bytes, day: date, rules: Rules) -> pl.DataFrame:
    """The rows of the rules' targets and horizons, in all columns of `_NOTHING` but the model.

    Raises:
        ValueError: when a column is missing, or a cell is not what its column holds.
        PolarsError: when the file can't be read at all.
    """
    parquet = data.startswith(PARQUET)
    lazy = read_parquet(name, data).lazy() if parquet else pl.scan_csv(io.BytesIO(data), infer_schema=False)
    there = lazy.collect_schema().names()
    missing = [name for name in NEEDED if name not in there]
    if missing:
        raise ValueError(f"lacks the {'columns' if len(missing) > 1 else 'column'} {', '.join(missing)}")
    target, kind = (pl.col(name).cast(pl.String) for name in ("target", "output_type"))
    asked = (target == pl.lit(rules.counts)) & (kind == "quantile")
    if rules.rate_change is not None:
        asked = asked | ((target == rules.rate_change.target) & (kind == "pmf"))
    asked = asked.fill_null(True)  # a row that is cut short is not lost without a word
    rows = lazy.select(list(NEEDED)).filter(asked).with_columns(pl.col("output_type_id").cast(pl.String)).collect()
    typed = {name: parse(rows[name], each) for name, each in NEEDED.items()}
    for column, cells in typed.items():
        if cells.null_count():
            got = rows[column][int(cells.is_null().arg_max() or 0)]
            raise ValueError(
                f"column {column}: {'empty cell' if got is None else f'{got!r}'}, not {WANTED[NEEDED[column]]}"
            )
    table = pl.DataFrame(list(typed.values())).filter(pl.col("horizon").is_in(rules.horizons))
    others = table.filter(pl.col("reference_date") != day)["reference_date"]
    if len(others):
        raise ValueError(f"holds forecasts for {others[0]}, and is named {day}")
    return table.select(name for name in _NOTHING.columns if name != "model")

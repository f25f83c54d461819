"""Teams' submissions as files of a hub: both forms, both output types, and what is broken named with its reason."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from hub.small import CHANGE, RULES
from twofold.hub.peers import Outputs, Unread, read_outputs
from twofold.hub.quantiles import QUANTILE
from twofold.hub.rules import read_rules
from twofold.hub.tables import FORECAST

CATEGORIES = CHANGE.categories
DAY, OTHER = date(2024, 11, 30), date(2024, 12, 7)
HEADER = "reference_date,target,horizon,target_end_date,location,output_type,output_type_id,value\n"
QUANTILES = "".join(
    f"2024-11-30,wk inc flu hosp,{horizon},2024-12-07,01,quantile,{level},{value}\n"
    for horizon in (-1, 0, 1)
    for level, value in (("0.15000000000000002", 3), ("0.5", 4.5), ("0.975", 9))
)
PMF = "".join(
    f"2024-11-30,wk flu hosp rate change,0,2024-11-30,01,pmf,{name},{p}\n"
    for name, p in zip(CATEGORIES, (0.1, 0.2, 0.4, 0.2, 0.1), strict=True)
)
OTHERS = (
    "2024-11-30,wk inc flu hosp,0,2024-11-30,01,sample,a1,7\n2024-11-30,peak inc flu hosp,NA,NA,US,quantile,0.5,4\n"
)


def put(folder: Path, content: str | bytes, model: str = "team-model", name: str | None = None) -> Path:
    path = folder / model / (name or f"{DAY}-{model}.csv")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(folder: Path) -> Outputs:
    return read_outputs(folder, [DAY, OTHER], RULES)


def test_both_output_types_of_the_scored_horizons_are_read(tmp_path: Path) -> None:
    put(tmp_path, HEADER + QUANTILES + PMF + OTHERS)
    found = read(tmp_path)
    assert found.unread == () and found.notes == []
    assert found.quantiles is not None and found.categories is not None
    assert found.quantiles.columns == list(QUANTILE)
    assert found.quantiles.rows() == [
        ("team-model", DAY, horizon, "01", level, value)
        for horizon in (0, 1)
        for level, value in ((0.15, 3.0), (0.5, 4.5), (0.975, 9.0))
    ]
    assert found.categories.columns == list(FORECAST)
    assert found.categories["category"].to_list() == list(CATEGORIES)
    assert found.categories["probability"].to_list() == [0.1, 0.2, 0.4, 0.2, 0.1]


def test_a_parquet_file_says_the_same_as_the_csv(tmp_path: Path) -> None:
    csv = put(tmp_path / "csv", HEADER + QUANTILES + PMF)
    table = pl.read_csv(csv, schema_overrides={"location": pl.String}, try_parse_dates=True)
    path = put(tmp_path / "parquet", "", name=f"{DAY}-team-model.parquet")
    table.with_columns(pl.col("horizon").cast(pl.Int32)).write_parquet(path)
    one, other = read(tmp_path / "csv"), read(tmp_path / "parquet")
    assert one.quantiles is not None and other.quantiles is not None and one.quantiles.equals(other.quantiles)
    assert one.categories is not None and other.categories is not None and one.categories.equals(other.categories)
    assert one.digest != other.digest  # the files are others


def test_a_hub_without_categories_has_none_of_its_teams(tmp_path: Path) -> None:
    put(tmp_path, HEADER + (QUANTILES + PMF).replace("inc flu", "inc rsv"))
    found = read_outputs(tmp_path, [DAY], read_rules("rsv").season("2024-25"))
    assert found.categories is None
    assert found.quantiles is not None and found.quantiles.height == 6


def test_other_dates_and_other_files_are_not_looked_at(tmp_path: Path) -> None:
    put(tmp_path, "nonsense", name="2023-11-04-team-model.csv")
    put(tmp_path, "nonsense", name="README.md")
    (tmp_path / "README.md").write_text("nonsense")
    found = read(tmp_path)
    assert (found.categories, found.quantiles, found.unread) == (None, None, ())


BROKEN = {
    "a column is missing": (HEADER.replace(",value", ""), "lacks the column value"),
    "nothing": ("", "empty"),
    "a row cut short": (HEADER + QUANTILES + "2024-11-30,wk inc flu hosp,0\n", "column location: empty cell, not text"),
    "no number": (HEADER + QUANTILES.replace(",4.5", ",four"), "column value: 'four', not a finite number"),
    "no value": (HEADER + QUANTILES.replace(",4.5", ","), "column value: empty cell, not a finite number"),
    "half a week": (HEADER + QUANTILES.replace("hosp,0", "hosp,0.5"), "column horizon: '0.5', not a whole number"),
    "another date": (HEADER + QUANTILES.replace("2024-11-30,", "2024-12-07,"), "holds forecasts for 2024-12-07"),
    "a damaged Parquet file": (b"PAR1" + bytes(50) + b"PAR1", ""),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_left_out_with_its_reason_and_the_others_are_read(tmp_path: Path, kind: str) -> None:
    content, said = BROKEN[kind]
    put(tmp_path, content, "bad-model")
    put(tmp_path, HEADER + QUANTILES)
    found = read(tmp_path)
    (left_out,) = found.unread
    assert left_out.file == f"bad-model/{DAY}-bad-model.csv"
    assert said in left_out.reason and left_out.reason
    assert found.quantiles is not None and set(found.quantiles["model"]) == {"team-model"}
    assert found.notes == [f"1 file of model-output left out: {left_out.file} ({left_out.reason})."]


def test_a_wrong_name_and_a_second_form_are_left_out(tmp_path: Path) -> None:
    put(tmp_path, HEADER + QUANTILES)
    put(tmp_path, b"PAR1", name=f"{DAY}-team-model.parquet")
    put(tmp_path, HEADER + QUANTILES, name=f"{DAY}-team-other.csv")
    found = read(tmp_path)
    assert found.unread == (
        Unread("team-model/2024-11-30-team-model.parquet", "the same forecasts lie beside it as CSV, which is read"),
        Unread("team-model/2024-11-30-team-other.csv", "is not named 2024-11-30-team-model.csv, after its folder"),
    )
    assert found.quantiles is not None and found.quantiles.height == 6


def test_many_files_left_out_are_counted_and_the_first_named() -> None:
    unread = tuple(Unread(f"{k}.csv", "broken") for k in range(8))
    (note,) = Outputs(None, None, unread).notes
    assert note.startswith("8 files of model-output left out: 0.csv (broken); 1.csv")
    assert note.endswith("4.csv (broken); 3 others.")

"""A hub's own files: versions in its layout, codes, and what a command finds in its folder."""

import json
from datetime import UTC, date, datetime, time
from pathlib import Path

import polars as pl
import pytest

from hub.small_hub import write_hub
from twofold.cli import main
from twofold.engine.errors import DataError, InputError
from twofold.hub.vintages import check_codes, read_versions

OFFICIAL = """\
as_of,target,target_end_date,location,location_name,observation
2024-11-20,wk inc flu hosp,2024-11-16,01,Alabama,10
2024-11-20,wk inc flu hosp,2024-11-16,US,US,100
2024-11-27,wk inc flu hosp,2024-11-16,01,Alabama,12
2024-11-27,wk inc flu prop ed visits,2024-11-16,01,Alabama,0.01
"""
CLOSING = time(3, 59, 59)  # just before 23:00 in the East of the United States
PLACES = pl.DataFrame({"location": ["01", "06", "US"], "population": [5_000_000, 39_000_000, 330_000_000]})


def written(folder: Path, text: str, name: str = "time-series.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_hubs_time_series_is_read_as_versions_of_one_target(tmp_path):
    versions = read_versions(written(tmp_path, OFFICIAL), "wk inc flu hosp", CLOSING)
    assert versions.times() == [
        datetime(2024, 11, 21, 3, 59, 59, tzinfo=UTC),
        datetime(2024, 11, 28, 3, 59, 59, tzinfo=UTC),
    ]
    assert versions.latest().rows() == [(date(2024, 11, 16), "01", 12.0), (date(2024, 11, 16), "US", 100.0)]
    assert "03:59:59 UTC of the next day, just before the hub's deadline" in versions.notes[0]
    deadline = datetime(2024, 11, 21, 4, tzinfo=UTC)
    assert versions.before(deadline).height == 2  # a version of the deadline's day is known by it


def test_parquet_with_dates_is_read_as_the_csv(tmp_path):
    frame = pl.read_csv(OFFICIAL.encode(), schema_overrides={"location": pl.String}, try_parse_dates=True)
    frame.write_parquet(tmp_path / "time-series.parquet")
    of_csv = read_versions(written(tmp_path, OFFICIAL), "wk inc flu hosp", CLOSING)
    of_parquet = read_versions(tmp_path / "time-series.parquet", "wk inc flu hosp", CLOSING)
    assert of_parquet.changes.equals(of_csv.changes)


def test_several_targets_without_a_name_are_refused(tmp_path):
    with pytest.raises(DataError, match="holds the targets 'wk inc flu hosp', 'wk inc flu prop ed visits'"):
        read_versions(written(tmp_path, OFFICIAL))


def test_codes_that_lost_their_zero_are_refused_with_the_rule(tmp_path):
    path = written(tmp_path, OFFICIAL.replace(",01,", ",1,"))
    versions = read_versions(path, "wk inc flu hosp", CLOSING)
    with pytest.raises(
        DataError, match=r"1 location that the table of locations lacks: '1'; codes are text .*'01', not '1'"
    ):
        check_codes(versions, PLACES)
    check_codes(read_versions(written(tmp_path, OFFICIAL), "wk inc flu hosp", CLOSING), PLACES)


@pytest.mark.parametrize("command", ["backtest", "fit", "forecast", "validate"])
def test_the_old_words_name_the_new_ones(capsys, command):
    assert main(["trend", "hub", command, "--help"]) == 2
    assert f"`twofold hub {command}` now" in capsys.readouterr().err


@pytest.mark.realdata
def test_look_shows_the_next_round_from_the_hubs_folder(data_folder, tmp_path, capsys):
    folder = tmp_path / "hub"
    for name in ("hub-config", "target-data", "auxiliary-data"):
        (folder / name).mkdir(parents=True)
    flusight = data_folder / "flusight"
    for name in ("tasks.json", "admin.json"):
        (folder / "hub-config" / name).write_bytes((flusight / "hub-config" / name).read_bytes())
    (folder / "target-data" / "time-series.parquet").write_bytes((flusight / "vintages.parquet").read_bytes())
    (folder / "auxiliary-data" / "locations.csv").write_bytes((flusight / "locations_2024-25.csv").read_bytes())
    assert main(["hub", "look", "--hub", str(folder), "--at", "2025-01-14T12:00:00-05:00"]) == 0
    out = capsys.readouterr().out
    assert "next round: 2025-01-18, taken until Wednesday 2025-01-15 23:59 EST" in out
    assert "the counts end with the week of 2025-01-04" in out
    assert f"twofold hub fit --hub {folder} --reference-date 2025-01-18" in out
    assert main(["hub", "look", "--hub", str(folder), "--at", "2025-01-14T12:00:00-05:00", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["next"]["reference_date"], found["next"]["newest_week"]) == ("2025-01-18", "2025-01-04")
    assert found["next"]["deadline"].startswith("2025-01-15T23:59")
    assert found["commands"][0][:3] == ["twofold", "hub", "fit"]


def test_a_folder_whose_targets_nobody_knows_is_refused(tmp_path):
    folder = write_hub(tmp_path / "hub")
    with pytest.raises(InputError, match="no rules are known for its targets"):
        from twofold.hub.inputs import rules_of

        rules_of(str(folder))


def test_validate_prints_json_with_the_checks_names(tmp_path, capsys):
    from hub.small_hub import NAME, rows, write

    folder = write_hub(tmp_path / "hub")
    good, bad = write(tmp_path / NAME, rows("quantile")), tmp_path / "2024-11-30-team-model.csv"
    write(bad, [row | {"reference_date": "2024-11-30", "value": -1.0} for row in rows("quantile")])
    assert main(["hub", "validate", str(good), "--hub", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["valid"]
    assert "value_col_non_desc" in found["passed"]
    assert main(["hub", "validate", str(bad), "--hub", str(folder)]) == 2
    assert "value_col_valid" in capsys.readouterr().out

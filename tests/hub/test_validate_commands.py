"""The hub's commands through the command line: what they print, and the exit status that a script can rely on."""

from pathlib import Path

import polars as pl
import pytest

from hub.small import LOCATIONS, RULES, START, forecasts_of
from twofold.cli import main
from twofold.hub.submission import write_submission

Output = pytest.CaptureFixture[str]


@pytest.fixture
def locations(tmp_path: Path) -> Path:
    path = tmp_path / "locations.csv"
    LOCATIONS.rename({"name": "location_name"}).write_csv(path)
    return path


@pytest.fixture
def submission(tmp_path: Path) -> Path:
    path = tmp_path / f"{START}-team-model.csv"
    write_submission(path, forecasts_of("team-model", 0).drop("model"), RULES, LOCATIONS)
    return path


def test_a_good_submission_is_valid(submission: Path, locations: Path, capsys: Output) -> None:
    assert main(["trend", "hub", "validate", str(submission), "--locations", str(locations)]) == 0
    assert capsys.readouterr().out == f"{submission.name}: valid; 12 forecasts of 'wk flu hosp rate change'\n"


def test_a_broken_row_is_named_and_the_status_says_so(submission: Path, locations: Path, capsys: Output) -> None:
    lines = submission.read_text().splitlines()
    lines[3] = lines[3].replace("pmf", "quantile")
    submission.write_text("\n".join(lines) + "\n")
    assert main(["trend", "hub", "validate", str(submission), "--locations", str(locations)]) == 2
    shown = capsys.readouterr().out
    assert "output_type" in shown
    assert "row 4" in shown
    assert "found" in shown.splitlines()[-1]


def test_a_later_season_is_told_to_use_the_newest_rules(tmp_path: Path, locations: Path, capsys: Output) -> None:
    path = tmp_path / "2030-11-30-team-model.csv"
    pl.DataFrame({"reference_date": ["2030-11-30"]}).write_csv(path)
    assert main(["trend", "hub", "validate", str(path), "--locations", str(locations)]) == 2
    assert "note: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["forecast.csv"], "forecast.csv"),
        (["2024-11-30-team-model.csv", "--hub", "nowhere"], "hub must be one of flusight"),
        (["2024-11-30-team-model.csv", "--season", "2024"], "season"),
        (["2024-11-30-team-model.csv"], "2024-11-30-team-model.csv"),
    ],
)
def test_what_can_not_be_checked_is_an_error(
    tmp_path: Path, locations: Path, capsys: Output, words: list[str], said: str
) -> None:
    name, *others = words
    assert main(["trend", "hub", "validate", str(tmp_path / name), "--locations", str(locations), *others]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""

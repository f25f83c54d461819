"""The walk by command line: any table of counts, interrupted or not."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from trend.small import epidemic
from twofold.cli import main
from twofold.counts.panel import Panel
from twofold.counts.simulate import simulate

FLAGS = [
    *("--last", "4", "--walk.warmup", "1", "--walk.boosting-rounds", "3", "--window.length", "5"),
    *("--model.hidden", "3", "--train.epochs", "1", "--ensemble.seeds", "1", "--score.bootstrap", "20"),
]
Output = pytest.CaptureFixture[str]


def write(panel: Panel, path: Path) -> Path:
    panel.frame().select("region", "date", "value").write_csv(path)
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(epidemic(), tmp_path_factory.mktemp("data") / "cases.csv")


def words(table: Path, out: Path, *more: str) -> list[str]:
    kind = ("--source.kind", "cumulative", "--screen.threshold", "0.3")
    return ["trend", "backtest", "--data", str(table), "--out", str(out), "--jobs", "1", *FLAGS, *kind, *more]


def test_a_walk_leaves_the_whole_folder_and_is_left_alone_afterwards(
    table: Path, tmp_path: Path, capsys: Output
) -> None:
    assert main(words(table, tmp_path / "run")) == 0
    first = capsys.readouterr().out
    names = {path.name for path in (tmp_path / "run").iterdir()} - {".lock"}
    assert names == {
        *("config.json", "manifest.json", "origins", "predictions.parquet", "scores.json", "figures", "report.html"),
        "DONE",
    }
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*") if path.name != ".lock"}
    assert main(words(table, tmp_path / "run")) == 0
    again = capsys.readouterr()
    assert again.out == first and "holds this very walk, finished" in " ".join(again.err.split())
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert "Pool" in first and "Logistic regression" in first and str(tmp_path / "run" / "report.html") in first


def test_the_help_says_what_an_origin_is(capsys: Output) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["trend", "backtest", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 0
    assert "asks about days 66 to 80, from origins 65 to 79" in said
    assert "walk-next-day, walk-mean7" in said and "--last" in said


def test_dates_are_given_as_they_are_written(table: Path, tmp_path: Path) -> None:
    more = ("--first", "2020-03-10", "--until", "2020-03-12", "--every", "2")
    assert main(words(table, tmp_path / "run", *more)) == 0
    walk = json.loads((tmp_path / "run" / "scores.json").read_text())["walk"]
    assert (walk["first_target"], walk["last_target"], walk["refits"]) == ("2020-03-10", "2020-03-12", 3)
    assert walk["first_origin"] == "2020-03-09"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--recipe", "walk-home"), "no such recipe"),
        (("--last", "0"), "--walk.last"),
        (("--first", "2031-01-01"), "no target date lies there"),
    ],
)
def test_what_can_be_mended_is_said(
    more: tuple[str, ...], message: str, table: Path, tmp_path: Path, capsys: Output
) -> None:
    assert main(words(table, tmp_path / "run", *more)) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("more", [(), ("--weekly",)])
def test_a_long_table_of_another_disease_needs_no_other_code(more: tuple[str, ...], tmp_path: Path) -> None:
    panel = simulate(7)
    days = panel.increments("clip")
    few = Panel(panel.regions[:12], days.dates, days.counts[:12], "incident")
    table = few.frame().select(place="region", onset="date", dengue="value")
    table.write_parquet(tmp_path / "dengue.parquet")
    columns = ("--source.region", "place", "--source.date", "onset", "--source.value", "dengue")
    data = ("--data", str(tmp_path / "dengue.parquet"), "--out", str(tmp_path / "run"), "--jobs", "1")
    assert main(["trend", "backtest", *data, *columns, *FLAGS, "--screen.threshold", "None", *more]) == 0
    found = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert found["data"]["step_days"] == (7 if more else 1)
    assert found["windows"]["all"]["windows"] == 4 * 12


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_after_ctrl_c_and_a_kill_the_same_command_ends_with_the_same_bytes(
    jobs: str, table: Path, tmp_path: Path
) -> None:
    more = ("--last", "7", "--train.epochs", "30", "--jobs", jobs)
    assert main(words(table, tmp_path / "whole", *more)) == 0
    out = tmp_path / "cut"
    said = strike(words(table, out, *more), out, 1, signal.SIGINT)
    assert said.splitlines()[-1] == "interrupted: the same command goes on where this one stopped"
    assert "Traceback" not in said
    kept = {path: path.stat().st_mtime_ns for path in out.glob("origins/[0-9]*.json")}
    assert kept and not (out / "DONE").exists()

    strike(words(table, out, *more), out, len(kept) + 1, signal.SIGKILL)
    assert main(words(table, out, *more)) == 0
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items()), "what was finished is not done again"
    for path in (tmp_path / "whole").rglob("*"):
        if path.is_file() and path.name not in (".lock", "manifest.json"):
            assert (out / path.relative_to(tmp_path / "whole")).read_bytes() == path.read_bytes(), path


def strike(words: list[str], out: Path, refits: int, blow: signal.Signals) -> str:
    """Starts a walk and ends it once so many refits are finished; what it said to standard error."""
    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # where tests run in the background, it is ignored
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "twofold", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        while len(list(out.glob("origins/[0-9]*.json"))) < refits:
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        if blow == signal.SIGKILL:
            os.killpg(process.pid, blow)  # with its workers, as when a machine goes down
        else:
            process.send_signal(blow)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == (130 if blow == signal.SIGINT else -blow)
    return said


@pytest.mark.realdata
@pytest.mark.slow
def test_the_whole_jhu_series_by_weeks(data_folder: Path, tmp_path: Path) -> None:
    data = ("--data", str(data_folder / "time_series_covid19_confirmed_global.csv"), "--out", str(tmp_path / "run"))
    assert main(["trend", "backtest", *data, "--weekly", "--jobs", "1", *FLAGS]) == 0
    found = json.loads((tmp_path / "run" / "scores.json").read_text())
    table = pl.read_parquet(tmp_path / "run" / "predictions.parquet")
    assert found["data"]["step_days"] == 7 and found["walk"]["origins"] == 4 and not found["skipped"]
    assert len(np.unique(table["target_date"])) == 4 and found["windows"]["active"]["windows"] > 400

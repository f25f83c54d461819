"""The study's commands through the command line: what they print, what they refuse, what they leave alone."""

import gzip
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from counts.damage import FILES, REGIONS, SEED, damaged_files
from trend.small import epidemic, quick, silent
from twofold.cli import main
from twofold.counts.panel import Panel
from twofold.counts.simulate import simulate
from twofold.engine.run import claim
from twofold.engine.sound import JOURNAL, audit
from twofold.trend.baselines import BASELINES
from twofold.trend.commands import score_table
from twofold.trend.config import TrendConfig
from twofold.trend.forecast import Forecaster
from twofold.trend.recipes import RECIPES
from twofold.trend.report import wording
from twofold.trend.run import execute

FLAGS = [
    *("--source.kind", "cumulative", "--window.length", "5", "--model.hidden", "3", "--train.epochs", "2"),
    *("--ensemble.seeds", "1", "--ensemble.partners", "logistic", "--train.jobs", "1", "--score.bootstrap", "20"),
]
Output = pytest.CaptureFixture[str]


def write(panel: Panel, path: Path) -> Path:
    panel.frame().select("region", "date", "value").write_csv(path)
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(epidemic(), tmp_path_factory.mktemp("data") / "cases.csv")


@pytest.fixture(scope="module")
def run(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, made through the command line."""
    out = tmp_path_factory.mktemp("runs") / "run"
    assert main(["trend", "run", "--data", str(table), "--out", str(out), *FLAGS]) == 0
    return out


def refused(capsys: Output, *words: str) -> str:
    """The message of a command that ends with status 2; one line, nothing on standard output, no traceback."""
    try:
        status = main(list(words))
    except SystemExit as ended:
        status = ended.code
    shown = capsys.readouterr()
    assert status == 2, shown
    assert shown.out == ""
    assert "Traceback" not in shown.err
    return shown.err


def state(run: Path) -> dict[str, tuple[int, int]]:
    """Size and time of each file but the lock."""
    files = (path for path in run.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def test_a_run_leaves_the_whole_folder_and_says_what_it_found(table: Path, run: Path, capsys: Output) -> None:
    assert main(["trend", "run", "--data", str(table), "--out", str(run), *FLAGS]) == 0  # finished: told once more
    shown = capsys.readouterr().out
    files = {path.name for path in run.iterdir()} - {".lock"}
    assert files == {
        *("config.json", "metrics.jsonl", "checkpoint", "model.safetensors", "model.skops", "scores.json"),
        *("predictions.parquet", "panel.parquet", "arrays.npz", "tomorrow.parquet", "figures", "map.svg"),
        *("report.html", "manifest.json", "log.txt", "twofold.sha256", "DONE"),
    }
    scores = json.loads((run / "scores.json").read_text())
    assert wording.verdict(scores["verdict"], 0.9) in shown
    assert str(run / "report.html") in shown
    assert all(name in shown for name in ("ensemble", "network", *scores["baselines"]))
    assert f"{scores['test']['log_score']:.3f}" in shown


def test_the_folder_names_recipe_and_digest_when_none_is_given(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("twofold.trend.run.execute", _interrupt)
    found = []
    for seed in ("1", "1", "2"):
        assert main(["trend", "run", "--data", str(table), "--seed", seed, *FLAGS]) == 130
        found.append({path.name for path in (tmp_path / "runs" / "trend").iterdir()})
    assert len(found[0]) == 1
    assert found[1] == found[0]
    assert len(found[2]) == 2
    assert all(re.fullmatch(r"default-[0-9a-f]{10}", name) for name in found[2])


@pytest.mark.parametrize(("active", "rows"), [(0.5, 1), (0.4, 2)])
def test_the_same_windows_are_told_once(active: float, rows: int) -> None:
    keys = ("accuracy", "roc_auc", "brier_skill", "log_score", "ece")
    both = {"test": dict.fromkeys(keys, 0.5), "test_active": dict.fromkeys(keys, active)}
    intervals = {part: {"log_score": [0.4, 0.6]} for part in both}
    assert score_table("title", {"network": both | {"intervals": intervals}}).row_count == rows


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def test_the_demo_is_the_default_recipe_on_the_simulated_epidemic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def spy(panel: Panel, source: str, config: TrendConfig, *_: Any) -> None:
        seen.append((len(panel.regions), source, config))
        raise KeyboardInterrupt

    monkeypatch.setattr("twofold.trend.run.execute", spy)
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 130
    ((regions, source, config),) = seen
    assert regions > 150
    assert source == "simulated"
    assert config == RECIPES["default"]()
    assert (tmp_path / "demo" / "trend" / "config.json").exists()


def test_flags_change_the_recipe_that_they_follow(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twofold.trend.run.execute", _interrupt)
    for words in (["--recipe", "original-lstm-l3"], ["--recipe=original-lstm-l3"]):
        out = tmp_path / words[-1]
        assert main(["trend", "run", "--data", str(table), "--out", str(out), "--train.epochs", "7", *words]) == 130
        config = json.loads((out / "config.json").read_text())
        assert (config["recipe"], config["model"]["cell"], config["window"]["length"]) == (
            "original-lstm-l3",
            "lstm",
            3,
        )
        assert config["train"]["epochs"] == 7


@pytest.mark.parametrize("command", ["run", "predict", "score"])
def test_help_names_the_flags(command: str, capsys: Output) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["trend", command, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    wanted = {"run": ("--window.length", "--recipe", "original-gru-l7", "--overwrite", "--negatives", "--drop-last")}
    for flag in wanted.get(command, ("--data", "--format", "--out")):
        assert flag in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--window.length", "0"], "--window.length: Input should be greater than or equal to 1, got 0"),
        (["--split.test-fraction", "2"], "--split.test-fraction: Input should be less than 1, got 2.0"),
        (["--seed", "-1"], "--seed: Input should be greater than or equal to 0, got -1"),
        (
            ["--split.validation-fraction", "0.4", "--split.calibration-fraction", "0.4"],
            "validation_fraction + calibration_fraction must not exceed 0.6",
        ),
        (
            ["--recipe", "orignal"],
            "--recipe orignal: no such recipe; there are default, weekly, weekly-seasonal, original",
        ),
        (["--drop-last", "60"], "--drop-last must lie in [0, 47]"),
        (["--window.length", "300"], "window.length 300"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_wrong_value_is_one_line_that_names_its_flag(
    words: list[str], said: str, table: Path, tmp_path: Path, capsys: Output
) -> None:
    shown = refused(capsys, "trend", "run", "--data", str(table), "--out", str(tmp_path / "run"), *words)
    assert said in shown
    assert len(shown.splitlines()) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["trend", "run", "--train.epochs", "many"],
        ["trend", "run", "--model.cell", "elman"],
        ["trend", "run", "cases.csv"],
        ["trend", "predict"],
        ["trend", "predict", "runs/x", "--format", "xml"],
        ["trend", "score", "runs/x", "runs/y"],
        ["demo", "--seed", "3"],
    ],
    ids=" ".join,
)
def test_wrong_words_are_explained(words: list[str], capsys: Output) -> None:
    assert words[-1].split("=")[0] in (shown := refused(capsys, *words)) or "required" in shown.lower()


def test_a_misspelt_flag_is_answered_with_the_right_one(capsys: Output) -> None:
    assert "--window.length" in refused(capsys, "trend", "run", "--window.lenght", "3")


@pytest.mark.parametrize("content", [None, "", "<html>404</html>", "region,date,value\nItaly,2020-01-01,x\n"])
def test_a_bad_table_leaves_no_folder(content: str | None, tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "cases.csv"
    if content is not None:
        path.write_text(content)
    assert str(path) in refused(capsys, "trend", "run", "--data", str(path), "--out", str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "words", [["run", "--help"], ["run"], ["study"], ["backtest"], ["predict", "runs/none"]], ids=" ".join
)
def test_nothing_that_trains_or_draws_is_loaded_before_the_data_is_right(words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_text("region,when,value\nItaly,2020-01-01,3\n")
    code = (
        "import sys\nfrom twofold.cli import main\ntry:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "print({'torch', 'sklearn', 'scipy', 'matplotlib', 'joblib'} & sys.modules.keys())"
    )
    command = [sys.executable, "-c", code, "trend", *words, "--data", str(path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1] == "set()"


def test_a_folder_that_is_no_run_stays_as_it_is(table: Path, tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    for more in ([], ["--overwrite"]):
        said = refused(capsys, "trend", "run", "--data", str(table), "--out", str(tmp_path), *FLAGS, *more)
        assert "holds files but no run (thesis.tex)" in said
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    said = refused(capsys, "trend", "run", "--data", str(table), "--out", str(tmp_path / "thesis.tex"), *FLAGS)
    assert "is a file; --out takes a folder" in said


def test_another_config_and_other_data_are_refused(table: Path, run: Path, tmp_path: Path, capsys: Output) -> None:
    before = state(run)
    words = ["trend", "run", "--data", str(table), "--out", str(run), *FLAGS]
    assert "seed 0 -> 5" in refused(capsys, *words, "--seed", "5")
    longer = write(epidemic(dates=55), tmp_path / "longer.csv")
    said = refused(capsys, "trend", "run", "--data", str(longer), "--out", str(run), *FLAGS)
    assert "holds a run on other data" in said
    assert state(run) == before


def test_overwrite_runs_again_to_the_same_model(table: Path, run: Path, capsys: Output) -> None:
    before, model = state(run), (run / "model.safetensors").read_bytes()
    (run / "figures" / "stale.svg").write_text("<svg/>")
    assert main(["trend", "run", "--data", str(table), "--out", str(run), *FLAGS, "--overwrite"]) == 0
    assert not (run / "figures" / "stale.svg").exists()
    assert state(run).keys() == before.keys()
    assert (run / "model.safetensors").read_bytes() == model


def probabilities(shown: str, form: str) -> pl.DataFrame:
    return pl.read_csv(io.StringIO(shown)) if form == "csv" else pl.read_json(io.StringIO(shown))


def test_predict_prints_the_forecast_of_the_run(run: Path, capsys: Output) -> None:
    tomorrow = pl.read_parquet(run / "tomorrow.parquet").sort("region")
    shown = {}
    for form in ("table", "csv", "json"):
        assert main(["trend", "predict", str(run), "--format", form]) == 0
        shown[form] = capsys.readouterr().out
    for form in ("csv", "json"):
        found = probabilities(shown[form], form)
        assert found.columns == tomorrow.columns
        assert found["probability"].is_sorted(descending=True)
        assert np.allclose(found.sort("region")["probability"], tomorrow["probability"], atol=1e-6)
    for name, probability in tomorrow.select("region", "probability").iter_rows():
        assert re.search(rf"{name} .*{probability:.3f}", shown["table"])


def test_json_is_all_that_is_printed(table: Path, run: Path, capsys: Output) -> None:
    assert main(["trend", "run", "--data", str(table), "--out", str(run), *FLAGS, "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {
        "folder": str(run),
        "report": str(run / "report.html"),
        "scores": json.loads((run / "scores.json").read_text()),
    }
    assert "holds this very run, finished" in " ".join(shown.err.split())
    for command in ("predict", "score"):
        said = []
        for option in (["--json"], ["--format", "json"]):
            assert main(["trend", command, str(run), *option]) == 0
            said.append(json.loads(capsys.readouterr().out))
        assert said[0] == said[1]


def test_predict_writes_a_file(run: Path, tmp_path: Path, capsys: Output) -> None:
    out = tmp_path / "new" / "tomorrow.csv"
    assert main(["trend", "predict", str(run), "--format", "csv", "--out", str(out)]) == 0
    assert capsys.readouterr().out == ""
    assert len(pl.read_csv(out)) == 7
    said = refused(capsys, "trend", "predict", str(run), "--out", str(tmp_path))
    assert f"--out {tmp_path}: can't be written" in said
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_predict_on_newer_data_warns_where_it_must(run: Path, tmp_path: Path, capsys: Output) -> None:
    fresh = write(epidemic(dates=53), tmp_path / "fresh.csv")
    late = tmp_path / "late.csv.gz"
    late.write_bytes(gzip.compress(write(epidemic(dates=90), tmp_path / "late.csv").read_bytes()))
    assert main(["trend", "predict", str(run), "--data", str(fresh), "--format", "json"]) == 0
    shown = capsys.readouterr()
    assert {row["origin"] for row in json.loads(shown.out)} == {"2020-03-26"}
    assert "train again" not in shown.err
    assert main(["trend", "predict", str(run), "--data", str(late), "--format", "csv"]) == 0
    assert re.search(r"^warning: The data ends on .* 40 days after .* train again", capsys.readouterr().err, re.M)


UNFIT = {
    "dates 1 days apart, this data has steps of 7": epidemic(step=7),
    "give more dates": epidemic(dates=5),
    "none of the regions": Panel(("x", "y"), epidemic().dates, epidemic().values[:2], "cumulative"),
}


@pytest.mark.parametrize("said", UNFIT)
def test_data_that_does_not_fit_the_model_is_refused_by_name(
    said: str, run: Path, tmp_path: Path, capsys: Output
) -> None:
    path = write(UNFIT[said], tmp_path / "other.csv")
    assert re.search(
        f"^error: {re.escape(str(path))}: .*{said}", refused(capsys, "trend", "predict", str(run), "--data", str(path))
    )
    shown = refused(capsys, "trend", "score", str(run), "--data", str(path))
    assert shown.startswith(f"error: {path}: ")
    assert len(shown.splitlines()) == 1


@pytest.mark.parametrize("command", ["predict", "score"])
def test_a_folder_without_a_finished_run_is_refused(command: str, tmp_path: Path, capsys: Output) -> None:
    said = refused(capsys, "trend", command, str(tmp_path))
    assert f"{tmp_path}: holds no finished run; give the folder that `twofold trend run` named" in said


def test_score_prints_what_the_run_scored(run: Path, tmp_path: Path, capsys: Output) -> None:
    scores = json.loads((run / "scores.json").read_text())
    assert main(["trend", "score", str(run)]) == 0
    shown = capsys.readouterr().out
    for name, block in {**scores["models"], **scores["baselines"]}.items():
        assert re.search(rf"{name} .*{block['test']['log_score']:.3f}", shown)
    assert main(["trend", "score", str(run), "--format", "json", "--out", str(tmp_path / "scores.json")]) == 0
    assert json.loads((tmp_path / "scores.json").read_text()) == scores


def test_score_on_newer_data_judges_new_windows_only(run: Path, tmp_path: Path, capsys: Output) -> None:
    newer = write(epidemic(dates=70), tmp_path / "newer.csv")
    assert main(["trend", "score", str(run), "--data", str(newer), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    selected = json.loads((run / "scores.json").read_text())["screen"]["selected"]
    assert (found["first"], found["last"]) == ("2020-03-23", "2020-04-11")
    assert found["windows"] == 20 * selected
    assert set(found["models"]) == {"ensemble", *BASELINES}
    assert all(block["test"]["log_score"] > 0 for block in found["models"].values())
    same = write(epidemic(), tmp_path / "same.csv")
    assert "no window is new to it" in refused(capsys, "trend", "score", str(run), "--data", str(same))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run of each kind of counts on the damaged files' regions; without figures, which none of it reads."""
    folder, runs = tmp_path_factory.mktemp("models"), {}
    for kind in ("cumulative", "incident"):
        good = epidemic(regions=len(REGIONS), dates=40, kind=kind)
        panel = Panel(REGIONS, good.dates, good.values, kind)
        config = quick(source={"kind": kind}, window={"length": 3}, screen={"threshold": None})
        with claim(folder / kind, config, panel.digest(), []) as run:
            execute(panel, "cases.csv", config, run, silent)
            run.finish()
        runs[kind] = folder / kind
    return runs


def test_200_damaged_tables_are_refused_by_name_or_used_rightly(
    models: dict[str, Path], tmp_path: Path, capsys: Output
) -> None:
    forecasters = {kind: Forecaster.open(run) for kind, run in models.items()}
    cases = damaged_files(SEED, tmp_path)
    used = 0
    for case in cases:
        status = main(["trend", "predict", str(models[case.config.kind]), "--data", str(case.path), "--format", "csv"])
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err, (case.path.name, shown.err)
        if case.expected is None:
            assert status == 2, case.path.name
            assert shown.err.startswith(f"error: {case.path}"), shown.err
            assert shown.out == ""
        else:
            assert status == 0, shown.err
            right = forecasters[case.config.kind].forecast(case.expected).table.sort("region")
            found = probabilities(shown.out, "csv").sort("region")
            assert np.allclose(found["probability"], right["probability"], atol=1e-6), case.path.name
            used += 1
    assert len(cases) == FILES
    assert used >= 40


@pytest.mark.parametrize("number", range(0, FILES, 25))
def test_a_damaged_table_leaves_no_run_folder(number: int, tmp_path: Path, capsys: Output) -> None:
    case = [case for case in damaged_files(SEED, tmp_path) if case.expected is None][number % 100]
    words = ["trend", "run", "--data", str(case.path), "--out", str(tmp_path / "run"), *case.flags]
    assert str(case.path) in refused(capsys, *words)
    assert not (tmp_path / "run").exists()


WALK_FLAGS = [
    *("--last", "4", "--walk.warmup", "1", "--walk.boosting-rounds", "3", "--window.length", "5"),
    *("--model.hidden", "3", "--train.epochs", "1", "--ensemble.seeds", "1", "--score.bootstrap", "20"),
]


def walk_words(table: Path, out: Path, *more: str) -> list[str]:
    kind = ("--source.kind", "cumulative", "--screen.threshold", "0.3")
    return ["trend", "backtest", "--data", str(table), "--out", str(out), "--jobs", "1", *WALK_FLAGS, *kind, *more]


def test_a_walk_leaves_the_whole_folder_and_is_left_alone_afterwards(
    table: Path, tmp_path: Path, capsys: Output
) -> None:
    assert main(walk_words(table, tmp_path / "run")) == 0
    first = capsys.readouterr().out
    names = {path.name for path in (tmp_path / "run").iterdir()} - {".lock"}
    assert names == {
        *("config.json", "manifest.json", "origins", "predictions.parquet", "scores.json", "figures", "report.html"),
        *("panel.parquet", "map.svg", "log.txt", "twofold.sha256", "DONE"),
    }
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*") if path.name != ".lock"}
    assert main(walk_words(table, tmp_path / "run")) == 0
    again = capsys.readouterr()
    assert again.out == first and "holds this very walk, finished" in " ".join(again.err.split())
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert "Pool" in first and "Logistic regression" in first and str(tmp_path / "run" / "report.html") in first
    assert main(walk_words(table, tmp_path / "run", "--json")) == 0
    assert json.loads(capsys.readouterr().out)["scores"] == json.loads((tmp_path / "run" / "scores.json").read_text())


@pytest.mark.parametrize(("step", "more"), [(7, []), (7, ["--recipe", "default"]), (1, [])])
def test_weekly_data_without_a_recipe_is_told_of_the_weekly_one(
    step: int, more: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    told = step == 7 and not more
    monkeypatch.setattr("twofold.trend.run.execute", _interrupt)
    monkeypatch.setattr("twofold.trend.walk.models.walk_forward", _interrupt)
    data = ["--data", str(write(epidemic(step=step), tmp_path / "cases.csv")), "--source.kind", "cumulative"]
    assert main(["trend", "run", *data, "--out", str(tmp_path / "run"), *more]) == 130
    said = " ".join(capsys.readouterr().err.split())
    assert ("--recipe weekly was chosen on weeks" in said) == told
    assert ("weekly-seasonal" in said) == told
    walk = [*data, "--out", str(tmp_path / "walk"), *(word.replace("default", "walk-mean7") for word in more)]
    main(["trend", "backtest", *walk, "--window.target", "next_day"])
    assert ("--recipe walk-next-week was chosen on weeks" in " ".join(capsys.readouterr().err.split())) == told


def test_too_few_weeks_for_intervals_are_told_in_the_terminal(tmp_path: Path, capsys: Output) -> None:
    table = write(epidemic(step=7), tmp_path / "cases.csv")
    assert main(walk_words(table, tmp_path / "walk", "--score.block-days", "3")) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "needs two of them, 6 weeks, and here only 4 weeks were scored. So nothing is claimed" in said
        and "[" not in said
    )


def test_the_help_says_what_an_origin_is(capsys: Output) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["trend", "backtest", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 0
    assert "forecasts days 66 to 80, from origins 65 to 79" in said
    assert "walk-next-day, walk-mean7" in said and "--last" in said


def test_dates_are_given_as_they_are_written(table: Path, tmp_path: Path) -> None:
    more = ("--first", "2020-03-10", "--until", "2020-03-12", "--every", "2")
    assert main(walk_words(table, tmp_path / "run", *more)) == 0
    walk = json.loads((tmp_path / "run" / "scores.json").read_text())["walk"]
    assert (walk["first_target"], walk["last_target"], walk["refits"]) == ("2020-03-10", "2020-03-12", 3)
    assert walk["first_origin"] == "2020-03-09"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--recipe", "walk-home"), "no such recipe"),
        (("--last", "0"), "--walk.last"),
        (("--first", "2031-01-01"), "no target date in that range"),
    ],
)
def test_what_can_be_mended_is_said(
    more: tuple[str, ...], message: str, table: Path, tmp_path: Path, capsys: Output
) -> None:
    assert main(walk_words(table, tmp_path / "run", *more)) == 2
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
    assert main(["trend", "backtest", *data, *columns, *WALK_FLAGS, "--screen.threshold", "None", *more]) == 0
    found = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert found["data"]["step_days"] == (7 if more else 1)
    assert found["windows"]["all"]["windows"] == 4 * 12


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_after_ctrl_c_and_a_kill_the_same_command_ends_with_the_same_bytes(
    jobs: str, table: Path, tmp_path: Path
) -> None:
    more = ("--last", "7", "--train.epochs", "30", "--jobs", jobs)
    assert main(walk_words(table, tmp_path / "whole", *more)) == 0
    out = tmp_path / "cut"
    said = strike(walk_words(table, out, *more), out, 1, signal.SIGINT)
    assert said.splitlines()[-1] == "interrupted: the same command goes on where this one stopped"
    assert "Traceback" not in said
    kept = {path: path.stat().st_mtime_ns for path in out.glob("origins/[0-9]*.json")}
    assert kept and not (out / "DONE").exists()
    strike(walk_words(table, out, *more), out, len(kept) + 1, signal.SIGKILL)
    assert main(walk_words(table, out, *more)) == 0
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items()), "what was finished is not done again"
    for path in (tmp_path / "whole").rglob("*"):
        if path.is_file() and path.name not in (".lock", "manifest.json", "log.txt", JOURNAL):
            assert (out / path.relative_to(tmp_path / "whole")).read_bytes() == path.read_bytes(), path
    assert audit(out).fine


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
    assert main(["trend", "backtest", *data, "--weekly", "--jobs", "1", *WALK_FLAGS]) == 0
    found = json.loads((tmp_path / "run" / "scores.json").read_text())
    table = pl.read_parquet(tmp_path / "run" / "predictions.parquet")
    assert found["data"]["step_days"] == 7 and found["walk"]["origins"] == 4 and not found["skipped"]
    assert len(np.unique(table["target_date"])) == 4 and found["windows"]["active"]["windows"] > 400

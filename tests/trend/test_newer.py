"""`predict` and `score` on newer files of other shapes: the run's settings are the defaults, options replace them."""

import io
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from trend.test_advice import DAYS, REGIONS, TINY, Case, advised, count, day, long, text, total
from twofold.cli import main

Output = pytest.CaptureFixture[str]
NEW = DAYS + 6


def trained(folder: Path, table: str, *more: str) -> Path:
    (folder / "counts.csv").write_text(table)
    words = ["--data", str(folder / "counts.csv"), "--out", str(folder / "run"), "--train.jobs", "1", *TINY, *more]
    assert main(["trend", "run", *words]) == 0
    return folder / "run"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a plain table of new cases."""
    return trained(tmp_path_factory.mktemp("plain"), long())


def forecast(capsys: Output, run: Path, table: str, *more: str) -> tuple[pl.DataFrame, str]:
    """The printed probabilities by region, and what stands on standard error."""
    path = run.parent / "newer.csv"
    path.write_text(table)
    capsys.readouterr()
    assert main(["trend", "predict", str(run), "--data", str(path), "--format", "csv", *more]) == 0
    shown = capsys.readouterr()
    return pl.read_csv(io.StringIO(shown.out)).sort("region"), shown.err


def refusal(capsys: Output, command: str, run: Path, table: str, *more: str) -> str:
    path = run.parent / "newer.csv"
    path.write_text(table)
    capsys.readouterr()
    assert main(["trend", command, str(run), "--data", str(path), *more]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"error: {path}")
    return shown.err


def same(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    columns = "region", "origin", "target_date", "last_value"
    return one.select(columns).equals(other.select(columns)) and np.allclose(one["probability"], other["probability"])


def test_running_totals_for_a_run_on_new_cases(run: Path, capsys: Output) -> None:
    # The new cases of a running total's first date are unknown.
    plain, said = forecast(capsys, run, long(lambda r, i: count(r, i) if i else None, days=NEW))
    assert "--source.kind" not in said
    totals = long(total, days=NEW)
    wrong, said = forecast(capsys, run, totals)
    assert "look like running totals; if they are, add --source.kind cumulative" in said
    assert not same(wrong, plain)
    right, said = forecast(capsys, run, totals, "--source.kind", "cumulative")
    assert "--source.kind" not in said
    assert same(right, plain)


def test_other_columns_and_an_empty_end(run: Path, capsys: Output) -> None:
    rows = [
        (day(i), "NA" if r and i == NEW - 1 else count(r, i), name)
        for r, name in enumerate(REGIONS)
        for i in range(NEW)
    ]
    table = text(("week_end", "n", "place"), rows)
    plain, _ = forecast(capsys, run, long(days=NEW - 1))
    for command in ("predict", "score"):
        advice = advised(refusal(capsys, command, run, table), Case(table), ())
        assert ["--drop-last", "1"] in advice
        path = str(run.parent / "newer.csv")
        for words in advice:
            assert main(["trend", command, str(run), "--data", path, *words]) == 0
    found, said = forecast(capsys, run, table, "--drop-last", "1")
    assert same(found, plain)
    assert "note: Columns: region 'place', date 'week_end', count 'n'." in said


def test_a_correction_is_treated_as_asked_for_the_model_too(run: Path, capsys: Output) -> None:
    def corrected(r: int, i: int) -> int:
        return -9 if (r, i) == (1, NEW - 2) else count(r, i)

    table = long(corrected, days=NEW)
    for command in ("predict", "score"):
        said = refusal(capsys, command, run, table)
        assert advised(said, Case(table), ()) == [["--negatives", "clip"], ["--negatives", "redistribute"]]
    zero, _ = forecast(capsys, run, long(lambda r, i: max(corrected(r, i), 0), days=NEW))
    clipped, said = forecast(capsys, run, table, "--negatives", "clip")
    assert "clipped to 0" in said
    assert same(clipped, zero)
    less, _ = forecast(capsys, run, long(lambda r, i: max(corrected(r, i), 0) - 9 * ((r, i) == (1, NEW - 3)), days=NEW))
    spread, _ = forecast(capsys, run, table, "--negatives", "redistribute")
    assert same(spread, less)
    path = str(run.parent / "newer.csv")
    (run.parent / "newer.csv").write_text(table)
    scores = []
    for content, more in ((table, ("--negatives", "clip")), (long(lambda r, i: max(corrected(r, i), 0), days=NEW), ())):
        Path(path).write_text(content)
        capsys.readouterr()
        assert main(["trend", "score", str(run), "--data", path, "--format", "json", *more]) == 0
        scores.append(capsys.readouterr().out)
    assert scores[0] == scores[1]


def test_the_runs_settings_are_kept_until_options_replace_them(tmp_path: Path, capsys: Output) -> None:
    header = ("town", "day", "age", "found")
    rows = [
        (name, day(i), age, 3 * count(r, i) + k)
        for r, name in enumerate(REGIONS)
        for i in range(DAYS)
        for k, age in enumerate(("young", "old"))
    ]
    names = ("--source.region", "town", "--source.date", "day", "--source.value", "found")
    conditions = ("--source.where", "age=young", "--source.exclude", "Bergland", "--drop-last", "2")
    run = trained(tmp_path, text(header, rows), *names, *conditions)
    table = text(header, rows)
    kept, said = forecast(capsys, run, table)
    assert kept["region"].to_list() == [name for name in REGIONS if name != "Bergland"]
    assert set(kept["origin"]) == {str(day(DAYS - 1))}, "the last dates are those of the newer file"
    assert f"{len(rows) // 2} of {len(rows)} rows kept: age = young" in said
    other, said = forecast(capsys, run, table, "--source.where", "age=old", "--source.exclude", "Dorfen")
    assert other["region"].to_list() == [name for name in REGIONS if name != "Dorfen"]
    assert "rows kept: age = old." in said
    last = dict(zip(kept["region"], kept["last_value"], strict=True))
    assert all(value == last[name] + 1 for name, value in other.select("region", "last_value").rows() if name in last)
    renamed, _ = forecast(capsys, run, text(("town", "day", "age", "n"), rows), "--source.value", "n")
    assert same(renamed, kept)
    assert "no column 'found'" in refusal(capsys, "predict", run, text(("town", "day", "age", "n"), rows))


@pytest.mark.parametrize("command", ["predict", "score"])
def test_how_to_read_wants_something_to_read(command: str, run: Path, capsys: Output) -> None:
    assert main(["trend", command, str(run), "--source.kind", "cumulative"]) == 2
    said = capsys.readouterr().err
    assert said == "error: --source.kind: says how newer data is read; give it with --data FILE\n"


def test_other_regions_are_refused_without_an_option_that_score_lacks(run: Path, capsys: Output) -> None:
    table = re.sub("|".join(REGIONS), lambda found: f"new {found[0]}", long(days=NEW))
    for command in ("predict", "score"):
        said = refusal(capsys, command, run, table)
        assert "none of the regions that the model" in said
        assert "--" not in said

"""Every CDC hub from its own folder: backtest, fit, forecast and look, and nothing later seen by any of them."""

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hub.small_hubs import CHANGE, FIRST, PLACES, ROUNDS, moved, set_versions, shares, target, versions, write_hub
from page.reading import check_whole
from twofold.cli import main
from twofold.hub.distribution import LEVELS
from twofold.hub.inputs import rules_of, versions_of
from twofold.hub.quantile_scores import observations, quantile_board, score_quantiles, sort_out
from twofold.hub.quantiles import long_quantiles, read_peers_quantiles
from twofold.hub.rules import WEEK, read_rules
from twofold.hub.season import usable
from twofold.hub.serve import asked_of
from twofold.hub.tables import read_locations
from twofold.hub.tasks import read_hub
from twofold.hub.vintages import check_codes

Output = pytest.CaptureFixture[str]
QUICK = ["--heads", "climatology", "ar6", "quantile_trees", "--pooled", "ar6", "quantile_trees", "--jobs", "1"]
QUICK += ["--quantile-trees.bags", "2", "--quantile-trees.iterations", "3", "--quantile-trees.leaves", "4"]
QUICK += ["--growth.first-week", "0", "--growth.last-week", "53"]
SEEN = ROUNDS[2]
WEDNESDAY = SEEN - timedelta(days=3)  # the last day whose version is known for `SEEN`


def backtest(out: Path, hub: Path, *more: str | Path) -> Path:
    words = ["hub", "backtest", "--hub", hub, "--season", "2024-25", "--out", out, *QUICK, "--refit-weeks", "2", *more]
    assert main(list(map(str, words))) == 0
    return out


def submitted(out: Path, hub: Path, *more: str | Path) -> Path:
    """Fitted and forecast for `SEEN`."""
    fit = ["hub", "fit", "--hub", hub, "--reference-date", SEEN, "--out", out / "model", *QUICK, *more]
    assert main(list(map(str, fit))) == 0
    words = ["hub", "forecast", "--hub", hub, "--model", out / "model", "--reference-date", SEEN, "--out", out / "sent"]
    assert main(list(map(str, words))) == 0
    return out / "sent" / f"{SEEN}-twofold-pool.csv"


@pytest.fixture(scope="module")
def hubs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("hubs")
    return {name: write_hub(folder / name, name, seed=seed) for seed, name in enumerate(("covid", "rsv", "flu"))}


@pytest.fixture(scope="module")
def run(hubs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return backtest(tmp_path_factory.mktemp("run") / "covid", hubs["covid"], "--also", hubs["rsv"], hubs["flu"])


def read(folder: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(folder / f"{name}.parquet")


# --- a hub of quantiles only ---


def test_a_hub_of_quantiles_has_a_ranking_of_quantiles_alone(run: Path) -> None:
    scores = json.loads((run / "scores.json").read_text())
    assert not {"models", "common", "differences", "baseline", "ensemble", "derived"} & set(scores)
    assert set(scores["quantile"]["models"]) == {
        f"twofold-{name}" for name in ("ar6", "quantile_trees", "last_value", "pool")
    }
    assert scores["quantile"]["ours"] == [f"twofold-{name}" for name in ("ar6", "quantile_trees", "last_value", "pool")]
    assert scores["dates"] == [str(FIRST + week * WEEK) for week in range(6)]  # the season goes on after the rounds
    files = {path.stem for path in run.glob("*.parquet")}
    assert files == {"counts", "locations", "known", "predictions_quantile"}
    assert all(entry["weights"] == {"ar6": 0.5, "quantile_trees": 0.5} for entry in scores["weights"])
    assert any("The pool's weights are equal" in note for note in scores["notes"])
    assert any("heads that give categories are not run (climatology)" in note for note in scores["notes"])
    config = json.loads((run / "config.json").read_text())
    assert config["heads"] == ["ar6", "quantile_trees"]
    assert config["quantile_trees"]["calendar"] is False  # as the rules of the hub say


def test_its_page_and_its_table_show_that_ranking(hubs: dict[str, Path], run: Path, capsys: Output) -> None:
    page = check_whole((run / "report.html").read_text())
    assert "The ranking by relative WIS" in page.text and "twofold-quantile_trees" in page.text
    backtest(run, hubs["covid"], "--also", hubs["rsv"], hubs["flu"])
    shown = capsys.readouterr().out
    assert "covid 2024-25: 6 reference dates; default twofold-pool" in shown and "relative" in shown


def test_a_pool_of_heads_of_categories_is_refused(hubs: dict[str, Path], tmp_path: Path, capsys: Output) -> None:
    line = ["hub", "backtest", "--hub", hubs["rsv"], "--season", "2024-25", "--out", tmp_path / "out"]
    assert main([*map(str, line), "--heads", "trees", "ar6", "--pooled", "trees", "ar6"]) == 2
    assert "rsv asks for quantiles only, and trees give categories" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_peers_categories_have_no_use_there(hubs: dict[str, Path], tmp_path: Path, capsys: Output) -> None:
    line = ["hub", "backtest", "--hub", hubs["rsv"], "--season", "2024-25", "--peers", tmp_path / "none.csv"]
    assert main([*map(str, line)]) == 2
    assert "rsv asks for no categories; give --peers-quantiles FILE" in " ".join(capsys.readouterr().err.split())


# --- nothing later is seen ---


def _later_moved(hubs: dict[str, Path], folder: Path) -> dict[str, Path]:
    found = {}
    for seed, name in enumerate(hubs):
        found[name] = write_hub(folder / name, name, seed=seed)
        set_versions(found[name], moved(versions(name, seed), WEDNESDAY))
    return found


@pytest.mark.parametrize("name", ["covid", "flu"])
def test_later_versions_of_any_hub_change_no_forecast_of_a_backtest(
    hubs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("twofold.hub.report.view.write", lambda folder: folder)  # its 52 places take most of the time
    others = [other for other in hubs if other != name]
    runs = []
    for index, folders in enumerate((hubs, _later_moved(hubs, tmp_path))):
        runs.append(backtest(tmp_path / f"run-{index}", folders[name], "--also", *(folders[each] for each in others)))
    for table in ("predictions_quantile", *(["predictions"] if name == "flu" else [])):
        before, after = (read(folder, table).filter(pl.col("reference_date") <= SEEN) for folder in runs)
        assert before.height > 0 and before.equals(after)
        whole, changed = (read(folder, table) for folder in runs)
        assert not whole.equals(changed)  # later dates see what was moved


@pytest.mark.parametrize("name", ["covid", "flu"])
def test_later_versions_of_any_hub_change_no_byte_of_a_submission(
    hubs: dict[str, Path], tmp_path: Path, name: str
) -> None:
    others = [other for other in hubs if other != name]
    files = []
    for index, folders in enumerate((hubs, _later_moved(hubs, tmp_path))):
        also = [folders[each] for each in others]
        files.append(submitted(tmp_path / f"run-{index}", folders[name], "--also", *also))
    assert files[0].read_bytes() == files[1].read_bytes()


def test_what_another_hub_published_before_the_deadline_is_learned_from(hubs: dict[str, Path], tmp_path: Path) -> None:
    other = write_hub(tmp_path / "rsv", "rsv", seed=1)
    set_versions(other, moved(versions("rsv", 1), WEDNESDAY - WEEK))
    with_it, moved_a_week_before, alone = (
        submitted(tmp_path / name, hubs["covid"], *(["--also", also] if also else [])).read_bytes()
        for name, also in (("with", hubs["rsv"]), ("moved", other), ("alone", None))
    )
    assert len({with_it, moved_a_week_before, alone}) == 3


# --- what is submitted ---


@pytest.mark.parametrize("name", ["covid", "rsv", "flu"])
def test_every_target_that_is_asked_and_can_be_served_is_written_and_valid(
    hubs: dict[str, Path], tmp_path: Path, capsys: Output, name: str
) -> None:
    path = submitted(tmp_path, hubs[name])
    table = pl.read_csv(path, infer_schema=False)
    asked = [*([CHANGE] if name == "flu" else []), target(name), shares(name)]
    assert table["target"].unique(maintain_order=True).to_list() == asked
    sizes = dict(table.group_by("target").len().iter_rows())
    assert sizes[target(name)] == sizes[shares(name)] == len(PLACES) * 5 * len(LEVELS)  # with the newest week
    held = [f"{208 if each == CHANGE else 260} of {each!r}" for each in asked]  # a change has no horizon -1
    assert f"forecasts for {SEEN}: {', '.join(held)}" in capsys.readouterr().out
    assert main(["hub", "validate", str(path), "--hub", str(hubs[name])]) == 0


def test_only_the_horizons_and_levels_of_the_hub_are_written(tmp_path: Path) -> None:
    hub = write_hub(tmp_path / "hub", "covid", horizons=[0, 2], levels=(0.05, 0.5, 0.95))
    table = pl.read_csv(submitted(tmp_path, hub), infer_schema=False)
    assert sorted(table["horizon"].unique()) == ["0", "2"]
    assert sorted(table["output_type_id"].unique()) == ["0.05", "0.5", "0.95"]


def test_a_round_that_asks_for_nothing_we_serve_writes_nothing(
    hubs: dict[str, Path], tmp_path: Path, capsys: Output
) -> None:
    submitted(tmp_path, hubs["covid"])
    capsys.readouterr()
    day, out = ROUNDS[-1] + WEEK, tmp_path / "later"
    line = ["hub", "forecast", "--hub", hubs["covid"], "--model", tmp_path / "model", "--out", out]
    assert main([*map(str, line), "--reference-date", str(day)]) == 2
    assert "there is no forecast that covid asks for in this round" in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


# --- shares of visits ---


def test_a_season_of_shares_is_replayed_as_visits_per_ten_thousand(hubs: dict[str, Path], tmp_path: Path) -> None:
    for day in ROUNDS:
        _submission(hubs["rsv"], "RSVHub-baseline", day, 1e-5, of=shares("rsv"))
    out = backtest(tmp_path / "run", hubs["rsv"], "--target", "shares", "--also", hubs["covid"])
    scores = json.loads((out / "scores.json").read_text())
    assert scores["target"] == shares("rsv") and "models" not in scores
    assert scores["quantile"]["models"]["RSVHub-baseline"]["relative_wis"] == 1.0
    published = versions("rsv", 1).filter(pl.col("target") == shares("rsv"), pl.col("location") == "05")
    last = published.sort("as_of").group_by("target_end_date", maintain_order=True).last()
    counts = read(out, "counts").filter(pl.col("location") == "05")
    assert counts["value"].to_list() == (last.sort("target_end_date")["observation"] * 10_000).round(6).to_list()
    assert read(out, "locations")["population"].n_unique() > 2  # the places' own, for the page
    own = read(out, "predictions_quantile").filter(pl.col("model") == "twofold-pool", pl.col("quantile") == 0.5)
    season = np.median(counts.filter(pl.col("target_end_date") >= FIRST)["value"].to_numpy())
    assert 0.5 < np.median(own.filter(pl.col("location") == "05")["value"].to_numpy()) / season < 2
    page = check_whole((out / "report.html").read_text())
    assert "share of visits to emergency departments" in page.text and "visits per 10,000" in page.text


def test_submitted_shares_are_shares(hubs: dict[str, Path], tmp_path: Path) -> None:
    table = pl.read_csv(submitted(tmp_path, hubs["covid"]), infer_schema=False)
    values = table.filter(pl.col("target") == shares("covid"), pl.col("output_type_id") == "0.5")["value"].cast(float)
    newest = versions("covid").filter(pl.col("target") == shares("covid"), pl.col("target_end_date") == SEEN - WEEK)
    assert values.is_between(0, 1).all()
    assert np.median(values.to_numpy()) == pytest.approx(np.median(newest["observation"].to_numpy()), rel=0.3)


def test_a_model_without_shares_says_so_and_serves_the_counts(
    hubs: dict[str, Path], tmp_path: Path, capsys: Output
) -> None:
    path = submitted(tmp_path, hubs["covid"], "--targets", "counts")
    assert not (tmp_path / "model" / "shares").exists()
    assert pl.read_csv(path, infer_schema=False)["target"].unique().to_list() == [target("covid")]
    said = " ".join(capsys.readouterr().err.split())
    assert f"no forecast of '{shares('covid')}'" in said and "`twofold hub fit` makes one" in said
    line = ["hub", "fit", "--hub", hubs["covid"], "--reference-date", SEEN, "--out", tmp_path / "model", *QUICK]
    before = (tmp_path / "model" / "model.safetensors").read_bytes()
    assert main([*map(str, line), "--targets", "shares"]) == 0
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == before
    assert (tmp_path / "model" / "shares" / "model.safetensors").is_file()


def test_versions_without_shares_are_fitted_and_refused_where_shares_are_asked(tmp_path: Path, capsys: Output) -> None:
    hub = write_hub(tmp_path / "hub", "covid")
    set_versions(hub, versions("covid").filter(pl.col("target") == target("covid")))
    assert pl.read_csv(submitted(tmp_path, hub), infer_schema=False)["target"].unique().to_list() == [target("covid")]
    capsys.readouterr()
    line = ["hub", "backtest", "--hub", str(hub), "--season", "2024-25", "--target", "shares"]
    assert main([*line, "--out", str(tmp_path / "out")]) == 2
    assert f"holds no versions of '{shares('covid')}'" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


# --- peers and look ---


def _submission(
    folder: Path, model: str, day: date, scale: float, form: str = "csv", *, of: str = target("covid")
) -> Path:
    rows = [
        (day, of, horizon, day + horizon * WEEK, place, "quantile", str(level), scale * (100 + 50 * level))
        for horizon in (0, 1)
        for place in PLACES
        for level in LEVELS
    ]
    names = ["reference_date", "target", "horizon", "target_end_date", "location", "output_type", "output_type_id"]
    table = pl.DataFrame(rows, [*names, "value"], orient="row")
    path = folder / "model-output" / model / f"{day}-{model}.{form}"
    path.parent.mkdir(parents=True, exist_ok=True)
    table.write_csv(path) if form == "csv" else table.write_parquet(path)
    return path


def test_teams_are_read_from_model_output_and_ours_among_them(tmp_path: Path) -> None:
    hub = write_hub(tmp_path / "hub", "covid")
    for day in ROUNDS:
        _submission(hub, "CovidHub-baseline", day, 1.0)
        _submission(hub, "twofold-pool", day, 2.0, "parquet")
    broken = _submission(hub, "Ateam-model", ROUNDS[0], 1.0)
    broken.write_text("reference_date,target\n2024-11-23,x\n")
    out = backtest(tmp_path / "run", hub)
    scores = json.loads((out / "scores.json").read_text())
    models = scores["quantile"]["models"]
    assert models["CovidHub-baseline"]["relative_wis"] == 1.0
    assert models["twofold-pool (submitted)"]["n"] == (2 * len(ROUNDS) - 1) * len(PLACES)  # one week is not over yet
    assert models["twofold-pool"]["n"] > models["twofold-pool (submitted)"]["n"]
    (left_out,) = scores["files_left_out"]
    assert left_out["file"] == "Ateam-model/2024-11-23-Ateam-model.csv"
    assert "lacks the columns horizon, location" in left_out["reason"]
    assert any("1 file of model-output left out: Ateam-model/2024-11-23-Ateam-model.csv" in n for n in scores["notes"])
    values = read(out, "peers_quantile").filter(pl.col("model") == "CovidHub-baseline")
    whole, torn = sort_out(values)
    assert not torn and long_quantiles(whole).equals(values)


def test_look_prints_the_whole_command(hubs: dict[str, Path], capsys: Output) -> None:
    line = ["hub", "look", "--hub", hubs["covid"], "--at", "2024-12-02T12:00:00-05:00"]
    assert main([*map(str, line), "--also", str(hubs["rsv"]), str(hubs["flu"])]) == 0
    shown = capsys.readouterr().out
    fit = f"twofold hub fit --hub {hubs['covid']} --also {hubs['rsv']} {hubs['flu']} --reference-date {SEEN}"
    assert fit in shown
    assert f"twofold hub forecast --hub {hubs['covid']} --model MODEL --reference-date {SEEN}" in shown
    assert "wk inc covid prop ed visits: count; quantile\n" in shown
    assert main([*map(str, line)]) == 0
    assert "--also DIR" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--also", "{covid}"], "is of the hub covid, which is there already; name each hub once"),
        (["--also", "{rsv}", "{rsv}"], "is of the hub rsv, which is there already; name each hub once"),
        (["--also", "flusight"], "--also flusight: is no folder; give the folder of a hub"),
        (["--also", "{rsv}", "--history", "ili.csv"], "measures the disease of none of the hubs covid, rsv"),
        (["--also", "{flu}", "--history", "ili.csv"], "ili.csv: no such file"),
    ],
)
def test_what_can_not_be_learned_from_is_refused(
    hubs: dict[str, Path], tmp_path: Path, capsys: Output, more: list[str], said: str
) -> None:
    names = {name: str(folder) for name, folder in hubs.items()}
    line = ["hub", "fit", "--hub", names["covid"], "--out", str(tmp_path / "out"), *(w.format(**names) for w in more)]
    assert main(line) == 2
    assert said in " ".join(capsys.readouterr().err.split())


# --- the real hubs ---


@pytest.mark.realdata
def test_the_real_covid_hub_s_season_and_its_ensemble(data_folder: Path) -> None:
    folder, known = data_folder / "covid-hub", read_rules("covid")
    published = versions_of(folder / "versions.parquet", known)
    check_codes(published, read_locations(folder / "locations.csv"))
    season = known.season("2024-25")
    used, skipped = usable(published, season.reference_dates(), season)
    assert (len(used), [skip.reference_date for skip in skipped]) == (35, [date(2025, 1, 25)])  # nothing came out then
    teams = read_peers_quantiles(folder / "peers_quantiles_2024-25.parquet")
    whole, _ = sort_out(teams.filter(pl.col("model").is_in([season.baseline, season.ensemble])))
    scored = score_quantiles(whole, observations(published.latest(), used, season.horizons))
    board = quantile_board(scored, "CovidHub-baseline")
    found = {row["model"]: row for row in board.to_dicts()}
    assert found["CovidHub-ensemble"]["n"] == found["CovidHub-baseline"]["n"] == 7102
    assert found["CovidHub-ensemble"]["relative_wis"] == pytest.approx(0.692, abs=5e-4)  # truth of July 2025


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["covid", "rsv", "flusight"])
def test_the_real_hubs_folders_are_told_by_their_targets(data_folder: Path, name: str) -> None:
    folder = data_folder / (name if name == "flusight" else f"{name}-hub")
    assert rules_of(str(folder)) == name
    hub = read_hub(folder)
    season = read_rules(name).season("2025-26", hub.rounds)
    asked, of_shares = (
        asked_of(hub, season.reference_dates()[0], each)
        for each in (season, read_rules(name).for_shares().season("2025-26", hub.rounds))
    )
    assert {*asked, *of_shares} == set(season.targets) and list(of_shares) == [season.shares]
    levels = sorted(map(float, asked[str(season.counts)].ids))
    assert levels == pytest.approx(LEVELS) and len(asked[str(season.counts)].locations) == 53

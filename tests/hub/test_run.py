"""A season replayed: nothing later is seen, to the last bit; what is done stays done; processes change nothing."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hub.season_small import (
    ALL_HEADS,
    CHANGE,
    CONFIG,
    DAYS,
    FIRST,
    LATE,
    LOCATIONS,
    RULES,
    all_forecasts,
    examples,
    head,
    history,
    learned,
    peers,
    replay,
    silent,
    versions,
)
from hub.small import change_of, changes
from twofold.engine.errors import DivergedError, InputError
from twofold.engine.run import RunFolder, claim
from twofold.engine.sound import JOURNAL
from twofold.engine.work import ALONE, Work, Workers
from twofold.hub import run as backtest
from twofold.hub.config import POOL, QUANTILE_HEADS, HubConfig
from twofold.hub.distribution import LEVELS, pmf_from
from twofold.hub.examples import Queries, truth
from twofold.hub.heads import fit_head, forecast
from twofold.hub.history import History, read_history
from twofold.hub.model import fit_model
from twofold.hub.pool import fit_weights
from twofold.hub.quantile_scores import observations, quantile_board, score_quantiles, sort_out
from twofold.hub.quantiles import QUANTILE, count_forecasts, pool_distributions
from twofold.hub.rules import WEEK, Rules, read_rules
from twofold.hub.run import BLOCK_WEEKS, LEVEL, PREFIX, RESAMPLES, check, execute, replay_heads, replay_pool
from twofold.hub.scores import common, differences, leaderboard, score_forecasts
from twofold.hub.season import Replay, known_at
from twofold.hub.tables import FORECAST, UNIT, read_locations
from twofold.hub.vintages import Versions, read_versions

QUICK = HubConfig.model_validate(
    CONFIG.model_dump() | {"heads": ("climatology", "gru", "lstm"), "pooled": ("gru", "lstm")}
)
SEEN = DAYS[4]  # the second date of the second fit
DEADLINE = RULES.deadline(SEEN)
Season = tuple[pl.DataFrame, dict[date, dict[str, float]]]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("season") / "parts"


@pytest.fixture(scope="module")
def season(parts: Path) -> Season:
    """Forecasts of all heads and the pool, and the pool's weights."""
    return all_forecasts(replay(), parts)


def test_every_head_forecasts_every_date_that_can_be(season: Season, parts: Path) -> None:
    table, _ = season
    assert table.columns == ["model", "reference_date", "horizon", "location", "category", "probability"]
    sizes = dict(table.group_by("model").len().iter_rows())
    assert sizes == dict.fromkeys((*ALL_HEADS, POOL), 7 * 7 * 4 * 5)
    assert table["reference_date"].unique().sort().to_list() == DAYS
    assert table.select("model", "reference_date", "horizon", "location", "category").is_unique().all()
    fits = DAYS[0], DAYS[3], DAYS[6]
    names = {f"{name}-{day}.parquet" for name in ALL_HEADS for day in fits}
    names |= {f"{name}-{day}.distributions.parquet" for name in QUANTILE_HEADS for day in fits}
    assert {file.name for file in parts.iterdir()} == names


def test_dates_without_a_version_are_listed_with_the_reason() -> None:
    used, skipped = replay().dates
    assert used == DAYS
    assert [day for day, _ in skipped] == [LATE]
    assert "holds 0 locations for the week ending 2023-12-23; 6 are needed" in skipped[0].reason
    with pytest.raises(InputError, match=r"no reference date of season 2023-24 .* the first: 2023-12-02, the last"):
        _ = replay(min_locations=8).dates


def test_a_fit_forecasts_until_the_next_one(season: Season) -> None:
    table, _ = season

    def of(name: str, day: date) -> pl.DataFrame:
        return table.filter((pl.col("model") == name) & (pl.col("reference_date") == day)).drop("model")

    for name in ALL_HEADS:
        for day in DAYS[:3]:
            assert_frame_equal(
                of(name, day), forecast(head(name), replay().known(day), RULES, CONFIG).categories, check_exact=True
            )
    fresh = fit_head("gru", learned(replay().known(DAYS[3])), RULES, CONFIG)
    found = forecast(fresh, replay().known(SEEN), RULES, CONFIG).categories
    assert_frame_equal(of("gru", SEEN), found, check_exact=True)
    assert not of("gru", SEEN).equals(forecast(head("gru"), replay().known(SEEN), RULES, CONFIG).categories)


# --- nothing later is seen ---


def _moved(deadline) -> Versions:
    """Every later value moved or withdrawn, and a version more at the very deadline that says other things."""
    later = pl.col("as_of") >= deadline
    wild = pl.when(pl.int_range(pl.len()) % 5 == 0).then(None).otherwise(pl.col("value") * 3 + 40)
    table = versions().changes.with_columns(value=pl.when(later).then(wild).otherwise("value"))
    rows = [(deadline, SEEN - k * WEEK, place, 4321.0) for k in range(30) for place in LOCATIONS["location"]]
    return Versions(pl.concat([table, changes(rows)]).sort("as_of", maintain_order=True))


def _history_moved() -> History:
    """Weeks that end after the newest settled one of the last fit fall below any background."""
    later = pl.col("target_end_date") > DAYS[3] - 2 * WEEK
    return History(history().values.with_columns(pl.when(later).then(0.0).otherwise("value").alias("value")))


LATER: dict[str, Callable[[], Versions]] = {
    "moved": lambda: _moved(DEADLINE),
    "gone": lambda: versions().until(DEADLINE),
}


@pytest.mark.parametrize("kind", LATER)
def test_nothing_published_at_the_deadline_or_later_changes_a_bit(season: Season, kind: str, tmp_path: Path) -> None:
    """Of no head's forecast, of no weight of the pool and of no forecast of the pool, up to that date."""
    past = _history_moved() if kind == "moved" else history()
    table, weights = all_forecasts(replay(LATER[kind](), past, last_reference=SEEN), tmp_path)
    before = season[0].filter(pl.col("reference_date") <= SEEN)
    for name in (*ALL_HEADS, POOL):
        own, other = (part.filter(pl.col("model") == name) for part in (before, table))
        assert own["probability"].to_numpy().tobytes() == other["probability"].to_numpy().tobytes(), name
        assert own.drop("probability").equals(other.drop("probability"))
    assert weights == {day: weight for day, weight in season[1].items() if day <= SEEN}


def test_a_value_known_just_before_the_deadline_changes_every_head(season: Season, tmp_path: Path) -> None:
    """The test above could not fail if nothing ever moved."""
    rows = [(RULES.deadline(FIRST) - timedelta(seconds=1), FIRST - 2 * WEEK, "06", 4321.0)]
    moved = Versions(pl.concat([versions().changes, changes(rows)]).sort("as_of"))
    table = replay_heads(replay(moved, last_reference=FIRST), CONFIG, tmp_path, ALONE, silent).categories
    for name in ALL_HEADS:
        own, other = (
            part.filter((pl.col("model") == name) & (pl.col("reference_date") == FIRST))["probability"].to_list()
            for part in (season[0], table)
        )
        assert own != other, name


# --- the pool ---


def test_the_pools_weights_are_fitted_on_what_was_known_of_earlier_dates(season: Season) -> None:
    table, weights = season
    assert list(weights) == DAYS
    assert all(sum(weight.values()) == pytest.approx(1) for weight in weights.values())
    # The outcome of horizon 0 is in the version of the next week but one, and in its settled part a week later.
    equal = [weight == pytest.approx(dict.fromkeys(CONFIG.pooled, 0.25)) for weight in weights.values()]
    assert equal == [True, True, False, False, False, False, False]
    version = versions().before(DEADLINE).filter(pl.col("target_end_date") <= SEEN - 2 * WEEK)
    known = truth(version, LOCATIONS, DAYS[:4], CHANGE)
    by_hand = fit_weights(table, known, CONFIG.pooled, CHANGE, CONFIG.pool_prior_weeks)
    assert weights[SEEN] == pytest.approx(by_hand, abs=1e-9)
    late = table.filter(pl.col("reference_date") == SEEN)
    share = pl.col("model").replace_strict(by_hand, default=0.0)
    cell = ["horizon", "location", "category"]
    mixed = late.filter(pl.col("model") != POOL).group_by(cell).agg((pl.col("probability") * share).sum())
    pool = late.filter(pl.col("model") == POOL).select(*cell, "probability")
    assert_frame_equal(pool, mixed, check_row_order=False)


# --- going on, and processes ---


def test_the_pool_is_of_distributions_and_nothing_later_changes_a_knot(parts: Path, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"heads": QUANTILE_HEADS, "pooled": ("quantile_trees", "quantile_rnn")})
    whole = replay_heads(replay(), config, parts, ALONE, silent)
    until = replay(_moved(DEADLINE), _history_moved(), last_reference=SEEN)
    again = replay_heads(until, config, tmp_path, ALONE, silent)
    assert again.distributions.equals(whole.distributions.filter(pl.col("reference_date") <= SEEN))
    pool, weights = replay_pool(whole.categories, replay(), config)
    mixed = pool_distributions(whole.distributions, weights)
    found = count_forecasts(mixed)
    horizon = mixed["horizon"].to_numpy()[:, None, None]
    places = Queries(np.zeros((len(found.base), 1, 0)), found.base, found.population)
    cuts = np.take_along_axis(places.cuts(CHANGE), horizon, axis=1)
    pmf = pmf_from(found.exceed(cuts))[:, 0]
    keys = mixed.select("reference_date", "horizon", "location")
    names = pl.lit(list(CHANGE.categories))
    derived = keys.with_columns(category=names, derived=pl.Series(pmf.tolist())).explode("category", "derived")
    both = pool.join(derived, on=["reference_date", "horizon", "location", "category"])
    assert both.height == pool.height
    assert both["probability"].to_numpy() == pytest.approx(both["derived"].to_numpy(), abs=1e-12)


def test_what_is_done_is_not_done_again(parts: Path, season: Season, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = parts / f"gru-{DAYS[3]}.parquet"
    content, fitted, seen = gone.read_bytes(), [], []
    gone.unlink()
    stamps = {file: file.stat().st_mtime_ns for file in parts.iterdir()}

    def watched(name, *rest):
        fitted.append(name)
        return fit_head(name, *rest)

    monkeypatch.setattr(backtest, "fit_head", watched)
    found = replay_heads(replay(), CONFIG, parts, ALONE, lambda done, total: seen.append((done, total))).categories
    assert fitted == ["gru"]
    assert seen == [(29, 30), (30, 30)]
    assert gone.read_bytes() == content
    assert {file: file.stat().st_mtime_ns for file in stamps} == stamps
    assert found.equals(season[0].filter(pl.col("model") != POOL))
    assert replay_heads(replay(), CONFIG, parts, ALONE, silent).categories.equals(found)
    assert fitted == ["gru"]


def test_an_interruption_keeps_what_is_done(season: Season, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def tired(name, *rest):
        calls.append(name)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return fit_head(name, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(backtest, "fit_head", tired)
        with pytest.raises(KeyboardInterrupt):
            replay_heads(replay(), QUICK, tmp_path, ALONE, silent)
    assert len(list(tmp_path.iterdir())) == 3
    whole = replay_heads(replay(), QUICK, tmp_path, ALONE, silent).categories
    assert_frame_equal(
        whole, season[0].filter(pl.col("model").is_in(QUICK.heads)), check_row_order=False, check_exact=True
    )


def test_two_processes_give_the_same_as_one(season: Season, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"heads": ("climatology", "logistic", "trees", "gru")})
    two = replay_heads(replay(last_reference=DAYS[2]), config, tmp_path, Work(Workers(jobs=2)), silent).categories
    first = season[0].filter((pl.col("reference_date") <= DAYS[2]) & pl.col("model").is_in(config.heads))
    assert_frame_equal(two, first, check_row_order=False, check_exact=True)


# --- a model for the weeks that follow ---


def test_a_model_is_fitted_on_what_was_known_for_its_date(season: Season) -> None:
    seen: list[tuple[int, int]] = []
    model = fit_model(
        replay(), DAYS[3], QUICK, None, work=ALONE, progress=lambda done, total: seen.append((done, total))
    )
    assert (list(model.heads), model.fitted_for) == (["climatology", "gru", "lstm"], DAYS[3])
    assert model.weights == {"gru": 0.5, "lstm": 0.5}
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]
    for name in QUICK.heads:
        own = season[0].filter((pl.col("model") == name) & (pl.col("reference_date") == SEEN)).drop("model")
        assert_frame_equal(model.forecast(replay().known(SEEN), RULES, name).categories, own, check_exact=True)
    given = {"gru": 0.75, "lstm": 0.25}
    assert fit_model(replay(), FIRST, QUICK, given, work=ALONE, progress=silent).weights == given


@pytest.mark.realdata
def test_the_season_of_2023_replayed_with_climatology(data_folder: Path, tmp_path: Path) -> None:
    folder = data_folder / "flusight"
    places = read_locations(folder / "locations_2023-24.csv")
    past = read_history(folder / "ilinet_state.csv", places)
    source, limits = read_versions(folder / "vintages.parquet"), read_rules("flusight").season("2023-24")
    config = HubConfig(heads=("climatology",), pooled=("climatology",), refit_weeks=15)
    real = Replay(source, places, limits, past)
    used, skipped = real.dates
    assert [skip.reference_date for skip in skipped] == [date(2024, 4, 13)]
    found = replay_heads(real, config, tmp_path, ALONE, silent).categories
    assert len(list(tmp_path.iterdir())) == 2
    assert found.height == 5 * sum(4 * len(known_at(source, day, places, limits).counts.locations) for day in used)
    happened = truth(source.latest(), places, used, change_of(limits))
    scored = found.filter(pl.col("category") == "stable").join(happened, on=["reference_date", "horizon", "location"])
    assert scored.height == 6_142
    assert np.isfinite(found["probability"].to_numpy()).all()
    pool, weights = replay_pool(found, real, config)
    assert pool["probability"].to_numpy() == pytest.approx(found["probability"].to_numpy())
    assert {tuple(weight.items()) for _, weight in weights} == {(("climatology", 1.0),)}


OURS = ["twofold-climatology", "twofold-gru", "twofold-lstm", "twofold-pool"]
THEIRS = ["small-baseline", "small-ensemble", "late-comer"]


def run(path: Path, others: pl.DataFrame | None, season: Replay | None = None) -> RunFolder:
    with claim(path, QUICK, "data", ["twofold"]) as folder:
        execute(season or replay(), others, None, QUICK, folder, work=ALONE, progress=silent)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("hub") / "run", peers()).path


@pytest.fixture(scope="module")
def scores(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "scores.json").read_text())


def read(folder: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(folder / f"{name}.parquet")


def test_predictions_have_the_columns_of_a_table_of_forecasts(folder: Path) -> None:
    table = read(folder, "predictions")
    assert table.columns == ["model", "reference_date", "horizon", "location", "category", "probability"]
    assert table.columns == list(FORECAST)
    assert table.schema["reference_date"] == pl.Date
    assert sorted(table["model"].unique()) == OURS
    assert table.height == 4 * 7 * 7 * 4 * 5
    sums = table.group_by("model", "reference_date", "horizon", "location").agg(pl.col("probability").sum())
    np.testing.assert_allclose(sums["probability"], 1)


def test_scores_hold_what_the_page_needs(scores: dict[str, Any]) -> None:
    assert {key: scores[key] for key in ("hub", "season", "baseline", "ensemble", "default", "ours", "no_skill")} == {
        "hub": "small",
        "season": "2023-24",
        "baseline": "small-baseline",
        "ensemble": "small-ensemble",
        "default": "twofold-pool",
        "ours": OURS,
        "no_skill": ["twofold-climatology"],
    }
    assert scores["dates"] == [str(day) for day in DAYS]
    assert [entry["reference_date"] for entry in scores["skipped"]] == [str(LATE)]
    assert "6 are needed" in scores["skipped"][0]["reason"]
    assert scores["seen"] is None
    assert scores["notes"] == ["A note.", "1 reference date can't be forecast: see the list of those skipped."]
    assert [entry["reference_date"] for entry in scores["weights"]] == [str(day) for day in DAYS]
    assert scores["weights"][0]["weights"] == pytest.approx({"gru": 0.5, "lstm": 0.5})
    assert all(sum(entry["weights"].values()) == pytest.approx(1) for entry in scores["weights"])


def test_tables_are_those_of_the_scores_pages(folder: Path, scores: dict[str, Any]) -> None:
    happened = truth(versions().latest(), LOCATIONS, DAYS, CHANGE)
    everyone = pl.concat([read(folder, "predictions"), read(folder, "peers")])
    scored = score_forecasts(everyone, happened, CHANGE)
    for key, part in (("models", scored), ("common", common(scored, happened))):
        board = leaderboard(part, happened, CHANGE)
        assert list(scores[key]) == board["model"].to_list()
        assert list(scores[key].values()) == [dict(row) for row in board.drop("model").iter_rows(named=True)]
    assert set(scores["models"]) == {*OURS, *THEIRS}
    assert set(scores["common"]) == {*OURS, *THEIRS} - {"late-comer"}
    assert scores["models"]["small-baseline"]["relative_rps"] == 1.0
    options = {"resamples": RESAMPLES, "block_weeks": BLOCK_WEEKS, "level": LEVEL, "seed": QUICK.seed}
    expected = {row["peer"]: row for row in differences(scored, PREFIX + "pool", **options).to_dicts()}
    assert set(scores["differences"]) == set(expected) == {*OURS, *THEIRS} - {"twofold-pool"}
    for name, found in scores["differences"].items():
        wanted = expected[name]
        assert found == {"mean": wanted["difference"]} | {key: wanted[key] for key in ("low", "high", "n", "dates")}
    assert scores["differences"]["late-comer"]["dates"] == 2


def test_every_fit_tells_what_it_saw(scores: dict[str, Any]) -> None:
    origins = [DAYS[0], DAYS[3], DAYS[6]]
    assert [entry["origin"] for entry in scores["fits"]] == [str(day) for day in origins]
    assert [entry["through"] for entry in scores["fits"]] == [str(day - 2 * WEEK) for day in origins]
    assert scores["fits"][0]["examples"] == len(examples().queries)
    first = scores["revisions"][0]
    assert first["reference_date"] == str(FIRST)
    assert np.log(first["factors"]) == pytest.approx(replay().known(FIRST).revisions)


def test_what_was_known_and_what_happened_lie_beside_them(folder: Path) -> None:
    known = read(folder, "known")
    assert known.columns == ["reference_date", "target_end_date", "location", "value"]
    assert known.height == 7 * 7 * 8
    for day in DAYS:
        version = versions().before(RULES.deadline(day)).filter(pl.col("target_end_date") >= day - 8 * WEEK)
        own = known.filter(pl.col("reference_date") == day).drop("reference_date")
        assert own.sort("location", "target_end_date").equals(version)
    assert read(folder, "truth").equals(truth(versions().latest(), LOCATIONS, DAYS, CHANGE))
    assert read(folder, "counts").equals(versions().latest())
    assert read(folder, "locations").equals(LOCATIONS)
    assert Rules.model_validate_json((folder / "rules.json").read_text()) == RULES


def test_other_teams_forecasts_of_other_dates_are_left_out(folder: Path) -> None:
    assert set(peers()["reference_date"]) - set(DAYS) == {LATE}
    assert sorted(set(read(folder, "peers")["reference_date"])) == DAYS


def begun(folder: Path, target: Path, every: int) -> Path:
    """A folder of the same run in which only every so many block is done."""
    (target / "parts").mkdir()
    for name in ("manifest.json", "config.json", JOURNAL):
        (target / name).write_bytes((folder / name).read_bytes())
    for file in sorted((folder / "parts").iterdir())[::every]:
        (target / "parts" / file.name).write_bytes(file.read_bytes())
    return target


def test_a_folder_that_goes_on_becomes_the_same(folder: Path, tmp_path: Path) -> None:
    run(begun(folder, tmp_path, every=2), peers())
    files = [
        file for file in folder.rglob("*") if file.is_file() and file.name not in ("manifest.json", JOURNAL, ".lock")
    ]
    assert {"predictions.parquet", "scores.json", "peers.parquet", "rules.json"} <= {file.name for file in files}
    for file in files:
        assert (tmp_path / file.relative_to(folder)).read_bytes() == file.read_bytes(), file.name


def test_without_other_teams_we_stand_alone(folder: Path, tmp_path: Path) -> None:
    run(begun(folder, tmp_path, every=1), None)
    alone = json.loads((tmp_path / "scores.json").read_text())
    assert not (tmp_path / "peers.parquet").exists()
    assert sorted(alone["models"]) == OURS
    assert {row["relative_rps"] for row in alone["models"].values()} == {None}
    assert (tmp_path / "predictions.parquet").read_bytes() == (folder / "predictions.parquet").read_bytes()


def test_what_can_not_be_scored_is_reported_before_anything_is_fitted() -> None:
    young = Versions(versions().before(RULES.deadline(FIRST)).with_columns(as_of=RULES.deadline(FIRST) - WEEK))
    early = Replay(young, LOCATIONS, RULES, None)
    with pytest.raises(
        InputError, match="no outcome of season 2023-24 is known yet: the first is that of the week end"
    ):
        check(early)
    check(replay())


def test_a_broken_forecast_of_a_peer_is_left_out_and_listed_and_the_season_runs_on(
    folder: Path, tmp_path: Path
) -> None:
    whole = peers()
    first = whole.row(0, named=True)
    spoiled = pl.all_horizontal(pl.col(name) == first[name] for name in ("model", *UNIT))
    broken = whole.with_columns(probability=pl.when(spoiled).then(2.0).otherwise("probability"))
    run(begun(folder, tmp_path, every=1), broken)
    scores = json.loads((tmp_path / "scores.json").read_text())
    (left_out,) = scores["left_out"]
    assert left_out["model"] == first["model"]
    assert left_out["reason"] == "a probability outside [0, 1]"
    assert any("1 forecast of peers left out" in note for note in scores["notes"])
    before = json.loads((folder / "scores.json").read_text())
    assert scores["models"][first["model"]]["n"] == before["models"][first["model"]]["n"] - 1


# --- quantiles ---

PEERS = pl.DataFrame(
    [
        (name, day, horizon, place, level, 50.0 + width * (step - 11))
        for name, width in (("small-baseline", 4.0), ("team", 1.0))
        for day in DAYS
        for horizon in (-1, 0, 1, 2, 3)
        for place in LOCATIONS["location"]
        for step, level in enumerate(LEVELS)
        if (name, day, level) != ("team", DAYS[1], 0.5)
    ],
    list(QUANTILE),
    orient="row",
)


@pytest.fixture(scope="module")
def quantile_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a pool of distributions and two peers, one of which lacks a level on a date."""
    config = CONFIG.model_copy(update={"heads": ("ar6", "quantile_rnn"), "pooled": ("ar6", "quantile_rnn")})
    season = replay(baseline="small-baseline")
    with claim(tmp_path_factory.mktemp("hub") / "run", config, "data", ["twofold"]) as folder:
        execute(season, peers(), PEERS, config, folder, work=ALONE, progress=silent)
    return folder.path


def test_a_head_that_diverges_is_left_out_of_season_and_pool_and_named(tmp_path: Path) -> None:
    fast = CONFIG.quantile_network.model_copy(update={"learning_rate": 1e3})
    both = {"heads": ("ar6", "quantile_rnn"), "pooled": ("quantile_rnn", "ar6"), "quantile_network": fast}
    season, told = replay(last_reference=DAYS[2]), []
    with claim(tmp_path / "run", CONFIG.model_copy(update=both), "data", ["twofold"]) as folder:
        work = Work(Workers(jobs=1), told.append)
        execute(season, None, None, CONFIG.model_copy(update=both), folder, work=work, progress=silent)
    found = json.loads((folder.path / "scores.json").read_text())
    assert set(found["models"]) == {"twofold-ar6", "twofold-pool"}
    assert all(set(each["weights"]) == {"ar6"} for each in found["weights"])
    assert found["notes"][-1].startswith("1 head left out, since a training of it diverged: quantile_rnn (its last ")
    assert told[0].startswith(
        f"quantile_rnn-{FIRST}: the training (quantile_rnn, seed 0) diverged: its last training loss"
    )
    own = pl.concat([read(folder.path, "predictions"), read(folder.path, "predictions_quantile")], how="diagonal")
    assert "twofold-quantile_rnn" not in own["model"].unique()
    alone = CONFIG.model_copy(update=both | {"pooled": ("quantile_rnn",)})
    with pytest.raises(DivergedError, match=r"--quantile-network\.learning-rate is 1000, give 0\.003"):
        replay_heads(season, alone, tmp_path / "parts", ALONE, silent)


def test_quantiles_of_every_model_are_written_and_scored(quantile_run: Path) -> None:
    ours = read(quantile_run, "predictions_quantile")
    assert ours.columns == ["model", "reference_date", "horizon", "location", "quantile", "value"]
    assert sorted(ours["model"].unique()) == [
        f"twofold-{name}" for name in ("ar6", "last_value", "pool", "quantile_rnn")
    ]
    assert ours.height == 4 * 7 * 7 * 4 * 23
    found = json.loads((quantile_run / "scores.json").read_text())["quantile"]
    assert (found["baseline"], found["default"]) == ("small-baseline", "twofold-pool")
    assert found["models"]["small-baseline"]["relative_wis"] == 1
    whole, _ = sort_out(pl.concat([ours, read(quantile_run, "peers_quantile")]))
    scored = score_quantiles(whole, observations(versions().latest(), DAYS, RULES.horizons))
    board = quantile_board(scored, "small-baseline")
    assert list(found["models"]) == board["model"].to_list()
    assert list(found["models"].values()) == list(board.drop("model").iter_rows(named=True))
    states = quantile_board(scored.filter(pl.col("location") != "US"), "small-baseline")
    assert [row["wis"] for row in found["without_us"].values()] == states["wis"].to_list()
    assert {row["horizon"] for row in found["by"]["horizon"]} == {0, 1, 2, 3}
    assert found["models"]["twofold-pool"]["n"] > found["models"]["team"]["n"]
    expected = differences(
        scored, "twofold-pool", score="wis", resamples=RESAMPLES, block_weeks=BLOCK_WEEKS, level=LEVEL, seed=0
    )
    assert {name: row["mean"] for name, row in found["differences"].items()} == dict(
        expected.select("peer", "difference").iter_rows()
    )


def test_peers_quantiles_stand_in_the_ranking_as_derived_and_broken_ones_are_told(quantile_run: Path) -> None:
    found = json.loads((quantile_run / "scores.json").read_text())
    assert found["derived"] == ["small-baseline (quantiles)", "team (quantiles)"]
    assert found["models"]["team (quantiles)"]["n"] < found["models"]["small-baseline (quantiles)"]["n"]
    assert found["quantile"]["left_out"] == [
        "team: 35 forecasts of quantiles left out, which lack a level or fall as it rises."
    ]
    assert found["truth_as_of"] == f"{versions().times()[-1]:%Y-%m-%dT%H:%M:%SZ}"

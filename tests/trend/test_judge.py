"""Blocks of scores.json: every count is the sum of its parts, every score is that of the predictions it names."""

import numpy as np
import pytest

from trend.small import epidemic, quick
from twofold.counts.config import SourceConfig
from twofold.scoring.binary import SCORES, scores
from twofold.scoring.bootstrap import COMPARED, Comparison
from twofold.trend.baselines import BASELINES
from twofold.trend.judge import (
    best_model,
    describe_data,
    describe_screen,
    describe_split,
    describe_windows,
    prediction_table,
    score_models,
    verdict,
)
from twofold.trend.windows import PARTS, Prepared, prepare

PANEL = epidemic()
CONFIG = quick(split={"validation_fraction": 0.1, "calibration_fraction": 0.1})
PREPARED = prepare(PANEL, CONFIG)


def made_up(prepared: Prepared, *names: str) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {name: generator.random(len(prepared.windows)) for name in names}


WHOLE = prepare(PANEL, quick(screen={"threshold": None}))  # with the region without a case
PREDICTIONS = made_up(WHOLE, "ensemble", "network", "gru", *(f"baseline_{name}" for name in BASELINES))


def test_the_data_block_counts_corrections_and_names_their_treatment():
    block = describe_data(PANEL, CONFIG.source, "cases.csv")
    assert (block["regions"], block["dates"], block["corrections"]) == (7, 50, 2)
    assert (block["first"], block["last"], block["step_days"]) == ("2020-02-03", "2020-03-23", 1)
    assert (block["kind"], block["source"], block["negatives"]) == ("cumulative", "cases.csv", "keep")
    assert block["digest"] == PANEL.digest()


def test_what_redistribution_could_not_keep_is_among_the_notes():
    early = epidemic()
    early.values[3, 1:] -= early.values[3, 1] + 500
    config = SourceConfig(negatives="redistribute")
    assert any("exceed all cases before them" in note for note in describe_data(early, config, "x")["notes"])


@pytest.mark.parametrize(("negatives", "noted"), [("keep", False), ("clip", False), ("redistribute", True)])
def test_redistribution_is_noted_to_look_ahead(negatives, noted):
    notes = describe_data(PANEL, SourceConfig(negatives=negatives), "x")["notes"]
    assert any("a look ahead" in note for note in notes) == noted


def test_the_screen_block_names_set_c_and_its_days():
    block = describe_screen(PANEL, PREPARED, CONFIG)
    assert block["selected"] == len(block["names"]) == PREPARED.screen.selected.sum()
    assert block["constant"] == [PANEL.regions[-1]]
    assert block["first"] == "2020-02-04"  # the first increment of running totals
    assert block["last"] == describe_split(PREPARED, CONFIG)["test_first"]


@pytest.mark.parametrize("kind", ["temporal", "random", "both"])
def test_the_table_of_windows_adds_up_exactly(kind):
    prepared = prepare(PANEL, quick(split={"kind": kind}))
    block = describe_windows(prepared, CONFIG)
    row = {(item["split"], item["set"]): item for item in block["table"]}
    assert len(row) == len(block["table"]) == 3 * 6
    for item in block["table"]:
        assert item["up"] + item["not_up"] == item["windows"]
        assert item["ties"] <= item["not_up"]
        assert item["up_share"] == (item["up"] / item["windows"] if item["windows"] else None)
    for key in ("windows", "up", "not_up", "ties"):
        for part in ("total", *PARTS):
            assert row[part, "all"][key] == row[part, "active"][key] + row[part, "all_zero"][key]
        for name in ("all", "active", "all_zero"):
            assert row["total", name][key] == sum(row[part, name][key] for part in PARTS)
    assert block["total"] == row["total", "all"]["windows"] == len(prepared.windows)
    assert (block["positive"], block["ties"]) == (row["total", "all"]["up"], row["total", "all"]["ties"])
    assert all(block[part] == row[part, "all"]["windows"] for part in PARTS)


def test_the_split_block_gives_the_dates_of_origins():
    block = describe_split(PREPARED, CONFIG)
    dates = PREPARED.increments.dates[PREPARED.windows.origin]
    assert block["test_first"] == str(dates[PREPARED.split.test].min())
    assert block["test_last"] == str(dates[PREPARED.split.test].max()) == "2020-03-22"
    assert block["train_last"] == str(dates[PREPARED.split.known].max()) < block["test_first"]
    assert set(block["leaks"]) == {"train", "overlap", "share_day", "share_region", "ahead"}


def test_scores_are_those_of_the_predictions_on_each_set():
    result = score_models(WHOLE, CONFIG, PREDICTIONS)
    up, test = WHOLE.windows.up, WHOLE.split.test
    active = test[WHOLE.windows.active[test]]
    assert 0 < len(active) < len(test)
    sets = {"train": WHOLE.split.train, "test": test, "test_active": active}
    for part, rows in sets.items():
        assert result[part] == scores(PREDICTIONS["ensemble"][rows], up[rows])
        assert set(result["intervals"][part]) == set(SCORES)
    assert set(result["models"]) == {"network", "gru"}
    assert tuple(result["baselines"]) == BASELINES
    blocks = result["models"] | {f"baseline_{name}": block for name, block in result["baselines"].items()}
    for name, block in blocks.items():
        for part in ("test", "test_active"):
            assert block[part] == scores(PREDICTIONS[name][sets[part]], up[sets[part]])
            assert set(block["intervals"][part]) == set(SCORES)


def test_every_model_is_compared_with_every_baseline():
    result = score_models(WHOLE, CONFIG, PREDICTIONS)
    for part, items in result["comparisons"].items():
        assert len(items) == 3 * len(BASELINES) * len(COMPARED)
        for item in items:
            model, against = item["model"], item["against"]
            a = result if model == "ensemble" else result["models"][model]
            expected = a[part][item["score"]] - result["baselines"][against][part][item["score"]]
            assert item["difference"] == pytest.approx(expected, abs=1e-9)
            assert item["low"] <= item["high"]


def test_the_verdict_sets_the_network_against_the_best_baseline():
    result = score_models(WHOLE, CONFIG, PREDICTIONS)
    verdict = result["verdict"]
    losses = {name: block["test_active"]["log_score"] for name, block in result["baselines"].items()}
    assert verdict["best_baseline"] == min(losses, key=lambda name: losses[name])
    assert verdict["set"] == "test_active"
    expected = result["models"]["network"]["test_active"]["log_score"] - min(losses.values())
    assert verdict["difference"] == pytest.approx(expected, abs=1e-9)


def test_reliability_counts_every_window_once():
    result = score_models(WHOLE, CONFIG, PREDICTIONS)
    assert set(result["reliability"]) == {"ensemble", "network", "renewal", "logistic", "boosting"}
    for parts in result["reliability"].values():
        assert sum(item["windows"] for item in parts["test"]) == len(WHOLE.split.test)


@pytest.mark.parametrize(("step", "horizon"), [(1, 1), (1, 3), (7, 2)])
def test_the_table_of_predictions_has_one_row_per_window(step, horizon):
    panel = epidemic(step=step)
    config = quick(window={"horizon": horizon}, split={"validation_fraction": 0, "calibration_fraction": 0})
    prepared = prepare(panel, config)
    predictions = made_up(prepared, "ensemble", "baseline_logistic")
    table = prediction_table(panel, prepared, predictions, config)
    facts = ["region", "origin", "target_date", "split", "active", "tie", "label"]
    assert table.columns == [*facts, "p_ensemble", "p_baseline_logistic"]
    assert table["region"].to_list() == [panel.regions[row] for row in prepared.windows.region]
    assert set((table["target_date"] - table["origin"]).dt.total_days()) == {step * horizon}
    assert table["p_ensemble"].to_list() == predictions["ensemble"].tolist()
    values = {(r, d): v for r, d, v in panel.frame().select("region", "date", "increment").iter_rows()}
    for region, origin, target, *_, label, _p, _q in table.iter_rows():
        assert label == (values[region, target] > values[region, origin])


@pytest.mark.parametrize(
    ("difference", "low", "high", "significant"),
    [
        (-0.012, -0.02, -0.004, True),
        (0.012, 0.004, 0.02, True),
        (-0.004, -0.01, 0.001, False),
        (-0.1, -0.2, 0.0, False),
        (0.1, 0.0, 0.2, False),
        (0.0, 0.0, 0.0, False),
        (-0.03, None, None, False),
        (None, None, None, False),
    ],
)
def test_a_verdict_is_significant_when_its_interval_excludes_zero(
    difference: float | None, low: float | None, high: float | None, significant: bool
) -> None:
    compared: Comparison = {"difference": difference, "low": low, "high": high}  # pyright: ignore
    found = verdict(compared, "mean_reversion", evaluated="test_active", dates=12, enough=True)
    facts = {"best_baseline": "mean_reversion", "score": "log_score", "set": "test_active", "dates": 12}
    assert found == facts | compared | {"significant": significant}
    assert not verdict(compared, "mean_reversion", evaluated="test_active", dates=11, enough=False)["significant"]


def test_nothing_to_compare() -> None:
    found = verdict(None, None, evaluated="test_active", dates=0, enough=False)
    assert found["difference"] is None and not found["significant"]


def test_best_model_has_the_lowest_log_score() -> None:
    assert best_model({"base_rate": 0.6, "logistic": 0.5, "boosting": 0.5, "all_zero": None}) == "logistic"
    assert best_model({"base_rate": None}) is None
    assert best_model({}) is None

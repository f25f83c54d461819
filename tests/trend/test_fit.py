"""Stages, members and the pool: seeds are averaged within a cell first, slices may be missing, jobs change nothing."""

from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from trend.small import epidemic, fresh, quick, silent
from twofold.trend import fit
from twofold.trend.baselines import Rates, fit_baseline
from twofold.trend.calibrate import Calibration, apply_calibration, identity
from twofold.trend.config import TrendConfig
from twofold.trend.fit import Fitted, Stage, fit_members, fit_stages, pool, pool_networks
from twofold.trend.model import predict_network, region_codes
from twofold.trend.windows import Prepared, prepare

PANEL = epidemic()


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(1):
        yield


@pytest.fixture
def fitted_by(tmp_path):
    def fit(config: TrendConfig) -> tuple[Prepared, Fitted, list[dict[str, Any]]]:
        records: list[dict[str, Any]] = []
        prepared = prepare(PANEL, config)
        return prepared, fit_stages(prepared, config, fresh(tmp_path), records.append), records

    return fit


def slices(validation: float, calibration: float, **split: Any) -> dict[str, Any]:
    return split | {"validation_fraction": validation, "calibration_fraction": calibration}


def predictions(prepared: Prepared, fitted: Fitted) -> dict[str, np.ndarray]:
    rows = np.arange(len(prepared.windows))
    return fitted.evaluate.predict(fitted.inputs, prepared.increments.regions, rows)


def test_the_pool_is_the_mean_of_the_members():
    members = {"gru": np.array([0.2, 0.4]), "logistic": np.array([0.6, 0.4]), "rnn": np.array([0.1, 1.0])}
    assert pool(members) == pytest.approx([0.3, 0.6])
    assert pool_networks(members) == pytest.approx([0.15, 0.7])


def test_seeds_are_averaged_within_a_cell_before_members_are_pooled(fitted_by):
    prepared, fitted, _ = fitted_by(quick(ensemble={"seeds": 3, "partners": ("rnn", "logistic")}))
    rows, names = np.arange(len(prepared.windows)), prepared.increments.regions
    codes = region_codes(fitted.inputs, names, fitted.evaluate.features.context)
    found = predictions(prepared, fitted)
    assert list(found) == ["gru", "rnn", "logistic"]
    assert list(fitted.evaluate.networks) == [f"{cell}-{seed}" for cell in ("gru", "rnn") for seed in range(3)]
    each = {
        name: predict_network(net.module, fitted.inputs, codes, rows) for name, net in fitted.evaluate.networks.items()
    }
    gru, rnn = ((each[f"{cell}-0"] + each[f"{cell}-1"] + each[f"{cell}-2"]) / 3 for cell in ("gru", "rnn"))
    assert len({values.tobytes() for values in each.values()}) == 6  # every seed is a network of its own
    assert found["gru"] == pytest.approx(gru)
    assert pool(found) == pytest.approx((gru + rnn + found["logistic"]) / 3)
    assert pool_networks(found) == pytest.approx((gru + rnn) / 2)


def test_a_partner_is_the_baseline_of_its_name_on_all_that_is_known(fitted_by):
    config = quick(ensemble={"partners": ("logistic",)})
    prepared, fitted, _ = fitted_by(config)
    same = fit_baseline("logistic", fitted.inputs, prepared.windows.up, prepared.split.known, config.seed)
    rows = np.arange(len(prepared.windows))
    assert np.array_equal(predictions(prepared, fitted)["logistic"], same.predict(fitted.inputs, rows))


def test_the_cell_itself_among_the_partners_counts_once(fitted_by):
    _, fitted, _ = fitted_by(quick(model={"cell": "lstm"}, ensemble={"partners": ("gru", "lstm")}))
    assert list(fitted.evaluate.networks) == ["lstm-0", "gru-0"]


def stages_of(records: list[dict[str, Any]]) -> dict[str, int]:
    """Epochs of each stage."""
    return {record["stage"]: record["epoch"] for record in records}


def test_without_slices_every_epoch_is_run_and_nothing_is_calibrated(fitted_by):
    prepared, fitted, records = fitted_by(quick(split=slices(0, 0), train={"epochs": 3}))
    assert stages_of(records) == {"evaluate": 3, "final": 3}
    assert fitted.calibrated_on == 0
    assert fitted.calibration.method == "identity"
    pooled = pool(predictions(prepared, fitted))
    assert np.array_equal(apply_calibration(fitted.calibration, pooled), pooled)
    evaluated = [record for record in records if record["stage"] == "evaluate"]
    assert all("test_loss" in record and "validation_loss" not in record for record in evaluated)


def test_a_validation_slice_alone_stops_but_does_not_calibrate(fitted_by):
    _, fitted, records = fitted_by(quick(split=slices(0.2, 0), train={"epochs": 3}))
    assert fitted.calibrated_on == 0
    assert fitted.calibration.method == "identity"
    assert set(stages_of(records)) == {"select", "evaluate", "final"}
    assert all("validation_loss" in record for record in records if record["stage"] == "select")


def test_a_calibration_slice_alone_calibrates_after_every_epoch(fitted_by):
    prepared, fitted, records = fitted_by(quick(split=slices(0, 0.2), train={"epochs": 3}))
    assert fitted.calibrated_on == len(prepared.split.calibration) > 0
    assert stages_of(records) == {"select": 3, "evaluate": 3, "final": 3}


def test_refits_run_for_as_many_epochs_as_the_validation_slice_chose(fitted_by):
    config = quick(split=slices(0.2, 0), train={"epochs": 12, "patience": 2, "learning_rate": 0.3})
    _, fitted, records = fitted_by(config)
    losses = [record["validation_loss"] for record in records if record["stage"] == "select"]
    best = int(np.argmin(losses)) + 1
    assert len(losses) == min(12, best + 2)  # stopped when patience was at an end
    assert stages_of(records)["evaluate"] == stages_of(records)["final"] == best
    assert fitted.evaluate.networks["gru-0"].epochs == best


def test_calibration_is_fitted_on_its_slice_by_members_that_saw_the_training_slice_only(tmp_path, monkeypatch):
    config = quick(split=slices(0, 0.3), ensemble={"partners": ("logistic",)})
    prepared = prepare(PANEL, config)
    calls: list[tuple[np.ndarray, np.ndarray]] = []

    def remember(_: str, probability: np.ndarray, label: np.ndarray, **__: Any) -> Calibration:
        calls.append((probability, label))
        return identity()

    monkeypatch.setattr(fit, "fit_calibration", remember)
    fit_stages(prepared, config, fresh(tmp_path), silent)
    stage = Stage("select", prepared.increments, prepared.windows, prepared.split.train, config)
    [members] = fit_members([stage], fresh(tmp_path), silent)
    rows = prepared.split.calibration
    expected = members.predict(stage.inputs, prepared.increments.regions, rows)
    assert np.array_equal(calls[0][0], pool(expected))
    assert np.array_equal(calls[1][0], expected["gru"])
    assert all(np.array_equal(label, prepared.windows.up[rows]) for _, label in calls)


def test_jobs_change_nothing(fitted_by):
    settings = {"ensemble": {"seeds": 2, "partners": ("rnn",)}, "split": slices(0.2, 0.2)}
    one, three = (fitted_by(quick(**settings, train={"jobs": jobs})) for jobs in (1, 3))
    for name, values in predictions(*one[:2]).items():
        assert np.array_equal(values, predictions(*three[:2])[name])
    assert one[1].calibration == three[1].calibration


def test_the_seed_draws_the_weights(fitted_by):
    first, again, other = (fitted_by(quick(seed=seed)) for seed in (0, 0, 1))
    values = [predictions(*found[:2])["gru"] for found in (first, again, other)]
    assert np.array_equal(values[0], values[1])
    assert not np.array_equal(values[0], values[2])


def test_class_weight_lifts_the_rarer_class(fitted_by):
    rare = {"train": {"epochs": 8, "learning_rate": 0.02}, "window": {"target": "sum7"}}
    means = [
        predictions(*fitted_by(quick(**rare, model={"class_weight": weigh}))[:2])["gru"].mean()
        for weigh in (False, True)
    ]
    prepared = prepare(PANEL, quick(**rare))
    rate = prepared.windows.up[prepared.split.known].mean()
    assert (means[1] > means[0]) == (rate < 0.5)


def test_one_window_a_region_can_be_fitted(fitted_by):
    config = quick(window={"per_region": "last"}, split=slices(0, 0, kind="random", test_fraction=0.4))
    prepared, fitted, _ = fitted_by(config)
    assert len(prepared.windows) == prepared.screen.selected.sum()
    assert predictions(prepared, fitted)["gru"].shape == (len(prepared.windows),)


def test_the_final_members_learn_from_all_windows(fitted_by):
    prepared, fitted, _ = fitted_by(quick(ensemble={"partners": ("logistic",)}, features={"scale": True}))
    everything = Stage("final", prepared.increments, prepared.windows, np.arange(len(prepared.windows)), quick())
    assert fitted.final.features == everything.features != fitted.evaluate.features
    assert not isinstance(fitted.final.estimators["logistic"], Rates)

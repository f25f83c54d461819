"""Training of networks: independent of threads and of cuts, stopped by validation alone."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from trend.small import epidemic, fresh, quick, silent
from twofold.engine.errors import DivergedError, RunFolderError
from twofold.engine.loop import Record, Step
from twofold.trend.config import TrendConfig
from twofold.trend.model import Recurrent
from twofold.trend.train import Stage, Trained, ignorant_loss, make_loss, train_networks
from twofold.trend.windows import prepare

COMMON: dict[str, Any] = {
    "train": {"epochs": 6, "batch_size": 16},
    "model": {"layers": 2, "dropout": 0.3},
    "features": {"inputs": ("log1p", "change", "history")},
    "ensemble": {"seeds": 3},
}


def stage_of(config: TrendConfig) -> Stage:
    prepared = prepare(epidemic(), config)
    split = prepared.split
    monitored = {"validation": split.validation, "test": split.test}
    return Stage("select", prepared.increments, prepared.windows, split.train, config, monitored)


def train(config: TrendConfig, checkpoints: Path) -> tuple[dict[str, Trained], list[Record]]:
    records: list[Record] = []
    [trained] = train_networks([stage_of(config)], checkpoints, records.append)
    untimed = [{key: value for key, value in record.items() if key != "seconds"} for record in records]
    return trained, sorted(untimed, key=lambda record: (record["member"], record["epoch"]))


def same(one: dict[str, Trained], two: dict[str, Trained]) -> bool:
    return one.keys() == two.keys() and all(same_network(network, two[name]) for name, network in one.items())


def same_network(one: Trained, two: Trained) -> bool:
    weights = two.module.state_dict()
    equal = (torch.equal(value, weights[name]) for name, value in one.module.state_dict().items())
    return one.epochs == two.epochs and all(equal)


@pytest.mark.parametrize("embedding", [0, 3])
def test_threads_leave_no_trace(tmp_path: Path, embedding: int) -> None:
    changes = COMMON | {"model": COMMON["model"] | {"embedding": embedding}}
    runs = [
        train(quick(**changes | {"train": COMMON["train"] | {"jobs": jobs}}), fresh(tmp_path)) for jobs in (1, 2, 3)
    ]
    assert same(runs[0][0], runs[1][0])
    assert same(runs[0][0], runs[2][0])
    assert runs[0][1] == runs[1][1] == runs[2][1]
    assert not same_network(runs[0][0]["gru-0"], runs[0][0]["gru-1"]), "two seeds must give two networks"


def test_the_number_of_threads_is_put_back(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        train(quick(train={"jobs": 2}, ensemble={"seeds": 2}), fresh(tmp_path))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_what_a_cut_training_left_is_gone_on_with(tmp_path: Path) -> None:
    config = quick(**COMMON | {"train": COMMON["train"] | {"jobs": 2}})
    whole, records = train(config, fresh(tmp_path))
    cut = fresh(tmp_path)
    reached = threading.Event()

    def interrupted(record: Record) -> None:
        if record["member"] == "gru-1" and record["epoch"] == 2:
            reached.set()
            raise KeyboardInterrupt
        if record["member"] == "gru-0" and record["epoch"] == 1:
            assert reached.wait(30)  # so that gru-0 is stopped on its way, not after its end

    with pytest.raises(KeyboardInterrupt):
        train_networks([stage_of(config)], cut, interrupted)
    assert (cut / "select-gru-0.safetensors").exists()
    assert not (cut / "select-gru-1.safetensors").exists()
    again, records_again = train(config, cut)
    assert same(whole, again)
    assert records == records_again


def test_a_finished_training_is_not_trained_again_but_logged_again(tmp_path: Path) -> None:
    config, folder = quick(**COMMON), fresh(tmp_path)
    first, second = [], []
    one, two = (train_networks([stage_of(config)], folder, records.append)[0] for records in (first, second))
    assert same(one, two)
    assert sorted(map(str, first)) == sorted(map(str, second)), "seconds included: nothing ran twice"


def test_a_record_names_stage_and_member_and_measures_the_monitored_windows(tmp_path: Path) -> None:
    _, records = train(quick(**COMMON | {"ensemble": {"seeds": 2}}), fresh(tmp_path))
    assert [(record["stage"], record["member"], record["epoch"]) for record in records] == [
        ("select", f"gru-{index}", epoch) for index in range(2) for epoch in range(1, 7)
    ]
    means = {f"{part}_{what}" for part in ("train", "validation", "test") for what in ("loss", "accuracy")}
    assert all(set(record) == {"stage", "member", "epoch", "learning_rate"} | means for record in records)
    assert all(0 <= record[f"{part}_accuracy"] <= 1 for record in records for part in ("train", "validation", "test"))


def test_only_the_validation_slice_stops(tmp_path: Path) -> None:
    settings = {"epochs": 40, "batch_size": 8, "patience": 1, "learning_rate": 0.05}
    config = quick(**COMMON | {"train": settings, "ensemble": {"seeds": 1}})
    trained, records = train(config, fresh(tmp_path))
    losses = [record["validation_loss"] for record in records]
    assert len(records) < 40
    assert trained["gru-0"].epochs == int(np.argmin(losses)) + 1 == len(records) - 1
    stage = stage_of(config)
    without = replace(stage, monitored={"test": stage.monitored["test"]})
    [last] = train_networks([without], fresh(tmp_path), silent)
    assert last["gru-0"].epochs == 40


def test_a_broken_loss_ends_all_and_is_named(tmp_path: Path) -> None:
    config = quick(**COMMON | {"train": COMMON["train"] | {"learning_rate": 1e38, "clip_norm": 1e30, "jobs": 2}})
    with pytest.raises(DivergedError, match=r"^the training \(gru-\d, stage select\) diverged: .+ epoch \d+") as broken:
        train(config, fresh(tmp_path))
    assert broken.value.advice == "--train.learning-rate is 1e+38, give 0.002"


@pytest.mark.parametrize("class_weight", [False, True])
def test_a_loss_that_runs_away_is_no_network(tmp_path: Path, class_weight: bool) -> None:
    config = quick(
        train={"learning_rate": 30.0, "clip_norm": 1e3, "epochs": 3, "batch_size": 8},
        model={"class_weight": class_weight, "hidden": 16},
    )
    with pytest.raises(DivergedError, match=r"the training loss of epoch \d, which is kept, is \d+\.?\d*, a coin's"):
        train(config, fresh(tmp_path))


def test_a_coin_costs_what_an_untrained_network_does_with_and_without_weights() -> None:
    for class_weight in (False, True):
        stage = stage_of(quick(model={"class_weight": class_weight}))
        loss = make_loss(stage, torch.zeros(len(stage.windows), dtype=torch.int64))
        step = Step(torch.from_numpy(stage.rows), torch.Generator(), 0.0)
        found, _ = loss(Coin(), step)
        assert float(found) == pytest.approx(ignorant_loss(stage), rel=1e-5)


class Coin(torch.nn.Module):
    """Log odds of 0."""

    def forward(self, sequence: torch.Tensor, *_: object) -> torch.Tensor:
        return torch.zeros(len(sequence))


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    folder = fresh(tmp_path)
    train(quick(**COMMON), folder)
    with pytest.raises(RunFolderError, match=r"select-gru-0\.safetensors: not a checkpoint of this network"):
        train(quick(**COMMON | {"model": {"hidden": 5, "layers": 2}}), folder)


class Constant(nn.Module):
    """Gives the same log odds to every window."""

    def forward(self, sequence: Tensor, static: Tensor, region: Tensor, generator: Any) -> Tensor:
        return torch.full((len(sequence),), -1.0)


def test_weighted_classes_count_the_same() -> None:
    def value(class_weight: bool) -> float:
        stage = stage_of(quick(model={"class_weight": class_weight}))
        codes = torch.zeros(len(stage.windows), dtype=torch.int64)
        return float(make_loss(stage, codes)(Constant(), Step(torch.from_numpy(stage.rows), torch.Generator(), 0.0))[0])

    stage = stage_of(quick())
    share = float(stage.windows.up[stage.rows].mean())
    assert 0.05 < share < 0.95
    if_up, if_not = np.log1p(np.exp(1.0)), np.log1p(np.exp(-1.0))
    assert value(False) == pytest.approx(share * if_up + (1 - share) * if_not, rel=1e-5)
    assert value(True) == pytest.approx((1 - share) * (if_up + if_not), rel=1e-5)


def loss_of(stage: Stage) -> tuple[Recurrent, Tensor, list[int]]:
    """A network, its loss on the training windows, and the number of windows that each of its calls got."""
    passed: list[int] = []
    module = Recurrent.seeded(stage.inputs, 0, "gru", config=stage.config.model, seed=1)
    module.register_forward_pre_hook(lambda _, given: passed.append(len(given[0])))
    codes = torch.zeros(len(stage.windows), dtype=torch.int64)
    step = Step(torch.from_numpy(stage.rows), torch.Generator(), 0.0)
    return module, make_loss(stage, codes)(module, step)[0], passed


RAW = {"inputs": ["raw"], "scale": False}


def test_windows_with_equal_inputs_pass_once_and_count_as_often_as_they_occur() -> None:
    stage = stage_of(quick(features=RAW, model={"dropout": 0.0}))
    coarse = (stage.increments.counts > 20).astype(np.int64)
    stage = replace(stage, increments=replace(stage.increments, counts=coarse))
    module, once, passed = loss_of(stage)
    gradient = torch.autograd.grad(once, list(module.parameters()))
    rows = torch.from_numpy(stage.rows)
    logit = module(*stage.inputs.batch(rows), torch.zeros(len(rows), dtype=torch.int64))
    label = torch.from_numpy(stage.windows.up).float()[rows]
    each = torch.nn.functional.binary_cross_entropy_with_logits(logit, label)
    expected = torch.autograd.grad(each, list(module.parameters()))
    assert passed[0] == len(np.unique(stage.inputs.table(stage.rows), axis=0)) < passed[1] == len(rows)
    torch.testing.assert_close(once, each, rtol=1e-6, atol=0)
    for found, wanted in zip(gradient, expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-7)


def test_under_dropout_every_window_passes_by_itself() -> None:
    stage = stage_of(quick(features=RAW, model={"dropout": 0.3}))
    assert loss_of(stage)[2] == [len(stage.rows)]

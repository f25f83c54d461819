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
from twofold.engine.errors import NonFiniteLossError, RunFolderError
from twofold.engine.loop import Record, Step
from twofold.trend.config import ModelConfig, TrendConfig
from twofold.trend.features import apply_features, fit_features
from twofold.trend.model import Recurrent
from twofold.trend.train import Task, Trained, make_loss, train_networks
from twofold.trend.windows import prepare

COMMON: dict[str, Any] = {
    "train": {"epochs": 6, "batch_size": 16},
    "model": {"layers": 2, "dropout": 0.3},
    "features": {"inputs": ("log1p", "change", "history")},
}


def tasks_of(config: TrendConfig, networks: int = 3, stage: str = "select") -> list[Task]:
    prepared = prepare(epidemic(), config)
    windows, split = prepared.windows, prepared.split
    fit = fit_features(prepared.increments, windows, split.train, config.features, config.window)
    inputs = apply_features(fit, prepared.increments, windows.region, windows.origin, config.window)
    watched = {"validation": split.validation, "test": split.test}
    names = prepared.increments.regions
    return [
        Task(stage, config.model.cell, index, config.train.epochs, inputs, windows.up, names, split.train, watched)
        for index in range(networks)
    ]


def train(config: TrendConfig, checkpoints: Path, networks: int = 3) -> tuple[list[Trained], list[Record]]:
    records: list[Record] = []
    trained = train_networks(tasks_of(config, networks), config, checkpoints, records.append)
    untimed = [{key: value for key, value in record.items() if key != "seconds"} for record in records]
    return trained, sorted(untimed, key=lambda record: (record["member"], record["epoch"]))


def same(one: list[Trained], two: list[Trained]) -> bool:
    return all(
        a.epochs == b.epochs
        and a.known == b.known
        and all(torch.equal(v, b.module.state_dict()[name]) for name, v in a.module.state_dict().items())
        for a, b in zip(one, two, strict=True)
    )


@pytest.mark.parametrize("embedding", [0, 3])
def test_threads_leave_no_trace(tmp_path: Path, embedding: int) -> None:
    changes = COMMON | {"model": COMMON["model"] | {"embedding": embedding}}
    runs = [
        train(quick(**changes | {"train": COMMON["train"] | {"jobs": jobs}}), fresh(tmp_path)) for jobs in (1, 2, 3)
    ]
    assert same(runs[0][0], runs[1][0])
    assert same(runs[0][0], runs[2][0])
    assert runs[0][1] == runs[1][1] == runs[2][1]
    assert not same(runs[0][0][:1], runs[0][0][1:2]), "two seeds must give two networks"


def test_the_number_of_threads_is_put_back(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        train(quick(train={"jobs": 2}), fresh(tmp_path), networks=2)
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
        train_networks(tasks_of(config), config, cut, interrupted)
    assert (cut / "select-gru-0.safetensors").exists()
    assert not (cut / "select-gru-1.safetensors").exists()
    again, records_again = train(config, cut)
    assert same(whole, again)
    assert records == records_again


def test_a_finished_training_is_not_trained_again_but_logged_again(tmp_path: Path) -> None:
    config, folder = quick(**COMMON), fresh(tmp_path)
    first, second = [], []
    one = train_networks(tasks_of(config), config, folder, first.append)
    two = train_networks(tasks_of(config), config, folder, second.append)
    assert same(one, two)
    assert sorted(map(str, first)) == sorted(map(str, second)), "seconds included: nothing ran twice"


def test_a_record_names_stage_and_member_and_measures_what_is_watched(tmp_path: Path) -> None:
    _, records = train(quick(**COMMON), fresh(tmp_path), networks=2)
    assert [(record["stage"], record["member"], record["epoch"]) for record in records] == [
        ("select", f"gru-{index}", epoch) for index in range(2) for epoch in range(1, 7)
    ]
    means = {f"{part}_{what}" for part in ("train", "validation", "test") for what in ("loss", "accuracy")}
    assert all(set(record) == {"stage", "member", "epoch", "learning_rate"} | means for record in records)
    assert all(0 <= record[f"{part}_accuracy"] <= 1 for record in records for part in ("train", "validation", "test"))


def test_only_the_validation_slice_stops(tmp_path: Path) -> None:
    changes = COMMON | {"train": {"epochs": 40, "batch_size": 8, "patience": 1, "learning_rate": 0.05}}
    trained, records = train(quick(**changes), fresh(tmp_path), networks=1)
    losses = [record["validation_loss"] for record in records]
    assert len(records) < 40
    assert trained[0].epochs == int(np.argmin(losses)) + 1 == len(records) - 1
    unwatched = [replace(task, watched={"test": task.watched["test"]}) for task in tasks_of(quick(**changes), 1)]
    last = train_networks(unwatched, quick(**changes), fresh(tmp_path), silent)
    assert last[0].epochs == 40


def test_a_broken_loss_ends_all_and_is_named(tmp_path: Path) -> None:
    config = quick(**COMMON | {"train": COMMON["train"] | {"learning_rate": 1e38, "clip_norm": 1e30, "jobs": 2}})
    with pytest.raises(NonFiniteLossError, match=r"at epoch \d+, step \d+ of \d+"):
        train(config, fresh(tmp_path))


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    folder = fresh(tmp_path)
    train(quick(**COMMON), folder)
    with pytest.raises(RunFolderError, match=r"select-gru-0\.safetensors: not a checkpoint of this network"):
        train(quick(**COMMON | {"model": {"hidden": 5, "layers": 2}}), folder)


class Constant(nn.Module):
    """Gives the same log odds to every window."""

    def forward(self, sequence: Tensor, static: Tensor, region: Tensor, generator: Any) -> Tensor:
        return torch.full((len(sequence),), -1.0)


def test_weighed_classes_count_the_same() -> None:
    config = quick()
    task = tasks_of(config, 1)[0]
    rows, up = torch.from_numpy(task.train), torch.from_numpy(task.up).float()
    codes = torch.zeros(len(up), dtype=torch.int64)

    def value(class_weight: bool) -> float:
        measure = make_loss(task, up, codes, ModelConfig(class_weight=class_weight))
        return float(measure(Constant(), Step(rows, torch.Generator(), 0.0))[0])

    share = float(task.up[task.train].mean())
    assert 0.05 < share < 0.95
    if_up, if_not = np.log1p(np.exp(1.0)), np.log1p(np.exp(-1.0))
    assert value(False) == pytest.approx(share * if_up + (1 - share) * if_not, rel=1e-5)
    assert value(True) == pytest.approx((1 - share) * (if_up + if_not), rel=1e-5)


def test_windows_with_the_same_inputs_pass_once_and_weigh_as_often_as_they_stand() -> None:
    config = quick(features={"inputs": ["raw"], "scale": False}, model={"dropout": 0.0})
    task = tasks_of(config, 1)[0]
    coarse = replace(task.inputs, sequence=(task.inputs.sequence > 20).astype(np.float32))
    task = replace(task, inputs=coarse)
    up, codes = torch.from_numpy(task.up).float(), torch.zeros(len(task.up), dtype=torch.int64)
    rows = torch.from_numpy(task.train)
    module = Recurrent.seeded(task.inputs, 0, "gru", config=config.model, seed=1)
    passed: list[int] = []
    module.register_forward_pre_hook(lambda _, given: passed.append(len(given[0])))
    once = make_loss(task, up, codes, config.model)(module, Step(rows, torch.Generator(), 0.0))[0]
    gradient = torch.autograd.grad(once, list(module.parameters()))
    each = torch.nn.functional.binary_cross_entropy_with_logits(module(*task.inputs.batch(rows), codes[rows]), up[rows])
    expected = torch.autograd.grad(each, list(module.parameters()))
    assert passed[0] == len(np.unique(task.inputs.table(task.train), axis=0)) < passed[1] == len(rows)
    torch.testing.assert_close(once, each, rtol=1e-6, atol=0)
    for found, wanted in zip(gradient, expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-7)


def test_under_dropout_every_window_passes_by_itself() -> None:
    config = quick(features={"inputs": ["raw"], "scale": False}, model={"dropout": 0.3})
    task = tasks_of(config, 1)[0]
    up, codes = torch.from_numpy(task.up).float(), torch.zeros(len(task.up), dtype=torch.int64)
    passed: list[int] = []
    module = Recurrent.seeded(task.inputs, 0, "gru", config=config.model, seed=1)
    module.register_forward_pre_hook(lambda _, given: passed.append(len(given[0])))
    make_loss(task, up, codes, config.model)(module, Step(torch.from_numpy(task.train), torch.Generator(), 0.0))
    assert passed == [len(task.train)]

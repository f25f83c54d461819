"""The loop: records, schedule, early stopping, averaging, and the same result after interruptions."""

import copy
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from engine.training import PLAN, batches, fresh, loss, monitor, same_training
from twofold.engine.checkpoint import load_state, save_state
from twofold.engine.errors import DivergedError
from twofold.engine.loop import Plan, Record, Step, TrainState, fit, shuffled


def plan(**changes: object) -> Plan:
    return Plan(**({key: getattr(PLAN, key) for key in PLAN.__dataclass_fields__} | changes))


def test_one_record_per_epoch() -> None:
    state = fresh()
    records = list(fit(state, PLAN, batches, loss, monitor))

    assert [record["epoch"] for record in records] == [1, 2, 3, 4, 5, 6]
    assert records == state.history
    keys = ["epoch", "train_loss", "train_size", "validation_loss", "learning_rate", "seconds"]
    assert all(list(record) == keys for record in records)
    assert all(record["seconds"] > 0 for record in records)


def test_the_mean_weighs_every_row_the_same() -> None:
    # 50 rows in batches of 8 end with one of 2.
    record = next(fit(fresh(), PLAN, batches, loss))
    assert record["train_size"] == pytest.approx((6 * 8 * 8 + 2 * 2) / 50)


@pytest.mark.parametrize("epochs", [1, 7])
def test_the_rate_depends_on_the_epoch_alone(epochs: int) -> None:
    cosine = plan(epochs=epochs, schedule="cosine", learning_rate=0.5)
    rates = [cosine.rate(epoch) for epoch in range(1, epochs + 1)]
    assert rates[0] == 0.5
    assert all(rate > 0 for rate in rates)
    assert rates == sorted(rates, reverse=True)
    assert plan(schedule="constant", learning_rate=0.5).rate(epochs) == 0.5
    state = fresh()
    used = [state.optimiser.param_groups[0]["lr"] for _ in fit(state, cosine, batches, loss)]
    assert used == rates == [record["learning_rate"] for record in state.history]


@pytest.mark.parametrize("cut", [1, 3, 5])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_it_does_not_matter_where_a_training_was_cut(tmp_path: Path, cut: int, dropout: float) -> None:
    whole, first, second = fresh(dropout), fresh(dropout), fresh(dropout)
    list(fit(whole, PLAN, batches, loss, monitor))
    for record in fit(first, PLAN, batches, loss, monitor):
        if record["epoch"] == cut:
            break
    save_state(first, tmp_path / "state.safetensors")
    torch.rand(17)  # whatever else draws from global state must not matter

    assert load_state(second, tmp_path / "state.safetensors")
    assert second.epoch == cut
    list(fit(second, PLAN, batches, loss, monitor))

    same_training(whole, second)


def test_a_record_comes_when_the_state_is_whole() -> None:
    state = fresh(0.3)
    snapshots = [copy.deepcopy(state) for _ in fit(state, PLAN, batches, loss, monitor)]
    for snapshot in snapshots[:-1]:
        list(fit(snapshot, PLAN, batches, loss, monitor))
        same_training(snapshot, state)


def test_dropout_draws_from_the_epochs_own_stream() -> None:
    def first_loss(seed: int) -> float:
        return next(fit(fresh(0.5), plan(seed=seed), lambda epoch: [torch.arange(50)], loss))["train_loss"]

    assert first_loss(1) == first_loss(1) != first_loss(2)


def scripted(losses: list[float]) -> tuple[TrainState, list[Record]]:
    """A training whose validation loss is given, and its records."""
    state = fresh()
    script = iter(losses)
    weights: list[dict[str, Tensor]] = []

    def watch(module: nn.Module) -> Record:
        assert not module.training
        assert not torch.is_grad_enabled()
        weights.append(copy.deepcopy(module.state_dict()))
        return {"validation_loss": next(script)}

    records = list(fit(state, plan(epochs=len(losses), patience=2), batches, loss, watch))
    if state.best is not None:
        assert all(torch.equal(state.best[name], weights[state.best_epoch - 1][name]) for name in state.best)
    return state, records


@pytest.mark.parametrize(
    ("losses", "ran", "best"),
    [
        ([5.0, 4.0, 3.0, 2.0], 4, 4),
        ([5.0, 3.0, 4.0, 4.0, 1.0], 4, 2),
        ([5.0, 3.0, 4.0, 2.0, 3.0, 3.0, 1.0], 6, 4),
        ([5.0, 5.0, 5.0, 5.0], 3, 1),
        ([math.nan, math.nan, math.nan], 3, 0),
    ],
)
def test_patience_ends_a_training_and_the_best_weights_are_kept(losses: list[float], ran: int, best: int) -> None:
    state, records = scripted(losses)

    assert len(records) == ran
    assert state.best_epoch == best
    if best:
        assert state.use_best() == best
        assert state.best is not None
        assert all(torch.equal(value, state.best[name]) for name, value in state.module.state_dict().items())


def test_without_validation_the_last_weights_are_used() -> None:
    state = fresh()
    list(fit(state, PLAN, batches, loss))
    before = copy.deepcopy(state.module.state_dict())
    assert state.use_best() == 6
    assert all(torch.equal(value, before[name]) for name, value in state.module.state_dict().items())


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_broken_loss_is_named_with_epoch_and_step(value: float) -> None:
    steps = 0

    def breaks(module: nn.Module, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        nonlocal steps
        steps += 1
        result, extra = loss(module, step)
        return (result * value if steps == 7 + 3 else result), extra

    state = fresh()
    with pytest.raises(DivergedError, match=f"became {value} at epoch 2, step 3 of 7"):
        list(fit(state, PLAN, batches, breaks))
    assert state.epoch == 1


def test_a_weight_that_breaks_in_the_last_step_is_named() -> None:
    def breaks(module: nn.Module, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        result, extra = loss(module, step)
        broken = step.progress > 0.8  # in the last epoch; its value is finite, its gradient is not
        return (result + torch.sqrt(next(module.parameters()).sum() * 0.0) if broken else result), extra

    state = fresh()
    with pytest.raises(DivergedError, match=r"weight is no longer finite after epoch 6"):
        list(fit(state, PLAN, lambda epoch: [torch.arange(50)], breaks))
    assert state.epoch == 5


def test_gradients_are_clipped() -> None:
    def moved(clip_norm: float) -> float:
        state = fresh()
        state.optimiser = torch.optim.SGD(state.module.parameters(), lr=1.0)
        before = [weight.detach().clone() for weight in state.module.parameters()]
        sharp = plan(epochs=1, schedule="constant", learning_rate=1.0, clip_norm=clip_norm)
        next(fit(state, sharp, lambda epoch: [torch.arange(50)], lambda *given: (loss(*given)[0] * 1e3, {})))
        steps = [now.detach() - then for now, then in zip(state.module.parameters(), before, strict=True)]
        return math.sqrt(sum(float((step**2).sum()) for step in steps))

    assert moved(0.25) == pytest.approx(0.25, rel=1e-4)
    assert moved(1e9) > 10


def test_batches_visit_every_index_once_in_an_order_of_the_epochs_own() -> None:
    indices = torch.arange(100, 150)
    order = shuffled(indices, 8, seed=3)
    first, second = list(order(1)), list(order(2))

    assert [len(batch) for batch in first] == [8] * 6 + [2]
    assert torch.equal(torch.cat(first).sort().values, indices)
    assert not torch.equal(torch.cat(first), torch.cat(second))
    assert torch.equal(torch.cat(first), torch.cat(list(shuffled(indices, 8, seed=3)(1))))


STEPS = plan(steps=6 * 7, averaging=0.9)


def test_by_steps_the_rate_falls_within_an_epoch() -> None:
    state, seen = fresh(), []

    def look(state: TrainState) -> bool:
        seen.append(state.optimiser.param_groups[0]["lr"])
        return False

    records = list(fit(state, STEPS, batches, loss, pause=look))
    expected = [0.05 * 0.5 * (1 + math.cos(math.pi * step / 42)) for step in range(42)]
    assert seen == pytest.approx(expected)
    assert [record["learning_rate"] for record in records] == pytest.approx(expected[6::7])


def test_a_loss_knows_how_far_the_run_is() -> None:
    seen: list[float] = []

    def watching(module: nn.Module, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        seen.append(step.progress)
        return loss(module, step)

    list(fit(fresh(), STEPS, batches, watching))
    assert seen == pytest.approx([step / 42 for step in range(42)])
    seen.clear()
    list(fit(fresh(), PLAN, batches, watching))
    assert seen == pytest.approx([epoch / 6 for epoch in range(6) for _ in range(7)])


@pytest.mark.parametrize("pauses", [{1}, {7}, {3, 4, 20}, set(range(1, 43))])
def test_a_pause_between_any_two_steps_changes_nothing(tmp_path: Path, pauses: set[int]) -> None:
    whole, part = fresh(0.3, averaged=True), fresh(0.3, averaged=True)
    records = list(fit(whole, STEPS, batches, loss, monitor))
    found: list[Record] = []
    for _ in range(len(pauses) + 1):
        found += fit(part, STEPS, batches, loss, monitor, pause=lambda state: state.step in pauses)
        save_state(part, tmp_path / "state.safetensors")
        part = fresh(0.3, averaged=True)
        torch.rand(5)  # whatever else draws from global state must not matter
        assert load_state(part, tmp_path / "state.safetensors")

    assert part.finished(STEPS)
    assert len(found) == len(records) == 6
    same_training(whole, part)


def test_a_broken_loss_before_a_pause_is_raised() -> None:
    def breaks(module: nn.Module, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        return loss(module, step)[0] * math.nan, {}

    with pytest.raises(DivergedError, match="epoch 1, step 1 of 1"):
        list(fit(fresh(), PLAN, batches, breaks, pause=lambda state: True))


def test_averaged_weights_follow_the_network_and_are_what_is_measured() -> None:
    state = fresh(averaged=True)
    expected = {name: value.clone() for name, value in state.module.state_dict().items()}
    measured: list[nn.Module] = []

    def follow(state: TrainState) -> bool:
        decay = min(0.9, (1 + state.step) / (10 + state.step))
        for name, value in state.module.state_dict().items():
            expected[name] = decay * expected[name] + (1 - decay) * value
        return False

    def watch(module: nn.Module) -> Record:
        measured.append(module)
        return monitor(module)

    list(fit(state, STEPS, batches, loss, watch, pause=follow))
    assert state.averaged is not None
    for name, value in state.averaged.state_dict().items():
        torch.testing.assert_close(value, expected[name])
        assert not torch.equal(value, state.module.state_dict()[name])
    assert all(module is state.averaged for module in measured)
    assert state.best is not None
    before = copy.deepcopy(state.module.state_dict())
    state.use_best()
    assert all(torch.equal(value, state.best[name]) for name, value in state.averaged.state_dict().items())
    assert all(torch.equal(value, before[name]) for name, value in state.module.state_dict().items())

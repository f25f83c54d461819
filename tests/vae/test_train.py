"""Training: budgets, batches, the objective at work, and that it does not matter where it was cut."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from twofold.engine.loop import Step
from twofold.vae.config import VaeConfig
from twofold.vae.images.load import Images, Split
from twofold.vae.model import Vae, as_input
from twofold.vae.recipes import default, original, plain
from twofold.vae.start import Started
from twofold.vae.train import Trained, make_loss, pick_precision, steps_an_epoch, train, validate
from vae.small import discs, images_of, silent, tiny

CPU = torch.device("cpu")
SPLIT = Split(train=np.arange(33), validation=np.arange(33, 42), test=np.arange(42, 50))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    return images_of(discs(50), tmp_path_factory.mktemp("images"))


def trained(images: Images, folder: Path, **groups: Any) -> Trained:
    return train(images, SPLIT, tiny(**groups), CPU, checkpoints=folder, on_epoch=silent, on_step=silent)


def timeless(result: Trained) -> list[dict[str, Any]]:
    return [{key: value for key, value in record.items() if key != "seconds"} for record in result.history]


def same(one: Trained, two: Trained) -> bool:
    others = two.vae.state_dict()
    return timeless(one) == timeless(two) and all(
        torch.equal(value, others[name]) for name, value in one.vae.state_dict().items()
    )


def test_it_learns(images: Images, tmp_path: Path) -> None:
    result = trained(images, tmp_path, train={"epochs": 40, "learning_rate": 5e-3})
    first, last = result.history[0], result.history[-1]
    assert last["validation_loss"] < first["validation_loss"] - 300  # nats of 768 pixels
    x = as_input(images.pixels[SPLIT.train], CPU)
    with torch.no_grad():
        error = (result.vae.decode(result.vae.encode(x)[0]) - x).square().mean().sqrt()
    assert last["sigma"] == pytest.approx(float(error), rel=0.4)  # the learned sigma ends at the root of the error
    assert last["train_loss"] == pytest.approx(last["train_rate"] + last["train_distortion"], rel=1e-5)
    assert last["validation_loss"] == pytest.approx(last["validation_rate"] + last["validation_distortion"], rel=1e-9)


def test_beta_tc_adds_the_weighed_total_correlation(images: Images, tmp_path: Path) -> None:
    groups = {"train": {"epochs": 3, "learning_rate": 5e-3, "precision": "fp32"}}
    result = trained(images, tmp_path / "tc", objective={"name": "beta_tc", "beta": 3.0}, **groups)
    record = result.history[-1]
    elbo = record["train_rate"] + record["train_distortion"]
    assert record["train_loss"] == pytest.approx(elbo + 2 * record["train_total_correlation"], rel=1e-5)
    assert record["validation_loss"] != record["validation_rate"] + record["validation_distortion"]
    plain = trained(images, tmp_path / "elbo", **groups)
    unit = trained(images, tmp_path / "unit", objective={"name": "beta_tc", "beta": 1.0}, **groups)
    assert unit.history[-1]["validation_loss"] == plain.history[-1]["validation_loss"]
    assert not same(result, unit)


def test_a_record_holds_what_the_report_draws(images: Images, tmp_path: Path) -> None:
    result = trained(images, tmp_path)
    names = {"epoch", "images", "learning_rate", "seconds", "beta_now", "sigma"}
    names |= {f"{part}_{what}" for part in ("train", "validation") for what in ("loss", "rate", "distortion")}
    assert [set(record) for record in result.history] == [names] * 2
    assert [record["images"] for record in result.history] == [33, 66]
    assert result.images_seen == 66


@pytest.mark.parametrize(("budget", "epochs", "seen"), [(16, 1, 16), (33, 2, 49), (60, 2, 66), (96, 3, 99)])
def test_a_budget_in_images_ends_within_an_epoch(
    images: Images, tmp_path: Path, budget: int, epochs: int, seen: int
) -> None:
    # 33 images in batches of 16 are two steps, the second of 17.
    result = trained(images, tmp_path, train={"images": budget})
    assert len(result.history) == epochs
    assert result.images_seen == seen >= budget


@pytest.mark.parametrize(("number", "batch", "steps"), [(1, 4, 1), (4, 4, 1), (5, 4, 1), (6, 4, 2), (9, 4, 2)])
def test_no_batch_holds_a_single_image(number: int, batch: int, steps: int) -> None:
    assert steps_an_epoch(number, batch) == steps


def test_every_image_is_visited_once_an_epoch(images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    visited: list[int] = []
    sizes: list[int] = []

    def spying(*given: Any) -> Any:
        inner = make_loss(*given)

        def loss(module: torch.nn.Module, step: Step) -> Any:
            visited.extend(step.rows.tolist())
            sizes.append(len(step.rows))
            return inner(module, step)

        return loss

    monkeypatch.setattr("twofold.vae.train.make_loss", spying)
    trained(images, tmp_path)
    assert sizes == [16, 17] * 2
    assert sorted(visited[:33]) == sorted(visited[33:]) == list(range(33))
    assert visited[:33] != visited[33:]


@pytest.mark.parametrize("stop_at", [1, 2, 3])
def test_ctrl_c_saves_and_the_next_call_ends_as_if_nothing_had_been(
    images: Images, tmp_path: Path, stop_at: int
) -> None:
    import signal

    def interrupt(done: int, whole: int) -> None:
        assert whole == 4
        if done == stop_at:
            signal.raise_signal(signal.SIGINT)

    config = tiny()
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(images, SPLIT, config, CPU, checkpoints=tmp_path / "cut", on_epoch=silent, on_step=interrupt)
    assert signal.getsignal(signal.SIGINT) is before
    seen: list[int] = []

    def count(done: int, whole: int) -> None:
        seen.append(done)

    resumed = train(images, SPLIT, config, CPU, checkpoints=tmp_path / "cut", on_epoch=silent, on_step=count)
    assert seen == list(range(stop_at + 1, 5))
    assert same(resumed, trained(images, tmp_path / "whole"))


def test_a_finished_training_is_read_back(images: Images, tmp_path: Path) -> None:
    first = trained(images, tmp_path)
    records: list[Any] = []
    again = train(images, SPLIT, tiny(), CPU, checkpoints=tmp_path, on_epoch=records.append, on_step=silent)
    assert same(first, again)
    assert [record["epoch"] for record in records] == [1, 2]


@pytest.mark.parametrize("first", [{"epochs": 2}, {"images": 16}, {"images": 48}, {"images": 66}])
@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_larger_budget_goes_on_as_if_it_had_been_given_at_first(
    images: Images, tmp_path: Path, first: dict[str, int], ema: float
) -> None:
    # At a constant learning rate, which does not depend on the budget; 16 and 48 images end within an epoch.
    settings = {"schedule": "constant", "ema": ema}
    more = {"epochs": 5} if "epochs" in first else {"images": 112}
    trained(images, tmp_path / "on", train=settings | first)
    steps: list[int] = []
    config = tiny(train=settings | more)
    on = train(
        images,
        SPLIT,
        config,
        CPU,
        checkpoints=tmp_path / "on",
        on_epoch=silent,
        on_step=lambda *step: steps.append(step[0]),
    )
    whole = trained(images, tmp_path / "whole", train=settings | more)
    assert same(on, whole)
    done = math.ceil(first.get("images", 64) / 16)
    assert steps == list(range(done + 1, (10 if "epochs" in first else 7) + 1))


@pytest.mark.parametrize("stop_at", [5, 6, 7, 8])
def test_what_goes_on_may_be_interrupted_too(images: Images, tmp_path: Path, stop_at: int) -> None:
    import signal

    def interrupt(done: int, whole: int) -> None:
        assert whole == 8
        if done == stop_at:
            signal.raise_signal(signal.SIGINT)

    rate = {"learning_rate": 1e-3, "warmup_steps": 0}
    longer = tiny(train=rate | {"epochs": 4})
    for folder in ("cut", "whole"):
        trained(images, tmp_path / folder, train=rate)
    with pytest.raises(KeyboardInterrupt):
        train(images, SPLIT, longer, CPU, checkpoints=tmp_path / "cut", on_epoch=silent, on_step=interrupt)
    resumed = trained(images, tmp_path / "cut", train=rate | {"epochs": 4})
    whole = trained(images, tmp_path / "whole", train=rate | {"epochs": 4})
    assert same(resumed, whole)
    # The cosine of the new length from the step reached: 4 of 8.
    assert whole.history[2]["learning_rate"] == pytest.approx(1e-3 * 0.5 * (1 + math.cos(math.pi * 5 / 8)))


def test_runs_of_a_sweep_start_from_the_same_weights_and_see_the_same_order(
    images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[float, list[Any]] = {}

    def spying(images: Images, began: Started, *rest: Any) -> Any:
        inner = make_loss(images, began, *rest)
        noted = seen.setdefault(began.config.objective.beta, [])

        def loss(module: torch.nn.Module, step: Step) -> Any:
            if not noted:
                noted.append({name: value.clone() for name, value in module.state_dict().items()})
            noted.append(step.rows.tolist())
            return inner(module, step)

        return loss

    monkeypatch.setattr("twofold.vae.train.make_loss", spying)
    for beta in (0.0, 100.0):
        trained(images, tmp_path / f"{beta}", objective={"beta": beta})
    (weights, *order), (others, *other_order) = seen.values()
    assert order == other_order
    assert all(torch.equal(value, others[name]) for name, value in weights.items())


def test_a_larger_beta_gives_a_smaller_rate(images: Images, tmp_path: Path) -> None:
    rates = [
        trained(images, tmp_path / f"{beta}", train={"epochs": 20}, objective={"beta": beta}).history[-1]
        for beta in (0.0, 1.0, 100.0)
    ]
    found = [record["validation_rate"] for record in rates]
    assert found[0] > found[1] > found[2]


def test_warm_up_raises_beta_and_is_over_in_a_tenth_of_the_run(images: Images, tmp_path: Path) -> None:
    result = trained(images, tmp_path, train={"epochs": 20}, objective={"beta": 4.0, "warmup": 0.1})
    assert [record["beta_now"] for record in result.history] == [2.0] + [4.0] * 19
    with pytest.raises(ValueError, match=r"less than or equal to 0\.1"):
        tiny(objective={"warmup": 0.2})


def test_free_nats_keep_units_from_collapsing(images: Images, tmp_path: Path) -> None:
    settings = {"train": {"epochs": 30, "learning_rate": 3e-3}}
    without = trained(images, tmp_path / "without", objective={"beta": 200.0}, **settings).history[-1]
    with_ = trained(images, tmp_path / "with", objective={"beta": 200.0, "free_nats": 0.5}, **settings).history[-1]
    assert without["validation_rate"] < 0.5
    assert with_["validation_rate"] > 1.0


def test_the_first_epoch_can_not_blow_up(images: Images, tmp_path: Path) -> None:
    steep = {"learning_rate": 0.3, "epochs": 3, "schedule": "constant"}
    result = trained(images, tmp_path, train=steep, objective={"beta": 1.0})
    assert all(math.isfinite(record["train_rate"]) for record in result.history)


def test_validation_draws_the_same_each_time(images: Images) -> None:
    vae = Vae.seeded(tiny(), 0).eval()
    with torch.no_grad():
        found = [validate(vae, images, SPLIT.validation, tiny(), 0.5) for _ in range(2)]
    assert found[0] == found[1]


def test_validation_does_not_depend_on_how_many_pass_at_once(images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    vae = Vae.seeded(tiny(), 0).eval()
    with torch.no_grad():
        whole = validate(vae, images, np.arange(50), tiny(), 0.5)
        monkeypatch.setattr("twofold.vae.train.AT_ONCE", 50 - 16)
        parts = validate(vae, images, np.arange(50), tiny(), 0.5)
    assert parts["validation_rate"] == pytest.approx(whole["validation_rate"], rel=1e-6)


def test_patience_ends_a_training_and_says_so(images: Images, tmp_path: Path) -> None:
    steep = {"epochs": 40, "learning_rate": 0.5, "schedule": "constant", "patience": 2, "ema": 0.0}
    result = trained(images, tmp_path / "steep", train=steep)
    assert result.stopped_early
    assert len(result.history) == result.best_epoch + 2 < 40
    assert not trained(images, tmp_path / "short").stopped_early


def batches_of(config: VaeConfig, size: int, images: int) -> VaeConfig:
    changes = {"train": {"batch_size": images, "precision": "auto"}, "image": {"size": size}}
    return VaeConfig.model_validate(
        config.model_dump() | {name: getattr(config, name).model_dump() | new for name, new in changes.items()}
    )


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        (batches_of(default(), 64, 16), "bf16"),
        (batches_of(default(), 64, 4), "fp32"),  # steps too small to gain
        (batches_of(default(), 16, 16), "fp32"),
        (batches_of(plain(), 64, 32), "bf16"),
        (batches_of(original(), 64, 64), "fp32"),
        (default().model_copy(update={"likelihood": tiny().likelihood}), "fp32"),  # no convolution at all
    ],
)
def test_the_precision_follows_from_device_and_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: VaeConfig, wanted: str
) -> None:
    for has in (False, True):
        monkeypatch.setattr("twofold.vae.train.computes_bf16", lambda _, has=has: has)
        assert pick_precision(config, CPU, tmp_path / str(has)) == (wanted if has else "fp32")


def test_a_precision_once_taken_is_kept_and_one_that_is_given_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = batches_of(default(), 64, 16)
    monkeypatch.setattr("twofold.vae.train.computes_bf16", lambda _: True)
    assert pick_precision(config, CPU, tmp_path) == "bf16"
    monkeypatch.setattr("twofold.vae.train.computes_bf16", lambda _: False)
    assert pick_precision(config, CPU, tmp_path) == "bf16"  # as who resumes elsewhere finds it
    (tmp_path / "precision.json").write_text('{"precision": "fp32", "gain": 1.02}')  # of an older version
    monkeypatch.setattr("twofold.vae.train.computes_bf16", lambda _: True)
    assert pick_precision(config, CPU, tmp_path) == "fp32"
    given = config.model_copy(update={"train": config.train.model_copy(update={"precision": "bf16"})})
    assert pick_precision(given, CPU, tmp_path) == "bf16"

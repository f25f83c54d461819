"""Nothing that is fitted moves when a later value changes, to the last bit, and no prediction sees beyond its origin.

The original study's recipes do move, and so does anything after `--negatives redistribute`; both are shown.
"""

import functools
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from safetensors.torch import load_file
from threadpoolctl import threadpool_limits

from trend.small import EVERY_INPUT, epidemic, fresh, quick, silent
from twofold.counts.panel import Panel
from twofold.trend.baselines import BASELINES, fit_baseline
from twofold.trend.config import TrendConfig
from twofold.trend.features import apply_features
from twofold.trend.fit import Fitted, fit_stages
from twofold.trend.recipes import recipe
from twofold.trend.windows import Prepared, prepare

REGIONS, DATES = 8, 60
QUICK = (Phase.explicit, Phase.generate)  # a failure is told at once: shrinking it would fit for minutes
CHANGES = st.lists(
    st.tuples(st.integers(0, REGIONS - 1), st.integers(0, DATES - 1), st.sampled_from([-2000, -30, -1, 1, 50, 2000])),
    min_size=1,
    max_size=4,
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Trees on a few hundred windows wait for threads far longer than they grow."""
    with threadpool_limits(1):
        yield


@dataclass(frozen=True)
class Fit:
    """A fitted run and the weights that it left in its checkpoints."""

    prepared: Prepared
    fitted: Fitted
    weights: dict[str, np.ndarray]


def fit(panel: Panel, config: TrendConfig) -> Fit:
    prepared = prepare(panel, config)
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = fresh(Path(folder))
        fitted = fit_stages(prepared, config, checkpoints, silent)
        files = [path for path in sorted(checkpoints.iterdir()) if not path.name.startswith("final-")]
        tensors = {f"{path.stem} {name}": t.numpy() for path in files for name, t in load_file(path).items()}
    return Fit(prepared, fitted, tensors)


def learned(found: Fit) -> dict[str, Any]:
    """All that a run has learned before it meets the test."""
    evaluate, known = found.fitted.evaluate, found.prepared.split.known
    members = evaluate.predict(found.fitted.inputs, found.prepared.increments.regions, known)
    modules = {
        f"{name} {key}": value.numpy()
        for name, network in evaluate.networks.items()
        for key, value in network.module.state_dict().items()
    }
    return {
        "set C": found.prepared.screen.selected,
        "correlation": found.prepared.screen.correlation,
        "features": evaluate.features,
        "calibration": found.fitted.calibration,
        "network calibration": found.fitted.network_calibration,
        "epochs": {name: network.epochs for name, network in evaluate.networks.items()},
        "training windows": found.prepared.split.train,
        "training labels": found.prepared.windows.up[known],
    } | {
        f"{kind}: {name}": array
        for kind, arrays in (("prediction", members), ("weights", modules), ("state", found.weights))
        for name, array in arrays.items()
    }


def moved(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Names of what is not the same to the last bit."""
    assert before.keys() == after.keys()

    def same(a: Any, b: Any) -> bool:
        return a.tobytes() == b.tobytes() if isinstance(a, np.ndarray) else a == b

    return [name for name in before if not same(before[name], after[name])]


def changed(panel: Panel, changes: list[tuple[int, int, int]], after: np.datetime64) -> Panel:
    """The panel with some values raised or lowered, all of them after a date."""
    first = int(np.searchsorted(panel.dates, after, side="right"))
    values = panel.values.copy()
    for region, place, size in changes:
        values[region, first + place % (len(panel.dates) - first)] += size
    return Panel(panel.regions, panel.dates, values, panel.kind)


def split_date(found: Fit) -> np.datetime64:
    """The first origin that is tested: the last date that anything fitted may see."""
    return found.prepared.increments.dates[found.prepared.windows.origin[found.prepared.split.test].min()]


def study(kind: str, target: str, negatives: str, **groups: Any) -> TrendConfig:
    return quick(
        source={"negatives": negatives},
        split={"kind": kind, "validation_fraction": 0.15, "calibration_fraction": 0.15},
        window={"target": target},
        features={"inputs": EVERY_INPUT},
        model={"embedding": 2},
        ensemble={"partners": ("lstm", "logistic")},
        **groups,
    )


@functools.cache
def panel_of(kind: str) -> Panel:
    return epidemic(REGIONS, DATES, kind=kind)


@functools.cache
def once(kind: str, config: TrendConfig) -> Fit:
    return fit(panel_of(kind), config)


@pytest.mark.parametrize("target", ["next_day", "mean7", "sum7"])
@pytest.mark.parametrize("split", ["temporal", "both"])
@settings(max_examples=6, deadline=None, phases=QUICK)
@given(st.sampled_from([("cumulative", "keep"), ("cumulative", "clip"), ("incident", "keep")]), CHANGES)
def test_nothing_learned_moves_when_values_after_the_splits_date_change(split, target, data, changes):
    kind, negatives = data
    config = study(split, target, negatives)
    before = once(kind, config)

    after = fit(changed(panel_of(kind), changes, split_date(before)), config)

    assert moved(learned(before), learned(after)) == []


@settings(max_examples=5, deadline=None, phases=QUICK)
@given(CHANGES)
def test_boosted_trees_do_not_move_either(changes):
    config = study("temporal", "next_day", "keep")
    before = once("cumulative", config)

    def predictions(found: Fit) -> list[bytes]:
        up, known = found.prepared.windows.up, found.prepared.split.known
        models = [fit_baseline(name, found.fitted.inputs, up, known, 0) for name in BASELINES]
        return [model.predict(found.fitted.inputs, known).tobytes() for model in models]

    after = fit(changed(panel_of("cumulative"), changes, split_date(before)), config)

    assert predictions(before) == predictions(after)


def test_the_last_value_before_the_splits_date_does_move_what_is_learned():
    """The tests above could not fail if nothing ever moved."""
    config = study("temporal", "next_day", "keep")
    before = once("incident", config)
    day_before = split_date(before) - np.timedelta64(1, "D")
    panel = changed(panel_of("incident"), [(3, 0, 40)], day_before)

    names = moved(learned(before), learned(fit(panel, config)))

    assert {"features", "correlation", "prediction: gru", "prediction: lstm", "prediction: logistic"} <= set(names)
    assert any(name.startswith("weights: gru-0") for name in names)


@settings(max_examples=15, deadline=None, phases=QUICK)
@given(
    st.sampled_from(["next_day", "mean7", "sum7"]),
    st.sampled_from([("cumulative", "keep"), ("cumulative", "clip"), ("incident", "keep")]),
    st.integers(6, DATES - 10),
    CHANGES,
)
def test_no_prediction_sees_beyond_its_origin(target, data, origin, changes):
    kind, negatives = data
    config = study("temporal", target, negatives)
    found = once(kind, config)
    windows, names = found.prepared.windows, panel_of(kind).regions
    panel = changed(panel_of(kind), changes, found.prepared.increments.dates[origin])

    def predictions(source: Panel) -> dict[str, np.ndarray]:
        increments = source.increments(config.source.negatives)
        stages = {"evaluate": found.fitted.evaluate, "final": found.fitted.final}
        result = {}
        for stage, ensemble in stages.items():
            inputs = apply_features(ensemble.features, increments, windows.region, windows.origin, config.window)
            members = ensemble.predict(inputs, names, np.arange(len(windows)))
            result |= {f"{stage} {name}": values[windows.origin <= origin] for name, values in members.items()}
            if stage == "evaluate":
                rows = np.flatnonzero(windows.origin <= origin)
                result |= {name: _baseline(kind, config, name).predict(inputs, rows) for name in BASELINES}
        return result

    assert moved(predictions(panel_of(kind)), predictions(panel)) == []


@functools.cache
def _baseline(kind: str, config: TrendConfig, name: Any) -> Any:
    found = once(kind, config)
    return fit_baseline(name, found.fitted.inputs, found.prepared.windows.up, found.prepared.split.known, 0)


def test_a_prediction_is_the_same_where_the_data_ends_with_its_origin():
    config = study("temporal", "next_day", "keep")
    found = once("cumulative", config)
    origin = int(found.prepared.windows.origin[found.prepared.split.test].min())
    panel = panel_of("cumulative")
    regions = np.arange(REGIONS)

    def predictions(dates: int) -> dict[str, np.ndarray]:
        cut = Panel(panel.regions, panel.dates[:dates], panel.values[:, :dates], panel.kind)
        ensemble = found.fitted.evaluate
        inputs = apply_features(
            ensemble.features, cut.increments("keep"), regions, np.full(REGIONS, origin), config.window
        )
        return ensemble.predict(inputs, panel.regions, regions)

    whole, ended = predictions(DATES), predictions(origin + 2)  # a running total has one date more than increments
    for name, probability in whole.items():
        assert np.allclose(probability, ended[name], atol=1e-6), name


def shrunk(name: str) -> TrendConfig:
    """A recipe with a network that is trained in no time."""
    config = recipe(name)
    groups = config.model_dump() | {
        "model": config.model.model_dump() | {"hidden": 3},
        "train": config.train.model_dump() | {"epochs": 1, "jobs": 1},
    }
    return TrendConfig.model_validate(groups)


def last_days_changed(panel: Panel) -> Panel:
    """The last five days as noise that runs against the wave."""
    noise = np.random.default_rng(1).integers(0, 900, (REGIONS, 5)).cumsum(axis=1)
    values = panel.values.copy()
    values[:, -5:] = values[:, -6:-5] + noise
    return Panel(panel.regions, panel.dates, values, panel.kind)


def test_the_original_recipes_do_move_with_the_days_that_they_test():
    config = shrunk("original-gru-l7")
    panel = panel_of("cumulative")

    before, after = (fit(values, config).prepared for values in (panel, last_days_changed(panel)))

    assert before.screen.selected.tolist() != after.screen.selected.tolist()
    # One set C in both, so that weights can be compared: the random split alone moves them.
    everyone = config.model_copy(update={"screen": config.screen.model_copy(update={"threshold": None})})
    names = moved(learned(once("cumulative", everyone)), learned(fit(last_days_changed(panel), everyone)))
    assert "weights: gru-0 head.weight" in names
    assert once("cumulative", everyone).prepared.leaks.ahead > 0


@pytest.mark.parametrize(("days", "moves"), [("train", False), ("all", True)])
def test_set_c_looks_ahead_only_where_it_is_asked_to(days, moves):
    config = study("temporal", "next_day", "keep", screen={"days": days})
    panel = panel_of("cumulative")

    selected = [prepare(values, config).screen.selected.tolist() for values in (panel, last_days_changed(panel))]

    assert (selected[0] != selected[1]) == moves


def test_redistributed_corrections_do_reach_back():
    """A correction published after the split's date lowers the days before it: that treatment looks ahead."""
    config = study("temporal", "next_day", "redistribute")
    before = once("cumulative", config)
    date = split_date(before)
    panel = panel_of("cumulative")
    values = panel.values.copy()
    values[3, int(np.searchsorted(panel.dates, date)) + 1 :] -= 300

    after = fit(Panel(panel.regions, panel.dates, values, panel.kind), config)

    seen = before.prepared.increments.dates <= date
    assert (before.prepared.increments.counts != after.prepared.increments.counts)[:, seen].any()
    assert "features" in moved(learned(before), learned(after))

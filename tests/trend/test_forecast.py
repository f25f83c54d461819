"""The forecaster: saved and opened to the bit, warnings about data that it does not fit, and no foreign code is run."""

import io
import json
import pickle
import shutil
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import skops.io
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from trend.small import epidemic, fresh, quick, silent
from twofold.counts.panel import Panel
from twofold.engine.errors import InputError, RunFolderError
from twofold.engine.trees import TRUSTED
from twofold.trend import load
from twofold.trend.config import TrendConfig
from twofold.trend.fit import fit_stages
from twofold.trend.forecast import NETWORKS, TREES, Forecaster
from twofold.trend.windows import prepare

VARIANTS: dict[str, dict[str, Any]] = {
    "one network": {},
    "layers and seeds": {"model": {"layers": 2}, "ensemble": {"seeds": 2}},
    "vectors and statics": {"model": {"embedding": 3, "cell": "lstm"}, "features": {"inputs": ("raw", "history")}},
    "statics only": {"features": {"inputs": ("history",)}},
    "every kind": {
        "model": {"embedding": 2},
        "features": {"inputs": ("log1p", "cross_region", "weekday")},
        "ensemble": {"partners": ("rnn", "logistic", "boosting")},
    },
    "isotonic": {"calibration": {"method": "isotonic"}, "ensemble": {"partners": ("boosting",)}},
}


def fitted(config: TrendConfig, panel: Panel, folder: Path) -> Forecaster:
    prepared = prepare(panel, config)
    stages = fit_stages(prepared, config, fresh(folder), silent)
    return Forecaster.of(panel, prepared, stages.final, stages.calibration, config)


def saved(forecaster: Forecaster, folder: Path) -> Path:
    folder.mkdir()
    forecaster.save(folder)
    (folder / "DONE").touch()
    return folder


@pytest.fixture(scope="module")
def forecaster(tmp_path_factory: pytest.TempPathFactory) -> Forecaster:
    """Of running totals from 2020-02-03 to 2020-03-23, with every kind of member."""
    return fitted(quick(**VARIANTS["every kind"]), epidemic(), tmp_path_factory.mktemp("checkpoints"))


@pytest.fixture
def run(forecaster: Forecaster, tmp_path: Path) -> Path:
    return saved(forecaster, tmp_path / "run")


def frame(panel: Panel) -> pl.DataFrame:
    return panel.frame().select("region", "date", "value")


@pytest.mark.parametrize("name", VARIANTS)
def test_an_opened_model_gives_the_same_to_the_bit(name: str, tmp_path: Path) -> None:
    panel, config = epidemic(), quick(**VARIANTS[name])
    before = fitted(config, panel, tmp_path)
    after = load(saved(before, tmp_path / "run"))
    assert after.forecast(panel).table.equals(before.forecast(panel).table)
    assert (after.last, after.tested_days, after.step_days, after.kind, after.selected) == (
        before.last,
        before.tested_days,
        before.step_days,
        before.kind,
        before.selected,
    )
    assert {name: type(model) for name, model in after.ensemble.estimators.items()} == {
        name: type(model) for name, model in before.ensemble.estimators.items()
    }


def test_a_saved_model_can_be_saved_again_to_the_same_bytes(run: Path, tmp_path: Path) -> None:
    again = saved(load(run), tmp_path / "again")
    for name in (NETWORKS, TREES):
        assert (run / name).read_bytes() == (again / name).read_bytes(), name


def test_model_bytes_do_not_depend_on_jobs_or_on_where_the_run_lies(tmp_path: Path) -> None:
    runs = []
    for jobs in (1, 2):
        config = quick(**VARIANTS["every kind"] | {"train": {"jobs": jobs}, "ensemble": {"seeds": 2}})
        runs.append(saved(fitted(config, epidemic(), tmp_path), tmp_path / f"run-{jobs}"))
    assert (runs[0] / NETWORKS).read_bytes() == (runs[1] / NETWORKS).read_bytes()
    assert str(tmp_path).encode() not in (runs[0] / NETWORKS).read_bytes()


def test_probabilities_of_a_frame(forecaster: Forecaster, run: Path) -> None:
    panel = epidemic()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* outside the set C", UserWarning)
        table = load(run).predict(frame(panel).sample(fraction=1, shuffle=True, seed=1))
    assert table.columns == ["region", "iso2", "probability", "in_c", "origin", "target_date", "last_value"]
    assert sorted(table["region"]) == sorted(panel.regions)
    assert table["probability"].is_between(0, 1).all()
    assert set(table["origin"]) == {panel.dates[-1].item()}
    assert set(table["target_date"]) == {(panel.dates[-1] + 1).item()}
    own = forecaster.forecast(panel).table
    both = table.sort("region")["probability"] - own.sort("region")["probability"]
    assert both.abs().max() < 1e-6  # sums over regions in another order may differ in the last bit
    assert own.sort("region")["last_value"].equals(table.sort("region")["last_value"])
    assert own["last_value"].to_list() == np.diff(panel.values)[:, -1].tolist()


def test_a_file_is_read_as_the_runs_kind(run: Path, tmp_path: Path) -> None:
    """The run's data were running totals; the long layout by itself is taken for new cases."""
    frame(epidemic()).write_csv(tmp_path / "new.csv")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert load(run).predict(tmp_path / "new.csv")["last_value"].max() < 200  # pyright: ignore
        assert load(run).predict(frame(epidemic()))["last_value"].max() < 200  # pyright: ignore


def later(days: int, regions: int = 7) -> Panel:
    return epidemic(regions=regions, dates=50 + days)


@pytest.mark.parametrize(
    ("panel", "said"),
    [
        (later(-1), "1 day before the last date the model was trained on (2020-03-23)"),
        (later(0), None),
        (later(8), None),
        (later(40), "40 days after the last date the model was trained on (2020-03-23)"),
    ],
    ids=["older", "the same", "newer", "too new"],
)
def test_data_too_old_or_too_new_for_the_model_is_warned_of(
    forecaster: Forecaster, panel: Panel, said: str | None
) -> None:
    notes = [note for note in forecaster.forecast(panel).notes if "last date the model was trained" in note]
    assert len(notes) == (said is not None)
    assert all(str(said) in note for note in notes)


def test_the_model_serves_for_as_many_days_as_its_test_was_long(forecaster: Forecaster) -> None:
    days_tested = forecaster.tested_days
    assert 5 <= days_tested <= 15
    for days, warned in ((days_tested, False), (days_tested + 1, True)):
        assert any("train again" in note for note in forecaster.forecast(later(days)).notes) == warned


def test_warnings_of_python_are_the_notes(run: Path) -> None:
    with pytest.warns(UserWarning) as caught:
        load(run).predict(frame(later(40)))
    assert any("40 days after" in str(warning.message) for warning in caught)


def test_regions_outside_c_and_missing_regions_are_warned_of(forecaster: Forecaster) -> None:
    panel, gone = later(2), forecaster.selected[0]
    names = tuple("elsewhere" if name == gone else name for name in panel.regions)
    renamed = Panel(names, panel.dates, panel.values, panel.kind)
    forecast = forecaster.forecast(renamed)
    in_c = dict(forecast.table.select("region", "in_c").iter_rows())
    assert not in_c["elsewhere"]
    assert [name for name, inside in in_c.items() if inside] == list(forecaster.selected[1:])
    assert any(note.endswith(f"this data lacks: {gone}.") for note in forecast.notes)
    assert any("outside the set C" in note and "elsewhere" in note for note in forecast.notes)
    assert forecast.table["probability"].is_between(0, 1).all()


def test_a_region_without_a_vector_gets_the_zero_vector(forecaster: Forecaster) -> None:
    """Its probability must not depend on its name, and its vector must be nobody else's."""
    panel = later(2)

    def as_named(name: str) -> float:
        renamed = Panel((*panel.regions[:-1], name), panel.dates, panel.values, panel.kind)
        return forecaster.forecast(renamed).table["probability"][-1]

    assert as_named("elsewhere") == as_named("nowhere")
    for trained in forecaster.ensemble.networks.values():
        assert trained.module.embedding is not None
        assert (trained.module.embedding.weight[0] == 0).all()
        assert (trained.module.embedding.weight[1:] != 0).any(dim=1).all()


def test_other_steps_short_tables_and_strangers_are_refused(forecaster: Forecaster) -> None:
    with pytest.raises(InputError, match="dates 1 days apart, this data has steps of 7"):
        forecaster.forecast(epidemic(step=7))
    with pytest.raises(InputError, match="a window has 5 increments, this data 4: give more dates"):
        forecaster.forecast(epidemic(dates=5))
    panel = epidemic()
    strangers = Panel(tuple(f"x{name}" for name in panel.regions), panel.dates, panel.values, panel.kind)
    with pytest.raises(InputError, match="none of the regions"):
        forecaster.forecast(strangers)


def test_an_unfinished_run_is_refused(run: Path, tmp_path: Path) -> None:
    (run / "DONE").unlink()
    for folder in (run, tmp_path / "none", tmp_path):
        with pytest.raises(RunFolderError, match="holds no finished run; give the folder that `twofold trend run`"):
            load(folder)


class Bomb:
    """Unpickling it fails the test."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return pytest.fail, ("foreign code was run",)


def _with_metadata(run: Path, change: Any) -> None:
    with safe_open(run / NETWORKS, framework="np") as file:
        about = json.loads(file.metadata()["model"])
    save_file(load_file(run / NETWORKS), run / NETWORKS, {"model": json.dumps(change(about))})


SPOILT = {
    "pickle": lambda run: (run / NETWORKS).write_bytes(pickle.dumps(Bomb())),
    "cut": lambda run: (run / NETWORKS).write_bytes((run / NETWORKS).read_bytes()[:-9]),
    "empty": lambda run: (run / NETWORKS).write_bytes(b""),
    "missing": lambda run: (run / NETWORKS).unlink(),
    "no metadata": lambda run: save_file({"x": np.zeros(2)}, run / NETWORKS),
    "no weights": lambda run: _with_weights(run, {}),
    "other weights": lambda run: _with_weights(run, {"gru-0.head.weight": np.zeros((2, 2), np.float32)}),
    "no networks": lambda run: _with_metadata(run, lambda about: about | {"networks": {"elman-0": {"known": []}}}),
    "a list": lambda run: _with_metadata(run, lambda about: [about]),
    "other config": lambda run: _with_metadata(run, lambda about: about | {"config": {"hiden": 3}}),
    "features of no kind": lambda run: _with_metadata(run, lambda about: about | {"features": 3}),
    "means beyond float32": lambda run: _with_metadata(
        run, lambda about: about | {"features": about["features"] | {"mean": [1e300] * len(about["features"]["mean"])}}
    ),
    "trees missing": lambda run: (run / TREES).unlink(),
    "trees pickled": lambda run: (run / TREES).write_bytes(pickle.dumps(Bomb())),
    "trees cut": lambda run: (run / TREES).write_bytes((run / TREES).read_bytes()[:-9]),
    "trees of a foreign type": lambda run: skops.io.dump({"logistic": Fuse()}, run / TREES),
    "trees of a foreign function": lambda run: skops.io.dump({"logistic": print}, run / TREES),
    "no trees": lambda run: skops.io.dump([1, 2], run / TREES),
    "trees without a schema": lambda run: _zip(run / TREES, "other.json"),
    "trees with an empty schema": lambda run: _zip(run / TREES, "schema.json"),
    "one partner too few": lambda run: skops.io.dump({"logistic": OrderedDict()}, run / TREES),
}


class Fuse:
    """A type that is none of ours; building it would fail the test."""

    def __init__(self) -> None:
        self.length = 1

    def __setstate__(self, state: Any) -> None:
        pytest.fail("a foreign type was built")


def _with_weights(run: Path, weights: dict[str, np.ndarray]) -> None:
    with safe_open(run / NETWORKS, framework="np") as file:
        about = file.metadata()
    kept = load_file(run / NETWORKS) if weights else {"x": np.zeros(1)}
    save_file(kept | weights, run / NETWORKS, about)


def _zip(path: Path, name: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, "{}")


@pytest.mark.parametrize("kind", SPOILT)
def test_a_file_that_is_no_model_is_refused_and_nothing_of_it_is_run(run: Path, kind: str) -> None:
    SPOILT[kind](run)
    with pytest.raises(RunFolderError) as refused:
        load(run)
    told = (
        f"{run / NETWORKS}: can't be read",
        f"{run / TREES}: ",
        *(f"{run}: {n} is missing" for n in (NETWORKS, TREES)),
    )
    assert str(refused.value).startswith(told)


def test_only_parts_of_scikit_learn_are_trusted(run: Path) -> None:
    assert all(name.startswith("sklearn.") for name in TRUSTED)
    assert set(skops.io.get_untrusted_types(file=run / TREES)) <= set(TRUSTED)


def test_the_trees_hold_no_time_and_no_address(run: Path) -> None:
    with zipfile.ZipFile(io.BytesIO((run / TREES).read_bytes())) as archive:
        assert {item.date_time for item in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        schema = archive.read("schema.json").decode()
        assert all(len(name) < 12 for name in archive.namelist())
    numbers = {int(line.split(":")[1].strip(" ,")) for line in schema.splitlines() if '"__id__"' in line}
    assert numbers == set(range(len(numbers)))


def test_a_run_without_trees_has_no_file_of_them(tmp_path: Path) -> None:
    run = saved(fitted(quick(), epidemic(), tmp_path), tmp_path / "run")
    assert not (run / TREES).exists()
    shutil.copytree(run, tmp_path / "moved")
    assert load(tmp_path / "moved").ensemble.estimators == {}

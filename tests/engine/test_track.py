"""Trackers get the records of a run; each test needs the tracker's own package, which is an extra."""

import json
from pathlib import Path

import pytest

from twofold.engine.config import Config
from twofold.engine.run import claim
from twofold.engine.track import TrackerName

RECORDS = [
    {"stage": "final", "member": member, "epoch": epoch, "loss": loss, "sigma": None}
    for member, epoch, loss in (("gru-0", 1, 0.5), ("gru-1", 1, 0.75), ("gru-0", 2, 0.25))
]
EXPECTED = {"final/gru-0/loss": [(1, 0.5), (2, 0.25)], "final/gru-1/loss": [(1, 0.75)]}


def logged(path: Path, track: TrackerName, done: bool = True) -> Path:
    """A run that was interrupted after two records, and resumed."""
    for known in (2, 3):
        with claim(path, Config(), "d", [], track=track) as folder:
            for record in RECORDS[:known]:
                folder.log(record)
            if done and known == 3:
                folder.finish()
    return path


def test_tensorboard_reads_each_record_once(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = logged(tmp_path / "run", "tensorboard")
    [events] = (run / "tensorboard").iterdir()
    assert events.name == "events.out.tfevents.twofold"  # without host and time
    read = EventAccumulator(str(run / "tensorboard")).Reload()
    found = {tag: [(event.step, event.value) for event in read.Scalars(tag)] for tag in read.Tags()["scalars"]}
    assert found == EXPECTED


@pytest.mark.parametrize("done", [True, False])
def test_mlflow_gets_each_record(done: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(tmp_path / "store"))
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    run = logged(tmp_path / "run", "mlflow", done)
    client = MlflowClient()
    experiment = client.get_experiment_by_name("twofold")
    last, first = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time DESC"])
    assert (first.info.status, last.info.status) == ("FAILED", "FINISHED" if done else "FAILED")
    assert {each.info.run_name for each in (first, last)} == {run.name}
    found = {
        name: [(metric.step, metric.value) for metric in client.get_metric_history(last.info.run_id, name)]
        for name in last.data.metrics
    }
    assert found == EXPECTED


def test_without_a_tracker_the_folder_is_as_it_was(tmp_path: Path) -> None:
    with claim(tmp_path / "run", Config(), "d", []) as folder:
        folder.log(RECORDS[0])
    assert {path.name for path in (tmp_path / "run").iterdir()} - {".lock"} == {
        *("config.json", "manifest.json", "metrics.jsonl", "log.txt", "twofold.sha256")
    }
    assert json.loads((tmp_path / "run" / "metrics.jsonl").read_text()) == RECORDS[0]

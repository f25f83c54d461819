"""Experiment trackers, which get the records of `metrics.jsonl` as they are made; each is an extra of the package."""

import contextlib
import os
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, get_args, runtime_checkable

import tyro

from twofold.engine.errors import InputError

TrackerName = Literal["tensorboard", "mlflow"]
Track = Annotated[
    TrackerName | None,
    tyro.conf.arg(help="Also send each epoch's record to a tracker: TensorBoard (files in the run folder) or MLflow."),
]
"""The option `--track` of every command whose runs have epochs."""


@runtime_checkable
class Tracker(Protocol):
    """Takes records, from one thread at a time."""

    def log(self, record: dict[str, Any]) -> None:
        """Sends the numbers of a record, at the step of its `epoch`."""
        ...

    def close(self, done: bool) -> None:
        """Ends the tracker's run, as finished or as failed."""
        ...


def require(name: TrackerName | None) -> None:
    """Refuses a tracker that isn't installed.

    Raises:
        InputError: with the command that installs it.
    """
    if name and not find_spec(name):
        raise InputError(f"--track {name}: {name} is not installed; install it with `pip install 'twofold[{name}]'`")


def open_tracker(name: TrackerName, folder: Path) -> Tracker:
    """Begins a tracker's run for a run folder, anew where one was interrupted: its records are sent again."""
    return dict(zip(get_args(TrackerName), (_TensorBoard, _Mlflow), strict=True))[name](folder)


def _numbers(record: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """The numbers of a record but its epoch, by names such as `evaluate/gru-0/train_loss`."""
    where = "".join(f"{value}/" for value in record.values() if isinstance(value, str))
    for key, value in record.items():
        if key != "epoch" and isinstance(value, int | float):
            yield f"{where}{key}", float(value)


class _TensorBoard:
    """Writes one file of events by TensorBoard's own record format.

    Not by its summary writers: these put the host's name into the file's name, and write from a thread of their own.
    """

    def __init__(self, folder: Path) -> None:
        from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore[reportMissingImports]  (an extra)
        from tensorboard.summary.writer.record_writer import RecordWriter  # pyright: ignore[reportMissingImports]  (an extra)

        path = folder / "tensorboard" / "events.out.tfevents.twofold"
        path.parent.mkdir(exist_ok=True)
        self.file = path.open("wb")
        self.writer = RecordWriter(self.file)
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def _write(self, event: Any) -> None:
        self.writer.write(event.SerializeToString())
        self.writer.flush()

    def log(self, record: dict[str, Any]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore[reportMissingImports]  (an extra)
        from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportMissingImports]  (an extra)

        values = [Summary.Value(tag=name, simple_value=value) for name, value in _numbers(record)]
        self._write(Event(wall_time=time.time(), step=record["epoch"], summary=Summary(value=values)))

    def close(self, done: bool) -> None:
        self.file.close()


class _Mlflow:
    """A run in the store that MLFLOW_TRACKING_URI names, of the experiment that MLFLOW_EXPERIMENT_NAME names."""

    def __init__(self, folder: Path) -> None:
        from mlflow.tracking import MlflowClient  # pyright: ignore[reportMissingImports]  (an extra)

        with _answering():
            self.client = MlflowClient()
            name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "twofold")
            found = self.client.get_experiment_by_name(name)
            experiment = found.experiment_id if found else self.client.create_experiment(name)
            self.run = self.client.create_run(experiment, run_name=folder.name).info.run_id

    def log(self, record: dict[str, Any]) -> None:
        from mlflow.entities import Metric  # pyright: ignore[reportMissingImports]  (an extra)

        now = int(1000 * time.time())
        metrics = [Metric(name, value, now, record["epoch"]) for name, value in _numbers(record)]
        with _answering():
            self.client.log_batch(self.run, metrics=metrics)

    def close(self, done: bool) -> None:
        with _answering():
            self.client.set_terminated(self.run, "FINISHED" if done else "FAILED")


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    """Names the setting where MLflow's store does not answer; the run can go on later, or without it."""
    from mlflow.exceptions import MlflowException  # pyright: ignore[reportMissingImports]  (an extra)

    try:
        yield
    except MlflowException as error:
        raise InputError(
            f"--track mlflow: the store that MLFLOW_TRACKING_URI names takes no run ({error}); the same command goes "
            "on, also without --track"
        ) from error

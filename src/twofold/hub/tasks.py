"""A hub's own configuration: rounds, targets, places, horizons, output types and bounds, from its `hub-config` folder.

Source: the hubverse's schemas of `tasks.json` and `admin.json`, versions 5 and 6. A task is a set of allowed values for
each of its columns; all their combinations are allowed.
"""

import json
import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from twofold.engine.errors import DataError

OutputType = Literal["pmf", "quantile", "sample", "mean", "median", "cdf"]
SCHEMAS = (5, 6)
"""Major versions of the schema that are read."""
_VERSION = re.compile(r"/v([0-9]+)\.")


@dataclass(frozen=True)
class Allowed:
    """Values of a column, as text; both None: the column is empty for the task.

    Attributes:
        required: every submission of the task has rows for each of these.
        optional: others that are allowed.
    """

    required: tuple[str, ...] | None
    optional: tuple[str, ...] | None

    @property
    def values(self) -> tuple[str, ...]:
        """All allowed values."""
        return (*(self.required or ()), *(self.optional or ()))


@dataclass(frozen=True)
class Samples:
    """Rules on samples.

    Attributes:
        numeric: whether a sample's id is an integer.
        longest: characters of a text id, at most; None: any number.
        least: samples of each unit, at least.
        most: the same, at most.
        compound: columns that are constant within a sample.
    """

    numeric: bool
    longest: int | None
    least: int
    most: int
    compound: tuple[str, ...]


@dataclass(frozen=True)
class Output:
    """An output type of a task.

    Attributes:
        ids: allowed `output_type_id`; None for samples.
        required: whether every forecast of the task must have it.
        integer: whether values are whole numbers.
        minimum: smallest allowed value.
        maximum: largest allowed value.
        samples: rules on samples; None for other types.
    """

    ids: Allowed | None
    required: bool
    integer: bool
    minimum: float | None
    maximum: float | None
    samples: Samples | None


@dataclass(frozen=True)
class Task:
    """One of a round's tasks.

    Attributes:
        columns: allowed values by column, in the hub's order.
        outputs: output types by name.
        units: each target's unit, such as `count`.
    """

    columns: dict[str, Allowed]
    outputs: dict[str, Output]
    units: dict[str, str]

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of its targets."""
        return self.columns["target"].values if "target" in self.columns else tuple(self.units)


class Asked(NamedTuple):
    """What a hub asks of a target in a round."""

    horizons: tuple[int, ...]
    locations: tuple[str, ...]
    ids: tuple[str, ...]
    """Values of `output_type_id`."""


@dataclass(frozen=True)
class Window:
    """When a round takes submissions: days relative to its date, both included, in the hub's time zone."""

    start: int
    end: int


@dataclass(frozen=True)
class Hub:
    """A hub's configuration.

    Attributes:
        folder: of the hub.
        name: of the hub.
        round_column: column that holds a round's id, which is its date.
        tasks: of all its rounds.
        derived: columns that follow from others.
        formats: of submission files.
        window: for submissions; None where the hub says nothing.
        zone: the hub's time zone.
    """

    folder: Path
    name: str
    round_column: str
    tasks: tuple[Task, ...]
    derived: tuple[str, ...]
    formats: tuple[str, ...]
    window: Window | None
    zone: ZoneInfo

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of a submission, in the hub's order."""
        named = dict.fromkeys(column for task in self.tasks for column in task.columns)
        return (*named, "output_type", "output_type_id", "value")

    @property
    def rounds(self) -> tuple[date, ...]:
        """Dates of all rounds, in order."""
        days = {day for task in self.tasks for day in task.columns[self.round_column].values}
        return tuple(sorted(date.fromisoformat(day) for day in days))

    @property
    def targets(self) -> dict[str, str]:
        """Unit of each target."""
        return {name: unit for task in self.tasks for name, unit in task.units.items()}

    def asked(self, day: date, target: str, kind: OutputType) -> Asked | None:
        """What the round of a date asks of a target by an output type; None where it asks nothing of the kind."""
        for task in self.tasks:
            columns = {name: allowed.values for name, allowed in task.columns.items()}
            output = task.outputs.get(kind)
            if output is None or target not in task.targets or str(day) not in columns[self.round_column]:
                continue
            ids = () if output.ids is None else output.ids.values
            return Asked(tuple(map(int, columns.get("horizon", ()))), columns.get("location", ()), ids)
        return None

    def deadline(self, day: date) -> datetime | None:
        """End of the submission window of a round."""
        if self.window is None:
            return None
        return datetime.combine(day + timedelta(days=self.window.end), time(23, 59, 59), self.zone)

    def opening(self, day: date) -> datetime | None:
        """Beginning of the submission window of a round."""
        if self.window is None:
            return None
        return datetime.combine(day + timedelta(days=self.window.start), time(), self.zone)


def read_hub(folder: Path) -> Hub:
    """Reads `hub-config/tasks.json` and `admin.json` of a hub's folder.

    Raises:
        DataError: when a file is missing, is no JSON, has another schema than those read, or lacks a part; names it.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; --hub wants the folder of a hub, with hub-config/tasks.json in it")
    tasks, admin = (_json(folder / "hub-config" / name) for name in ("tasks.json", "admin.json"))
    path = folder / "hub-config" / "tasks.json"
    version = _VERSION.search(str(tasks.get("schema_version", "")))
    if version is None or int(version[1]) not in SCHEMAS:
        raise DataError(
            f"{path}: its schema is {tasks.get('schema_version')!r}; versions {' and '.join(map(str, SCHEMAS))} are "
            "read"
        )
    try:
        hub = _hub(folder, tasks, admin)
        for day in hub.rounds:  # what is read only when a command asks for it
            hub.opening(day)
            hub.deadline(day)
        for task in hub.tasks:
            tuple(map(int, task.columns["horizon"].values if "horizon" in task.columns else ()))
        return hub
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(
            f"{path}: is not as its schema says ({type(error).__name__}: {error}); copy it again"
        ) from error


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; --hub wants the folder of a hub, with hub-config in it") from None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: can't be read as JSON ({error}); copy it from the hub again") from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: must hold a JSON object; copy it from the hub again")
    return found


def _hub(folder: Path, tasks: dict[str, Any], admin: dict[str, Any]) -> Hub:
    rounds = tasks["rounds"]
    columns = {each["round_id"] for each in rounds if each["round_id_from_variable"]}
    if len(columns) != 1 or not all(each["round_id_from_variable"] for each in rounds):
        raise ValueError("rounds are not told by one column")
    derived = {
        *tasks.get("derived_task_ids", ()),
        *(name for each in rounds for name in each.get("derived_task_ids", ())),
    }
    windows = {_window(each.get("submissions_due")) for each in rounds}
    return Hub(
        folder,
        admin["name"],
        columns.pop(),
        tuple(_task(task) for each in rounds for task in each["model_tasks"]),
        tuple(sorted(derived)),
        tuple(admin["file_format"]),
        windows.pop() if len(windows) == 1 else None,
        ZoneInfo(admin.get("timezone", "UTC")),
    )


def _window(due: dict[str, Any] | None) -> Window | None:
    if due is None or "relative_to" not in due:
        return None
    return Window(int(due["start"]), int(due["end"]))


def _task(task: dict[str, Any]) -> Task:
    columns = {name: _allowed(values) for name, values in task["task_ids"].items()}
    outputs = {name: _output(each) for name, each in task["output_type"].items()}
    units = {each["target_keys"]["target"]: each["target_units"] for each in task["target_metadata"]}
    return Task(columns, outputs, units)


def _allowed(values: dict[str, Any]) -> Allowed:
    required, optional = (values.get(key) for key in ("required", "optional"))
    return Allowed(
        None if required is None else tuple(map(as_text, required)),
        None if optional is None else tuple(map(as_text, optional)),
    )


def as_text(value: object) -> str:
    """A value of a task as a submission writes it: whole numbers without a point, others in their shortest form."""
    if isinstance(value, float):
        return f"{value:.12g}"
    return str(value)


def _output(each: dict[str, Any]) -> Output:
    value, params = each["value"], each.get("output_type_id_params")
    samples = None
    if params is not None:
        longest = params.get("max_length")
        compound = tuple(params.get("compound_taskid_set", ()))
        bounds = int(params["min_samples_per_task"]), int(params["max_samples_per_task"])
        samples = Samples(params["type"] == "integer", longest, *bounds, compound)
    ids = None if params is not None else _allowed(each["output_type_id"])
    minimum, maximum = (None if value.get(key) is None else float(value[key]) for key in ("minimum", "maximum"))
    return Output(ids, bool(each["is_required"]), value["type"] == "integer", minimum, maximum, samples)

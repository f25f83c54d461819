"""A hub's own configuration: what is read of it, and what is refused."""

import json
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from hub.small_hub import CATEGORIES, COLUMNS, PLACES, tasks, write_hub
from twofold.engine.errors import DataError
from twofold.hub.tasks import Allowed, read_hub


@pytest.mark.parametrize("version", [5, 6])
def test_rounds_targets_bounds_and_the_window_are_read(tmp_path, version):
    hub = read_hub(write_hub(tmp_path / "hub", version))
    assert hub.rounds == (date(2024, 11, 23), date(2024, 11, 30))
    assert hub.columns == tuple(COLUMNS)
    assert hub.targets == {"rate change": "rate", "hosp": "count"}
    assert hub.derived == (("target_end_date",) if version == 5 else ())
    change, counts = hub.tasks
    assert change.columns["location"] == Allowed(None, tuple(PLACES))
    assert change.outputs["pmf"].ids == Allowed(tuple(CATEGORIES), None)
    assert (counts.outputs["quantile"].minimum, counts.outputs["quantile"].maximum) == (0, None)
    samples = counts.outputs["sample"].samples
    assert samples is not None
    assert (samples.least, samples.most, counts.outputs["sample"].integer) == (2, 3, True)
    eastern = ZoneInfo("US/Eastern")
    assert hub.opening(date(2024, 11, 23)) == datetime(2024, 11, 17, tzinfo=eastern)
    assert hub.deadline(date(2024, 11, 23)) == datetime(2024, 11, 20, 23, 59, 59, tzinfo=eastern)


def broken(folder: Path, name: str, content: str) -> Path:
    hub = write_hub(folder / "hub")
    (hub / "hub-config" / name).write_text(content)
    return hub


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tasks.json", "{", r"tasks\.json: can't be read as JSON"),
        ("tasks.json", "[]", r"tasks\.json: must hold a JSON object"),
        ("tasks.json", json.dumps(tasks(3)), r"its schema is .*v3.*; versions 5 and 6 are read"),
        ("tasks.json", json.dumps({**tasks(), "rounds": [{}]}), r"is not as its schema says \(KeyError"),
        ("admin.json", "{}", r"is not as its schema says \(KeyError: 'name'\)"),
    ],
)
def test_a_broken_configuration_is_refused_with_its_file(tmp_path, name, content, message):
    with pytest.raises(DataError, match=message):
        read_hub(broken(tmp_path, name, content))


def test_a_folder_that_is_no_hub_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such folder; --hub wants the folder of a hub"):
        read_hub(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"tasks\.json: no such file"):
        read_hub(tmp_path)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("folder", "name", "rounds"),
    [
        ("flusight", "US CDC FluSight", 89),
        ("covid-hub", "COVID-19 Forecast Hub", 133),
        ("rsv-hub", "RSV Forecast Hub", 37),
    ],
)
def test_the_cdcs_hubs(data_folder, folder, name, rounds):
    hub = read_hub(data_folder / folder)
    assert hub.name == name
    assert len(hub.rounds) == rounds
    assert hub.window is not None
    assert {unit for target, unit in hub.targets.items() if target.endswith("hosp") and "peak" not in target} == {
        "count"
    }

"""What is written: columns and order of a submission, refusals before anything is written, metadata that YAML reads."""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from hub.small import LOCATIONS, RULES, forecasts_of
from twofold.engine.errors import InputError
from twofold.hub.submission import COLUMNS, Contributor, Metadata, submission, write_metadata, write_submission
from twofold.hub.tables import read_sheet

FORECASTS = forecasts_of("any", 3)


def test_a_submission_in_the_hubs_columns_and_order() -> None:
    table = submission(FORECASTS.sample(fraction=1, shuffle=True, seed=2), RULES)
    assert table.columns == list(COLUMNS)
    assert table["output_type_id"][:5].to_list() == list(RULES.categories)
    assert table.row(19) == (
        date(2024, 11, 30),
        "wk flu hosp rate change",
        3,
        date(2024, 12, 21),
        "01",
        "pmf",
        "large_increase",
        FORECASTS["probability"][19],
    )
    assert table["location"].is_sorted()


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_both_forms_hold_every_digit(tmp_path: Path, form: str) -> None:
    path = tmp_path / "out" / f"2024-11-30-ours-gru.{form}"
    write_submission(path, FORECASTS, RULES, LOCATIONS)
    assert read_sheet(path).typed(COLUMNS).equals(submission(FORECASTS, RULES))
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("name", "forecasts", "message"),
    [
        ("ours.csv", FORECASTS, "must be named YYYY-MM-DD-team-model"),
        ("2024-12-07-ours-gru.csv", FORECASTS, "must be 2024-12-07, the submission's own, got 2024-11-30"),
        ("2024-11-30-ours-gru.csv", FORECASTS[1:], "there is none for large_decrease"),
        ("2024-11-30-ours-gru.csv", FORECASTS.with_columns(probability=0.3), "must add up to 1, got 1.5"),
        ("2024-11-30-ours-gru.csv", FORECASTS.clear(), "no row has the target"),
    ],
)
def test_what_the_hub_would_refuse_is_not_written(
    tmp_path: Path, name: str, forecasts: pl.DataFrame, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        write_submission(tmp_path / name, forecasts, RULES, LOCATIONS)
    assert not list(tmp_path.iterdir())


METADATA: dict[str, Any] = {
    "team_name": 'The "team": a # and\na line',
    "team_abbr": "ours",
    "model_name": "Gated recurrent units",
    "model_abbr": "gru_1",
    "model_version": "1.0",
    "model_contributors": (Contributor(name="Zoë Ng", affiliation="Nowhere", email="zoe@example.org"),),
    "license": "CC-BY-4.0",
    "designated_model": False,
    "data_inputs": "NHSN admissions",
    "methods": "yes",
    "methods_long": "no",
    "ensemble_of_models": True,
    "ensemble_of_hub_models": False,
}


def test_metadata_are_yaml(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    path = write_metadata(tmp_path, Metadata(**METADATA))
    assert path.name == "ours-gru_1.yml"
    read = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert read == METADATA | {
        "model_contributors": [{"name": "Zoë Ng", "affiliation": "Nowhere", "email": "zoe@example.org"}]
    }


@pytest.mark.parametrize(
    "broken",
    [
        {"team_abbr": "our-s"},
        {"model_abbr": "g" * 17},
        {"methods": "m" * 201},
        {"license": "MIT"},
        {"model_contributors": ()},
    ],
)
def test_metadata_that_the_hub_would_refuse(broken: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(broken))):
        Metadata(**METADATA | broken)

"""Submissions against a hub's configuration: valid ones pass, and every mutation fails the check named for it."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from hub.small_hub import NAME, rows, write, write_hub
from twofold.hub.tasks import Hub, read_hub
from twofold.hub.validation import Report, utc, validate

Rows = list[dict[str, Any]]
Mutation = Callable[[Rows], Rows]


@pytest.fixture(scope="module", params=[5, 6])
def hub(request, tmp_path_factory) -> Hub:
    return read_hub(write_hub(tmp_path_factory.mktemp("hub") / "hub", request.param))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("kinds", [("pmf",), ("quantile",), ("sample",), ("pmf", "quantile", "sample")])
def test_a_valid_submission_passes_every_check(hub, tmp_path, kinds, ending):
    path = write(tmp_path / f"{NAME[:-3]}{ending}", [row for kind in kinds for row in rows(kind)])
    report = validate(path, hub, utc("2024-11-19T12:00:00-05:00"))
    assert report.problems == []
    assert set(report.unchecked) == {"file_location", "file_n", "metadata_exists"}
    assert {"col_types", "valid_vals", "req_vals", "submission_time", "horizon_timediff"} <= set(report.passed)


def test_one_place_and_one_horizon_are_enough_where_nothing_is_required(hub, tmp_path):
    some = [row for row in rows("quantile", ["06"]) if row["horizon"] == 1]
    assert validate(write(tmp_path / NAME, some), hub).problems == []


def test_levels_may_be_written_with_zeros_behind(hub, tmp_path):
    written = [row | {"output_type_id": f"{float(row['output_type_id']):.3f}"} for row in rows("quantile")]
    assert validate(write(tmp_path / NAME, written), hub).problems == []


def cell(column: str, value: Any, at: int = 0) -> Mutation:
    """Another cell in one row."""
    return lambda found: [row | {column: value} if i == at else row for i, row in enumerate(found)]


def everywhere(column: str, value: Any) -> Mutation:
    return lambda found: [row | {column: value} for row in found]


def without(*at: int) -> Mutation:
    return lambda found: [row for i, row in enumerate(found) if i not in at]


def twice(at: int) -> Mutation:
    return lambda found: [*found, found[at]]


def lacking(column: str) -> Mutation:
    return lambda found: [{name: value for name, value in row.items() if name != column} for row in found]


SHARED: list[tuple[str, Mutation]] = [
    ("match_round_id", everywhere("reference_date", "2024-11-30")),
    ("unique_round_id", cell("reference_date", "2024-11-30")),
    ("valid_round_id_col", lacking("reference_date")),
    ("colnames", lacking("target")),
    ("colnames", lacking("value")),
    ("colnames", lacking("target_end_date")),
    ("colnames", lambda found: [{"": i, **row} for i, row in enumerate(found)]),
    ("colnames", lambda found: [row | {"model": "x"} for row in found]),
    ("valid_vals", cell("location", "1", 5)),
    ("valid_vals", cell("location", "99")),
    ("valid_vals", everywhere("target", "hospitalisations")),
    ("valid_vals", cell("target", None)),
    ("valid_vals", cell("horizon", 7)),
    ("valid_vals", cell("horizon", -2)),
    ("valid_vals", cell("output_type", "mean")),
    ("valid_vals", cell("output_type_id", None)),
    ("rows_unique", twice(0)),
    ("rows_unique", twice(3)),
    ("req_vals", without(0)),
    ("req_vals", without(4)),
    ("req_vals", without(1, 2)),
    ("value_col_valid", cell("value", -0.1)),
    ("value_col_valid", cell("value", None)),
    ("horizon_timediff", cell("target_end_date", "2024-11-30")),
    ("file_read", cell("value", "many")),
    ("file_read", cell("horizon", "one")),
    ("file_read", cell("horizon", 1.5)),
]
PMF: list[tuple[str, Mutation]] = [
    ("value_col_sum1", cell("value", 0.3)),
    ("value_col_sum1", cell("value", 0.1001)),
    ("value_col_sum1", everywhere("value", 0.25)),
    ("value_col_valid", cell("value", 1.2)),
    ("valid_vals", cell("output_type_id", "rise")),
    ("valid_vals", cell("output_type_id", "0.5")),
    ("valid_vals", everywhere("output_type", "quantile")),
]
QUANTILE: list[tuple[str, Mutation]] = [
    ("value_col_non_desc", cell("value", 0.5, 1)),
    ("value_col_non_desc", cell("value", 2.0, 4)),
    ("value_col_non_desc", cell("value", 100.0, 7)),
    ("valid_vals", cell("output_type_id", "0.1")),
    ("valid_vals", cell("output_type_id", "median")),
    ("valid_vals", everywhere("target", "rate change")),
]
SAMPLE: list[tuple[str, Mutation]] = [
    ("spl_n", lambda found: [row for row in found if not row["output_type_id"].endswith("b")]),
    ("spl_non_compound_tid", without(2)),
    (
        "spl_compound_tid",
        lambda found: [row | {"output_type_id": row["output_type_id"].replace("01-a", "US-a")} for row in found],
    ),
    (
        "spl_compound_taskid_set",
        lambda found: [row | {"output_type_id": f"{row['output_type_id']}{row['horizon']}"} for row in found],
    ),
    ("value_col_valid", cell("value", 2.5)),
]
MUTATIONS = [
    pytest.param(kind, check, mutate, id=f"{kind}-{i}-{check}")
    for kind, cases in (("pmf", SHARED + PMF), ("quantile", SHARED + QUANTILE), ("sample", SAMPLE))
    for i, (check, mutate) in enumerate(cases)
]


def test_there_are_at_least_sixty_mutations():
    assert len(MUTATIONS) >= 60


@pytest.mark.parametrize(("kind", "check", "mutate"), MUTATIONS)
def test_a_mutation_fails_its_check(hub, tmp_path, kind, check, mutate):
    report = validate(write(tmp_path / NAME, mutate(rows(kind))), hub)
    assert check in {problem.rule for problem in report.problems}
    assert check not in report.passed


def rules(path: Path, hub: Hub, **options: Any) -> set[str]:
    return {problem.rule for problem in validate(path, hub, **options).problems}


@pytest.mark.parametrize(
    ("column", "dtype"),
    [
        ("horizon", pl.Float64),
        ("horizon", pl.String),
        ("location", pl.Categorical),
        ("output_type_id", pl.Categorical),
        ("reference_date", pl.String),
        ("target_end_date", pl.Datetime),
        ("value", pl.String),
    ],
)
def test_parquet_columns_have_exact_types(hub, tmp_path, column, dtype):
    path = write(tmp_path / "2024-11-23-team-model.parquet", rows("pmf"))
    pl.read_parquet(path).with_columns(pl.col(column).cast(dtype)).write_parquet(path)
    report = validate(path, hub)
    assert ("col_types", column) in {(problem.rule, problem.column) for problem in report.problems}


def test_names_rounds_places_and_times_have_checks_of_their_own(hub, tmp_path):
    assert rules(tmp_path / NAME, hub) == {"file_exists"}
    assert rules(write(tmp_path / "submission.csv", rows("pmf")), hub) == {"file_name"}
    assert rules(write(tmp_path / "2025-06-14-team-model.csv", rows("pmf")), hub) == {"round_id_valid"}
    path = write(tmp_path / NAME, rows("pmf"))
    assert rules(path, hub, now=utc("2024-11-21T12:00:00-05:00")) == {"submission_time"}
    path.write_text(path.read_text() + "x\n")
    assert rules(path, hub) == {"file_read"}
    (tmp_path / "2024-11-23-team-model.parquet").write_bytes(b"PAR1broken")
    assert rules(tmp_path / "2024-11-23-team-model.parquet", hub) == {"file_read"}


def test_in_the_hubs_folder_team_number_and_metadata_are_checked(tmp_path):
    folder = write_hub(tmp_path / "hub")
    hub = read_hub(folder)
    (folder / "model-metadata").mkdir()
    other = folder / "model-output" / "team-other"
    other.mkdir(parents=True)
    path = write(other / NAME, rows("pmf"))
    write(path.with_suffix(".parquet"), rows("pmf"))
    assert rules(path, hub) == {"file_location", "file_n", "metadata_exists"}
    right = folder / "model-output" / "team-model"
    right.mkdir()
    described = folder / "model-metadata" / "team-model.yml"
    described.write_text("team_abbr: team\n")
    report: Report = validate(write(right / NAME, rows("pmf")), hub)
    assert report.problems == []
    assert {"file_location", "file_n", "metadata_exists"} <= set(report.passed)
    assert "metadata_matches_schema" in report.unchecked
    (folder / "hub-config" / "model-metadata-schema.json").write_text('{"required": ["team_abbr", "team_name"]}')
    assert rules(right / NAME, hub) == {"metadata_matches_schema"}
    described.write_text("team_abbr: team\nteam_name: A team\n")
    assert rules(right / NAME, hub) == set()


def test_a_time_without_a_zone_is_utc():
    assert utc("2024-11-20T12:00:00") == datetime.fromisoformat("2024-11-20T12:00:00+00:00")

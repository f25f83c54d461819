from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from hub.small import DEFAULT, START, WEEKS, hub_folder, truth_of
from page.reading import Page
from page.reading import read as read_html
from twofold.engine.files import saver
from twofold.hub.report import evidence as hub_evidence
from twofold.hub.report import place_sections as hub_place_sections
from twofold.hub.report.evidence import HubEvidence
from twofold.hub.rules import WEEK
from twofold.page.album import Album
from twofold.page.drawing import style


def _drawn(make: Any, evidence: HubEvidence, folder: Path) -> Page:
    with style():
        return read_html(make(evidence, Album(saver(folder))).body)


def test_the_season_s_dates_are_rise_peak_and_fall(tmp_path: Path) -> None:
    observed = pl.col("reference_date").replace_strict(
        {START: 2, START + WEEK: 4, START + 2 * WEEK: 3, START + 3 * WEEK: 1}, default=2, return_dtype=pl.Int64
    )
    made = hub_folder(tmp_path, truth=truth_of(1, WEEKS).with_columns(observed=observed))
    base = pl.when(pl.col("reference_date") == START + 2 * WEEK).then(99.0).otherwise(20.0)
    pl.read_parquet(made / "truth.parquet").with_columns(base=base).write_parquet(made / "truth.parquet")
    found = hub_place_sections.season_dates(hub_evidence.read(made))
    assert found == {"The rise": START + WEEK, "The peak": START + 2 * WEEK, "The fall": START + 3 * WEEK}


def test_a_place_s_picture_has_one_horizon_and_the_newest_known_week(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = hub_folder(tmp_path)
    found = hub_evidence.read(made)
    drawn: dict[str, dict[str, Any]] = {}

    def place(counted: Any, known: Any, **given: Any) -> Figure:
        drawn[given["name"]] = given | {"known": known}
        return Figure()

    monkeypatch.setattr(hub_place_sections.hub_series, "place", place)
    _drawn(hub_place_sections.places_section, found, made)
    assert list(drawn) == ["US", "Wyoming", "Alabama"]
    own = found.pmf(DEFAULT).filter(pl.col("location") == "56", pl.col("horizon") == 1).sort("reference_date")
    np.testing.assert_array_equal(drawn["Wyoming"]["pmf"], found.probabilities(own))
    assert drawn["Wyoming"]["observed"].tolist() == own["observed"].to_list()
    days, values = drawn["Wyoming"]["known"]
    assert days == [day - WEEK for day in drawn["Wyoming"]["dates"]] and values.tolist() == [19.0] * WEEKS


def test_a_skipped_week_is_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = hub_folder(tmp_path)
    for name in ("truth", "predictions", "peers"):
        table = pl.read_parquet(made / f"{name}.parquet")
        table.filter(pl.col("reference_date") != START + 2 * WEEK).write_parquet(made / f"{name}.parquet")
    drawn: list[dict[str, Any]] = []
    monkeypatch.setattr(hub_place_sections.hub_series, "place", lambda *_, **given: drawn.append(given) or Figure())
    _drawn(hub_place_sections.places_section, hub_evidence.read(made), made)
    assert drawn[0]["dates"] == [START + week * WEEK for week in range(WEEKS)]
    assert np.isnan(drawn[0]["pmf"]).all(axis=1).nonzero()[0].tolist() == [2] and drawn[0]["observed"][2] == -1

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from hub.small import OURS, PEERS, RULES, WEEKS, change, forecasts_of, hub_folder, truth_of
from page.reading import Page, check_whole
from page.reading import read as read_html
from twofold.engine.errors import InputError, RunFolderError
from twofold.engine.files import saver
from twofold.hub.report import evidence as hub_evidence
from twofold.hub.report import page as hub_report
from twofold.hub.report import place_sections as hub_place_sections
from twofold.hub.report.evidence import HubEvidence
from twofold.page.album import Album
from twofold.page.drawing import style

EVIL = "<b>bold</b><script>alert(1)</script>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = hub_folder(tmp_path_factory.mktemp("hub") / "run")
    hub_report.write(made)
    return made


def _html(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def _drawn(make: Any, evidence: HubEvidence, folder: Path) -> Page:
    with style():
        return read_html(make(evidence, Album(saver(folder))).body)


def test_the_page_is_whole_and_loads_nothing(folder: Path) -> None:
    page = check_whole(_html(folder))
    assert not [load for load in page.loads if load.startswith(("http", "//"))]
    assert "src=" not in _html(folder)
    assert len(_html(folder)) < 6_000_000


def test_the_same_folder_gives_the_same_bytes(folder: Path) -> None:
    before = _html(folder)
    hub_report.write(folder)
    assert _html(folder) == before


def test_every_section_stands_in_the_contents(folder: Path) -> None:
    page = check_whole(_html(folder))
    sections = [named["id"] for name, named in page.tags if name == "section"]
    assert len(sections) == 13 and {f"#{name}" for name in sections} <= set(page.loads)


def test_without_peers_the_page_says_so(tmp_path: Path) -> None:
    made = hub_folder(tmp_path, peers=False)
    change(made, differences={})
    page = check_whole(hub_report.write(made).read_text(encoding="utf-8"))
    assert "There is no forecast of the hub's ensemble" in page.text
    assert "There is no other model to compare with." in page.text
    assert "there is nobody to lose to" in page.text
    assert not list((made / "figures").glob("map-skill*"))


def test_without_a_shape_there_is_a_sentence_and_no_map(tmp_path: Path) -> None:
    made = hub_folder(tmp_path, places=("DE", "FR", "IT"))
    page = check_whole(hub_report.write(made).read_text(encoding="utf-8"))
    assert "None of the hub's places has a shape" in page.text
    assert not list((made / "figures").glob("map-*"))


def test_a_place_without_a_shape_is_listed(tmp_path: Path) -> None:
    made = hub_folder(tmp_path, places=("01", "XX", "US"), names={"XX": "Atlantis"})
    page = _drawn(hub_place_sections.map_section, hub_evidence.read(made), made)
    assert "Places that the map can't show: 1" in page.text and "Atlantis: RPS over the ensemble's" in page.text


def test_names_cannot_become_markup(tmp_path: Path) -> None:
    forecasts = pl.concat([forecasts_of(name, k, WEEKS) for k, name in enumerate([*OURS, *PEERS, f"Cteam-{EVIL}"])])
    made = hub_folder(tmp_path, forecasts=forecasts, names={"56": EVIL})
    change(made, caveats=[EVIL], notes=[EVIL], skipped=[{"reference_date": EVIL, "reason": EVIL}])
    html = hub_report.write(made).read_text(encoding="utf-8")
    assert "<b>" not in html and "<script" not in html
    assert EVIL in check_whole(html).text


def test_another_hub_brings_its_rules(tmp_path: Path) -> None:
    categories = ("down", "flat", "up")
    other = RULES.model_copy(update={"hub": "elsewhere", "categories": categories, "large_above": ()})
    names = dict(zip(RULES.categories, (*categories, None, None), strict=True))
    models = pl.concat([forecasts_of(name, k, WEEKS) for k, name in enumerate([*OURS, *PEERS])])
    kept = models.with_columns(category=pl.col("category").replace_strict(names)).drop_nulls("category")
    total = pl.col("probability").sum().over("model", "reference_date", "horizon", "location")
    truth = truth_of(3, WEEKS).with_columns(observed=pl.col("observed") % 3)
    made = hub_folder(tmp_path, forecasts=kept.with_columns(pl.col("probability") / total), truth=truth, rules=other)
    with pytest.raises(InputError, match="hub must be one of flusight"):
        hub_report.write(made)
    (made / "rules.json").write_text(other.to_json())
    assert "elsewhere" in check_whole(hub_report.write(made).read_text(encoding="utf-8")).text


@pytest.mark.parametrize("name", ["scores.json", "predictions.parquet", "truth.parquet", "known.parquet"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    made = hub_folder(tmp_path)
    (made / name).unlink()
    with pytest.raises(RunFolderError, match=name):
        hub_report.write(made)

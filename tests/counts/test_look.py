"""How a table is read, as it is shown to a person and to a program."""

import json
from pathlib import Path

import numpy as np
import pytest

from twofold.cli import main
from twofold.counts.config import SourceConfig
from twofold.counts.load import read_table
from twofold.counts.look import WIDTH, about, columns_of, described, look, picture, roles_of
from twofold.counts.panel import Panel
from twofold.engine.errors import DataError


@pytest.fixture
def cases(tmp_path) -> Path:
    """Four regions whose cases are reported on Wednesdays, the last week by one of them only."""
    rng = np.random.default_rng(0)
    rows = ["Ort;Tag;n"]
    for region in ("Aue", "Berga", "Calau", "Dahme", "Elster", "Forst"):
        for t in range(30 * 7):
            day = np.datetime64("2020-01-01") + t  # a Wednesday
            last = t == 29 * 7 and region != "Aue"
            rows.append(f"{region};{day};{0 if t % 7 else 2 if last else rng.integers(80, 120)}")
    path = tmp_path / "cases.csv"
    path.write_text("\n".join(rows))
    return path


def test_what_was_found_is_described(cases):
    found = look(cases, SourceConfig())
    said = dict(described(found))
    assert said["file"] == "1,260 rows, semicolons"
    assert said["layout"] == "long"
    assert said["columns"] == "region 'Ort'; date 'Tag'; count 'n'"
    assert said["dates"] == "210, 2020-01-01 to 2020-07-28, one per day"
    assert said["regions"].startswith("6: Aue, Berga")
    assert said["counts"].startswith("new cases; ")


def test_the_proposal_answers_each_suspicion_in_turn(cases):
    found = look(cases, SourceConfig())
    assert "add --weekly" in found.panel.suspicions[0].text
    assert found.proposed.weekly
    again = look(cases, found.proposed)
    assert not any(suspicion.change for suspicion in again.panel.suspicions)
    assert again.proposed == found.proposed


def test_columns_are_shown_with_some_of_their_cells(cases):
    assert columns_of(read_table(cases, SourceConfig()))[:2] == [
        ("Ort", "Aue"),
        ("Tag", "2020-01-01, 2020-01-02, 2020-01-03, …"),
    ]


def test_the_picture_rises_with_the_counts():
    dates = np.datetime64("2020-01-01") + np.arange(300)
    panel = Panel(("A", "B"), dates, np.stack([np.arange(300), np.zeros(300, dtype=np.int64)]), "incident")
    bars = picture(panel)
    assert len(bars) == WIDTH
    assert (bars[0], bars[-1]) == ("▁", "█")
    assert list(bars) == sorted(bars)
    assert picture(panel, unicode=False).isascii()


def test_programs_get_the_same_and_the_digest_of_the_panel(cases):
    found = look(cases, SourceConfig())
    told = about(found, {"run": ["twofold"]}, {})
    assert json.loads(json.dumps(told)) == told  # of JSON's types alone
    assert told["columns"] == roles_of(found) == {"region": ["Ort"], "date": ["Tag"], "count": ["n"]}
    assert (told["separator"], told["dates"], told["digest"]) == (";", 210, found.panel.digest())
    assert told["cases"] == int(found.panel.values.sum())


def test_a_wide_table_shows_its_columns_of_dates(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text("Ort,2020-01-01,2020-01-02,2020-01-03\nAue,4,2,3\nBerga,1,5,2\n")
    assert roles_of(look(path, SourceConfig()))["dates"] == ["3 columns, 2020-01-01 to 2020-01-03"]


def test_a_refused_table_is_refused_below_its_columns(cases, capsys):
    cases.write_text(cases.read_text().replace("Ort;Tag;n", "Ort;Tag;").replace(";2020-01-05;", ";2020-01-05;x"))
    with pytest.raises(DataError):
        look(cases, SourceConfig())
    assert main(["trend", "look", str(cases)]) == 2
    shown = capsys.readouterr().err
    assert "'Tag'" in shown and shown.index("Tag") < shown.index("error: "), shown

"""Tables sent to the server: what the commands say of them, within bounds."""

import gzip
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.folders import Client
from trend.small import epidemic
from twofold.app import table
from twofold.app.guard import FILE_BYTES
from twofold.trend import commands

BINARY = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def newer() -> bytes:
    """The counts of `waves` and ten days more, in long form."""
    panel = epidemic(dates=60)
    rows = ["region,date,confirmed"]
    for name, values in zip(panel.regions, panel.values, strict=True):
        rows += [f"{name},{day},{value}" for day, value in zip(panel.dates, values, strict=True)]
    return "\n".join(rows).encode()


@pytest.fixture
def ask(trend_runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client whose server's temporary folders lie below `tmp_path`."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return Client(trend_runs)


def _look(ask: Client, content: bytes, **asked: str) -> httpx.Response:
    return ask.post("/api/look", content=content, headers=BINARY, params=asked)


def _printed(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_a_look_is_that_of_the_command(
    ask: Client, newer: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = _look(ask, gzip.compress(newer), name="cases 1.csv.gz").json()
    assert not list(tmp_path.iterdir())
    (tmp_path / "cases 1.csv.gz").write_bytes(gzip.compress(newer))
    monkeypatch.chdir(tmp_path)
    assert commands.look(["cases 1.csv.gz", "--json"]) == 0
    assert found == _printed(capsys)
    assert found["dates"] == 60 and "cases 1.csv.gz" in found["commands"]["run"]


def test_a_forecast_is_that_of_the_command(
    ask: Client, newer: bytes, trend_runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(path.name for path in (trend_runs / "waves").rglob("*"))
    found = ask.post("/api/runs/waves/forecast", content=newer, headers=BINARY, params={"name": "new.csv"}).json()
    path = tmp_path / "new.csv"
    path.write_bytes(newer)
    assert commands.predict([str(trend_runs / "waves"), "--data", str(path), "--json"]) == 0
    assert found["regions"] == _printed(capsys)
    assert found["map"] is None  # none of these regions is a country
    assert any("outside the set C" in note for note in found["notes"])
    assert sorted(path.name for path in (trend_runs / "waves").rglob("*")) == before


@pytest.mark.parametrize(
    ("content", "name", "word"),
    [
        (b"<html>", "page.csv", "page.csv"),
        (b"PK\x03\x04", "book.xlsx", "book.xlsx"),
        (b"PAR1", "cut.parquet", "cut.parquet"),
        (b"region,date,cases\nA,2020-01-01,x\n", "../../--out=x.csv", "out_x.csv"),
        (b"<html>", "\u8868" * 96 + ".csv", "\u8868" * 32 + ".csv"),  # of more bytes than a file's name may have
    ],
)
def test_what_is_no_table_is_refused_under_its_name(ask: Client, content: bytes, name: str, word: str) -> None:
    answer = _look(ask, content, name=name)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert answer.json()["message"].startswith(word)


def test_a_file_that_could_be_imported_is_not(ask: Client, tmp_path: Path) -> None:
    code = f"open({str(tmp_path / 'mark')!r}, 'w')\n"
    assert _look(ask, code.encode(), name="polars.py").status_code == 422
    assert not list(tmp_path.iterdir())


def test_too_many_rows_are_refused(ask: Client) -> None:
    answer = _look(ask, b"region,date,cases\n" + b"A,2020-01-01,1\n" * 500_001)
    assert answer.status_code == 422
    assert "500,000" in answer.json()["message"]


def test_a_table_that_takes_too_long_is_refused(
    ask: Client, newer: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "SECONDS", 0.01)
    answer = _look(ask, newer)
    assert (answer.status_code, "longer" in answer.json()["message"]) == (422, True)
    assert not list(tmp_path.iterdir())


def test_sizes_and_runs_are_checked_before_a_table_is_read(ask: Client, vae_runs: Path) -> None:
    assert _look(ask, b"0" * (FILE_BYTES + 1)).status_code == 413
    assert _look(ask, b"").status_code == 422
    other = Client(vae_runs).post("/api/runs/discs/forecast", content=b"0", headers=BINARY)
    assert (other.status_code, other.json()["code"]) == (409, "unusable_run")
    assert ask.post("/api/runs/none/forecast", content=b"0", headers=BINARY).status_code == 404


def test_a_model_that_can_not_be_opened_is_the_runs_fault(tmp_path: Path, newer: bytes, trend_runs: Path) -> None:
    shutil.copytree(trend_runs / "waves", tmp_path / "runs" / "waves")
    (tmp_path / "runs" / "waves" / "model.safetensors").write_bytes(b"nothing")
    answer = Client(tmp_path / "runs").post("/api/runs/waves/forecast", content=newer, headers=BINARY)
    assert (answer.status_code, answer.json()["code"]) == (409, "unusable_run")


def test_pages_say_where_a_table_goes(ask: Client) -> None:
    for address, forecast in (("/look", False), ("/runs/waves", True)):
        page = ask.get(address).text
        assert 'id="table-file"' in page and 'src="/static/table.js"' in page
        assert ('id="forecast-rows"' in page) == forecast
    assert 'href="/look"' in ask.get("/").text
    assert ask.get("/static/table.js").status_code == 200

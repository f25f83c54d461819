"""A result is text for people, or one JSON document for programs."""

import json
from datetime import date
from pathlib import Path

import pytest

from twofold.engine.terminal import present


def test_without_json_the_text_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    present({"score": 1.0}, lambda: "score 1\n", as_json=False)
    assert capsys.readouterr().out == "score 1\n"


def test_json_is_one_document_that_every_reader_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = {"nan": float("nan"), "deep": [{"inf": (float("inf"), 2.5)}], "day": date(2026, 1, 2), "run": tmp_path}
    expected = {"nan": None, "deep": [{"inf": [None, 2.5]}], "day": "2026-01-02", "run": str(tmp_path)}
    present(found, lambda: pytest.fail("made the text, too"), as_json=True)
    shown = capsys.readouterr().out
    assert json.loads(shown, parse_constant=pytest.fail) == expected
    present(found, str, as_json=True, out=tmp_path / "found.json")
    assert capsys.readouterr().out == ""
    assert (tmp_path / "found.json").read_text() == shown

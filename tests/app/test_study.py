"""The page of the repeated original study."""

import json
from pathlib import Path

from app.folders import Client, put
from twofold.page.numbers import spread
from twofold.trend.report.original import setting


def test_the_page_answers_and_lists_every_network(tmp_path: Path) -> None:
    row = {"length": 7, "start": 0, "windows": 100, "positive": 40, "curves": None, "majority": [0.6, 0.6]}
    grid = [
        row | {"cell": "gru", "layers": 1, "test_accuracy": [0.7, 0.8], "test_auc": [0.7, None]},
        row | {"cell": "rnn", "layers": 2, "test_accuracy": [0.5, 0.5], "test_auc": [0.5, 0.5]},
    ]
    original = [{"cell": "gru", "layers": 1, "length": 7, "start": 0, "test_percent": 65, "train_percent": 66}]
    study = {
        "grid": grid,
        "original": original,
        "always_not_up": 0.6,
        "simulated": False,
        "data": {"step_days": 1},
    }
    put(tmp_path / "study", "trend study", study)
    ask = Client(tmp_path)
    page = ask.get("/runs/study").text
    assert "60.0" in page and "+5.0 to +5.0" in page and "+10.0 to +20.0" in page
    for each in grid:
        assert f">{setting(each)}</th>" in page
        assert spread(each["test_accuracy"]) in page
    assert 'href="/runs/study/report"' in page
    [run] = json.loads(ask.get("/api/runs").text)
    assert run["page"] == "/runs/study"

"""The rate-distortion plane of a sweep: its points, in their place, and the pictures that each opens."""

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.folders import Client, put


def _scores(rate: float, distortion: float) -> dict[str, Any]:
    test = {"rate_nats": rate, "distortion_nats": distortion, "negative_elbo_nats": rate + distortion}
    return {"test": test | {"bits_per_dim": (rate + distortion) / 100, "used_units": 3}}


@pytest.fixture
def sweep(vae_runs: Path, tmp_path: Path) -> Path:
    """Three runs: a rate of 400 without a penalty, 100, and a collapse."""
    runs = [
        {"beta": beta, "seed": 0, "folder": f"runs/beta-{beta:g}-seed-0", "scores": _scores(*costs)}
        for beta, costs in ((100.0, (0.0, 300.0)), (0.0, (400.0, 100.0)), (1.0, (100.0, 150.0)))
    ]
    folder = put(tmp_path / "sweep", "vae sweep", {"runs": runs})
    for run in runs:
        shutil.copytree(vae_runs / "discs", folder / run["folder"])
    return folder


def test_points_lie_by_distortion_and_the_root_of_the_rate(sweep: Path) -> None:
    page = Client(sweep.parent).get("/runs/sweep").text
    points = json.loads(re.findall(r'id="data">(.*?)</script>', page)[0])
    assert [point["beta"] for point in points] == [0.0, 1.0, 100.0]
    x, y = ([point[axis] for point in points] for axis in "xy")
    assert x[0] > x[1] > x[2] and (x[1] - x[2]) / (x[0] - x[2]) == pytest.approx(0.5, abs=0.001)
    assert y[0] > y[1] > y[2] and (y[0] - y[1]) / (y[0] - y[2]) == pytest.approx(0.25, abs=0.001)
    assert re.findall(r'data-point="(\d)" aria-pressed="true"', page) == ["1"]  # the lowest negative ELBO
    assert ">beta 100</text>" in page


def test_each_point_opens_pictures_of_its_run(sweep: Path, vae_runs: Path) -> None:
    ask = Client(sweep.parent)
    page = ask.get("/runs/sweep").text
    points = json.loads(re.findall(r'id="data">(.*?)</script>', page)[0])
    with np.load(vae_runs / "discs" / "arrays.npz") as held:
        real, prior = held["real"], held["prior"]
    for point in points:
        assert ask.get(f"/runs/{point['run']}").status_code == 200
        sheet = np.asarray(Image.open(io.BytesIO(ask.get(f"/api/runs/{point['run']}/sheets/real").content)))
        number = len(real)
        assert sheet.shape == (16 * -(-min(number, 16) // 8), 8 * 16, 3)
        np.testing.assert_array_equal(sheet[:16, 16:32], real[1])
    sheet = np.asarray(Image.open(io.BytesIO(ask.get(f"/api/runs/{points[0]['run']}/sheets/prior").content)))
    np.testing.assert_array_equal(sheet[16:, :16], prior[8])
    assert ask.get(f"/api/runs/{points[0]['run']}/sheets/sheet").status_code == 422


def test_one_point_has_a_plane_too(tmp_path: Path) -> None:
    run = {"beta": 1.0, "seed": 0, "folder": "runs/beta-1-seed-0", "scores": _scores(0.0, -5.0)}
    put(tmp_path / "sweep", "vae sweep", {"runs": [run]})
    assert Client(tmp_path).get("/runs/sweep").status_code == 200


def test_a_sweep_of_another_version_is_told(tmp_path: Path) -> None:
    put(tmp_path / "sweep", "vae sweep", {"runs": [{"beta": 1.0}]})
    assert Client(tmp_path).get("/runs/sweep").status_code == 409

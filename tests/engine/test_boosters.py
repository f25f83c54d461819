"""Boosters as text: the same predictions after a round trip, another file refused."""

from pathlib import Path

import lightgbm
import numpy as np
import pytest

from twofold.engine.boosters import read_boosters, save_boosters
from twofold.engine.errors import RunFolderError


def test_a_round_trip_changes_no_bit_and_another_file_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table, target = rng.normal(size=(300, 3)), rng.normal(size=300)
    quiet = {"objective": "quantile", "alpha": 0.9, "verbosity": -1, "num_threads": 1}
    booster = lightgbm.train(quiet, lightgbm.Dataset(table, target), 5)
    path = tmp_path / "boosters.json"
    digest = save_boosters({"one": booster}, path)
    again = read_boosters(path, digest)["one"]
    assert np.asarray(again.predict(table)).tobytes() == np.asarray(booster.predict(table)).tobytes()
    assert save_boosters({"one": again}, tmp_path / "again.json") == digest
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(RunFolderError, match=r"boosters\.json: was not saved with this model; fit the model again"):
        read_boosters(path, digest)

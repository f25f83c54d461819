"""The values of scores.json agree with each other and with the run's other files."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from twofold.engine.run import claim
from twofold.vae.account import COLLAPSED_NATS, describe_memory, score_linear, spread
from twofold.vae.config import VaeConfig
from twofold.vae.images.load import Images, Split
from twofold.vae.latent import Autoencoder
from twofold.vae.run import execute
from vae.small import discs, images_of, silent, tiny


def done(images: Images, config: VaeConfig, folder: Path) -> tuple[dict[str, Any], Path]:
    with claim(folder, config, images.digest, []) as held:
        execute(images, config, held, labels=None, on_epoch=silent, on_step=silent)
        held.finish()
    return json.loads((folder / "scores.json").read_text()), folder


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    pictures = discs(80)
    return images_of(np.concatenate([pictures, pictures[:5], pictures[:1]]), tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def run(images: Images, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    return done(images, tiny(train={"epochs": 5}, objective={"beta": 2.0}), tmp_path_factory.mktemp("run") / "run")


def test_the_data_adds_up(run: tuple[dict[str, Any], Path]) -> None:
    scores, folder = run
    data, table = scores["data"], pl.read_parquet(folder / "images.parquet")
    assert (data["images"], data["duplicates"], data["duplicate_groups"]) == (86, 6, 5)
    assert data["train"] + data["validation"] + data["test"] == 86 == len(table)
    for part in ("train", "validation", "test"):
        assert table.filter(pl.col("split") == part).height == data[part]
    assert table["duplicate"].sum() == 6
    assert table.group_by("hash").agg(pl.col("split").n_unique())["split"].max() == 1, "a leak"
    assert json.loads((folder / "skipped.json").read_text()) == []


@pytest.mark.parametrize("part", ["test", "validation", "train_sample"])
def test_a_part_adds_up(run: tuple[dict[str, Any], Path], part: str) -> None:
    block = run[0][part]
    assert block["negative_elbo_nats"] == pytest.approx(block["rate_nats"] + block["distortion_nats"])
    assert block["bits_per_dim"] > 0
    assert all(error > 0 for error in block["standard_errors"].values())


def test_the_test_adds_up(run: tuple[dict[str, Any], Path]) -> None:
    scores, folder = run
    test = scores["test"]
    assert {"iw_bound_nats", "mutual_information_nats"} <= test["standard_errors"].keys()
    assert test["iw_bound_nats"] < test["iw_negative_elbo_nats"] + 5 * test["standard_errors"]["iw_bound_nats"]
    assert 1 <= test["iw_effective_samples"] <= test["iw_samples"] == 3
    information = test["mutual_information_nats"]
    assert -1 < information <= test["mi_cap_nats"] == pytest.approx(math.log(test["mi_images"]))
    assert test["marginal_kl_nats"] == pytest.approx(test["mi_rate_nats"] - test["mutual_information_nats"])
    with np.load(folder / "arrays.npz") as arrays:
        assert arrays["kl_units"].sum() == pytest.approx(test["rate_nats"])
        assert (arrays["variance_units"] > 0.01).sum() == test["active_units"]
        assert scores["kl_units_collapsed"] == (arrays["kl_units"] < COLLAPSED_NATS).sum()
    effective = scores["objective"]["effective_weight"]
    assert effective == pytest.approx(2 * test["sigma"] ** 2)
    assert test["sigma"] == scores["likelihood"]["sigma"]
    assert sum(layer["parameters"] for layer in scores["model"]["layers"]) == scores["model"]["parameters"] - 1


def test_the_scores_are_those_of_the_saved_model(run: tuple[dict[str, Any], Path], images: Images) -> None:
    scores, folder = run
    model, table = Autoencoder.open(folder, "cpu"), pl.read_parquet(folder / "images.parquet")
    test = np.flatnonzero((table["split"] == "test").to_numpy())
    mu, logvar = model.posterior(images.pixels[test])
    rate = 0.5 * (mu.astype(float) ** 2 + np.exp(logvar) - 1 - logvar).sum(axis=1)
    assert rate.mean() == pytest.approx(scores["test"]["rate_nats"], rel=1e-5)


def test_training_is_described(run: tuple[dict[str, Any], Path]) -> None:
    scores, folder = run
    training, lines = scores["training"], (folder / "metrics.jsonl").read_text().splitlines()
    assert training["epochs"] == 5 == len(lines)
    assert training["images_seen"] == 5 * scores["data"]["train"] == json.loads(lines[-1])["images"]
    best = min((json.loads(line) for line in lines), key=lambda line: line["validation_loss"])
    assert training["best_epoch"] == best["epoch"]
    assert training["device"] == "cpu"
    assert not training["stopped_early"]


def test_bernoulli_has_no_bits_and_no_sigma(images: Images, tmp_path: Path) -> None:
    scores, _ = done(images, tiny(likelihood={"name": "bernoulli"}), tmp_path / "run")
    for part in ("test", "validation", "train_sample"):
        assert scores[part]["bits_per_dim"] is None
        assert scores[part]["standard_errors"]["bits_per_dim"] is None
    assert scores["test"]["sigma"] is None
    assert scores["objective"]["effective_weight"] is None
    assert scores["likelihood"] == {"name": "bernoulli", "is_density": False, "sigma": None}


@pytest.mark.parametrize("name", ["gaussian_fixed", "logistic"])
def test_the_other_likelihoods_run_through(images: Images, tmp_path: Path, name: str) -> None:
    scores, _ = done(images, tiny(likelihood={"name": name, "sigma": 0.2}, train={"epochs": 1}), tmp_path / "run")
    assert scores["test"]["bits_per_dim"] > 0
    assert (scores["test"]["sigma"] == pytest.approx(0.2)) == (name == "gaussian_fixed")


def test_grey_images_run_through(tmp_path: Path) -> None:
    grey = images_of(discs(50, channels=1), tmp_path / "images")
    scores, _ = done(grey, tiny(image={"channels": 1}, train={"epochs": 1}), tmp_path / "run")
    assert scores["data"]["shape"] == [50, 1, 16, 16]


@pytest.mark.parametrize(
    ("number", "most", "rows"),
    [(50, 3, [0, 24, 49]), (2, 3, [0, 1]), (100, 4, [0, 33, 66, 99]), (5, 5, [0, 1, 2, 3, 4])],
)
def test_some_rows_are_spread_evenly(number: int, most: int, rows: list[int]) -> None:
    assert spread(number, most).tolist() == rows


def test_the_baseline_is_fitted_on_no_more_than_memory_holds(images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    split = Split(np.arange(60), np.arange(60, 70), np.arange(70, 86))
    assert score_linear(images, split, tiny())["fitted_on"] == 60
    monkeypatch.setattr("twofold.vae.account.MAX_VALUES", 16 * 16 * 3 * 20)
    assert score_linear(images, split, tiny())["fitted_on"] == 20


def test_samples_that_are_copies_are_found() -> None:
    test = np.linspace(0.1, 0.3, 101)
    copies = describe_memory({"nearest_distance": np.array([0.0, 0.05, 0.2, 0.2]), "test_distance": test})
    assert copies["closer_than_test"] == 0.5
    assert copies["test_distance"] == pytest.approx(0.2)

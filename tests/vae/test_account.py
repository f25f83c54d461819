"""The values of scores.json agree with each other and with the run's other files."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from twofold.engine.run import claim
from twofold.vae.account import COLLAPSED_NATS, describe_memory, differences, score_codecs, score_rivals, spread
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
        seen = (arrays["variance_units"] > 0.01) & (arrays["effect_units"] >= 0.5)
        assert seen.sum() == test["used_units"]
        assert scores["kl_units_collapsed"] == (arrays["kl_units"] < COLLAPSED_NATS).sum()
    assert 0 < test["reconstruction_variance_share"] < 1.5
    assert test["effect_images"] == 16
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
    losses = [json.loads(line)["validation_loss"] for line in lines]
    assert training["last_fall_nats"] == losses[-2] - losses[-1]
    assert training["untrained_loss_nats"] > losses[0]
    assert training["highest_loss_nats"] == max(json.loads(line)["train_loss"] for line in lines)


def test_bernoulli_has_no_bits_and_no_sigma(images: Images, tmp_path: Path) -> None:
    scores, _ = done(images, tiny(likelihood={"name": "bernoulli"}), tmp_path / "run")
    for part in ("test", "validation", "train_sample"):
        assert scores[part]["bits_per_dim"] is None
        assert scores[part]["standard_errors"]["bits_per_dim"] is None
    assert scores["test"]["sigma"] is None
    assert scores["objective"]["effective_weight"] is None
    kind = {"is_density": False, "has_levels": False, "scaled": False, "learned": False}
    assert scores["likelihood"] == {"name": "bernoulli", **kind, "sigma": None}
    assert list(scores["differences"]) == ["linear"] and scores["differences"]["linear"]["key"] == "mse"
    by_mse = scores["test"]["mse"] - scores["linear"]["mse"]
    assert scores["differences"]["linear"]["mean"] == pytest.approx(by_mse)
    assert scores["codecs"]["png"]["bits_per_dim"] > 0


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
    assert score_rivals(images, split, tiny()).linear["fitted_on"] == 60
    monkeypatch.setattr("twofold.vae.account.MAX_VALUES", 16 * 16 * 3 * 20)
    assert score_rivals(images, split, tiny()).linear["fitted_on"] == 20


def test_the_mean_image_costs_what_one_gaussian_costs(images: Images) -> None:
    split = Split(np.arange(60), np.arange(60, 70), np.arange(70, 86))
    found = score_rivals(images, split, tiny()).mean_image
    train, test = (images.pixels[rows].reshape(len(rows), -1) / 255 for rows in (split.train, split.test))
    mean, sigma = train.mean(axis=0), train.std(axis=0)
    sigma = math.sqrt((sigma**2).mean())
    assert found["sigma"] == pytest.approx(sigma)
    assert found["mse"] == pytest.approx(((test - mean) ** 2).mean(), rel=1e-5)
    nats = ((test - mean) ** 2).sum(axis=1) / (2 * sigma**2) + mean.size * math.log(sigma * math.sqrt(2 * math.pi))
    assert found["distortion_nats"] == pytest.approx(nats.mean(), rel=1e-5) and found["rate_nats"] == 0


def test_differences_are_taken_image_by_image(run: tuple[dict[str, Any], Path]) -> None:
    scores, _ = run
    found = scores["differences"]
    assert list(found) == ["linear", "png", "webp"]
    for rival, block in (("linear", scores["linear"]), *scores["codecs"].items()):
        assert found[rival]["mean"] == pytest.approx(scores["test"]["bits_per_dim"] - block["bits_per_dim"])
        assert found[rival]["images"] == scores["test"]["images"]
    apart = math.hypot(*(scores[block]["standard_errors"]["bits_per_dim"] for block in ("test", "linear")))
    assert found["linear"]["standard_error"] != pytest.approx(apart)


def test_of_many_images_the_same_some_are_encoded_and_compared(images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    split = Split(np.arange(60), np.arange(60, 70), np.arange(70, 86))
    whole = score_rivals(images, split, tiny())
    monkeypatch.setattr("twofold.vae.account.at_most", lambda values: 4)
    coded = score_codecs(images, split.test)
    assert coded.places.tolist() == [0, 5, 10, 15] and coded.block["png"]["images"] == 4
    np.testing.assert_array_equal(coded.bits["webp"], whole.coded.bits["webp"][coded.places])
    assert whole.by_linear.bits is not None
    found = differences(whole.by_linear, coded)
    values = whole.by_linear.bits[coded.places] - coded.bits["webp"]
    assert found["webp"]["mean"] == pytest.approx(values.mean()) and found["webp"]["images"] == 4
    assert found["webp"]["standard_error"] == pytest.approx(values.std(ddof=1) / 2)


def test_samples_that_lie_close_are_counted(images: Images) -> None:
    split = Split(np.arange(60), np.arange(60, 70), np.arange(70, 86))
    arrays = {
        "nearest_distance": np.array([0.0, 0.05, 0.2, 0.2]),
        "test_distance": np.linspace(0.1, 0.3, 101),
        "copy_rows": np.arange(4),
        "copy_in_train": np.ones(4, dtype=bool),
    }
    found = describe_memory(arrays, images, split)
    assert found["closer_than_test"] == 0.5
    assert found["test_distance"] == pytest.approx(0.2)
    assert found["nearest_in_training"] == 1.0
    # 86 images with six duplicates among the last: a copy of a held-out image is no second one.
    assert found["held_out"] == len(np.unique(images.hashes[60:], axis=0))
    known = len(np.unique(images.hashes[:60], axis=0))
    assert found["expected"] == known / (known + found["held_out"])

"""Scores of known factors on codes made by hand, whose answers are known."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import mutual_info_score

from twofold.vae.factors import (
    Factor,
    colours,
    completeness,
    describe_factors,
    disentanglement,
    gap,
    information_shares,
    read_factor,
    score_factors,
)
from twofold.vae.images.load import split_images
from twofold.vae.labels import Labels
from twofold.vae.latent import Autoencoder
from vae.small import discs, images_of, tiny

N = 600
TEST = np.arange(N) % 3 == 0
HADAMARD = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2


def factors(number: int, categories: int = 5) -> list[Factor]:
    """Independent factors, every value equally frequent."""
    random = np.random.default_rng(0)
    names = tuple(map(str, range(categories)))
    return [
        Factor(f"factor {k}", "categories", names, random.permutation(np.arange(N) % categories).astype(float), 0)
        for k in range(number)
    ]


def scored(codes: np.ndarray, known: list[Factor]) -> dict[str, Any]:
    return score_factors(codes, TEST, known, np.ones(codes.shape[1]), 0)


def test_one_unit_for_each_factor_is_perfect() -> None:
    known = factors(3)
    found = scored(np.stack([factor.y for factor in known], axis=1), known)
    assert found["disentanglement"] == pytest.approx(1)
    for index, row in enumerate(found["factors"]):
        assert row["mig"] > 0.97  # but for what 600 images show by chance
        assert row["completeness"] == pytest.approx(1)
        assert row["best_unit"] == index
        assert row["best_share"] == pytest.approx(1)
        assert row["forest"] == 1
        assert row["probe"] > row["baseline"] + 2 * row["probe_error"]
    assert [(each["unit"], each["factor"]) for each in found["named_units"]] == [
        (index, factor.name) for index, factor in enumerate(known)
    ]


def test_one_unit_alone_has_a_gap_of_one() -> None:
    (factor,) = factors(1)
    found = scored(np.stack([factor.y, np.zeros(N)], axis=1), [factor])
    assert found["factors"][0]["mig"] == pytest.approx(1)
    assert found["disentanglement"] is None  # of a single factor


def test_a_rotated_code_holds_as_much_and_is_not_disentangled() -> None:
    known = factors(4)
    codes = np.stack([factor.y - 2 for factor in known], axis=1) @ HADAMARD
    found = scored(codes, known)
    assert found["mig"] < 0.05
    assert found["disentanglement"] < 0.1
    assert found["completeness"] < 0.1
    assert min(row["probe"] for row in found["factors"]) > 0.9
    assert {row["kind"] for row in found["factors"]} == {"categories"}


def test_a_code_without_information_gains_nothing() -> None:
    found = scored(np.random.default_rng(1).normal(size=(N, 6)), factors(2))
    for row in found["factors"]:
        assert abs(row["probe"] - row["baseline"]) < 3 * row["probe_error"]
        assert row["mig"] < 0.02
        assert row["best_share"] < 0.04
    assert found["named_units"] == []


def test_a_number_is_read_by_regression() -> None:
    random = np.random.default_rng(2)
    codes = random.normal(size=(N, 5))
    y = 3 * codes[:, 1] + 0.5 * random.normal(size=N)
    found = scored(codes, [Factor("age", "numbers", (), y, 0)])
    row = found["factors"][0]
    assert row["probe"] == pytest.approx(1 - 0.25 / 9.25, abs=0.02)
    assert 0.7 < row["forest"] < row["probe"]
    assert (row["best_unit"], row["baseline"], row["probe_error"]) == (1, 0.0, None)
    assert row["mig"] > 0.3
    assert found["map"] is None


def test_images_without_a_value_are_left_out() -> None:
    (whole,) = factors(1)
    y = np.where(np.arange(N) % 7 == 0, np.nan, whole.y)
    codes = np.stack([whole.y, np.random.default_rng(0).normal(size=N)], axis=1)
    codes[np.isnan(y), 0] = 1e6  # would spoil every mean
    row = scored(codes, [Factor("some", "categories", whole.values, y, 0)])["factors"][0]
    assert row["test"] == (TEST & ~np.isnan(y)).sum()
    assert row["best_share"] == pytest.approx(1)


def test_shares_are_mutual_information_over_entropy() -> None:
    random = np.random.default_rng(3)
    y = random.integers(0, 3, 50_000).astype(float)
    unit = np.where(random.random(50_000) < 0.6, y, random.integers(0, 3, 50_000))
    shares, entropy = information_shares(unit[:, None], y, "categories")
    assert entropy == pytest.approx(math.log(3), abs=1e-3)
    assert shares[0] == pytest.approx(mutual_info_score(unit, y) / math.log(3), abs=1e-3)


def test_information_that_few_images_show_by_chance_is_taken_off() -> None:
    random = np.random.default_rng(4)
    y = random.integers(0, 5, 500).astype(float)
    shares, _ = information_shares(random.normal(size=(500, 200)), y, "categories")
    plain = [mutual_info_score(y, random.integers(0, 20, 500)) / math.log(5) for _ in range(200)]
    assert np.mean(plain) > 0.04
    assert shares.mean() < 0.01


def test_dci_of_known_importances() -> None:
    one, none = np.eye(3), np.full((3, 3), 0.2)
    assert disentanglement(one) == pytest.approx(1)
    assert completeness(one) == pytest.approx([1, 1, 1])
    assert disentanglement(none) == pytest.approx(0)
    assert completeness(none) == pytest.approx([0, 0, 0])
    # A unit that serves two factors alike weighs twice: 1 - log 2 / log 2 = 0 of weight 2, and 1 of weight 1.
    assert disentanglement(np.array([[1.0, 1.0], [1.0, 0.0]])) == pytest.approx(1 / 3)
    assert completeness(np.array([[1.0, 1.0], [1.0, 0.0]])) == pytest.approx([0, 1])
    assert disentanglement(np.zeros((2, 2))) == 0
    assert completeness(np.ones((1, 2))) == [None, None]
    assert gap(np.array([0.2, 0.9, 0.5])) == pytest.approx(0.4)
    assert gap(np.array([0.9])) == pytest.approx(0.9)


def test_which_attributes_are_factors() -> None:
    rows, test = np.arange(200), np.arange(200) >= 100

    def read(column: Sequence[str | None]) -> Factor | str:
        return read_factor("x", column, rows, test)

    both = read(["a"] * 50 + ["b"] * 41 + ["c"] * 9 + ["a"] * 99 + ["d"])
    assert isinstance(both, Factor)
    assert (both.kind, both.values, both.rare) == ("categories", ("a", "b"), 2)
    assert np.isnan(both.y[[95, 199]]).all()
    assert both.y[[0, 60, 150]].tolist() == [0, 1, 0]
    numbers = read([str(k / 7) for k in range(199)] + [None])
    assert isinstance(numbers, Factor) and numbers.kind == "numbers"
    assert numbers.y[7] == 1 and np.isnan(numbers.y[199])
    few_numbers = read([str(k % 3) for k in range(200)])
    assert isinstance(few_numbers, Factor) and few_numbers.kind == "categories"
    assert read([str(k) + "x" for k in range(200)]) == "values"
    assert read(["a"] * 200) == "values"
    assert read(["a", "b"] * 50 + ["a"] * 19 + [None] * 81) == "few"
    assert isinstance(read(["a", "b"] * 50 + ["a"] * 20 + [None] * 80), Factor)
    infinite = read([str(k) for k in range(199)] + ["inf"])
    assert infinite == "values"


def test_factors_of_images(model: Autoencoder, tmp_path: Path) -> None:
    pictures = discs(300)
    images = images_of(pictures, tmp_path)
    split = split_images(images.hashes, tiny().split)
    bright = np.where(pictures.mean(axis=(1, 2, 3)) > np.median(pictures.mean(axis=(1, 2, 3))), "bright", "dark")
    table = pl.DataFrame({"name": images.names, "light": bright.tolist(), "same": ["x"] * 300})
    labels = Labels(table, "file", tuple(f"{k}.png" for k in range(30)))
    mu = model.encode(images.pixels[split.test])
    found = describe_factors(model, images, split, labels, mu=mu, rates=np.ones(mu.shape[1]))
    assert found["left_out"] == [{"name": "same", "reason": "values"}]
    assert (found["unmatched"], len(found["unmatched_examples"]), found["unlabelled"]) == (30, 20, 0)
    assert found["training_images"] == len(split.train)
    (light,) = found["factors"]
    assert light["test"] == len(split.test)
    assert light["probe"] > light["baseline"]
    assert found["map"]["factor"] == "light"
    assert set(found["map"]["categories"]) == {"bright", "dark"}
    drawn = colours(found, labels, split.test)
    assert [found["map"]["categories"][index] for index in drawn] == bright[split.test].tolist()
    again = describe_factors(model, images, split, labels, mu=mu, rates=np.ones(mu.shape[1]))
    assert again == found

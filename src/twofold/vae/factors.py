"""What the code says about known factors of the images: linear probes, mutual information gap, DCI."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Float64, Int64
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV

from twofold.engine.seed import seed_for
from twofold.vae.images.load import Images, Split, by_hash
from twofold.vae.labels import Labels
from twofold.vae.latent import Autoencoder

LEAST_OF_A_VALUE = 10
"""Training images below which a value of a factor is left out."""
LEAST_TEST = 20
"""Labelled test images below which nothing is said of a factor."""
MOST_VALUES, MOST_FACTORS = 100, 50
"""Values of a factor, and factors, at most; others are left out."""
NUMBERS_FROM = 20
"""A factor whose values are all numbers, more than these different ones, is one of numbers."""
MOST_TRAINING, FOREST_TRAINING, FOREST_UNITS = 4000, 2000, 64
"""Training images of the probes, of the forests behind DCI; units of these: those with the largest rate."""
NAMED = 0.1
"""A unit follows the factor that it tells most about, if that is at least this share of the factor's entropy."""
BINS, IMAGES_A_CELL = 20, 5
"""Bins of a unit, at most, and images for each pair of a bin and a value, at least: fewer bins where images are few."""
_RIDGE = np.logspace(-2, 5, 15)
_TREES, _LEAF = 10, 5

Codes = Float64[np.ndarray, "n units"]
Values = Float64[np.ndarray, " n"]
Kind = Literal["categories", "numbers"]


@dataclass(frozen=True)
class Factor:
    """A known factor.

    Attributes:
        kind: `categories`, or `numbers` on a scale.
        values: the categories, the most frequent first; empty for numbers.
        y: of each image the index of its category, or its number; NaN where unknown or of a value left out.
        rare: number of values left out, since too few training images have them.
    """

    name: str
    kind: Kind
    values: tuple[str, ...]
    y: Values
    rare: int


def describe_factors(
    model: Autoencoder,
    images: Images,
    split: Split,
    labels: Labels,
    *,
    mu: Float[np.ndarray, "test latent"],
    rates: Float[np.ndarray, " latent"],
) -> dict[str, Any]:
    """Scores of every known factor, and of those left out why.

    Probes and forests learn from training images' posterior means and are scored on test images'.

    Args:
        mu: posterior means of the test images, in the order of `split.test`.
        rates: mean rate of each unit, which chooses the units of the forests.
    """
    chosen = split.train[by_hash(images, split.train)][:MOST_TRAINING]
    rows = np.concatenate([chosen, split.test])
    codes = np.concatenate([model.encode(images.pixels[chosen]), mu]).astype(np.float64)
    test = np.arange(len(rows)) >= len(chosen)
    factors, left_out = [], []
    for name in labels.table.columns[1:]:
        column = labels.table[name].to_list()
        factor = read_factor(name, column, rows, test) if len(factors) < MOST_FACTORS else "factors"
        if isinstance(factor, Factor):
            factors.append(factor)
        else:
            left_out.append({"name": name, "reason": factor})
    attributes = labels.table.drop("name")
    unlabelled = sum(all(value is None for value in row) for row in attributes.iter_rows())
    about = {
        "origin": labels.origin,
        "unlabelled": unlabelled,
        "unmatched": len(labels.unmatched),
        "unmatched_examples": list(labels.unmatched[:20]),
        "training_images": len(chosen),
        "least_of_a_value": LEAST_OF_A_VALUE,
        "least_test": LEAST_TEST,
        "left_out": left_out,
    }
    return about | score_factors(codes, test, factors, rates, model.config.seed)


def read_factor(
    name: str, column: Sequence[str | None], rows: Int64[np.ndarray, " n"], test: np.ndarray
) -> Factor | Literal["few", "values"]:
    """One attribute of the given rows as a factor, or why it is none.

    Args:
        column: of all images.
        rows: of the images that are looked at.
        test: which of these are test images; the others are for training.

    Returns:
        `few`: too few test images have a value; `values`: fewer than two values, or too many, are frequent enough.
    """
    held = [column[row] for row in rows]
    tally = Counter(value for value, tested in zip(held, test, strict=True) if value is not None and not tested)
    numbers = _numbers(held) if len(set(held) - {None}) > NUMBERS_FROM else None
    if numbers is not None:
        factor = Factor(name, "numbers", (), numbers, 0)
    else:
        kept = [value for value, count in tally.items() if count >= LEAST_OF_A_VALUE]
        kept.sort(key=lambda value: (-tally[value], value))
        place = {value: float(index) for index, value in enumerate(kept)}
        y = np.array([np.nan if value is None else place.get(value, np.nan) for value in held])
        factor = Factor(name, "categories", tuple(kept), y, len(set(held) - {None}) - len(kept))
        if not 2 <= len(kept) <= MOST_VALUES:
            return "values"
    known = ~np.isnan(factor.y)
    if (known & test).sum() < LEAST_TEST or (known & ~test).sum() < 2 * LEAST_OF_A_VALUE:
        return "few"
    return factor


def _numbers(values: Sequence[str | None]) -> Values | None:
    """The values as finite numbers, NaN where there is none; None where one is no number."""
    try:
        found = np.array([np.nan if value is None else float(value) for value in values])
    except ValueError:
        return None
    return None if np.isinf(found).any() else found


def score_factors(
    codes: Codes, test: np.ndarray, factors: Sequence[Factor], rates: Float[np.ndarray, " units"], seed: int
) -> dict[str, Any]:
    """Probe, mutual information gap and DCI of each factor, and their means.

    Args:
        codes: posterior means.
        test: which of them are test images'.
        rates: mean rate of each unit.
        seed: of the forests.
    """
    units = np.sort(np.argsort(-rates, kind="stable")[:FOREST_UNITS])
    found, shares, importances = [], [], []
    for factor in factors:
        known = ~np.isnan(factor.y)
        share, entropy = information_shares(codes[known], factor.y[known], factor.kind)
        forest, importance = _forest(codes[:, units], test, factor, seed)
        shares.append(share)
        importances.append(importance)
        found.append(
            {
                "name": factor.name,
                "kind": factor.kind,
                "categories": len(factor.values),
                "rare_values": factor.rare,
                "entropy_nats": entropy,
                "test": int((known & test).sum()),
                **_probe(codes, test, factor),
                "forest": forest,
                "mig": gap(share),
                "best_unit": int(share.argmax()),
                "best_share": float(share.max()),
            }
        )
    table = np.array(importances).reshape(len(factors), len(units)).T
    for row, complete in zip(found, completeness(table), strict=True):
        row["completeness"] = complete
    named = []
    if factors:
        told = np.array(shares)
        best = told.argmax(axis=0)
        named = [
            {"unit": unit, "factor": factors[best[unit]].name, "share": float(told[best[unit], unit])}
            for unit in np.flatnonzero(told.max(axis=0) >= NAMED).tolist()
        ]
    return {
        "factors": found,
        "mig": _mean([row["mig"] for row in found]),
        "disentanglement": disentanglement(table),
        "completeness": _mean([row["completeness"] for row in found]),
        "informativeness": _mean([row["forest"] for row in found]),
        "forest_units": len(units),
        "named_units": named,
        "map": _map(factors, found),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _map(factors: Sequence[Factor], found: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The factor to colour the map of codes by, with its values: the one whose probe gains most over the majority."""
    gains = {k: row["probe"] - row["baseline"] for k, row in enumerate(found) if row["kind"] == "categories"}
    if not gains:
        return None
    factor = factors[max(gains, key=gains.__getitem__)]
    return {"factor": factor.name, "categories": list(factor.values)}


def colours(found: dict[str, Any], labels: Labels, rows: Int64[np.ndarray, " rows"]) -> Int64[np.ndarray, " rows"]:
    """Of each image which of the map's values it has, -1 for none; see `map` of `describe_factors`."""
    place = {value: index for index, value in enumerate(found["map"]["categories"])}
    column = labels.table[found["map"]["factor"]].to_list()
    return np.array([place.get(column[row], -1) for row in rows.tolist()], dtype=np.int64)


def _probe(codes: Codes, test: np.ndarray, factor: Factor) -> dict[str, Any]:
    """How well a linear model reads the factor from the code: accuracy on test images, or R^2 for numbers.

    Higher is better, 1 is best. `baseline` is what it has to beat: always the value that is most frequent in training,
    or their mean. The standard error is that of the difference, paired by image. Logistic regression has scikit-learn's
    default penalty (C = 1, standardised codes), ridge regression one chosen by leave-one-out.

    Source:
        Alain & Bengio (2017), Understanding intermediate layers using linear classifier probes, ICLR workshop.
    """
    known = ~np.isnan(factor.y)
    train, tested = known & ~test, known & test
    mean, deviation = codes[train].mean(axis=0), codes[train].std(axis=0)
    scaled = (codes - mean) / np.where(deviation > 0, deviation, 1.0)
    y, given = factor.y[train], factor.y[tested]
    if factor.kind == "numbers":
        predicted = RidgeCV(_RIDGE).fit(scaled[train], y).predict(scaled[tested])
        return {"probe": _r2(given, predicted, y.mean()), "baseline": 0.0, "probe_error": None}
    predicted = LogisticRegression(max_iter=1000).fit(scaled[train], y).predict(scaled[tested])
    majority = np.bincount(y.astype(int)).argmax()
    gain = (predicted == given).astype(float) - (given == majority)
    return {
        "probe": float((predicted == given).mean()),
        "baseline": float((given == majority).mean()),
        "probe_error": float(gain.std(ddof=1) / np.sqrt(len(gain))),
    }


def _r2(given: Values, predicted: Values, mean: float) -> float:
    """Share of the squared deviation from the training mean that a prediction explains; below 0: worse than it."""
    return float(1 - ((given - predicted) ** 2).sum() / max(((given - mean) ** 2).sum(), 1e-300))


def information_shares(codes: Codes, y: Values, kind: Kind) -> tuple[Float64[np.ndarray, " units"], float]:
    """Mutual information of every unit with a factor over the factor's entropy, and that entropy in nats.

    Units (and numbers) are cut into bins with equally many images. Entropies have Miller and Madow's correction,
    without which few images show information where there is none; an estimate below 0 is 0.

    Source:
        Chen et al. (2018), Isolating sources of disentanglement in VAEs, NeurIPS, section 4.1, on binned means as
        Locatello et al. (2019), Challenging common assumptions in the unsupervised learning of disentangled
        representations, ICML; Miller (1955), Note on the bias of information estimates.
    """
    values = np.unique(binned(y, BINS) if kind == "numbers" else y, return_inverse=True)[1]
    count = int(values.max()) + 1
    number = int(np.clip(len(y) // (IMAGES_A_CELL * count), 2, BINS))
    entropy = _entropy(np.bincount(values))
    shares = []
    for unit in codes.T:
        cells = binned(unit, number)
        joint = np.bincount(cells * count + values)
        shared = _entropy(np.bincount(cells)) + entropy - _entropy(joint)
        shares.append(max(shared, 0.0) / entropy if entropy else 0.0)
    return np.array(shares), entropy


def binned(x: Float[np.ndarray, " n"], number: int) -> Int64[np.ndarray, " n"]:
    """Bins with about equally many values; equal values share one, so that there may be fewer bins.

    Example:
        >>> binned(np.array([0.0, 1.0, 1.0, 5.0, 7.0, 9.0]), 3).tolist(), binned(np.zeros(3), 3).tolist()
        ([0, 0, 0, 1, 2, 2], [0, 0, 0])
    """
    edges = np.unique(np.quantile(x, np.arange(1, number) / number, method="inverted_cdf"))
    return np.unique(np.searchsorted(edges, x), return_inverse=True)[1]


def _entropy(counts: Int64[np.ndarray, " cells"]) -> float:
    """Entropy in nats with Miller and Madow's correction."""
    counts = counts[counts > 0]
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum() + (len(counts) - 1) / (2 * counts.sum()))


def gap(shares: Float64[np.ndarray, " units"]) -> float:
    """Mutual information gap: by how much the best unit tells more about a factor than the second, over its entropy.

    Higher is better; 1: one unit tells all and no other anything; 0: two units tell the same.

    Source:
        Chen et al. (2018), equation 6.
    """
    ordered = np.sort(np.append(shares, 0.0))
    return float(ordered[-1] - ordered[-2])


def _forest(codes: Codes, test: np.ndarray, factor: Factor, seed: int) -> tuple[float, Float64[np.ndarray, " units"]]:
    """Accuracy (or R^2) on test images of a random forest that reads the factor, and its units' importance."""
    known = ~np.isnan(factor.y)
    train, tested = np.flatnonzero(known & ~test)[:FOREST_TRAINING], known & test
    kind = RandomForestRegressor if factor.kind == "numbers" else RandomForestClassifier
    # All units compete for each split: with a random choice of them, splits on idle ones look important.
    settings: dict[str, Any] = {"max_features": 1.0, "random_state": seed_for(seed, "forest") % 2**32}
    forest = kind(_TREES, min_samples_leaf=_LEAF, **settings)
    forest.fit(codes[train], factor.y[train])
    predicted, given = forest.predict(codes[tested]), factor.y[tested]
    if factor.kind == "numbers":
        return _r2(given, predicted, factor.y[train].mean()), forest.feature_importances_
    return float((predicted == given).mean()), forest.feature_importances_


def disentanglement(importances: Float64[np.ndarray, "units factors"]) -> float | None:
    """Whether each unit serves one factor: mean of 1 less the entropy of its importance over factors.

    Units are weighed by their importance, and the entropy is to the base of the number of factors. Higher is better; 1:
    each unit serves one factor; 0: all serve all alike. None for fewer than two factors.

    Source:
        Eastwood & Williams (2018), A framework for the quantitative evaluation of disentangled representations, ICLR,
        section 2.
    """
    if importances.shape[1] < 2:
        return None
    weights = importances.sum(axis=1)
    if not weights.sum():
        return 0.0
    return float((_concentration(importances) * weights).sum() / weights.sum())


def completeness(importances: Float64[np.ndarray, "units factors"]) -> list[float | None]:
    """Whether each factor is read from one unit: 1 less the entropy of its importance over units.

    The entropy is to the base of the number of units. Higher is better; 1: one unit is enough; 0: all are used alike.
    None for a single unit.

    Source:
        Eastwood & Williams (2018), section 2.
    """
    if len(importances) < 2:
        return [None] * importances.shape[1]
    return _concentration(importances.T).tolist()


def _concentration(rows: Float64[np.ndarray, "rows columns"]) -> Float64[np.ndarray, " rows"]:
    """1 less the entropy of each row, to the base of the number of columns; 0 for a row without any importance."""
    sums = rows.sum(axis=1, keepdims=True)
    shares = np.where(sums > 0, rows / np.where(sums > 0, sums, 1.0), 1 / rows.shape[1])
    logs = np.log(np.where(shares > 0, shares, 1.0))
    return 1 + (shares * logs).sum(axis=1) / np.log(rows.shape[1])

"""Boosted trees with the threshold as an input: monotone in it to the last bit, seeded, and informed by it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.season_small import CHANGE, examples, head, queries
from twofold.hub.config import TreesConfig
from twofold.hub.examples import Examples, Queries
from twofold.hub.growth import NAMES
from twofold.hub.heads.trees import Trees, fit_trees

HEAD = head("trees")
SMALL = TreesConfig(bags=1, iterations=4, min_leaf=20)


@settings(max_examples=25)
@given(st.lists(st.floats(-2000, 2000), min_size=2, max_size=40))
def test_the_trees_fall_in_the_threshold_without_exception(taus: list[float]) -> None:
    tau = np.broadcast_to(np.sort(taus), (7, 4, len(taus)))
    assert (np.diff(HEAD.exceed(queries(), tau), axis=2) <= 0).all()


def test_the_threshold_is_what_they_look_at() -> None:
    assert isinstance(HEAD, Trees)
    (classifier,) = HEAD.classifiers
    assert classifier.monotonic_cst == [0] * (len(NAMES) + 1) + [-1, -1]  # horizon after the inputs, then the threshold
    tau = np.broadcast_to(np.linspace(-400, 400, 9), (7, 4, 9))
    found = HEAD.exceed(queries(), tau)
    assert (found[:, :, 0] - found[:, :, -1]).mean() > 0.3


def few() -> Examples:
    """Every sixth example."""
    known = examples()
    parts = (part[::6] for part in (known.queries.inputs, known.queries.base, known.queries.population))
    return Examples(Queries(*parts), known.change[::6], known.weight[::6], known.week[::6], known.season[::6])


def learned(change: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    known = few()
    weight = known.weight if weight is None else weight
    head = fit_trees(Examples(known.queries, change, weight, known.week, known.season), CHANGE, SMALL, 0)
    return head.exceed(queries(), queries().cuts(CHANGE))


def test_horizons_are_distinguished() -> None:
    change = few().change.copy()
    change[:, 0], change[:, 3] = 5000.0, -5000.0
    found = learned(change)
    assert found[:, 0, 2].min() > found[:, 3, 2].max()


def test_what_is_not_known_and_what_has_no_weight_teaches_nothing() -> None:
    change = few().change.copy()
    odd = np.arange(len(change)) % 2 == 1
    weight = np.where(odd, 0.0, 1.0)
    one, other = change.copy(), change.copy()
    one[odd], other[odd] = 5000.0, -5000.0
    assert learned(one, weight).tobytes() == learned(other, weight).tobytes()
    change[odd] = np.nan
    assert np.isfinite(learned(change)).all()


def test_the_seed_decides_and_nothing_else() -> None:
    cuts = queries().cuts(CHANGE)
    one, again, other = (fit_trees(few(), CHANGE, SMALL, seed).exceed(queries(), cuts) for seed in (0, 0, 1))
    assert one.tobytes() == again.tobytes()
    assert (one != other).any()


def test_bags_are_averaged_and_differ() -> None:
    head = fit_trees(few(), CHANGE, SMALL.model_copy(update={"bags": 2}), 0)
    cuts = queries().cuts(CHANGE)
    parts = [Trees((classifier,)).exceed(queries(), cuts) for classifier in head.classifiers]
    assert len(parts) == 2
    assert (parts[0] != parts[1]).any()
    assert head.exceed(queries(), cuts) == pytest.approx(np.mean(parts, axis=0))


def test_rows_keep_their_places_and_horizons() -> None:
    cuts = queries().cuts(CHANGE)
    whole = HEAD.exceed(queries(), cuts)
    for row in range(7):
        own = Queries(*(part[[row]] for part in (queries().inputs, queries().base, queries().population)))
        for cut in range(4):
            found = HEAD.exceed(own, cuts[[row]][:, :, [cut]])
            assert found[0, :, 0].tolist() == whole[row, :, cut].tolist()

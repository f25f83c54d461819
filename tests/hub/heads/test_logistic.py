"""Logistic regression: its answers are sums of scikit-learn's, its fit the same however many threads there are."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info, threadpool_limits

from hub.season_small import CHANGE, examples, queries
from twofold.hub.examples import Examples, Queries
from twofold.hub.growth import NAMES
from twofold.hub.heads.logistic import Logistic, fit_logistic
from twofold.hub.heads.pmf import growth_needed

HEAD = fit_logistic(examples(), CHANGE)


def test_answers_are_sums_of_the_categories_above() -> None:
    question, cuts = queries(), queries().cuts(CHANGE)
    found = HEAD.exceed(question, cuts)
    assert len(HEAD.classifiers) == 4
    for horizon, pipeline in enumerate(HEAD.classifiers):
        table = np.hstack([question.inputs[:, -1, : len(NAMES)], growth_needed(question.base, cuts)[:, horizon]])
        for row, pmf in enumerate(pipeline.predict_proba(table)):
            expected = [sum(pmf[list(pipeline.classes_).index(k)] for k in range(cut + 1, 5)) for cut in range(4)]
            if horizon == 0 and question.population[row] == 500_000:  # here every change that is not stable is large
                expected[0], expected[3] = expected[1], expected[2]
            sure = question.base[row] + cuts[row, horizon] < 0
            assert found[row, horizon] == pytest.approx(np.where(sure, 1.0, expected))


def test_a_category_that_never_happened_has_no_probability() -> None:
    known = examples()
    never = known.change < known.queries.cuts(CHANGE)[:, :, 0]
    rest = Examples(known.queries, np.where(never, np.nan, known.change), known.weight, known.week, known.season)
    head = fit_logistic(rest, CHANGE)
    assert [pipeline.classes_.tolist() for pipeline in head.classifiers] == [[1, 2, 3, 4]] * 4
    cuts = queries().cuts(CHANGE)
    apart = cuts[:, :, 0] < cuts[:, :, 1]
    assert head.exceed(queries(), cuts)[:, :, 0][apart] == pytest.approx(1.0)


def test_unknown_inputs_are_no_obstacle() -> None:
    question = queries()
    inputs = question.inputs.copy()
    inputs[0, -1, :5] = np.nan
    found = HEAD.exceed(Queries(inputs, question.base, question.population), question.cuts(CHANGE))
    assert np.isfinite(found).all()
    assert found[1:].tolist() == HEAD.exceed(question, question.cuts(CHANGE))[1:].tolist()


def coefficients(head: Logistic) -> np.ndarray:
    return np.stack([pipeline[-1].coef_ for pipeline in head.classifiers])


def test_an_example_of_weight_two_counts_as_two() -> None:
    known = examples()
    some = np.arange(0, len(known.queries), 2)

    def fitted(rows: np.ndarray, weight: np.ndarray) -> Examples:
        part = Queries(known.queries.inputs[rows], known.queries.base[rows], known.queries.population[rows])
        return Examples(part, known.change[rows], weight, known.week[rows], known.season[rows])

    # Twice each: mean and deviation of the inputs, which know no weight, stay.
    once, twice = np.concatenate([some, some]), np.concatenate([some, some, some, some])
    heavy = fit_logistic(fitted(once, np.full(len(once), 2.0)), CHANGE)
    many = fit_logistic(fitted(twice, np.ones(len(twice))), CHANGE)
    np.testing.assert_allclose(coefficients(heavy), coefficients(many), atol=1e-3)
    light = fit_logistic(fitted(once, np.ones(len(once))), CHANGE)
    assert np.abs(coefficients(heavy) - coefficients(light)).max() > 0.01


def test_it_is_fitted_by_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """With as many threads as there are its last bits would depend on the machine and on --jobs."""
    threads, fit = [], LogisticRegression.fit

    def watched(self, *args, **kwargs):
        threads.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(LogisticRegression, "fit", watched)
    with threadpool_limits(2):
        fit_logistic(examples(), CHANGE)
    assert set(threads) == {1}

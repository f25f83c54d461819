import json
from pathlib import Path
from typing import Any

import pytest

from twofold.vae import account
from twofold.vae.report import judgements
from twofold.vae.report.judgements import Gap
from vae.report.showing import run_folder
from vae.report.sweep_showing import USUAL, course, exact, grid
from vae.report.sweep_showing import scores as made_up


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_folder(tmp_path_factory.mktemp("runs"), size=16, latent=8, test=20)


@pytest.fixture
def scores(made: Path) -> dict[str, Any]:
    return json.loads((made / "scores.json").read_text())


@pytest.mark.parametrize(
    ("value", "error", "judged"),
    [
        (2.01, 1.0, "more"),
        (2.0, 1.0, "unclear"),
        (-2.0, 1.0, "unclear"),
        (-2.01, 1.0, "less"),
        (0.0, 0.0, "unclear"),
        (100.0, None, "unknown"),
    ],
)
def test_a_difference_needs_two_standard_errors(value: float, error: float | None, judged: str) -> None:
    assert Gap(value, error).judged == judged


def test_a_gap_takes_its_error_from_both_sets_of_images(scores: dict[str, Any]) -> None:
    for block, error in (("test", 3.0), ("train_sample", 4.0)):
        scores[block]["standard_errors"]["negative_elbo_nats"] = error
        scores[block]["negative_elbo_nats"] = error
    assert judgements.overfitting(scores) == Gap(-1.0, 5.0)
    scores["train_sample"]["standard_errors"]["negative_elbo_nats"] = None
    assert judgements.overfitting(scores) == Gap(-1.0, None)


def test_without_bits_the_squared_error_is_compared(scores: dict[str, Any]) -> None:
    assert judgements.against_linear(scores).value == scores["test"]["bits_per_dim"] - scores["linear"]["bits_per_dim"]
    scores["test"]["bits_per_dim"] = None
    assert judgements.against_linear(scores).value == scores["test"]["mse"] - scores["linear"]["mse"]


@pytest.mark.parametrize(
    ("active", "rate", "units", "collapse"),
    [(0, 30.0, 8, "whole"), (3, 0.99, 5, "nearly"), (3, 1.0, 5, "units"), (8, 30.0, 0, "none")],
)
def test_collapse_is_judged_by_active_units_and_rate(
    scores: dict[str, Any], active: int, rate: float, units: int, collapse: str
) -> None:
    scores["test"] |= {"active_units": active, "rate_nats": rate}
    assert judgements.collapse(scores | {"kl_units_collapsed": units}) == collapse
    assert judgements.collapsed(scores) == (collapse in ("whole", "nearly"))


@pytest.mark.parametrize(("close", "memorised"), [(0, False), (3, False), (4, True)])
def test_four_of_sixteen_close_samples_are_too_many(scores: dict[str, Any], close: int, memorised: bool) -> None:
    scores["memorisation"]["closer_than_test"] = close / 16
    assert judgements.memorised(scores) == memorised


@pytest.mark.parametrize(
    ("value", "at_cap", "found"), [(2.9, True, "capped"), (0.02, False, "nothing"), (0.03, False, "measured")]
)
def test_information_is_measured_between_noise_and_cap(
    scores: dict[str, Any], value: float, at_cap: bool, found: str
) -> None:
    errors = scores["test"]["standard_errors"] | {"mutual_information_nats": 0.01}
    test = scores["test"] | {"mutual_information_nats": value, "mi_at_cap": at_cap, "standard_errors": errors}
    assert judgements.information(test) == found


@pytest.mark.parametrize(
    ("value", "error", "found"),
    [(2.0, 0.1, "holds"), (2.1, 0.1, "within the noise"), (2.3, 0.1, "broken"), (2.1, None, "broken")],
)
def test_the_rate_bounds_information(scores: dict[str, Any], value: float, error: float | None, found: str) -> None:
    errors = {"mutual_information_nats": error}
    test = scores["test"] | {"mutual_information_nats": value, "mi_rate_nats": 2.0, "standard_errors": errors}
    assert judgements.inequality(test) == found


def test_few_draws_are_less_than_a_tenth(scores: dict[str, Any]) -> None:
    assert judgements.few_draws(scores["test"] | {"iw_samples": 64, "iw_effective_samples": 6.3})
    assert not judgements.few_draws(scores["test"] | {"iw_samples": 64, "iw_effective_samples": 6.5})


def test_the_threshold_of_collapse_is_that_of_the_scores() -> None:
    assert judgements.UNIT_FLOOR == account.COLLAPSED_NATS


def test_a_change_too_small_to_show_is_level() -> None:
    assert judgements.trend([-16000.0, -16000.5]) == "stays"
    assert judgements.trend([10.0, 10.02, 20.0]) == "rises"
    assert judgements.trend([20.0, 10.0, 10.05, 5.0]) == "falls"
    assert judgements.trend([20.0, 10.0, 15.0]) == "turns"


def test_the_best_weight_is_measured_against_beta_1_where_that_is_not_the_best() -> None:
    assert judgements.lead(USUAL) == (USUAL[1], USUAL[0], 740.0)
    other = course((50.0, 60.0, 3.0), (-200.0, -199.0, 100.0))
    assert judgements.lead(other) == (other[0], other[1], 11.0)
    far = course((50.0, 60.0, 3.0), (-200.0, 100.0, -100.0))
    assert judgements.lead(far) == (far[0], far[1], 310.0)
    assert judgements.lead([far[0], far[2]]) == (far[0], far[2], 53.0)
    assert judgements.lead(far[:1])[:2] == (far[0], None)


def test_seeds_that_collapsed_are_counted() -> None:
    runs = [(1.0, made_up(60.0, 0.0)), (9.0, made_up(60.0, 0.0)), (9.0, made_up(0.1, 0.0))]
    assert [(weight.beta, seeds) for weight, seeds in judgements.collapses(grid(*runs))] == [(9.0, 1)]
    assert judgements.collapses(USUAL) == []


def test_over_fitting_of_several_seeds_keeps_the_error_of_one() -> None:
    runs = [made_up(0.0, cost, trained_on=0.0) for cost in (10.0, 20.0)]
    ((weight, gap),) = judgements.overfitting_by_weight(grid((1.0, runs[0]), (1.0, runs[1])))
    assert weight.beta == 1.0 and gap == Gap(15.0, 5.0)
    runs[0]["test"]["standard_errors"] = {"negative_elbo_nats": None}
    assert judgements.overfitting_by_weight(grid((1.0, runs[0])))[0].gap.judged == "unknown"


def test_neighbours_within_two_deviations_are_inseparable() -> None:
    costs = (1.0, (9.0, 11.0)), (2.0, (29.0, 31.0)), (4.0, (32.9, 34.9)), (8.0, (36.95, 38.95))
    found = grid(*((beta, made_up(cost, 0.0)) for beta, seeds in costs for cost in seeds))
    assert [(low.beta, high.beta) for low, high in judgements.inseparable(found)] == [(2.0, 4.0)]


def test_every_run_is_compared_with_its_rate() -> None:
    found = grid((1.0, made_up(9.0, 0.0)), (2.0, made_up(2.9, 0.0)), (4.0, made_up(1.0, 0.0)))
    runs = [run for weight in found for run in weight.runs]
    assert judgements.inequalities(runs) == ["holds", "within the noise", "broken"]


def test_the_exact_case_is_judged_by_its_gaps() -> None:
    rows = exact([0.5, 1.0, 8.0])["rows"]
    found = judgements.exact(rows)
    assert found.excess_rate == 0 and found.nearest == 1.0 and found.gap < judgements.EQUAL
    loose = judgements.exact([row | {"rate_nats": row["rate_nats"] + 1} for row in rows if row["beta"] != 1])
    assert loose.excess_rate == pytest.approx(1) and loose.gap > judgements.EQUAL
    assert judgements.exact(rows[-1:]).nearest == 8.0

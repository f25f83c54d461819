import json
from pathlib import Path
from typing import Any

import pytest

from twofold.vae import account
from twofold.vae.diagnosis import Gap
from twofold.vae.report import judgements
from vae.report.showing import run_folder
from vae.report.sweep_showing import USUAL, course, exact, grid
from vae.report.sweep_showing import scores as made_up


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_folder(tmp_path_factory.mktemp("runs"), size=16, latent=8, test=40)


@pytest.fixture
def scores(made: Path) -> dict[str, Any]:
    return json.loads((made / "scores.json").read_text())


def test_pairs_decide_what_two_separate_errors_leave_open(scores: dict[str, Any]) -> None:
    # 4,000 faces: worse than PCA by .032 +- .002 bits, while each cost is known to some .01 only.
    apart = {"test": (6.382, 0.015), "linear": (6.350, 0.014)}
    for block, (bits, error) in apart.items():
        scores[block] |= {"bits_per_dim": bits, "standard_errors": {"bits_per_dim": error}, "images": 400}
    pairs = {"key": "bits_per_dim", "mean": 0.032, "standard_error": 0.002, "images": 400}
    scores["differences"] = {"linear": pairs, "png": pairs | {"mean": -1.0}, "webp": pairs | {"mean": 2.1}}
    assert judgements.against_linear(scores) == Gap(0.032, 0.002, 400)
    assert judgements.against_linear(scores).judged == "more"


@pytest.mark.parametrize(
    ("linear", "webp", "png", "first"),
    [
        (-1.0, -0.1, -2.0, "network"),
        (0.1, 2.0, -1.0, "webp"),
        (0.1, -1.0, -1.0, "linear"),
        (-0.01, -1.0, -1.0, None),
    ],
)
def test_who_wins_is_told_by_the_differences(
    scores: dict[str, Any], linear: float, webp: float, png: float, first: str | None
) -> None:
    means = {"linear": linear, "webp": webp, "png": png}
    scores["differences"] = {
        rival: {"mean": mean, "standard_error": 0.02, "images": 40} for rival, mean in means.items()
    }
    assert judgements.cheapest(scores) == first
    for each in scores["differences"].values():
        each["images"] = 8
    assert judgements.cheapest(scores) is None, "eight images tell nothing"


@pytest.mark.parametrize(("bits", "cheaper"), [(None, False), (8.0, False), (8.01, True)])
def test_above_eight_bits_the_raw_pixels_are_cheaper(scores: dict[str, Any], bits: float | None, cheaper: bool) -> None:
    scores["test"]["bits_per_dim"] = bits
    assert judgements.raw_is_cheaper(scores) == cheaper


@pytest.mark.parametrize(
    ("share", "held_out", "memorised"), [(0.86, 80, False), (0.861, 80, True), (1.0, 29, False), (0.5, 80, False)]
)
def test_copies_lie_nearer_to_training_images_than_chance_has_it(
    scores: dict[str, Any], share: float, held_out: int, memorised: bool
) -> None:
    scores["memorisation"] |= {"nearest_in_training": share, "held_out": held_out}
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
    ("value", "error", "images", "found"),
    [
        (2.0, 0.1, 30, "holds"),
        (2.1, 0.1, 30, "within the noise"),
        (2.3, 0.1, 30, "estimate in error"),
        (2.3, 0.0, 8, "too few images"),  # at the cap, log 8, with no noise left: no refutation of a theorem
        (1.0, None, 1, "too few images"),
    ],
)
def test_the_rate_bounds_information(
    scores: dict[str, Any], value: float, error: float | None, images: int, found: str
) -> None:
    test = scores["test"] | {"mutual_information_nats": value, "mi_rate_nats": 2.0, "mi_images": images}
    assert judgements.inequality(test | {"standard_errors": {"mutual_information_nats": error}}) == found


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
    assert weight.beta == 1.0 and gap == Gap(15.0, 5.0, 100)
    runs[0]["test"] |= {"standard_errors": {"negative_elbo_nats": None}, "images": 1}
    assert judgements.overfitting_by_weight(grid((1.0, runs[0])))[0].gap.judged == "few"


def test_a_sweep_lists_what_went_wrong_by_weight() -> None:
    short = made_up(60.0, 0.0, bits_per_dim=48.8)
    weights = grid((1.0, made_up(60.0, 0.0)), (9.0, made_up(60.0, 0.0)), (9.0, short))
    assert judgements.states(weights) == [("hardly trained", [weights[1]])]
    assert judgements.ended(weights[1]) == ["fine", "hardly trained"]


def test_seeds_share_the_error_of_a_paired_difference() -> None:
    runs = [made_up(60.0, 0.0) | {"differences": {"png": _pair(mean, 0.1)}} for mean in (-1.0, -2.0)]
    found = grid((1.0, runs[0]), (1.0, runs[1]))
    assert judgements.against_by_weight(found, "png")[0].gap == Gap(-1.5, 0.1, 40)
    assert judgements.against_by_weight(found, "webp") == []


def _pair(mean: float, error: float) -> dict[str, Any]:
    return {"mean": mean, "standard_error": error, "images": 40}


def test_neighbours_within_two_deviations_are_inseparable() -> None:
    costs = (1.0, (9.0, 11.0)), (2.0, (29.0, 31.0)), (4.0, (32.9, 34.9)), (8.0, (36.95, 38.95))
    found = grid(*((beta, made_up(cost, 0.0)) for beta, seeds in costs for cost in seeds))
    assert [(low.beta, high.beta) for low, high in judgements.inseparable(found)] == [(2.0, 4.0)]


def test_every_run_is_compared_with_its_rate() -> None:
    found = grid((1.0, made_up(9.0, 0.0)), (2.0, made_up(2.9, 0.0)), (4.0, made_up(1.0, 0.0)))
    runs = [run for weight in found for run in weight.runs]
    assert judgements.inequalities(runs) == ["holds", "within the noise", "estimate in error"]


def test_the_exact_case_is_judged_by_its_gaps() -> None:
    rows = exact([0.5, 1.0, 8.0])["rows"]
    found = judgements.exact(rows)
    assert found.excess_rate == 0 and found.nearest == 1.0 and found.gap < judgements.EQUAL
    loose = judgements.exact([row | {"rate_nats": row["rate_nats"] + 1} for row in rows if row["beta"] != 1])
    assert loose.excess_rate == pytest.approx(1) and loose.gap > judgements.EQUAL
    assert judgements.exact(rows[-1:]).nearest == 8.0

from collections.abc import Sequence
from typing import Any

import pytest

from twofold.vae.report import claims, sweep_checks
from twofold.vae.report.plane import Weight
from vae.report.sweep_showing import exact

CAP = 5.0


def scores(rate: float, distortion: float, **changes: Any) -> dict[str, Any]:
    test = {
        "rate_nats": rate, "distortion_nats": distortion, "negative_elbo_nats": rate + distortion,
        "iw_negative_elbo_nats": rate + distortion, "iw_bound_nats": rate + distortion - 2, "latent_dim": 16,
        "active_units": 9, "sigma": 0.1, "mutual_information_nats": 3.0, "mi_rate_nats": rate, "mi_cap_nats": CAP,
        "mi_at_cap": False, "standard_errors": {"negative_elbo_nats": 3.0, "mutual_information_nats": 0.1},
    }  # fmt: skip
    train = {"negative_elbo_nats": rate + distortion, "standard_errors": {"negative_elbo_nats": 4.0}}
    told = {key: value for key, value in changes.items() if key in test}
    train |= {"negative_elbo_nats": changes.get("trained_on", rate + distortion)}
    weight = None if told.get("sigma", 0.1) is None else changes.get("effective_weight", 0.01)
    return {
        "test": test | told, "train_sample": train, "data": {"shape": [10, 3, 8, 8]},
        "objective": {"effective_weight": weight}, "likelihood": {"name": changes.get("likelihood", "gaussian")},
    }  # fmt: skip


def grid(*runs: tuple[float, dict[str, Any]]) -> list[Weight]:
    betas = sorted({beta for beta, _ in runs})
    return [Weight(beta, tuple(run for of, run in runs if of == beta)) for beta in betas]


def course(
    rates: Sequence[float], distortions: Sequence[float], betas: Sequence[float] = (0.0, 1.0, 100.0)
) -> list[Weight]:
    return grid(*((beta, scores(r, d)) for beta, r, d in zip(betas, rates, distortions, strict=True)))


USUAL = course((900.0, 60.0, 3.0), (-200.0, -100.0, 2000.0))
REVERSED = course((3.0, 60.0, 900.0), (2000.0, -100.0, -200.0))


def test_a_change_too_small_to_show_is_level() -> None:
    assert claims.trend([-16000.0, -16000.5]) == "stays"
    assert claims.trend([10.0, 10.02, 20.0]) == "rises"
    assert claims.trend([20.0, 10.0, 10.05, 5.0]) == "falls"
    assert claims.trend([20.0, 10.0, 15.0]) == "turns"


def test_the_verdict_tells_the_measured_figures() -> None:
    words = claims.verdict(USUAL)
    assert "From beta 0 to beta 100 the rate falls from 900.0 to 3.000" in words
    assert "the test distortion rises from −200.0 to 2,000" in words
    assert "rate rises" in claims.verdict(REVERSED) and "distortion falls" in claims.verdict(REVERSED)
    assert "shows no effect" in claims.verdict(USUAL[:1])


def test_the_best_weight_is_named_with_its_lead() -> None:
    assert "beta 1 is best: −40.00 nats, 740.0 below beta 0; that is the weight" in claims.lowest(USUAL)
    other = course((50.0, 60.0, 3.0), (-200.0, -100.0, 2000.0))
    assert "beta 0 is best: −150.0 nats, 110.0 below beta 1, although" in claims.lowest(other)
    assert "was not tried" in claims.lowest([USUAL[0], USUAL[2]])


def test_collapse_is_told_where_it_is() -> None:
    assert claims.collapse(USUAL) == "At no weight has the code collapsed."
    empty = grid((1.0, scores(60.0, 0.0)), (100.0, scores(0.0, 9.0, active_units=0)))
    assert "collapsed at beta 100:" in claims.collapse(empty)
    assert "9 at beta 1 and 0 at beta 100 are active" in claims.units(empty)
    half = grid((1.0, scores(60.0, 0.0)), (1.0, scores(60.0, 0.0)), (9.0, scores(60.0, 0.0)), (9.0, scores(0.1, 0.0)))
    assert "beta 9 (1 of 2 seeds)" in claims.collapse(half)


def test_the_loss_claim_is_judged_by_the_distortions() -> None:
    assert claims.original_loss(USUAL).startswith("Wrong way round for the weight")
    assert "right of the KL term's value" in claims.original_loss(USUAL)
    assert claims.original_loss(REVERSED).startswith("It holds here")
    turning = course((900.0, 60.0, 3.0), (50.0, -100.0, 2000.0))
    assert "nor the other way round" in claims.original_loss(turning) and "lowest at beta 1" in claims.original_loss(
        turning
    )
    stuck = course((60.0, 60.0, 60.0), (-200.0, -100.0, 2000.0))
    assert "right of" not in claims.original_loss(stuck)


def test_the_capacity_claim_is_judged_by_the_information() -> None:
    def informed(*values: float, capped: int = 0) -> list[Weight]:
        found = enumerate(zip((0.0, 1.0, 100.0), values, strict=True))
        rate = {"mutual_information_nats": 0.0}
        return grid(
            *(
                (b, scores(9.0, 0.0, **rate | {"mutual_information_nats": i, "mi_at_cap": k < capped}))
                for k, (b, i) in found
            )
        )

    assert claims.original_capacity(informed(4.0, 3.0, 1.0)).startswith("Not for a larger weight")
    assert "cap" not in claims.original_capacity(informed(4.0, 3.0, 1.0))
    assert claims.original_capacity(informed(1.0, 3.0, 4.0)).startswith("For a larger weight it holds here")
    assert "can only lower" not in claims.original_capacity(informed(1.0, 3.0, 4.0))
    assert claims.original_capacity(informed(3.0, 4.0, 3.0)).startswith("Neither way")
    assert "At beta 0 I stands at the cap of 5.000" in claims.original_capacity(informed(5.0, 3.0, 1.0, capped=1))
    assert claims.original_capacity(informed(5.0, 5.0, 5.0, capped=3)).startswith("Can't be told")


def test_the_bound_claim_is_judged_by_the_exact_case_and_the_distortions() -> None:
    words = claims.original_bound(USUAL, exact([0.0, 1.0, 100.0]), True)
    assert words.startswith("Wrong way round for the weight. H − D is no bound on the ELBO")
    assert "H is 7.193 nats, and from beta 1 to beta 100 H − D falls from 14.26 to −180.2" in words
    assert "Nor does it stop at H" in words
    assert "H − D changes by −2,200.0 nats from beta 0 to beta 100" in words
    turned = exact([0.0, 1.0, 100.0])
    turned["rows"][1:] = [row | {"beta": 101 - row["beta"]} for row in turned["rows"][:0:-1]]
    assert claims.original_bound(REVERSED, turned, True).startswith("For a larger weight H − D does rise here.")
    assert "changes by +2,200.0" in claims.original_bound(REVERSED, turned, True)


def test_the_bound_claim_without_figures_stays_theory() -> None:
    alone = claims.original_bound(USUAL[:1], exact([0.0]), True)
    assert alone.startswith("H − D is no bound") and "exact case" not in alone and "unknown" not in alone
    low = claims.original_bound(USUAL, exact([8.0, 100.0]), False)
    assert "Nor does it stop" not in low and "means nothing there" in low and "changes by" not in low


def test_what_beta_is_worth_follows_sigma() -> None:
    moved = grid(
        (1.0, scores(9.0, 0.0, effective_weight=0.01)), (4.0, scores(9.0, 0.0, sigma=0.2, effective_weight=0.16))
    )
    assert "beta × sigma², which rises from 0.01000 to 0.1600" in claims.worth(moved)
    assert "Sigma is learned and answers to beta: it rises from 0.1000 to 0.2000" in claims.worth(moved)
    assert "learned" not in claims.worth(USUAL)
    assert "about half" in claims.worth(grid((1.0, scores(9.0, 0.0, likelihood="logistic"))))
    assert "divided by 192" in claims.worth(grid((1.0, scores(9.0, 0.0, sigma=None))))


def test_over_fitting_is_called_by_standard_errors() -> None:
    within = grid((0.0, scores(0.0, 9.9, trained_on=0.0)))
    assert claims.overfitting(within).endswith("no over-fitting is shown.")
    beyond = grid((0.0, scores(0.0, 10.1, trained_on=0.0)), (1.0, scores(0.0, 0.0)))
    assert claims.overfitting(beyond).endswith("Over-fitting is shown at beta 0.")
    both = grid((0.0, scores(0.0, 20.0, trained_on=0.0)), (1.0, scores(0.0, 40.0, trained_on=0.0)))
    assert claims.overfitting(both).endswith("shown at beta 0 and beta 1, most at beta 1.")


def test_seeds_tell_which_neighbours_differ() -> None:
    assert claims.seeds(USUAL).startswith("One seed")
    runs = [
        (beta, scores(base + noise, 0.0)) for beta, base in ((1.0, 10.0), (2.0, 30.0), (4.0, 31.0)) for noise in (0, 1)
    ]
    words = claims.seeds(grid(*runs))
    assert words.startswith("2 seeds") and words.endswith("Not told apart by 2 deviations: beta 2 and beta 4.")
    assert claims.seeds(grid(*runs[:4])).endswith("Every two neighbours differ by more than 2 deviations.")
    assert "neighbours" not in claims.seeds(grid(*runs[:2]))


def test_slopes_are_counted() -> None:
    assert sweep_checks.slopes(USUAL) == "2 of 2 secants lie where the best runs' would."
    assert sweep_checks.slopes(REVERSED).startswith("0 of 2 secants lie ")
    astray = course((900.0, 60.0, 3.0), (-100.0, -200.0, 2000.0))
    assert sweep_checks.slopes(astray).startswith("1 of 2 secants lies") and "One outside" in sweep_checks.slopes(
        astray
    )
    assert sweep_checks.slopes(course((3.0, 3.0, 3.0), (1.0, 2.0, 3.0))).startswith("No two")


def test_information_below_the_rate_is_checked_run_by_run() -> None:
    found = grid((1.0, scores(9.0, 0.0)), (2.0, scores(2.9, 0.0)), (4.0, scores(1.0, 0.0)))
    words = sweep_checks.inequality(found)
    assert words == "I ≤ R holds in 1 of 3 runs, in 1 more within 2 standard errors of the estimate."
    capped = grid((1.0, scores(9.0, 0.0, mi_at_cap=True)), (2.0, scores(9.0, 0.0)))
    assert "holds in 2 of 2 runs. In 1 of them I is at its cap" in sweep_checks.inequality(capped)


def test_the_exact_rows_are_read_not_presumed() -> None:
    rows = exact([0.5, 1.0, 8.0])["rows"]
    words = sweep_checks.exact(rows)
    assert "holds at every weight" in words and "I and R are equal" in words and "meets them at beta 1." in words
    loose = [row | {"rate_nats": row["rate_nats"] + 1} for row in rows if row["beta"] != 1]
    assert "are equal" not in sweep_checks.exact(loose) and "comes nearest to I" in sweep_checks.exact(loose)
    assert sweep_checks.exact([rows[0] | {"holds": False}]).startswith("The inequality is broken at beta 0.5")
    assert sweep_checks.exact([]) == ""


@pytest.mark.parametrize(("proper", "told"), [(True, "is at least H"), (False, "says nothing of an entropy")])
def test_the_bound_implies_an_entropy_only_where_nats_are_a_cost(proper: bool, told: str) -> None:
    words = sweep_checks.implied(USUAL, proper)
    assert "−42.00 nats of beta 1" in words and told in words

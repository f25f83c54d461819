"""The words of sweep_findings.html.j2, which are made from figures and judgements."""

import re
from collections.abc import Sequence
from typing import Any

import pytest

from page.reading import read as read_html
from twofold.page import template
from twofold.vae.report import judgements, plane
from twofold.vae.report.plane import Weight
from twofold.vae.report.sweep import SweepView
from vae.report.sweep_showing import REVERSED, USUAL, course, exact, grid, scores


def say(finding: str, weights: Sequence[Weight], *given: Any, closed: dict[str, Any] | None = None) -> str:
    """One finding's text, as a browser shows it; `closed` is the block of closed forms of sweep.json."""
    names = {"grid": weights, "view": SweepView(weights, [], []), "summary": {"sandwich": closed}}
    macros = template._environment().get_template("vae/report/sweep_findings.html.j2")
    found = macros.make_module(names | {"plane": plane, "judge": judgements})
    return re.sub(r"[ \n]+", " ", read_html(getattr(found, finding)(*given)).text).strip()


def test_a_course_is_told_by_its_ends() -> None:
    assert say("moves", [], [900.0, 60.0, 3.0]) == "falls from 900.0 to 3.000"
    assert say("moves", [], [1.0, 3.0, 2.0]) == "goes from 1.000 to 2.000, up and down on the way"
    assert say("moves", [], [2.0, 2.0]) == "stays at 2.000"


def test_the_verdict_tells_the_measured_figures() -> None:
    words = say("verdict", USUAL)
    assert "From beta 0 to beta 100 the rate falls from 900.0 to 3.000" in words
    assert "the test distortion rises from −200.0 to 2,000" in words
    assert "Of 16 units of the code, 9 at beta 0 and 9 at beta 100 are active. At no weight" in words
    assert "rate rises" in say("verdict", REVERSED) and "distortion falls" in say("verdict", REVERSED)
    assert "shows no effect of it. Scored on the one ELBO (beta = 1) it reaches 700.0 nats." in say(
        "verdict", USUAL[:1]
    )


def test_the_best_weight_is_named_with_its_lead() -> None:
    assert "beta 1 is best: −40.00 nats, 740.0 below beta 0; that is the weight" in say("lowest", USUAL)
    other = course((50.0, 60.0, 3.0), (-200.0, -100.0, 2000.0))
    assert "beta 0 is best: −150.0 nats, 110.0 below beta 1, although" in say("lowest", other)
    assert "was not tried" in say("lowest", [USUAL[0], USUAL[2]])


def test_collapse_is_told_where_it_is() -> None:
    assert say("collapse", USUAL) == "At no weight has the code collapsed."
    empty = grid((1.0, scores(60.0, 0.0)), (100.0, scores(0.0, 9.0, active_units=0)))
    assert "collapsed at beta 100:" in say("collapse", empty)
    assert "9 at beta 1 and 0 at beta 100 are active" in say("verdict", empty)
    half = grid((1.0, scores(60.0, 0.0)), (1.0, scores(60.0, 0.0)), (9.0, scores(60.0, 0.0)), (9.0, scores(0.1, 0.0)))
    assert "beta 9 (1 of 2 seeds)" in say("collapse", half)


def test_units_are_counted_whole_where_every_seed_has_as_many() -> None:
    runs = [(beta, scores(60.0, 0.0, active_units=count)) for beta, count in ((1.0, 9), (1.0, 10), (2.0, 4), (2.0, 4))]
    assert "9.5 at beta 1 and 4 at beta 2 are active" in say("verdict", grid(*runs))


def test_the_loss_claim_is_judged_by_the_distortions() -> None:
    assert say("original_loss", USUAL).startswith("Wrong way round for the weight")
    assert "right of the KL term's value" in say("original_loss", USUAL)
    assert say("original_loss", REVERSED).startswith("It holds here")
    turning = say("original_loss", course((900.0, 60.0, 3.0), (50.0, -100.0, 2000.0)))
    assert "nor the other way round" in turning and "lowest at beta 1" in turning
    assert "right of" not in say("original_loss", course((60.0, 60.0, 60.0), (-200.0, -100.0, 2000.0)))
    assert say("original_loss", USUAL[:1]) == "One weight alone can't tell."


def test_the_capacity_claim_is_judged_by_the_information() -> None:
    def told(*values: float, capped: int = 0) -> str:
        runs = [scores(9.0, 0.0, mutual_information_nats=v, mi_at_cap=k < capped) for k, v in enumerate(values)]
        return say("original_capacity", grid(*zip((0.0, 1.0, 100.0), runs, strict=False)))

    assert told(4.0, 3.0, 1.0).startswith("Not for a larger weight") and "cap" not in told(4.0, 3.0, 1.0)
    assert told(1.0, 3.0, 4.0).startswith("For a larger weight it holds here")
    assert "can only lower" not in told(1.0, 3.0, 4.0)
    assert told(3.0, 4.0, 3.0).startswith("Neither way")
    assert "At beta 0 I stands at the cap of 5.000" in told(5.0, 3.0, 1.0, capped=1)
    assert told(5.0, 5.0, 5.0, capped=3).startswith("Can't be told")
    assert told(5.0) == "One weight alone can't tell."


def test_the_bound_claim_is_judged_by_the_exact_case_and_the_distortions() -> None:
    words = say("original_bound", USUAL, closed=exact([0.0, 1.0, 100.0]))
    assert words.startswith("Wrong way round for the weight. H − D is no bound on the ELBO")
    assert "H is 7.193 nats, and from beta 1 to beta 100 H − D falls from 14.26 to −180.2" in words
    assert "Nor does it stop at H" in words
    assert "H − D changes by −2,200.0 nats from beta 0 to beta 100" in words
    turned = exact([0.0, 1.0, 100.0])
    turned["rows"][1:] = [row | {"beta": 101 - row["beta"]} for row in turned["rows"][:0:-1]]
    words = say("original_bound", REVERSED, closed=turned)
    assert words.startswith("For a larger weight H − D does rise here.") and "changes by +2,200.0" in words


def test_the_bound_claim_without_figures_stays_theory() -> None:
    alone = say("original_bound", USUAL[:1], closed=exact([0.0]))
    assert alone.startswith("H − D is no bound") and "exact case" not in alone and "unknown" not in alone
    bernoulli = grid(*((beta, scores(9.0, beta, likelihood="bernoulli")) for beta in (0.0, 1.0)))
    low = say("original_bound", bernoulli, closed=exact([8.0, 100.0]))
    assert "Nor does it stop" not in low and "means nothing there" in low and "changes by" not in low


def test_what_beta_is_worth_follows_sigma() -> None:
    moved = grid(
        (1.0, scores(9.0, 0.0, effective_weight=0.01)), (4.0, scores(9.0, 0.0, sigma=0.2, effective_weight=0.16))
    )
    assert "beta × sigma², which rises from 0.01000 to 0.1600" in say("worth", moved)
    assert "Sigma is learned and answers to beta: it rises from 0.1000 to 0.2000" in say("worth", moved)
    assert "learned" not in say("worth", USUAL)
    assert "about half" in say("worth", grid((1.0, scores(9.0, 0.0, likelihood="logistic"))))
    assert "divided by 192" in say("worth", grid((1.0, scores(9.0, 0.0, sigma=None))))


def test_over_fitting_is_called_by_standard_errors() -> None:
    within = grid((0.0, scores(0.0, 9.9, trained_on=0.0)))
    assert say("overfitting", within).endswith("no over-fitting is shown.")
    beyond = grid((0.0, scores(0.0, 10.1, trained_on=0.0)), (1.0, scores(0.0, 0.0)))
    assert say("overfitting", beyond).endswith("Over-fitting is shown at beta 0.")
    both = grid((0.0, scores(0.0, 20.0, trained_on=0.0)), (1.0, scores(0.0, 40.0, trained_on=0.0)))
    assert say("overfitting", both).endswith("shown at beta 0 and beta 1, most at beta 1.")


def test_seeds_tell_which_neighbours_differ() -> None:
    assert say("seeds", USUAL).startswith("One seed")
    runs = [
        (beta, scores(base + noise, 0.0)) for beta, base in ((1.0, 10.0), (2.0, 30.0), (4.0, 31.0)) for noise in (0, 1)
    ]
    words = say("seeds", grid(*runs))
    assert words.startswith("2 seeds") and words.endswith("Not told apart by 2 deviations: beta 2 and beta 4.")
    assert say("seeds", grid(*runs[:4])).endswith("Every two neighbours differ by more than 2 deviations.")
    assert "neighbours" not in say("seeds", grid(*runs[:2]))


def test_slopes_are_counted() -> None:
    assert say("slopes", USUAL) == "2 of 2 secants lie where the best runs' would."
    assert say("slopes", REVERSED).startswith("0 of 2 secants lie ")
    astray = say("slopes", course((900.0, 60.0, 3.0), (-100.0, -200.0, 2000.0)))
    assert astray.startswith("1 of 2 secants lies") and "One outside" in astray
    assert say("slopes", course((3.0, 3.0, 3.0), (1.0, 2.0, 3.0))).startswith("No two")


def test_information_below_the_rate_is_checked_run_by_run() -> None:
    found = grid((1.0, scores(9.0, 0.0)), (2.0, scores(2.9, 0.0)), (4.0, scores(1.0, 0.0)))
    words = say("inequality", found)
    assert words == "I ≤ R holds in 1 of 3 runs, in 1 more within 2 standard errors of the estimate."
    capped = grid((1.0, scores(9.0, 0.0, mi_at_cap=True)), (2.0, scores(9.0, 0.0)))
    assert "holds in 2 of 2 runs. In 1 of them I is at its cap" in say("inequality", capped)


def test_the_exact_rows_are_read_not_presumed() -> None:
    rows = exact([0.5, 1.0, 8.0])["rows"]
    words = say("exact", [], rows)
    assert "holds at every weight" in words and "I and R are equal" in words and "meets them at beta 1." in words
    loose = say("exact", [], [row | {"rate_nats": row["rate_nats"] + 1} for row in rows if row["beta"] != 1])
    assert "are equal" not in loose and "comes nearest to I" in loose
    assert say("exact", [], [rows[0] | {"holds": False}]).startswith("The inequality is broken at beta 0.5")
    assert say("exact", [], []) == ""


@pytest.mark.parametrize(
    ("likelihood", "told"), [("gaussian", "is at least H"), ("bernoulli", "says nothing of an entropy")]
)
def test_the_bound_implies_an_entropy_only_where_nats_are_a_cost(likelihood: str, told: str) -> None:
    words = say("implied", grid((1.0, scores(60.0, -100.0, likelihood=likelihood))))
    assert "−42.00 nats of beta 1" in words and told in words

import polars as pl
import pytest

from twofold.trend.report.judgements import Trust, trust

WINDOWS = pl.DataFrame({"origin": [1, 1, 2, 3], "label": [True, False, False, True], "p": [0.9, 0.2, 0.3, 0.6]})


def _trust(low: float | None, high: float | None, claimed: bool = True, difference: float | None = -0.02) -> Trust:
    pair = {"difference": difference, "low": low, "high": high}
    return trust(WINDOWS, "p", {"ece": 0.04}, best=("renewal", 0.5), pair=pair, claimed=claimed)


@pytest.mark.parametrize(
    ("low", "high", "claimed", "claim"),
    [
        (-0.03, -0.01, True, "better"),
        (0.01, 0.03, True, "worse"),
        (-0.03, 0.01, True, "unclear"),
        (-0.03, -0.01, False, "few"),
        (None, None, True, "few"),
    ],
)
def test_a_claim_needs_an_interval_without_0_and_enough_dates(
    low: float | None, high: float | None, claimed: bool, claim: str
) -> None:
    assert _trust(low, high, claimed).claim == claim


def test_a_gain_has_the_sign_of_its_words_and_the_baselines_score_as_its_whole() -> None:
    found = _trust(-0.03, -0.01)
    assert (found.gain, found.low, found.high) == (0.02, 0.01, 0.03)
    assert found.share == pytest.approx(0.04) and (found.windows, found.dates) == (4, 3)
    assert (found.given, found.happened) == (pytest.approx(0.5), 0.5)


def test_without_a_baseline_nothing_is_compared() -> None:
    found = trust(WINDOWS.head(0), "p", {"ece": None}, best=None, pair=None, claimed=False)
    assert (found.claim, found.gain, found.share, found.calibration, found.windows) == ("none", None, None, None, 0)
    assert _trust(None, None, difference=None).claim == "none"


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [(0.5, 0.04, "close"), (0.5, 0.08, "uneven"), (0.54, 0.04, "high"), (0.46, 0.04, "low"), (0.52, 0.05, "close")],
)
def test_calibration_is_read_by_the_mean_and_by_the_error(given: float, error: float, said: str) -> None:
    windows = WINDOWS.with_columns(p=pl.lit(given))
    found = trust(windows, "p", {"ece": error}, best=None, pair=None, claimed=True)
    assert found.calibration == said

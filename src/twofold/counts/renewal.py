"""The renewal model: the reproduction number R from counts, and the counts that it leads to.

Expected counts are R times the total infectiousness, past counts weighed by the serial interval. R is constant in a
window of dates that ends at the newest one, and stays what it was; counts around their expectation are Poisson for the
posterior of R and negative binomial for what is forecast. All in closed form: no number is drawn.

**Days and weeks.** Daily counts take the interval in days. In weekly counts nearly all of it lies within the week, so
the interval is one step: x[t] is then expected to be R x[t-1], and this R is the weekly growth factor, whose posterior
is that of a ratio of Poisson means. At steady growth it is the R of the disease on another scale: with a factor g a
week, growth of r = log(g) / 7 a day and a gamma interval of mean m and deviation s days, R is
(1 + r s² / m)^((m / s)²) (Wallinga & Lipsitch). Both are above 1 together, and neither that nor a forecast from steady
growth needs the interval.

Source:
    Fraser (2007), Estimating individual and household reproduction numbers in an emerging epidemic, PLoS ONE 2(8):
    e758; Cori et al. (2013), A new framework and software to estimate time-varying reproduction numbers during
    epidemics, American Journal of Epidemiology 178(9), and their R package EpiEstim; Wallinga & Lipsitch (2007), How
    generation intervals shape the relationship between growth rates and reproductive numbers, Proceedings of the Royal
    Society B 274.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

PRIOR_SHAPE, PRIOR_SCALE = 1.0, 5.0
"""Gamma prior of R, of mean 5 and deviation 5: that of Cori et al. and of EpiEstim."""
INTERVALS = {"influenza": (2.6, 1.5), "COVID-19": (4.7, 2.9)}
"""Mean and standard deviation of the serial interval, days.

Influenza: Ferguson et al. (2005), Strategies for containing an emerging influenza pandemic in Southeast Asia, Nature
437, as in EpiEstim's example. COVID-19: Nishiura, Linton & Akhmetzhanov (2020), Serial interval of novel coronavirus
(COVID-19) infections, International Journal of Infectious Diseases 93, the pairs that are most certain.
"""
ONE_STEP = np.ones(1)
"""The serial interval of weekly counts."""
WINDOWS = 1, 2, 3, 4
"""Weeks of the window in which R is constant, to choose from; whole weeks even out the days of the week.

Cori et al. take one week. That a window be chosen by how well it predicted: Parag & Donnelly (2020), Using information
theory to optimise epidemic models for real-time prediction and estimation, PLoS Computational Biology 16(7): e1007990.
"""
MOST_FITTED = 5_000
"""Past forecasts that a dispersion is fitted on, at most."""
_LONGEST = 60  # days of an interval
_LEFT = 1e-6  # of its probability, cut off at its end
_DISPERSIONS = 1e-2, 1e5  # least and largest size of the negative binomial noise; the largest is Poisson
_NODES, _SHARES = np.polynomial.hermite_e.hermegauss(5)
_SHARES = _SHARES / _SHARES.sum()
_DAYS = 7
Column = Float[np.ndarray, "n"]
Weights = Float[np.ndarray, "lags"]


def serial_interval(mean: float, deviation: float) -> Weights:
    """Probabilities that a serial interval is 1, 2, … days, until less than a millionth is left.

    A gamma distribution moved by one day, of which a day's share is taken with triangular weights, since both onsets
    may lie anywhere in their days: the expectation is the mean itself.

    Args:
        mean: days, above 1.
        deviation: standard deviation, days, above 0.

    Source:
        Cori et al. (2013), web appendix 11; EpiEstim's `discr_si`.
    """
    from scipy.special import gammainc

    shape, scale = ((mean - 1.0) / deviation) ** 2, deviation**2 / (mean - 1.0)
    edges = np.arange(-1.0, _LONGEST + 1.0)  # k - 2, k - 1 and k of k = 1, 2, …
    within = np.maximum(edges, 0.0) / scale
    # The integral of the distribution function of the moved gamma, whose second difference is the triangular share.
    area = edges * gammainc(shape, within) - (mean - 1.0) * gammainc(shape + 1.0, within)
    share = area[2:] - 2.0 * area[1:-1] + area[:-2]
    days = int((share.cumsum() < 1.0 - _LEFT).sum()) + 1
    return share[:days] / share[:days].sum()


def infectiousness(counts: Float[np.ndarray, "regions dates"], interval: Weights) -> Float[np.ndarray, "regions dates"]:
    """Total infectiousness of each date: the counts before it, weighed by the interval; 0 on the first date."""
    total = np.zeros(counts.shape)
    for lag, weight in enumerate(interval[: counts.shape[1] - 1], start=1):
        total[:, lag:] += weight * counts[:, :-lag]
    return total


@dataclass(frozen=True)
class Posterior:
    """Gamma distributions of R.

    Attributes:
        shape: the prior's, plus the cases in the window.
        rate: the prior's, plus the total infectiousness in the window.
    """

    shape: Column
    rate: Column

    @classmethod
    def of(cls, cases: Column, infectiousness: Column) -> "Posterior":
        """Of the cases of a window and the sum of its dates' total infectiousness."""
        return cls(PRIOR_SHAPE + cases, 1.0 / PRIOR_SCALE + infectiousness)

    def nodes(self) -> tuple[Float[np.ndarray, "n nodes"], Float[np.ndarray, "nodes"]]:
        """Values of R, and their weights: Gauss-Hermite quadrature of the cube root of R, which is about normal.

        Source:
            Wilson & Hilferty (1931), The distribution of chi-square, PNAS 17(12).
        """
        part = 1.0 / (9.0 * self.shape[:, None])
        root = np.maximum(1.0 - part + _NODES * np.sqrt(part), 0.0)
        return self.shape[:, None] / self.rate[:, None] * root**3, _SHARES


@dataclass(frozen=True)
class Outlook:
    """What the posterior of R says of sums of counts, apart from the noise around their expectation.

    Attributes:
        mean: expected count.
        spread: its variance, as far as R is unknown.
        square: sum over the dates of the expected squares of their expectations; noise of size k adds square / k.
    """

    mean: Column
    spread: Column
    square: Column

    def __getitem__(self, rows: np.ndarray) -> "Outlook":
        """Some of the sums."""
        return Outlook(self.mean[rows], self.spread[rows], self.square[rows])

    def size(self, dispersion: float) -> Column:
        """The size of the negative binomial distribution that has the mean and the variance of the sum."""
        extra = self.spread + self.square / dispersion
        return np.where(extra > 0.0, self.mean**2 / np.where(extra > 0.0, extra, 1.0), np.inf)

    def exceed(self, threshold: Column, dispersion: float) -> Column:
        """P(sum > threshold): 0 where no case is expected, 1 for a threshold below 0."""
        from scipy.special import betainc

        known, size = self.mean > 0.0, self.size(dispersion)
        chance = np.zeros(len(self.mean))
        part = self.mean[known] / (self.mean[known] + size[known])
        chance[known] = betainc(np.floor(np.maximum(threshold[known], 0.0)) + 1.0, size[known], part)
        return np.where(threshold < 0.0, 1.0, chance)

    def quantiles(self, levels: Float[np.ndarray, "levels"], dispersion: float) -> Float[np.ndarray, "n levels"]:
        """Quantiles of the sum, of the continuous distribution that is uniform within half a case of each count."""
        from scipy.stats import nbinom

        found = np.zeros((len(self.mean), len(levels)))
        known = self.mean > 0.0
        mean, size = (part[known, None] for part in (self.mean, self.size(dispersion)))
        law = size, size / (size + mean)
        count = nbinom.ppf(levels, *law)
        found[known] = count + 0.5 - (nbinom.cdf(count, *law) - levels) / nbinom.pmf(count, *law)
        return found


def look_ahead(
    recent: Float[np.ndarray, "n dates"],
    interval: Weights,
    posterior: Posterior,
    dates: tuple[int, int],
    reported: Float[np.ndarray, "n 7"] | None = None,
) -> Outlook:
    """The sum of the counts of some dates ahead, if R stays what it is; counts not yet known are their expectation.

    Args:
        recent: counts of the newest dates, the newest last; those before count as 0.
        interval: of the counts' step.
        posterior: of R.
        dates: first and last date of the sum; 1 is the one after the newest.
        reported: of the first seven dates ahead, and of those after them in turn, the share of the expected count that
            is reported on that day of the week, 1 on average; None: no such rhythm.
    """
    first, last = dates
    r, shares = posterior.nodes()
    expected: list[np.ndarray] = []
    for ahead in range(1, last + 1):
        force = np.zeros(r.shape)
        for lag, weight in enumerate(interval, start=1):  # a matrix product's rounding depends on the machine
            if lag < ahead:
                force += weight * expected[ahead - lag - 1]
            elif lag - ahead < recent.shape[1]:
                force += weight * recent[:, [ahead - lag - 1]]
        expected.append(r * force)
    if reported is not None:
        expected = [part * reported[:, [date % _DAYS]] for date, part in enumerate(expected)]
    summed = np.sum(expected[first - 1 :], axis=0)
    mean = _mean(summed, shares)
    spread = _mean((summed - mean[:, None]) ** 2, shares)
    return Outlook(mean, spread, sum((_mean(part**2, shares) for part in expected[first - 1 :]), np.zeros(len(r))))


def weekly_rhythm(
    cases: Float[np.ndarray, "n 28"], infectiousness: Float[np.ndarray, "n 28"]
) -> Float[np.ndarray, "n 7"]:
    """How much of what is expected is reported on each of the next seven days of the week, by the last four weeks.

    The ratio of the day's cases to those expected of a constant R, each with one case added: the posterior mean of a
    factor whose prior is a gamma distribution of mean 1.

    Source:
        The effect of the day of the week in EpiNow2: Abbott et al. (2020), Estimating the time-varying reproduction
        number of SARS-CoV-2 using national and subnational case counts, Wellcome Open Research 5:112.
    """
    r = cases.sum(axis=1) / np.maximum(infectiousness.sum(axis=1), 1e-12)
    by_day, force = (part.reshape(len(part), 4, _DAYS).sum(axis=1) for part in (cases, infectiousness))
    return (by_day + 1.0) / (r[:, None] * force + 1.0)


def _mean(values: Float[np.ndarray, "n nodes"], shares: Float[np.ndarray, "nodes"]) -> Column:
    return np.sum([share * values[:, node] for node, share in enumerate(shares)], axis=0)


def fit_dispersion(outlook: Outlook, observed: Column, weight: Column) -> tuple[float, float]:
    """The size of the noise with which past sums are likeliest: a date's count has the variance mean + mean² / size.

    Fitted to forecasts of the same kind as those that it is for, it also holds what R changed meanwhile. Sums of which
    no case was expected teach nothing.

    Args:
        outlook: on the past sums, each from what was known before it.
        observed: these sums.
        weight: of each.

    Returns:
        The size, and minus the log likelihood, up to a constant of `observed`.

    Source:
        Maximum likelihood: Lloyd-Smith (2007), Maximum likelihood estimation of the negative binomial dispersion
        parameter for highly overdispersed data, PLoS ONE 2(2): e180.
    """
    from scipy.optimize import minimize_scalar

    known = np.flatnonzero((outlook.mean > 0.0) & (weight > 0.0))
    part = outlook[known]
    best: Any = minimize_scalar(
        lambda log: _loss(part, observed[known], weight[known], float(np.exp(log))),
        bounds=np.log(_DISPERSIONS),
        method="bounded",
        options={"xatol": 1e-2},
    )
    return float(np.exp(best.x)), float(best.fun)


def spread_out(rows: np.ndarray, most: int = MOST_FITTED) -> np.ndarray:
    """Of many rows `most`, evenly spread."""
    return rows[np.linspace(0, len(rows) - 1, most).astype(int)] if len(rows) > most else rows


def _loss(outlook: Outlook, observed: Column, weight: Column, dispersion: float) -> float:
    """Minus the log likelihood, without what no outlook changes."""
    from scipy.special import gammaln

    mean, size = outlook.mean, outlook.size(dispersion)
    chance = gammaln(observed + size) - gammaln(size) - size * np.log1p(mean / size)
    return float(-(weight * (chance + observed * np.log(mean / (mean + size)))).sum())

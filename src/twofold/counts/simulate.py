"""The embedded default data: a simulated stochastic renewal epidemic over real countries."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from twofold.counts.panel import Panel
from twofold.engine.errors import InputError

COUNTRIES = {
    "Africa": "ao bf bi bj bw cd cf cg ci cm cv dj dz eg er et ga gh gm gn gq gw ke km lr ls ly ma mg ml mr mu mw "
    "mz na ne ng rw sc sd sl sn so ss st sz td tg tn tz ug za zm zw",
    "Americas": "ag ar bb bo br bs bz ca cl co cr cu dm do ec gd gt gy hn ht jm kn lc mx ni pa pe py sr sv tt us uy "
    "vc ve",
    "Asia": "ae af am az bd bh bn bt cn ge id il in iq ir jo jp kg kh kr kw kz la lb lk mm mn mv my np om ph pk "
    "qa sa sg sy th tj tl tr tw uz vn ye",
    "Europe": "ad al at ba be bg by ch cy cz de dk ee es fi fr gb gr hr hu ie is it li lt lu lv mc md me mk mt nl "
    "no pl pt ro rs ru se si sk sm ua",
    "Oceania": "au fj ki nz pg sb vu ws",
}
"""Lower-case ISO 3166-1 codes by continent; the epidemics of a continent are correlated."""

FIRST_DAY = np.datetime64("2024-01-01")
_BURN_IN_DAYS = 40


@dataclass(frozen=True)
class Assumptions:
    """Parameters of the simulated epidemic: round numbers of the size reported for respiratory viruses.

    Attributes:
        generation_mean_days: mean of the gamma-distributed time between two successive infections.
        generation_sd_days: its standard deviation.
        delay_mean_days: mean time from infection to report (gamma).
        delay_sd_days: its standard deviation.
        basic_r: reproduction number while log R deviates by 0.
        memory: day-to-day autocorrelation of the deviations of log R.
        shared_sd: standard deviation of the component of log R that all countries share.
        part_sd: of the component that the countries of a continent share.
        own_sd: of each country's own component.
        dispersion: size parameter of the negative binomial reports (variance = mean + mean² / dispersion).
    """

    generation_mean_days: float = 6.5
    generation_sd_days: float = 3.5
    delay_mean_days: float = 7.0
    delay_sd_days: float = 4.0
    basic_r: float = 1.15
    memory: float = 0.97
    shared_sd: float = 0.12
    part_sd: float = 0.12
    own_sd: float = 0.15
    dispersion: float = 12.0


ASSUMPTIONS = Assumptions()


def simulate(seed: int, dates: int = 200, assumptions: Assumptions = ASSUMPTIONS) -> Panel:
    """Simulates daily reports of an epidemic in about 180 countries, as running totals.

    Infections follow the renewal equation I[t] ~ Poisson(R[t] · S[t]/N · Σ_s w[s] I[t-s] + imported[t]) with a
    discretised gamma generation interval w. log R[t] is the sum of a shared, a regional and a country's own
    autoregression, so countries are correlated. Countries start late, each by its own date of first
    import. Reports are infections smeared by a delay, thinned by a country's share of reported cases and its weekday
    pattern, and drawn from a negative binomial.

    Equal seeds give equal panels, whose notes say that they are simulated.

    Raises:
        InputError: when `dates` is below 3.

    Source:
        Renewal equation: C. Fraser (2007), "Estimating individual and household reproduction numbers in an emerging
        epidemic", PLoS ONE 2(8): e758. Discretised interval and R[t]: A. Cori, N. M. Ferguson, C. Fraser,
        S. Cauchemez (2013), "A new framework and software to estimate time-varying reproduction numbers during
        epidemics", American Journal of Epidemiology 178(9): 1505-1512. Negative binomial reports:
        J. O. Lloyd-Smith (2007), "Maximum likelihood estimation of the negative binomial dispersion parameter for
        highly overdispersed data", PLoS ONE 2(2): e180.
    """
    if dates < 3:
        raise InputError(f"dates must be at least 3, got {dates}")
    rng = np.random.Generator(np.random.PCG64(seed))
    names, parts = _countries()
    days, memory = dates + _BURN_IN_DAYS, assumptions.memory
    shared = assumptions.shared_sd * _autoregression(rng, 1, days, memory)
    regional = assumptions.part_sd * _autoregression(rng, int(parts.max()) + 1, days, memory)
    own = assumptions.own_sd * _autoregression(rng, len(parts), days, memory)
    log_r = np.log(assumptions.basic_r) + (shared + regional[parts] + own)
    infections = _infections(rng, np.exp(log_r), assumptions)
    reports = _reports(rng, infections, assumptions)[:, _BURN_IN_DAYS:]
    note = (
        f"Simulated: a stochastic renewal epidemic (Fraser 2007; Cori et al. 2013) over {len(names)} real countries, "
        f"seed {seed}. No number in it was observed; it says nothing about any country."
    )
    return Panel(names, FIRST_DAY + np.arange(dates), np.cumsum(reports, axis=1), "cumulative", (note,))


def _countries() -> tuple[tuple[str, ...], Int64[np.ndarray, "regions"]]:
    """Names in alphabetical order, and the index of each one's continent."""
    import pycountry

    countries: dict[str, int] = {}
    for part, codes in enumerate(COUNTRIES.values()):
        for country in map(pycountry.countries.lookup, codes.split()):
            countries[getattr(country, "common_name", country.name)] = part
    names = tuple(sorted(countries))
    return names, np.array([countries[name] for name in names], dtype=np.int64)


def _autoregression(rng: np.random.Generator, rows: int, days: int, memory: float) -> Float64[np.ndarray, "rows days"]:
    """Stationary first-order autoregressions of unit variance."""
    noise = rng.standard_normal((rows, days))
    noise[:, 1:] *= np.sqrt(1 - memory**2)
    for t in range(1, days):
        noise[:, t] += memory * noise[:, t - 1]
    return noise


def _infections(
    rng: np.random.Generator, r: Float64[np.ndarray, "regions days"], assumptions: Assumptions
) -> Int64[np.ndarray, "regions days"]:
    """Draws infections day by day, each from those still susceptible."""
    regions, days = r.shape
    weights = _discretised_gamma(assumptions.generation_mean_days, assumptions.generation_sd_days)
    population = rng.lognormal(mean=np.log(8e6), sigma=1.8, size=regions)
    start = rng.gamma(shape=3.0, scale=25.0, size=regions)
    imported = np.where(np.arange(days) >= start[:, None], rng.lognormal(-0.5, 1.0, size=(regions, 1)), 0.0)
    infections = np.zeros((regions, days), dtype=np.int64)
    susceptible = population.copy()
    for t in range(days):
        force = np.zeros(regions)
        for lag, weight in enumerate(weights[:t], start=1):  # a matrix product's rounding depends on the machine
            force += weight * infections[:, t - lag]
        expected = r[:, t] * force * susceptible / population + imported[:, t]
        infections[:, t] = np.minimum(rng.poisson(expected), susceptible)
        susceptible -= infections[:, t]
    return infections


def _reports(
    rng: np.random.Generator, infections: Int64[np.ndarray, "regions days"], assumptions: Assumptions
) -> Int64[np.ndarray, "regions days"]:
    """Draws reported cases: delayed, thinned, with a weekly pattern, overdispersed."""
    regions, days = infections.shape
    delay = _discretised_gamma(assumptions.delay_mean_days, assumptions.delay_sd_days)
    smeared = np.zeros((regions, days))
    for lag, weight in enumerate(delay, start=1):
        smeared[:, lag:] += weight * infections[:, :-lag]
    reported_share = rng.beta(3.0, 5.0, size=(regions, 1))
    # One factor per weekday, of mean 1: a weekend dip and a rebound whose depth differs by country, and noise.
    rhythm = np.array([-0.1, 0.3, 0.3, 0.2, 0.2, -0.3, -0.6])[[3, 4, 5, 6, 0, 1, 2]]  # day 0 of the epoch is a Thursday
    depth = rng.uniform(0.0, 1.0, size=(regions, 1))
    factors = np.exp(depth * rhythm + 0.05 * rng.standard_normal((regions, 7)))
    factors = factors / factors.mean(axis=1, keepdims=True)
    weekday = (FIRST_DAY - _BURN_IN_DAYS + np.arange(days)).astype(int) % 7
    expected = smeared * reported_share * factors[:, weekday]
    k = assumptions.dispersion
    return rng.negative_binomial(k, k / (k + expected))


def _discretised_gamma(mean_days: float, sd_days: float, days: int = 30) -> Float64[np.ndarray, "days"]:
    """Probabilities of 1, 2, … days for a gamma-distributed time, by differences of its distribution function."""
    from scipy.special import gammainc  # takes half a second, and only a simulation needs it

    shape, scale = (mean_days / sd_days) ** 2, sd_days**2 / mean_days
    edges = np.concatenate([[0.0], np.arange(days) + 1.5])
    steps = np.diff(gammainc(shape, edges / scale))
    return steps / steps.sum()

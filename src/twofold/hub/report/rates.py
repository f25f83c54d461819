"""The probabilities of the categories of change: what the page shows of them, and the figures."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Float
from matplotlib.figure import Figure

from twofold.hub.report import figures, maps, wording
from twofold.hub.report.backtest import Backtest, Row, other_team, series
from twofold.hub.report.judgements import Phase, Reading, phases, reading
from twofold.hub.rules import WEEK, RateChange
from twofold.hub.scores import common, mean_scores
from twofold.hub.tables import UNIT
from twofold.page.album import Album
from twofold.scoring.binary import ReliabilityBin, ece, reliability


class Calibration(NamedTuple):
    """Calibration of the probability of an event: mean probability, observed share, ECE, bins."""

    n: int
    given: float
    happened: float
    ece: float
    bins: list[ReliabilityBin]


@dataclass(frozen=True)
class RateView(Backtest):
    """Forecasts of categories, and the values that the page shows of them.

    Attributes:
        forecasts: of all models, ours and others', one row per category.
        truth: outcomes, one row per reference date, horizon and location.
        scored: every forecast's scores.
    """

    forecasts: pl.DataFrame
    truth: pl.DataFrame
    scored: pl.DataFrame

    @property
    def change(self) -> RateChange:
        """The rules of the categories."""
        assert self.rules.rate_change is not None
        return self.rules.rate_change

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the categories from falling to rising."""
        return self.change.categories

    @property
    def target(self) -> str:
        """The hub's name for what is forecast."""
        return self.change.target

    @property
    def default(self) -> str:
        """Name of our default model."""
        return self.scores["default"]

    @cached_property
    def ensemble(self) -> str | None:
        """Name of the hub's ensemble; None where it made no forecast that the default made, too."""
        return self._if_met(self.scores["ensemble"])

    @cached_property
    def baseline(self) -> str | None:
        """Name of the hub's baseline; None where it made no forecast that the default made, too."""
        return self._if_met(self.scores["baseline"])

    def _if_met(self, name: str) -> str | None:
        own, other = (self.scored.filter(pl.col("model") == each).select(UNIT) for each in (self.default, name))
        return name if own.join(other, on=UNIT, how="semi").height else None

    @property
    def plain(self) -> list[str]:
        """Models without skill: the hub's baseline and those that scores.json lists under `no_skill`."""
        named = dict.fromkeys([self.scores["baseline"], *self.scores["no_skill"]])
        return [name for name in named if name in self.scores["models"]]

    @property
    def best_peer(self) -> str | None:
        """The other team's model with the lowest relative RPS on the common forecasts, else RPS; None without one."""
        ranked = [name for name, _ in self.ranked("common")]
        return other_team(ranked, {*self.scores["ours"], *self.plain}, self.scores["ensemble"])

    @property
    def comparators(self) -> dict[str, str]:
        """Models that the default is compared with in detail: the hub's ensemble, the best peer, where they exist."""
        found = {"ensemble": self.ensemble, "peer": self.best_peer}
        return {word: name for word, name in found.items() if name is not None}

    @property
    def shown(self) -> list[str]:
        """The few models that figures compare: default, ensemble, best peer, baseline, where they exist."""
        return list(
            dict.fromkeys([self.default, *self.comparators.values(), *([self.baseline] if self.baseline else [])])
        )

    @cached_property
    def level_field(self) -> pl.DataFrame:
        """The scores of `shown`, on the forecasts that all of them made."""
        return common(self.scored.filter(pl.col("model").is_in(self.shown)), self.truth, coverage=1e-9)

    def ranked(self, part: str) -> list[tuple[str, Row]]:
        """Models and their scores in `models` or `common`, best relative RPS first, else best RPS."""

        def order(row: tuple[str, Row]) -> tuple[float, float, str]:
            relative, rps = (row[1].get(key) for key in ("relative_rps", "rps"))
            return float("inf") if relative is None else relative, float("inf") if rps is None else rps, row[0]

        return sorted(self.scores[part].items(), key=order)

    @property
    def rank(self) -> int | None:
        """The default's place in the ranking on the common forecasts, from 1; None where it has none."""
        names = [name for name, _ in self.ranked("common")]
        return names.index(self.default) + 1 if self.default in names else None

    def block(self, model: str) -> Row:
        """A model's scores on the common forecasts, else on all its own."""
        return self.scores["common"].get(model) or self.scores["models"][model]

    def best(self, part: str) -> dict[str, float | None]:
        """The best value of each score in `models` or `common`; None where there are not two to compare.

        Of means of different forecasts none is the best: who forecasts only the easy dates has the lowest.
        """
        found = {}
        for key, score in wording.SCORES.items():
            values = [row[key] for row in self.scores[part].values() if row.get(key) is not None]
            pick = max if score.higher else min
            found[key] = pick(values) if part == "common" and len(values) > 1 else None
        return found

    @property
    def differences(self) -> list[tuple[str, Row]]:
        """The default's RPS less each other model's, the one that we lose to most first."""
        return sorted(self.scores["differences"].items(), key=lambda row: (-row[1]["mean"], row[0]))

    @property
    def readings(self) -> list[Reading]:
        """The reading of each of the differences."""
        return [reading(found) for _, found in self.differences]

    @cached_property
    def by_date(self) -> dict[str, Float[np.ndarray, "dates"]]:
        """Model -> mean RPS at each of `dates`; NaN where there is none."""
        return self._means("reference_date", self.dates, "rps")

    @property
    def cases(self) -> list[int]:
        """Forecasts that the means of `by_date` are over."""
        return np.nan_to_num(self._means("reference_date", self.dates, "n")[self.default]).astype(int).tolist()

    @property
    def mean_by_date(self) -> dict[str, float]:
        """Model -> mean over the dates."""
        return {name: float(np.nanmean(values)) for name, values in self.by_date.items()}

    @property
    def epidemic(self) -> Float[np.ndarray, "dates"]:
        """Count of the whole country, else of all places together, in the week before each of `dates`."""
        base = self.truth.unique(["reference_date", "location"])
        if self.nation is not None:
            base = base.filter(pl.col("location") == self.nation)
        sums = dict(base.group_by("reference_date").agg(pl.col("base").sum()).iter_rows())
        return np.array([sums.get(day, 0.0) for day in self.dates], dtype=float)

    @cached_property
    def by_horizon(self) -> dict[str, Float[np.ndarray, "horizons"]]:
        """Model -> mean RPS at each of `weeks`."""
        return self._means("horizon", self.weeks, "rps")

    @property
    def relative_by_horizon(self) -> dict[str, Float[np.ndarray, "horizons"]]:
        """Model -> its RPS over that of the hub's baseline; empty without one."""
        if self.baseline is None:
            return {}
        with np.errstate(divide="ignore", invalid="ignore"):  # a baseline that was always right leaves no ratio
            return {name: values / self.by_horizon[self.baseline] for name, values in self.by_horizon.items()}

    def _means(self, by: str, keys: Sequence[Any], column: str) -> dict[str, Float[np.ndarray, " keys"]]:
        rows = mean_scores(self.level_field, ["model", by]).select("model", by, column).iter_rows()
        found = {(model, key): value for model, key, value in rows}
        return {name: np.array([found.get((name, key), np.nan) for key in keys], dtype=float) for name in self.shown}

    @cached_property
    def rise_calibration(self) -> dict[str, Calibration]:
        """Model -> that of P(rise), for the default, the hub's ensemble and the best peer."""
        found = {}
        for name in self.shown:
            if name != self.baseline:
                own = self.level_field.filter(pl.col("model") == name)
                found[name] = _calibration(own["rise"].to_numpy(), own["rose"].to_numpy())
        return found

    @cached_property
    def category_calibration(self) -> dict[str, list[Calibration]]:
        """Model -> that of each category, for the first two of `rise_calibration`."""
        shared, found = self.level_field.select(UNIT).unique(), {}
        for name in list(self.rise_calibration)[:2]:
            rows = self.pmf(name).join(shared, on=UNIT, how="semi")
            pmf, observed = self.probabilities(rows), rows["observed"].to_numpy()
            found[name] = [_calibration(pmf[:, k], observed == k) for k in range(pmf.shape[1])]
        return found

    def pmf(self, model: str) -> pl.DataFrame:
        """A model's forecasts, one row each: UNIT, observed, and one column of probabilities per category."""
        own = self.forecasts.filter(pl.col("model") == model).with_columns(pl.col("horizon").cast(pl.Int64))
        wide = own.pivot(on="category", on_columns=self.categories, index=UNIT, values="probability")
        return wide.join(self.truth.select(*UNIT, "observed"), on=UNIT).sort(UNIT)

    def probabilities(self, rows: pl.DataFrame) -> Float[np.ndarray, "n categories"]:
        """The probabilities in rows of `pmf`."""
        return rows.select(self.categories).to_numpy()

    @cached_property
    def given(self) -> pl.DataFrame:
        """The default's forecasts (see `pmf`) for `horizon`."""
        return self.pmf(self.default).filter(pl.col("horizon") == self.horizon)

    @property
    def absent(self) -> list[str]:
        """The places that the map can't show."""
        return sorted({*self.places} - {*maps.drawable(self.places)})

    @property
    def phases(self) -> dict[Phase, dt.date]:
        """The dates of the default's forecasts that show the season best."""
        rows = self.truth.filter(pl.col("horizon") == self.horizon).join(self.given.select(UNIT), on=UNIT, how="semi")
        return phases(rows, len(self.categories) // 2)

    @cached_property
    def us_maps(self) -> dict[str, maps.UsMap]:
        """All maps by name; none where no place has a shape."""
        found: dict[str, maps.UsMap] = {}
        if len(self.absent) == len(self.places):
            return found
        middle = len(self.categories) // 2
        for phase, day in self.phases.items():
            rows = self.given.filter(pl.col("reference_date") == day)
            places, pmf = rows["location"].to_list(), self.probabilities(rows)
            for word, part in (("rise", pmf[:, middle + 1 :]), ("fall", pmf[:, :middle])):
                shares = dict(zip(places, part.sum(axis=1).tolist(), strict=True))
                found[f"map-the-{phase}-{word}"] = maps.given(word, shares, self.horizon, day, self.name_of)
            here = self.truth.filter(pl.col("reference_date") == day, pl.col("horizon") == self.horizon)
            observed = dict(here.select("location", "observed").iter_rows())
            found[f"map-the-{phase}-happened"] = maps.happened(observed, self.categories, day, self.name_of)
        for word, comparator in self.comparators.items():
            found[f"map-skill-{word}"] = maps.skill(
                self.default, comparator, self.by_place(comparator), self.name_of, "RPS"
            )
        return found

    def compare(self, comparator: str, by: list[str]) -> pl.DataFrame:
        """Mean RPS of the default and of a comparator on what both forecast, by groups of forecasts.

        Returns:
            The columns of `by`, n, ours, theirs, difference (below 0: ours is better); sorted by `by`.
        """
        pair = self.scored.filter(pl.col("model").is_in([self.default, comparator]))
        means = mean_scores(common(pair, self.truth, coverage=1e-9), ["model", *by])
        mine, other = (means.filter(pl.col("model") == name) for name in (self.default, comparator))
        joined = mine.select(*by, "n", ours="rps").join(other.select(*by, theirs="rps"), on=by)
        return joined.with_columns(difference=pl.col("ours") - pl.col("theirs")).sort(by)

    def by_place(self, comparator: str) -> dict[str, Row]:
        """Location -> the row of `compare` and the ratio of both RPS; those left out where the comparator's is 0."""
        rows = self.compare(comparator, ["location"]).filter(pl.col("theirs") > 0)
        return {row["location"]: row | {"ratio": row["ours"] / row["theirs"]} for row in rows.iter_rows(named=True)}

    def mean_rps(self, location: str) -> list[tuple[str, float | None]]:
        """Model and its mean RPS of all horizons there, for the first two of `shown`."""
        own, found = self.scored.filter(pl.col("location") == location), []
        for name in self.shown[:2]:
            values = own.filter(pl.col("model") == name)["rps"].to_numpy()
            found.append((name, float(values.mean()) if values.size else None))
        return found

    def losses(self, comparator: str) -> list[tuple[str, int, list[Row]]]:
        """Where the default loses to a comparator.

        Returns:
            Column that makes the cells (location, reference_date or horizon), number of all cells, and those lost as
            rows of `compare`, most costly first.
        """
        cells = [(by, self.compare(comparator, [by])) for by in ("location", "reference_date", "horizon")]
        return [(by, rows.height, _lost(rows).to_dicts()) for by, rows in cells]

    def costliest(self, comparator: str) -> list[Row]:
        """The single forecasts that lose most to a comparator.

        Returns:
            Rows of `compare` with the category that happened and what the default (`probability`) and the comparator
            (`comparator_probability`) gave it.
        """
        worst = _lost(self.compare(comparator, UNIT)).head(12)
        names = pl.Series("category", self.categories)
        happened = self.truth.select(*UNIT, category=names.gather(self.truth["observed"]))
        forecasts = self.forecasts.with_columns(pl.col("horizon").cast(pl.Int64))
        given = forecasts.join(happened, on=[*UNIT, "category"])
        mine, other = (given.filter(pl.col("model") == name) for name in (self.default, comparator))
        rows = worst.join(mine, on=UNIT, maintain_order="left")
        return rows.join(
            other.select(*UNIT, comparator_probability="probability"), on=UNIT, maintain_order="left"
        ).to_dicts()


def _calibration(p: Float[np.ndarray, " n"], happened: Bool[np.ndarray, " n"]) -> Calibration:
    return Calibration(len(p), float(p.mean()), float(happened.mean()), ece(p, happened), reliability(p, happened))


def _lost(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of `compare` with a higher RPS, most costly first: by the difference times the number of forecasts."""
    cost = pl.col("difference") * pl.col("n")
    return rows.filter(pl.col("difference") > 0).sort(cost, descending=True, maintain_order=True)


def draw(view: RateView, album: Album) -> None:
    """Draws the figures into the page's album."""
    categories = view.categories
    if view.differences:
        album.draw("differences", figures.forest(view.differences, "RPS"))
    album.draw("by-date", figures.by_date(view.dates, view.by_date, np.array(view.cases), view.epidemic))
    album.draw("by-horizon-rps", figures.by_horizon(view.weeks, view.by_horizon, "RPS, lower is better"))
    if view.relative_by_horizon:
        drawn = figures.by_horizon(view.weeks, view.relative_by_horizon, "relative RPS, lower is better")
        album.draw("by-horizon-relative", drawn)
    rise = {name: found.bins for name, found in view.rise_calibration.items()}
    album.draw("reliability-rise", figures.rise_reliability(rise))
    each = {name: [one.bins for one in found] for name, found in view.category_calibration.items()}
    album.draw("reliability-categories", figures.category_reliability(categories, each))
    album.draw("key", figures.key(categories))
    for index, location in enumerate(view.places[: view.OPEN], start=1):
        album.draw(f"place-{index:02}", _place(view, location))
    maps.hang(album, view.us_maps)


def _place(view: RateView, location: str) -> Figure:
    """A place's series; weeks that were skipped between two dates are gaps."""
    weeks = range((view.dates[-1] - view.dates[0]) // WEEK + 1)
    days = sorted({*view.dates, *(view.dates[0] + week * WEEK for week in weeks)})
    here = pl.col("location") == location
    known = view.known.filter(here, pl.col("reference_date").is_in(days)).sort("reference_date", "target_end_date")
    own = view.given.filter(here)
    pmf = dict(zip(own["reference_date"].to_list(), view.probabilities(own), strict=True))
    outcome = view.truth.filter(here, pl.col("horizon") == view.horizon)
    observed = dict(outcome.select("reference_date", "observed").iter_rows())
    return figures.place(
        view.counted(location),
        series(known.unique("reference_date", keep="last", maintain_order=True)),  # the newest week at each deadline
        dates=days,
        pmf=np.array([pmf.get(day, np.full(len(view.categories), np.nan)) for day in days]),
        observed=np.array([observed.get(day, -1) for day in days]),
        categories=view.categories,
        name=view.name_of(location),
    )

"""The page of a hub's backtest: reads the run folder, draws the figures, writes report.html."""

import datetime as dt
import io
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import polars as pl

from twofold.engine.errors import RunFolderError
from twofold.engine.files import read_bytes, saver, table, text, there
from twofold.hub.report import explorer, figures, quantiles, rates, wording
from twofold.hub.report.backtest import Backtest, Row
from twofold.hub.report.judgements import reading
from twofold.hub.report.quantiles import QuantileView
from twofold.hub.report.rates import RateView
from twofold.hub.rules import Rules, read_rules
from twofold.hub.run import DERIVED
from twofold.hub.scores import score_forecasts
from twofold.hub.tables import forecasts_of
from twofold.page.album import Album
from twofold.page.template import write_page


def write(folder: Path) -> Path:
    """Draws the figures and writes report.html of a backtest whose computation is complete; see `read`.

    The same folder gives the same bytes.
    """
    view = read(folder)
    write_page(
        saver(folder),
        "hub/report/hub.html.j2",
        partial(_draw, view),
        view=view,
        explored=view.explorer,
        first=view.first,
        run=view.run,
        quantiles=view.quantiles,
        rates=view.rates,
        scores=view.run.scores,
        rules=view.run.rules,
        few=figures.FEW,
        few_fans=figures.FANS,
        command=shlex.join(map(str, view.run.manifest.get("command") or [])),
        reading=reading,
        words=wording,
    )
    return folder / "report.html"


def read(folder: Path, models: Sequence[str] | None = None) -> "HubView":
    """Reads the files that the page shows; without a rules.json the hub must be one that is known by name.

    Args:
        folder: of the run.
        models: whose forecasts are read; None: of all. Scores that the run saved are always those of all.

    Raises:
        RunFolderError: when one of the files is missing, or nothing was scored.
        InputError: when there are no rules for the hub.
    """
    scores = json.loads(text(folder, "scores.json"))
    if there(folder, "rules.json"):
        season = Rules.from_json(text(folder, "rules.json"), str(folder / "rules.json"))
    else:
        season = read_rules(scores["hub"]).season(scores["season"])
    locations = table(folder, "locations.parquet")
    shared: dict[str, Any] = {
        "scores": scores,
        "config": json.loads(text(folder, "config.json")),
        "manifest": json.loads(text(folder, "manifest.json")),
        "rules": season,
        "counts": table(folder, "counts.parquet"),
        "known": table(folder, "known.parquet"),
    }
    categories = _categories(folder, shared, locations, models) if scores.get("models") else None
    counted = _quantiles(folder, shared, locations, models) if scores.get("quantile", {}).get("models") else None
    parts = [part for part in (counted, categories) if part is not None]
    if not parts:
        raise RunFolderError(f"{folder / 'scores.json'}: holds the scores of no model; run the backtest again")
    dates = sorted({day for part in parts for day in part.dates})
    forecast = {place for part in parts for place in part.places}
    run = Backtest(**shared, dates=dates, locations=locations.filter(pl.col("location").is_in(forecast)))
    return HubView(run, counted, categories)


def _categories(folder: Path, shared: Row, locations: pl.DataFrame, models: Sequence[str] | None) -> RateView:
    names = ["predictions.parquet", *(name for name in ["peers.parquet"] if there(folder, name))]
    forecasts = pl.concat([forecasts_of(str(folder / name), table(folder, name)) for name in names])
    if models is not None:
        forecasts = forecasts.filter(pl.col("model").is_in([*models, *(name + DERIVED for name in models)]))
    truth = table(folder, "truth.parquet").with_columns(pl.col("horizon").cast(pl.Int64))
    return RateView(
        **shared,
        dates=truth["reference_date"].unique().sort().to_list(),
        locations=locations.filter(pl.col("location").is_in(truth["location"].unique().to_list())),
        forecasts=forecasts,
        truth=truth,
        scored=score_forecasts(forecasts, truth, shared["rules"].rate_change),
    )


def _quantiles(folder: Path, shared: Row, locations: pl.DataFrame, models: Sequence[str] | None) -> QuantileView:
    own = table(folder, "predictions_quantile.parquet")
    wanted = pl.lit(True) if models is None else pl.col("model").is_in(list(models))
    theirs = [
        pl.scan_parquet(io.BytesIO(read_bytes(folder / name))).filter(wanted).select(own.columns).collect()
        for name in ["peers_quantile.parquet"]
        if there(folder, name)
    ]
    by = shared["scores"]["quantile"]["by"]
    days = {dt.date.fromisoformat(row["reference_date"]) for row in by["reference_date"]}
    return QuantileView(
        **shared,
        dates=sorted(days),
        locations=locations.filter(pl.col("location").is_in([row["location"] for row in by["location"]])),
        mine=own["model"].unique().sort().to_list(),
        table=pl.concat([own.filter(wanted), *(part.cast(own.schema) for part in theirs)]),
        chosen=models,
    )


@dataclass(frozen=True)
class HubView:
    """What the page shows; a hub may ask for quantiles, for categories of change, or for both.

    Attributes:
        run: what does not depend on that.
        quantiles: forecasts of quantiles; None where there are none.
        rates: forecasts of categories; None where there are none.
    """

    run: Backtest
    quantiles: QuantileView | None
    rates: RateView | None

    @cached_property
    def explorer(self) -> Row:
        """The data of the explorer, for the models that fit a page."""
        names = self.quantiles.explored if self.quantiles else self.rates.shown if self.rates else []
        return explorer.data(self.run, self.quantiles, self.rates, names)

    @property
    def first(self) -> tuple[str, str | None]:
        """The explorer's map before another model is chosen: its name in the album, and the model compared with."""
        part = self.quantiles or self.rates
        assert part is not None
        word = "ensemble" if part.ensemble or self.rates is part else "baseline"
        return f"map-{'wis' if self.quantiles else 'skill'}-{word}", part.ensemble or part.baseline

    @property
    def default(self) -> str:
        """Name of our default model: that of the quantiles where both parts have one."""
        part = self.quantiles or self.rates
        assert part is not None
        return part.default

    def relative_rps(self, model: str) -> tuple[float | None, bool]:
        """A model's relative RPS on what it and others forecast, and whether its categories come from its quantiles."""
        models = self.rates.scores["models"] if self.rates else {}
        if model in models:
            return models[model]["relative_rps"], False
        derived = models.get(model + DERIVED)
        return (derived["relative_rps"], True) if derived else (None, False)


def _draw(view: HubView, album: Album) -> None:
    run = view.run
    counted, known = run.counted(run.places[0]), run.known_at(run.places[0])
    if known and counted[0]:
        album.draw(
            "revisions", figures.revisions(counted, known, run.name_of(run.places[0]), wording.unit(run.rules.among))
        )
    if view.quantiles:
        quantiles.draw(view.quantiles, album)
    if view.rates:
        rates.draw(view.rates, album)
    if run.weights:
        days = [dt.date.fromisoformat(row["reference_date"]) for row in run.scores["weights"]]
        album.draw("weights", figures.weights(days, run.weights))

"""The page of a trend run or backtest, and its part of the API: P(rise) by region and date, and what happened."""

import contextlib
import datetime
import functools
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict

from twofold.app.problems import ANSWERS, Refused
from twofold.app.runs import Run, Runs
from twofold.engine.errors import DamagedError
from twofold.engine.files import read_bytes
from twofold.page.template import render

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from markupsafe import Markup

HEADLINE = {"trend run": "ensemble", "trend backtest": "pool"}
"""Kind of run -> its headline model."""
BASELINE = "baseline_"
PLAIN = "base_rate", "mean_reversion", "renewal", "logistic", "boosting"
"""Models of a backtest that are no networks, and so its baselines."""
SCORES = "log_score", "brier_skill", "roc_auc"
DIGITS = 4

RunId = Annotated[str, Path(max_length=1000, description="The run's id, as in the list of runs.")]
Shares = dict[str, list[float | None]]


class _Answer(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Region(_Answer):
    """A region of the run's data."""

    name: str
    in_c: bool
    """Whether the model is for it: in C, the regions that passed the screen. A backtest holds such regions only."""


class Model(_Answer):
    """A model that gave probabilities."""

    name: str
    label: str
    """Its name in words."""
    baseline: bool
    log_score: float | None
    """On active test windows, as the other scores: mean, in nats; lower is better."""
    brier_skill: float | None
    """0: no better than the base rate; 1: perfect."""
    roc_auc: float | None
    """0.5: chance; 1: perfect."""


class Outlook(_Answer):
    """What was forecast: regions, target dates of the test windows, and models; other answers keep their order."""

    regions: list[Region]
    dates: list[datetime.date]
    models: list[Model]


class Day(_Answer):
    """All regions on one target date; a missing value: there is no test window of that region."""

    date: datetime.date
    origin: datetime.date
    """The last date that forecasts saw."""
    probabilities: Shares
    """P(rise) by model, one for each region."""
    rose: list[bool | None]
    """What happened."""
    counts: list[int | None]
    """New cases on the origin."""


class Course(_Answer):
    """One region on all target dates."""

    region: Region
    days: list[datetime.date]
    """All dates of the data."""
    counts: list[int | None]
    """New cases on each of the days."""
    dates: list[datetime.date]
    """Target dates of the test windows."""
    probabilities: Shares
    """P(rise) by model, one for each target date."""
    rose: list[bool | None]
    """What happened."""


@dataclass(frozen=True)
class _Tables:
    """A run's test windows as arrays [dates, regions]; NaN where there is none."""

    regions: list[str]
    selected: list[bool]
    dates: list[datetime.date]
    origins: list[datetime.date]
    days: list[datetime.date]
    p: "dict[str, np.ndarray]"
    rose: "np.ndarray"
    counts: "np.ndarray"
    """[days, regions]."""

    def region(self, number: int) -> Region:
        return Region(name=self.regions[number], in_c=self.selected[number])


def api(runs: Runs) -> APIRouter:
    """The part of the API that shows trend runs."""
    router = APIRouter(prefix="/api/runs/{run_id}", responses=ANSWERS, tags=["trend"])

    def get(run_id: str) -> Run:
        return runs.get(run_id).require(*HEADLINE)

    @router.get("/trend")
    def whole(run_id: RunId) -> Outlook:
        """Regions, dates and models."""
        return outlook(get(run_id))

    @router.get("/trend/{number}")
    def day(run_id: RunId, number: int) -> Day:
        """All regions on one target date, by its number in the list of dates."""
        return _day(_tables(get(run_id)), number)

    @router.get("/regions/{number}")
    def course(run_id: RunId, number: int) -> Course:
        """One region on all target dates, by its number in the list of regions."""
        held = _tables(get(run_id))
        _check(number, held.regions, "regions")
        return Course(
            region=held.region(number),
            days=held.days,
            counts=_whole(held.counts[:, number]),
            dates=held.dates,
            probabilities={name: _shares(p[:, number]) for name, p in held.p.items()},
            rose=_outcomes(held.rose[:, number]),
        )

    return router


def page(run: Run) -> str:
    """The page of a trend run or backtest, as of its last target date."""
    held, found = _tables(run), outlook(run)
    last, headline = len(held.dates) - 1, HEADLINE[run.kind]
    day = _day(held, last)
    ranked = sorted(found.models, key=lambda model: (model.log_score is None, model.log_score))
    best = next(model for model in ranked if model.baseline)
    order = sorted(range(len(held.regions)), key=lambda row: -(day.probabilities[headline][row] or -1.0))
    data = {"run": run.id, **found.model_dump(mode="json"), "other": best.name, "first": order[0]}
    scores = run.json("scores.json")
    return render(
        "app/templates/trend.html.j2",
        run=run.summary(),
        data=data,
        found=found,
        ranked=ranked,
        day=day,
        other=best,
        order=order,
        drawn=world(run),
        scores=scores,
    )


def world(run: Run) -> "Markup | None":
    """The world map, to be coloured by the page's script; None where no region is a country."""
    held = _tables(run)
    return _map(tuple(held.regions), tuple(held.selected))


def outlook(run: Run) -> Outlook:
    """Regions, dates and models of a run."""
    from twofold.trend.report import wording

    held = _tables(run)
    try:
        blocks = _blocks(run.json("scores.json"), run.kind)
        models = [
            Model(
                name=name,
                label=wording.model(name),
                baseline=name.startswith(BASELINE) or name in PLAIN,
                **{score: blocks[name][score] for score in SCORES},
            )
            for name in held.p
        ]
    except (KeyError, TypeError, AttributeError) as error:
        message = f"{run.id}: scores.json is not what a trend run writes ({error!r})."
        raise Refused(409, "unusable_run", message) from error
    return Outlook(regions=[held.region(row) for row in range(len(held.regions))], dates=held.dates, models=models)


def _blocks(scores: dict[str, Any], kind: str) -> dict[str, dict[str, float | None]]:
    """Each model's scores on active test windows."""
    if kind == "trend backtest":
        return {name: block["active"] for name, block in scores["models"].items()}
    blocks: dict[str, Any] = {HEADLINE[kind]: scores, **scores["models"]}
    blocks |= {f"{BASELINE}{name}": block for name, block in scores["baselines"].items()}
    return {name: block["test_active"] for name, block in blocks.items()}


def _day(held: _Tables, number: int) -> Day:
    _check(number, held.dates, "target dates")
    origin = held.origins[number]
    return Day(
        date=held.dates[number],
        origin=origin,
        probabilities={name: _shares(p[number]) for name, p in held.p.items()},
        rose=_outcomes(held.rose[number]),
        counts=_whole(held.counts[held.days.index(origin)]),
    )


def _check(number: int, of: list[Any], what: str) -> None:
    if not 0 <= number < len(of):
        raise Refused(404, "not_found", f"The run has {len(of)} {what}, counted from 0; got {number}.")


def _shares(values: "np.ndarray") -> list[float | None]:
    return [None if math.isnan(value) else round(value, DIGITS) for value in values.tolist()]


def _outcomes(values: "np.ndarray") -> list[bool | None]:
    return [None if math.isnan(value) else bool(value) for value in values.tolist()]


def _whole(values: "np.ndarray") -> list[int | None]:
    return [None if math.isnan(value) else int(value) for value in values.tolist()]


@contextlib.contextmanager
def _reading(run: Run) -> Iterator[None]:
    import polars as pl

    try:
        yield
    except DamagedError:
        raise
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        raise Refused(
            409, "unusable_run", f"{run.id}: its tables are not what a trend run writes ({error})."
        ) from error


def _tables(run: Run) -> _Tables:
    # A backtest has no forecast of the date after the last; whether a region is in C changes with the origin.
    tomorrow = run.file("tomorrow.parquet") if run.kind == "trend run" else None
    predictions, panel = run.file("predictions.parquet"), run.file("panel.parquet")
    with _reading(run):
        return _read(predictions, tomorrow, panel, HEADLINE[run.kind], predictions.stat().st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _read(predictions: FilePath, tomorrow: FilePath | None, panel: FilePath, headline: str, _: int) -> _Tables:
    import numpy as np
    import polars as pl

    def read(path: FilePath) -> pl.DataFrame:
        return pl.read_parquet(io.BytesIO(read_bytes(path)))

    test, counted = read(predictions), read(panel)
    if "split" in test.columns:
        test = test.filter(split="test")
    regions, dates = sorted(test["region"].unique()), sorted(test["target_date"].unique())
    row = {region: number for number, region in enumerate(regions)}
    column = {date: number for number, date in enumerate(dates)}
    at = [column[date] for date in test["target_date"]], [row[region] for region in test["region"]]
    names = [name.removeprefix("p_") for name in test.columns if name.startswith("p_")]
    names.sort(key=lambda name: name != headline)

    def placed(series: "pl.Series") -> np.ndarray:
        held = np.full((len(dates), len(regions)), np.nan)
        held[at] = series.cast(pl.Float64).to_numpy()
        return held

    selected = dict(read(tomorrow).select("region", "in_c").iter_rows()) if tomorrow else {}
    origins = dict(test.group_by("target_date").agg(pl.col("origin").max()).iter_rows())
    days = sorted(counted["date"].unique())
    place = {date: number for number, date in enumerate(days)}
    of = counted.filter(pl.col("region").is_in(regions))
    counts = np.full((len(days), len(regions)), np.nan)
    where = [place[date] for date in of["date"]], [row[region] for region in of["region"]]
    counts[where] = of["increment"].cast(pl.Float64).to_numpy()
    return _Tables(
        regions,
        [selected.get(region, tomorrow is None) for region in regions],
        dates,
        [origins[date] for date in dates],
        days,
        {name: placed(test[f"p_{name}"]) for name in names},
        placed(test["label"]),
        counts,
    )


@functools.lru_cache(maxsize=4)
def _map(regions: tuple[str, ...], in_c: tuple[bool, ...]) -> "Markup | None":
    import polars as pl

    from twofold.counts.places import iso2
    from twofold.page.album import inline_svg
    from twofold.trend.report.maps import undrawable, world_map

    codes = pl.Series([iso2(region) for region in regions], dtype=pl.String)
    table = pl.DataFrame({"region": regions, "iso2": codes, "probability": 0.5, "in_c": in_c})
    if len(undrawable(table)) == len(table):
        return None
    return inline_svg(world_map(table), "map", "World map of the probability that the count rises")

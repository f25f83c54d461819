"""The page of a trend run, and its part of the API: P(rise) by region and date beside baselines and what happened."""

import contextlib
import datetime
import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict

from twofold.app.problems import ANSWERS, Refused
from twofold.app.runs import Run, Runs
from twofold.page.template import render

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from markupsafe import Markup

HEADLINE = "ensemble"
BASELINE = "baseline_"
DIGITS = 4

RunId = Annotated[str, Path(max_length=1000, description="The run's id, as in the list of runs.")]
Shares = dict[str, list[float | None]]


class _Answer(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Region(_Answer):
    """A region of the run's data."""

    name: str
    in_c: bool
    """Whether the model is for it: in C, the regions that passed the screen."""


class Model(_Answer):
    """A model that gave probabilities."""

    name: str
    label: str
    """Its name in words."""
    baseline: bool
    log_score: float | None
    """Mean on active test windows, in nats; lower is better."""


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
        return runs.get(run_id).require("trend run")

    @router.get("/trend")
    def outlook(run_id: RunId) -> Outlook:
        """Regions, dates and models."""
        return _outlook(get(run_id))

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
    """The page of a trend run, as of its last target date."""
    held, found = _tables(run), _outlook(run)
    last = len(held.dates) - 1
    day = _day(held, last)
    best = min((model for model in found.models if model.baseline), key=lambda model: model.log_score or 0.0)
    order = sorted(range(len(held.regions)), key=lambda row: -(day.probabilities[HEADLINE][row] or -1.0))
    data = {"run": run.id, **found.model_dump(mode="json"), "other": best.name, "first": order[0]}
    with _reading(run):
        drawn = _map(path := run.file("tomorrow.parquet"), path.stat().st_mtime_ns)
    scores = run.json("scores.json")
    return render(
        "app/templates/trend.html.j2",
        run=run.summary(),
        data=data,
        found=found,
        day=day,
        other=best,
        order=order,
        drawn=drawn,
        scores=scores,
    )


def _outlook(run: Run) -> Outlook:
    from twofold.trend.report import wording

    held = _tables(run)
    try:
        score = _log_scores(run.json("scores.json"))
    except (KeyError, TypeError, AttributeError) as error:
        message = f"{run.id}: scores.json is not what a trend run writes ({error!r})."
        raise Refused(409, "unusable_run", message) from error
    models = [
        Model(
            name=name,
            label=wording.model(name),
            baseline=name.startswith(BASELINE),
            log_score=score.get(name),
        )
        for name in held.p
    ]
    return Outlook(regions=[held.region(row) for row in range(len(held.regions))], dates=held.dates, models=models)


def _log_scores(scores: dict[str, Any]) -> dict[str, float | None]:
    """By model, on active test windows."""
    blocks: dict[str, Any] = {HEADLINE: scores, **scores["models"]}
    blocks |= {f"{BASELINE}{name}": block for name, block in scores["baselines"].items()}
    return {name: block["test_active"]["log_score"] for name, block in blocks.items()}


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
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        raise Refused(
            409, "unusable_run", f"{run.id}: its tables are not what a trend run writes ({error})."
        ) from error


def _tables(run: Run) -> _Tables:
    paths = [run.file(f"{name}.parquet") for name in ("predictions", "tomorrow", "panel")]
    with _reading(run):
        return _read(*paths, paths[0].stat().st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _read(predictions: FilePath, tomorrow: FilePath, panel: FilePath, _: int) -> _Tables:
    import numpy as np
    import polars as pl

    test = pl.read_parquet(predictions).filter(split="test")
    known, counted = pl.read_parquet(tomorrow), pl.read_parquet(panel)
    regions, dates = sorted(test["region"].unique()), sorted(test["target_date"].unique())
    row = {region: number for number, region in enumerate(regions)}
    column = {date: number for number, date in enumerate(dates)}
    at = [column[date] for date in test["target_date"]], [row[region] for region in test["region"]]
    names = [name.removeprefix("p_") for name in test.columns if name.startswith("p_")]

    def placed(series: "pl.Series") -> np.ndarray:
        held = np.full((len(dates), len(regions)), np.nan)
        held[at] = series.cast(pl.Float64).to_numpy()
        return held

    selected = dict(known.select("region", "in_c").iter_rows())
    origins = dict(test.group_by("target_date").agg(pl.col("origin").max()).iter_rows())
    days = sorted(counted["date"].unique())
    place = {date: number for number, date in enumerate(days)}
    of = counted.filter(pl.col("region").is_in(regions))
    counts = np.full((len(days), len(regions)), np.nan)
    where = [place[date] for date in of["date"]], [row[region] for region in of["region"]]
    counts[where] = of["increment"].cast(pl.Float64).to_numpy()
    return _Tables(
        regions,
        [selected.get(region, False) for region in regions],
        dates,
        [origins[date] for date in dates],
        days,
        {name: placed(test[f"p_{name}"]) for name in names},
        placed(test["label"]),
        counts,
    )


@functools.lru_cache(maxsize=4)
def _map(tomorrow: FilePath, _: int) -> "Markup | None":
    """The world map, to be coloured by the page's script; None where no region is a country."""
    import polars as pl

    from twofold.page.album import inline_svg
    from twofold.trend.report.maps import undrawable, world_map

    table = pl.read_parquet(tomorrow)
    if len(undrawable(table)) == len(table):
        return None
    return inline_svg(world_map(table), "map", "World map of the probability that the count rises")

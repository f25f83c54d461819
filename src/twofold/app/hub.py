"""The page of a hub's backtest, and its part of the API: a place through the season, our default beside any model.

Forecasts are read for two models at a time, and sent for a place at a time: so a run of any size is shown.
"""

import datetime
import functools
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict

from twofold.app.problems import ANSWERS, Refused, unusable
from twofold.app.runs import Run, Runs
from twofold.engine.errors import DamagedError
from twofold.page.template import render

if TYPE_CHECKING:
    from twofold.hub.report.view import HubView
    from twofold.page.album import Album

_Found = TypeVar("_Found")
_TABLES = "predictions", "peers", "truth", "counts", "known", "locations", "predictions_quantile", "peers_quantile"

RunId = Annotated[str, Path(max_length=1000, description="The run's id, as in the list of runs.")]
Fan = list[int]
"""Quantiles of the levels .025, .1, .25, .5, .75, .9 and .975: whole counts."""


class _Answer(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Location(_Answer):
    """A place of the hub."""

    code: str
    name: str
    short: str
    """Its abbreviation."""


class Category(_Answer):
    """A category of change, from falling to rising."""

    name: str
    colour: str


class ModelName(_Answer):
    """A model that gave forecasts."""

    name: str


class Season(_Answer):
    """What was forecast; other answers keep the order of places, dates, horizons and models."""

    dates: list[datetime.date]
    """Reference dates."""
    weeks: list[datetime.date]
    """Last days of the weeks whose counts are shown."""
    horizons: list[int]
    """Weeks from the reference date to the last day of the week that is forecast."""
    ahead: int
    """The horizon of categories and of P(rise)."""
    places: list[Location]
    categories: list[Category]
    """Empty where the hub asks for none."""
    models: list[ModelName]
    """Our default first."""
    score: str
    """Whose ratios are given: WIS, or RPS where the hub asks for categories only."""


class Forecasts(_Answer):
    """What a model gave for a place, by reference date; empty where it gives none of the kind."""

    name: str
    fans: list[list[Fan | int] | int]
    """By horizon; 0: none."""
    rise: list[int | None]
    """Percent: the probability that the count exceeds the newest one known."""
    pmf: list[list[int] | int]
    """Percents of the categories; 0: none."""
    ratio: list[float | None]
    """By place: the default's score over this model's, on what both forecast."""


class Through(_Answer):
    """A place through the season."""

    counts: list[int | None]
    """By week, in the newest version."""
    known: list[list[int | None]]
    """By reference date: the counts of the weeks before it, as they were known at its deadline."""
    observed: list[int | None]
    """By reference date: the category that happened; empty where there are none."""
    models: list[Forecasts]
    """The default, and the other model."""


class _Opened(NamedTuple):
    """What a run's page needs: the saved scores, the models' names, the outline, and figures."""

    view: "HubView"
    names: list[str]
    outline: dict[str, Any]
    album: "Album"


def api(runs: Runs) -> APIRouter:
    """The part of the API that shows backtests of hubs."""
    router = APIRouter(prefix="/api/runs/{run_id}", responses=ANSWERS, tags=["hub"])

    def get(run_id: str) -> Run:
        return runs.get(run_id).require("hub backtest")

    @router.get("/hub")
    def season(run_id: RunId) -> Season:
        """Dates, places, categories and models."""
        return Season.model_validate(_opened(get(run_id)).outline)

    @router.get("/hub/places/{number}")
    def place(
        run_id: RunId, number: int, other: Annotated[int, Query(description="Number of a model.")] = 0
    ) -> Through:
        """A place, by its number in the list of places: counts, and the forecasts of the default and another model."""
        from twofold.hub.report import explorer

        run = get(run_id)
        opened = _opened(run)
        for which, of, what in ((number, opened.outline["places"], "places"), (other, opened.names, "models")):
            if not 0 <= which < len(of):
                raise Refused(404, "not_found", f"The run has {len(of)} {what}, counted from 0; got {which}.")
        return Through.model_validate(explorer.here(_pair(run, opened.names[0], opened.names[other]), number))

    return router


def page(run: Run) -> str:
    """The page of a backtest; places come from the API."""
    from twofold.hub.report import wording

    view, names, outline, album = _opened(run)
    return render(
        "app/templates/hub.html.j2",
        album,
        summary=run.summary(),
        view=view,
        explored=outline,
        first=("map-first", names[1] if len(names) > 1 else None),
        data=outline | {"run": run.id},
        run=view.run,
        quantiles=view.quantiles,
        rates=view.rates,
        scores=view.run.scores,
        rules=view.run.rules,
        places=_by_place(view),
        words=wording,
    )


def _opened(run: Run) -> _Opened:
    return _told(run, lambda stamp: _open(run.folder, stamp))


def _pair(run: Run, default: str, other: str) -> dict[str, Any]:
    return _told(run, lambda stamp: _read_pair(run.folder, default, other, stamp)).data


def _told(run: Run, read: Callable[[int], _Found]) -> _Found:
    """What is read of a run; its argument changes when the run is made again.

    Raises:
        Refused: when a file is none that a backtest writes.
    """
    for name in _TABLES:
        if (run.folder / f"{name}.parquet").exists():
            run.file(f"{name}.parquet")
    try:
        return read(run.file("scores.json").stat().st_mtime_ns)
    except DamagedError:
        raise
    except unusable() as error:
        message = f"{run.id}: its files are not what a hub's backtest writes ({error!r}); its report can still be read."
        raise Refused(409, "unusable_run", message) from error


@functools.lru_cache(maxsize=4)
def _open(folder: FilePath, stamp: int) -> _Opened:
    from twofold.hub.report import explorer, figures, maps
    from twofold.hub.report.view import read
    from twofold.page.album import Album
    from twofold.page.drawing import style

    view = read(folder, ())  # the saved scores of all models, and the forecasts of none
    names = _names(view)
    outline = explorer.outline(view.run, view.quantiles, view.rates, names)
    album = Album(lambda *_: None)  # nothing is written
    if len(names) > 1 and maps.drawable(view.run.places):
        pair = _read_pair(folder, names[0], names[1], stamp).view
        part = pair.quantiles or pair.rates
        assert part is not None
        drawn = maps.skill(names[0], names[1], part.by_place(names[1]), view.run.name_of, outline["score"])
        album.keep("map-first", drawn.svg())
    if view.rates:
        with style():
            album.draw("key", figures.key(view.rates.categories))
    return _Opened(view, names, outline, album)


def _names(view: "HubView") -> list[str]:
    """All models: the default, the one that it is first compared with, the few of the report, then as ranked."""
    found = view.quantiles
    if found:
        ordered = [found.default, found.ensemble or found.baseline, *found.shown, *(name for _, name in found.numbered)]
    else:
        assert view.rates is not None
        ranked = [name for name, _ in view.rates.ranked("models")]
        ordered = [view.rates.default, *(name for name in [view.rates.scores["ensemble"]] if name in ranked), *ranked]
    return list(dict.fromkeys(ordered))


class _Pair(NamedTuple):
    view: "HubView"
    data: dict[str, Any]
    """As `explorer.data` gives it."""


@functools.lru_cache(maxsize=8)
def _read_pair(folder: FilePath, default: str, other: str, _: int) -> _Pair:
    from twofold.hub.report import explorer
    from twofold.hub.report.view import read

    names = list(dict.fromkeys([default, other]))
    view = read(folder, names)
    return _Pair(view, explorer.data(view.run, view.quantiles, view.rates, names))


def _by_place(view: "HubView") -> list[tuple[str, list[float | None]]]:
    """A place's code and the relative WIS there of each model of `top`; none where the hub asks for no quantiles."""
    if view.quantiles is None:
        return []
    rows = view.quantiles.board["by"]["location"]
    found = {(row["location"], row["model"]): row["relative_wis"] for row in rows}
    names = [name for _, name in view.quantiles.top]
    return [(place, [found.get((place, name)) for name in names]) for place in view.run.places]

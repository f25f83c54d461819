"""Tables of one's own: how one is read (as `twofold trend look` says), and a run's forecast from it (`... predict`).

A table is read by a child process within bounds (`bounded`), in a temporary folder that is removed afterwards. The
model then works here, on counts by region and date.
"""

import contextlib
import datetime
import functools
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Body, Path, Query
from pydantic import BaseModel, ConfigDict

from twofold.app.problems import ANSWERS, Refused
from twofold.app.runs import Run, Runs
from twofold.page.template import render

if TYPE_CHECKING:
    import polars as pl

    from twofold.trend.forecast import Forecaster

SECONDS = 60.0
"""For one table, from the upload to the answer."""
_READING = threading.Semaphore(2)
_STRANGE = re.compile(r"[^\w.()+, -]")

RunId = Annotated[str, Path(max_length=1000, description="The run's id, as in the list of runs.")]
Content = Annotated[bytes, Body(media_type="application/octet-stream")]
Name = Annotated[str, Query(max_length=300, description="Name of the file, which its messages are given under.")]


class _Answer(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Look(_Answer):
    """How a table is read, without training: what `twofold trend look --json` gives."""

    file: str
    layout: str
    separator: str
    """Between cells; empty for typed columns, `sheet` for a workbook."""
    columns: dict[str, list[str]]
    """By what they hold."""
    regions: list[str]
    dates: int
    first: datetime.date
    last: datetime.date
    step_days: int
    kind: str
    """`cumulative`: running totals; `incident`: new cases."""
    cases: int
    filled: int
    """Cells without a count that were filled in."""
    notes: list[str]
    suspicions: list[str]
    commands: dict[str, list[str]]
    """Words of the command lines to run next, which answer the suspicions."""
    problems: dict[str, str]
    """Why a command would refuse the table, by its name."""
    digest: str


class Forecast(_Answer):
    """A region's forecast."""

    region: str
    iso2: str | None
    """Code of its country."""
    probability: float
    """That its next count is higher."""
    in_c: bool
    """Whether the model is for it: in C, the regions that passed the run's screen."""
    origin: datetime.date
    """The table's last date."""
    target_date: datetime.date
    last_value: int
    """The newest count."""


class Forecasts(_Answer):
    """A run's forecasts from a table, the highest probability first."""

    regions: list[Forecast]
    notes: list[str]
    """How the table was read, and warnings against using the model on it."""
    map: str | None
    """The world map as SVG; None where no region is a country."""


def api(runs: Runs) -> APIRouter:
    """The part of the API that reads tables."""
    router = APIRouter(prefix="/api", responses=ANSWERS, tags=["tables"])

    @router.post("/look")
    def look(content: Content, name: Name = "table.csv") -> Look:
        """How a table of counts is read (CSV, also gzipped or zipped, Excel workbook, or Parquet)."""
        with _file(content, name) as path:
            return Look.model_validate(_child(path, "look"))

    @router.post("/runs/{run_id}/forecast")
    def forecast(run_id: RunId, content: Content, name: Name = "table.csv") -> Forecasts:
        """The forecast of a trend run's model from a newer table, which is read by the run's settings."""
        return _forecast(runs.get(run_id).require("trend run"), content, name)

    return router


def page() -> str:
    """The page that reads a table."""
    return render("app/templates/look.html.j2")


@contextlib.contextmanager
def _file(content: bytes, name: str) -> Iterator[FilePath]:
    """An uploaded file in a folder of its own; its name leads nowhere else and can't be an option."""
    name = _STRANGE.sub("_", FilePath(name).name).encode()[-100:].decode(errors="ignore").lstrip("-. ") or "table.csv"
    with tempfile.TemporaryDirectory(prefix="twofold-") as folder:
        path = FilePath(folder) / "given" / name
        path.parent.mkdir()
        path.write_bytes(content)
        yield path


def _child(path: FilePath, command: str, *words: str) -> Any:
    """What the child says of a table (see `bounded`).

    Raises:
        Refused: when the table can't be read, or not within the bounds.
    """
    python = [sys.executable, "-P", "-X", "utf8", "-m", "twofold.app.bounded"]
    searched = os.pathsep.join(map(os.path.abspath, filter(None, sys.path)))  # the child works elsewhere
    with _READING:
        try:
            done = subprocess.run(
                [*python, command, path.name, *words],
                cwd=path.parent,
                env=os.environ | {"PYTHONPATH": searched},
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            message = f"{path.name}: took longer than {SECONDS:.0f} s to be read; give fewer rows."
            raise Refused(422, "invalid", message) from error
    told = done.stdout.decode(errors="replace").strip()
    if done.returncode == 0:
        return json.loads(told)
    if done.returncode == 2:
        raise Refused(422, "invalid", told)
    if done.returncode < 0:  # killed: by the system, or by a library that got no memory
        raise Refused(422, "invalid", f"{path.name}: needs more memory than a table may take here; give fewer rows.")
    raise RuntimeError(f"the child that reads tables failed:\n{done.stderr.decode(errors='replace')}")


def _forecast(run: Run, content: bytes, name: str) -> Forecasts:
    import polars as pl

    from twofold.counts.panel import panel_of_frame

    model = _open(run.folder, run.file("model.safetensors").stat().st_mtime_ns)
    with _file(content, name) as path:
        out = path.parent.parent / "panel.parquet"
        remarks = _child(path, "panel", model.source.model_dump_json(), str(out))
        panel = panel_of_frame(pl.read_parquet(out), model.kind)
    found = model.forecast(panel)
    ranked = found.table.sort("probability", descending=True)
    regions = [Forecast.model_validate(row) for row in ranked.iter_rows(named=True)]
    return Forecasts(regions=regions, notes=[*remarks, *found.notes], map=_map(ranked))


@functools.lru_cache(maxsize=4)
def _open(folder: FilePath, _: int) -> "Forecaster":
    from twofold.trend.forecast import Forecaster

    return Forecaster.open(folder)


def _map(table: "pl.DataFrame") -> str | None:
    from twofold.page.album import inline_svg
    from twofold.trend.report.maps import undrawable, world_map

    if len(undrawable(table)) == len(table):
        return None
    return str(inline_svg(world_map(table), "own-map", "World map of the probability that the count rises"))

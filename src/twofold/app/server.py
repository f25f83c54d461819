"""The server: pages for people, JSON for programs, and the few files that the pages load."""

import asyncio
import contextlib
import ctypes
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from importlib import resources
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, FastAPI, Path, Response
from fastapi.responses import HTMLResponse
from jinja2 import UndefinedError

from twofold import __version__
from twofold.app import compare, hub, problems, study, sweep, table, trend, vae
from twofold.app.guard import REPORT_POLICY, Guard
from twofold.app.models import Models
from twofold.app.problems import ANSWERS, Refused
from twofold.app.runs import Run, Runs, Summary
from twofold.engine.errors import DamagedError
from twofold.engine.files import read_bytes
from twofold.page.template import render

RunId = Annotated[str, Path(max_length=1000, description="The run's id, as in the list of runs.")]


_PAGES: dict[str, Callable[[Run], str]] = {
    "vae run": vae.page,
    "vae sweep": sweep.page,
    "trend run": trend.page,
    "trend backtest": trend.page,
    "trend study": study.page,
    "hub backtest": hub.page,
}
_OWN = "compare", "course", "file", "home", "hub", "latest", "sweep", "table", "trend", "vae"
_SCRIPTS = {
    **{f"{name}.js": f"app/static/{name}.js" for name in _OWN},
    "svg.js": "page/svg.js",
    "explorer.js": "hub/report/explorer.js",
}
"""Name of a script -> its path within the package."""
SWEEP_S = 30.0
"""Seconds between two looks for idle models."""


def create(runs: Runs, token: str | None = None, cache: FilePath | None = None) -> Guard:
    """The whole application.

    Args:
        runs: that it shows.
        token: that every request must bring; None: it answers under loopback names only.
        cache: of decoded images; None: the user's.
    """
    models = Models()

    @contextlib.asynccontextmanager
    async def alive(_: FastAPI) -> AsyncIterator[None]:
        async def tidy() -> None:
            while True:
                await asyncio.sleep(SWEEP_S)
                models.drop_idle()
                _give_back()

        tidying = asyncio.create_task(tidy())
        yield
        tidying.cancel()

    app = FastAPI(
        title="twofold",
        version=__version__,
        summary="Runs of twofold, read-only, and their models.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        lifespan=alive,
    )
    problems.install(app)
    app.include_router(_api(runs))
    app.include_router(vae.api(runs, models, cache))
    app.include_router(trend.api(runs))
    app.include_router(hub.api(runs))
    app.include_router(table.api(runs))
    app.include_router(compare.api(runs))
    app.include_router(_pages(runs))
    return Guard(app, token)  # around everything: the answer to an exception passes it, too


def _give_back() -> None:
    """Hands memory that was freed back to the system, which glibc else keeps by the hundred megabytes."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)


def _api(runs: Runs) -> APIRouter:
    router = APIRouter(prefix="/api", responses=ANSWERS, tags=["runs"])

    @router.get("/runs")
    def list_runs() -> list[Summary]:
        """All runs, newest first."""
        return runs.summaries()

    @router.get("/runs/{run_id}")
    def one_run(run_id: RunId) -> Summary:
        """One run."""
        return runs.get(run_id).summary()

    return router


@contextlib.contextmanager
def _version(names: str) -> Iterator[None]:
    """Refuses a run whose files lack what its page shows."""
    try:
        yield
    except DamagedError:
        raise
    except (KeyError, TypeError, ValueError, UndefinedError) as error:
        message = f"{names} is of another version ({error!r}); its report can still be read."
        raise Refused(409, "unusable_run", message) from error


def _pages(runs: Runs) -> APIRouter:
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

    @router.get("/")
    def home() -> str:
        parts: dict[str | None, list[Summary]] = {}
        for each in runs.summaries():
            parts.setdefault(each.parent, []).append(each)
        folder = os.fsencode(runs.root).decode("utf-8", "replace")
        return render("app/templates/home.html.j2", folder=folder, found=parts.pop(None, []), parts=parts)

    @router.get("/look")
    def look() -> str:
        return table.page()

    @router.get("/compare")
    def side_by_side(a: compare.RunId, b: compare.RunId) -> str:
        with _version(f"{a} or {b}"):
            return compare.page(runs, a, b)

    @router.get("/runs/{run_id}")
    def page(run_id: RunId) -> str:
        run = runs.get(run_id)
        with _version(run.id):
            page_of = _PAGES.get(run.require(run.kind).kind)
            if page_of is None:
                raise Refused(404, "not_found", f"{run.id} is a {run.kind}, which is shown by its report alone.")
            return page_of(run)

    @router.get("/runs/{run_id}/report")
    def report(run_id: RunId) -> Response:
        run = runs.get(run_id)
        file = run.require(run.kind).file("report.html")
        headers = {"Content-Security-Policy": REPORT_POLICY}
        return Response(read_bytes(file), media_type="text/html; charset=utf-8", headers=headers)

    @router.get("/favicon.ico")
    def no_icon() -> Response:
        return Response(status_code=204)

    @router.get("/static/{name}")
    def script(name: str) -> Response:
        if name not in _SCRIPTS:
            raise Refused(404, "not_found", "There is no such file.")
        text = (resources.files("twofold") / _SCRIPTS[name]).read_text(encoding="utf-8")
        return Response(text, media_type="text/javascript; charset=utf-8")

    return router

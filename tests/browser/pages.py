"""The pages under test: a line each, and every test of all pages holds for it."""

from typing import NamedTuple

from browser.runs import LONG


class Shown(NamedTuple):
    """A page and the runs that it needs."""

    runs: tuple[str, ...]
    path: str | None = None
    """Its address in the app; None: the report of the run, opened as a file."""


REPORTS = {
    "trend run": Shown(("trend",)),
    "trend backtest": Shown(("walk",)),
    "trend original": Shown(("study",)),
    "vae run": Shown(("faces",)),
    "vae sweep": Shown(("sweep",)),
    "hub backtest": Shown((f"{LONG}/hub",)),
}
APP = {
    "app, home": Shown(("trend", "discs", "sweep", f"{LONG}/hub"), "/"),
    "app, trend run": Shown(("trend",), "/runs/trend"),
    "app, vae run": Shown(("discs",), "/runs/discs"),
    "app, vae sweep": Shown(("sweep",), "/runs/sweep"),
    "app, hub backtest": Shown((f"{LONG}/hub",), f"/runs/{LONG}~hub"),
    "app, trend backtest": Shown(("walk",), "/runs/walk"),
    "app, study": Shown(("study",), "/runs/study"),
    "app, a table": Shown((), "/look"),
    "app, two runs": Shown(("trend",), "/compare?a=trend&b=trend"),
    "app, no such run": Shown((), "/runs/nothing"),
}
PAGES = REPORTS | APP

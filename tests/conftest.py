"""Shape and type checks on in every test, and where the real data lies."""

import os
from collections.abc import Iterator
from pathlib import Path

# Two processes test at once on two cores: threads of OpenMP that wait for each other by spinning made the resumed
# runs take twice as long and time out. It must be set before torch is loaded; the tests' own processes inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

install_import_hook("twofold", "beartype.beartype")
# How long an example takes depends on what else the machine does; what hangs is ended by pytest's timeout.
settings.register_profile("twofold", deadline=None)
settings.load_profile("twofold")


@pytest.fixture(autouse=True, scope="session")
def _no_bitmaps() -> Iterator[None]:
    """Bitmaps of drawings, which take a fifth of a run's time, are empty; `page/test_drawing.py` makes some."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("twofold.page.album.to_png", lambda figure: b"")
        yield


@pytest.fixture
def data_folder() -> Path:
    """The folder of real data sets; a test without it is skipped (`.ci/run` fails on that where the data is there)."""
    folder = os.environ.get("TWOFOLD_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("real data: TWOFOLD_DATA names no folder")
    return Path(folder)


class Required:
    """Fails the session when a test with a mark was skipped or none ran; on where its variable is set."""

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self.ran: set[str] = set()
        self.skipped: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Reports of all workers pass here, in the process that decides the exit status."""
        if self.mark in report.keywords:
            if report.skipped:
                self.skipped.add(report.nodeid)
            elif report.when == "call":
                self.ran.add(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if (self.skipped or not self.ran) and session.exitstatus in (0, 5):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        told = f"{self.mark} required"
        terminalreporter.write_line(f"{told}: {len(self.ran)} tests ran, {len(self.skipped)} were skipped")
        for name in sorted(self.skipped):
            terminalreporter.write_line(f"ERROR {told}, but skipped: {name}", red=True)
        if not self.ran:
            terminalreporter.write_line(f"ERROR {told}, but no test with this mark ran", red=True)


REQUIRED = {
    "TWOFOLD_DATA_REQUIRED": "realdata",
    "TWOFOLD_BROWSER_REQUIRED": "browser",
    "TWOFOLD_POSTGRES_REQUIRED": "postgres",
}


def pytest_configure(config: pytest.Config) -> None:
    for variable, mark in REQUIRED.items():
        if os.environ.get(variable) and not hasattr(config, "workerinput"):
            config.pluginmanager.register(Required(mark))

"""A browser, the run folders and a server over them, for the tests of this room."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from browser.pages import PAGES
from browser.runs import CACHE, ensure
from browser.watch import Watch


@pytest.fixture(scope="package")  # while it is open no other room's test can run a loop of asyncio in this thread
def browser() -> Iterator[Browser]:
    """The Chromium of the system; a test without it is skipped (`.ci/run` installs it and fails on that)."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("browser: neither chromium nor google-chrome is installed")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []  # root has no sandbox
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Where the run folders lie; the processes of one session share them."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "browser-runs"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def server(root: Path) -> Iterator[str]:
    """The address of `twofold app` over the run folders."""
    command = [sys.executable, "-m", "twofold", "app", str(root), "--cache", str(root / CACHE), "--port", "0"]
    with subprocess.Popen([*command, "--open", "no"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-4].rstrip("/")
        process.terminate()


class Visitor:
    """Opens pages, each in a context of its own."""

    def __init__(self, browser: Browser, root: Path, server: str) -> None:
        self.browser, self.root, self.server = browser, root, server
        self.watch = Watch(server)
        self.contexts: list[BrowserContext] = []

    def open(self, address: str, width: int = 1400, **options: Any) -> Page:
        """Opens an address; `options` are those of Playwright's contexts."""
        settings: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "reduced_motion": "reduce"}
        context = self.browser.new_context(**settings | options)
        self.contexts.append(context)
        self.watch.over(context)
        page = context.new_page()
        page.goto(address)
        return page

    def __call__(self, name: str, width: int = 1400, **options: Any) -> Page:
        """Opens one of `PAGES`, whose runs are made where they are missing."""
        shown = PAGES[name]
        for run in shown.runs:
            ensure(self.root, run)
        path = self.root / shown.runs[0] / "report.html" if shown.path is None else None
        return self.open(path.as_uri() if path else f"{self.server}{shown.path}", width, **options)


@pytest.fixture
def visit(browser: Browser, root: Path, server: str) -> Iterator[Visitor]:
    """Opens a page by its name; the test fails when any of its pages asked for, or got, what it should not."""
    visitor = Visitor(browser, root, server)
    yield visitor
    for context in visitor.contexts:
        context.close()
    visitor.watch.check()

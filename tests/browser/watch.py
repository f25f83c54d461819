"""Watches what a browser does: nothing may be asked of the network, and nothing may go wrong unseen."""

import re

from playwright.sync_api import BrowserContext, ConsoleMessage, Route, WebError


class Watch:
    """Collects the faults of every page of the contexts that it is set over."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.faults: list[str] = []
        self.expected: list[str] = []

    def over(self, context: BrowserContext) -> None:
        """Refuses every request but those of files and of the server; violations of a page's policy are errors, too."""
        context.route("**/*", self._request)
        context.on("console", self._console)
        context.on("weberror", self._error)

    def expect(self, pattern: str) -> None:
        """A fault that the test provokes; that it comes is checked, too."""
        self.expected.append(pattern)

    def check(self) -> None:
        """Fails when there was another fault than those expected, or one of these did not come."""
        unexpected = [fault for fault in self.faults if not any(re.search(each, fault) for each in self.expected)]
        missing = [each for each in self.expected if not any(re.search(each, fault) for fault in self.faults)]
        assert not unexpected and not missing, (unexpected, missing)

    def _request(self, route: Route) -> None:
        address = route.request.url
        if address.startswith(("file:", self.server)):
            route.continue_()
        else:
            self.faults.append(f"request to {address}")
            route.abort("blockedbyclient")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"console: {message.text}")

    def _error(self, error: WebError) -> None:
        self.faults.append(f"script: {error.error}")

"""Connections of the server: closed when a request's head does not come, which no middleware gets to see."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 10.0
"""Seconds in which a request line and its headers must have come; uvicorn itself waits for ever."""


class Connection(H11Protocol):
    """uvicorn's, with a time limit from its start, and from each answer, to the end of the next request's head."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait."""
        super().connection_made(transport)
        self._wait()

    def handle_events(self) -> None:
        """Reads what came; a new request ends the waiting."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._stop()

    def on_response_complete(self) -> None:
        """Begins to wait for the next request."""
        self._wait()  # first: the next head may lie here already
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the waiting."""
        self._stop()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._stop()
        self._waiting = self.loop.call_later(HEAD_S, self.transport.close)

    def _stop(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()

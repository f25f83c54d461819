"""Around the whole server: who may ask, how large a request may be, and what browsers may do with an answer."""

import asyncio
import base64
import contextlib
import hmac
from typing import Literal
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twofold.app.problems import Refused

JSON_BYTES, FILE_BYTES = 256 * 2**10, 20 * 2**20
"""Largest body of a request: of JSON, and of an image or a table."""
FILES = "/encode", "/nearest", "/look", "/forecast"
"""Ends of the paths that take an image or a table."""
BODY_S = 60.0
"""Seconds in which a body must have come."""
UPLOADS = 4
"""Bodies larger than JSON that are held at once; further ones are read when one of these was answered."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What our own pages may load: nothing from elsewhere, no script but the server's files."""
REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""A report is a file of a run folder, with scripts of its own: it runs as a stranger that can't ask this server."""
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """ASGI middleware. Without a token only loopback names are answered, so that no other site's name leads here."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self.app, self.token, self._uploads = app, token, asyncio.Semaphore(UPLOADS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, refuses, or passes a request on with its body read."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers, path = Headers(scope=scope), scope["path"]

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                held = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    held.setdefault(name, value)
            await send(message)

        most = FILE_BYTES if path.endswith(FILES) else JSON_BYTES
        try:
            self._check(headers)
            async with self._uploads if most > JSON_BYTES else contextlib.nullcontext():
                body = await _body(headers, receive, most)
                if body is not None:
                    await self.app(scope, _replayed(body, receive), with_headers)
        except Refused as refused:
            await refused.answer(path)(scope, receive, with_headers)

    def _check(self, headers: Headers) -> None:
        host = headers.get("host", "")
        if self.token is None:
            if _of(f"//{host}", "hostname") not in LOOPBACK:
                message = "This server answers to 127.0.0.1 and localhost only; see --host and --token-file."
                raise Refused(403, "unknown_host", message)
        elif not _knows(headers.get("authorization", ""), self.token):
            message = "Give the token: as the password (any name), or as `Authorization: Bearer TOKEN`."
            raise Refused(401, "not_allowed", message, {"WWW-Authenticate": 'Basic realm="twofold", charset="UTF-8"'})
        origin = headers.get("origin")
        if origin is not None and _of(origin, "netloc") != host:
            raise Refused(403, "foreign_origin", "Pages of other sites may not ask this server.")


def _of(address: str, part: Literal["hostname", "netloc"]) -> str | None:
    """A part of an address, a name without its port; None where the address is malformed."""
    try:
        return getattr(urlsplit(address), part)
    except ValueError:
        return None


def _knows(authorization: str, token: str) -> bool:
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).decode().partition(":")[2]
        except ValueError:  # of base64, of text, and of letters beyond ASCII
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(given.encode(), token.encode())


async def _body(headers: Headers, receive: Receive, most: int) -> bytes | None:
    """The whole body; None if the client went meanwhile.

    Raises:
        Refused: as soon as it is known to be too large, whatever its headers say, or when it takes too long.
    """
    too_large = Refused(413, "too_large", f"The body is larger than {most:,} bytes; send a smaller one.")
    announced = headers.get("content-length", "0")
    if not announced.isdecimal() or len(announced) > 20 or int(announced) > most:
        raise too_large
    parts, size, more = [], 0, True
    try:
        async with asyncio.timeout(BODY_S):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                part = message.get("body", b"")
                size += len(part)
                if size > most:
                    raise too_large
                parts.append(part)
                more = message.get("more_body", False)
    except TimeoutError:
        message = f"The body did not come within {BODY_S:.0f} seconds; send it again."
        raise Refused(408, "too_slow", message) from None  # `connections` closes; at once, the answer might be lost
    return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """What the application receives: the body at once, then what else comes."""
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay

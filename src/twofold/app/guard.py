"""Around the whole server: who may ask, how large a request may be, and what browsers may do with an answer."""

import base64
import binascii
import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twofold.app.problems import Code, Problem, answer

JSON_BYTES, FILE_BYTES = 256 * 2**10, 20 * 2**20
"""Largest body of a request: of JSON, and of an image or a table."""
FILES = "/encode", "/nearest", "/look", "/forecast"
"""Ends of the paths that take an image or a table."""
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
        self.app, self.token = app, token

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

        refusal = self._refusal(headers, path)
        body = b""
        if refusal is None:
            most = FILE_BYTES if path.endswith(FILES) else JSON_BYTES
            read = await _body(headers, receive, most)
            if read is None:
                refusal = _refuse(
                    path, 413, "too_large", f"The body is larger than {most:,} bytes; send a smaller one."
                )
            else:
                body = read
        if refusal is not None:
            await refusal(scope, receive, with_headers)
            return
        sent = False

        async def replay() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, replay, with_headers)

    def _refusal(self, headers: Headers, path: str) -> Response | None:
        host = headers.get("host", "")
        if self.token is None:
            if _name(host) not in LOOPBACK:
                message = "This server answers to 127.0.0.1 and localhost only; see --host and --token-file."
                return _refuse(path, 403, "unknown_host", message)
        elif not _knows(headers.get("authorization", ""), self.token):
            message = "Give the token: as the password (any name), or as `Authorization: Bearer TOKEN`."
            refused = _refuse(path, 401, "not_allowed", message)
            refused.headers["WWW-Authenticate"] = 'Basic realm="twofold", charset="UTF-8"'
            return refused
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return _refuse(path, 403, "foreign_origin", "Pages of other sites may not ask this server.")
        return None


def _refuse(path: str, status: int, code: Code, message: str) -> Response:
    return answer(path, status, Problem(code=code, message=message))


def _name(host: str) -> str | None:
    """The name in a Host header, without the port; None where it is malformed."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _knows(authorization: str, token: str) -> bool:
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(given.encode(), token.encode())


async def _body(headers: Headers, receive: Receive, most: int) -> bytes | None:
    """The whole body; None as soon as it is known to be too large, whatever its headers say."""
    announced = headers.get("content-length", "0")
    if not announced.isdecimal() or int(announced) > most:
        return None
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            return None
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)

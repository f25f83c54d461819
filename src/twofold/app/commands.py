"""`twofold app`: options in, a server on a port until it is interrupted."""

import contextlib
import ipaddress
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from twofold.engine.errors import InputError
from twofold.engine.flags import parse

TOKEN_LENGTH = 16
"""Characters of a token, at least: it can't be guessed."""


@dataclass(frozen=True)
class AppFlags:
    """Serves the runs below a folder to the browser: pages that answer to the reader, their reports, and a JSON API.

    Nothing is written, and nothing is loaded from elsewhere. By default only this computer reaches it. With another
    --host give a --token-file, and let a proxy with TLS stand in front: the token travels with every request.
    The API is described at /api/openapi.json. It needs `pip install 'twofold[app]'`.
    """

    runs: tyro.conf.Positional[Path] = Path("runs")
    """Folder below which the runs lie."""
    host: str = "127.0.0.1"
    """Address to listen at."""
    port: int = 8737
    """Port to listen at; 0: any that is free."""
    token_file: Path | None = None
    """File whose one line is the token that every request must bring: as the password (any name), or as a bearer."""
    cache: Path | None = None
    """Folder of decoded images, where a vae run's training images are found; by default $TWOFOLD_CACHE, else twofold in
    the user's cache folder."""
    open: Literal["yes", "no"] = "yes"
    """Open the browser."""


def app(argv: list[str]) -> int:
    """`twofold app`."""
    flags = parse(AppFlags, argv, "app")
    if not flags.runs.is_dir():
        raise InputError(f"{flags.runs}: is no folder; give the one below which the runs lie")
    if not 0 <= flags.port <= 65535:
        raise InputError(f"--port: must lie in 0 to 65535, got {flags.port}")
    token = _token(flags)
    try:
        import fastapi  # noqa: F401
        import uvicorn
    except ModuleNotFoundError as error:
        raise InputError(f"twofold app needs {error.name}: pip install 'twofold[app]'") from error

    from twofold.app.connections import Connection
    from twofold.app.runs import Runs
    from twofold.app.server import create

    listening = _listen(flags)
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{port}/"
    sys.stdout.write(f"Runs of {flags.runs}: {address} (Ctrl+C ends it)\n")
    sys.stdout.flush()
    if flags.open == "yes":
        import webbrowser

        webbrowser.open(address)  # the port already listens, so the browser waits for the first answer
    served = create(Runs(flags.runs), token, flags.cache)
    settings = uvicorn.Config(served, http=Connection, log_level="warning", server_header=False)
    with listening, contextlib.suppress(KeyboardInterrupt):  # that is how it is ended
        uvicorn.Server(settings).run(sockets=[listening])
    return 0


def _token(flags: AppFlags) -> str | None:
    if flags.token_file is None:
        if not _is_loopback(flags.host):
            raise InputError(f"--host {flags.host}: is reached by other computers, so give --token-file FILE, too")
        return None
    try:
        text = flags.token_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--token-file {flags.token_file}: can't be read ({error})") from error
    if len(text) < TOKEN_LENGTH or len(text.split()) != 1:
        raise InputError(
            f"--token-file {flags.token_file}: must hold one word of {TOKEN_LENGTH} or more characters, as "
            "`openssl rand -hex 16` writes"
        )
    return text


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(flags: AppFlags) -> socket.socket:
    family = socket.AF_INET6 if ":" in flags.host else socket.AF_INET
    try:
        listening = socket.create_server((flags.host, flags.port), family=family)
    except OSError as error:
        raise InputError(
            f"--host {flags.host} --port {flags.port}: can't be listened at ({error.strerror}); give another --port"
        ) from error
    # Connections inherit it. Without it each answer waits 40 ms for an acknowledgement, since asyncio sets it only on
    # sockets that were made with the number of TCP.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening

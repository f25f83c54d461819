"""A connection on which no request comes is closed; one that asks, or is answered slowly, is not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from app.folders import put
from twofold.app import connections, guard
from twofold.app.connections import Connection
from twofold.app.runs import Runs
from twofold.app.server import create

HEAD_S = 0.4
ASK = b"GET /api/runs HTTP/1.1\r\nHost: localhost\r\n"


@asynccontextmanager
async def _connected(app: Any) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    config = uvicorn.Config(app, http=Connection, log_level="critical", timeout_keep_alive=60)
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            yield reader, writer
        finally:
            writer.close()


async def _trickled(writer: asyncio.StreamWriter, reader: asyncio.StreamReader, content: bytes) -> bytes:
    """What comes while bytes are sent one by one, each well within the time."""
    for byte in content:
        if writer.is_closing() or reader.at_eof():
            break
        writer.write(bytes([byte]))
        await asyncio.sleep(HEAD_S / 5)
    return await asyncio.wait_for(reader.read(), 10)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_S", HEAD_S)


@pytest.mark.parametrize("content", [b"", b"GET /api/runs HTTP/1.1\r\nX-Slow: " + b"a" * 200])
def test_without_a_request_it_is_closed(tmp_path: Path, content: bytes) -> None:
    async def play() -> None:
        async with _connected(create(Runs(tmp_path))) as (reader, writer):
            assert await _trickled(writer, reader, content) == b""

    asyncio.run(play())


def test_after_an_answer_it_waits_as_long_again(tmp_path: Path) -> None:
    async def play() -> None:
        async with _connected(create(Runs(tmp_path))) as (reader, writer):
            for _ in range(3):
                writer.write(ASK + b"\r\n")
                assert (await reader.readuntil(b"[]")).startswith(b"HTTP/1.1 200")
                await asyncio.sleep(HEAD_S * 0.6)
            assert await _trickled(writer, reader, ASK * 20) == b""

    asyncio.run(play())


def test_requests_sent_at_once_are_all_answered(tmp_path: Path) -> None:
    async def play() -> None:
        async with _connected(create(Runs(tmp_path))) as (reader, writer):
            writer.write((ASK + b"\r\n") * 3)
            assert (await asyncio.wait_for(reader.read(), 10)).count(b"HTTP/1.1 200") == 3

    asyncio.run(play())


def test_a_slow_answer_is_awaited() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(HEAD_S * 3)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def play() -> None:
        async with _connected(app) as (reader, writer):
            writer.write(ASK + b"\r\n")
            assert (await asyncio.wait_for(reader.read(), 10)).endswith(b"ok")

    asyncio.run(play())


def test_a_slow_body_is_answered_and_then_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_S", HEAD_S)

    async def play() -> None:
        async with _connected(create(Runs(tmp_path))) as (reader, writer):
            writer.write(b"POST /api/runs/x/decode HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
            answer = asyncio.create_task(reader.read())
            while not answer.done():
                writer.write(b"a")
                await asyncio.sleep(HEAD_S / 10)
            assert b"408" in answer.result().split(b"\r\n")[0] and b'"too_slow"' in answer.result()

    asyncio.run(play())


@pytest.mark.parametrize(
    "target",
    ["/../../etc/passwd", "/runs/../../etc/passwd", "/static/../server.py", "/runs/run/../../..", "*", "//x/y", "x"],
)
def test_a_target_as_no_browser_sends_it_is_refused(tmp_path: Path, target: str) -> None:
    put(tmp_path / "run", "vae run")

    async def play() -> None:
        async with _connected(create(Runs(tmp_path))) as (reader, writer):
            writer.write(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            answer = await asyncio.wait_for(reader.read(), 10)
            assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400", b"HTTP/1.1 307")), answer[:300]
            assert b"root:" not in answer

    asyncio.run(play())

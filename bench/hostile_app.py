"""The app's server under fire: cases made of its description, and requests that nobody well-meaning sends.

`python bench/hostile_app.py [CASES]` starts `twofold app` on a port of this computer over two quick runs, sends CASES
(5,000) cases of schemathesis, then twice several hundred hostile requests: files of all kinds, odd addresses, slow and
endless bodies, slow heads, wrong hosts and tokens, many at once. Fails on any 5xx, on an answer that its description
does not have, on memory that the second turn by hand raised by 50 MB, and when a file is left behind.
"""

import asyncio
import collections
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import schemathesis

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from app import payloads
from app.cases import CHECKS, operations, play, uploads
from twofold.app.server import SWEEP_S

CASES, GROWTH_MB, AT_ONCE, TABLE_ROWS, UNPACKED = 5_000, 50, 100, 10**6, 2**30
QUICK = {
    "avatars": "vae run --recipe plain --image.size 16 --image.avatars 60 --train.epochs 1 --device cpu",
    "waves": "trend run --train.epochs 1 --ensemble.seeds 1 --score.bootstrap 20",
}
OCTETS = {"Content-Type": "application/octet-stream"}
"""Of an upload."""


class Server:
    """`twofold app` in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.process, self.address = process, address

    def megabytes(self, name: str = "VmRSS") -> float:
        """Memory that is held now, or `VmHWM`, at most until now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split(f"{name}:")[1].split()[0]) / 1024


@contextmanager
def serving(runs: Path, temporary: Path, *options: str) -> Iterator[Server]:
    command = [sys.executable, "-m", "twofold", "app", str(runs), "--port", "0", "--open", "no", *options]
    env = os.environ | {"TMPDIR": str(temporary)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://[^/]+", process.stdout.readline())
            assert found is not None
            yield Server(process, found[0])
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


class Tally:
    """Statuses by what was sent, and what went wrong."""

    def __init__(self) -> None:
        self.statuses: collections.Counter[tuple[str, int]] = collections.Counter()
        self.wrong: dict[str, str] = {}

    def note(self, what: str, status: int, body: bytes, *, typed: bool = True) -> None:
        self.statuses[what, status] += 1
        if status >= 500 or (status >= 400 and typed and b'"code"' not in body):
            self.wrong.setdefault(f"{what}: {status}", body[:300].decode("utf-8", "replace"))

    def show(self, title: str) -> None:
        print(f"{title}: {sum(self.statuses.values()):,} requests")
        for what in sorted({what for what, _ in self.statuses}):
            found = sorted((status, number) for (each, status), number in self.statuses.items() if each == what)
            print(f"  {what:<46} {', '.join(f'{number:,} x {status}' for status, number in found)}")
        for what, words in self.wrong.items():
            print(f"  WRONG {what}: {words}")


def paths(server: Server) -> dict[str, Any]:
    return httpx.get(f"{server.address}/api/openapi.json").json()["paths"]


def described(server: Server, cases: int) -> Tally:
    """Cases of the description, as many for each operation and for right and wrong ones."""
    tally, schema = Tally(), schemathesis.openapi.from_url(f"{server.address}/api/openapi.json")
    kinds = list(operations(paths(server)))
    number = -(-cases // sum("{" in path for _, path, _ in kinds))  # the others take nothing, so they have one case

    def ask(case: schemathesis.Case) -> None:
        answer = case.call(timeout=120)  # the first one loads torch
        tally.note(case.operation.label, answer.status_code, answer.content)
        try:
            case.validate_response(answer, checks=CHECKS)
        except BaseExceptionGroup as group:
            for error in group.exceptions:
                tally.wrong.setdefault(f"{case.operation.label}: {type(error).__name__}", str(error)[:500])

    for method, path, mode in kinds:
        play(schema[path][method], mode, list(QUICK), number, ask)
    return tally


def files(server: Server, tally: Tally) -> None:
    """Each hostile file to each address that takes files, of each run."""
    found = {
        **payloads.good_images(),
        **payloads.bad_images(UNPACKED),
        **payloads.archives(UNPACKED),
        **payloads.tables(TABLE_ROWS),
    }
    with httpx.Client(base_url=server.address, timeout=120) as client:
        for path in uploads(paths(server)):
            for name, make in found.items():
                content = make()
                for run in QUICK:
                    answer = client.post(path.replace("{run_id}", run), content=content, headers=OCTETS)
                    tally.note(f"file: {name}", answer.status_code, answer.content)


def addresses(server: Server, tally: Tally) -> None:
    """Ids that should lead out, by a client that sends them as they are."""
    host, _, port = server.address.removeprefix("http://").partition(":")
    for name in (*payloads.IDS, "..", "../../etc/passwd", "avatars/../../.."):
        for path in (
            f"/api/runs/{name}",
            f"/api/runs/{name}/trend",
            f"/runs/{name}/report",
            f"/static/{name}",
            f"/{name}",
        ):
            answer = raw(
                host, int(port), f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
            )
            assert b"root:" not in answer
            tally.note("address", int(answer[9:12]), answer, typed=path.startswith("/api/") and len(path) < 10_000)


def raw(host: str, port: int, content: bytes, pause_s: float = 0.0, part: int = 2**16) -> bytes:
    """What comes back for bytes that are sent in parts."""
    with socket.create_connection((host, port), timeout=120) as connection:
        try:
            for first in range(0, len(content), part):
                connection.sendall(content[first : first + part])
                time.sleep(pause_s)
        except OSError:
            pass  # the server has had enough
        answer = b""
        while True:
            try:
                more = connection.recv(2**16)
            except OSError:
                return answer
            if not more:
                return answer
            answer += more


def bodies(server: Server, tally: Tally) -> None:
    """Bodies that are too long, never end or come slowly, and heads that never end."""
    host, _, port = server.address.removeprefix("http://").partition(":")
    head = "POST /api/runs/avatars/{} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    endless = b"100000\r\n" + b" " * 2**20 + b"\r\n"
    for address, times in (("decode", 2), ("encode", 40)):
        begun = head.format(address).encode()
        announced = raw(host, int(port), begun + b"Content-Length: 99999999999\r\n\r\n")
        tally.note("a length of 100 GB", int(announced[9:12]), announced)
        chunked = raw(host, int(port), begun + b"Transfer-Encoding: chunked\r\n\r\n" + endless * times)
        tally.note("chunks beyond the limit", int(chunked[9:12]), chunked)
        broken = raw(host, int(port), begun + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")
        tally.note("chunks that are none", int(broken[9:12]), broken, typed=False)


async def slow(server: Server, tally: Tally) -> None:
    """Many connections whose bodies or heads come byte by byte, and one honest request meanwhile."""
    host, _, port = server.address.removeprefix("http://").partition(":")

    async def trickle(content: bytes) -> tuple[float, bytes]:
        reader, writer = await asyncio.open_connection(host, int(port))
        begun, reading = time.perf_counter(), asyncio.create_task(reader.read())
        writer.write(content)
        while not reading.done():
            writer.write(b"a")
            await asyncio.wait([reading], timeout=1.0)
        writer.close()
        return time.perf_counter() - begun, b"" if reading.exception() else reading.result()

    async def honest() -> float:
        begun = time.perf_counter()
        async with httpx.AsyncClient(base_url=server.address, timeout=60) as client:
            for _ in range(20):
                assert (await client.get("/api/runs")).status_code == 200
        return (time.perf_counter() - begun) / 20

    body = b"POST /api/runs/avatars/decode HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n"
    asked = [trickle(b"GET / HTTP/1.1\r\nX-Slow: ") for _ in range(30)] + [trickle(body) for _ in range(30)]
    tasks = [asyncio.create_task(each) for each in asked]
    await asyncio.sleep(2)
    meanwhile = await honest()
    found = await asyncio.gather(*tasks)
    for seconds, answer in found[30:]:
        tally.note("a slow body", int(answer[9:12] or 0), answer)
        assert seconds < 100
    heads, bodies = (max(seconds for seconds, _ in part) for part in (found[:30], found[30:]))
    print(f"slow heads closed after {heads:.0f} s at most, slow bodies refused after {bodies:.0f}")
    print(f"a request beside both took {1000 * meanwhile:.0f} ms")


async def at_once(server: Server, tally: Tally) -> None:
    """Many requests of several kinds at the same time."""
    image = payloads.good_images()["png 16 bit rgba"]()
    large = bytes(19 * 2**20)
    async with httpx.AsyncClient(
        base_url=server.address, timeout=300, limits=httpx.Limits(max_connections=AT_ONCE)
    ) as client:

        async def ask(number: int) -> None:
            match number % 4:
                case 0:
                    what, answer = (
                        "an image",
                        await client.post("/api/runs/avatars/encode", content=image, headers=OCTETS),
                    )
                case 1:
                    what, answer = "19 MB", await client.post("/api/runs/avatars/encode", content=large, headers=OCTETS)
                case 2:
                    what, answer = "a sample", await client.post("/api/runs/avatars/sample", json={"seed": number})
                case _:
                    what, answer = "a page", await client.get("/runs/waves")
            tally.note(f"{AT_ONCE} at once: {what}", answer.status_code, answer.content)

        await asyncio.gather(*(ask(number) for number in range(AT_ONCE)))


def strangers(server: Server, tally: Tally) -> None:
    """Names, origins and methods that are none of ours."""
    host = server.address.removeprefix("http://")
    for headers in (
        {"Host": "evil.example"},
        {"Host": ""},
        {"Host": "[::1"},
        {"Host": f"{host}@evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[::1"},
        {"Authorization": "Basic \xe9"},
    ):
        connection = http.client.HTTPConnection(host)
        connection.putrequest("GET", "/api/runs", skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name, value.encode("latin-1"))
        connection.endheaders()
        answer = connection.getresponse()
        tally.note(f"{next(iter(headers))} of another", answer.status, answer.read())
        connection.close()


def tokens(runs: Path, temporary: Path, folder: Path) -> Tally:
    """A server with a token, and who does not have it."""
    tally, file = Tally(), folder / "token"
    file.write_text("0123456789abcdef")
    with serving(runs, temporary, "--token-file", str(file)) as server:
        for given in (
            "",
            "Bearer x",
            "Bearer 0123456789abcdee",
            "Basic \xe9\xe9",
            "Basic AAAA",
            "Bearer " + "a" * 10_000,
        ):
            headers = {b"Authorization": given.encode("latin-1")} if given else {}
            answer = httpx.get(f"{server.address}/api/runs", headers=headers)
            tally.note("a wrong token", answer.status_code, answer.content)
        right = httpx.get(f"{server.address}/api/runs", headers={"Authorization": "Bearer 0123456789abcdef"})
        tally.note("the token", right.status_code, right.content)
    return tally


def held(folder: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def main() -> int:
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else CASES
    with tempfile.TemporaryDirectory() as name:
        folder, wrong = Path(name), []
        runs, temporary = folder / "runs", folder / "temporary"
        temporary.mkdir()
        for run, options in QUICK.items():
            command = [sys.executable, "-m", "twofold", *options.split(), "--out", str(runs / run)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = held(runs)
        with serving(runs, temporary) as server:
            fresh = server.megabytes()
            begun = time.perf_counter()
            tally = described(server, cases)
            tally.show(f"cases of the description, {time.perf_counter() - begun:.0f} s")
            wrong += tally.wrong
            grown = [fresh, server.megabytes()]
            for turn in (1, 2):
                tally = Tally()
                for each in (files, addresses, bodies, strangers):
                    each(server, tally)
                asyncio.run(at_once(server, tally))
                asyncio.run(slow(server, tally))
                time.sleep(SWEEP_S + 5)  # until freed memory is given back
                grown.append(server.megabytes())
                if turn == 1:
                    tally.show("by hand")
                wrong += tally.wrong
            print(f"memory: {fresh:.0f} MB at the start, {grown[1]:.0f} with models and libraries, after the cases;")
            print(f"  {grown[2]:.0f} and {grown[3]:.0f} after two turns by hand; most {server.megabytes('VmHWM'):.0f}")
        tally = tokens(runs, temporary, folder)
        tally.show("with a token")
        wrong += tally.wrong
        left, same = sorted(temporary.rglob("*")), held(runs) == before
        print(f"left behind: {len(left)} files in the temporary folder; RUNS {'as before' if same else 'CHANGED'}")
    return int(bool(wrong or left or not same or grown[-1] - grown[-2] >= GROWTH_MB))


if __name__ == "__main__":
    sys.exit(main())

"""What nobody well-meaning sends, and run folders that are damaged or odd: each is answered by a typed error."""

import asyncio
import html
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pytest

from app import cases, payloads
from app.folders import Client, put, vae_scores
from twofold.app.problems import Problem

UNPACKED = 2**24
FILES: dict[str, Callable[[], bytes]] = {
    **payloads.good_images(),
    **payloads.bad_images(UNPACKED),
    **payloads.archives(UNPACKED),
    **payloads.tables(10**4),
}


TO_TABLES = {"zip bomb", "gzip bomb", "xlsx bomb", "zip cut", "any bytes", "zero bytes"}
"""Files that are sent where tables are read, too: each reading starts a process. `bench/hostile_app.py` sends all."""


@pytest.fixture(scope="module")
def ask(every_run: Path) -> Client:
    return Client(every_run)


@pytest.fixture(scope="module")
def paths(ask: Client) -> dict[str, Any]:
    return ask.get("/api/openapi.json").json()["paths"]


def _is_typed(answer: httpx.Response, address: str) -> None:
    """A right answer, or an error of the kind that its address promises."""
    assert answer.status_code < 500, (address[:200], answer.status_code, answer.text[:500])
    if answer.status_code >= 400:
        assert len(answer.content) < (2_000 if address.startswith("/api/") else 20_000)
        if address.startswith("/api/"):
            Problem.model_validate(answer.json(), extra="forbid")
        else:
            assert f"<h1>{answer.status_code}</h1>" in answer.text


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, empty."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def _held(folder: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


@pytest.mark.parametrize("name", FILES)
def test_any_file_is_taken_or_refused_and_nothing_is_kept(
    ask: Client, paths: dict[str, Any], every_run: Path, temporary: Path, name: str
) -> None:
    before, content, uploads = _held(every_run), FILES[name](), cases.uploads(paths)
    assert "/api/runs/{run_id}/encode" in uploads
    for path in uploads:
        if name not in TO_TABLES and not path.endswith(("/encode", "/nearest")):
            continue
        for run in ("discs", "waves"):
            address = path.replace("{run_id}", run)
            answer = ask.post(address, content=content, headers={"Content-Type": "application/octet-stream"})
            _is_typed(answer, address)
            if path.endswith("/encode") and run == "discs":
                assert (answer.status_code == 200) == (name in payloads.good_images()), answer.text
    assert _held(every_run) == before
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("name", payloads.IDS)
def test_any_id_is_refused(ask: Client, paths: dict[str, Any], name: str) -> None:
    pages = ["/runs/{run_id}", "/runs/{run_id}/report", "/static/{run_id}", "/{run_id}"]
    for path in [*pages, *(path for path in paths if "{run_id}" in path)]:
        address = path.replace("{run_id}", name)
        answer = ask.ask("POST" if "post" in paths.get(path, {}) else "GET", re.sub("{.*?}", "0", address))
        _is_typed(answer, address)
        assert 400 <= answer.status_code < 500 or answer.is_redirect, address[:200]
        assert "root:" not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"z": ' * 40_000,
        b'{"z": [' + b"1" * 5_000 + b"]}",
        b'{"z": [1e999]}',
        b'{"z": [-1e308]}',
        b'{"z": ["\xff\xfe"]}',
        b'{"z": [0], "\\ud800": 1}',
        b'{"z": "\\ud800"}',
        b'{"z": [0], "' + b"a" * 200_000 + b'": 1}',
        b'{"z": [' + b"0," * 100_000 + b"0]}",
        b'{"z": {"z": {"z": []}}}',
        b"\x00",
        b"\xef\xbb\xbf[]",
        "[]".encode("utf-16"),
        b"z=0",
        b"",
    ],
    ids=range(16),
)
def test_any_body_is_refused(ask: Client, paths: dict[str, Any], body: bytes) -> None:
    posts = [path.replace("{run_id}", "discs") for path, methods in paths.items() if "post" in methods]
    kinds = "application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""
    for address in posts:
        # Where tables are read, what is no JSON starts a process, and is taken there as anywhere else.
        for kind in kinds[:2] if address == "/api/look" else kinds:
            answer = ask.post(address, content=body, headers={"Content-Type": kind})
            _is_typed(answer, address)
            assert answer.status_code >= 400


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "HEAD", "CONNECT", "ODD"])
def test_other_methods_are_refused(ask: Client, paths: dict[str, Any], method: str) -> None:
    for path in [*paths, "/", "/runs/{run_id}", "/static/vae.js"]:
        answer = ask.ask(method, path.replace("{run_id}", "discs").replace("{number}", "0"))
        assert answer.status_code == 405
        assert answer.headers["allow"]


@pytest.mark.parametrize("headers", [{"Origin": "http://[::1"}, {"Origin": ""}, {"Origin": "http://127.0.0.1:8737@x"}])
def test_what_is_no_origin_is_another_one(ask: Client, headers: dict[str, str]) -> None:
    answer = ask.get("/api/runs", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")


@pytest.mark.parametrize("given", [b"Basic \xe9\xe9", b"Bearer \xe9", b"Basic " + b"A" * 50_000, b"Basic /w=="])
def test_what_is_no_token_is_refused(every_run: Path, given: bytes) -> None:
    answer = Client(every_run, "0123456789abcdef").get("/api/runs", headers={b"Authorization": given})
    assert (answer.status_code, answer.json()["code"]) == (401, "not_allowed")


ODD_NAMES = ["a b#c?d&e%f~g;h", "100%25", "%2e%2e", "<script>", "Zürich 日本", "\udcff\udc80", "a\nb", "'\"", "-", "*"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_runs_of_odd_names_are_reached_by_the_addresses_given(vae_runs: Path, tmp_path: Path, name: str) -> None:
    root = tmp_path / "\udcffroot"
    shutil.copytree(vae_runs / "discs", root / name)
    ask = Client(root)
    (run,) = ask.get("/api/runs").json()
    assert ask.get(f"/api/runs/{quote(run['id'], safe='')}").json() == run
    pages = [ask.get(address).text for address in ("/", run["page"], run["report"])]
    links = {html.unescape(link) for page in pages for link in re.findall(r'(?:href|src)="(/[^"]*)"', page)}
    assert {run["page"], run["report"]} <= links
    for link in links:
        assert ask.get(link).status_code == 200, link


def _folder(run: Path) -> None:
    (run / "config.json").unlink()
    (run / "config.json").mkdir()


def _circle(run: Path) -> None:
    for name in ("report.html", "scores.json", "arrays.npz", "config.json"):
        (run / name).unlink(missing_ok=True)
        (run / name).symlink_to(run / name)


def _pipe(run: Path) -> None:
    (run / "config.json").unlink()
    os.mkfifo(run / "config.json")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a folder for a file": _folder,
    "links in a circle": _circle,
    "a pipe for a file": _pipe,
    "config nested too deep": lambda run: (run / "config.json").write_text("[" * 100_000),
    "scores nested too deep": lambda run: (run / "scores.json").write_text("[" * 100_000),
    "scores that are no text": lambda run: (run / "scores.json").write_bytes(b"\xff\xfe"),
    "scores that are no numbers": lambda run: (run / "scores.json").write_text('{"test": {"bits_per_dim": NaN}}'),
    "scores beyond all numbers": lambda run: (run / "scores.json").write_text('{"test": {"bits_per_dim": 1e999}}'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_hides_no_other(tmp_path: Path, damage: str) -> None:
    put(tmp_path / "whole", "vae run", vae_scores(0.5))
    DAMAGES[damage](put(tmp_path / "damaged", "vae run", vae_scores(0.5)))
    ask = Client(tmp_path)
    answer = ask.get("/api/runs")
    _is_typed(answer, "/api/runs")
    assert "whole" in {run["id"] for run in answer.json()}
    assert "whole" in ask.get("/").text
    for address in ("/runs/damaged", "/runs/damaged/report", "/api/runs/damaged", "/api/runs/damaged/images/0"):
        _is_typed(ask.get(address), address)


def _changes(content: bytes) -> Iterator[bytes]:
    yield b""
    yield b"PK\x03\x04" * 20
    yield content[: len(content) // 2]
    changed = np.frombuffer(content, np.uint8).copy()
    changed[np.random.default_rng(0).integers(0, len(content), 20)] ^= 255
    yield changed.tobytes()


READ = {
    "discs": ("arrays.npz", "model.safetensors"),
    "waves": ("predictions.parquet", "tomorrow.parquet", "panel.parquet", "scores.json"),
}


@pytest.mark.parametrize("place", [f"{run}/{name}" for run, names in READ.items() for name in names])
def test_a_damaged_file_is_no_fault_of_the_server(
    ask: Client, every_run: Path, paths: dict[str, Any], tmp_path: Path, place: str
) -> None:
    run, name = place.split("/")
    gets = [path for path, methods in paths.items() if "get" in methods]
    addresses = [path.replace("{run_id}", run).replace("{number}", "0").replace("{name}", "real") for path in gets]
    answered = [address for address in addresses if ask.get(address).status_code == 200]
    assert len(answered) > 3
    for number, changed in enumerate(_changes((every_run / run / name).read_bytes())):
        folder = shutil.copytree(every_run / run, tmp_path / str(number) / run)
        (folder / name).write_bytes(changed)
        damaged = Client(folder.parent)
        for address in ["/", f"/runs/{run}", *answered]:
            _is_typed(damaged.get(address), address)


def test_many_at_once_are_all_answered(every_run: Path) -> None:
    ask = Client(every_run)
    image = payloads.good_images()["png rgb"]()

    async def everything() -> list[httpx.Response]:
        transport = httpx.ASGITransport(ask.app)
        async with httpx.AsyncClient(transport=transport, base_url=ask.base_url) as client:
            octets = {"Content-Type": "application/octet-stream"}
            encode = [client.post("/api/runs/discs/encode", content=image, headers=octets) for _ in range(20)]
            decode = [client.post("/api/runs/discs/decode", json={"z": [0.0] * 3}) for _ in range(20)]
            read = [client.get("/api/runs/waves/trend") for _ in range(20)]
            return list(await asyncio.gather(*encode, *decode, *read))

    assert {answer.status_code for answer in asyncio.run(everything())} == {200}

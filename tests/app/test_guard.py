"""Who may ask, how much, and what an answer allows."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.folders import Client, put
from twofold.app import guard
from twofold.app.guard import FILE_BYTES, JSON_BYTES, UPLOADS, Guard

TOKEN = "0123456789abcdef"


def test_every_answer_forbids_other_sources(tmp_path: Path) -> None:
    put(tmp_path / "run", "vae run")
    for address, status in {"/": 200, "/api/runs": 200, "/nothing": 404, "/api/nothing": 404}.items():
        answer = Client(tmp_path).get(address)
        assert answer.status_code == status
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "http" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not any(name.startswith("access-control") for name in answer.headers)


def test_a_report_runs_as_a_stranger(tmp_path: Path) -> None:
    put(tmp_path / "run", "vae run")
    policy = Client(tmp_path).get("/runs/run/report").headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts;") and "allow-same-origin" not in policy


def test_an_error_is_a_problem_for_programs_and_a_page_for_people(tmp_path: Path) -> None:
    problem = Client(tmp_path).get("/api/runs/none")
    assert (problem.status_code, problem.json()["code"]) == (404, "not_found")
    assert "<h1>404</h1>" in Client(tmp_path).get("/runs/none").text
    wrong = Client(tmp_path).post("/api/runs")
    assert (wrong.json()["code"], wrong.headers["allow"]) == ("wrong_method", "GET")


def test_the_api_describes_itself(tmp_path: Path) -> None:
    found = Client(tmp_path).get("/api/openapi.json").json()
    answers = found["paths"]["/api/runs/{run_id}"]["get"]["responses"]
    assert answers["404"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Problem"}
    assert "HTTPValidationError" not in found["components"]["schemas"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8737", "127.0.0.1.evil.example", "", "[::1"])
def test_another_sites_name_for_this_computer_is_refused(tmp_path: Path, host: str) -> None:
    answer = Client(tmp_path).get("/api/runs", headers={"Host": host})
    assert (answer.status_code, answer.json()["code"]) == (403, "unknown_host")


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8737"])
def test_loopback_names_are_answered(tmp_path: Path, host: str) -> None:
    assert Client(tmp_path, host=host).get("/api/runs").status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999"])
def test_pages_of_other_sites_are_refused(tmp_path: Path, origin: str) -> None:
    answer = Client(tmp_path).get("/api/runs", headers={"Origin": origin})
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")


def test_our_own_pages_are_answered(tmp_path: Path) -> None:
    assert Client(tmp_path).get("/api/runs", headers={"Origin": "http://127.0.0.1:8737"}).status_code == 200


def _basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"name:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (_basic(TOKEN), 200),
        ("", 401),
        ("Bearer ", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        (_basic(""), 401),
        ("Basic ###", 401),
        (TOKEN, 401),
    ],
)
def test_a_token_is_asked_for_on_any_host(tmp_path: Path, given: str, status: int) -> None:
    answer = Client(tmp_path, TOKEN, "runs.example").get("/api/runs", headers={"Authorization": given})
    assert answer.status_code == status
    assert ("www-authenticate" in answer.headers) == (status == 401)


@pytest.mark.parametrize(("address", "most"), [("/api/runs/x/decode", JSON_BYTES), ("/api/runs/x/encode", FILE_BYTES)])
def test_a_large_body_is_refused_announced_or_not(tmp_path: Path, address: str, most: int) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(most // 2**16 + 1):
            yield bytes(2**16)

    for body in (bytes(most + 1), parts()):
        answer = Client(tmp_path).post(address, content=body)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert Client(tmp_path).post(address, content=bytes(most)).status_code != 413


def test_a_slow_body_is_refused_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_S", 0.05)

    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    for address in ("/api/runs/x/decode", "/api/runs/x/encode", "/api/runs"):
        answer = Client(tmp_path).ask("POST", address, content=parts())
        assert (answer.status_code, answer.json()["code"]) == (408, "too_slow")


def test_an_announced_length_that_is_no_number_is_refused(tmp_path: Path) -> None:
    for length in ("-1", "x", "9" * 5000, "1, 1"):
        answer = Client(tmp_path).post("/api/runs/x/decode", headers={"Content-Length": length})
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def _scope(path: str) -> dict[str, Any]:
    return {"type": "http", "method": "POST", "path": path, "headers": [(b"host", b"localhost")]}


def test_a_request_whose_client_went_is_dropped() -> None:
    messages = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def never(*_: Any) -> None:
        raise AssertionError("half a request was answered")

    asyncio.run(Guard(never, None)(_scope("/api/runs/x/decode"), receive, never))


def test_few_uploads_are_held_at_once() -> None:
    inside, most = 0, 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.01)
        inside -= 1
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async def ask(path: str) -> list[int]:
        transport = httpx.ASGITransport(Guard(app, None))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            answers = await asyncio.gather(*(client.post(path, content=b"x") for _ in range(3 * UPLOADS)))
        return [answer.status_code for answer in answers]

    assert asyncio.run(ask("/api/runs/x/encode")) == [204] * 3 * UPLOADS
    assert most == UPLOADS
    most = 0
    asyncio.run(ask("/api/runs/x/decode"))
    assert most == 3 * UPLOADS

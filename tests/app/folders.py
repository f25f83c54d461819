"""Run folders as the commands leave them, with as few files as a test needs."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx

from twofold.app.runs import Runs
from twofold.app.server import create

CONFIGS: dict[str, dict[str, Any]] = {
    "vae run": {"seed": 0, "objective": {"beta": 1.0}},
    "vae sweep": {"base": {}, "betas": [0.0, 1.0]},
    "trend tune": {"trend": {}, "tune": {}},
    "vae tune": {"vae": {}, "tune": {}},
    "trend run": {"screen": {"days": "train"}},
    "trend backtest": {"screen": {"days": "train"}, "walk": {"last": 4}},
    "trend study": {"lengths": [7]},
    "hub backtest": {"heads": []},
}


def put(folder: Path, kind: str, scores: dict[str, Any] | None = None, *, done: bool = True) -> Path:
    """A run folder of a kind, with a report if it is done."""
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"command": ["twofold", *kind.split()], "data_digest": "0"}))
    (folder / "config.json").write_text(json.dumps(CONFIGS[kind]))
    if scores is not None:
        name = {
            "vae sweep": "sweep.json",
            "trend study": "study.json",
            "vae tune": "tune.json",
            "trend tune": "tune.json",
        }.get(kind, "scores.json")
        (folder / name).write_text(json.dumps(scores))
    if done:
        (folder / "report.html").write_text(f"<!DOCTYPE html><p>report of {folder.name}")
        (folder / "DONE").touch()
    return folder


def vae_scores(bits: float | None, nats: float = 10.0) -> dict[str, Any]:
    return {"test": {"bits_per_dim": bits, "negative_elbo_nats": nats}}


class Client:
    """Asks a server without a port; each request has its own event loop."""

    def __init__(
        self, folder: Path, token: str | None = None, host: str = "127.0.0.1:8737", cache: Path | None = None
    ) -> None:
        self.app, self.base_url = create(Runs(folder), token, cache), f"http://{host}"

    def get(self, address: str, **more: Any) -> httpx.Response:
        return self.ask("GET", address, **more)

    def post(self, address: str, **more: Any) -> httpx.Response:
        return self.ask("POST", address, **more)

    def ask(self, method: str, address: str, **more: Any) -> httpx.Response:
        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=self.base_url) as client:
                return await client.request(method, address, **more)

        return asyncio.run(once())

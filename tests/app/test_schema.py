"""The API keeps to its own description, whatever it is asked."""

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from schemathesis.generation import GenerationMode

from app.cases import CHECKS, operations, play, uploads
from app.folders import Client
from twofold.app.runs import Runs
from twofold.app.server import create

HOST = "127.0.0.1"
CASES, UPLOADS = 12, 4
"""For each operation; of uploads fewer, since some start a process."""
PATHS = Client(Path()).get("/api/openapi.json").json()["paths"]


@pytest.fixture(scope="module")
def described(every_run: Path) -> Any:
    return schemathesis.openapi.from_asgi("/api/openapi.json", create(Runs(every_run)), headers={"Host": HOST})


@pytest.mark.parametrize(("method", "path", "mode"), list(operations(PATHS)))
def test_every_answer_is_described(
    described: Any, every_run: Path, method: str, path: str, mode: GenerationMode
) -> None:
    runs = [run.id for run in Runs(every_run).all()]
    play(
        described[path][method],
        mode,
        runs,
        UPLOADS if path in uploads(PATHS) else CASES,
        lambda case: case.call_and_validate(base_url=f"http://{HOST}", checks=CHECKS, timeout=120),
    )

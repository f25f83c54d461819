"""The API keeps to its own description, whatever it is asked: cases that schemathesis makes of the description."""

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.folders import Client
from twofold.app.runs import Runs
from twofold.app.server import create

HOST = "127.0.0.1"
CASES = 12
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# Not whether each body that fits is taken: the description can't know how many units a run's codes have.


def _operations() -> list[tuple[str, str, GenerationMode]]:
    paths = Client(Path()).get("/api/openapi.json").json()["paths"]
    return [
        (method.upper(), path, mode)
        for path, methods in paths.items()
        for method in methods
        for mode in GenerationMode
        if "{" in path or mode is GenerationMode.POSITIVE  # else there is nothing that could be wrong
    ]


@pytest.fixture(scope="module")
def described(every_run: Path) -> Any:
    return schemathesis.openapi.from_asgi("/api/openapi.json", create(Runs(every_run)), headers={"Host": HOST})


@pytest.mark.parametrize(("method", "path", "mode"), _operations())
def test_every_answer_is_described(
    described: Any, every_run: Path, method: str, path: str, mode: GenerationMode
) -> None:
    runs = [run.id for run in Runs(every_run).all()]

    @settings(
        max_examples=CASES,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=described[path][method].as_strategy(generation_mode=mode),
        run=st.sampled_from([*runs, None]),
        number=st.sampled_from([0, 1, None]),
    )
    def asked(case: schemathesis.Case, run: str | None, number: int | None) -> None:
        # Else hardly a case would get beyond the list of runs.
        for name, value in (("run_id", run), ("number", number)):
            if value is not None and name in case.path_parameters:
                case.path_parameters[name] = value
        case.call_and_validate(base_url=f"http://{HOST}", checks=CHECKS)

    asked()

"""Requests that schemathesis makes of the API's description; for tests and for `bench/hostile_app.py`."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

# Not whether each body that fits is taken: the description can't know how many units a run's codes have.
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def operations(paths: dict[str, Any]) -> Iterator[tuple[str, str, GenerationMode]]:
    """Method, path, and whether what is asked fits the description; where nothing is asked, it can't be wrong."""
    for path, methods in paths.items():
        for method in methods:
            yield method.upper(), path, GenerationMode.POSITIVE
            if "{" in path or "requestBody" in methods[method]:
                yield method.upper(), path, GenerationMode.NEGATIVE


def uploads(paths: dict[str, Any]) -> list[str]:
    """Paths that take files."""
    bodies = {path: methods.get("post", {}).get("requestBody", {"content": {}}) for path, methods in paths.items()}
    return [path for path, body in bodies.items() if "application/octet-stream" in body["content"]]


def play(
    operation: Any, mode: GenerationMode, runs: Sequence[str], number: int, ask: Callable[[schemathesis.Case], object]
) -> None:
    """Lets `ask` send so many cases, always the same ones, most of them to one of the runs."""

    @seed(0)
    @settings(
        max_examples=number,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=operation.as_strategy(generation_mode=mode),
        run=st.sampled_from([*runs, None]),
        place=st.sampled_from([0, 1, None]),
    )
    def each(case: schemathesis.Case, run: str | None, place: int | None) -> None:
        # Else hardly a case would get beyond the list of runs.
        for name, value in (("run_id", run), ("number", place)):
            if value is not None and name in case.path_parameters:
                case.path_parameters[name] = value
        ask(case)

    each()

"""Every error that the server answers: a status, a code for programs and a sentence for people."""

from typing import Any, Literal

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from twofold.engine.errors import InputError, RunFolderError
from twofold.page.template import render

Code = Literal[
    "not_found", "not_allowed", "foreign_origin", "unknown_host", "too_large", "invalid", "unusable_run", "internal"
]


class Problem(BaseModel):
    """The body of every answer that is an error."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    code: Code
    """Names the kind of error, for programs."""
    message: str
    """What was wrong, and what to do."""


class Refused(Exception):  # noqa: N818  (a refusal is no fault of the program)
    """Raised where a request can't be answered."""

    def __init__(self, status: int, code: Code, message: str) -> None:
        super().__init__(message)
        self.status, self.problem = status, Problem(code=code, message=message)


ANSWERS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "No token, or a wrong one."},
    403: {"model": Problem, "description": "The request comes from another site's page."},
    404: {"model": Problem, "description": "There is no such run or file."},
    409: {"model": Problem, "description": "The run is not finished, or its files can't be used."},
    413: {"model": Problem, "description": "The body is too large."},
    422: {"model": Problem, "description": "A value breaks a rule."},
}
"""Errors of the API, for its description."""


def answer(path: str, status: int, problem: Problem) -> Response:
    """A problem as JSON below /api, else as a page."""
    if path.startswith("/api/"):
        return JSONResponse(problem.model_dump(), status)
    return HTMLResponse(render("app/templates/problem.html.j2", status=status, problem=problem), status)


def install(app: FastAPI) -> None:
    """Lets an app answer every exception by a problem."""

    @app.exception_handler(Refused)
    def _refused(request: Request, error: Refused) -> Response:
        return answer(request.url.path, error.status, error.problem)

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, error: RequestValidationError) -> Response:
        # The values themselves are not repeated: a list of a thousand numbers helps nobody, and NaN is no JSON.
        rules = [f"{'.'.join(map(str, item['loc'][1:]))}: {item['msg']}".lstrip(": ") for item in error.errors()]
        more = f"; and {len(rules) - 3} more" if len(rules) > 3 else ""
        return answer(request.url.path, 422, Problem(code="invalid", message="; ".join(rules[:3]) + more))

    @app.exception_handler(InputError)
    def _input(request: Request, error: InputError) -> Response:
        status, code = (409, "unusable_run") if isinstance(error, RunFolderError) else (422, "invalid")
        return answer(request.url.path, status, Problem(code=code, message=str(error)))

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        code: Code = "not_found" if error.status_code == 404 else "not_allowed"
        message = "There is nothing at this address." if error.status_code == 404 else str(error.detail)
        return answer(request.url.path, error.status_code, Problem(code=code, message=message))

    @app.exception_handler(Exception)
    def _internal(request: Request, error: Exception) -> Response:
        message = "This is our fault, not yours; the terminal that the server was started in shows what happened."
        return answer(request.url.path, 500, Problem(code="internal", message=message))

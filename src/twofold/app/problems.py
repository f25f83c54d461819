"""Every error that the server answers: a status, a code for programs and a sentence for people."""

from collections.abc import Mapping
from typing import Any, Literal

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from twofold.engine.errors import InputError, RunFolderError
from twofold.engine.run import without_folders
from twofold.page.template import render

Code = Literal[
    "not_found",
    "not_allowed",
    "foreign_origin",
    "unknown_host",
    "wrong_method",
    "too_large",
    "too_slow",
    "invalid",
    "unusable_run",
    "internal",
]
LONGEST = 500
"""Characters of a message: what was sent may be repeated in it, and may be of any length."""


class Problem(BaseModel):
    """The body of every answer that is an error."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    code: Code
    """Names the kind of error, for programs."""
    message: str
    """What was wrong, and what to do."""


class Refused(Exception):  # noqa: N818  (a refusal is no fault of the program)
    """Raised where a request can't be answered."""

    def __init__(self, status: int, code: Code, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.problem, self.headers = status, Problem(code=code, message=_shortened(message)), headers

    def answer(self, path: str) -> Response:
        """The problem as JSON below /api, else as a page."""
        if path.startswith("/api/"):
            return JSONResponse(self.problem.model_dump(), self.status, self.headers)
        page = render("app/templates/problem.html.j2", status=self.status, problem=self.problem)
        return HTMLResponse(page, self.status, self.headers)


ANSWERS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "No token, or a wrong one."},
    403: {"model": Problem, "description": "The request comes from another site's page, or by another name."},
    404: {"model": Problem, "description": "There is no such run or file."},
    408: {"model": Problem, "description": "The body did not come in time."},
    409: {"model": Problem, "description": "The run is not finished, or its files can't be used."},
    413: {"model": Problem, "description": "The body is too large."},
    422: {"model": Problem, "description": "A value breaks a rule."},
    500: {"model": Problem, "description": "A fault of the server; its terminal shows what happened."},
}
"""Errors of the API, for its description."""


def install(app: FastAPI) -> None:
    """Lets an app answer every exception by a problem."""

    @app.exception_handler(Refused)
    def _refused(request: Request, error: Refused) -> Response:
        return error.answer(request.url.path)

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, error: RequestValidationError) -> Response:
        # The values themselves are not repeated: a list of a thousand numbers helps nobody, and NaN is no JSON.
        rules = [f"{'.'.join(map(str, item['loc'][1:]))}: {item['msg']}".lstrip(": ") for item in error.errors()]
        more = f"; and {len(rules) - 3} more" if len(rules) > 3 else ""
        shown = "; ".join(_shortened(rule, LONGEST // 4) for rule in rules[:3])
        return Refused(422, "invalid", shown + more).answer(request.url.path)

    @app.exception_handler(InputError)
    def _input(request: Request, error: InputError) -> Response:
        if isinstance(error, RunFolderError):  # where the runs lie is nobody's business
            return Refused(409, "unusable_run", without_folders(str(error))).answer(request.url.path)
        return Refused(422, "invalid", str(error)).answer(request.url.path)

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        return _known(error).answer(request.url.path)

    @app.exception_handler(Exception)
    def _internal(request: Request, error: Exception) -> Response:
        message = "This is our fault, not yours; the terminal that the server was started in shows what happened."
        return Refused(500, "internal", message).answer(request.url.path)


def _known(error: HTTPException) -> Refused:
    """What the framework refuses by itself, in our words."""
    match error.status_code:
        case 400:  # not decodable, nested too deep, or with a number of thousands of digits
            return Refused(422, "invalid", "The body is no JSON that can be read.")
        case 405:
            message = "This address does not know the method; see /api/openapi.json."
            return Refused(405, "wrong_method", message, error.headers)
        case 404:
            return Refused(404, "not_found", "There is nothing at this address.")
    return Refused(error.status_code, "not_allowed", str(error.detail), error.headers)


def _shortened(text: str, most: int = LONGEST) -> str:
    """A text that can be sent, whatever it repeats: of limited length, and without halves of characters."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= most else f"{text[: most - 1]}…"


def unusable() -> tuple[type[BaseException], ...]:
    """What reading a run's tables raises where they are cut, or of another version."""
    import polars as pl

    return pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError, LookupError, TypeError

"""Two runs of one kind side by side: what `twofold runs compare` computes, and forecasts or pictures."""

import functools
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from twofold.app import trend, vae
from twofold.app.problems import ANSWERS, Refused, unusable
from twofold.app.runs import Run, Runs, Summary
from twofold.engine.errors import DamagedError
from twofold.page.template import render

if TYPE_CHECKING:
    from twofold.runs.paired import Beside

RunId = Annotated[str, Query(max_length=1000, description="The run's id, as in the list of runs.")]


_MORE: dict[str, Callable[[Run], dict[str, Any]]] = {
    **dict.fromkeys(trend.HEADLINE, lambda run: trend.outlook(run).model_dump(mode="json")),
    "vae run": vae.sizes,
}
"""What the script needs of a run, by its kind."""
_ABBREVIATIONS = frozenset({"auc", "ece", "elbo", "fid", "kl", "mcc", "mse", "pr", "roc", "rps", "us", "wis"})


class _Answer(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Figure(_Answer):
    """A score, or a difference of scores, with its interval or standard error where there is one."""

    value: int | float | None
    interval: list[float] | None = None
    standard_error: float | None = None


class Comparison(_Answer):
    """Two runs of one kind."""

    kind: str
    a: Summary
    b: Summary
    settings: dict[str, list[Any]]
    """The settings that differ: those of a and of b."""
    scores: dict[str, list[Figure | None]]
    """The scores of a and of b."""
    cases: int
    """Held-out cases of both."""
    differences: dict[str, Figure]
    """Scores of b minus those of a on these cases."""
    why: str
    """Why there are no differences; empty where there are."""


def api(runs: Runs) -> APIRouter:
    """The part of the API that compares runs."""
    router = APIRouter(prefix="/api", responses=ANSWERS, tags=["compare"])

    @router.get("/compare")
    def compare(a: RunId, b: RunId) -> Comparison:
        """The settings that differ between two runs of one kind, their scores, and paired differences."""
        return _comparison(_finished(runs, a), _finished(runs, b))

    return router


def page(runs: Runs, a: str, b: str) -> str:
    """The page of two runs."""
    from twofold.runs.kinds import written

    pair = _finished(runs, a), _finished(runs, b)
    found = _comparison(*pair)
    more = _MORE.get(found.kind, lambda _: {})
    data = {"kind": found.kind} | {key: {"run": run.id} | more(run) for key, run in zip("ab", pair, strict=True)}
    drawn = trend.world(pair[0]) if found.kind in trend.HEADLINE else None
    shown = {"found": found, "data": data, "drawn": drawn, "named": _named, "written": _writer(written)}
    return render("app/templates/compare.html.j2", **shown)


def _writer(written: Any) -> Any:
    """`written` for the figures of an answer."""
    return lambda figure, sign="": ("–", "") if figure is None else written(figure.model_dump(), sign)


def _finished(runs: Runs, name: str) -> Run:
    run = runs.get(name)
    return run.require(run.kind)


def _comparison(a: Run, b: Run) -> Comparison:

    if a.kind != b.kind:
        raise Refused(422, "invalid", f"Runs of one kind can be compared; {a.id} is a {a.kind}, {b.id} a {b.kind}.")
    for run in (a, b):
        for table in run.folder.glob("*.parquet"):
            run.file(table.name)  # none leads out of RUNS
    stamps = [(run.folder / "DONE").stat().st_mtime_ns for run in (a, b)]
    try:
        found = _compared(a.folder, b.folder, *stamps)
    except DamagedError:
        raise
    except unusable() as error:
        raise Refused(409, "unusable_run", f"{a.id} and {b.id}: one is of another version ({error!r}).") from error
    [paired] = found["paired"]
    return Comparison(
        kind=found["kind"],
        a=a.summary(),
        b=b.summary(),
        settings=found["settings"],
        scores={
            name: [each and Figure.model_validate(each) for each in both] for name, both in found["scores"].items()
        },
        cases=paired["cases"],
        differences={name: Figure.model_validate(each) for name, each in paired["differences"].items()},
        why=paired["why"],
    )


def _figure(score: Any) -> Figure | None:
    return None if score is None else Figure.model_validate(score)


@functools.lru_cache(maxsize=16)
def _compared(a: FilePath, b: FilePath, *_: int) -> "Beside":
    from twofold.runs.folder import open_run
    from twofold.runs.paired import side_by_side

    return side_by_side([open_run(a), open_run(b)])


def _named(score: str) -> str:
    """The words of a score's key."""
    words = " ".join(word.upper() if word in _ABBREVIATIONS else word for word in score.split("_"))
    return words[0].upper() + words[1:]

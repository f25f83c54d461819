"""A study whose trials take milliseconds, and one that is claimed and searched as a command does it."""

import json
import time
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from twofold.engine.config import Config
from twofold.engine.errors import DivergedError, InputError
from twofold.engine.run import claim
from twofold.engine.work import Work, Workers
from twofold.tune.config import TuneConfig
from twofold.tune.search import search
from twofold.tune.space import Choice, Knob, Range
from twofold.tune.store import Store


class Group(Config):
    """Settings."""

    rate: float = Field(default=0.5, gt=0.0)
    depth: int = 2
    kind: Literal["round", "square"] = "round"

    @model_validator(mode="after")
    def _rule(self) -> "Group":
        if self.depth == 4 and self.kind == "square":
            raise ValueError("depth 4 is not square")
        return self


class Toy(Config):
    """A study's config."""

    recipe: str = "toy"
    seed: int = 0
    group: Group = Group()


class Whole(Config):
    """What a folder's config.json holds."""

    toy: Toy
    tune: TuneConfig


SPACE: list[Knob] = [
    Range("group.rate", 1e-3, 1.0, log=True),
    Choice("group.kind", ("round", "square")),
    Range("group.depth", 0, 4, when=("group.kind", "round")),
]


def objective(data: dict[str, Any], config: Toy, report: Any) -> tuple[float, Config]:
    """Best at rate .05, depth 1; what `data` says happens at the trial of that rank in this process."""
    data["made"] = data.get("made", 0) + 1
    event = data.get("events", {}).get(data["made"])
    cost = abs(config.group.rate - 0.05) + 0.1 * abs(config.group.depth - 1) + (config.group.kind == "square")
    for part in range(1, 11):
        time.sleep(data.get("sleep_s", 0.0) / 10)
        if part == 5 and event == "interrupt":
            raise KeyboardInterrupt
        if part == 5 and event == "diverge":
            raise DivergedError("the loss became nan at epoch 1")
        if part == 5 and event == "refuse":
            raise InputError("too few data")
        if event == "late":
            report(part / 10, -1.0 if part < 10 else 10.0)
        else:
            report(part / 10, cost + 10.0 * (event == "bad"))
    return cost, config


def tuned(
    folder: Path,
    data: dict[str, Any] | None = None,
    *,
    trials: int = 6,
    budget_s: float = 60.0,
    trial_s: float = 0.0,
    jobs: int = 1,
    url: str | None = None,
    base: Toy = Toy(),  # noqa: B008  (it is frozen)
) -> dict[str, Any]:
    """Searches in a folder; returns tune.json."""
    limits = TuneConfig(budget_s=budget_s, trial_s=trial_s, trials=trials)
    about = {"study": "toy tune", "figure": "bits_per_dim", "data": {"source": "toys", "digest": "0"}, "fixed": []}
    about |= {"next": ["twofold", "vae", "run"]}
    with claim(folder, Whole(toy=base, tune=limits), "0", ["twofold", "toy"], budget="tune.budget_s") as held:
        search(
            {} if data is None else data,
            objective,
            base,
            limits,
            SPACE,
            folder=held,
            store=Store(folder, url),
            work=Work(Workers(jobs)),
            about=about,
        )
        held.finish()
    return json.loads((folder / "tune.json").read_text())

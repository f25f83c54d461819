"""The search: trials proposed by Optuna, made by several processes, kept where the next command finds them.

The first trial is the config that was given, so that the best one is never worse by the measured figure. A trial that a
kill or Ctrl-C ended is marked, listed and not counted.
"""

import itertools
import json
import math
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from twofold.engine.config import Config, canonical, explain, short_digest
from twofold.engine.errors import DivergedError, InputError
from twofold.engine.files import text, write_json, write_text
from twofold.engine.run import RunFolder
from twofold.engine.seed import seed_for
from twofold.engine.sound import MANIFEST
from twofold.engine.work import Work
from twofold.tune.config import TuneConfig
from twofold.tune.space import Knob, draw, own_values, table, with_values
from twofold.tune.store import Store

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

SESSIONS, BEST, RESULT = "sessions.json", "best.json", "tune.json"
UNPRUNED = 4
"""Trials that are finished before one is pruned."""
PARTS = 10
"""Parts of a trial's training, at whose ends it may be pruned."""
FIRST_PART = 3
"""The first of them at which it may be."""
IMPORTANCE_FROM, QUANTILE = 20, 0.25
"""Finished trials from which importances are told, and the share of them that counts as good: five at least."""


Report = Callable[[float, float], None]
"""Takes the share of a trial's training that is done and the figure so far, which need be comparable with that of other
trials only; raises `optuna.TrialPruned`."""


Objective = Callable[[Any, Any, Report], tuple[float, Config]]
"""What a trial is, of (data, config, report): the figure on validation data, of which less is better, and the config
that gives it again. Importable where workers run. Raises DivergedError when the training diverges, InputError when
the data does not allow the config."""


@dataclass(frozen=True)
class Search:
    """What all workers need.

    Attributes:
        data: what `objective` takes, which holds no test data.
        base: the config that was given, and the first trial.
        name: of the study in the storage; commands of the same settings and data share one.
        session: of this command, among all that keep trials there.
        earlier: commands on this folder before this one.
        spent_s: by these.
        began: by the clock that processes of a machine share.
    """

    data: Any
    objective: Objective
    base: Config
    tune: TuneConfig
    space: list[Knob]
    store: Store
    name: str
    session: str
    earlier: int
    spent_s: float
    began: float = field(default_factory=time.monotonic)

    @property
    def now_s(self) -> float:
        """Wall time since this command began."""
        return time.monotonic() - self.began

    @property
    def left_s(self) -> float:
        """Wall time that is left of the budget."""
        return self.tune.budget_s - self.spent_s - self.now_s

    def study(self, slot: int) -> "Study":
        """The study, opened or made, for one of the processes.

        Each draws values of its own. Of several machines with one database each knows only its own session.
        """
        import optuna

        drawn = self.session if self.store.url else self.earlier
        seed = seed_for(getattr(self.base, "seed", 0), f"tune {slot} {drawn}") % 2**32

        storage = self.store.open()
        with self.store.telling():
            return optuna.create_study(
                storage=storage,
                sampler=optuna.samplers.TPESampler(seed=seed),
                pruner=optuna.pruners.MedianPruner(n_startup_trials=UNPRUNED, n_warmup_steps=FIRST_PART),
                study_name=self.name,
                direction="minimize",
                load_if_exists=True,
            )


@dataclass(frozen=True)
class Slot:
    """One of the processes that make trials at the same time.

    Attributes:
        number: from 0.
        quota: trials that it makes at most; None: as many as the budget allows.
    """

    number: int
    quota: int | None


def search(
    data: Any,
    objective: Objective,
    base: Config,
    tune: TuneConfig,
    space: list[Knob],
    *,
    folder: RunFolder,
    store: Store,
    work: Work,
    about: Mapping[str, Any],
) -> None:
    """Makes trials until the budget is spent, and writes the best config and what all trials came to.

    Args:
        data: what `objective` takes.
        base: the config that was given.
        space: which holds the base's own values.
        folder: claimed by this process.
        store: where the trials are kept.
        work: makes the trials.
        about: what the result tells of study, figure and data.

    Raises:
        InputError: when the config that was given can't be made at all, no trial was finished, or the database is lost.
        KeyboardInterrupt: once what was running has ended.
    """
    path = folder.path
    store.begin()
    sessions = json.loads(text(path, SESSIONS)) if (path / SESSIONS).exists() else []
    own = secrets.token_hex(8)
    write_json(path / SESSIONS, [*sessions, own])
    # Commands with other budgets share a study: they may be on other machines.
    trial = tune.model_copy(update={"budget_s": 1.0, "trials": 0})
    name = f"{about['study']} {short_digest(base, folder.manifest['data_digest'] + canonical(trial.model_dump()))}"
    plan = Search(data, objective, base, tune, space, store, name, own, len(sessions), 0.0)
    try:
        study = plan.study(0)
        with store.telling():
            mark_ended(study, sessions)
            trials = study.get_trials(deepcopy=False)
            plan = replace(plan, spent_s=spent_s(trials, sessions))
            if not any(_is_default(each) and not _is_stopped(each) for each in trials):
                study.enqueue_trial(own_values(space, base), user_attrs={"default": True})
            made = sum(each.user_attrs.get("session") in sessions and not _is_stopped(each) for each in trials)
        slots = _slots(max(0, tune.trials - made) if tune.trials else None, work.workers.most)
        work.carry_out(_work, {f"process {slot.number + 1}": slot for slot in slots}, plan, lambda *_: None)
    finally:
        store.end()
    with store.telling():
        mark_ended(study, [own])
        found = summarise(study, plan, [*sessions, own])
    if found["best"] is None:
        raise InputError(
            f"{path}: no trial was finished ({found['counts']}); raise --budget, and the same command goes on"
        )
    write_text(path / BEST, json.dumps(found["best"]["config"], indent=2) + "\n")
    write_json(path / RESULT, {**about, **found})


def _slots(quota: int | None, processes: int) -> list[Slot]:
    """The processes, with their parts of a number of trials; the first has the largest."""
    if quota is None:
        return [Slot(number, None) for number in range(processes)]
    shares = [quota // processes + (number < quota % processes) for number in range(processes)]
    return [Slot(number, share) for number, share in enumerate(shares) if share]


def _work(plan: Search, slot: Slot) -> None:
    """Makes one trial after the other until the budget is spent."""
    import optuna

    study = plan.study(slot.number)
    tell = RunFolder(plan.store.folder, {}).tell
    with plan.store.telling():
        mark_ended(study, [plan.session], slot.number)  # of a process that died in this one's place
        own = [each for each in study.get_trials(deepcopy=False) if _slot(each) == (plan.session, slot.number)]
    first = sum(not _is_stopped(each) for each in own)
    rounds = itertools.count(first) if slot.quota is None else range(first, slot.quota)
    durations: list[float] = []
    for turn in rounds:
        likely_s = sum(durations) / len(durations) if durations else plan.tune.trial_s
        if plan.left_s <= (likely_s if turn or plan.spent_s else 0.0):
            return
        began = time.monotonic()
        with plan.store.telling():
            trial = study.ask()
            trial.set_user_attr("session", plan.session)
            trial.set_user_attr("slot", slot.number)
        try:
            made = _make(plan, trial)
        except BaseException as error:
            why = "interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
            _end(plan, study, trial, Made(optuna.trial.TrialState.FAIL, why), time.monotonic() - began)
            raise
        durations.append(time.monotonic() - began)
        _end(plan, study, trial, made, durations[-1])
        line = _line(study, trial.number, plan.left_s)
        tell(line)
        sys.stderr.write(f"{line}\n")


class Made(NamedTuple):
    """What became of a trial: its state, why it has no figure, and its figure."""

    state: Any
    why: str
    value: float | None = None


def _make(plan: Search, trial: "Trial") -> Made:
    """Makes a trial."""
    import optuna

    pruned = optuna.trial.TrialState.PRUNED
    default = bool(trial.user_attrs.get("default"))
    told = itertools.count(1)
    part = next(told)

    def report(done: float, figure: float) -> None:
        nonlocal part
        if not math.isfinite(figure):
            raise DivergedError(f"the figure became {figure}")
        with plan.store.telling():
            while part <= min(PARTS, int(done * PARTS + 1e-9)):
                trial.report(figure, part)
                part = next(told)
            trial.set_user_attr("at_s", plan.now_s)
            # The config that was given is never pruned: all others are set beside it. Nor is one at its end, where that
            # would save nothing and lose its figure.
            if not default and part <= PARTS and trial.should_prune():
                raise optuna.TrialPruned(f"worse than the median after {done:.0%} of its training")

    with plan.store.telling():
        values = draw(plan.space, plan.base, trial)
    try:
        figure, config = plan.objective(plan.data, with_values(plan.base, values), report)
        if not math.isfinite(figure):
            raise DivergedError(f"its figure is {figure}")
    except optuna.TrialPruned as error:
        return Made(pruned, str(error))
    except DivergedError as error:
        return Made(pruned, f"diverged: {error.how}")
    except OverflowError as error:
        return Made(pruned, f"diverged: {error}")
    except (ValidationError, InputError) as error:
        if default and isinstance(error, InputError):
            raise
        why = explain(error) if isinstance(error, ValidationError) else str(error)
        return Made(pruned, f"not possible: {why}")
    with plan.store.telling():
        trial.set_user_attr("config", config.model_dump(mode="json"))
    return Made(optuna.trial.TrialState.COMPLETE, "", figure)


def _end(plan: Search, study: "Study", trial: "Trial", made: Made, seconds: float) -> None:
    with plan.store.telling():
        for name, known in (("at_s", plan.now_s), ("seconds", seconds), ("why", made.why)):
            trial.set_user_attr(name, known)
        study.tell(trial, made.value, made.state)


def _line(study: "Study", number: int, left_s: float) -> str:
    """What became of a trial, for people."""
    trials = study.get_trials(deepcopy=False)
    trial, best = trials[number], _best(trials)
    what = f"{trial.value:.5f}" if _is_complete(trial) else trial.user_attrs.get("why")
    beside = f"; best {best.value:.5f} (trial {best.number})" if best else ""
    return f"trial {number}: {what}, {trial.user_attrs['seconds']:.1f} s{beside}; {max(0.0, left_s):,.0f} s left"


def mark_ended(study: "Study", sessions: Iterable[str], slot: int | None = None) -> None:
    """Marks the trials of processes that are gone as failed."""
    import optuna

    ended = set(sessions)
    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        session, number = _slot(trial)
        if session in ended and slot in (None, number):
            storage = study._storage  # there is no public way to mark another process's trial with a reason
            storage.set_trial_user_attr(trial._trial_id, "why", "killed")
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)


def spent_s(trials: Iterable["FrozenTrial"], sessions: Iterable[str]) -> float:
    """Wall time of some commands: of each until the last that is known of its trials."""
    own, last = set(sessions), Counter[str]()
    for trial in trials:
        session, _ = _slot(trial)
        if session in own:
            last[session] = max(last[session], trial.user_attrs.get("at_s", 0.0))
    return float(sum(last.values()))


def _slot(trial: "FrozenTrial") -> tuple[str | None, int | None]:
    return trial.user_attrs.get("session"), trial.user_attrs.get("slot")


def _is_complete(trial: "FrozenTrial") -> bool:
    return trial.state.name == "COMPLETE"


def _is_stopped(trial: "FrozenTrial") -> bool:
    return trial.state.name == "FAIL"


def _is_default(trial: "FrozenTrial") -> bool:
    return bool(trial.user_attrs.get("default"))


def _best(trials: Iterable["FrozenTrial"]) -> "FrozenTrial | None":
    """The first of those with the lowest figure."""
    known = [(trial.value, trial.number, trial) for trial in trials if _is_complete(trial) and trial.value is not None]
    return min(known)[2] if known else None


def summarise(study: "Study", plan: Search, sessions: list[str]) -> dict[str, Any]:
    """What `tune.json` tells of the trials: all of the study, also those that other commands made."""
    trials = study.get_trials(deepcopy=False)
    best = _best(trials)
    default = next((each for each in trials if _is_default(each) and not _is_stopped(each)), None)
    rows = [_row(each, full=False) for each in trials]
    return {
        "base": plan.base.model_dump(mode="json"),
        "space": table(plan.space),
        "budget_s": plan.tune.budget_s,
        "trial_s": plan.tune.trial_s,
        "spent_s": spent_s(trials, sessions),
        "commands": len(sessions),
        "default": _row(default) if default else None,
        "best": _row(best) if best else None,
        "counts": dict(Counter(row["state"] for row in rows)),
        "importance": _importance(study),
        "importance_from": IMPORTANCE_FROM,
        "trials": rows,
    }


def _row(trial: "FrozenTrial", *, full: bool = True) -> dict[str, Any]:
    """A trial as JSON.

    Its `state` is finished, pruned, diverged, refused (the data or a rule does not allow it), stopped (by a kill or
    Ctrl-C) or running (elsewhere).
    """
    why = trial.user_attrs.get("why", "")
    states = {"COMPLETE": "finished", "FAIL": "stopped", "RUNNING": "running", "WAITING": "running"}
    pruned = {"diverged": "diverged", "not possible": "refused"}.get(why.partition(":")[0], "pruned")
    row = {
        "number": trial.number,
        "state": states.get(trial.state.name, pruned),
        "value": trial.value if _is_complete(trial) else None,
        "seconds": trial.user_attrs.get("seconds"),
        "default": _is_default(trial),
        "values": dict(trial.params),
        "course": [trial.intermediate_values[part] for part in sorted(trial.intermediate_values)],
        "why": why,
    }
    return row | ({"config": trial.user_attrs.get("config")} if full else {})


def _importance(study: "Study") -> dict[str, float] | None:
    """Importance of each knob by PED-ANOVA (Watanabe et al. 2023), in sum 1; None of too few finished trials.

    How much a knob decides on whether a trial is among the best quarter. Pruned trials have no figure, and don't count.
    """
    import warnings

    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    done = [trial for trial in study.get_trials(deepcopy=False) if _is_complete(trial)]
    if len(done) < IMPORTANCE_FROM or len({trial.value for trial in done}) < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that its interface may change
        return get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(target_quantile=QUANTILE))


def refuse_foreign_storage(path: Path, store: Store) -> None:
    """Refuses to go on in a file where a database was used, or the other way round.

    Raises:
        InputError: says what to give.
    """
    if not (path / MANIFEST).exists() or not (path / SESSIONS).exists():
        return
    in_a_file = any(path.glob("trials-*.log"))
    if in_a_file == bool(store.url):
        what = "in a file of the folder: leave --storage out" if in_a_file else "in a database: give its --storage"
        raise InputError(f"{path}: its trials are kept {what}, or give another --out")

"""A sweep: runs that share network, initial weights and order of the data, and differ in the weight of the KL term."""

import contextlib
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from twofold.engine.device import describe_device, pick_device
from twofold.engine.errors import DivergedError
from twofold.engine.files import text, write_bytes, write_json
from twofold.engine.run import RunFolder, claim, whole
from twofold.engine.sound import JOURNAL, LOCK, MANIFEST
from twofold.engine.track import TrackerName
from twofold.engine.work import Work
from twofold.vae.account import Rivals, score_rivals
from twofold.vae.config import SweepConfig, VaeConfig
from twofold.vae.images.load import Images, Split
from twofold.vae.labels import Labels
from twofold.vae.run import execute
from twofold.vae.sandwich import EIGENVALUES, NOISE, entropy, optima


def run_name(config: VaeConfig) -> str:
    """A run's folder within `runs/`."""
    return f"beta-{config.objective.beta:g}-seed-{config.seed}"


def execute_runs(
    images: Images,
    config: SweepConfig,
    folder: RunFolder,
    *,
    labels: Labels | None,
    report: Callable[[Path], object],
    work: Work,
    progress: Callable[[int, int], None],
) -> dict[str, DivergedError]:
    """Trains, scores and reports every run that is not finished, or no longer whole.

    Args:
        labels: attributes of each image, where some are known.
        report: writes the page of a run's folder; importable where the workers run.
        work: makes the runs.
        progress: called with (runs done, runs in all).

    Returns:
        The runs that diverged, by name: their folders stay unfinished.

    Raises:
        DivergedError: when all did.
    """
    home, runs = folder.path / "runs", {run_name(each): each for each in config.runs()}
    missing = {name: each for name, each in runs.items() if not whole(home / name)}
    given = folder.manifest["data_digest"], folder.manifest["command"]
    done = len(runs) - len(missing)
    progress(done, len(runs))

    diverged: dict[str, DivergedError] = {}

    def take(name: str, made: dict[str, bytes] | DivergedError) -> None:
        nonlocal done
        if isinstance(made, DivergedError):
            diverged[name] = made
            work.tell(f"{made.what}; it is left out")
        else:
            if made:
                _bring_home(made, home / name)
            folder.tell(f"{name} is computed")
        done += 1
        progress(done, len(runs))

    local = home if work.workers.local else None
    work.carry_out(_make_run, missing, _Sweep(images, labels, given, folder.track, report, local), take)
    if len(diverged) == len(runs):
        first = next(iter(diverged.values()))
        raise DivergedError(first.how, f"of each of the {len(runs)} runs; {first.who}", first.advice)
    return diverged


@dataclass(frozen=True)
class _Sweep:
    """What all runs need.

    Attributes:
        given: digest of the data, and words of the command line.
        home: where the runs' folders are, where the workers see it; None: they send their files.
        fitted: what the test images cost without the network, by seed: no beta changes it.
    """

    images: Images
    labels: Labels | None
    given: tuple[str, list[str]]
    track: TrackerName | None
    report: Callable[[Path], object]
    home: Path | None
    fitted: dict[int, Rivals] = field(default_factory=dict)

    def rivals(self, images: Images, split: Split, run: VaeConfig) -> Rivals:
        """Scored once per seed in each process."""
        if run.seed not in self.fitted:
            self.fitted[run.seed] = score_rivals(images, split, run)
        return self.fitted[run.seed]


def _make_run(sweep: _Sweep, config: VaeConfig) -> dict[str, bytes] | DivergedError:
    """One run, in its folder; of a worker that does not see the folder, its files by their paths within it.

    One that diverges is a result, too: it ends none of the others.
    """
    with contextlib.ExitStack() as held:
        home = sweep.home or Path(held.enter_context(tempfile.TemporaryDirectory()))
        path = home / run_name(config)
        device = describe_device(pick_device(config.train.device))
        with claim(path, config, *sweep.given, device=device, track=sweep.track) as run:
            if not run.done:
                try:
                    execute(
                        sweep.images,
                        config,
                        run,
                        labels=sweep.labels,
                        on_epoch=lambda _: None,
                        on_step=lambda *_: None,
                        rivals=sweep.rivals,
                    )
                except DivergedError as error:
                    return error
                sweep.report(path)
                run.finish()
        if sweep.home:
            return {}
        files = (file for file in path.rglob("*") if file.is_file() and file.name != LOCK)
        return {file.relative_to(path).as_posix(): file.read_bytes() for file in files}


def _bring_home(files: dict[str, bytes], path: Path) -> None:
    """Writes the files of a finished run: its journal and manifest first, by which it is a run, and DONE last."""
    path.mkdir(parents=True, exist_ok=True)
    (path / JOURNAL).write_bytes(files.pop(JOURNAL))
    for name in sorted(files, key=lambda name: (name != MANIFEST, name == "DONE")):
        write_bytes(path / name, files[name])


def summarise(config: SweepConfig, folder: Path, diverged: Mapping[str, DivergedError]) -> None:
    """Writes `sweep.json`: the finished runs' scores, and a closed-form check of H - D <= I <= R.

    Args:
        diverged: the runs that are left out, by name; they are listed with what became of them.
    """
    runs, left_out = [], []
    for each in config.runs():
        if error := diverged.get(run_name(each)):
            left_out.append({"beta": each.objective.beta, "seed": each.seed, "reason": error.how})
            continue
        path = f"runs/{run_name(each)}"
        scores = json.loads(text(folder / path, "scores.json"))
        runs.append({"beta": each.objective.beta, "seed": each.seed, "folder": path, "scores": scores})
    first = runs[0]["scores"]
    sweep = {key: first[key] for key in ("recipe", "departures", "embedded", "data")} | {
        "objective": first["objective"]["name"],
        "likelihood": {key: value for key, value in first["likelihood"].items() if key != "sigma"},
        "betas": list(config.betas),
        "seeds": list(config.seeds),
        "runs": runs,
        "sandwich": {
            "dimensions": len(EIGENVALUES),
            "eigenvalues": list(EIGENVALUES),
            "noise": NOISE,
            "entropy_nats": entropy(np.diag(EIGENVALUES)),
            "rows": optima(config.betas),
        },
    }
    write_json(folder / "sweep.json", sweep | ({"diverged": left_out} if left_out else {}))

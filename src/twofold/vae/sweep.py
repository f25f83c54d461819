"""A sweep: runs that share network, initial weights and order of the data, and differ in the weight of the KL term."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from twofold.engine.files import text, write_json
from twofold.engine.run import RunFolder, claim
from twofold.vae.account import Rivals, score_rivals
from twofold.vae.config import SweepConfig, VaeConfig
from twofold.vae.images.load import Images, Split
from twofold.vae.labels import Labels
from twofold.vae.run import execute
from twofold.vae.sandwich import EIGENVALUES, NOISE, entropy, optima
from twofold.vae.train import OnEpoch, OnStep


def run_name(config: VaeConfig) -> str:
    """A run's folder within `runs/`."""
    return f"beta-{config.objective.beta:g}-seed-{config.seed}"


def execute_runs(
    images: Images,
    config: SweepConfig,
    folder: RunFolder,
    *,
    labels: Labels | None,
    track: Callable[[VaeConfig], tuple[OnEpoch, OnStep]],
) -> Iterator[RunFolder]:
    """Trains and scores every run that is not finished, or no longer whole, as `execute`.

    `track` returns its callbacks for a run.

    Yields:
        Each run's folder once it is computed, so that the caller may write its report; it is finished afterwards.
    """
    fitted: dict[int, Rivals] = {}

    def rivals(images: Images, split: Split, run: VaeConfig) -> Rivals:
        """Scored once per seed: they do not depend on beta."""
        if run.seed not in fitted:
            fitted[run.seed] = score_rivals(images, split, run)
        return fitted[run.seed]

    for each in config.runs():
        path, about = folder.path / "runs" / run_name(each), folder.manifest
        given = about["data_digest"], about["command"]
        with claim(path, each, *given, device=about["device"], track=folder.track) as run:
            run.doubt()
            if not run.done:
                on_epoch, on_step = track(each)
                execute(images, each, run, labels=labels, on_epoch=on_epoch, on_step=on_step, rivals=rivals)
                yield run
                run.finish()


def summarise(config: SweepConfig, folder: Path) -> None:
    """Writes `sweep.json`: the finished runs' scores, and a closed-form check of H - D <= I <= R."""
    runs = []
    for each in config.runs():
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
    write_json(folder / "sweep.json", sweep)

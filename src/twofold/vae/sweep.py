"""The same network, first weights and order of the data under several weights of the KL term."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from twofold.engine.files import write_json
from twofold.engine.run import RunFolder, claim
from twofold.vae.config import SweepConfig, VaeConfig
from twofold.vae.images.load import Images
from twofold.vae.run import execute
from twofold.vae.sandwich import EIGENVALUES, NOISE, entropy, table
from twofold.vae.train import Journal, Progress


def run_name(config: VaeConfig) -> str:
    """A run's folder within `runs/`."""
    return f"beta-{config.objective.beta:g}-seed-{config.seed}"


def execute_runs(
    images: Images,
    config: SweepConfig,
    folder: RunFolder,
    *,
    labels: pl.DataFrame | None,
    watch: Callable[[VaeConfig], tuple[Journal, Progress]],
) -> Iterator[RunFolder]:
    """Trains and scores every run that is not finished yet.

    Args:
        images: all images.
        config: the grid.
        folder: of the sweep, held by this process.
        labels: what is known of each image, where they are the embedded avatars.
        watch: gives a run's journal and progress.

    Yields:
        Each run's folder when it has been computed, so that the caller may draw its report; it is finished afterwards.
    """
    for each in config.runs():
        path = folder.path / "runs" / run_name(each)
        about = folder.manifest
        with claim(path, each, images.digest, about["command"], device=about["device"]) as run:
            if not run.done:
                journal, progress = watch(each)
                execute(images, each, run, labels=labels, journal=journal, progress=progress)
                yield run
                run.finish()


def summarise(config: SweepConfig, folder: Path) -> None:
    """Writes `sweep.json` from the finished runs' scores, and the closed-form check of H - D <= I <= R beside them."""
    runs = []
    for each in config.runs():
        name = run_name(each)
        scores = json.loads((folder / "runs" / name / "scores.json").read_text())
        runs.append({"beta": each.objective.beta, "seed": each.seed, "folder": f"runs/{name}", "scores": scores})
    first: dict[str, Any] = runs[0]["scores"]
    shared = {key: first[key] for key in ("recipe", "departures", "embedded", "data", "likelihood")}
    shared["likelihood"] = {key: first["likelihood"][key] for key in ("name", "is_density")}
    grid = {"betas": list(config.betas), "seeds": list(config.seeds)}
    sandwich = {
        "dimensions": len(EIGENVALUES),
        "eigenvalues": list(EIGENVALUES),
        "noise": NOISE,
        "entropy_nats": entropy(np.diag(EIGENVALUES)),
        "rows": table(config.betas),
    }
    write_json(folder / "sweep.json", shared | grid | {"runs": runs, "sandwich": sandwich})

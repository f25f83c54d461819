"""The run folders that the pages show: tiny, made by the studies' own code, fitted only where a page asks the model."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
from filelock import FileLock
from threadpoolctl import threadpool_limits

from hub.small import OURS, PEERS, WEEKS, forecasts_of, hub_folder
from hub.small_quantiles import CURVE, add_quantiles
from trend.report.showing import COUNTRIES, ODD_NAMES, run_folder, study_folder
from trend.small import epidemic
from trend.walk.small import quick_walk, walked
from twofold.engine.files import write_bytes, write_json, write_text
from twofold.engine.run import claim
from twofold.hub.config import HubConfig
from twofold.hub.report import view as hub_report
from twofold.trend.config import StudyConfig
from twofold.trend.report import original as original_report
from twofold.trend.report import run as trend_report
from twofold.trend.report import walk as walk_report
from twofold.vae.config import SweepConfig
from twofold.vae.report import run as vae_report
from twofold.vae.report import sweep as sweep_report
from twofold.vae.run import execute
from vae.report.showing import run_folder as faces_folder
from vae.report.sweep_showing import sweep_folder
from vae.small import discs, images_of, silent, tiny

CACHE = ".discs/cache"
"""Below the root: the decoded images of the model that the app moves."""
LONG = "an influenza season with a long name"
"""A folder above a run, whose name has to find room in the list of runs."""


def trend(folder: Path) -> None:
    """Sixteen regions, eleven of them countries, and names of every kind."""
    run_folder(folder)
    trend_report.write(folder)


def walk(folder: Path) -> None:
    panel = replace(epidemic(16, 50), regions=ODD_NAMES + COUNTRIES)
    with threadpool_limits(1):
        walked(panel, quick_walk(), folder)
    walk_report.write(folder)


def study(folder: Path) -> None:
    study_folder(ensure(folder.parent, "trend"), folder)
    write_text(folder / "config.json", StudyConfig().to_json())
    original_report.write(folder)


def discs_run(folder: Path) -> None:
    """The one model that the app moves."""
    images, config = images_of(discs(40), (folder.parent / CACHE).parent), tiny(image={"size": 16, "channels": 3})
    with claim(folder, config, images.digest, ["twofold", "vae", "run"]) as held:
        execute(images, config, held, labels=None, on_epoch=silent, on_step=silent)
    vae_report.write(folder)


def faces(folder: Path) -> None:
    faces_folder(folder)
    vae_report.write(folder)


def sweep(folder: Path) -> None:
    config = SweepConfig(base=tiny(), betas=(0.0, 1.0, 100.0), seeds=(0,))
    sweep_folder(folder, betas=config.betas)
    write_text(folder / "config.json", config.to_json())
    sweep_report.write(folder)
    for run in folder.glob("runs/*"):
        (run / "DONE").touch()


def hub(folder: Path) -> None:
    """Quantiles and categories, of ours and of other teams, one of which has categories that follow from quantiles."""
    models = [*OURS, *PEERS, f"{CURVE} (quantiles)"]
    add_quantiles(
        hub_folder(folder, forecasts=pl.concat([forecasts_of(name, k, WEEKS) for k, name in enumerate(models)]))
    )
    write_text(folder / "config.json", HubConfig().to_json())
    hub_report.write(folder)


MAKERS: dict[str, Callable[[Path], None]] = {
    "trend": trend,
    "walk": walk,
    "study": study,
    "discs": discs_run,
    "faces": faces,
    "sweep": sweep,
    f"{LONG}/hub": hub,
}
"""How each run is made, by its folder below the root."""


def ensure(root: Path, name: str) -> Path:
    """The run of a name, made by the first that asks for it, in whichever process."""
    folder = root / name
    folder.parent.mkdir(exist_ok=True)
    with FileLock(root / f".{name.replace('/', '-')}.lock"):
        if not (folder / "DONE").exists():
            MAKERS[name](folder)
            manifest = folder / "manifest.json"
            told = json.loads(manifest.read_text()) if manifest.exists() else {}
            write_json(manifest, {"command": ["twofold", *name.split()], "data_digest": "0"} | told)
            write_bytes(folder / "DONE", b"")
    return folder

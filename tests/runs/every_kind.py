"""Every kind of folder that twofold fills, made in seconds by its own commands."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

from hub.season_small import FIRST, peers, write_files
from trend.small import epidemic
from vae.small import discs, folder_of

TREND = [
    *("--source.kind", "cumulative", "--window.length", "5", "--model.hidden", "3", "--score.bootstrap", "20"),
    *("--ensemble.seeds", "1"),
]
RUN = [*TREND, "--train.epochs", "2", "--train.jobs", "1", "--ensemble.partners", "logistic"]
WALK = [
    *TREND,
    *("--walk.last", "2", "--walk.warmup", "1", "--walk.memory", "20", "--walk.boosting-rounds", "3"),
    *("--jobs", "1", "--screen.threshold", "0.3", "--train.epochs", "1"),
]
STUDY = [
    *("--source.kind", "cumulative", "--seeds", "1", "--epochs", "1", "--lengths", "7", "--starts", "0"),
    *("--jobs", "1"),
]
VAE = [
    *("--model.network", "plain", "--likelihood.name", "gaussian", "--image.size", "16", "--model.depth", "1"),
    *("--model.width", "4", "--model.latent-dim", "3", "--train.batch-size", "16", "--train.epochs", "2"),
    *("--split.validation-fraction", "0.2", "--split.test-fraction", "0.2", "--device", "cpu"),
    *("--score.iw-images", "5", "--score.iw-samples", "3"),
]
HUB = [
    *("--heads", "climatology", "logistic", "gru", "quantile_trees", "--pooled", "gru", "quantile_trees"),
    *("--refit-weeks", "4", "--network.hidden", "4", "--network.components", "2", "--network.epochs", "1"),
    *("--network.seeds", "1", "--network.batch-size", "64", "--jobs", "1"),
    *("--quantile-trees.bags", "1", "--quantile-trees.iterations", "4", "--quantile-trees.leaves", "4"),
]


class Made(NamedTuple):
    """A folder of a kind, and the words of the command that fills it, the folder's name the last of them."""

    kind: str
    folder: Path
    words: list[str]

    def copied(self, folder: Path) -> "Made":
        """A copy of it, as if its command had been given that folder."""
        shutil.copytree(self.folder, folder)
        return Made(self.kind, folder, [*self.words[:-1], str(folder)])


def inputs(folder: Path) -> dict[str, Path]:
    """The tables and images that the commands read, written into a folder unless they are there."""
    names = "rules.toml", "vintages.csv", "locations.csv", "history.csv"
    found = {name.partition(".")[0]: folder / name for name in (*names, "cases.csv", "peers.parquet", "discs")}
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if not found["discs"].exists():
            write_files(folder)
            epidemic().frame().select("region", "date", "value").write_csv(found["cases"])
            peers().write_parquet(found["peers"])
            folder_of(discs(60), found["discs"])
            (found["discs"] / "broken.png").write_bytes(b"no picture")
    return found


def commands(given: dict[str, Path], root: Path, cache: Path) -> Iterator[Made]:
    """The commands that make one folder of each kind below `root`, in an order in which they can be given."""
    cases, images = ["--data", str(given["cases"])], ["--images", str(given["discs"]), "--cache", str(cache)]
    season = [
        *("--vintages", str(given["vintages"]), "--locations", str(given["locations"])),
        *("--hub", str(given["rules"])),
    ]
    past = ["--history", str(given["history"])]
    lines = {
        "trend run": [*cases, *RUN],
        "trend backtest": [*cases, *WALK],
        "trend study": [*cases, *STUDY],
        "vae run": [*images, *VAE],
        "vae sweep": [*images, *VAE, "--betas", "0", "1", "--jobs", "1"],
        "vae tune": [*images, *VAE, "--jobs", "1", "--trials", "2"],
        "hub backtest": [*season, *past, "--season", "2023-24", "--peers", str(given["peers"]), *HUB],
        "hub fit": [*season, *past, "--reference-date", str(FIRST), *HUB],
    }
    for kind, words in lines.items():
        folder = root / kind.replace(" ", "-")
        yield Made(kind, folder, [*kind.split(), *words, "--out", str(folder)])

"""Small commands that make many fits, and what they read."""

from dataclasses import replace
from pathlib import Path

from hub.season_small import write_files
from trend.small import NAMES, epidemic
from vae.small import discs, folder_of

QUICK = ["--window.length", "5", "--features.inputs", "log1p", "change", "history", "--score.bootstrap", "20"]
SMALL = [*QUICK, "--model.hidden", "8"]
WALK = [*SMALL, "--ensemble.seeds", "1", "--walk.memory", "20", "--walk.boosting-rounds", "3"]
WALK += ["--screen.threshold", "0.3"]
HUB = ["--heads", "climatology", "logistic", "rnn", "ar6", "quantile_trees", "--pooled", "ar6", "quantile_trees"]
HUB += ["--network.epochs", "1", "--network.hidden", "4", "--network.components", "2", "--network.seeds", "1"]
HUB += ["--network.batch-size", "64", "--quantile-trees.bags", "1", "--quantile-trees.iterations", "4"]
HUB += ["--quantile-trees.leaves", "4"]
SWEEP = ["--model.network", "plain", "--likelihood.name", "gaussian", "--model.depth", "1", "--model.width", "4"]
SWEEP += ["--train.epochs", "4", "--score.iw-images", "5", "--score.iw-samples", "3", "--model.latent-dim", "3"]
SWEEP += ["--image.size", "16", "--device", "cpu", "--betas", "0", "1"]
STUDY = ["--epochs", "1", "--seeds", "1", "--lengths", "7", "--starts", "0"]


def write_inputs(folder: Path) -> None:
    """Counts, a season of a made-up hub, and pictures."""
    folder.mkdir(parents=True)
    write_files(folder)
    names = [*NAMES[:7], "China", NAMES[8]]
    panel = replace(epidemic(regions=9, dates=70), regions=tuple(names))
    panel.frame().select("region", "date", "value").write_csv(folder / "cases.csv")
    folder_of(discs(60), folder / "pictures")
    folder_of(discs(400, 64), folder / "many")


def words_of(job: str, inputs: Path, out: str = "run") -> list[str]:
    """A command line without its workers."""
    table = ["--data", f"{inputs / 'cases.csv'}", "--source.kind", "cumulative"]
    season = ["--hub", f"{inputs / 'rules.toml'}", "--vintages", f"{inputs / 'vintages.csv'}"]
    season += ["--locations", f"{inputs / 'locations.csv'}", "--history", f"{inputs / 'history.csv'}", *HUB]
    return {
        "run": ["trend", "run", *table, *SMALL, "--ensemble.seeds", "2", "--train.epochs", "6"],
        "walk": ["trend", "backtest", *table, *WALK, "--train.epochs", "2", "--last", "4", "--walk.warmup", "2"],
        "study": ["trend", "study", *table, *STUDY],
        "season": ["hub", "backtest", *season, "--season", "2023-24", "--refit-weeks", "3"],
        "fit": ["hub", "fit", *season, "--reference-date", "2023-12-02"],
        "sweep": ["vae", "sweep", "--images", f"{inputs / 'pictures'}", *SWEEP],
    }[job] + ["--out", out]

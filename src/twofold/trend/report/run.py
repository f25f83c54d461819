"""The report of a run."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import polars as pl

from twofold.engine.files import arrays, saver, table, text
from twofold.page.album import Album
from twofold.page.drawing import day_numbers
from twofold.page.template import write_page
from twofold.trend.config import ScoreConfig
from twofold.trend.diagnosis import states
from twofold.trend.report import explorer, figures, regions, wording, world
from twofold.trend.report.judgements import Trust, trust

Row = dict[str, Any]


def write(folder: Path) -> Path:
    """Draws the figures and writes report.html from the files of a run folder; the same folder gives the same bytes.

    Raises:
        RunFolderError: when a file is missing.
    """
    scores, config = (json.loads(text(folder, name)) for name in ("scores.json", "config.json"))
    metrics = [json.loads(line) for line in text(folder, "metrics.jsonl").splitlines()]
    predictions, panel, tomorrow = (table(folder, f"{name}.parquet") for name in ("predictions", "panel", "tomorrow"))
    correlation = arrays(folder, "arrays.npz").get("correlation")
    view = RunView(scores, ScoreConfig.model_validate(config["score"]), metrics, predictions, panel, tomorrow)

    def draw(album: Album) -> dict[str, Any]:
        _draw(view, album)
        clustered = figures.draw_correlation(album, correlation, tomorrow)
        return {"clustered": clustered, "absent": world.draw_world(album, tomorrow)}

    write_page(
        saver(folder),
        "trend/report/run.html.j2",
        draw,
        view=view,
        scores=scores,
        config=config,
        unit=view.unit,
        when=wording.at(str(tomorrow["target_date"].max()), view.unit),
        explored=view.explored,
        listed=view.listed,
        steps=view.recent["date"].n_unique(),
        outside=not tomorrow["in_c"].all(),
        trust=view.trust,
        states=wording.states(states(metrics, predictions, config["model"]["class_weight"])),
        level=wording.level(view.score.level),
        words=wording,
        reading=reading,
    )
    return folder / "report.html"


@dataclass(frozen=True)
class RunView:
    """What the template shows of a run folder.

    Attributes:
        scores: scores.json.
        score: the settings of the intervals.
        metrics: the lines of metrics.jsonl.
        predictions: one row per window of a region in C.
        panel: one row per region and date.
        tomorrow: one row per region, in the order of the file.
    """

    scores: Row
    score: ScoreConfig
    metrics: list[Row]
    predictions: pl.DataFrame
    panel: pl.DataFrame
    tomorrow: pl.DataFrame

    SETS = ("test_active", "test")
    AT_A_GLANCE = ("log_score", "roc_auc")
    CURVES = ("ensemble", "renewal", "logistic", "boosting", "mean_reversion", "all_zero")
    STEPS = 60
    """Number of dates shown for each region."""
    PICTURES = 6
    """Number of regions that have a figure."""
    HANDFUL = 0.02
    """Up to this share of windows without a case the scores of all and of active windows are nearly the same."""

    @property
    def unit(self) -> str:
        """What one step of the data is called."""
        return wording.unit(self.scores["data"]["step_days"])

    @property
    def trusted(self) -> bool:
        """Whether the network significantly beats the best baseline, on a split without leakage."""
        verdict = self.scores["verdict"]
        return verdict["significant"] and verdict["difference"] <= 0 and self.scores["split"]["kind"] != "random"

    @cached_property
    def tested(self) -> dict[str, pl.DataFrame]:
        """The windows of each evaluated set."""
        test = self.predictions.filter(pl.col("split") == "test")
        return {"test": test, "test_active": test.filter("active")}

    def dates(self, windows: str) -> int:
        """Number of origins of a set of windows."""
        found = self.tested.get(windows, self.predictions.filter(pl.col("split") == windows))
        return found["origin"].n_unique()

    def formed(self, windows: str) -> bool:
        """Whether these are enough dates for an interval."""
        return self.dates(windows) >= self.score.formed_from

    def claimed(self, windows: str) -> bool:
        """Whether these are enough dates to call a difference significant."""
        return self.dates(windows) >= self.score.claimed_from

    def counts(self, windows: str) -> Row:
        """The row of the table of windows for `test`, `test_active` or `all_zero`."""
        wanted = "test", {"test": "all", "test_active": "active"}.get(windows, windows)
        return next(line for line in self.scores["windows"]["table"] if (line["split"], line["set"]) == wanted)

    def majority(self, windows: str) -> float | None:
        """The accuracy of always predicting the majority class; None where there is no window."""
        counts = self.counts(windows)
        return max(counts["up"], counts["not_up"]) / counts["windows"] if counts["windows"] else None

    @property
    def counted(self) -> list[Row]:
        """The rows of the table of windows, without empty parts of the split."""
        lines = self.scores["windows"]["table"]
        filled = {line["split"] for line in lines if line["windows"]}
        return [line for line in lines if line["split"] in filled]

    @property
    def spans(self) -> dict[str, tuple[float, float]]:
        """First and last target date of each part, as day numbers; empty where the split is not temporal."""
        if self.scores["split"]["kind"] != "temporal":
            return {}
        ends = self.predictions.group_by("split").agg(
            first=pl.col("target_date").min(), last=pl.col("target_date").max()
        )
        found = {row["split"]: day_numbers([row["first"], row["last"]]) for row in ends.iter_rows(named=True)}
        return {name: (float(found[name][0]), float(found[name][1])) for name in figures.PARTS if name in found}

    @property
    def same_as_headline(self) -> list[str]:
        """Models with exactly the ensemble's scores, as where it has one member and no calibration."""
        models = self.scores["models"].items()
        return [name for name, block in models if all(block[each] == self.scores[each] for each in self.SETS)]

    def rows(self, windows: str) -> dict[str, tuple[Row, Row]]:
        """Scores and intervals of the ensemble, the other models, then the baselines; on `train` of the ensemble only.

        Returns:
            Model's name (a baseline's begins with `baseline_`) -> score's name -> value, and -> interval or None.
        """
        blocks = {"ensemble": self.scores}
        if windows != "train":
            blocks |= {n: block for n, block in self.scores["models"].items() if n not in self.same_as_headline}
            blocks |= {f"baseline_{name}": block for name, block in self.scores["baselines"].items()}
        return {name: (block[windows], block["intervals"][windows]) for name, block in blocks.items()}

    def best(self, windows: str) -> set[tuple[str, str]]:
        """The model and score of every best value; empty where there is only one model."""
        rows, best = self.rows(windows), set()
        for score, named in wording.SCORES.items() if len(rows) > 1 else ():
            known = {name: values[score] for name, (values, _) in rows.items() if values[score] is not None}
            top = (max if named.higher else min)(known.values(), default=None)
            best |= {(name, score) for name, value in known.items() if value == top}
        return best

    def compared(self, windows: str) -> list[Row]:
        """The paired differences of log score that are defined."""
        pairs = self.scores["comparisons"][windows]
        return [pair for pair in pairs if pair["score"] == "log_score" and pair["difference"] is not None]

    @cached_property
    def learning(self) -> dict[str, list[Row]]:
        """Each recurrent member's epochs in the stage `select` or, without a validation set, `evaluate`."""
        shown = {}
        for member in dict.fromkeys(line["member"] for line in self.metrics):
            lines = [line for line in self.metrics if line["member"] == member]
            stages = ([line for line in lines if line["stage"] == stage] for stage in ("select", "evaluate"))
            shown[member] = next(filter(None, stages), lines)
        return shown

    @property
    def importance(self) -> list[Row]:
        """The groups of inputs whose importance is defined."""
        return [group for group in self.scores["importance"] if group["log_score_increase"] is not None]

    @cached_property
    def recent(self) -> pl.DataFrame:
        """Every region's increments on the latest `STEPS` dates."""
        return regions.recent(self.panel, self.STEPS)

    @cached_property
    def busiest(self) -> list[tuple[str, pl.DataFrame, pl.DataFrame]]:
        """The regions of C with the most new cases lately: name, increments, test windows."""
        chosen = self.recent.filter(pl.col("region").is_in(self.scores["screen"]["names"]))
        sums = chosen.group_by("region", maintain_order=True).agg(pl.col("increment").sum())
        ranked = sums.sort("increment", descending=True, maintain_order=True).head(self.PICTURES)
        found = []
        for name in ranked["region"]:
            counts, test = (frame.filter(pl.col("region") == name) for frame in (self.recent, self.tested["test"]))
            found.append((name, counts, test.filter(pl.col("target_date") >= counts["date"].min())))
        return found

    @cached_property
    def explored(self) -> Row | None:
        """The data of the explorer."""
        wanted = ("ensemble", self.scores["verdict"]["best_baseline"], "renewal", "network", "base_rate")
        columns = {name: f"p_{name}" for name in wanted if f"p_{name}" in self.predictions.columns}
        columns |= {name: f"p_baseline_{name}" for name in wanted if f"p_baseline_{name}" in self.predictions.columns}
        models = [name for name in dict.fromkeys(wanted) if name in columns and name not in self.same_as_headline]
        tested = self.tested["test"].select(
            "region", "target_date", "label", *(pl.col(columns[name]).alias(f"p_{name}") for name in models)
        )
        return explorer.data(self.panel, tested, models, self.tomorrow["region"].to_list(), self.tomorrow)

    @cached_property
    def listed(self) -> list[Row]:
        """The rows of the table of regions."""
        return regions.rows(self.tomorrow, self.recent, self.tested["test"], "p_ensemble")

    @cached_property
    def trust(self) -> Trust:
        """How far the headline model may be trusted, by the windows that the verdict is on."""
        verdict, baselines = self.scores["verdict"], self.scores["baselines"]
        name, part = verdict["best_baseline"], verdict["set"]
        wanted = {"model": "ensemble", "against": name, "score": "log_score"}
        pairs = (pair for pair in self.scores["comparisons"][part] if wanted.items() <= pair.items())
        best = None if name is None else (name, baselines[name][part]["log_score"])
        return trust(
            self.tested[part],
            "p_ensemble",
            self.scores[part],
            best=best,
            pair=next(pairs, None),
            claimed=self.claimed(part),
        )

    @property
    def shown(self) -> tuple[str, ...]:
        """The sets that are shown: of two that are nearly the same the one of active windows."""
        whole, empty = self.counts("test")["windows"], self.counts("all_zero")["windows"]
        return ("test_active",) if empty < whole and empty <= self.HANDFUL * whole else self.SETS

    @property
    def skill(self) -> Literal["undefined", "unsure", "better", "worse", "unclear"]:
        """How the Brier skill on active windows compares with that of the base rate, 0."""
        ends = self.scores["intervals"]["test_active"]["brier_skill"]
        if self.scores["test_active"]["brier_skill"] is None:
            return "undefined"
        if ends is None or not self.claimed("test_active"):
            return "unsure"
        return "better" if ends[0] > 0 else "worse" if ends[1] < 0 else "unclear"

    @property
    def bias(self) -> tuple[float, float, Literal["close", "high", "low"]] | None:
        """On active windows, the mean probability given, the share that went up, and how they compare."""
        windows = self.tested["test_active"]
        if windows.is_empty():
            return None
        given, happened = float(windows["p_ensemble"].to_numpy().mean()), float(windows["label"].to_numpy().mean())
        return given, happened, "close" if abs(given - happened) < 0.03 else "high" if given > happened else "low"

    @property
    def weekdays(self) -> tuple[Row, Row] | None:
        """The weekdays (Monday is 1) on which most and fewest active windows go up; None unless steps are days."""
        active = self.predictions.filter("active")
        daily = self.scores["data"]["step_days"] == 1 and self.scores["windows"]["target"] == "next_day"
        if not daily or active.is_empty():
            return None
        shares = active.group_by(day=pl.col("target_date").dt.weekday()).agg(up=pl.col("label").mean())
        ranked = shares.sort("up", "day").to_dicts()
        return ranked[-1], ranked[0]

    @property
    def ties(self) -> tuple[int, int]:
        """Windows that end in a tie, and those of them without a case."""
        ties = self.predictions.filter("tie")
        return len(ties), len(ties.filter(~pl.col("active")))

    @property
    def looks_ahead(self) -> bool:
        """Whether C was chosen on test days too."""
        screen = self.scores["screen"]
        return screen["days"] == "all" and screen["threshold"] is not None


def reading(pair: Row, claimed: bool) -> Literal["undefined", "unclear", "better", "worse"]:
    """How a model compares with a baseline, by an entry of `comparisons`; `claimed`: its dates are enough to say so."""
    if pair["low"] is None or pair["high"] is None:
        return "undefined"
    if not claimed or pair["low"] <= 0 <= pair["high"]:
        return "unclear"
    return "better" if (pair["difference"] > 0) == wording.SCORES[pair["score"]].higher else "worse"


def _draw(view: RunView, album: Album) -> None:
    daily = view.panel.drop_nulls("increment").group_by("date").agg(pl.col("increment").sum()).sort("date")
    cases = daily["increment"].to_numpy().astype(float)
    album.draw("totals", figures.totals(day_numbers(daily["date"].to_list()), cases, view.spans, view.unit))
    for score in view.AT_A_GLANCE:
        values = {name: (found[score], ends[score]) for name, (found, ends) in view.rows("test_active").items()}
        album.draw(f"glance-{score.replace('_', '-')}", figures.scores_at_a_glance(values, score))
    for windows in view.shown:
        frame = view.tested[windows]
        ending, title = windows.replace("_", "-"), wording.windows(windows)
        if pairs := view.compared(windows):
            album.draw(f"comparisons-{ending}", figures.comparisons(pairs, title))
        if frame["label"].n_unique() < 2:
            continue
        label = frame["label"].to_numpy()
        columns = ((name, column) for name in view.CURVES for column in (f"p_{name}", f"p_baseline_{name}"))
        given = {name: frame[column].to_numpy() for name, column in columns if column in frame.columns}
        shown = ("ensemble", view.scores["verdict"]["best_baseline"] or "logistic")
        bins = {name: sets[windows] for name, sets in view.scores["reliability"].items() if name in shown}
        album.draw(f"roc-{ending}", figures.roc(label, given, title))
        album.draw(f"precision-recall-{ending}", figures.precision_recall(label, given, title))
        album.draw(f"reliability-{ending}", figures.reliability(bins, title))
        album.draw(f"confusion-{ending}", figures.confusion(label, given["ensemble"] > 0.5, title))
    for member, lines in view.learning.items():
        album.draw(f"learning-{member}", figures.learning(lines, member))
    if view.importance:
        album.draw("importance", figures.importance(view.importance))
    for index, (name, counts, test) in enumerate(view.busiest):
        drawn = figures.region(
            day_numbers(counts["date"].to_list()),
            counts["increment"].to_numpy().astype(float),
            targets=day_numbers(test["target_date"].to_list()),
            probability=test["p_ensemble"].to_numpy().astype(float),
            went_up=test["label"].to_numpy().astype(bool),
            name=name,
        )
        album.draw(f"region-{index + 1:02}", drawn)

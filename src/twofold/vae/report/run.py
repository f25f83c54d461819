"""The page of a run: the run folder's files in, figures and one self-contained report.html out."""

import json
import math
import shlex
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from twofold.engine.files import arrays, saver, table, text, there
from twofold.page.album import Album
from twofold.page.numbers import percent, plain, score, significant
from twofold.page.template import write_page
from twofold.vae import diagnosis
from twofold.vae.report import figures, judgements, sheets, wording

HEATS = {"prior": "0", "prior_half": "0.5", "prior_one": "1"}
"""Arrays of prior samples and their temperatures."""


def write(run_folder: Path) -> Path:
    """Draws the figures and writes report.html of a complete run; the same folder gives the same bytes.

    Returns:
        The path of report.html.

    Raises:
        RunFolderError: when a file of the run is missing.
    """
    view = read(run_folder)
    write_page(
        saver(run_folder),
        "vae/report/run.html.j2",
        lambda album: {"shown": _draw(view, album)},
        view=view,
        scores=view.scores,
        data=view.scores["data"],
        test=view.scores["test"],
        words=wording,
        judge=judgements,
        diagnosis=diagnosis,
    )
    return run_folder / "report.html"


@dataclass(frozen=True)
class RunView:
    """The files of a complete run, and the values that the template shows.

    Attributes:
        scores: scores.json.
        config: config.json.
        metrics: metrics.jsonl, one record per epoch.
        arrays: arrays.npz: images (uint8, [.., h, w, c]) and the values behind the figures.
        skipped: skipped.json: name and reason of each file skipped.
        images: one row per image: name, hash, split, duplicate.
        labels: one row per avatar: its attributes; None for the user's own images.
        manifest: manifest.json; empty where the folder was copied without it.
    """

    scores: dict[str, Any]
    config: dict[str, Any]
    metrics: list[dict[str, Any]]
    arrays: dict[str, np.ndarray]
    skipped: list[dict[str, str]]
    images: pl.DataFrame
    labels: pl.DataFrame | None
    manifest: dict[str, Any]

    LISTED = 500
    """Most names that a list shows; the run folder's files hold them all."""

    @property
    def heats(self) -> dict[str, str]:
        """The arrays of prior samples, with their temperatures; a likelihood without noise has those at 0 only."""
        return {name: heat for name, heat in HEATS.items() if name in self.arrays}

    def followed(self, unit: int) -> str:
        """The factor that a unit follows, after a colon; empty where it follows none."""
        named = (self.scores["factors"] or {}).get("named_units", ())
        return next((f": {wording.factor(each['factor'])}" for each in named if each["unit"] == unit), "")

    @property
    def colours(self) -> dict[str, int]:
        """The values that colour the map of codes, with the number of images shown of each; all others as one."""
        labels = self.arrays["map_label"]
        values = self.scores["factors"]["map"]["categories"][: figures.MOST_COLOURS]
        shown = {value: int((labels == index).sum()) for index, value in enumerate(values)}
        others = len(labels) - sum(shown.values())
        return shown | ({"others or unknown": others} if others else {})

    @property
    def warnings(self) -> list[str]:
        """Findings that the verdict warns of."""
        winner = judgements.cheapest(self.scores)
        found = {
            "state": diagnosis.state(self.scores) != "fine",
            "raw": judgements.raw_is_cheaper(self.scores),
            "rivals": winner is not None and winner != "network",
            "fell_back": self.scores["model"]["fell_back"],
            "unimproved": not self.scores["training"]["best_epoch"],
            "overfitting": diagnosis.overfitting(self.scores).judged == "more",
            "memorisation": judgements.memorised(self.scores),
        }
        return [name for name, there in found.items() if there]

    @property
    def levels(self) -> float:
        """Sigma in levels of an 8-bit value."""
        return 255 * self.scores["test"]["sigma"]

    @property
    def rms_error(self) -> float:
        """Root mean square error of reconstructions, in levels of an 8-bit value."""
        return 255 * math.sqrt(self.scores["test"]["mse"])

    @property
    def distinguishable(self) -> float:
        """Number of images that a code of this rate can distinguish."""
        return math.exp(self.scores["test"]["rate_nats"])

    @property
    def remaining(self) -> float:
        """Number of images that a draw of the code leaves possible."""
        test = self.scores["test"]
        return math.exp(test["mi_cap_nats"] - test["mutual_information_nats"])

    @property
    def gain(self) -> float:
        """Negative ELBO minus importance-weighted bound on the same images, nats."""
        test = self.scores["test"]
        return test["iw_negative_elbo_nats"] - test["iw_bound_nats"]

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """Reasons for skipping files, with counts, the most frequent first."""
        return sorted(self.scores["data"]["skipped_reasons"].items(), key=lambda pair: (-pair[1], pair[0]))

    @property
    def duplicates(self) -> list[str]:
        """Names of the images whose pixels equal those of an earlier one."""
        return self.images.filter("duplicate")["name"].to_list()

    @property
    def attributes(self) -> dict[str, list[tuple[Any, float]]]:
        """The avatars' attributes: the values of each with their shares, the most frequent first."""
        assert self.labels is not None
        shares = {}
        for values in self.labels.drop("name"):
            tally = Counter(values.to_list())
            ranked = sorted(tally, key=lambda value: (-tally[value], str(value)))
            shares[values.name] = [(value, tally[value] / len(self.labels)) for value in ranked]
        return shares

    @property
    def unlayered(self) -> int:
        """Parameters that belong to no layer."""
        model = self.scores["model"]
        return model["parameters"] - sum(layer["parameters"] for layer in model["layers"])

    @property
    def framed_from(self) -> int:
        """First epoch for which the axes of the learning curves are scaled."""
        return figures.framed_from(self.metrics)

    @property
    def curves(self) -> list[str]:
        """Quantities with a learning curve: the loss unless it is the negative ELBO, sigma where it changes."""
        objective = self.scores["objective"]
        own_loss = objective["beta"] != 1 or objective["warmup"] or objective["free_nats"]
        changes = len({record["sigma"] for record in self.metrics}) > 1
        return ["negative_elbo", "rate", "distortion"] + ["loss"] * bool(own_loss) + ["sigma"] * changes

    def last_or_kept(self, quantity: str) -> dict[str, float]:
        """A quantity at the epoch whose weights were kept, the last where none were, for training and validation."""
        best = self.scores["training"]["best_epoch"]
        return {part: values[best - 1] for part, values in figures.by_part(self.metrics, quantity).items()}

    @property
    def parts(self) -> list[figures.Row]:
        """Negative ELBO of the images of each part of the split, with its standard error."""
        key = "negative_elbo_nats"
        blocks = [(name, self.scores[name]) for name in ("train_sample", "validation", "test")]
        return [(wording.BLOCKS[name], block[key], block["standard_errors"][key]) for name, block in blocks]

    @property
    def beside(self) -> list[tuple[str, str, float | None, float | None]]:
        """Bits per dimension of the test images, the least first: name, key, value and standard error of each."""
        models = {"network": self.scores["test"], "linear": self.scores["linear"]}
        known = {
            key: (block["bits_per_dim"], block["standard_errors"]["bits_per_dim"]) for key, block in models.items()
        }
        known |= {key: (each["bits_per_dim"], each["standard_error"]) for key, each in self.scores["codecs"].items()}
        rows = [(name, key, *known[key]) for key, name in wording.RIVALS.items()]
        return sorted(rows, key=lambda row: math.inf if row[2] is None else row[2])

    @property
    def costs(self) -> list[figures.Row]:
        """Those of `beside` that have bits per dimension."""
        return [(name, bits, error) for name, _, bits, error in self.beside if bits is not None]

    @property
    def account(self) -> list[figures.Row]:
        """Information and rate on the same images, and the cap of the estimate."""
        test, key = self.scores["test"], "mutual_information_nats"
        return [
            ("Information I", test[key], test["standard_errors"][key]),
            ("Rate R", test["mi_rate_nats"], None),
            ("Cap of I, log N", test["mi_cap_nats"], None),
        ]

    @property
    def close(self) -> float:
        """The 5 % quantile of the test images' distances to their nearest training image."""
        return float(np.quantile(self.arrays["test_distance"], 0.05))

    def compares(self, block: str, key: str) -> bool:
        """Whether a score compares with the run's: the linear model's nats are those of a density."""
        nats = key in ("negative_elbo_nats", "distortion_nats")
        return block != "linear" or not nats or self.scores["likelihood"]["is_density"]

    def side(self, block: str, key: str) -> str:
        """Sign before a score that is only a bound, since I is at its cap."""
        flag, sign = {
            "mutual_information_nats": ("mi_at_cap", "≥ "),
            "marginal_kl_nats": ("mi_at_cap", "≤ "),
            "total_correlation_nats": ("tc_at_cap", "≤ "),
        }.get(key, ("", ""))
        return sign if block == "test" and self.scores["test"].get(flag) else ""

    @property
    def command(self) -> str | None:
        """The command of the run, as a shell takes it."""
        return shlex.join(self.manifest["command"]) if "command" in self.manifest else None


def read(folder: Path) -> RunView:
    """Reads the files of a complete run.

    Raises:
        RunFolderError: when one of the files is missing.
    """
    scores = json.loads(text(folder, "scores.json"))
    return RunView(
        scores=scores,
        config=json.loads(text(folder, "config.json")),
        metrics=[json.loads(line) for line in text(folder, "metrics.jsonl").splitlines()],
        arrays=arrays(folder, "arrays.npz"),
        skipped=json.loads(text(folder, "skipped.json")),
        images=table(folder, "images.parquet"),
        labels=table(folder, "labels.parquet") if scores["embedded"] else None,
        manifest=json.loads(text(folder, "manifest.json")) if there(folder, "manifest.json") else {},
    )


def _draw(view: RunView, album: Album) -> dict[str, int]:
    """Draws all figures; returns the number of images on each sheet."""
    held, best = view.arrays, view.scores["training"]["best_epoch"]
    for quantity in view.curves:
        album.draw(f"learning-{quantity.replace('_', '-')}", figures.learning_curve(view.metrics, quantity, best))
    album.draw("parts", figures.dots(view.parts, "negative ELBO, nats per image"))
    album.draw("beside", figures.bars(view.costs, "bits per dimension"))
    album.draw("information", figures.bars(view.account, "nats"))
    album.draw("kl-units", figures.kl_by_unit(held["kl_units"].astype(float), judgements.UNIT_FLOOR))
    distances = held["test_distance"].astype(float), held["nearest_distance"].astype(float)
    album.draw("nearest-distances", figures.distances(*distances, view.close))

    at = sheets.layout(held["sheet"])
    sheets.place(album, "samples", sheets.grid(held["sheet"][: at.shown], at.columns, at.scale))
    pairs = sheets.layout(held["real"], beside=2, gap=sheets.WIDE_GAP)
    real, made = (held[name][: pairs.shown] for name in ("real", "reconstruction"))
    sheets.place(album, "reconstructions", sheets.pairs(real, made, pairs.columns, pairs.scale))
    prior = sheets.layout(held["prior"])
    for name in view.heats:
        drawn = sheets.grid(held[name][: prior.shown], prior.columns, prior.scale)
        sheets.place(album, name.replace("prior", "prior-samples").replace("_", "-"), drawn)
    near = sheets.layout(held["nearest"], above=2, gap=sheets.WIDE_GAP // 2)
    top, bottom, apart = (held[name][: near.shown] for name in ("prior", "nearest", "nearest_distance"))
    texts = [score(float(distance)) for distance in apart]
    sheets.place(album, "nearest", sheets.strip_pairs(top, bottom, texts, near.columns, near.scale))

    if len(held["linear"]):
        paths = ("linear", "spherical")
        names = [f"{pair + 1}, {path}" for pair in range(len(held["linear"])) for path in paths]
        between = np.stack([held[path] for path in paths], axis=1).reshape(len(names), *held["linear"].shape[1:])
        sheets.place(album, "interpolations", sheets.paths(held["ends"].repeat(2, axis=0), between, names))
    units = [
        f"unit {unit}, {significant(float(held['effect_units'][unit]), 3)} levels{view.followed(unit)}"
        for unit in held["traverse_units"].tolist()
    ]
    values = [plain(float(value)) for value in held["traverse_values"]]
    strips = held["traverse"]
    sheets.place(album, "traversals", sheets.rows(strips, units, values, sheets.enlarged(*strips.shape[2:4])))
    directions = zip(("first", "second"), held["map_explained"], strict=True)
    x, y = (f"{name} direction, {percent(float(share), 0)}" for name, share in directions)
    sheets.place(album, "map", sheets.scatter(held["map_thumbs"], held["map_xy"].astype(float), 900, labels=(x, y)))
    if "map_label" in held:
        drawn = figures.coloured(held["map_xy"].astype(float), held["map_label"], list(view.colours), (x, y))
        album.draw("map-labels", drawn)
    return {"samples": at.shown, "reconstructions": pairs.shown, "prior": prior.shown, "nearest": near.shown}

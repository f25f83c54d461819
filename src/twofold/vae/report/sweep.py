"""The page of a sweep: its summary and its runs' files in, figures and one self-contained report.html out."""

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from twofold.engine.files import arrays, saver, text, there
from twofold.page.album import Album
from twofold.page.template import write_page
from twofold.vae import diagnosis
from twofold.vae.images.shrink import shrunk
from twofold.vae.report import figures, judgements, plane, sheets, wording
from twofold.vae.report.plane import Weight
from twofold.vae.report.sheets import GAP, PAGE, WIDE_GAP

NARROW = 340
"""Width of each of three sheets side by side on a wide screen, in CSS pixels."""
WIDEST = 128
"""Largest height and width of an image on this page, in pixels; each run's own report shows the full size."""


def write(folder: Path) -> Path:
    """Draws the figures and writes report.html of a sweep; the same folder gives the same bytes.

    Args:
        folder: sweep.json and the run folders that it names.

    Returns:
        The path of report.html.

    Raises:
        RunFolderError: when a file of the sweep or of a run is missing.
    """
    summary = json.loads(text(folder, "sweep.json"))
    grid = plane.weights(summary["runs"])
    first = [next(folder / run["folder"] for run in summary["runs"] if run["beta"] == weight.beta) for weight in grid]
    shown = ("real", "reconstruction", "prior", "ends", "linear", "spherical")
    view = SweepView(
        grid,
        [[json.loads(line) for line in text(run, "metrics.jsonl").splitlines()] for run in first],
        [{name: smaller(held[name]) for name in shown} for held in (arrays(run, "arrays.npz") for run in first)],
    )
    manifest = json.loads(text(folder, "manifest.json")) if there(folder, "manifest.json") else {}
    config = json.loads(text(first[0], "config.json"))
    del config["objective"]["beta"], config["seed"]
    write_page(
        saver(folder),
        "vae/report/sweep.html.j2",
        lambda album: {"shown": _draw(view, summary, album)},
        view=view,
        grid=grid,
        summary=summary,
        shared=config,
        command=shlex.join(manifest["command"]) if "command" in manifest else None,
        plane=plane,
        words=wording,
        judge=judgements,
        diagnosis=diagnosis,
    )
    return folder / "report.html"


def smaller(images: UInt8[np.ndarray, "*some h w c"]) -> UInt8[np.ndarray, "*some less_h less_w c"]:
    """Large images by the means of blocks of pixels, so that many fit side by side; others unchanged."""
    longest = max(images.shape[-3:-1])
    return images if longest <= WIDEST else shrunk(images, math.ceil(longest / WIDEST))


@dataclass(frozen=True)
class SweepView:
    """The values that the template shows.

    Attributes:
        grid: the weights, smallest first.
        metrics: for each weight the lines of metrics.jsonl of its first seed.
        arrays: for each weight the images of its first seed, made `smaller`.
    """

    grid: Sequence[Weight]
    metrics: Sequence[Sequence[Mapping[str, Any]]]
    arrays: Sequence[Mapping[str, np.ndarray]]

    EFFECTS = (
        ("Rate and information", "nats per image",
         {"R": ("rate_nats", "test"), "I(x;z)": ("mutual_information_nats", "test")}),
        ("Distortion", "distortion D, nats per image", {"D": ("distortion_nats", "test")}),
        ("Negative ELBO (beta = 1)", "negative ELBO, nats per image",
         {part: ("negative_elbo_nats", block) for part, block in
          (("test images", "test"), ("training images", "train_sample"))}),
        ("Units in use", "units of the code",
         {"in use": ("used_units", "test"), "active (vary with the image)": ("active_units", "test")}),
    )  # fmt: skip
    """Charts of scores by weight: title, axis, and a line's name -> score and block of scores.json."""

    @property
    def names(self) -> list[str]:
        """Names of the weights."""
        return [weight.name for weight in self.grid]

    @staticmethod
    def file(name: str) -> str:
        """A title or a weight's name as part of a file name."""
        return name.partition(" (")[0].replace(" ", "-").replace(".", "_").lower()

    @property
    def several(self) -> bool:
        """Whether each weight was trained from more than one seed."""
        return any(len(weight.runs) > 1 for weight in self.grid)

    @property
    def runs(self) -> list[Mapping[str, Any]]:
        """scores.json of every run, weight by weight."""
        return [run for weight in self.grid for run in weight.runs]

    @property
    def proper(self) -> bool:
        """Whether the likelihood is a density or a probability mass, so that its nats are a cost."""
        return self.grid[0].runs[0]["likelihood"]["has_levels"]

    @staticmethod
    def values(weight: Weight, key: str) -> list[float]:
        """A score on the test images, one value per seed; the importance-weighted bound is that on all of them."""
        return weight.bounds if key == "iw_bound_nats" else weight.values(key)

    @staticmethod
    def side(weight: Weight, key: str) -> str:
        """Sign before a score that is only a bound, since I(x;z) is at its cap in a run."""
        if key == "total_correlation_nats":
            return "≤ " if any(run["test"]["tc_at_cap"] for run in weight.runs) else ""
        return "≥ " if key == "mutual_information_nats" and weight.capped else ""

    def lowest(self, key: str) -> Weight | None:
        """Best weight by a score of which less is better; None where there is nothing to compare."""
        if key == "iw_bound_nats":
            return plane.best(self.grid)
        known = [weight for weight in self.grid if weight.values(key)]
        return min(known, key=lambda weight: weight.mean(key)) if len(known) > 1 else None

    @property
    def framed_from(self) -> int:
        """First epoch for which the axes of all charts of single runs are scaled."""
        return max(map(figures.framed_from, self.metrics))

    def last_elbo(self, part: str) -> list[float]:
        """Negative ELBO with beta = 1 after the last epoch on `training` or `validation` images, by weight."""
        return [figures.by_part(records, "negative_elbo")[part][-1] for records in self.metrics]

    def rms_error(self, weight: Weight) -> float:
        """Root mean square error of reconstructions, in levels of an 8-bit value."""
        return 255 * math.sqrt(weight.mean("mse"))

    @property
    def interpolations(self) -> int:
        """Number of pairs of real images with interpolations; each run's own report has all."""
        return min(2, len(self.arrays[0]["ends"]))


def _draw(view: SweepView, summary: Mapping[str, Any], album: Album) -> dict[str, int]:
    """Draws all figures; returns the number of images on each sheet."""
    grid, test, names = view.grid, view.grid[0].runs[0]["test"], view.names
    weighs = wording.OBJECTIVES[summary["objective"]]
    for title, label, lines in view.EFFECTS:
        values = {name: [weight.values(*key) for weight in grid] for name, key in lines.items()}
        cap = test["mi_cap_nats"] if "I(x;z)" in lines else None
        top = float(test["latent_dim"]) if "in use" in lines else None
        drawn = figures.by_beta([weight.beta for weight in grid], values, label, cap=cap, top=top, weighs=weighs)
        album.draw(f"effect-{view.file(title)}", drawn)
    curves = dict(zip(names, view.metrics, strict=True))
    for part in ("training", "validation"):
        album.draw(f"courses-elbo-{part}", figures.elbo_curves(curves, part))
    for name, records in curves.items():
        album.draw(f"courses-{view.file(name)}", figures.loss_curves(records, name))
    album.draw("plane", figures.rate_distortion(grid, view.proper))
    album.draw("plane-height", figures.height(grid, view.proper))
    known = [row for row in summary["sandwich"]["rows"] if row["rate_nats"] is not None]
    if len(known) > 1:
        album.draw("sandwich", figures.sandwich(known))

    real, prior = view.arrays[0]["real"], view.arrays[0]["prior"]
    scale = sheets.enlarged(*real.shape[1:3])
    side = scale * real.shape[2]
    row = min(len(real), max(1, (PAGE - 90) // (side + GAP)))  # 90: the row labels
    rows = np.stack([real[:row], *(held["reconstruction"][:row] for held in view.arrays)])
    sheets.place(album, "reconstructions", sheets.rows(rows, ["real", *names], scale=scale))
    columns = max(1, NARROW // (2 * side + GAP + WIDE_GAP)), max(1, NARROW // (side + GAP))
    pairs, samples = min(len(real), columns[0] * 6), min(len(prior), columns[1] * max(columns[1], 2))
    for name, held in zip(names, view.arrays, strict=True):
        drawn = sheets.pairs(held["real"][:pairs], held["reconstruction"][:pairs], columns[0], scale)
        album.place(f"pairs-{view.file(name)}", drawn)
        album.place(f"prior-{view.file(name)}", sheets.grid(held["prior"][:samples], columns[1], scale))
    for pair in range(view.interpolations):
        ends = np.stack([held["ends"][pair] for held in view.arrays])
        for path in ("linear", "spherical"):
            between = np.stack([held[path][pair] for held in view.arrays])
            sheets.place(album, f"way-{pair + 1}-{path}", sheets.paths(ends, between, names))
    return {"reconstructions": row, "pairs": pairs, "samples": samples}

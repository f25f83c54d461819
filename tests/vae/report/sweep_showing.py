"""Sweep folders of the vae study without training: realistic values, every awkward case."""

import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from twofold.engine.files import write_arrays, write_text
from twofold.vae.report.plane import Weight, weights
from vae.report.showing import TRAITS, change, faces, run_folder

NO_PRICE = 0.002
"""A run with beta = 0 is made as if this had been its beta."""
CAP = 5.0
"""Cap of the information of the runs of `scores`, nats."""


def scores(rate: float, distortion: float, **changes: Any) -> dict[str, Any]:
    """The part of scores.json that judgements read; `changes` are of the test images' scores, or named here."""
    test = {
        "rate_nats": rate, "distortion_nats": distortion, "negative_elbo_nats": rate + distortion,
        "iw_negative_elbo_nats": rate + distortion, "iw_bound_nats": rate + distortion - 2, "latent_dim": 16,
        "active_units": 9, "used_units": 9, "reconstruction_variance_share": 0.9, "bits_per_dim": 3.0, "mse": 1e-4,
        "images": 100, "mi_images": 100, "sigma": 0.1, "mutual_information_nats": 3.0, "mi_rate_nats": rate,
        "mi_cap_nats": CAP, "mi_at_cap": False,
        "standard_errors": {"negative_elbo_nats": 3.0, "mutual_information_nats": 0.1},
    }  # fmt: skip
    test |= {key: value for key, value in changes.items() if key in test}
    trained_on = {"negative_elbo_nats": changes.get("trained_on", rate + distortion), "images": 100}
    weight = None if test["sigma"] is None else changes.get("effective_weight", 0.01)
    name = changes.get("likelihood", "gaussian")
    return {
        "test": test, "train_sample": trained_on | {"standard_errors": {"negative_elbo_nats": 4.0}},
        "data": {"shape": [10, 3, 8, 8]}, "objective": {"beta": 1.0, "effective_weight": weight},
        "kl_units_collapsed": 7, "mean_image": {"bits_per_dim": 6.0},
        "training": {"untrained_loss_nats": 9e5, "highest_loss_nats": 1e5, "last_fall_nats": 0.0, "epochs": 9,
                     "best_epoch": 9},
        "likelihood": {"name": name, "is_density": name == "gaussian", "has_levels": name != "bernoulli",
                       "scaled": test["sigma"] is not None},
    }  # fmt: skip


def grid(*runs: tuple[float, dict[str, Any]]) -> list[Weight]:
    """The weights of a sweep from pairs of a weight and a run's scores."""
    seeds = [sum(other == beta for other, _ in runs[:at]) for at, (beta, _) in enumerate(runs)]
    return weights(
        [{"beta": beta, "scores": {"seed": seed} | run} for seed, (beta, run) in zip(seeds, runs, strict=True)]
    )


def course(
    rates: Sequence[float], distortions: Sequence[float], betas: Sequence[float] = (0.0, 1.0, 100.0)
) -> list[Weight]:
    """One run per weight."""
    return grid(*((beta, scores(r, d)) for beta, r, d in zip(betas, rates, distortions, strict=True)))


def weight(beta: float, *points: tuple[float, float]) -> Weight:
    """A weight by the rate and distortion of each seed."""
    return Weight(beta, tuple({"seed": seed} | scores(*point) for seed, point in enumerate(points)))


USUAL = course((900.0, 60.0, 3.0), (-200.0, -100.0, 2000.0))
REVERSED = course((3.0, 60.0, 900.0), (2000.0, -100.0, -200.0))
SEVERAL = [
    weight(0.0, (290.0, -200.0), (300.0, -198.0)),
    weight(1.0, (60.0, -100.0), (62.0, -102.0)),
    weight(100.0, (3.0, 2000.0), (3.0, 2010.0)),
]
"""Two seeds per weight."""


def sweep_folder(
    folder: Path,
    *,
    betas: Sequence[float] = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0),
    seeds: Sequence[int] = (0,),
    likelihood: str = "gaussian",
    strongest: float = 60.0,
    size: int = 32,
    channels: int = 3,
    test: int = 60,
    embedded: bool = True,
    departures: list[dict[str, Any]] | None = None,
) -> Path:
    """Writes all files of a sweep but checkpoints and models; the code collapses from the beta `strongest` on."""
    shape = {"size": size, "channels": channels, "test": test, "embedded": embedded}
    runs = []
    for seed in seeds:
        for beta in betas:
            name = f"runs/beta-{beta:g}-seed-{seed}"
            _run(folder / name, float(beta), seed, likelihood=likelihood, strongest=strongest, shape=shape)
            scores = json.loads((folder / name / "scores.json").read_text())
            runs.append({"beta": float(beta), "seed": seed, "folder": name, "scores": scores})
    first = runs[0]["scores"]
    sweep = {
        "recipe": "original" if departures else "default",
        "betas": [float(beta) for beta in betas],
        "seeds": list(seeds),
        "departures": departures,
        "embedded": embedded,
        "data": first["data"],
        "objective": "elbo",
        "likelihood": {key: value for key, value in first["likelihood"].items() if key != "sigma"},
        "runs": runs,
        "sandwich": exact([float(beta) for beta in betas]),
    }
    write_text(folder / "sweep.json", json.dumps(sweep))
    return folder


def exact(betas: Sequence[float]) -> dict[str, Any]:
    """The block of closed forms of sweep.json, by reverse water-filling."""
    variances, noise = 4.0 * 0.5 ** np.arange(8), 0.01
    entropy = float(0.5 * np.log(2 * math.pi * math.e * variances).sum())
    rows = []
    for beta in betas:
        row: dict[str, Any] = {"beta": beta, "distortion_nats": None, "rate_nats": None, "holds": None}
        row |= {"mutual_information_nats": None, "entropy_minus_distortion_nats": None}
        if beta:
            water = np.minimum(variances, beta * noise)
            rate = float(0.5 * np.log(variances / water).sum())
            distortion = float(0.5 * (math.log(2 * math.pi * noise) + water / noise).sum())
            row |= {"distortion_nats": distortion, "rate_nats": rate, "mutual_information_nats": rate, "holds": True}
            row["entropy_minus_distortion_nats"] = entropy - distortion
        rows.append(row)
    fixed = {"dimensions": len(variances), "eigenvalues": variances.tolist(), "noise": noise, "entropy_nats": entropy}
    return fixed | {"rows": rows}


def _run(folder: Path, beta: float, seed: int, *, likelihood: str, strongest: float, shape: dict[str, Any]) -> None:
    shown = folder.parents[1] / f".shown-{likelihood}"
    if not shown.is_dir():
        run_folder(shown, likelihood=likelihood, **shape)
    shutil.copytree(shown, folder)
    scores = json.loads((folder / "scores.json").read_text())
    price = beta or NO_PRICE
    variances = strongest / np.sqrt(np.arange(1, scores["model"]["latent_dim"] + 1))  # in units of sigma^2
    noise = np.random.default_rng([seed, int(1000 * beta)])
    rate = float(0.5 * np.log(variances / np.minimum(variances, price)).sum()) * (1 + 0.004 * noise.normal())
    lost = float(0.5 * np.minimum(variances, price).sum()) + 2.0 * noise.normal()
    dims = math.prod(scores["data"]["shape"][1:])
    distortion = (0.41 if likelihood == "bernoulli" else -1.37) * dims + lost
    memorised = 30.0 / (1 + 20 * beta)
    _scores(folder, scores, beta, seed, {
        "rate": rate, "distortion": distortion + memorised, "memorised": 4 * memorised + 20.0,
        "active": int((variances > price).sum()), "sigma": 0.061 * math.exp(lost / dims),
    })  # fmt: skip
    _metrics(folder, beta)
    _pictures(folder, beta, strongest, seed)


def _scores(folder: Path, scores: dict[str, Any], beta: float, seed: int, made: dict[str, Any]) -> None:
    test, dims = scores["test"], math.prod(scores["data"]["shape"][1:])
    rate, distortion = made["rate"], made["distortion"]
    sigma = (
        None if test["sigma"] is None else 0.1 if scores["likelihood"]["name"] == "gaussian_fixed" else made["sigma"]
    )
    cap = test["mi_cap_nats"]
    information = max(0.0, min(rate - 0.02, cap - 0.0004))
    block = {
        "rate_nats": rate, "distortion_nats": distortion, "negative_elbo_nats": rate + distortion,
        "bits_per_dim": None if sigma is None else ((rate + distortion) / dims + math.log(255)) / math.log(2),
        "mse": made["sigma"] ** 2,
        "standard_errors": {"negative_elbo_nats": 21.0, "distortion_nats": 20.0, "rate_nats": 0.9},
    }  # fmt: skip
    bound = {
        "iw_negative_elbo_nats": rate + distortion + 3.1, "iw_bound_nats": rate + distortion + 3.1 - 0.08 * rate,
        "mutual_information_nats": information, "marginal_kl_nats": rate + 0.2 - information,
        "mi_rate_nats": rate + 0.2, "mi_at_cap": information > cap - 0.05,
        "active_units": made["active"], "used_units": made["active"], "sigma": sigma,
        "standard_errors": {"iw_bound_nats": 22.0, "mutual_information_nats": 0.012},
    }  # fmt: skip
    learned = {"distortion_nats": distortion - made["memorised"]}
    learned["negative_elbo_nats"] = rate + learned["distortion_nats"]
    weight = None if sigma is None else beta * sigma**2
    change(
        folder, seed=seed, test=block | bound, validation=block, train_sample=block | learned,
        objective={"beta": beta, "effective_weight": weight}, likelihood={"sigma": sigma},
        kl_units_collapsed=test["latent_dim"] - made["active"],
    )  # fmt: skip


def _metrics(folder: Path, beta: float) -> None:
    scores = json.loads((folder / "scores.json").read_text())
    final, lines = scores["test"], []
    for epoch in range(1, scores["training"]["epochs"] + 1):
        line: dict[str, Any] = {"epoch": epoch, "images": epoch * scores["data"]["train"]}
        for part, gap in (("train", -130 * epoch / 30), ("validation", 0.9 * max(0, epoch - 18))):
            rate = final["rate_nats"] * (1 + 2 * math.exp(-epoch / 2) - math.exp(-epoch / 7))
            distortion = final["distortion_nats"] + 4000 * math.exp(-epoch / 2) + gap
            line |= {f"{part}_rate": rate, f"{part}_distortion": distortion, f"{part}_loss": distortion + beta * rate}
        lines.append(line | {"beta_now": beta, "sigma": final["sigma"], "learning_rate": 1e-3, "seconds": 7.7})
    write_text(folder / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in lines))


def _pictures(folder: Path, beta: float, strongest: float, seed: int) -> None:
    with np.load(folder / "arrays.npz") as held:
        arrays = dict(held)
    _, size, _, channels = arrays["real"].shape
    random = np.random.default_rng(5)
    kept = max(0.0, 1 - beta / strongest)
    pairs = len(arrays["real"])
    traits, ends = random.normal(size=(pairs, TRAITS)), random.normal(size=(4, 2, TRAITS))
    random = np.random.default_rng([7, seed])
    drawn = random.normal(size=(64, TRAITS)) * (kept if beta else 9.0)
    step = np.linspace(0, 1, 11)[:, None]
    ways = {
        "linear": ends[:, :1] * (1 - step) + ends[:, 1:] * step,
        "spherical": ends[:, :1] * np.cos(step * np.pi / 2) + ends[:, 1:] * np.sin(step * np.pi / 2),
    }
    blur = 1.5 + 3 * (1 - kept)
    arrays |= {name: faces(kept * way, size, channels, blur) for name, way in ways.items()}
    arrays["real"], arrays["ends"] = faces(traits, size, channels), faces(ends, size, channels)
    arrays["reconstruction"] = faces(kept * traits, size, channels, blur)
    prior = faces(drawn, size, channels, blur)
    if not beta:
        grain = random.normal(0, 55, (64, size // 4, size // 4, channels)).repeat(4, 1).repeat(4, 2)
        prior = np.clip(0.5 * prior + 60 + grain, 0, 255).astype(np.uint8)
    arrays["prior"] = prior
    write_arrays(folder / "arrays.npz", **arrays)

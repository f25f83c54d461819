"""Run folders of the vae study without training: realistic values, every awkward case."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from twofold.engine.files import write_arrays, write_parquet, write_text
from twofold.vae.config import ImageConfig, LikelihoodConfig, ModelConfig, ObjectiveConfig, VaeConfig

ODD_NAMES = ["<script>alert(1)</script>.png", "a & b 'c' \"d\".jpg", "very" * 30 + "-long.webp", "顔 $x$.png"]
"""Names of files that were skipped."""
TRAITS = 8
"""Parameters of a face."""


def run_folder(
    folder: Path,
    *,
    likelihood: str = "gaussian",
    channels: int = 3,
    size: int = 64,
    latent: int = 128,
    beta: float = 1.0,
    embedded: bool = True,
    skipped: int = len(ODD_NAMES),
    at_cap: bool = True,
    test: int = 204,
) -> Path:
    """Writes all files of a run but checkpoint and model."""
    folder.mkdir(parents=True, exist_ok=True)
    config = VaeConfig(
        image=ImageConfig.model_validate({"size": size, "channels": channels}),
        model=ModelConfig(network="plain", latent_dim=latent),
        likelihood=LikelihoodConfig.model_validate({"name": likelihood}),
        objective=ObjectiveConfig(beta=beta),
    )
    write_text(folder / "config.json", config.to_json())
    names = _names(embedded, 10 * test)
    write_parquet(folder / "images.parquet", _table(names, test))
    if embedded:
        write_parquet(folder / "labels.parquet", _labels(names))
    left_out = [
        {"name": ODD_NAMES[k % 4] if k < 4 else f"{k:05}.png", "reason": "not an image" if k % 3 else "smaller than 16"}
        for k in range(skipped)
    ]
    write_text(folder / "skipped.json", json.dumps(left_out))
    scores = _scores(config, test=test, embedded=embedded, left_out=left_out, at_cap=at_cap)
    arrays = _arrays(latent, size, channels, test, scores["test"]["rate_nats"])
    scores["kl_units_collapsed"] = int((arrays["kl_units"] < 0.01).sum())
    if embedded:
        arrays["map_label"] = np.arange(len(arrays["map_xy"])) % 2
    write_arrays(folder / "arrays.npz", **arrays)
    write_text(folder / "scores.json", json.dumps(scores))
    write_text(folder / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in _metrics(scores)))
    versions = {"twofold": "0.1.0", "torch": "2.9.0", "numpy": "2.3.4"}
    command = ["twofold", "vae", "run", "--images", "my faces", "--objective.beta", str(beta)]
    manifest = {"command": command, "device": "cpu", "python": "3.11.9", "platform": "Linux", "versions": versions}
    write_text(folder / "manifest.json", json.dumps(manifest | {"data_digest": "cd" * 32, "wall_time_s": 240.5}))
    return folder


def change(folder: Path, **changes: Any) -> None:
    """Changes values of scores.json; a dictionary changes what is under its keys."""
    scores = json.loads((folder / "scores.json").read_text())
    write_text(folder / "scores.json", json.dumps(_merged(scores, changes)))


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    both = {key: _merged(old[key], value) for key, value in new.items() if isinstance(value, dict) and old.get(key)}
    return old | new | both


def faces(traits: np.ndarray, size: int, channels: int, blur: float = 1.0) -> np.ndarray:
    """Faces of ellipses on a shaded ground: traits [..., TRAITS], about normal -> uint8 [..., h, w, c].

    Args:
        traits: of each face: two hues, width and height of the head, gap and size of the eyes, mouth, tilt.
        size: height and width.
        channels: 1 or 3.
        blur: width of the edges, in sixteenths of the face.
    """
    t = np.tanh(traits / 2)[..., None, None]
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    x = x + 0.3 * t[..., 7, :, :] * y

    def oval(cx: Any, cy: Any, rx: Any, ry: Any) -> np.ndarray:
        return 1 / (1 + np.exp((np.hypot((x - cx) / rx, (y - cy) / ry) - 1) * 16 / blur))

    head = oval(0, 0.1, 0.6 + 0.15 * t[..., 2, :, :], 0.7 + 0.15 * t[..., 3, :, :])
    hair = oval(0, -0.35, 0.72 + 0.1 * t[..., 2, :, :], 0.5)
    gap, width = 0.27 + 0.1 * t[..., 4, :, :], 0.11 + 0.05 * t[..., 5, :, :]
    eyes = oval(-gap, 0.05, width, 0.09) + oval(gap, 0.05, width, 0.09)
    mouth = oval(0, 0.5, 0.25 + 0.12 * t[..., 6, :, :], 0.06)
    hue, ground = t[..., 0, :, :], t[..., 1, :, :]
    planes = []
    for turn in (0.0, 2.1, 4.2)[:channels]:
        back = 0.72 + 0.18 * np.sin(3 * ground + turn) - 0.12 * y
        plane = back + hair * (0.35 + 0.3 * np.sin(4 * hue + turn) - back)
        plane += head * (0.85 - 0.12 * turn / 4.2 - plane)
        planes.append(plane * (1 - 0.85 * np.clip(eyes, 0, 1)) * (1 - 0.6 * mouth))
    return np.clip(255 * np.stack(planes, axis=-1), 0, 255).astype(np.uint8)


def _arrays(latent: int, size: int, channels: int, test: int, rate: float) -> dict[str, np.ndarray]:
    random = np.random.default_rng(11)

    def some(*shape: int) -> np.ndarray:
        return random.normal(size=(*shape, TRAITS))

    def drawn(traits: np.ndarray, blur: float = 3.0) -> np.ndarray:
        return faces(traits, size, channels, blur)

    real, ends, prior = some(min(32, test)), some(4, 2), some(64)
    step = np.linspace(0, 1, 11)[:, None]
    kl = np.sort(random.gamma(0.25, 6, latent)) * (np.arange(latent) >= latent // 2) + 0.0005
    kl = rate * random.permutation(kl) / kl.sum()
    units = np.argsort(-kl, kind="stable")[:10]  # in the order of their effect, too
    values = np.linspace(-3, 3, 9)
    walks = np.repeat(np.repeat(some(1)[:, None], len(units), 0), 9, 1)
    for row in range(len(units)):
        walks[row, :, row % TRAITS] = values
    traits = some(min(test, 2000))
    xy = traits[:, :2] * [2.5, 1.5] + random.normal(0, 0.2, (len(traits), 2))
    if latent == 1:
        xy[:, 1] = 0
    return {
        "sheet": drawn(some(64), 1),
        "real": drawn(real, 1),
        "reconstruction": drawn(0.9 * real + 0.1 * some(len(real))),
        "prior": drawn(prior),
        "prior_half": drawn(prior),
        "prior_one": drawn(prior),
        "ends": drawn(ends, 1),
        "linear": drawn(ends[:, :1] * (1 - step) + ends[:, 1:] * step),
        "spherical": drawn(ends[:, :1] * np.cos(step * np.pi / 2) + ends[:, 1:] * np.sin(step * np.pi / 2)),
        "traverse": drawn(walks),
        "traverse_units": units,
        "traverse_values": values,
        "nearest": drawn(prior[:16] + 0.5 * some(16), 1),
        "nearest_distance": random.gamma(40, 0.003, 16),
        "test_distance": random.gamma(30, 0.0045, min(test, 256)),
        "map_xy": xy,
        "map_explained": np.array([0.31, 0.12]) if latent > 1 else np.array([1.0, 0.0]),
        "map_rows": np.arange(len(traits)),
        "map_thumbs": faces(traits, 16, channels, 3.0),
        "kl_units": kl,
        "effect_units": 4 * np.sqrt(kl),
        "variance_units": np.clip(kl / 3, 0, 0.97),
    }


def _names(embedded: bool, number: int) -> list[str]:
    return [f"avatar-{k:05}" if embedded else f"<b>{k:05}</b>.png" for k in range(number)]


def _table(names: list[str], test: int) -> pl.DataFrame:
    part = ["train" if k >= 2 * test else "test" if k < test else "validation" for k in range(len(names))]
    hashes = [f"{k:032x}" for k in range(len(names))]
    duplicate = [k in (7, 8, 100) for k in range(len(names))]
    return pl.DataFrame({"name": names, "hash": hashes, "split": part, "duplicate": duplicate})


def _labels(names: list[str]) -> pl.DataFrame:
    shown = {"hair": ["short", "long", "<none>"], "glasses": [True, False], "skin": ["a", "b", "c", "d", "e"]}
    columns = {key: [values[k % len(values)] for k in range(len(names))] for key, values in shown.items()}
    return pl.DataFrame({"name": names} | columns)


def _layers(size: int, channels: int, latent: int) -> list[dict[str, Any]]:
    side = size // 16
    flat = 256 * side * side
    rows = [
        ("encoder", f"Conv2d {channels}→256 16×16 stride 16", [256, side, side], 256 * (256 * channels + 1)),
        ("encoder", f"Linear {flat}→{2 * latent} (mean, log variance)", [2 * latent], 2 * latent * (flat + 1)),
        ("decoder", f"Linear {latent}→{flat}", [256, side, side], flat * (latent + 1)),
        ("decoder", f"ConvTranspose2d 256→{channels} 16×16 stride 16", [channels, size, size], (65536 + 1) * channels),
    ]
    return [dict(zip(("part", "layer", "shape", "parameters"), row, strict=True)) for row in rows]


def _scores(
    config: VaeConfig, *, test: int, embedded: bool, left_out: list[dict[str, str]], at_cap: bool
) -> dict[str, Any]:
    name, size, channels, beta = config.likelihood.name, config.image.size, config.image.channels, config.objective.beta
    latent, numbers = config.model.latent_dim, size * size * channels
    sigma = {"bernoulli": None, "gaussian_fixed": 0.1}.get(name, 0.0613)
    distortion = 0.41 * numbers if sigma is None else numbers * (0.92 + math.log(sigma) + 0.5)
    rate = min(182.34 if beta else 913.2, 9.0 * latent) * (0.03 if beta > 10 else 1)
    bits = None if sigma is None else (distortion + rate + numbers * math.log(255)) / numbers / math.log(2)
    errors = {"rate_nats": 0.0067 * rate, "distortion_nats": 38.4, "negative_elbo_nats": 38.9, "mse": 0.000082}
    block = {
        "images": test, "rate_nats": rate, "distortion_nats": distortion, "negative_elbo_nats": distortion + rate,
        "bits_per_dim": bits, "mse": 0.00371,
        "standard_errors": errors | {"bits_per_dim": None if bits is None else 0.0046},
    }  # fmt: skip
    cap = math.log(test)
    information = cap - 0.0004 if at_cap else min(0.7 * cap, 0.6 * rate)
    iw_images = min(test, 256)
    tested = block | {
        "iw_bound_nats": distortion + rate - 21.4, "iw_samples": 64, "iw_images": iw_images,
        "iw_negative_elbo_nats": distortion + rate + 2.1, "iw_effective_samples": 1.83,
        "mutual_information_nats": information, "mi_images": test, "mi_cap_nats": cap, "mi_at_cap": at_cap,
        "marginal_kl_nats": rate - information, "mi_rate_nats": rate,
        "total_correlation_nats": 3.21, "tc_images": min(test, 512), "tc_at_cap": at_cap,
        "active_units": min(54, latent), "used_units": min(54, latent), "effect_images": min(16, test),
        "reconstruction_variance_share": 0.93, "latent_dim": latent, "sigma": sigma,
        "standard_errors": block["standard_errors"] | {"iw_bound_nats": 39.3, "mutual_information_nats": 0.012,
                                                         "total_correlation_nats": 0.11},
    }  # fmt: skip
    better = {key: block[key] - 130.0 for key in ("distortion_nats", "negative_elbo_nats")}
    layers = _layers(size, channels, latent)
    reasons = [line["reason"] for line in left_out]
    return {
        "recipe": config.recipe, "seed": config.seed, "departures": None, "embedded": embedded,
        "data": {
            "images": 10 * test, "skipped": len(left_out), "duplicates": 3, "train": 8 * test, "validation": test,
            "test": test, "shape": [10 * test, channels, size, size],
            "source": "avatars" if embedded else "faces & <more>.zip",
            "digest": "ab12" * 16,
            "skipped_reasons": {reason: reasons.count(reason) for reason in sorted(set(reasons))},
            "duplicate_groups": 2, "fit": config.image.fit,
        },
        "model": {"network": "plain", "latent_dim": latent, "layers": layers, "start": None, "fell_back": False,
                  "parameters": sum(layer["parameters"] for layer in layers) + (sigma is not None)},
        "likelihood": {"name": name, "is_density": name.startswith("gaussian"), "has_levels": sigma is not None,
                       "scaled": sigma is not None, "learned": name in ("gaussian", "logistic"), "sigma": sigma},
        "objective": {"name": "elbo", "beta": beta, "warmup": 0.0, "free_nats": 0.0,
                      "effective_weight": None if sigma is None else beta * sigma**2},
        "training": {"epochs": 30, "best_epoch": 22, "images_seen": 240 * test, "seconds": 233.1,
                     "images_per_second": 210.5, "device": "cpu", "stopped_early": False, "precision": "fp32",
                     "untrained_loss_nats": 4e5, "highest_loss_nats": 3e5, "last_fall_nats": 1.5},
        "test": tested, "validation": block | {"rate_nats": rate + 0.4},
        "train_sample": block | better | {"bits_per_dim": None if bits is None else bits - 0.0153, "mse": 0.00352},
        "linear": block | {"components": latent, "fitted_on": 8 * test, "sigma": 0.11, "mse": 0.0112,
                           "bits_per_dim": 3.9, "standard_errors": block["standard_errors"] | {"bits_per_dim": 0.012}},
        "mean_image": block | {"bits_per_dim": 7.4, "sigma": 0.21, "mse": 0.0441},
        "codecs": {codec: {"bits_per_dim": cost, "standard_error": 0.02, "images": test}
                   for codec, cost in (("png", 6.13), ("webp", 4.28))},
        "differences": _differences(bits, test),
        "kl_units_collapsed": 0,
        "samples": _samples(name, test),
        "factors": _factors(latent, test) if embedded else None,
        "memorisation": {"sample_distance": 0.119, "test_distance": 0.134, "closer_than_test": 0.0625, "samples": 256,
                         "held_out": 2 * test, "nearest_in_training": 0.82, "expected": 0.8, "standard_error": 0.03},
    }  # fmt: skip


def _factors(latent: int, test: int) -> dict[str, Any]:
    """Scores of the attributes of `_labels`: glasses are read well, skin is not, hair is left out."""
    common = {"kind": "categories", "rare_values": 0, "test": test, "baseline": 0.5}
    glasses = {"name": "glasses", "categories": 2, "entropy_nats": 0.69, "probe": 0.975, "probe_error": 0.011}
    glasses |= {"forest": 0.9, "mig": 0.41, "completeness": 0.8, "best_unit": 1, "best_share": 0.55}
    skin = {"name": "skin_tone", "categories": 5, "entropy_nats": 1.6, "probe": 0.51, "probe_error": 0.02}
    skin |= {"forest": 0.48, "mig": 0.004, "completeness": 0.1, "best_unit": 0, "best_share": 0.02, "rare_values": 1}
    return {
        "origin": "avatars", "unlabelled": 0, "unmatched": 0, "unmatched_examples": [], "training_images": 8 * test,
        "least_of_a_value": 10, "least_test": 20, "left_out": [{"name": "hair", "reason": "values"}],
        "factors": [common | glasses, common | skin], "mig": 0.207, "disentanglement": 0.6, "completeness": 0.45,
        "informativeness": 0.69, "forest_units": min(latent, 64),
        "named_units": [{"unit": unit, "factor": "glasses", "share": 0.55} for unit in range(latent // 2, latent)],
        "map": {"factor": "glasses", "categories": ["True", "False"]},
    }  # fmt: skip


def _samples(likelihood: str, test: int) -> dict[str, Any]:
    """Distances of samples by temperature, beside those of training images."""
    keys = "swd_pixels", "swd_laplacian", "frechet", "precision", "recall", "density", "coverage"

    def block(*values: float) -> dict[str, float | None]:
        return {key: None if key == "frechet" and test < 100 else v for key, v in zip(keys, values, strict=True)}

    heats = {"0": (0.041, 0.152, 0.93, 0.96, 0.57, 1.46, 0.97), "0.5": (0.039, 0.094, 0.84, 0.95, 0.6, 1.3, 0.96)}
    heats["1"] = 0.034, 0.131, 0.77, 0.89, 0.78, 0.97, 0.94
    shown = {heat: block(*values) for heat, values in heats.items() if heat == "0" or likelihood != "bernoulli"}
    return {
        "features": "random convolutions", "images": min(test, 1000), "neighbours": 5,
        "least_images": {"frechet": 100, "neighbourhoods": 20},
        "temperatures": shown, "floor": block(0.0338, 0.0321, 0.566, 0.855, 0.88, 0.902, 0.96),
    }  # fmt: skip


def _differences(bits: float | None, test: int) -> dict[str, Any]:
    """Network minus each other; the network beats PNG alone."""
    about: dict[str, Any] = {"key": "bits_per_dim", "standard_error": 0.004, "images": test}
    if bits is None:
        return {"linear": about | {"key": "mse", "mean": -0.0075, "standard_error": 0.0001}}
    return {name: about | {"mean": bits - cost} for name, cost in (("linear", 3.9), ("png", 6.13), ("webp", 4.28))}


def _metrics(scores: dict[str, Any]) -> list[dict[str, Any]]:
    lines, test = [], scores["test"]
    height, beta = abs(test["distortion_nats"]), scores["objective"]["beta"]
    for epoch in range(1, scores["training"]["epochs"] + 1):
        line: dict[str, Any] = {"epoch": epoch, "images": epoch * scores["data"]["train"]}
        for part, gap in (("train", -130 * epoch / 30), ("validation", 4 * max(0, epoch - 22) ** 2 - 4 * epoch)):
            rate = test["rate_nats"] * (1 - 0.7 * math.exp(-epoch / 5))
            distortion = test["distortion_nats"] + 0.8 * height * math.exp(-epoch / 1.2) + gap
            line |= {f"{part}_rate": rate, f"{part}_distortion": distortion, f"{part}_loss": distortion + beta * rate}
        falls = scores["likelihood"]["name"] in ("gaussian", "logistic")
        sigma = test["sigma"] * (1 + math.exp(-epoch / 3)) if falls else test["sigma"]
        lines.append(line | {"beta_now": beta, "sigma": sigma, "learning_rate": 1e-3, "seconds": 7.7})
    return lines

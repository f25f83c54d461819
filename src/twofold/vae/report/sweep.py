"""The report of a sweep: its summary and its runs' files in, pictures and one self-contained page out."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twofold import __version__
from twofold.engine.files import saver, write_text
from twofold.page import numbers
from twofold.page.album import Album
from twofold.page.blocks import Section, badge, callout, definitions, details, document, paragraph, settings
from twofold.page.drawing import style
from twofold.page.html import Html, join, tag
from twofold.vae.report import data_sections, evidence, plane_sections, sweep_pictures, sweep_sections, wording
from twofold.vae.report.plane import Weight, weights
from twofold.vae.report.sweep_sections import Summary


def write_sweep(folder: Path) -> Path:
    """Draws the pictures and writes report.html of a sweep; trains nothing and reads only what the sweep wrote.

    The same folder gives the same bytes.

    Args:
        folder: a sweep folder: sweep.json and the run folders that it names.

    Returns:
        The path of report.html.

    Raises:
        RunFolderError: when a file of the sweep or of a run is missing.
    """
    summary = json.loads(evidence.text(folder, "sweep.json"))
    grid = weights(summary["runs"])
    with style():
        sections = _sections(folder, summary, grid, Album(saver(folder)))
    page = document(_title(summary), _lead(summary), sections, _footer(summary))
    target = folder / "report.html"
    write_text(target, page)
    return target


def _sections(folder: Path, summary: Summary, grid: list[Weight], album: Album) -> list[Section]:
    first = _first_seed(folder, summary, grid)
    metrics = {name: _records(run) for name, run in first.items()}
    arrays = {name: sweep_pictures.shown(evidence.arrays(run)) for name, run in first.items()}
    return [
        sweep_sections.verdict_section(grid),
        sweep_sections.table_section(grid, summary, album),
        sweep_pictures.courses_section(grid, metrics, album),
        sweep_pictures.reconstructions_section(grid, arrays, album),
        sweep_pictures.samples_section(grid, arrays, album),
        sweep_pictures.interpolations_section(arrays, album),
        plane_sections.plane_section(grid, summary, album),
        plane_sections.inequality_section(grid, summary, album),
        sweep_sections.claims_section(grid, summary),
        _images_section(summary),
        _repeat_section(folder, summary, next(iter(first.values()))),
    ]


def _first_seed(folder: Path, summary: Summary, grid: list[Weight]) -> dict[str, Path]:
    """Each weight's name -> the run folder of its first seed."""
    folders: dict[float, Path] = {}
    for run in summary["runs"]:
        folders.setdefault(run["beta"], folder / run["folder"])
    return {weight.name: folders[weight.beta] for weight in grid}


def _records(run: Path) -> list[Mapping[str, Any]]:
    return [json.loads(line) for line in evidence.text(run, "metrics.jsonl").splitlines()]


def _title(summary: Summary) -> str:
    kind = "avatar" if summary["embedded"] else "image"
    images, _, height, width = summary["data"]["shape"]
    betas = ", ".join(f"{beta:g}" for beta in sorted(set(summary["betas"])))
    return f"What the KL term's weight does: beta {betas} on {wording.plural(images, kind)} of {width} × {height}"


def _lead(summary: Summary) -> Html:
    seeds = ", ".join(map(str, summary["seeds"]))
    badges = [
        badge(f"recipe {summary['recipe']}"),
        badge(f"{'seeds' if len(summary['seeds']) > 1 else 'seed'} {seeds}"),
        badge(f"likelihood {summary['likelihood']['name']}"),
    ]
    parts = [paragraph(*badges)]
    if summary["embedded"]:
        parts.append(callout(paragraph(tag("strong", data_sections.RENDERED)), kind="warning"))
    if summary["departures"]:
        parts.append(callout(paragraph(summary["departures"])))
    parts.append(
        paragraph(
            "A variational autoencoder minimises distortion + beta × rate: what the decoded image leaves open, and "
            "what the code costs (the KL term). Here the same network, first weights and order of the images are "
            "trained under several beta, and every run is scored the same way."
        )
    )
    return join(parts)


def _images_section(summary: Summary) -> Section:
    data, likelihood = summary["data"], summary["likelihood"]["name"]
    model, objective = summary["runs"][0]["scores"]["model"], summary["runs"][0]["scores"]["objective"]
    parts = ", ".join(f"{numbers.count(data[part])} {wording.part(part)}" for part in ("train", "validation", "test"))
    extras = [f"warm-up of beta over {numbers.percent(objective['warmup'], 0)} of the run"] * bool(objective["warmup"])
    extras += [f"{objective['free_nats']:g} free nats a unit"] * bool(objective["free_nats"])
    pairs = [
        ("Images", "avatars, rendered from this package" if summary["embedded"] else data["source"]),
        ("Shape", f"{wording.shape(data['shape'])} (images, channels, height, width)"),
        ("Parts", f"{parts}; a hash of an image's pixels decides"),
        ("Files skipped", numbers.count(data["skipped"])),
        ("Exact duplicates", f"{numbers.count(data['duplicates'])}; copies share a part"),
        ("Network", f"{model['network']}, {wording.plural(model['parameters'], 'parameter')}"),
        ("Code", wording.plural(model["latent_dim"], "unit")),
        ("Likelihood", wording.likelihood(likelihood)),
        ("Loss", "; ".join(["distortion + beta × rate", *extras])),
    ]
    words = paragraph("The same for every run; each run's own report shows its images and layers.")
    return Section("images", "The images and the network", join([words, definitions(pairs)]))


def _repeat_section(folder: Path, summary: Summary, run: Path) -> Section:
    config = json.loads(evidence.text(run, "config.json"))
    shared = {**config, "objective": {key: value for key, value in config["objective"].items() if key != "beta"}}
    del shared["seed"]
    manifest = json.loads(evidence.text(folder, "manifest.json")) if (folder / "manifest.json").is_file() else {}
    training = [each["scores"]["training"] for each in summary["runs"]]
    pairs = [
        ("Command", tag("code", shlex.join(manifest["command"])) if "command" in manifest else numbers.DASH),
        ("Weights", ", ".join(f"{beta:g}" for beta in summary["betas"])),
        ("Seeds", ", ".join(map(str, summary["seeds"]))),
        ("Device", ", ".join(sorted({each["device"] for each in training}))),
        ("Training", f"{wording.figure(sum(each['seconds'] for each in training))} s in all"),
        ("Digest of the images", tag("code", summary["data"]["digest"])),
    ]
    words = paragraph(
        "The same command on the same images, versions and device gives the same figures. Without a value for --betas "
        "it is the original's three: 0, 1 and 100."
    )
    folded = details("Settings that all runs share", settings(shared))
    return Section("repeat", "How to repeat this sweep", join([words, definitions(pairs), folded]))


def _footer(summary: Summary) -> Html:
    made = paragraph(f"twofold {__version__}; digest of the images ", tag("code", summary["data"]["digest"]), ".")
    return join([made, paragraph("This page loads nothing from elsewhere.")])

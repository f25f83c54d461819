"""The reports: a folder's files in, figures and one self-contained page out."""

import json
from pathlib import Path

import numpy as np

from twofold import __version__
from twofold.engine.files import saver, write_text
from twofold.page.album import Album
from twofold.page.blocks import Section, badge, callout, details, document, paragraph, settings
from twofold.page.drawing import style
from twofold.page.html import Html, join, tag
from twofold.trend.report import (
    curve_sections,
    data_sections,
    evidence,
    grid_sections,
    meaning,
    region_sections,
    score_sections,
    study_sections,
    wording,
)
from twofold.trend.report.evidence import Evidence
from twofold.trend.report.original_rows import Row


def write(run_folder: Path) -> Path:
    """Draws the figures and writes report.html of a run; trains nothing and reads only what the run wrote.

    The same folder gives the same bytes.

    Args:
        run_folder: a run folder whose computation is complete.

    Returns:
        The path of report.html.

    Raises:
        RunFolderError: when a file of the run is missing.
    """
    found = evidence.read(run_folder)
    with style():
        sections = _sections(found, Album(saver(run_folder)))
    page = document(_title(found), _lead(found), sections, _footer(found))
    target = run_folder / "report.html"
    write_text(target, page)
    return target


def write_study(folder: Path) -> Path:
    """Draws the figures and writes report.html of the study that sets the original's figures beside ours.

    Args:
        folder: holds study.json, arrays.npz, panel.parquet and tomorrow.parquet.

    Returns:
        The path of report.html.

    Raises:
        RunFolderError: when one of the files is missing.
    """
    study = json.loads(evidence.text(folder, "study.json"))
    with style():
        sections = _study_sections(study, folder)
    page = document(study["title"], _study_lead(study), sections, _colophon(study["data"]))
    target = folder / "report.html"
    write_text(target, page)
    return target


def _study_sections(study: Row, folder: Path) -> list[Section]:
    album = Album(saver(folder))
    return [
        study_sections.verdict_section(study),
        study_sections.original_section(study),
        study_sections.steps_section(study),
        Section("data", "The data", data_sections.describe(study["data"], study["simulated"])),
        _correlations(folder, album),
        grid_sections.grid_section(study, album),
        grid_sections.curves_section(study, album),
        grid_sections.trials_section(study),
        _study_map(folder, album),
        study_sections.errors_section(study),
        study_sections.meaning_section(study),
    ]


def _correlations(folder: Path, album: Album) -> Section:
    panel, tomorrow = evidence.table(folder, "panel.parquet"), evidence.table(folder, "tomorrow.parquet")
    regions = tuple(panel["region"].unique(maintain_order=True))
    chosen = set(tomorrow.filter("in_c")["region"])
    in_c = np.array([region in chosen for region in regions], dtype=bool)
    pictures = data_sections.correlation_pictures(album, evidence.correlation(folder), regions, in_c)
    return Section("correlation", "The correlation between regions", join(pictures))


def _study_map(folder: Path, album: Album) -> Section:
    tomorrow = evidence.table(folder, "tomorrow.parquet")
    day = str(tomorrow["target_date"].max())
    words = paragraph(f"The probability that the count rises on {day}. Hatched regions are outside C.")
    return Section("map", "The world map", join([words, *region_sections.world_pictures(album, tomorrow, day)]))


def _study_lead(study: Row) -> Html:
    parts = [callout(paragraph(study["departures"]))]
    if study["simulated"]:
        parts.insert(0, callout(paragraph(tag("strong", data_sections.SIMULATED)), kind="warning"))
    return join(parts)


def _sections(found: Evidence, album: Album) -> list[Section]:
    return [
        meaning.verdict_section(found),
        data_sections.data_section(found, album),
        data_sections.screen_section(found, album),
        data_sections.windows_section(found),
        data_sections.split_section(found),
        score_sections.models_section(found, album),
        score_sections.comparisons_section(found, album),
        curve_sections.learning_section(found, album),
        curve_sections.discrimination_section(found, album),
        curve_sections.importance_section(found, album),
        region_sections.regions_section(found, album),
        region_sections.map_section(found, album),
        meaning.meaning_section(found),
    ]


def _title(found: Evidence) -> str:
    data = found.scores["data"]
    first, last = (data[end].replace("-", "\N{NON-BREAKING HYPHEN}") for end in ("first", "last"))
    return f"Will the count rise? {data['regions']} regions, {first} to {last}"


def _lead(found: Evidence) -> Html:
    scores = found.scores
    up = wording.target(scores["windows"]["target"], found.unit)
    badges = [
        badge(f"recipe {scores['recipe']}"),
        badge(f"seed {scores['seed']}"),
        badge(f"split {scores['split']['kind']}"),
    ]
    parts = [paragraph(*badges)]
    if scores["simulated"]:
        parts.append(callout(paragraph(tag("strong", data_sections.SIMULATED)), kind="warning"))
    if scores["departures"]:
        parts.append(callout(paragraph(scores["departures"])))
    parts.append(
        paragraph(
            f"From the last {scores['windows']['length']} {found.unit}s of a region's new cases, the models "
            f"give the probability that {up}. This page says how far to trust it."
        )
    )
    return join(parts)


def _footer(found: Evidence) -> Html:
    return join([details("Settings of this run", settings(found.config)), _colophon(found.scores["data"])])


def _colophon(data: Row) -> Html:
    made = paragraph(f"twofold {__version__}; data digest ", tag("code", data["digest"]), ".")
    return join([made, paragraph("Outlines of the map: pygal_maps_world. This page loads nothing from elsewhere.")])

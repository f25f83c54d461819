"""The report of a run: its folder's files in, figures and one self-contained page out."""

from pathlib import Path

from twofold import __version__
from twofold.engine.run import write_text
from twofold.page.blocks import Section, badge, callout, details, document, paragraph
from twofold.page.drawing import style
from twofold.page.html import Html, join, tag
from twofold.trend import data_sections, meaning, region_sections, score_sections, wording
from twofold.trend.album import Album
from twofold.trend.evidence import Evidence, read


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
    evidence = read(run_folder)
    with style():
        sections = _sections(evidence, Album(run_folder))
    page = document(_title(evidence), _lead(evidence), sections, _footer(evidence))
    target = run_folder / "report.html"
    write_text(target, page)
    return target


def _sections(evidence: Evidence, album: Album) -> list[Section]:
    return [
        meaning.verdict_section(evidence),
        data_sections.data_section(evidence, album),
        data_sections.screen_section(evidence, album),
        data_sections.windows_section(evidence),
        data_sections.split_section(evidence),
        score_sections.models_section(evidence, album),
        score_sections.comparisons_section(evidence, album),
        score_sections.learning_section(evidence, album),
        score_sections.discrimination_section(evidence, album),
        score_sections.importance_section(evidence, album),
        region_sections.regions_section(evidence, album),
        region_sections.map_section(evidence, album),
        meaning.meaning_section(evidence),
    ]


def _title(evidence: Evidence) -> str:
    data = evidence.scores["data"]
    return f"Will the count rise? {data['regions']} regions, {data['first']} to {data['last']}"


def _lead(evidence: Evidence) -> Html:
    scores = evidence.scores
    up = wording.target(scores["windows"]["target"], evidence.unit)
    badges = [
        badge(f"recipe {scores['recipe']}"),
        badge(f"seed {scores['seed']}"),
        badge(f"split {scores['split']['kind']}"),
    ]
    parts = [paragraph(*badges)]
    if scores["simulated"]:
        parts.append(callout(paragraph(tag("strong", data_sections.SIMULATED)), kind="warning"))
    parts.append(
        paragraph(
            f"From the last {scores['windows']['length']} {evidence.unit}s of a region's new cases, the models "
            f"give the probability that {up}. This page says how far to trust it."
        )
    )
    return join(parts)


def _footer(evidence: Evidence) -> Html:
    return join(
        [
            details("Settings of this run", meaning.config_table(evidence.config)),
            paragraph(f"twofold {__version__}; data digest ", tag("code", evidence.scores["data"]["digest"]), "."),
            paragraph("Outlines of the map: pygal_maps_world. This page loads nothing from elsewhere."),
        ]
    )

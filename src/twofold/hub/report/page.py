"""The page of a hub's backtest: a run folder's files in, figures and one self-contained report.html out."""

from pathlib import Path

from twofold import __version__
from twofold.engine.files import saver, write_text
from twofold.hub.report import calibration_sections as hub_calibration_sections
from twofold.hub.report import evidence as hub_evidence
from twofold.hub.report import loss_sections as hub_loss_sections
from twofold.hub.report import meaning as hub_meaning
from twofold.hub.report import place_sections as hub_place_sections
from twofold.hub.report import run_sections as hub_run_sections
from twofold.hub.report import score_sections as hub_score_sections
from twofold.hub.report.evidence import HubEvidence
from twofold.page.album import Album
from twofold.page.blocks import Section, badge, document, paragraph
from twofold.page.drawing import style
from twofold.page.html import Html, join


def write(folder: Path) -> Path:
    """Draws the figures and writes report.html of a backtest; trains nothing and reads only what the run wrote.

    The same folder gives the same bytes.

    Args:
        folder: run folder whose computation is complete: scores.json, config.json, manifest.json, predictions, truth,
            counts, known and locations as Parquet; peers.parquet and rules.json where the run wrote them.

    Returns:
        The path of report.html.

    Raises:
        RunFolderError: when a file of the run is missing.
        InputError: when there are no rules for the hub.
    """
    found = hub_evidence.read(folder)
    with style():
        sections = _sections(found, Album(saver(folder)))
    title = f"Forecasts for {found.scores['hub']}, season {found.scores['season']}, beside what happened"
    target = folder / "report.html"
    write_text(target, document(title, _lead(found), sections, _footer()))
    return target


def _sections(found: HubEvidence, album: Album) -> list[Section]:
    return [
        hub_meaning.verdict_section(found),
        hub_score_sections.ranking_section(found),
        hub_score_sections.differences_section(found, album),
        hub_score_sections.dates_section(found, album),
        hub_score_sections.horizons_section(found, album),
        hub_calibration_sections.calibration_section(found, album),
        hub_place_sections.map_section(found, album),
        hub_place_sections.places_section(found, album),
        hub_loss_sections.losses_section(found),
        hub_run_sections.weights_section(found, album),
        hub_run_sections.skipped_section(found),
        hub_meaning.caveats_section(found),
        hub_run_sections.repeat_section(found),
    ]


def _lead(found: HubEvidence) -> Html:
    scores = found.scores
    badges = [badge(f"hub {scores['hub']}"), badge(f"season {scores['season']}"), badge(f"model {found.default}")]
    words = paragraph(
        f"{len(scores['dates'])} times in the season, from what was known at the deadline, models gave the probability "
        f"that the weekly count of a place falls or rises (“{found.rules.target}”). This page says how good those "
        "probabilities were, beside those of other teams."
    )
    return join([paragraph(*badges), words])


def _footer() -> Html:
    outlines = "Outlines of the map: U.S. Census Bureau, by way of us-atlas. This page loads nothing from elsewhere."
    return join([paragraph(f"twofold {__version__}."), paragraph(outlines)])

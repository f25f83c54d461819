"""The report of a run: a folder's files in, pictures and one self-contained page out."""

from pathlib import Path

from twofold import __version__
from twofold.engine.files import saver, write_text
from twofold.page.album import Album
from twofold.page.blocks import Section, badge, callout, document, paragraph
from twofold.page.drawing import style
from twofold.page.html import Html, join, tag
from twofold.vae.report import data_sections, evidence, meaning, picture_sections, score_sections, wording
from twofold.vae.report.evidence import Evidence


def write(run_folder: Path) -> Path:
    """Draws the pictures and writes report.html of a run; trains nothing and reads only what the run wrote.

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


def _sections(found: Evidence, album: Album) -> list[Section]:
    return [
        score_sections.glance_section(found),
        data_sections.images_section(found, album),
        data_sections.network_section(found),
        score_sections.learning_section(found, album),
        picture_sections.reconstructions_section(found, album),
        picture_sections.samples_section(found, album),
        picture_sections.interpolations_section(found, album),
        picture_sections.latent_section(found, album),
        score_sections.scores_section(found, album),
        meaning.meaning_section(found),
        meaning.repeat_section(found),
    ]


def _title(found: Evidence) -> str:
    images, _, height, width = found.scores["data"]["shape"]
    kind = "avatar" if found.scores["embedded"] else "image"
    return f"A variational autoencoder on {wording.plural(images, kind)} of {width}\u00a0×\u00a0{height}"


def _lead(found: Evidence) -> Html:
    scores = found.scores
    badges = [
        badge(f"recipe {scores['recipe']}"),
        badge(f"seed {scores['seed']}"),
        badge(f"beta {wording.setting(scores['objective']['beta'])}"),
        badge(f"likelihood {scores['likelihood']['name']}"),
    ]
    parts = [paragraph(*badges)]
    if scores["embedded"]:
        parts.append(callout(paragraph(tag("strong", data_sections.RENDERED)), kind="warning"))
    if scores["departures"]:
        where = tag("a", "The network", href="#network")
        parts.append(callout(paragraph("This run repeats the original study, with departures: see ", where, ".")))
    units = wording.plural(scores["model"]["latent_dim"], "number")
    parts.append(
        paragraph(
            f"An encoder squeezes each image into {units}, the code; a decoder draws the image again from them. From "
            "random codes the decoder makes images that never were. This page says how well it does both, and what its "
            "figures mean."
        )
    )
    return join(parts)


def _footer(found: Evidence) -> Html:
    digest = tag("code", found.scores["data"]["digest"])
    made = paragraph(f"twofold {__version__}; digest of the images ", digest, ".")
    return join([made, paragraph("This page loads nothing from elsewhere.")])

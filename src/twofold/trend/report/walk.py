"""The report of a walk forward: a folder's files in, figures and one self-contained page out."""

import json
from pathlib import Path
from typing import Any

from twofold import __version__
from twofold.engine.files import saver, text, write_text
from twofold.page import numbers
from twofold.page.album import Album
from twofold.page.blocks import badge, callout, details, document, paragraph, settings
from twofold.page.drawing import style
from twofold.page.html import Html, join, tag
from twofold.trend.report import data_sections, wording
from twofold.trend.report import walk_known_sections as backtest_known_sections
from twofold.trend.report import walk_sections as sections

Row = dict[str, Any]


def write(folder: Path) -> Path:
    """Draws the figures and writes report.html; fits nothing and reads only what the walk wrote.

    The same folder gives the same bytes.

    Args:
        folder: holds scores.json and config.json.

    Returns:
        The path of report.html.

    Raises:
        RunFolderError: when one of the files is missing.
    """
    found, config = (json.loads(text(folder, name)) for name in ("scores.json", "config.json"))
    level = f"{numbers.score(100 * config['score']['level'], 0)}\N{NO-BREAK SPACE}%"
    album = Album(saver(folder))
    with style():
        chapters = [
            sections.verdict_section(found, level),
            sections.models_section(found, level, album),
            sections.comparisons_section(found, level, album),
            sections.origins_section(found, album),
            sections.reliability_section(found, album),
            backtest_known_sections.known_section(found, config, album),
            backtest_known_sections.meaning_section(found),
        ]
    target = folder / "report.html"
    write_text(target, document(_title(found), _lead(found), chapters, _footer(found, config)))
    return target


def _title(found: Row) -> str:
    walk = found["walk"]
    first, last = (walk[end].replace("-", "\N{NON-BREAKING HYPHEN}") for end in ("first_target", "last_target"))
    return f"Walking forward: {first} to {last}"


def _lead(found: Row) -> Html:
    walk, unit = found["walk"], wording.unit(found["data"]["step_days"])
    parts = [paragraph(badge(f"recipe {found['recipe']}"), badge(f"seed {found['seed']}"))]
    if found["simulated"]:
        parts.append(callout(paragraph(tag("strong", data_sections.SIMULATED)), kind="warning"))
    parts.append(
        paragraph(
            f"At each origin, the last {unit} that a forecast may see, everything was chosen and fitted from what was "
            f"known: the set C, inputs and their scaling, all models, and the pool's weights and calibration. From the "
            f"last {walk['length']} {unit}s of a region's new cases they give the probability that "
            f"{wording.target(walk['target'], unit)}."
        )
    )
    return join(parts)


def _footer(found: Row, config: Row) -> Html:
    made = paragraph(f"twofold {__version__}; data digest ", tag("code", found["data"]["digest"]), ".")
    return join([details("Settings of this walk", settings(config)), made])

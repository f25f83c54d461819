"""Building blocks of a report: strings in, escaped HTML out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from twofold.page.html import Html, escape, join, tag
from twofold.page.numbers import settings as flat_settings
from twofold.page.style import CSS


@dataclass(frozen=True)
class Section:
    """One chapter of a report.

    Attributes:
        anchor: its id, for links.
        title: its heading.
        body: its HTML.
    """

    anchor: str
    title: str
    body: Html


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        label: its heading.
        align: numbers stand right, words left.
        hint: what it means, shown on hover.
    """

    label: str
    align: Literal["left", "right"] = "right"
    hint: str | None = None


def document(title: str, lead: Html, sections: Sequence[Section], footer: Html) -> str:
    """A whole page in one string: nothing in it is loaded from elsewhere.

    Args:
        title: name of the page.
        lead: what stands above the contents, e.g. badges and a banner.
        sections: the chapters, which the table of contents lists too.
        footer: the last lines.
    """
    head = join(
        [
            Html('<meta charset="utf-8">'),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Html('<meta name="color-scheme" content="light dark">'),
            tag("title", title),
            tag("style", Html(CSS)),
        ],
        "\n",
    )
    body = join(
        [
            tag("a", "Skip to the results", href=f"#{sections[0].anchor}", class_="skip"),
            tag("header", tag("h1", title), lead),
            _contents(sections),
            tag("main", join([_section(section) for section in sections], "\n")),
            tag("footer", footer),
        ],
        "\n",
    )
    return f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n{body}\n</body>\n</html>\n'


def _contents(sections: Sequence[Section]) -> Html:
    links = [tag("li", tag("a", section.title, href=f"#{section.anchor}")) for section in sections]
    return tag("nav", tag("ol", *links), aria_label="Contents")


def _section(section: Section) -> Html:
    heading = tag("h2", section.title, id=f"{section.anchor}-heading")
    return tag("section", heading, section.body, id=section.anchor, aria_labelledby=f"{section.anchor}-heading")


def paragraph(*parts: str, kind: str | None = None) -> Html:
    """A paragraph of text and inline HTML."""
    return tag("p", *parts, class_=kind)


def bullets(items: Sequence[str], ordered: bool = False) -> Html:
    """A list, with dots or with numbers."""
    return tag("ol" if ordered else "ul", *(tag("li", item) for item in items))


def callout(*parts: str, kind: Literal["plain", "good", "warning"] = "plain") -> Html:
    """A box that stands out: the verdict, or a warning."""
    return tag("div", *parts, class_=f"callout {kind}", role="note")


def badge(text: str, kind: Literal["plain", "good", "warning"] = "plain") -> Html:
    """A short label."""
    return tag("span", text, class_=f"badge {kind}")


def definitions(pairs: Sequence[tuple[str, str]]) -> Html:
    """Names and what they are, as a definition list."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs))


def cards(items: Sequence[tuple[str, str, str, str]]) -> Html:
    """Key figures side by side: name, figure, its interval or nothing, a line of explanation."""
    return tag("div", *(_card(*item) for item in items), class_="cards")


def _card(name: str, value: str, interval: str, line: str) -> Html:
    ends = tag("span", interval, class_="interval") if interval else ""
    return tag("div", tag("span", name, class_="name"), tag("strong", value), ends, tag("span", line, class_="line"))


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], caption: str, groups: dict[int, str] | None = None
) -> Html:
    """A table in its own scrolling box; the first cell of a row is the row's heading.

    Args:
        columns: headings, one for every cell of a row.
        rows: cells, text or `Html`.
        caption: says what the table holds; also read out by screen readers.
        groups: a heading line before the row of that index.
    """
    head = tag("thead", tag("tr", *(_heading(column) for column in columns)))
    lines: list[Html] = []
    for index, row in enumerate(rows):
        if groups and index in groups:
            lines.append(
                tag("tr", tag("th", groups[index], colspan=str(len(columns)), scope="rowgroup"), class_="group")
            )
        lines.append(_row(columns, row))
    body = tag("table", tag("caption", tag("span", caption)), head, tag("tbody", join(lines, "\n")))
    return tag("div", body, class_="scroll", tabindex="0", role="region", aria_label=caption)


def settings(config: dict[str, Any]) -> Html:
    """Every setting of a config by its dotted name, as a table."""
    rows = [[tag("code", name), value] for name, value in flat_settings(config)]
    return table([Column("Setting", "left"), Column("Value", "left")], rows, "The run's whole config")


def _heading(column: Column) -> Html:
    label = tag("abbr", column.label, title=column.hint) if column.hint else escape(column.label)
    return tag("th", label, scope="col", class_=_side(column))


def _row(columns: Sequence[Column], row: Sequence[str]) -> Html:
    cells = [
        tag("td" if index else "th", cell, class_=_side(column), scope=None if index else "row")
        for index, (column, cell) in enumerate(zip(columns, row, strict=True))
    ]
    return tag("tr", *cells)


def _side(column: Column) -> str | None:
    return "number" if column.align == "right" else None


def figure(drawing: Html, caption: str, wide: bool = False) -> Html:
    """A drawing (see `page.album`, whose elements carry the alt text) above its caption.

    Args:
        drawing: inline SVG, or a raster picture.
        caption: what to see in it.
        wide: too wide for a phone; it then scrolls in its own box.
    """
    box = tag("div", drawing, class_="scroll wide" if wide else "drawing", tabindex="0" if wide else None)
    return tag("figure", box, tag("figcaption", caption))


def gallery(figures: Sequence[Html], narrow: bool = False) -> Html:
    """Figures side by side where the page is wide enough."""
    return tag("div", *figures, class_="gallery narrow" if narrow else "gallery")


def details(summary: str, body: Html) -> Html:
    """Something folded away until it is asked for."""
    return tag("details", tag("summary", summary), body)

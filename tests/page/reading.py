"""Reads a page as a browser does, strictly enough to find what is broken in it."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "hr", "input", "wbr"}


@dataclass
class Page(HTMLParser):
    """What a page holds: open elements, ids, links, images without words, text by element."""

    open: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        assert len(named) == len(attrs), f"<{tag}> has an attribute twice: {attrs}"
        self.tags.append((tag, named))
        if named.get("id"):
            self.ids.append(named["id"] or "")
        for key in ("href", "src", "xlink:href", "srcset", "data", "action"):
            if named.get(key):
                self.loads.append(named[key] or "")
        self.targets += re.findall(r"url\(#([^)]+)\)", " ".join(value or "" for value in named.values()))
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            return
        self.text += data
        if self.cells and {"td", "th"} & set(self.open):
            self.cells[-1] += data


def read(html: str) -> Page:
    """Parses a whole page and checks that every element is closed where it was opened."""
    page = Page()
    page.feed(str(html))  # a piece of Markup would escape what is added to it
    page.close()
    assert not page.open, f"never closed: {page.open}"
    return page


def words_of_days(html: str) -> list[str]:
    """What a page says of days, in its text or in words for pictures; the options in its settings are left out."""
    return re.findall(r"(?i)\b(?:days?|daily|tomorrow)\b", html.partition("Settings of this")[0])


def check_whole(html: str) -> Page:
    """Well formed, ids unique, inner links with targets, nothing loaded from elsewhere, every picture in words."""
    page = read(html)
    assert len(page.ids) == len(set(page.ids)), [name for name in page.ids if page.ids.count(name) > 1]
    inner = [load[1:] for load in page.loads if load.startswith("#")]
    missing = (set(inner) | set(page.targets)) - set(page.ids)
    assert not missing, missing
    outer = [load[:80] for load in page.loads if not load.startswith(("#", "data:"))]
    assert not outer, outer
    addresses = set(re.findall(r"https?://[^\s\"'<>)]+", html))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}, addresses
    names = [tag for tag, _ in page.tags]
    assert not {"link", "iframe", "object", "embed"} & set(names)
    assert "@import" not in html and "url(//" not in html
    for tag, named in page.tags:
        if tag == "svg":
            assert named.get("aria-hidden") == "true" or (named.get("role") == "img" and named.get("aria-label"))
        if tag == "img":
            assert named.get("alt")
    return page

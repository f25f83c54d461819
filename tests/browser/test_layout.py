"""That what is looked for on every page is found where it is, and not where it isn't."""

from pathlib import Path

import pytest

from browser import layout
from browser.conftest import Visitor

pytestmark = pytest.mark.browser
START = '<!DOCTYPE html><html lang="en"><title>page</title><body style="background:#fff;margin:0"><main><h1>Page</h1>'
SVG = '<svg role="img" aria-label="drawing" viewBox="0 0 200 100" width="200" height="100">'


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('<p style="width:500px">wide</p>', "the page is 500 wide on 400"),
        ('<p style="position:absolute;left:-50px">left</p>', "beyond the screen"),
        ('<p style="width:40px">incomprehensibilities</p>', "text leaves its box"),
        ('<p style="height:10px;overflow:hidden">one<br>two<br>three</p>', "text is cut"),
        (f'<table><tr><td style="display:block;width:30px">{"many words " * 30}</td></tr></table>', "text is squeezed"),
        (f'{SVG}<text x="180" y="50">a long label</text></svg>', "text leaves its drawing"),
        (f'{SVG}<text x="9" y="50" fill="#aaaaaa">pale</text></svg>', "pale text"),
        (f'{SVG}<text x="9" y="50">one</text><text x="12" y="54">two</text></svg>', "text on “two”"),
    ],
)
def test_a_fault_of_the_layout_is_found(visit: Visitor, tmp_path: Path, content: str, fault: str) -> None:
    page = tmp_path / "page.html"
    page.write_text(f"{START}{content}", encoding="utf-8")
    assert any(each.startswith(fault) for each in layout.faults(visit.open(page.as_uri(), 400)))


def test_a_page_without_a_fault_has_none(visit: Visitor, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    slanted = "".join(f'<text transform="translate({x} 60) rotate(-45)">label</text>' for x in (50, 65))
    wide = '<div style="overflow-x:auto" tabindex="0"><p style="width:900px">wide, in a box that scrolls</p></div>'
    page.write_text(f"{START}<p>text</p>{wide}{SVG}{slanted}</svg>", encoding="utf-8")
    shown = visit.open(page.as_uri(), 400)
    assert layout.faults(shown) == []
    layout.prepare_axe(shown)
    assert layout.violations(shown) == []


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ('<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">', "image-alt"),
        ('<p style="color:#999">pale</p>', "color-contrast"),
        ("<button></button>", "button-name"),
        (
            '<div style="height:30px;overflow:auto"><p style="height:90px">no key leads here</p></div>',
            "scrollable-region",
        ),
    ],
)
def test_a_violation_is_found(visit: Visitor, tmp_path: Path, content: str, rule: str) -> None:
    page = tmp_path / "page.html"
    page.write_text(f"{START}{content}", encoding="utf-8")
    shown = visit.open(page.as_uri())
    layout.prepare_axe(shown)
    assert [each for each in layout.violations(shown) if each.startswith(rule)]

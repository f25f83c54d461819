import pytest

from page.reading import check_whole, read
from twofold.page import blocks
from twofold.page.html import Html, tag

EVIL = "<script>&\"'"


def test_document_is_whole_and_lists_its_sections() -> None:
    sections = [blocks.Section("one", "First & <b>", blocks.paragraph("a")), blocks.Section("two", "Second", Html(""))]
    html = blocks.document(EVIL, blocks.badge(EVIL), sections, blocks.paragraph("end"))
    page = check_whole(html)
    assert "#one" in page.loads and "#two" in page.loads
    assert dict(page.tags[0][1])["lang"] == "en"
    assert "viewport" in html and "prefers-color-scheme:dark" in html and "@media print" in html


def test_every_block_escapes() -> None:
    made = [
        blocks.paragraph(EVIL),
        blocks.bullets([EVIL]),
        blocks.callout(EVIL),
        blocks.definitions([(EVIL, EVIL)]),
        blocks.cards([(EVIL, EVIL, EVIL, EVIL)]),
        blocks.table([blocks.Column(EVIL, hint=EVIL)], [[EVIL]], EVIL, {0: EVIL}),
        blocks.figure(tag("svg"), EVIL),
        blocks.details(EVIL, blocks.paragraph("x")),
    ]
    for html in made:
        page = read(html)
        assert "script" not in [name for name, _ in page.tags]
        assert EVIL in page.text


def test_table_heads_rows_and_columns() -> None:
    columns = [blocks.Column("Name", "left"), blocks.Column("Score", hint="what it is")]
    page = read(blocks.table(columns, [["a", "1"], ["b", "2"]], "caption", {1: "group"}))
    scopes = [named.get("scope") for name, named in page.tags if name == "th"]
    assert scopes == ["col", "col", "row", "rowgroup", "row"]
    assert page.cells == ["Name", "Score", "a", "1", "group", "b", "2"]
    assert any(named.get("title") == "what it is" for name, named in page.tags if name == "abbr")


def test_a_row_of_the_wrong_length_is_our_bug() -> None:
    with pytest.raises(ValueError, match="zip"):
        blocks.table([blocks.Column("a")], [["1", "2"]], "caption")

from hypothesis import given
from hypothesis import strategies as st

from page.reading import read
from twofold.page.html import Html, escape, join, tag

text = st.text(st.characters(exclude_categories=["Cs", "Cc"]))


@given(text)
def test_text_comes_out_as_it_went_in_and_opens_no_element(value: str) -> None:
    page = read(tag("p", value, title=value))
    assert [name for name, _ in page.tags] == ["p"]
    assert page.text == value
    assert page.tags[0][1]["title"] == value


@given(text)
def test_html_is_escaped_once(value: str) -> None:
    assert escape(escape(value)) == escape(value)
    assert join([value, Html("<br>")]) == f"{escape(value)}<br>"


def test_attributes_are_named_and_left_out() -> None:
    assert tag("a", class_="x", aria_label='"', href=None) == '<a class="x" aria-label="&#34;"></a>'

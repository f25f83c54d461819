"""Pages from templates: nothing undefined passes, text is escaped, sections make the contents."""

from pathlib import Path

import jinja2
import pytest

from page.reading import check_whole
from twofold.page import template
from twofold.page.album import Album

PAGE = """
{% extends "page/templates/base.html.j2" %}
{% import "page/templates/blocks.html.j2" as page with context %}
{% block title %}{{ name }}{% endblock %}
{% block main %}
{% call page.section("one", "First <section>") %}<p>{{ name }}</p>{% endcall %}
{% call page.section("two", "Second") %}
{{ page.definitions([(name, name)]) }}{{ page.badge(name) }}{{ page.card(name, name, name, name) }}
{{ page.settings({name: name}) }}
{% call page.table(name) %}<thead><tr>{{ page.column(name, hint=name) }}</tr></thead>{% endcall %}
{% call page.grid(name, [name, name]) %}<tr>{{ page.numbers(name, name) }}</tr>{% endcall %}
{% endcall %}
{% endblock %}
"""


@pytest.fixture
def render(monkeypatch: pytest.MonkeyPatch):
    """Renders a template's text with a view."""

    def rendered(text: str, **view: object) -> str:
        environment = template._environment()
        ours = jinja2.ChoiceLoader([jinja2.DictLoader({"trial.html.j2": text}), environment.loader])
        monkeypatch.setattr(template, "_environment", lambda: environment.overlay(loader=ours))
        return template.render("trial.html.j2", Album(lambda name, content: None), **view)

    return rendered


def test_text_is_escaped_everywhere(render) -> None:
    evil = "<script>alert('1')</script> & \"quotes\""
    page = check_whole(render(PAGE, name=evil))
    assert evil in page.text
    assert page.cells.count(evil) == 7


def test_sections_make_the_contents(render) -> None:
    page = check_whole(render(PAGE, name="x"))
    links = [named["href"] for tag, named in page.tags if tag == "a"]
    assert links == ["#one", "#one", "#two"]
    assert page.text.count("First <section>") == 2


def test_what_the_view_lacks_is_an_error(render) -> None:
    with pytest.raises(jinja2.UndefinedError, match="'name' is undefined"):
        render(PAGE)


def test_a_figure_that_was_not_drawn_is_an_error(render) -> None:
    text = PAGE.replace("{{ page.badge(name) }}", '{{ page.figure("missing", "alt", "caption") }}')
    with pytest.raises(KeyError, match="missing"):
        render(text, name="x")


def test_a_style_sheet_and_data_stand_in_the_page_as_they_are(render) -> None:
    own = "{% block style %}{{ source('page/style.css') }}{% endblock %}"
    data = '{% block script %}<script type="application/json">{{ {"name": name} | tojson }}</script>{% endblock %}'
    html = render(PAGE + own + data, name="</script>")
    css = (Path(template.__file__).parent / "style.css").read_text(encoding="utf-8").rstrip("\n")
    assert html.count(css) == 2  # every page has it once
    assert '{"name":"\\u003c/script\\u003e"}' in html and html.count("</script>") == 1


def test_every_template_is_part_of_the_package() -> None:
    root = Path(template.__file__).parents[1]
    found = {str(path.relative_to(root)) for path in root.rglob("*.j2")}
    assert found == set(template._environment().list_templates(extensions=["j2"]))

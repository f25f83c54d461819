"""What holds for every page: at three widths, by day and by night, without its script, and in print."""

from itertools import product
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from browser import layout
from browser.conftest import Visitor
from browser.pages import PAGES, REPORTS

pytestmark = pytest.mark.browser
WIDTHS = (1400, 900, 400)
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, Scheme] = ("light", "dark")


def settle(page: Page) -> None:
    """Waits until the page has what it asked its server for."""
    if not page.url.startswith("file:"):
        page.wait_for_load_state("networkidle")


def show(page: Page, width: int, scheme: Scheme) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_cut_or_pale_and_axe_finds_no_violation(visit: Visitor, name: str) -> None:
    if name == "app, no such run":
        visit.watch.expect("404")
    page = visit(name)
    settle(page)
    page.evaluate("document.querySelectorAll('details').forEach((folded) => { folded.open = true; })")
    found = {}
    for width, scheme in product(WIDTHS, SCHEMES):
        show(page, width, scheme)
        found["layout", width, scheme] = layout.faults(page)
    layout.prepare_axe(page)
    for width, scheme in (WIDTHS[0], SCHEMES[0]), (WIDTHS[-1], SCHEMES[-1]):  # axe takes seconds, and colours have two
        show(page, width, scheme)
        found["axe", width, scheme] = layout.violations(page)
    assert {state: faults for state, faults in found.items() if faults} == {}


@pytest.mark.parametrize("name", REPORTS)
def test_without_its_script_a_report_holds_all_and_offers_nothing_that_needs_it(visit: Visitor, name: str) -> None:
    page = visit(name, java_script_enabled=False)
    assert page.locator("section").count() > 5 and page.locator("table").count() > 1
    expect(page.locator("main :is(svg[role=img], img)").locator("visible=true").first).to_be_visible()
    expect(page.locator("button, input, select").locator("visible=true")).to_have_count(0)
    for link in page.locator("nav a").all():
        expect(page.locator(f"{link.get_attribute('href')} > h2")).to_be_visible()


@pytest.mark.parametrize(("name", "told"), [
    ("app, home", "log score"),
    ("app, trend run", "Target date"),
    ("app, vae run", "bits per dim on"),
    ("app, vae sweep", "Move this run's units"),
])  # fmt: skip
def test_without_its_script_a_page_of_the_app_says_what_it_can(visit: Visitor, name: str, told: str) -> None:
    page = visit(name, java_script_enabled=False)
    expect(page.get_by_text(told).first).to_be_visible()
    expect(page.get_by_role("heading", level=2).first).to_be_visible()


@pytest.mark.parametrize("name", PAGES)
def test_in_print_all_is_open_and_fits_the_paper(visit: Visitor, name: str) -> None:
    if name == "app, no such run":
        visit.watch.expect("404")
    page = visit(name, 688)  # A4 without margins of 14 mm
    settle(page)
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    expect(page.locator("nav, .controls, .skip").locator("visible=true")).to_have_count(0)
    for folded in page.locator("details:not([hidden] *) > :nth-child(2)").all():
        expect(folded).to_be_visible()
    assert layout.faults(page) == []

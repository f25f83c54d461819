"""The explorer of the trend study's reports: map, series and table answer to mouse, touch and keyboard."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.conftest import Visitor
from trend.report.showing import COUNTRIES, ODD_NAMES

pytestmark = pytest.mark.browser
BOTH = pytest.mark.parametrize("name", ["trend run", "trend backtest"])


def shape(page: Page, region: str) -> Locator:
    row = page.locator("#explorer tbody tr").filter(has=page.get_by_role("button", name=region, exact=True))
    return page.locator(f'#explorer-map [data-place="{row.get_attribute("data-place")}"]')


def is_chosen(page: Page, region: str) -> None:
    """The map, the table, the text field, the heading and the words agree."""
    expect(page.locator("#explorer-shown")).to_have_text(region)
    expect(page.locator("#explorer-place")).to_have_value(region)
    expect(page.locator("#explorer-status")).to_contain_text(f"{region}. P(rise) for")
    expect(page.locator("#explorer tr.picked th[scope=row]")).to_have_text(region)
    expect(page.get_by_role("button", name=region, exact=True)).to_have_attribute("aria-pressed", "true")


@BOTH
def test_a_region_is_chosen_on_the_map_in_the_table_and_by_its_name(visit: Visitor, name: str) -> None:
    page = visit(name)
    peru = shape(page, "Peru")
    peru.locator("path").first.click()
    is_chosen(page, "Peru")
    expect(peru).to_have_class(re.compile("picked"))
    assert peru.evaluate("(shape) => shape === shape.parentNode.lastElementChild")  # over its neighbours
    page.locator("#explorer tbody tr", has_text="India").locator("td").nth(1).click()
    is_chosen(page, "India")
    expect(peru).not_to_have_class(re.compile("picked"))
    field = page.locator("#explorer-place")
    field.click()
    expect(field).to_have_value("")  # so that the list holds all
    page.keyboard.press("Tab")
    expect(field).to_have_value("India")
    for written, chosen in (("nepal", "Nepal"), ("it", "Italy"), ("script", ODD_NAMES[1]), ("nowhere", ODD_NAMES[1])):
        field.fill(written)
        field.press("Enter")
        field.blur()
        is_chosen(page, chosen)


@BOTH
def test_pointing_shows_a_region_without_choosing_it(visit: Visitor, name: str) -> None:
    page = visit(name)
    page.locator("#explorer tbody tr", has_text="Peru").click()
    said = page.locator("#explorer-status").inner_text()
    drawn = page.locator("#explorer-panel .count").get_attribute("d")
    for target in (shape(page, "India").locator("path").first, page.locator("#explorer tbody tr", has_text="India")):
        target.hover()
        expect(page.locator("#explorer-shown")).to_have_text("India")
        assert page.locator("#explorer-panel .count").get_attribute("d") != drawn
        assert page.locator("#explorer-status").inner_text() == said
        page.mouse.move(0, 0)
        is_chosen(page, "Peru")
    assert page.locator("#explorer-panel .count").get_attribute("d") == drawn


@BOTH
def test_the_date_goes_back_and_on_by_buttons_slider_keys_and_a_click_on_the_series(visit: Visitor, name: str) -> None:
    page = visit(name)
    slider, back, on = (page.locator(f"#explorer-{part}") for part in ("at", "back", "on"))
    date, last = page.locator("#explorer-date"), int(slider.get_attribute("max") or 0)
    newest = date.inner_text()
    expect(on).to_be_disabled()
    back.click()
    expect(slider).to_have_value(str(last - 1))
    assert date.inner_text() != newest
    expect(page.locator("#explorer-when")).to_have_text(date.inner_text())
    expect(page.locator("#explorer-status")).to_contain_text("it ")  # rose, or did not
    slider.focus()
    page.keyboard.press("Home")
    expect(back).to_be_disabled()
    first = date.inner_text()
    expect(slider).to_have_attribute("aria-valuetext", first)
    page.locator(".panels").focus()
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_value("1")
    page.keyboard.press("ArrowLeft")
    expect(date).to_have_text(first)
    box = page.locator("#explorer-panel").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] - 12, box["y"] + box["height"] / 2)
    expect(date).to_have_text(newest)


@BOTH
def test_models_are_switched_on_and_off(visit: Visitor, name: str) -> None:
    page = visit(name)
    lines, boxes = page.locator("#explorer-panel g"), page.locator("#explorer-models input")
    expect(lines).to_have_count(2)
    page.locator("#explorer-back").click()
    for box in boxes.all():
        box.set_checked(not box.is_checked())
    expect(lines).to_have_count(boxes.count() - 2)
    named = page.locator("#explorer-models label").nth(2).inner_text().strip()
    expect(page.locator("#explorer-status")).to_contain_text(named)
    first = page.locator("#explorer-models label").first.inner_text().strip()
    expect(page.locator("#explorer-status")).not_to_contain_text(first)
    for box in boxes.all():
        box.uncheck()
    expect(lines).to_have_count(0)
    expect(page.locator("#explorer-status")).to_contain_text("no forecast")


@BOTH
def test_the_table_is_sorted_and_searched(visit: Visitor, name: str) -> None:
    page = visit(name)
    rows = page.locator("#explorer tbody tr")
    names = rows.locator("th").all_inner_texts()
    head = page.get_by_role("button", name="Region", exact=True)
    head.click()
    assert rows.locator("th").all_inner_texts() == page.evaluate(
        "(names) => names.sort((a, b) => a.localeCompare(b, 'en'))", names
    )
    column = page.locator("#explorer th", has_text="Newest")
    for direction, down in (("descending", True), ("ascending", False)):
        column.get_by_role("button").click()
        expect(column).to_have_attribute("aria-sort", direction)
        values = [float(each.get_attribute("data-value") or "-inf") for each in rows.locator("td:nth-child(4)").all()]
        assert values == sorted(values, reverse=down)
    expect(page.locator("#explorer th[aria-sort]")).to_have_count(1)
    page.locator("#explorer-search").fill("AN")
    expect(page.locator("#explorer-found")).to_have_text("2 of 16 regions")
    assert set(rows.locator("visible=true").locator("th").all_inner_texts()) == {"Ghana", "Iran"}
    page.locator("#explorer-search").fill("")
    expect(page.locator("#explorer-found")).to_have_text("")
    assert len(names) == rows.locator("visible=true").count() == len(ODD_NAMES + COUNTRIES)


def test_all_of_it_by_keyboard_alone(visit: Visitor) -> None:
    page = visit("trend run")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.url.endswith("#forecast")
    page.locator("#explorer-search").focus()
    page.keyboard.type("an")
    page.keyboard.press("Tab")  # the table's own box, which scrolls
    stops = []
    while not stops or "pick" not in stops[-1]:
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.className"))
    assert stops[-1] == "pick" and stops.count("sort") == len(stops) - 1
    first = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("ArrowDown")
    second = page.evaluate("document.activeElement.textContent")
    assert first != second
    is_chosen(page, second)
    page.keyboard.press("ArrowUp")
    is_chosen(page, first)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") != "pick"  # the rows are one stop
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.textContent") == second
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#explorer th[aria-sort]")).to_have_text(re.compile("Went up"))


def test_a_finger_chooses_too(visit: Visitor) -> None:
    page = visit("trend run", 400, has_touch=True, is_mobile=True)
    shape(page, "India").locator("path").first.tap()
    is_chosen(page, "India")
    page.locator("#explorer tbody tr", has_text="Peru").tap()
    is_chosen(page, "Peru")

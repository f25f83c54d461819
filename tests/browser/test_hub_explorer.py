"""The explorer of a hub's season: fans, strips and map answer to mouse, touch and keyboard."""

import re

import pytest
from playwright.sync_api import Page, expect

from browser.conftest import Visitor

pytestmark = pytest.mark.browser


def panels(page: Page) -> list[str]:
    return [panel.get_attribute("aria-label") or "" for panel in page.locator("#explorer .panels svg").all()]


def test_a_place_is_chosen_on_the_map_and_by_its_name(visit: Visitor) -> None:
    page = visit("hub backtest")
    field, status = page.locator("#explorer-place"), page.locator("#explorer-status")
    expect(field).to_have_value("US")
    country = panels(page)
    state = page.locator('#explorer-map [data-place="56"]')
    state.click()
    expect(field).to_have_value("Wyoming")
    expect(status).to_contain_text("Wyoming, reference date")
    expect(state).to_have_class(re.compile("picked"))
    assert panels(page) != country
    field.click()
    expect(field).to_have_value("")
    for written, chosen in (("al", "Alabama"), ("wyo", "Wyoming"), ("us", "US"), ("nowhere", "US")):
        field.fill(written)
        field.press("Enter")
        field.blur()
        expect(field).to_have_value(chosen)
        expect(status).to_contain_text(f"{chosen}, reference date")
    assert panels(page) == country


def test_the_date_goes_back_and_on_by_buttons_slider_keys_and_strips(visit: Visitor) -> None:
    page = visit("hub backtest")
    slider, back, on, day = (page.locator(f"#explorer-{part}") for part in ("date", "back", "on", "day"))
    begun = day.inner_text()
    back.click()
    assert day.inner_text() != begun
    on.click()
    expect(day).to_have_text(begun)
    slider.focus()
    page.keyboard.press("End")
    expect(on).to_be_disabled()
    expect(slider).to_have_attribute("aria-valuetext", day.inner_text())
    page.locator("#explorer .panels").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(slider).to_have_value("6")
    assert all(f"week to {day.inner_text().rsplit(' ', 1)[0]}" in panel for panel in panels(page))
    strip = page.locator("#explorer-rise-0 svg")
    box = strip.bounding_box()
    assert box is not None
    strip.click(position={"x": 2, "y": box["height"] / 2})
    expect(back).to_be_disabled()
    strip.click(position={"x": box["width"] - 2, "y": box["height"] / 2})
    expect(on).to_be_disabled()


def test_all_of_it_by_keyboard_alone(visit: Visitor) -> None:
    page = visit("hub backtest")
    page.locator("#explorer-place").focus()
    page.keyboard.type("wyoming")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#explorer-place")).to_have_value("Wyoming")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#explorer-panel-1 strong")).not_to_have_text("FluSight-ensemble")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#explorer-date")).to_have_value("5")
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    expect(page.locator("#explorer-date")).to_have_value("0")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press(" ")
    expect(page.locator("#explorer .truth")).to_have_count(0)
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#explorer-date")).to_have_value("1")


def test_another_model_is_compared_and_what_happened_is_switched_off(visit: Visitor) -> None:
    page = visit("hub backtest")
    other, status = page.locator("#explorer-other"), page.locator("#explorer-status")
    names = other.locator("option").all_inner_texts()
    assert len(names) >= 3
    other.select_option(label="FluSight-baseline")
    expect(page.locator("#explorer-panel-1 strong")).to_have_text("FluSight-baseline")
    expect(page.locator("#explorer-rise-1 .label")).to_have_text("P(rise), FluSight-baseline")
    expect(page.locator("#explorer-map figcaption")).to_contain_text("over that of FluSight-baseline")
    expect(status).to_contain_text("Counted: ")
    expect(page.locator("#explorer .truth")).to_have_count(2)
    page.get_by_role("checkbox", name="What happened").uncheck()
    expect(page.locator("#explorer .truth")).to_have_count(0)
    expect(status).not_to_contain_text("Counted: ")
    assert not any("counted" in panel for panel in panels(page))


def test_the_figures_of_the_fans_are_those_that_are_drawn(visit: Visitor) -> None:
    page = visit("hub backtest")
    page.get_by_text("The figures of these fans").click()
    rows = page.locator("#explorer-table tbody tr")
    expect(rows).to_have_count(4)
    expect(page.locator("#explorer-table [data-model]").last).to_have_text("FluSight-ensemble")
    ours, theirs = panels(page)
    for row in rows.all():
        cells = row.locator("td").all_inner_texts()
        for panel, (median, half, most) in ((ours, cells[1:4]), (theirs, cells[4:7])):
            assert f"median {median}, 50 % {half}, 95 % {most}; counted {cells[0]}" in panel
    before = rows.first.inner_text()
    page.locator("#explorer-back").click()
    assert rows.first.inner_text() != before


def test_a_strip_of_what_a_model_did_not_give_is_left_out(visit: Visitor) -> None:
    page = visit("hub backtest")
    expect(page.locator("#explorer-pmf-0")).to_be_hidden()  # the pool gave no categories
    expect(page.locator("#explorer-pmf-1")).to_be_visible()
    page.locator("#explorer-other").select_option(label="twofold-last_value")
    expect(page.locator("#explorer-pmf-1")).to_be_hidden()

"""The app's pages: what they ask of the server, and what they do with the answer."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from browser.conftest import Visitor
from browser.runs import LONG
from trend.report.showing import ODD_NAMES
from vae.small import discs

pytestmark = pytest.mark.browser


def test_home_leads_to_every_page_and_report(visit: Visitor) -> None:
    page = visit("app, home")
    leads = {link.inner_text(): link.get_attribute("href") for link in page.locator("tbody th a").all()}
    assert {"trend", "discs", "sweep", f"{LONG} / hub"} <= leads.keys()
    page.get_by_role("link", name="discs", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("discs")
    page.get_by_role("link", name="All runs").click()
    page.get_by_role("link", name="Report of sweep", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("beta")


@pytest.mark.parametrize(("run", "field"), [("trend", "Peru"), (f"{LONG}~hub", "Wyoming")])
def test_a_report_s_explorer_works_in_its_sandbox(visit: Visitor, run: str, field: str) -> None:
    page = visit("app, home")
    page.goto(f"{visit.server}/runs/{run}/report")
    page.locator("#explorer-place").fill(field)
    page.locator("#explorer-place").press("Enter")
    expect(page.locator("#explorer-status")).to_contain_text(field)


def test_a_trend_run_goes_from_date_to_date(visit: Visitor) -> None:
    page = visit("app, trend run")
    day, status = page.locator("#day"), page.locator("#status")
    earlier, later = page.get_by_label("One date back"), page.get_by_label("One date on")
    expect(day).not_to_be_empty()
    expect(later).to_be_disabled()
    newest = day.inner_text()
    probabilities = page.locator("#rows td:nth-child(2)").all_inner_texts()
    earlier.click()
    expect(day).not_to_have_text(newest)
    expect(status).to_contain_text(f"Target date {day.inner_text()}")
    assert page.locator("#rows td:nth-child(2)").all_inner_texts() != probabilities
    page.locator("#date").focus()
    page.keyboard.press("Home")
    expect(earlier).to_be_disabled()
    page.keyboard.press("End")
    expect(day).to_have_text(newest)
    assert page.locator("#rows td:nth-child(2)").all_inner_texts() == probabilities


def test_a_trend_run_s_region_is_chosen_on_the_map_in_the_table_and_by_name(visit: Visitor) -> None:
    page = visit("app, trend run")
    said, field = page.locator("#course-status"), page.locator("#place")
    page.locator('#map [data-region="India"] path').first.click()
    expect(said).to_contain_text("India, ")
    expect(page.locator('#map [data-region="India"]')).to_have_class(re.compile("picked"))
    page.get_by_role("button", name=ODD_NAMES[1]).click()
    expect(said).to_contain_text(f"{ODD_NAMES[1]}, ")
    expect(field).to_have_value(ODD_NAMES[1])
    for written, chosen in (("peru", "Peru"), ("ne", "Nepal"), ("nowhere", "Nepal")):
        field.fill(written)
        field.press("Enter")
        field.blur()
        expect(said).to_contain_text(f"{chosen}, ")
        expect(field).to_have_value(chosen)
    assert page.locator("#course-rows tr").count() == page.locator("#course .rose, #course .fell").count()


def test_a_trend_run_s_table_keeps_the_focus_of_the_keyboard(visit: Visitor) -> None:
    page = visit("app, trend run")
    page.wait_for_load_state("networkidle")
    button = page.get_by_role("button", name="India")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#course-status")).to_contain_text("India, ")
    page.wait_for_load_state("networkidle")
    expect(button).to_be_focused()


def test_a_trend_run_s_models_stand_side_by_side(visit: Visitor) -> None:
    page = visit("app, trend run")
    expect(page.locator("#head-other")).not_to_be_empty()
    page.locator("#model").select_option(label="GRU")
    expect(page.locator("#head-model")).to_have_text("GRU")
    page.locator("#other").select_option(label="Base rate")
    expect(page.locator("#head-other")).to_have_text("Base rate")
    expect(page.locator("#course-status")).to_contain_text(re.compile(r"GRU \d+ %, Base rate \d+ %"))
    shown = page.locator("#rows td:nth-child(2)").all_inner_texts()
    assert shown == sorted(shown, key=lambda share: -int(share.split()[0]))


def changed(image: Locator, act: str = "") -> str:
    """Waits until a picture is another than the one whose address is given, and gives its own."""
    expect(image).not_to_have_attribute("src", act or "")
    expect(image).to_have_js_property("complete", value=True)
    assert image.evaluate("(image) => image.naturalWidth") > 0
    return image.get_attribute("src") or ""


@pytest.fixture
def bench(visit: Visitor) -> Page:
    """The page of a vae run, with all that it shows at first."""
    page = visit("app, vae run")
    page.wait_for_load_state("networkidle")
    return page


def test_units_are_moved_by_mouse_and_keyboard(bench: Page) -> None:
    decoded, sliders = bench.locator("#decoded"), bench.locator(".sliders input")
    at_code = changed(decoded)
    code = [slider.input_value() for slider in sliders.all()]
    sliders.first.focus()
    bench.keyboard.press("ArrowRight")
    moved = changed(decoded, at_code)
    assert float(sliders.first.input_value()) == pytest.approx(float(code[0]) + 0.05, abs=0.051)
    expect(bench.locator(".sliders output").first).to_have_text(
        f"{float(sliders.first.input_value()):.2f}".replace("-", "−")
    )
    bench.get_by_role("button", name="All units to 0").click()
    zero = changed(decoded, moved)
    assert {slider.input_value() for slider in sliders.all()} == {"0"}
    bench.get_by_role("button", name="Back to the image's code").click()
    back = changed(decoded, zero)
    assert [slider.input_value() for slider in sliders.all()] == code
    second = bench.get_by_role("button", name="Test image 2", exact=True)
    second.focus()
    bench.keyboard.press("Enter")
    expect(second).to_have_attribute("aria-pressed", "true")
    expect(bench.locator("#images [aria-pressed=true]")).to_have_count(1)
    expect(bench.locator("#status")).to_have_text("Test image 2.")
    changed(decoded, back)


def test_ways_and_samples_are_drawn_anew(bench: Page) -> None:
    strip = bench.locator("#between-strip")
    way = changed(strip)
    bench.locator("#to").select_option("3")
    way = changed(strip, way)
    bench.locator("#path").select_option(label="on the great circle")
    changed(strip, way)

    samples = "[...document.querySelectorAll('#sheet canvas')].map((tile) => tile.toDataURL()).join()"
    drawn = bench.evaluate(samples)
    bench.get_by_role("button", name="Next seed").click()
    bench.wait_for_function(f"(drawn) => {samples} !== drawn", arg=drawn)
    expect(bench.locator("#seed")).to_have_value("1")
    bench.locator("#seed").fill("0")
    bench.keyboard.press("Enter")
    bench.wait_for_function(f"(drawn) => {samples} === drawn", arg=drawn)
    assert bench.url.endswith("/runs/discs")  # no form was sent
    bench.locator("#noise").press("End")
    expect(bench.locator("output[for=noise]")).to_have_text("1.00")
    bench.wait_for_function(f"(drawn) => {samples} !== drawn", arg=drawn)


@pytest.fixture
def picture() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(discs(1, seed=9)[0]).save(buffer, "PNG")
    return buffer.getvalue()


def test_an_own_image_is_told_its_cost_and_moved(bench: Page, picture: bytes) -> None:
    bench.locator("#file").set_input_files({"name": "mine.png", "mimeType": "image/png", "buffer": picture})
    expect(bench.locator("#own-status")).to_have_text(re.compile(r"^mine\.png: [\d.−]+ bits per dim, rate \d+ bits\.$"))
    expect(bench.locator("#own-rate_bits")).to_have_text(re.compile(r"^\d+$"))
    changed(bench.locator("#own-reconstruction"))
    bench.get_by_role("button", name="Move its units").click()
    expect(bench.locator("#original")).to_have_attribute(
        "src", bench.locator("#own-picture").get_attribute("src") or ""
    )
    expect(bench.locator("#images [aria-pressed=true]")).to_have_count(0)


def test_an_own_image_is_dropped_and_what_is_none_is_told(visit: Visitor, bench: Page, picture: bytes) -> None:
    drop = """([area, bytes, name]) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], name));
      const options = { dataTransfer: data, bubbles: true, cancelable: true };
      document.getElementById(area).dispatchEvent(new DragEvent("drop", options));
    }"""
    bench.evaluate(drop, ["drop", list(picture), "dropped.png"])
    expect(bench.locator("#own-status")).to_contain_text("dropped.png: ")
    expect(bench.locator("#own-found")).to_be_visible()
    expect(bench.locator("#near figcaption").first).to_have_text(re.compile(r"^\S+: 0\.\d{3}$"))
    visit.watch.expect("422")
    bench.evaluate(drop, ["drop", list(b"no image"), "letter.txt"])
    expect(bench.locator("#own-status")).to_have_text(re.compile("^letter.txt: .*no image"))
    expect(bench.locator("#own-found")).to_be_hidden()


def test_a_point_of_the_sweep_s_plane_opens_its_run(visit: Visitor, root: Path) -> None:
    page = visit("app, vae sweep")
    points, status = page.locator(".point"), page.locator("#status")
    expect(points).to_have_count(3)
    points.last.locator(".touch").click()
    expect(status).to_contain_text("beta 100, seed 0: rate")
    expect(page.locator(".point[aria-pressed=true]")).to_have_count(1)
    sheet = page.locator("[data-sheet=prior]")
    shown = sheet.get_attribute("src")
    page.keyboard.press("ArrowLeft")
    expect(status).to_contain_text("beta 1, seed 0: rate")
    assert sheet.get_attribute("src") != shown
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(status).to_contain_text("beta 0, seed 0: rate")
    expect(page.locator("#open")).to_have_attribute("href", re.compile("beta-0-seed-0$"))
    for image in page.locator("[data-sheet]").all():
        changed(image)

"""Takes the pictures of pages in docs/gallery, in Chromium.

`python bench/development/gallery.py [COVID AVATARS] [--hub HUB]`

COVID is the folder of a `twofold trend run` on the COVID-19 table of JHU CSSE (`--data covid_19.csv`), AVATARS that of
a `twofold vae run --train.images 2000`; both lie in one folder, over which `twofold app` is started. HUB is that of a
FluSight season, as `bench/hubs.py --out FOLDER` leaves it in FOLDER/backtest.
"""

import argparse
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

GALLERY = Path(__file__).parents[2] / "docs" / "gallery"
HEAVY = 250_000  # bytes; what is larger has 256 colours


def save(name: str, png: bytes) -> None:
    path, picture = GALLERY / f"{name}.png", Image.open(io.BytesIO(png)).convert("RGB")
    picture.save(path, optimize=True)
    if path.stat().st_size > HEAVY:
        picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def opened(browser: Browser, address: str, width: int = 1200, height: int = 1400, *, dark: bool = False) -> Page:
    page = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    page.goto(address)
    page.wait_for_load_state("networkidle")
    return page


def reports(browser: Browser, covid: Path, avatars: Path) -> None:
    page = opened(browser, (covid / "report.html").as_uri(), height=1310)
    save("report-top", page.screenshot())
    for width, name, dark in ((1200, "trend-explorer", False), (400, "trend-phone", True)):
        page = opened(browser, (covid / "report.html").as_uri(), width, 870, dark=dark)
        page.locator("#explorer-place").fill("Italy")
        page.locator("#explorer-place").press("Enter")
        page.locator("#explorer .beside").evaluate("(part) => window.scrollTo(0, part.offsetTop)")
        save(name, page.screenshot())
    save("vae-report-top", opened(browser, (avatars / "report.html").as_uri(), height=1220).screenshot())


def app(browser: Browser, covid: Path, avatars: Path) -> None:
    command = [sys.executable, "-m", "twofold", "app", str(covid.parent), "--port", "0", "--open", "no"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = server.stdout.readline().split()[-4]
        page = opened(browser, f"{address}runs/{covid.name}", height=1330)
        page.locator("#earlier").click()
        page.wait_for_load_state("networkidle")
        save("app-trend", page.screenshot())
        page = opened(browser, f"{address}runs/{avatars.name}", height=1250)
        page.get_by_role("button", name="Test image 3", exact=True).click()
        page.locator(".sliders input").first.press("End")
        page.wait_for_timeout(1000)
        save("app-vae", page.screenshot())
        server.terminate()


def hub(browser: Browser, season: Path) -> None:
    page = opened(browser, (season / "report.html").as_uri(), 1160)
    save("hub-report-top", page.locator("section").first.screenshot())
    page.locator("#explorer-place").fill("New York")
    page.locator("#explorer-place").press("Enter")
    page.locator("#explorer-date").fill("5")
    save("hub-explorer", page.locator("#explorer").screenshot())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="*", type=Path, metavar="COVID AVATARS")
    parser.add_argument("--hub", type=Path)
    chosen = parser.parse_args()
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        if chosen.runs:
            covid, avatars = (each.resolve() for each in chosen.runs)
            reports(browser, covid, avatars)
            app(browser, covid, avatars)
        if chosen.hub:
            hub(browser, chosen.hub.resolve())
        browser.close()


if __name__ == "__main__":
    main()

"""What is wrong with a page on a screen, and with its marks for assistive programs."""

from pathlib import Path

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

_LAYOUT = Path(__file__).with_name("layout.js").read_text(encoding="utf-8")
_FEWER = """() => {
  document.querySelectorAll("svg[role=img]").forEach((drawing) => drawing.replaceChildren());
  const alike = "tbody tr:not([class]):nth-child(n + 3), dl > div:nth-child(n + 3), option:nth-child(n + 3)";
  document.querySelectorAll(alike).forEach((row) => row.remove());
}"""
_RUN = "axe.run({resultTypes: ['violations'], preload: false}).then((found) => found.violations)"


def faults(page: Page) -> list[str]:
    """Texts that are cut, pale, or lie on others or beyond the screen."""
    return page.evaluate(_LAYOUT)


def prepare_axe(page: Page) -> None:
    """Loads axe, and takes away what it can't judge or would judge again and again.

    A third to a sixth of the time is left. What lies within a drawing that is an image has no roles, and of its text
    axe knows no colour; `faults` does.
    """
    assert not page.query_selector_all("svg[role=img] :is(a, [tabindex], [role])")
    page.evaluate(_FEWER)
    page.evaluate(AXE_SCRIPT)


def violations(page: Page) -> list[str]:
    """What axe finds by all of its rules."""
    found = page.evaluate(_RUN)
    return [f"{rule['id']}: {node['target']} {node['failureSummary']}" for rule in found for node in rule["nodes"]]
